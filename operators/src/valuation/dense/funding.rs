//! What was paid into an account in foreign currencies, at the rates of then.
//!
//! A posted balance in a foreign currency is worth its value at the current rate. What was paid in is the sum of the balance's
//! changes, each converted at the rate of the grid point at which the valuer has seen it. The difference is FX P&L. A change
//! whose currency has no rate yet is converted once there is one.
//!
//! There is an entry for each foreign balance and each currency of the account's scopes: its own, and that of its books. An entry
//! begins when the account enters a scope of that currency, and ends when it leaves the last one. Other accounts have none.

use headwater_schemas::tables::{Moment, PaidIn, TableWriter};
use headwater_schemas::{AccountId, Money, Total};

use super::currencies::Currencies;
use super::handles::CurrencyHandle;
use crate::valuation::rates::Path;

/// The foreign balances of an account.
#[derive(Debug, Default)]
pub(super) struct Funding {
    entries: Vec<Entry>,
    /// Whether an entry has changed since its row was written.
    has_changed: bool,
}

/// A balance and the currency of a scope.
#[derive(Debug)]
struct Entry {
    from: CurrencyHandle,
    into: CurrencyHandle,
    /// The balance that has been converted.
    posted: Money,
    /// The sum of its changes in billionths of `into`.
    paid_in: i128,
    emitted: Option<PaidIn>,
}

impl Funding {
    /// Restores a row of the last commit.
    pub(super) fn restore(&mut self, from: CurrencyHandle, into: CurrencyHandle, row: PaidIn) {
        let (posted, paid_in) = (row.posted.money(), row.paid_in.units());
        self.entries.push(Entry { from, into, posted, paid_in, emitted: Some(row) });
    }

    /// Whether a balance has an entry.
    pub(super) fn has(&self, from: CurrencyHandle, into: CurrencyHandle) -> bool {
        self.entries.iter().any(|entry| (entry.from, entry.into) == (from, into))
    }

    /// Converts the change of a balance, and returns its FX P&L; none as long as it cannot be converted.
    pub(super) fn follow(&mut self, from: CurrencyHandle, into: CurrencyHandle, posted: Money, path: Option<Path>) -> Option<i128> {
        let place = self.entries.iter().position(|entry| (entry.from, entry.into) == (from, into));
        let before = place.and_then(|place| self.entries.get(place)).map_or(Money::ZERO, |entry| entry.posted);
        if posted != before {
            let change = path?.convert(posted.checked_sub(before)?)?;
            self.change(place, Entry { from, into, posted, paid_in: change.units(), emitted: None });
        }
        let paid_in = self.entries.iter().find(|entry| (entry.from, entry.into) == (from, into))?.paid_in;
        // Nothing needs no rate.
        let value = if posted.is_zero() { Money::ZERO } else { path?.convert(posted)? };
        Some(value.units() - paid_in)
    }

    /// Adds what was paid in to the entry at a place, or adds the entry.
    fn change(&mut self, place: Option<usize>, change: Entry) {
        self.has_changed = true;
        match place.and_then(|place| self.entries.get_mut(place)) {
            Some(entry) => (entry.posted, entry.paid_in) = (change.posted, entry.paid_in + change.paid_in),
            None => self.entries.push(change),
        }
    }

    /// Ends the entries of other currencies than those of the account's scopes.
    pub(super) fn keep(&mut self, currencies: [Option<CurrencyHandle>; 2]) {
        for entry in self.entries.iter_mut().filter(|entry| !currencies.contains(&Some(entry.into))) {
            (entry.posted, entry.paid_in) = (Money::ZERO, 0);
            self.has_changed = true;
        }
    }

    /// Whether rows have to be written.
    pub(super) const fn has_changed(&self) -> bool {
        self.has_changed
    }

    /// Writes the rows that have changed, and forgets entries that equal none.
    pub(super) fn write(&mut self, account_id: AccountId, currencies: &Currencies, at: &Moment, table: &TableWriter<PaidIn>) {
        self.has_changed = false;
        // A checkpoint has no history, so its rows need no reason.
        let at = &Moment::new(at.tick, at.time);
        self.entries.retain_mut(|entry| {
            let row = entry.row(account_id, currencies, at);
            table.replace(at, entry.emitted.take(), row.clone());
            entry.emitted = row;
            entry.emitted.is_some()
        });
    }
}

impl Entry {
    /// The row; none of an entry that equals no entry.
    fn row(&self, account_id: AccountId, currencies: &Currencies, at: &Moment) -> Option<PaidIn> {
        if self.posted.is_zero() && self.paid_in == 0 {
            return None;
        }
        let (currency, converted_to) = (currencies.name(self.from)?, currencies.name(self.into)?);
        let (posted, paid_in) = (Total::from_units(self.posted.units()), Total::from_units(self.paid_in));
        let is_same = |row: &&PaidIn| (row.posted, row.paid_in) == (posted, paid_in);
        let ts = self.emitted.as_ref().filter(is_same).map_or(at.event_time(), |row| row.ts);
        Some(PaidIn { account_id, currency, converted_to, posted, paid_in, ts })
    }
}
