//! Replacing expressions of a plan, of which each keeps its name.

use datafusion::common::Result;
use datafusion::common::tree_node::Transformed;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Expr, LogicalPlan};

/// Replaces each expression of a node. Their names stay: nodes above refer to them, and to what a window computes by a text that has
/// the expressions in it. Where the replacements have other types, the node's schema has to be computed anew.
pub(crate) fn replace_named(
    plan: LogicalPlan,
    mut replace: impl FnMut(Expr) -> Result<Transformed<Expr>>,
) -> Result<Transformed<LogicalPlan>> {
    let names = NamePreserver::new(&plan);
    plan.map_expressions(|expr| {
        let name = names.save(&expr);
        Ok(replace(expr)?.update_data(|expr| name.restore(expr)))
    })
}
