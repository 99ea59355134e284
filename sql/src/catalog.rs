//! The catalog: a data directory's commits, and queries on the newest of them or on a given one.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use headwater_connectors::parquet::chain::Chain;
use headwater_connectors::parquet::directory::is_data_directory;
use headwater_connectors::parquet::record::FileRole;
use headwater_connectors::parquet::records::Records;

use crate::committed::Committed;
use crate::config::SqlConfig;
use crate::current::CurrentCache;
use crate::engine::Engine;
use crate::error::{CatalogError, QueryError};
use crate::query::{Answer, Snapshot};
use crate::rights::Rights;
use crate::session::session;
use crate::tables::Table;

/// A data directory, open for queries.
///
/// Servers call [`Catalog::snapshot`] and the snapshot's `query`, which is `async`. A program without a runtime of its own calls
/// [`Catalog::query`], which blocks.
pub struct Catalog {
    config: SqlConfig,
    /// Whether a specific commit was requested, so that newer ones are ignored.
    pinned: bool,
    engine: Arc<Engine>,
    current: Arc<CurrentCache>,
    newest: Mutex<Newest>,
}

struct Newest {
    chain: Chain,
    snapshot: Snapshot,
}

impl Catalog {
    /// Opens a data directory at its newest commit, or at an earlier one. Without any commit, every table exists and is empty.
    pub fn open(data_dir: &Path, at: Option<u64>) -> Result<Self, CatalogError> {
        Self::open_with(data_dir, at, SqlConfig::default())
    }

    /// Opens a data directory with limits.
    pub fn open_with(data_dir: &Path, at: Option<u64>, config: SqlConfig) -> Result<Self, CatalogError> {
        let problems = config.validate();
        if !problems.is_empty() {
            return Err(CatalogError::Config(problems));
        }
        check_directory(data_dir)?;
        Self::over(Chain::open(data_dir, at)?, at.is_some(), config)
    }

    /// The catalog of a chain that has been read.
    pub(crate) fn over(chain: Chain, pinned: bool, config: SqlConfig) -> Result<Self, CatalogError> {
        let engine = Arc::new(Engine::start(chain.data(), &config)?);
        let current = Arc::new(CurrentCache::new());
        let snapshot = snapshot(&chain, &current, &config, &engine)?;
        Ok(Self { config, pinned, engine, current, newest: Mutex::new(Newest { chain, snapshot }) })
    }

    /// The same data directory at another commit, or at the newest.
    pub fn reopen(&self, at: Option<u64>) -> Result<Self, CatalogError> {
        Self::open_with(&self.data(), at, self.config.clone())
    }

    /// Whether a specific commit was requested.
    pub fn is_pinned(&self) -> bool {
        self.pinned
    }

    /// Picks up new commits, unless a specific commit was requested; true if there were any. Running queries continue with the
    /// commit at which they began.
    ///
    /// A specific commit's rows stay the same, but its files are merged over time: so call this before queries, at intervals
    /// shorter than replaced files are kept (`upkeep.grace`).
    pub fn refresh(&self) -> Result<bool, CatalogError> {
        let mut newest = self.newest();
        match newest.chain.extend() {
            Ok(false) => return Ok(false),
            // Damage after the requested commit does not concern it.
            Err(_) if self.pinned => return Ok(false),
            result => result?,
        };
        newest.snapshot = snapshot(&newest.chain, &self.current, &self.config, &self.engine)?;
        Ok(!self.pinned)
    }

    /// All tables at the newest known commit.
    pub fn snapshot(&self) -> Snapshot {
        self.newest().snapshot.clone()
    }

    /// All tables at an earlier commit, with the threads and the memory of this catalog. Its files are merged over time, as after
    /// [`Catalog::refresh`].
    pub(crate) fn snapshot_at(&self, commit_id: u64) -> Result<Snapshot, CatalogError> {
        let chain = Chain::open(&self.data(), Some(commit_id))?;
        snapshot(&chain, &Arc::new(CurrentCache::new()), &self.config, &self.engine)
    }

    /// The newest commit that can have dropped rows which the catalog's commit had; `None` if none did.
    pub(crate) fn end_of_losses(&self) -> Option<u64> {
        let newest = self.newest();
        if newest.chain.live().dropped().is_empty() { None } else { newest.chain.end().map(|end| end.commit_id) }
    }

    /// The number of that commit; 0 when there is none.
    pub fn commit_id(&self) -> u64 {
        self.newest().snapshot.commit_id()
    }

