//! The market's volume of a symbol by the second.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use headwater_schemas::tables::{MarketVolume, Moment, TableWriter};
use headwater_schemas::{EventTime, Money, Size, Symbol, Total};

const SECOND: i64 = 1_000_000_000;

/// The end of a time's second, to which the second belongs: the prints of a closing auction are of the very time of the close.
pub(super) const fn second_of(time: EventTime) -> EventTime {
    let begun = if time.nanos().rem_euclid(SECOND) == 0 { 0 } else { SECOND };
    EventTime::from_nanos(time.nanos().div_euclid(SECOND).saturating_mul(SECOND).saturating_add(begun))
}

/// The end of the last second that is over at a time.
pub(super) const fn last_second(time: EventTime) -> EventTime {
    EventTime::from_nanos(time.nanos().div_euclid(SECOND).saturating_mul(SECOND))
}

/// Sums of the sizes of `market.trades`, by the second of their own time, which is named by its end: a sum per second is small,
/// however many trades there are.
#[derive(Clone, Debug, Default)]
pub(super) struct Volumes {
    seconds: BTreeMap<EventTime, Total>,
    touched: BTreeSet<EventTime>,
    emitted: BTreeMap<EventTime, MarketVolume>,
}

impl Volumes {
    pub(super) fn is_empty(&self) -> bool {
        self.seconds.is_empty() && self.touched.is_empty() && self.emitted.is_empty()
    }

    /// The first second.
    pub(super) fn first(&self) -> Option<EventTime> {
        self.seconds.keys().next().copied()
    }

    pub(super) fn add(&mut self, ts: EventTime, size: Size) {
        let second = second_of(ts);
        let sum = self.seconds.entry(second).or_default();
        *sum = plus(*sum, size);
        self.touched.insert(second);
    }

    /// The volume of the whole seconds between two times.
    pub(super) fn between(&self, begin: EventTime, end: EventTime) -> i128 {
        let within = self.seconds.range((Bound::Excluded(second_of(begin)), Bound::Included(last_second(end))));
        within.fold(0_i128, |sum, (_, volume)| sum.saturating_add(volume.units()))
    }

    /// Forgets the seconds before a time.
    pub(super) fn forget(&mut self, time: EventTime) {
        while let Some(first) = self.seconds.first_entry().filter(|first| *first.key() < time) {
            self.touched.insert(*first.key());
            first.remove();
        }
    }

    pub(super) fn emit(&mut self, symbol: Symbol, at: &Moment, table: &TableWriter<MarketVolume>) {
        for second in std::mem::take(&mut self.touched) {
            let row = self.seconds.get(&second).map(|volume| MarketVolume { symbol, ts: second, volume: *volume });
            let before = match &row {
                Some(row) => self.emitted.insert(second, row.clone()),
                None => self.emitted.remove(&second),
            };
            table.replace(at, before, row);
        }
    }

    pub(super) fn restore(&mut self, row: &MarketVolume) {
        self.seconds.insert(row.ts, row.volume);
        self.emitted.insert(row.ts, row.clone());
    }
}

/// A volume and a size. A volume that would not fit a column, which takes 10^11 of the greatest sizes, stays.
pub(super) fn plus(volume: Total, size: Size) -> Total {
    volume.checked_add(Money::from_units(size.units())).unwrap_or(volume)
}
