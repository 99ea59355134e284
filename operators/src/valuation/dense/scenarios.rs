//! Historical scenarios: daily returns that are applied to positions.
//!
//! - All scopes share one list of dates: the last `window` + 1 dates on which enough of the symbols that had a close within the
//!   `max_gap` dates before have one. So a coin's Saturday, a foreign holiday or the first closes of today make no date.
//! - A symbol without a close on one of them carries its last close over at most `max_gap` of them. With a longer gap it is left
//!   out of all scenarios, counted and named ([`Gap`]); a missing return is never taken as zero.
//! - A symbol with a close of zero or below is revalued by absolute price changes instead of returns.
//!
//! Scenarios are a function of the known closes, whatever the order of their arrival.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use headwater_schemas::value::fixed;
use headwater_schemas::{Date, Price};
use rustc_hash::{FxHashMap, FxHashSet};

use super::handles::{Handle, SymbolHandle};
use crate::valuation::RiskSettings;
use crate::valuation::pnl::Returns;

/// The closes, and the derived returns: one row per symbol.
#[derive(Clone, Debug)]
pub(super) struct Scenarios {
    window: usize,
    max_gap: usize,
    /// The fraction of the symbols that makes a date, in billionths.
    coverage: i128,
    days: BTreeMap<Date, Day>,
    /// Dates with new closes.
    changed: BTreeSet<Date>,
    count: usize,
    returns: Vec<f64>,
    /// Rows by symbol.
    rows: Vec<Option<Row>>,
    gaps: Vec<Gap>,
}

#[derive(Clone, Debug, Default)]
struct Day {
    closes: FxHashMap<SymbolHandle, Price>,
    /// Whether it is a scenario date.
    counts: bool,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    begin: usize,
    greatest: f64,
    is_absolute: bool,
    is_filled: bool,
}

/// The scenarios of a symbol.
#[derive(Clone, Copy, Debug)]
pub(super) struct SymbolScenarios<'a> {
    pub(super) returns: Returns<'a>,
    /// Whether the returns are absolute price changes.
    pub(super) is_absolute: bool,
    /// Whether a close was carried.
    pub(super) is_filled: bool,
}

/// A gap of a symbol that is left out: it has no close that can be carried to these scenario dates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gap {
    pub(super) symbol: SymbolHandle,
    pub(super) from: Date,
    pub(super) to: Date,
    /// Whether there is a close before it that is too old to be carried.
    pub(super) is_too_long: bool,
}

/// The closes of a symbol on the scenario dates.
#[derive(Debug)]
struct Series {
    prices: Vec<f64>,
    last: Price,
    /// Number of scenario dates since the last close.
    age: usize,
    is_filled: bool,
    is_absolute: bool,
    gap: Option<Gap>,
}

impl Scenarios {
    /// Without closes.
    pub(super) fn new(settings: &RiskSettings) -> Self {
        Self {
            window: settings.window,
            max_gap: settings.max_gap,
            coverage: settings.coverage.units(),
            days: BTreeMap::new(),
            changed: BTreeSet::new(),
            count: 0,
            returns: Vec::new(),
            rows: Vec::new(),
            gaps: Vec::new(),
        }
    }

    /// Sets a close. Returns do not change until [`Scenarios::refresh`].
    pub(super) fn set(&mut self, symbol: SymbolHandle, date: Date, close: Price) {
        self.days.entry(date).or_default().closes.insert(symbol, close);
        self.changed.insert(date);
    }

