//! Index from the hash of a key to the number of its slot.
//!
//! Keys stay in their slots: an entry takes eight bytes, and growing moves entries only.

use std::hash::{Hash, Hasher};

use hashbrown::HashTable;
use rustc_hash::FxHasher;

/// Half of a key's hash. Keys are compared only where it is equal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct KeyHash(u32);

impl KeyHash {
    pub(crate) fn of(key: &(impl Hash + ?Sized)) -> Self {
        let mut hasher = FxHasher::default();
        key.hash(&mut hasher);
        Self((hasher.finish() & 0xffff_ffff) as u32)
    }

    /// Hash of a key of two parts. The first part alone decides the place in the table, so [`SlotIndex::find_first_part`] can search by
    /// it. Eight bits of the second part distinguish most keys that share it, without comparing the keys.
    pub(crate) fn of_parts(first: &(impl Hash + ?Sized), second: &(impl Hash + ?Sized)) -> Self {
        Self((Self::of(first).0 & !Self::SECOND) | (Self::of(second).0 >> 24))
    }

    /// Bits of the second part, which do not decide the place.
    const SECOND: u32 = 0xff;

    const fn first_part(self) -> u32 {
        self.0 & !Self::SECOND
    }

    /// The hash spread over all bits: the table uses the low ones for the place and the high ones to distinguish entries. The low bits
    /// of the product are zero, like those of the first part, so the upper half of the product becomes the lower one.
    const fn spread(self) -> u64 {
        (self.first_part() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32)
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

    /// Every slot, in an arbitrary order.
    pub(crate) fn slots(&self) -> impl Iterator<Item = u32> {
        self.entries.iter().map(|entry| entry.slot)
    }

    /// The slot with this hash that `is_it` accepts.
    pub(crate) fn find(&self, hash: KeyHash, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let found = self.entries.find(hash.spread(), |entry| entry.hash == hash && is_it(entry.slot));
        found.map(|entry| entry.slot)
    }

    /// A slot that `is_it` accepts, among those whose keys have the same first part.
    pub(crate) fn find_first_part(&self, hash: KeyHash, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let is_found = |entry: &Entry| entry.hash.first_part() == hash.first_part() && is_it(entry.slot);
        self.entries.find(hash.spread(), is_found).map(|entry| entry.slot)
    }

    /// Adds a slot, which must not be there yet.
    pub(crate) fn insert(&mut self, hash: KeyHash, slot: u32) {
        self.entries.insert_unique(hash.spread(), Entry { hash, slot }, |entry| entry.hash.spread());
    }

    /// Removes a slot.
    pub(crate) fn remove(&mut self, hash: KeyHash, slot: u32) {
        if let Ok(entry) = self.entries.find_entry(hash.spread(), |entry| entry.slot == slot) {
            entry.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_key_is_found_by_both_parts_and_by_its_first() {
        let hash = |first: u32, second: u32| KeyHash::of_parts(&first, &second);
        let mut index = SlotIndex::new();
        for slot in 0..1_000_u32 {
            index.insert(hash(slot % 3, slot / 3), slot);
        }
        for slot in 0..1_000_u32 {
            assert_eq!(index.find(hash(slot % 3, slot / 3), |found| found == slot), Some(slot));
        }
        let first_of = |first: u32, second: u32| index.find_first_part(hash(first, second), |slot| slot % 3 == first).map(|slot| slot % 3);
        assert_eq!([first_of(0, 7), first_of(2, 9_999), first_of(3, 7)], [Some(0), Some(2), None]);
    }

    /// Of 4,096 places, 10,000 keys spread at random leave 4096 · e^(−10000/4096) = 356 without a key.
    #[test]
    fn keys_spread_over_all_places_of_the_table() {
        let spread = |key: u32| KeyHash::of(&format!("T{key}")).spread();
        let places: BTreeSet<u64> = (0..10_000).map(|key| spread(key) % 4_096).collect();
        assert!(places.len() > 3_600, "{} of 4096 places are used", places.len());
        let tags: BTreeSet<u64> = (0..10_000).map(|key| spread(key) >> 57).collect();
        assert_eq!(tags.len(), 128, "seven bits distinguish entries");
    }

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
                    let found = index.find_first_part(hash(number), |slot| slot == number);
                    prop_assert_eq!(found, map.get(&number).copied());
                }
                let slots: BTreeSet<u32> = index.slots().collect();
                prop_assert_eq!(slots, map.values().copied().collect());
                prop_assert_eq!(index.len(), map.len());
            }
        }
    }
}
