//! Prices that customers wait for.

use super::Direction;
use super::json::event;
use crate::value::{CustomerId, EventTime, Price, Symbol};

event! {
    /// A price that a customer wants to hear of.
    Watch {
        /// Who.
        customer_id: CustomerId,
        /// Of what.
        symbol: Symbol,
        /// From which side.
        direction: Direction,
        /// Which price.
        price: Price,
        /// When; none means from the beginning.
        ts: Option<EventTime>,
    }
}
