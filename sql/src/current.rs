//! The current rows of a state table: of each key the newest row, unless it says that the key is gone.
//!
//! ```text
//!  state files behind commit c, newest first ──┐
//!                                              ├─► per key the first row seen ─► those with change = 1, by key
//!  current rows as of commit c, if known ──────┘
//! ```
//!
//! Of a commit whose files were merged with later ones, the history tells the rows.
//!
//! The files hold at most one row per key and commit, so the order within a commit does not matter. What was folded for
//! one commit is the start for the next, so that a catalog that follows a pipeline reads each file once.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, BooleanArray, Int32Array, Int64Array, RecordBatch};
use arrow::compute::kernels::cmp::lt_eq;
use arrow::compute::{
    SortColumn, SortOptions, concat_batches, filter_record_batch, interleave_record_batch, lexsort_to_indices, take_record_batch,
};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};
use futures::{StreamExt, TryStreamExt};
use headwater_connectors::parquet::chain::CommitFile;
use headwater_connectors::parquet::columns::{CHANGE, COMMIT_ID, TICK};
use headwater_connectors::parquet::directory::HISTORY_SUFFIX;
use headwater_connectors::parquet::file::FileError;
use headwater_connectors::parquet::reader::{conform, state_files};
use headwater_connectors::parquet::record::FileRole;
use headwater_schemas::tables::TableKind;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rustc_hash::FxHashMap;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

use crate::committed::Committed;
use crate::error::QueryError;
use crate::tables::{Table, tables};

/// How many files are read ahead of the fold.
const READ_AHEAD: usize = 8;
/// How many rows a batch of current rows has.
const BATCH_ROWS: usize = 8192;

/// The current rows of a table as of a commit, in the order of their keys.
#[derive(Debug)]
pub(crate) struct CurrentRows {
    commit_id: u64,
    pub(crate) batches: Vec<RecordBatch>,
}

/// The newest current rows that were asked for, per table.
#[derive(Debug)]
pub(crate) struct CurrentCache {
    tables: BTreeMap<&'static str, Mutex<Option<Arc<CurrentRows>>>>,
}

impl CurrentCache {
    pub(crate) fn new() -> Self {
        let state = tables().iter().filter(|table| table.is_state());
        Self { tables: state.map(|table| (table.spec.name, Mutex::default())).collect() }
    }
}

/// The current rows of a state table.
pub(crate) async fn current_rows(committed: &Committed, table: &'static Table) -> Result<Arc<CurrentRows>, QueryError> {
    let Some(cache) = committed.current.tables.get(table.spec.name) else {
        return Err(QueryError::Execution(format!("{} is not a state table", table.spec.name)));
    };
    // Held while the files are read, so that of two queries at once one reads and the other finds.
    let mut newest = cache.lock().await;
    let base = newest.clone().filter(|rows| rows.commit_id <= committed.commit_id());
    let rows = fold_onto(base, committed, table).await?;
    if newest.as_ref().is_none_or(|newest| newest.commit_id < rows.commit_id) {
        *newest = Some(Arc::clone(&rows));
    }
    Ok(rows)
}

async fn fold_onto(base: Option<Arc<CurrentRows>>, committed: &Committed, table: &'static Table) -> Result<Arc<CurrentRows>, QueryError> {
    let commit_id = committed.commit_id();
    let files: Vec<_> = state_files(committed.live(), table.spec.name).filter(|file| file.first_commit() <= commit_id).cloned().collect();
    if let Some(oldest) = files.iter().filter(|file| committed.straddles(file)).map(|file| file.last_commit()).max() {
        let batches = at_a_merged_commit(committed, table, oldest).await?;
        return Ok(Arc::new(CurrentRows { commit_id, batches }));
    }
    let whole = files.iter().filter(|file| file.is_whole()).map(|file| file.last_commit()).max().unwrap_or(0);
    // Rows from before the whole table was written lack what changed until then: those files are gone.
    let base = base.filter(|base| base.commit_id >= whole);
    let behind = base.as_ref().map_or(0, |base| base.commit_id);
    let base = base.map_or_else(Vec::new, |base| base.batches.clone());
    let mut files: Vec<_> = files.into_iter().filter(|file| file.last_commit() > behind).collect();
    if files.is_empty() {
        return Ok(Arc::new(CurrentRows { commit_id, batches: base }));
    }
    files.sort_by_key(|file| std::cmp::Reverse(file.last_commit()));
    let mut fold = Fold::new(table)?;
    let data = committed.data();
    let mut batches = futures::stream::iter(files).map(|file| read(file, data.to_owned(), table)).buffered(READ_AHEAD);
    while let Some(batches) = batches.try_next().await? {
        for batch in batches {
            fold.add_changes(&batch)?;
        }
    }
    for batch in base {
        fold.add_current(batch)?;
    }
    Ok(Arc::new(CurrentRows { commit_id, batches: fold.finish()? }))
}

