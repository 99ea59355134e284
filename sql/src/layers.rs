//! Projections that repeat the projection below them.
//!
//! DataFusion 55 drops a projection whose expressions equal those of the projection below it, so `SELECT x + 1 AS x FROM (SELECT x + 1 AS
//! x FROM …)` adds 1 once instead of twice (apache/datafusion#24686 mends it after 55). [`RepeatedLayers`] marks the expressions of such a
//! projection by metadata, which the optimizer keeps: they are no longer equal, and mean the same. Delete this file with the upgrade.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::metadata::FieldMetadata;
use datafusion::common::tree_node::Transformed;
use datafusion::logical_expr::{Expr, LogicalPlan, Projection};
use datafusion::optimizer::AnalyzerRule;

/// The metadata of an expression that repeats the one below it.
const MARK: &str = "headwater.repeats";

/// Keeps projections that repeat the one below.
#[derive(Debug)]
pub(crate) struct RepeatedLayers;

impl AnalyzerRule for RepeatedLayers {
    fn name(&self) -> &'static str {
        "repeated_layers"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(marked).map(|plan| plan.data)
    }
}

fn marked(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let LogicalPlan::Projection(Projection { expr, input, .. }) = &plan else { return Ok(Transformed::no(plan)) };
    let LogicalPlan::Projection(below) = input.as_ref() else { return Ok(Transformed::no(plan)) };
    // Columns alone may be dropped: they mean the same however often they are taken.
    if below.expr != *expr || expr.iter().all(|expr| matches!(expr, Expr::Column(_))) {
        return Ok(Transformed::no(plan));
    }
    let mark = |expr: &Expr| {
        let (relation, name) = expr.qualified_name();
        let mark = FieldMetadata::from(BTreeMap::from([(MARK.to_owned(), String::new())]));
        expr.clone().alias_qualified_with_metadata(relation, name, Some(mark))
    };
    let projection = Projection::try_new(expr.iter().map(mark).collect(), Arc::clone(input))?;
    Ok(Transformed::yes(LogicalPlan::Projection(projection)))
}

#[cfg(test)]
mod tests {
    use crate::testing::{TestData, at, balance, changes, rows};

    #[test]
    fn every_layer_of_a_query_counts_also_one_that_repeats_the_one_below() {
        let mut data = TestData::new();
        data.commit(vec![changes(&[(balance("ab", 2, at(1, 1)), 1)])]);
        let catalog = data.catalog();
        let layered = |layer: &str, first: &str, count: usize| {
            let innermost = format!("SELECT {first} AS x, account_id AS y FROM balances");
            (0..count).fold(innermost, |query, _| format!("SELECT {layer} AS x, y FROM ({query})"))
        };
        for (layer, first, expected) in [
            ("x + 1", "LENGTH(account_id)", ["2", "3", "4", "5", "6", "7", "8"]),
            ("x + x", "LENGTH(account_id)", ["2", "4", "8", "16", "32", "64", "128"]),
            ("x * 2", "posted", ["2", "4", "8", "16", "32", "64", "128"]),
            ("CONCAT(x, 'c')", "account_id", ["ab", "abc", "abcc", "abccc", "abcccc", "abccccc", "abcccccc"]),
            ("x || y", "account_id", ["ab", "abab", "ababab", "abababab", "ababababab", "abababababab", "ababababababab"]),
        ] {
            for (count, expected) in expected.into_iter().enumerate() {
                assert_eq!(
                    rows(&catalog, &format!("SELECT x FROM ({})", layered(layer, first, count))),
                    [expected],
                    "{layer}, {count} times"
                );
                let sum = format!("SELECT MAX(x) FROM ({}) GROUP BY y", layered(layer, first, count));
                assert_eq!(rows(&catalog, &sum), [expected], "{layer}, {count} times, and grouped");
            }
        }
        // In a subquery, too; and columns alone.
        let within = "SELECT (SELECT MAX(x) FROM (SELECT x + 1 AS x FROM (SELECT x + 1 AS x FROM (SELECT 1 AS x)))) AS x";
        assert_eq!(rows(&catalog, within), ["3"]);
        assert_eq!(rows(&catalog, "SELECT account_id FROM (SELECT account_id FROM (SELECT account_id FROM balances))"), ["ab"]);
    }
}
