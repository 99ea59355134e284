//! What customers mean to spend.

use super::json::event;
use crate::value::{Amount, Currency, CustomerId, Decimal, EventTime, Text};

event! {
    /// What a customer means to spend in a category a month.
    Budget {
        /// Who.
        customer_id: CustomerId,
        /// On what.
        category: Text,
        /// How much a month.
        amount: Amount,
        /// In which currency.
        #[schemars(extend("maxLength" = 12))]
        currency: Currency,
        /// The part of it from which to warn; 0.8 if not given.
        threshold: Option<Decimal>,
        /// When; none means from the beginning.
        ts: Option<EventTime>,
    }
}
