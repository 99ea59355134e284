//! Historical scenarios: the daily returns that positions are put through.
//!
//! There is one list of dates for all scopes: the last `window` + 1 dates on which anything closed. A symbol that misses
//! one of them is left out everywhere and counted, never taken as a zero return. A close that comes for a date before
//! the window changes nothing; a corrected one within it changes the scenario.

use std::collections::BTreeMap;

use headwater_schemas::{Date, Id, Money, Price};
use rustc_hash::FxHashMap;

/// The greatest P&L of one position in one scenario, in millionths: beyond it binary numbers skip some.
const MAX_TERM: f64 = 9_007_199_254_740_992.0;

/// The closes within the window and the returns that follow from them.
#[derive(Clone, Debug)]
pub struct Scenarios {
    window: usize,
    closes: BTreeMap<Date, FxHashMap<Id, Price>>,
    returns: FxHashMap<Id, Vec<f64>>,
    dates: usize,
}

impl Scenarios {
    /// No closes yet; `window` is the number of returns that are kept.
    pub fn new(window: usize) -> Self {
        Self { window, closes: BTreeMap::new(), returns: FxHashMap::default(), dates: 0 }
    }

    /// Sets a close. Returns are as before until [`Scenarios::refresh`].
    pub fn set(&mut self, symbol: Id, date: Date, close: Price) {
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
    pub fn refresh(&mut self) {
        let mut prices = FxHashMap::<&Id, Vec<f64>>::default();
        for (day, closes) in self.closes.values().enumerate() {
            for (symbol, close) in closes {
                let series = prices.entry(symbol).or_default();
                // A gap shows as a series that is shorter than the list of dates.
                if series.len() == day {
                    series.push(close.to_statistic());
                }
            }
        }
        let days = self.closes.len();
        let whole = prices.into_iter().filter(|(_, series)| series.len() == days);
        let returns =
            whole.map(|(symbol, series)| (symbol.clone(), series.array_windows().map(|[before, after]| after / before - 1.0).collect()));
        self.returns = returns.collect();
        self.dates = days;
    }

    /// How many scenarios there are.
    pub const fn len(&self) -> usize {
        self.dates.saturating_sub(1)
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a position's P&L in every scenario, in millionths of its currency, `sign` times. False if the symbol has no
    /// returns, or the value is beyond what can be rounded exactly: the position is left out then.
    pub fn add_pnl(&self, symbol: &Id, value: Money, sign: i64, sums: &mut Vec<i64>) -> bool {
        let Some(returns) = self.returns.get(symbol) else { return false };
        let millionths = value.to_statistic() * 1e6;
        if millionths.abs() >= MAX_TERM / 100.0 {
            return false;
        }
        sums.resize(returns.len(), 0);
        for (sum, daily) in sums.iter_mut().zip(returns) {
            *sum += sign * term(millionths, *daily);
        }
        true
    }
}

/// One position's P&L in one scenario: rounded once, half to even, to a whole number of millionths.
#[expect(clippy::cast_possible_truncation, reason = "the value is bounded by MAX_TERM, and closes bound a return far below a hundredfold")]
fn term(millionths: f64, daily: f64) -> i64 {
    (millionths * daily).round_ties_even() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(number: i32) -> Date {
        Date::from_days(number)
    }

    fn id(text: &str) -> Id {
        Id::derived(text)
    }

    #[test]
    fn a_symbol_with_a_gap_is_left_out_and_the_window_slides() {
        let mut scenarios = Scenarios::new(2);
        for (date, price) in [(1, 100), (2, 110), (3, 99), (4, 198)] {
            scenarios.set(id("A"), day(date), Price::whole(price));
            if date != 3 {
                scenarios.set(id("B"), day(date), Price::whole(price));
            }
        }
        scenarios.set(id("A"), day(1), Price::whole(1)); // before the window
        scenarios.refresh();
        let mut sums = Vec::new();
        assert!(scenarios.add_pnl(&id("A"), Money::whole(1000), 1, &mut sums));
        assert_eq!(sums, [-100_000_000, 1_000_000_000]);
        assert!(!scenarios.add_pnl(&id("B"), Money::whole(1000), 1, &mut sums));
        assert!(scenarios.add_pnl(&id("A"), Money::whole(1000), -1, &mut sums));
        assert_eq!(sums, [0, 0]);
    }
}
