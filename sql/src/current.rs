//! Current rows of a state table: the newest row of each key, without retracted keys.
//!
//! ```text
//!  current rows as of commit c, if known, or whole rows as of c ──┐
//!                                                                 ├─► newest row of each key by (commit, tick) ─► without retracted keys
//!  changes of the commits after c,  in any order ─────────────────┘
//! ```
//!
//! Changes of a state table are in its history, those of a checkpoint in its state files. If whole rows are newer than the
//! requested commit, the rows are computed from the beginning of the history; a checkpoint has none.
//!
//! The rows at one commit are the start for the next, so a catalog that follows a pipeline reads each file once.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use arrow::array::{BooleanArray, Int32Array, Int64Array, RecordBatch};
use arrow::compute::{filter_record_batch, interleave_record_batch};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::row::{RowConverter, Rows, SortField};
use futures::{StreamExt, TryStreamExt};
use headwater_connectors::fault::Fault;
use headwater_connectors::parquet::chain::CommitFile;
use headwater_connectors::parquet::columns::{CHANGE, COMMIT_ID, TICK};
use headwater_connectors::parquet::directory::HISTORY_SUFFIX;
use headwater_connectors::parquet::file::FileError;
use headwater_connectors::parquet::reader::{CurrentFiles, conform};
use headwater_connectors::parquet::record::FileRole;
use headwater_schemas::tables::TableKind;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rustc_hash::FxHashMap;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

use crate::committed::Committed;
use crate::error::QueryError;
use crate::parts::read_part;
use crate::tables::{Table, tables};

/// Number of files that are read ahead.
const READ_AHEAD: usize = 8;
/// Rows in a batch of current rows.
const BATCH_ROWS: usize = 8192;

/// The current rows of a table as of a commit, by key.
#[derive(Debug)]
pub(crate) struct CurrentRows {
    commit_id: u64,
    pub(crate) batches: Vec<RecordBatch>,
}

/// Cache of each table's current rows.
#[derive(Debug)]
pub(crate) struct CurrentCache {
    tables: BTreeMap<&'static str, Mutex<Cached>>,
}

#[derive(Debug, Default)]
struct Cached {
    /// At the newest commit that was queried.
    newest: Option<Arc<CurrentRows>>,
    /// At other commits, as long as somebody holds them.
    held: Vec<Weak<CurrentRows>>,
}

impl Cached {
    /// The newest rows that are known at a commit or before it.
    fn until(&self, commit_id: u64) -> Option<Arc<CurrentRows>> {
        let held = self.held.iter().filter_map(Weak::upgrade);
        held.chain(self.newest.clone()).filter(|rows| rows.commit_id <= commit_id).max_by_key(|rows| rows.commit_id)
    }

    fn keep(&mut self, rows: &Arc<CurrentRows>) {
        self.held.retain(|held| held.strong_count() > 0);
        self.held.push(Arc::downgrade(rows));
        if self.newest.as_ref().is_none_or(|newest| newest.commit_id < rows.commit_id) {
            self.newest = Some(Arc::clone(rows));
        }
    }
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
        return Err(QueryError::execution(format!("{} is not a state table", table.spec.name)));
    };
    // Locked while the files are read, so that of two simultaneous queries one reads and the other uses the result.
    let mut cached = cache.lock().await;
    let base = cached.until(committed.commit_id());
    if let Some(same) = base.as_ref().filter(|rows| rows.commit_id == committed.commit_id()) {
        return Ok(Arc::clone(same));
    }
    let rows = fold_onto(base, committed, table).await?;
    cached.keep(&rows);
    Ok(rows)
}

