//! Dates of reports, in UTC: business days, and the dates on which periods end.
//!
//! Periods of an occurrence follow one another without a gap, so a report with [`Occurrence::period`] as its first date leaves no
//! date out and counts none twice.

use std::collections::BTreeSet;
use std::str::FromStr;

use headwater_schemas::Date;

/// Header of a file of holidays.
const HEADER: &str = "date,name";

/// Days that are no business days although they are not of a weekend.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holidays(BTreeSet<Date>);

impl Holidays {
    /// Reads the text of a file, or reports all its problems.
    pub fn read(text: &str) -> Result<Self, Vec<String>> {
        let mut lines = (1..).zip(text.lines().map(str::trim_end));
        let (mut dates, mut problems) = (BTreeSet::new(), Vec::new());
        match lines.next() {
            Some((_, HEADER)) => {}
            other => {
                let found = other.map_or("", |(_, line)| line);
                problems.push(format!("line 1: the header is {found:?}, and must be {HEADER:?}"));
            }
        }
        for (number, line) in lines.filter(|(_, line)| !line.is_empty()) {
            let Some((date, _name)) = line.split_once(',') else {
                problems.push(format!("line {number}: {line:?} is not of the form {HEADER}"));
                continue;
            };
            match date.parse::<Date>() {
                Ok(date) if dates.insert(date) => {}
                Ok(date) => problems.push(format!("line {number}: {date} was there before; remove one")),
                Err(_) => problems.push(format!("line {number}, column date: {date:?} is no date; write YYYY-MM-DD")),
            }
        }
        if problems.is_empty() { Ok(Self(dates)) } else { Err(problems) }
    }

    /// Whether a date is from Monday to Friday and no holiday.
    pub fn is_business_day(&self, date: Date) -> bool {
        date.weekday() < 5 && !self.0.contains(&date)
    }
}

/// When a report is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occurrence {
    /// Every date.
    Day,
    /// Every business day.
    BusinessDay,
    /// Every Friday; if that is a holiday, the last business day of its week.
    Friday,
    /// The last business day of a month.
    LastBusinessDay,
    /// The last date of a month.
    Month,
    /// The last date of a quarter of the year.
    Quarter,
}

impl Occurrence {
    /// Each with its name in the configuration.
    pub const ALL: [(Self, &'static str); 6] = [
        (Self::Day, "day"),
        (Self::BusinessDay, "business_day"),
        (Self::Friday, "friday"),
        (Self::LastBusinessDay, "last_business_day"),
        (Self::Month, "month"),
        (Self::Quarter, "quarter"),
    ];

    /// Its name in the configuration.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(occurrence, _)| *occurrence == self).map_or("", |(_, name)| name)
    }

    /// Whether its reports are about one date.
    pub const fn is_of_a_day(self) -> bool {
        matches!(self, Self::Day | Self::BusinessDay)
    }

    /// The first date of the period that ends with a date, or `None` if no period does. It is the date after the end of the period
    /// before.
    pub fn period(self, date: Date, holidays: &Holidays) -> Option<Date> {
        self.is_end(date, holidays).then(|| match self {
            Self::Day | Self::BusinessDay => date,
            Self::Month => date.month_start(),
            Self::Quarter => date.quarter_start(),
            Self::Friday | Self::LastBusinessDay => self.after_previous(date, holidays),
        })
    }

    fn is_end(self, date: Date, holidays: &Holidays) -> bool {
        let is_last_business_day_until =
            |end: Date| holidays.is_business_day(date) && !days(date.next(), end).any(|later| holidays.is_business_day(later));
        match self {
            Self::Day => true,
            Self::BusinessDay => holidays.is_business_day(date),
            Self::Friday => is_last_business_day_until(Date::from_days(date.days().saturating_add(6 - date.weekday()))),
            Self::LastBusinessDay => is_last_business_day_until(date.month_end()),
            Self::Month => date == date.month_end(),
            Self::Quarter => date.next().quarter_start() == date.next(),
        }
    }

    /// The date after the last one before `date` that also ends a period.
    fn after_previous(self, date: Date, holidays: &Holidays) -> Date {
        // Weeks and months without a business day have holidays.
        let farthest = date.days().saturating_sub(70).saturating_sub(i32::try_from(7 * holidays.0.len()).unwrap_or(i32::MAX));
        let mut before = date.previous();
        while before.days() > farthest && !self.is_end(before, holidays) {
            before = before.previous();
        }
        before.next()
    }
}

impl FromStr for Occurrence {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|(_, name)| *name == text);
        found.map(|(occurrence, _)| *occurrence).ok_or_else(|| {
            let names = Self::ALL.map(|(_, name)| name).join(", ");
            format!("{text:?} is no day of the calendar: give one of {names}")
        })
    }
}