    /// Recomputes the dates and the returns of all symbols.
    pub(super) fn refresh(&mut self) {
        self.find_dates();
        // As many dates before the window as a close can be carried.
        let all = self.days.iter().rev().filter(|(_, day)| day.counts);
        let newest: Vec<Date> = all.map(|(date, _)| *date).take(self.window + 1 + self.max_gap).collect();
        let in_window = newest.len().min(self.window + 1);
        let (Some(start), Some(first)) = (newest.last().copied(), in_window.checked_sub(1).and_then(|last| newest.get(last)).copied())
        else {
            return;
        };
        let mut all: Vec<Option<Series>> = Vec::new();
        let (mut before, mut dates) = (None, 0);
        for (date, day) in self.days.range(start..) {
            for (symbol, close) in &day.closes {
                if all.len() <= symbol.place() {
                    all.resize_with(symbol.place() + 1, || None);
                }
                let Some(series) = all.get_mut(symbol.place()) else { continue };
                let missed = before.map(|to| Gap { symbol: *symbol, from: first, to, is_too_long: false });
                series.get_or_insert_with(|| Series::new(missed)).close(*close, day.counts);
            }
            if !day.counts {
                continue;
            }
            let is_in_window = *date >= first;
            for (place, series) in all.iter_mut().enumerate() {
                let Some(series) = series else { continue };
                let symbol = SymbolHandle::at(place);
                series.reach(symbol, *date, self.max_gap, is_in_window);
            }
            before = is_in_window.then_some(*date);
            dates += usize::from(is_in_window);
        }
        self.count = dates.saturating_sub(1);
        self.derive(all);
    }

    /// Recomputes which dates count, as far as that may have changed.
    fn find_dates(&mut self) {
        let changed = std::mem::take(&mut self.changed);
        let later = |date: &Date| self.days.range((Bound::Excluded(*date), Bound::Unbounded)).take(self.max_gap).map(|(date, _)| *date);
        let affected: BTreeSet<Date> = changed.iter().flat_map(|date| std::iter::once(*date).chain(later(date))).collect();
        for date in affected {
            let counts = self.is_covered(date);
            self.days.entry(date).or_default().counts = counts;
        }
    }

    /// Whether enough of the symbols with a recent close have one on the date.
    fn is_covered(&self, date: Date) -> bool {
        let Some(day) = self.days.get(&date) else { return false };
        let before = self.days.range(..date).rev().take(self.max_gap);
        let active: FxHashSet<_> = before.flat_map(|(_, day)| day.closes.keys()).collect();
        let closed = active.iter().filter(|symbol| day.closes.contains_key(symbol)).count();
        closed as i128 * fixed::ONE >= active.len() as i128 * self.coverage
    }

    fn derive(&mut self, all: Vec<Option<Series>>) {
        self.returns.clear();
        self.rows.clear();
        self.gaps.clear();
        for series in all {
            let row = series.and_then(|series| {
                if let Some(gap) = series.gap {
                    self.gaps.push(gap);
                    return None;
                }
                let begin = self.returns.len();
                let pairs = series.prices.array_windows();
                self.returns.extend(pairs.map(|[before, after]| if series.is_absolute { after - before } else { after / before - 1.0 }));
                let daily = self.returns.get(begin..).unwrap_or_default();
                let greatest = daily.iter().fold(0.0_f64, |greatest, daily| greatest.max(daily.abs()));
                Some(Row { begin, greatest, is_absolute: series.is_absolute, is_filled: series.is_filled })
            });
            self.rows.push(row);
        }
    }

    /// The number of scenarios.
    pub(super) const fn len(&self) -> usize {
        self.count
    }

    /// The scenarios of a symbol; `None` if it is left out.
    pub(super) fn of(&self, symbol: SymbolHandle) -> Option<SymbolScenarios<'_>> {
        let Row { begin, greatest, is_absolute, is_filled } = self.rows.get(symbol.place()).copied().flatten()?;
        let daily = self.returns.get(begin..begin + self.count)?;
        Some(SymbolScenarios { returns: Returns::new(daily, greatest), is_absolute, is_filled })
    }

    /// The gaps of symbols that are left out although they had a close.
    pub(super) fn gaps(&self) -> &[Gap] {
        &self.gaps
    }
}

impl Series {
    fn new(gap: Option<Gap>) -> Self {
        Self { prices: Vec::new(), last: Price::ZERO, age: 0, is_filled: false, is_absolute: false, gap }
    }

