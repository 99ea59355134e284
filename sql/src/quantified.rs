//! `x > ANY (SELECT …)` and `x > ALL (SELECT …)`.
//!
//! DataFusion 55 moves the comparison into the subquery, where the columns of `x` are found in a table of the subquery if it is read
//! there, too: `posted >= ALL (SELECT posted FROM balances)` compares each row with itself. Under a name of its own, the column of the
//! subquery stays apart from them.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, Result, not_impl_err};
use datafusion::logical_expr::expr::{InSubquery, SetComparison, SetQuantifier};
use datafusion::logical_expr::utils::{conjunction, split_conjunction, split_conjunction_owned};
use datafusion::logical_expr::{Expr, Filter, LogicalPlan, LogicalPlanBuilder, Operator, Subquery, lit};
use datafusion::optimizer::AnalyzerRule;

use crate::quantified_columns::in_columns;

/// The name of a subquery's column, before its number. No column of a table has spaces in its name.
const COLUMN: &str = "compared with";

/// Keeps both sides of a comparison with a subquery apart.
#[derive(Debug)]
pub(crate) struct QuantifiedComparisons;

impl AnalyzerRule for QuantifiedComparisons {
    fn name(&self) -> &'static str {
        "quantified_comparisons"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let mut count = 0_usize;
        plan.transform_up_with_subqueries(|plan| kept_apart(plan, &mut count)).map(|plan| plan.data)
    }
}

fn kept_apart(plan: LogicalPlan, count: &mut usize) -> Result<Transformed<LogicalPlan>> {
    if matches!(plan, LogicalPlan::Projection(_)) {
        return in_columns(plan);
    }
    let (plan, has_members) = match plan {
        LogicalPlan::Filter(filter) if split_conjunction(&filter.predicate).into_iter().any(is_membership) => (members(filter)?, true),
        plan => (plan, false),
    };
    // DataFusion makes EXISTS of it, which it plans nowhere else.
    let is_planned = matches!(plan, LogicalPlan::Filter(_) | LogicalPlan::Join(_));
    let mut rewritten = plan.map_expressions(|expr| {
        expr.transform_up(|expr| match expr {
            Expr::SetComparison(_) if !is_planned => {
                not_impl_err!("a comparison with ANY or ALL of a query, except in WHERE, HAVING, ON and a list of columns")
            }
            Expr::SetComparison(comparison) => {
                *count = count.saturating_add(1);
                Ok(Transformed::yes(Expr::SetComparison(with_own_name(comparison, *count)?)))
            }
            expr => Ok(Transformed::no(expr)),
        })
    })?;
    rewritten.transformed |= has_members;
    Ok(rewritten)
}

fn with_own_name(comparison: SetComparison, number: usize) -> Result<SetComparison> {
    let subquery = comparison.subquery.subquery.as_ref();
    let column = Expr::Column(Column::from(subquery.schema().qualified_field(0)));
    let renamed = LogicalPlanBuilder::from(subquery.clone()).project([column.alias(format!("{COLUMN} {number}"))])?.build()?;
    let subquery = comparison.subquery.with_plan(Arc::new(renamed));
    Ok(SetComparison { subquery, ..comparison })
}

/// Whether a condition that all rows meet is `IN` or `NOT IN`, which are faster: joins by hash. Anywhere else they are not the same, as
/// DataFusion takes what they do not know for false. Neither is `NOT IN` where each row has a subquery of its own.
fn is_membership(condition: &Expr) -> bool {
    let Expr::SetComparison(comparison) = condition else { return false };
    match (comparison.op, comparison.quantifier) {
        (Operator::Eq, SetQuantifier::Any) => true,
        (Operator::NotEq, SetQuantifier::All) => comparison.subquery.outer_ref_columns.is_empty(),
        _ => false,
    }
}

fn members(filter: Filter) -> Result<LogicalPlan> {
    let conditions = split_conjunction_owned(filter.predicate).into_iter().map(|condition| {
        let is_membership = is_membership(&condition);
        match condition {
            Expr::SetComparison(SetComparison { expr, subquery, op, .. }) if is_membership => in_subquery(expr, subquery, op),
            condition => condition,
        }
    });
    let predicate = conjunction(conditions).unwrap_or_else(|| lit(true));
    Ok(LogicalPlan::Filter(Filter::try_new(predicate, filter.input)?))
}

fn in_subquery(expr: Box<Expr>, subquery: Subquery, op: Operator) -> Expr {
    Expr::InSubquery(InSubquery::new(expr, subquery, op == Operator::NotEq))
}

