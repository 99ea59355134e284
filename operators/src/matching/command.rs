//! Commands of a book.

use headwater_schemas::events::{OrderType, SelfTrade, Side, TimeInForce, TradingPhase};
use headwater_schemas::value::{AccountId, EventTime, Id, OwnerId, Price, Quantity};

use super::order::{has_limit, is_stop};
use super::reason::Reason;

/// A command of a book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// A new order.
    New(NewOrder),
    /// An amendment of an order.
    Amend(Amendment),
    /// A cancel of an order.
    Cancel(Cancellation),
    /// The symbol's phase changes.
    Phase(PhaseChange),
}

/// A new order. Fields that do not apply to its type (a market order's price) are ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewOrder {
    /// Its id, unique among the account's orders in the book.
    pub order_id: Id,
    /// The account.
    pub account_id: AccountId,
    /// The owner of the account: orders of one owner do not trade with each other.
    pub owner_id: OwnerId,
    /// Buy or sell.
    pub side: Side,
    /// Market, limit, stop or stop limit.
    pub order_type: OrderType,
    /// How long it is valid.
    pub time_in_force: TimeInForce,
    /// The quantity.
    pub quantity: Quantity,
    /// The limit.
    pub price: Option<Price>,
    /// The trigger price.
    pub stop_price: Option<Price>,
    /// The displayed part of the quantity.
    pub display_quantity: Option<Quantity>,
    /// Whether it must not trade on entry.
    pub post_only: bool,
    /// Expiry time of a `gtd` order.
    pub expires_at: Option<EventTime>,
    /// Self-trade prevention mode.
    pub self_trade: SelfTrade,
}

impl NewOrder {
    /// Checks that it has the fields that its type requires.
    pub(super) fn check(&self, now: EventTime) -> Result<(), Reason> {
        let is_something = |quantity: Quantity| quantity > Quantity::ZERO;
        if !is_something(self.quantity) || !self.display_quantity.is_none_or(is_something) {
            return Err(Reason::NoQuantity);
        }
        if has_limit(self.order_type) && self.price.is_none() {
            return Err(Reason::MissingPrice);
        }
        if is_stop(self.order_type) && self.stop_price.is_none() {
            return Err(Reason::MissingStopPrice);
        }
        match (self.time_in_force, self.expires_at) {
            (TimeInForce::Gtd, None) => Err(Reason::MissingExpiresAt),
            (TimeInForce::Gtd, Some(end)) if end <= now => Err(Reason::AlreadyExpired),
            _ => Ok(()),
        }
    }
}

/// An amendment of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Amendment {
    /// The order.
    pub order_id: Id,
    /// The account.
    pub account_id: AccountId,
    /// The new total quantity, including what is filled.
    pub quantity: Option<Quantity>,
    /// The new limit.
    pub price: Option<Price>,
}

/// A cancel of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cancellation {
    /// The order.
    pub order_id: Id,
    /// The account.
    pub account_id: AccountId,
}

/// A new phase of the symbol, with the instrument's data for an uncrossing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhaseChange {
    /// The new phase.
    pub phase: TradingPhase,
    /// The tick size, if the instrument is known.
    pub tick_size: Option<Price>,
    /// The reference for an uncrossing while there is no last price.
    pub reference_price: Option<Price>,
}
