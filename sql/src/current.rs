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
//! The newest files are read first, and of each file first what decides which rows are current: most rows of older files are never
//! decoded, and memory follows from the rows that there are, not from their history.
//!
//! The rows at one commit are the start for the next, so a catalog that follows a pipeline reads each file once.

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
use std::num::NonZero;
use std::ops::RangeInclusive;
use std::sync::{Arc, Weak};
use std::thread::available_parallelism;

use arrow::array::RecordBatch;
use datafusion::catalog::Session;
use datafusion::logical_expr::Expr;
use futures::{StreamExt, TryStreamExt};
use headwater_connectors::parquet::chain::CommitFile;
use headwater_connectors::parquet::directory::HISTORY_SUFFIX;
use headwater_connectors::parquet::reader::CurrentFiles;
use headwater_connectors::parquet::record::FileRole;
use headwater_schemas::tables::TableKind;
use tokio::sync::Mutex;

use crate::changed::{StateFile, rows_of};
use crate::committed::Committed;
use crate::error::QueryError;
use crate::kept::KeptRows;
use crate::key_changes::KeyChanges;
use crate::newest::Newest;
use crate::scan::FileTable;
use crate::tables::{Table, tables};

/// Maximum number of files that are decoded beside each other.
const READ_AHEAD: usize = 8;

/// Queries for some keys that are answered without the rows of others: to read all rows takes about as long as so many of them.
const SELECTIONS: usize = 8;
/// Maximum rows of such an answer that are kept for the same query.
const SELECTION_ROWS: usize = 8192;

/// The current rows of a table as of a commit, by key.
#[derive(Debug)]
pub(crate) struct CurrentRows {
    commit_id: u64,
    pub(crate) batches: Vec<RecordBatch>,
}

/// Cache of each table's current rows, of views of them, and of the changes of some keys.
#[derive(Debug)]
pub(crate) struct CurrentCache {
    tables: BTreeMap<&'static str, Mutex<Cached>>,
    pub(crate) kept: KeptRows,
    pub(crate) changes: KeyChanges,
}

#[derive(Debug, Default)]
struct Cached {
    /// At the newest commit that was queried.
    newest: Option<Arc<CurrentRows>>,
    /// At other commits, as long as somebody holds them.
    held: Vec<Weak<CurrentRows>>,
    /// What was read of some keys without the others, the newest last.
    selections: VecDeque<Selection>,
    /// How often that was.
    selected: usize,
}

/// The rows of some keys at a commit.
#[derive(Debug)]
struct Selection {
    commit_id: u64,
    filters: Vec<Expr>,
    rows: Vec<RecordBatch>,
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

    /// Whether a query for some keys at a commit should read all rows: rows of a commit before are in memory, so that only what was
    /// changed since is read; or it is one of many, and later ones will find all rows in memory. Those of a commit that is over are not
    /// kept.
    fn is_worth_reading_whole(&self, commit_id: u64) -> bool {
        self.until(commit_id).is_some() || self.newest.is_none() && self.selected >= SELECTIONS
    }

    fn keep_selection(&mut self, selection: Selection) {
        self.selected += 1;
        if selection.rows.iter().map(RecordBatch::num_rows).sum::<usize>() > SELECTION_ROWS {
            return;
        }
        self.selections.push_back(selection);
        if self.selections.len() > SELECTIONS {
            self.selections.pop_front();
        }
    }
}

impl CurrentCache {
    pub(crate) fn new() -> Self {
        let state = tables().iter().filter(|table| table.is_state());
        let tables = state.map(|table| (table.spec.name, Mutex::default())).collect();
        Self { tables, kept: KeptRows::new(), changes: KeyChanges::new() }
    }
}

fn cache_of<'a>(committed: &'a Committed, table: &Table) -> Result<&'a Mutex<Cached>, QueryError> {
    let cache = committed.current.tables.get(table.spec.name);
    cache.ok_or_else(|| QueryError::execution(format!("{} is not a state table", table.spec.name)))
}

/// The current rows of a state table.
pub(crate) async fn current_rows(committed: &Committed, table: &'static Table) -> Result<Arc<CurrentRows>, QueryError> {
    // Locked while the files are read, so that of two simultaneous queries one reads and the other uses the result.
    let mut cached = cache_of(committed, table)?.lock().await;
    let base = cached.until(committed.commit_id());
    if let Some(same) = base.as_ref().filter(|rows| rows.commit_id == committed.commit_id()) {
        return Ok(Arc::clone(same));
    }
    let rows = fold_onto(base, committed, table).await?;
    cached.keep(&rows);
    Ok(rows)
}

