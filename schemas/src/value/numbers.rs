//! Fixed-point number types of trading. All count billionths; they differ in meaning and in permitted signs.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use super::fixed::{self, ParseFixedError};

/// The permitted signs of a number from outside.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sign {
    Any,
    NotNegative,
    Positive,
}

impl Sign {
    fn check(self, units: i128, what: &str) -> Result<i128, String> {
        match self {
            Sign::NotNegative if units < 0 => Err(format!("[negative_number] {} is negative, but {what} must not be", Money(units))),
            Sign::Positive if units <= 0 => Err(format!("[not_positive] {} is not above zero, but {what} must be", Money(units))),
            _ => Ok(units),
        }
    }
}

macro_rules! fixed_point {
    ($(#[$doc:meta])* $name:ident, $sign:expr, $what:literal) => {
        $(#[$doc])*
        // A 128-bit integer alone begins at multiples of sixteen bytes, which would leave holes in all that is remembered.
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(Rust, packed(8))]
        pub struct $name(i128);

        impl $name {
            /// Zero.
            pub const ZERO: Self = Self(0);

            /// From billionths.
            pub const fn from_units(units: i128) -> Self { Self(units) }
            /// In billionths.
            pub const fn units(self) -> i128 { self.0 }
            /// From an integer.
            pub const fn whole(number: i64) -> Self { Self(number as i128 * fixed::ONE) }
            /// Whether it is zero.
            pub const fn is_zero(self) -> bool { self.0 == 0 }
            /// The sum; `None` if it does not fit a column.
            pub fn checked_add(self, other: Self) -> Option<Self> {
                self.0.checked_add(other.0).and_then(fixed::in_range).map(Self)
            }
            /// The difference; `None` if it does not fit a column.
            pub fn checked_sub(self, other: Self) -> Option<Self> {
                self.0.checked_sub(other.0).and_then(fixed::in_range).map(Self)
            }
            /// The nearest binary floating-point number, for statistics only.
            pub fn to_statistic(self) -> f64 { self.0 as f64 / fixed::ONE as f64 }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result { fixed::write(self.0, out) }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result { fixed::write(self.0, out) }
        }

        impl FromStr for $name {
            type Err = ParseFixedError;
            fn from_str(text: &str) -> Result<Self, ParseFixedError> { fixed::parse(text).map(Self) }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
                if out.is_human_readable() { out.collect_str(self) } else { self.units().serialize(out) }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
                if !input.is_human_readable() {
                    return i128::deserialize(input).map(Self);
                }
                let units = exact(input)?;
                $sign.check(units, $what).map(Self).map_err(serde::de::Error::custom)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> { stringify!($name).into() }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema { decimal_schema($sign, $what) }
        }
    };
}

fixed_point!(
    /// Price of one unit, in the instrument's currency. May be negative (spreads, power).
    Price, Sign::Any, "a price"
);
fixed_point!(
    /// A quantity that was ordered or filled: positive from outside; signed for a position.
    Quantity, Sign::Positive, "a quantity"
);
fixed_point!(
    /// A quantity in market data, or a new total quantity of an order: may be zero, not negative.
    Size, Sign::NotNegative, "a size"
);
fixed_point!(
    /// An amount of money from outside: may be zero, not negative; the event determines the direction.
    Amount, Sign::NotNegative, "an amount"
);
fixed_point!(
    /// A signed amount of money in some currency.
    Money, Sign::Any, "a sum"
);

fixed_point!(
    /// A multiplier, a rate, a tick size or a lot size. Positive.
    Factor, Sign::Positive, "a factor"
);
fixed_point!(
    /// A decimal of any sign: a coordinate, an interest rate, a threshold.
    Decimal, Sign::Any, "a decimal"
);

impl Quantity {
    /// The quantity with the opposite sign.
    pub const fn negated(self) -> Self {
        Self(-self.0)
    }

    /// The quantity without its sign.
    pub const fn magnitude(self) -> Self {
        Self(self.0.abs())
    }
}

impl Amount {
    /// As a signed amount.
    pub const fn money(self) -> Money {
        Money(self.0)
    }
}

impl Money {
    /// The amount with the opposite sign.
    pub const fn negated(self) -> Self {
        Self(-self.0)
    }

    /// The amount without its sign.
    pub const fn magnitude(self) -> Self {
        Self(self.0.abs())
    }

    /// Price × quantity × multiplier, each product rounded half to even to nine digits; `None` if it does not fit a column.
    pub fn notional(price: Price, quantity: Quantity, multiplier: Factor) -> Option<Self> {
        Self(fixed::product(price.0, quantity.0)?).times(multiplier)
    }

    /// The amount × a multiplier, rounded half to even to nine digits; `None` if it does not fit a column.
    pub fn times(self, multiplier: Factor) -> Option<Self> {
        if multiplier.0 == fixed::ONE {
            return Some(self);
        }
        fixed::product(self.0, multiplier.0).map(Self)
    }
}

/// The billionths of a JSON string or number, read as written and never through a binary float.
fn exact<'de, D: Deserializer<'de>>(input: D) -> Result<i128, D::Error> {
    use serde::de::Error;
    let raw = <&RawValue>::deserialize(input)?.get();
    let text = match raw.as_bytes().first() {
        Some(b'"') => match raw.get(1..raw.len() - 1) {
            // An escape inside a number is odd but valid JSON.
            Some(inside) if !inside.contains('\\') => Cow::Borrowed(inside),
            _ => Cow::Owned(serde_json::from_str::<String>(raw).map_err(D::Error::custom)?),
        },
        Some(b'-' | b'0'..=b'9') => Cow::Borrowed(raw),
        _ => return Err(D::Error::custom(format!("[wrong_type] {raw} is not a decimal; send a JSON string or number"))),
    };
    fixed::parse(&text).map_err(|error| D::Error::custom(format!("[bad_decimal] {text:?} {error}")))
}

fn decimal_schema(sign: Sign, what: &str) -> schemars::Schema {
    let minus = if sign == Sign::Any { "-?" } else { "" };
    let minimum = match sign {
        Sign::Any => serde_json::json!({ "type": "number" }),
        Sign::NotNegative => serde_json::json!({ "type": "number", "minimum": 0 }),
        Sign::Positive => serde_json::json!({ "type": "number", "exclusiveMinimum": 0 }),
    };
    schemars::json_schema!({
        "description": format!("{what}, preferably as a string; at most 18 integer and 9 fraction digits, read exactly as written"),
        "anyOf": [
            { "type": "string", "pattern": format!("^{minus}(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][+-]?[0-9]+)?$") },
            minimum
        ]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_numbers_keep_all_their_digits() {
        let read = |text: &str| serde_json::from_str::<Money>(text).map(|money| money.to_string()).map_err(|error| error.to_string());
        assert_eq!(read("123456789012.12345678"), Ok("123456789012.12345678".into()));
        assert_eq!(read("\"123456789012.12345678\""), Ok("123456789012.12345678".into()));
        assert_eq!(read(r#""1\u0032""#), Ok("12".into()));
        assert!(read("true").is_err_and(|error| error.starts_with("[wrong_type]")));
        assert!(read("1.0000000001").is_err_and(|error| error.starts_with("[bad_decimal]")));
    }

    #[test]
    fn signs_are_checked_where_they_come_in() {
        assert!(serde_json::from_str::<Quantity>("0").is_err_and(|error| error.to_string().starts_with("[not_positive]")));
        assert!(serde_json::from_str::<Size>("0").is_ok());
        assert!(serde_json::from_str::<Amount>("-1").is_err_and(|error| error.to_string().starts_with("[negative_number]")));
        assert!(serde_json::from_str::<Price>("-1").is_ok());
    }

    #[test]
    fn notional_rounds_half_to_even_at_the_ninth_digit() {
        let notional = |price: &str, quantity: &str| Money::notional(price.parse().ok()?, quantity.parse().ok()?, Factor::whole(1));
        assert_eq!(notional("0.000000001", "0.5"), Some(Money::ZERO));
        assert_eq!(notional("0.000000003", "0.5"), Some(Money::from_units(2)));
        assert_eq!(notional("10000", "12"), Some(Money::whole(120_000)));
        assert_eq!(notional("999999999999999999", "999999999999999999"), None);
    }
}
