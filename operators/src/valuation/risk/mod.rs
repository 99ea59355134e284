//! Risk: value at risk and expected shortfall of every scope, from its P&L in the historical scenarios.
//!
//! Each worker says its part of a scope's vector; here the parts are added, integer by integer, so a parent's vector is
//! exactly the sum of its children's. A VaR is never a sum of VaRs.

pub mod historical;
pub mod parametric;

use std::collections::{BTreeMap, BTreeSet};

use headwater_schemas::tables::{Risk, RiskMethod};
use headwater_schemas::{Corrections, Decimal, EventTime, Id, Money, Statistic};
use serde::{Deserialize, Serialize};
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::vec::Map;

use super::ScopeVector;
use super::grid::{GridChange, grid_time, on_grid};
use crate::keyed_fold::{Corrected, route};

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
    /// How a quantile of the historical method is taken. Default `order_statistic`.
    pub quantile: Quantile,
    /// How risk is estimated, one row each; limits are about the first. Default `historical`; there are also `parametric` and
    /// `ewma`.
    pub methods: Vec<RiskMethod>,
}

impl Default for RiskSettings {
    fn default() -> Self {
        let confidences = [950_000_000, 975_000_000, 990_000_000].map(Decimal::from_units).to_vec();
        Self { window: 252, confidences, quantile: Quantile::default(), methods: vec![RiskMethod::Historical] }
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
        if self.methods.contains(&RiskMethod::MonteCarlo) {
            problems.push("risk.methods: monte_carlo is not there yet: use historical, parametric or ewma".to_owned());
        }
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

/// The risk of the scopes that a worker adds up.
struct Risks {
    settings: RiskSettings,
    scopes: BTreeMap<Id, Scope>,
}

impl Risks {
    /// The rows that were said before, as after a restart; the vectors come again by themselves.
    fn restored(settings: RiskSettings, rows: Vec<Risk>) -> Self {
        let mut scopes = BTreeMap::<Id, Scope>::new();
        for row in rows {
            scopes.entry(row.scope.clone()).or_default().said.push(row);
        }
        // As they are computed: in the order in which methods and confidences are asked for.
        let place = |row: &Risk| {
            let method = settings.methods.iter().position(|method| *method == row.method);
            let same = |confidence: &Decimal| Statistic::new(confidence.to_statistic()) == Some(row.confidence);
            (method, settings.confidences.iter().position(same))
        };
        scopes.values_mut().for_each(|scope| scope.said.sort_by_key(place));
        Self { settings, scopes }
    }

    /// Takes in what is said at a grid point (nanoseconds), and says the rows that change.
    fn advance(&mut self, as_of: u64, events: impl Iterator<Item = RiskEvent>, said: &mut Vec<(Risk, isize, Corrections)>) {
        let (mut changed, mut corrected) = (BTreeSet::new(), BTreeMap::<Id, Corrections>::new());
        for event in events {
            match event {
                RiskEvent::Vector(vector) => {
                    changed.insert(vector.scope.clone());
                    self.scopes.entry(vector.scope).or_default().parts.insert(vector.worker, (vector.pnl, vector.left_out));
                }
                RiskEvent::Corrected(scope, corrections) => corrected.entry(scope).or_default().extend(corrections),
            }
        }
        for name in changed {
            let corrections = corrected.remove(&name).unwrap_or_default();
            let Some(scope) = self.scopes.get_mut(&name) else { continue };
            let rows = rows(&name, scope.total(), &self.settings, as_of);
            let same =
                rows.len() == scope.said.len() && rows.iter().zip(&scope.said).all(|(new, old)| Risk { ts: old.ts, ..new.clone() } == *old);
            if !same {
                said.extend(scope.said.drain(..).map(|row| (row, -1, corrections.clone())));
                said.extend(rows.iter().cloned().map(|row| (row, 1, corrections.clone())));
                scope.said = rows;
            }
        }
    }
}

/// What happens to a scope's risk at a grid point.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RiskEvent {
    /// A worker's part of its P&L.
    Vector(ScopeVector),
    /// What was corrected below it.
    Corrected(Id, Corrections),
}

impl RiskEvent {
    const fn scope(&self) -> &Id {
        match self {
            Self::Vector(vector) => &vector.scope,
            Self::Corrected(scope, _) => scope,
        }
    }
}

/// What is said of risk.
pub struct RiskOutput<'scope> {
    /// The rows as changes, on the grid.
    pub rows: StreamVec<'scope, u64, GridChange<Risk>>,
    /// Of the rows that were or are different because something was corrected, what it was.
    pub corrected: Corrected<'scope, Risk>,
}

