//! What decided a condition, or would have decided it.

use std::sync::Arc;

use super::evaluate::Scope;
use super::{Named, Node, Value};
use crate::rules::field::{Field, FieldSet};

/// A named value that a condition read.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::rules) enum Leaf {
    Field(Field),
    Aggregate(usize),
    Named(Arc<Named>),
}

/// Adds the unknown fields that would have decided an unknown expression.
pub(in crate::rules) fn unknowns<S: Scope>(node: &Node, scope: &S, fields: &mut FieldSet) {
    if !node.evaluate(scope).is_unknown() {
        return;
    }
    match node {
        Node::Field(field) | Node::Aggregate(_, Some(field)) => return fields.add(*field),
        _ => {}
    }
    let mut below = FieldSet::default();
    parts(node, &mut |part| unknowns(part, scope, &mut below));
    if below.is_empty() {
        // All its operands are known, so the result was too large.
        below.add_overflow();
    }
    fields.merge(below);
}

/// Adds the leaves that decided a true condition: of an `or` those of the true sides, else all.
pub(in crate::rules) fn decisive<S: Scope>(node: &Node, scope: &S, leaves: &mut Vec<Leaf>) {
    match node {
        Node::And(parts) | Node::Or(parts) => {
            let decided = parts.iter().filter(|part| part.evaluate(scope) == Value::Bool(true));
            decided.for_each(|part| decisive(part, scope, leaves));
        }
        _ => all_leaves(node, leaves),
    }
}

impl Leaf {
    /// The leaf that a node is, if it is one.
    pub(super) fn of(node: &Node) -> Option<Self> {
        match node {
            Node::Field(field) => Some(Self::Field(*field)),
            Node::Aggregate(number, _) => Some(Self::Aggregate(*number)),
            Node::Named(named) => Some(Self::Named(Arc::clone(named))),
            _ => None,
        }
    }
}

/// Adds the leaves that an expression reads, without those that its computed features read.
pub(super) fn all_leaves(node: &Node, leaves: &mut Vec<Leaf>) {
    let Some(leaf) = Leaf::of(node) else { return parts(node, &mut |part| all_leaves(part, leaves)) };
    if !leaves.contains(&leaf) {
        leaves.push(leaf);
    }
}

impl Node {
    /// Visits the aggregates that the node is computed from, at any depth.
    pub(in crate::rules) fn aggregates(&self, visit: &mut dyn FnMut(usize)) {
        if let Self::Aggregate(number, _) = self {
            visit(*number);
        }
        parts(self, &mut |part| part.aggregates(visit));
    }

    /// Visits the computed features that the node reads, at any depth.
    pub(in crate::rules) fn computed<'a>(&'a self, visit: &mut dyn FnMut(&'a Named)) {
        if let Self::Named(named) = self {
            visit(named);
        }
        parts(self, &mut |part| part.computed(visit));
    }

    /// Visits the fields that the node reads, at any depth; not those that its aggregates read.
    pub(in crate::rules) fn fields(&self, visit: &mut dyn FnMut(Field)) {
        if let Self::Field(field) = self {
            visit(*field);
        }
        parts(self, &mut |part| part.fields(visit));
    }
}

/// Visits the direct operands of a node.
fn parts<'a>(node: &'a Node, visit: &mut dyn FnMut(&'a Node)) {
    match node {
        Node::Named(named) => visit(&named.node),
        Node::Not(inner) | Node::Negate(inner) | Node::Exists(inner) | Node::Known(inner) => visit(inner),
        Node::And(parts) | Node::Or(parts) => parts.iter().for_each(visit),
        Node::Compare(_, sides) | Node::Arithmetic(_, sides) | Node::Distance(_, sides) => sides.iter().for_each(visit),
        Node::Speed(sides) => sides.iter().for_each(visit),
        Node::Among(left, choices) => std::iter::once(&**left).chain(choices).for_each(visit),
        _ => {}
    }
}