async fn fold_onto(base: Option<Arc<CurrentRows>>, committed: &Committed, table: &'static Table) -> Result<Arc<CurrentRows>, QueryError> {
    let commit_id = committed.commit_id();
    let files = CurrentFiles::of(committed.live(), table.spec.name);
    let (start, changes) = if committed.commit_id() < files.whole_commit() || files.changes.iter().any(|file| is_unknown(committed, file)) {
        (None, whole_history(committed, table, &files)?)
    } else {
        (start(base, &files), files.changes)
    };
    let behind = start.as_ref().map_or(0, Start::commit_id);
    let changes: Vec<_> = changes.into_iter().filter(|file| file.last_commit() > behind && file.first_commit() <= commit_id).collect();
    let mut fold = Fold::new(table)?;
    match start {
        Some(Start::Known(known)) if changes.is_empty() => {
            return Ok(Arc::new(CurrentRows { commit_id, batches: known.batches.clone() }));
        }
        Some(Start::Known(known)) => known.batches.iter().try_for_each(|batch| fold.add_current(batch))?,
        Some(Start::Whole(file)) => {
            for batch in read(file, committed.data().to_owned(), table).await? {
                fold.add_current(&batch)?;
            }
        }
        None => {}
    }
    let data = committed.data();
    let mut batches = futures::stream::iter(changes).map(|file| read(file, data.to_owned(), table)).buffered(READ_AHEAD);
    while let Some(batches) = batches.try_next().await? {
        for batch in batches {
            fold.add_changes(&between(&batch, behind, commit_id)?)?;
        }
    }
    Ok(Arc::new(CurrentRows { commit_id, batches: fold.finish()? }))
}

/// The rows to which changes are applied.
enum Start {
    /// Cached rows of an earlier commit.
    Known(Arc<CurrentRows>),
    /// The file of all rows as of a commit.
    Whole(Arc<CommitFile>),
}

impl Start {
    fn commit_id(&self) -> u64 {
        match self {
            Self::Known(known) => known.commit_id,
            Self::Whole(file) => file.last_commit(),
        }
    }
}

/// Cached rows from before the whole rows do not suffice: the files of the changes in between may be removed.
fn start(base: Option<Arc<CurrentRows>>, files: &CurrentFiles) -> Option<Start> {
    let known = base.filter(|base| base.commit_id >= files.whole_commit()).map(Start::Known);
    known.or_else(|| files.whole.clone().map(Start::Whole))
}

/// Whether a checkpoint's file also has rows of later commits: then its earlier rows are unknown.
fn is_unknown(committed: &Committed, file: &CommitFile) -> bool {
    file.role == FileRole::State && file.first_commit() <= committed.commit_id() && committed.straddles(file)
}

/// All changes from the first on, for a commit before the whole rows.
fn whole_history(committed: &Committed, table: &'static Table, files: &CurrentFiles) -> Result<Vec<Arc<CommitFile>>, QueryError> {
    let merged = files.changes.iter().filter(|file| is_unknown(committed, file)).map(|file| file.last_commit());
    let oldest = merged.max().unwrap_or(0).max(files.whole_commit());
    let forgotten = |why| QueryError::Forgotten { table: table.spec.name, at: committed.commit_id(), why, oldest };
    if table.spec.kind != TableKind::State {
        return Err(forgotten("it has no history"));
    }
    if committed.dropped(&format!("{}{HISTORY_SUFFIX}", table.spec.name)).is_some() {
        return Err(forgotten("its history is older than its retention"));
    }
    Ok(committed.files(table, FileRole::History).cloned().collect())
}

/// The rows of commits after `behind`, up to `last`.
fn between(batch: &RecordBatch, behind: u64, last: u64) -> Result<RecordBatch, ArrowError> {
    let commits = batch.column_by_name(COMMIT_ID).and_then(|column| column.as_any().downcast_ref::<Int64Array>());
    let range = i64::try_from(behind).unwrap_or(i64::MAX).saturating_add(1)..=i64::try_from(last).unwrap_or(i64::MAX);
    let inside: BooleanArray = commits.into_iter().flatten().map(|commit| commit.map(|commit| range.contains(&commit))).collect();
    if inside.true_count() == batch.num_rows() { Ok(batch.clone()) } else { filter_record_batch(batch, &inside) }
}

