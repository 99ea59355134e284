//! The smallest changes of figures for which a condition that was true would have been false.
//!
//! A condition is false if one part of an `and` is, or if all parts of an `or` are. So there are several ways to clear it, and each
//! is a set of changes, one for each figure. A way with fewer changes is smaller; among those with equally many the smaller one
//! changes numbers by less, relative to what they were. Changes of words, and of what is given or missing, come after those of
//! numbers.
//!
//! A change has the nearest bound: `count at most 5` for `count > 5`, and for `count >= 5`, because a count is whole, `at most 4`. A way
//! that makes another part of the condition true is none: each is tried with the nearest values. Estimates in reasons have one
//! digit, so their bounds are approximate.

use std::cmp::Ordering;

use headwater_schemas::value::fixed;

use super::evaluate::order;
use super::figures::LeafValues;
use super::trace::{Leaf, all_leaves};
use super::written::{value_text, valued, written};
use super::{Comparison, Node, Value};

/// Maximum number of ways that are considered. Conditions of packs have a few.
const MAX_WAYS: usize = 1024;

/// A way to clear a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::rules) struct Clearing {
    /// The changes in words: `amount at most 10000`.
    pub(in crate::rules) changes: String,
    /// Whether it changes one figure, and not several or a value computed from several.
    pub(in crate::rules) is_single: bool,
}

/// The ways to clear a condition, smallest first; none if no change of its figures would.
pub(in crate::rules) fn clearings(condition: &Node, figures: &LeafValues<'_>) -> Vec<Clearing> {
    let mut ways = ways(condition, false, figures);
    ways.retain(|way| !way.is_empty() && clears(way, condition, figures));
    let measure = |way: &ChangeSet<'_>| {
        let computed = way.iter().filter(|change| Leaf::of(change.figure).is_none()).count();
        let size: f64 = way.iter().map(|change| change.size(figures)).sum();
        (way.len(), computed, size)
    };
    ways.sort_by(|left, right| {
        let (left, right) = (measure(left), measure(right));
        (left.0, left.1).cmp(&(right.0, right.1)).then(left.2.total_cmp(&right.2))
    });
    let mut clearings = Vec::<Clearing>::new();
    for way in ways {
        let changes = way.iter().map(|change| change.text(figures)).collect::<Vec<_>>().join(" and ");
        let is_single = way.len() == 1 && way.iter().all(|change| Leaf::of(change.figure).is_some());
        if clearings.iter().all(|known| known.changes != changes) {
            clearings.push(Clearing { changes, is_single });
        }
    }
    clearings
}

/// The comparisons that made a condition true, each with its figures: `count_10m=6 > 5`.
pub(in crate::rules) fn compared(condition: &Node, figures: &LeafValues<'_>) -> Vec<String> {
    match condition {
        Node::And(parts) => parts.iter().flat_map(|part| compared(part, figures)).collect(),
        Node::Or(parts) => to_change(parts, false, figures).into_iter().flat_map(|part| compared(part, figures)).collect(),
        Node::Compare(_, sides) => {
            let mut text = valued(condition, figures);
            for side in sides.iter().filter(|side| is_computed(side)) {
                text.push_str(&format!(" ({} is {})", written(side, figures), value_text(side, side.evaluate(figures), figures)));
            }
            vec![text]
        }
        _ => vec![valued(condition, figures)],
    }
}

/// Whether a value is computed from leaves and is not one.
fn is_computed(node: &Node) -> bool {
    Leaf::of(node).is_none() && reads(node)
}

/// Whether a value depends on the event.
fn reads(node: &Node) -> bool {
    let mut leaves = Vec::new();
    all_leaves(node, &mut leaves);
    !leaves.is_empty()
}

/// Changes that belong together.
type ChangeSet<'n> = Vec<FigureChange<'n>>;

/// What a figure would have to be.
#[derive(Clone, Copy, Debug, PartialEq)]
struct FigureChange<'n> {
    /// A leaf, or an expression where a condition compares one.
    figure: &'n Node,
    need: Need<'n>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Need<'n> {
    /// In this relation to a bound. Bounds of whole numbers are inclusive.
    Compared(Comparison, &'n Node, Value<'n>),
    OneOf(&'n [Node]),
    NoneOf(&'n [Node]),
    Given,
    Missing,
    Known,
    Unknown,
    Is(bool),
}

/// The ways to make a condition true or false.
fn ways<'n>(node: &'n Node, wanted: bool, figures: &'n LeafValues<'_>) -> Vec<ChangeSet<'n>> {
    let one = |figure: &'n Node, need: Need<'n>| if reads(figure) { vec![vec![FigureChange { figure, need }]] } else { Vec::new() };
    match node {
        Node::Bool(value) if *value == wanted => vec![Vec::new()],
        Node::Not(inner) => ways(inner, !wanted, figures),
        Node::And(parts) if wanted => every(parts, wanted, figures),
        Node::Or(parts) if !wanted => every(parts, wanted, figures),
        Node::And(parts) | Node::Or(parts) => parts.iter().flat_map(|part| ways(part, wanted, figures)).take(MAX_WAYS).collect(),
        Node::Compare(comparison, sides) => {
            let comparison = if wanted { *comparison } else { comparison.opposite() };
            comparable(comparison, sides, figures).into_iter().map(|change| vec![change]).collect()
        }
        Node::Among(left, choices) => one(left, if wanted { Need::OneOf(choices) } else { Need::NoneOf(choices) }),
        Node::Exists(inner) => one(inner, if wanted { Need::Given } else { Need::Missing }),
        Node::Known(inner) => one(inner, if wanted { Need::Known } else { Need::Unknown }),
        Node::Field(_) | Node::Aggregate(..) | Node::Named(_) => one(node, Need::Is(wanted)),
        _ => Vec::new(),
    }
}

