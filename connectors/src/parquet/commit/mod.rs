//! Committing as part of the dataflow: the closing tick out, rows down, reports in, the record published.
//!
//! ```text
//!  close (worker 0) ─► write (every worker) ─► publish (worker 0)
//!   names a tick        takes its changes        counts reports
//!                          └► pool: encode,         └► a thread: merged files, the record, `HEAD`
//!                             hash, sync, rename
//! ```
//!
//! Every worker is told of a commit once it is published: a process that publishes none learns so what is committed.
//!
//! Workers only hand their changes over: encoding, hashing and syncing happen on threads beside the dataflow, which continues.
//! Two commits may be on their way at once; the third waits until the first is published. They are published in order, and a
//! dataflow ends only when all are.

mod close;
mod pool;
mod publish;
#[cfg(test)]
mod tests;
mod write;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use headwater_schemas::Clock;
use serde::{Deserialize, Serialize};
use timely::dataflow::operators::Inspect;
use timely::dataflow::operators::vec::Broadcast;
use timely::dataflow::{Scope, StreamVec};

use super::CommitError;
use super::buffer::Tables;
use super::chain::{Chain, Live};
use super::record::{CommitRecord, CommittedFile, Gap, PartitionProgress};
use super::upkeep::UpkeepSettings;
use crate::source::SourceProgress;

/// Commits that may be on their way at once.
pub(crate) const MOST_IN_FLIGHT: usize = 2;

/// Called with a commit's record, the time that it took, and how many files exist now.
pub type Published = Arc<dyn Fn(&CommitRecord, Duration, usize) + Send + Sync>;

/// A point in the making of a commit, in order. A process may die before or after any of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The closing tick is named.
    Closed,
    /// A worker's files are written, in staging.
    Staged,
    /// Their content has reached the disk.
    Synced,
    /// They have their names.
    Renamed,
    /// Their names have reached the disk.
    Settled,
    /// Merged files that the commit adds have their names.
    Merged,
    /// The record is there: from here on the commit exists.
    Published,
    /// `HEAD` names it.
    Headed,
    /// Its staging is gone.
    Cleared,
    /// The files are removed that it had replaced.
    Swept,
    /// Its record and those before it are in archives, and the inventory is there.
    Archived,
    /// What decides the order of what is published before this commit has reached the disk.
    Journaled,
    /// What it publishes is sent, but not certain yet.
    Sent,
    /// It is certain, together with the outbox's progress.
    Recorded,
}

impl Step {
    /// All steps, in order.
    pub const ALL: [Self; 14] = [
        Self::Closed,
        Self::Staged,
        Self::Synced,
        Self::Renamed,
        Self::Settled,
        Self::Merged,
        Self::Published,
        Self::Headed,
        Self::Cleared,
        Self::Swept,
        Self::Archived,
        Self::Journaled,
        Self::Sent,
        Self::Recorded,
    ];

    /// Its name, in lower case.
    pub fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }
}

/// Told of every step of every commit.
pub type Steps = Arc<dyn Fn(Step, u64) + Send + Sync>;

/// How commits are made.
#[derive(Clone)]
pub struct CommitSettings {
    /// The data directory.
    pub data: PathBuf,
    /// The last commit that is there already.
    pub before: Option<ChainEnd>,
    /// The hash of the configuration, which is kept.
    pub configuration: String,
    /// The time between commits, at least: they close at grid points.
    pub interval: Duration,
    /// The steps of time. Commits close at grid points.
    pub clock: Clock,
    /// What was there before.
    pub existing: Existing,
    /// What is missing of the topics and was accepted: the first commit says so.
    pub gaps: Vec<Gap>,
    /// How the directory is kept small.
    pub upkeep: UpkeepSettings,
    /// Whether rows are let go instead of written, and no record is published: the run leaves nothing. What benches compare
    /// with.
    pub discards: bool,
    /// Where commits close, one after the other, if they are to close as those of another directory did.
    pub closings: Option<Arc<Vec<Closing>>>,
    /// What `committed_at` is made of: the wall clock as RFC 3339.
    pub now_text: Arc<dyn Fn() -> String + Send + Sync>,
    /// Called with every commit once it is published, on a thread of worker 0's process.
    pub published: Published,
    /// Called with every commit once it is published, by every worker of every process.
    pub on_commit: Arc<dyn Fn(Committed) + Send + Sync>,
    /// Called at every step, on the thread that takes it.
    pub steps: Steps,
    /// Told of the error that ends the run.
    pub failure: Arc<dyn Fn(CommitError) + Send + Sync>,
}

/// What there is already when a run begins.
#[derive(Clone, Debug, Default)]
pub struct Existing {
    /// The files that exist.
    pub live: Live,
    /// The commit of the inventory.
    pub inventory: u64,
    /// The paths that hold nothing any more since then, and in which commits that came about.
    pub gone: Vec<(u64, Vec<Box<str>>)>,
}

impl Existing {
    /// At the end of a chain.
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
    /// The tick after the last one that it holds.
    pub end_tick: u64,
    /// The time that the next run goes on from, in nanoseconds since the epoch.
    pub end_clock: u64,
}

/// Where a commit closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closing {
    /// The tick after the last one that it holds.
    pub end_tick: u64,
    /// Whether it was the last of its run.
    pub ends_run: bool,
}

/// A commit that is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Committed {
    /// Its number.
    pub commit_id: u64,
    /// The tick after the last one that it holds.
    pub end_tick: u64,
}

/// Everything below a tick is complete: write it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Close {
    commit_id: u64,
    end_tick: u64,
    /// The time that the next run goes on from, in nanoseconds.
    end_clock: u64,
    /// Whether the run, or the one that is repeated, ends with it: then no segment is left.
    ends_run: bool,
}

/// What a worker has written of a commit.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Report {
    commit_id: u64,
    files: Vec<CommittedFile>,
    partitions: Vec<PartitionProgress>,
}

/// Adds the commit of `tables` to the dataflow. `done` carries the frontier of everything that goes into them, `ends` the
/// clocks at which all workers' partitions ended.
pub fn commit<'scope>(
    scope: Scope<'scope, u64>,
    settings: CommitSettings,
    tables: Tables,
    progress: SourceProgress,
    done: StreamVec<'scope, u64, ()>,
    ends: StreamVec<'scope, u64, u64>,
) {
    let in_flight = close::InFlight::after(&settings);
    let specs = tables.specs();
    let closes = close::close(scope, &settings, &in_flight, done, ends).broadcast();
    let reports = write::write(scope, &settings, tables, progress, closes);
    let on_commit = Arc::clone(&settings.on_commit);
    let published = publish::publish(scope, settings, specs, &in_flight, reports);
    drop(published.broadcast().inspect(move |commit| on_commit(*commit)));
}
