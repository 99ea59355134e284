//! Rule packs: rules as data.
//!
//! A pack is a TOML file. It is parsed and type-checked when it is loaded. An invalid pack is rejected before any event arrives,
//! with all its problems, each with file, line, column and reason ([`PackError`]).
//!
//! ```toml
//! name = "banking"                   # the ruleset; part of every decision's id
//! subject = "transaction"            # what is judged: transaction, payment or access
//! kind = "fraud"                     # optional: the kind of its alerts
//!
//! [thresholds]                       # on the score; without them, each rule has a `severity` and raises alerts of its own
//! combine = "sum"                    # optional: how points become the score; or "noisy_or": (1 − Π(1 − p/100)) × 100
//! review = 40
//! block = 70                         # or block_above = 70: not at 70, but beyond
//! critical = 100                     # optional: from here on a block's alert is critical instead of high
//!
//! [[feature]]                        # an aggregate over a group's events within a window
//! name = "spent_on_device"
//! aggregate = "sum"                  # count sum avg max distinct stddev median first_seen last
//! field = "amount"                   # count and first_seen can do without; events that lack it are left out
//! window = "24h"                     # s, m, h or d: events at most so much older than the one that is judged; or day, month
//! key = ["account_id", "device_id"]  # optional: the group; and a field whose value is the same
//! filter = 'channel == "card"'       # optional: only events for which it is true; it reads fields, not features
//! since = 'type == "deposit"'        # optional: only events after the group's last earlier one for which it is true
//! # from = 'type == "deposit"'       # or: only events from the group's first one in the window on for which it is true
//!
//! [[feature]]                        # or a value computed from fields and the features above it
//! name = "share"
//! value = "amount / spent_on_device"
//!
//! [[rule]]
//! name = "one_large_payment"
//! when = "share > 0.9 and amount > 5000"
//! points = 30
//! rise = { when = "amount > 50000", points = 60 }   # optional: a further condition with its own points, or severity
//! quiet = "2d"                       # optional: events so far apart belong to one alert of a pack without points
//! effective_from = "2026-02-01T00:00:00Z"           # optional: earlier events are not judged by it
//! owner = "fraud desk"               # optional, for people, like `regulation` and `description`
//! ```
//!
//! - **Tests** (`[[test]]`, `cases.rs`) are run when the pack is loaded; one that fails is a problem of the pack.
//! - **Groups**: transactions are grouped by `account_id` (if a pack does not say), `party` or `customer_id`; payments and accesses
//!   by any text field (`customer_id`, `actor`). `party` counts a transaction between two accounts for both. A rule reads the
//!   windows of one group. In a pack with points all rules read the same one.
//!
//! - `count`, `sum` and `distinct` include the judged event; `avg`, `max`, `stddev`, `median`, `last` and `first_seen` do not.
//! - `avg` is rounded to nine digits, half to even; `median` of an even number is the mean of the middle two, rounded likewise;
//!   `stddev` is the sample's (n − 1), computed exactly before its root, and nothing below two events. Of no event, `avg`, `max`,
//!   `median`, `last` and `first_seen` are nothing.
//! - A window with `since` begins after the last event of the group, before the judged one, for which that is true. It also has
//!   the length that `window` gives, or 30 days: what it holds is remembered no longer than other windows.
//! - A window with `from` begins with the first event of the group in it, before the judged one, for which that is true. Without such
//!   an event it has the judged one alone.
//! - A window counts each action of a customer once: no captures of holds, and no reversals. An aggregate counts captures if its
//!   field, key, filter, `since` or `from` reads `pending_id` or `phase`, and reversals if one of them reads `reverses`. Likewise a rule applies
//!   to captures or reversals if its condition, or a feature in it, reads one of these fields. A captured hold has the amount of
//!   its capture.
//! - `first_seen` is the time of the first such event within the window, `last` the field's value in the last one.
//! - The fields and the expressions are described in [`expression`](super::expression).

mod aggregate;
mod cases;
mod difference;
mod problem;
mod read;
mod section;

use std::sync::Arc;

use headwater_schemas::tables::{AlertKind, EventRole, Severity, Verdict};
use headwater_schemas::value::fixed;
use headwater_schemas::{Nanos, Text, Topic};

pub(super) use aggregate::{Aggregate, AggregateKind, Followers, Window};
pub use difference::Difference;
pub use problem::{PackError, Problem};

use super::expression::Node;
use super::field::Field;
use super::subject::{Grouping, Subject};

/// The built-in packs: name and text.
pub const BUILT_IN: [(&str, &str); 5] = [
    ("banking", include_str!("../../../packs/banking.toml")),
    ("payments", include_str!("../../../packs/payments.toml")),
    ("aml", include_str!("../../../packs/aml.toml")),
    ("compliance", include_str!("../../../packs/compliance.toml")),
    ("access", include_str!("../../../packs/access.toml")),
];

