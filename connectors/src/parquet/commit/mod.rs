//! Commits in the dataflow: close, write, publish.
//!
//! ```text
//!  close (worker 0) ─► write (every worker) ─► publish (worker 0)
//!   names a tick        takes its changes        counts reports
//!                          └► pool: encode,         └► a thread: merged files, the record, `HEAD`
//!                             hash, sync, rename
//! ```
//!
//! Every worker gets a message once a commit is published: so a process that publishes none learns what is committed.
//!
//! Workers only hand over their changes: encoding, hashing and syncing happen on other threads while the dataflow continues. At
//! most two commits are in flight; the third waits until the first is published. Commits are published in order, and the dataflow
//! ends once all are published.

mod close;
mod pool;
mod publish;
#[cfg(test)]
mod tests;
mod write;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use headwater_schemas::{Clock, EffectiveTime, Tick};
use serde::{Deserialize, Serialize};
use timely::dataflow::operators::Inspect;
use timely::dataflow::operators::vec::Broadcast;
use timely::dataflow::{Scope, StreamVec};

use super::CommitError;
use super::buffer::Tables;
use super::chain::{Chain, Live};
use super::record::{CommitRecord, CommittedFile, Gap, PartitionProgress};
use super::remote::Remote;
use super::upkeep::UpkeepSettings;
use crate::source::SourceProgress;

/// Most commits in flight at once.
pub(crate) const MOST_IN_FLIGHT: usize = 2;

/// Called with a commit's record, the time that the commit took, and the number of files that exist now.
pub type Published = Arc<dyn Fn(&CommitRecord, Duration, usize) + Send + Sync>;

/// A step of a commit, in order. A crash may happen before or after any of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The closing tick is chosen.
    Closed,
    /// A worker's files are written, in the staging folder.
    Staged,
    /// The files' contents are synced to disk.
    Synced,
    /// The files are renamed to their final names.
    Renamed,
    /// The new names are synced to disk.
    Settled,
    /// A worker's files are in the bucket. Only with a bucket.
    Uploaded,
    /// Merged files that the commit adds have their final names.
    Merged,
    /// The record is in the bucket: from here on the commit exists there. Only with a bucket.
    Shared,
    /// The record is published: from here on the commit exists.
    Published,
    /// `HEAD` names it.
    Headed,
    /// Its staging folder is removed.
    Cleared,
    /// The files that it replaced are removed.
    Swept,
    /// Its record and those before it are archived, and the inventory is written.
    Archived,
    /// The decisions that order early publications of this commit are synced to disk.
    Journaled,
    /// The commit's publications are sent, but not acknowledged yet.
    Sent,
    /// The publications are acknowledged, together with the outbox's progress.
    Recorded,
}

impl Step {
    /// All steps, in order.
    pub const ALL: [Self; 16] = [
        Self::Closed,
        Self::Staged,
        Self::Synced,
        Self::Renamed,
        Self::Settled,
        Self::Uploaded,
        Self::Merged,
        Self::Shared,
        Self::Published,
        Self::Headed,
        Self::Cleared,
        Self::Swept,
        Self::Archived,
        Self::Journaled,
        Self::Sent,
        Self::Recorded,
    ];

    /// Whether only a directory in a bucket has it.
    pub const fn needs_bucket(self) -> bool {
        matches!(self, Self::Uploaded | Self::Shared)
    }

    /// The name in lower case.
    pub fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }
}

/// Called at every step of every commit.
pub type Steps = Arc<dyn Fn(Step, u64) + Send + Sync>;

