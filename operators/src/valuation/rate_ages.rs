//! The last rate of each pair of currencies, and whether it is stale: older than a rate may be.
//!
//! - **Key**: the pair. **Rows**: the last rate, which is also the state; [`LastRate::stale_since`] is set once it is too old.
//! - The last rate is the one with the latest time of its own. **Ties**: the later place wins.
//! - A rate gets old without any event, so a timer marks it. One timer waits for each pair, however often its rate changes: it is
//!   set again when it fires too early for the rate of then.
//! - **Updates**: the rate, when it changed or became stale. So valuations change at the grid point at which a rate becomes stale,
//!   and nothing looks for old rates.

use std::sync::Arc;

use headwater_schemas::events::FxRate;
use headwater_schemas::tables::{LastRate, Moment, TableWriter};
use headwater_schemas::{Currency, EffectiveTime, EventTime, Nanos, Place, Placed};

use crate::keyed_fold::{Outbox, States, Updates, View};
use crate::latest::Versions;
use crate::newest;

/// View of the last rates.
#[derive(Clone, Copy, Debug)]
pub struct RateAges {
    /// The age beyond which a rate is stale.
    pub max_age: Nanos,
}

/// A pair's rate.
#[derive(Debug, Default)]
pub struct RateState {
    rate: Versions<LastRate>,
    /// Whether a timer waits.
    is_timed: bool,
}

crate::fold_operator!(RateAges);

impl View for RateAges {
    type Key = (Currency, Currency);
    type Route = (Currency, Currency);
    type Event = FxRate;
    type Broadcast = ();
    type Context = ();
    type State = RateState;
    type Timer = ();
    type Tables = TableWriter<LastRate>;
    type Derived = ();
    type Update = LastRate;

    const UPDATES: bool = true;

    fn key(&self, event: &FxRate) -> (Currency, Currency) {
        (event.base, event.quote)
    }

    fn route(key: &(Currency, Currency)) -> (Currency, Currency) {
        *key
    }

    fn learn(&self, (): &mut (), _: Placed<()>) {}

    fn apply(&self, (): &(), _: &Self::Key, state: &mut RateState, Placed { place, event }: Placed<FxRate>, out: &mut Outbox<'_, Self>) {
        let FxRate { base, quote, rate, ts } = event;
        let new = LastRate { base, quote, rate, stale_since: None, ts };
        match state.rate.is_mut() {
            Some(is) => {
                newest::replace(is, new, |rate| rate.ts);
            }
            none => *none = Some(new),
        }
        self.judge(state, place, out);
    }

    fn timer(&self, (): &(), _: &Self::Key, state: &mut RateState, (): (), place: Place, out: &mut Outbox<'_, Self>) {
        state.is_timed = false;
        self.judge(state, place, out);
    }

    fn emit(&self, (): &(), _: &Self::Key, state: &mut RateState, at: &Moment, table: &TableWriter<LastRate>) {
        state.rate.emit(at, table);
    }

    fn update(&self, (): &(), _: &Self::Key, state: &mut RateState, at: &Moment, updates: &mut Updates<LastRate>) {
        state.rate.tell(at, updates);
    }

    fn restore(&self, saved: &Arc<Vec<LastRate>>, states: &mut States<'_, Self>) {
        for rate in saved.iter() {
            let Some(state) = states.of(&(rate.base, rate.quote)) else { continue };
            *state = RateState { rate: Versions::restored(rate), is_timed: true };
        }
    }

    /// Also that of a stale rate, which fires at once: another `max_age` may have been configured.
    fn timers(&self, _: &Self::Key, state: &RateState) -> Vec<(EffectiveTime, ())> {
        let time = |rate: &LastRate| rate.stale_since.map_or_else(|| self.end(rate), |since| since.effective());
        state.rate.is().into_iter().map(|rate| (time(rate), ())).collect()
    }
}

impl RateAges {
    /// Marks a rate that is too old, and sets the timer of one that is not.
    fn judge(&self, state: &mut RateState, place: Place, out: &mut Outbox<'_, Self>) {
        let Some(rate) = state.rate.is_mut() else { return };
        let end = self.end(rate);
        let is_stale = end <= place.time;
        rate.stale_since = is_stale.then(|| EventTime::from_effective(end));
        if !is_stale && !std::mem::replace(&mut state.is_timed, true) {
            out.set_timer(end, ());
        }
    }

    /// The time at which a rate becomes stale: grid points after it reflect that.
    fn end(&self, rate: &LastRate) -> EffectiveTime {
        rate.ts.effective().saturating_add(self.max_age)
    }
}

#[cfg(test)]
mod tests {
    use headwater_schemas::{Offset, Topic};
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{Emitted, Happening, Happenings, history_of, run, run_with_change, run_with_restart};

    const HOUR: u64 = 3_600_000_000_000;
    const THREE_DAYS: RateAges = RateAges { max_age: Nanos::new(72 * HOUR) };

    /// Rates of euros, each with the hour at which it is read, its own hour, and its value; of pounds if the value is below zero.
    fn rates(story: &[(u64, u64, i64)]) -> Happenings<RateAges> {
        let happening = |(offset, (read, ts, rate)): (u64, &(u64, u64, i64))| {
            let hour = |hour: u64| EffectiveTime::new(hour * HOUR);
            let base = Currency::derived(if *rate < 0 { "GBP" } else { "EUR" });
            let rate = headwater_schemas::Factor::whole(rate.abs());
            let event = FxRate { base, quote: Currency::derived("USD"), rate, ts: EventTime::from_effective(hour(*ts)) };
            Placed { place: Place::of_record(hour(*read), Topic::FxRates, 0, Offset::new(offset)), event: Happening::Event(event) }
        };
        (0..).zip(story).map(happening).collect()
    }

