//! Upkeep: keeps a data directory small, however long a run lasts.
//!
//! ```text
//!  files at commit n ─► plan ─► merged files (a thread) ─► a later commit adds them, and names what they replace
//!                         └───► what is older than its retention ─► the same commit drops it
//!  files that no commit names any more ─► removed after a while (a thread); records ─► archives, inventory
//! ```
//!
//! - Parts of segments become Parquet with every plan; half of the plans are for parts alone. The last commit of a run converts
//!   all remaining parts.
//! - Small files of a table are merged once there are enough of similar size, so their number is bounded; a day that is over
//!   becomes one file. The current rows of a state table or a checkpoint are written whole once as many changes have accumulated,
//!   so that a restart reads the current rows instead of all changes.
//! - Rows beyond their retention are dropped. Before changes that current rows depend on are dropped, the current rows are
//!   written whole.
//! - Merging depends on the commits alone: a plan on the files at a commit with a certain number, and its result is added a
//!   certain number of commits later. So a replay makes the same files.
//! - Merged rows keep their `commit_id`, and changes their `tick`: every past commit can still be queried.
//! - Files that a commit replaced are removed after `grace`, so that a reader that began at an older commit can finish.
//!
//! Files: [`plan`] decides, [`rows`] merges, [`merger`] runs that beside the dataflow, [`sweeper`] removes files, [`archive`]
//! archives the records of old commits. For a merge, [`runs`] sorts the rows of files that are in no order ([`sort_key`] is the
//! order, [`spill`] the file for those that have to wait), [`ordered`] reads files that are in order, and [`merging`] merges both.

pub(super) mod archive;
pub(super) mod merger;
mod merging;
mod ordered;
mod plan;
mod rows;
mod runs;
mod sort_key;
mod spill;
pub(super) mod sweeper;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use headwater_schemas::Nanos;

/// Settings of upkeep.
#[derive(Clone, Debug)]
pub struct UpkeepSettings {
    /// Number of commits between two plans for all files; 0 for no upkeep. Halfway between them is a plan for the parts of
    /// segments alone.
    pub every: u64,
    /// Minimum number of changes after which a state table or a checkpoint is written whole again; they must also be as many as
    /// its rows.
    pub whole_from_changes: u64,
    /// Nanoseconds after the end of a day until the day counts as over, when no more rows are expected.
    pub day_closes_after: Nanos,
    /// By table (a history under its own name): nanoseconds after the end of a day until its rows are dropped.
    pub retention: BTreeMap<String, Nanos>,
    /// How long a replaced file is kept.
    pub grace: Duration,
    /// The last commit that was published to topics: rows of later commits are kept.
    pub outbox: Arc<AtomicU64>,
}

/// The files that a plan considers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    /// All files that exist.
    AllFiles,
    /// Parts of segments alone.
    Parts,
}

impl UpkeepSettings {
    /// The commit that adds the result of a plan, no later than the next plan. So the rows of a segment are in Parquet at most
    /// 7/8 of `every` commits after their own: within a minute, with `every = 64` and a commit each second.
    const fn added_in(&self, planned: u64) -> u64 {
        let merging = self.every / 2 * 3 / 4;
        planned + if merging == 0 { 1 } else { merging }
    }

    /// The commit of the last plan up to this one; none before the first. Plans for all files are `every` commits apart, and
    /// halfway between them is one for parts.
    fn last_plan(&self, commit_id: u64) -> Option<u64> {
        let for_all = commit_id.checked_div(self.every)? * self.every;
        let for_parts = for_all + self.every / 2;
        let plan = if for_parts <= commit_id { for_parts } else { for_all };
        (plan > 0).then_some(plan)
    }

    /// The files that a plan at a commit considers.
    const fn scope(&self, planned: u64) -> Scope {
        if planned.is_multiple_of(self.every) { Scope::AllFiles } else { Scope::Parts }
    }
}
