//! Quotes: the best bid and ask of a symbol.

use super::json::event;
use crate::value::{EventTime, Price, Size, Symbol, Text};

event! {
    /// The best bid and ask of a symbol.
    Quote {
        /// The instrument.
        symbol: Symbol,
        /// The best bid price.
        bid: Price,
        /// The best ask price.
        ask: Price,
        /// The quantity at the best bid.
        bid_size: Size,
        /// The quantity at the best ask.
        ask_size: Size,
        /// The source of the quote.
        source: Option<Text>,
        /// Time of the quote.
        ts: EventTime,
    }
}
