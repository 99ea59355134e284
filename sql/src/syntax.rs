//! Helpers for rewriting parsed statements.

use std::ops::ControlFlow;

use datafusion::sql::parser::Statement as Parsed;
use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident, ObjectName, Query, Statement as Sql,
    Value, Visit, VisitMut, Visitor, VisitorMut,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;

/// The SQL of a statement, or of the statement that it explains.
pub(crate) fn sql_of(statement: &Parsed) -> Option<&Sql> {
    match statement {
        Parsed::Statement(sql) => Some(sql),
        Parsed::Explain(explain) => sql_of(&explain.statement),
        Parsed::CopyTo(_) | Parsed::CreateExternalTable(_) | Parsed::Reset(_) => None,
    }
}

/// The same, to be changed.
pub(crate) fn sql_of_mut(statement: &mut Parsed) -> Option<&mut Sql> {
    match statement {
        Parsed::Statement(sql) => Some(sql),
        Parsed::Explain(explain) => sql_of_mut(&mut explain.statement),
        Parsed::CopyTo(_) | Parsed::CreateExternalTable(_) | Parsed::Reset(_) => None,
    }
}

/// The text of a literal in quotes.
pub(crate) fn literal(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

/// The expression that is written so.
pub(crate) fn parsed(text: &str) -> Option<Expr> {
    Parser::new(&GenericDialect {}).try_with_sql(text).and_then(|mut parser| parser.parse_expr()).ok()
}

/// A call of a function.
pub(crate) fn call(name: &str, arguments: Vec<Expr>) -> Expr {
    let args = arguments.into_iter().map(|argument| FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))).collect();
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList { duplicate_treatment: None, args, clauses: vec![] }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: vec![],
    })
}

/// Visits an expression and its parts, each before its own parts, other than those of subqueries.
pub(crate) fn visit_outside_subqueries(expr: &Expr, visit: impl FnMut(&Expr) -> ControlFlow<()>) -> ControlFlow<()> {
    expr.visit(&mut Outside { depth: 0, visit })
}

/// Changes an expression and its parts, each after its own parts, other than those of subqueries.
pub(crate) fn change_outside_subqueries(expr: &mut Expr, visit: impl FnMut(&mut Expr)) {
    let _ = VisitMut::visit(expr, &mut Outside { depth: 0, visit });
}

struct Outside<F> {
    /// The number of subqueries around the current expression.
    depth: usize,
    visit: F,
}

impl<F: FnMut(&Expr) -> ControlFlow<()>> Visitor for Outside<F> {
    type Break = ();

    fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.depth = self.depth.saturating_add(1);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.depth = self.depth.saturating_sub(1);
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if self.depth == 0 { (self.visit)(expr) } else { ControlFlow::Continue(()) }
    }
}

impl<F: FnMut(&mut Expr)> VisitorMut for Outside<F> {
    type Break = ();

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth = self.depth.saturating_add(1);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth = self.depth.saturating_sub(1);
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if self.depth == 0 {
            (self.visit)(expr);
        }
        ControlFlow::Continue(())
    }
}
