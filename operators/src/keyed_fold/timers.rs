//! Timers, ordered by time, then key, then purpose.

use std::collections::BTreeSet;

use headwater_schemas::EffectiveTime;

use super::long_queue::LongQueue;

/// A timer of a key.
pub(super) type Timer<K, T> = (EffectiveTime, K, T);

/// The timers of a fold. Most views set timers at a fixed distance, so they come in order: those wait in a queue, which is cheap,
/// and only the others in a tree.
pub(super) struct Timers<K, T> {
    queue: LongQueue<Timer<K, T>>,
    others: BTreeSet<Timer<K, T>>,
    /// Cancelled timers that are still in the queue.
    cancelled: BTreeSet<Timer<K, T>>,
}

impl<K: Ord, T: Ord> Timers<K, T> {
    pub(super) const fn new() -> Self {
        Self { queue: LongQueue::new(), others: BTreeSet::new(), cancelled: BTreeSet::new() }
    }

    /// Sets timers, which may come in any order, where none is set yet. In the order of their times, all take the cheap queue.
    pub(super) fn restore(&mut self, mut timers: Vec<Timer<K, T>>) {
        timers.sort_unstable();
        timers.dedup();
        timers.into_iter().for_each(|timer| self.queue.push_back(timer));
    }

    /// Sets a timer. Setting it twice has no further effect.
    pub(super) fn set(&mut self, time: EffectiveTime, key: K, timer: T) {
        let timer = (time, key, timer);
        if self.cancelled.remove(&timer) {
            return;
        }
        if self.queue.back().is_none_or(|last| *last < timer) {
            self.queue.push_back(timer);
        } else if !self.queue.contains(&timer) {
            self.others.insert(timer);
        }
    }

    /// Cancels a timer, if it is set.
    pub(super) fn cancel(&mut self, time: EffectiveTime, key: K, timer: T) {
        let timer = (time, key, timer);
        if !self.others.remove(&timer) && self.queue.contains(&timer) {
            self.cancelled.insert(timer);
            self.drop_cancelled();
        }
    }

    /// The time of the earliest timer.
    pub(super) fn next(&self) -> Option<EffectiveTime> {
        let times = self.queue.front().into_iter().chain(self.others.first());
        times.map(|(time, ..)| *time).min()
    }

    /// Removes the earliest timer.
    pub(super) fn take(&mut self) -> Option<Timer<K, T>> {
        let taken = match (self.queue.front(), self.others.first()) {
            (Some(queued), Some(other)) if other < queued => self.others.pop_first(),
            (Some(_), _) => self.queue.pop_front(),
            (None, _) => self.others.pop_first(),
        };
        self.drop_cancelled();
        taken
    }

    /// Removes cancelled timers from the front of the queue.
    fn drop_cancelled(&mut self) {
        while self.queue.front().is_some_and(|front| self.cancelled.remove(front)) {
            self.queue.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fired(timers: &mut Timers<char, u8>) -> Vec<String> {
        std::iter::from_fn(|| timers.take()).map(|(time, key, timer)| format!("{time}{key}{timer}")).collect()
    }

    #[test]
    fn timers_fire_once_in_order_whatever_the_order_of_setting() {
        let mut timers = Timers::new();
        for (time, key, timer) in [(5, 'a', 0), (7, 'a', 0), (6, 'b', 0), (7, 'b', 0), (1, 'z', 0), (7, 'a', 0), (7, 'a', 1)] {
            timers.set(EffectiveTime::new(time), key, timer);
        }
        assert_eq!(timers.next(), Some(EffectiveTime::new(1)));
        assert_eq!(fired(&mut timers), ["1z0", "5a0", "6b0", "7a0", "7a1", "7b0"]);
    }

    #[test]
    fn restored_timers_fire_like_those_that_are_set() {
        let set = [(7, 'b', 0), (5, 'a', 1), (5, 'a', 0), (7, 'b', 0), (1, 'z', 0)];
        let set = set.map(|(time, key, timer)| (EffectiveTime::new(time), key, timer));
        let (mut restored, mut one_by_one) = (Timers::new(), Timers::new());
        restored.restore(set.to_vec());
        set.into_iter().for_each(|(time, key, timer)| one_by_one.set(time, key, timer));
        assert_eq!(fired(&mut restored), ["1z0", "5a0", "5a1", "7b0"]);
        assert_eq!(fired(&mut one_by_one), ["1z0", "5a0", "5a1", "7b0"]);
    }

    #[test]
    fn a_cancelled_timer_does_not_fire_unless_it_is_set_again() {
        let mut timers = Timers::new();
        for time in [5, 6, 7, 3] {
            timers.set(EffectiveTime::new(time), 'a', 0);
        }
        timers.cancel(EffectiveTime::new(5), 'a', 0); // the front of the queue
        timers.cancel(EffectiveTime::new(7), 'a', 0);
        timers.cancel(EffectiveTime::new(3), 'a', 0); // in the tree
        timers.cancel(EffectiveTime::new(9), 'a', 0); // never set
        assert_eq!(timers.next(), Some(EffectiveTime::new(6)));
        timers.set(EffectiveTime::new(7), 'a', 0);
        assert_eq!(fired(&mut timers), ["6a0", "7a0"]);
    }
}
