//! Places: the total order of events, which determines every result.

use serde::{Deserialize, Serialize};

use crate::{EffectiveTime, EventTime, Nanos, Offset, Topic};

/// The place of an event: ordered by effective time, then the topic's rank, then partition, then offset.
///
/// A derived event (an execution of an order, a leg of a transaction) has its cause's place and a sequence number of its own, so
/// that it directly follows its cause wherever both are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// Effective time: the partition's clock after the event was read, in nanoseconds since the epoch.
    pub time: EffectiveTime,
    /// The topic's rank ([`Topic::rank`]).
    pub rank: u8,
    /// The topic's partition.
    pub partition: u16,
    /// The record's offset in the partition.
    pub offset: Offset,
    /// 0 for a record; counted from 1 for events derived from it.
    pub sequence: u32,
    /// Whether the event is late: its effective time exceeds its own time by more than a producer may need. Not part of the
    /// order.
    pub is_late: bool,
}

impl Place {
    /// The place of a record.
    pub const fn of_record(time: EffectiveTime, topic: Topic, partition: u16, offset: Offset) -> Self {
        Self { time, rank: topic.rank(), partition, offset, sequence: 0, is_late: false }
    }

    /// The place of the `sequence`-th event derived from this one.
    pub const fn derived(self, sequence: u32) -> Self {
        Self { sequence, ..self }
    }

    /// The place of an event with its own time `ts`: late if its effective time is more than `allowance` after it.
    pub fn of_event_at(self, ts: EventTime, allowance: Nanos) -> Self {
        Self { is_late: self.time.since(ts.effective()) > allowance, ..self }
    }

    /// By how much a late event's effective time exceeds its own time, `ts`; `None` if it is in time.
    pub fn lateness(self, ts: EventTime) -> Option<Nanos> {
        self.is_late.then(|| self.time.since(ts.effective()))
    }

    /// The effective time as tables show it.
    pub fn event_time(self) -> EventTime {
        EventTime::from_effective(self.time)
    }
}

/// An event with its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Placed<E> {
    /// The place.
    pub place: Place,
    /// The event.
    pub event: E,
}

impl<E> Placed<E> {
    /// The same place, another event.
    pub fn map<F>(self, logic: impl FnOnce(E) -> F) -> Placed<F> {
        Placed { place: self.place, event: logic(self.event) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_producer_may_need_is_not_late() {
        let place = Place::of_record(EffectiveTime::new(1_000), Topic::Fills, 0, Offset::ZERO);
        for (ts, allowance, expected) in [(1_000, 0, None), (2_000, 0, None), (950, 50, None), (949, 50, Some(51)), (-5, 50, Some(1_000))] {
            let ts = EventTime::from_nanos(ts);
            assert_eq!(place.of_event_at(ts, Nanos::new(allowance)).lateness(ts).map(Nanos::get), expected, "{ts:?} {allowance}");
        }
    }
}