/// The dates from a first to a last one.
fn days(first: Date, last: Date) -> impl Iterator<Item = Date> {
    (first.days()..=last.days()).map(Date::from_days)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Around Easter 2026, a Christmas, a New Year, and a week without a business day.
    const HOLIDAYS: &str = "date,name\n2026-04-03,Good Friday\n2026-04-06,Easter Monday\n2026-12-25,Christmas\n2027-01-01,New Year\n\
                            2028-02-29,Leap day, observed\n2026-08-31,Bank holiday\n2025-07-21,a\n2025-07-22,b\n2025-07-23,c\n2025-07-24,d\n2025-07-25,e\n";

    fn date(text: &str) -> Date {
        text.parse().expect("a date")
    }

    /// The periods that end in a range, each as first and last date.
    fn periods(occurrence: Occurrence, first: &str, last: &str) -> String {
        let holidays = Holidays::read(HOLIDAYS).expect("holidays");
        let periods = days(date(first), date(last)).filter_map(|date| Some(format!("{}..{date}", occurrence.period(date, &holidays)?)));
        periods.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn periods_end_on_the_days_of_the_calendar() {
        use Occurrence::{BusinessDay, Day, Friday, LastBusinessDay, Month, Quarter};
        for (occurrence, first, last, expected) in [
            (Day, "2023-12-31", "2024-01-01", "2023-12-31..2023-12-31 2024-01-01..2024-01-01"),
            (BusinessDay, "2026-04-02", "2026-04-07", "2026-04-02..2026-04-02 2026-04-07..2026-04-07"),
            // Good Friday: the Thursday ends the week, and Friday counts in the next one.
            (Friday, "2026-03-23", "2026-04-12", "2026-03-21..2026-03-27 2026-03-28..2026-04-02 2026-04-03..2026-04-10"),
            (Friday, "2026-12-28", "2027-01-03", "2026-12-25..2026-12-31"),
            // The week of 2025-07-21 has no business day.
            (Friday, "2025-07-14", "2025-08-01", "2025-07-12..2025-07-18 2025-07-19..2025-08-01"),
            // 2026-01-31 is a Saturday, 2026-05-31 a Sunday, 2026-08-31 a holiday after a weekend.
            (LastBusinessDay, "2026-01-01", "2026-02-28", "2026-01-01..2026-01-30 2026-01-31..2026-02-27"),
            (LastBusinessDay, "2026-05-01", "2026-06-30", "2026-05-01..2026-05-29 2026-05-30..2026-06-30"),
            (LastBusinessDay, "2026-08-01", "2026-09-30", "2026-08-01..2026-08-28 2026-08-29..2026-09-30"),
            (LastBusinessDay, "2028-02-01", "2028-02-29", "2028-02-01..2028-02-28"),
            (LastBusinessDay, "2024-02-01", "2024-02-29", "2024-02-01..2024-02-29"),
            (Month, "2024-02-01", "2024-03-31", "2024-02-01..2024-02-29 2024-03-01..2024-03-31"),
            (Month, "2026-12-01", "2027-01-31", "2026-12-01..2026-12-31 2027-01-01..2027-01-31"),
            (
                Quarter,
                "2026-01-01",
                "2026-12-31",
                "2026-01-01..2026-03-31 2026-04-01..2026-06-30 2026-07-01..2026-09-30 2026-10-01..2026-12-31",
            ),
            (Quarter, "2024-02-29", "2024-03-30", ""),
        ] {
            assert_eq!(periods(occurrence, first, last), expected, "{occurrence:?} from {first} to {last}");
        }
    }

    #[test]
    fn periods_leave_no_date_out_and_have_none_twice() {
        let holidays = Holidays::read(HOLIDAYS).expect("holidays");
        for (occurrence, _) in Occurrence::ALL.into_iter().filter(|(occurrence, _)| *occurrence != Occurrence::BusinessDay) {
            let ends = days(date("2024-01-01"), date("2028-12-31")).filter_map(|end| Some((occurrence.period(end, &holidays)?, end)));
            let ends: Vec<_> = ends.collect();
            assert!(ends.len() >= 20, "{occurrence:?}: {}", ends.len());
            for pair in ends.windows(2) {
                assert_eq!(pair[1].0, pair[0].1.next(), "{occurrence:?}: {pair:?}");
            }
        }
    }

    #[test]
    fn all_problems_of_a_file_of_holidays_are_told() {
        let problems =
            Holidays::read("day,name\n2026-02-30,x\n\n2026-04-03,Good Friday\n2026-04-03,again\n2026-05-01\n").expect_err("problems");
        assert_eq!(
            problems,
            [
                "line 1: the header is \"day,name\", and must be \"date,name\"",
                "line 2, column date: \"2026-02-30\" is no date; write YYYY-MM-DD",
                "line 5: 2026-04-03 was there before; remove one",
                "line 6: \"2026-05-01\" is not of the form date,name",
            ]
        );
        assert_eq!(Holidays::read("date,name\r\n2026-04-03,Good Friday\r\n").map(|holidays| holidays.0.len()), Ok(1));
    }

    #[test]
    fn names_are_read_and_others_are_answered_with_the_known_ones() {
        for (occurrence, name) in Occurrence::ALL {
            assert_eq!((name.parse(), occurrence.as_str()), (Ok(occurrence), name));
        }
        let refused = "monday".parse::<Occurrence>().expect_err("no occurrence");
        assert!(refused.contains("business_day, friday, last_business_day, month, quarter"), "{refused}");
    }
}
