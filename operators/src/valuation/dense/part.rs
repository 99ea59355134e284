//! Parts of scopes: the changes of a scope's sums by one worker's accounts at a grid point.

use std::ops::AddAssign;

use headwater_schemas::tables::RiskComponent;
use headwater_schemas::{Corrections, Currency, Money, Scope, Symbol, Tick};
use serde::{Deserialize, Serialize};

use super::handles::{Named, SymbolHandle};
use crate::valuation::pnl::ScenarioSums;
use crate::valuation::risk::Shock;

/// Changes of a scope's sums, in billionths of its currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SumChange {
    /// Sum of market values.
    pub net: i128,
    /// Sum of the magnitudes of market values.
    pub gross: i128,
    /// Sum of posted balances and the fills' cash flow.
    pub cash: i128,
    /// Realized P&L.
    pub realized: i128,
    /// Unrealized P&L.
    pub unrealized: i128,
    /// FX P&L: value of posted balances less what was paid in.
    pub fx: i128,
    /// Number of positions and balances that cannot be valued.
    pub unvalued: i64,
    /// Number of positions and balances that are converted with a stale rate.
    pub stale: i64,
    /// Number of member accounts.
    pub members: i64,
}

impl AddAssign for SumChange {
    fn add_assign(&mut self, other: Self) {
        self.net += other.net;
        self.gross += other.gross;
        self.cash += other.cash;
        self.realized += other.realized;
        self.unrealized += other.unrealized;
        self.fx += other.fx;
        self.unvalued += other.unvalued;
        self.stale += other.stale;
        self.members += other.members;
    }
}

/// Change of a scope's scenario P&L.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ScenarioChange {
    /// The first tick with these scenarios; 0 before there are any. Sums over older scenarios are discarded.
    pub since: Tick,
    /// The change in each scenario.
    pub sums: ScenarioSums,
    /// Number of positions that the scenarios include.
    pub counted: i64,
    /// Number of positions that the scenarios leave out.
    pub left_out: i64,
    /// Number of positions that are included with a carried close.
    pub filled: i64,
}

impl ScenarioChange {
    /// No change.
    pub fn nothing(since: Tick, scenarios: usize) -> Self {
        Self { since, sums: ScenarioSums::zeros(scenarios), counted: 0, left_out: 0, filled: 0 }
    }

    /// Adds another change. If their scenarios differ, only the newer one counts.
    pub fn add(&mut self, other: &Self) {
        if self.since < other.since {
            *self = Self::nothing(other.since, other.sums.len());
        }
        if self.since == other.since {
            self.sums.add(&other.sums);
            self.counted += other.counted;
            self.left_out += other.left_out;
            self.filled += other.filled;
        }
    }
}

/// The changes of a scope by one worker's accounts at a grid point.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ScopePart {
    /// `account:ID` or `book:PATH`.
    pub scope: Scope,
    /// The currency of the sums.
    pub currency: Currency,
    /// Changes of the sums.
    pub sums: SumChange,
    /// Changes of gross exposure by symbol, in billionths.
    pub weights: Vec<(Symbol, i128)>,
    /// Change of the scenario P&L.
    pub scenarios: Option<ScenarioChange>,
    /// Of an account whose scenario P&L changed, what its symbols add to its historical estimates, for each confidence.
    pub symbols: Vec<Vec<RiskComponent>>,
    /// Of a book, changes of the scenario P&L of the scopes right below it.
    pub children: Vec<(Scope, ScenarioChange)>,
    /// Changes of the P&L in each stress scenario, in billionths; empty if none changes.
    pub stress: Vec<i128>,
    /// Whether an account of the scope traded, or entered it with trades.
    pub has_traded: bool,
    /// Corrections in the scope.
    pub corrections: Corrections,
    /// Corrections among them that affect exposure; cash is excluded.
    pub exposure_corrections: Corrections,
}

/// Adds changes of the P&L in stress scenarios.
pub(super) fn add_stress(sums: &mut Vec<i128>, changes: &[i128]) {
    if sums.len() < changes.len() {
        sums.resize(changes.len(), 0);
    }
    sums.iter_mut().zip(changes).for_each(|(sum, change)| *sum += change);
}

/// A part that accumulates.
#[derive(Debug, Default)]
pub(super) struct Pending {
    pub(super) sums: SumChange,
    pub(super) weights: Vec<(SymbolHandle, i128)>,
    pub(super) scenarios: Option<ScenarioChange>,
    pub(super) children: Vec<(Scope, ScenarioChange)>,
    pub(super) stress: Vec<i128>,
    pub(super) has_traded: bool,
    pub(super) corrections: Corrections,
    pub(super) exposure_corrections: Corrections,
}

impl Pending {
    /// Adds the part of a scope below.
    pub(super) fn add(&mut self, below: &Self) {
        self.sums += below.sums;
        self.weights.extend_from_slice(&below.weights);
        if let Some(scenarios) = &below.scenarios {
            self.scenarios.get_or_insert_with(|| ScenarioChange::nothing(scenarios.since, scenarios.sums.len())).add(scenarios);
        }
        add_stress(&mut self.stress, &below.stress);
        self.has_traded |= below.has_traded;
        self.correct(&below.corrections, false);
        self.exposure_corrections.extend(below.exposure_corrections.clone());
    }

    /// Replaces the P&L of a value in the stress scenarios.
    pub(super) fn replace_stress(&mut self, [old, new]: [(Money, &[Shock]); 2]) {
        let pnl = |(value, shocks): (Money, &[Shock]), place: usize| shocks.get(place).map_or(0, |shock| shock.pnl(value));
        let changes: Vec<_> = (0..old.1.len().max(new.1.len())).map(|place| pnl(new, place) - pnl(old, place)).collect();
        add_stress(&mut self.stress, &changes);
    }

    /// Adds corrections of a scope below.
    pub(super) fn correct(&mut self, corrections: &Corrections, affects_exposure: bool) {
        if corrections.is_empty() {
            return;
        }
        self.corrections.extend(corrections.clone());
        if affects_exposure {
            self.exposure_corrections.extend(corrections.clone());
        }
    }

    /// Sums the changes of each symbol, and removes zeros.
    pub(super) fn net_weights(&mut self) {
        self.weights.sort_unstable_by_key(|(symbol, _)| *symbol);
        self.weights.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 += next.1;
            }
            same
        });
        self.weights.retain(|(_, gross)| *gross != 0);
    }

    /// Converts to a message; `None` if nothing changed. [`Pending::net_weights`] must have been called.
    pub(super) fn into_part<S>(self, scope: Scope, currency: Currency, symbols: &Named<SymbolHandle, S>) -> Option<ScopePart> {
        let unchanged = self.sums == SumChange::default() && self.weights.is_empty();
        if unchanged && self.scenarios.is_none() && self.stress.is_empty() && !self.has_traded && self.corrections.is_empty() {
            return None;
        }
        let named = |(symbol, gross): (SymbolHandle, i128)| Some((symbols.name(symbol)?, gross));
        Some(ScopePart {
            scope,
            currency,
            sums: self.sums,
            weights: self.weights.into_iter().filter_map(named).collect(),
            scenarios: self.scenarios,
            symbols: Vec::new(),
            children: self.children,
            stress: self.stress,
            has_traded: self.has_traded,
            corrections: self.corrections,
            exposure_corrections: self.exposure_corrections,
        })
    }
}
