//! What all connections of a server share.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Semaphore, watch};

use super::attempts::Attempts;
use super::config::{ServeConfig, UserConfig};
use super::relations::Relations;
use crate::catalog::Catalog;
use crate::error::QueryError;
use crate::query::Snapshot;
use crate::rights::Rights;

/// What all connections of a server share.
pub(super) struct Shared {
    pub(super) catalog: Catalog,
    pub(super) relations: Relations,
    pub(super) config: ServeConfig,
    /// Queries that may work at the same time.
    pub(super) queries: Arc<Semaphore>,
    pub(super) connections: Arc<Semaphore>,
    pub(super) cancels: Cancels,
    pub(super) attempts: Attempts,
    /// For the salts of users that there are not.
    pub(super) seed: [u8; 32],
}

impl Shared {
    /// The newest snapshot, or that of a commit. It reads files, so not on a thread of other connections.
    pub(super) async fn snapshot(self: &Arc<Self>, commit: Option<u64>) -> Result<Snapshot, QueryError> {
        let shared = Arc::clone(self);
        let reading = tokio::task::spawn_blocking(move || match commit {
            Some(commit) => shared.catalog.snapshot_at(commit),
            None => {
                shared.catalog.refresh()?;
                Ok(shared.catalog.snapshot())
            }
        });
        let snapshot = reading.await??;
        Ok(snapshot.with_timeout(self.config.timeout_seconds))
    }

    /// What a user may read.
    pub(super) fn rights_of(&self, user: &str) -> Rights {
        self.config.users.get(user).map_or_else(Rights::default, UserConfig::rights)
    }
}

/// The connections, for requests to cancel their queries.
#[derive(Default)]
pub(super) struct Cancels {
    last: AtomicU32,
    by_pid: Mutex<BTreeMap<u32, Cancel>>,
}

/// How a connection is cancelled: by whoever knows its number and its secret.
#[derive(Clone)]
pub(super) struct Cancel {
    pub(super) pid: u32,
    pub(super) secret: u32,
    requests: watch::Sender<u64>,
}

impl Cancel {
    /// The requests from now on.
    pub(super) fn requests(&self) -> watch::Receiver<u64> {
        self.requests.subscribe()
    }
}

impl Cancels {
    pub(super) fn register(&self, secret: u32) -> Cancel {
        let pid = self.last.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        let cancel = Cancel { pid, secret, requests: watch::Sender::new(0) };
        self.by_pid.lock().unwrap_or_else(PoisonError::into_inner).insert(pid, cancel.clone());
        cancel
    }

    pub(super) fn forget(&self, pid: u32) {
        self.by_pid.lock().unwrap_or_else(PoisonError::into_inner).remove(&pid);
    }

    /// Cancels what a connection runs. A wrong secret does nothing, and is not answered.
    pub(super) fn cancel(&self, pid: u32, secret: u32) {
        let by_pid = self.by_pid.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cancel) = by_pid.get(&pid).filter(|cancel| cancel.secret == secret) {
            cancel.requests.send_modify(|count| *count = count.wrapping_add(1));
        }
    }
}
