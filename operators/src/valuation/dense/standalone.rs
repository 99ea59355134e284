//! The valuation of one worker without a dataflow, for benchmarks.

use headwater_schemas::tables::Moment;
use headwater_schemas::{Clock, Tick};

use super::scopes::Scopes;
use super::valuer::{Valued, Valuer};
use super::{HoldingTables, SavedScopes, ScopeTables, ValuationSettings};
use crate::valuation::{Known, MeasureEvent};

/// The valuer of all accounts, and all scopes.
#[derive(Debug)]
pub struct Standalone {
    valuer: Valuer,
    scopes: Scopes,
    clock: Clock,
}

impl Standalone {
    /// An empty valuation that writes to the tables.
    pub fn new(settings: &ValuationSettings, holdings: &HoldingTables, scopes: &ScopeTables) -> Self {
        Self {
            valuer: Valuer::new(settings.base_currency, &settings.risk, settings.limits.clone(), holdings),
            scopes: Scopes::restored(settings, scopes.clone(), &SavedScopes::default(), |_| true),
            clock: settings.clock,
        }
    }

    /// Values the changes before the grid point at the end of a tick, and returns the figures for limits.
    pub fn advance(&mut self, tick: Tick, changes: impl IntoIterator<Item = Known>) -> Vec<MeasureEvent> {
        let (mut valued, moment) = (Valued::default(), Moment::new(tick, self.clock.end_of(tick)));
        self.valuer.advance(&moment, changes.into_iter(), &mut valued);
        valued.parts.iter().for_each(|part| self.scopes.add(part));
        self.scopes.settle(&moment, &mut valued.measures);
        valued.measures
    }
}
