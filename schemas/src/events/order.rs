//! Orders, what changes them, and the phases of trading.

use super::json::{event, typed_events};
use super::{BadRecord, ErrorCode, OrderType, SelfTrade, Side, TimeInForce, TradingPhase};
use crate::value::{EventTime, Id, Price, Quantity};

typed_events! {
    /// What happens on the `orders` topic.
    OrderEvent {
        /// An order comes.
        "new" => New(Box<NewOrder>),
        /// An order changes.
        "amend" => Amend(AmendOrder),
        /// An order goes.
        "cancel" => Cancel(CancelOrder),
        /// Trading of the symbol changes.
        "phase" => Phase(PhaseChange),
    }
}

event! {
    /// An order.
    NewOrder {
        /// The order.
        order_id: Id,
        /// Whose it is.
        account_id: Id,
        /// The instrument.
        symbol: Id,
        /// Which way.
        side: Side,
        /// How it names its price.
        order_type: OrderType,
        /// How long it stays.
        time_in_force: TimeInForce,
        /// How much.
        quantity: Quantity,
        /// The limit; `limit` and `stop_limit` need one.
        price: Option<Price>,
        /// The trigger; `stop` and `stop_limit` need one.
        stop_price: Option<Price>,
        /// What is shown of it at a time; all of it if not given.
        display_quantity: Option<Quantity>,
        /// Whether it must not trade at once; false if not given.
        post_only: Option<bool>,
        /// When it ends; `gtd` needs it.
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
        account_id: Id,
        /// The instrument.
        symbol: Id,
        /// The new whole quantity, what was filled included.
        quantity: Option<Quantity>,
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
        account_id: Id,
        /// The instrument.
        symbol: Id,
        /// When.
        ts: EventTime,
    }
}

event! {
    /// A new phase of a symbol's trading.
    PhaseChange {
        /// The instrument.
        symbol: Id,
        /// The phase that begins.
        phase: TradingPhase,
        /// When.
        ts: EventTime,
    }
}

impl NewOrder {
    /// Whether the fields that its type needs are there.
    pub(super) fn check(&self) -> Result<(), BadRecord> {
        let needs = |field: &str, given: bool, word: &str| {
            if given { Ok(()) } else { Err(BadRecord::new(ErrorCode::MissingField, format!("a {word} order needs {field}: add it, or change the type"))) }
        };
        if matches!(self.order_type, OrderType::Limit | OrderType::StopLimit) {
            needs("price", self.price.is_some(), self.order_type.as_str())?;
        }
        if matches!(self.order_type, OrderType::Stop | OrderType::StopLimit) {
            needs("stop_price", self.stop_price.is_some(), self.order_type.as_str())?;
        }
        if self.time_in_force == TimeInForce::Gtd {
            needs("expires_at", self.expires_at.is_some(), "gtd")?;
        }
        match self.display_quantity {
            Some(display) if display > self.quantity => {
                Err(BadRecord::new(ErrorCode::Inconsistent, "display_quantity is more than quantity: show at most the whole order"))
            }
            _ => Ok(()),
        }
    }
}

impl AmendOrder {
    /// Whether it changes anything.
    pub(super) fn check(&self) -> Result<(), BadRecord> {
        if self.quantity.is_none() && self.price.is_none() {
            return Err(BadRecord::new(ErrorCode::MissingField, "an amend needs quantity or price: say what changes"));
        }
        Ok(())
    }
}
