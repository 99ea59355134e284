//! Views of which the rows of a few keys are kept: who asks about a position asks more than one question about it.
//!
//! Such a view follows from several histories, and to plan it takes longer than to compute the rows of a few keys. The first question
//! about some keys computes all their rows, with every column, and later questions at that commit find them in memory. While a
//! pipeline commits, the first question at a commit computes what it asks for, and the second one all. Any question that chooses no
//! keys, or keys with many rows, is computed by itself. `EXPLAIN` is a question, too.
//!
//! Rows are kept for sessions that may read everything; what others may read differs.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::ViewTable;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use headwater_connectors::parquet::record::FileRole;

use crate::committed::Committed;
use crate::kept::scan_within;
use crate::questions::{Questions, few_rows};
use crate::scan::explain_plan;
use crate::state::chooses;
use crate::tables::table_named;

/// How rows of a view are chosen.
#[derive(Debug)]
pub(crate) struct Choice {
    view: &'static str,
    /// The column by which few rows are chosen.
    by: &'static str,
    /// The columns by which fewer of those are chosen.
    then_by: [&'static str; 2],
    /// The tables whose changes each change rows of many keys.
    spread: [&'static str; 2],
}

const CHOICES: [Choice; 1] =
    [Choice { view: "positions_history", by: "account_id", then_by: ["symbol", "change"], spread: ["marks", "instrument_terms"] }];

/// Maximum number of changes that may each change rows of many keys: it bounds what is computed for columns and keys that nobody asks for.
const SPREAD_CHANGES: u64 = 65_536;

impl Choice {
    /// The filters that choose few rows; none if they choose many.
    fn chosen(&self, filters: &[Expr]) -> Vec<Expr> {
        if !filters.iter().any(|filter| chooses(filter, self.by)) {
            return Vec::new();
        }
        let is_known = |name: &str| name == self.by || self.then_by.contains(&name);
        let is_of_them = |filter: &&Expr| !filter.is_volatile() && filter.column_refs().iter().all(|column| is_known(column.name()));
        filters.iter().filter(is_of_them).cloned().collect()
    }
}

/// How rows of a view are chosen, if those of few keys are to be kept.
pub(crate) fn choice(view: &str, committed: &Committed) -> Option<&'static Choice> {
    let files = |name: &&str| table_named(name).into_iter().flat_map(|table| committed.files(table, FileRole::History));
    let is_small = |choice: &&Choice| choice.spread.iter().flat_map(files).map(|file| file.rows).sum::<u64>() <= SPREAD_CHANGES;
    CHOICES.iter().find(|choice| choice.view == view).filter(is_small)
}

/// The rows that are kept.
#[derive(Debug)]
pub(crate) struct ChosenRows {
    questions: Questions<Chosen, Known>,
}

/// The keys of a view that filters choose.
#[derive(Debug, PartialEq, Eq)]
struct Chosen {
    view: &'static str,
    filters: Vec<Expr>,
}

#[derive(Debug, Default)]
struct Known {
    /// The newest commit that was asked of.
    asked: Option<u64>,
    /// The rows at that commit, if they were computed.
    rows: Option<Vec<RecordBatch>>,
    /// Whether there are too many to keep. Later there will be more.
    are_many: bool,
}

impl ChosenRows {
    pub(crate) const fn new() -> Self {
        Self { questions: Questions::new() }
    }
}

/// A view of which the rows of a few keys are kept.
#[derive(Debug)]
pub(crate) struct ChosenView {
    choice: &'static Choice,
    computed: ViewTable,
    committed: Arc<Committed>,
}

impl ChosenView {
    pub(crate) const fn new(choice: &'static Choice, computed: ViewTable, committed: Arc<Committed>) -> Self {
        Self { choice, computed, committed }
    }

    /// The rows that filters choose, if they are kept; computed, if it is time to.
    async fn rows(&self, state: &dyn Session, filters: Vec<Expr>) -> Result<Option<Vec<RecordBatch>>> {
        let commit_id = self.committed.commit_id();
        let chosen = Chosen { view: self.choice.view, filters: filters.clone() };
        let known = self.committed.current.chosen.questions.of(chosen);
        let mut known = known.lock().await;
        if known.asked == Some(commit_id) && known.rows.is_some() {
            return Ok(known.rows.clone());
        }
        if known.are_many || known.asked > Some(commit_id) {
            return Ok(None);
        }
        let commits_go_on = known.asked.is_some_and(|asked| asked < commit_id);
        *known = Known { asked: Some(commit_id), ..Known::default() };
        if !commits_go_on {
            known.rows = self.compute(state, &filters).await?;
            known.are_many = known.rows.is_none();
        }
        Ok(known.rows.clone())
    }

