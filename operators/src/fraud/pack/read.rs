//! Reading of packs; collects all problems.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use headwater_schemas::Text;
use headwater_schemas::tables::Amendment;
use toml::de::DeTable;

use super::aggregate::{Aggregate, AggregateKind};
use super::problem::{PackError, Problems};
use super::section::{Entry, Section};
use super::{Followers, Kept, Pack, Rule, Thresholds};
use crate::fraud::expression::{self, Named, Names, Node, Resolved, Type};
use crate::fraud::field::Field;
use crate::fraud::span;

/// Maximum length of a name, which is part of ids and messages.
const MAX_NAME: usize = 32;

/// Reads a pack.
pub(super) fn pack(file: &str, text: &str) -> Result<Pack, PackError> {
    let mut problems = Problems::new(text);
    let (root, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        problems.add(error.span().map_or(0, |span| span.start), format!("this is not TOML: {}", error.message()));
    }
    if !problems.is_empty() {
        // Entries that the parser recovered after a syntax error would only be guesses.
        return Err(problems.into_error(file));
    }
    let pack = Reader::new(&mut problems).pack(root.get_ref());
    match pack {
        Some(pack) if problems.is_empty() => Ok(pack),
        _ => Err(problems.into_error(file)),
    }
}

struct Reader<'p, 't> {
    problems: &'p mut Problems<'t>,
    features: Features,
    kept: Kept,
}

/// The features read so far.
#[derive(Default)]
struct Features {
    aggregates: Vec<Aggregate>,
    values: Vec<Arc<Named>>,
    /// The expression of each value, as written.
    expressions: BTreeMap<Text, Text>,
    /// Names of features with problems: expressions that read them get no problem of their own.
    broken: Vec<String>,
}

impl Features {
    fn has(&self, name: &str) -> bool {
        let mut names = self.aggregates.iter().map(|aggregate| &aggregate.name).chain(self.values.iter().map(|value| &value.name));
        names.any(|known| known.as_str() == name) || self.broken.iter().any(|broken| broken == name)
    }

    /// The captures and reversals that a condition applies to.
    fn followers(&self, when: &Node) -> Followers {
        let mut followers = Followers::default();
        when.fields(&mut |field| followers.add(field));
        when.aggregates(&mut |number| self.aggregates.get(number).into_iter().for_each(|read| followers.merge(read.followers)));
        followers
    }

    /// The definitions of the features that a condition reads.
    fn definitions(&self, when: &Node) -> BTreeSet<String> {
        let mut definitions = BTreeSet::new();
        when.aggregates(&mut |number| definitions.extend(self.aggregates.get(number).map(|aggregate| format!("{aggregate:?}"))));
        when.computed(&mut |named| definitions.extend(self.expressions.get(&named.name).map(|text| format!("{} = {text}", named.name))));
        definitions
    }

    fn find(&self, name: &str) -> Option<Resolved> {
        if let Some(number) = self.aggregates.iter().position(|aggregate| aggregate.name.as_str() == name) {
            let aggregate = self.aggregates.get(number)?;
            return Some((Node::Aggregate(number, aggregate.key), aggregate.type_of));
        }
        let value = self.values.iter().find(|value| value.name.as_str() == name)?;
        Some((Node::Named(Arc::clone(value)), value.type_of))
    }
}

/// Names that a filter may read.
struct FieldsOnly;

impl Names for FieldsOnly {
    fn resolve(&self, name: &str) -> Result<Resolved, Option<String>> {
        let unknown = || format!("the event has no field `{name}`: use one of {} (a filter reads no features)", Field::names());
        let field = Field::from_name(name).ok_or_else(|| Some(unknown()))?;
        Ok((Node::Field(field), field.type_of()))
    }
}

/// Names that conditions and values may read.
impl Names for Features {
    fn resolve(&self, name: &str) -> Result<Resolved, Option<String>> {
        if let Some(field) = Field::from_name(name) {
            return Ok((Node::Field(field), field.type_of()));
        }
        let unknown =
            || format!("`{name}` is neither a feature declared above nor a field of the event: the fields are {}", Field::names());
        let is_broken = || self.broken.iter().any(|broken| broken == name);
        self.find(name).ok_or_else(|| (!is_broken()).then(unknown))
    }
}

impl<'p, 't> Reader<'p, 't> {
    fn new(problems: &'p mut Problems<'t>) -> Self {
        Self { problems, features: Features::default(), kept: Kept::default() }
    }

