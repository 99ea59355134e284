//! Exchange rates: direct, inverse, or over a pivot. The newer of direct and inverse counts. The pivot is the one that is preferred if it
//! has both rates, else the currency whose older rate is the newest; of several, the first by name.
//!
//! ```
//! use headwater_operators::valuation::rates::Rates;
//! use headwater_schemas::{Currency, EventTime, Money};
//!
//! let [eur, usd, jpy] = ["EUR", "USD", "JPY"].map(Currency::derived);
//! let mut rates = Rates::default();
//! rates.set(eur, usd, "1.25".parse().unwrap(), EventTime::from_nanos(1));
//! rates.set(usd, jpy, "150".parse().unwrap(), EventTime::from_nanos(1));
//! assert_eq!(rates.path(&eur, &jpy, &usd).unwrap().convert(Money::whole(2)), Some(Money::whole(375)));
//! ```

use std::cmp::Reverse;

use headwater_schemas::value::fixed;
use headwater_schemas::{Currency, EventTime, Factor, Money};
use rustc_hash::FxHashMap;

use crate::newest;

/// The newest rate of each pair.
#[derive(Clone, Debug, Default)]
pub struct Rates(FxHashMap<(Currency, Currency), LatestRate>);

#[derive(Clone, Copy, Debug)]
struct LatestRate {
    ts: EventTime,
    rate: Factor,
    is_stale: bool,
}

/// A conversion by the rate of a pair.
#[derive(Clone, Copy, Debug)]
struct Step {
    ts: EventTime,
    conversion: Conversion,
    is_stale: bool,
}

/// A conversion between two currencies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conversion {
    /// The currencies are equal.
    Same,
    /// Multiply by a rate.
    Direct(Factor),
    /// Divide by a rate.
    Inverse(Factor),
}

impl Conversion {
    /// Converts a sum, rounded half to even to nine digits.
    pub fn convert(self, sum: Money) -> Option<Money> {
        let units = match self {
            Self::Same => Some(sum.units()),
            Self::Direct(rate) => fixed::product(sum.units(), rate.units()),
            Self::Inverse(rate) => fixed::quotient(sum.units(), fixed::ONE, rate.units()),
        };
        units.map(Money::from_units)
    }
}

/// One conversion, or two through a pivot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    first: Conversion,
    second: Conversion,
    is_stale: bool,
}

impl Path {
    /// From a currency to itself.
    pub const SAME: Self = Self { first: Conversion::Same, second: Conversion::Same, is_stale: false };

    /// Converts a sum; each step rounds once.
    pub fn convert(self, sum: Money) -> Option<Money> {
        self.second.convert(self.first.convert(sum)?)
    }

    /// Whether one of its rates is stale.
    pub const fn is_stale(self) -> bool {
        self.is_stale
    }
}

impl Rates {
    /// Sets a pair's rate, in units of `quote` per unit of `base`, unless there is one of a later time.
    pub fn set(&mut self, base: Currency, quote: Currency, rate: Factor, ts: EventTime) {
        newest::put(&mut self.0, (base, quote), LatestRate { ts, rate, is_stale: false }, |latest| latest.ts);
    }

    /// Sets whether a pair's rate is stale. A rate that is set is not.
    pub fn set_stale(&mut self, base: Currency, quote: Currency, is_stale: bool) {
        self.0.get_mut(&(base, quote)).into_iter().for_each(|latest| latest.is_stale = is_stale);
    }

    /// The path from one currency to another, if there is one: in one step, else over the preferred pivot, else over another one.
    pub fn path(&self, from: &Currency, to: &Currency, preferred: &Currency) -> Option<Path> {
        if from == to {
            return Some(Path::SAME);
        }
        if let Some(Step { conversion, is_stale, .. }) = self.one_step(from, to) {
            return Some(Path { first: conversion, second: Conversion::Same, is_stale });
        }
        let over = |pivot: &Currency| {
            let (first, second) = (self.one_step(from, pivot)?, self.one_step(pivot, to)?);
            let path = Path { first: first.conversion, second: second.conversion, is_stale: first.is_stale || second.is_stale };
            Some((first.ts.min(second.ts), path))
        };
        if let Some((_, path)) = over(preferred) {
            return Some(path);
        }
        let pivots = self.0.keys().filter_map(|(base, quote)| match (base == from, quote == from) {
            (true, _) => Some(quote),
            (_, true) => Some(base),
            _ => None,
        });
        let paths = pivots.filter_map(|pivot| over(pivot).map(|(ts, path)| ((ts, Reverse(pivot.as_str())), path)));
        paths.max_by_key(|(rank, _)| *rank).map(|(_, path)| path)
    }

