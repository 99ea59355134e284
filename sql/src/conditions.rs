//! Conditions in the order in which they are written: `WHERE b <> 0 AND a / b > 1`, and the same of a subquery's rows.
//!
//! SQL leaves the order of conditions open. PostgreSQL evaluates those on the same tables from left to right in practice, a subquery's before
//! those of the query around it, and people rely on that. DataFusion 55 pushes conditions towards the files one by one, puts an outer one
//! before an inner one, and evaluates both sides of AND. Here what may fail gets guards ([`crate::guards`]); where its table has a filter of
//! its own, it is put behind that filter's conditions, as the optimizer would put it before them.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, DFSchemaRef, JoinType, Result};
use datafusion::logical_expr::utils::{conjunction, merge_schema, split_conjunction, split_conjunction_owned};
use datafusion::logical_expr::{Distinct, Expr, Filter, Join, LogicalPlan, Projection, Union};
use datafusion::optimizer::AnalyzerRule;

use crate::guards::{Guards, contains_failing, guarded, in_order, replace_columns};
use crate::named_expressions::replace_named;

/// Keeps conditions from failing for rows that earlier ones leave out. It comes after types were made the same.
#[derive(Debug)]
pub(crate) struct ConditionsInOrder;

impl AnalyzerRule for ConditionsInOrder {
    fn name(&self) -> &'static str {
        "conditions_in_order"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        if !has_failing(&plan)? {
            return Ok(plan);
        }
        let mut is_changed = false;
        plan.transform_up_with_subqueries(|plan| {
            let plan = ordered(plan)?;
            is_changed |= plan.transformed;
            // What has a guard may be NULL, also in the nodes above.
            if is_changed { plan.map_data(LogicalPlan::recompute_schema) } else { Ok(plan) }
        })
        .data()
    }
}

