//! `LIMIT` in a subquery that reads columns of the query around it: the last price of each symbol, the three greatest orders of each
//! account.
//!
//! DataFusion 55 does not plan it. Where the subquery chooses rows by equality (`u.a = t.a`), its rows for one `t.a` are those with a
//! number up to the limit among the rows with the same `u.a`. So the rows are numbered once, and joined.
//!
//! ```sql
//! SELECT x, (SELECT y FROM u WHERE u.a = t.a ORDER BY z DESC LIMIT 1) FROM t
//! ```

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, Result, ScalarValue, internal_datafusion_err};
use datafusion::functions_aggregate::expr_fn::first_value;
use datafusion::functions_window::row_number::row_number_udwf;
use datafusion::logical_expr::expr::{BinaryExpr, Sort as SortExpr, WindowFunction};
use datafusion::logical_expr::utils::{conjunction, split_conjunction};
use datafusion::logical_expr::{
    Expr, ExprFunctionExt, FetchType, Filter, Limit, LogicalPlan, LogicalPlanBuilder, Operator, Projection, SkipType, Subquery,
    WindowFunctionDefinition, lit,
};
use datafusion::optimizer::AnalyzerRule;

use crate::lateral::row_of;
use crate::named_expressions::replace_named;

/// The name of what rows are chosen by, before its number. No column of a table has spaces in its name.
const COLUMN: &str = "limited by";

/// Numbers the rows of subqueries with `LIMIT`.
#[derive(Debug)]
pub(crate) struct LimitedSubqueries;

impl AnalyzerRule for LimitedSubqueries {
    fn name(&self) -> &'static str {
        "limited_subqueries"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let mut count = 0_usize;
        plan.transform_down_with_subqueries(|plan| without_limits(plan, &mut count)).map(|plan| plan.data)
    }
}

fn without_limits(plan: LogicalPlan, count: &mut usize) -> Result<Transformed<LogicalPlan>> {
    // One row needs no limit.
    if let LogicalPlan::Limit(limit) = &plan
        && row_of(&limit.input).is_some()
        && range(limit)?.is_some_and(|(above, up_to)| above == 0 && up_to > 0)
    {
        return Ok(Transformed::yes(limit.input.as_ref().clone()));
    }
    if let LogicalPlan::Subquery(subquery) = &plan
        && let Some(numbered) = numbered(subquery, count)?
    {
        return Ok(Transformed::yes(LogicalPlan::Subquery(subquery.with_plan(Arc::new(numbered.plan)))));
    }
    replace_named(plan, |expr| {
        expr.transform_down(|expr| match &expr {
            Expr::ScalarSubquery(subquery) => match numbered(subquery, count)?.filter(|numbered| numbered.is_of_one_row) {
                Some(numbered) => Ok(Transformed::yes(Expr::ScalarSubquery(subquery.with_plan(Arc::new(only_row(numbered.plan)?))))),
                None => Ok(Transformed::no(expr)),
            },
            _ => Ok(Transformed::no(expr)),
        })
    })
}

/// A query whose rows are numbered instead of limited.
struct Numbered {
    plan: LogicalPlan,
    is_of_one_row: bool,
}

/// What a limited query is made of.
struct Limited<'p> {
    /// The numbers of the rows that remain: above the first, up to the second.
    range: (u64, u64),
    /// The columns of the query, if they are others than those that order its rows.
    columns: Option<&'p [Expr]>,
    order: &'p [SortExpr],
    rows: &'p Projection,
    filter: &'p Filter,
}

