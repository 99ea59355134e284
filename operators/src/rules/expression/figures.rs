//! Figures: the values of a condition's leaves, as the reasons of a decision have them.

use super::evaluate::Scope;
use super::trace::{Leaf, all_leaves};
use super::value::read;
use super::{Named, Node, Type, Value};
use crate::rules::field::Field;

/// The name, type and values of an aggregate.
#[derive(Clone, Copy, Debug)]
pub(in crate::rules) struct AggregateMeaning<'a> {
    pub(in crate::rules) name: &'a str,
    pub(in crate::rules) type_of: Type,
    /// Whether its values are whole numbers.
    pub(in crate::rules) is_whole: bool,
}

/// The aggregates of a pack, by their numbers.
pub(in crate::rules) trait Glossary {
    /// An aggregate.
    fn aggregate(&self, number: usize) -> Option<AggregateMeaning<'_>>;
}

/// Known values of leaves. All others are unknown.
#[derive(Clone)]
pub(in crate::rules) struct LeafValues<'a> {
    glossary: &'a dyn Glossary,
    known: Vec<(Leaf, Value<'a>)>,
}

impl Scope for LeafValues<'_> {
    fn field(&self, field: Field) -> Value<'_> {
        self.get(&Leaf::Field(field)).unwrap_or(Value::Unknown)
    }

    fn aggregate(&self, number: usize) -> Value<'_> {
        self.get(&Leaf::Aggregate(number)).unwrap_or(Value::Unknown)
    }

    fn named<'s>(&'s self, named: &'s Named) -> Option<Value<'s>> {
        let is_meant = |leaf: &Leaf| matches!(leaf, Leaf::Named(known) if known.name == named.name);
        self.known.iter().find(|(leaf, _)| is_meant(leaf)).map(|(_, value)| *value)
    }
}

impl<'a> LeafValues<'a> {
    /// Reads the figures of a condition (`name=value`) from the beginning of a list of texts; returns them with their number.
    /// The first text that is no figure of the condition ends them: the ids of events follow.
    pub(in crate::rules) fn read(condition: &Node, glossary: &'a dyn Glossary, texts: &[&'a str]) -> (Self, usize) {
        let mut leaves = Vec::new();
        all_leaves(condition, &mut leaves);
        let mut figures = Self { glossary, known: Vec::new() };
        for text in texts {
            let Some((name, value)) = text.split_once('=') else { break };
            let is_meant = |leaf: &&Leaf| figures.name(leaf) == name && figures.get(leaf).is_none();
            let Some(leaf) = leaves.iter().find(is_meant).cloned() else { break };
            let value = read(value, figures.type_of(&leaf));
            figures.known.push((leaf, value));
        }
        let count = figures.known.len();
        (figures, count)
    }

    /// The same with another value of a leaf.
    pub(super) fn with(&self, leaf: Leaf, value: Value<'a>) -> Self {
        let mut known = self.known.clone();
        known.retain(|(other, _)| *other != leaf);
        known.push((leaf, value));
        Self { glossary: self.glossary, known }
    }

    fn get(&self, leaf: &Leaf) -> Option<Value<'_>> {
        self.known.iter().find(|(known, _)| known == leaf).map(|(_, value)| *value)
    }

    /// The name of a leaf in packs.
    pub(super) fn name<'s>(&'s self, leaf: &'s Leaf) -> &'s str {
        match leaf {
            Leaf::Field(field) => field.name(),
            Leaf::Aggregate(number) => self.glossary.aggregate(*number).map_or("", |meaning| meaning.name),
            Leaf::Named(named) => &named.name,
        }
    }

    /// The type of a leaf.
    pub(super) fn type_of(&self, leaf: &Leaf) -> Type {
        match leaf {
            Leaf::Field(field) => field.type_of(),
            Leaf::Aggregate(number) => self.glossary.aggregate(*number).map_or(Type::Text, |meaning| meaning.type_of),
            Leaf::Named(named) => named.type_of,
        }
    }

    /// Whether the values of a leaf are whole numbers.
    pub(super) fn is_whole(&self, leaf: &Leaf) -> bool {
        match leaf {
            Leaf::Field(field) => matches!(field, Field::HourLocal | Field::WeekdayLocal),
            Leaf::Aggregate(number) => self.glossary.aggregate(*number).is_some_and(|meaning| meaning.is_whole),
            Leaf::Named(_) => false,
        }
    }
}

/// The names of the leaves of a condition.
pub(in crate::rules) fn leaf_names(condition: &Node, glossary: &dyn Glossary) -> Vec<String> {
    let mut leaves = Vec::new();
    all_leaves(condition, &mut leaves);
    let figures = LeafValues { glossary, known: Vec::new() };
    leaves.iter().map(|leaf| figures.name(leaf).to_owned()).collect()
}
