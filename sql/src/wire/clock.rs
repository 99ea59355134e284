//! Dates and times as text, and the epoch of the protocol's binary format.

/// Days from 1970-01-01 to 2000-01-01, where the protocol's times begin.
pub(super) const EPOCH_DAYS: i32 = 10_957;
pub(super) const MICROS_PER_DAY: i64 = 86_400_000_000;
pub(super) const EPOCH_MICROS: i64 = EPOCH_DAYS as i64 * MICROS_PER_DAY;

/// The date of a day since 2000.
pub(super) fn date_of_day(day: i64) -> String {
    date_text(day.saturating_add(i64::from(EPOCH_DAYS)))
}

/// The time of a microsecond since 2000; `None` for infinity, and far beyond all calendars.
pub(super) fn time_of_micros(micros: i64) -> Option<String> {
    let micros = micros.checked_add(EPOCH_MICROS).filter(|_| micros != i64::MIN)?;
    Some(format!("{}T{}", date_text(micros.div_euclid(MICROS_PER_DAY)), clock_text(micros.rem_euclid(MICROS_PER_DAY))))
}

/// The date of a day since 1970: Howard Hinnant's `civil_from_days`.
pub(super) fn date_text(days: i64) -> String {
    let shifted = days.saturating_add(719_468);
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    // There is no year 0: 1 BC is before 1 AD.
    if year > 0 { format!("{year:04}-{month:02}-{day:02}") } else { format!("{:04}-{month:02}-{day:02} BC", 1 - year) }
}

/// A time of the day, with as many digits of its second as it has.
pub(super) fn clock_text(micros: i64) -> String {
    let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
    let clock = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if fraction == 0 { clock } else { format!("{clock}.{fraction:06}").trim_end_matches('0').to_owned() }
}
