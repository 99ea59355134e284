//! Components of the historical estimates: what each part of a scope adds to them.
//!
//! A part's loss in the scope's VaR scenario is its component of the VaR. With v that component, and k = (1−c)·n, its component of the
//! expected shortfall is v + Σ (−v − P&L)/k over the scenarios that are worse. Both are linear in the P&L, so the components of all
//! parts add up to the estimates: what rounding leaves over goes to the next part in the order of their names.

use headwater_schemas::tables::RiskComponent;
use headwater_schemas::value::fixed;
use headwater_schemas::{Decimal, Text, Total};

use super::historical::{needed, rank, tail};
use super::{Quantile, RiskSettings, money};
use crate::valuation::pnl::{ScenarioSums, Totals};

/// The scenarios that decide the historical estimates of a scope.
#[derive(Debug)]
pub(in crate::valuation) struct WorstScenarios {
    /// The number of all scenarios.
    count: usize,
    /// The places of the worst scenarios, the worst first; among equals the earlier one.
    places: Vec<usize>,
}

/// The P&L of the parts of a scope in its worst scenarios, in millionths.
#[derive(Debug, Default)]
pub(in crate::valuation) struct Parts {
    names: Vec<Text>,
    /// One row for each part.
    pnl: Vec<Vec<i128>>,
}

/// The scenarios of an estimate, as places among the worst.
#[derive(Clone, Copy, Debug)]
struct Estimate {
    /// The scenarios between which the VaR lies, and how far it is from the first, in billionths.
    between: (usize, usize),
    fraction: i128,
    /// The number of scenarios that are worse than the VaR.
    worse: usize,
    /// (1 − c)·n, in billionths.
    tail: i128,
}

impl WorstScenarios {
    /// The worst of the scenarios of a scope, as many as the confidences need.
    pub(in crate::valuation) fn of_sums(sums: &ScenarioSums, settings: &RiskSettings) -> Self {
        match sums.totals() {
            Totals::Narrow(pnl) => Self::of(pnl, settings),
            Totals::Wide(pnl) => Self::of(&pnl, settings),
        }
    }

    fn of<T: Copy + Ord>(pnl: &[T], settings: &RiskSettings) -> Self {
        let count = pnl.len();
        let of_confidence = settings.confidences.iter().map(|confidence| needed(count, *confidence, settings.quantile));
        let needed = of_confidence.max().unwrap_or(0).min(count);
        let mut order: Vec<(T, usize)> = pnl.iter().copied().zip(0..).collect();
        if 0 < needed && needed < count {
            order.select_nth_unstable(needed - 1);
        }
        order.truncate(needed);
        order.sort_unstable();
        Self { count, places: order.into_iter().map(|(_, place)| place).collect() }
    }

    /// The places of the worst scenarios, the worst first.
    pub(in crate::valuation) fn places(&self) -> &[usize] {
        &self.places
    }

    /// The components for each confidence, in the order of the settings.
    pub(in crate::valuation) fn components(&self, parts: &Parts, settings: &RiskSettings) -> Vec<Vec<RiskComponent>> {
        let mut by_name: Vec<_> = parts.names.iter().zip(&parts.pnl).collect();
        by_name.sort_unstable();
        let of_confidence = |confidence: &Decimal| {
            let estimate = self.estimate(*confidence, settings.quantile)?;
            let (mut steps, mut losses) = (Rounded::default(), Rounded::default());
            let components = by_name.iter().map(|(name, pnl)| estimate.component(name, pnl, &mut steps, &mut losses));
            components.collect::<Option<Vec<_>>>()
        };
        // Without scenarios there are none.
        settings.confidences.iter().map(|confidence| of_confidence(confidence).unwrap_or_default()).collect()
    }

    fn estimate(&self, confidence: Decimal, quantile: Quantile) -> Option<Estimate> {
        let of_all = tail(self.count, confidence);
        match quantile {
            Quantile::OrderStatistic => {
                let place = rank(self.count, confidence).ok()?.checked_sub(1)?;
                Some(Estimate { between: (place, place), fraction: 0, worse: place, tail: of_all })
            }
            Quantile::Linear => {
                let rank = tail(self.count.checked_sub(1)?, confidence);
                let (below, fraction) = (usize::try_from(rank / fixed::ONE).ok()?, rank % fixed::ONE);
                let worse = if fraction > 0 { below + 1 } else { below };
                Some(Estimate { between: (below, (below + 1).min(self.count - 1)), fraction, worse, tail: of_all })
            }
        }
    }
}

impl Parts {
    /// Adds a part with its P&L in the worst scenarios, in their order.
    pub(in crate::valuation) fn add(&mut self, name: Text, pnl: impl Iterator<Item = i128>) {
        self.names.push(name);
        self.pnl.push(pnl.collect());
    }
}

