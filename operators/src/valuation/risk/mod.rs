//! Risk: value at risk and expected shortfall of every scope, from its P&L in the historical scenarios.
//!
//! A parent's P&L in a scenario is exactly the sum of its children's. A VaR is never a sum of VaRs.

mod components;
pub mod historical;
mod monte_carlo;
pub mod parametric;
mod stress;

use std::ops::RangeInclusive;

use headwater_schemas::tables::{Risk, RiskComponent, RiskMethod};
use headwater_schemas::{Decimal, EventTime, Scope, Statistic, Total};
use serde::{Deserialize, Serialize};

use self::historical::Worst;
use self::monte_carlo::Draws;

pub(super) use self::components::{Parts, WorstScenarios};
pub(super) use self::stress::Shocks;
pub use self::stress::{Shock, StressScenario};

/// Definition of a quantile between two scenarios.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantile {
    /// The ⌈(1−c)·n⌉-th smallest P&L: a scenario that happened.
    #[default]
    OrderStatistic,
    /// Linear interpolation between neighbours, like numpy's default percentile.
    Linear,
}

/// Settings of risk estimates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RiskSettings {
    /// Number of daily returns in the scenarios. Default 252.
    pub window: usize,
    /// Confidences, each between 0 and 1. Default 0.95, 0.975 and 0.99.
    #[serde(with = "headwater_schemas::value::decimal_text")]
    pub confidences: Vec<Decimal>,
    /// Definition of the quantile in the historical method and in Monte Carlo. Default `order_statistic`.
    pub quantile: Quantile,
    /// Methods of estimation, one row each. Default `historical`; also `parametric`, `ewma` and `monte_carlo`.
    pub methods: Vec<RiskMethod>,
    /// Number of paths of the Monte Carlo method. Default 10 000.
    pub paths: usize,
    /// From what its random numbers follow. Default 1.
    pub seed: u64,
    /// The confidence of the VaR that limits compare, one of `confidences`. Default 0.95.
    #[serde(with = "headwater_schemas::value::decimal_text")]
    pub limit_confidence: Decimal,
    /// The method of the VaR that limits compare, one of `methods`. Default: the first of them.
    pub limit_method: Option<RiskMethod>,
    /// The fraction of the symbols with recent closes that must have one for a date to be a scenario date. Default 0.5.
    #[serde(with = "headwater_schemas::value::decimal_text")]
    pub coverage: Decimal,
    /// Number of dates within which a close is recent, and of scenario dates over which a close is carried. Default 5.
    pub max_gap: usize,
    /// Whether the rows of the historical method say what each symbol of an account, and each child of a book, adds. Default true.
    pub components: bool,
    /// Changes of prices under which every scope is revalued. Default none.
    pub stress: Vec<StressScenario>,
}

impl Default for RiskSettings {
    fn default() -> Self {
        let confidences = [950_000_000, 975_000_000, 990_000_000].map(Decimal::from_units).to_vec();
        Self {
            window: 252,
            confidences,
            quantile: Quantile::default(),
            methods: vec![RiskMethod::Historical],
            paths: 10_000,
            seed: 1,
            limit_confidence: Decimal::from_units(950_000_000),
            limit_method: None,
            coverage: Decimal::from_units(500_000_000),
            max_gap: 5,
            components: true,
            stress: Vec::new(),
        }
    }
}

impl RiskSettings {
    /// The method of the VaR that limits compare.
    pub fn limit_method(&self) -> Option<RiskMethod> {
        self.limit_method.or_else(|| self.methods.first().copied())
    }

    /// Whether there are components.
    pub fn has_components(&self) -> bool {
        self.components && self.methods.contains(&RiskMethod::Historical)
    }

