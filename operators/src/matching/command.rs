//! What a book is told.

use headwater_schemas::events::{OrderType, SelfTrade, Side, TimeInForce, TradingPhase};
use headwater_schemas::value::{AccountId, EventTime, Id, OwnerId, Price, Quantity};

use super::order::{has_limit, is_stop};
use super::reason::Reason;

/// What a book is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// An order comes.
    New(NewOrder),
    /// An order changes.
    Amend(Amendment),
    /// An order goes.
    Cancel(Cancellation),
    /// The symbol's phase changes.
    Phase(PhaseChange),
}

/// An order that comes. What its type has no use for (a market order's price, say) is not looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewOrder {
    /// Its name: no other order of the account has it while it is in the book.
    pub order_id: Id,
    /// Whose it is.
    pub account_id: AccountId,
    /// Who stands behind the account: orders of one owner are kept from trading with each other.
    pub owner_id: OwnerId,
    /// Which way.
    pub side: Side,
    /// How it names its price.
    pub order_type: OrderType,
    /// How long it stays.
    pub time_in_force: TimeInForce,
    /// How much.
    pub quantity: Quantity,
    /// The limit.
    pub price: Option<Price>,
    /// The trigger.
    pub stop_price: Option<Price>,
    /// How much of it is shown at a time.
    pub display_quantity: Option<Quantity>,
    /// Whether it may only rest.
    pub post_only: bool,
    /// When it ends.
    pub expires_at: Option<EventTime>,
    /// What happens when it would meet one of its owner's.
    pub self_trade: SelfTrade,
}

impl NewOrder {
    /// Whether it has what its kind needs.
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

/// What an order becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Amendment {
    /// Which order.
    pub order_id: Id,
    /// Whose it is.
    pub account_id: AccountId,
    /// How much in all, with what was filled already.
    pub quantity: Option<Quantity>,
    /// The limit.
    pub price: Option<Price>,
}

/// An order that goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cancellation {
    /// Which order.
    pub order_id: Id,
    /// Whose it is.
    pub account_id: AccountId,
}

/// The symbol's next phase, with what an uncrossing needs to know of the instrument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhaseChange {
    /// The phase.
    pub phase: TradingPhase,
    /// The step between prices, if the instrument is known.
    pub tick_size: Option<Price>,
    /// What stands for the last price while there is none.
    pub reference_price: Option<Price>,
}
