//! Expressions over the fields of a transaction and over features.
//!
//! ```text
//! amount > 10000 and (channel == "cash" or not hour_local >= 6)
//! speed_kmh(previous_location, location, ts - previous_located_at) > 900
//! amount > average + 3 * deviation        ts - first_seen <= 1d        channel in ["atm", "cash"]
//! ```
//!
//! An expression is read once ([`parse`]), typed once ([`check`]) and then evaluated for every transaction ([`evaluate`])
//! without an allocation. From loosest to tightest: `or`, `and`, `not`, comparison (`== != < <= > >= in`), `+ -`, `* /`.
//!
//! # Fields
//! | field | type | |
//! |---|---|---|
//! | `amount` | number | as it is, whatever the currency |
//! | `ts` | time | the event's own |
//! | `type`, `phase`, `channel` | word | as in the topic `transactions`; `phase` is `posted` if not given |
//! | `currency`, `counterparty_account`, `pending_id`, `reverses`, `merchant`, `mcc`, `device_id`, `country` | text | |
//! | `location` | location | latitude and longitude; unknown unless both are given |
//! | `home` | location | where the customer lives, as known when the event came |
//! | `hour_local`, `weekday_local` | number | in the customer's time zone: 0 to 23; 1 (Monday) to 7 |
//!
//! # Functions
//! `km(from, to)` and `miles(from, to)` along the earth's surface; `speed_kmh(from, to, span)`, which is infinite between two
//! places at one time; `exists(x)` and `known(x)`.
//!
//! # Types
//! - **Number**: an exact decimal with nine fraction digits. `+` and `-` are exact, `*` and `/` round half to even once.
//! - **Estimate**: a binary floating-point number: distances, speeds, standard deviations. What a number meets an estimate
//!   in becomes an estimate; numbers among themselves never do, so comparisons of money are exact.
//! - **Time** and **Span** (`ts`, `10m`), **Text**, **Word** (a text from a fixed list: a word that is not in the list is
//!   refused when the pack is loaded), **Location**, **Bool**.
//!
//! # What is not there
//! - **Unknown** is what the event or the reference data should tell but don't: no location, no time zone. What is computed
//!   from it is unknown; `and` and `or` are known all the same if the other side decides (Kleene's logic). A rule whose
//!   condition is unknown does not fire, and [`trace`] says which fields would have decided it.
//! - **Nothing** is what is known not to be: the last event before the first one, the average of no event, a quotient by
//!   zero. A comparison with nothing is false, whatever the other side; arithmetic with nothing is nothing.
//! - `exists(x)` is false for nothing, and for a field that the event does not give; of what is computed from such a field it is
//!   unknown. `known(x)` is false for the unknown alone.
//!
//! # What is refused
//! A quotient by a constant that is zero, and a comparison of `amount`, `hour_local` or `weekday_local` with a constant that has the
//! same result for each of their values.
//!
//! # Why not a library
//! `cel` 0.15 is kept well and was tried. It has no decimals (money would be compared in binary floating point), nothing
//! checks types or names before an event arrives (`amount > "x" and nofield` compiles), an unknown is an error rather than
//! a value, and a condition of three comparisons took a microsecond: ten times what a whole ruleset may take.

mod check;
mod constant;
mod evaluate;
mod lex;
mod parse;
mod trace;
mod value;

use std::sync::Arc;

use headwater_schemas::Text;

pub(super) use check::{Names, Resolved, is_reserved};
pub(super) use evaluate::Scope;
pub(super) use trace::{Leaf, decisive, unknowns};
pub(super) use value::{Type, Value, describe};

use super::field::{Field, Words};

/// What is wrong in an expression, and where: an offset in bytes.
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
    /// An aggregate over a window: its number in the pack, and the field besides the account that it is kept by.
    Aggregate(usize, Option<Field>),
    /// A feature that is computed from others.
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
    /// The way between two places: in kilometres, divided by so many.
    Distance(f64, Box<[Node; 2]>),
    /// The speed from one place to another in a span.
    Speed(Box<[Node; 3]>),
}

/// An expression with a name.
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

/// Reads and types an expression that must be of a type, if one is given. All that is wrong is said at once.
pub(super) fn compile(text: &str, names: &dyn Names, expected: Option<Type>) -> Result<(Node, Type), Vec<Fault>> {
    let tree = parse::parse(text).map_err(|fault| vec![fault])?;
    check::check(&tree, names, expected)
}

#[cfg(test)]
mod tests;
