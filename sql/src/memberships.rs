//! `x IN (SELECT …)` as a value.
//!
//! DataFusion plans `IN` with a query only as a condition on rows, where unknown is as good as false. In a list of columns it becomes
//! counts of the query's rows: true if one of them is `x`, else unknown if `x` or one of them is, else false.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, Result, ScalarValue, not_impl_err};
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::expr::InSubquery;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, lit, out_ref_col, scalar_subquery, when};
use datafusion::optimizer::AnalyzerRule;

use crate::named_expressions::replace_named;

/// The name of a query's column, before its number. No column of a table has spaces in its name.
const COLUMN: &str = "looked up";
/// The maximum number of parts of plans that are looked up in: each is planned up to three times, and so are those in it.
const PARTS_MAX: usize = 2000;

/// Plans `IN` with a query in lists of columns.
#[derive(Debug)]
pub(crate) struct Memberships;

impl AnalyzerRule for Memberships {
    fn name(&self) -> &'static str {
        "memberships"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let mut planned = Planned::default();
        plan.transform_up_with_subqueries(|plan| in_columns(plan, &mut planned)).data()
    }
}

/// What was planned before.
#[derive(Default)]
struct Planned {
    memberships: usize,
    parts: usize,
}

impl Planned {
    /// The number of one more, unless it is one too many.
    fn next(&mut self, members: &LogicalPlan) -> Result<usize> {
        members.apply_with_subqueries(|_| {
            self.parts = self.parts.saturating_add(1);
            Ok(TreeNodeRecursion::Continue)
        })?;
        if self.parts > PARTS_MAX {
            return not_impl_err!("IN with a query in a list of columns, within so many others: JOIN the query's rows");
        }
        self.memberships = self.memberships.saturating_add(1);
        Ok(self.memberships)
    }
}

fn in_columns(plan: LogicalPlan, planned: &mut Planned) -> Result<Transformed<LogicalPlan>> {
    if !matches!(plan, LogicalPlan::Projection(_)) {
        return Ok(Transformed::no(plan));
    }
    let schema = merge_schema(&plan.inputs());
    let counted = |expr: Expr| {
        expr.transform_up(|expr| match expr {
            Expr::InSubquery(membership) => {
                let number = planned.next(&membership.subquery.subquery)?;
                value(membership, &schema, number).map(Transformed::yes)
            }
            expr => Ok(Transformed::no(expr)),
        })
    };
    replace_named(plan, counted)?.map_data(LogicalPlan::recompute_schema)
}

fn value(membership: InSubquery, schema: &DFSchema, number: usize) -> Result<Expr> {
    let InSubquery { expr, subquery, negated } = membership;
    let column = Expr::Column(Column::from(subquery.subquery.schema().qualified_field(0)));
    let name = format!("{COLUMN} {number}");
    let members = LogicalPlanBuilder::from(subquery.subquery.as_ref().clone()).project([column.alias(&name)])?.build()?;
    let member = Expr::Column(Column::new_unqualified(name));
    let mut value = when(exist(&members, Some(member.clone().eq(of_outer_query(&expr, schema)?)))?, lit(!negated));
    let unknown = || lit(ScalarValue::Boolean(None));
    if members.schema().field(0).is_nullable() {
        value.when(exist(&members, Some(member.is_null()))?, unknown());
    }
    if expr.nullable(schema)? {
        value.when(expr.is_null().and(exist(&members, None)?), unknown());
    }
    value.otherwise(lit(negated))
}

/// Whether a query has rows that meet a condition.
fn exist(members: &LogicalPlan, condition: Option<Expr>) -> Result<Expr> {
    let mut rows = LogicalPlanBuilder::from(members.clone());
    if let Some(condition) = condition {
        rows = rows.filter(condition)?;
    }
    let counted = rows.aggregate(Vec::<Expr>::new(), [count(lit(1_i64))])?.build()?;
    let number = Expr::Column(Column::from(counted.schema().qualified_field(0)));
    let found = LogicalPlanBuilder::from(counted).project([number.gt(lit(0_i64))])?.build()?;
    Ok(scalar_subquery(Arc::new(found)))
}

/// An expression as a subquery refers to it.
fn of_outer_query(expr: &Expr, schema: &DFSchema) -> Result<Expr> {
    let refer = |expr: Expr| match expr {
        Expr::Column(column) => {
            let data_type = Expr::Column(column.clone()).get_type(schema)?;
            Ok(Transformed::yes(out_ref_col(data_type, column)))
        }
        expr => Ok(Transformed::no(expr)),
    };
    expr.clone().transform_up(refer).data()
}