/// A rule pack, ready to judge events.
#[derive(Clone, Debug)]
pub struct Pack {
    pub(super) name: Text,
    pub(super) subject: Subject,
    /// The rules, by what they group events by.
    pub(super) rulesets: Vec<Ruleset>,
    /// The number of its own tests, which it passed.
    tests: usize,
}

/// The rules of a pack whose windows group events by the same field.
#[derive(Clone, Debug)]
pub(super) struct Ruleset {
    /// The pack's name.
    pub(super) name: Text,
    pub(super) subject: Subject,
    pub(super) grouping: Grouping,
    pub(super) kind: AlertKind,
    /// How points become a decision; none if each rule raises its own alert.
    pub(super) scoring: Option<Scoring>,
    pub(super) aggregates: Vec<Aggregate>,
    /// The place of each aggregate of the pack, by its number, among those of the ruleset.
    pub(super) places: Vec<Option<usize>>,
    pub(super) rules: Vec<Rule>,
    pub(super) kept: Arc<Kept>,
}

/// A rule.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) name: Text,
    pub(super) when: Node,
    /// The condition as written.
    pub(super) condition: Text,
    /// Points that it adds to the score; the [`rank`] of its severity where the pack has none.
    pub(super) points: u32,
    /// When it weighs more.
    pub(super) rise: Option<Rise>,
    /// Events for which it fires belong to one alert if each follows the one before within this time, in nanoseconds.
    pub(super) quiet: i64,
    /// It applies to events from this time of their own on.
    pub(super) effective_from: Option<i64>,
    pub(super) followers: Followers,
    /// Points, condition, and the features that it reads: changing any of them changes the rule.
    pub(super) meaning: Text,
}

/// How the points of the rules that fire become a score, and the score a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scoring {
    pub(super) combine: Combine,
    pub(super) thresholds: Thresholds,
}

/// How points become a score.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Combine {
    /// Their sum.
    #[default]
    Sum,
    /// (1 − Π(1 − p/100)) × 100: each rule takes its share of what the others leave, and the score stays below 100.
    NoisyOr,
}

impl Combine {
    /// The score, in billionths.
    pub(super) fn score(self, points: impl Iterator<Item = u32>) -> i64 {
        const WHOLE: i64 = 100 * UNIT;
        match self {
            Self::Sum => points.fold(0, |score: i64, points| score.saturating_add(i64::from(points).saturating_mul(UNIT))),
            Self::NoisyOr => {
                // Exact for up to five rules; then rounded to billionths, half to even.
                let left = points
                    .fold(i128::from(WHOLE), |left, points| fixed::quotient(left, 100 - i128::from(points.min(100)), 100).unwrap_or(0));
                WHOLE.saturating_sub(i64::try_from(left).unwrap_or(0))
            }
        }
    }
}

/// The points of a rule that fires in a pack without points. They stand for its severity: 1 for the lowest.
pub(super) fn rank(severity: Severity) -> u32 {
    Severity::ALL.iter().zip(1..).find(|(known, _)| **known == severity).map_or(1, |(_, rank)| rank)
}

/// The severity of an event for which a rule fired with that many points, judged by a version of a pack without points. It is that of
/// this version, whatever severity the rule has now.
pub(super) fn ranked(points: f64) -> Severity {
    let reached = Severity::ALL.iter().rev().find(|severity| f64::from(rank(**severity)) <= points);
    reached.copied().unwrap_or(Severity::Low)
}

/// One point, in billionths.
pub(super) const UNIT: i64 = 1_000_000_000;

/// The least scores of verdicts, in billionths of a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Thresholds {
    pub(super) review: i64,
    pub(super) block: i64,
    pub(super) critical: Option<i64>,
}

impl Thresholds {
    /// The verdicts beyond approval with their least scores, the gravest first.
    pub(super) const fn all(self) -> [(Verdict, i64); 2] {
        [(Verdict::Block, self.block), (Verdict::Review, self.review)]
    }

    pub(super) const fn verdict(self, score: i64) -> Verdict {
        if score >= self.block {
            Verdict::Block
        } else if score >= self.review {
            Verdict::Review
        } else {
            Verdict::Approve
        }
    }

    pub(super) fn severity(self, score: i64) -> Severity {
        if self.critical.is_some_and(|critical| score >= critical) { Severity::Critical } else { Severity::High }
    }
}

/// The fields that a pack reads: only those are stored with events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    own: Vec<Field>,
    facts: Vec<Field>,
    /// The place of each field, by its number.
    slots: [Option<Slot>; Field::ALL.len()],
}

/// Where a field of an event is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    /// Among its own fields.
    Own(u8),
    /// Among what was known of its account and customer.
    Fact(u8),
}

