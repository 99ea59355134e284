//! Trades of the market.

use super::json::event;
use crate::value::{EventTime, Price, Size, Symbol, Text};

event! {
    /// A trade of the market.
    Trade {
        /// The instrument.
        symbol: Symbol,
        /// The price.
        price: Price,
        /// The quantity.
        size: Size,
        /// The source of the trade.
        source: Option<Text>,
        /// Time of the trade.
        ts: EventTime,
    }
}
