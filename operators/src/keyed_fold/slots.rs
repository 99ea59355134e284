//! Storage of keys and their states, in slots that never move.

use std::hash::Hash;

use crate::slab::Slab;
use crate::slot_index::{KeyHash, SlotIndex};

/// A key with its state.
pub(super) struct Slot<K, S> {
    pub(super) key: K,
    pub(super) state: S,
    pub(super) touched: Touched,
}

/// Whether the rows and the updates of a slot wait to be emitted.
#[derive(Clone, Copy, Default)]
pub(super) struct Touched {
    pub(super) rows: bool,
    pub(super) updates: bool,
}

/// The number of a slot, valid until its key is removed.
pub(super) type SlotNumber = u32;

/// Slots, indexed by key. A key is stored once, in its slot.
pub(super) struct Slots<K, S> {
    index: SlotIndex,
    slots: Slab<Option<Slot<K, S>>>,
    free: Vec<SlotNumber>,
}

impl<K: Eq + Hash, S: Default> Slots<K, S> {
    pub(super) const fn new() -> Self {
        Self { index: SlotIndex::new(), slots: Slab::new(), free: Vec::new() }
    }

    pub(super) fn get_mut(&mut self, number: SlotNumber) -> Option<&mut Slot<K, S>> {
        self.slots.get_mut(number)?.as_mut()
    }

    /// The slots, in arbitrary order, on which nothing may depend.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Slot<K, S>> {
        self.slots.iter().filter_map(Option::as_ref)
    }

    /// The same, to be changed.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Slot<K, S>> {
        self.slots.iter_mut().filter_map(Option::as_mut)
    }

    /// The slot of a key, if there is one.
    pub(super) fn find(&self, key: &K) -> Option<SlotNumber> {
        self.find_hashed(KeyHash::of(key), key)
    }

    pub(super) fn find_hashed(&self, hash: KeyHash, key: &K) -> Option<SlotNumber> {
        self.index.find(hash, |number| matches!(self.slots.get(number), Some(Some(slot)) if slot.key == *key))
    }

    /// The slot of a key, created if there is none. `None` beyond 2^32 keys, which no memory holds.
    pub(super) fn find_or_insert(&mut self, hash: KeyHash, key: K) -> Option<SlotNumber> {
        self.find_hashed(hash, &key).or_else(|| self.insert(hash, key))
    }

    /// The same for a key that is created only if it `may_be`.
    pub(super) fn find_or_insert_if(&mut self, key: &K, may_be: impl FnOnce() -> bool) -> Option<SlotNumber>
    where
        K: Clone,
    {
        let hash = KeyHash::of(key);
        match self.find_hashed(hash, key) {
            None if may_be() => self.insert(hash, key.clone()),
            known => known,
        }
    }

    fn insert(&mut self, hash: KeyHash, key: K) -> Option<SlotNumber> {
        let slot = Some(Slot { key, state: S::default(), touched: Touched::default() });
        let number = match self.free.pop() {
            Some(number) => self.slots.get_mut(number).map(|free| *free = slot).map(|()| number),
            None => self.slots.push(slot),
        }?;
        self.index.insert(hash, number);
        Some(number)
    }

    /// Removes a key and its state.
    pub(super) fn remove(&mut self, number: SlotNumber) {
        let Some(slot) = self.slots.get_mut(number).and_then(Option::take) else { return };
        self.index.remove(KeyHash::of(&slot.key), number);
        self.free.push(number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_keeps_its_slot_until_it_is_removed() {
        let mut slots = Slots::<String, u64>::new();
        let number = |slots: &mut Slots<String, u64>, key: u64| {
            let key = format!("key {key}");
            slots.find_or_insert(KeyHash::of(&key), key).unwrap_or(u32::MAX)
        };
        for key in 0..10_000 {
            let slot = number(&mut slots, key);
            slots.get_mut(slot).into_iter().for_each(|slot| slot.state = key);
        }
        for key in (0..10_000).step_by(3) {
            let slot = number(&mut slots, key);
            slots.remove(slot);
        }
        for key in 0..10_000 {
            let slot = number(&mut slots, key);
            let expected = if key % 3 == 0 { 0 } else { key };
            assert_eq!(slots.get_mut(slot).map(|slot| slot.state), Some(expected), "{key}");
        }
        assert_eq!(slots.iter().count(), 10_000);
        assert!(slots.free.is_empty(), "slots of removed keys are used again");
    }
}