    /// The data directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.newest().chain.data().to_owned()
    }

    /// The hash of a commit; `None` if there is no such commit.
    pub(crate) fn commit_hash(&self, commit_id: u64) -> Result<Option<String>, CatalogError> {
        Ok(Records::new(&self.data()).read(commit_id)?.map(|commit| commit.hash))
    }

    /// Runs a statement, and blocks until its rows arrive. Not for `async` code: see [`Catalog::snapshot`].
    pub fn query(&self, sql: &str) -> Result<QueryResult, QueryError> {
        let answer = self.engine.wait(self.snapshot().query(sql))?;
        Ok(QueryResult { answer })
    }

    /// Whether another catalog has the same files of a table, and so the same rows.
    pub(crate) fn has_same_files(&self, other: &Self, table: &'static Table) -> bool {
        let files = |catalog: &Self| {
            let committed = catalog.snapshot().committed;
            let of = |role| committed.files(table, role).map(|file| (file.path.clone(), file.sha256.clone())).collect::<Vec<_>>();
            (of(FileRole::Rows), of(FileRole::State), of(FileRole::History))
        };
        files(self) == files(other)
    }

    fn newest(&self) -> MutexGuard<'_, Newest> {
        // The value behind the lock is replaced as a whole, so it is valid even after a panic elsewhere.
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Checks that a run has begun to write a directory: a wrong folder would look like a directory without rows.
pub(crate) fn check_directory(data: &Path) -> Result<(), CatalogError> {
    if is_data_directory(data) { Ok(()) } else { Err(CatalogError::NoDirectory(data.to_owned())) }
}

fn snapshot(chain: &Chain, current: &Arc<CurrentCache>, config: &SqlConfig, engine: &Arc<Engine>) -> Result<Snapshot, CatalogError> {
    let committed = Arc::new(Committed::new(chain, Arc::clone(current)));
    let session =
        session(&committed, &Rights::default(), config, &engine.resources).map_err(|error| CatalogError::Engine(Arc::new(error)))?;
    Ok(Snapshot { committed, session, rights: Rights::default(), engine: Arc::clone(engine), config: config.clone() })
}

/// The rows of a query, batch by batch, for blocking code.
pub struct QueryResult {
    answer: Answer,
}

impl QueryResult {
    /// The commit that all rows are from.
    pub fn commit_id(&self) -> u64 {
        self.answer.commit_id()
    }

    /// The columns.
    pub fn schema(&self) -> &SchemaRef {
        self.answer.schema()
    }
}

impl Iterator for QueryResult {
    type Item = Result<RecordBatch, QueryError>;

    fn next(&mut self) -> Option<Self::Item> {
        let engine = Arc::clone(&self.answer.engine);
        engine.wait(async { self.answer.next().await.transpose() }).transpose()
    }
}

#[cfg(test)]
mod tests {
    use crate::names::Relation;
    use crate::testing::{TestData, at, balance, changes, facts, leg, rows, text, try_rows};
    use crate::{Format, SqlConfig};
    use headwater_schemas::Money;

    #[test]
    fn without_commits_every_table_is_there_and_empty() {
        let data = TestData::new();
        let catalog = data.catalog();
        assert_eq!(catalog.commit_id(), 0);
        for (name, _) in Relation::all() {
            assert_eq!(rows(&catalog, &format!("SELECT * FROM {name}")), Vec::<String>::new(), "{name}");
            assert_eq!(rows(&catalog, &format!("SELECT COUNT(*) FROM {name}")), ["0"], "{name}");
        }
    }

    #[test]
    fn commits_come_in_with_a_refresh_and_running_queries_keep_theirs() {
        let mut data = TestData::new();
        let catalog = data.catalog();
        data.commit(vec![changes(&[(balance("a", 1, at(1, 0)), 1)])]);
        assert_eq!(rows(&catalog, "SELECT COUNT(*) FROM balances"), ["0"]);
        assert!(catalog.refresh().unwrap());
        assert!(!catalog.refresh().unwrap());
        let query = "SELECT account_id, posted, commit_id FROM balances";
        assert_eq!(rows(&catalog, query), ["a,1,1"]);
        let old = catalog.query(query).unwrap();
        data.commit(vec![changes(&[(balance("a", 2, at(1, 1)), 1)])]);
        assert!(catalog.refresh().unwrap());
        assert_eq!(rows(&catalog, query), ["a,2,2"]);
        let mut out = Vec::new();
        assert_eq!(old.write(Format::Csv, &mut out).unwrap().commit_id, 1);
        assert_eq!(String::from_utf8(out).unwrap(), "account_id,posted,commit_id\na,1,1\n");
    }

