//! Conversions between the currencies of the positions and those of the scopes.

use headwater_schemas::{Currency, EventTime, Factor};
use rustc_hash::FxHashMap;

use super::handles::{CurrencyHandle, Named};
use crate::valuation::rates::{Path, Rates};

/// The currencies, and how to get from one to another.
#[derive(Debug)]
pub(super) struct Currencies {
    names: Named<CurrencyHandle, ()>,
    rates: Rates,
    /// The paths that were asked for.
    paths: FxHashMap<(CurrencyHandle, CurrencyHandle), Option<Path>>,
}

impl Currencies {
    /// No rates; `pivot` is the currency that others may be converted over.
    pub(super) fn new(pivot: Currency) -> Self {
        Self { names: Named::default(), rates: Rates::new(pivot), paths: FxHashMap::default() }
    }

    pub(super) fn currency(&mut self, name: Currency) -> CurrencyHandle {
        self.names.intern(name, || ())
    }

    pub(super) fn name(&self, currency: CurrencyHandle) -> Option<Currency> {
        self.names.name(currency)
    }

    /// Sets a pair's rate and its time. Paths are as before until [`Currencies::refresh`].
    pub(super) fn set(&mut self, base: Currency, quote: Currency, rate: Factor, ts: EventTime) {
        self.rates.set(base, quote, rate, ts);
    }

    /// Finds all paths anew. Returns the pairs whose path is another one.
    pub(super) fn refresh(&mut self) -> Vec<(CurrencyHandle, CurrencyHandle)> {
        let mut changed = Vec::new();
        for ((from, into), path) in &mut self.paths {
            let new = find(&self.names, &self.rates, *from, *into);
            if new != *path {
                *path = new;
                changed.push((*from, *into));
            }
        }
        changed
    }

    /// The path from one currency to another, if there is one.
    pub(super) fn path(&mut self, from: CurrencyHandle, into: CurrencyHandle) -> Option<Path> {
        if from == into {
            return Some(Path::SAME);
        }
        *self.paths.entry((from, into)).or_insert_with(|| find(&self.names, &self.rates, from, into))
    }
}

fn find(names: &Named<CurrencyHandle, ()>, rates: &Rates, from: CurrencyHandle, into: CurrencyHandle) -> Option<Path> {
    rates.path(&names.name(from)?, &names.name(into)?)
}
