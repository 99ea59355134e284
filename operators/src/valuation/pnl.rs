//! Scenario P&L: market value × return, each term rounded once, half to even, to millionths, and added as integers.
//!
//! A term is a pure function of value and return. Nearly all terms are below 2⁵¹: adding 1.5 × 2⁵² to such a product leaves it
//! rounded in the low bits, which compilers turn into vector instructions. Greater terms take a slower path with the same
//! results, and beyond 2⁵³, where a binary product is no longer exact, terms are computed in 256 bits.
//!
//! Sums are 64 bits wide while they fit, and 128 bits from then on: no order of additions changes them.

use ethnum::I256;
use headwater_schemas::Money;
use serde::{Deserialize, Serialize};

/// 1.5 × 2⁵²: a sum with it has no fraction bits.
const ROUNDING: f64 = 6_755_399_441_055_744.0;
/// 2⁵¹: below it [`ROUNDING`] rounds.
const NARROW: f64 = 2_251_799_813_685_248.0;
/// 2⁵³: below it, a product that is rounded to an integer is exact.
const WHOLE: f64 = 9_007_199_254_740_992.0;
/// The greatest P&L of one position in a scenario, in millionths: sums of many still fit.
const GREATEST: f64 = 1e28;
/// 2⁵²: the greatest difference of two narrow terms.
const NARROW_STEP: u64 = 1 << 52;

/// The market value to which the returns are applied.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stake {
    value: Money,
    millionths: f64,
}

impl Stake {
    /// The stake of a market value.
    pub fn of(value: Money) -> Self {
        Self { value, millionths: value.to_statistic() * 1e6 }
    }

    /// One term; `None` if it exceeds [`GREATEST`].
    fn term(self, daily: f64) -> Option<i128> {
        let product = self.millionths * daily;
        if product.abs() < WHOLE {
            return Some(i128::from(whole(product.round_ties_even())));
        }
        exact_term(self.value.units(), daily)
    }
}

/// The returns of a symbol in every scenario, oldest first.
#[derive(Clone, Copy, Debug)]
pub struct Returns<'a> {
    daily: &'a [f64],
    greatest: f64,
}

impl<'a> Returns<'a> {
    /// Finite returns, and the greatest of their magnitudes.
    pub const fn new(daily: &'a [f64], greatest: f64) -> Self {
        Self { daily, greatest }
    }

    /// Whether the sums can hold the P&L of a stake.
    pub fn can_take(self, stake: Stake) -> bool {
        stake.millionths.abs() * self.greatest < GREATEST
    }

    /// What a stake adds to the sum of a scenario. Precondition: the returns can take it.
    pub fn term(self, stake: Stake, scenario: usize) -> i128 {
        self.daily.get(scenario).and_then(|daily| stake.term(*daily)).unwrap_or_default()
    }

    fn is_narrow(self, stake: Stake) -> bool {
        stake.millionths.abs() * self.greatest < NARROW
    }
}

/// Sums of P&L in every scenario, in millionths.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ScenarioSums {
    narrow: Vec<i64>,
    /// Upper bound of all magnitudes in `narrow`.
    bound: u64,
    /// To be added to `narrow`; empty while everything fits there.
    wide: Vec<i128>,
}

impl ScenarioSums {
    /// Zeros in this many scenarios.
    pub fn zeros(scenarios: usize) -> Self {
        Self { narrow: vec![0; scenarios], bound: 0, wide: Vec::new() }
    }

    /// The number of scenarios.
    pub const fn len(&self) -> usize {
        self.narrow.len()
    }

    /// Whether there are no scenarios.
    pub const fn is_empty(&self) -> bool {
        self.narrow.is_empty()
    }

    /// Subtracts the terms of `old` and adds those of `new`. Precondition: the returns can take both.
    pub fn replace(&mut self, returns: Returns<'_>, old: Stake, new: Stake) {
        if returns.is_narrow(old) && returns.is_narrow(new) {
            self.make_room(NARROW_STEP);
            add_difference(&mut self.narrow, returns.daily, old.millionths, new.millionths);
            return;
        }
        self.widen();
        for (sum, daily) in self.wide.iter_mut().zip(returns.daily) {
            *sum += new.term(*daily).unwrap_or_default() - old.term(*daily).unwrap_or_default();
        }
    }

