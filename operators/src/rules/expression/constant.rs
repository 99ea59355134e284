//! Detection of mistakes without an event: division by a constant zero, and comparisons with a constant result.

use std::cmp::Ordering;

use headwater_schemas::value::fixed;

use super::evaluate::NoEvent;
use super::{Comparison, Node, Value};
use crate::rules::field::Field;

/// Range of a field's values, in billionths.
#[derive(Clone, Copy)]
struct Range {
    least: i128,
    greatest: i128,
    step: i128,
    words: &'static str,
}

const fn range_of(field: Field) -> Option<Range> {
    match field {
        Field::HourLocal => Some(Range { least: 0, greatest: 23 * fixed::ONE, step: fixed::ONE, words: "from 0 to 23" }),
        Field::WeekdayLocal => Some(Range { least: fixed::ONE, greatest: 7 * fixed::ONE, step: fixed::ONE, words: "from 1 to 7" }),
        Field::Amount => Some(Range { least: 0, greatest: 10_i128.pow(27) - 1, step: 1, words: "never below 0" }),
        Field::AmountBase => Some(Range { least: 0, greatest: fixed::MAX_UNITS, step: 1, words: "never below 0" }),
        _ => None,
    }
}

/// The value of a constant expression.
fn constant(node: &Node) -> Option<i128> {
    match node.evaluate(&NoEvent) {
        Value::Number(units) => Some(units),
        _ => None,
    }
}

/// Whether an expression is the constant 0.
pub(super) fn is_zero(node: &Node) -> bool {
    constant(node) == Some(0)
}

/// The error of a comparison that has the same result for every event.
pub(super) fn tells_nothing(comparison: Comparison, left: &Node, right: &Node) -> Option<String> {
    let (field, number, is_left) = match (left, right) {
        (Node::Field(field), other) => (*field, constant(other)?, true),
        (other, Node::Field(field)) => (*field, constant(other)?, false),
        _ => return None,
    };
    let range = range_of(field)?;
    let result = |value: i128| {
        let ordering: Ordering = if is_left { value.cmp(&number) } else { number.cmp(&value) };
        comparison.is_true_of(ordering)
    };
    let first = result(range.least);
    let is_same = range.around(number).all(|value| result(value) == first);
    is_same.then(|| format!("`{}` is {}: this is {} true", field.name(), range.words, if first { "always" } else { "never" }))
}

impl Range {
    /// The ends of the range and the values next to a number: between them the result of a comparison with it cannot change.
    fn around(self, number: i128) -> impl Iterator<Item = i128> {
        let near = [number.saturating_sub(self.step), number, number.saturating_add(self.step)];
        let is_value = move |value: &i128| (self.least..=self.greatest).contains(value) && (value - self.least) % self.step == 0;
        [self.least, self.greatest].into_iter().chain(near.into_iter().filter(is_value))
    }
}
