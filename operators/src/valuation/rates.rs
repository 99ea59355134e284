//! Exchange rates: direct, inverse, or over the base currency.

use headwater_schemas::value::fixed;
use headwater_schemas::{Currency, Factor, Money};
use rustc_hash::FxHashMap;

/// The last rate of each pair.
#[derive(Clone, Debug)]
pub struct Rates {
    pivot: Currency,
    pairs: FxHashMap<(Currency, Currency), Factor>,
}

/// How to get from one currency to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conversion {
    /// They are the same.
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

/// One conversion, or two over the pivot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path(Conversion, Conversion);

impl Path {
    /// From a currency to itself.
    pub const SAME: Self = Self(Conversion::Same, Conversion::Same);

    /// Converts a sum; each step rounds once.
    pub fn convert(self, sum: Money) -> Option<Money> {
        self.1.convert(self.0.convert(sum)?)
    }
}

impl Rates {
    /// No rates; `pivot` is the currency that others may be converted over.
    pub fn new(pivot: Currency) -> Self {
        Self { pivot, pairs: FxHashMap::default() }
    }

    /// Sets a pair's rate: units of `quote` for one of `base`.
    pub fn set(&mut self, base: Currency, quote: Currency, rate: Factor) {
        self.pairs.insert((base, quote), rate);
    }

    /// The way from one currency to another, if there is one.
    pub fn path(&self, from: &Currency, to: &Currency) -> Option<Path> {
        if let Some(conversion) = self.one_step(from, to) {
            return Some(Path(conversion, Conversion::Same));
        }
        Some(Path(self.one_step(from, &self.pivot)?, self.one_step(&self.pivot, to)?))
    }

    fn one_step(&self, from: &Currency, to: &Currency) -> Option<Conversion> {
        if from == to {
            return Some(Conversion::Same);
        }
        let pair = |base: &Currency, quote: &Currency| self.pairs.get(&(*base, *quote)).copied();
        pair(from, to).map(Conversion::Direct).or_else(|| pair(to, from).map(Conversion::Inverse))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_work_both_ways_and_over_the_pivot() {
        let id = |text: &str| Currency::derived(text);
        let mut rates = Rates::new(id("USD"));
        rates.set(id("EUR"), id("USD"), "1.25".parse().expect("a rate"));
        rates.set(id("USD"), id("JPY"), "150".parse().expect("a rate"));
        let convert = |from: &str, to: &str| {
            rates.path(&id(from), &id(to)).and_then(|path| path.convert(Money::whole(100))).map(|sum| sum.to_string())
        };
        assert_eq!(convert("USD", "USD"), Some("100".into()));
        assert_eq!(convert("EUR", "USD"), Some("125".into()));
        assert_eq!(convert("USD", "EUR"), Some("80".into()));
        assert_eq!(convert("EUR", "JPY"), Some("18750".into()));
        assert_eq!(convert("JPY", "EUR"), Some("0.533333334".into()));
        assert_eq!(convert("EUR", "GBP"), None);
    }
}