/// The current rows of a state table whose keys satisfy filters; rows of other keys may be among them.
pub(crate) async fn current_rows_of(
    committed: &Arc<Committed>,
    table: &'static Table,
    state: &dyn Session,
    filters: &[Expr],
) -> Result<Vec<RecordBatch>, QueryError> {
    let (cache, commit_id) = (cache_of(committed, table)?, committed.commit_id());
    {
        let cached = cache.lock().await;
        let same = cached.selections.iter().find(|selection| selection.commit_id == commit_id && selection.filters == filters);
        if let Some(same) = same {
            return Ok(same.rows.clone());
        }
        if filters.is_empty() || cached.is_worth_reading_whole(commit_id) {
            drop(cached);
            return Ok(current_rows(committed, table).await?.batches.clone());
        }
    }
    let rows = select(committed, table, state, filters).await?;
    cache.lock().await.keep_selection(Selection { commit_id, filters: filters.to_vec(), rows: rows.clone() });
    Ok(rows)
}

/// Reads the rows whose keys satisfy filters from files, without the others.
async fn select(
    committed: &Arc<Committed>,
    table: &'static Table,
    state: &dyn Session,
    filters: &[Expr],
) -> Result<Vec<RecordBatch>, QueryError> {
    let Sources { start, changes, commits } = sources(None, committed, table)?;
    let mut newest = Newest::new(table)?;
    let of = |role| FileTable::new(Arc::clone(committed), table, role);
    if let Some(first) = changes.first() {
        let batches = of(first.role).read_filtered(state, &changes, filters).await?;
        let chosen = newest.decide(&batches, &commits)?;
        newest.keep(&chosen, &rows_of(&batches, &chosen.mask())?)?;
    }
    if let Some(Start::Whole(whole)) = start {
        for batch in of(FileRole::State).read_filtered(state, &[whole], filters).await? {
            newest.add_current(&batch)?;
        }
    }
    Ok(newest.finish()?)
}

async fn fold_onto(base: Option<Arc<CurrentRows>>, committed: &Committed, table: &'static Table) -> Result<Arc<CurrentRows>, QueryError> {
    let commit_id = committed.commit_id();
    let Sources { start, changes, commits } = sources(base, committed, table)?;
    if let (Some(Start::Known(known)), []) = (&start, changes.as_slice()) {
        return Ok(Arc::new(CurrentRows { commit_id, batches: known.batches.clone() }));
    }
    let file = |file| StateFile { file, data: committed.data().to_owned(), table };
    let mut newest = Newest::new(table)?;
    let read_ahead = available_parallelism().map_or(1, NonZero::get).min(READ_AHEAD);
    let mut deciding = futures::stream::iter(changes).map(|changes| file(changes).deciding()).buffered(read_ahead);
    while let Some(deciding) = deciding.try_next().await? {
        let chosen = newest.decide(&deciding.batches, &commits)?;
        if !chosen.is_empty() {
            newest.keep(&chosen, &deciding.rows(chosen.mask()).await?)?;
        }
    }
    match start {
        Some(Start::Known(known)) => known.batches.iter().try_for_each(|batch| newest.add_current(batch))?,
        Some(Start::Whole(whole)) => {
            for batch in file(whole).read().await? {
                newest.add_current(&batch)?;
            }
        }
        None => {}
    }
    Ok(Arc::new(CurrentRows { commit_id, batches: newest.finish()? }))
}

/// What current rows are made of.
struct Sources {
    start: Option<Start>,
    /// The files of the changes to apply, the newest first.
    changes: Vec<Arc<CommitFile>>,
    /// The commits of those changes: files may have rows of others, too.
    commits: RangeInclusive<i64>,
}

fn sources(base: Option<Arc<CurrentRows>>, committed: &Committed, table: &'static Table) -> Result<Sources, QueryError> {
    let files = CurrentFiles::of(committed.live(), table.spec.name);
    let (start, changes) = if committed.commit_id() < files.whole_commit() || files.changes.iter().any(|file| is_unknown(committed, file)) {
        (None, whole_history(committed, table, &files)?)
    } else {
        (start(base, &files), files.changes)
    };
    let behind = start.as_ref().map_or(0, Start::commit_id);
    let is_after = |file: &Arc<CommitFile>| file.last_commit() > behind && file.first_commit() <= committed.commit_id();
    let mut changes: Vec<_> = changes.into_iter().filter(is_after).collect();
    changes.sort_by_key(|file| Reverse(file.last_commit()));
    let commits = number(behind).saturating_add(1)..=number(committed.commit_id());
    Ok(Sources { start, changes, commits })
}

