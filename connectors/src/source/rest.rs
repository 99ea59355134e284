//! Rest of a source that has nothing to read.
//!
//! At the ends of its partitions a live source only advances time, tick by tick. So it polls them again when the next tick begins.
//! Records that arrive meanwhile are read then, before time passes them: the rest delays no commit. A transport that notices new
//! records wakes the source earlier.

use std::time::{Duration, Instant};

use headwater_schemas::{Clock, EffectiveTime, Nanos};

/// Minimum time between two polls: if ticks are shorter, and in bounded runs.
pub(super) const LEAST: Duration = Duration::from_millis(1);
/// Maximum time between two polls: if ticks are longer, so that a run notices a stop this soon.
const MOST: Duration = Duration::from_millis(10);

/// Time until the tick after that of the last poll begins. `looked` and `now` are times of the wall clock, which clocks lag by
/// `idle_allowance`.
pub(super) fn until_the_next_tick(clock: Clock, idle_allowance: Nanos, looked: EffectiveTime, now: EffectiveTime) -> Duration {
    let tick = clock.tick_of(looked.saturating_sub(idle_allowance));
    let begins = clock.end_of(tick).saturating_add(idle_allowance);
    Duration::from(begins.since(now)).clamp(LEAST, MOST)
}

/// The alarm that ends an operator's rest. Timely keeps every delayed activation until it is due, so an operator that requested
/// one at each activation would be activated more and more often.
#[derive(Default)]
pub(super) struct Alarm {
    due: Option<Instant>,
}

impl Alarm {
    /// Sets the alarm. False if an alarm is already set for about that time or earlier.
    pub(super) fn set(&mut self, now: Instant, rest: Duration) -> bool {
        let wanted = now + rest;
        if self.due.is_some_and(|due| now < due && due < wanted + LEAST) {
            return false;
        }
        self.due = Some(wanted);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn a_live_source_with_nothing_to_read_rests_until_the_next_tick_begins() {
        // (tick, allowance, last poll, now, rest), in microseconds.
        let cases = [
            (10_000, 50_000, 1_000_000, 1_000_000, 10_000), // a tick has just begun
            (10_000, 50_000, 1_003_000, 1_003_500, 6_500),
            (10_000, 53_000, 1_000_000, 1_000_000, 3_000), // ticks are those of the clocks, not of the wall
            (10_000, 50_000, 1_009_900, 1_009_900, 1_000), // not at once
            (10_000, 50_000, 1_009_000, 1_012_000, 1_000), // the next tick has begun since the look
            (1, 0, 1_000_000, 1_000_000, 1_000),
            (1_000_000, 0, 1_000_000, 1_000_000, 10_000),
            (10_000, 50_000, 0, 0, 10_000),
        ];
        for (tick, allowance, looked, now, rest) in cases {
            let (length, at) = (|us: u64| Nanos::new(us * 1_000), |us: u64| EffectiveTime::new(us * 1_000));
            let clock = Clock::new(length(tick), Nanos::new(1_000 * MS));
            let rests = until_the_next_tick(clock, length(allowance), at(looked), at(now));
            assert_eq!(rests, Duration::from_micros(rest), "{tick} {allowance} {looked} {now}");
        }
    }

    #[test]
    fn an_alarm_that_rings_in_time_is_not_set_again() {
        let began = Instant::now();
        let at = |ms| began + Duration::from_millis(ms);
        let mut alarm = Alarm::default();
        assert!(alarm.set(at(0), Duration::from_millis(10)));
        assert!(!alarm.set(at(2), Duration::from_millis(8)), "for the same moment");
        assert!(!alarm.set(at(3), Duration::from_millis(10)), "it rings before");
        assert!(alarm.set(at(4), Duration::from_millis(2)), "it rings too late");
        assert!(!alarm.set(at(5), Duration::from_millis(10)));
        assert!(alarm.set(at(6), Duration::from_millis(10)), "it has rung");
    }
}
