//! Functions in `FROM` that make rows of columns before them: `FROM t, unnest(t.l) AS e`, `FROM t CROSS JOIN LATERAL generate_series(1, t.n)`.
//!
//! DataFusion 55 plans them as a subquery for each row, which it cannot run. Here the lists become a column of the rows before, and
//! its elements rows, as they do in a list of columns.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, NullHandling, Result, TableReference, UnnestOptions};
use datafusion::logical_expr::{Expr, Join, JoinType, LogicalPlan, LogicalPlanBuilder, Projection, Subquery, SubqueryAlias, Unnest, lit};
use datafusion::optimizer::AnalyzerRule;

use crate::lateral::with_joins;

/// Joins rows with the elements of their lists.
#[derive(Debug)]
pub(crate) struct LateralLists;

impl AnalyzerRule for LateralLists {
    fn name(&self) -> &'static str {
        "lateral_lists"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        with_joins(plan, |join| match Lists::of(join) {
            Some(lists) => lists.joined(join),
            None => Ok(None),
        })
    }
}

/// A subquery that has nothing but the elements of lists.
struct Lists<'p> {
    alias: Option<&'p TableReference>,
    /// What is computed of the elements, from above: names, for the most part.
    computed: Vec<&'p [Expr]>,
    unnest: &'p Unnest,
    /// The lists, by the names that [`Lists::unnest`] has for them.
    lists: &'p [Expr],
}

impl<'p> Lists<'p> {
    fn of(join: &'p Join) -> Option<Self> {
        let (plan, alias) = match join.right.as_ref() {
            LogicalPlan::SubqueryAlias(SubqueryAlias { input, alias, .. }) => (input.as_ref(), Some(alias)),
            plan => (plan, None),
        };
        let LogicalPlan::Subquery(Subquery { subquery, .. }) = plan else { return None };
        let (mut plan, mut computed) = (subquery.as_ref(), Vec::new());
        while let LogicalPlan::Projection(Projection { expr, input, .. }) = plan {
            computed.push(expr.as_slice());
            plan = input.as_ref();
        }
        let LogicalPlan::Unnest(unnest) = plan else { return None };
        let LogicalPlan::Projection(Projection { expr: lists, input, .. }) = unnest.input.as_ref() else { return None };
        let is_of_one_row = matches!(input.as_ref(), LogicalPlan::EmptyRelation(empty) if empty.produce_one_row);
        (is_of_one_row && !computed.is_empty()).then_some(Self { alias, computed, unnest, lists })
    }

    /// The rows of a join. `None` if the lists are of a query further out, or rows of a left join have a condition.
    fn joined(&self, join: &Join) -> Result<Option<LogicalPlan>> {
        let is_left = join.join_type == JoinType::Left;
        let condition = join.filter.as_ref().filter(|condition| **condition != lit(true));
        if !matches!(join.join_type, JoinType::Inner | JoinType::Left) || is_left && condition.is_some() || !join.on.is_empty() {
            return Ok(None);
        }
        let own: Vec<Expr> = join.left.schema().columns().into_iter().map(Expr::Column).collect();
        let mut columns = own.clone();
        for list in self.lists {
            let Some(list) = of_columns(list, join.left.schema())? else { return Ok(None) };
            columns.push(list);
        }
        // A left join has a row also where there are no elements.
        let null_handling = if is_left { NullHandling::PreserveAndExpandEmpty } else { NullHandling::Drop };
        let options = UnnestOptions { null_handling, ..self.unnest.options.clone() };
        let mut rows = LogicalPlanBuilder::from(Arc::clone(&join.left))
            .project(columns)?
            .unnest_columns_with_options(self.unnest.exec_columns.clone(), options)?;
        for (above, computed) in self.computed.iter().enumerate().rev() {
            let named = |expr: &Expr| match (above, self.alias) {
                (0, Some(alias)) => {
                    let (_, name) = expr.qualified_name();
                    expr.clone().unalias().alias_qualified(Some(alias.clone()), name)
                }
                _ => expr.clone(),
            };
            rows = rows.project(own.iter().cloned().chain(computed.iter().map(named)).collect::<Vec<_>>())?;
        }
        let rows = match condition {
            Some(condition) => rows.filter(condition.clone())?,
            None => rows,
        };
        Ok(Some(rows.build()?))
    }
}

