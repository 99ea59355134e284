//! Events that wait for the frontier.
//!
//! Events of one partition arrive in order, except that derived events of several upstream workers interleave. So the stash keeps
//! sorted runs: an event is appended to the first run of its partition whose last event is not after it. When the frontier
//! advances, a prefix of each run is taken, and a stable sort (which merges runs) puts them in one order.

use std::collections::VecDeque;

use headwater_schemas::{EffectiveTime, Placed};
use rustc_hash::FxHashMap;

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
        let before = ready.len();
        for runs in self.runs.values_mut() {
            for run in runs.iter_mut() {
                let count = run.partition_point(|event| event.place.time < limit);
                ready.extend(run.drain(..count));
            }
            runs.retain(|run| !run.is_empty());
        }
        self.runs.retain(|_, runs| !runs.is_empty());
        // Events released earlier lie before the last limit, so sorting all of `ready` again would only verify that.
        if let Some(released) = ready.make_contiguous().get_mut(before..) {
            released.sort_by_key(|event| event.place);
        }
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
}
