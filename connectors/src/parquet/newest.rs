//! The newest row of each key among changes that are read in any order.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use headwater_schemas::tables::TableRow;

/// The state of a key from a commit and tick on: its row, or that it is retracted.
pub(super) struct Version<R> {
    /// The row; of a key that is retracted, its last one.
    pub(super) row: R,
    /// The hash of its key. Who decodes rows computes it, beside others.
    pub(super) hash: u64,
    /// From when on, and whether the key has the row.
    pub(super) mark: Mark,
}

/// The place of a version among those of its key.
#[derive(Clone, Copy)]
pub(super) struct Mark {
    /// The commit and the tick.
    pub(super) since: (i64, i64),
    /// Whether the key has the row, and is not retracted.
    pub(super) is: bool,
}

/// A key's place among the rows. The hash is stored: rows are large, and are looked at only where hashes are equal.
struct Place {
    hash: u64,
    row: usize,
}

/// Collects changes, and keeps the newest of each key.
pub(super) struct Newest<R> {
    rows: Vec<R>,
    /// Those of the rows.
    marks: Vec<Mark>,
    places: HashTable<Place>,
}

impl<R: TableRow> Newest<R> {
    /// Nothing, with room for so many changes. Places grow with the keys: many changes may be of few keys.
    pub(super) fn with_capacity(changes: usize) -> Self {
        Self { rows: Vec::with_capacity(changes), marks: Vec::new(), places: HashTable::new() }
    }

    /// Adds changes.
    pub(super) fn extend(&mut self, versions: Vec<Version<R>>) {
        versions.into_iter().for_each(|version| self.add(version));
    }

    fn add(&mut self, Version { row: new, hash, mark }: Version<R>) {
        let rows = &self.rows;
        let is_of_key = |place: &Place| place.hash == hash && rows.get(place.row).is_some_and(|row| row.cmp_key(&new).is_eq());
        match self.places.entry(hash, is_of_key, |place| place.hash) {
            Entry::Vacant(entry) => {
                entry.insert(Place { hash, row: self.rows.len() });
                self.rows.push(new);
                self.marks.push(mark);
            }
            Entry::Occupied(entry) => {
                let place = entry.get().row;
                let older = self.marks.get_mut(place).filter(|known| known.since < mark.since);
                if let Some((known, row)) = older.zip(self.rows.get_mut(place)) {
                    (*known, *row) = (mark, new);
                }
            }
        }
    }

    /// Whether the key of a row has changed.
    pub(super) fn has(&self, version: &Version<R>) -> bool {
        let row_of = |place: &Place| self.rows.get(place.row);
        let is_of_key = |place: &Place| place.hash == version.hash && row_of(place).is_some_and(|row| row.cmp_key(&version.row).is_eq());
        self.places.find(version.hash, is_of_key).is_some()
    }

    /// The number of keys.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The rows of keys that are not retracted, in the memory of the changes.
    pub(super) fn into_rows(self) -> Vec<R> {
        let Self { mut rows, marks, .. } = self;
        let mut marks = marks.into_iter();
        rows.retain(|_| marks.next().is_some_and(|mark| mark.is));
        rows
    }
}