#[cfg(test)]
mod tests {
    use crate::testing::{TestData, at, balance, changes, message, rows};

    fn three_balances() -> TestData {
        let mut data = TestData::new();
        data.commit(vec![changes(&[(balance("a", 1, at(1, 1)), 1), (balance("b", 2, at(1, 1)), 1), (balance("c", 3, at(1, 1)), 1)])]);
        data
    }

    #[test]
    fn a_subquery_of_the_same_table_is_compared_with_as_a_whole() {
        let data = three_balances();
        let catalog = data.catalog();
        for (condition, expected) in [
            ("posted = ANY (SELECT posted FROM balances WHERE account_id = 'b')", "1"),
            ("posted = SOME (SELECT posted FROM balances WHERE account_id > 'a')", "2"),
            ("posted <> ALL (SELECT posted FROM balances WHERE account_id = 'b')", "2"),
            ("posted <> ANY (SELECT posted FROM balances WHERE account_id = 'b')", "2"),
            ("posted = ALL (SELECT posted FROM balances WHERE account_id = 'b')", "1"),
            ("posted >= ALL (SELECT posted FROM balances)", "1"),
            ("posted <= ALL (SELECT posted FROM balances)", "1"),
            ("posted > ANY (SELECT posted FROM balances)", "2"),
            ("posted < ANY (SELECT posted FROM balances) AND posted > ANY (SELECT posted FROM balances)", "1"),
            ("posted > ALL (SELECT posted FROM balances WHERE false)", "3"),
            ("posted > ANY (SELECT posted FROM balances WHERE false)", "0"),
            ("NOT posted > ANY (SELECT posted FROM balances)", "1"),
            ("posted = ANY (SELECT posted FROM balances WHERE account_id = 'b') OR account_id = 'c'", "2"),
            // In each other, of several queries, and of constants.
            ("posted > ANY (SELECT posted FROM balances WHERE posted > ANY (SELECT posted FROM balances))", "1"),
            ("posted >= ALL (SELECT posted FROM balances UNION ALL SELECT 2)", "1"),
            ("posted > ALL (SELECT 1 UNION ALL SELECT 2)", "1"),
            // With columns of the outer query.
            ("posted > ANY (SELECT i.posted FROM balances i WHERE i.account_id > balances.account_id)", "0"),
            ("posted > ANY (SELECT i.posted FROM balances i WHERE i.account_id < balances.account_id)", "2"),
            ("posted <> ALL (SELECT i.posted FROM balances i WHERE i.account_id <> balances.account_id)", "3"),
        ] {
            let sql = format!("SELECT COUNT(*) FROM balances WHERE {condition}");
            assert_eq!(rows(&catalog, &sql), [expected], "{sql}");
        }
    }

    #[test]
    fn what_null_leaves_open_is_neither_true_nor_false() {
        let catalog = TestData::new().catalog();
        for (condition, expected) in [
            ("x = ANY (SELECT y FROM (VALUES (1), (NULL)) AS w(y))", ["1"].as_slice()),
            ("x <> ALL (SELECT y FROM (VALUES (1), (NULL)) AS w(y))", &[]),
            ("x <> ALL (SELECT y FROM (VALUES (1)) AS w(y))", &["2"]),
            ("x > ANY (SELECT y FROM (VALUES (1), (NULL)) AS w(y))", &["2"]),
            ("x > ALL (SELECT y FROM (VALUES (0), (NULL)) AS w(y))", &[]),
            ("(x = ANY (SELECT y FROM (VALUES (1), (NULL)) AS w(y))) IS NULL", &["2"]),
            ("(x > ALL (SELECT y FROM (VALUES (1), (NULL)) AS w(y))) IS NULL", &["2"]),
        ] {
            let sql = format!("SELECT x FROM (VALUES (1), (2)) AS v(x) WHERE {condition} ORDER BY x");
            assert_eq!(rows(&catalog, &sql), expected, "{sql}");
        }
    }

    #[test]
    fn a_comparison_that_datafusion_cannot_plan_is_refused_by_name() {
        let data = three_balances();
        let catalog = data.catalog();
        for sql in [
            "SELECT MAX(posted) FILTER (WHERE posted >= ALL (SELECT posted FROM balances)) FROM balances",
            "SELECT SUM(CASE WHEN posted = ANY (SELECT posted FROM balances) THEN 1 END) AS x FROM balances",
        ] {
            let refusal = message(&catalog, sql);
            assert!(refusal.starts_with("this is not supported: a comparison with ANY or ALL of a query"), "{sql}: {refusal}");
        }
    }
}