async fn read(file: Arc<CommitFile>, data: PathBuf, table: &'static Table) -> Result<Vec<RecordBatch>, QueryError> {
    let reading = spawn_blocking(move || read_file(&file, &data, table));
    reading.await?.map_err(QueryError::File)
}

fn read_file(file: &CommitFile, data: &Path, table: &'static Table) -> Result<Vec<RecordBatch>, FileError> {
    let schema = table.file_schema(file.role);
    if file.part.is_some() {
        return read_part(file, data, &schema);
    }
    let read = || -> Result<Vec<RecordBatch>, Box<dyn Error + Send + Sync>> {
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(data.join(&*file.path))?)?;
        let reader = reader.with_batch_size(BATCH_ROWS).build()?;
        reader.map(|batch| Ok(conform(&batch?, &schema)?)).collect()
    };
    read().map_err(|error| file.diagnose(data).unwrap_or_else(|| file.error(data, Fault::unreadable(error))))
}

/// Position of a row: the batch, and the index in it.
type RowPlace = (usize, usize);

/// The newest row of a key so far.
#[derive(Clone, Copy)]
struct Newest {
    /// Its commit and tick.
    since: (i64, i64),
    /// Where it is kept; `None` if the key is retracted.
    place: Option<RowPlace>,
}

/// The newest row of each key.
struct Fold {
    keys: RowConverter,
    key_columns: Vec<usize>,
    schema: SchemaRef,
    newest: FxHashMap<Box<[u8]>, Newest>,
    batches: Vec<RecordBatch>,
}

impl Fold {
    fn new(table: &Table) -> Result<Self, ArrowError> {
        let schema = table.current_schema();
        let key_columns = table.spec.key.iter().map(|name| schema.index_of(name)).collect::<Result<Vec<_>, _>>()?;
        let key_fields = key_columns.iter().map(|index| SortField::new(schema.field(*index).data_type().clone())).collect();
        let keys = RowConverter::new(key_fields)?;
        Ok(Self { keys, key_columns, schema, newest: FxHashMap::default(), batches: Vec::new() })
    }

    /// Adds a batch of changes, whose commits come after those of all current or whole rows.
    fn add_changes(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        let column = |name: &str| batch.column_by_name(name).and_then(|column| column.as_any().downcast_ref::<Int64Array>());
        let (commits, ticks) = (column(COMMIT_ID), column(TICK));
        let at = |column: Option<&Int64Array>, row: usize| column.and_then(|column| column.values().get(row)).copied().unwrap_or(0);
        let changes = batch.column_by_name(CHANGE).and_then(|column| column.as_any().downcast_ref::<Int32Array>());
        let is = |row: usize| changes.and_then(|changes| changes.values().get(row)).is_some_and(|change| *change == 1);
        // A checkpoint has one row per key and commit, so it needs no ticks.
        self.add(batch, |row| (at(commits, row), at(ticks, row)), is)
    }

    /// Adds a batch of rows that precede all changes: current rows, or those of a file of all rows.
    fn add_current(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        self.add(batch, |_| (0, 0), |_| true)
    }

    fn add(&mut self, batch: &RecordBatch, since: impl Fn(usize) -> (i64, i64), is: impl Fn(usize) -> bool) -> Result<(), ArrowError> {
        let batch = conform(batch, &self.schema)?;
        let keys = self.keys.convert_columns(batch.project(&self.key_columns)?.columns())?;
        let place = |row: usize| is(row).then_some((self.batches.len(), row));
        for (row, key) in keys.iter().enumerate() {
            let newer = Newest { since: since(row), place: place(row) };
            match self.newest.get_mut(key.as_ref()) {
                Some(newest) if newest.since > newer.since => {}
                Some(newest) => *newest = newer,
                None => drop(self.newest.insert(key.as_ref().into(), newer)),
            }
        }
        self.keep(batch, &keys)
    }

