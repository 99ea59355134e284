//! Rows of a key's items that changed.

use std::collections::BTreeMap;

use headwater_schemas::tables::{Moment, TableRow, TableWriter};

/// The rows, as they were emitted last, of items that changed since.
#[derive(Clone, Debug)]
pub(super) struct Touched<K, R>(BTreeMap<K, Option<R>>);

impl<K, R> Default for Touched<K, R> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord, R: TableRow> Touched<K, R> {
    /// Notes the row of an item before it changes; `None` for a new item.
    pub(super) fn note(&mut self, key: K, row: impl FnOnce() -> Option<R>) {
        self.0.entry(key).or_insert_with(row);
    }

    /// Emits the items that changed. `now` gives the row of an item, if it is still there.
    pub(super) fn emit(&mut self, at: &Moment, table: &TableWriter<R>, now: impl Fn(&K) -> Option<R>) {
        for (key, before) in std::mem::take(&mut self.0) {
            let row = now(&key);
            table.replace(at, before, row);
        }
    }
}
