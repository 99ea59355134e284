//! `HAVING` in `LATERAL (SELECT max(x) … HAVING max(x) > 1)`.
//!
//! Without GROUP BY, such a table has one row for each row before it, and DataFusion 55 joins that row if there is one, else NULL: also
//! where HAVING leaves it out, so that rows of NULL came which PostgreSQL does not have. Here the condition becomes a column, by which
//! the joined rows are filtered.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, Result, TableReference};
use datafusion::logical_expr::{Expr, Filter, Join, JoinType, LogicalPlan, LogicalPlanBuilder, Projection, Subquery, SubqueryAlias};
use datafusion::optimizer::AnalyzerRule;

/// The name of a condition as a column, before its number. No column of a table has spaces in its name.
const COLUMN: &str = "joined if";

/// Filters the rows of lateral joins after they are joined.
#[derive(Debug)]
pub(crate) struct LateralConditions;

impl AnalyzerRule for LateralConditions {
    fn name(&self) -> &'static str {
        "lateral_conditions"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let mut count = 0_usize;
        with_joins(plan, |join| filtered_afterwards(join, &mut count))
    }
}

/// The plan with other plans in place of its joins; `None` leaves a join as it is.
pub(crate) fn with_joins(plan: LogicalPlan, mut replaced: impl FnMut(&Join) -> Result<Option<LogicalPlan>>) -> Result<LogicalPlan> {
    let rewritten = plan.transform_up_with_subqueries(|plan| {
        let LogicalPlan::Join(join) = &plan else { return Ok(Transformed::no(plan)) };
        let replaced = replaced(join)?;
        Ok(replaced.map_or_else(|| Transformed::no(plan), Transformed::yes))
    })?;
    Ok(rewritten.data)
}

fn filtered_afterwards(join: &Join, count: &mut usize) -> Result<Option<LogicalPlan>> {
    let Some((subquery, alias)) = lateral(join) else { return Ok(None) };
    let name = format!("{COLUMN} {}", count.saturating_add(1));
    let Some(with_column) = with_condition(&subquery.subquery, &name)? else { return Ok(None) };
    *count = count.saturating_add(1);
    let columns: Vec<Expr> = join.schema.columns().into_iter().map(Expr::Column).collect();
    let right = LogicalPlan::Subquery(subquery.with_plan(Arc::new(with_column)));
    let (right, condition) = match alias {
        Some(alias) => {
            let column = Column::new(Some(alias.clone()), &name);
            (LogicalPlan::SubqueryAlias(SubqueryAlias::try_new(Arc::new(right), alias.clone())?), column)
        }
        None => (right, Column::new_unqualified(name)),
    };
    let joined = Join::try_new(
        Arc::clone(&join.left),
        Arc::new(right),
        join.on.clone(),
        join.filter.clone(),
        join.join_type,
        join.join_constraint,
        join.null_equality,
        join.null_aware,
    )?;
    let filtered = LogicalPlanBuilder::from(LogicalPlan::Join(joined)).filter(Expr::Column(condition))?;
    Ok(Some(filtered.project(columns)?.build()?))
}

/// The lateral table of an inner join, and its alias. A left join gives NULL for rows that are left out anyway.
fn lateral(join: &Join) -> Option<(&Subquery, Option<&TableReference>)> {
    let (plan, alias) = match join.right.as_ref() {
        LogicalPlan::SubqueryAlias(alias) => (alias.input.as_ref(), Some(&alias.alias)),
        plan => (plan, None),
    };
    match plan {
        LogicalPlan::Subquery(subquery) if join.join_type == JoinType::Inner && !subquery.outer_ref_columns.is_empty() => {
            Some((subquery, alias))
        }
        _ => None,
    }
}

/// A query of one row, without the condition on it, which becomes its last column. `None` for any other query.
fn with_condition(plan: &LogicalPlan, name: &str) -> Result<Option<LogicalPlan>> {
    let (LogicalPlan::Projection(Projection { expr, .. }), Some(Row { rows, condition: Some(condition) })) = (plan, row_of(plan)) else {
        return Ok(None);
    };
    let columns = expr.iter().cloned().chain([condition.clone().alias(name)]);
    Ok(Some(LogicalPlanBuilder::from(rows.clone()).project(columns.collect::<Vec<_>>())?.build()?))
}

/// What a query computes its one row from.
pub(crate) struct Row<'p> {
    pub(crate) rows: &'p LogicalPlan,
    /// Where it is not true, there is no row.
    pub(crate) condition: Option<&'p Expr>,
}

/// The row of a query that computes one of all rows that columns of the outer query choose.
pub(crate) fn row_of(plan: &LogicalPlan) -> Option<Row<'_>> {
    let LogicalPlan::Projection(Projection { input, .. }) = plan else { return None };
    let row = match input.as_ref() {
        LogicalPlan::Filter(Filter { predicate, input, .. }) => Row { rows: input.as_ref(), condition: Some(predicate) },
        rows => Row { rows, condition: None },
    };
    let reads_outer = row.condition.is_some_and(Expr::contains_outer);
    (is_of_one_row(row.rows) && !reads_outer).then_some(row)
}

/// Whether a plan computes one row of all rows that it reads, chosen by columns of the outer query.
fn is_of_one_row(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Aggregate(aggregate) => aggregate.group_expr.is_empty() && !plan.all_out_ref_exprs().is_empty(),
        LogicalPlan::Projection(Projection { input, .. }) | LogicalPlan::SubqueryAlias(SubqueryAlias { input, .. }) => is_of_one_row(input),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{TestData, rows};

    /// The answers are those of PostgreSQL 15.
    #[test]
    fn a_row_that_having_leaves_out_is_not_joined() {
        let catalog = TestData::new().catalog();
        let tables = "WITH t AS (SELECT * FROM (VALUES (1), (2), (3)) AS v(x)), \
             u AS (SELECT * FROM (VALUES (1, 10), (1, 11), (2, 20)) AS v(x, y))";
        for (joined, expected) in [
            ("t CROSS JOIN LATERAL (SELECT MAX(y) AS m FROM u WHERE u.x = t.x HAVING MAX(y) > 15) AS d", ["2,20"].as_slice()),
            ("t, LATERAL (SELECT SUM(y) AS m FROM u WHERE u.x = t.x HAVING COUNT(*) = 2) AS d", &["1,21"]),
            ("t, LATERAL (SELECT COUNT(*) AS m FROM u WHERE u.x = t.x HAVING COUNT(*) < 2) AS d", &["2,1", "3,0"]),
            ("t, LATERAL (SELECT e.m FROM (SELECT MAX(y) AS m FROM u WHERE u.x = t.x) AS e WHERE e.m < 15) AS d", &["1,11"]),
            ("t LEFT JOIN LATERAL (SELECT MAX(y) AS m FROM u WHERE u.x = t.x HAVING MAX(y) > 15) AS d ON true", &["1,", "2,20", "3,"]),
            ("t, LATERAL (SELECT MAX(y) AS m FROM u WHERE u.x = t.x) AS d", &["1,11", "2,20", "3,"]),
        ] {
            let sql = format!("{tables} SELECT t.x, d.m FROM {joined} ORDER BY t.x");
            assert_eq!(rows(&catalog, &sql), expected, "{joined}");
        }
    }
}
