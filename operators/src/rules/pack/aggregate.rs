//! Aggregates: kind, field, filter and type.

use headwater_schemas::Text;
use headwater_schemas::tables::EventRole;

use crate::rules::expression::{Node, Type};
use crate::rules::field::Field;

/// The function that aggregates events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::rules) enum AggregateKind {
    Count,
    Sum,
    Average,
    Max,
    Distinct,
    Deviation,
    Median,
    FirstSeen,
    Last,
}

impl AggregateKind {
    pub(super) const ALL: [(&'static str, Self); 9] = [
        ("count", Self::Count),
        ("sum", Self::Sum),
        ("avg", Self::Average),
        ("max", Self::Max),
        ("distinct", Self::Distinct),
        ("stddev", Self::Deviation),
        ("median", Self::Median),
        ("first_seen", Self::FirstSeen),
        ("last", Self::Last),
    ];

    /// Whether it includes the scored event.
    pub(in crate::rules) const fn includes_current(self) -> bool {
        matches!(self, Self::Count | Self::Sum | Self::Distinct)
    }

    /// Whether its values are whole numbers.
    pub(in crate::rules) const fn is_whole(self) -> bool {
        matches!(self, Self::Count | Self::Distinct)
    }

    pub(super) const fn needs_field(self) -> bool {
        !matches!(self, Self::Count | Self::FirstSeen)
    }

    /// The required type of its field, for messages.
    pub(super) const fn takes(self) -> &'static str {
        match self {
            Self::Max => "a number or a time",
            _ => "a number",
        }
    }

    /// The type of the aggregate, if its field has a permitted type.
    pub(super) fn result(self, field: Option<Type>) -> Option<Type> {
        match (self, field) {
            (Self::Count | Self::Distinct, _) => Some(Type::Number),
            (Self::Sum | Self::Average | Self::Median, Some(Type::Number)) => Some(Type::Number),
            (Self::Deviation, Some(Type::Number)) => Some(Type::Estimate),
            (Self::Max, Some(Type::Number | Type::Time)) | (Self::Last, Some(_)) => field,
            (Self::FirstSeen, _) => Some(Type::Time),
            _ => None,
        }
    }
}

/// An aggregate over a window.
#[derive(Clone, Debug)]
pub(in crate::rules) struct Aggregate {
    pub(in crate::rules) name: Text,
    pub(in crate::rules) kind: AggregateKind,
    /// The aggregated field. Events without it are left out.
    pub(in crate::rules) field: Option<Field>,
    /// Only events with the same value of this field count.
    pub(in crate::rules) key: Option<Field>,
    /// Only events for which it is true count.
    pub(in crate::rules) filter: Option<Node>,
    /// Which earlier events count.
    pub(in crate::rules) window: Window,
    /// The window begins after the group's last earlier event for which it is true.
    pub(in crate::rules) since: Option<Node>,
    /// The window begins with the group's first event in it for which it is true.
    pub(in crate::rules) from: Option<Node>,
    pub(in crate::rules) type_of: Type,
    pub(in crate::rules) followers: Followers,
    /// Whether transactions count for the account of the other side, too.
    pub(in crate::rules) is_of_party: bool,
}

impl Aggregate {
    /// Whether another one counts the same, whatever it is called.
    pub(in crate::rules) fn counts_as(&self, other: &Self) -> bool {
        let meaning = |it: &Self| (it.kind, it.field, it.key, it.window, it.followers, it.is_of_party);
        meaning(self) == meaning(other) && self.filter == other.filter && self.since == other.since && self.from == other.from
    }
}

/// The events that an aggregate counts, up to the scored one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::rules) enum Window {
    /// Those that are at most so much older, in nanoseconds.
    Rolling(i64),
    /// Those of the same day in the customer's time zone; in UTC where it is unknown.
    Day,
    /// Those of the same month, likewise.
    Month,
}

const HOUR: i64 = 3_600 * 1_000_000_000;

impl Window {
    /// The greatest age that an event in it can have, in nanoseconds. A day can be longer by an hour or two when clocks are
    /// turned back.
    pub(in crate::rules) const fn reach(self) -> i64 {
        match self {
            Self::Rolling(length) => length,
            Self::Day => 26 * HOUR,
            Self::Month => (31 * 24 + 2) * HOUR,
        }
    }

    /// The field from which it is known where the calendar's window begins.
    pub(in crate::rules) const fn begins_at(self) -> Option<Field> {
        match self {
            Self::Rolling(_) => None,
            Self::Day => Some(Field::DayStart),
            Self::Month => Some(Field::MonthStart),
        }
    }
}

/// Captures and reversals that an aggregate counts, or a rule applies to, besides all other transactions: captures if it reads
/// `pending_id` or `phase`, reversals if it reads `reverses`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::rules) struct Followers {
    captures: bool,
    reversals: bool,
}

impl Followers {
    /// Adds the kinds that a field asks for.
    pub(super) const fn add(&mut self, field: Field) {
        self.captures |= matches!(field, Field::PendingId | Field::Phase);
        self.reversals |= matches!(field, Field::Reverses);
    }

    /// Adds the kinds that an aggregate asks for.
    pub(super) const fn merge(&mut self, other: Self) {
        self.captures |= other.captures;
        self.reversals |= other.reversals;
    }

    /// Whether a transaction of this role counts.
    pub(in crate::rules) const fn admit(self, role: EventRole) -> bool {
        match role {
            EventRole::Original => true,
            EventRole::Capture => self.captures,
            EventRole::Reversal => self.reversals,
        }
    }
}
