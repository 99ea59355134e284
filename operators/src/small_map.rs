//! A map of few entries.

/// Entries in a list, ordered by key. For states that have one or two entries in each of very many keys: a tree gives its first entry
/// room for eleven. Finding takes comparisons like a tree's; adding an entry moves those of greater keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SmallMap<K, V>(Vec<(K, V)>);

impl<K, V> Default for SmallMap<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Ord, V> SmallMap<K, V> {
    /// Whether there are no entries.
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The index of a key, or that at which it would be.
    fn find(&self, key: &K) -> Result<usize, usize> {
        self.0.binary_search_by(|(found, _)| found.cmp(key))
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        let index = self.find(key).ok()?;
        self.0.get(index).map(|(_, value)| value)
    }

    /// The entry of the greatest key up to one, including it.
    pub(crate) fn last_until(&self, key: &K) -> Option<(&K, &V)> {
        let above = self.0.partition_point(|(found, _)| found <= key);
        self.0.get(above.checked_sub(1)?).map(|(found, value)| (found, value))
    }

    /// Sets the value of a key. Returns the value of before.
    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.find(&key) {
            Ok(index) => self.0.get_mut(index).map(|(_, old)| std::mem::replace(old, value)),
            Err(index) => {
                self.add(index, key, value);
                None
            }
        }
    }

    /// Adds an entry that is not there yet. Room grows by half, and from nothing to one entry.
    fn add(&mut self, index: usize, key: K, value: V) {
        if self.0.len() == self.0.capacity() {
            self.0.reserve_exact((self.0.len() / 2).max(1));
        }
        self.0.insert(index, (key, value));
    }

    /// Changes the value of a key, which is the default if there is none.
    pub(crate) fn update<T>(&mut self, key: K, change: impl FnOnce(&mut V) -> T) -> T
    where
        V: Default,
    {
        let index = match self.find(&key) {
            Ok(index) => index,
            Err(index) => {
                self.add(index, key, V::default());
                index
            }
        };
        match self.0.get_mut(index) {
            Some((_, value)) => change(value),
            None => change(&mut V::default()),
        }
    }

    /// Removes a key. Returns its value.
    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        let index = self.find(key).ok()?;
        Some(self.0.remove(index).1)
    }

    /// The entries, by key.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.0.iter().map(|(key, value)| (key, value))
    }

    /// The entries from a key on, up to another one without it, by key.
    pub(crate) fn range_mut(&mut self, from: &K, to: &K) -> impl Iterator<Item = (&K, &mut V)> {
        let begin = self.0.partition_point(|(key, _)| key < from);
        let entries = self.0.get_mut(begin..).unwrap_or_default().iter_mut();
        entries.map(|(key, value)| (&*key, value)).take_while(move |(key, _)| *key < to)
    }

    /// The entries, by key.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&K, &mut V)> {
        self.0.iter_mut().map(|(key, value)| (&*key, value))
    }
}

impl<K, V> IntoIterator for SmallMap<K, V> {
    type Item = (K, V);
    type IntoIter = std::vec::IntoIter<(K, V)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_does_what_a_tree_does(steps in proptest::collection::vec((0..3_u8, 0..12_u8, 0..100_u32), 0..80)) {
            let (mut small, mut tree) = (SmallMap::default(), BTreeMap::new());
            for (step, key, value) in steps {
                match step {
                    0 => prop_assert_eq!(small.insert(key, value), tree.insert(key, value)),
                    1 => prop_assert_eq!(small.remove(&key), tree.remove(&key)),
                    _ => {
                        small.update(key, |sum| *sum += value);
                        *tree.entry(key).or_default() += value;
                    }
                }
                prop_assert_eq!(small.get(&key), tree.get(&key));
                prop_assert_eq!(small.last_until(&key), tree.range(..=key).next_back());
                prop_assert_eq!(small.is_empty(), tree.is_empty());
                prop_assert!(small.iter().eq(tree.iter()));
                prop_assert!(small.clone().into_iter().eq(tree.clone()));
                if key < 9 {
                    prop_assert!(small.range_mut(&key, &9).eq(tree.range_mut(key..9)));
                }
                prop_assert!(small.iter_mut().map(|(key, value)| (*key, *value)).eq(tree.iter().map(|(key, value)| (*key, *value))));
            }
        }
    }

    #[test]
    fn one_entry_takes_the_room_of_one() {
        let mut map = SmallMap::default();
        map.insert(1, "one");
        assert_eq!(map.0.capacity(), 1);
    }
}
