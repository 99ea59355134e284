//! Changes of some keys that were read: the history of an account is asked for again, and views read a history more than once.
//!
//! They are read from files with the columns that are asked for. As long as the table has no other files, later questions about the same
//! keys find them in memory, at later commits, too. Those of keys with many changes are left in files.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::catalog::Session;
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;
use headwater_connectors::parquet::chain::CommitFile;

use crate::questions::Questions;
use crate::scan::FileTable;

/// The changes that were read of some keys.
#[derive(Debug)]
pub(crate) struct KeyChanges {
    questions: Questions<Known>,
}

#[derive(Debug, Default)]
struct Known {
    read: Option<Read>,
    /// Whether there are too many to keep. Later there will be more.
    are_many: bool,
}

/// What was read of files.
#[derive(Debug)]
struct Read {
    files: Vec<Arc<CommitFile>>,
    /// The commit up to which rows were taken, if a file has rows of later ones.
    until: Option<u64>,
    /// The columns, ascending.
    columns: Vec<usize>,
    batches: Vec<RecordBatch>,
}

impl Read {
    fn is_of(&self, files: &[Arc<CommitFile>], until: Option<u64>) -> bool {
        let same = |(one, other): (&Arc<CommitFile>, &Arc<CommitFile>)| one.path == other.path && one.sha256 == other.sha256;
        self.until == until && self.files.len() == files.len() && self.files.iter().zip(files).all(same)
    }

    /// A plan that gives these columns, which are ascending; none if one of them was not read.
    fn plan(&self, table: &FileTable, columns: &[usize]) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let places = columns.iter().map(|column| self.columns.binary_search(column).ok()).collect::<Option<Vec<_>>>();
        let Some(places) = places else { return Ok(None) };
        let schema = Arc::new(table.stored().project(&self.columns)?);
        let plan = MemorySourceConfig::try_new_exec(std::slice::from_ref(&self.batches), schema, Some(places))?;
        Ok(Some(plan))
    }
}

impl KeyChanges {
    pub(crate) const fn new() -> Self {
        Self { questions: Questions::new() }
    }