    /// Adds a close. The close of a date that does not count is carried to the next that does.
    fn close(&mut self, close: Price, counts: bool) {
        self.last = close;
        self.age = usize::from(!counts);
    }

    /// Ends a scenario date.
    fn reach(&mut self, symbol: SymbolHandle, date: Date, max_gap: usize, is_in_window: bool) {
        let age = self.age;
        self.age += 1;
        if !is_in_window {
            return;
        }
        if age > max_gap {
            let from = self.gap.filter(|_| age > max_gap + 1).map_or(date, |gap| gap.from);
            self.gap = Some(Gap { symbol, from, to: date, is_too_long: true });
        }
        self.is_filled |= age > 0;
        self.is_absolute |= self.last.units() <= 0;
        self.prices.push(self.last.to_statistic());
    }
}

#[cfg(test)]
mod tests {
    use headwater_schemas::{Decimal, Money};
    use proptest::prelude::*;

    use super::*;
    use crate::valuation::pnl::{ScenarioSums, Stake, Totals};

    fn scenarios(window: usize, closes: &[(u32, i32, i64)]) -> Scenarios {
        let settings = RiskSettings { window, coverage: Decimal::from_units(500_000_000), max_gap: 2, ..RiskSettings::default() };
        let mut scenarios = Scenarios::new(&settings);
        for (symbol, day, price) in closes {
            scenarios.set(symbol_of(*symbol), Date::from_days(*day), Price::whole(*price));
        }
        scenarios.refresh();
        scenarios
    }

    fn symbol_of(number: u32) -> SymbolHandle {
        SymbolHandle::at(usize::try_from(number).expect("a place"))
    }

    /// The P&L of a value of 1,000; for absolute changes, where a change of 1 in the price is worth 1,000.
    fn pnl(scenarios: &Scenarios, symbol: u32) -> Option<Vec<i64>> {
        let of = scenarios.of(symbol_of(symbol))?;
        let mut sums = ScenarioSums::zeros(scenarios.len());
        sums.replace(of.returns, Stake::default(), Stake::of(Money::whole(1000)));
        let Totals::Narrow(pnl) = sums.totals() else { panic!("narrow sums") };
        Some(pnl.iter().map(|pnl| pnl / 1_000_000).collect())
    }

    /// Symbol, first and last day, whether there is a close before it.
    type GapDays = (usize, i32, i32, bool);

