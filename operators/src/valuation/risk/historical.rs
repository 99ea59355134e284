//! Historical value at risk and expected shortfall, exactly: P&L is in whole millionths, confidence is a decimal.

use headwater_schemas::value::fixed;
use headwater_schemas::{Decimal, Money};

use super::{Quantile, money};

/// (1 − c)·n, in billionths.
fn tail(count: usize, confidence: Decimal) -> i128 {
    (fixed::ONE - confidence.units()) * count as i128
}

/// The loss not exceeded with a confidence, positive for a loss; `None` without scenarios. `sorted` is P&L in
/// millionths, smallest first.
///
/// `OrderStatistic`: minus the ⌈(1−c)·n⌉-th smallest. `Linear`: minus the percentile between the neighbours of rank
/// (1−c)·(n−1).
pub fn value_at_risk(sorted: &[i64], confidence: Decimal, quantile: Quantile) -> Option<Money> {
    match quantile {
        Quantile::OrderStatistic => {
            let rank = usize::try_from((tail(sorted.len(), confidence) + fixed::ONE - 1) / fixed::ONE).ok()?;
            let pnl = sorted.get(rank.max(1) - 1)?;
            Some(money(-i128::from(*pnl)))
        }
        Quantile::Linear => {
            let rank = tail(sorted.len().checked_sub(1)?, confidence);
            let below = usize::try_from(rank / fixed::ONE).ok()?;
            let low = i128::from(*sorted.get(below)?);
            let high = i128::from(*sorted.get(below + 1).unwrap_or(sorted.get(below)?));
            // In billionths of a unit from here on: one rounding, of the step between the neighbours.
            let step = fixed::quotient((high - low) * 1000, rank % fixed::ONE, fixed::ONE)?;
            Some(Money::from_units(-(low * 1000 + step)))
        }
    }
}

/// The mean loss beyond a VaR (Rockafellar and Uryasev): with v = −VaR, −v + Σ max(v − P&L, 0) / ((1−c)·n), rounded
/// half to even to nine digits.
pub fn expected_shortfall(sorted: &[i64], confidence: Decimal, var: Money) -> Option<Money> {
    let threshold = -var.units();
    let beyond: i128 = sorted.iter().map(|pnl| (threshold - i128::from(*pnl) * 1000).max(0)).sum();
    let mean = fixed::quotient(beyond, fixed::ONE, tail(sorted.len(), confidence))?;
    var.checked_add(Money::from_units(mean))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn confidence(text: &str) -> Decimal {
        text.parse().expect("a decimal")
    }

    #[test]
    fn the_order_statistic_counts_from_the_worst() {
        let sorted: Vec<i64> = (-100..0).map(|pnl| pnl * 1_000_000).collect();
        // (confidence, VaR, ES): 99 % of 100 is the first, 95 % the fifth
        for (c, var, shortfall) in [("0.99", 100, "100"), ("0.95", 96, "98"), ("0.955", 96, "98.222222222"), ("0.999999999", 100, "100")] {
            let var_is = value_at_risk(&sorted, confidence(c), Quantile::OrderStatistic).expect("scenarios");
            assert_eq!(var_is, Money::whole(var), "{c}");
            assert_eq!(expected_shortfall(&sorted, confidence(c), var_is).expect("scenarios").to_string(), shortfall, "{c}");
        }
        assert_eq!(value_at_risk(&[], confidence("0.99"), Quantile::OrderStatistic), None);
        assert_eq!(value_at_risk(&[5_000_000], confidence("0.99"), Quantile::Linear), Some(Money::whole(-5)));
    }

    #[test]
    fn linear_is_numpys_percentile() {
        // numpy.percentile([-4, -3, -2, -1, 0], 5) = -3.8
        let sorted: Vec<i64> = (-4..=0).map(|pnl| pnl * 1_000_000).collect();
        assert_eq!(value_at_risk(&sorted, confidence("0.95"), Quantile::Linear).map(|var| var.to_string()), Some("3.8".into()));
    }
}
