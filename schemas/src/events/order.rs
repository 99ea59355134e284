//! Orders, what changes them, and the phases of trading.

use serde::{Deserialize, Deserializer};

use super::json::{event, typed_events};
use super::{BadRecord, ErrorCode, OrderType, SelfTrade, Side, TimeInForce, TradingPhase};
use crate::value::{AccountId, EventTime, Id, Price, Quantity, Size, Symbol, Until};

typed_events! {
    /// An order, a change of one, or a phase of trading.
    OrderEvent {
        /// An order comes.
        "new" => New(Box<NewOrder>),
        /// An order changes.
        "amend" => Amend(Box<AmendOrder>),
        /// An order goes.
        "cancel" => Cancel(CancelOrder),
        /// Trading of the symbol changes.
        "phase" => Phase(PhaseChange),
    }
}

/// Reads when an order ends.
fn until<'de, D: Deserializer<'de>>(input: D) -> Result<Option<EventTime>, D::Error> {
    if input.is_human_readable() { Ok(Option::<Until>::deserialize(input)?.map(|Until(time)| time)) } else { Option::deserialize(input) }
}

event! {
    /// An order.
    NewOrder {
        /// The order.
        order_id: Id,
        /// Whose it is.
        account_id: AccountId,
        /// The instrument.
        symbol: Symbol,
        /// Which way.
        side: Side,
        /// How it names its price.
        order_type: OrderType,
        /// How long it stays.
        time_in_force: TimeInForce,
        /// How much.
        quantity: Quantity,
        /// The limit; `limit` and `stop_limit` need one, and it means nothing for the others.
        price: Option<Price>,
        /// The trigger; `stop` and `stop_limit` need one, and it means nothing for the others.
        stop_price: Option<Price>,
        /// What is shown of it at a time; all of it if not given.
        display_quantity: Option<Quantity>,
        /// Whether it must not trade at once; false if not given.
        post_only: Option<bool>,
        /// When it ends; `gtd` needs it, and it means nothing for the others. After 2261: never.
        #[serde(default, deserialize_with = "until")]
        expires_at: Option<EventTime>,
        /// What to do on meeting an own order; `cancel_newest` if not given.
        self_trade: Option<SelfTrade>,
        /// When.
        ts: EventTime,
    }
}

event! {
    /// A change of an order: at least one of quantity and price.
    AmendOrder {
        /// The order.
        order_id: Id,
        /// Whose it is.
        account_id: AccountId,
        /// The instrument.
        symbol: Symbol,
        /// The new whole quantity, what was filled included. Zero, or no more than what was filled, cancels the order.
        quantity: Option<Size>,
        /// The new limit.
        price: Option<Price>,
        /// When.
        ts: EventTime,
    }
}

event! {
    /// The end of an order.
    CancelOrder {
        /// The order.
        order_id: Id,
        /// Whose it is.
        account_id: AccountId,
        /// The instrument.
        symbol: Symbol,
        /// When.
        ts: EventTime,
    }
}

event! {
    /// A new phase of a symbol's trading.
    PhaseChange {
        /// The instrument.
        symbol: Symbol,
        /// The phase that begins.
        phase: TradingPhase,
        /// When.
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
    /// Whether the fields that its type needs are there. A field that its type has no use for (the price of a market
    /// order) is taken and means nothing.
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
    /// Whether it changes anything.
    pub(super) fn check(&self) -> Result<(), BadRecord> {
        if self.quantity.is_none() && self.price.is_none() {
            return Err(BadRecord::new(ErrorCode::MissingField, "quantity, price: an amend needs one of them; say what changes"));
        }
        Ok(())
    }
}
