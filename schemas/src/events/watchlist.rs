//! Customers' watchlists.

use super::Direction;
use super::json::event;
use crate::value::{CustomerId, EventTime, Price, Symbol};

event! {
    /// A price of which a customer wants to be notified.
    Watch {
        /// The customer.
        customer_id: CustomerId,
        /// The instrument.
        symbol: Symbol,
        /// The direction from which the price is reached.
        direction: Direction,
        /// The watched price.
        price: Price,
        /// Time of the record; a record without one counts as the oldest.
        ts: Option<EventTime>,
    }
}
