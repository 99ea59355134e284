//! Large trader: an owner trades a large volume on a day.
//!
//! It fires if the executions and the fills of other venues of an owner's accounts on a day, in UTC, come to at least
//! `large_trader_quantity` of an asset class, or to a value of at least `large_trader_value` in one currency. Purchases and sales
//! are added. A fill counts on the day of its effective time, and for its owner as of then; a bust takes it back from the
//! customer who had the account then, in the group that the customer is in by now, and withdraws the alert if the rest is not large.

use std::collections::{BTreeMap, BTreeSet};

use headwater_schemas::events::AssetClass;
use headwater_schemas::tables::{Moment, TableWriter, TradedVolume};
use headwater_schemas::{Currency, Date, EventTime, Money, OwnerId, Total};

use super::settings::SurveillanceSettings;
use super::traders::Traded;

/// What an owner traded: the day, the asset class, and the currency.
type Part = (Date, AssetClass, Currency);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sums {
    quantity: Total,
    value: Total,
    /// Time of the last change.
    ts: EventTime,
}

/// What an owner has traded on each day.
#[derive(Clone, Debug, Default)]
pub(super) struct TradedVolumes {
    parts: BTreeMap<Part, Sums>,
    touched: BTreeSet<Part>,
    emitted: BTreeMap<Part, TradedVolume>,
}

impl TradedVolumes {
    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty() && self.touched.is_empty() && self.emitted.is_empty()
    }

    /// The first day.
    pub(super) fn first(&self) -> Option<Date> {
        self.parts.keys().next().map(|(day, ..)| *day)
    }

    /// Counts a trade, or takes it back.
    pub(super) fn count(&mut self, traded: &Traded, now: EventTime) {
        let part = (traded.day, traded.asset_class, traded.currency);
        let is_bust = traded.bust.is_some();
        if is_bust && !self.parts.contains_key(&part) {
            return;
        }
        let signed = |units: i128| Money::from_units(if is_bust { units.saturating_neg() } else { units });
        let sums = self.parts.entry(part).or_default();
        // A sum that would not fit a column, which takes 10^10 of the greatest amounts, stays.
        sums.quantity = sums.quantity.checked_add(signed(traded.quantity.units())).unwrap_or(sums.quantity);
        sums.value = sums.value.checked_add(signed(traded.value.units())).unwrap_or(sums.value);
        sums.ts = now;
        self.touched.insert(part);
    }

    /// What is large on a day, as a text; none if nothing is.
    pub(super) fn large(&self, settings: &SurveillanceSettings, day: Date) -> Option<String> {
        let mut quantities = BTreeMap::<AssetClass, i128>::new();
        for ((of_day, asset_class, currency), sums) in &self.parts {
            if *of_day != day {
                continue;
            }
            let thresholds = settings.of_class(Some(*asset_class));
            if sums.value.units() >= thresholds.large_trader_value.0.units() {
                return Some(format!("{} {currency} of {asset_class}", sums.value));
            }
            let quantity = quantities.entry(*asset_class).or_default();
            *quantity = quantity.saturating_add(sums.quantity.units());
            if *quantity >= thresholds.large_trader_quantity.0.units() {
                return Some(format!("a quantity of {} of {asset_class}", Total::from_units(*quantity)));
            }
        }
        None
    }

    /// Forgets the days that are over.
    pub(super) fn forget(&mut self, is_over: impl Fn(Date) -> bool) {
        while let Some(first) = self.parts.first_entry().filter(|first| is_over(first.key().0)) {
            self.touched.insert(*first.key());
            first.remove();
        }
    }

    pub(super) fn emit(&mut self, owner_id: OwnerId, at: &Moment, table: &TableWriter<TradedVolume>) {
        for part in std::mem::take(&mut self.touched) {
            let (day, asset_class, currency) = part;
            let row = self.parts.get(&part).map(|Sums { quantity, value, ts }| TradedVolume {
                owner_id,
                day,
                asset_class,
                currency,
                quantity: *quantity,
                value: *value,
                ts: *ts,
            });
            let before = match &row {
                Some(row) => self.emitted.insert(part, row.clone()),
                None => self.emitted.remove(&part),
            };
            table.replace(at, before, row);
        }
    }

    pub(super) fn restore(&mut self, row: &TradedVolume) {
        let part = (row.day, row.asset_class, row.currency);
        self.parts.insert(part, Sums { quantity: row.quantity, value: row.value, ts: row.ts });
        self.emitted.insert(part, row.clone());
    }
}
