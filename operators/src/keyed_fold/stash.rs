//! Events that wait for the frontier.
//!
//! Events of one partition arrive in order, except that derived events of several upstream workers interleave. So the stash keeps
//! sorted runs: an event is appended to the first run of its partition whose last event is not after it. When the frontier
//! advances, the runs are merged up to it.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use headwater_schemas::{EffectiveTime, Place, Placed};
use rustc_hash::FxHashMap;

/// Bytes that an empty run keeps: the partition's next events need them again. One empty run of a partition is kept.
const KEPT_BYTES: usize = 1 << 16;

/// A partition among all topics: the topic's rank and the partition.
type Source = (u8, u16);

/// Sorted runs of waiting events.
pub(super) struct Stash<E> {
    runs: FxHashMap<Source, Vec<VecDeque<Placed<E>>>>,
}

impl<E> Stash<E> {
    pub(super) fn new() -> Self {
        Self { runs: FxHashMap::default() }
    }

    /// Adds events that arrived.
    pub(super) fn extend(&mut self, events: impl Iterator<Item = Placed<E>>) {
        let mut events = events.peekable();
        while let Some(first) = events.peek() {
            let source = (first.place.rank, first.place.partition);
            let runs = self.runs.entry(source).or_default();
            while let Some(event) = events.next_if(|event| (event.place.rank, event.place.partition) == source) {
                let fits = |run: &VecDeque<Placed<E>>| run.back().is_none_or(|last| last.place <= event.place);
                match runs.iter_mut().find(|run| fits(run)) {
                    Some(run) => run.push_back(event),
                    None => runs.push(VecDeque::from([event])),
                }
            }
        }
    }

    /// Moves all events before `limit` to the end of `ready`, in order.
    pub(super) fn release(&mut self, limit: EffectiveTime, ready: &mut VecDeque<Placed<E>>) {
        let mut runs: Vec<_> = self.runs.values_mut().flatten().collect();
        let first_of = |run: &VecDeque<Placed<E>>| run.front().map(|event| event.place).filter(|place| place.time < limit);
        let firsts = runs.iter().enumerate().filter_map(|(number, run)| Some(Reverse((first_of(run)?, number))));
        let mut firsts: BinaryHeap<Reverse<(Place, usize)>> = firsts.collect();
        while let Some(Reverse((_, number))) = firsts.pop() {
            let Some(run) = runs.get_mut(number) else { continue };
            // Up to the first event of another run.
            let next = firsts.peek().map(|Reverse(next)| *next);
            while let Some(place) = first_of(run) {
                if next.is_some_and(|next| next < (place, number)) {
                    firsts.push(Reverse((place, number)));
                    break;
                }
                ready.extend(run.pop_front());
            }
        }
        for runs in self.runs.values_mut() {
            let mut has_spare = false;
            runs.retain(|run| {
                !run.is_empty() || (run.capacity() * size_of::<Placed<E>>() <= KEPT_BYTES && !std::mem::replace(&mut has_spare, true))
            });
        }
        self.runs.retain(|_, runs| !runs.is_empty());
    }
}

#[cfg(test)]
mod tests {
    use headwater_schemas::{Offset, Place, Topic};

    use super::*;

    fn placed(time: u64, topic: Topic, partition: u16, offset: u64) -> Placed<u64> {
        Placed { place: Place::of_record(EffectiveTime::new(time), topic, partition, Offset::new(offset)), event: offset }
    }

    #[test]
    fn events_leave_in_order_whatever_the_order_of_arrival_between_partitions() {
        let mut stash = Stash::new();
        stash.extend([placed(5, Topic::Fills, 0, 1), placed(7, Topic::Fills, 0, 2), placed(5, Topic::Orders, 1, 3)].into_iter());
        stash.extend([placed(5, Topic::Orders, 0, 9), placed(6, Topic::Fills, 0, 1)].into_iter());
        let mut ready = VecDeque::new();
        stash.release(EffectiveTime::new(7), &mut ready);
        let order: Vec<_> = ready.iter().map(|event| (event.place.time.get(), event.place.rank, event.place.partition)).collect();
        let (orders, fills) = (Topic::Orders.rank(), Topic::Fills.rank());
        assert_eq!(order, [(5, orders, 0), (5, orders, 1), (5, fills, 0), (6, fills, 0)]);
        stash.release(EffectiveTime::MAX, &mut ready);
        assert_eq!(ready.len(), 5);
    }

    #[test]
    fn one_empty_run_of_a_partition_is_used_again_unless_it_is_large() {
        let (mut stash, mut ready) = (Stash::new(), VecDeque::new());
        let mut pass = |times: &[u64]| {
            stash.extend(times.iter().map(|time| placed(*time, Topic::Fills, 0, *time)));
            let waiting: Vec<_> = stash.runs.values().flatten().map(VecDeque::len).collect();
            ready.clear();
            stash.release(EffectiveTime::MAX, &mut ready);
            assert!(ready.iter().is_sorted_by_key(|event| event.place.time) && ready.len() == times.len());
            (waiting, stash.runs.values().flatten().count())
        };
        assert_eq!(pass(&[5, 7, 6, 8]), (vec![3, 1], 1));
        assert_eq!(pass(&[1, 2]), (vec![2], 1));
        let many: Vec<_> = (0..=(KEPT_BYTES / size_of::<Placed<u64>>()) as u64).collect();
        assert_eq!(pass(&many), (vec![many.len()], 0));
    }
}
