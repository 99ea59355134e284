//! Fraud scoring: what the rules of a pack make of each transaction.
//!
//! - **Reads** the transactions that the ledger took, each once; what it took back, restored, or captured for another amount; accounts
//!   and customers for home and time zone. What the ledger refused is not scored.
//! - **Key**: the account. **Rows**: a decision for every transaction that is not `void` (approvals too), and an alert for
//!   every one that the rules would block ([`FraudTables`]).
//! - **A window counts what a customer did, once**: no captures and no reversals, and rules are not about them, unless they ask for
//!   them ([`pack`]). A hold that is captured for another amount has that amount from then on, and what that changes is decided
//!   again, with the reason `captured`.
//! - **Rules are data**: a [`Pack`] has features, rules and thresholds, and is typed when it is loaded. The score is the
//!   sum of the points of the rules that fire.
//! - **Order**: an account's events stand by (`ts`, rank, partition, offset): by when they happened, not by when they came.
//!   A window of `w` holds the events up to the one that is scored that are at most `w` older, both ends included; of two
//!   events with one `ts` the later read one sees the earlier one.
//! - **A late event** is scored where it belongs, and what it changes behind it is decided again: the row becomes `amended`,
//!   its alert `raised`, `amended` or `withdrawn`, and the reason `late_event` names the event. Later than the horizon
//!   behind its effective time it is a dead letter (`too_late`). The horizon is given with the view.
//! - **What is taken back** (a hold that is voided, a transaction that is reversed to the last unit: the ledger says so) does not
//!   count any more: its decision is `withdrawn`, its alert too, and what it changes behind it is decided again, with the reason
//!   `taken_back`. A capture that is reversed to the last unit takes its hold back. What is older than the horizon is not decided again: its
//!   windows are not whole any more.
//! - **Unknown** is not false: a rule that lacks a location or a time zone does not fire, and is named in the reasons with 0
//!   points and `field=unknown`, but only if it depends on that ([`expression`]).
//! - **What is known of the customer** is looked up once, when the event comes, and stays with it: who moves house does not
//!   change what was decided before, and a repeated decision differs only by what came late.
//! - **State**: the events within horizon plus longest window, with their decisions; [`ScoredEvent`]. It is a function of
//!   the topics and holds no aggregates: those are built from the events when they are needed.
//! - **Cost**: an event in order enters and leaves each window once, whatever the window holds. A late one costs the events
//!   of the windows before it and those within the longest window behind it. Text is written only when a rule fires.
//!
//! [`ScoredEvent`]: headwater_schemas::tables::ScoredEvent

mod customers;
pub mod expression;
mod field;
mod geo;
mod history;
mod outcome;
pub mod pack;
mod record;
mod ring;
mod running;
mod saved;
mod score;
mod span;
mod view;

pub use customers::Customers;
pub use history::AccountHistory;
pub use pack::{Difference, Pack, PackError, Problem};
pub use view::{Fraud, FraudEvent, FraudTables, SavedFraud};

#[cfg(test)]
mod tests;
