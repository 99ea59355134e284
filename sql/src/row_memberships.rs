//! `(a, b) IN (SELECT x, y …)` and `NOT IN`.
//!
//! | in a condition | becomes |
//! |---|---|
//! | `IN` | `EXISTS (SELECT 1 FROM (SELECT x, y …) AS r WHERE r.x = a AND r.y = b)` |
//! | `NOT IN` | `NOT EXISTS (… WHERE (r.x = a) IS NOT FALSE AND (r.y = b) IS NOT FALSE)`: no row may be equal |
//!
//! In a list of columns it would have to be NULL where a comparison is unknown, and is refused.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Ident, Query, Select, SetExpr, TableAliasColumnDef, TableFactor, UnaryOperator,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;

use crate::error::QueryError;
use crate::rows::columns;

/// The rows that are looked up in. No table has spaces in its name.
const ROWS: &str = "SELECT 1 FROM (SELECT 1) AS \"looked up\"";

/// Replaces memberships of rows in the conditions of a query.
pub(crate) fn replace(select: &mut Select) -> Result<(), QueryError> {
    let conditions = select.selection.iter_mut().chain(&mut select.having).chain(&mut select.qualify);
    conditions.into_iter().try_for_each(in_condition)
}

/// Where a condition that is unknown leaves a row out as a false one does.
fn in_condition(expr: &mut Expr) -> Result<(), QueryError> {
    if let Expr::UnaryOp { op: UnaryOperator::Not, expr: inner } = expr
        && let Some((row, query, is_negated)) = membership(inner)
    {
        *expr = if is_negated { is_member(&row, query)? } else { is_no_member(&row, query)? };
        return Ok(());
    }
    match expr {
        Expr::Nested(inner) => in_condition(inner),
        Expr::BinaryOp { left, op: BinaryOperator::And | BinaryOperator::Or, right } => {
            in_condition(left)?;
            in_condition(right)
        }
        expr => {
            if let Some((row, query, is_negated)) = membership(expr) {
                *expr = if is_negated { is_no_member(&row, query)? } else { is_member(&row, query)? };
            }
            Ok(())
        }
    }
}

/// The row that is looked up, the query, and whether the row may not be in it.
fn membership(expr: &Expr) -> Option<(Vec<Expr>, &Query, bool)> {
    match expr {
        Expr::Nested(inner) => membership(inner),
        Expr::InSubquery { expr: row, subquery, negated } => Some((columns(row)?, subquery, *negated)),
        _ => None,
    }
}

fn is_member(row: &[Expr], query: &Query) -> Result<Expr, QueryError> {
    exists(row, query, false, |column, value| binary(column, BinaryOperator::Eq, value))
}

fn is_no_member(row: &[Expr], query: &Query) -> Result<Expr, QueryError> {
    exists(row, query, true, |column, value| {
        let is_equal = Expr::Nested(Box::new(binary(column, BinaryOperator::Eq, value)));
        Expr::IsNotFalse(Box::new(is_equal))
    })
}

/// Whether the query has rows that are compared so.
fn exists(row: &[Expr], query: &Query, negated: bool, compare: impl Fn(Expr, Expr) -> Expr) -> Result<Expr, QueryError> {
    let refused =
        || QueryError::Statement("this is not supported: IN of a row and a query here: write EXISTS (SELECT 1 FROM …)".to_owned());
    let names = (1..=row.len()).map(|place| format!("column {place}")).collect::<Vec<_>>();
    let found = Parser::new(&GenericDialect {}).try_with_sql(ROWS).and_then(|mut parser| parser.parse_query());
    let mut found = found.map_err(|_| refused())?;
    let SetExpr::Select(select) = found.body.as_mut() else { return Err(refused()) };
    let Some(TableFactor::Derived { subquery, alias: Some(alias), .. }) = select.from.first_mut().map(|table| &mut table.relation) else {
        return Err(refused());
    };
    **subquery = query.clone();
    let named = |name: &String| TableAliasColumnDef { name: quoted(name), data_type: None };
    alias.columns = names.iter().map(named).collect();
    let table = alias.name.clone();
    let compared = names.iter().zip(row).map(|(name, value)| {
        let column = Expr::CompoundIdentifier(vec![table.clone(), quoted(name)]);
        compare(column, Expr::Nested(Box::new(value.clone())))
    });
    select.selection = compared.reduce(|before, next| binary(before, BinaryOperator::And, next));
    Ok(Expr::Exists { subquery: found, negated })
}

fn quoted(name: &str) -> Ident {
    Ident::with_quote('"', name)
}

fn binary(left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    Expr::BinaryOp { left: Box::new(left), op, right: Box::new(right) }
}

#[cfg(test)]
mod tests {
    use crate::testing::{TestData, message, rows};

    /// The answers are those of PostgreSQL 15.
    #[test]
    fn a_row_is_looked_up_in_the_rows_of_a_query() {
        let catalog = TestData::new().catalog();
        let tables = "WITH t AS (SELECT * FROM (VALUES (1, 2), (3, 4), (5, NULL)) AS v(x, y)), \
            u AS (SELECT * FROM (VALUES (1, 2), (3, 5)) AS v(a, b)), n AS (SELECT * FROM (VALUES (1, NULL), (3, 5)) AS v(a, b))";
        for (condition, expected) in [
            ("(x, y) IN (SELECT a, b FROM u)", ["1"].as_slice()),
            ("(x, y) NOT IN (SELECT a, b FROM u)", &["3", "5"]),
            ("NOT (x, y) IN (SELECT a, b FROM u)", &["3", "5"]),
            ("(x, y) IN (SELECT a, b FROM n)", &[]),
            ("(x, y) NOT IN (SELECT a, b FROM n)", &["3", "5"]),
            ("(x, y) NOT IN (SELECT a, b FROM u WHERE a > 9)", &["1", "3", "5"]),
            ("(x, y + 1) IN (SELECT a, b FROM u) OR x = 5", &["3", "5"]),
            ("x < 4 AND ROW(x, y) NOT IN (SELECT MIN(a), MIN(b) FROM u)", &["3"]),
            ("(x, 2) IN (SELECT a, b FROM u WHERE u.b = t.y)", &["1"]),
        ] {
            let sql = format!("{tables} SELECT x FROM t WHERE {condition} ORDER BY x");
            assert_eq!(rows(&catalog, &sql), expected, "{condition}");
        }
        let refused = message(&catalog, &format!("{tables} SELECT x FROM t WHERE ((x, y) IN (SELECT a, b FROM u)) IS NULL"));
        assert!(refused.contains("IN of a row and a query"), "{refused}");
    }
}
