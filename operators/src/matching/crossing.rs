//! Continuous trading: an incoming order trades with the other side, best price first, earliest first, each time at the price of
//! the resting order.

use headwater_schemas::events::{SelfTrade, Side};
use headwater_schemas::tables::{Liquidity, OrderChange};
use headwater_schemas::value::{Price, Quantity};

use super::book::{Book, opposite};
use super::order::{Order, accepts, minus, plus};
use super::orders::Slot;
use super::reason::Reason;
use super::report::{Match, Reports};
use super::self_trade::kept_apart;

impl Book {
    /// Matches an order up to a limit. Returns whether it has quantity left and may continue.
    pub(super) fn take(&mut self, order: &mut Order, limit: Option<Price>, reports: &mut Reports) -> bool {
        while order.standing.leaves > Quantity::ZERO {
            let best = self.side(opposite(order.terms.side)).best();
            let offer = best.filter(|(price, _)| accepts(order.terms.side, limit, *price));
            let Some((price, slot)) = offer.map(|(price, queue)| (price, self.orders.queue(queue).head)) else { return true };
            if self.must_not_meet(order, slot) {
                self.keep_apart(order, slot, reports);
            } else {
                self.trade(order, slot, price, reports);
            }
        }
        false
    }

    fn must_not_meet(&self, order: &Order, slot: Slot) -> bool {
        order.terms.self_trade != SelfTrade::Allow && *self.orders.at(slot).owner_id() == *order.terms.owner_id
    }

    fn keep_apart(&mut self, order: &mut Order, slot: Slot, reports: &mut Reports) {
        let (before, resting) = (order.standing.leaves, self.orders.at(slot).leaves);
        let (newest, oldest) = kept_apart(order.terms.self_trade, before, resting);
        self.leave(slot, oldest, reports);
        if newest == before {
            return;
        }
        order.standing.leaves = newest;
        let change = if newest > Quantity::ZERO { OrderChange::Amended } else { OrderChange::Cancelled };
        self.head.sequences.report(order.subject(), change, Some(Reason::SelfTrade), reports);
    }

    /// Reduces a resting order to what self-trade prevention leaves of it.
    pub(super) fn leave(&mut self, slot: Slot, leaves: Quantity, reports: &mut Reports) {
        if leaves <= Quantity::ZERO {
            self.end(slot, OrderChange::Cancelled, Some(Reason::SelfTrade), reports);
        } else if leaves < self.orders.at(slot).leaves {
            self.reduce(slot, leaves, Some(Reason::SelfTrade), reports);
        }
    }

    fn trade(&mut self, order: &mut Order, slot: Slot, price: Price, reports: &mut Reports) {
        let resting = self.orders.at(slot);
        let quantity = order.standing.leaves.min(resting.shown());
        let (came, rested) = ((order.subject(), Liquidity::Taker), (resting.subject(), Liquidity::Maker));
        let ((buyer, buyer_liquidity), (seller, seller_liquidity)) = match order.terms.side {
            Side::Buy => (came, rested),
            Side::Sell => (rested, came),
        };
        let (buyer, seller) = (buyer.party(buyer_liquidity), seller.party(seller_liquidity));
        let sequence = self.head.sequences.next_match();
        reports.matches.push(Match { sequence, price, quantity, buyer, seller });
        self.fill(slot, quantity, reports);
        self.refill(slot);
        order.fill(quantity, self.now);
        self.head.sequences.report(order.subject(), fill_change(order), None, reports);
        self.head.last_price = Some(price);
        self.collect_triggered(price);
    }

    /// Applies a match to a resting order. After the last match, call [`Book::refill`].
    pub(super) fn fill(&mut self, slot: Slot, quantity: Quantity, reports: &mut Reports) {
        let (now, leaves) = (self.now, self.orders.at(slot).leaves);
        if quantity >= leaves {
            return self.end_filled(slot, reports);
        }
        self.orders.change(slot, |order| order.fill(quantity, now));
        self.head.sequences.report(self.orders.at(slot).subject(), OrderChange::PartiallyFilled, None, reports);
    }

    /// Displays a fresh part of an order whose displayed quantity is used up, if it has one.
    pub(super) fn refill(&mut self, slot: Slot) {
        let order = self.orders.at(slot);
        if order.shown() > Quantity::ZERO || order.leaves <= Quantity::ZERO {
            return;
        }
        let priority = self.head.sequences.next_priority();
        self.orders.refill(slot, priority);
    }

    /// Whether the order would be filled completely up to a limit. Hidden quantity counts; orders of the same owner count as
    /// self-trade prevention allows: those that would be cancelled in its favour are skipped; at any other the order itself would
    /// be cancelled or reduced, so nothing after it counts. At each price, hidden quantity follows all displayed quantity.
    pub(super) fn can_fill(&self, order: &Order, limit: Option<Price>) -> bool {
        let mut missing = order.standing.leaves;
        let others = self.side(opposite(order.terms.side));
        for (_, queue) in others.rungs().take_while(|(price, _)| accepts(order.terms.side, limit, *price)) {
            let mut hidden = Quantity::ZERO;
            for slot in self.orders.slots_of(queue) {
                let resting = self.orders.at(slot);
                match (self.must_not_meet(order, slot), order.terms.self_trade) {
                    (false, _) => {
                        missing = minus(missing, resting.shown());
                        hidden = plus(hidden, minus(resting.leaves, resting.shown()));
                    }
                    (true, SelfTrade::CancelOldest) => {}
                    (true, _) => return false,
                }
                if missing <= Quantity::ZERO {
                    return true;
                }
            }
            missing = minus(missing, hidden);
            if missing <= Quantity::ZERO {
                return true;
            }
        }
        false
    }
}

/// The change of an order by a match.
fn fill_change(order: &Order) -> OrderChange {
    if order.standing.leaves > Quantity::ZERO { OrderChange::PartiallyFilled } else { OrderChange::Filled }
}
