//! Joins that yield to other tasks.
//!
//! DataFusion lets a query yield where it reads, and a join may make billions of rows of one batch that was read. A query that was
//! cancelled, or whose time is over, ends where it yields: until then its thread would do nothing else.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coop::CooperativeExec;

/// Makes everything that reads from several inputs yield now and then between its batches.
#[derive(Debug)]
pub(crate) struct YieldingJoins;

impl PhysicalOptimizerRule for YieldingJoins {
    fn name(&self) -> &'static str {
        "yielding_joins"
    }

    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let wrapped = plan.transform_up(|plan| match plan.children().len() {
            0 | 1 => Ok(Transformed::no(plan)),
            _ => Ok(Transformed::yes(Arc::new(CooperativeExec::new(plan)) as Arc<dyn ExecutionPlan>)),
        });
        wrapped.map(|plan| plan.data)
    }

    fn schema_check(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use crate::error::QueryError;
    use crate::testing::{TestData, rows, try_rows};
    use crate::{Catalog, SqlConfig};

    #[test]
    fn a_join_whose_time_is_over_leaves_its_threads() {
        let data = TestData::new();
        let config = SqlConfig { timeout_seconds: 1, threads: 1, ..SqlConfig::default() };
        let catalog = Catalog::open_with(data.path(), None, config).unwrap();
        let series = "generate_series(1, 1000000)";
        for join in ["a CROSS JOIN", "a JOIN"] {
            let on = if join == "a JOIN" { "ON a.value < b.value" } else { "" };
            let sql = format!("SELECT SUM(a.value % 7 * b.value) FROM {series} {join} {series} b {on}");
            assert!(matches!(try_rows(&catalog, &sql), Err(QueryError::Timeout(1))), "{sql}");
            assert_eq!(rows(&catalog, "SELECT 1"), ["1"], "the only thread is free again: {join}");
        }
    }
}
