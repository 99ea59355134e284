//! Totals: sums of many amounts.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::fixed;
use super::numbers::Money;

/// The greatest magnitude of a `DECIMAL(38,9)` column, in billionths.
const MAX_UNITS: u128 = 10_u128.pow(38) - 1;

/// A signed sum of many amounts, in billionths. It has ten digits more than [`Money`], so it overflows only after 10^11 amounts
/// of the greatest magnitude.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
// Like the amounts that it sums.
#[repr(Rust, packed(8))]
pub struct Total(i128);

impl Total {
    /// Zero.
    pub const ZERO: Self = Self(0);

    /// From billionths.
    pub const fn from_units(units: i128) -> Self {
        Self(units)
    }

    /// In billionths.
    pub const fn units(self) -> i128 {
        self.0
    }

    /// From an integer.
    pub const fn whole(number: i64) -> Self {
        Self(number as i128 * fixed::ONE)
    }

    /// The sum with an amount; `None` if it does not fit a column.
    pub fn checked_add(self, amount: Money) -> Option<Self> {
        self.0.checked_add(amount.units()).and_then(in_range)
    }

    /// The difference from another sum; `None` if it does not fit a column.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).and_then(in_range)
    }

    /// The nearest binary floating-point number, for statistics only.
    pub fn to_statistic(self) -> f64 {
        self.0 as f64 / fixed::ONE as f64
    }

    /// The same sum as an amount, for calculations that check their range.
    pub const fn money(self) -> Money {
        Money::from_units(self.0)
    }
}

impl Serialize for Total {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        self.units().serialize(out)
    }
}

impl<'de> Deserialize<'de> for Total {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        i128::deserialize(input).map(Self)
    }
}

fn in_range(units: i128) -> Option<Total> {
    (units.unsigned_abs() <= MAX_UNITS).then_some(Total(units))
}

impl fmt::Display for Total {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fixed::write(self.0, out)
    }
}

impl fmt::Debug for Total {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fixed::write(self.0, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_total_is_exact_far_beyond_a_single_amount() {
        let most: Money = "999999999999999999.999999999".parse().unwrap();
        let twelve = (0..12).try_fold(Total::ZERO, |total, _| total.checked_add(most));
        assert_eq!(twelve.map(|total| total.to_string()).as_deref(), Some("11999999999999999999.999999988"));
        let greatest = Total(10_i128.pow(38) - 1);
        assert_eq!(greatest.checked_add(Money::from_units(1)), None);
        assert_eq!(greatest.checked_sub(greatest), Some(Total::ZERO));
    }
}