    /// The problems of the settings, one sentence each.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if !WINDOW.contains(&self.window) {
            problems.push(format!("risk.window is {}: give between {} and {} returns", self.window, WINDOW.start(), WINDOW.end()));
        }
        problems.extend(twice(&self.confidences).map(|confidence| format!("risk.confidences: {confidence} is there twice; remove one")));
        problems.extend(twice(&self.methods).map(|method| format!("risk.methods: {method} is there twice; remove one")));
        let outside = |confidence: &&Decimal| !(1..1_000_000_000).contains(&confidence.units());
        problems.extend(
            self.confidences.iter().filter(outside).map(|confidence| format!("risk.confidences: {confidence} is not between 0 and 1")),
        );
        if !PATHS.contains(&self.paths) {
            problems.push(format!("risk.paths is {}: give between {} and {}", self.paths, PATHS.start(), PATHS.end()));
        }
        if !self.confidences.contains(&self.limit_confidence) {
            problems.push(format!(
                "risk.limit_confidence is {}, which is not among risk.confidences: the limit on VaR would have no figure; name one of them",
                self.limit_confidence
            ));
        }
        if !self.limit_method().is_some_and(|method| self.methods.contains(&method)) {
            problems
                .push("risk.limit_method is not among risk.methods: the limit on VaR would have no figure; name one of them".to_owned());
        }
        if !(0..=1_000_000_000).contains(&self.coverage.units()) {
            problems.push(format!("risk.coverage: {} is not between 0 and 1", self.coverage));
        }
        problems.extend(StressScenario::problems(&self.stress));
        problems
    }
}

/// Values that are in the list before.
fn twice<T: PartialEq>(values: &[T]) -> impl Iterator<Item = &T> {
    let repeated = values.iter().enumerate().filter(|(place, value)| values.iter().take(*place).any(|before| before == *value));
    repeated.map(|(_, value)| value)
}

/// The numbers of returns that can be asked for.
const WINDOW: RangeInclusive<usize> = 2..=10_000;
/// The numbers of paths that can be asked for. With a window of 252 each takes 2 kB on each worker, and 252 multiplications whenever a
/// scope changes.
const PATHS: RangeInclusive<usize> = 100..=100_000;

/// Estimates the risk of scopes.
#[derive(Debug)]
pub(super) struct Estimator {
    pub(super) settings: RiskSettings,
    draws: Draws,
}

impl Estimator {
    pub(super) const fn new(settings: RiskSettings) -> Self {
        let draws = Draws::new(settings.paths, settings.seed);
        Self { settings, draws }
    }

    /// The rows of a scope from its scenario P&L, oldest first, and the historical components for each confidence.
    pub(super) fn rows<T: Copy + Ord + Into<i128>>(
        &mut self,
        scope: &Scope,
        pnl: &[T],
        components: Vec<Vec<RiskComponent>>,
        [left_out, filled]: [u64; 2],
        as_of: EventTime,
    ) -> Vec<Risk> {
        let Self { settings, draws } = self;
        // Values only: among equal ones, the order of the scenarios does not matter.
        let mut moved = pnl.to_vec();
        let worst = Worst::of(&mut moved, &settings.confidences, settings.quantile);
        let simulates = settings.methods.contains(&RiskMethod::MonteCarlo);
        let mut simulated = if simulates { draws.simulate(pnl).unwrap_or_default() } else { Vec::new() };
        let worst_simulated = Worst::of(&mut simulated, &settings.confidences, settings.quantile);
        let estimate = |method: RiskMethod, confidence: Decimal| match method {
            RiskMethod::Historical => worst.estimate(confidence, settings.quantile),
            RiskMethod::Parametric => parametric::parametric(pnl, confidence.to_statistic()),
            RiskMethod::Ewma => parametric::ewma(pnl, confidence.to_statistic()),
            RiskMethod::MonteCarlo => worst_simulated.estimate(confidence, settings.quantile),
        };
        let mut components = components.into_iter();
        let mut row = |method: RiskMethod, confidence: Decimal| {
            let components = if method == RiskMethod::Historical { components.next() } else { None };
            let (var, expected_shortfall) = estimate(method, confidence)?;
            Some(Risk {
                scope: *scope,
                method,
                confidence: Statistic::new(confidence.to_statistic())?,
                window: settings.window as u64,
                observations: pnl.len() as u64,
                var,
                expected_shortfall,
                left_out,
                filled,
                components: components.unwrap_or_default(),
                ts: as_of,
            })
        };
        let of_method = |method: &RiskMethod| settings.confidences.iter().map(|confidence| (*method, *confidence)).collect::<Vec<_>>();
        settings.methods.iter().flat_map(of_method).filter_map(|(method, confidence)| row(method, confidence)).collect()
    }
}

/// Millionths as money.
fn money(millionths: i128) -> Total {
    Total::from_units(millionths * 1000)
}
