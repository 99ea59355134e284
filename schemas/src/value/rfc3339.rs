//! Parser of times and dates as text: exactly the grammar of RFC 3339.
//!
//! Libraries accept further forms (`14:30` without seconds, `,5` for `.5`, an offset of `+01`). A form that one reader accepts
//! and another does not would give a record two meanings.

/// Nanoseconds since 1970-01-01T00:00:00Z of `YYYY-MM-DD(T|t| )HH:MM:SS[.1 to 9 digits](Z|z|±HH:MM)`.
pub(super) fn nanos(text: &[u8]) -> Option<i128> {
    let (moment, rest) = text.split_at_checked(19)?;
    let (date, time) = moment.split_at_checked(10)?;
    let days = days(date)?;
    let [b'T' | b't' | b' ', h1, h2, b':', mi1, mi2, b':', s1, s2] = *time else { return None };
    let (hour, minute, second) = (pair(h1, h2)?, pair(mi1, mi2)?, pair(s1, s2)?);
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (fraction, offset) = fraction(rest)?;
    let minutes = days * 1_440 + hour * 60 + minute - offset_minutes(offset)?;
    // A leap second ends a UTC day, whatever the local time is (RFC 3339, 5.7).
    if second == 60 && (minutes + 1).rem_euclid(1_440) != 0 {
        return None;
    }
    let seconds = minutes * 60 + second;
    Some(i128::from(seconds) * 1_000_000_000 + i128::from(fraction))
}

/// Days since 1970-01-01 of `YYYY-MM-DD`.
pub(super) fn days(text: &[u8]) -> Option<i64> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *text else { return None };
    days_since_1970(pair(y1, y2)? * 100 + pair(y3, y4)?, pair(m1, m2)?, pair(d1, d2)?)
}

fn digit(byte: u8) -> Option<i64> {
    byte.is_ascii_digit().then(|| i64::from(byte - b'0'))
}

fn pair(tens: u8, ones: u8) -> Option<i64> {
    Some(digit(tens)? * 10 + digit(ones)?)
}

/// The nanoseconds of `.digits`, if present, and the rest.
fn fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let Some((b'.', text)) = text.split_first() else { return Some((0, text)) };
    let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at_checked(length)?;
    if !(1..=9).contains(&length) {
        return None;
    }
    let written = digits.iter().try_fold(0, |sum, byte| Some(sum * 10 + digit(*byte)?))?;
    Some(((length..9).fold(written, |nanos, _| nanos * 10), rest))
}

fn offset_minutes(text: &[u8]) -> Option<i64> {
    match *text {
        [b'Z' | b'z'] => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (pair(h1, h2)?, pair(m1, m2)?);
            let offset = hours * 60 + minutes;
            (hours < 24 && minutes < 60).then_some(if sign == b'-' { -offset } else { offset })
        }
        _ => None,
    }
}

/// Days since 1970-01-01 in the Gregorian calendar, computed with years that begin in March, so that a leap day is the last day
/// of a year.
fn days_since_1970(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=last).contains(&day) {
        return None;
    }
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    // There are 719 468 days between 0000-03-01 and 1970-01-01.
    Some(year * 365 + leap_days + day_of_year - 719_468)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_the_grammar_of_rfc_3339_is_a_time() {
        let second = 1_000_000_000;
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("1970-01-01t00:00:00z", Some(0)),
            ("1970-01-01 00:00:00-00:00", Some(0)),
            ("1970-01-01T00:00:00.000000001Z", Some(1)),
            ("1969-12-31T23:59:59.9Z", Some(-second / 10)),
            ("1970-01-01T01:30:00+01:30", Some(0)),
            ("1969-12-31T23:00:00-01:00", Some(0)),
            ("1970-01-01T23:59:60Z", Some(86_400 * second)),
            ("1990-12-31T15:59:60-08:00", Some(662_688_000 * second)),
            ("1991-01-01T05:29:60.5+05:30", Some(662_688_000 * second + second / 2)),
            ("1990-12-31T23:59:60+01:00", None),
            ("1990-12-31T22:59:60Z", None),
            ("2024-02-29T00:00:00Z", Some(1_709_164_800 * second)),
            ("2023-02-29T00:00:00Z", None),
            ("1900-02-29T00:00:00Z", None),
            ("1970-01-01T00:00:60Z", None),
            ("1970-01-01T24:00:00Z", None),
            ("1970-13-01T00:00:00Z", None),
            ("1970-00-01T00:00:00Z", None),
            ("1970-01-01T00:00:00", None),
            ("1970-01-01T00:00Z", None),
            ("1970-01-01T00:00+01:00", None),
            ("1970-01-01T00:00:00.Z", None),
            ("1970-01-01T00:00:00,5Z", None),
            ("1970-01-01T00:00:00.0000000001Z", None),
            ("1970-01-01T00:00:00+01", None),
            ("1970-01-01T00:00:00+0100", None),
            ("1970-01-01T00:00:00+24:00", None),
            ("1970-01-01T00:00:00+01:00:30", None),
            ("1970-01-01T00:00:00Z ", None),
            ("1970-01-01T00:00:00Z[UTC]", None),
            ("19700101T000000Z", None),
            ("1970-01-01", None),
            ("+970-01-01T00:00:00Z", None),
            ("", None),
        ] {
            assert_eq!(nanos(text.as_bytes()), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_library_agrees_on_every_time(moment in any::<i64>(), minutes in -1_439_i32..1_440) {
            let time = Timestamp::from_nanosecond(i128::from(moment))?;
            prop_assert_eq!(nanos(time.to_string().as_bytes()), Some(i128::from(moment)));
            let offset = jiff::tz::Offset::from_seconds(minutes * 60)?;
            prop_assert_eq!(nanos(time.display_with_offset(offset).to_string().as_bytes()), Some(i128::from(moment)));
        }

        #[test]
        fn a_library_agrees_on_every_date(day in -719_528_i32..=2_932_896) {
            let date = jiff::civil::date(1970, 1, 1).checked_add(jiff::Span::new().days(day))?;
            prop_assert_eq!(days(date.to_string().as_bytes()), Some(i64::from(day)));
        }

        #[test]
        fn no_bytes_panic(text in any::<Vec<u8>>(), at in 0..25_usize, byte in any::<u8>()) {
            let _ = nanos(&text);
            let mut damaged = b"2026-01-05T14:30:00+01:00".to_vec();
            damaged[at] = byte;
            let _ = nanos(&damaged);
        }
    }
}
