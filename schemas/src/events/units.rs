//! Detection of times in another unit than nanoseconds.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{BadRecord, ErrorCode, Event, OrderEvent};
use crate::EventTime;

/// Smaller integers are not nanoseconds of present times: 10^17 ns is in March 1973.
const GREATEST_OF_OTHER_UNITS: i64 = 100_000_000_000_000_000;

/// Units of an integer time, each with its greatest value: times until the year 5138.
const UNITS: [(i64, &str); 3] =
    [(100_000_000_000, "seconds"), (100_000_000_000_000, "milliseconds"), (GREATEST_OF_OTHER_UNITS, "microseconds")];

#[derive(Deserialize)]
struct Times<'a> {
    #[serde(borrow, default)]
    ts: Option<&'a RawValue>,
    #[serde(borrow, default)]
    expires_at: Option<&'a RawValue>,
}

impl Event {
    /// The event; rejected if its record has a time from 1 to 10^17, which must be in another unit than nanoseconds.
    pub fn in_nanoseconds(self, value: Option<&[u8]>) -> Result<Self, BadRecord> {
        let expires_at = match &self {
            Self::Order(OrderEvent::New(order)) => order.expires_at,
            _ => None,
        };
        let is_suspect = |time: Option<EventTime>| time.is_some_and(|time| unit_of(time.nanos()).is_some());
        if !is_suspect(self.ts()) && !is_suspect(expires_at) {
            return Ok(self);
        }
        // A time this early is valid if it was written as text.
        let Some(Ok(written)) = value.map(serde_json::from_slice::<Times<'_>>) else { return Ok(self) };
        for (field, time) in [("ts", written.ts), ("expires_at", written.expires_at)] {
            let integer = time.and_then(|time| time.get().parse::<i64>().ok());
            if let Some((integer, unit)) = integer.and_then(|integer| Some((integer, unit_of(integer)?))) {
                let message = format!(
                    "{field}: {integer} looks like {unit} since 1970: send nanoseconds, or RFC 3339 with an offset like 2026-01-31T09:30:00.5Z"
                );
                return Err(BadRecord::new(ErrorCode::BadTime, message));
            }
        }
        Ok(self)
    }
}

/// The unit that an integer seems to have, if it is not nanoseconds.
fn unit_of(integer: i64) -> Option<&'static str> {
    UNITS.iter().find(|(greatest, _)| (1..=*greatest).contains(&integer)).map(|(_, unit)| *unit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Topic;

    #[test]
    fn an_integer_of_another_unit_is_refused_by_the_units_name() {
        let cases = [
            ("1767623400", Some("seconds")),
            ("1", Some("seconds")),
            ("1767623400000", Some("milliseconds")),
            ("1767623400000000", Some("microseconds")),
            ("100000000000000000", Some("microseconds")),
            ("100000000000000001", None),
            ("1767623400000000000", None),
            ("0", None),
            ("-1", None),
            ("\"1970-01-01T00:00:01Z\"", None),
        ];
        for (ts, unit) in cases {
            let text = format!(r#"{{"subject_id":"t","label":"x","ts":{ts}}}"#);
            let read =
                Event::decode(Topic::Labels, None, Some(text.as_bytes())).and_then(|event| event.in_nanoseconds(Some(text.as_bytes())));
            match (read, unit) {
                (Err(bad), Some(unit)) => {
                    assert_eq!(bad.code, ErrorCode::BadTime, "{ts}");
                    assert!(bad.message.starts_with(&format!("ts: {ts} looks like {unit} ")), "{ts}: {bad}");
                }
                (Ok(_), None) => {}
                (read, _) => panic!("{ts}: {read:?}"),
            }
        }
        let order = r#"{"type":"new","order_id":"o","account_id":"a","symbol":"S","side":"buy","order_type":"limit","time_in_force":"gtd","quantity":1,"price":1,"expires_at":1767623400000,"ts":1767623400000000000}"#;
        let read =
            Event::decode(Topic::Orders, None, Some(order.as_bytes())).and_then(|event| event.in_nanoseconds(Some(order.as_bytes())));
        assert!(read.is_err_and(|bad| bad.message.starts_with("expires_at: 1767623400000 looks like milliseconds")));
    }
}