    fn pack(mut self, root: &DeTable<'_>) -> Option<Pack> {
        let mut root = Section::new(root, "a pack", 0);
        let name = root.text("name", self.problems).and_then(|name| self.name(&name));
        self.subject(&mut root);
        let thresholds = self.thresholds(&mut root);
        for section in root.tables("feature", "a feature", self.problems) {
            self.feature(section);
        }
        let mut names = Vec::new();
        let rules = root.tables("rule", "a rule", self.problems).into_iter().filter_map(|section| self.rule(section, &mut names));
        let rules: Vec<Rule> = rules.collect();
        if rules.is_empty() && self.problems.is_empty() {
            self.problems.add(0, "a pack without a rule decides nothing: add [[rule]]");
        }
        root.finish(self.problems);
        Some(Pack { name: Text::new(name?), thresholds: thresholds?, aggregates: self.features.aggregates, rules, kept: self.kept })
    }

    fn subject(&mut self, root: &mut Section<'_>) {
        if let Some(subject) = root.text("subject", self.problems).filter(|subject| subject.value != "transaction") {
            self.problems.add(subject.span.start, format!("{:?} can not be scored: the subject is \"transaction\"", subject.value));
        }
    }

    fn thresholds(&mut self, root: &mut Section<'_>) -> Option<Thresholds> {
        let mut section = root.table("thresholds", "[thresholds]", self.problems)?;
        let review = section.points("review", self.problems);
        let block = section.points("block", self.problems);
        let critical = section.optional_points("critical", self.problems);
        section.finish(self.problems);
        let (review, block) = (review?, block?);
        if review.value > block.value {
            self.problems.add(review.span.start, format!("`review` ({}) lies above `block` ({})", review.value, block.value));
        }
        if let Some(critical) = critical.as_ref().filter(|critical| critical.value < block.value) {
            self.problems.add(critical.span.start, format!("`critical` ({}) lies below `block` ({})", critical.value, block.value));
        }
        Some(Thresholds { review: review.value, block: block.value, critical: critical.map(|critical| critical.value) })
    }

    fn name(&mut self, name: &Entry<&str>) -> Option<String> {
        let starts = name.value.starts_with(|c: char| c.is_ascii_lowercase());
        let spelled = name.value.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        if !starts || !spelled || name.value.len() > MAX_NAME {
            let advice = format!("at most {MAX_NAME} of a-z, 0-9 and _, a letter first");
            self.problems.add(name.span.start, format!("{:?} is no name: write {advice}", name.value));
            return None;
        }
        Some(name.value.to_owned())
    }

    fn feature(&mut self, mut section: Section<'_>) {
        let name = section.text("name", self.problems);
        let valid = name.as_ref().and_then(|name| self.feature_name(name));
        let read = match (section.optional("value").is_some(), section.optional("aggregate").is_some()) {
            (true, false) => self.value(&mut section, valid.as_deref()),
            (false, true) => self.aggregate(&mut section, valid.as_deref()),
            _ => {
                self.problems.add(section.at(), "a feature has either an `aggregate` or a `value`");
                // Its entries cannot be checked.
                self.features.broken.extend(valid);
                return;
            }
        };
        if read.is_none() {
            self.features.broken.extend(name.map(|name| name.value.to_owned()));
        }
        section.finish(self.problems);
    }

    fn feature_name(&mut self, name: &Entry<&str>) -> Option<String> {
        let valid = self.name(name)?;
        if Field::from_name(&valid).is_some() || expression::is_reserved(&valid) {
            self.problems.add(name.span.start, format!("`{valid}` means something else already: choose another name"));
            return None;
        }
        if self.features.has(&valid) {
            self.problems.add(name.span.start, format!("there is a feature `{valid}` already: choose another name"));
            return None;
        }
        Some(valid)
    }

    fn value(&mut self, section: &mut Section<'_>, name: Option<&str>) -> Option<()> {
        let text = section.text("value", self.problems)?;
        let (node, type_of) = self.expression(&text, None, true)?;
        let name = Text::new(name?);
        self.features.expressions.insert(name.clone(), Text::new(text.value));
        self.features.values.push(Arc::new(Named { name, type_of, node }));
        Some(())
    }

    fn aggregate(&mut self, section: &mut Section<'_>, name: Option<&str>) -> Option<()> {
        let kind = section.text("aggregate", self.problems);
        let field = section.optional_text("field", self.problems);
        let of = kind.and_then(|kind| self.aggregate_of(&kind, field.as_ref()));
        let window = section.text("window", self.problems).and_then(|window| self.window(&window));
        let key = section.optional_texts("key", self.problems);
        let key = key.map_or(Some(None), |key| self.key(&key));
        let filter = section.optional_text("filter", self.problems);
        let filter = filter.map_or(Some(None), |filter| self.expression(&filter, Some(Type::Bool), false).map(|(node, _)| Some(node)));
        let ((kind, field, type_of), key) = (of?, key?);
        field.into_iter().chain(key).for_each(|field| self.kept.add(field));
        let (name, window, filter) = (Text::new(name?), window?, filter?);
        let mut followers = Followers::default();
        field.into_iter().chain(key).for_each(|field| followers.add(field));
        filter.iter().for_each(|filter| filter.fields(&mut |field| followers.add(field)));
        self.features.aggregates.push(Aggregate { name, kind, field, key, filter, window, type_of, followers });
        Some(())
    }