/// Whether there is an operation that may fail, anywhere.
fn has_failing(plan: &LogicalPlan) -> Result<bool> {
    let mut is_found = false;
    plan.apply_with_subqueries(|node| {
        let schema = schema_of_inputs(node);
        node.apply_expressions(|expr| {
            is_found |= contains_failing(expr, &schema)?;
            Ok(if is_found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        })
    })?;
    Ok(is_found)
}

/// The columns of what a node reads.
fn schema_of_inputs(plan: &LogicalPlan) -> DFSchemaRef {
    match plan.inputs().as_slice() {
        [input] => Arc::clone(input.schema()),
        inputs => Arc::new(merge_schema(inputs)),
    }
}

fn ordered(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    match plan {
        LogicalPlan::Filter(filter) => filtered(filter),
        LogicalPlan::Join(join) if join.filter.is_some() => joined(join),
        plan => {
            let schema = schema_of_inputs(&plan);
            replace_named(plan, |expr| guarded(expr, &Guards::default(), &schema))
        }
    }
}

fn filtered(filter: Filter) -> Result<Transformed<LogicalPlan>> {
    let schema = Arc::clone(filter.input.schema());
    let mut input = Arc::clone(&filter.input);
    let mut is_sunk = false;
    let mut guards = Guards::default();
    let mut kept = Vec::new();
    for condition in split_conjunction_owned(filter.predicate.clone()) {
        let sunk = if may_be_sunk(&condition) { sink(&input, &condition, &guards)? } else { None };
        guards.add_after(&condition, &schema)?;
        match sunk {
            Some(sunk) => {
                input = Arc::new(sunk);
                is_sunk = true;
            }
            None => kept.push(condition),
        }
    }
    let kept = in_order(kept, &Guards::default(), &schema)?;
    if !is_sunk && !kept.transformed {
        return Ok(Transformed::no(LogicalPlan::Filter(filter)));
    }
    Ok(Transformed::yes(match conjunction(kept.data) {
        Some(predicate) => LogicalPlan::Filter(Filter::try_new(predicate, input)?),
        None => Arc::unwrap_or_clone(input),
    }))
}

/// The condition of a join: what is on one side belongs to the rows of that side, unless these are kept without a partner.
fn joined(mut join: Join) -> Result<Transformed<LogicalPlan>> {
    let Some(condition) = join.filter.take() else { return Ok(Transformed::no(LogicalPlan::Join(join))) };
    let mut guards = Guards::default();
    let mut kept = Vec::new();
    let mut is_sunk = false;
    let schema = merge_schema(&[join.left.as_ref(), join.right.as_ref()]);
    for condition in split_conjunction_owned(condition) {
        let side =
            may_be_sunk(&condition).then(|| side_of(&join, &condition)).flatten().filter(|side| side.is_filtered_by_condition(&join));
        let sunk = match side {
            Some(side) => sink(side.input(&join), &condition, &guards.filter_map(|guard| of_side(side, &join, guard)))?,
            None => None,
        };
        guards.add_after(&condition, &schema)?;
        match side.zip(sunk) {
            Some((side, sunk)) => {
                side.replace(&mut join, sunk);
                is_sunk = true;
            }
            None => kept.push(condition),
        }
    }
    let kept = in_order(kept, &Guards::default(), &schema)?;
    join.filter = conjunction(kept.data);
    Ok(Transformed::new_transformed(LogicalPlan::Join(join), is_sunk || kept.transformed))
}

/// Whether a condition is one of each row alone.
fn may_be_sunk(condition: &Expr) -> bool {
    let is_query = |expr: &Expr| {
        Ok(matches!(
            expr,
            Expr::Exists(_) | Expr::InSubquery(_) | Expr::ScalarSubquery(_) | Expr::SetComparison(_) | Expr::OuterReferenceColumn(..)
        ))
    };
    condition.any_column_refs() && !condition.is_volatile() && condition.exists(is_query).is_ok_and(|found| !found)
}

/// A side of a join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

impl Side {
    const fn input(self, join: &Join) -> &Arc<LogicalPlan> {
        match self {
            Self::Left => &join.left,
            Self::Right => &join.right,
        }
    }

    fn replace(self, join: &mut Join, input: LogicalPlan) {
        match self {
            Self::Left => join.left = Arc::new(input),
            Self::Right => join.right = Arc::new(input),
        }
    }

    /// Whether the join's condition leaves out rows of this side, instead of keeping them without a partner.
    const fn is_filtered_by_condition(self, join: &Join) -> bool {
        match self {
            Self::Left => matches!(join.join_type, JoinType::Inner | JoinType::Right | JoinType::LeftSemi),
            Self::Right => matches!(join.join_type, JoinType::Inner | JoinType::Left | JoinType::LeftSemi | JoinType::LeftAnti),
        }
    }

    /// Whether a condition on the rows of the join leaves out rows of this side.
    const fn is_filtered_afterwards(self, join: &Join) -> bool {
        match self {
            Self::Left => matches!(join.join_type, JoinType::Inner | JoinType::Left | JoinType::LeftSemi | JoinType::LeftAnti),
            Self::Right => matches!(join.join_type, JoinType::Inner | JoinType::Right),
        }
    }
}

/// A condition, if the side has all of its columns.
fn of_side(side: Side, join: &Join, condition: &Expr) -> Option<Expr> {
    let schema = side.input(join).schema();
    condition.column_refs().iter().all(|column| schema.has_column(column)).then(|| condition.clone())
}

/// The side that has all columns of a condition.
fn side_of(join: &Join, condition: &Expr) -> Option<Side> {
    [Side::Left, Side::Right].into_iter().find(|side| of_side(*side, join, condition).is_some())
}

/// Moves a condition into the filters of the plan below, after their own conditions: the optimizer would move it before them. `None` if there
/// are no such filters, or if it cannot fail there. The guards are conditions that come before it in its own filter.
fn sink(plan: &LogicalPlan, condition: &Expr, guards: &Guards) -> Result<Option<LogicalPlan>> {
    match plan {
        LogicalPlan::Filter(filter) => sink_into_filter(filter, condition, guards),
        LogicalPlan::Projection(projection) => {
            let inner = |expr: &Expr| replace_columns(expr, |column| column_of(projection, column));
            let Some(condition) = inner(condition).filter(may_be_sunk) else { return Ok(None) };
            let sunk = sink(&projection.input, &condition, &guards.filter_map(inner))?;
            Ok(sunk.map(|input| with_input(projection, input)))
        }
        LogicalPlan::SubqueryAlias(alias) => {
            let inner = |expr: &Expr| renamed(expr, &alias.schema, alias.input.schema());
            let Some(condition) = inner(condition) else { return Ok(None) };
            let sunk = sink(&alias.input, &condition, &guards.filter_map(inner))?;
            Ok(sunk.map(|input| {
                let mut alias = alias.clone();
                alias.input = Arc::new(input);
                LogicalPlan::SubqueryAlias(alias)
            }))
        }
        LogicalPlan::Sort(sort) if sort.fetch.is_none() => Ok(sink(&sort.input, condition, guards)?.map(|input| {
            let mut sort = sort.clone();
            sort.input = Arc::new(input);
            LogicalPlan::Sort(sort)
        })),
        LogicalPlan::Distinct(Distinct::All(input)) => {
            Ok(sink(input, condition, guards)?.map(|input| LogicalPlan::Distinct(Distinct::All(Arc::new(input)))))
        }
        LogicalPlan::Aggregate(aggregate) => {
            let key = |column: &Column| {
                let place = aggregate.schema.maybe_index_of_column(column)?;
                aggregate.group_expr.get(place).filter(|key| !matches!(key, Expr::GroupingSet(_))).cloned().map(Expr::unalias)
            };
            if aggregate.group_expr.iter().any(|key| matches!(key, Expr::GroupingSet(_))) {
                return Ok(None);
            }
            let inner = |expr: &Expr| replace_columns(expr, key);
            let Some(condition) = inner(condition).filter(may_be_sunk) else { return Ok(None) };
            let sunk = sink(&aggregate.input, &condition, &guards.filter_map(inner))?;
            Ok(sunk.map(|input| {
                let mut aggregate = aggregate.clone();
                aggregate.input = Arc::new(input);
                LogicalPlan::Aggregate(aggregate)
            }))
        }
        LogicalPlan::Union(union) => sink_into_union(union, condition, guards),
        LogicalPlan::Join(join) => sink_into_join(join, condition, guards),
        _ => Ok(None),
    }
}

fn sink_into_filter(filter: &Filter, condition: &Expr, guards: &Guards) -> Result<Option<LogicalPlan>> {
    let mut before = Guards::default();
    split_conjunction(&filter.predicate).into_iter().for_each(|earlier| before.add(earlier.clone()));
    before.add_all_after(guards, filter.input.schema())?;
    if let Some(input) = sink(&filter.input, condition, &before)? {
        return Ok(Some(LogicalPlan::Filter(Filter::try_new(filter.predicate.clone(), Arc::new(input))?)));
    }
    let condition = guarded(condition.clone(), &before, filter.input.schema())?;
    if !condition.transformed {
        return Ok(None);
    }
    let predicate = filter.predicate.clone().and(condition.data);
    Ok(Some(LogicalPlan::Filter(Filter::try_new(predicate, Arc::clone(&filter.input))?)))
}

fn sink_into_union(union: &Union, condition: &Expr, guards: &Guards) -> Result<Option<LogicalPlan>> {
    let mut is_sunk = false;
    let mut inputs = Vec::with_capacity(union.inputs.len());
    for input in &union.inputs {
        let inner = |expr: &Expr| renamed(expr, &union.schema, input.schema());
        let Some(condition) = inner(condition) else { return Ok(None) };
        let guards = guards.filter_map(inner);
        inputs.push(Arc::new(match sink(input, &condition, &guards)? {
            Some(sunk) => {
                is_sunk = true;
                sunk
            }
            None => {
                let condition = guarded(condition, &guards, input.schema())?.data;
                LogicalPlan::Filter(Filter::try_new(condition, Arc::clone(input))?)
            }
        }));
    }
    Ok(is_sunk.then(|| LogicalPlan::Union(Union { inputs, schema: Arc::clone(&union.schema) })))
}

fn sink_into_join(join: &Join, condition: &Expr, guards: &Guards) -> Result<Option<LogicalPlan>> {
    let mut before = Guards::default();
    if join.join_type == JoinType::Inner {
        join.filter.iter().flat_map(split_conjunction).for_each(|earlier| before.add(earlier.clone()));
    }
    before.add_all_after(guards, &join.schema)?;
    if let Some(side) = side_of(join, condition).filter(|side| side.is_filtered_afterwards(join)) {
        let before = before.filter_map(|guard| of_side(side, join, guard));
        if let Some(sunk) = sink(side.input(join), condition, &before)? {
            let mut join = join.clone();
            side.replace(&mut join, sunk);
            return Ok(Some(LogicalPlan::Join(join)));
        }
    }
    // Nothing below it: it stays behind the conditions of the join.
    let condition = guarded(condition.clone(), &before, &join.schema)?;
    if !condition.transformed {
        return Ok(None);
    }
    Ok(Some(LogicalPlan::Filter(Filter::try_new(condition.data, Arc::new(LogicalPlan::Join(join.clone())))?)))
}

/// What a column of a projection is computed from.
fn column_of(projection: &Projection, column: &Column) -> Option<Expr> {
    let place = projection.schema.maybe_index_of_column(column)?;
    let mut expr = projection.expr.get(place)?;
    while let Expr::Alias(alias) = expr {
        expr = &alias.expr;
    }
    Some(expr.clone())
}

fn with_input(projection: &Projection, input: LogicalPlan) -> LogicalPlan {
    let mut projection = projection.clone();
    projection.input = Arc::new(input);
    LogicalPlan::Projection(projection)
}

/// An expression with the columns in the same places of another schema.
fn renamed(expr: &Expr, schema: &DFSchema, inner: &DFSchema) -> Option<Expr> {
    replace_columns(expr, |column| {
        let place = schema.maybe_index_of_column(column)?;
        (place < inner.fields().len()).then(|| Expr::Column(Column::from(inner.qualified_field(place))))
    })
}

#[cfg(test)]
mod tests {
    use crate::Catalog;
    use crate::testing::{TestData, at, facts, leg, message, rows};
    use headwater_schemas::Money;

    /// Rows for which a later condition fails: a division by zero, and texts that are no numbers.
    const TABLES: &str = "WITH t AS (SELECT * FROM (VALUES (1, 0), (4, 2), (6, NULL)) AS v(a, b)), \
        u AS (SELECT * FROM (VALUES (1), (4), (6)) AS v(c)), \
        k AS (SELECT * FROM (VALUES ('n', '12'), ('t', 'abc'), (NULL, 'x')) AS v(kind, x))";

    fn all_of(catalog: &Catalog, cases: &[(&str, &[&str])]) {
        for (sql, expected) in cases {
            assert_eq!(rows(catalog, &format!("{TABLES} {sql}")), *expected, "{sql}");
        }
    }

    /// The answers are those of PostgreSQL 15.
    #[test]
    fn a_condition_is_not_evaluated_where_one_before_it_is_false() {
        let catalog = TestData::new().catalog();
        all_of(
            &catalog,
            &[
                ("SELECT a FROM t WHERE b <> 0 AND a / b > 1", &["4"]),
                ("SELECT a FROM t WHERE b <> 0 AND a % b = 0", &["4"]),
                ("SELECT a FROM t WHERE b <> 0 AND a / b BETWEEN 1 AND 5", &["4"]),
                ("SELECT a FROM t WHERE b <> 0 AND a / b IN (1, 2, 3)", &["4"]),
                ("SELECT a FROM t WHERE b <> 0 AND a * 1.5 / b > 1 AND 1 / (a - 1) = 0", &["4"]),
                ("SELECT a FROM t WHERE a > 2 AND (b > 0 AND a / b > 1)", &["4"]),
                ("SELECT a FROM t WHERE NOT (b = 0 OR a / b < 2)", &["4"]),
                ("SELECT a FROM t WHERE b = 0 OR a / b > 1 ORDER BY a", &["1", "4"]),
                ("SELECT x FROM k WHERE kind = 'n' AND CAST(x AS INT) > 5", &["12"]),
                ("SELECT x FROM k WHERE kind = 'n' AND x::int <> 0 AND 24 / x::int = 2", &["12"]),
                ("SELECT a FROM (VALUES (1), (9223372036854775807)) AS v(a) WHERE a < 100 AND a * a < 50", &["1"]),
                ("SELECT b FROM t GROUP BY b HAVING b <> 0 AND 4 / b > 1", &["2"]),
                ("SELECT a FROM t WHERE EXISTS (SELECT 1 FROM t AS s WHERE s.b = t.b AND s.b <> 0 AND 4 / s.b > 1)", &["4"]),
            ],
        );
        // However many there are.
        let many = (1..500).map(|number| format!("x::int = {number}")).collect::<Vec<_>>().join(" OR ");
        let found = rows(&catalog, &format!("SELECT x FROM (VALUES ('12'), ('0')) AS v(x) WHERE {many}"));
        assert_eq!(found, ["12"]);
        // Without a condition before it, it fails.
        for sql in ["SELECT a FROM t WHERE a / b > 1 AND b <> 0", "SELECT a FROM t WHERE b <> 1 AND a / b > 1"] {
            let failed = message(&catalog, &format!("{TABLES} {sql}"));
            assert!(failed.contains("Divide by zero"), "{sql}: {failed}");
        }
    }

    /// The answers are those of PostgreSQL 15.
    #[test]
    fn conditions_of_subqueries_and_joins_come_before_those_around_them() {
        let catalog = TestData::new().catalog();
        all_of(
            &catalog,
            &[
                ("SELECT a FROM (SELECT * FROM t WHERE b <> 0) AS s WHERE a / b > 1", &["4"]),
                ("SELECT q FROM (SELECT a / b AS q FROM t WHERE b <> 0) AS s WHERE q > 1", &["2"]),
                (", s AS (SELECT x FROM k WHERE kind = 'n') SELECT x FROM s WHERE x::int > 5", &["12"]),
                ("SELECT x FROM (SELECT x FROM (SELECT * FROM k WHERE kind = 'n') AS s WHERE x <> '0') AS s WHERE x::int > 5", &["12"]),
                ("SELECT x FROM (SELECT DISTINCT x FROM k WHERE kind = 'n' ORDER BY x) AS s WHERE x::int > 5", &["12"]),
                ("SELECT b FROM (SELECT b, COUNT(*) FROM t WHERE b <> 0 GROUP BY b) AS s WHERE 4 / b > 1", &["2"]),
                ("SELECT a FROM (SELECT a, b FROM t WHERE b <> 0 UNION ALL SELECT 9, 3) AS s WHERE a / b > 1 ORDER BY a", &["4", "9"]),
                ("SELECT a FROM t JOIN u ON a = c AND b <> 0 AND a / b > 1", &["4"]),
                ("SELECT a FROM t JOIN u ON a = c AND b <> 0 WHERE a / b > 1", &["4"]),
                ("SELECT a FROM t JOIN u ON a = c WHERE b <> 0 AND c / b > 1", &["4"]),
                ("SELECT a, c FROM t LEFT JOIN u ON a = c AND b <> 0 AND a / b > 1 ORDER BY a", &["1,", "4,4", "6,"]),
                ("SELECT c, a FROM u LEFT JOIN t ON a = c AND b <> 0 AND a / b > 1 ORDER BY c", &["1,", "4,4", "6,"]),
                ("SELECT a FROM (SELECT * FROM t WHERE b <> 0) AS s JOIN u ON a = c WHERE a / b > 1", &["4"]),
                ("SELECT a FROM (SELECT * FROM t WHERE b <> 0) AS s JOIN u ON a = c AND a / b > 1", &["4"]),
                (
                    "SELECT c, a FROM u LEFT JOIN (SELECT * FROM t WHERE b <> 0) AS s ON a = c AND a / b > 1 ORDER BY c",
                    &["1,", "4,4", "6,"],
                ),
            ],
        );
    }

    /// The answers are those of PostgreSQL 15.
    #[test]
    fn conditions_as_values_are_evaluated_in_order() {
        let catalog = TestData::new().catalog();
        all_of(
            &catalog,
            &[
                ("SELECT a, b <> 0 AND a / b > 1 AS v FROM t ORDER BY a", &["1,false", "4,true", "6,"]),
                ("SELECT a, b = 0 OR a / b > 2 AS v FROM t ORDER BY a", &["1,true", "4,false", "6,"]),
                ("SELECT a, NULL AND 1 / a > 0 AS v FROM t WHERE a > 1 ORDER BY a", &["4,false", "6,false"]),
                ("SELECT a FROM t WHERE CASE WHEN b <> 0 THEN a / b > 1 ELSE false END", &["4"]),
                ("SELECT a, CASE WHEN b = 0 THEN NULL ELSE a / b > 1 END AS v FROM t ORDER BY a", &["1,", "4,true", "6,"]),
                ("SELECT a, CASE WHEN b = 0 THEN 0 ELSE a / b END AS v FROM t ORDER BY a", &["1,0", "4,2", "6,"]),
                ("SELECT a, CASE b WHEN 0 THEN false ELSE a / b > 1 END AS v FROM t ORDER BY a", &["1,false", "4,true", "6,"]),
                ("SELECT a FROM t WHERE coalesce(b <> 2 OR NULL, a / b > 1) ORDER BY a", &["1", "4"]),
                ("SELECT a FROM (VALUES (1, 0, true), (4, 2, NULL)) AS v(a, b, c) WHERE coalesce(c, a / b > 1) ORDER BY a", &["1", "4"]),
                ("SELECT SUM(a / b) FILTER (WHERE b <> 0) AS s FROM t", &["2"]),
                ("SELECT a > 2 AS g, SUM(a / b) FILTER (WHERE b <> 0) AS s FROM t GROUP BY 1 ORDER BY 1", &["false,", "true,2"]),
            ],
        );
    }

    #[test]
    fn conditions_that_cannot_fail_are_pushed_to_the_table_as_before() {
        let mut data = TestData::new();
        let amounts = [("x", 4), ("y", 0)];
        let legs: Vec<_> = (0..)
            .zip(amounts)
            .map(|(number, (account, amount))| leg("t", number, account, "EUR", Money::whole(amount), at(1, 0)))
            .collect();
        data.commit(vec![facts(&legs)]);
        let catalog = data.catalog();
        let of_x = "account_id = 'x'";
        let sql = format!("SELECT account_id FROM ledger_entries WHERE {of_x} AND amount <> 0 AND 8 / amount = 2");
        assert_eq!(rows(&catalog, &sql), ["x"]);
        let plan = rows(&catalog, &format!("EXPLAIN {sql}")).join("\n").replace("\"\"", "\"");
        assert!(plan.contains("partial_filters=[ledger_entries.account_id = Utf8(\"x\"), ledger_entries.amount != "), "{plan}");
        assert!(plan.contains("pruning_predicate=") && plan.contains("account_id_min@"), "{plan}");
    }
}
