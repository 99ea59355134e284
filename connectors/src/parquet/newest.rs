//! The newest row of each key among changes that are read in any order.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use headwater_schemas::tables::TableRow;

/// The state of a key from a commit and tick on: its row, or that it is retracted.
pub(super) struct Version<R> {
    /// The row; of a key that is retracted, its last one.
    pub(super) row: R,
    /// The commit and the tick.
    pub(super) since: (i64, i64),
    /// Whether the key has the row, and is not retracted.
    pub(super) is: bool,
}

/// Collects changes, and keeps the newest of each key.
pub(super) struct Newest<R> {
    versions: Vec<Version<R>>,
    /// Places in `versions`, by the hash of their keys.
    places: HashTable<usize>,
}

impl<R: TableRow> Newest<R> {
    /// Nothing, with room for so many changes.
    pub(super) fn with_capacity(changes: usize) -> Self {
        Self { versions: Vec::with_capacity(changes), places: HashTable::with_capacity(changes) }
    }

    /// Adds changes.
    pub(super) fn extend(&mut self, versions: Vec<Version<R>>) {
        versions.into_iter().for_each(|version| self.add(version));
    }

    fn add(&mut self, new: Version<R>) {
        let versions = &mut self.versions;
        let is_of_key = |place: &usize| versions.get(*place).is_some_and(|version| version.row.cmp_key(&new.row).is_eq());
        let hash_of = |place: &usize| versions.get(*place).map_or(0, |version| version.row.key_hash());
        match self.places.entry(new.row.key_hash(), is_of_key, hash_of) {
            Entry::Vacant(entry) => {
                entry.insert(versions.len());
                versions.push(new);
            }
            Entry::Occupied(entry) => {
                if let Some(version) = versions.get_mut(*entry.get()).filter(|version| version.since < new.since) {
                    *version = new;
                }
            }
        }
    }

    /// Whether the row's key has changed.
    pub(super) fn has(&self, row: &R) -> bool {
        let is_of_key = |place: &usize| self.versions.get(*place).is_some_and(|version| version.row.cmp_key(row).is_eq());
        !self.places.is_empty() && self.places.find(row.key_hash(), is_of_key).is_some()
    }

    /// The number of keys.
    pub(super) fn len(&self) -> usize {
        self.versions.len()
    }

    /// The rows of keys that are not retracted, in the memory of the changes.
    pub(super) fn into_rows(self) -> Vec<R> {
        self.versions.into_iter().filter(|version| version.is).map(|version| version.row).collect()
    }
}
