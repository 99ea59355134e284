//! A print of the market.

use super::json::event;
use crate::value::{EventTime, Price, Size, Symbol, Text};

event! {
    /// A print of the market.
    Trade {
        /// The instrument.
        symbol: Symbol,
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
