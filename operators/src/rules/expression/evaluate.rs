//! Evaluation of expressions. They are type-checked, so a pair of values of other types evaluates to unknown.

use std::cmp::Ordering;

use headwater_schemas::value::fixed;

use super::{Comparison, Named, Node, Operator, Value};
use crate::rules::field::Field;

/// Inputs of an expression: an event, and the features at its moment.
pub(in crate::rules) trait Scope {
    /// A field of the event.
    fn field(&self, field: Field) -> Value<'_>;
    /// An aggregate of the pack.
    fn aggregate(&self, number: usize) -> Value<'_>;
    /// The value of a computed feature, where it is known without computing it.
    fn named<'a>(&'a self, _: &'a Named) -> Option<Value<'a>> {
        None
    }
}

impl Node {
    /// Evaluates the expression.
    pub(in crate::rules) fn evaluate<'a, S: Scope>(&'a self, scope: &'a S) -> Value<'a> {
        match self {
            Self::Bool(value) => Value::Bool(*value),
            Self::Number(units) => Value::Number(*units),
            Self::Span(nanos) => Value::Span(*nanos),
            Self::Text(text) => Value::Text(text),
            Self::Word(_, code) => Value::Word(*code),
            Self::Field(field) => scope.field(*field),
            Self::Aggregate(number, _) => scope.aggregate(*number),
            Self::Named(named) => scope.named(named).unwrap_or_else(|| named.node.evaluate(scope)),
            Self::Not(inner) => match inner.evaluate(scope) {
                Value::Bool(value) => Value::Bool(!value),
                other => other,
            },
            Self::And(parts) => joined(parts, scope, false),
            Self::Or(parts) => joined(parts, scope, true),
            Self::Compare(comparison, sides) => {
                let [left, right] = &**sides;
                compare(*comparison, left.evaluate(scope), right.evaluate(scope))
            }
            Self::Among(left, choices) => among(left.evaluate(scope), choices, scope),
            Self::Arithmetic(operator, sides) => {
                let [left, right] = &**sides;
                arithmetic(*operator, left.evaluate(scope), right.evaluate(scope))
            }
            Self::Negate(inner) => negate(inner.evaluate(scope)),
            Self::Exists(inner) => exists(inner, scope),
            Self::Known(inner) => Value::Bool(!inner.evaluate(scope).is_unknown()),
            Self::Distance(unit, places) => {
                let [from, to] = &**places;
                distance(*unit, from.evaluate(scope), to.evaluate(scope))
            }
            Self::Speed(parts) => {
                let [from, to, span] = &**parts;
                speed(from.evaluate(scope), to.evaluate(scope), span.evaluate(scope))
            }
        }
    }
}

/// A field that is missing from the event does not exist. An expression computed from such a field is unknown.
fn exists<'a, S: Scope>(inner: &'a Node, scope: &'a S) -> Value<'a> {
    match (inner, inner.evaluate(scope)) {
        (Node::Field(_), value) => Value::Bool(!value.is_unknown()),
        (_, Value::Unknown) => Value::Unknown,
        (_, value) => Value::Bool(!matches!(value, Value::Nothing)),
    }
}

/// Kleene's `and` (`decider` false) or `or` (`decider` true): the result is the decider if one part is, else unknown if one part
/// is.
fn joined<'a, S: Scope>(parts: &'a [Node], scope: &'a S, decider: bool) -> Value<'a> {
    let mut result = Value::Bool(!decider);
    for part in parts {
        match part.evaluate(scope) {
            Value::Bool(value) if value == decider => return Value::Bool(decider),
            Value::Bool(_) => {}
            _ => result = Value::Unknown,
        }
    }
    result
}

/// The result if one side has no value: nothing takes precedence over unknown, because it is known.
const fn lacking<'a>(left: Value<'_>, right: Value<'_>) -> Option<Value<'a>> {
    match (left, right) {
        (Value::Nothing, _) | (_, Value::Nothing) => Some(Value::Nothing),
        (Value::Unknown, _) | (_, Value::Unknown) => Some(Value::Unknown),
        _ => None,
    }
}

fn compare<'a>(comparison: Comparison, left: Value<'_>, right: Value<'_>) -> Value<'a> {
    match lacking(left, right) {
        Some(Value::Nothing) => return Value::Bool(false),
        Some(_) => return Value::Unknown,
        None => {}
    }
    order(left, right).map_or(Value::Unknown, |ordering| Value::Bool(comparison.is_true_of(ordering)))
}

