//! Orders, their amendments and cancels, and trading phases.

use serde::{Deserialize, Deserializer};

use super::json::{event, typed_events};
use super::{BadRecord, ErrorCode, OrderType, SelfTrade, Side, TimeInForce, TradingPhase};
use crate::value::{AccountId, EventTime, Id, Price, Quantity, Size, Symbol, Until};

typed_events! {
    /// An order, an amendment or cancel of one, or a trading phase.
    OrderEvent {
        /// A new order.
        "new" => New(Box<NewOrder>),
        /// An amendment of an order.
        "amend" => Amend(Box<AmendOrder>),
        /// A cancel of an order.
        "cancel" => Cancel(Box<CancelOrder>),
        /// A new trading phase of the symbol.
        "phase" => Phase(Box<PhaseChange>),
    }
}

/// Reads the expiry time of an order.
fn until<'de, D: Deserializer<'de>>(input: D) -> Result<Option<EventTime>, D::Error> {
    if input.is_human_readable() { Ok(Option::<Until>::deserialize(input)?.map(|Until(time)| time)) } else { Option::deserialize(input) }
}

event! {
    /// A new order.
    NewOrder {
        /// The order.
        order_id: Id,
        /// The account that trades.
        account_id: AccountId,
        /// The instrument.
        symbol: Symbol,
        /// Buy or sell.
        side: Side,
        /// Market, limit, stop or stop limit.
        order_type: OrderType,
        /// How long the order is valid.
        time_in_force: TimeInForce,
        /// The quantity.
        quantity: Quantity,
        /// The limit; required for `limit` and `stop_limit`, ignored for the others.
        price: Option<Price>,
        /// The trigger; required for `stop` and `stop_limit`, ignored for the others.
        stop_price: Option<Price>,
        /// The displayed part of the quantity; all of it if not given.
        display_quantity: Option<Quantity>,
        /// Whether it must not trade on entry; false if not given.
        post_only: Option<bool>,
        /// Expiry time; required for `gtd`, ignored for the others. After 2261: never.
        #[serde(default, deserialize_with = "until")]
        expires_at: Option<EventTime>,
        /// Self-trade prevention mode; `cancel_newest` if not given.
        self_trade: Option<SelfTrade>,
        /// Time of the order.
        ts: EventTime,
    }
}

event! {
    /// An amendment of an order: of its quantity, its price, or both.
    AmendOrder {
        /// The order.
        order_id: Id,
        /// The account that trades.
        account_id: AccountId,
        /// The instrument.
        symbol: Symbol,
        /// The new total quantity, including what is filled. A quantity of zero, or not above what is filled, cancels the order.
        quantity: Option<Size>,
        /// The new limit.
        price: Option<Price>,
        /// Time of the amendment.
        ts: EventTime,
    }
}

event! {
    /// A cancel of an order.
    CancelOrder {
        /// The order.
        order_id: Id,
        /// The account that trades.
        account_id: AccountId,
        /// The instrument.
        symbol: Symbol,
        /// Time of the cancel.
        ts: EventTime,
    }
}

event! {
    /// A new trading phase of a symbol.
    PhaseChange {
        /// The instrument.
        symbol: Symbol,
        /// The new phase.
        phase: TradingPhase,
        /// Time of the change.
        ts: EventTime,
    }
}

impl OrderEvent {
    /// The instrument.
    pub const fn symbol(&self) -> &Symbol {
        match self {
            Self::New(event) => &event.symbol,
            Self::Amend(event) => &event.symbol,
            Self::Cancel(event) => &event.symbol,
            Self::Phase(event) => &event.symbol,
        }
    }
}

impl NewOrder {
    /// Checks that the fields that its type needs are given. A field that does not apply to its type (the price of a market
    /// order) is accepted and ignored.
    pub(super) fn check(&self) -> Result<(), BadRecord> {
        let kind = self.order_type.as_str();
        if matches!(self.order_type, OrderType::Limit | OrderType::StopLimit) && self.price.is_none() {
            return Err(needs(kind, "price"));
        }
        if matches!(self.order_type, OrderType::Stop | OrderType::StopLimit) && self.stop_price.is_none() {
            return Err(needs(kind, "stop_price"));
        }
        if self.time_in_force == TimeInForce::Gtd && self.expires_at.is_none() {
            return Err(needs("gtd", "expires_at"));
        }
        if self.display_quantity.is_some_and(|display| display > self.quantity) {
            let message = "display_quantity: it is more than quantity; show at most the whole order";
            return Err(BadRecord::new(ErrorCode::Inconsistent, message));
        }
        Ok(())
    }
}

fn needs(kind: &str, field: &str) -> BadRecord {
    BadRecord::new(ErrorCode::MissingField, format!("{field}: a {kind} order needs it; add it or send another kind of order"))
}

impl AmendOrder {
    /// Checks that it changes something.
    pub(super) fn check(&self) -> Result<(), BadRecord> {
        if self.quantity.is_none() && self.price.is_none() {
            return Err(BadRecord::new(ErrorCode::MissingField, "quantity, price: an amend needs one of them; say what changes"));
        }
        Ok(())
    }
}