/// The ways to make all parts true or false.
fn every<'n>(parts: &'n [Node], wanted: bool, figures: &'n LeafValues<'_>) -> Vec<ChangeSet<'n>> {
    let mut all = vec![ChangeSet::new()];
    for part in to_change(parts, wanted, figures) {
        let of_part = ways(part, wanted, figures);
        let joined = all.iter().flat_map(|way| of_part.iter().map(|more| merged(way, more)));
        all = joined.take(MAX_WAYS).collect();
    }
    all
}

/// The parts of which all have to become true or false, and are not yet. What is unknown is not true. If rounded estimates make no
/// part true of those that made the condition true, it can be any that is known.
fn to_change<'n>(parts: &'n [Node], wanted: bool, figures: &LeafValues<'_>) -> Vec<&'n Node> {
    let of = |value: Value<'static>| parts.iter().filter(move |part| part.evaluate(figures) == value).collect::<Vec<_>>();
    if wanted {
        return parts.iter().filter(|part| !part.evaluate(figures).is_true()).collect();
    }
    let standing = of(Value::Bool(true));
    if standing.is_empty() { of(Value::Bool(false)) } else { standing }
}

/// The change of one side of a comparison: of a leaf if there is one.
fn comparable<'n>(comparison: Comparison, sides: &'n [Node; 2], figures: &'n LeafValues<'_>) -> Option<FigureChange<'n>> {
    let [left, right] = sides;
    let is_left = match (Leaf::of(left).is_some(), Leaf::of(right).is_some()) {
        (true, _) => true,
        (false, true) => false,
        _ if reads(left) => true,
        _ if reads(right) => false,
        _ => return None,
    };
    let (figure, comparison, bound) = if is_left { (left, comparison, right) } else { (right, comparison.turned(), left) };
    let value = bound.evaluate(figures);
    let (comparison, value) = match (Leaf::of(figure), value) {
        (Some(leaf), Value::Number(units)) if figures.is_whole(&leaf) => whole(comparison, units),
        _ => (comparison, value),
    };
    Some(FigureChange { figure, need: Need::Compared(comparison, bound, value) })
}

/// The same comparison of whole numbers, with a bound that is included.
fn whole<'n>(comparison: Comparison, units: i128) -> (Comparison, Value<'n>) {
    let (below, is_exact) = (units.div_euclid(fixed::ONE), units.rem_euclid(fixed::ONE) == 0);
    let above = if is_exact { below } else { below.saturating_add(1) };
    let (comparison, bound) = match comparison {
        Comparison::Less => (Comparison::LessOrEqual, above.saturating_sub(1)),
        Comparison::LessOrEqual => (Comparison::LessOrEqual, below),
        Comparison::Greater => (Comparison::GreaterOrEqual, below.saturating_add(1)),
        Comparison::GreaterOrEqual => (Comparison::GreaterOrEqual, above),
        Comparison::Equal | Comparison::Different => return (comparison, Value::Number(units)),
    };
    (comparison, Value::Number(bound.saturating_mul(fixed::ONE)))
}

/// Two sets of changes as one. Of two bounds on the same side of a figure the tighter one counts.
fn merged<'n>(way: &ChangeSet<'n>, more: &ChangeSet<'n>) -> ChangeSet<'n> {
    let mut all = way.clone();
    for change in more {
        if let Some(known) = all.iter_mut().find(|known| known.figure == change.figure && known.bounds_like(change)) {
            if change.is_tighter_than(known) {
                *known = *change;
            }
        } else if !all.contains(change) {
            all.push(*change);
        }
    }
    all
}

/// Whether the changes clear a condition, if each figure takes the nearest value. Only numbers, times and spans have one.
fn clears<'n>(way: &ChangeSet<'n>, condition: &'n Node, figures: &LeafValues<'n>) -> bool {
    let mut changed = figures.clone();
    for change in way {
        let Some((leaf, value)) = change.nearest(figures) else { return true };
        changed = changed.with(leaf, value);
    }
    !condition.evaluate(&changed).is_true()
}

