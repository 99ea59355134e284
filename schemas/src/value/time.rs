//! Event time: nanoseconds since the Unix epoch.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Date, rfc3339};
use crate::EffectiveTime;

/// A moment, in nanoseconds since 1970-01-01T00:00:00Z: from 1678 to 2261.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventTime(i64);

impl EventTime {
    /// The epoch: the time of a record without one before its partition has seen any.
    pub const BEGINNING: Self = Self(0);
    /// Nanoseconds in a day, signed, for times before the epoch.
    pub(crate) const DAY_NANOS: i64 = 86_400_000_000_000;

    /// From nanoseconds since the epoch.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// From an effective time, which is never before the epoch. Times after 2261 become the last one.
    pub fn from_effective(time: EffectiveTime) -> Self {
        Self(i64::try_from(time.get()).unwrap_or(i64::MAX))
    }

    /// Nanoseconds since the epoch.
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// The reading of a clock at this time; times before the epoch become the epoch.
    pub fn effective(self) -> EffectiveTime {
        EffectiveTime::new(u64::try_from(self.0).unwrap_or(0))
    }

    /// The UTC day of the time.
    pub fn date(self) -> Date {
        Date::from_days(i32::try_from(self.0.div_euclid(Self::DAY_NANOS)).unwrap_or(0))
    }
}

impl fmt::Display for EventTime {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Timestamp::from_nanosecond(i128::from(self.0)) {
            Ok(time) => write!(out, "{time}"),
            Err(_) => write!(out, "{}", self.0),
        }
    }
}

impl fmt::Debug for EventTime {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

/// An expiry time; after 2261, the last time there is.
pub(crate) struct Until(pub(crate) EventTime);

impl<'de> Deserialize<'de> for Until {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Until;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(EXPECTED)
            }
            fn visit_i64<E: serde::de::Error>(self, nanos: i64) -> Result<Until, E> {
                Ok(Until(EventTime(nanos)))
            }
            fn visit_u64<E: serde::de::Error>(self, nanos: u64) -> Result<Until, E> {
                Ok(Until(EventTime::from_effective(EffectiveTime::new(nanos))))
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Until, E> {
                let last = rfc3339::nanos(text.as_bytes()).filter(|nanos| *nanos > i128::from(i64::MAX));
                last.map_or_else(|| text.parse().map_err(E::custom), |_| Ok(EventTime(i64::MAX))).map(Until)
            }
        }
        input.deserialize_any(Visitor)
    }
}

/// Description of a valid time, for messages.
const EXPECTED: &str = "a time (RFC 3339 text or integer nanoseconds)";

impl FromStr for EventTime {
    type Err = String;

    /// Parses RFC 3339 with an offset, up to nanoseconds. A leap second becomes the next second, as in Unix time.
    fn from_str(text: &str) -> Result<Self, String> {
        rfc3339::nanos(text.as_bytes()).and_then(|nanos| i64::try_from(nanos).ok()).map(Self).ok_or_else(|| {
            let advice = "write RFC 3339 with an offset and at most nanoseconds, like 2026-01-31T09:30:00.5Z, or nanoseconds since 1970";
            format!("[bad_time] {text:?} is not a time between 1678 and 2261; {advice}")
        })
    }
}

impl Serialize for EventTime {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        if out.is_human_readable() { out.collect_str(self) } else { self.0.serialize(out) }
    }
}

impl<'de> Deserialize<'de> for EventTime {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = EventTime;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(EXPECTED)
            }
            fn visit_i64<E: serde::de::Error>(self, nanos: i64) -> Result<EventTime, E> {
                Ok(EventTime(nanos))
            }
            fn visit_u64<E: serde::de::Error>(self, nanos: u64) -> Result<EventTime, E> {
                i64::try_from(nanos)
                    .map(EventTime)
                    .map_err(|_| E::custom(format!("[bad_time] {nanos} ns is after 2261; are these nanoseconds?")))
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<EventTime, E> {
                text.parse().map_err(E::custom)
            }
        }
        if input.is_human_readable() { input.deserialize_any(Visitor) } else { i64::deserialize(input).map(Self) }
    }
}

impl schemars::JsonSchema for EventTime {
    fn schema_name() -> Cow<'static, str> {
        "EventTime".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "event time: RFC 3339 with an offset, up to nanoseconds, or an integer of nanoseconds since the Unix epoch",
            "anyOf": [{ "type": "string", "format": "date-time" }, { "type": "integer" }]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_keep_their_nanoseconds() {
        let read = |text: &str| serde_json::from_str::<EventTime>(text).map(EventTime::nanos);
        assert_eq!(read("1").ok(), Some(1));
        assert_eq!(read("\"1970-01-01T00:00:00.000000001Z\"").ok(), Some(1));
        assert_eq!(read("\"1970-01-01T01:00:00+01:00\"").ok(), Some(0));
        for bad in [
            "1.5",
            "\"1970-01-01\"",
            "\"1970-01-01T00:00:00\"",
            "\"1970-01-01T00:00:00.0000000001Z\"",
            "\"1970-01-01T00:00:00Z[UTC]\"",
            "true",
            "null",
            "\"3000-01-01T00:00:00Z\"",
            "18446744073709551615",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_date_is_the_utc_day_also_before_the_epoch() {
        assert_eq!(EventTime::from_nanos(-1).date().to_string(), "1969-12-31");
        assert_eq!(EventTime::from_nanos(0).date().to_string(), "1970-01-01");
    }
}