impl Estimate {
    /// The component of a part, from its P&L in the worst scenarios.
    fn component(self, name: &Text, pnl: &[i128], steps: &mut Rounded, losses: &mut Rounded) -> Option<RiskComponent> {
        let (low, high) = (*pnl.get(self.between.0)?, *pnl.get(self.between.1)?);
        let step = steps.next((high - low) * 1000, self.fraction, fixed::ONE)?;
        let var = Total::from_units(money(-low).units() - step);
        let worse = pnl.get(..self.worse)?;
        let beyond: i128 = worse.iter().map(|pnl| money(-pnl).units() - var.units()).sum();
        let component_es = Total::from_units(var.units() + losses.next(beyond, fixed::ONE, self.tail)?);
        Some(RiskComponent { component: name.clone(), component_var: var, component_es })
    }
}

/// Quotients that are rounded so that they add up to the rounded quotient of the sum.
#[derive(Debug, Default)]
struct Rounded {
    sum: i128,
    given: i128,
}

impl Rounded {
    fn next(&mut self, value: i128, numerator: i128, divisor: i128) -> Option<i128> {
        self.sum += value;
        let all = fixed::wide_quotient(self.sum, numerator, divisor)?;
        let own = all - self.given;
        self.given = all;
        Some(own)
    }
}

#[cfg(test)]
mod tests {
    use super::super::historical::Worst;
    use super::*;

    fn settings(quantile: Quantile, confidences: &[i128]) -> RiskSettings {
        let confidences = confidences.iter().map(|units| Decimal::from_units(*units)).collect();
        RiskSettings { quantile, confidences, ..RiskSettings::default() }
    }

    /// The components of parts with a P&L in each scenario, in millionths.
    fn components(parts: &[(&str, Vec<i64>)], settings: &RiskSettings) -> Vec<Vec<RiskComponent>> {
        let worst = WorstScenarios::of(&total(parts), settings);
        let mut rows = Parts::default();
        for (name, pnl) in parts {
            rows.add((*name).into(), worst.places().iter().map(|place| pnl[*place].into()));
        }
        worst.components(&rows, settings)
    }

    fn total(parts: &[(&str, Vec<i64>)]) -> Vec<i64> {
        let count = parts.first().map_or(0, |(_, pnl)| pnl.len());
        (0..count).map(|place| parts.iter().map(|(_, pnl)| pnl[place]).sum()).collect()
    }

    #[test]
    fn a_component_is_the_loss_in_the_scenario_of_the_var_and_the_mean_beyond_it() {
        let whole = |pnl: &[i64]| pnl.iter().map(|pnl| pnl * 1_000_000).collect::<Vec<_>>();
        // Losses of 10, 9, 9, 0 and 0 together; of the two equal ones the earlier counts. With c = 0.5, k is 2.5, and the VaR the third worst.
        let parts = [("b", whole(&[-2, 0, -10, -9, 1])), ("a", whole(&[-7, 0, 0, 0, -1]))];
        for (quantile, expected) in [
            // The third worst is the later of both: 9 and 0. Beyond it: ((10 - 9) + (2 - 9)) / 2.5 and ((0 - 0) + (7 - 0)) / 2.5.
            (Quantile::OrderStatistic, ["a 0 2.8", "b 9 6.6"]),
            // The median of five is the third, too.
            (Quantile::Linear, ["a 0 2.8", "b 9 6.6"]),
        ] {
            let found = components(&parts, &settings(quantile, &[500_000_000]));
            let text = |row: &RiskComponent| format!("{} {} {}", row.component, row.component_var, row.component_es);
            assert_eq!(found.concat().iter().map(text).collect::<Vec<_>>(), expected, "{quantile:?}");
        }
        assert_eq!(components(&[], &settings(Quantile::OrderStatistic, &[500_000_000])), [vec![]]);
    }

    proptest::proptest! {
        #[test]
        fn components_add_up_to_the_estimates(
            pnl in proptest::collection::vec(proptest::collection::vec(-50..50_i64, 4), 1..60),
            confidences in proptest::collection::vec(1..1_000_000_000_i128, 1..4),
        ) {
            let parts: Vec<_> = ["a", "b", "c", "d"].iter().enumerate().map(|(part, name)| (*name, pnl.iter().map(|of| of[part]).collect())).collect();
            for quantile in [Quantile::OrderStatistic, Quantile::Linear] {
                let settings = settings(quantile, &confidences);
                let mut all = total(&parts);
                let worst = Worst::of(&mut all, &settings.confidences, quantile);
                for (confidence, components) in settings.confidences.iter().zip(components(&parts, &settings)) {
                    let sum = |of: fn(&RiskComponent) -> Total| Total::from_units(components.iter().map(|row| of(row).units()).sum());
                    let sums = (sum(|row| row.component_var), sum(|row| row.component_es));
                    proptest::prop_assert_eq!(Some(sums), worst.estimate(*confidence, quantile));
                }
            }
        }
    }
}
