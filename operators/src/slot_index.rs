//! Numbers of slots, found by the hash of their key.
//!
//! Keys stay in their slots: an entry takes eight bytes, and growing moves entries only.

use std::hash::{Hash, Hasher};

use hashbrown::HashTable;
use rustc_hash::FxHasher;

/// Half of a key's hash. Keys are compared only where it is equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyHash(u32);

impl KeyHash {
    pub(crate) fn of(key: &(impl Hash + ?Sized)) -> Self {
        let mut hasher = FxHasher::default();
        key.hash(&mut hasher);
        Self((hasher.finish() & 0xffff_ffff) as u32)
    }

    /// Spread over all bits: the table takes the place from the low ones and tells entries apart by the high ones.
    const fn spread(self) -> u64 {
        (self.0 as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    hash: KeyHash,
    slot: u32,
}

/// The index.
#[derive(Clone, Debug, Default)]
pub(crate) struct SlotIndex {
    entries: HashTable<Entry>,
}

impl SlotIndex {
    pub(crate) const fn new() -> Self {
        Self { entries: HashTable::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Every slot, in no order that anything may depend on.
    pub(crate) fn slots(&self) -> impl Iterator<Item = u32> {
        self.entries.iter().map(|entry| entry.slot)
    }

    /// The slot with this hash that `is_it` accepts.
    pub(crate) fn find(&self, hash: KeyHash, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let found = self.entries.find(hash.spread(), |entry| entry.hash == hash && is_it(entry.slot));
        found.map(|entry| entry.slot)
    }

    /// Adds a slot, which must not be there yet.
    pub(crate) fn insert(&mut self, hash: KeyHash, slot: u32) {
        self.entries.insert_unique(hash.spread(), Entry { hash, slot }, |entry| entry.hash.spread());
    }

    /// Takes a slot out.
    pub(crate) fn remove(&mut self, hash: KeyHash, slot: u32) {
        if let Ok(entry) = self.entries.find_entry(hash.spread(), |entry| entry.slot == slot) {
            entry.remove();
        }
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
            let hash = |number: u32| KeyHash((number % 5).wrapping_sub(2));
            let (mut index, mut map) = (SlotIndex::new(), BTreeMap::new());
            for (number, comes) in steps {
                match (comes, map.contains_key(&number)) {
                    (true, false) => {
                        index.insert(hash(number), number);
                        map.insert(number, number);
                    }
                    (false, true) => {
                        index.remove(hash(number), number);
                        map.remove(&number);
                    }
                    _ => {}
                }
                for number in 0..40 {
                    let found = index.find(hash(number), |slot| slot == number);
                    prop_assert_eq!(found, map.get(&number).copied());
                }
                let slots: std::collections::BTreeSet<u32> = index.slots().collect();
                prop_assert_eq!(slots, map.values().copied().collect());
                prop_assert_eq!(index.len(), map.len());
            }
        }
    }
}
