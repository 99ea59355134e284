//! Aggregates: kind, field, filter and type.

use headwater_schemas::Text;
use headwater_schemas::tables::TransactionRole;

use crate::fraud::expression::{Node, Type};
use crate::fraud::field::Field;

/// The function that aggregates events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::fraud) enum AggregateKind {
    Count,
    Sum,
    Average,
    Max,
    Distinct,
    Deviation,
    FirstSeen,
    Last,
}

impl AggregateKind {
    pub(super) const ALL: [(&'static str, Self); 8] = [
        ("count", Self::Count),
        ("sum", Self::Sum),
        ("avg", Self::Average),
        ("max", Self::Max),
        ("distinct", Self::Distinct),
        ("stddev", Self::Deviation),
        ("first_seen", Self::FirstSeen),
        ("last", Self::Last),
    ];

    /// Whether it includes the scored event.
    pub(in crate::fraud) const fn includes_current(self) -> bool {
        matches!(self, Self::Count | Self::Sum | Self::Distinct)
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
            (Self::Sum | Self::Average, Some(Type::Number)) => Some(Type::Number),
            (Self::Deviation, Some(Type::Number)) => Some(Type::Estimate),
            (Self::Max, Some(Type::Number | Type::Time)) | (Self::Last, Some(_)) => field,
            (Self::FirstSeen, _) => Some(Type::Time),
            _ => None,
        }
    }
}

/// An aggregate over a window.
#[derive(Clone, Debug)]
pub(in crate::fraud) struct Aggregate {
    pub(in crate::fraud) name: Text,
    pub(in crate::fraud) kind: AggregateKind,
    /// The aggregated field. Events without it are left out.
    pub(in crate::fraud) field: Option<Field>,
    /// Only events with the same value of this field count.
    pub(in crate::fraud) key: Option<Field>,
    /// Only events for which it is true count.
    pub(in crate::fraud) filter: Option<Node>,
    /// The maximum age of an event relative to the scored one, in nanoseconds.
    pub(in crate::fraud) window: i64,
    pub(in crate::fraud) type_of: Type,
    pub(in crate::fraud) followers: Followers,
}

/// Captures and reversals that an aggregate counts, or a rule applies to, besides all other transactions: captures if it reads
/// `pending_id` or `phase`, reversals if it reads `reverses`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::fraud) struct Followers {
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
    pub(in crate::fraud) const fn admit(self, role: TransactionRole) -> bool {
        match role {
            TransactionRole::Original => true,
            TransactionRole::Capture => self.captures,
            TransactionRole::Reversal => self.reversals,
        }
    }
}
