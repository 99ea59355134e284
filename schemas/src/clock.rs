//! Tick and grid intervals of effective time.

use std::num::NonZeroU64;

use crate::{EffectiveTime, Nanos, Tick};

/// Tick and grid intervals. A grid interval is a number of ticks.
///
/// Ticks and grid intervals are counted from the epoch. A time beyond the end of time counts as its end.
///
/// ```
/// use headwater_schemas::{Clock, EffectiveTime, Nanos, Tick};
///
/// // Ticks of 10 ms, a grid point every second.
/// let clock = Clock::new(Nanos::new(10_000_000), Nanos::new(1_000_000_000));
/// let time = EffectiveTime::new(2_345_678_901);
/// let tick = clock.tick_of(time);
/// assert_eq!(tick, Tick::new(234));
/// assert_eq!(clock.start_of(tick), EffectiveTime::new(2_340_000_000));
/// assert_eq!(clock.end_of(tick).since(time), Nanos::new(4_321_099));
/// assert_eq!((clock.interval_start(tick), clock.grid_ticks()), (Tick::new(200), 100));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    tick: NonZeroU64,
    grid: NonZeroU64,
}

impl Clock {
    /// A clock with ticks of a length and a grid point every `grid`, rounded down to whole ticks. Both are at least one.
    pub const fn new(tick: Nanos, grid: Nanos) -> Self {
        let tick = at_least_one(tick.get());
        Self { tick, grid: at_least_one(grid.get() / tick.get()) }
    }

    /// The length of a tick.
    pub const fn tick_interval(self) -> Nanos {
        Nanos::new(self.tick.get())
    }

    /// The length of a grid interval: the time between grid points.
    pub const fn grid_interval(self) -> Nanos {
        Nanos::new(self.grid.get().saturating_mul(self.tick.get()))
    }

    /// Ticks between grid points.
    pub const fn grid_ticks(self) -> u64 {
        self.grid.get()
    }

    /// The tick that contains a time.
    pub const fn tick_of(self, time: EffectiveTime) -> Tick {
        Tick::new(time.get() / self.tick.get())
    }

    /// The time at which a tick begins.
    pub const fn start_of(self, tick: Tick) -> EffectiveTime {
        EffectiveTime::new(tick.get().saturating_mul(self.tick.get()))
    }

    /// The time at which the next tick begins.
    pub const fn end_of(self, tick: Tick) -> EffectiveTime {
        self.start_of(tick.next())
    }

    /// The index of the grid interval that contains a tick.
    pub const fn interval_of(self, tick: Tick) -> u64 {
        tick.get() / self.grid.get()
    }

    /// The first tick of the grid interval that contains a tick.
    pub const fn interval_start(self, tick: Tick) -> Tick {
        Tick::new(self.interval_of(tick).saturating_mul(self.grid.get()))
    }

    /// The first tick of the next grid interval after a tick.
    pub const fn next_interval_start(self, tick: Tick) -> Tick {
        Tick::new(self.interval_start(tick).get().saturating_add(self.grid.get()))
    }
}

const fn at_least_one(number: u64) -> NonZeroU64 {
    match NonZeroU64::new(number) {
        Some(number) => number,
        None => NonZeroU64::MIN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_and_a_grid_interval_begin_with_their_first_moment() {
        let clock = Clock::new(Nanos::new(10), Nanos::new(105));
        assert_eq!((clock.tick_interval(), clock.grid_ticks(), clock.grid_interval()), (Nanos::new(10), 10, Nanos::new(100)));
        for (time, tick, interval_start, next) in [(0, 0, 0, 10), (9, 0, 0, 10), (10, 1, 0, 10), (999, 99, 90, 100), (1_000, 100, 100, 110)]
        {
            let (time, tick) = (EffectiveTime::new(time), Tick::new(tick));
            assert_eq!(clock.tick_of(time), tick, "{time}");
            assert!(clock.start_of(tick) <= time && time < clock.end_of(tick), "{time}");
            assert_eq!(
                (clock.interval_start(tick), clock.next_interval_start(tick)),
                (Tick::new(interval_start), Tick::new(next)),
                "{time}"
            );
        }
    }

    #[test]
    fn the_end_of_time_is_no_overflow() {
        let clock = Clock::new(Nanos::ZERO, Nanos::ZERO);
        assert_eq!((clock.tick_interval(), clock.grid_ticks()), (Nanos::new(1), 1));
        let clock = Clock::new(Nanos::new(1_000), Nanos::MAX);
        assert_eq!((clock.end_of(Tick::MAX), clock.next_interval_start(Tick::MAX)), (EffectiveTime::MAX, Tick::MAX));
    }
}
