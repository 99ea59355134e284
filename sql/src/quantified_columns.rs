//! `x > ALL (SELECT …)` and `x > ANY (SELECT …)` as values.
//!
//! DataFusion plans them only as conditions on rows. In a list of columns, `= ANY` and `<> ALL` become `IN` and `NOT IN`
//! ([`crate::memberships`]); the others compare with the greatest or the least row: `x > ALL` is true where `x` is above the greatest.
//! As in PostgreSQL, NULL among the rows leaves open what no other row decides, and of no rows ALL is true and ANY is false.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, Result, ScalarValue, not_impl_err};
use datafusion::functions_aggregate::expr_fn::{count, max, min};
use datafusion::logical_expr::expr::{BinaryExpr, InSubquery, SetComparison, SetQuantifier};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, Operator, lit, not, scalar_subquery, when};

use crate::named_expressions::replace_named;

/// Plans the comparisons in a list of columns.
pub(crate) fn in_columns(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let compared = |expr: Expr| {
        expr.transform_up(|expr| match expr {
            Expr::SetComparison(comparison) => value(comparison).map(Transformed::yes),
            expr => Ok(Transformed::no(expr)),
        })
    };
    replace_named(plan, compared)?.map_data(LogicalPlan::recompute_schema)
}

fn value(comparison: SetComparison) -> Result<Expr> {
    let SetComparison { expr, subquery, op, quantifier } = comparison;
    match (op, quantifier) {
        (Operator::Eq, SetQuantifier::Any) => Ok(Expr::InSubquery(InSubquery::new(expr, subquery, false))),
        (Operator::NotEq, SetQuantifier::All) => Ok(Expr::InSubquery(InSubquery::new(expr, subquery, true))),
        // What differs from one of the rows is not equal to all of them.
        (Operator::NotEq, SetQuantifier::Any) => Ok(not(Rows::of(&subquery.subquery)?.all(*expr, Operator::Eq)?)),
        (op, SetQuantifier::All) => Rows::of(&subquery.subquery)?.all(*expr, op),
        (op, SetQuantifier::Any) => Rows::of(&subquery.subquery)?.any(*expr, op),
    }
}

/// The rows that a value is compared with.
struct Rows<'p> {
    plan: &'p LogicalPlan,
    column: Expr,
}

impl<'p> Rows<'p> {
    fn of(plan: &'p Arc<LogicalPlan>) -> Result<Self> {
        Ok(Self { plan, column: Expr::Column(Column::from(plan.schema().qualified_field(0))) })
    }

    /// Whether a comparison is true for all rows.
    fn all(&self, value: Expr, op: Operator) -> Result<Expr> {
        let is_true = match op {
            Operator::Gt | Operator::GtEq => binary(value.clone(), op, self.greatest()?),
            Operator::Lt | Operator::LtEq => binary(value.clone(), op, self.least()?),
            Operator::Eq => value.clone().eq(self.least()?).and(value.clone().eq(self.greatest()?)),
            op => return not_impl_err!("{op} with ALL of a query in a list of columns"),
        };
        when(not(is_true), lit(false)).when(self.are_none()?, lit(true)).when(self.is_open(value)?, unknown()).otherwise(lit(true))
    }

    /// Whether a comparison is true for one of the rows.
    fn any(&self, value: Expr, op: Operator) -> Result<Expr> {
        let is_true = match op {
            Operator::Gt | Operator::GtEq => binary(value.clone(), op, self.least()?),
            Operator::Lt | Operator::LtEq => binary(value.clone(), op, self.greatest()?),
            op => return not_impl_err!("{op} with ANY of a query in a list of columns"),
        };
        when(is_true, lit(true)).when(self.are_none()?, lit(false)).when(self.is_open(value)?, unknown()).otherwise(lit(false))
    }

    fn greatest(&self) -> Result<Expr> {
        self.aggregated([max(self.column.clone())], |column| column)
    }

    fn least(&self) -> Result<Expr> {
        self.aggregated([min(self.column.clone())], |column| column)
    }