    /// Name, days with a close of the other symbol, whether one of its closes is carried, its gaps.
    type Case<'a> = (&'a str, &'a [i32], Option<bool>, &'a [GapDays]);

    fn gaps(scenarios: &Scenarios) -> Vec<GapDays> {
        scenarios.gaps().iter().map(|gap| (gap.symbol.place(), gap.from.days(), gap.to.days(), gap.is_too_long)).collect()
    }

    #[test]
    fn a_saturday_of_another_symbol_is_no_scenario_date() {
        // A closes on Thursday, Friday and Monday; B on Saturday.
        let scenarios = scenarios(2, &[(0, 1, 100), (0, 2, 90), (1, 3, 7), (0, 5, 99)]);
        assert_eq!(pnl(&scenarios, 0), Some(vec![-100, 100]));
        assert_eq!((scenarios.of(symbol_of(0)).map(|of| of.is_filled), gaps(&scenarios)), (Some(false), vec![(1, 1, 2, false)]));
    }

    #[test]
    fn the_first_closes_of_a_day_make_no_date_until_half_of_the_symbols_have_one() {
        let both = [(0, 1, 100), (1, 1, 100), (2, 1, 100), (0, 2, 110), (1, 2, 90), (2, 2, 100)];
        let one_more = [both.as_slice(), &[(0, 3, 121)]].concat();
        let two_more = [one_more.as_slice(), &[(1, 3, 99)]].concat();
        assert_eq!(pnl(&scenarios(3, &one_more), 0), pnl(&scenarios(3, &both), 0));
        let with_two = scenarios(3, &two_more);
        assert_eq!((pnl(&with_two, 0), pnl(&with_two, 2)), (Some(vec![100, 100]), Some(vec![0, 0])));
        assert_eq!([0, 2].map(|symbol| with_two.of(symbol_of(symbol)).map(|of| of.is_filled)), [Some(false), Some(true)]);
    }

    #[test]
    fn a_close_is_carried_over_a_short_gap_and_not_over_a_long_one() {
        let every_day = |symbol, last| (1..=last).map(move |day| (symbol, day, 100)).collect::<Vec<_>>();
        let cases: [Case<'_>; 6] = [
            ("none is missing", &[1, 2, 3, 4, 5, 6], Some(false), &[]),
            ("two are missing", &[1, 2, 3, 6], Some(true), &[]),
            ("three are missing", &[1, 2, 6], None, &[(2, 5, 5, true)]),
            ("the last three are missing", &[1, 2, 3], None, &[(2, 6, 6, true)]),
            ("the close before the window is carried", &[1, 4, 5, 6], Some(true), &[]),
            ("it begins within the window", &[5, 6], None, &[(2, 3, 4, false)]),
        ];
        for (name, days, filled, expected) in cases {
            let mut closes = [every_day(0, 6), every_day(1, 6)].concat();
            closes.extend(days.iter().map(|day| (2, *day, 100)));
            let scenarios = scenarios(3, &closes);
            assert_eq!(scenarios.of(symbol_of(2)).map(|of| of.is_filled), filled, "{name}");
            assert_eq!(gaps(&scenarios), expected, "{name}");
        }
    }

    #[test]
    fn a_symbol_with_a_close_of_zero_or_below_is_revalued_by_changes_of_its_price() {
        let scenarios = scenarios(3, &[(0, 1, 18), (0, 2, -37), (0, 3, 0), (1, 1, 10), (1, 2, 20), (1, 3, 10)]);
        assert_eq!((pnl(&scenarios, 0), pnl(&scenarios, 1)), (Some(vec![-55_000, 37_000]), Some(vec![1000, -500])));
        assert_eq!([0, 1].map(|symbol| scenarios.of(symbol_of(symbol)).map(|of| of.is_absolute)), [Some(true), Some(false)]);
    }

    #[test]
    fn the_window_slides_and_what_is_before_it_changes_nothing() {
        let closes = [(0, 1, 7), (0, 2, 100), (0, 3, 110), (0, 4, 99), (0, 1, 1)];
        assert_eq!(pnl(&scenarios(2, &closes), 0), Some(vec![100, -100]));
    }

    proptest! {
        #[test]
        fn the_order_in_which_closes_come_changes_nothing(
            closes in proptest::collection::btree_map((0..4_u32, 1..15_i32), -3..40_i64, 0..40),
            keys in proptest::collection::vec(any::<u32>(), 40),
            cut in 0..40_usize,
        ) {
            let in_order: Vec<_> = closes.iter().map(|((symbol, day), price)| (*symbol, *day, *price)).collect();
            let mut shuffled: Vec<_> = in_order.iter().copied().zip(keys).collect();
            shuffled.sort_by_key(|(_, key)| *key);
            let shuffled: Vec<_> = shuffled.into_iter().map(|(close, _)| close).collect();
            let whole = scenarios(4, &in_order);
            let mut parts = scenarios(4, shuffled.get(..cut).unwrap_or(&shuffled));
            for (symbol, day, price) in &shuffled {
                parts.set(symbol_of(*symbol), Date::from_days(*day), Price::whole(*price));
                parts.refresh();
            }
            prop_assert_eq!(gaps(&whole), gaps(&parts));
            prop_assert!((0..4).all(|symbol| pnl(&whole, symbol) == pnl(&parts, symbol)));
        }
    }
}
