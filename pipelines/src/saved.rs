//! The state at the last commit: the current rows of its tables, read back.
//!
//! State is tables. Every operator commits all that decides a later answer, as rows of state tables and checkpoints; a restart
//! reads the current rows and goes on, however long the history before them is. A view's declaration of its tables says which
//! ones it is restored from; each worker restores its share.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use headwater_connectors::parquet::chain::Chain;
use headwater_connectors::parquet::file::FileError;
use headwater_connectors::parquet::reader::current_rows;
use headwater_schemas::tables::{TableReader, TableRow};

/// A table that was read, for whoever asks next.
type Cached = Arc<Mutex<Option<Arc<dyn Any + Send + Sync>>>>;

/// The tables of the last commit. Each is read when the first worker asks for it, and shared by all workers of the process.
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

    /// The current rows of a table; none before the first commit.
    pub fn rows<R: TableRow>(&self) -> Result<Arc<Vec<R>>, FileError> {
        let Some(chain) = &self.chain else { return Ok(Arc::default()) };
        let cached = Arc::clone(lock(&self.tables).entry(R::SPEC.name).or_default());
        // Held while the table is read, so that of two workers one reads and the other waits.
        let mut cached = lock(&cached);
        if let Some(rows) = cached.clone().and_then(|rows| rows.downcast::<Vec<R>>().ok()) {
            return Ok(rows);
        }
        let rows = Arc::new(current_rows::<R>(chain)?);
        *cached = Some(Arc::clone(&rows) as Arc<dyn Any + Send + Sync>);
        Ok(rows)
    }

    /// Forgets what was read: to be called when a worker has restored all its states. Another worker that still needs a table
    /// reads it again.
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

/// What is behind the lock is whole even if a thread that held it has panicked.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