/// The rows at a commit whose state files were merged with later ones: of each key the last change in the history until then.
async fn at_a_merged_commit(committed: &Committed, table: &'static Table, oldest: u64) -> Result<Vec<RecordBatch>, QueryError> {
    let forgotten = |why| QueryError::Forgotten { table: table.spec.name, at: committed.commit_id(), why, oldest };
    if table.spec.kind != TableKind::State {
        return Err(forgotten("it has no history"));
    }
    if committed.dropped(&format!("{}{HISTORY_SUFFIX}", table.spec.name)).is_some() {
        return Err(forgotten("its history is older than its retention"));
    }
    let schema = table.file_schema(FileRole::History);
    let mut changes = Vec::new();
    for file in committed.files(table, FileRole::History) {
        for batch in read(Arc::clone(file), committed.data().to_owned(), table).await? {
            let last = Int64Array::new_scalar(i64::try_from(committed.commit_id()).unwrap_or(i64::MAX));
            let known = lt_eq(batch.column(schema.index_of(COMMIT_ID)?), &last)?;
            changes.push(filter_record_batch(&batch, &known)?);
        }
    }
    let changes = concat_batches(&schema, &changes)?;
    let newest_first = [COMMIT_ID, TICK, CHANGE].map(|name| {
        let column = |index| SortColumn { values: Arc::clone(changes.column(index)), options: Some(SortOptions::default().desc()) };
        schema.index_of(name).map(column)
    });
    let order = lexsort_to_indices(&newest_first.into_iter().collect::<Result<Vec<_>, _>>()?, None)?;
    let mut fold = Fold::new(table)?;
    let as_state = conform(&take_record_batch(&changes, &order)?, &table.file_schema(FileRole::State))?;
    fold.add_changes(&as_state)?;
    Ok(fold.finish()?)
}

async fn read(file: Arc<CommitFile>, data: PathBuf, table: &'static Table) -> Result<Vec<RecordBatch>, QueryError> {
    let reading = spawn_blocking(move || read_file(&file, &data, table));
    reading.await.map_err(|error| QueryError::Execution(error.to_string()))?.map_err(QueryError::File)
}

fn read_file(file: &CommitFile, data: &Path, table: &'static Table) -> Result<Vec<RecordBatch>, FileError> {
    let read = || -> Result<Vec<RecordBatch>, String> {
        let text = |error: &dyn std::error::Error| error.to_string();
        let opened = File::open(data.join(&*file.path)).map_err(|error| text(&error))?;
        let reader = ParquetRecordBatchReaderBuilder::try_new(opened).map_err(|error| text(&error))?;
        let reader = reader.with_batch_size(BATCH_ROWS).build().map_err(|error| text(&error))?;
        let schema = table.file_schema(file.role);
        reader.map(|batch| conform(&batch.map_err(|error| text(&error))?, &schema).map_err(|error| text(&error))).collect()
    };
    read().map_err(|problem| file.diagnose(data).unwrap_or_else(|| file.error(data, format!("cannot be read: {problem}"))))
}

/// Where a row stands: the batch, and the row in it.
type RowPlace = (usize, usize);

/// Rows coming newest first.
struct Fold {
    keys: RowConverter,
    key_columns: Vec<usize>,
    current_columns: Vec<usize>,
    schema: SchemaRef,
    /// Per key seen, the row that is kept; none when the key is gone.
    places: FxHashMap<Box<[u8]>, Option<RowPlace>>,
    batches: Vec<RecordBatch>,
}

