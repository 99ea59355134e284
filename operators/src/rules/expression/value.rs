//! Values and types of expressions.

use std::fmt::{self, Write};

use headwater_schemas::EventTime;
use headwater_schemas::value::fixed;

use crate::rules::field::Words;
use crate::rules::geo::Location;
use crate::rules::span;

/// The type of an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::rules) enum Type {
    /// True or false.
    Bool,
    /// An exact decimal.
    Number,
    /// A binary floating-point number.
    Estimate,
    /// Free text.
    Text,
    /// A text from a list.
    Word(Words),
    /// A moment.
    Time,
    /// A length of time.
    Span,
    /// A place on the earth.
    Location,
}

impl fmt::Display for Type {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => out.write_str("a condition"),
            Self::Number => out.write_str("a number"),
            Self::Estimate => out.write_str("an estimate"),
            Self::Text => out.write_str("a text"),
            Self::Word(words) => write!(out, "a {}", words.noun()),
            Self::Time => out.write_str("a time"),
            Self::Span => out.write_str("a length of time"),
            Self::Location => out.write_str("a location"),
        }
    }
}

/// A value, or the lack of one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::rules) enum Value<'a> {
    /// Known not to exist.
    Nothing,
    /// Missing from the event or the reference data.
    Unknown,
    Bool(bool),
    /// In billionths.
    Number(i128),
    Estimate(f64),
    Text(&'a str),
    Word(u8),
    /// In nanoseconds since the epoch.
    Time(i64),
    /// In nanoseconds.
    Span(i64),
    Location(Location),
}

impl Value<'_> {
    pub(in crate::rules) const fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown)
    }

    pub(in crate::rules) const fn is_true(&self) -> bool {
        matches!(self, Self::Bool(true))
    }

    /// The value as a floating-point number.
    pub(super) fn estimate(self) -> Option<f64> {
        match self {
            Self::Number(units) => Some(units as f64 / fixed::ONE as f64),
            Self::Estimate(value) => Some(value),
            _ => None,
        }
    }
}

/// Appends a value as evidence. Estimates have one digit: further digits would depend on the machine's floating point.
pub(in crate::rules) fn describe(value: Value<'_>, type_of: Type, out: &mut String) {
    let written = match (value, type_of) {
        (Value::Nothing, _) => out.write_str("none"),
        (Value::Unknown, _) => out.write_str("unknown"),
        (Value::Bool(value), _) => write!(out, "{value}"),
        (Value::Number(units), _) => fixed::write(units, out),
        (Value::Estimate(value), _) => write!(out, "{value:.1}"),
        (Value::Text(text), _) => out.write_str(text),
        (Value::Word(code), Type::Word(words)) => out.write_str(words.word(code).unwrap_or_default()),
        (Value::Word(code), _) => write!(out, "{code}"),
        (Value::Time(nanos), _) => write!(out, "{}", EventTime::from_nanos(nanos)),
        (Value::Span(nanos), _) => span::write(nanos, out),
        (Value::Location(place), _) => write!(out, "{},{}", place.lat(), place.lon()),
    };
    // Writing to a string cannot fail.
    let _ = written;
}

/// Reads what [`describe`] wrote. It is unknown if it is something else, or a number with more digits than are read.
pub(super) fn read(text: &str, type_of: Type) -> Value<'_> {
    let value = match (text, type_of) {
        ("none", _) => Some(Value::Nothing),
        ("unknown", _) => None,
        (_, Type::Bool) => text.parse().ok().map(Value::Bool),
        (_, Type::Number) => fixed::parse(text).ok().map(Value::Number),
        (_, Type::Estimate) => text.parse().ok().map(Value::Estimate),
        (_, Type::Text) => Some(Value::Text(text)),
        (_, Type::Word(words)) => words.code(text).map(Value::Word),
        (_, Type::Time) => text.parse().ok().map(|time: EventTime| Value::Time(time.nanos())),
        (_, Type::Span) => span::read(text).map(Value::Span),
        (_, Type::Location) => location(text).map(Value::Location),
    };
    value.unwrap_or(Value::Unknown)
}

fn location(text: &str) -> Option<Location> {
    let (lat, lon) = text.split_once(',')?;
    Location::new(lat.parse().ok(), lon.parse().ok())
}
