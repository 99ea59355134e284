//! Historical value at risk and expected shortfall, computed exactly: P&L is in integer millionths, confidence is a decimal.

use headwater_schemas::value::fixed;
use headwater_schemas::{Decimal, Total};

use super::{Quantile, money};

/// (1 − c)·n, in billionths.
pub(super) fn tail(count: usize, confidence: Decimal) -> i128 {
    (fixed::ONE - confidence.units()) * count as i128
}

/// The worst of the scenarios.
#[derive(Clone, Copy, Debug)]
pub struct Worst<'a, T> {
    /// The number of scenarios.
    count: usize,
    /// The smallest P&L in millionths, ascending; at least as many as the confidences need.
    pnl: &'a [T],
}

impl<'a, T: Copy + Ord + Into<i128>> Worst<'a, T> {
    /// Moves the scenarios that the confidences need to the front and sorts them; the others stay unsorted.
    pub fn of(pnl: &'a mut [T], confidences: &[Decimal], quantile: Quantile) -> Self {
        let count = pnl.len();
        let needed = confidences.iter().map(|confidence| needed(count, *confidence, quantile)).max().unwrap_or(0).min(count);
        if 0 < needed && needed < count {
            pnl.select_nth_unstable(needed - 1);
        }
        let (worst, _) = pnl.split_at_mut(needed);
        worst.sort_unstable();
        Self { count, pnl: worst }
    }

    /// VaR and expected shortfall at a confidence; `None` without scenarios.
    pub fn estimate(self, confidence: Decimal, quantile: Quantile) -> Option<(Total, Total)> {
        let var = value_at_risk(self, confidence, quantile)?;
        Some((var, expected_shortfall(self, confidence, var)?))
    }

    fn get(&self, place: usize) -> Option<i128> {
        self.pnl.get(place).map(|pnl| (*pnl).into())
    }
}

/// The number of smallest P&L values that an estimate reads.
pub(super) fn needed(count: usize, confidence: Decimal, quantile: Quantile) -> usize {
    let read = match quantile {
        Quantile::OrderStatistic => rank(count, confidence),
        Quantile::Linear => usize::try_from(tail(count.saturating_sub(1), confidence) / fixed::ONE).map(|below| below + 2),
    };
    read.unwrap_or(count)
}

/// ⌈(1−c)·n⌉, at least 1.
pub(super) fn rank(count: usize, confidence: Decimal) -> Result<usize, std::num::TryFromIntError> {
    usize::try_from((tail(count, confidence) + fixed::ONE - 1) / fixed::ONE).map(|rank| rank.max(1))
}

/// The loss not exceeded with a confidence, positive for a loss; `None` without scenarios.
///
/// `OrderStatistic`: minus the ⌈(1−c)·n⌉-th smallest. `Linear`: minus the percentile between the neighbours of rank
/// (1−c)·(n−1).
pub fn value_at_risk<T: Copy + Ord + Into<i128>>(worst: Worst<'_, T>, confidence: Decimal, quantile: Quantile) -> Option<Total> {
    match quantile {
        Quantile::OrderStatistic => {
            let rank = rank(worst.count, confidence).ok()?;
            Some(money(-worst.get(rank - 1)?))
        }
        Quantile::Linear => {
            let rank = tail(worst.count.checked_sub(1)?, confidence);
            let below = usize::try_from(rank / fixed::ONE).ok()?;
            let low = worst.get(below)?;
            let high = worst.get(below + 1).unwrap_or(low);
            // In billionths of a unit from here on: the step between the neighbours is rounded once.
            let step = fixed::wide_quotient((high - low) * 1000, rank % fixed::ONE, fixed::ONE)?;
            Some(Total::from_units(-(low * 1000 + step)))
        }
    }
}

