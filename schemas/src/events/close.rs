//! A closing price.

use super::json::event;
use crate::value::{Date, Id, Price};

event! {
    /// A closing price. It is known at the end of its date, in UTC.
    Close {
        /// The instrument.
        symbol: Id,
        /// The trading day.
        date: Date,
        /// The price at its end; above zero, because returns divide by it.
        close: Price,
    }
}
