//! `EXISTS` and `IN` with a query of one row: an aggregate without GROUP BY over rows that columns of the outer query choose.
//!
//! Such a query has its row also where there is nothing to aggregate. DataFusion 55 joins groups, and there is no group of nothing: so
//! `EXISTS (SELECT count(*) FROM u WHERE u.a = t.a)` was false there, and `0 IN (SELECT count(*) …)` as well. Here the row becomes a
//! value, which DataFusion computes rightly.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::logical_expr::expr::{Exists, InSubquery};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, Subquery, lit, when};
use datafusion::optimizer::AnalyzerRule;

use crate::lateral::row_of;
use crate::named_expressions::replace_named;

/// Plans conditions on queries of one row.
#[derive(Debug)]
pub(crate) struct OneRow;

impl AnalyzerRule for OneRow {
    fn name(&self) -> &'static str {
        "one_row"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(|plan| replace_named(plan, |expr| expr.transform_up(as_value))).map(|plan| plan.data)
    }
}

fn as_value(expr: Expr) -> Result<Transformed<Expr>> {
    let value = match &expr {
        Expr::Exists(Exists { subquery, negated }) => existence(subquery, *negated)?,
        Expr::InSubquery(InSubquery { expr, subquery, negated }) => membership(expr, subquery, *negated)?,
        _ => None,
    };
    Ok(value.map_or_else(|| Transformed::no(expr), Transformed::yes))
}

fn existence(subquery: &Subquery, negated: bool) -> Result<Option<Expr>> {
    let Some(row) = row_of(&subquery.subquery) else { return Ok(None) };
    let Some(condition) = row.condition else { return Ok(Some(lit(!negated))) };
    let value = computed(subquery, row.rows, condition.clone())?;
    Ok(Some(if negated { value.is_not_true() } else { value.is_true() }))
}

fn membership(expr: &Expr, subquery: &Subquery, negated: bool) -> Result<Option<Expr>> {
    let columns = subquery.subquery.expressions();
    let (Some(row), [column, ..]) = (row_of(&subquery.subquery), columns.as_slice()) else { return Ok(None) };
    let member = computed(subquery, row.rows, column.clone().unalias())?;
    let is_member = if negated { expr.clone().not_eq(member) } else { expr.clone().eq(member) };
    Ok(Some(match row.condition {
        None => is_member,
        Some(condition) => when(computed(subquery, row.rows, condition.clone())?, is_member).otherwise(lit(negated))?,
    }))
}

/// What is computed of the row, as a value.
fn computed(subquery: &Subquery, rows: &LogicalPlan, value: Expr) -> Result<Expr> {
    let plan = LogicalPlanBuilder::from(rows.clone()).project([value])?.build()?;
    Ok(Expr::ScalarSubquery(subquery.with_plan(Arc::new(plan))))
}

#[cfg(test)]
mod tests {
    use crate::testing::{TestData, rows};

    /// The answers are those of PostgreSQL 15.
    #[test]
    fn an_aggregate_of_nothing_is_a_row() {
        let catalog = TestData::new().catalog();
        for (condition, expected) in [
            ("EXISTS (SELECT COUNT(*) FROM w WHERE w.b = v.a)", ["1", "2", "3"].as_slice()),
            ("NOT EXISTS (SELECT MAX(b) FROM w WHERE w.b = v.a)", &[]),
            ("EXISTS (SELECT COUNT(*) FROM w WHERE w.b = v.a HAVING COUNT(*) = 0)", &["2", "3"]),
            ("NOT EXISTS (SELECT MAX(b) FROM w WHERE w.b = v.a HAVING MAX(b) > 0)", &["2", "3"]),
            ("0 IN (SELECT COUNT(*) FROM w WHERE w.b = v.a)", &["2", "3"]),
            ("0 NOT IN (SELECT COUNT(*) FROM w WHERE w.b = v.a)", &["1"]),
            ("0 IN (SELECT COUNT(*) FROM w WHERE w.b = v.a HAVING COUNT(*) < 5)", &["2", "3"]),
            ("1 NOT IN (SELECT COUNT(*) FROM w WHERE w.b = v.a HAVING COUNT(*) > 0)", &["2", "3"]),
            ("a IN (SELECT MAX(b) FROM w WHERE w.b = v.a)", &["1"]),
            ("EXISTS (SELECT b FROM w WHERE w.b = v.a)", &["1"]),
            ("EXISTS (SELECT MAX(b) FROM w WHERE w.b = v.a GROUP BY b)", &["1"]),
        ] {
            let sql = format!(
                "WITH v AS (SELECT * FROM (VALUES (1), (2), (3)) AS v(a)), w AS (SELECT * FROM (VALUES (1)) AS w(b)) \
                 SELECT a FROM v WHERE {condition} ORDER BY a"
            );
            assert_eq!(rows(&catalog, &sql), expected, "{condition}");
        }
    }
}
