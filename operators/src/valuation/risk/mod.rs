//! Risk: value at risk and expected shortfall of every scope, from its P&L in the historical scenarios.
//!
//! Each worker says its part of a scope's vector; here the parts are added, integer by integer, so a parent's vector is
//! exactly the sum of its children's. A VaR is never a sum of VaRs.

pub mod historical;
pub mod parametric;

use std::collections::{BTreeMap, BTreeSet};

use headwater_schemas::tables::{Risk, RiskMethod};
use headwater_schemas::{Decimal, EventTime, Id, Money, Statistic};
use serde::{Deserialize, Serialize};
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Exchange;

use super::ScopeVector;
use super::grid::{GridChange, on_grid};
use crate::latest::route;

/// How a quantile between two scenarios is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantile {
    /// The ⌈(1−c)·n⌉-th smallest P&L: a scenario that happened.
    #[default]
    OrderStatistic,
    /// Linear interpolation between neighbours, as numpy's default percentile.
    Linear,
}

/// How risk is estimated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RiskSettings {
    /// Daily returns that scenarios reach back. Default 252.
    pub window: usize,
    /// Confidences, each between 0 and 1. Default 0.95, 0.975 and 0.99.
    #[serde(with = "headwater_schemas::value::decimal_text")]
    pub confidences: Vec<Decimal>,
    /// How a quantile is taken. Default `order_statistic`.
    pub quantile: Quantile,
}

impl Default for RiskSettings {
    fn default() -> Self {
        let confidences = [950_000_000, 975_000_000, 990_000_000].map(Decimal::from_units).to_vec();
        Self { window: 252, confidences, quantile: Quantile::default() }
    }
}

impl RiskSettings {
    /// What is wrong with it.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.window < 2 {
            problems.push(format!("risk.window is {}: at least 2 returns are needed", self.window));
        }
        let outside = |confidence: &&Decimal| !(1..1_000_000_000).contains(&confidence.units());
        problems.extend(
            self.confidences.iter().filter(outside).map(|confidence| format!("risk.confidences: {confidence} is not between 0 and 1")),
        );
        problems
    }
}

#[derive(Default)]
struct Scope {
    parts: BTreeMap<usize, (Vec<i64>, u64)>,
    said: Vec<Risk>,
}

impl Scope {
    /// The sum of the workers' parts, and the positions that are left out of it.
    fn total(&self) -> (Vec<i64>, u64) {
        let mut pnl = Vec::new();
        let mut left_out = 0;
        for (part, part_left_out) in self.parts.values() {
            if pnl.len() < part.len() {
                pnl.resize(part.len(), 0);
            }
            pnl.iter_mut().zip(part).for_each(|(sum, term)| *sum += term);
            left_out += part_left_out;
        }
        (pnl, left_out)
    }
}

/// Risk rows as changes, on the grid.
pub fn risk<'scope>(
    vectors: StreamVec<'scope, u64, GridChange<ScopeVector>>,
    settings: RiskSettings,
    tick_interval: u64,
) -> StreamVec<'scope, u64, GridChange<Risk>> {
    let exchange = Exchange::new(|(vector, _, _): &GridChange<ScopeVector>| route(&vector.scope));
    let mut scopes = BTreeMap::<Id, Scope>::new();
    on_grid(vectors, exchange, "risk", move |tick, changes, results| {
        let mut changed = BTreeSet::new();
        for (vector, _) in changes {
            changed.insert(vector.scope.clone());
            scopes.entry(vector.scope).or_default().parts.insert(vector.worker, (vector.pnl, vector.left_out));
        }
        for name in changed {
            let Some(scope) = scopes.get_mut(&name) else { continue };
            let rows = rows(&name, scope.total(), &settings, tick.saturating_mul(tick_interval));
            let same =
                rows.len() == scope.said.len() && rows.iter().zip(&scope.said).all(|(new, old)| Risk { ts: old.ts, ..new.clone() } == *old);
            if !same {
                results.extend(scope.said.drain(..).map(|row| (row, tick, -1)));
                results.extend(rows.iter().cloned().map(|row| (row, tick, 1)));
                scope.said = rows;
            }
        }
    })
}

fn rows(scope: &Id, (pnl, left_out): (Vec<i64>, u64), settings: &RiskSettings, as_of: u64) -> Vec<Risk> {
    let mut sorted = pnl;
    // Values only: among equal ones it does not matter which scenario comes first.
    sorted.sort_unstable();
    let row = |confidence: &Decimal| {
        let var = historical::value_at_risk(&sorted, *confidence, settings.quantile)?;
        let shortfall = historical::expected_shortfall(&sorted, *confidence, var)?;
        Some(Risk {
            scope: scope.clone(),
            method: RiskMethod::Historical,
            confidence: Statistic::new(confidence.to_statistic())?,
            window: settings.window as u64,
            observations: sorted.len() as u64,
            var,
            expected_shortfall: shortfall,
            left_out,
            ts: EventTime::from_effective(as_of),
        })
    };
    settings.confidences.iter().filter_map(row).collect()
}

/// Millionths as money.
fn money(millionths: i128) -> Money {
    Money::from_units(millionths * 1000)
}