impl<'n> FigureChange<'n> {
    /// Whether both bound a figure on the same side, and the bounds have an order.
    fn bounds_like(&self, other: &Self) -> bool {
        let (Need::Compared(mine, _, my_bound), Need::Compared(theirs, _, their_bound)) = (self.need, other.need) else { return false };
        side(mine).is_some() && side(mine) == side(theirs) && order(my_bound, their_bound).is_some()
    }

    /// Whether it leaves fewer values than another one on the same side.
    fn is_tighter_than(&self, other: &Self) -> bool {
        let (Need::Compared(mine, _, my_bound), Need::Compared(theirs, _, their_bound)) = (self.need, other.need) else { return false };
        match (order(my_bound, their_bound), side(mine)) {
            (Some(Ordering::Equal), _) => !mine.is_true_of(Ordering::Equal) && theirs.is_true_of(Ordering::Equal),
            (ordering, side) => ordering == side,
        }
    }

    /// The figure's value that fulfils it and is nearest to the bound.
    fn nearest(&self, figures: &LeafValues<'_>) -> Option<(Leaf, Value<'n>)> {
        let (leaf, Need::Compared(comparison, _, bound)) = (Leaf::of(self.figure)?, self.need) else { return None };
        let step = match comparison {
            Comparison::Less => -1,
            Comparison::Greater | Comparison::Different => 1,
            _ => 0,
        };
        let unit = if figures.is_whole(&leaf) { fixed::ONE } else { 1 };
        let value = match bound {
            Value::Number(units) => Value::Number(units.checked_add(unit * i128::from(step))?),
            Value::Time(nanos) => Value::Time(nanos.checked_add(step)?),
            Value::Span(nanos) => Value::Span(nanos.checked_add(step)?),
            Value::Estimate(value) if step < 0 => Value::Estimate(value.next_down()),
            Value::Estimate(value) if step > 0 => Value::Estimate(value.next_up()),
            Value::Estimate(value) => Value::Estimate(value),
            _ => return None,
        };
        Some((leaf, value))
    }

    /// By how much the figure changes, relative to what it was; infinite for what has no such measure. Only the order of ways depends
    /// on it.
    fn size(&self, figures: &LeafValues<'_>) -> f64 {
        let Need::Compared(_, _, bound) = self.need else { return f64::INFINITY };
        let (was, bound) = match (self.figure.evaluate(figures), bound) {
            (Value::Span(was), Value::Span(bound)) => (was as f64, bound as f64),
            (was, bound) => match (was.estimate(), bound.estimate()) {
                (Some(was), Some(bound)) => (was, bound),
                _ => return f64::INFINITY,
            },
        };
        let size = (was - bound).abs() / was.abs();
        if size.is_nan() { f64::INFINITY } else { size }
    }

    fn text(&self, figures: &LeafValues<'_>) -> String {
        let figure = written(self.figure, figures);
        let list = |choices: &[Node]| choices.iter().map(|choice| written(choice, figures)).collect::<Vec<_>>();
        match self.need {
            Need::Compared(comparison, bound, value) => format!("{figure} {} {}", relation(comparison), self.bound(bound, value, figures)),
            Need::OneOf(choices) => format!("{figure} equal to {}", list(choices).join(" or ")),
            Need::NoneOf(choices) => format!("{figure} other than {}", list(choices).join(", ")),
            Need::Given => format!("{figure} given"),
            Need::Missing => format!("no {figure}"),
            Need::Known => format!("{figure} known"),
            Need::Unknown => format!("{figure} unknown"),
            Need::Is(wanted) => format!("{figure} {wanted}"),
        }
    }

    /// The bound; one that is not a constant with the expression that it is the value of.
    fn bound(&self, node: &Node, value: Value<'_>, figures: &LeafValues<'_>) -> String {
        let expression = written(node, figures);
        match value {
            Value::Nothing | Value::Unknown => expression,
            Value::Text(_) | Value::Word(_) if !reads(node) => expression,
            _ if !reads(node) => value_text(node, value, figures),
            Value::Estimate(_) => format!("about {} ({expression})", value_text(node, value, figures)),
            _ => format!("{} ({expression})", value_text(node, value, figures)),
        }
    }
}

/// The side on which a comparison bounds a figure: `Less` from above, `Greater` from below. It is also how a tighter bound compares with
/// another one.
const fn side(comparison: Comparison) -> Option<Ordering> {
    match comparison {
        Comparison::Less | Comparison::LessOrEqual => Some(Ordering::Less),
        Comparison::Greater | Comparison::GreaterOrEqual => Some(Ordering::Greater),
        Comparison::Equal | Comparison::Different => None,
    }
}

const fn relation(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Equal => "equal to",
        Comparison::Different => "other than",
        Comparison::Less => "below",
        Comparison::LessOrEqual => "at most",
        Comparison::Greater => "above",
        Comparison::GreaterOrEqual => "at least",
    }
}

#[cfg(test)]
mod tests;
