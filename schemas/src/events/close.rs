//! A closing price.

use super::json::event;
use super::{BadRecord, ErrorCode};
use crate::value::{Date, Price, Symbol};

event! {
    /// A closing price. It is known at the end of its date, in UTC.
    Close {
        /// The instrument.
        symbol: Symbol,
        /// The trading day.
        date: Date,
        /// The price at its end; above zero, because returns divide by it.
        close: Price,
    }
}

impl Close {
    /// Whether returns can divide by it.
    pub(super) fn check(&self) -> Result<(), BadRecord> {
        if self.close.units() <= 0 {
            let message = format!("close: {} is not above zero, but returns divide by it; send the price", self.close);
            return Err(BadRecord::new(ErrorCode::NotPositive, message));
        }
        Ok(())
    }
}
