//! Time zones of customers, and local times.

use headwater_schemas::events::{Customer, Event};
use headwater_schemas::{CustomerId, Date, EventTime, Topic};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use rustc_hash::FxHashMap;

use crate::newest::Newest;

/// The time zone of each customer, as of the broadcasts so far.
#[derive(Clone, Debug, Default)]
pub struct CustomerZones(FxHashMap<CustomerId, Newest<Option<TimeZone>, Option<EventTime>>>);

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

    /// The date of a time where the customer lives; in UTC if that is unknown.
    pub(crate) fn date(&self, customer: &CustomerId, time: EventTime) -> Date {
        let local = self.of(customer).and_then(|zone| local_date(zone, time));
        local.unwrap_or_else(|| time.date())
    }
}

/// Seconds east of UTC at a time.
pub(crate) fn utc_offset(zone: &TimeZone, time: EventTime) -> Option<i32> {
    let moment = Timestamp::from_nanosecond(i128::from(time.nanos())).ok()?;
    Some(zone.to_offset(moment).seconds())
}

fn local_date(zone: &TimeZone, time: EventTime) -> Option<Date> {
    const NANOS: i64 = 1_000_000_000;
    const DAY: i64 = 86_400;
    let local = time.nanos().div_euclid(NANOS).checked_add(utc_offset(zone, time)?.into())?;
    i32::try_from(local.div_euclid(DAY)).ok().map(Date::from_days)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn customer(id: &str, zone: &str, ts: &str) -> Event {
        let json = format!(r#"{{"customer_id":"{id}"{zone}{ts}}}"#);
        Event::decode(Topic::Customers, None, Some(json.as_bytes())).expect("a customer")
    }

    #[test]
    fn a_date_is_that_of_the_customers_time_zone() {
        let mut zones = CustomerZones::default();
        for (id, zone) in [("NY", "America/New_York"), ("TK", "Asia/Tokyo")] {
            zones.learn(&customer(id, &format!(r#","timezone":"{zone}""#), ""));
        }
        for (customer, time, expected) in [
            ("NY", "2026-02-01T04:59:59.999999999Z", "2026-01-31"),
            ("NY", "2026-02-01T05:00:00Z", "2026-02-01"),
            ("NY", "2026-07-01T03:59:59Z", "2026-06-30"),
            ("NY", "1969-12-31T23:59:59.5Z", "1969-12-31"),
            ("TK", "2026-01-31T15:00:00Z", "2026-02-01"),
            ("unknown", "2026-01-31T23:59:59Z", "2026-01-31"),
        ] {
            let date = zones.date(&CustomerId::derived(customer), time.parse().expect(time));
            assert_eq!(date.to_string(), expected, "{customer} {time}");
        }
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
