//! Fixed-point numbers: an `i128` that counts billionths.
//!
//! Every amount in Headwater has nine fraction digits, so adding is integer addition: exact, and the same in any order. A number
//! read from outside has at most [`INTEGER_DIGITS`] integer digits; a computed one may have one digit more, because that is what
//! the tables' `DECIMAL(28,9)` holds. Beyond that every operation returns `None`, which the caller turns into a dead letter:
//! nothing wraps and nothing is rounded silently.
//!
//! Products and quotients round once, half to even, to the ninth digit ([`product`], [`quotient`]).

use ethnum::I256;

/// Billionths in one.
pub const ONE: i128 = 1_000_000_000;
/// Number of fraction digits.
pub const FRACTION_DIGITS: usize = 9;
/// Maximum integer digits of a number read from outside.
pub const INTEGER_DIGITS: usize = 18;
/// The greatest magnitude of a `DECIMAL(28,9)` column, in billionths.
pub const MAX_UNITS: i128 = 10_i128.pow(28) - 1;

/// Why a text is not a valid number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseFixedError {
    /// The text does not follow the grammar of a JSON number.
    #[error("is not a decimal number; write digits like \"123.45\"")]
    NotANumber,
    /// More digits before the point than [`INTEGER_DIGITS`].
    #[error("has more than 18 integer digits")]
    TooManyIntegerDigits,
    /// More digits after the point than [`FRACTION_DIGITS`].
    #[error("has more than 9 fraction digits; it is refused, not rounded")]
    TooManyFractionDigits,
}

/// Reads a decimal exactly as written, in billionths. The grammar is that of a JSON number, exponent included.
pub fn parse(text: &str) -> Result<i128, ParseFixedError> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, parse_exponent(exponent)?),
        None => (unsigned, 0),
    };
    let (integer, fraction) = match mantissa.split_once('.') {
        Some((integer, fraction)) if !fraction.is_empty() => (integer, fraction),
        Some(_) => return Err(ParseFixedError::NotANumber),
        None => (mantissa, ""),
    };
    let all_digits = integer.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit());
    let leading_zero = integer.len() > 1 && integer.starts_with('0');
    if integer.is_empty() || !all_digits || leading_zero {
        return Err(ParseFixedError::NotANumber);
    }
    let units = shift(integer, fraction, exponent)?;
    Ok(if negative { -units } else { units })
}

/// [`INTEGER_DIGITS`] as a signed number.
const INTEGERS: i64 = 18;
/// [`FRACTION_DIGITS`] as a signed number.
const FRACTIONS: i64 = 9;

fn parse_exponent(text: &str) -> Result<i64, ParseFixedError> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(ParseFixedError::NotANumber);
    }
    // An exponent that does not fit an i64 has shifted out every digit anyway.
    let magnitude = digits.parse::<i64>().unwrap_or(i64::MAX / 4).min(i64::MAX / 4);
    Ok(if text.starts_with('-') { -magnitude } else { magnitude })
}

/// Places the decimal point of `integer.fraction × 10^exponent` and counts billionths.
fn shift(integer: &str, fraction: &str, exponent: i64) -> Result<i128, ParseFixedError> {
    let digits = || integer.bytes().chain(fraction.bytes()).map(|byte| byte - b'0');
    let length = i64::try_from(integer.len() + fraction.len()).unwrap_or(i64::MAX / 4);
    let point = i64::try_from(integer.len()).unwrap_or(i64::MAX / 4) + exponent;
    // Zero has no first digit; its leading zeros do not count, but written fraction digits do.
    let first = digits().position(|digit| digit != 0).and_then(|place| i64::try_from(place).ok());
    if first.is_some_and(|first| point - first > INTEGERS) {
        return Err(ParseFixedError::TooManyIntegerDigits);
    }
    if length - point > FRACTIONS {
        return Err(ParseFixedError::TooManyFractionDigits);
    }
    if first.is_none() {
        return Ok(0);
    }
    // At most 18 + 9 significant digits, which fit an i128.
    let written = match digits().try_fold(0_u64, |sum, digit| sum.checked_mul(10)?.checked_add(u64::from(digit))) {
        Some(short) => i128::from(short),
        None => digits().fold(0_i128, |sum, digit| sum * 10 + i128::from(digit)),
    };
    let missing = u32::try_from(FRACTIONS + point - length).unwrap_or(0);
    Ok(written * 10_i128.pow(missing))
}

/// [`ONE`] as an unsigned number.
const BILLION: u64 = 1_000_000_000;