    #[test]
    fn a_commit_of_the_past_stays_what_it_was() {
        let mut data = TestData::new();
        for posted in 1..=3 {
            data.commit(vec![
                changes(&[(balance("a", posted, at(1, posted)), 1)]),
                facts(&[leg(&format!("t{posted}"), 1, "a", "EUR", Money::whole(1), at(1, posted))]),
            ]);
        }
        let sum = "SELECT (SELECT posted FROM balances) AS a, (SELECT COUNT(*) FROM ledger_entries) AS b, \
                   (SELECT COUNT(*) FROM balances_history) AS c, (SELECT MAX(commit_id) FROM commits) AS d";
        for (commit_id, expected) in [(1, "1,1,1,1"), (2, "2,2,3,2"), (3, "3,3,5,3")] {
            let catalog = data.catalog_at(commit_id);
            assert!(catalog.is_pinned());
            assert_eq!(rows(&catalog, sum), [expected]);
        }
        // A catalog at the newest commit queries an older one through another catalog.
        assert_eq!(rows(&data.catalog().reopen(Some(1)).unwrap(), sum), ["1,1,1,1"]);
        let pinned = data.catalog_at(1);
        assert!(!pinned.refresh().unwrap());
    }

    #[test]
    fn commits_are_a_table() {
        let mut data = TestData::new();
        data.commit(vec![facts(&[
            leg("t1", 1, "a", "EUR", Money::whole(1), at(1, 0)),
            leg("t2", 1, "a", "EUR", Money::whole(1), at(2, 0)),
        ])]);
        data.commit(vec![]);
        let catalog = data.catalog();
        let query = "SELECT commit_id, ticks, first_tick, end_tick, rows, files, committed_at FROM commits ORDER BY commit_id";
        assert_eq!(rows(&catalog, query), ["1,100,0,100,2,2,2026-01-31T09:30:01.5Z", "2,100,100,200,0,0,2026-01-31T09:30:02.5Z"]);
        let linked = "SELECT COUNT(*) FROM commits a JOIN commits b ON b.previous_hash = a.hash AND b.commit_id = a.commit_id + 1";
        assert_eq!(rows(&catalog, linked), ["1"]);
    }

    #[test]
    fn a_snapshot_answers_async_code() {
        let mut data = TestData::new();
        data.commit(vec![changes(&[(balance("a", 1, at(1, 0)), 1)])]);
        let catalog = data.catalog();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let counted = runtime.block_on(async {
            assert!(catalog.query("SELECT 1").is_err(), "waiting inside a runtime is refused, not a panic");
            let mut answer = catalog.snapshot().query("SELECT * FROM balances").await.unwrap();
            let mut counted = 0;
            while let Some(batch) = answer.next().await {
                counted += batch.unwrap().num_rows();
            }
            counted
        });
        assert_eq!(counted, 1);
    }

    #[test]
    fn a_query_that_takes_too_long_is_given_up() {
        let data = TestData::new();
        let config = SqlConfig { timeout_seconds: 1, ..SqlConfig::default() };
        let catalog = super::Catalog::open_with(data.path(), None, config).unwrap();
        let endless = "SELECT COUNT(*) FROM generate_series(1, 100000000) a, generate_series(1, 100000000) b WHERE a.value * b.value = 7";
        let error = try_rows(&catalog, endless).expect_err("too long");
        assert_eq!(error.to_string(), "the query was given up after 1 s (timeout_seconds): narrow it with WHERE, or raise the limit");
    }

    #[test]
    fn a_query_that_takes_too_much_memory_is_told_so() {
        let data = TestData::new();
        let config = SqlConfig { memory_limit_mib: 16, ..SqlConfig::default() };
        let catalog = super::Catalog::open_with(data.path(), None, config).unwrap();
        let greedy = "SELECT COUNT(*) FROM generate_series(1, 5000000) AS a JOIN generate_series(1, 5000000) AS b ON a.value = b.value";
        let message = text(&catalog, greedy, Format::Csv).expect_err("too much").to_string();
        assert!(message.starts_with("the query needs more memory than memory_limit_mib allows"), "{message}");
    }
}
