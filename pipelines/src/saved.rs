//! State at the last commit: the current rows of its tables.
//!
//! State is stored in tables. Every operator commits all state that affects later results, as rows of state tables and
//! checkpoints. A restart reads the current rows, however long their history is. The declaration of a view's tables lists those
//! from which it is restored; each worker restores its share.
//!
//! ```text
//!  operators are built:   request A, B, C …
//!  a thread:                └─ read A ───► read C ───► (until some are taken) …
//!  another:                 └─ read B ──────► read D …
//!  states are restored:              take A, restore ─► take B, restore …
//! ```

use std::any::Any;
use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use headwater_connectors::parquet::chain::Chain;
use headwater_connectors::parquet::file::FileError;
use headwater_connectors::parquet::reader::current_rows;
use headwater_schemas::tables::{TableReader, TableRow};

/// Threads that read tables. While the rows of a table are sorted, files of another one are decoded.
const READERS: usize = 2;

/// Reading pauses while so many rows are read that no view has taken yet. Tables are larger than the states that are made of them, so a
/// restart must not hold all at once. Each reader ends its table first, so there may be one table more for each.
const ROWS_AHEAD: usize = 1_000_000;

/// The tables of the last commit, shared by all workers of the process.
///
/// Every worker first requests the tables that it will take, then takes them in the same order. Meanwhile threads read what is
/// requested. A table is kept until the last one has taken it who requested it, because a restart must not hold all tables at once.
#[derive(Debug, Default)]
pub struct SavedTables {
    chain: Option<Chain>,
    workers: usize,
    rows_ahead: usize,
    plan: Mutex<Plan>,
    /// Notified when there is something to read, or room for it, and when a worker has taken all its tables.
    changed: Condvar,
}

/// The rows of a table, of a type that its name determines.
type Rows = dyn Any + Send + Sync;

/// Reads a table, unless all who want it have it.
type ReadAhead = fn(&SavedTables);

/// What is requested.
#[derive(Debug, Default)]
struct Plan {
    tables: BTreeMap<&'static str, Table>,
    /// Tables to be read, in the order of their requests.
    queue: VecDeque<ReadAhead>,
    is_started: bool,
    /// Rows of tables that were read and not yet taken by anybody.
    ahead: usize,
    /// Workers that have requested all their tables.
    requesting_is_over: usize,
    /// Workers that have taken all their tables.
    taking_is_over: usize,
}

/// A table.
#[derive(Debug, Default)]
struct Table {
    /// How often it is requested and not yet taken.
    wanted: usize,
    /// Locked while the table is read, so that others wait instead of reading it again.
    kept: Arc<Mutex<Kept>>,
}

/// The rows of a table, as long as somebody will take them.
#[derive(Debug, Default)]
struct Kept {
    rows: Option<Arc<Rows>>,
    /// Whether nobody has taken them yet.
    is_ahead: bool,
}

impl SavedTables {
    /// The tables at the end of a chain, for so many workers of this process.
    pub fn of(chain: Chain, workers: usize) -> Self {
        Self { chain: Some(chain), workers, rows_ahead: ROWS_AHEAD, ..Self::default() }
    }

    /// The current rows of a table, without a request; empty before the first commit.
    pub fn rows<R: TableRow>(&self) -> Result<Arc<Vec<R>>, FileError> {
        self.take(false)
    }

    /// Requests a table, which is then read.
    fn request<R: TableRow>(self: &Arc<Self>) {
        if self.chain.is_none() {
            return;
        }
        let mut plan = lock(&self.plan);
        plan.tables.entry(R::SPEC.name).or_default().wanted += 1;
        plan.queue.push_back(Self::read_ahead::<R>);
        if !std::mem::replace(&mut plan.is_started, true) {
            (0..READERS).for_each(|_| self.start_reader());
        }
        self.changed.notify_all();
    }

    fn start_reader(self: &Arc<Self>) {
        let tables = Arc::clone(self);
        let started = thread::Builder::new().name("read ahead".to_owned()).spawn(move || tables.read_requested());
        // Without threads, tables are read when they are taken.
        started.err().into_iter().for_each(|error| tracing::warn!(%error, "no thread can be started to read tables"));
    }

    /// Notes that a worker has requested all its tables.
    pub(crate) fn all_requested(&self) {
        let mut plan = lock(&self.plan);
        plan.requesting_is_over += 1;
        if plan.requesting_is_over >= self.workers {
            // Who reads a table, holds its lock and wants it.
            let unwanted = plan.tables.values().filter(|table| table.wanted == 0).filter_map(|table| table.kept.try_lock().ok());
            unwanted.for_each(|mut kept| kept.rows = None);
        }
    }

