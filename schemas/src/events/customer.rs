//! Customers, who own accounts.

use super::json::event;
use crate::value::{CustomerId, Date, Decimal, EventTime, OwnerId, Text};

event! {
    /// A customer.
    Customer {
        /// The customer.
        customer_id: CustomerId,
        /// Group of customers with the same beneficial owner.
        group_id: Option<OwnerId>,
        /// Latitude of the home, in degrees.
        home_lat: Option<Decimal>,
        /// Longitude of the home, in degrees.
        home_lon: Option<Decimal>,
        /// IANA time zone of the customer's local days.
        timezone: Option<Text>,
        /// The country of residence.
        country: Option<Text>,
        /// The date of birth.
        birth_date: Option<Date>,
        /// Time of the record; a record without one counts as the oldest.
        ts: Option<EventTime>,
    }
}
