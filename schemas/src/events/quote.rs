//! The best bid and ask of a symbol.

use super::json::event;
use crate::value::{EventTime, Price, Size, Symbol, Text};

event! {
    /// The best bid and ask of a symbol.
    Quote {
        /// The instrument.
        symbol: Symbol,
        /// The best price that somebody bids.
        bid: Price,
        /// The best price that somebody asks.
        ask: Price,
        /// How much is bid there.
        bid_size: Size,
        /// How much is asked there.
        ask_size: Size,
        /// Where the quote came from.
        source: Option<Text>,
        /// When.
        ts: EventTime,
    }
}