impl<'p> Limited<'p> {
    fn of(plan: &'p LogicalPlan) -> Result<Option<Self>> {
        let LogicalPlan::Limit(limit) = plan else { return Ok(None) };
        let Some(range) = range(limit)? else { return Ok(None) };
        let (columns, plan) = match limit.input.as_ref() {
            LogicalPlan::Projection(Projection { expr, input, .. }) if matches!(input.as_ref(), LogicalPlan::Sort(_)) => {
                (Some(expr.as_slice()), input.as_ref())
            }
            plan => (None, plan),
        };
        let (order, plan) = match plan {
            LogicalPlan::Sort(sort) if sort.fetch.is_none() => (sort.expr.as_slice(), sort.input.as_ref()),
            plan => (<&[SortExpr]>::default(), plan),
        };
        let LogicalPlan::Projection(rows) = plan else { return Ok(None) };
        let LogicalPlan::Filter(filter) = rows.input.as_ref() else { return Ok(None) };
        let reads_outer = rows.expr.iter().any(Expr::contains_outer) || order.iter().any(|by| by.expr.contains_outer());
        if reads_outer || !filter.input.all_out_ref_exprs().is_empty() {
            return Ok(None);
        }
        Ok(Some(Self { range, columns, order, rows, filter }))
    }
}

fn range(limit: &Limit) -> Result<Option<(u64, u64)>> {
    let (SkipType::Literal(skip), FetchType::Literal(Some(fetch))) = (limit.get_skip_type()?, limit.get_fetch_type()?) else {
        return Ok(None);
    };
    let (Ok(skip), Ok(fetch)) = (u64::try_from(skip), u64::try_from(fetch)) else { return Ok(None) };
    Ok(Some((skip, skip.saturating_add(fetch))))
}

/// Both sides of an equation of the subquery's columns and those of the outer query.
struct Chosen<'p> {
    own: &'p Expr,
    outer: &'p Expr,
}

/// The query of a subquery without its limit. `None`, if it has none, or chooses its rows by something else than equations.
fn numbered(subquery: &Subquery, count: &mut usize) -> Result<Option<Numbered>> {
    if subquery.outer_ref_columns.is_empty() {
        return Ok(None);
    }
    let Some(limited) = Limited::of(&subquery.subquery)? else { return Ok(None) };
    let (correlated, own): (Vec<&Expr>, Vec<&Expr>) =
        split_conjunction(&limited.filter.predicate).into_iter().partition(|condition| condition.contains_outer());
    let Some(chosen) = correlated.into_iter().map(sides).collect::<Option<Vec<_>>>() else { return Ok(None) };
    if chosen.is_empty() {
        return Ok(None);
    }
    let mut rows = LogicalPlanBuilder::from(limited.filter.input.as_ref().clone());
    if let Some(own) = conjunction(own.into_iter().cloned()) {
        rows = rows.filter(own)?;
    }
    *count = count.saturating_add(1);
    let name = |place: usize| format!("{COLUMN} {count}.{place}");
    let keys = chosen.iter().enumerate().map(|(place, chosen)| chosen.own.clone().alias(name(place)));
    let rows = rows.project(limited.rows.expr.iter().cloned().chain(keys).collect::<Vec<_>>())?;
    let key = |place: usize| Expr::Column(Column::new_unqualified(name(place)));
    let keys: Vec<Expr> = (0..chosen.len()).map(key).collect();
    let numbers = Expr::from(WindowFunction::new(WindowFunctionDefinition::WindowUDF(row_number_udwf()), vec![]));
    let numbers = numbers.partition_by(keys.clone()).order_by(limited.order.to_vec()).build()?;
    let rows = rows.window([numbers])?;
    let number = rows.schema().columns().pop().ok_or_else(|| internal_datafusion_err!("rows without numbers"))?;
    let bound = |number: u64| lit(ScalarValue::UInt64(Some(number)));
    let number = Expr::Column(number);
    let within = number.clone().gt(bound(limited.range.0)).and(number.lt_eq(bound(limited.range.1)));
    let equations = keys.into_iter().zip(&chosen).map(|(key, chosen)| key.eq(chosen.outer.clone()));
    let predicate = equations.fold(within, Expr::and);
    let columns = limited.columns.map_or_else(|| limited.rows.schema.columns().into_iter().map(Expr::Column).collect(), <[Expr]>::to_vec);
    let plan = rows.filter(predicate)?.project(columns)?.build()?;
    Ok(Some(Numbered { plan, is_of_one_row: limited.range.1.saturating_sub(limited.range.0) == 1 }))
}

