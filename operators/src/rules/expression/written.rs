//! The text of an expression: as a pack has it, or with the values that its leaves had (`count_10m=6 > 5`).

use std::fmt::Write;

use headwater_schemas::value::fixed;

use super::figures::LeafValues;
use super::trace::Leaf;
use super::value::describe;
use super::{Comparison, Node, Operator, Type, Value};
use crate::rules::span;

/// The text of an expression.
pub(super) fn written(node: &Node, figures: &LeafValues<'_>) -> String {
    text(node, figures, LeafText::Name)
}

/// The text of an expression, each leaf with its value.
pub(super) fn valued(node: &Node, figures: &LeafValues<'_>) -> String {
    text(node, figures, LeafText::Value)
}

/// The text of a value that an expression has.
pub(super) fn value_text(node: &Node, value: Value<'_>, figures: &LeafValues<'_>) -> String {
    let mut out = String::new();
    describe(value, Leaf::of(node).map_or(Type::Number, |leaf| figures.type_of(&leaf)), &mut out);
    out
}

/// What is written of a leaf.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LeafText {
    Name,
    Value,
}

fn text(node: &Node, figures: &LeafValues<'_>, shown: LeafText) -> String {
    let mut writer = ExpressionWriter { figures, shown, out: String::new() };
    writer.bare(node);
    writer.out
}

struct ExpressionWriter<'f> {
    figures: &'f LeafValues<'f>,
    shown: LeafText,
    out: String,
}

/// How tightly an expression binds; looser ones inside it are bracketed.
const fn tightness(node: &Node) -> u8 {
    match node {
        Node::Or(_) => 1,
        Node::And(_) => 2,
        Node::Not(_) => 3,
        Node::Compare(..) | Node::Among(..) => 4,
        Node::Arithmetic(Operator::Add | Operator::Subtract, _) => 5,
        Node::Arithmetic(Operator::Multiply | Operator::Divide, _) => 6,
        Node::Negate(_) => 7,
        _ => 8,
    }
}

impl ExpressionWriter<'_> {
    /// Writes an expression, in brackets if it binds more loosely than required.
    fn node(&mut self, node: &Node, least: u8) {
        if tightness(node) < least {
            self.out.push('(');
            self.bare(node);
            self.out.push(')');
        } else {
            self.bare(node);
        }
    }

    fn bare(&mut self, node: &Node) {
        match node {
            Node::Bool(value) => self.out.push_str(if *value { "true" } else { "false" }),
            Node::Number(units) => self.constant(|out| fixed::write(*units, out)),
            Node::Span(nanos) => self.constant(|out| span::write(*nanos, out)),
            Node::Text(text) => self.constant(|out| write!(out, "\"{text}\"")),
            Node::Word(words, code) => self.constant(|out| write!(out, "\"{}\"", words.word(*code).unwrap_or_default())),
            Node::Field(_) | Node::Aggregate(..) | Node::Named(_) => self.leaf(node),
            Node::Not(inner) => {
                self.out.push_str("not ");
                self.node(inner, 3);
            }
            Node::And(parts) => self.list(parts, " and ", 3),
            Node::Or(parts) => self.list(parts, " or ", 2),
            Node::Compare(comparison, sides) => self.infix(sides, comparison.symbol(), 5, 5),
            Node::Among(left, choices) => {
                self.node(left, 5);
                self.out.push_str(" in [");
                self.list(choices, ", ", 1);
                self.out.push(']');
            }
            Node::Arithmetic(operator, sides) => self.infix(sides, operator.symbol(), tightness(node), tightness(node) + 1),
            Node::Negate(inner) => {
                self.out.push('-');
                self.node(inner, 7);
            }
            Node::Exists(inner) => self.call("exists", std::slice::from_ref(&**inner)),
            Node::Known(inner) => self.call("known", std::slice::from_ref(&**inner)),
            Node::Distance(unit, places) => self.call(if *unit > 1.0 { "miles" } else { "km" }, &**places),
            Node::Speed(parts) => self.call("speed_kmh", &**parts),
        }
    }

    fn constant(&mut self, write: impl FnOnce(&mut String) -> std::fmt::Result) {
        // Writing to a string cannot fail.
        let _ = write(&mut self.out);
    }

    fn leaf(&mut self, node: &Node) {
        let Some(leaf) = Leaf::of(node) else { return };
        self.out.push_str(self.figures.name(&leaf));
        if self.shown == LeafText::Value {
            self.out.push('=');
            describe(node.evaluate(self.figures), self.figures.type_of(&leaf), &mut self.out);
        }
    }

    fn infix(&mut self, [left, right]: &[Node; 2], symbol: &str, left_least: u8, right_least: u8) {
        self.node(left, left_least);
        self.out.push(' ');
        self.out.push_str(symbol);
        self.out.push(' ');
        self.node(right, right_least);
    }

    fn list(&mut self, nodes: &[Node], between: &str, least: u8) {
        for (number, node) in nodes.iter().enumerate() {
            if number > 0 {
                self.out.push_str(between);
            }
            self.node(node, least);
        }
    }

    fn call(&mut self, name: &str, arguments: &[Node]) {
        self.out.push_str(name);
        self.out.push('(');
        self.list(arguments, ", ", 1);
        self.out.push(')');
    }
}

impl Comparison {
    const fn symbol(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::Different => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }
}

impl Operator {
    const fn symbol(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
        }
    }
}