    fn are_none(&self) -> Result<Expr> {
        self.aggregated([count(lit(1_i64))], |rows| rows.eq(lit(0_i64)))
    }

    /// Whether NULL on one of both sides leaves open what a comparison gives.
    fn is_open(&self, value: Expr) -> Result<Expr> {
        let is_null = when(self.column.clone().is_null(), lit(1_i64)).end()?;
        Ok(value.is_null().or(self.aggregated([count(is_null)], |nulls| nulls.gt(lit(0_i64)))?))
    }

    fn aggregated(&self, aggregate: [Expr; 1], value: impl Fn(Expr) -> Expr) -> Result<Expr> {
        let rows = LogicalPlanBuilder::from(self.plan.clone()).aggregate(Vec::<Expr>::new(), aggregate)?.build()?;
        let column = Expr::Column(Column::from(rows.schema().qualified_field(0)));
        Ok(scalar_subquery(Arc::new(LogicalPlanBuilder::from(rows).project([value(column)])?.build()?)))
    }
}

fn binary(left: Expr, op: Operator, right: Expr) -> Expr {
    Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right)))
}

fn unknown() -> Expr {
    lit(ScalarValue::Boolean(None))
}

#[cfg(test)]
mod tests {
    use crate::testing::{TestData, rows};

    /// The answers are those of PostgreSQL 15.
    #[test]
    fn a_comparison_with_a_query_is_a_value() {
        let catalog = TestData::new().catalog();
        for (comparison, expected) in [
            ("x > ALL (SELECT y FROM u)", ["false", "false", ""]),
            ("x >= ALL (SELECT y FROM u)", ["false", "true", ""]),
            ("x < ALL (SELECT y FROM u)", ["false", "false", ""]),
            ("x <= ALL (SELECT y FROM u)", ["true", "false", ""]),
            ("x = ALL (SELECT y FROM u)", ["false", "false", ""]),
            ("x <> ALL (SELECT y FROM u)", ["false", "false", ""]),
            ("x > ANY (SELECT y FROM u)", ["false", "true", ""]),
            ("x >= ANY (SELECT y FROM u)", ["true", "true", ""]),
            ("x < ANY (SELECT y FROM u)", ["true", "false", ""]),
            ("x = ANY (SELECT y FROM u)", ["true", "true", ""]),
            ("x <> ANY (SELECT y FROM u)", ["true", "true", ""]),
            ("x = SOME (SELECT y FROM u WHERE y > 1)", ["false", "true", ""]),
            // NULL among the rows, and no rows.
            ("x > ALL (SELECT y FROM u UNION ALL SELECT NULL)", ["false", "false", ""]),
            ("x > ALL (SELECT y - 3 FROM u UNION ALL SELECT NULL)", ["", "", ""]),
            ("x > ANY (SELECT y FROM u UNION ALL SELECT NULL)", ["", "true", ""]),
            ("x = ANY (SELECT y + 1 FROM u UNION ALL SELECT NULL)", ["", "true", ""]),
            ("x > ALL (SELECT y FROM u WHERE y > 5)", ["true", "true", "true"]),
            ("x > ANY (SELECT y FROM u WHERE y > 5)", ["false", "false", "false"]),
            // In something else, and with columns of the outer query.
            ("CASE WHEN x >= ALL (SELECT y FROM u) THEN 'most' ELSE 'less' END", ["less", "most", "less"]),
            ("x >= ALL (SELECT y FROM u WHERE u.y = t.x)", ["true", "true", "true"]),
            ("x > ANY (SELECT y - 1 FROM u WHERE u.y = t.x)", ["true", "true", "false"]),
        ] {
            let sql = format!(
                "WITH t AS (SELECT * FROM (VALUES (1), (2), (NULL)) AS v(x)), u AS (SELECT * FROM (VALUES (1), (2)) AS v(y)) \
                 SELECT {comparison} AS c FROM t ORDER BY x NULLS LAST"
            );
            assert_eq!(rows(&catalog, &sql), expected, "{comparison}");
        }
    }
}
