//! Slots of orders by their id.
//!
//! Open addressing with linear probing: an entry is 32 bits of the id's hash and the slot, so a look-up usually reads one
//! line of this table, and the order itself only if the hashes are equal. Ids stay with their orders.

use std::hash::Hasher;

use headwater_schemas::Id;
use rustc_hash::FxHasher;

use super::orders::{NOWHERE, Slot};

/// Slots by the hash of their order's id.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    /// None, or a power of two of them; at most half of them are taken.
    entries: Vec<Entry>,
    len: usize,
}

/// An entry; one without a slot is free.
#[derive(Clone, Copy, Debug)]
struct Entry {
    hash: IdHash,
    slot: Slot,
}

impl Entry {
    const FREE: Self = Self { hash: IdHash(0), slot: NOWHERE };
}

/// An id's hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct IdHash(u32);

impl IdHash {
    pub(super) fn of(id: &Id) -> Self {
        let mut hasher = FxHasher::default();
        hasher.write(id.as_bytes());
        Self((hasher.finish() & 0xffff_ffff) as u32)
    }
}

impl Index {
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Every slot, in no order that means anything.
    pub(super) fn slots(&self) -> impl Iterator<Item = Slot> {
        self.entries.iter().map(|entry| entry.slot).filter(|slot| *slot != NOWHERE)
    }

    /// The slot with this hash that `is_it` accepts.
    pub(super) fn find(&self, hash: IdHash, is_it: impl Fn(Slot) -> bool) -> Option<Slot> {
        self.probe(hash, is_it).map(|(_, slot)| slot)
    }

    /// Adds a slot, which must not be there yet.
    pub(super) fn insert(&mut self, hash: IdHash, slot: Slot) {
        if (self.len + 1) * 2 > self.entries.len() {
            self.grow();
        }
        self.place(Entry { hash, slot });
        self.len += 1;
    }

    /// Takes a slot out.
    pub(super) fn remove(&mut self, hash: IdHash, slot: Slot) {
        let Some((mut free, _)) = self.probe(hash, |each| each == slot) else { return };
        let mut position = self.after(free);
        while let Some(entry) = self.taken(position) {
            // An entry that a free one would cut off from its home moves into the free one.
            if self.distance(self.home(entry.hash), position) >= self.distance(free, position) {
                self.set(free, entry);
                free = position;
            }
            position = self.after(position);
        }
        self.set(free, Entry::FREE);
        self.len -= 1;
    }

    fn probe(&self, hash: IdHash, is_it: impl Fn(Slot) -> bool) -> Option<(usize, Slot)> {
        let mut position = self.home(hash);
        loop {
            let entry = self.taken(position)?;
            if entry.hash == hash && is_it(entry.slot) {
                return Some((position, entry.slot));
            }
            position = self.after(position);
        }
    }

    fn place(&mut self, entry: Entry) {
        let mut position = self.home(entry.hash);
        while self.taken(position).is_some() {
            position = self.after(position);
        }
        self.set(position, entry);
    }

    fn grow(&mut self) {
        let length = (self.entries.len() * 2).max(16);
        let entries = std::mem::replace(&mut self.entries, vec![Entry::FREE; length]);
        entries.into_iter().filter(|entry| entry.slot != NOWHERE).for_each(|entry| self.place(entry));
    }

    fn taken(&self, position: usize) -> Option<Entry> {
        self.entries.get(position).copied().filter(|entry| entry.slot != NOWHERE)
    }

    fn set(&mut self, position: usize, entry: Entry) {
        self.entries.get_mut(position).into_iter().for_each(|there| *there = entry);
    }

    /// Where an entry belongs unless others are there.
    const fn home(&self, hash: IdHash) -> usize {
        hash.0 as usize & self.mask()
    }

    const fn after(&self, position: usize) -> usize {
        (position + 1) & self.mask()
    }

    const fn distance(&self, from: usize, to: usize) -> usize {
        to.wrapping_sub(from) & self.mask()
    }

    const fn mask(&self) -> usize {
        self.entries.len().saturating_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        // Hashes so few that long rows of entries collide, around the end of the table as well.
        #[test]
        fn it_finds_what_a_map_would_find(steps in prop::collection::vec((0_u32..40, prop::bool::weighted(0.6)), 0..400)) {
            let hash = |number: u32| IdHash((number % 5).wrapping_sub(2));
            let (mut index, mut map) = (Index::default(), BTreeMap::new());
            for (number, comes) in steps {
                match (comes, map.contains_key(&number)) {
                    (true, false) => {
                        index.insert(hash(number), Slot::new(number));
                        map.insert(number, Slot::new(number));
                    }
                    (false, true) => {
                        index.remove(hash(number), Slot::new(number));
                        map.remove(&number);
                    }
                    _ => {}
                }
                for number in 0..40 {
                    let found = index.find(hash(number), |slot| slot == Slot::new(number));
                    prop_assert_eq!(found, map.get(&number).copied());
                }
                let slots: std::collections::BTreeSet<Slot> = index.slots().collect();
                prop_assert_eq!(slots, map.values().copied().collect());
                prop_assert_eq!(index.len(), map.len());
            }
        }
    }
}
