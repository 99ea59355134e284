//! Quiet hours: local times of day at which customers are not disturbed.

use std::fmt;

use headwater_schemas::EventTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, civil};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A local time of day, to the minute: `22:00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeOfDay(civil::Time);

/// Quiet hours. From and to the same time: none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct QuietHours {
    pub(super) from: TimeOfDay,
    pub(super) to: TimeOfDay,
}

impl TimeOfDay {
    /// The beginning of an hour from 0 to 23.
    pub(super) fn hour(hour: i8) -> Self {
        Self(civil::Time::new(hour, 0, 0, 0).unwrap_or_default())
    }

    fn read(text: &str) -> Option<Self> {
        let (hour, minute) = text.split_once(':').filter(|(hour, minute)| hour.len() == 2 && minute.len() == 2)?;
        civil::Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok().map(Self)
    }
}

impl QuietHours {
    /// The time at which the quiet hours end that a time lies in; none outside them.
    pub(super) fn end(self, zone: &TimeZone, time: EventTime) -> Option<EventTime> {
        let moment = Timestamp::from_nanosecond(i128::from(time.nanos())).ok()?;
        let end = self.local_end(zone.to_datetime(moment))?;
        // A local time that comes twice: after the first one it is quiet again.
        let end = zone.to_ambiguous_timestamp(end).later().ok()?;
        i64::try_from(end.as_nanosecond()).ok().map(EventTime::from_nanos)
    }

    fn local_end(self, local: civil::DateTime) -> Option<civil::DateTime> {
        let (TimeOfDay(from), TimeOfDay(to), time) = (self.from, self.to, local.time());
        let is_quiet = if from <= to { (from..to).contains(&time) } else { time >= from || time < to };
        let day = if time < to { local.date() } else { local.date().tomorrow().ok()? };
        is_quiet.then(|| day.to_datetime(to))
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:02}:{:02}", self.0.hour(), self.0.minute())
    }
}

impl Serialize for TimeOfDay {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TimeOfDay {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let text = String::deserialize(input)?;
        Self::read(&text).ok_or_else(|| serde::de::Error::custom(format!("{text:?} is not a time of day: write it like \"22:00\"")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quiet_hours_end_on_the_same_day_or_the_next_one() {
        for (from, to, local, expected) in [
            ("22:00", "07:00", "2026-01-05T21:59:59", None),
            ("22:00", "07:00", "2026-01-05T22:00:00", Some("2026-01-06T07:00:00")),
            ("22:00", "07:00", "2026-01-05T00:00:00", Some("2026-01-05T07:00:00")),
            ("22:00", "07:00", "2026-01-05T06:59:59", Some("2026-01-05T07:00:00")),
            ("22:00", "07:00", "2026-01-05T07:00:00", None),
            ("22:00", "07:00", "2025-12-31T23:00:00", Some("2026-01-01T07:00:00")),
            ("12:00", "14:30", "2026-01-05T14:29:59", Some("2026-01-05T14:30:00")),
            ("12:00", "14:30", "2026-01-05T11:00:00", None),
            ("12:00", "14:30", "2026-01-05T14:30:00", None),
            ("07:00", "07:00", "2026-01-05T07:00:00", None),
            ("22:00", "00:00", "2026-01-05T23:00:00", Some("2026-01-06T00:00:00")),
        ] {
            let end = hours(from, to).local_end(local.parse().unwrap()).map(|end| end.to_string());
            assert_eq!(end.as_deref(), expected, "{local} in {from} to {to}");
        }
    }

    fn hours(from: &str, to: &str) -> QuietHours {
        QuietHours { from: TimeOfDay::read(from).unwrap(), to: TimeOfDay::read(to).unwrap() }
    }

    /// New York goes from 02:00 to 03:00 on 2026-03-08, and from 02:00 to 01:00 on 2026-11-01 (tzdata 2025b).
    #[test]
    fn quiet_hours_end_once_where_clocks_change() {
        let zone = TimeZone::get("America/New_York").unwrap();
        for (to, time, expected) in [
            ("07:00", "2026-01-06T03:00:00Z", Some("2026-01-06T12:00:00Z")),
            ("07:00", "2026-07-06T03:00:00Z", Some("2026-07-06T11:00:00Z")),
            ("02:30", "2026-03-08T06:59:00Z", Some("2026-03-08T07:30:00Z")),
            ("01:30", "2026-11-01T05:15:00Z", Some("2026-11-01T06:30:00Z")),
            ("01:30", "2026-11-01T06:15:00Z", Some("2026-11-01T06:30:00Z")),
            ("01:30", "2026-11-01T06:30:00Z", None),
        ] {
            let end = hours("22:00", to).end(&zone, time.parse().unwrap()).map(|end| end.to_string());
            assert_eq!(end.as_deref(), expected, "{time} until {to}");
        }
    }

    #[test]
    fn a_time_of_day_has_two_digits_each() {
        for (text, expected) in
            [("22:00", Some("22:00")), ("07:30", Some("07:30")), ("7:30", None), ("24:00", None), ("22", None), ("22:60", None)]
        {
            assert_eq!(TimeOfDay::read(text).map(|time| time.to_string()).as_deref(), expected, "{text}");
        }
    }
}
