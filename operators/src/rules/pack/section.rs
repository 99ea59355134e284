//! Access to a TOML table of a pack: entries are taken by name, and each remaining entry is a problem.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::Problems;

/// A table that is being read.
pub(super) struct Section<'t> {
    table: &'t DeTable<'t>,
    /// Its name in messages.
    what: &'static str,
    at: usize,
    taken: Vec<&'static str>,
}

/// An entry's value and its position.
#[derive(Clone, Debug)]
pub(super) struct Entry<T> {
    pub(super) value: T,
    pub(super) span: Range<usize>,
}

impl<'t> Section<'t> {
    pub(super) const fn new(table: &'t DeTable<'t>, what: &'static str, at: usize) -> Self {
        Self { table, what, at, taken: Vec::new() }
    }

    pub(super) const fn at(&self) -> usize {
        self.at
    }

    /// An optional entry.
    pub(super) fn optional(&mut self, name: &'static str) -> Option<&'t Spanned<DeValue<'t>>> {
        if !self.taken.contains(&name) {
            self.taken.push(name);
        }
        self.table.iter().find(|(key, _)| key.get_ref() == name).map(|(_, value)| value)
    }

    fn required(&mut self, name: &'static str, problems: &mut Problems<'_>) -> Option<&'t Spanned<DeValue<'t>>> {
        let value = self.optional(name);
        if value.is_none() {
            problems.add(self.at, format!("{} has no `{name}`: add it", self.what));
        }
        value
    }

    /// An optional text.
    pub(super) fn optional_text(&mut self, name: &'static str, problems: &mut Problems<'_>) -> Option<Entry<&'t str>> {
        self.optional(name).and_then(|value| text(name, value, problems))
    }

    /// A text.
    pub(super) fn text(&mut self, name: &'static str, problems: &mut Problems<'_>) -> Option<Entry<&'t str>> {
        self.required(name, problems).and_then(|value| text(name, value, problems))
    }

    /// An optional whole number, at least 1.
    pub(super) fn optional_points(&mut self, name: &'static str, problems: &mut Problems<'_>) -> Option<Entry<u32>> {
        self.optional(name).and_then(|value| points(name, value, problems))
    }

    /// A whole number, at least 1.
    pub(super) fn points(&mut self, name: &'static str, problems: &mut Problems<'_>) -> Option<Entry<u32>> {
        self.required(name, problems).and_then(|value| points(name, value, problems))
    }

    /// An optional list of texts.
    pub(super) fn optional_texts(&mut self, name: &'static str, problems: &mut Problems<'_>) -> Option<Entry<Vec<&'t str>>> {
        let value = self.optional(name)?;
        let Some(items) = value.get_ref().as_array() else {
            problems.add(value.span().start, format!("`{name}` is {}: write a list of texts", kind(value)));
            return None;
        };
        let texts: Vec<_> = items.iter().map(|item| text(name, item, problems).map(|entry| entry.value)).collect();
        Some(Entry { value: texts.into_iter().collect::<Option<_>>()?, span: value.span() })
    }

    /// An optional table.
    pub(super) fn optional_table(&mut self, name: &'static str, what: &'static str, problems: &mut Problems<'_>) -> Option<Section<'t>> {
        self.optional(name)?;
        self.table(name, what, problems)
    }

    /// A table.
    pub(super) fn table(&mut self, name: &'static str, what: &'static str, problems: &mut Problems<'_>) -> Option<Section<'t>> {
        let value = self.required(name, problems)?;
        match value.get_ref().as_table() {
            Some(table) => Some(Section::new(table, what, value.span().start)),
            None => {
                problems.add(value.span().start, format!("`{name}` is {}: write a table [{name}]", kind(value)));
                None
            }
        }
    }

    /// An optional list of tables.
    pub(super) fn tables(&mut self, name: &'static str, what: &'static str, problems: &mut Problems<'_>) -> Vec<Section<'t>> {
        let Some(value) = self.optional(name) else { return Vec::new() };
        let items = value.get_ref().as_array().map(|items| items.iter()).into_iter().flatten();
        let tables: Vec<_> = items.filter_map(|item| Some(Section::new(item.get_ref().as_table()?, what, item.span().start))).collect();
        if value.get_ref().as_array().is_none_or(|items| items.len() != tables.len()) {
            problems.add(value.span().start, format!("`{name}` is {}: write tables [[{name}]]", kind(value)));
        }
        tables
    }

    /// Adds a problem for each remaining entry.
    pub(super) fn finish(self, problems: &mut Problems<'_>) {
        for (key, _) in self.table {
            if !self.taken.iter().any(|taken| key.get_ref() == taken) {
                let known = self.taken.join(", ");
                problems.add(key.span().start, format!("{} has no entry `{}`: use {known}", self.what, key.get_ref()));
            }
        }
    }
}

/// The type of a value, for messages.
fn kind(value: &Spanned<DeValue<'_>>) -> &'static str {
    match value.get_ref() {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

fn text<'t>(name: &str, value: &'t Spanned<DeValue<'t>>, problems: &mut Problems<'_>) -> Option<Entry<&'t str>> {
    match value.get_ref().as_str() {
        Some(text) => Some(Entry { value: text, span: value.span() }),
        None => {
            problems.add(value.span().start, format!("`{name}` is {}: write a text in quotes", kind(value)));
            None
        }
    }
}

fn points(name: &str, value: &Spanned<DeValue<'_>>, problems: &mut Problems<'_>) -> Option<Entry<u32>> {
    const MAX: u32 = 1_000_000;
    let number = value.get_ref().as_integer().filter(|number| number.radix() == 10);
    match number.and_then(|number| number.as_str().parse::<u32>().ok()).filter(|number| (1..=MAX).contains(number)) {
        Some(points) => Some(Entry { value: points, span: value.span() }),
        None => {
            problems.add(value.span().start, format!("`{name}` must be a whole number from 1 to {MAX}"));
            None
        }
    }
}