#[cfg(test)]
mod tests {
    use crate::Format;
    use crate::testing::{TestData, at, balance, changes, message, rows, text};

    /// The answers follow from the definition of `IN`: true if a row is equal, else unknown if a comparison is, else false.
    #[test]
    fn membership_is_a_value_that_may_be_unknown() {
        let catalog = TestData::new().catalog();
        for (membership, expected) in [
            ("x IN (SELECT y FROM (VALUES (1), (3)) AS u(y))", ["1,true", "2,false", ","]),
            ("x NOT IN (SELECT y FROM (VALUES (1), (3)) AS u(y))", ["1,false", "2,true", ","]),
            ("x IN (SELECT y FROM (VALUES (1), (NULL)) AS u(y))", ["1,true", "2,", ","]),
            ("x NOT IN (SELECT y FROM (VALUES (1), (NULL)) AS u(y))", ["1,false", "2,", ","]),
            ("x IN (SELECT y FROM (VALUES (1)) AS u(y) WHERE false)", ["1,false", "2,false", ",false"]),
            ("x + 1 IN (SELECT y FROM (VALUES (2)) AS u(y))", ["1,true", "2,false", ","]),
            ("CASE WHEN x IN (SELECT y FROM (VALUES (2)) AS u(y)) THEN 'in' ELSE 'out' END", ["1,out", "2,in", ",out"]),
            ("1 IN (SELECT y FROM (VALUES (1)) AS u(y))", ["1,true", "2,true", ",true"]),
        ] {
            let sql = format!("SELECT x, {membership} AS e FROM (VALUES (1), (2), (NULL)) AS t(x) ORDER BY x");
            assert_eq!(rows(&catalog, &sql), expected, "{sql}");
        }
    }

    #[test]
    fn membership_in_a_table_is_a_value() {
        let mut data = TestData::new();
        data.commit(vec![changes(&[(balance("a", 12, at(2, 0)), 1), (balance("b", 5, at(1, 0)), 1)])]);
        let catalog = data.catalog();
        for (sql, expected) in [
            (
                "SELECT account_id, account_id IN (SELECT account_id FROM balances WHERE posted > 10) AS e FROM balances ORDER BY 1",
                "account_id,e\na,true\nb,false\n",
            ),
            // The row's own query.
            (
                "SELECT account_id, 5 IN (SELECT o.posted FROM balances o WHERE o.account_id = b.account_id) AS e FROM balances b ORDER BY 1",
                "account_id,e\na,false\nb,true\n",
            ),
        ] {
            assert_eq!(text(&catalog, sql, Format::Csv).unwrap_or_else(|error| panic!("{sql}: {error}")), expected, "{sql}");
        }
    }

    #[test]
    fn memberships_in_each_other_are_planned_up_to_a_limit() {
        let catalog = TestData::new().catalog();
        let around = |inner: String, _| format!("SELECT x IN ({inner}) AS e FROM (VALUES (true), (NULL)) AS t(x)");
        let nested = |depth: usize| (0..depth).fold("SELECT true AS e".to_owned(), around);
        assert_eq!(rows(&catalog, &format!("SELECT e FROM ({}) ORDER BY e", nested(2))), ["true", ""]);
        let refused = message(&catalog, &nested(12));
        assert!(refused.contains("within so many others"), "{refused}");
    }

    #[test]
    fn a_subquery_that_cannot_be_planned_is_refused_with_a_way_out() {
        let mut data = TestData::new();
        data.commit(vec![changes(&[(balance("a", 12, at(2, 0)), 1)])]);
        let catalog = data.catalog();
        for (sql, start, mend) in [
            (
                "SELECT EXISTS(SELECT 1 FROM balances o WHERE o.posted > b.posted) AS e FROM balances b",
                "this is not supported: a subquery here that reads columns of the query around it",
                "JOIN",
            ),
            (
                "SELECT count(*) FROM balances GROUP BY posted IN (SELECT posted FROM balances)",
                "this is not supported: IN or EXISTS with a query here",
                "list of columns",
            ),
        ] {
            let refused = message(&catalog, sql);
            assert!(refused.starts_with(start) && refused.contains(mend), "{sql}: {refused}");
        }
    }
}
