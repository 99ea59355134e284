//! The keyed fold: every ordered view is one.
//!
//! Events are exchanged by key and wait until the frontier has passed their tick. Then they are applied in the order of
//! their [`Place`](headwater_schemas::Place)s: effective time, topic, partition, offset. So what a view says is a
//! function of what the topics hold, and of nothing else: not of arrival, number of workers, tick size or batches.
//!
//! ```text
//!  events ────exchange by key──┐
//!  broadcasts (every worker) ──┤─► stash ─► release below the frontier ─► apply in order ─► rows      (row, tick, ±1)
//!  ends of partitions ─────────┘                 timers ─────────────────────▲       ├────► derived   events with a place
//!                                                                                    └────► dead letters
//! ```
//!
//! - **Writing a view** is writing a [`View`]: a key, a state and a pure function. [`testing`](crate::testing) runs it on
//!   a list of events without a dataflow.
//! - **Rows** are settled once per key and tick, so `_history` has one change per key and tick. A view that only
//!   valuations read settles once per grid point instead ([`Pace::Grid`]): with the grid point's time, in the last tick
//!   before it. When the input is over, the last grid point is the one behind the end of time.
//! - **Reasons**: a view names what an event corrects (a bust, a reversal, what came late: [`Outbox::correct`]). The rows of the
//!   key that are settled differently then go out a second time, with that reason, for histories.
//! - **Timers** fire behind all events of their time. When the input is over, time ends at the greatest clock of any
//!   partition: later timers stay.
//! - **Work** per activation is bounded, so that a frontier that jumps does not block the worker.

mod fold;
mod operator;
mod stash;
mod timers;
mod view;

pub use fold::Fold;
pub use operator::{Before, Corrected, FoldInput, FoldOutput, Pace, Share, keyed_fold};
pub use view::{Changes, Outbox, Persistent, View, route};
