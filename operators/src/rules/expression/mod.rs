//! Expressions over the fields of an event and over features.
//!
//! ```text
//! amount > 10000 and (channel == "cash" or not hour_local >= 6)
//! speed_kmh(previous_location, location, ts - previous_located_at) > 900
//! amount > average + 3 * deviation        ts - first_seen <= 1d        channel in ["atm", "cash"]
//! ```
//!
//! An expression is parsed once ([`parse`]), type-checked once ([`check`]) and then evaluated for every event
//! ([`evaluate`]) without an allocation. From loosest to tightest: `or`, `and`, `not`, comparison (`== != < <= > >= in`), `+ -`,
//! `* /`.
//!
//! # Fields
//! `field.rs` has them all, with their types and the subjects that have them. `amount` is as it is, whatever the currency;
//! `amount_base` is the amount in the base currency by the rates known when the event was judged, and unknown where there are
//! none; `location` is unknown unless both coordinates are given; `home` is where the customer lives, as known when the event came;
//! `direction` and `peer` are those of the group's account; `hour_local` is 0 to 23 and `weekday_local` 1 (Monday) to 7 in the
//! customer's time zone.
//!
//! # Functions
//! `km(from, to)` and `miles(from, to)` along the earth's surface; `speed_kmh(from, to, span)`, which is infinite between two
//! places at one time; `exists(x)` and `known(x)`.
//!
//! # Types
//! - **Number**: an exact decimal with nine fraction digits. `+` and `-` are exact, `*` and `/` round half to even once.
//! - **Estimate**: a binary floating-point number: distances, speeds, standard deviations. An operation of a number and an
//!   estimate yields an estimate; an operation of numbers never does, so comparisons of money are exact.
//! - **Time** and **Span** (`ts`, `10m`), **Text**, **Word** (a text from a fixed list: a word that is not in the list is
//!   refused when the pack is loaded), **Location**, **Bool**.
//!
//! # Missing values
//! - **Unknown** is what the event or the reference data should give but does not: no location, no time zone. What is computed
//!   from it is unknown, except that `and` and `or` are known if the other side decides (Kleene's logic). A rule whose condition
//!   is unknown does not fire, and [`trace`] names the fields that would have decided it.
//! - **Nothing** is what is known not to exist: the previous event of the first one, the average of no events, a division by
//!   zero. A comparison with nothing is false, whatever the other side; arithmetic with nothing is nothing.
//! - `exists(x)` is false for nothing, and for a field that is missing from the event; for a value computed from such a field it
//!   is unknown. `known(x)` is false only for the unknown.
//!
//! # Rejected expressions A division by a constant zero, and a comparison of an amount, `hour_local` or `weekday_local` with a
//! constant that has the same result for each of their values.
//!
//! # Why not a library
//! `cel` 0.15 is well maintained and was tried. It has no decimals (money would be compared in binary floating point), does not
//! check types or names before an event arrives (`amount > "x" and nofield` compiles), treats an unknown as an error rather than
//! a value, and takes a microsecond for a condition of three comparisons: ten times the budget of a whole ruleset.

mod check;
mod clearing;
mod constant;
mod evaluate;
mod figures;
mod lex;
mod parse;
mod trace;
mod value;
mod written;

use std::sync::Arc;

use headwater_schemas::Text;

pub(super) use check::{Names, Resolved, is_reserved};
pub(super) use clearing::{clearings, compared};
pub(super) use evaluate::Scope;
pub(super) use figures::{AggregateMeaning, Glossary, LeafValues, leaf_names};
pub(super) use trace::{Leaf, decisive, unknowns};
pub(super) use value::{Type, Value, describe};

use super::field::{Field, Words};

/// An error in an expression, and its offset in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) at: usize,
    pub(super) reason: String,
}

impl Fault {
    fn new(at: usize, reason: impl Into<String>) -> Self {
        Self { at, reason: reason.into() }
    }
}

/// A typed expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Bool(bool),
    Number(i128),
    Span(i64),
    Text(Text),
    Word(Words, u8),
    Field(Field),
    /// An aggregate over a window: its index in the pack, and the second field of its key, besides the account.
    Aggregate(usize, Option<Field>),
    /// A feature computed from others.
    Named(Arc<Named>),
    Not(Box<Node>),
    And(Vec<Node>),
    Or(Vec<Node>),
    Compare(Comparison, Box<[Node; 2]>),
    Among(Box<Node>, Vec<Node>),
    Arithmetic(Operator, Box<[Node; 2]>),
    Negate(Box<Node>),
    Exists(Box<Node>),
    Known(Box<Node>),
    /// The distance between two places: in kilometres, divided by the number.
    Distance(f64, Box<[Node; 2]>),
    /// The speed between two places over a span.
    Speed(Box<[Node; 3]>),
}

/// A named expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Named {
    pub(super) name: Text,
    pub(super) type_of: Type,
    pub(super) node: Node,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Different,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
}

/// Parses an expression and checks its type against the expected one, if any. Returns all errors at once.
pub(super) fn compile(text: &str, names: &dyn Names, expected: Option<Type>) -> Result<(Node, Type), Vec<Fault>> {
    let tree = parse::parse(text).map_err(|fault| vec![fault])?;
    check::check(&tree, names, expected)
}

#[cfg(test)]
mod tests;
