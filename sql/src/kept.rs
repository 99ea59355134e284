//! Views of which rows are kept in memory, all or those of a few keys ([`crate::chosen`]).
//!
//! The first question ever for such rows computes them, with every column, and later questions at that commit find them in memory. While a
//! pipeline commits, most commits are asked once, so there the first question computes what it asks for, and the second one all.
//! `EXPLAIN` is a question, too.
//!
//! Rows are kept for sessions that may read everything; what others may read differs.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::ViewTable;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::{ExecutionPlan, collect_partitioned};
use tokio::sync::Mutex;

use crate::chosen::{Asked, Keeping, kept_whole};
use crate::committed::Committed;
use crate::questions::{Questions, few_rows};
use crate::scan::explain_plan;

/// Rows by partition.
type Partitions = Arc<Vec<Vec<RecordBatch>>>;

/// The rows that are kept.
#[derive(Debug)]
pub(crate) struct KeptRows {
    /// All rows of a view. They stay, whatever else is asked.
    whole: BTreeMap<&'static str, Arc<Mutex<Known>>>,
    /// Rows of a few keys.
    of_keys: Questions<Known>,
}

/// What is known of some rows.
#[derive(Debug, Default)]
struct Known {
    /// The newest commit that they were asked of.
    asked: Option<u64>,
    /// The rows at that commit, if they were computed.
    rows: Option<Partitions>,
    /// Whether there are too many to keep. Later there will be more.
    are_many: bool,
}

impl KeptRows {
    pub(crate) fn new() -> Self {
        Self { whole: kept_whole().map(|view| (view, Arc::default())).collect(), of_keys: Questions::new() }
    }
}

impl Known {
    /// The rows at a commit, if they were computed.
    fn at(&self, commit_id: u64) -> Option<Partitions> {
        self.rows.clone().filter(|_| self.asked == Some(commit_id))
    }

    /// Notes that they are asked of a commit; true if it is time to compute them.
    fn ask(&mut self, commit_id: u64) -> bool {
        if self.asked == Some(commit_id) && self.rows.is_some() || self.are_many || self.asked > Some(commit_id) {
            return false;
        }
        let commits_go_on = self.asked.is_some_and(|asked| asked < commit_id);
        *self = Self { asked: Some(commit_id), ..Self::default() };
        !commits_go_on
    }
}

/// A view of which rows are kept.
#[derive(Debug)]
pub(crate) struct KeptView {
    keeping: &'static Keeping,
    computed: ViewTable,
    committed: Arc<Committed>,
}

impl KeptView {
    pub(crate) const fn new(keeping: &'static Keeping, computed: ViewTable, committed: Arc<Committed>) -> Self {
        Self { keeping, computed, committed }
    }

    /// The kept rows that a question begins with; computed, if it is time to. None, if it is to be computed by itself.
    async fn rows(&self, state: &dyn Session, asked: &Asked<'_>) -> Result<Option<Partitions>> {
        let (commit_id, kept) = (self.committed.commit_id(), &self.committed.current.kept);
        let whole = || kept.whole.get(self.keeping.view).map(Arc::clone);
        let known = match asked {
            Asked::Others => return Ok(None),
            // Few rows are computed sooner than all that another question computes now.
            Asked::Few => return Ok(whole().and_then(|known| known.try_lock().ok()?.at(commit_id))),
            Asked::All => whole(),
            Asked::OfKeys(filters) => Some(kept.of_keys.of(self.keeping.view, filters)),
        };
        let Some(known) = known else { return Ok(None) };
        // Locked while they are computed, so that of two simultaneous questions one computes and the other uses the result.
        let mut known = known.lock().await;
        if known.ask(commit_id) {
            known.rows = self.compute(state, asked).await?;
            known.are_many = known.rows.is_none();
        }
        Ok(known.at(commit_id))
    }

    /// All rows that are asked for, with every column; none if they were to be few and are many.
    async fn compute(&self, state: &dyn Session, asked: &Asked<'_>) -> Result<Option<Partitions>> {
        let filters: Vec<Expr> = match asked {
            Asked::OfKeys(filters) => filters.iter().copied().cloned().collect(),
            _ => Vec::new(),
        };
        let plan = self.computed.scan(state, None, &filters, None).await?;
        let rows = match asked {
            Asked::OfKeys(_) => few_rows(Arc::clone(&plan), state.task_ctx()).await.map(|rows| rows.map(|rows| vec![rows])),
            _ => collect_partitioned(Arc::clone(&plan), state.task_ctx()).await.map(Some),
        };
        let rows = rows.map_err(|error| DataFusionError::External(Box::new(explain_plan(&error, &plan, &self.committed))))?;
        Ok(rows.map(Arc::new))
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
        // Kept rows are not filtered by all of them.
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match self.rows(state, &self.keeping.asked(filters, limit)).await? {
            Some(rows) => Ok(MemorySourceConfig::try_new_exec(&rows, self.schema(), projection.cloned())?),
            None => scan_within(&self.computed, state, projection, filters, limit).await,
        }
    }
}

/// The plan of a view, as a part of a statement's plan. The rules for physical plans are left to the statement's: some of them fail on
/// joins to which they were applied before, and each takes its time.
async fn scan_within(
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
