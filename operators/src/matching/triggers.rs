//! Stops: a buy is triggered by a last price at or above its stop price, a sell by one at or below.
//!
//! A triggered stop enters as a market order, a triggered stop limit as a limit order, once the order that traded is finished.
//! Its trades may trigger further stops, until none is left. They enter in the sequence in which they were triggered: trade by
//! trade, and for one trade by priority.
//!
//! Stops trigger in continuous trading only. Stops that an auction's price would trigger do so when trading begins; the price of
//! a closing auction triggers none until then, and only if it is still the last price.

use headwater_schemas::events::{Side, TradingPhase};
use headwater_schemas::tables::OrderChange;
use headwater_schemas::value::Price;

use super::book::Book;
use super::ladder::Ladder;
use super::order::{Order, accepts};
use super::orders::{Orders, Slot};
use super::report::Reports;

impl Book {
    /// Whether the last price triggers a new stop.
    pub(super) fn is_triggered(&self, order: &Order) -> bool {
        let met = self.head.last_price.is_some_and(|last| triggers(order.terms.side, last, order.terms.stop_price));
        met && self.head.phase == TradingPhase::Continuous
    }

    /// Collects the stops that a trade at this price triggers.
    pub(super) fn collect_triggered(&mut self, last: Price) {
        let is_met = |side: Side, stops: &Ladder| stops.best().is_some_and(|(stop, _)| triggers(side, last, Some(stop)));
        if !is_met(Side::Buy, &self.buy_stops) && !is_met(Side::Sell, &self.sell_stops) {
            return;
        }
        let mut slots: Vec<Slot> = met(&self.buy_stops, &self.orders, Side::Buy, last).collect();
        slots.extend(met(&self.sell_stops, &self.orders, Side::Sell, last));
        slots.sort_unstable_by_key(|slot| self.orders.at(*slot).priority);
        for slot in slots {
            let order = self.take_out(slot);
            self.triggered.push_back(order);
        }
    }

    /// Enters the collected stops, until none is left.
    pub(super) fn enter_triggered(&mut self, reports: &mut Reports) {
        while let Some(mut order) = self.triggered.pop_front() {
            order.standing.triggered = true;
            order.standing.ts = self.now;
            self.head.sequences.report(order.subject(), OrderChange::Triggered, None, reports);
            self.enter(&mut order, reports);
        }
    }
}

/// Whether a last price triggers a stop.
fn triggers(side: Side, last: Price, stop: Option<Price>) -> bool {
    // A limit order at the last price would accept the stop price.
    stop.is_some_and(|stop| accepts(side, Some(last), stop))
}

fn met<'a>(stops: &'a Ladder, orders: &'a Orders, side: Side, last: Price) -> impl Iterator<Item = Slot> + 'a {
    let met = stops.rungs().take_while(move |(stop, _)| triggers(side, last, Some(*stop)));
    met.flat_map(|(_, queue)| orders.slots_of(queue))
}
