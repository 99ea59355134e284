//! Large trader: an owner trades a large volume on a day.
//!
//! It fires if the executions and the fills of other venues of an owner's accounts on a day, in UTC, come to at least
//! `large_trader_quantity` of an asset class, or of one class to a value of at least `large_trader_value` in one currency.
//! Purchases and sales are added. A fill counts on the day of its effective time, for its owner and with its instrument's terms as
//! of then; a bust takes the same back from the same owner, whoever it is by now, and withdraws the alert if the rest is not large.

use std::collections::BTreeMap;

use headwater_schemas::events::AssetClass;
use headwater_schemas::tables::{Moment, TableWriter, TradedVolume};
use headwater_schemas::{Currency, Date, EventTime, Money, OwnerId, Total};

use super::settings::SurveillanceSettings;
use super::traders::Traded;
use crate::touched::Touched;

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
    touched: Touched<Part, Sums>,
}

impl TradedVolumes {
    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty() && self.touched.is_empty()
    }

    /// The first day.
    pub(super) fn first(&self) -> Option<Date> {
        self.parts.keys().next().map(|(day, ..)| *day)
    }

    /// Counts a trade, or takes it back.
    pub(super) fn count(&mut self, traded: &Traded, now: EventTime) {
        let part = (traded.day, traded.asset_class, traded.currency);
        let is_bust = traded.bust.is_some();
        let before = self.parts.get(&part).copied();
        if is_bust && before.is_none() {
            return;
        }
        self.touched.note(part, || before);
        let signed = |units: i128| Money::from_units(if is_bust { units.saturating_neg() } else { units });
        let sums = self.parts.entry(part).or_default();
        // A sum that would not fit a column, which takes 10^10 of the greatest amounts, stays.
        sums.quantity = sums.quantity.checked_add(signed(traded.quantity.units())).unwrap_or(sums.quantity);
        sums.value = sums.value.checked_add(signed(traded.value.units())).unwrap_or(sums.value);
        sums.ts = now;
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
            let (part, sums) = first.remove_entry();
            self.touched.note(part, || Some(sums));
        }
    }

    pub(super) fn emit(&mut self, owner_id: OwnerId, at: &Moment, table: &TableWriter<TradedVolume>) {
        let row = |&(day, asset_class, currency): &Part, Sums { quantity, value, ts }: Sums| TradedVolume {
            owner_id,
            day,
            asset_class,
            currency,
            quantity,
            value,
            ts,
        };
        self.touched.emit_as(at, table, row, |part| self.parts.get(part).copied());
    }

    pub(super) fn restore(&mut self, row: &TradedVolume) {
        let part = (row.day, row.asset_class, row.currency);
        self.parts.insert(part, Sums { quantity: row.quantity, value: row.value, ts: row.ts });
    }
}