    /// Notes that a worker has taken all its tables, or fails.
    pub(crate) fn all_taken(&self) {
        lock(&self.plan).taking_is_over += 1;
        self.changed.notify_all();
    }

    fn take<R: TableRow>(&self, is_requested: bool) -> Result<Arc<Vec<R>>, FileError> {
        let Some(chain) = &self.chain else { return Ok(Arc::default()) };
        let kept = self.kept(R::SPEC.name);
        let mut kept = lock(&kept);
        let read = kept.rows.take().and_then(|rows| rows.downcast::<Vec<R>>().ok());
        let rows = match read {
            Some(rows) => rows,
            None => read_table(chain)?,
        };
        let mut plan = lock(&self.plan);
        if std::mem::take(&mut kept.is_ahead) {
            plan.ahead = plan.ahead.saturating_sub(rows.len());
            self.changed.notify_all();
        }
        let may_be_requested = plan.requesting_is_over < self.workers;
        let table = plan.tables.entry(R::SPEC.name).or_default();
        table.wanted = table.wanted.saturating_sub(usize::from(is_requested));
        if table.wanted > 0 || may_be_requested {
            kept.rows = Some(Arc::clone(&rows) as Arc<Rows>);
        }
        Ok(rows)
    }

    fn kept(&self, table: &'static str) -> Arc<Mutex<Kept>> {
        Arc::clone(&lock(&self.plan).tables.entry(table).or_default().kept)
    }

    /// Reads tables in the order of their requests, until every worker has taken its tables.
    fn read_requested(&self) {
        while let Some(read) = self.next_to_read() {
            read(self);
        }
    }

    fn next_to_read(&self) -> Option<ReadAhead> {
        let mut plan = lock(&self.plan);
        while plan.taking_is_over < self.workers && (plan.queue.is_empty() || plan.ahead >= self.rows_ahead) {
            plan = self.changed.wait(plan).unwrap_or_else(PoisonError::into_inner);
        }
        if plan.taking_is_over < self.workers { plan.queue.pop_front() } else { None }
    }

    fn read_ahead<R: TableRow>(&self) {
        let kept = self.kept(R::SPEC.name);
        let mut kept = lock(&kept);
        let is_wanted = lock(&self.plan).tables.get(R::SPEC.name).is_some_and(|table| table.wanted > 0);
        let Some(chain) = self.chain.as_ref().filter(|_| is_wanted && kept.rows.is_none()) else { return };
        // Who takes a table that cannot be read finds and reports the same error.
        if let Ok(rows) = read_table::<R>(chain) {
            lock(&self.plan).ahead += rows.len();
            *kept = Kept { rows: Some(rows), is_ahead: true };
        }
    }
}

fn read_table<R: TableRow>(chain: &Chain) -> Result<Arc<Vec<R>>, FileError> {
    let began = Instant::now();
    let rows = Arc::new(current_rows::<R>(chain)?);
    tracing::debug!(table = R::SPEC.name, rows = rows.len(), took = ?began.elapsed(), "read a table");
    Ok(rows)
}

/// Reads tables without a request.
impl TableReader for &SavedTables {
    type Error = FileError;

    fn rows<R: TableRow>(&mut self) -> Result<Arc<Vec<R>>, FileError> {
        SavedTables::rows(self)
    }
}

/// Requests tables instead of reading them: there are no rows.
pub(crate) struct Requests<'a>(pub(crate) &'a Arc<SavedTables>);

impl TableReader for Requests<'_> {
    type Error = Infallible;

    fn rows<R: TableRow>(&mut self) -> Result<Arc<Vec<R>>, Infallible> {
        self.0.request::<R>();
        Ok(Arc::default())
    }
}

/// Takes tables that were requested.
pub(crate) struct Requested<'a>(pub(crate) &'a SavedTables);

impl TableReader for Requested<'_> {
    type Error = FileError;

    fn rows<R: TableRow>(&mut self) -> Result<Arc<Vec<R>>, FileError> {
        self.0.take(true)
    }
}

