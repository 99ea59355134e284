//! The market's volume of a symbol by the second.

use std::collections::BTreeMap;
use std::ops::Bound;

use headwater_schemas::tables::{MarketVolume, Moment, TableWriter};
use headwater_schemas::{EventTime, Money, Size, Symbol, Total};

use crate::touched::Touched;

const SECOND: i64 = 1_000_000_000;

/// The end of a time's second, to which the second belongs: the prints of a closing auction are of the very time of the close.
pub(super) const fn second_of(time: EventTime) -> EventTime {
    let begun = if time.nanos().rem_euclid(SECOND) == 0 { 0 } else { SECOND };
    EventTime::from_nanos(time.nanos().div_euclid(SECOND).saturating_mul(SECOND).saturating_add(begun))
}

/// Sums of the sizes of `market.trades`, by the second of their own time, which is named by its end: a sum per second is small,
/// however many trades there are.
#[derive(Clone, Debug, Default)]
pub(super) struct Volumes {
    seconds: BTreeMap<EventTime, Total>,
    touched: Touched<EventTime, Total>,
}

impl Volumes {
    pub(super) fn is_empty(&self) -> bool {
        self.seconds.is_empty() && self.touched.is_empty()
    }

    /// The first second.
    pub(super) fn first(&self) -> Option<EventTime> {
        self.seconds.keys().next().copied()
    }

    pub(super) fn add(&mut self, ts: EventTime, size: Size) {
        let second = second_of(ts);
        let before = self.seconds.get(&second).copied();
        self.touched.note(second, || before);
        self.seconds.insert(second, plus(before.unwrap_or_default(), size));
    }

    /// The volume of the seconds after that of `begin`, up to that of `end`.
    pub(super) fn between(&self, begin: EventTime, end: EventTime) -> i128 {
        let within = self.seconds.range((Bound::Excluded(second_of(begin)), Bound::Included(second_of(end))));
        within.fold(0_i128, |sum, (_, volume)| sum.saturating_add(volume.units()))
    }

    /// Forgets the seconds before a time.
    pub(super) fn forget(&mut self, time: EventTime) {
        while let Some(first) = self.seconds.first_entry().filter(|first| *first.key() < time) {
            let (second, volume) = first.remove_entry();
            self.touched.note(second, || Some(volume));
        }
    }

    pub(super) fn emit(&mut self, symbol: Symbol, at: &Moment, table: &TableWriter<MarketVolume>) {
        let row = |second: &EventTime, volume| MarketVolume { symbol, ts: *second, volume };
        self.touched.emit_as(at, table, row, |second| self.seconds.get(second).copied());
    }

    pub(super) fn restore(&mut self, row: &MarketVolume) {
        self.seconds.insert(row.ts, row.volume);
    }
}

/// A volume and a size. A volume that would not fit a column, which takes 10^11 of the greatest sizes, stays.
pub(super) fn plus(volume: Total, size: Size) -> Total {
    volume.checked_add(Money::from_units(size.units())).unwrap_or(volume)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_is_named_by_its_end_and_the_very_time_of_a_close_is_before_it() {
        let time = |tenths: i64| EventTime::from_nanos(tenths * SECOND / 10);
        // (trade, window) in tenths of a second, and whether the trade counts.
        for (trade, begin, end, counts) in [
            (4000, 1000, 4000, true),
            (4005, 1000, 4000, false),
            (1000, 1000, 4000, false),
            (1005, 1000, 4000, true),
            (4005, 1005, 4005, true),
            (4011, 1005, 4005, false),
            // Shorter than a second, within one and over the end of one.
            (1007, 1004, 1009, false),
            (1012, 1009, 1014, true),
        ] {
            let mut volumes = Volumes::default();
            volumes.add(time(trade), Size::from_units(1));
            assert_eq!(volumes.between(time(begin), time(end)) == 1, counts, "{trade} from {begin} to {end}");
        }
    }
}
