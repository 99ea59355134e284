//! Customers of accounts, and their local dates.

use headwater_schemas::events::Event;
use headwater_schemas::{AccountId, CustomerId, Date, EventTime};

use crate::reference::Reference;
use crate::zones::CustomerZones;

/// Accounts, and the time zones of customers.
#[derive(Clone, Debug, Default)]
pub struct Buyers {
    accounts: Reference,
    zones: CustomerZones,
}

impl Buyers {
    /// Learns from a broadcast of an account or a customer; ignores others.
    pub(super) fn learn(&mut self, event: &Event) {
        match event {
            Event::Account(_) => self.accounts.learn(event),
            _ => self.zones.learn(event),
        }
    }

    /// The customer of an account, if it is known.
    pub(super) fn customer(&self, account: &AccountId) -> Option<CustomerId> {
        self.accounts.customer_of(account)
    }

    /// The date of a time where a customer lives; in UTC if that is unknown.
    pub(super) fn date(&self, customer: &CustomerId, time: EventTime) -> Date {
        self.zones.date(customer, time)
    }
}
