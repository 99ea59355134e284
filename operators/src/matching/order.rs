//! An order: what was agreed when it came, and how it stands.

use headwater_schemas::events::{OrderType, SelfTrade, Side, TimeInForce};
use headwater_schemas::value::{AccountId, EventTime, Id, OwnerId, Price, Quantity};

use super::command::NewOrder;
use super::orders::UNTOUCHED;
use super::report::Subject;

/// What was agreed when the order came. Nothing of it changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The order.
    pub order_id: Id,
    /// Whose it is.
    pub account_id: AccountId,
    /// Who stood behind the account when the order came.
    pub owner_id: OwnerId,
    /// Which way.
    pub side: Side,
    /// How it names its price.
    pub order_type: OrderType,
    /// How long it stays.
    pub time_in_force: TimeInForce,
    /// The trigger; only a stop has one.
    pub stop_price: Option<Price>,
    /// How much is shown at a time, if not all; only orders with a limit have it.
    pub display_quantity: Option<Quantity>,
    /// When it ends; only a `gtd` order does.
    pub expires_at: Option<EventTime>,
    /// Whether it may only rest.
    pub post_only: bool,
    /// What happens when it would meet one of its owner's.
    pub self_trade: SelfTrade,
}

/// How an order stands: all that changes about it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The limit; a market order and a stop have none.
    pub price: Option<Price>,
    /// What can still be matched, shown or not.
    pub leaves: Quantity,
    /// What has been matched so far.
    pub filled: Quantity,
    /// What others see of it, and what a match takes before it goes to the back. Without a display quantity: all.
    pub shown: Quantity,
    /// Whether a stop's trigger was met.
    pub triggered: bool,
    /// Its place in the book's one count of arrivals: less is earlier, and no two orders share one.
    pub priority: u64,
    /// When it last changed.
    pub ts: EventTime,
}

/// An order by itself: one that comes, or a copy of one that rests.
#[derive(Clone, Debug)]
pub struct Order {
    /// What was agreed.
    pub terms: Terms,
    /// How it stands.
    pub standing: Standing,
    /// Its number in the book's list of what changed, if it was taken out of the book.
    pub(super) touched: u32,
}

/// `a − b`, where `b` is a part of `a`: both are within what a column holds, so nothing can overflow.
pub(super) const fn minus(a: Quantity, b: Quantity) -> Quantity {
    Quantity::from_units(a.units().saturating_sub(b.units()))
}

/// `a + b`, where both are parts of one order's quantity.
pub(super) const fn plus(a: Quantity, b: Quantity) -> Quantity {
    Quantity::from_units(a.units().saturating_add(b.units()))
}

impl Order {
    /// An order that comes, stripped of what its type has no use for.
    pub(super) fn new(new: NewOrder, ts: EventTime) -> Self {
        let has_limit = has_limit(new.order_type);
        let price = new.price.filter(|_| has_limit);
        Self {
            terms: Terms {
                order_id: new.order_id,
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
        }
    }

    /// An order as it was saved.
    pub(super) fn restored(terms: Terms, standing: Standing) -> Self {
        Self { terms, standing, touched: UNTOUCHED }
    }

    /// Whether it is a stop that waits for its trigger.
    pub fn waits(&self) -> bool {
        is_stop(self.terms.order_type) && !self.standing.triggered
    }

    /// What it is sorted by where it waits: a stop's trigger, else its limit.
    pub(super) fn rung(&self) -> Option<Price> {
        if self.waits() { self.terms.stop_price } else { self.standing.price }
    }

    /// How much was ordered: what was filled and what can be.
    pub fn quantity(&self) -> Quantity {
        plus(self.standing.filled, self.standing.leaves)
    }

    /// How much a fresh showing shows.
    pub(super) fn peak(&self) -> Quantity {
        match self.terms.display_quantity {
            Some(display) => display.min(self.standing.leaves),
            None => self.standing.leaves,
        }
    }

    /// What a report says of it.
    pub(super) const fn subject(&self) -> Subject<'_> {
        let Self { terms, standing, .. } = self;
        Subject { order_id: &terms.order_id, account_id: &terms.account_id, leaves: standing.leaves, filled: standing.filled }
    }

    /// Takes a match of so much into account.
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

/// Whether an order with this limit (`None`: at any price) would trade at that price.
pub(super) fn accepts(side: Side, limit: Option<Price>, price: Price) -> bool {
    match (side, limit) {
        (_, None) => true,
        (Side::Buy, Some(limit)) => limit >= price,
        (Side::Sell, Some(limit)) => limit <= price,
    }
}
