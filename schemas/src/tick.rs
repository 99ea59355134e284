//! Ticks: the timestamps of the dataflow.

use timely::order::{PartialOrder, TotalOrder};
use timely::progress::timestamp::{PathSummary, Refines, Timestamp};

use crate::number::number;

number! {
    /// A tick: an interval of effective time, counted from the epoch. [`Clock`](crate::Clock) converts between ticks and times.
    ///
    /// It is the timestamp of the dataflow, so it has timely's traits; a path of the dataflow delays it by a number of ticks.
    Tick
}

impl Tick {
    /// The tick after this one; the greatest one has none, and stays.
    #[inline]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The tick before this one; the first one has none, and stays.
    #[inline]
    pub const fn previous(self) -> Self {
        Self(self.0.saturating_sub(1))
    }
}

impl PartialOrder for Tick {
    #[inline]
    fn less_than(&self, other: &Self) -> bool {
        self < other
    }

    #[inline]
    fn less_equal(&self, other: &Self) -> bool {
        self <= other
    }
}

impl TotalOrder for Tick {}

impl Timestamp for Tick {
    type Summary = u64;

    fn minimum() -> Self {
        Self::ZERO
    }
}

impl PathSummary<Tick> for u64 {
    #[inline]
    fn results_in(&self, src: &Tick) -> Option<Tick> {
        self.checked_add(src.0).map(Tick)
    }

    #[inline]
    fn followed_by(&self, other: &Self) -> Option<Self> {
        self.checked_add(*other)
    }
}

impl Refines<()> for Tick {
    fn to_inner((): ()) -> Self {
        Self::ZERO
    }

    fn to_outer(self) {}

    fn summarize(_: u64) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_delays_a_tick_unless_there_is_none_so_late() {
        for (delay, tick, expected) in [(0, 7, Some(7)), (3, 7, Some(10)), (1, u64::MAX - 1, Some(u64::MAX)), (1, u64::MAX, None)] {
            assert_eq!(delay.results_in(&Tick::new(tick)), expected.map(Tick::new), "{tick} delayed by {delay}");
        }
        assert_eq!((Tick::MAX.next(), Tick::ZERO.previous()), (Tick::MAX, Tick::ZERO));
    }
}
