//! Closing prices.

use super::json::event;
use crate::value::{Date, Price, Symbol};

event! {
    /// A closing price. It is known at the end of its date, in UTC.
    Close {
        /// The instrument.
        symbol: Symbol,
        /// The trading day.
        date: Date,
        /// The closing price. A future's may be zero or below.
        close: Price,
    }
}