/// The mean loss beyond a VaR (Rockafellar and Uryasev): with v = −VaR, −v + Σ max(v − P&L, 0) / ((1−c)·n), rounded
/// half to even to nine digits.
pub fn expected_shortfall<T: Copy + Ord + Into<i128>>(worst: Worst<'_, T>, confidence: Decimal, var: Total) -> Option<Total> {
    let threshold = -var.units();
    let loss = |pnl: i128| threshold - pnl * 1000;
    let losses = worst.pnl.iter().map(|pnl| loss((*pnl).into()));
    let beyond: i128 = losses.take_while(|loss| *loss > 0).sum();
    let mean = fixed::wide_quotient(beyond, fixed::ONE, tail(worst.count, confidence))?;
    Some(Total::from_units(var.units() + mean))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn confidence(text: &str) -> Decimal {
        text.parse().expect("a decimal")
    }

    #[test]
    fn the_order_statistic_counts_from_the_worst() {
        let pnl: Vec<i64> = (-100..0).rev().map(|pnl| pnl * 1_000_000).collect();
        let var_of =
            |mut pnl: Vec<i64>, c: &str, quantile| value_at_risk(Worst::of(&mut pnl, &[confidence(c)], quantile), confidence(c), quantile);
        // (confidence, VaR, ES): 99 % of 100 is the first, 95 % the fifth
        for (c, var, shortfall) in [("0.99", 100, "100"), ("0.95", 96, "98"), ("0.955", 96, "98.222222222"), ("0.999999999", 100, "100")] {
            let mut pnl = pnl.clone();
            let worst = Worst::of(&mut pnl, &[confidence(c)], Quantile::OrderStatistic);
            let var_is = value_at_risk(worst, confidence(c), Quantile::OrderStatistic).expect("scenarios");
            assert_eq!(var_is, Total::whole(var), "{c}");
            assert_eq!(expected_shortfall(worst, confidence(c), var_is).expect("scenarios").to_string(), shortfall, "{c}");
        }
        assert_eq!(var_of(Vec::new(), "0.99", Quantile::OrderStatistic), None);
        assert_eq!(var_of(vec![5_000_000], "0.99", Quantile::Linear), Some(Total::whole(-5)));
    }

    #[test]
    fn linear_is_numpys_percentile() {
        // numpy.percentile([-4, -3, -2, -1, 0], 5) = -3.8
        let mut pnl: Vec<i64> = (-4..=0).rev().map(|pnl| pnl * 1_000_000).collect();
        let worst = Worst::of(&mut pnl, &[confidence("0.95")], Quantile::Linear);
        assert_eq!(value_at_risk(worst, confidence("0.95"), Quantile::Linear).map(|var| var.to_string()), Some("3.8".into()));
    }

    /// The estimates from a list that is fully sorted.
    fn from_all(mut pnl: Vec<i64>, confidence: Decimal, quantile: Quantile) -> Option<(Total, Total)> {
        pnl.sort_unstable();
        let worst = Worst { count: pnl.len(), pnl: &pnl };
        let var = value_at_risk(worst, confidence, quantile)?;
        let beyond: i128 = pnl.iter().map(|pnl| (-var.units() - i128::from(*pnl) * 1000).max(0)).sum();
        let mean = fixed::quotient(beyond, fixed::ONE, tail(pnl.len(), confidence))?;
        Some((var, Total::from_units(var.units() + mean)))
    }

    proptest::proptest! {
        #[test]
        fn what_is_not_sorted_changes_no_estimate(
            pnl in proptest::collection::vec(-50..50_i64, 0..80),
            confidences in proptest::collection::vec(1..1_000_000_000_i128, 1..4),
        ) {
            let confidences: Vec<_> = confidences.into_iter().map(Decimal::from_units).collect();
            for quantile in [Quantile::OrderStatistic, Quantile::Linear] {
                let mut moved = pnl.clone();
                let worst = Worst::of(&mut moved, &confidences, quantile);
                for confidence in &confidences {
                    let var = value_at_risk(worst, *confidence, quantile);
                    let both = var.and_then(|var| Some((var, expected_shortfall(worst, *confidence, var)?)));
                    proptest::prop_assert_eq!(both, from_all(pnl.clone(), *confidence, quantile));
                }
            }
        }
    }
}