fn sides(condition: &Expr) -> Option<Chosen<'_>> {
    let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = condition else { return None };
    let sides = [Chosen { own: left, outer: right }, Chosen { own: right, outer: left }];
    sides.into_iter().find(|sides| !sides.own.contains_outer() && sides.outer.contains_outer() && !sides.outer.any_column_refs())
}

/// A query of at most one row as an aggregate, which DataFusion plans as a value.
fn only_row(plan: LogicalPlan) -> Result<LogicalPlan> {
    let (relation, field) = plan.schema().qualified_field(0);
    let (relation, name) = (relation.cloned(), field.name().clone());
    let value = first_value(Expr::Column(Column::new(relation.clone(), &name)), vec![]);
    let row = LogicalPlanBuilder::from(plan).aggregate(Vec::<Expr>::new(), [value])?.build()?;
    let column = Expr::Column(Column::from(row.schema().qualified_field(0)));
    LogicalPlanBuilder::from(row).project([column.alias_qualified(relation, name)])?.build()
}

#[cfg(test)]
mod tests {
    use crate::testing::{TestData, rows};

    const TABLES: &str = "WITH t AS (SELECT * FROM (VALUES (1), (2), (3), (NULL)) AS v(x)), \
         u AS (SELECT * FROM (VALUES (1, 10, 'a'), (1, 12, 'b'), (1, 11, 'c'), (2, 20, 'd'), (NULL, 5, 'e')) AS v(x, y, z))";

    /// The answers are those of PostgreSQL 15.
    #[test]
    fn the_first_rows_for_each_row_of_the_query_around() {
        let catalog = TestData::new().catalog();
        for (query, expected) in [
            (
                "SELECT t.x, (SELECT z FROM u WHERE u.x = t.x ORDER BY y DESC LIMIT 1) AS c FROM t ORDER BY 1",
                ["1,b", "2,d", "3,", ","].as_slice(),
            ),
            (
                "SELECT t.x, (SELECT y FROM u WHERE u.x = t.x ORDER BY y LIMIT 1 OFFSET 1) AS c FROM t ORDER BY 1",
                &["1,11", "2,", "3,", ","],
            ),
            (
                "SELECT t.x, (SELECT z FROM u WHERE u.x = t.x AND y > 10 ORDER BY y FETCH FIRST ROW ONLY) AS c FROM t ORDER BY 1",
                &["1,c", "2,d", "3,", ","],
            ),
            ("SELECT t.x, d.z FROM t, LATERAL (SELECT z FROM u WHERE u.x = t.x ORDER BY y DESC LIMIT 1) AS d ORDER BY 1", &["1,b", "2,d"]),
            (
                "SELECT t.x, d.y FROM t CROSS JOIN LATERAL (SELECT y FROM u WHERE u.x = t.x ORDER BY y DESC LIMIT 2) AS d ORDER BY 1, 2",
                &["1,11", "1,12", "2,20"],
            ),
            (
                "SELECT t.x, d.y FROM t LEFT JOIN LATERAL (SELECT * FROM u WHERE u.x = t.x ORDER BY y DESC LIMIT 1) AS d ON true ORDER BY 1",
                &["1,12", "2,20", "3,", ","],
            ),
            ("SELECT t.x FROM t WHERE 11 IN (SELECT y FROM u WHERE u.x = t.x ORDER BY y LIMIT 2) ORDER BY 1", &["1"]),
            ("SELECT t.x FROM t WHERE (SELECT z FROM u WHERE u.x = t.x ORDER BY y LIMIT 1) = 'a' ORDER BY 1", &["1"]),
            ("SELECT t.x, (SELECT MAX(y) FROM u WHERE u.x = t.x LIMIT 1) AS c FROM t ORDER BY 1", &["1,12", "2,20", "3,", ","]),
            ("SELECT t.x FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.x = t.x ORDER BY y LIMIT 1) ORDER BY 1", &["1", "2"]),
        ] {
            assert_eq!(rows(&catalog, &format!("{TABLES} {query}")), expected, "{query}");
        }
    }
}
