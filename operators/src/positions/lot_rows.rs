//! Rows of lots. One row shows a lot as it is now, and as it was before the first trade that a bust can still remove.

use std::collections::BTreeMap;

use headwater_schemas::tables::{Moment, OpenLot, TableWriter};
use headwater_schemas::{AccountId, EffectiveTime, EventTime, Money, Quantity, Symbol};

use super::lots::{Lot, Lots};

/// The lots of an account in a symbol.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PositionLots {
    /// Those before the first kept trade.
    pub(super) base: Lots,
    /// Those after the last trade.
    pub(super) now: Lots,
    /// The rows of both, by number.
    emitted: BTreeMap<u64, OpenLot>,
}

/// Whose lots they are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Holder<'a> {
    pub(super) account: &'a AccountId,
    pub(super) symbol: &'a Symbol,
}

impl PositionLots {
    /// Emits the rows of the lots that have changed.
    pub(super) fn emit(&mut self, holder: Holder<'_>, at: &Moment, table: &TableWriter<OpenLot>) {
        let mut changed = std::mem::take(&mut self.base.changed);
        changed.append(&mut self.now.changed);
        for number in changed {
            let before = self.emitted.remove(&number);
            let row = self.row(holder, number, at.time).map(|row| unless_same(row, before.as_ref()));
            self.emitted.extend(row.clone().map(|row| (number, row)));
            table.replace(at, before, row);
        }
    }

    /// Restores a lot of the base from its row. Precondition: rows come in the order of their numbers, and those of kept trades, which
    /// open the lots after the base, later.
    pub(super) fn restore(&mut self, row: &OpenLot) {
        if !row.base_quantity.is_zero() {
            self.base.method = row.method;
            self.base.open.push_back(Lot {
                number: row.number,
                id: row.lot_id.clone(),
                opened_at: row.opened_at,
                price: row.price,
                quantity: row.base_quantity,
                cost: row.base_cost,
            });
        }
        self.emitted.insert(row.number, row.clone());
    }

    /// The row of a lot; none if it is open neither now nor in the base.
    fn row(&self, holder: Holder<'_>, number: u64, as_of: EffectiveTime) -> Option<OpenLot> {
        let (base, now) = (self.base.lot(number), self.now.lot(number));
        let method = if base.is_some() { self.base.method } else { self.now.method };
        let lot = base.or(now)?;
        let open = |lot: Option<&Lot>| lot.map_or((Quantity::ZERO, Money::ZERO), |lot| (lot.quantity, lot.cost));
        let ((quantity, cost), (base_quantity, base_cost)) = (open(now), open(base));
        Some(OpenLot {
            account_id: *holder.account,
            symbol: *holder.symbol,
            number,
            lot_id: lot.id.clone(),
            opened_at: lot.opened_at,
            method,
            quantity,
            cost,
            price: lot.price,
            base_quantity,
            base_cost,
            ts: EventTime::from_effective(as_of),
        })
    }
}

/// A row, with the time of the one before if nothing else has changed.
fn unless_same(row: OpenLot, before: Option<&OpenLot>) -> OpenLot {
    match before.filter(|before| **before == OpenLot { ts: before.ts, ..row.clone() }) {
        Some(before) => before.clone(),
        None => row,
    }
}
