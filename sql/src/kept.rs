//! Views of which the rows are kept: who asks ten questions about positions would join and multiply them ten times.
//!
//! A question that chooses few rows by a part of the key is computed like any other view, with the chosen rows alone. Any other computes
//! all rows once for its commit, with every column, and later questions at that commit find them in memory. While a pipeline commits,
//! most commits are asked once, so there the first question computes what it asks for, and the second one all. `EXPLAIN` is a question, too.
//!
//! Rows are kept for sessions that may read everything; what others may read differs.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::datasource::ViewTable;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::{ExecutionPlan, collect_partitioned};
use tokio::sync::Mutex;

use crate::committed::Committed;
use crate::state::chooses;

/// The views, each with the columns by which few of its rows are chosen.
const KEPT: [(&str, [&str; 2]); 1] = [("positions", ["account_id", "symbol"])];

/// Rows by partition.
type Partitions = Arc<Vec<Vec<RecordBatch>>>;

/// The kept rows of each view.
#[derive(Debug)]
pub(crate) struct KeptRows {
    views: BTreeMap<&'static str, Mutex<Kept>>,
}

/// What is kept of a view.
#[derive(Debug, Default)]
struct Kept {
    /// The newest commit that all rows were asked of.
    asked: Option<u64>,
    /// Its rows, if they were computed.
    rows: Option<Partitions>,
}

impl KeptRows {
    pub(crate) fn new() -> Self {
        Self { views: KEPT.iter().map(|(view, _)| (*view, Mutex::default())).collect() }
    }
}

/// A view of which the rows are kept.
#[derive(Debug)]
pub(crate) struct KeptView {
    name: &'static str,
    /// The columns by which few of its rows are chosen.
    chosen_by: [&'static str; 2],
    computed: ViewTable,
    committed: Arc<Committed>,
}

/// The columns by which few rows of a view are chosen, if it is one whose rows are kept.
pub(crate) fn chosen_by(view: &str) -> Option<[&'static str; 2]> {
    KEPT.iter().find(|(kept, _)| *kept == view).map(|(_, chosen_by)| *chosen_by)
}

impl KeptView {
    pub(crate) fn new(name: &'static str, chosen_by: [&'static str; 2], computed: ViewTable, committed: Arc<Committed>) -> Self {
        Self { name, chosen_by, computed, committed }
    }

    /// The kept rows; computed, if it is time to. None, if the question is to be computed by itself.
    async fn rows(&self, state: &dyn Session, is_for_all: bool) -> Result<Option<Partitions>> {
        let commit_id = self.committed.commit_id();
        let Some(kept) = self.committed.current.kept.views.get(self.name) else { return Ok(None) };
        let known = |kept: &Kept| kept.rows.clone().filter(|_| kept.asked == Some(commit_id));
        if !is_for_all {
            return Ok(kept.try_lock().ok().and_then(|kept| known(&kept)));
        }
        // Locked while they are computed, so that of two simultaneous questions one computes and the other uses the result.
        let mut kept = kept.lock().await;
        if known(&kept).is_some() || kept.asked > Some(commit_id) {
            return Ok(known(&kept));
        }
        let commits_go_on = kept.asked.is_some_and(|asked| asked < commit_id);
        *kept = Kept { asked: Some(commit_id), rows: None };
        if !commits_go_on {
            let plan = self.computed.scan(state, None, &[], None).await?;
            kept.rows = Some(Arc::new(collect_partitioned(plan, state.task_ctx()).await?));
        }
        Ok(kept.rows.clone())
    }
}