    /// Adds other sums of the same scenarios.
    pub fn add(&mut self, other: &Self) {
        self.make_room(other.bound);
        self.narrow.iter_mut().zip(&other.narrow).for_each(|(sum, more)| *sum = sum.wrapping_add(*more));
        if !other.wide.is_empty() {
            self.widen();
            self.wide.iter_mut().zip(&other.wide).for_each(|(sum, more)| *sum += *more);
        }
    }

    /// The sums.
    pub fn totals(&self) -> Totals<'_> {
        if self.wide.is_empty() {
            return Totals::Narrow(&self.narrow);
        }
        Totals::Wide(self.narrow.iter().zip(&self.wide).map(|(narrow, wide)| i128::from(*narrow) + wide).collect())
    }

    /// The sum of a scenario.
    pub fn at(&self, scenario: usize) -> i128 {
        let narrow = self.narrow.get(scenario).copied().map_or(0, i128::from);
        narrow + self.wide.get(scenario).copied().unwrap_or_default()
    }

    /// Makes room for adding `step` to every narrow sum without overflow.
    fn make_room(&mut self, step: u64) {
        const LIMIT: u64 = i64::MAX.unsigned_abs();
        if LIMIT - self.bound < step {
            self.bound = self.narrow.iter().map(|sum| sum.unsigned_abs()).max().unwrap_or(0);
        }
        if LIMIT - self.bound < step {
            self.widen();
            self.wide.iter_mut().zip(&self.narrow).for_each(|(wide, narrow)| *wide += i128::from(*narrow));
            self.narrow.fill(0);
            self.bound = 0;
        }
        self.bound += step;
    }

    fn widen(&mut self) {
        if self.wide.is_empty() {
            self.wide = vec![0; self.narrow.len()];
        }
    }
}

/// Sums as integers of sufficient width.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Totals<'a> {
    /// They fit 64 bits.
    Narrow(&'a [i64]),
    /// They may exceed 64 bits.
    Wide(Vec<i128>),
}