    /// All rows that filters choose, with every column, if they are few.
    async fn compute(&self, state: &dyn Session, filters: &[Expr]) -> Result<Option<Vec<RecordBatch>>> {
        let plan = self.computed.scan(state, None, filters, None).await?;
        let rows = few_rows(Arc::clone(&plan), state.task_ctx()).await;
        rows.map_err(|error| DataFusionError::External(Box::new(explain_plan(&error, &plan, &self.committed))))
    }
}

#[async_trait]
impl TableProvider for ChosenView {
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
        let chosen = self.choice.chosen(filters);
        let kept = if chosen.is_empty() { None } else { self.rows(state, chosen).await? };
        match kept {
            Some(rows) => Ok(MemorySourceConfig::try_new_exec(&[rows], self.schema(), projection.cloned())?),
            None => scan_within(&self.computed, state, projection, filters, limit).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use headwater_schemas::tables::Holding;

    use crate::catalog::Catalog;
    use crate::questions::ROWS;
    use crate::render::Format;
    use crate::testing::{TestData, at, changes, holding, mark, name, rows, text};

    const CHANGES: &str = "SELECT symbol, quantity, market_value, change, commit_id FROM positions_history";

    /// Whether a query would join histories anew. To ask that is a question like the query itself.
    fn joins(catalog: &Catalog, query: &str) -> bool {
        text(catalog, &format!("EXPLAIN {query}"), Format::Csv).unwrap().contains("JoinExec: ")
    }

    fn of_b(symbol: &str, quantity: i64) -> Holding {
        Holding { account_id: name("b"), ..holding(symbol, quantity, None, at(1, 0)) }
    }

    /// Two symbols of account `a`, one of `b`, and a commit per day with a mark of S.
    fn marked_at(marks: &[i64]) -> TestData {
        let mut data = TestData::new();
        let held = [holding("S", 5, None, at(1, 0)), holding("T", 7, None, at(1, 0)), of_b("S", 1)];
        data.commit(vec![changes(&held.map(|held| (held, 1)))]);
        for (day, price) in (2..).zip(marks) {
            data.commit(vec![changes(&[(mark("S", *price, None, at(day, 0)), 1)])]);
        }
        data
    }

    #[test]
    fn later_questions_about_an_account_find_its_rows_in_memory() {
        let mut data = marked_at(&[10, 11]);
        let catalog = data.catalog();
        let of_a = format!("{CHANGES} WHERE account_id = 'a' AND change = 1 AND symbol = (SELECT MIN(symbol) FROM positions)");
        assert!(!joins(&catalog, &of_a), "the first question ever computes all rows of the account");
        assert_eq!(rows(&catalog, &format!("{of_a} ORDER BY commit_id")), ["S,5,,1,1", "S,5,50,1,2", "S,5,55,1,3"]);
        let gone =
            "SELECT symbol, market_value, commit_id FROM positions_history WHERE 'a' = account_id AND change = -1 ORDER BY commit_id";
        assert!(!joins(&catalog, gone), "whatever else is asked of the account");
        assert_eq!(rows(&catalog, gone), ["S,,2", "S,50,3"]);
        data.commit(vec![changes(&[(mark("S", 12, None, at(4, 0)), 1)])]);
        catalog.refresh().unwrap();
        assert!(joins(&catalog, &of_a), "the first question at a commit computes what it asks");
        assert_eq!(rows(&catalog, &format!("{of_a} ORDER BY commit_id DESC LIMIT 1")), ["S,5,60,1,4"]);
        assert!(!joins(&catalog, &of_a));
        assert_eq!(rows(&data.catalog_at(2), &of_a).len(), 2);
    }

    #[test]
    fn rows_in_memory_are_those_that_would_be_computed() {
        let data = marked_at(&[10, 11]);
        for filter in ["account_id = 'a'", "account_id IN ('b', 'a')", "account_id = 'b' AND symbol = 'S'", "account_id = 'nobody'"] {
            for asked in ["*", "COUNT(*), MIN(ts)", "change, symbol, ts AS again, ts"] {
                let (catalog, query) = (data.catalog(), format!("SELECT {asked} FROM positions_history WHERE"));
                let sorted = |filter: &str| {
                    let mut rows = rows(&catalog, &format!("{query} {filter}"));
                    rows.sort();
                    rows
                };
                // Of what is computed for each row, no keys are chosen.
                let computed = sorted(&filter.replace("account_id", "CONCAT(account_id, '')"));
                assert_eq!(sorted(filter), computed, "{asked} {filter}");
                assert_eq!(sorted(filter), computed, "{asked} {filter}, again");
            }
        }
    }

    #[test]
    fn questions_that_choose_no_account_and_accounts_with_many_rows_are_computed_by_themselves() {
        let mut data = marked_at(&[10]);
        let many: Vec<_> = (0..5000).map(|number| (of_b("U", number + 1), 1)).collect();
        data.commit(vec![changes(&many)]);
        let catalog = data.catalog();
        for (filter, expected) in [("symbol = 'T'", 1), ("account_id <> 'b'", 4), ("account_id = 'b'", 10_000)] {
            let query = format!("{CHANGES} WHERE {filter}");
            assert_eq!(expected > ROWS, filter == "account_id = 'b'");
            assert!(joins(&catalog, &query) && joins(&catalog, &query), "{filter}");
            assert_eq!(rows(&catalog, &query).len(), expected, "{filter}");
        }
        assert_eq!(rows(&catalog, &format!("{CHANGES} WHERE account_id = 'b' AND symbol = 'S'")), ["S,1,,1,1"]);
    }
}
