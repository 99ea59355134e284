//! An order: its fixed terms and its current standing.

use headwater_schemas::events::{OrderType, SelfTrade, Side, TimeInForce};
use headwater_schemas::value::{AccountId, EventTime, Id, OwnerId, Price, Quantity};

use super::command::NewOrder;
use super::orders::{UNTOUCHED, hash};
use super::report::Subject;
use crate::slot_index::KeyHash;

/// The terms of an order, which never change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The order id.
    pub order_id: Id,
    /// The account.
    pub account_id: AccountId,
    /// The owner of the account when the order was entered.
    pub owner_id: OwnerId,
    /// Buy or sell.
    pub side: Side,
    /// Market, limit, stop or stop limit.
    pub order_type: OrderType,
    /// How long it is valid.
    pub time_in_force: TimeInForce,
    /// The trigger price; only for a stop.
    pub stop_price: Option<Price>,
    /// The displayed part, if not all of the quantity; only for orders with a limit.
    pub display_quantity: Option<Quantity>,
    /// The expiry time; only for a `gtd` order.
    pub expires_at: Option<EventTime>,
    /// Whether it must not trade on entry.
    pub post_only: bool,
    /// Self-trade prevention mode.
    pub self_trade: SelfTrade,
}

/// The standing of an order: everything that changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The limit; none for a market order or a stop.
    pub price: Option<Price>,
    /// The remaining quantity, displayed or hidden.
    pub leaves: Quantity,
    /// The filled quantity.
    pub filled: Quantity,
    /// The displayed quantity, after whose match the order loses its priority. Without a display quantity: all that remains.
    pub shown: Quantity,
    /// Whether a stop has been triggered.
    pub triggered: bool,
    /// Its time priority in the book: smaller is earlier, and unique.
    pub priority: u64,
    /// Time of the last change.
    pub ts: EventTime,
}

/// An order outside the book: a new one, or a copy of a resting one.
#[derive(Clone, Debug)]
pub struct Order {
    /// The terms.
    pub terms: Terms,
    /// The standing.
    pub standing: Standing,
    /// Its index in the book's list of changed orders, if it was taken out of the book.
    pub(super) touched: u32,
    /// The hash of its account and id.
    pub(super) hash: KeyHash,
}

/// `a − b`, where `b` is a part of `a`: both fit a column, so the result cannot overflow.
pub(super) const fn minus(a: Quantity, b: Quantity) -> Quantity {
    Quantity::from_units(a.units().saturating_sub(b.units()))
}

/// `a + b`, where both are parts of one order's quantity.
pub(super) const fn plus(a: Quantity, b: Quantity) -> Quantity {
    Quantity::from_units(a.units().saturating_add(b.units()))
}

impl Order {
    /// A new order, without the fields that do not apply to its type. The id is moved out of `new`.
    pub(super) fn new(new: &mut NewOrder, hash: KeyHash, ts: EventTime) -> Self {
        let has_limit = has_limit(new.order_type);
        let price = new.price.filter(|_| has_limit);
        Self {
            terms: Terms {
                order_id: std::mem::take(&mut new.order_id),
                account_id: new.account_id,
                owner_id: new.owner_id,
                side: new.side,
                order_type: new.order_type,
                time_in_force: new.time_in_force,
                stop_price: new.stop_price.filter(|_| is_stop(new.order_type)),
                display_quantity: new.display_quantity.filter(|_| has_limit),
                expires_at: new.expires_at.filter(|_| new.time_in_force == TimeInForce::Gtd),
                post_only: new.post_only,
                self_trade: new.self_trade,
            },
            standing: Standing { price, leaves: new.quantity, shown: new.quantity, ts, ..Standing::default() },
            touched: UNTOUCHED,
            hash,
        }
    }

    /// An order from its saved state.
    pub(super) fn restored(terms: Terms, standing: Standing) -> Self {
        let hash = hash(&terms.account_id, &terms.order_id);
        Self { terms, standing, touched: UNTOUCHED, hash }
    }

    /// Whether it is a stop that has not been triggered.
    pub fn waits(&self) -> bool {
        is_stop(self.terms.order_type) && !self.standing.triggered
    }

    /// The price of its queue: a waiting stop's trigger, else its limit.
    pub(super) fn rung(&self) -> Option<Price> {
        if self.waits() { self.terms.stop_price } else { self.standing.price }
    }

    /// The total quantity: filled and remaining.
    pub fn quantity(&self) -> Quantity {
        plus(self.standing.filled, self.standing.leaves)
    }

    /// The displayed quantity after a refill.
    pub(super) fn peak(&self) -> Quantity {
        match self.terms.display_quantity {
            Some(display) => display.min(self.standing.leaves),
            None => self.standing.leaves,
        }
    }

    /// The fields for a report.
    pub(super) const fn subject(&self) -> Subject<'_> {
        let Self { terms, standing, .. } = self;
        Subject { order_id: &terms.order_id, account_id: &terms.account_id, leaves: standing.leaves, filled: standing.filled }
    }

    /// Applies a match.
    pub(super) fn fill(&mut self, quantity: Quantity, ts: EventTime) {
        self.standing.leaves = minus(self.standing.leaves, quantity);
        self.standing.filled = plus(self.standing.filled, quantity);
        self.standing.ts = ts;
    }
}

/// Whether orders of the type wait for a trigger.
pub(super) const fn is_stop(order_type: OrderType) -> bool {
    matches!(order_type, OrderType::Stop | OrderType::StopLimit)
}

/// Whether orders of the type have a limit.
pub(super) const fn has_limit(order_type: OrderType) -> bool {
    matches!(order_type, OrderType::Limit | OrderType::StopLimit)
}

/// Whether an order with this limit (`None`: any price) would trade at a price.
pub(super) fn accepts(side: Side, limit: Option<Price>, price: Price) -> bool {
    match (side, limit) {
        (_, None) => true,
        (Side::Buy, Some(limit)) => limit >= price,
        (Side::Sell, Some(limit)) => limit <= price,
    }
}
