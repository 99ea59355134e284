//! Computed columns in `FROM`: `FROM t CROSS JOIN LATERAL (SELECT t.price * t.quantity AS value) AS v`.
//!
//! DataFusion 55 plans them as a subquery for each row, which it cannot run. As the subquery reads no table, its columns become columns of
//! the rows before, and its condition one on these rows.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::{Column, Result, TableReference};
use datafusion::logical_expr::{
    Expr, Filter, Join, JoinType, LogicalPlan, LogicalPlanBuilder, Projection, Subquery, SubqueryAlias, lit, when,
};
use datafusion::optimizer::AnalyzerRule;

use crate::guards::replace_columns;
use crate::lateral::with_joins;
use crate::lateral_lists::of_columns;

/// Joins rows with columns that are computed of them.
#[derive(Debug)]
pub(crate) struct LateralColumns;

impl AnalyzerRule for LateralColumns {
    fn name(&self) -> &'static str {
        "lateral_columns"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        with_joins(plan, |join| match Computed::of(join) {
            Some(computed) => computed.joined(join),
            None => Ok(None),
        })
    }
}

/// A subquery of one row, which reads no table.
struct Computed<'p> {
    alias: Option<&'p TableReference>,
    columns: Vec<Expr>,
    /// The names of the columns outside.
    names: Vec<String>,
    condition: Option<&'p Expr>,
}

impl<'p> Computed<'p> {
    fn of(join: &'p Join) -> Option<Self> {
        let (mut plan, mut alias) = (join.right.as_ref(), None);
        let names = plan.schema().fields().iter().map(|field| field.name().clone()).collect();
        if let LogicalPlan::SubqueryAlias(SubqueryAlias { input, alias: name, .. }) = plan {
            (plan, alias) = (input.as_ref(), Some(name));
        }
        let LogicalPlan::Subquery(Subquery { subquery, .. }) = plan else { return None };
        let LogicalPlan::Projection(Projection { expr: columns, input, .. }) = subquery.as_ref() else { return None };
        let (mut columns, mut input) = (columns.clone(), input);
        // `AS v(a, b)` names the columns of another list.
        while let LogicalPlan::Projection(inner) = input.as_ref() {
            let inner_of = |column: &Column| inner.expr.get(inner.schema.maybe_index_of_column(column)?).cloned().map(Expr::unalias);
            columns = columns.iter().map(|column| replace_columns(column, inner_of)).collect::<Option<_>>()?;
            input = &inner.input;
        }
        let (input, condition) = match input.as_ref() {
            LogicalPlan::Filter(Filter { predicate, input, .. }) => (input.as_ref(), Some(predicate)),
            input => (input, None),
        };
        let is_of_one_row = matches!(input, LogicalPlan::EmptyRelation(empty) if empty.produce_one_row);
        is_of_one_row.then_some(Self { alias, columns, names, condition })
    }

    /// The rows of a join. `None` if the columns are of a query further out.
    fn joined(&self, join: &Join) -> Result<Option<LogicalPlan>> {
        if !matches!(join.join_type, JoinType::Inner | JoinType::Left) || !join.on.is_empty() {
            return Ok(None);
        }
        let schema = join.left.schema();
        let condition = match self.condition {
            Some(condition) => match of_columns(condition, schema)? {
                Some(condition) => Some(condition),
                None => return Ok(None),
            },
            None => None,
        };
        let joined_if = join.filter.as_ref().filter(|condition| **condition != lit(true));
        let is_left = join.join_type == JoinType::Left;
        if is_left && joined_if.is_some() {
            return Ok(None);
        }
        let mut columns: Vec<Expr> = schema.columns().into_iter().map(Expr::Column).collect();
        for (column, name) in self.columns.iter().zip(&self.names) {
            let Some(column) = of_columns(column, schema)? else { return Ok(None) };
            let column = column.unalias();
            // A left join has the row also where there is none to join, with NULL.
            let column = match condition.clone().filter(|_| is_left) {
                Some(condition) => when(condition, column).end()?,
                None => column,
            };
            columns.push(column.alias_qualified(self.alias.cloned(), name));
        }
        let mut rows = LogicalPlanBuilder::from(Arc::clone(&join.left));
        if let Some(condition) = condition.filter(|_| !is_left) {
            rows = rows.filter(condition)?;
        }
        rows = rows.project(columns)?;
        if let Some(condition) = joined_if {
            rows = rows.filter(condition.clone())?;
        }
        Ok(Some(rows.build()?))
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{TestData, rows};

    /// The answers are those of PostgreSQL 15.
    #[test]
    fn columns_in_from_are_computed_of_the_tables_before() {
        let catalog = TestData::new().catalog();
        let tables = "WITH t AS (SELECT * FROM (VALUES (1, 10), (2, 20), (3, NULL)) AS v(x, y))";
        for (query, expected) in [
            ("SELECT x, z FROM t CROSS JOIN LATERAL (SELECT t.x * 2 AS z) AS l ORDER BY x", ["1,2", "2,4", "3,6"].as_slice()),
            ("SELECT x, l.z FROM t, LATERAL (SELECT x + y) AS l(z) ORDER BY x", &["1,11", "2,22", "3,"]),
            (
                "SELECT x, m.b FROM t, LATERAL (SELECT x + 1 AS a) AS l, LATERAL (SELECT l.a * y AS b) AS m ORDER BY x",
                &["1,20", "2,60", "3,"],
            ),
            ("SELECT x, z FROM t CROSS JOIN LATERAL (SELECT t.x * 2 AS z WHERE t.y > 10) AS l ORDER BY x", &["2,4"]),
            ("SELECT x, z FROM t LEFT JOIN LATERAL (SELECT t.x * 2 AS z WHERE t.y > 10) AS l ON true ORDER BY x", &["1,", "2,4", "3,"]),
            ("SELECT x, z FROM t JOIN LATERAL (SELECT t.x * 2 AS z) AS l ON l.z > 2 ORDER BY x", &["2,4", "3,6"]),
            ("SELECT z, COUNT(*) FROM t CROSS JOIN LATERAL (SELECT t.x % 2 AS z) AS l GROUP BY z ORDER BY z", &["0,1", "1,2"]),
            ("SELECT SUM(l.z) FROM t CROSS JOIN LATERAL (SELECT t.x * 2 AS z, 7 AS w) AS l WHERE l.w = 7", &["12"]),
        ] {
            assert_eq!(rows(&catalog, &format!("{tables} {query}")), expected, "{query}");
        }
    }
}