    /// Keeps only the newest rows of a batch in memory, not the history.
    fn keep(&mut self, batch: RecordBatch, keys: &Rows) -> Result<(), ArrowError> {
        let index = self.batches.len();
        let mut kept = 0;
        let mut keep = |row: usize, key: &[u8]| {
            let newest = self.newest.get_mut(key).filter(|newest| newest.place == Some((index, row)))?;
            newest.place = Some((index, kept));
            kept += 1;
            Some(())
        };
        let mask: BooleanArray = keys.iter().enumerate().map(|(row, key)| Some(keep(row, key.as_ref()).is_some())).collect();
        match kept {
            // The index stays that of a batch, so that no position refers to the next batch.
            all if all == batch.num_rows() => self.batches.push(batch),
            _ => self.batches.push(filter_record_batch(&batch, &mask)?),
        }
        Ok(())
    }

    fn finish(self) -> Result<Vec<RecordBatch>, ArrowError> {
        let mut rows: Vec<_> = self.newest.into_iter().filter_map(|(key, newest)| newest.place.map(|place| (key, place))).collect();
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
    use headwater_schemas::{Statistic, Total};

    use crate::testing::{TestData, at, balance, changes, damage, id, message, name, rows, truncate};

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
        for (commit_id, (step, expected)) in (1..).zip(&steps) {
            data.commit(vec![changes(step)]);
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
            data.commit(vec![changes(&accounts)]);
        }
        let accounts: Vec<_> = rows(&data.catalog(), "SELECT account_id FROM balances");
        assert_eq!(accounts, ["c1", "c3", "c5", "m1", "m3", "m5", "z1", "z3", "z5"]);
    }

    #[test]
    fn more_rows_than_a_batch_are_all_there() {
        let mut data = TestData::new();
        let many: Vec<_> = (0..20_000).map(|number| (balance(&format!("a{number}"), number, at(1, 0)), 1)).collect();
        data.commit(vec![changes(&many)]);
        data.commit(vec![changes(&[(balance("a7", -1, at(1, 1)), 1), (balance("a8", 8, at(1, 0)), -1)])]);
        let catalog = data.catalog();
        assert_eq!(rows(&catalog, "SELECT COUNT(*), COUNT(DISTINCT account_id), MIN(posted) FROM balances"), ["19999,19999,-1"]);
        assert_eq!(rows(&catalog, "SELECT posted FROM balances WHERE account_id IN ('a7', 'a8')"), ["-1"]);
        assert_eq!(rows(&catalog, "SELECT account_id FROM balances ORDER BY posted DESC LIMIT 2"), ["a19999", "a19998"]);
    }

    #[test]
    fn keys_may_be_numbers_and_rows_may_have_lists() {
        let mut data = TestData::new();
        let risk = |confidence: f64, var| Risk {
            scope: name("book:firm"),
            method: RiskMethod::Historical,
            confidence: Statistic::new(confidence).unwrap(),
            window: 252,
            observations: 252,
            var: Total::whole(var),
            expected_shortfall: Total::whole(var),
            filled: 0,
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
        data.commit(vec![changes(&[(risk(0.95, 1), 1), (risk(0.99, 2), 1)]), changes(&[(decision, 1)])]);
        data.commit(vec![changes(&[(risk(0.99, 3), 1)])]);
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
            data.commit(vec![changes(&[(balance("a", 1, at(1, 0)), 1)])]);
            data.commit(vec![changes(&[(balance("b", 1, at(1, 0)), 1)])]);
            let path = data.path().join("balances_history/date=2026-01-01/1-0.parquet");
            harm(&path);
            let message = message(&data.catalog(), BALANCES);
            assert!(message.starts_with(&format!("table balances: {} of commit 1 ", path.display())), "{message}");
            assert!(message.contains(expected) && message.contains("restore the file from a copy"), "{message}");
        }
    }
}
