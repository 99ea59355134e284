//! Effective times: readings of clocks.

use crate::number::number;
use crate::{EventTime, Nanos};

number! {
    /// A reading of a clock, in nanoseconds since the epoch: the effective time of an event, or the wall clock.
    ///
    /// It is never before the epoch, and no arithmetic leaves its range: the greatest value is the end of time.
    EffectiveTime
}

impl EffectiveTime {
    /// The time a length later, at most the end of time.
    #[inline]
    pub const fn saturating_add(self, length: Nanos) -> Self {
        Self(self.0.saturating_add(length.get()))
    }

    /// The time a length earlier, at least the epoch.
    #[inline]
    pub const fn saturating_sub(self, length: Nanos) -> Self {
        Self(self.0.saturating_sub(length.get()))
    }

    /// The time since an earlier one; zero if it is not earlier.
    #[inline]
    pub const fn since(self, earlier: Self) -> Nanos {
        Nanos::new(self.0.saturating_sub(earlier.0))
    }

    /// The next moment, a nanosecond later.
    #[inline]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The moment before, a nanosecond earlier.
    #[inline]
    pub const fn previous(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    /// Nanoseconds by which it is later than an event's own time; negative if it is earlier.
    #[inline]
    pub fn later_than(self, ts: EventTime) -> i128 {
        i128::from(self.0) - i128::from(ts.nanos())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_ends_at_the_epoch_and_at_its_greatest_value() {
        let (time, length) = (EffectiveTime::new(5), Nanos::new(7));
        assert_eq!((time.saturating_add(length), time.saturating_sub(length)), (EffectiveTime::new(12), EffectiveTime::ZERO));
        assert_eq!(EffectiveTime::MAX.saturating_add(length), EffectiveTime::MAX);
        assert_eq!((EffectiveTime::MAX.next(), EffectiveTime::ZERO.previous()), (EffectiveTime::MAX, EffectiveTime::ZERO));
        assert_eq!((EffectiveTime::new(12).since(time), time.since(EffectiveTime::new(12))), (length, Nanos::ZERO));
        assert_eq!(time.later_than(EventTime::from_nanos(-2)), 7);
        assert_eq!(time.later_than(EventTime::from_nanos(6)), -1);
    }
}