/// Writes billionths as the shortest decimal text: no exponent, no trailing zero.
pub fn write(units: i128, out: &mut impl std::fmt::Write) -> std::fmt::Result {
    let magnitude = units.unsigned_abs();
    if units < 0 {
        out.write_char('-')?;
    }
    // Most numbers fit the machine's own division and formatting, which are several times faster.
    if let Ok(short) = u64::try_from(magnitude) {
        return write_parts(short / BILLION, short % BILLION, out);
    }
    let billion = u128::from(BILLION);
    write_parts(magnitude / billion, u64::try_from(magnitude % billion).unwrap_or(0), out)
}

fn write_parts(integer: impl std::fmt::Display, mut fraction: u64, out: &mut impl std::fmt::Write) -> std::fmt::Result {
    write!(out, "{integer}")?;
    if fraction != 0 {
        let mut width = FRACTION_DIGITS;
        while fraction.is_multiple_of(10) {
            fraction /= 10;
            width -= 1;
        }
        write!(out, ".{fraction:0width$}")?;
    }
    Ok(())
}

/// `a × b`, both in billionths, rounded half to even to billionths; `None` beyond [`MAX_UNITS`].
pub fn product(a: i128, b: i128) -> Option<i128> {
    if b == ONE {
        return in_range(a);
    }
    let Some(product) = a.checked_mul(b) else { return quotient(a, b, ONE) };
    let (integer, rest) = billions(product.unsigned_abs());
    let is_up = rest > BILLION / 2 || rest == BILLION / 2 && integer % 2 == 1;
    let magnitude = i128::try_from(integer + u128::from(is_up)).ok().and_then(in_range)?;
    Some(if product < 0 { -magnitude } else { magnitude })
}

/// The number divided by [`BILLION`], and the rest. In steps of 32 bits, whose divisions by a constant are multiplications: several times
/// faster than a division of 128 bits.
fn billions(number: u128) -> (u128, u64) {
    const LOW: u128 = u32::MAX as u128;
    let bits = |number: u128| u64::try_from(number).unwrap_or(u64::MAX);
    let high = bits(number >> 64);
    // A rest is below 2^30, so each number has at most 62 bits, and its quotient 32.
    let middle = (high % BILLION) << 32 | bits(number >> 32 & LOW);
    let low = (middle % BILLION) << 32 | bits(number & LOW);
    let quotient = u128::from(high / BILLION) << 64 | u128::from(middle / BILLION) << 32 | u128::from(low / BILLION);
    (quotient, low % BILLION)
}

/// `a × b / c`, rounded once, half to even; `None` for `c = 0` or a result beyond [`MAX_UNITS`].
pub fn quotient(a: i128, b: i128, c: i128) -> Option<i128> {
    wide_quotient(a, b, c).and_then(in_range)
}

/// Like [`quotient`], for sums that may exceed a single amount: `None` only beyond 128 bits.
pub fn wide_quotient(a: i128, b: i128, c: i128) -> Option<i128> {
    if c == 0 {
        return None;
    }
    match a.checked_mul(b) {
        Some(product) => Some(narrow_quotient(product, c)),
        None => quotient_of_256_bits(I256::from(a) * I256::from(b), I256::from(c)),
    }
}

/// The number, if it fits a column.
pub fn in_range(units: i128) -> Option<i128> {
    (units.unsigned_abs() <= MAX_UNITS.unsigned_abs()).then_some(units)
}

fn narrow_quotient(numerator: i128, divisor: i128) -> i128 {
    let (quotient, remainder) = (numerator / divisor, numerator % divisor);
    let away = if (numerator < 0) == (divisor < 0) { 1 } else { -1 };
    // Compares twice the remainder with the divisor without doubling it, which could overflow.
    let (remainder, divisor) = (remainder.unsigned_abs(), divisor.unsigned_abs());
    match remainder.cmp(&(divisor - remainder)) {
        std::cmp::Ordering::Less => quotient,
        std::cmp::Ordering::Greater => quotient + away,
        std::cmp::Ordering::Equal => quotient + if quotient % 2 == 0 { 0 } else { away },
    }
}

