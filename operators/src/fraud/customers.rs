//! Customers' home locations and time zones.

use headwater_schemas::events::Event;
use headwater_schemas::{AccountId, EventTime, Text};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use rustc_hash::FxHashMap;

use super::geo::Location;
use super::record::Whereabouts;
use crate::reference::Reference;

/// Accounts and customers, with the time zones that they name.
#[derive(Clone, Debug, Default)]
pub struct Customers {
    reference: Reference,
    /// `None` for an unknown time zone name: the customer's local hour is unknown.
    zones: FxHashMap<Text, Option<TimeZone>>,
}

impl Customers {
    /// Learns from a broadcast of an account or a customer; ignores others.
    pub(super) fn learn(&mut self, event: &Event) {
        if let Event::Customer(customer) = event
            && let Some(name) = customer.timezone.as_ref().filter(|name| !self.zones.contains_key(*name))
        {
            self.zones.insert(name.clone(), TimeZone::get(name).ok());
        }
        if matches!(event, Event::Customer(_) | Event::Account(_) | Event::Deleted(_)) {
            self.reference.learn(event);
        }
    }

    /// Home location and UTC offset of an account's customer at a time.
    pub(super) fn whereabouts(&self, account: &AccountId, ts: EventTime) -> Whereabouts {
        let customer = self.reference.account(account).and_then(|account| account.customer_id.value.as_ref());
        let Some(customer) = customer.and_then(|customer| self.reference.customer(customer)) else { return Whereabouts::default() };
        let zone = customer.timezone.as_ref().and_then(|name| self.zones.get(name)?.as_ref());
        Whereabouts { home: Location::new(customer.home_lat, customer.home_lon), utc_offset: zone.and_then(|zone| utc_offset(zone, ts)) }
    }
}

fn utc_offset(zone: &TimeZone, ts: EventTime) -> Option<i32> {
    let moment = Timestamp::from_nanosecond(i128::from(ts.nanos())).ok()?;
    Some(zone.to_offset(moment).seconds())
}
