//! What DataFusion accepts but does not do as PostgreSQL does. It is refused, as its answer would be taken for that of PostgreSQL.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr, Query, SetExpr, SetOperator, SetQuantifier, TableFactor, Visit, Visitor};

use crate::error::QueryError;

/// Refuses a query with one of them.
pub(crate) fn check(query: &Query) -> Result<(), QueryError> {
    match query.visit(&mut Unlike) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(what) => Err(QueryError::Statement(format!("this is not supported: {what}"))),
    }
}

struct Unlike;

impl Visitor for Unlike {
    type Break = &'static str;

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Self::Break> {
        match expr {
            // DataFusion takes it for XOR, and the parser reads `1 + 2 ^ 3` as `(1 + 2) ^ 3`.
            Expr::BinaryOp { op: BinaryOperator::BitwiseXor | BinaryOperator::PGExp, .. } => {
                ControlFlow::Break("the operator ^: write power(x, y) for x to the power of y")
            }
            _ => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Self::Break> {
        match counts_repetitions(&query.body) {
            true => ControlFlow::Break(
                "EXCEPT ALL and INTERSECT ALL: number equal rows with ROW_NUMBER() OVER (PARTITION BY …) as a column more on both sides, and \
                 use EXCEPT or INTERSECT",
            ),
            false => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<Self::Break> {
        match factor {
            TableFactor::Table { sample: Some(_), .. } | TableFactor::Derived { sample: Some(_), .. } => {
                ControlFlow::Break("TABLESAMPLE: write WHERE random() < 0.1 for about a tenth of the rows, or LIMIT")
            }
            _ => ControlFlow::Continue(()),
        }
    }
}

/// Whether an operand is taken as often as it is in one and not in the other. DataFusion takes all of its repetitions, or none.
fn counts_repetitions(body: &SetExpr) -> bool {
    match body {
        SetExpr::SetOperation { op, set_quantifier, left, right } => {
            let is_counted = matches!(op, SetOperator::Except | SetOperator::Intersect | SetOperator::Minus)
                && matches!(set_quantifier, SetQuantifier::All | SetQuantifier::AllByName);
            is_counted || counts_repetitions(left) || counts_repetitions(right)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{TestData, message, rows};

    #[test]
    fn what_would_mean_something_else_than_in_postgresql_is_refused() {
        let catalog = TestData::new().catalog();
        let power = "this is not supported: the operator ^: write power(x, y) for x to the power of y";
        let sample = "this is not supported: TABLESAMPLE: write WHERE random() < 0.1 for about a tenth of the rows, or LIMIT";
        let counted = "this is not supported: EXCEPT ALL and INTERSECT ALL: number equal rows with ROW_NUMBER() OVER (PARTITION BY …) as \
             a column more on both sides, and use EXCEPT or INTERSECT";
        for (sql, expected) in [
            ("SELECT 2 ^ 10", power),
            ("SELECT 1 WHERE 1 IN (SELECT 1.05 ^ 2)", power),
            ("EXPLAIN SELECT posted ^ 2 FROM balances", power),
            ("SELECT * FROM balances TABLESAMPLE BERNOULLI (10)", sample),
            ("SELECT * FROM balances AS b TABLESAMPLE SYSTEM (10) REPEATABLE (1)", sample),
            ("WITH few AS (SELECT * FROM balances TABLESAMPLE BERNOULLI (10)) SELECT * FROM few", sample),
            ("EXPLAIN ANALYZE SELECT * FROM balances TABLESAMPLE BERNOULLI (10)", sample),
            ("SELECT 1 EXCEPT ALL SELECT 2", counted),
            ("SELECT * FROM (SELECT 1 UNION ALL (SELECT 1 INTERSECT ALL SELECT 1)) AS t", counted),
        ] {
            assert_eq!(message(&catalog, sql), expected, "{sql}");
        }
        assert_eq!(rows(&catalog, "SELECT power(2, 10), 'a^b'"), ["1024.0,a^b"]);
    }
}