fn quotient_of_256_bits(numerator: I256, divisor: I256) -> Option<i128> {
    let (quotient, remainder) = (numerator / divisor, numerator % divisor);
    let away = if (numerator < I256::ZERO) == (divisor < I256::ZERO) { I256::ONE } else { -I256::ONE };
    let (remainder, divisor) = (remainder.abs(), divisor.abs());
    let rounded = match remainder.cmp(&(divisor - remainder)) {
        std::cmp::Ordering::Less => quotient,
        std::cmp::Ordering::Greater => quotient + away,
        std::cmp::Ordering::Equal => quotient + if quotient % I256::from(2) == I256::ZERO { I256::ZERO } else { away },
    };
    i128::try_from(rounded).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_exactly_as_written() {
        let cases: &[(&str, Result<i128, ParseFixedError>)] = &[
            ("0", Ok(0)),
            ("-0", Ok(0)),
            ("0.000000000", Ok(0)),
            ("123.45", Ok(123_450_000_000)),
            ("-123.45", Ok(-123_450_000_000)),
            ("123456789012.12345678", Ok(123_456_789_012_123_456_780)),
            ("999999999999999999.999999999", Ok(10_i128.pow(27) - 1)),
            ("0.000000001", Ok(1)),
            ("1e3", Ok(1_000 * ONE)),
            ("1.5E-3", Ok(1_500_000)),
            ("0e99", Ok(0)),
            ("1000000000000000000", Err(ParseFixedError::TooManyIntegerDigits)),
            ("1e18", Err(ParseFixedError::TooManyIntegerDigits)),
            ("1e99999999999999999999", Err(ParseFixedError::TooManyIntegerDigits)),
            ("0.0000000001", Err(ParseFixedError::TooManyFractionDigits)),
            ("1.0000000000", Err(ParseFixedError::TooManyFractionDigits)),
            ("1e-10", Err(ParseFixedError::TooManyFractionDigits)),
            ("", Err(ParseFixedError::NotANumber)),
            ("-", Err(ParseFixedError::NotANumber)),
            ("+1", Err(ParseFixedError::NotANumber)),
            ("01", Err(ParseFixedError::NotANumber)),
            (".5", Err(ParseFixedError::NotANumber)),
            ("5.", Err(ParseFixedError::NotANumber)),
            ("1 000", Err(ParseFixedError::NotANumber)),
            ("1e", Err(ParseFixedError::NotANumber)),
            ("NaN", Err(ParseFixedError::NotANumber)),
            ("١", Err(ParseFixedError::NotANumber)),
        ];
        for (text, expected) in cases {
            assert_eq!(&parse(text), expected, "{text}");
        }
    }

    #[test]
    fn writing_is_the_shortest_text_and_reads_back() {
        for (units, text) in [(0, "0"), (1, "0.000000001"), (-1_500_000_000, "-1.5"), (100 * ONE, "100")] {
            let mut out = String::new();
            assert!(write(units, &mut out).is_ok());
            assert_eq!(out, text);
            assert_eq!(parse(&out), Ok(units));
        }
    }

    #[test]
    fn halves_round_to_even_whichever_the_sign() {
        // (numerator, divisor, rounded): 5/2 = 2.5 → 2, 7/2 = 3.5 → 4
        for (a, c, expected) in [(5, 2, 2), (7, 2, 4), (-5, 2, -2), (-7, 2, -4), (5, -2, -2), (7, 3, 2), (8, 3, 3), (-8, 3, -3)] {
            assert_eq!(quotient(a, 1, c), Some(expected), "{a}/{c}");
            assert_eq!(quotient_of_256_bits(I256::from(a), I256::from(c)), Some(expected), "wide {a}/{c}");
        }
    }

    #[test]
    fn products_are_those_of_the_division_of_256_bits() {
        let powers = (0..28).map(|exponent| 10_i128.pow(exponent));
        let bounds = [0, 1 << 31, 1 << 32, 1 << 62, 1 << 63, 1 << 64, 1 << 92, ONE / 2, 3 * ONE / 2, 5 * ONE / 2, 3, 7, MAX_UNITS];
        let near = powers.chain(bounds).flat_map(|number| [number - 1, number, number + 1]);
        let numbers: Vec<_> = near.flat_map(|number| [number, -number]).collect();
        for a in &numbers {
            for b in &numbers {
                let expected = quotient_of_256_bits(I256::from(*a) * I256::from(*b), I256::from(ONE)).and_then(in_range);
                assert_eq!(product(*a, *b), expected, "{a} × {b}");
            }
        }
    }

    #[test]
    fn a_result_that_no_column_holds_is_none() {
        assert_eq!(product(10_i128.pow(27), 10_i128.pow(27)), None);
        assert_eq!(product(i128::MAX, i128::MAX), None);
        assert_eq!(quotient(1, 1, 0), None);
        assert_eq!(quotient(10_i128.pow(27), 10_i128.pow(27), 10_i128.pow(27)), Some(10_i128.pow(27)));
    }
}