impl Fold {
    fn new(table: &Table) -> Result<Self, ArrowError> {
        let schema = table.current_schema();
        let files = table.file_schema(FileRole::State);
        let key_columns = table.spec.key.iter().map(|name| schema.index_of(name)).collect::<Result<Vec<_>, _>>()?;
        let key_fields = key_columns.iter().map(|index| SortField::new(schema.field(*index).data_type().clone())).collect();
        let current_columns = schema.fields().iter().map(|field| files.index_of(field.name())).collect::<Result<_, _>>()?;
        let keys = RowConverter::new(key_fields)?;
        Ok(Self { keys, key_columns, current_columns, schema, places: FxHashMap::default(), batches: Vec::new() })
    }

    /// A batch of a state file.
    fn add_changes(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        let changes = batch.column_by_name(CHANGE).and_then(|column| column.as_any().downcast_ref::<Int32Array>());
        let present: BooleanArray = changes.into_iter().flatten().map(|change| Some(change == Some(1))).collect();
        self.add(&batch.project(&self.current_columns)?, |row| row < present.len() && present.value(row))
    }

    /// A batch of rows that were current before all files that were added.
    fn add_current(&mut self, batch: RecordBatch) -> Result<(), ArrowError> {
        self.add(&batch, |_| true)
    }

    fn add(&mut self, batch: &RecordBatch, present: impl Fn(usize) -> bool) -> Result<(), ArrowError> {
        let keys = self.keys.convert_columns(batch.project(&self.key_columns)?.columns())?;
        let mut kept = 0;
        let mask: BooleanArray = (keys.iter().enumerate())
            .map(|(row, key)| {
                if self.places.contains_key(key.as_ref()) {
                    return Some(false);
                }
                let keep = present(row);
                self.places.insert(key.as_ref().into(), keep.then_some((self.batches.len(), kept)));
                kept += usize::from(keep);
                Some(keep)
            })
            .collect();
        // Only what is kept stays in memory, not the history.
        match kept {
            0 => {}
            all if all == batch.num_rows() => self.batches.push(batch.clone()),
            _ => self.batches.push(filter_record_batch(batch, &mask)?),
        }
        Ok(())
    }