/// Settings of commits.
#[derive(Clone)]
pub struct CommitSettings {
    /// The data directory.
    pub data: PathBuf,
    /// The last commit of the chain.
    pub before: Option<ChainEnd>,
    /// Hash of the stored configuration.
    pub configuration: String,
    /// Minimum time between commits, which close at grid points.
    pub interval: Duration,
    /// Tick and grid intervals. Commits close at grid points.
    pub clock: Clock,
    /// Files that exist when the run begins.
    pub existing: Existing,
    /// Accepted gaps in the topics, which the first commit records.
    pub gaps: Vec<Gap>,
    /// Settings of upkeep.
    pub upkeep: UpkeepSettings,
    /// The bucket that has the commits, if there is one.
    pub remote: Option<Remote>,
    /// Whether rows are discarded, and no record is published, so that the run leaves nothing behind. For benchmarks.
    pub discards: bool,
    /// Ticks at which the run is to be entered again: a commit closes there, and none after it.
    pub cuts: Vec<Tick>,
    /// For a replay: the closings of the original run, in order.
    pub closings: Option<Arc<Vec<Closing>>>,
    /// The wall clock as RFC 3339, for `committed_at`.
    pub now_text: Arc<dyn Fn() -> String + Send + Sync>,
    /// Called with every published commit, on a thread of worker 0's process.
    pub published: Published,
    /// Called with every published commit, by every worker of every process.
    pub on_commit: Arc<dyn Fn(Committed) + Send + Sync>,
    /// Called at every step, on the thread that performs it.
    pub steps: Steps,
    /// Called with the error that ends the run.
    pub failure: Arc<dyn Fn(CommitError) + Send + Sync>,
}

/// Files of a data directory when a run begins.
#[derive(Clone, Debug, Default)]
pub struct Existing {
    /// The files that exist.
    pub live: Live,
    /// The commit of the inventory.
    pub inventory: u64,
    /// Paths without live rows since that inventory, by the commit that removed the last of them.
    pub gone: Vec<(u64, Vec<Box<str>>)>,
}

impl Existing {
    /// The files at the end of a chain.
    pub fn of(chain: &Chain) -> Self {
        Self { live: chain.live().clone(), inventory: chain.inventory(), gone: chain.gone().to_vec() }
    }
}

/// The last commit of a chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainEnd {
    /// Its number.
    pub commit_id: u64,
    /// Its hash.
    pub hash: String,
    /// The tick after the last one in the commit.
    pub end_tick: Tick,
    /// The time at which the next run continues.
    pub end_clock: EffectiveTime,
}

/// Where a commit closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closing {
    /// The tick after the last one in the commit.
    pub end_tick: Tick,
    /// Whether it was the last commit of its run.
    pub ends_run: bool,
}

/// A published commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Committed {
    /// Its number.
    pub commit_id: u64,
    /// The tick after the last one in the commit.
    pub end_tick: Tick,
    /// Whether the run is to be entered again after it.
    pub is_cut: bool,
}

/// Request to write all changes below a tick.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Close {
    commit_id: u64,
    end_tick: Tick,
    /// The time at which the next run continues.
    end_clock: EffectiveTime,
    /// Whether the run, or the run that is replayed, ends with it; then no segment is left.
    ends_run: bool,
    /// Whether the run is to be entered again after it.
    is_cut: bool,
}

/// A worker's report of the files that it wrote for a commit.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Report {
    commit_id: u64,
    files: Vec<CommittedFile>,
    partitions: Vec<PartitionProgress>,
}

/// Adds the commits of `tables` to the dataflow. `done` carries the frontier of all rows; `ends` carries the clocks at which the
/// partitions of all workers ended; `cuts` carries further ticks of [`CommitSettings::cuts`], each before its tick.
pub fn commit<'scope>(
    scope: Scope<'scope, Tick>,
    settings: CommitSettings,
    tables: Tables,
    progress: SourceProgress,
    done: StreamVec<'scope, Tick, ()>,
    ends: StreamVec<'scope, Tick, EffectiveTime>,
    cuts: StreamVec<'scope, Tick, Tick>,
) {
    let in_flight = close::InFlight::after(&settings);
    let specs = tables.specs();
    let closes = close::close(scope, &settings, &in_flight, close::Signals { done, ends, cuts }).broadcast();
    let reports = write::write(scope, &settings, tables, progress, closes);
    let on_commit = Arc::clone(&settings.on_commit);
    let published = publish::publish(scope, settings, specs, &in_flight, reports);
    drop(published.broadcast().inspect(move |commit| on_commit(*commit)));
}