fn add_difference(sums: &mut [i64], daily: &[f64], old: f64, new: f64) {
    let rounded = |product: f64| (product + ROUNDING).to_bits();
    for (sum, daily) in sums.iter_mut().zip(daily) {
        let difference = rounded(new * daily).wrapping_sub(rounded(old * daily));
        *sum = sum.wrapping_add(difference.cast_signed());
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the caller has bounded it by 2⁵³")]
const fn whole(number: f64) -> i64 {
    number as i64
}

/// Billionths × return, in millionths, rounded half to even: exact, because a binary number is an integer times a power of two.
fn exact_term(units: i128, daily: f64) -> Option<i128> {
    let bits = daily.abs().to_bits();
    let (biased, fraction) = (bits >> 52, bits & ((1 << 52) - 1));
    let (mantissa, exponent) = if biased == 0 { (fraction, -1074) } else { (fraction | 1 << 52, i32::try_from(biased).ok()? - 1075) };
    let product = I256::from(units.unsigned_abs()) * I256::from(mantissa);
    let (numerator, divisor) = match u32::try_from(exponent) {
        Ok(up) => (product.checked_shl(up).filter(|shifted| *shifted >> up == product)?, I256::from(1000)),
        // The product has at most 147 bits: divided by more than that it is zero.
        Err(_) if exponent < -200 => return Some(0),
        Err(_) => (product, I256::from(1000) << exponent.unsigned_abs()),
    };
    let (quotient, remainder) = (numerator / divisor, numerator % divisor);
    let up = match (remainder + remainder).cmp(&divisor) {
        std::cmp::Ordering::Less => I256::ZERO,
        std::cmp::Ordering::Greater => I256::ONE,
        std::cmp::Ordering::Equal => quotient & I256::ONE,
    };
    let magnitude = i128::try_from(quotient + up).ok()?;
    Some(if (units < 0) == daily.is_sign_negative() { magnitude } else { -magnitude })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn returns(daily: &[f64]) -> Returns<'_> {
        Returns::new(daily, daily.iter().fold(0.0, |greatest, daily| greatest.max(daily.abs())))
    }

    fn totals(sums: &ScenarioSums) -> Vec<i128> {
        match sums.totals() {
            Totals::Narrow(sums) => sums.iter().map(|sum| i128::from(*sum)).collect(),
            Totals::Wide(sums) => sums,
        }
    }

    fn terms(value: Money, daily: &[f64]) -> Vec<i128> {
        let mut sums = ScenarioSums::zeros(daily.len());
        sums.replace(returns(daily), Stake::default(), Stake::of(value));
        totals(&sums)
    }

    #[test]
    fn terms_are_rounded_half_to_even_to_millionths() {
        // 0.000003 × 0.5 = 1.5 millionths, 0.000005 × 0.5 = 2.5
        assert_eq!(terms(Money::from_units(3_000), &[0.5, -0.5, 1.0]), [2, -2, 3]);
        assert_eq!(terms(Money::from_units(5_000), &[0.5, -0.5]), [2, -2]);
        assert_eq!(terms(Money::whole(1000), &[-0.1, 1.0]), [-100_000_000, 1_000_000_000]);
    }

    #[test]
    fn the_greatest_values_are_exact() {
        // 10^19 less a billionth, halved: in millionths 5·10^24 less 0.0005.
        let greatest = Money::from_units(10_i128.pow(28) - 1);
        assert_eq!(terms(greatest, &[0.5, -0.5, 0.25]), [5 * 10_i128.pow(24), -5 * 10_i128.pow(24), 25 * 10_i128.pow(23)]);
        assert_eq!(terms(Money::whole(1 << 53), &[1.0, 3.0]), [(1 << 53) * 1_000_000, (1 << 53) * 3_000_000]);
        assert!(returns(&[0.5]).can_take(Stake::of(greatest)));
        assert!(!returns(&[1e9]).can_take(Stake::of(greatest)), "no table holds that P&L");
        // 2^53 + 1 millionths times one: a binary product would lose the one.
        assert_eq!(exact_term(((1 << 53) + 1) * 1000, 1.0), Some((1 << 53) + 1));
        assert_eq!(exact_term(1_500, 1.0), Some(2));
        assert_eq!(exact_term(2_500, -1.0), Some(-2));
        assert_eq!(exact_term(i128::MAX, f64::MAX), None);
        assert_eq!(exact_term(i128::MAX, f64::MIN_POSITIVE), Some(0));
    }

    #[test]
    fn a_sum_beyond_64_bits_stays_exact() {
        let daily = [1.0, -1.0];
        let great = Stake::of(Money::whole(2_000_000_000));
        assert!(returns(&daily).is_narrow(great));
        let mut sums = ScenarioSums::zeros(2);
        for _ in 0..10_000 {
            sums.replace(returns(&daily), Stake::default(), great);
        }
        assert_eq!(totals(&sums), [20_000_000_000_000_000_000, -20_000_000_000_000_000_000]);
        let mut twice = sums.clone();
        twice.add(&sums);
        assert_eq!(totals(&twice), [40_000_000_000_000_000_000, -40_000_000_000_000_000_000]);
        for _ in 0..10_000 {
            sums.replace(returns(&daily), great, Stake::default());
        }
        assert_eq!(totals(&sums), [0, 0]);
    }

    proptest! {
        #[test]
        fn the_kernel_gives_the_integers_of_round_ties_even(
            values in proptest::collection::vec(-90_000_000_000_000_000_i64..90_000_000_000_000_000, 1..20),
            daily in proptest::collection::vec(-0.9..3.0_f64, 1..40),
        ) {
            let mut sums = ScenarioSums::zeros(daily.len());
            let mut old = Stake::default();
            for value in values {
                let new = Stake::of(Money::from_units(value.into()));
                sums.replace(returns(&daily), old, new);
                old = new;
                let millionths = Money::from_units(value.into()).to_statistic() * 1e6;
                let expected: Vec<_> = daily.iter().map(|daily| i128::from(whole((millionths * daily).round_ties_even()))).collect();
                prop_assert_eq!(totals(&sums), expected);
            }
        }

        #[test]
        fn whatever_the_order_what_is_taken_back_is_what_was_added(
            values in proptest::collection::vec(-10_i128.pow(28)..10_i128.pow(28), 1..20),
            daily in proptest::collection::vec(-0.9..3.0_f64, 1..10),
        ) {
            let mut sums = ScenarioSums::zeros(daily.len());
            for value in &values {
                sums.replace(returns(&daily), Stake::default(), Stake::of(Money::from_units(*value)));
            }
            let mut others = ScenarioSums::zeros(daily.len());
            for value in values.iter().rev() {
                others.replace(returns(&daily), Stake::of(Money::from_units(*value)), Stake::default());
            }
            sums.add(&others);
            prop_assert!(totals(&sums).iter().all(|sum| *sum == 0));
        }
    }
}
