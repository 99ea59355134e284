//! The keyed fold: the operator of every view whose result depends on the order of events.
//!
//! Events are exchanged by key and wait until the frontier has passed their tick. Then they are applied in the order of their
//! [`Place`](headwater_schemas::Place)s: effective time, topic, partition, offset. So the rows of a view are a function of the
//! topics alone: not of arrival order, number of workers, tick size or batches.
//!
//! ```text
//!  events ────exchange by key──┐                                           ┌────► tables    rows, dead letters
//!  broadcasts (every worker) ──┤─► stash ─► release below the frontier ─► apply ► derived   events with a place
//!  ends of partitions ─────────┘                 timers ────────────────────┴────► updates   states of keys, on the grid
//! ```
//!
//! - **To write a view**, implement [`View`]: a key, a state, its tables and pure functions. [`testing`](crate::testing) runs it
//!   on a list of events without a dataflow.
//! - **Rows** are emitted once per key and tick, so `_history` has one change per key and tick. A view that only valuations read
//!   emits once per grid point instead ([`Pace::Grid`]): with the grid point's time, in the last tick before it. When the input
//!   has ended, the last grid point is the one after the end of time. Facts (rows of append tables) are written at once.
//! - **Tables** are written directly: the `done` output carries their frontier.
//! - **Updates** send the state of a key to other operators, once per grid point.
//! - **Corrections**: a view names what an event corrects (a bust, a reversal, a late event: [`Outbox::correct`]). The correction
//!   is the reason of the changes that follow, and is sent along with updates.
//! - **Timers** fire after all events of their time. A key may have several, and cancel them. When the input has ended, time ends
//!   at the greatest clock of any partition: later timers do not fire.
//! - **Work** per activation is bounded, so that a frontier that jumps does not block the worker.
//!
//! A complete view as an example: the total that each account has posted. `operators/README.md` explains where its parts belong.
//!
//! ```
//! use std::sync::Arc;
//!
//! use headwater_operators::keyed_fold::{Outbox, States, View};
//! use headwater_operators::ledger::Posting;
//! use headwater_operators::testing::{Happening, rows_of, run, run_with_restart};
//! use headwater_schemas::tables::{Balance, Moment, TableWriter};
//! use headwater_schemas::{AccountId, Currency, EffectiveTime, EventTime, Id, Money, Offset, Place, Placed, Topic, Total};
//!
//! #[derive(Clone)]
//! struct Posted;
//!
//! #[derive(Default)]
//! struct Sum {
//!     posted: Total,
//!     /// The row emitted last: an unchanged row is no change.
//!     emitted: Option<Balance>,
//! }
//!
//! impl View for Posted {
//!     type Key = AccountId;
//!     type Route = AccountId;
//!     type Event = Posting;
//!     type Broadcast = ();
//!     type Context = ();
//!     type State = Sum;
//!     type Timer = ();
//!     type Tables = TableWriter<Balance>; // one table; `table_set!` declares several
//!     type Derived = ();
//!     type Update = ();
//!
//!     fn key(&self, posting: &Posting) -> AccountId {
//!         posting.account_id
//!     }
//!
//!     fn route(account: &AccountId) -> AccountId {
//!         *account
//!     }
//!
//!     fn learn(&self, (): &mut (), _: Placed<()>) {}
//!
//!     fn apply(&self, (): &(), _: &AccountId, sum: &mut Sum, posting: Placed<Posting>, _: &mut Outbox<'_, Self>) {
//!         sum.posted = sum.posted.checked_add(posting.event.posted).unwrap_or(sum.posted);
//!     }
//!
//!     fn emit(&self, (): &(), account: &AccountId, sum: &mut Sum, at: &Moment, table: &TableWriter<Balance>) {
//!         let row = Balance {
//!             account_id: *account,
//!             currency: Currency::derived("USD"),
//!             posted: sum.posted,
//!             pending: Total::ZERO,
//!             available: sum.posted,
//!             ts: at.event_time(),
//!         };
//!         table.replace(at, sum.emitted.replace(row.clone()), Some(row));
//!     }
//!
//!     fn restore(&self, saved: &Arc<Vec<Balance>>, states: &mut States<'_, Self>) {
//!         for row in saved.iter() {
//!             let Some(sum) = states.of(&row.account_id) else { continue };
//!             *sum = Sum { posted: row.posted, emitted: Some(row.clone()) };
//!         }
//!     }
//! }
//!
//! let posting = |nanos: u64, amount: i64| {
//!     let (account_id, currency) = (AccountId::derived("a"), Currency::derived("USD"));
//!     let time = EffectiveTime::new(nanos);
//!     let ts = EventTime::from_effective(time);
//!     let posting = Posting {
//!         account_id,
//!         currency,
//!         posted: Money::whole(amount),
//!         held: Money::ZERO,
//!         is_use: true,
//!         transaction_id: Id::derived(format!("t{time}")),
//!         balance_after: None,
//!         ts,
//!         correction: None,
//!     };
//!     Placed { place: Place::of_record(time, Topic::Transactions, 0, Offset::new(nanos)), event: Happening::Event(posting) }
//! };
//! let postings = vec![posting(1, 100), posting(2, -30), posting(3, 5)];
//! let whole = run(Posted, postings.clone());
//! assert_eq!(rows_of(&whole.tables)[0].posted, Total::whole(75));
//! // A restart from the emitted rows continues with the same result.
//! assert_eq!(rows_of(&run_with_restart(Posted, postings, 2).tables), rows_of(&whole.tables));
//! ```

mod by_account;
mod fold;
mod long_queue;
mod operator;
mod slots;
mod stash;
#[cfg(test)]
mod tests;
mod timers;
mod view;

pub use by_account::ByAccount;
pub use fold::Fold;
pub use headwater_schemas::Clock;
pub use operator::{Before, FoldInput, FoldOperator, FoldOutput, FoldTables, Pace, Reject, Restore, Share, keyed_fold};
pub use view::{Outbox, States, Updated, Updates, View, worker_number};
