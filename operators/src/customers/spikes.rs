//! Spikes: a month so far, compared with the same days of the month before.

use headwater_schemas::value::fixed;
use headwater_schemas::{Date, Total};

use super::month::Month;
use super::settings::CustomerSettings;
use super::spending::Category;

/// What was spent in a month up to the last day with a purchase, and on the same days of the month before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Compared {
    /// The last day of the month with a purchase.
    last_day: u8,
    now: i128,
    before: i128,
}

impl Compared {
    /// Compares a month, given what was spent on the days of the month before and on its own, in order.
    pub(super) fn of(before: &[(Date, Total)], now: &[(Date, Total)]) -> Self {
        let Some((last, _)) = now.last() else { return Self::default() };
        let (_, last_day) = Month::of(*last);
        let sum = |units: i128, (_, more): &(Date, Total)| units.saturating_add(more.units());
        let before = before.iter().take_while(|(date, _)| Month::of(*date).1 <= last_day).fold(0, sum);
        Self { last_day, now: now.iter().fold(0, sum), before }
    }

    /// Whether a date is one of the compared days.
    pub(super) fn concerns(&self, month: Month, date: Date) -> bool {
        let (of, day) = Month::of(date);
        of == month || day <= self.last_day
    }

    /// Whether the month has so much more that it is a spike. Without spending on the same days of the month before there is
    /// nothing to compare.
    pub(super) fn is_spike(&self, settings: &CustomerSettings) -> bool {
        let factor = fixed::ONE.saturating_add(settings.spike.units());
        let least = fixed::wide_quotient(self.before, factor, fixed::ONE);
        self.before > 0 && self.now >= settings.spike_minimum.units() && least.is_some_and(|least| self.now >= least)
    }

    /// A sentence with the figures.
    pub(super) fn message(&self, month: Month, category: &Category) -> String {
        let Category { name, currency } = category;
        let (now, before) = (Total::from_units(self.now), Total::from_units(self.before));
        format!(
            "{now} {currency} are spent for {name} up to day {} of {month}, {before} {currency} on these days of {}",
            self.last_day,
            month.before()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(days: &[(&str, i64)]) -> Compared {
        let (march, _) = Month::of("2026-03-01".parse().unwrap());
        let days: Vec<_> = days.iter().map(|(date, amount)| (date.parse().unwrap(), Total::whole(*amount))).collect();
        let of = |month: Month| days.iter().copied().filter(|(date, _)| Month::of(*date).0 == month).collect::<Vec<_>>();
        Compared::of(&of(march.before()), &of(march))
    }

    #[test]
    fn a_month_is_compared_with_the_same_days_of_the_month_before() {
        let settings = CustomerSettings::default();
        for (name, days, expected) in [
            ("30 % more is a spike", &[("2026-02-10", 1000), ("2026-03-10", 1300)][..], true),
            ("a little less than 30 % more is none", &[("2026-02-10", 1000), ("2026-03-10", 1299)], false),
            ("later days of the month before do not count", &[("2026-02-10", 1000), ("2026-02-11", 500), ("2026-03-10", 1300)], true),
            ("earlier days of the month before count", &[("2026-02-01", 500), ("2026-02-10", 1000), ("2026-03-10", 1300)], false),
            ("two months before does not count", &[("2026-01-10", 5000), ("2026-02-10", 1000), ("2026-03-10", 1300)], true),
            ("a longer month has all days of the shorter one", &[("2026-02-28", 1000), ("2026-03-31", 1300)], true),
            ("without spending before there is nothing to compare", &[("2026-02-11", 1000), ("2026-03-10", 1300)], false),
            ("small amounts are no spike", &[("2026-02-10", 10), ("2026-03-10", 99)], false),
            ("the minimum is enough", &[("2026-02-10", 10), ("2026-03-10", 100)], true),
        ] {
            assert_eq!(compared(days).is_spike(&settings), expected, "{name}");
        }
    }
}
