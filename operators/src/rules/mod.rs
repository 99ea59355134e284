//! Rules: packs of them judge transactions, payments and attempts to access something.
//!
//! - **Reads** the transactions that the ledger accepted, each once; those that it took back, restored, or captured for another
//!   amount; payments and accesses; accounts, customers and limits for what is known about them. Transactions that the ledger
//!   rejected are not judged.
//! - **Key**: the group whose events a window counts, as each ruleset of the pack says ([`GroupKey`]): an account, both accounts
//!   of a transfer, a customer, a device. **Rows** ([`RuleTables`]): a pack with points makes a decision about every event, and an
//!   alert about each one that it would block; a pack without raises an alert for each episode in which a rule fires
//!   (`episodes.rs`).
//! - **A window counts each action of a customer once**: captures and reversals are neither counted nor judged, unless an
//!   aggregate or rule asks for them ([`pack`]). A hold that is captured for another amount has that amount from then on; later
//!   decisions that depend on it are updated, with the reason `captured`. A payment is judged when it is first seen.
//! - **Rules are data**: a [`Pack`] has features, rules and thresholds, and is type-checked when it is loaded.
//! - **Order**: a group's events are ordered by (`ts`, rank, partition, offset): by when they happened, not by when they arrived. A
//!   window of `w` holds the events up to the judged one that are at most `w` older, both ends included; of two events with the
//!   same `ts` the one read later sees the earlier one.
//! - **A late event** is judged at its own time, and later decisions that it changes are updated: the decision becomes `amended`,
//!   its alert `raised`, `amended` or `withdrawn`, and the reason `late_event` names the event. An event that is late by more
//!   than the horizon is a dead letter (`too_late`). The horizon is a parameter of the view.
//! - **Transactions taken back** (a hold that is voided, a transaction that is reversed in full, as the ledger reports) no longer
//!   count: decision and alert become `withdrawn`, and later decisions that depend on them are updated, with the reason
//!   `taken_back`. A capture that is reversed in full takes its hold back. Decisions older than the horizon are not updated,
//!   because their windows are no longer complete.
//! - **Unknown** is not false: a rule that lacks a location or a time zone does not fire. The reasons name it with 0 points and
//!   `field=unknown`, but only if the result depends on that field ([`expression`]).
//! - **Reference data** is looked up once, when the event arrives, and stays with the event: a customer who moves house does not
//!   change earlier decisions, and an updated decision differs only by what arrived late. If an account changes its customer, what
//!   is taken back of before is taken back in the groups of all its customers.
//! - **A new version of a pack** judges what is read from where it begins ([`Coverage`]). Late events and reversals do not make it
//!   decide about earlier events: those keep the decisions of earlier versions, which a reversal still withdraws.
//! - **State**: the events within horizon plus longest window that a window counts or a rule fired for, with the fields that the
//!   packs read ([`RememberedEvent`]), and what was found about them ([`RuleOutcome`]). It is a function of the topics and holds no
//!   aggregates: they are built from the events when they are needed.
//! - **Packs with the same subject share it** (`grouped.rs`): an event of a group is remembered once, as long as the longest window
//!   of any of them asks, and an aggregate that several rules read is kept once. Where no rule can be about an event, by its words
//!   alone (`gate.rs`), it is not looked at.
//! - **Cost**: an event in order enters and leaves each window once, whatever the window's size. A late one costs the events of
//!   the windows before it and those within the longest window after it. Text is written only when a rule fires.
//!
//! [`RememberedEvent`]: headwater_schemas::tables::RememberedEvent
//! [`RuleOutcome`]: headwater_schemas::tables::RuleOutcome

mod cells;
mod coverage;
mod customers;
mod episodes;
mod explain;
pub mod expression;
mod field;
mod gate;
mod geo;
mod grouped;
mod history;
mod known_cells;
mod median;
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

pub use coverage::{Coverage, Coverages, Offsets};
pub use customers::{BaseCurrency, Customers};
pub use explain::{Reached, RuleExplanation, Without};
pub use history::History;
pub use owners::{Known, OwnerTables, Owners, SavedOwners};
pub use pack::{Difference, Pack, PackError, Problem};
pub use subject::{GroupKey, Happened, RuleEvent, Subject};
pub use view::{RuleTables, Rules, SavedRules};

#[cfg(test)]
mod tests;
