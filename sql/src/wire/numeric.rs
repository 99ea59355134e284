//! NUMERIC in the protocol's binary format: a decimal number in digits of base 10000.
//!
//! ```text
//! i16 number of digits | i16 weight of the first: its power of 10000 | i16 sign | i16 digits after the point | i16 each digit
//! ```

use bytes::{BufMut, BytesMut};

/// Decimal digits of one digit of base 10000.
const GROUP: usize = 4;
const NEGATIVE: u16 = 0x4000;
const POSITIVE: u16 = 0;

/// Appends a number that is written like `-123.45`; false if it is not.
pub(super) fn append(text: &str, out: &mut BytesMut) -> bool {
    let (sign, unsigned) = text.strip_prefix('-').map_or((POSITIVE, text), |rest| (NEGATIVE, rest));
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let whole = whole.trim_start_matches('0');
    let digits = [whole, fraction].concat();
    let Ok(scale) = i16::try_from(fraction.len()) else { return false };
    if !unsigned.bytes().any(|digit| digit.is_ascii_digit()) || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return false;
    }
    // Filled up to whole groups on both sides of the point.
    let before = whole.len().div_ceil(GROUP);
    let after = fraction.len().div_ceil(GROUP);
    let padded = format!("{whole:0>before$}{fraction:0<after$}", before = before * GROUP, after = after * GROUP);
    let group = |group: &[u8]| group.iter().fold(0_i16, |value, digit| value * 10 + i16::from(digit - b'0'));
    let mut groups: Vec<i16> = padded.as_bytes().chunks(GROUP).map(group).collect();
    let Ok(mut weight) = i16::try_from(before) else { return false };
    weight -= 1;
    let zeros = groups.iter().take_while(|group| **group == 0).count();
    groups.drain(..zeros);
    while groups.last() == Some(&0) {
        groups.pop();
    }
    let Ok(shift) = i16::try_from(zeros) else { return false };
    let Ok(count) = i16::try_from(groups.len()) else { return false };
    let is_zero = groups.is_empty();
    out.put_i16(count);
    out.put_i16(if is_zero { 0 } else { weight.saturating_sub(shift) });
    out.put_u16(if is_zero { POSITIVE } else { sign });
    out.put_i16(scale);
    groups.into_iter().for_each(|group| out.put_i16(group));
    true
}

/// The number as text; `None` if it is none, such as NaN and infinity.
pub(super) fn text(bytes: &[u8]) -> Option<String> {
    let mut words = bytes.chunks_exact(2).map(|word| <[u8; 2]>::try_from(word).map(u16::from_be_bytes).unwrap_or_default());
    let (count, weight, sign, scale) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let digits: Vec<u16> = words.collect();
    let scale = usize::from(scale);
    if usize::from(count) != digits.len() || digits.iter().any(|digit| *digit > 9999) || !bytes.len().is_multiple_of(2) {
        return None;
    }
    if sign != POSITIVE && sign != NEGATIVE || scale > 16_383 {
        return None;
    }
    let weight = i32::from(weight.cast_signed());
    let digit = |power: i32| {
        let index = usize::try_from(weight - power).ok();
        index.and_then(|index| digits.get(index)).copied().unwrap_or(0)
    };
    let mut number = String::new();
    for power in (0..=weight.max(0)).rev() {
        number.push_str(&format!("{:04}", digit(power)));
    }
    let whole = number.trim_start_matches('0').to_owned();
    let mut fraction = String::new();
    let mut power = -1;
    while fraction.len() < scale {
        fraction.push_str(&format!("{:04}", digit(power)));
        power -= 1;
    }
    fraction.truncate(scale);
    let minus = if sign == NEGATIVE { "-" } else { "" };
    let whole = if whole.is_empty() { "0" } else { &whole };
    Some(if fraction.is_empty() { format!("{minus}{whole}") } else { format!("{minus}{whole}.{fraction}") })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(number: &str) -> Vec<i16> {
        let mut out = BytesMut::new();
        assert!(append(number, &mut out), "{number}");
        out.chunks(2).map(|word| i16::from_be_bytes([word[0], word[1]])).collect()
    }

    /// The words are those that PostgreSQL's `numeric_send` gives.
    #[test]
    fn numbers_have_postgresql_s_digits() {
        assert_eq!(written("0"), [0, 0, 0, 0]);
        assert_eq!(written("0.000"), [0, 0, 0, 3]);
        assert_eq!(written("1"), [1, 0, 0, 0, 1]);
        assert_eq!(written("10000"), [1, 1, 0, 0, 1]);
        assert_eq!(written("12345.678"), [3, 1, 0, 3, 1, 2345, 6780]);
        assert_eq!(written("-0.000000001"), [1, -3, 0x4000, 9, 1000]);
        assert_eq!(written("100000000.5"), [4, 2, 0, 1, 1, 0, 0, 5000]);
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for bad in ["", "-", "1e5", "NaN", "1.2.3", "+1", "inf"] {
            assert!(!append(bad, &mut BytesMut::new()), "{bad:?}");
        }
        let nan = [0, 0, 0, 0, 0xc0, 0, 0, 0];
        for bad in [&nan[..], &[], &[0], &[0, 1, 0, 0, 0, 0, 0, 0], &[0, 1, 0, 0, 0, 0, 0, 0, 0x27, 0x10]] {
            assert_eq!(text(bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn every_decimal_comes_back(units in any::<i128>(), scale in 0_usize..=38) {
            let digits = units.unsigned_abs().to_string();
            let padded = format!("{digits:0>width$}", width = scale + 1);
            let (whole, fraction) = padded.split_at(padded.len() - scale);
            let minus = if units < 0 { "-" } else { "" };
            let number = if scale == 0 { format!("{minus}{whole}") } else { format!("{minus}{whole}.{fraction}") };
            let mut out = BytesMut::new();
            prop_assert!(append(&number, &mut out));
            prop_assert_eq!(text(&out), Some(number));
        }
    }
}
