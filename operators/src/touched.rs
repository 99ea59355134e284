//! Items of a key that changed since their rows were emitted.

use std::collections::BTreeMap;

use headwater_schemas::tables::{Moment, TableRow, TableWriter};

/// The values, as they were emitted last, of items that changed since, ordered by item. A value may be the row itself.
#[derive(Clone, Debug)]
pub(crate) struct Touched<K, V>(BTreeMap<K, Option<Box<V>>>);

impl<K, V> Default for Touched<K, V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord, V> Touched<K, V> {
    /// Whether nothing changed.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Notes the value of an item before it changes; `None` for a new item.
    pub(crate) fn note(&mut self, key: K, value: impl FnOnce() -> Option<V>) {
        self.0.entry(key).or_insert_with(|| value().map(Box::new));
    }

    /// Emits the items that changed. `row` gives the row of a value, `now` the value of an item, if it is still there.
    pub(crate) fn emit_as<R: TableRow>(
        &mut self,
        at: &Moment,
        table: &TableWriter<R>,
        row: impl Fn(&K, V) -> R,
        now: impl Fn(&K) -> Option<V>,
    ) {
        for (key, before) in std::mem::take(&mut self.0) {
            let row = |value: V| row(&key, value);
            table.replace(at, before.map(|value| row(*value)), now(&key).map(row));
        }
    }
}

impl<K: Ord, R: TableRow> Touched<K, R> {
    /// Emits the rows that changed. `now` gives the row of an item, if it is still there.
    pub(crate) fn emit(&mut self, at: &Moment, table: &TableWriter<R>, now: impl Fn(&K) -> Option<R>) {
        self.emit_as(at, table, |_, row| row, now);
    }
}

/// The row, as it was emitted last, of a key that has one, if it changed since. Smaller than [`Touched`], for very many keys.
#[derive(Clone, Debug, Default)]
pub(crate) enum Noted<R> {
    /// Nothing changed.
    #[default]
    Unchanged,
    /// There was no row.
    New,
    /// The row of before.
    Was(Box<R>),
}

impl<R: TableRow> Noted<R> {
    /// Notes the row before it changes; `None` for a new one.
    pub(crate) fn note(&mut self, row: impl FnOnce() -> Option<R>) {
        if matches!(self, Self::Unchanged) {
            *self = row().map_or(Self::New, |row| Self::Was(Box::new(row)));
        }
    }

    /// Emits the row, if it changed. `now` gives it, if it is still there.
    pub(crate) fn emit(&mut self, at: &Moment, table: &TableWriter<R>, now: impl FnOnce() -> Option<R>) {
        match std::mem::take(self) {
            Self::Unchanged => {}
            Self::New => table.replace(at, None, now()),
            Self::Was(row) => table.replace(at, Some(*row), now()),
        }
    }
}
