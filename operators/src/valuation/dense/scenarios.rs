//! Historical scenarios: the daily returns that positions are put through.
//!
//! There is one list of dates for all scopes: the last `window` + 1 dates on which anything closed. A symbol that misses
//! one of them is left out everywhere and counted, never taken as a zero return. A close that comes for a date before
//! the window changes nothing; a corrected one within it changes the scenario.

use std::collections::BTreeMap;

use headwater_schemas::{Date, Price};
use rustc_hash::FxHashMap;

use super::handles::SymbolHandle;
use crate::valuation::pnl::Returns;

/// The closes within the window, and the returns that follow from them: a row for each symbol, one after the other.
#[derive(Clone, Debug)]
pub(super) struct Scenarios {
    window: usize,
    closes: BTreeMap<Date, FxHashMap<SymbolHandle, Price>>,
    count: usize,
    returns: Vec<f64>,
    rows: FxHashMap<SymbolHandle, Row>,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    begin: usize,
    greatest: f64,
}

impl Scenarios {
    /// No closes yet; `window` is the number of returns that are kept.
    pub(super) fn new(window: usize) -> Self {
        Self { window, closes: BTreeMap::new(), count: 0, returns: Vec::new(), rows: FxHashMap::default() }
    }

    /// Sets a close. Returns are as before until [`Scenarios::refresh`].
    pub(super) fn set(&mut self, symbol: SymbolHandle, date: Date, close: Price) {
        let full = self.closes.len() > self.window;
        if full && self.closes.first_key_value().is_some_and(|(first, _)| date < *first) {
            return;
        }
        self.closes.entry(date).or_default().insert(symbol, close);
        while self.closes.len() > self.window + 1 {
            self.closes.pop_first();
        }
    }

    /// Derives the returns of all symbols anew.
    pub(super) fn refresh(&mut self) {
        let mut series = FxHashMap::<SymbolHandle, Vec<f64>>::default();
        for (day, closes) in self.closes.values().enumerate() {
            for (symbol, close) in closes {
                let prices = series.entry(*symbol).or_default();
                // A gap shows as a series that is shorter than the list of dates.
                if prices.len() == day {
                    prices.push(close.to_statistic());
                }
            }
        }
        let days = self.closes.len();
        self.count = days.saturating_sub(1);
        self.returns.clear();
        self.rows.clear();
        for (symbol, prices) in series.into_iter().filter(|(_, prices)| prices.len() == days) {
            let begin = self.returns.len();
            self.returns.extend(prices.array_windows().map(|[before, after]| after / before - 1.0));
            let daily = self.returns.get(begin..).unwrap_or_default();
            // A close of zero has no return after it.
            if daily.iter().all(|daily| daily.is_finite()) {
                let greatest = daily.iter().fold(0.0_f64, |greatest, daily| greatest.max(daily.abs()));
                self.rows.insert(symbol, Row { begin, greatest });
            } else {
                self.returns.truncate(begin);
            }
        }
    }

    /// How many scenarios there are.
    pub(super) const fn len(&self) -> usize {
        self.count
    }

    /// The returns of a symbol; `None` if it misses a date.
    pub(super) fn returns(&self, symbol: SymbolHandle) -> Option<Returns<'_>> {
        let row = self.rows.get(&symbol)?;
        let daily = self.returns.get(row.begin..row.begin + self.count)?;
        Some(Returns::new(daily, row.greatest))
    }
}

#[cfg(test)]
mod tests {
    use headwater_schemas::Money;

    use super::super::handles::Handle;
    use super::*;
    use crate::valuation::pnl::{ScenarioSums, Stake, Totals};

    #[test]
    fn a_symbol_with_a_gap_is_left_out_and_the_window_slides() {
        let [a, b, zero] = [0, 1, 2].map(SymbolHandle::at);
        let mut scenarios = Scenarios::new(2);
        for (date, price) in [(1, 100), (2, 110), (3, 99), (4, 198)] {
            let date = Date::from_days(date);
            scenarios.set(a, date, Price::whole(price));
            scenarios.set(zero, date, Price::ZERO);
            if date != Date::from_days(3) {
                scenarios.set(b, date, Price::whole(price));
            }
        }
        scenarios.set(a, Date::from_days(1), Price::whole(1)); // before the window
        scenarios.refresh();
        let returns = scenarios.returns(a).expect("returns");
        let mut sums = ScenarioSums::zeros(scenarios.len());
        sums.replace(returns, Stake::default(), Stake::of(Money::whole(1000)));
        assert_eq!(sums.totals(), Totals::Narrow(&[-100_000_000, 1_000_000_000]));
        assert!(scenarios.returns(b).is_none() && scenarios.returns(zero).is_none());
    }
}
