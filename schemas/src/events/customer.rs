//! Who owns accounts.

use super::json::event;
use crate::value::{CustomerId, Date, Decimal, EventTime, OwnerId, Text};

event! {
    /// A customer.
    Customer {
        /// The customer.
        customer_id: CustomerId,
        /// Customers with one beneficial owner behind them share it.
        group_id: Option<OwnerId>,
        /// Latitude of the home, in degrees.
        home_lat: Option<Decimal>,
        /// Longitude of the home, in degrees.
        home_lon: Option<Decimal>,
        /// The IANA time zone that the customer's days are in.
        timezone: Option<Text>,
        /// The country of residence.
        country: Option<Text>,
        /// The date of birth.
        birth_date: Option<Date>,
        /// When; none means from the beginning.
        ts: Option<EventTime>,
    }
}