    /// The newer of the direct and the inverse rate.
    fn one_step(&self, from: &Currency, to: &Currency) -> Option<Step> {
        let pair = |base: &Currency, quote: &Currency, conversion: fn(Factor) -> Conversion| {
            let LatestRate { ts, rate, is_stale } = *self.0.get(&(*base, *quote))?;
            Some(Step { ts, conversion: conversion(rate), is_stale })
        };
        match (pair(from, to, Conversion::Direct), pair(to, from, Conversion::Inverse)) {
            (Some(direct), Some(inverse)) if direct.ts < inverse.ts => Some(inverse),
            (direct, inverse) => direct.or(inverse),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_work_both_ways_and_over_the_pivot() {
        let id = |text: &str| Currency::derived(text);
        let mut rates = Rates::default();
        let at = EventTime::from_nanos;
        rates.set(id("EUR"), id("USD"), "1.25".parse().expect("a rate"), at(1));
        rates.set(id("USD"), id("JPY"), "150".parse().expect("a rate"), at(1));
        let convert = |from: &str, to: &str| {
            rates.path(&id(from), &id(to), &id("USD")).and_then(|path| path.convert(Money::whole(100))).map(|sum| sum.to_string())
        };
        assert_eq!(convert("USD", "USD"), Some("100".into()));
        assert_eq!(convert("EUR", "USD"), Some("125".into()));
        assert_eq!(convert("USD", "EUR"), Some("80".into()));
        assert_eq!(convert("EUR", "JPY"), Some("18750".into()));
        assert_eq!(convert("JPY", "EUR"), Some("0.533333334".into()));
        assert_eq!(convert("EUR", "GBP"), None);
    }

    #[test]
    fn of_the_direct_and_the_inverse_rate_the_newer_counts() {
        let [eur, usd] = ["EUR", "USD"].map(Currency::derived);
        for (direct, inverse, expected) in [(1, 2, "200"), (2, 1, "125"), (1, 1, "125")] {
            let mut rates = Rates::default();
            rates.set(eur, usd, "1.25".parse().expect("a rate"), EventTime::from_nanos(direct));
            rates.set(usd, eur, "0.5".parse().expect("a rate"), EventTime::from_nanos(inverse));
            let sum = rates.path(&eur, &usd, &usd).and_then(|path| path.convert(Money::whole(100)));
            assert_eq!(sum.map(|sum| sum.to_string()).as_deref(), Some(expected), "{direct} {inverse}");
        }
    }

    #[test]
    fn a_path_is_stale_by_the_rates_that_it_uses() {
        let [eur, usd, jpy] = ["EUR", "USD", "JPY"].map(Currency::derived);
        let is_stale = |rates: &Rates, from, to| rates.path(&from, &to, &usd).map(Path::is_stale);
        let mut rates = Rates::default();
        let mut set = |base, quote, ts, is_stale| {
            rates.set(base, quote, "2".parse().expect("a rate"), EventTime::from_nanos(ts));
            rates.set_stale(base, quote, is_stale);
            rates.clone()
        };
        set(eur, usd, 1, true);
        let one_is_old = set(usd, jpy, 2, false);
        assert_eq!(is_stale(&one_is_old, eur, usd), Some(true));
        assert_eq!(is_stale(&one_is_old, usd, jpy), Some(false));
        assert_eq!(is_stale(&one_is_old, jpy, eur), Some(true), "the older of both over the pivot");
        assert_eq!(is_stale(&one_is_old, eur, eur), Some(false));
        let newer_inverse = set(usd, eur, 3, false);
        assert_eq!(is_stale(&newer_inverse, eur, usd), Some(false), "the inverse is newer than the stale one");
        assert_eq!(is_stale(&newer_inverse, eur, jpy), Some(false));
    }

    #[test]
    fn a_pivot_is_any_currency_that_has_both_rates() {
        let id = |text: &str| Currency::derived(text);
        let mut rates = Rates::default();
        let mut set = |base: &str, quote: &str, rate: &str, ts: i64| {
            rates.set(id(base), id(quote), rate.parse().expect("a rate"), EventTime::from_nanos(ts));
        };
        // As the European Central Bank publishes them; the francs are older by a day, and then newer.
        set("EUR", "USD", "1.10", 2);
        set("EUR", "JPY", "165", 2);
        set("CHF", "USD", "2", 1);
        set("CHF", "JPY", "100", 3);
        let convert = |rates: &Rates, from: &str, to: &str, preferred: &str| {
            rates.path(&id(from), &id(to), &id(preferred)).and_then(|path| path.convert(Money::whole(16500))).map(|sum| sum.to_string())
        };
        assert_eq!(convert(&rates, "JPY", "USD", "USD").as_deref(), Some("110"), "by hand: 16500 / 165 * 1.10");
        assert_eq!(convert(&rates, "JPY", "USD", "CHF").as_deref(), Some("330"), "the preferred one, although it is older");
        assert_eq!(convert(&rates, "JPY", "GBP", "USD"), None);
        rates.set(id("CHF"), id("USD"), "2".parse().expect("a rate"), EventTime::from_nanos(2));
        assert_eq!(convert(&rates, "JPY", "USD", "USD").as_deref(), Some("330"), "of two as new, the first by name");
    }

    #[test]
    fn an_older_rate_does_not_replace_a_newer_one() {
        let [eur, usd] = ["EUR", "USD"].map(Currency::derived);
        let mut rates = Rates::default();
        for (rate, ts, expected) in [("1.25", 2, "125"), ("2", 1, "125"), ("1.5", 2, "150"), ("3", 3, "300")] {
            rates.set(eur, usd, rate.parse().expect("a rate"), EventTime::from_nanos(ts));
            let sum = rates.path(&eur, &usd, &usd).and_then(|path| path.convert(Money::whole(100)));
            assert_eq!(sum.map(|sum| sum.to_string()).as_deref(), Some(expected), "{rate} {ts}");
        }
    }
}
