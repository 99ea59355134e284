//! Calendar months.

use std::fmt;
use std::str::FromStr;

use headwater_schemas::Date;
use jiff::{ToSpan, civil};

const EPOCH: civil::Date = civil::date(1970, 1, 1);

/// A calendar month, as months since January 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Month(i32);

impl Month {
    /// Before every month.
    pub(super) const FIRST: Self = Self(i32::MIN);

    /// The month of a date, and the day within it.
    pub(super) fn of(date: Date) -> (Self, u8) {
        // A `Date` lies within the years of jiff's calendar.
        let civil = EPOCH.checked_add(date.days().days()).unwrap_or_default();
        let month = (i32::from(civil.year()) - 1970) * 12 + i32::from(civil.month()) - 1;
        (Self(month), u8::try_from(civil.day()).unwrap_or(1))
    }

    /// The month after.
    pub(super) const fn after(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The month before.
    pub(super) const fn before(self) -> Self {
        Self(self.0.saturating_sub(1))
    }
}

/// `YYYY-MM`
impl fmt::Display for Month {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:04}-{:02}", 1970 + self.0.div_euclid(12), self.0.rem_euclid(12) + 1)
    }
}

impl FromStr for Month {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (year, month) = text.split_once('-').ok_or(())?;
        let (year, month): (i32, i32) = (year.parse().map_err(|_| ())?, month.parse().map_err(|_| ())?);
        if (1..=12).contains(&month) && (1000..=9999).contains(&year) { Ok(Self((year - 1970) * 12 + month - 1)) } else { Err(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_written_like_the_beginning_of_its_dates() {
        for text in ["1970-01-01", "1969-12-31", "2024-02-29", "2026-01-05", "1678-01-01", "2261-12-31"] {
            let (month, day) = Month::of(text.parse().unwrap());
            assert_eq!((month.to_string().as_str(), day), (&text[..7], text[8..].parse().unwrap()), "{text}");
            assert_eq!(month.to_string().parse(), Ok(month));
        }
        let (january, _) = Month::of("2026-01-31".parse().unwrap());
        assert_eq!(january.before().to_string(), "2025-12");
    }
}
