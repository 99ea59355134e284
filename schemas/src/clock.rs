//! Tick and grid intervals of effective time.

use std::num::NonZeroU64;

use crate::Tick;

/// Tick and grid intervals. A grid interval is a number of ticks.
///
/// Times are effective times in nanoseconds since the epoch; ticks and grid intervals are counted from the epoch, too. A time
/// beyond the end of time counts as its end.
///
/// ```
/// use headwater_schemas::{Clock, Tick};
///
/// // Ticks of 10 ms, a grid point every second.
/// let clock = Clock::new(10_000_000, 1_000_000_000);
/// let tick = clock.tick_of(2_345_678_901);
/// assert_eq!(tick, Tick::new(234));
/// assert_eq!((clock.start_of(tick), clock.end_of(tick)), (2_340_000_000, 2_350_000_000));
/// assert_eq!((clock.interval_start(tick), clock.grid_ticks()), (Tick::new(200), 100));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    tick: NonZeroU64,
    grid: NonZeroU64,
}

impl Clock {
    /// A clock with ticks of `tick` nanoseconds and a grid point every `grid` nanoseconds, rounded down to whole ticks. Both are
    /// at least one.
    pub const fn new(tick: u64, grid: u64) -> Self {
        let tick = at_least_one(tick);
        Self { tick, grid: at_least_one(grid / tick.get()) }
    }

    /// Nanoseconds in a tick.
    pub const fn tick_ns(self) -> u64 {
        self.tick.get()
    }

    /// Nanoseconds between grid points.
    pub const fn grid_ns(self) -> u64 {
        self.start_of(Tick::new(self.grid.get()))
    }

    /// Ticks between grid points.
    pub const fn grid_ticks(self) -> u64 {
        self.grid.get()
    }

    /// The tick that contains a time.
    pub const fn tick_of(self, time: u64) -> Tick {
        Tick::new(time / self.tick.get())
    }

    /// The time at which a tick begins.
    pub const fn start_of(self, tick: Tick) -> u64 {
        tick.get().saturating_mul(self.tick.get())
    }

    /// The time at which the next tick begins.
    pub const fn end_of(self, tick: Tick) -> u64 {
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
        let clock = Clock::new(10, 105);
        assert_eq!((clock.tick_ns(), clock.grid_ticks(), clock.grid_ns()), (10, 10, 100));
        for (time, tick, interval_start, next) in [(0, 0, 0, 10), (9, 0, 0, 10), (10, 1, 0, 10), (999, 99, 90, 100), (1_000, 100, 100, 110)]
        {
            let tick = Tick::new(tick);
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
        let clock = Clock::new(0, 0);
        assert_eq!((clock.tick_ns(), clock.grid_ticks()), (1, 1));
        let clock = Clock::new(1_000, u64::MAX);
        assert_eq!((clock.end_of(Tick::MAX), clock.next_interval_start(Tick::MAX)), (u64::MAX, Tick::MAX));
    }
}
