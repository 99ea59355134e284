//! Fraud scoring: applies the rules of a pack to each transaction.
//!
//! - **Reads** the transactions that the ledger accepted, each once; those that it took back, restored, or captured for another
//!   amount; accounts and customers for home and time zone. Transactions that the ledger rejected are not scored.
//! - **Key**: the account. **Rows**: a decision for every transaction that is not `void` (approvals too), and an alert for each
//!   one that the rules would block ([`RuleTables`]).
//! - **A window counts each action of a customer once**: captures and reversals are neither counted nor scored by rules, unless
//!   an aggregate or rule asks for them ([`pack`]). A hold that is captured for another amount has that amount from then on;
//!   later decisions that depend on it are updated, with the reason `captured`.
//! - **Rules are data**: a [`Pack`] has features, rules and thresholds, and is type-checked when it is loaded. The score is the
//!   sum of the points of the rules that fire.
//! - **Order**: an account's events are ordered by (`ts`, rank, partition, offset): by when they happened, not by when they
//!   arrived. A window of `w` holds the events up to the scored one that are at most `w` older, both ends included; of two events
//!   with the same `ts` the one read later sees the earlier one.
//! - **A late event** is scored at its own time, and later decisions that it changes are updated: the decision becomes `amended`,
//!   its alert `raised`, `amended` or `withdrawn`, and the reason `late_event` names the event. An event that is late by more
//!   than the horizon is a dead letter (`too_late`). The horizon is a parameter of the view.
//! - **Transactions taken back** (a hold that is voided, a transaction that is reversed in full, as the ledger reports) no longer
//!   count: decision and alert become `withdrawn`, and later decisions that depend on them are updated, with the reason
//!   `taken_back`. A capture that is reversed in full takes its hold back. Decisions older than the horizon are not updated,
//!   because their windows are no longer complete.
//! - **Unknown** is not false: a rule that lacks a location or a time zone does not fire. The reasons name it with 0 points and
//!   `field=unknown`, but only if the result depends on that field ([`expression`]).
//! - **The customer's data** is looked up once, when the event arrives, and stays with the event: a customer who moves house does
//!   not change earlier decisions, and an updated decision differs only by what arrived late.
//! - **State**: the events within horizon plus longest window, with their decisions; [`RememberedEvent`]. It is a function of the
//!   topics and holds no aggregates: they are built from the events when they are needed.
//! - **Cost**: an event in order enters and leaves each window once, whatever the window's size. A late one costs the events of
//!   the windows before it and those within the longest window after it. Text is written only when a rule fires.
//!
//! [`RememberedEvent`]: headwater_schemas::tables::RememberedEvent

mod cells;
mod customers;
mod episodes;
pub mod expression;
mod field;
mod geo;
mod history;
mod outcome;
mod owners;
pub mod pack;
mod record;
mod ring;
mod running;
mod saved;
mod score;
mod span;
mod subject;
mod view;

pub use customers::Customers;
pub use history::History;
pub use owners::{Known, Owners};
pub use pack::{Difference, Pack, PackError, Problem};
pub use subject::{GroupKey, Happened, RuleEvent, Subject};
pub use view::{RuleTables, Rules, SavedRules};

#[cfg(test)]
mod tests;
