//! The keyed fold: every ordered view is one.
//!
//! Events are exchanged by key and wait until the frontier has passed their tick. Then they are applied in the order of
//! their [`Place`](headwater_schemas::Place)s: effective time, topic, partition, offset. So what a view says is a
//! function of what the topics hold, and of nothing else: not of arrival, number of workers, tick size or batches.
//!
//! ```text
//!  events ────exchange by key──┐                                           ┌────► tables    rows, dead letters
//!  broadcasts (every worker) ──┤─► stash ─► release below the frontier ─► apply ► derived   events with a place
//!  ends of partitions ─────────┘                 timers ────────────────────┴────► updates   what keys are, on the grid
//! ```
//!
//! - **Writing a view** is writing a [`View`]: a key, a state, its tables and pure functions. [`testing`](crate::testing) runs it
//!   on a list of events without a dataflow.
//! - **Rows** are emitted once per key and tick, so `_history` has one change per key and tick. A view that only
//!   valuations read emits once per grid point instead ([`Pace::Grid`]): with the grid point's time, in the last tick
//!   before it. When the input is over, the last grid point is the one after the end of time. Facts (rows of append tables) are
//!   written when they come about.
//! - **Tables** are written directly: the `done` output carries their frontier.
//! - **Updates** tell other operators what a key is, once per grid point.
//! - **Reasons**: a view names what an event corrects (a bust, a reversal, what came late: [`Outbox::correct`]). It is the reason
//!   of the changes that follow, and goes along with updates.
//! - **Timers** fire after all events of their time. A key may have several, and take one back. When the input is over, time
//!   ends at the greatest clock of any partition: later timers stay.
//! - **Work** per activation is bounded, so that a frontier that jumps does not block the worker.
//!
//! A whole view, as an example: what each account has posted in all. `operators/README.md` says where its parts go.
//!
//! ```
//! use std::sync::Arc;
//!
//! use headwater_operators::keyed_fold::{Outbox, View};
//! use headwater_operators::ledger::Posting;
//! use headwater_operators::testing::{Happening, rows_of, run, run_with_restart};
//! use headwater_schemas::tables::{Balance, Moment, TableWriter};
//! use headwater_schemas::{AccountId, Currency, EventTime, Money, Place, Placed, Topic, Total};
//!
//! #[derive(Clone)]
//! struct Posted;
//!
//! #[derive(Default)]
//! struct Sum {
//!     posted: Total,
//!     /// The row as it was emitted last: a row that stays as it was is no change.
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
//!     fn restore(&self, saved: &Arc<Vec<Balance>>, is_mine: &dyn Fn(&AccountId) -> bool) -> Vec<(AccountId, Sum)> {
//!         let sum = |row: &Balance| (row.account_id, Sum { posted: row.posted, emitted: Some(row.clone()) });
//!         saved.iter().filter(|row| is_mine(&row.account_id)).map(sum).collect()
//!     }
//! }
//!
//! let posting = |time: u64, amount: i64| {
//!     let (account_id, currency) = (AccountId::derived("a"), Currency::derived("USD"));
//!     let ts = EventTime::from_effective(time);
//!     let posting = Posting { account_id, currency, posted: Money::whole(amount), held: Money::ZERO, ts, correction: None };
//!     Placed { place: Place::of_record(time, Topic::Transactions, 0, time), event: Happening::Event(posting) }
//! };
//! let postings = vec![posting(1, 100), posting(2, -30), posting(3, 5)];
//! let whole = run(Posted, postings.clone());
//! assert_eq!(rows_of(&whole.tables)[0].posted, Total::whole(75));
//! // It goes on from the rows that it has emitted as if nothing had happened.
//! assert_eq!(rows_of(&run_with_restart(Posted, postings, 2).tables), rows_of(&whole.tables));
//! ```

mod by_account;
mod fold;
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
pub use operator::{Before, FoldInput, FoldOperator, FoldOutput, FoldTables, Pace, Reject, Share, keyed_fold};
pub use view::{Outbox, Updated, Updates, View, worker_number};
