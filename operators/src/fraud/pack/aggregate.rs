//! What an aggregate is: of which events, of which field, and of which type.

use headwater_schemas::Text;
use headwater_schemas::tables::TransactionRole;

use crate::fraud::expression::{Node, Type};
use crate::fraud::field::Field;

/// How events become one value.
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

    /// Whether the event that is scored is one of the events.
    pub(in crate::fraud) const fn includes_current(self) -> bool {
        matches!(self, Self::Count | Self::Sum | Self::Distinct)
    }

    pub(super) const fn needs_field(self) -> bool {
        !matches!(self, Self::Count | Self::FirstSeen)
    }

    /// What its field has to be, for messages.
    pub(super) const fn takes(self) -> &'static str {
        match self {
            Self::Max => "a number or a time",
            _ => "a number",
        }
    }

    /// The type of the aggregate of a field, if the field has one of the types that it takes.
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
    /// Events without it are left out.
    pub(in crate::fraud) field: Option<Field>,
    /// Only events that are equal in it.
    pub(in crate::fraud) key: Option<Field>,
    /// Only events for which it is true.
    pub(in crate::fraud) filter: Option<Node>,
    /// How much older an event may be, in nanoseconds.
    pub(in crate::fraud) window: i64,
    pub(in crate::fraud) type_of: Type,
    pub(in crate::fraud) followers: Followers,
}

/// The captures and reversals that an aggregate counts, or a rule is about, besides the transactions that stand for themselves: those
/// that it asks for, by reading `pending_id` or `phase`, or `reverses`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::fraud) struct Followers {
    captures: bool,
    reversals: bool,
}

impl Followers {
    /// Adds those that a field asks for.
    pub(super) const fn add(&mut self, field: Field) {
        self.captures |= matches!(field, Field::PendingId | Field::Phase);
        self.reversals |= matches!(field, Field::Reverses);
    }

    /// Adds those of an aggregate.
    pub(super) const fn merge(&mut self, other: Self) {
        self.captures |= other.captures;
        self.reversals |= other.reversals;
    }

    /// Whether a transaction belongs to what is counted.
    pub(in crate::fraud) const fn admit(self, role: TransactionRole) -> bool {
        match role {
            TransactionRole::Original => true,
            TransactionRole::Capture => self.captures,
            TransactionRole::Reversal => self.reversals,
        }
    }
}
