//! Rows of a key's items that changed.

use headwater_schemas::tables::{Moment, TableRow, TableWriter};

/// The rows, as they were emitted last, of items that changed since, ordered by item.
#[derive(Clone, Debug)]
pub(super) struct Touched<K, R>(Vec<(K, Option<Box<R>>)>);

impl<K, R> Default for Touched<K, R> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Ord, R: TableRow> Touched<K, R> {
    /// Notes the row of an item before it changes; `None` for a new item.
    pub(super) fn note(&mut self, key: K, row: impl FnOnce() -> Option<R>) {
        if let Err(index) = self.0.binary_search_by(|(noted, _)| noted.cmp(&key)) {
            self.0.insert(index, (key, row().map(Box::new)));
        }
    }

    /// Emits the items that changed. `now` gives the row of an item, if it is still there.
    pub(super) fn emit(&mut self, at: &Moment, table: &TableWriter<R>, now: impl Fn(&K) -> Option<R>) {
        for (key, before) in std::mem::take(&mut self.0) {
            let row = now(&key);
            table.replace(at, before.map(|row| *row), row);
        }
    }
}
