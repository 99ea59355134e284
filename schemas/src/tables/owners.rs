//! Tables of who owns accounts, for queries that join what is about one person.

use super::tables;
use crate::value::{AccountId, CustomerId, EventTime, OwnerId};

tables! {
    /// The customer who owns an account.
    State AccountOwner = "account_owners" by (account_id) {
        /// The account.
        account_id: AccountId,
        /// The customer: of several, the newest.
        customer_id: CustomerId,
        /// The own time of the record that names the customer.
        ts: EventTime,
    }

    /// The group of a customer: customers with the same beneficial owner.
    State CustomerGroup = "customer_groups" by (customer_id) {
        /// The customer.
        customer_id: CustomerId,
        /// The group, if the customer has one.
        group_id: Option<OwnerId>,
        /// The own time of the customer's newest record; a record without one counts as the oldest.
        ts: EventTime,
    }
}
