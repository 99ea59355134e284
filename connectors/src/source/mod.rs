//! The source: reads partitions and emits events in the order of one clock.
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
//! - **Bounded** runs read each partition up to the end it had when the run began, then drop its capability and emit the clock at
//!   which it ended: time ends at the greatest of these. **Live** runs follow the wall clock at partitions' ends, until they are
//!   stopped ([`clock`]). A live run that is stopped while records are left to read ends at its last commit, as if it had been
//!   killed: time must not advance past unread records.
//! - **Restarts** resume exactly after a commit's last record ([`progress`]), and no clock is below the commit's end. After a
//!   commit that ended a run, that is the greatest clock, so a record of the next nanosecond is in time. If the commit's end
//!   gives a record a later time than the topic alone yields, `remap` has a row.
//! - **Replays** follow the rows of `remap`, and can read a part of the topics ([`Script`]).
//! - **Memory** is bounded ([`SourceSettings::budget_bytes`], [`SourceSettings::grid_lead`]): a partition pauses while decoded
//!   events that are not processed exceed the budget, or while it is too many grid points ahead. The partition whose clock is the
//!   frontier never pauses: all others wait for it. All records of one tick are read, however many. A pause changes when a record
//!   is read, not its place: places, `remap`, `audit` and the offsets of commits stay equal.
//! - **Partitions** are assigned by a hash of topic and number, not by a consumer group. New partitions that a live run discovers
//!   are read from their beginning, at the clock of that moment.
//! - A malformed record becomes a dead letter at the partition's clock, and reading continues.
//! - **Avro** ([`AvroTopics`]): a record whose schema the registry has not answered yet is held, and its partition waits before it, like
//!   one whose broker is down: it holds the frontier, and is not at its end. Other partitions read on as far as their bounds allow.

mod ahead;
mod avro;
pub mod clock;
mod counters;
mod held;
mod last_record;
mod operator;
mod partition;
mod progress;
mod rest;
mod script;
mod size;
#[cfg(test)]
mod tests;

pub use avro::AvroTopics;
pub use counters::{PartitionPosition, SourceCounters, TopicCounts};
pub use last_record::{LastRecord, ParseLastRecordError};
pub use operator::{Failure, SourceOutput, SourceSettings, source};
pub use progress::{Position, SourceProgress};
pub use script::{Remapped, Remaps, Repeated, Script};

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use headwater_schemas::{EffectiveTime, Nanos};

/// Reads the wall clock. It is the only wall clock in the dataflow, and injected.
pub type WallClock = Arc<dyn Fn() -> EffectiveTime + Send + Sync>;

/// Bounded or live reading.
#[derive(Clone)]
pub enum Mode {
    /// Reads the records that exist at the start, then ends.
    Bounded,
    /// Runs until stopped.
    Live {
        /// The wall clock.
        wall: WallClock,
        /// How far the clock of a partition at its end lags the wall clock: the delay a producer may have.
        idle_allowance: Nanos,
        /// Set from outside to stop the run.
        stop: Arc<AtomicBool>,
    },
}
