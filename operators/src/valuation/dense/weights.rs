//! Weights of a scope's symbols, for concentration.
//!
//! Gross exposure and its squares are integers, so they do not depend on the order of additions. Ratios are derived from them
//! last.

use std::cmp::Ordering;

use ethnum::U256;
use headwater_schemas::{Money, Statistic};
use rustc_hash::FxHashMap;

use super::handles::{Named, SymbolHandle};

/// Gross exposure by symbol, in billionths.
#[derive(Debug, Default)]
pub(super) struct Weights {
    gross: FxHashMap<SymbolHandle, i128>,
    squares: U256,
    heaviest: Heaviest,
}

/// The symbol with the greatest gross exposure; of equals the first by name.
#[derive(Clone, Copy, Debug, Default)]
enum Heaviest {
    #[default]
    Nothing,
    Symbol(SymbolHandle, i128),
    /// Its exposure fell, so another one may be greater.
    Unknown,
}

impl Weights {
    /// Adds to a symbol's gross exposure.
    pub(super) fn add<S>(&mut self, symbol: SymbolHandle, change: i128, symbols: &Named<SymbolHandle, S>) {
        let gross = self.gross.entry(symbol).or_default();
        let (old, new) = (*gross, *gross + change);
        *gross = new;
        if new == 0 {
            self.gross.remove(&symbol);
        }
        self.squares = self.squares - square(old) + square(new);
        self.heaviest = match self.heaviest {
            Heaviest::Unknown => Heaviest::Unknown,
            Heaviest::Symbol(heaviest, _) if heaviest == symbol && new < old => Heaviest::Unknown,
            Heaviest::Symbol(heaviest, gross) if heaviest != symbol && !is_heavier((symbol, new), (heaviest, gross), symbols) => {
                Heaviest::Symbol(heaviest, gross)
            }
            Heaviest::Nothing if new == 0 => Heaviest::Nothing,
            Heaviest::Nothing | Heaviest::Symbol(..) => Heaviest::Symbol(symbol, new),
        };
    }

    /// The greatest weight and its symbol; `None` without exposure.
    pub(super) fn heaviest<S>(&mut self, total: Money, symbols: &Named<SymbolHandle, S>) -> Option<(Statistic, SymbolHandle)> {
        if matches!(self.heaviest, Heaviest::Unknown) {
            let all = self.gross.iter().map(|(symbol, gross)| (*symbol, *gross));
            let heaviest = all.reduce(|best, next| if is_heavier(next, best, symbols) { next } else { best });
            self.heaviest = heaviest.map_or(Heaviest::Nothing, |(symbol, gross)| Heaviest::Symbol(symbol, gross));
        }
        let Heaviest::Symbol(symbol, gross) = self.heaviest else { return None };
        Some((Statistic::ratio(Money::from_units(gross).to_statistic(), total.to_statistic())?, symbol))
    }

    /// Σ weight², rounded once; `None` without exposure.
    pub(super) fn hhi(&self, total: Money) -> Option<Statistic> {
        fraction(self.squares, square(total.units()))
    }
}

fn is_heavier<S>(one: (SymbolHandle, i128), other: (SymbolHandle, i128), symbols: &Named<SymbolHandle, S>) -> bool {
    match one.1.cmp(&other.1) {
        Ordering::Greater => true,
        Ordering::Less => false,
        Ordering::Equal => symbols.name(one.0) < symbols.name(other.0),
    }
}

fn square(units: i128) -> U256 {
    let magnitude = U256::from(units.unsigned_abs());
    magnitude * magnitude
}

/// A fraction as a binary number: as many binary digits as there is room for beyond the whole's, at most 120; then rounded to 53.
fn fraction(part: U256, whole: U256) -> Option<Statistic> {
    if whole == U256::ZERO {
        return None;
    }
    let digits = whole.leading_zeros().min(120);
    let scaled = u128::try_from((part << digits) / whole).ok()?;
    Statistic::new(scaled as f64 / 2_f64.powi(i32::try_from(digits).ok()?))
}

#[cfg(test)]
mod tests {
    use headwater_schemas::Symbol;
    use proptest::prelude::*;

    use super::super::handles::Handle;
    use super::*;

    fn symbols() -> Named<SymbolHandle, ()> {
        let mut symbols = Named::default();
        // Names are not in the order of handles.
        for name in ["D", "B", "A", "C", "E", "F"] {
            symbols.intern(Symbol::derived(name), || ());
        }
        symbols
    }

    #[test]
    fn weights_are_over_gross_and_without_exposure_there_are_none() {
        let symbols = symbols();
        let mut weights = Weights::default();
        let whole = |number: i64| Money::whole(number).units();
        weights.add(SymbolHandle::at(0), whole(75), &symbols);
        weights.add(SymbolHandle::at(1), whole(25), &symbols);
        assert_eq!(weights.hhi(Money::whole(100)), Statistic::new(0.625));
        assert_eq!(weights.heaviest(Money::whole(100), &symbols), Statistic::new(0.75).map(|weight| (weight, SymbolHandle::at(0))));
        weights.add(SymbolHandle::at(0), -whole(75), &symbols);
        weights.add(SymbolHandle::at(1), -whole(25), &symbols);
        assert_eq!((weights.hhi(Money::ZERO), weights.heaviest(Money::ZERO, &symbols)), (None, None));
    }

    #[test]
    fn the_greatest_exposures_have_weights() {
        let symbols = symbols();
        let mut weights = Weights::default();
        let greatest = 10_i128.pow(28) - 1;
        (0..4).for_each(|symbol| weights.add(SymbolHandle::at(symbol), greatest, &symbols));
        assert_eq!(weights.hhi(Money::from_units(greatest * 4)), Statistic::new(0.25));
    }

    proptest! {
        #[test]
        fn the_heaviest_is_that_of_a_scan(changes in proptest::collection::vec((0..6_usize, 0..4_i128), 1..60)) {
            let symbols = symbols();
            let (mut weights, mut gross) = (Weights::default(), [0_i128; 6]);
            for (symbol, new) in changes {
                weights.add(SymbolHandle::at(symbol), new - gross[symbol], &symbols);
                gross[symbol] = new;
                let total: i128 = gross.iter().sum();
                let named = (0..6).filter(|symbol| gross[*symbol] > 0).map(|symbol| (-gross[symbol], symbols.name(SymbolHandle::at(symbol)), symbol));
                let expected = named.min().map(|(_, _, symbol)| SymbolHandle::at(symbol));
                prop_assert_eq!(weights.heaviest(Money::from_units(total), &symbols).map(|(_, symbol)| symbol), expected);
                let squares: i128 = gross.iter().map(|gross| gross * gross).sum();
                prop_assert_eq!(weights.squares, U256::from(squares.unsigned_abs()));
            }
        }
    }
}
