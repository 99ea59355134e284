//! Clock of a partition: derives effective time from event time.
//!
//! The clock is the greatest event time read from the partition so far. A record's *effective time* is the clock after it was
//! read, so effective times never decrease within a partition. A late record gets the clock's time; its own `ts` remains as data.
//! In a live run the wall clock matters twice: a record from the future gets the current time, and the clock of a partition that
//! is read to its end follows the wall clock at a distance, so that it does not hold back other partitions. If the topics alone
//! would yield another time, [`PartitionClock::advance`] returns `remapped`, and `remap` gets a row.

use headwater_schemas::EffectiveTime;

/// A partition's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartitionClock {
    /// The clock now.
    now: EffectiveTime,
    /// The clock as it would be if only the records since the last remapped one had moved it.
    told: EffectiveTime,
}

/// A record's effective time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effective {
    /// The effective time.
    pub time: EffectiveTime,
    /// Whether the wall clock decided the time, so that a replay needs it from `remap`.
    pub remapped: bool,
}

impl PartitionClock {
    /// A clock that resumes from the greatest time of the records, but no earlier than `not_before`.
    pub fn resuming(told: EffectiveTime, not_before: EffectiveTime) -> Self {
        Self { now: told.max(not_before), told }
    }

    /// The clock according to the records alone.
    pub const fn told(self) -> EffectiveTime {
        self.told
    }

    /// The current time.
    pub const fn now(self) -> EffectiveTime {
        self.now
    }

    /// Advances the clock by a record. `ts` is its event time (`None`: the clock's time), `wall` the wall clock in a live run.
    pub fn advance(&mut self, ts: Option<EffectiveTime>, wall: Option<EffectiveTime>) -> Effective {
        let claimed = match (ts, wall) {
            (Some(ts), Some(wall)) => ts.min(wall),
            (Some(ts), None) => ts,
            (None, _) => self.now,
        };
        self.now = self.now.max(claimed);
        // The clock that a reader of the topic alone would compute.
        let told = self.told.max(ts.unwrap_or(self.told));
        let remapped = told != self.now;
        self.told = self.now;
        Effective { time: self.now, remapped }
    }

    /// Takes the clock from the run that is replayed, in which the wall clock decided it.
    pub fn follow(&mut self, clock: EffectiveTime) -> Effective {
        self.now = self.now.max(clock);
        self.told = self.now;
        Effective { time: self.now, remapped: true }
    }

    /// Advances the clock to the wall clock, at a partition's end.
    pub fn lift(&mut self, to: EffectiveTime) {
        self.now = self.now.max(to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(nanos: u64) -> EffectiveTime {
        EffectiveTime::new(nanos)
    }

    #[test]
    fn a_clock_only_rises_and_says_when_the_wall_decided() {
        // (ts, wall, clock lifted to before, expected time, expected remapped)
        type Step = (Option<u64>, Option<u64>, Option<u64>, u64, bool);
        let steps: &[Step] = &[
            (None, None, None, 0, false),               // no time yet: the beginning
            (Some(10), None, None, 10, false),          // bounded: the event's own
            (Some(7), None, None, 10, false),           // late: the clock's
            (None, None, None, 10, false),              // without a time: the clock's
            (Some(12), Some(50), None, 12, false),      // live, in the past
            (Some(90), Some(60), None, 60, true),       // from the future: lowered
            (Some(70), Some(80), None, 70, false),      // back to its own time
            (Some(75), Some(100), Some(95), 95, true),  // lifted while idle, then late
            (Some(97), Some(100), Some(96), 97, false), // lifted, but the event came in time
        ];
        let mut clock = PartitionClock::default();
        for (ts, wall, lifted, time, remapped) in steps {
            lifted.iter().for_each(|to| clock.lift(at(*to)));
            let effective = clock.advance(ts.map(at), wall.map(at));
            assert_eq!(effective, Effective { time: at(*time), remapped: *remapped }, "{ts:?} {wall:?} {lifted:?}");
        }
    }

    #[test]
    fn a_wall_clock_that_jumps_never_takes_time_back() {
        let mut clock = PartitionClock::resuming(at(100), EffectiveTime::ZERO);
        // The wall clock jumps an hour forward while the partition is idle, and back: later records get the clock's time.
        clock.lift(at(3_700));
        assert_eq!(clock.advance(Some(at(110)), Some(at(120))), Effective { time: at(3_700), remapped: true });
        clock.lift(at(115));
        assert_eq!(clock.now(), at(3_700));
        // From the future of a wall clock that was set back: the clock does not advance.
        assert_eq!(clock.advance(Some(at(5_000)), Some(at(130))), Effective { time: at(3_700), remapped: true });
        // Once the wall clock has caught up, the clock advances with it.
        assert_eq!(clock.advance(Some(at(3_800)), Some(at(3_900))), Effective { time: at(3_800), remapped: false });
    }

    #[test]
    fn a_replay_that_is_told_the_remapped_clocks_comes_to_the_same_times() {
        // A live run with lifts and future records, and a reader that knows only `ts` and the remapped times.
        let mut live = PartitionClock::default();
        let mut replayed = PartitionClock::default();
        for step in 0..1000_u64 {
            let ts = (step % 13 != 0).then_some(at(step * 10 + (step * 7919) % 90));
            if step % 17 == 0 {
                live.lift(at(step * 10 + 15));
            }
            let effective = live.advance(ts, Some(at(step * 10 + 40)));
            if effective.remapped {
                assert_eq!(replayed.follow(effective.time), effective);
            } else {
                assert_eq!(replayed.advance(ts, None).time, effective.time, "step {step}");
            }
        }
    }
}
