//! The source: from partitions to placed events, on one clock.
//!
//! ```text
//!  partition 0 ─► clock ─► decode ─┐            ┌─► events of each topic, placed
//!  partition 1 ─► clock ─► decode ─┼─ operator ─┼─► dead letters, remap, audit
//!      …                           │            │
//!  frontier (fed back) ────────────┘            └─► ends of partitions
//! ```
//!
//! - The timely timestamp is a **tick**: effective time over the tick interval. Each partition holds a capability at its
//!   own clock and downgrades it stride by stride, so the frontier is the slowest partition's clock and topics are aligned
//!   by timely itself. Events carry their effective time; a whole stride is sent in one session.
//! - **Bounded** runs read each partition up to the end it had when the run began, then give up its capability and say
//!   at which clock it ended: time ends at the greatest of these. **Live** runs follow the wall clock at partitions'
//!   ends, until they are told to stop ([`clock`]). One that is told to stop while records are left to read ends at its last
//!   commit, as if it had been killed: time must not go on past them.
//! - **Restarts** read on exactly after a commit's last record ([`progress`]), and no clock is below the commit's end: after a
//!   commit that ended a run the greatest clock, so that a record of the next nanosecond is in time. A record that gets a later time
//!   by that than the records before it tell has a row in `remap`.
//! - **Replays** follow the rows of `remap`, and read a part of the topics if they are told to ([`Script`]).
//! - **Memory** is bounded ([`SourceSettings::budget_bytes`], [`SourceSettings::grid_lead`]): a partition pauses while what was
//!   decoded and is not done takes the budget, or while it is too many grid points ahead of what is done. The partition whose
//!   clock is the frontier never pauses: all others wait for it. What counts at one tick is read whole, however much it is. A
//!   pause changes when a record is read, not where it stands: places, `remap`, `audit` and the offsets of commits stay equal.
//! - **Partitions** are assigned by a hash of topic and number, not by a consumer group. Those that are found while a live
//!   run goes on are read from their beginning, at the clock of that moment.
//! - What a record says wrong makes it a dead letter at the partition's clock; reading goes on.

mod ahead;
pub mod clock;
mod counters;
mod operator;
mod partition;
mod progress;
mod rest;
mod script;
mod size;
#[cfg(test)]
mod tests;

pub use counters::{PartitionPosition, SourceCounters, TopicCounts};
pub use operator::{Failure, SourceOutput, SourceSettings, source};
pub use progress::{Position, SourceProgress};
pub use script::{Remapped, Remaps, Repeated, Script};

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Reads the wall clock: nanoseconds since the epoch. The only one in the whole flow, and injected.
pub type WallClock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// How time goes on.
#[derive(Clone)]
pub enum Mode {
    /// Reads what is there, then ends.
    Bounded,
    /// Goes on until told to stop.
    Live {
        /// The wall clock.
        wall: WallClock,
        /// How far behind the wall clock a partition at its end stays, in nanoseconds: the delay a producer may have.
        idle_allowance: u64,
        /// Set from outside to end the run.
        stop: Arc<AtomicBool>,
    },
}