/// A commit's number as files have it.
fn number(commit_id: u64) -> i64 {
    i64::try_from(commit_id).unwrap_or(i64::MAX)
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

#[cfg(test)]
mod tests {
    use std::fs;

    use headwater_schemas::tables::{Decision, DecisionState, Reason, Risk, RiskMethod, SubjectType, Verdict};
    use headwater_schemas::{Statistic, Total};

    use super::SELECTIONS;
    use crate::testing::{TestData, at, balance, changes, damage, id, message, name, rows, text, truncate};
    use crate::{Catalog, Format};

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

    /// How many batches of at most 8192 rows a plan has in memory.
    fn batches(catalog: &Catalog, filter: &str) -> usize {
        let plan = text(catalog, &format!("EXPLAIN SELECT posted FROM balances WHERE {filter}"), Format::Csv).unwrap();
        let (_, sizes) = plan.split_once("partition_sizes=[").expect("rows in memory");
        sizes.split_once(']').unwrap().0.split(", ").map(|size| size.parse::<usize>().unwrap()).sum()
    }

    #[test]
    fn the_first_queries_for_a_few_keys_read_no_others() {
        let mut data = TestData::new();
        let many: Vec<_> = (0..20_000).map(|number| (balance(&format!("a{number}"), number, at(1, 0)), 1)).collect();
        data.commit(vec![changes(&many)]);
        data.commit(vec![changes(&[(balance("a7", -1, at(1, 1)), 1), (balance("a8", 8, at(1, 0)), -1)])]);
        for (filter, few, found) in [
            ("account_id = 'a7'", 1, &["-1"][..]),
            ("'a7' = account_id AND posted < 0", 1, &["-1"]),
            ("account_id = 'a7' AND posted > 0", 1, &[]),
            ("account_id IN ('a9', 'a7', 'a8')", 1, &["-1", "9"]),
            ("account_id IN ('a9', 'a7', 'a8', 'a1', 'a2')", 1, &["-1", "1", "2", "9"]),
            ("account_id = 'a8'", 0, &[]),
            ("account_id = 'nobody'", 0, &[]),
            ("account_id <> 'a7' AND posted = 10", 3, &["10"]),
            ("account_id LIKE 'a7' OR posted = -1", 3, &["-1"]),
            ("currency = 'EUR' AND posted = 9", 3, &["9"]),
        ] {
            let query = format!("SELECT posted FROM balances WHERE {filter} ORDER BY posted");
            assert_eq!(batches(&data.catalog(), filter), few, "{filter}");
            let catalog = data.catalog();
            for time in ["first", "second"] {
                assert_eq!(rows(&catalog, &query), found, "{filter}, the {time} time");
                assert_eq!(batches(&catalog, filter), few, "{filter}, the {time} time");
            }
            for other in 0..SELECTIONS {
                assert_eq!(rows(&catalog, &format!("SELECT posted FROM balances WHERE account_id = 'a{}'", 100 + other)).len(), 1);
            }
            assert_eq!(batches(&catalog, "account_id = 'a99'"), 3, "after many, all rows are in memory");
            assert_eq!(rows(&catalog, &query), found, "{filter}, with all rows in memory");
        }
        let a7 = "SELECT posted FROM balances WHERE account_id = 'a7'";
        assert_eq!(rows(&data.catalog_at(1), a7), ["7"], "at an older commit");
        let following = data.catalog();
        assert_eq!(rows(&following, a7), ["-1"]);
        data.commit(vec![changes(&[(balance("a7", 70, at(1, 2)), 1)])]);
        following.refresh().unwrap();
        assert_eq!(rows(&following, a7), ["70"], "after a commit");
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
            components: Vec::new(),
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
            for query in [BALANCES, "SELECT posted FROM balances WHERE account_id = 'a'"] {
                let message = message(&data.catalog(), query);
                assert!(message.starts_with(&format!("table balances: {} of commit 1 ", path.display())), "{message}");
                assert!(message.contains(expected) && message.contains("restore the file from a copy"), "{message}");
            }
        }
    }
}
