//! Aggregates of correlated subqueries whose rows are chosen by something computed.
//!
//! DataFusion 55 computes `(SELECT count(*) FROM u WHERE u.x::date = t.d)` once for each value of `u.x`, not for each date: a row of `t`
//! came as often as its date has different times. With anything else than a cast it fails to plan. Here what is computed becomes a
//! column of its own, by which the aggregate is grouped.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, Result};
use datafusion::logical_expr::expr::BinaryExpr;
use datafusion::logical_expr::utils::{conjunction, split_conjunction, split_conjunction_owned};
use datafusion::logical_expr::{Expr, Filter, LogicalPlan, LogicalPlanBuilder, Operator, lit};
use datafusion::optimizer::AnalyzerRule;

/// The name of what is computed, before its number. No column of a table has spaces in its name.
const COLUMN: &str = "correlated by";

/// Gives what correlated subqueries compare with columns of the outer query a column.
#[derive(Debug)]
pub(crate) struct CorrelatedKeys;

impl AnalyzerRule for CorrelatedKeys {
    fn name(&self) -> &'static str {
        "correlated_keys"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let mut count = 0_usize;
        plan.transform_up_with_subqueries(|plan| in_subquery(plan, &mut count)).map(|plan| plan.data)
    }
}

fn in_subquery(plan: LogicalPlan, count: &mut usize) -> Result<Transformed<LogicalPlan>> {
    let LogicalPlan::Subquery(subquery) = plan else { return Ok(Transformed::no(plan)) };
    let has_aggregate = subquery.subquery.exists(|plan| Ok(matches!(plan, LogicalPlan::Aggregate(_))))?;
    if subquery.outer_ref_columns.is_empty() || !has_aggregate {
        return Ok(Transformed::no(LogicalPlan::Subquery(subquery)));
    }
    let with_keys = subquery.subquery.as_ref().clone().transform_up(|plan| with_keys(plan, count))?;
    Ok(with_keys.update_data(|plan| LogicalPlan::Subquery(subquery.with_plan(Arc::new(plan)))))
}

fn with_keys(plan: LogicalPlan, count: &mut usize) -> Result<Transformed<LogicalPlan>> {
    let LogicalPlan::Filter(filter) = plan else { return Ok(Transformed::no(plan)) };
    if !split_conjunction(&filter.predicate).into_iter().any(|condition| computed_side(condition).is_some()) {
        return Ok(Transformed::no(LogicalPlan::Filter(filter)));
    }
    let Filter { predicate, input, .. } = filter;
    let columns: Vec<Expr> = input.schema().columns().into_iter().map(Expr::Column).collect();
    let mut all = columns.clone();
    let conditions = split_conjunction_owned(predicate).into_iter().map(|condition| {
        let Some((computed, outer)) = computed_side(&condition) else { return condition };
        *count = count.saturating_add(1);
        let name = format!("{COLUMN} {count}");
        all.push(computed.clone().alias(&name));
        Expr::Column(Column::new_unqualified(name)).eq(outer.clone())
    });
    let predicate = conjunction(conditions).unwrap_or_else(|| lit(true));
    let keyed = LogicalPlanBuilder::from(Arc::unwrap_or_clone(input)).project(all)?.filter(predicate)?;
    Ok(Transformed::yes(keyed.project(columns)?.build()?))
}

/// Of an equation with columns of the outer query: what is computed from columns of the subquery, and the other side.
fn computed_side(condition: &Expr) -> Option<(&Expr, &Expr)> {
    let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = condition else { return None };
    let is_computed = |side: &Expr| !matches!(side, Expr::Column(_)) && side.any_column_refs() && !side.contains_outer();
    let is_outer = |side: &Expr| side.contains_outer() && !side.any_column_refs();
    let sides = [(left.as_ref(), right.as_ref()), (right.as_ref(), left.as_ref())];
    sides.into_iter().find(|(computed, outer)| is_computed(computed) && is_outer(outer))
}

#[cfg(test)]
mod tests {
    use crate::testing::{TestData, rows};

    /// Two days, one of which has two times.
    const DAYS: &str = "(SELECT CAST(d AS DATE) AS d FROM (VALUES ('2026-01-01'), ('2026-01-02'), ('2026-01-03')) AS v(d)) AS t";
    const TIMES: &str = "(SELECT CAST(a AS TIMESTAMP) AS x, b AS y FROM (VALUES ('2026-01-01T08:00:00', 1), ('2026-01-01T20:00:00', 2), \
         ('2026-01-02T08:00:00', 3)) AS v(a, b)) AS u";

    /// The answers follow from the definition of a subquery, which is computed for each row around it.
    #[test]
    fn a_subquery_is_computed_once_for_what_it_compares() {
        let catalog = TestData::new().catalog();
        for (aggregate, condition, expected) in [
            ("COUNT(*)", "u.x::date = t.d", ["2026-01-01,2", "2026-01-02,1", "2026-01-03,0"]),
            ("SUM(u.y)", "u.x::date = t.d", ["2026-01-01,3", "2026-01-02,3", "2026-01-03,"]),
            ("SUM(u.y)", "t.d = CAST(u.x AS DATE) AND u.y > 1", ["2026-01-01,2", "2026-01-02,3", "2026-01-03,"]),
            ("MAX(u.y)", "DATE_TRUNC('day', u.x) = t.d::timestamp", ["2026-01-01,2", "2026-01-02,3", "2026-01-03,"]),
            ("MAX(u.y) + 1", "u.x::date = t.d", ["2026-01-01,3", "2026-01-02,4", "2026-01-03,"]),
        ] {
            let sql = format!("SELECT t.d, (SELECT {aggregate} FROM {TIMES} WHERE {condition}) AS n FROM {DAYS} ORDER BY t.d");
            assert_eq!(rows(&catalog, &sql), expected, "{sql}");
        }
        for (condition, expected) in
            [("(SELECT COUNT(*) FROM TIMES WHERE u.x::date = t.d) = 2", "1"), ("EXISTS (SELECT u.y FROM TIMES WHERE u.x::date = t.d)", "2")]
        {
            let sql = format!("SELECT COUNT(*) FROM {DAYS} WHERE {}", condition.replace("TIMES", TIMES));
            assert_eq!(rows(&catalog, &sql), [expected], "{sql}");
        }
    }
}
