//! Rule packs: fraud rules as data.
//!
//! A pack is a TOML file. It is parsed and type-checked when it is loaded. An invalid pack is rejected before any event arrives,
//! with all its problems, each with file, line, column and reason ([`PackError`]).
//!
//! ```toml
//! name = "banking"                   # the ruleset; part of every decision's id
//! subject = "transaction"            # what is scored
//!
//! [thresholds]                       # on the sum of the points of the rules that fire
//! review = 40
//! block = 70
//! critical = 100                     # optional: from here on a block's alert is critical instead of high
//!
//! [[feature]]                        # an aggregate over the account's events within a window
//! name = "spent_on_device"
//! aggregate = "sum"                  # count sum avg max distinct stddev first_seen last
//! field = "amount"                   # count and first_seen can do without; events that lack it are left out
//! window = "24h"                     # s, m, h or d: events at most so much older than the one that is scored
//! key = ["account_id", "device_id"]  # optional: only events with the same value in this field
//! filter = 'channel == "card"'       # optional: only events for which it is true; it reads fields, not features
//!
//! [[feature]]                        # or a value computed from fields and the features above it
//! name = "share"
//! value = "amount / spent_on_device"
//!
//! [[rule]]
//! name = "one_large_payment"
//! when = "share > 0.9 and amount > 5000"
//! points = 30
//! ```
//!
//! - `count`, `sum` and `distinct` include the scored event; `avg`, `max`, `stddev`, `last` and `first_seen` do not.
//! - `avg` is rounded to nine digits, half to even; `stddev` is the sample's (n − 1), computed exactly before its root, and
//!   nothing below two events. Of no event, `avg`, `max`, `last` and `first_seen` are nothing.
//! - A window counts each action of a customer once: no captures of holds, and no reversals. An aggregate counts captures if its
//!   field, key or filter reads `pending_id` or `phase`, and reversals if one of them reads `reverses`. Likewise a rule applies
//!   to captures or reversals if its condition, or a feature in it, reads one of these fields. A captured hold has the amount of
//!   its capture.
//! - `first_seen` is the time of the first such event within the window, `last` the field's value in the last one.
//! - The fields and the expressions are described in [`expression`](super::expression).

mod aggregate;
mod difference;
mod problem;
mod read;
mod section;

use std::sync::Arc;

use headwater_schemas::Text;
use headwater_schemas::tables::{Severity, Verdict};

pub(super) use aggregate::{Aggregate, AggregateKind, Followers};
pub use difference::Difference;
pub use problem::{PackError, Problem};

use super::expression::Node;
use super::field::Field;

/// The built-in pack for transactions on bank accounts.
pub const BANKING: &str = include_str!("../../../packs/banking.toml");

/// A rule pack, ready to score.
#[derive(Clone, Debug)]
pub struct Pack {
    pub(super) name: Text,
    pub(super) thresholds: Thresholds,
    pub(super) aggregates: Vec<Aggregate>,
    pub(super) rules: Vec<Rule>,
    pub(super) kept: Kept,
}

/// A rule.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) name: Text,
    pub(super) when: Node,
    pub(super) points: u32,
    pub(super) followers: Followers,
    /// Points, condition, and the features that it reads: changing any of them changes the rule.
    pub(super) meaning: Text,
}

/// Score thresholds of verdicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Thresholds {
    pub(super) review: u32,
    pub(super) block: u32,
    pub(super) critical: Option<u32>,
}

impl Thresholds {
    pub(super) const fn verdict(self, score: u32) -> Verdict {
        if score >= self.block {
            Verdict::Block
        } else if score >= self.review {
            Verdict::Review
        } else {
            Verdict::Approve
        }
    }

    pub(super) fn severity(self, score: u32) -> Severity {
        if self.critical.is_some_and(|critical| score >= critical) { Severity::Critical } else { Severity::High }
    }
}

/// The free-text fields that the pack reads: only those are remembered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Kept(Vec<Field>);

impl Kept {
    pub(super) fn add(&mut self, field: Field) {
        let is_text = field.type_of() == super::expression::Type::Text;
        if is_text && !self.0.contains(&field) {
            self.0.push(field);
        }
    }

    pub(super) fn fields(&self) -> &[Field] {
        &self.0
    }

    pub(super) fn slot(&self, field: Field) -> Option<usize> {
        self.0.iter().position(|kept| *kept == field)
    }
}

impl Pack {
    /// Parses a pack. `file` is its name in messages.
    pub fn parse(file: &str, text: &str) -> Result<Arc<Self>, PackError> {
        read::pack(file, text).map(Arc::new)
    }

    /// The built-in pack `banking`.
    pub fn banking() -> Result<Arc<Self>, PackError> {
        Self::parse("banking.toml (built in)", BANKING)
    }

    /// The ruleset's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The longest window, in nanoseconds.
    pub(super) fn longest_window(&self) -> i64 {
        self.aggregates.iter().map(|aggregate| aggregate.window).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests;