    fn hours(ts: EventTime) -> u64 {
        ts.effective().get() / HOUR
    }

    /// Each update: its hour, the rate, and since which hour it is stale.
    fn told(emitted: &Emitted<RateAges>) -> Vec<String> {
        let text = |(rate, tick, _): &(LastRate, headwater_schemas::Tick, _)| {
            let stale = rate.stale_since.map(|since| format!(" stale since {}", hours(since))).unwrap_or_default();
            format!("{} {} {}{stale}", tick.get() / HOUR, rate.base, rate.rate)
        };
        emitted.updates.iter().map(text).collect()
    }

    #[test]
    fn a_rate_is_stale_once_it_is_older_than_the_maximum_age_until_it_is_renewed() {
        // The last entry of each story only lets the time pass: pounds.
        for (name, story, expected) in [
            // From Friday 22:00 to Monday 21:00, which is 71 hours later.
            ("a weekend is not stale", &[(22, 22, 1), (93, 93, 2), (95, 95, -1)][..], &["22 EUR 1", "93 EUR 2", "95 GBP 1"][..]),
            (
                "a holiday after it is",
                &[(22, 22, 1), (100, 100, 2), (101, 101, -1)],
                &["22 EUR 1", "94 EUR 1 stale since 94", "100 EUR 2", "101 GBP 1"],
            ),
            ("at the age itself it is not", &[(0, 0, 1), (72, 72, -1)], &["0 EUR 1", "72 GBP 1"]),
            (
                "the time of the newest rate counts, not of the first",
                &[(0, 0, 1), (10, 10, 2), (20, 20, 3), (93, 93, -1)],
                &["0 EUR 1", "10 EUR 2", "20 EUR 3", "92 EUR 3 stale since 92", "93 GBP 1"],
            ),
            ("one that is read too late is stale at once", &[(80, 0, 1), (81, 81, -1)], &["80 EUR 1 stale since 72", "81 GBP 1"]),
            ("an older one renews nothing", &[(10, 10, 1), (90, 5, 2), (91, 91, -1)], &["10 EUR 1", "82 EUR 1 stale since 82", "91 GBP 1"]),
            (
                "another one of the same time is as old",
                &[(0, 0, 1), (80, 0, 2), (81, 81, -1)],
                &["0 EUR 1", "72 EUR 1 stale since 72", "80 EUR 2 stale since 72", "81 GBP 1"],
            ),
        ] {
            let whole = run(THREE_DAYS, rates(story));
            assert_eq!(told(&whole), expected, "{name}");
            for cut in 0..=story.len() {
                let resumed = run_with_restart(THREE_DAYS, rates(story), cut);
                assert_eq!(history_of(&whole.tables), history_of(&resumed.tables), "{name}, cut at {cut}");
                assert_eq!(told(&resumed), expected, "{name}, cut at {cut}");
            }
        }
    }

    #[test]
    fn another_maximum_age_applies_to_the_rates_that_are_there() {
        let story = [(0, 0, 1), (80, 80, -1), (200, 200, -1)];
        let with = |before: u64, after: u64| {
            let [before, after] = [before, after].map(|hours| RateAges { max_age: Nanos::new(hours * HOUR) });
            told(&run_with_change(before, after, (rates(&story), 2), |_, _| {}))
        };
        let first = ["0 EUR 1", "72 EUR 1 stale since 72", "80 GBP 1"];
        assert_eq!(with(72, 150), [&first[..], &["72 EUR 1", "150 EUR 1 stale since 150", "200 GBP 1"]].concat());
        assert_eq!(with(150, 100), ["0 EUR 1", "80 GBP 1", "100 EUR 1 stale since 100", "180 GBP 1 stale since 180", "200 GBP 1"]);
    }

    proptest! {
        /// Compared with the age of the newest rate at each time that is read.
        #[test]
        fn a_pair_is_stale_by_the_time_of_its_newest_rate(
            story in proptest::collection::vec((1..60_u64, 0..200_u64, 1..5_i64), 1..30),
            cut in 0..30_usize,
        ) {
            let mut now = 200;
            let story: Vec<_> = story.into_iter().map(|(step, age, rate)| { now += step; (now, now - age, rate) }).collect();
            let mut naive = Vec::new();
            for (place, (read, ..)) in story.iter().enumerate() {
                let newest = story.iter().take(place + 1).map(|(_, ts, _)| *ts).max().unwrap_or_default();
                naive.push(*read >= newest + 72);
            }
            let whole = run(THREE_DAYS, rates(&story));
            let resumed = run_with_restart(THREE_DAYS, rates(&story), cut);
            prop_assert_eq!(history_of(&whole.tables), history_of(&resumed.tables));
            prop_assert_eq!(told(&whole), told(&resumed));
            for ((read, ..), expected) in story.iter().zip(naive) {
                let last = whole.updates.iter().rfind(|(_, tick, _)| tick.get() <= read * HOUR);
                prop_assert_eq!(last.map(|(rate, ..)| rate.stale_since.is_some()), Some(expected), "at {}", read);
            }
        }
    }
}
