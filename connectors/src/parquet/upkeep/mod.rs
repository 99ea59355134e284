//! Upkeep: what keeps a data directory small, however long a run goes on.
//!
//! ```text
//!  files at commit n ─► plan ─► merged files (a thread) ─► a later commit adds them, and names what they replace
//!                         └───► what is older than its retention ─► the same commit drops it
//!  files that no commit names any more ─► removed after a while (a thread); records ─► archives, inventory
//! ```
//!
//! - The parts of segments become Parquet with every plan, and there are twice as many plans for them as for all files. With a
//!   run's last commit all become Parquet that are left.
//! - Small files of a table are merged as soon as there are enough of about a size, so that there are never many; a day that
//!   is over becomes one file. The current rows of a state table or a checkpoint are written whole once as much has changed, so
//!   that a restart reads what is, not all that was.
//! - What is older than its retention goes. Before changes go that current rows are made of, those are written whole.
//! - What is merged depends on the commits alone: the plan on the files at a commit with a certain number, and the commit that
//!   adds the result comes a certain number of commits later. So a repeated run makes the same files.
//! - Merged rows keep their `commit_id`, and changes their `tick`: every past commit can still be asked for.
//! - A reader that began at an older commit has `grace` to finish, until files are removed that a commit replaced.
//!
//! Files: [`plan`] decides, [`rows`] merges, [`merger`] runs that beside the dataflow, [`sweeper`] removes, [`archive`] writes
//! what is known of old commits in fewer files.

mod archive;
pub(super) mod merger;
mod plan;
mod rows;
pub(super) mod sweeper;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

/// What is kept up, and how.
#[derive(Clone, Debug)]
pub struct UpkeepSettings {
    /// How many commits lie between two plans for all files; 0 for no upkeep. Between two of them there is one for the parts of
    /// segments alone.
    pub every: u64,
    /// Changes of a state table or a checkpoint from which on it is written whole again, if they are as many as its rows.
    pub whole_from_changes: u64,
    /// Nanoseconds behind the end of a day from which on nothing more is expected of it.
    pub day_closes_after: u64,
    /// By table (a history under its own name): nanoseconds behind the end of a day from which on its rows are let go.
    pub retention: BTreeMap<String, u64>,
    /// How long a file stays that a commit replaced.
    pub grace: Duration,
    /// The last commit that was published as topics: what is not yet must stay.
    pub outbox: Arc<AtomicU64>,
}

/// What a plan looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    /// Everything that exists.
    AllFiles,
    /// The parts of segments alone.
    Parts,
}

impl UpkeepSettings {
    /// The commit that adds what was planned at a commit, no later than the next plan. So the rows of a segment are in Parquet at
    /// most 7/8 of `every` commits after their own: within a minute, with 64 and a commit each second.
    const fn added_in(&self, planned: u64) -> u64 {
        let merging = self.every / 2 * 3 / 4;
        planned + if merging == 0 { 1 } else { merging }
    }

    /// The last commit, up to this one, at which it was planned; none before the first. Plans for all files are `every` commits
    /// apart, and in the middle between two of them is one for parts.
    fn last_plan(&self, commit_id: u64) -> Option<u64> {
        let for_all = commit_id.checked_div(self.every)? * self.every;
        let for_parts = for_all + self.every / 2;
        let plan = if for_parts <= commit_id { for_parts } else { for_all };
        (plan > 0).then_some(plan)
    }

    /// What a plan at a commit looks at.
    const fn scope(&self, planned: u64) -> Scope {
        if planned.is_multiple_of(self.every) { Scope::AllFiles } else { Scope::Parts }
    }
}
