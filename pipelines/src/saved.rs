//! State at the last commit: the current rows of its tables.
//!
//! State is stored in tables. Every operator commits all state that affects later results, as rows of state tables and
//! checkpoints. A restart reads the current rows, however long their history is. The declaration of a view's tables lists those
//! from which it is restored; each worker restores its share.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use headwater_connectors::parquet::chain::Chain;
use headwater_connectors::parquet::file::FileError;
use headwater_connectors::parquet::reader::current_rows;
use headwater_schemas::tables::{TableReader, TableRow};

/// The tables of the last commit. Each is read when the first worker requests it, and shared by all workers of the process.
///
/// A table is kept until every worker has taken it, and as long as somebody holds its rows: tables are larger than the states that
/// are made of them, so a restart must not hold all of them at once. Who makes several states of a table holds it meanwhile.
#[derive(Debug, Default)]
pub struct SavedTables {
    chain: Option<Chain>,
    workers: usize,
    tables: Mutex<BTreeMap<&'static str, Arc<Mutex<Kept>>>>,
}

/// The rows of a table, of a type that its name determines.
type Rows = dyn Any + Send + Sync;

/// A table that was read.
#[derive(Debug, Default)]
struct Kept {
    /// Its rows, while workers have not taken them.
    rows: Option<Arc<Rows>>,
    /// The same rows, while anybody holds them.
    held: Option<Weak<Rows>>,
    taken: usize,
}

impl Kept {
    fn held(&self) -> Option<Arc<Rows>> {
        self.held.as_ref().and_then(Weak::upgrade)
    }

    /// Counts one that takes the rows; the last one of `workers` gets them alone.
    fn take(&mut self, rows: Arc<Rows>, workers: usize) {
        self.taken += 1;
        self.held = Some(Arc::downgrade(&rows));
        self.rows = (self.taken < workers).then_some(rows);
    }
}

impl SavedTables {
    /// The tables at the end of a chain, for so many workers of this process.
    pub fn of(chain: Chain, workers: usize) -> Self {
        Self { chain: Some(chain), workers, tables: Mutex::default() }
    }

    /// The current rows of a table; empty before the first commit.
    pub fn rows<R: TableRow>(&self) -> Result<Arc<Vec<R>>, FileError> {
        let Some(chain) = &self.chain else { return Ok(Arc::default()) };
        let kept = Arc::clone(lock(&self.tables).entry(R::SPEC.name).or_default());
        // Locked while the table is read, so that a second worker waits instead of reading it again.
        let mut kept = lock(&kept);
        let rows = match kept.held().and_then(|rows| rows.downcast::<Vec<R>>().ok()) {
            Some(rows) => rows,
            None => Arc::new(current_rows::<R>(chain)?),
        };
        kept.take(Arc::clone(&rows) as Arc<Rows>, self.workers);
        Ok(rows)
    }
}

impl TableReader for &SavedTables {
    type Error = FileError;

    fn rows<R: TableRow>(&mut self) -> Result<Arc<Vec<R>>, FileError> {
        SavedTables::rows(self)
    }
}

/// The guarded value is valid even if a thread that held the lock has panicked.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
