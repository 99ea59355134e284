//! The newest value by own time.
//!
//! Events are applied in the order of their places, which need not be that of their own times: a record that arrives late does
//! not replace a newer one. Of equal times, the later place counts. A time that may be absent is an `Option`: a record without one
//! counts as the oldest.

use std::collections::hash_map::Entry;
use std::hash::Hash;

use headwater_schemas::EventTime;
use rustc_hash::FxHashMap;

/// Replaces a value by one with a later place, unless the existing one has a later time. Returns whether it was replaced.
pub(crate) fn replace<V, T: PartialOrd>(value: &mut V, other: V, time: impl Fn(&V) -> T) -> bool {
    let is_newer = time(value) <= time(&other);
    if is_newer {
        *value = other;
    }
    is_newer
}

/// Stores the value of a key, unless the existing one has a later time.
pub(crate) fn put<K: Eq + Hash, V, T: PartialOrd>(values: &mut FxHashMap<K, V>, key: K, value: V, time: impl Fn(&V) -> T) {
    match values.entry(key) {
        Entry::Occupied(existing) => {
            replace(existing.into_mut(), value, time);
        }
        Entry::Vacant(free) => {
            free.insert(value);
        }
    }
}

/// The newest of the values of records, with the own time of its record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Newest<V, T = EventTime> {
    pub(crate) value: V,
    /// `None` before the first record.
    pub(crate) time: Option<T>,
}

impl<V, T: Copy + PartialOrd> Newest<V, T> {
    /// Stores a value, unless the existing one has a later time. Returns whether it was stored.
    pub(crate) fn put(&mut self, value: V, time: T) -> bool {
        replace(self, Self { value, time: Some(time) }, |newest| newest.time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_gives_way_to_one_of_a_later_or_an_equal_time() {
        let mut newest = Newest::<&str, u8>::default();
        let mut by_key = FxHashMap::default();
        for (value, time, is_newer) in [("a", 2, true), ("b", 1, false), ("c", 2, true), ("d", 3, true), ("e", 0, false)] {
            let before = newest;
            assert_eq!(newest.put(value, time), is_newer, "{value}");
            assert_eq!(newest, if is_newer { Newest { value, time: Some(time) } } else { before });
            put(&mut by_key, "key", (value, time), |(_, time)| *time);
            assert_eq!(by_key.get("key").copied(), Some((newest.value, newest.time.unwrap())));
        }
    }

    #[test]
    fn without_a_time_a_value_is_the_oldest() {
        let mut values = FxHashMap::default();
        for (value, time, expected) in [("a", None, "a"), ("b", None, "b"), ("c", Some(1), "c"), ("d", None, "c")] {
            put(&mut values, "key", (value, time), |(_, time)| *time);
            assert_eq!(values.get("key").map(|(value, _)| *value), Some(expected));
        }
    }
}
