//! Customers' budgets.

use super::json::event;
use crate::value::{Amount, Currency, CustomerId, Decimal, EventTime, Text};

event! {
    /// A customer's monthly budget in a category.
    Budget {
        /// The customer.
        customer_id: CustomerId,
        /// The spending category.
        category: Text,
        /// Amount per month.
        amount: Amount,
        /// The currency of the amount.
        #[schemars(extend("maxLength" = 12))]
        currency: Currency,
        /// Fraction of the budget at which to warn; 0.8 if not given.
        threshold: Option<Decimal>,
        /// Time of the record; a record without one counts as the oldest.
        ts: Option<EventTime>,
    }
}