    /// The kind, the field and the type of an aggregate.
    fn aggregate_of(&mut self, kind: &Entry<&str>, field: Option<&Entry<&str>>) -> Option<(AggregateKind, Option<Field>, Type)> {
        let found = field.map(|field| self.field(field));
        let kind_at = kind.span.start;
        let kind = self.kind(kind)?;
        let (field_at, field) = match (field, found) {
            (Some(entry), Some(found)) => (entry.span.start, Some(found?)),
            _ => (kind_at, None),
        };
        if kind.needs_field() && field.is_none() {
            self.problems.add(kind_at, "this aggregate needs a `field`");
            return None;
        }
        let Some(type_of) = kind.result(field.map(Field::type_of)) else {
            let found = field.map_or_else(String::new, |field| field.type_of().to_string());
            self.problems.add(field_at, format!("this aggregate takes {}, but the field is {found}", kind.takes()));
            return None;
        };
        Some((kind, field, type_of))
    }

    fn kind(&mut self, kind: &Entry<&str>) -> Option<AggregateKind> {
        let found = AggregateKind::ALL.iter().find(|(word, _)| *word == kind.value);
        if found.is_none() {
            let known = AggregateKind::ALL.map(|(word, _)| word).join(", ");
            self.problems.add(kind.span.start, format!("there is no aggregate {:?}: use one of {known}", kind.value));
        }
        found.map(|(_, kind)| *kind)
    }

    fn field(&mut self, name: &Entry<&str>) -> Option<Field> {
        let field = Field::from_name(name.value);
        if field.is_none() {
            self.problems.add(name.span.start, format!("the event has no field {:?}: use one of {}", name.value, Field::names()));
        }
        field
    }

    fn window(&mut self, window: &Entry<&str>) -> Option<i64> {
        match span::parse(window.value) {
            Ok(0) => {
                self.problems.add(window.span.start, format!("{:?} is no window: it has no length; write 1s or more", window.value));
                None
            }
            Ok(nanos) => Some(nanos),
            Err(reason) => {
                self.problems.add(window.span.start, reason);
                None
            }
        }
    }

    fn key(&mut self, key: &Entry<Vec<&str>>) -> Option<Option<Field>> {
        match key.value.as_slice() {
            ["account_id"] => Some(None),
            ["account_id", name] => {
                let field = self.field(&Entry { value: *name, span: key.span.clone() })?;
                let fits = matches!(field.type_of(), Type::Text | Type::Word(_));
                if !fits {
                    self.problems.add(key.span.start, format!("`{name}` is {}: a key is a text", field.type_of()));
                }
                fits.then_some(Some(field))
            }
            _ => {
                let advice = "events are kept by account: write [\"account_id\"], or [\"account_id\", FIELD] for those with the same FIELD";
                self.problems.add(key.span.start, advice);
                None
            }
        }
    }

    fn rule<'s>(&mut self, mut section: Section<'s>, names: &mut Vec<&'s str>) -> Option<Rule> {
        let name = section.text("name", self.problems);
        let valid = name.as_ref().and_then(|name| self.name(name));
        if let Some(name) = name {
            if Amendment::from_word(name.value).is_some() {
                self.problems.add(name.span.start, format!("`{}` is what amended decisions name: choose another name", name.value));
            }
            if names.contains(&name.value) {
                self.problems.add(name.span.start, format!("there is a rule `{}` already: choose another name", name.value));
            }
            names.push(name.value);
        }
        let when = section.text("when", self.problems);
        let condition = when.as_ref().and_then(|when| self.expression(when, Some(Type::Bool), true));
        let points = section.points("points", self.problems);
        section.finish(self.problems);
        let (text, (when, _), points) = (when?.value, condition?, points?.value);
        let followers = self.features.followers(&when);
        let meaning = Text::from(format!("{points} {text} {:?}", self.features.definitions(&when)));
        Some(Rule { name: Text::new(valid?), when, points, followers, meaning })
    }

    /// Compiles an expression; its problems are located in the file.
    fn expression(&mut self, text: &Entry<&str>, expected: Option<Type>, features: bool) -> Option<Resolved> {
        let names: &dyn Names = if features { &self.features } else { &FieldsOnly };
        match expression::compile(text.value, names, expected) {
            Ok((node, type_of)) => {
                node.fields(&mut |field| self.kept.add(field));
                Some((node, type_of))
            }
            Err(faults) => {
                // In a TOML text with escapes, offsets do not correspond to the file: problems are then at the text's beginning.
                let inside = self.problems.source(text.span.clone()).find(text.value);
                for fault in faults {
                    self.problems.add(text.span.start + inside.map_or(0, |inside| inside + fault.at), fault.reason);
                }
                None
            }
        }
    }
}