/// Risk from the workers' vectors. `before` are the rows of a restart, of any worker.
pub fn risk<'scope>(
    events: StreamVec<'scope, u64, GridChange<RiskEvent>>,
    settings: RiskSettings,
    tick_interval: u64,
    before: Vec<Risk>,
) -> RiskOutput<'scope> {
    let exchange = Exchange::new(|(event, _, _): &GridChange<RiskEvent>| route(event.scope()));
    let mut risks = Risks::restored(settings, before);
    let mut said = Vec::new();
    let said_of_risk = on_grid(events, exchange, "risk", move |tick, changes, results| {
        risks.advance(grid_time(tick, tick_interval), changes.into_iter().map(|(event, _)| event), &mut said);
        results.extend(said.drain(..).map(|(row, diff, corrections)| ((row, tick, diff), corrections)));
    });
    let corrected = said_of_risk.clone().flat_map(|((row, tick, _), corrections): (GridChange<Risk>, Corrections)| {
        (!corrections.is_empty()).then_some((row, tick, corrections))
    });
    RiskOutput { rows: said_of_risk.map(|(change, _)| change), corrected }
}

fn rows(scope: &Id, (pnl, left_out): (Vec<i64>, u64), settings: &RiskSettings, as_of: u64) -> Vec<Risk> {
    let mut sorted = pnl.clone();
    // Values only: among equal ones it does not matter which scenario comes first.
    sorted.sort_unstable();
    let estimate = |method: RiskMethod, confidence: Decimal| match method {
        RiskMethod::Historical => {
            let var = historical::value_at_risk(&sorted, confidence, settings.quantile)?;
            Some((var, historical::expected_shortfall(&sorted, confidence, var)?))
        }
        RiskMethod::Parametric => parametric::parametric(&pnl, confidence.to_statistic()),
        RiskMethod::Ewma => parametric::ewma(&pnl, confidence.to_statistic()),
        RiskMethod::MonteCarlo => None,
    };
    let row = |method: RiskMethod, confidence: Decimal| {
        let (var, expected_shortfall) = estimate(method, confidence)?;
        Some(Risk {
            scope: scope.clone(),
            method,
            confidence: Statistic::new(confidence.to_statistic())?,
            window: settings.window as u64,
            observations: pnl.len() as u64,
            var,
            expected_shortfall,
            left_out,
            ts: EventTime::from_effective(as_of),
        })
    };
    let methods = settings.methods.iter();
    methods.flat_map(|method| settings.confidences.iter().filter_map(|confidence| row(*method, *confidence))).collect()
}

/// Millionths as money.
fn money(millionths: i128) -> Money {
    Money::from_units(millionths * 1000)
}

#[cfg(test)]
mod tests {
    use headwater_schemas::tables::TableRow;
    use proptest::prelude::*;

    use super::*;

    fn vector((worker, scope, factor): (usize, u8, i64)) -> ScopeVector {
        let pnl = (0..40).map(|scenario| (scenario * 7919 % 41 - 20) * factor).collect();
        ScopeVector { scope: Id::derived(format!("account:{scope}")), worker, pnl, left_out: 0 }
    }

    proptest! {
        #[test]
        fn a_restart_in_the_middle_changes_nothing(
            steps in proptest::collection::vec((0..2_usize, 0..3_u8, -5..5_i64), 1..30),
            cut in 0..30_u64,
        ) {
            let settings = RiskSettings { window: 40, ..RiskSettings::default() };
            let mut whole = Risks::restored(settings.clone(), Vec::new());
            let mut resumed = None;
            let mut rows = BTreeSet::new();
            let mut last = BTreeMap::new();
            for (as_of, step) in (1..).zip(steps) {
                if as_of == cut + 1 {
                    let rows: Vec<Risk> = rows.iter().cloned().collect();
                    let rows = Risk::read_all(&Risk::batch(&rows).expect("a batch")).expect("rows");
                    let mut risks = Risks::restored(settings.clone(), rows);
                    let mut again = Vec::new();
                    risks.advance(0, last.values().cloned().map(RiskEvent::Vector), &mut again);
                    prop_assert!(again.is_empty(), "{again:?}");
                    resumed = Some(risks);
                }
                last.insert((step.0, step.1), vector(step));
                let (mut said, mut also) = (Vec::new(), Vec::new());
                whole.advance(as_of, std::iter::once(RiskEvent::Vector(vector(step))), &mut said);
                for (row, diff, _) in &said {
                    if *diff > 0 { rows.insert(row.clone()) } else { rows.remove(row) };
                }
                if let Some(resumed) = &mut resumed {
                    resumed.advance(as_of, std::iter::once(RiskEvent::Vector(vector(step))), &mut also);
                    prop_assert_eq!(said, also);
                }
            }
        }
    }
}