impl Comparison {
    /// Whether the comparison holds for an ordering of its sides.
    pub(super) const fn is_true_of(self, ordering: Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::Different => ordering.is_ne(),
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
        }
    }

    /// The comparison that holds where this one does not.
    pub(super) const fn opposite(self) -> Self {
        match self {
            Self::Equal => Self::Different,
            Self::Different => Self::Equal,
            Self::Less => Self::GreaterOrEqual,
            Self::LessOrEqual => Self::Greater,
            Self::Greater => Self::LessOrEqual,
            Self::GreaterOrEqual => Self::Less,
        }
    }

    /// The same comparison with its sides exchanged.
    pub(super) const fn turned(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
            Self::Equal | Self::Different => self,
        }
    }
}

/// A scope without an event: constant expressions have their value, all others are unknown.
pub(super) struct NoEvent;

impl Scope for NoEvent {
    fn field(&self, _: Field) -> Value<'_> {
        Value::Unknown
    }

    fn aggregate(&self, _: usize) -> Value<'_> {
        Value::Unknown
    }
}

/// The order of two values of one type.
pub(super) fn order(left: Value<'_>, right: Value<'_>) -> Option<Ordering> {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => Some(left.cmp(&right)),
        (Value::Time(left), Value::Time(right)) | (Value::Span(left), Value::Span(right)) => Some(left.cmp(&right)),
        (Value::Text(left), Value::Text(right)) => Some(left.cmp(right)),
        (Value::Word(left), Value::Word(right)) => Some(left.cmp(&right)),
        _ => left.estimate()?.partial_cmp(&right.estimate()?),
    }
}

fn among<'a, S: Scope>(left: Value<'_>, choices: &'a [Node], scope: &'a S) -> Value<'a> {
    let mut result = Value::Bool(false);
    for choice in choices {
        match compare(Comparison::Equal, left, choice.evaluate(scope)) {
            Value::Bool(true) => return Value::Bool(true),
            Value::Bool(false) => {}
            _ => result = Value::Unknown,
        }
    }
    result
}

fn arithmetic<'a>(operator: Operator, left: Value<'_>, right: Value<'_>) -> Value<'a> {
    if let Some(lacking) = lacking(left, right) {
        return lacking;
    }
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => exact(operator, left, right),
        (Value::Time(left), Value::Time(right)) => left.checked_sub(right).map_or(Value::Unknown, Value::Span),
        (Value::Time(left), Value::Span(right)) => shifted(operator, left, right).map_or(Value::Unknown, Value::Time),
        (Value::Span(left), Value::Span(right)) => shifted(operator, left, right).map_or(Value::Unknown, Value::Span),
        _ => match (left.estimate(), right.estimate()) {
            (Some(left), Some(right)) => estimated(operator, left, right),
            _ => Value::Unknown,
        },
    }
}

/// A result that does not fit a number is unknown, so that the reasons name it.
fn exact<'a>(operator: Operator, left: i128, right: i128) -> Value<'a> {
    let result = match operator {
        Operator::Add => left.checked_add(right),
        Operator::Subtract => left.checked_sub(right),
        Operator::Multiply => fixed::product(left, right),
        Operator::Divide if right == 0 => return Value::Nothing,
        Operator::Divide => fixed::quotient(left, fixed::ONE, right),
    };
    result.map_or(Value::Unknown, Value::Number)
}

const fn shifted(operator: Operator, left: i64, right: i64) -> Option<i64> {
    match operator {
        Operator::Subtract => left.checked_sub(right),
        _ => left.checked_add(right),
    }
}

fn estimated<'a>(operator: Operator, left: f64, right: f64) -> Value<'a> {
    let result = match operator {
        Operator::Add => left + right,
        Operator::Subtract => left - right,
        Operator::Multiply => left * right,
        Operator::Divide => left / right,
    };
    if result.is_nan() { Value::Nothing } else { Value::Estimate(result) }
}

fn negate(value: Value<'_>) -> Value<'_> {
    match value {
        Value::Number(units) => units.checked_neg().map_or(Value::Unknown, Value::Number),
        Value::Estimate(value) => Value::Estimate(-value),
        Value::Span(nanos) => nanos.checked_neg().map_or(Value::Unknown, Value::Span),
        other => other,
    }
}

fn distance<'a>(unit: f64, from: Value<'_>, to: Value<'_>) -> Value<'a> {
    match (from, to) {
        (Value::Location(from), Value::Location(to)) => Value::Estimate(from.km_to(to) / unit),
        _ => lacking(from, to).unwrap_or(Value::Unknown),
    }
}

fn speed<'a>(from: Value<'_>, to: Value<'_>, span: Value<'_>) -> Value<'a> {
    match (from, to, span) {
        (Value::Location(from), Value::Location(to), Value::Span(nanos)) => Value::Estimate(from.kmh_to(to, nanos)),
        _ => lacking(from, lacking(to, span).unwrap_or(span)).unwrap_or(Value::Unknown),
    }
}
