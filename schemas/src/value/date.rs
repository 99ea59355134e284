//! Calendar days.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use jiff::{Span, ToSpan, civil};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{EventTime, rfc3339};

/// A calendar day, as days since 1970-01-01.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(i32);

const EPOCH: civil::Date = civil::date(1970, 1, 1);

impl Date {
    /// 1678-01-01.
    const FIRST: i32 = -106_650;
    /// 2261-12-31.
    const LAST: i32 = 106_650;

    /// The date of a number of days since 1970-01-01.
    pub const fn from_days(days: i32) -> Self {
        Self(days)
    }

    /// Days since 1970-01-01.
    pub const fn days(self) -> i32 {
        self.0
    }

    /// The day after it.
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The day before it.
    pub const fn previous(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    /// Day of the week, from 0 for Monday to 6 for Sunday.
    pub const fn weekday(self) -> i32 {
        // 1970-01-01 was a Thursday.
        (self.0.rem_euclid(7) + 3) % 7
    }

    /// The first day of its month.
    pub fn month_start(self) -> Self {
        let gone = EPOCH.checked_add(self.0.days()).map_or(0, |date| date.day() - 1);
        Self(self.0.saturating_sub(i32::from(gone)))
    }

    /// The last day of its month.
    pub fn month_end(self) -> Self {
        let left = EPOCH.checked_add(self.0.days()).map_or(0, |date| date.days_in_month() - date.day());
        Self(self.0.saturating_add(i32::from(left)))
    }

    /// The first day of its quarter of the year.
    pub fn quarter_start(self) -> Self {
        let gone = EPOCH.checked_add(self.0.days()).map_or(0, |date| (date.month() - 1) % 3);
        (0..gone).fold(self.month_start(), |first, _| first.previous().month_start())
    }

    /// The first nanosecond of the day, in UTC.
    pub fn start(self) -> EventTime {
        EventTime::from_nanos(i64::from(self.0).saturating_mul(EventTime::DAY_NANOS))
    }

    /// The last nanosecond of the day, in UTC.
    pub fn end(self) -> EventTime {
        let next = (i64::from(self.0) + 1).saturating_mul(EventTime::DAY_NANOS);
        EventTime::from_nanos(next.saturating_sub(1))
    }
}

impl fmt::Display for Date {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not every number of days is a span of this calendar.
        match Span::new().try_days(self.0).and_then(|days| EPOCH.checked_add(days)) {
            Ok(date) => write!(out, "{date}"),
            Err(_) => write!(out, "day {}", self.0),
        }
    }
}

impl fmt::Debug for Date {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl FromStr for Date {
    type Err = String;

    /// Parses `YYYY-MM-DD`, within the years of [`EventTime`].
    fn from_str(text: &str) -> Result<Self, String> {
        let days = rfc3339::days(text.as_bytes()).and_then(|days| i32::try_from(days).ok());
        let days = days.filter(|days| (Self::FIRST..=Self::LAST).contains(days));
        days.map(Self).ok_or_else(|| format!("[bad_date] {text:?} is not a date between 1678 and 2261; write YYYY-MM-DD"))
    }
}

impl Serialize for Date {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        if out.is_human_readable() { out.collect_str(self) } else { self.0.serialize(out) }
    }
}

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        if !input.is_human_readable() {
            return i32::deserialize(input).map(Self);
        }
        super::read_text(input, "a date (YYYY-MM-DD)")
    }
}

impl schemars::JsonSchema for Date {
    fn schema_name() -> Cow<'static, str> {
        "Date".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "date", "description": "a calendar day, YYYY-MM-DD" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_read_and_write_the_same_text() {
        for text in ["1970-01-01", "1969-12-31", "2024-02-29", "1990-01-02", "2022-12-28", "1678-01-01", "2261-12-31"] {
            assert_eq!(text.parse::<Date>().map(|date| date.to_string()), Ok(text.to_owned()));
        }
        for text in ["2023-02-29", "20240101", "2024-1-1", "1000-01-01", "1677-12-31", "2262-01-01", "today"] {
            assert!(text.parse::<Date>().is_err(), "{text}");
        }
        assert_eq!("1970-01-02".parse::<Date>().map(|date| date.end().date().to_string()), Ok("1970-01-02".to_owned()));
    }

    #[test]
    fn a_day_beyond_the_calendar_has_its_number() {
        for (days, text) in [(0, "1970-01-01"), (i32::MAX, "day 2147483647"), (i32::MIN, "day -2147483648"), (3_000_000, "day 3000000")] {
            assert_eq!(Date::from_days(days).to_string(), text);
        }
    }

    #[test]
    fn a_month_has_its_first_and_its_last_day() -> Result<(), String> {
        for (day, first, last) in [
            ("2024-02-01", "2024-02-01", "2024-02-29"),
            ("2023-02-28", "2023-02-01", "2023-02-28"),
            ("1969-12-31", "1969-12-01", "1969-12-31"),
            ("2022-04-17", "2022-04-01", "2022-04-30"),
        ] {
            let day: Date = day.parse()?;
            assert_eq!((day.month_start().to_string(), day.month_end().to_string()), (first.to_owned(), last.to_owned()), "{day}");
            assert_eq!((day.start().date(), day.next().start().nanos() - day.end().nanos()), (day, 1), "{day}");
        }
        Ok(())
    }

    #[test]
    fn a_day_is_of_a_week_and_of_a_quarter() -> Result<(), String> {
        for (day, weekday, quarter) in [
            ("1970-01-01", 3, "1970-01-01"),
            ("1969-12-29", 0, "1969-10-01"),
            ("1969-12-31", 2, "1969-10-01"),
            ("2024-02-29", 3, "2024-01-01"),
            ("2026-03-31", 1, "2026-01-01"),
            ("2026-04-05", 6, "2026-04-01"),
            ("2026-12-31", 3, "2026-10-01"),
        ] {
            let day: Date = day.parse()?;
            assert_eq!((day.weekday(), day.quarter_start().to_string()), (weekday, quarter.to_owned()), "{day}");
            assert_eq!(day.next().previous(), day);
        }
        Ok(())
    }
}
