//! A print of the market.

use super::json::event;
use crate::value::{EventTime, Id, Price, Size, Text};

event! {
    /// A print of the market.
    Trade {
        /// The instrument.
        symbol: Id,
        /// The price.
        price: Price,
        /// How much changed hands.
        size: Size,
        /// Where the print came from.
        source: Option<Text>,
        /// When.
        ts: EventTime,
    }
}
