//! Tables in `FROM` of a subquery that read columns of the query around it: `(SELECT max(x) FROM (SELECT … WHERE u.a = t.a) AS d)`.
//!
//! DataFusion 55 moves the condition on `t` out of the subquery, and needs `u.a` there. It adds that to the columns of projections, but a
//! derived table's alias keeps the columns that it had, so the plan fails with `No field named d.a`. As a projection that renames its
//! columns, the alias gets the new one like any other.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, Result};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, SubqueryAlias};
use datafusion::optimizer::AnalyzerRule;

/// Plans derived tables that read columns of an outer query.
#[derive(Debug)]
pub(crate) struct DerivedTables;

impl AnalyzerRule for DerivedTables {
    fn name(&self) -> &'static str {
        "derived_tables"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(in_subquery).map(|plan| plan.data)
    }
}

fn in_subquery(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let LogicalPlan::Subquery(subquery) = plan else { return Ok(Transformed::no(plan)) };
    if subquery.outer_ref_columns.is_empty() {
        return Ok(Transformed::no(LogicalPlan::Subquery(subquery)));
    }
    let renamed = subquery.subquery.as_ref().clone().transform_up(renamed)?;
    Ok(renamed.update_data(|plan| LogicalPlan::Subquery(subquery.with_plan(Arc::new(plan)))))
}

fn renamed(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let LogicalPlan::SubqueryAlias(alias) = plan else { return Ok(Transformed::no(plan)) };
    // The alias of LATERAL is where DataFusion finds what to join.
    let is_lateral = matches!(alias.input.as_ref(), LogicalPlan::Subquery(_));
    if is_lateral || alias.input.all_out_ref_exprs().is_empty() {
        return Ok(Transformed::no(LogicalPlan::SubqueryAlias(alias)));
    }
    let SubqueryAlias { input, alias, .. } = alias;
    let name = |column: Column| {
        let name = column.name.clone();
        Expr::Column(column).alias_qualified(Some(alias.clone()), name)
    };
    let columns: Vec<Expr> = input.schema().columns().into_iter().map(name).collect();
    Ok(Transformed::yes(LogicalPlanBuilder::from(Arc::unwrap_or_clone(input)).project(columns)?.build()?))
}

#[cfg(test)]
mod tests {
    use crate::testing::{TestData, rows};

    /// The answers follow from the definition of a subquery, which is computed for each row around it.
    #[test]
    fn a_derived_table_reads_columns_of_the_query_around_it() {
        let catalog = TestData::new().catalog();
        for (column, expected) in [
            ("(SELECT MAX(d.y) FROM (SELECT y FROM u WHERE u.x = t.x) AS d)", ["1,11", "2,20", "3,"]),
            ("(SELECT MAX(d.z) FROM (SELECT y + 1 AS z FROM u WHERE u.x = t.x) AS d WHERE d.z > 12)", ["1,", "2,21", "3,"]),
            ("(SELECT COUNT(*) FROM (SELECT y FROM u WHERE u.x = t.x) AS d)", ["1,2", "2,1", "3,0"]),
            ("(SELECT MAX(d.x) FROM (SELECT * FROM u WHERE u.x = t.x) AS d)", ["1,1", "2,2", "3,"]),
            ("(SELECT SUM(e.y) FROM (SELECT * FROM (SELECT * FROM u WHERE u.x = t.x) AS d WHERE d.y < 20) AS e)", ["1,21", "2,", "3,"]),
            ("EXISTS (SELECT 1 FROM (SELECT y FROM u WHERE u.x = t.x) AS d WHERE d.y > 10)", ["1,true", "2,true", "3,false"]),
        ] {
            let sql = format!("{TABLES} SELECT t.x, {column} AS c FROM t ORDER BY t.x");
            assert_eq!(rows(&catalog, &sql), expected, "{column}");
        }
        for (condition, expected) in [
            ("EXISTS (SELECT 1 FROM (SELECT y FROM u WHERE u.x = t.x) AS d WHERE d.y > 10)", ["1", "2"].as_slice()),
            ("NOT EXISTS (SELECT 1 FROM (SELECT y FROM u WHERE u.x = t.x) AS d)", &["3"]),
            ("10 IN (SELECT d.y FROM (SELECT y FROM u WHERE u.x = t.x) AS d)", &["1"]),
            ("(SELECT MIN(d.y) FROM (SELECT y FROM u WHERE u.x = t.x) AS d) < 15", &["1"]),
        ] {
            assert_eq!(rows(&catalog, &format!("{TABLES} SELECT t.x FROM t WHERE {condition} ORDER BY t.x")), expected, "{condition}");
        }
    }

    #[test]
    fn a_lateral_table_reads_columns_of_the_one_before_it_also_within_another() {
        let catalog = TestData::new().catalog();
        for (joined, expected) in [
            ("t, LATERAL (SELECT y FROM u WHERE u.x = t.x) AS d(c)", ["1,10", "1,11", "2,20"].as_slice()),
            ("t, LATERAL (SELECT e.y FROM (SELECT y FROM u WHERE u.x = t.x) AS e) AS d(c)", &["1,10", "1,11", "2,20"]),
            ("t LEFT JOIN LATERAL (SELECT SUM(e.y) FROM (SELECT y FROM u WHERE u.x = t.x) AS e) AS d(c) ON true", &["1,21", "2,20", "3,"]),
        ] {
            let sql = format!("{TABLES} SELECT t.x, d.c FROM {joined} ORDER BY t.x, d.c");
            assert_eq!(rows(&catalog, &sql), expected, "{joined}");
        }
    }

    const TABLES: &str = "WITH t AS (SELECT * FROM (VALUES (1), (2), (3)) AS v(x)), \
         u AS (SELECT * FROM (VALUES (1, 10), (1, 11), (2, 20)) AS v(x, y))";
}