/// A list whose columns are those of the rows before. `None` if it has others.
pub(crate) fn of_columns(list: &Expr, schema: &DFSchema) -> Result<Option<Expr>> {
    let mut is_known = true;
    let list = list.clone().transform_up(|expr| {
        Ok(match expr {
            Expr::OuterReferenceColumn(_, column) => {
                is_known &= schema.has_column(&column);
                Transformed::yes(Expr::Column(column))
            }
            expr => Transformed::no(expr),
        })
    })?;
    Ok(is_known.then_some(list.data))
}

#[cfg(test)]
mod tests {
    use crate::testing::{TestData, rows};

    /// The answers are those of PostgreSQL 15.
    #[test]
    fn a_list_of_the_table_before_has_a_row_for_each_element() {
        let catalog = TestData::new().catalog();
        let tables = "WITH t AS (SELECT * FROM (VALUES (1, ARRAY[7, 8]), (2, ARRAY[3]), (3, NULL), (4, ARRAY[]::bigint[])) AS v(x, l))";
        for (query, expected) in [
            ("SELECT t.x, e FROM t, unnest(t.l) AS e ORDER BY 1, 2", ["1,7", "1,8", "2,3"].as_slice()),
            ("SELECT x, e FROM t, unnest(l) AS u(e) ORDER BY 1, 2", &["1,7", "1,8", "2,3"]),
            ("SELECT t.x, u.e FROM t CROSS JOIN LATERAL unnest(t.l) AS u(e) ORDER BY 1, 2", &["1,7", "1,8", "2,3"]),
            ("SELECT t.x, u.e FROM t JOIN unnest(t.l) AS u(e) ON u.e > 3 ORDER BY 1, 2", &["1,7", "1,8"]),
            ("SELECT t.x, u.e FROM t LEFT JOIN LATERAL unnest(t.l) AS u(e) ON true ORDER BY 1, 2", &["1,7", "1,8", "2,3", "3,", "4,"]),
            ("SELECT t.x, e, o FROM t, unnest(t.l) WITH ORDINALITY AS u(e, o) ORDER BY 1, 3", &["1,7,1", "1,8,2", "2,3,1"]),
            ("SELECT t.x, e, e2 FROM t, unnest(t.l) AS e, unnest(t.l) AS e2 WHERE e < e2", &["1,7,8"]),
            ("SELECT t.x, n FROM t, generate_series(1, t.x) AS n WHERE t.x < 3 ORDER BY 1, 2", &["1,1", "2,1", "2,2"]),
            (
                "SELECT t.x, n FROM t CROSS JOIN LATERAL generate_series(t.x, 5, 2) AS g(n) WHERE t.x > 2 ORDER BY 1, 2",
                &["3,3", "3,5", "4,4"],
            ),
            ("SELECT SUM(e) FROM t, unnest(t.l) AS e", &["18"]),
            ("SELECT x FROM t WHERE EXISTS (SELECT 1 FROM unnest(ARRAY[1, 2]) AS e WHERE e = t.x) ORDER BY 1", &["1", "2"]),
        ] {
            assert_eq!(rows(&catalog, &format!("{tables} {query}")), expected, "{query}");
        }
        for (query, expected) in [
            ("SELECT e, o FROM unnest(ARRAY['a', 'b']) WITH ORDINALITY AS u(e, o) ORDER BY o", ["a,1", "b,2"]),
            ("SELECT * FROM unnest(ARRAY['a', 'b']) WITH ORDINALITY", ["a,1", "b,2"]),
            ("SELECT u, ordinality FROM unnest(ARRAY['a', 'b']) WITH ORDINALITY AS u", ["a,1", "b,2"]),
            (
                "SELECT d FROM generate_series(timestamp '2026-01-01 00:00', timestamp '2026-01-01 00:30', interval '30 minutes') AS d",
                ["2026-01-01T00:00:00", "2026-01-01T00:30:00"],
            ),
        ] {
            assert_eq!(rows(&catalog, query), expected, "{query}");
        }
    }
}