    /// The changes of the keys that filters choose, in files of a table, in columns as files hold them, which are ascending; none if there
    /// are many.
    pub(crate) async fn scan(
        &self,
        table: &FileTable,
        state: &dyn Session,
        files: &[Arc<CommitFile>],
        filters: &[&Expr],
        columns: &[usize],
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let known = self.questions.of(table.name(), filters);
        let mut known = known.lock().await;
        if known.are_many {
            return Ok(None);
        }
        let until = table.until(files);
        let read = known.read.as_ref().filter(|read| read.is_of(files, until));
        if let Some(plan) = read.map(|read| read.plan(table, columns)).transpose()?.flatten() {
            return Ok(Some(plan));
        }
        // Who asks for other columns may ask for these again.
        let mut all = [columns, read.map_or(&[], |read| read.columns.as_slice())].concat();
        all.sort_unstable();
        all.dedup();
        let filters: Vec<Expr> = filters.iter().copied().cloned().collect();
        let few = table.read_few(state, files, &filters, &all).await;
        let Some(batches) = few.map_err(|error| DataFusionError::External(Box::new(error)))? else {
            *known = Known { read: None, are_many: true };
            return Ok(None);
        };
        let read = Read { files: files.to_vec(), until, columns: all, batches };
        let plan = read.plan(table, columns)?;
        known.read = Some(read);
        Ok(plan)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use headwater_schemas::Money;

    use crate::Catalog;
    use crate::questions::ROWS;
    use crate::render::Format;
    use crate::testing::{TestData, at, balance, changes, facts, leg, message, rows, text};

    fn reads_files(catalog: &Catalog, query: &str) -> bool {
        text(catalog, &format!("EXPLAIN {query}"), Format::Csv).unwrap().contains(".parquet")
    }

    /// Accounts `a` and `b`, which both change in each commit.
    fn changing(commits: u32) -> TestData {
        let mut data = TestData::new();
        for day in 1..=commits {
            let balances = ["a", "b"].map(|account| (balance(account, day.into(), at(day, 0)), 1));
            data.commit(vec![changes(&balances)]);
        }
        data
    }

    fn history(account: &str, columns: &str) -> String {
        format!("SELECT {columns} FROM balances_history WHERE account_id = '{account}' ORDER BY commit_id, change")
    }

    #[test]
    fn changes_that_were_read_are_in_memory_until_the_table_has_other_files() {
        let mut data = changing(2);
        let catalog = data.catalog();
        let of_a = history("a", "posted, change, commit_id");
        assert_eq!(rows(&catalog, &of_a), ["1,1,1", "1,-1,2", "2,1,2"]);
        let folder = data.path().join("balances_history");
        let aside = data.path().join("aside");
        fs::rename(&folder, &aside).unwrap();
        assert_eq!(rows(&catalog, &of_a), ["1,1,1", "1,-1,2", "2,1,2"]);
        assert_eq!(rows(&catalog, "SELECT SUM(posted) FROM balances_history WHERE account_id = 'a' AND change > 0"), ["3"]);
        assert!(message(&catalog, &history("b", "posted")).contains("is missing"), "other keys were not read");
        assert!(message(&catalog, &history("a", "pending")).contains("is missing"), "nor were other columns");
        data.commit(vec![facts(&[leg("t", 1, "a", "EUR", Money::whole(1), at(3, 0))])]);
        catalog.refresh().unwrap();
        assert_eq!(rows(&catalog, &of_a), ["1,1,1", "1,-1,2", "2,1,2"], "a commit that does not change the table");
        fs::rename(&aside, &folder).unwrap();
        data.commit(vec![changes(&[(balance("a", 7, at(4, 0)), 1)])]);
        catalog.refresh().unwrap();
        assert_eq!(rows(&catalog, &of_a), ["1,1,1", "1,-1,2", "2,1,2", "2,-1,4", "7,1,4"]);
    }

    #[test]
    fn columns_that_are_asked_for_later_are_read() {
        let data = changing(2);
        let catalog = data.catalog();
        for columns in ["posted", "pending, change", "tick, posted", "ts, currency, available, posted, account_id"] {
            assert_eq!(rows(&catalog, &history("a", columns)), rows(&data.catalog(), &history("a", columns)), "{columns}");
        }
        let new = "SELECT COUNT(*) FROM balances_history WHERE account_id = 'a' AND change = 1";
        assert_eq!(rows(&data.catalog(), new), ["2"]);
    }

    #[test]
    fn of_files_that_a_filter_rules_out_nothing_is_read() {
        let data = changing(3);
        fs::remove_file(data.path().join("balances_history/date=2026-01-01/1-0.parquet")).unwrap();
        let catalog = data.catalog();
        let late = "SELECT posted FROM balances_history WHERE account_id = 'a' AND change = 1 AND ts >= '2026-01-02T00:00:00Z' ORDER BY 1";
        assert_eq!(rows(&catalog, late), ["2", "3"]);
        assert!(message(&catalog, &history("a", "posted")).contains("1-0.parquet of commit 1 is missing"));
    }

    #[test]
    fn a_statement_reads_a_history_once_however_often_it_names_it() {
        let data = changing(3);
        let catalog = data.catalog();
        let joined = "SELECT COUNT(*) FROM balances_history x JOIN balances_history y ON x.tick = y.tick \
                      WHERE x.account_id = 'a' AND y.account_id = 'a' AND x.change = 1 AND y.change = 1";
        assert!(!reads_files(&catalog, joined));
    }

    #[test]
    fn keys_with_many_changes_are_left_in_files() {
        let mut data = changing(1);
        let many: Vec<_> = (0..9000).map(|number| (balance("a", number, at(2, 0)), 1)).collect();
        assert!(many.len() > ROWS);
        data.commit(vec![changes(&many)]);
        let catalog = data.catalog();
        for (account, is_read, expected) in [("a", true, 18_001), ("b", false, 1)] {
            let of_account = history(account, "posted");
            assert_eq!((reads_files(&catalog, &of_account), rows(&catalog, &of_account).len()), (is_read, expected), "{account}");
        }
    }
}
