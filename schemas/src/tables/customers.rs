//! Tables of customers' views.

use super::{WatchPhase, tables};
use crate::events::Direction;
use crate::value::{CustomerId, EventTime, Id, Price, Symbol};

tables! {
    /// A watched price, and whether the symbol's mark has reached it. State of price alerts.
    Checkpoint PriceWatch = "price_watches" by (customer_id, symbol) {
        /// The customer.
        customer_id: CustomerId,
        /// The symbol.
        symbol: Symbol,
        /// The direction from which the price is reached.
        direction: Direction,
        /// The watched price.
        price: Price,
        /// The record's own time, if it has one.
        written: Option<EventTime>,
        /// Where the mark is, relative to the price.
        phase: WatchPhase,
        /// The standing alert.
        alert_id: Option<Id>,
        /// The effective time of the last change.
        ts: EventTime,
    }
}