    fn finish(self) -> Result<Vec<RecordBatch>, ArrowError> {
        let mut rows: Vec<_> = self.places.into_iter().filter_map(|(key, place)| place.map(|place| (key, place))).collect();
        rows.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        let places: Vec<RowPlace> = rows.into_iter().map(|(_, place)| place).collect();
        let batches: Vec<_> = self.batches.iter().collect();
        let batch = |places: &[RowPlace]| interleave_record_batch(&batches, places)?.with_schema(Arc::clone(&self.schema));
        places.chunks(BATCH_ROWS).map(batch).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use headwater_schemas::tables::{Decision, DecisionState, Reason, Risk, RiskMethod, SubjectType, Verdict};
    use headwater_schemas::{Money, Statistic};

    use crate::testing::{TestData, at, balance, damage, id, message, rows, state, truncate};

    const BALANCES: &str = "SELECT account_id, posted, commit_id FROM balances";

    #[test]
    fn the_newest_row_of_a_key_wins_until_the_key_is_gone() {
        let mut data = TestData::new();
        let following = data.catalog();
        let a = |posted, seconds| balance("a", posted, at(1, seconds));
        let b = |posted, seconds| balance("b", posted, at(1, seconds));
        let steps = [
            (vec![(a(1, 0), 1), (b(1, 0), 1)], vec!["a,1,1", "b,1,1"]),
            (vec![(a(2, 1), 1)], vec!["a,2,2", "b,1,1"]),
            (vec![(a(2, 1), -1)], vec!["b,1,1"]),
            (vec![(b(5, 2), 1)], vec!["b,5,4"]),
            (vec![(a(3, 3), 1), (b(5, 2), -1)], vec!["a,3,5"]),
            (vec![(a(3, 3), -1)], vec![]),
        ];
        for (commit_id, (changes, expected)) in (1..).zip(&steps) {
            data.commit(vec![state(changes)]);
            following.refresh().unwrap();
            assert_eq!(rows(&following, BALANCES), *expected, "following, commit {commit_id}");
            assert_eq!(rows(&data.catalog(), BALANCES), *expected, "anew, commit {commit_id}");
        }
        for (commit_id, (_, expected)) in (1..).zip(&steps) {
            assert_eq!(rows(&data.catalog_at(commit_id), BALANCES), *expected, "back at {commit_id}");
        }
    }

    #[test]
    fn rows_come_in_the_order_of_their_keys_from_whatever_files() {
        let mut data = TestData::new();
        let days = [5, 3, 1];
        for day in days {
            let accounts = ["m", "z", "c"].map(|name| (balance(&format!("{name}{day}"), 1, at(day, 0)), 1));
            data.commit(vec![state(&accounts)]);
        }
        let accounts: Vec<_> = rows(&data.catalog(), "SELECT account_id FROM balances");
        assert_eq!(accounts, ["c1", "c3", "c5", "m1", "m3", "m5", "z1", "z3", "z5"]);
    }

    #[test]
    fn more_rows_than_a_batch_are_all_there() {
        let mut data = TestData::new();
        let many: Vec<_> = (0..20_000).map(|number| (balance(&format!("a{number}"), number, at(1, 0)), 1)).collect();
        data.commit(vec![state(&many)]);
        data.commit(vec![state(&[(balance("a7", -1, at(1, 1)), 1), (balance("a8", 8, at(1, 0)), -1)])]);
        let catalog = data.catalog();
        assert_eq!(rows(&catalog, "SELECT COUNT(*), COUNT(DISTINCT account_id), MIN(posted) FROM balances"), ["19999,19999,-1"]);
        assert_eq!(rows(&catalog, "SELECT posted FROM balances WHERE account_id IN ('a7', 'a8')"), ["-1"]);
        assert_eq!(rows(&catalog, "SELECT account_id FROM balances ORDER BY posted DESC LIMIT 2"), ["a19999", "a19998"]);
    }

    #[test]
    fn keys_may_be_numbers_and_rows_may_have_lists() {
        let mut data = TestData::new();
        let risk = |confidence: f64, var| Risk {
            scope: id("book:firm"),
            method: RiskMethod::Historical,
            confidence: Statistic::new(confidence).unwrap(),
            window: 252,
            observations: 252,
            var: Money::whole(var),
            expected_shortfall: Money::whole(var),
            left_out: 0,
            ts: at(1, 0),
        };
        let reason =
            Reason { rule: "velocity".into(), points: Statistic::new(40.0).unwrap(), evidence: vec!["count=6".into(), "t \"1\"".into()] };
        let decision = Decision {
            decision_id: id("d1"),
            state: DecisionState::Made,
            subject_type: SubjectType::Transaction,
            subject_id: id("t1"),
            account_id: None,
            ruleset: "banking".into(),
            score: Statistic::new(40.0).unwrap(),
            decision: Verdict::Review,
            reasons: vec![reason],
            ts: at(1, 0),
        };
        data.commit(vec![state(&[(risk(0.95, 1), 1), (risk(0.99, 2), 1)]), state(&[(decision, 1)])]);
        data.commit(vec![state(&[(risk(0.99, 3), 1)])]);
        let catalog = data.catalog();
        assert_eq!(rows(&catalog, "SELECT confidence, var FROM risk"), ["0.95,1", "0.99,3"]);
        assert_eq!(rows(&catalog, "SELECT var FROM risk WHERE confidence = 0.99"), ["3"]);
        let reasons = r#""[{""rule"":""velocity"",""points"":40.0,""evidence"":[""count=6"",""t \""1\""""]}]""#;
        assert_eq!(rows(&catalog, "SELECT account_id, reasons FROM decisions"), [format!(",{reasons}")]);
        assert_eq!(rows(&catalog, "SELECT r['rule'], r['points'] FROM (SELECT UNNEST(reasons) AS r FROM decisions)"), ["velocity,40.0"]);
    }

    #[test]
    fn a_file_that_is_not_as_committed_is_named() {
        for (harm, expected) in [
            (&(|path: &std::path::Path| fs::remove_file(path).unwrap()) as &dyn Fn(&std::path::Path), "is missing"),
            (&truncate, "bytes, and the commit says"),
            (&damage, "is damaged: its SHA-256 is not the one in the commit"),
        ] {
            let mut data = TestData::new();
            data.commit(vec![state(&[(balance("a", 1, at(1, 0)), 1)])]);
            data.commit(vec![state(&[(balance("b", 1, at(1, 0)), 1)])]);
            let path = data.path().join("balances/date=2026-01-01/1-0.parquet");
            harm(&path);
            let message = message(&data.catalog(), BALANCES);
            assert!(message.starts_with(&format!("table balances: {} of commit 1 ", path.display())), "{message}");
            assert!(message.contains(expected) && message.contains("restore the file from a copy"), "{message}");
        }
    }
}