impl Default for Kept {
    fn default() -> Self {
        Self { own: Vec::new(), facts: Vec::new(), slots: [None; Field::ALL.len()] }
    }
}

impl Kept {
    pub(super) fn add(&mut self, field: Field) {
        let Some(slot) = self.slots.get_mut(field as usize).filter(|slot| field.is_stored() && slot.is_none()) else { return };
        let (fields, kind): (_, fn(u8) -> Slot) = if field.is_fact() { (&mut self.facts, Slot::Fact) } else { (&mut self.own, Slot::Own) };
        *slot = u8::try_from(fields.len()).ok().map(kind);
        fields.push(field);
    }

    /// The fields of the event itself.
    pub(super) fn own(&self) -> &[Field] {
        &self.own
    }

    /// What is known of its account and customer.
    pub(super) fn facts(&self) -> &[Field] {
        &self.facts
    }

    /// All of them.
    pub(super) fn fields(&self) -> impl Iterator<Item = Field> {
        self.own.iter().chain(&self.facts).copied()
    }

    pub(super) fn slot(&self, field: Field) -> Option<Slot> {
        self.slots.get(field as usize).copied().flatten()
    }
}

/// A further condition under which a rule has other points and another severity.
#[derive(Clone, Debug)]
pub(super) struct Rise {
    pub(super) when: Node,
    /// The condition as written.
    pub(super) condition: Text,
    pub(super) points: u32,
    pub(super) severity: Severity,
}

impl Rule {
    /// Whether it applies to an event.
    pub(super) fn applies(&self, role: EventRole, ts: i64) -> bool {
        self.followers.admit(role) && self.effective_from.is_none_or(|from| from <= ts)
    }
}

impl Ruleset {
    /// The aggregate with a number, and its place.
    pub(super) fn aggregate(&self, number: usize) -> Option<(usize, &Aggregate)> {
        let place = self.places.get(number).copied().flatten()?;
        Some((place, self.aggregates.get(place)?))
    }

    /// The severity of the alert about a decision with a score; none if it raises none.
    pub(super) fn severity(&self, score: i64, verdict: Verdict) -> Option<Severity> {
        let thresholds = self.scoring.filter(|_| verdict == Verdict::Block)?.thresholds;
        Some(thresholds.severity(score))
    }

    /// The greatest age of an event that a window can hold, in nanoseconds.
    pub(super) fn longest_window(&self) -> i64 {
        self.aggregates.iter().map(|aggregate| aggregate.window.reach()).max().unwrap_or(0)
    }
}

impl Pack {
    /// Parses a pack. `file` is its name in messages.
    pub fn parse(file: &str, text: &str) -> Result<Arc<Self>, PackError> {
        read::pack(file, text)
    }

    /// The built-in pack with a name.
    pub fn built_in(name: &str) -> Option<Result<Arc<Self>, PackError>> {
        let (name, text) = BUILT_IN.iter().find(|(known, _)| *known == name)?;
        Some(Self::parse(&format!("{name}.toml (built in)"), text))
    }

    /// The ruleset's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The number of its rules.
    pub fn rule_count(&self) -> usize {
        self.rulesets.iter().map(|ruleset| ruleset.rules.len()).sum()
    }

    /// The number of its own tests, which it passed.
    pub const fn test_count(&self) -> usize {
        self.tests
    }

    /// What its rules judge.
    pub const fn subject(&self) -> Subject {
        self.subject
    }

    /// The topic of the events that it judges.
    pub const fn topic(&self) -> Topic {
        self.subject.topic()
    }

    /// Whether transactions are grouped by customer, so that the owners of their accounts have to be known.
    pub fn needs_owners(&self) -> bool {
        self.subject == Subject::Transaction && self.rulesets.iter().any(|ruleset| ruleset.grouping == Grouping::Customer)
    }

    /// The values that its events are grouped by, of which alerts are: `account_id`, `customer_id`, `party` or another field.
    pub fn groupings(&self) -> impl Iterator<Item = &str> {
        self.rulesets.iter().map(|ruleset| ruleset.grouping.name())
    }

    /// Whether its rules read amounts in the base currency, so that exchange rates have to be known.
    pub fn needs_rates(&self) -> bool {
        self.rulesets.iter().any(|ruleset| ruleset.kept.slot(Field::AmountBase).is_some())
    }

    /// The greatest age of an event that a window can hold.
    pub fn reach(&self) -> Nanos {
        Nanos::new(u64::try_from(self.longest_window()).unwrap_or(0))
    }

    /// The greatest age of an event that a window can hold, in nanoseconds.
    pub(super) fn longest_window(&self) -> i64 {
        self.rulesets.iter().map(Ruleset::longest_window).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests;
