//! A filter: one expression of SQL about one row. It reads nothing else.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Query, Visit, Visitor};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::Token;

use crate::error::QueryError;
use crate::limits;

/// The expression as the parser understood it, so that nothing else of the text reaches a query.
pub(super) fn checked(text: &str) -> Result<String, QueryError> {
    limits::check(text)?;
    let mut parser = Parser::new(&GenericDialect {}).try_with_sql(text).map_err(|error| wrong(&error))?;
    let expression = parser.parse_expr().map_err(|error| wrong(&error))?;
    let rest = parser.next_token();
    if rest.token != Token::EOF {
        let at = rest.span.start;
        let message = format!("where is more than one expression: {} is left at Line: {}, Column: {}", rest.token, at.line, at.column);
        return Err(QueryError::Statement(message));
    }
    if Visit::visit(&expression, &mut Queries).is_break() {
        let message = "where has a query in it: it is about the columns of the row alone; leave the query out";
        return Err(QueryError::Statement(message.to_owned()));
    }
    Ok(expression.to_string())
}

fn wrong(error: &ParserError) -> QueryError {
    QueryError::Statement(match error {
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => format!("where is no expression: {text}"),
        ParserError::RecursionLimitExceeded => "where is nested too deeply".to_owned(),
    })
}

/// Finds queries in an expression.
struct Queries;

impl Visitor for Queries {
    type Break = ();

    fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        ControlFlow::Break(())
    }
}
