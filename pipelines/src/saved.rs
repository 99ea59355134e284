//! State at the last commit: the current rows of its tables.
//!
//! State is stored in tables. Every operator commits all state that affects later results, as rows of state tables and
//! checkpoints. A restart reads the current rows, however long their history is. The declaration of a view's tables lists those
//! from which it is restored; each worker restores its share.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use headwater_connectors::parquet::chain::Chain;
use headwater_connectors::parquet::file::FileError;
use headwater_connectors::parquet::reader::current_rows;
use headwater_schemas::tables::{TableReader, TableRow};

/// A table that was read, cached for the other workers.
type Cached = Arc<Mutex<Option<Arc<dyn Any + Send + Sync>>>>;

/// The tables of the last commit. Each is read when the first worker requests it, and shared by all workers of the process.
#[derive(Debug, Default)]
pub struct SavedTables {
    chain: Option<Chain>,
    tables: Mutex<BTreeMap<&'static str, Cached>>,
}

impl SavedTables {
    /// The tables at the end of a chain.
    pub fn of(chain: Chain) -> Self {
        Self { chain: Some(chain), tables: Mutex::default() }
    }

    /// The current rows of a table; empty before the first commit.
    pub fn rows<R: TableRow>(&self) -> Result<Arc<Vec<R>>, FileError> {
        let Some(chain) = &self.chain else { return Ok(Arc::default()) };
        let cached = Arc::clone(lock(&self.tables).entry(R::SPEC.name).or_default());
        // Locked while the table is read, so that a second worker waits instead of reading it again.
        let mut cached = lock(&cached);
        if let Some(rows) = cached.clone().and_then(|rows| rows.downcast::<Vec<R>>().ok()) {
            return Ok(rows);
        }
        let rows = Arc::new(current_rows::<R>(chain)?);
        *cached = Some(Arc::clone(&rows) as Arc<dyn Any + Send + Sync>);
        Ok(rows)
    }

    /// Drops the cache: called when a worker has restored all its states. Another worker that still needs a table reads it again.
    pub fn forget(&self) {
        lock(&self.tables).clear();
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
