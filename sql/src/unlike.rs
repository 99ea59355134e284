//! What DataFusion accepts but does not do as PostgreSQL does. It is refused, as its answer would be taken for that of PostgreSQL.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr, Query, TableFactor, Visit, Visitor};

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

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<Self::Break> {
        match factor {
            TableFactor::Table { sample: Some(_), .. } | TableFactor::Derived { sample: Some(_), .. } => {
                ControlFlow::Break("TABLESAMPLE: write WHERE random() < 0.1 for about a tenth of the rows, or LIMIT")
            }
            _ => ControlFlow::Continue(()),
        }
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
        for (sql, expected) in [
            ("SELECT 2 ^ 10", power),
            ("SELECT 1 WHERE 1 IN (SELECT 1.05 ^ 2)", power),
            ("EXPLAIN SELECT posted ^ 2 FROM balances", power),
            ("SELECT * FROM balances TABLESAMPLE BERNOULLI (10)", sample),
            ("SELECT * FROM balances AS b TABLESAMPLE SYSTEM (10) REPEATABLE (1)", sample),
            ("WITH few AS (SELECT * FROM balances TABLESAMPLE BERNOULLI (10)) SELECT * FROM few", sample),
            ("EXPLAIN ANALYZE SELECT * FROM balances TABLESAMPLE BERNOULLI (10)", sample),
        ] {
            assert_eq!(message(&catalog, sql), expected, "{sql}");
        }
        assert_eq!(rows(&catalog, "SELECT power(2, 10), 'a^b'"), ["1024.0,a^b"]);
    }
}
