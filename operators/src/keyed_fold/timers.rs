//! Timers in order of time, then key.

use std::collections::{BTreeSet, VecDeque};

/// The timers of a fold. Most views set them at a fixed distance, so that they come in order already: those wait in a
/// queue, which costs nothing, and only the others in a tree.
pub(super) struct Timers<K> {
    queue: VecDeque<(u64, K)>,
    others: BTreeSet<(u64, K)>,
}

impl<K: Ord> Timers<K> {
    pub(super) const fn new() -> Self {
        Self { queue: VecDeque::new(), others: BTreeSet::new() }
    }

    pub(super) fn set(&mut self, time: u64, key: K) {
        let timer = (time, key);
        if self.queue.back().is_none_or(|last| *last < timer) {
            self.queue.push_back(timer);
        } else if self.queue.back() != Some(&timer) {
            self.others.insert(timer);
        }
    }

    /// The time of the earliest.
    pub(super) fn next(&self) -> Option<u64> {
        let times = self.queue.front().into_iter().chain(self.others.first());
        times.map(|(time, _)| *time).min()
    }

    /// Takes the earliest out.
    pub(super) fn take(&mut self) -> Option<(u64, K)> {
        match (self.queue.front(), self.others.first()) {
            (Some(queued), Some(other)) if other < queued => self.others.pop_first(),
            (Some(_), _) => self.queue.pop_front(),
            (None, _) => self.others.pop_first(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_fire_in_order_whatever_the_order_of_setting() {
        let mut timers = Timers::new();
        for (time, key) in [(5, 'a'), (7, 'a'), (6, 'b'), (7, 'b'), (1, 'z'), (7, 'a')] {
            timers.set(time, key);
        }
        assert_eq!(timers.next(), Some(1));
        let fired: Vec<_> = std::iter::from_fn(|| timers.take()).map(|(time, key)| format!("{time}{key}")).collect();
        // The repeated (7, a) is in the tree as well as in the queue: firing twice does no harm, losing one would.
        assert_eq!(fired, ["1z", "5a", "6b", "7a", "7a", "7b"]);
    }
}