#[async_trait]
impl TableProvider for KeptView {
    fn schema(&self) -> SchemaRef {
        self.computed.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    fn get_table_definition(&self) -> Option<&str> {
        self.computed.get_table_definition()
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        // Kept rows are not filtered.
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let chooses_few = |filter: &Expr| self.chosen_by.iter().any(|column| chooses(filter, column));
        let is_for_all = limit.is_none() && !filters.iter().any(chooses_few);
        match self.rows(state, is_for_all).await? {
            Some(rows) => Ok(MemorySourceConfig::try_new_exec(&rows, self.schema(), projection.cloned())?),
            None => scan_within(&self.computed, state, projection, filters, limit).await,
        }
    }
}

/// The plan of a view, as a part of a statement's plan. The rules for physical plans are left to the statement's: some of them fail on
/// joins to which they were applied before, and each takes its time.
pub(crate) async fn scan_within(
    view: &ViewTable,
    state: &dyn Session,
    projection: Option<&Vec<usize>>,
    filters: &[Expr],
    limit: Option<usize>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let Some(own) = state.as_any().downcast_ref::<SessionState>() else { return view.scan(state, projection, filters, limit).await };
    let without_rules = SessionStateBuilder::new_from_existing(own.clone()).with_physical_optimizer_rules(Vec::new()).build();
    view.scan(&without_rules, projection, filters, limit).await
}

#[cfg(test)]
mod tests {
    use crate::catalog::Catalog;
    use crate::render::Format;
    use crate::testing::{TestData, at, changes, holding, mark, rows, text};

    const WORTH: &str = "SELECT symbol, market_value FROM positions";

    /// Whether a query would join positions anew. To ask that is a question like the query itself.
    fn joins(catalog: &Catalog, query: &str) -> bool {
        text(catalog, &format!("EXPLAIN {query}"), Format::Csv).unwrap().contains("JoinExec: ")
    }

    fn marked_at(marks: &[i64]) -> TestData {
        let mut data = TestData::new();
        data.commit(vec![changes(&[(holding("S", 5, None, at(1, 0)), 1)])]);
        for (day, price) in (2..).zip(marks) {
            data.commit(vec![changes(&[(mark("S", *price, None, at(day, 0)), 1)])]);
        }
        data
    }

    #[test]
    fn rows_that_were_asked_for_are_those_of_later_questions_at_their_commit() {
        let mut data = marked_at(&[10]);
        let catalog = data.catalog();
        assert!(!joins(&catalog, WORTH), "the first question ever computes all");
        assert_eq!(rows(&catalog, WORTH), ["S,50"]);
        assert_eq!(rows(&catalog, "SELECT COUNT(*), SUM(quantity), MAX(mark_price) FROM positions WHERE unrealized_pnl = 5"), ["1,5,10"]);
        for (day, price, worth) in [(3, 11, "S,55"), (4, 12, "S,60")] {
            data.commit(vec![changes(&[(mark("S", price, None, at(day, 0)), 1)])]);
            catalog.refresh().unwrap();
            assert!(joins(&catalog, WORTH), "the first question at a commit computes what it asks");
            assert_eq!(rows(&catalog, WORTH), [worth]);
            assert!(!joins(&catalog, WORTH));
        }
        assert_eq!(rows(&data.catalog_at(2), WORTH), ["S,50"]);
    }

    #[test]
    fn a_question_for_a_few_keys_or_rows_does_not_compute_the_others() {
        for part in ["WHERE account_id = 'a'", "WHERE account_id IN ('a', 'b')", "WHERE symbol = 'S' AND quantity > 1", "LIMIT 1"] {
            let (data, query) = (marked_at(&[10]), format!("{WORTH} {part}"));
            let catalog = data.catalog();
            assert!(joins(&catalog, &query) && joins(&catalog, &query), "{part}");
            assert_eq!(rows(&catalog, &query), ["S,50"], "{part}");
            assert_eq!(rows(&catalog, &format!("{WORTH} WHERE account_id <> 'b'")), ["S,50"]);
            assert!(!joins(&catalog, &query), "{part}: they are in memory");
            assert_eq!(rows(&catalog, &query), ["S,50"], "{part}");
        }
    }

    #[test]
    fn columns_that_are_asked_for_later_are_there() {
        let data = marked_at(&[10]);
        let kept = data.catalog();
        assert_eq!(rows(&kept, "SELECT COUNT(*) FROM positions"), ["1"]);
        for columns in ["*", "ts, symbol", "market_value - unrealized_pnl AS difference", "1 AS one", "fees, fees AS again"] {
            let asked = |end: &str| format!("SELECT {columns} FROM positions {end}");
            assert_eq!(rows(&kept, &asked("")), rows(&data.catalog(), &asked("LIMIT 5")), "{columns}");
        }
    }
}
