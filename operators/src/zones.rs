//! Time zones of customers.

use headwater_schemas::events::{Customer, Event};
use headwater_schemas::{CustomerId, EventTime, Topic};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use rustc_hash::FxHashMap;

use crate::newest::Newest;

/// The time zone of each customer, as of the broadcasts so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct CustomerZones(FxHashMap<CustomerId, Newest<Option<TimeZone>, Option<EventTime>>>);

impl CustomerZones {
    /// Applies a broadcast; ignores events that are not of customers.
    pub(crate) fn learn(&mut self, event: &Event) {
        match event {
            Event::Customer(customer) => {
                let Customer { customer_id, timezone, ts, .. } = &**customer;
                let zone = timezone.as_ref().and_then(|name| TimeZone::get(name).ok());
                self.0.entry(*customer_id).or_default().put(zone, *ts);
            }
            Event::Deleted(deleted) if deleted.rank == Topic::Customers.rank() => {
                self.0.remove(&CustomerId::derived(deleted.key.as_str()));
            }
            _ => {}
        }
    }

    /// The time zone of a customer, if it is known.
    pub(crate) fn of(&self, customer: &CustomerId) -> Option<&TimeZone> {
        self.0.get(customer)?.value.as_ref()
    }
}

/// Seconds east of UTC at a time.
pub(crate) fn utc_offset(zone: &TimeZone, time: EventTime) -> Option<i32> {
    let moment = Timestamp::from_nanosecond(i128::from(time.nanos())).ok()?;
    Some(zone.to_offset(moment).seconds())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn customer(id: &str, zone: &str, ts: &str) -> Event {
        let json = format!(r#"{{"customer_id":"{id}"{zone}{ts}}}"#);
        Event::decode(Topic::Customers, None, Some(json.as_bytes())).expect("a customer")
    }

    #[test]
    fn the_newest_record_of_a_customer_gives_the_zone() {
        let (tokyo, paris) = (r#","timezone":"Asia/Tokyo""#, r#","timezone":"Europe/Paris""#);
        let (first, second) = (r#","ts":"2026-01-01T00:00:00Z""#, r#","ts":"2026-01-02T00:00:00Z""#);
        for (name, records, expected) in [
            ("the later one", vec![customer("C", tokyo, first), customer("C", paris, second)], Some("Europe/Paris")),
            ("a late record replaces nothing", vec![customer("C", paris, second), customer("C", tokyo, first)], Some("Europe/Paris")),
            ("a record without a zone has none", vec![customer("C", tokyo, first), customer("C", "", second)], None),
            ("of equal times the later place", vec![customer("C", tokyo, ""), customer("C", paris, "")], Some("Europe/Paris")),
            ("a deletion", vec![customer("C", tokyo, first), Event::decode(Topic::Customers, Some(b"C"), None).expect("a deletion")], None),
        ] {
            let mut zones = CustomerZones::default();
            records.iter().for_each(|record| zones.learn(record));
            assert_eq!(zones.of(&CustomerId::derived("C")).and_then(TimeZone::iana_name), expected, "{name}");
        }
    }
}