/// The guarded value is valid even if a thread that held the lock has panicked.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use headwater_connectors::testing::MemoryLog;
    use headwater_schemas::tables::{AccountOwner, AccountTerms, Admitted, Balance, PostedTransaction};
    use tempfile::TempDir;

    use super::*;
    use crate::config::Config;
    use crate::run::{Run, run};

    /// The tables of a run that read one account and one deposit, and their folder.
    fn tables(workers: usize) -> (Arc<SavedTables>, TempDir) {
        let folder = tempfile::tempdir().expect("a folder");
        let log = MemoryLog::default();
        log.append(
            "accounts",
            0,
            r#"{"type":"opened","account_id":"A1","customer_id":"C1","account_type":"checking","currency":"USD","ts":"2026-01-05T14:00:00Z"}"#,
        );
        log.append(
            "transactions",
            0,
            r#"{"transaction_id":"T1","account_id":"A1","type":"deposit","amount":"5","currency":"USD","ts":"2026-01-05T14:00:01Z"}"#,
        );
        let config = Config::parse("c.toml", "[http]\naddress = \"\"\n[outbox]\ntopics = []\n").expect("a configuration");
        run(Run { until_end: true, ..Run::new(Arc::new(log), folder.path().to_owned(), config) }).expect("a run");
        let chain = Chain::open(folder.path(), None).expect("commits");
        (Arc::new(SavedTables::of(chain, workers)), folder)
    }

    fn take<R: TableRow>(tables: &SavedTables) -> Arc<Vec<R>> {
        let rows = Requested(tables).rows::<R>().expect("rows");
        assert!(!rows.is_empty(), "{}", R::SPEC.name);
        rows
    }

    #[test]
    fn a_table_is_kept_until_the_last_who_requested_it_has_taken_it() {
        let (tables, _folder) = tables(2);
        tables.request::<Balance>();
        let without_request = tables.rows::<Balance>().expect("rows");
        tables.request::<Balance>();
        tables.all_requested();
        // The other worker has not requested anything yet.
        let of_one = [take::<Balance>(&tables), take::<Balance>(&tables)];
        tables.request::<Balance>();
        tables.all_requested();
        let of_other = take::<Balance>(&tables);
        assert!(of_one.iter().all(|rows| Arc::ptr_eq(rows, &of_other)) && Arc::ptr_eq(&without_request, &of_other));
        let kept = tables.kept(Balance::SPEC.name);
        assert!(lock(&kept).rows.is_none(), "nobody will take it any more");
        tables.all_taken();
        tables.all_taken();
        assert!(tables.next_to_read().is_none(), "the threads end");
    }

    #[test]
    fn a_table_that_nobody_will_take_is_not_kept() {
        let (tables, _folder) = tables(1);
        let rows = tables.rows::<Balance>().expect("rows");
        tables.all_requested();
        assert_eq!(Arc::strong_count(&rows), 1);
    }

    #[test]
    fn few_tables_are_read_ahead_and_others_once_these_are_taken() {
        let (mut tables, _folder) = tables(1);
        Arc::get_mut(&mut tables).expect("nobody reads yet").rows_ahead = 1;
        tables.request::<Admitted>();
        tables.request::<AccountOwner>();
        tables.request::<Balance>();
        tables.request::<PostedTransaction>();
        tables.request::<AccountTerms>();
        tables.all_requested();
        let began = Instant::now();
        while lock(&tables.plan).ahead == 0 && began.elapsed() < Duration::from_secs(60) {
            thread::sleep(Duration::from_millis(1));
        }
        assert!(lock(&tables.plan).queue.len() >= 5 - READERS);
        // Out of turn: it is read at once, and not again when its turn comes.
        take::<AccountTerms>(&tables);
        take::<Admitted>(&tables);
        take::<AccountOwner>(&tables);
        take::<Balance>(&tables);
        take::<PostedTransaction>(&tables);
        tables.all_taken();
        let kept = |name| lock(&tables.kept(name)).rows.is_some();
        let all = [Admitted::SPEC, AccountOwner::SPEC, Balance::SPEC, PostedTransaction::SPEC, AccountTerms::SPEC];
        assert!(all.iter().all(|spec| !kept(spec.name)));
        assert_eq!(lock(&tables.plan).ahead, 0);
    }

    #[test]
    fn a_table_that_is_damaged_is_an_error_for_who_takes_it() {
        let (tables, _folder) = tables(1);
        let chain = tables.chain.as_ref().expect("commits");
        let paths: BTreeSet<_> = chain.live().files().iter().map(|file| chain.data().join(&*file.path)).collect();
        for path in paths {
            let mut content = std::fs::read(&path).expect("a file");
            content.iter_mut().for_each(|byte| *byte ^= 1);
            std::fs::write(&path, content).expect("a file");
        }
        tables.request::<Balance>();
        tables.all_requested();
        let error = Requested(&tables).rows::<Balance>().expect_err("it is damaged").to_string();
        assert!(error.contains("table balances") && error.contains("is damaged"), "{error}");
        tables.all_taken();
    }
}
