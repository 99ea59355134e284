//! Conversions between currencies of positions and of scopes.

use headwater_schemas::{Currency, EventTime, Factor};
use rustc_hash::FxHashMap;

use super::handles::{CurrencyHandle, Named};
use crate::valuation::rates::{Path, Rates};

/// Currencies, and conversion paths between them.
#[derive(Debug)]
pub(super) struct Currencies {
    names: Named<CurrencyHandle, ()>,
    rates: Rates,
    /// The currency over which others may be converted.
    pivot: Currency,
    /// The paths that have been requested.
    paths: FxHashMap<(CurrencyHandle, CurrencyHandle), Option<Path>>,
}

impl Currencies {
    /// No rates.
    pub(super) fn new(pivot: Currency) -> Self {
        Self { names: Named::default(), rates: Rates::default(), pivot, paths: FxHashMap::default() }
    }

    pub(super) fn currency(&mut self, name: Currency) -> CurrencyHandle {
        self.names.intern(name, || ())
    }

    pub(super) fn name(&self, currency: CurrencyHandle) -> Option<Currency> {
        self.names.name(currency)
    }

    /// Sets a pair's rate and its time, and whether it is stale. Paths do not change until [`Currencies::refresh`].
    pub(super) fn set(&mut self, base: Currency, quote: Currency, rate: Factor, ts: EventTime, is_stale: bool) {
        self.rates.set(base, quote, rate, ts);
        self.rates.set_stale(base, quote, is_stale);
    }

    /// Recomputes all paths. Returns the pairs whose path has changed.
    pub(super) fn refresh(&mut self) -> Vec<(CurrencyHandle, CurrencyHandle)> {
        let mut changed = Vec::new();
        for ((from, into), path) in &mut self.paths {
            let new = self.names.name(*from).zip(self.names.name(*into));
            let new = new.and_then(|(from, into)| self.rates.path(&from, &into, &self.pivot));
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
        let found = || self.rates.path(&self.names.name(from)?, &self.names.name(into)?, &self.pivot);
        *self.paths.entry((from, into)).or_insert_with(found)
    }
}
