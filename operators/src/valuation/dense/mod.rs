//! Dense valuation: positions, sums of scopes and scenario P&L, in arrays.
//!
//! ```text
//!  known ─► valuer (a worker's accounts) ── one part per scope ─► exchange by scope ─► scopes ─► portfolios, risk
//!             │ rows of holdings                                                         │
//!             └──────────────────────────── figures for limits ────────────────────────────┘
//! ```
//!
//! - **Valuer** ([`valuer`]): at a grid point, a changed mark costs one multiplication and a few integer additions for each
//!   holder. Accounts roll up into their books here, so that a worker sends one part per scope.
//! - **Scopes** ([`scopes`]): parts are added on the worker of the scope. Only integers are added: incremental, recomputed,
//!   restarted and on any number of workers the sums are identical. Ratios are derived last ([`weights`]).
//! - **Limits** receive a figure only if it can change an alert ([`watch`]).
//! - **Restart**: the valuer restores its inputs from the tables, and sends the full contributions of its accounts to their
//!   scopes; the scopes are restored from their own rows.
//!
//! Names are interned ([`handles`]); handles depend on the order of arrival, so no visible output is ordered by them.

mod accounts;
mod books;
mod currencies;
mod drawdown;
mod funding;
mod gaps;
mod handles;
mod part;
mod scenarios;
mod scopes;
mod standalone;
#[cfg(test)]
mod tests;
mod valuer;
mod watch;
mod weights;
mod worth;

use std::sync::Arc;

use headwater_schemas::events::Event;
use headwater_schemas::tables::{Moment, PaidIn, RiskGap};
use headwater_schemas::{Clock, Currency, Nanos, Placed, Tick};
use serde::{Deserialize, Serialize};
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::core::OkErr;
use timely::dataflow::operators::vec::Map;
use timely::dataflow::operators::{Concat, ToStream};
use timely::dataflow::{Scope, StreamVec};

use self::scopes::Scopes;
use self::valuer::{Valued, Valuer};
use super::grid::{GridChange, on_grid, placed};
use super::{Known, LimitDefaults, MeasureEvent, RiskSettings};
use crate::keyed_fold::worker_number;

pub use part::{ScenarioChange, ScopePart, SumChange};
pub use standalone::Standalone;

headwater_schemas::table_set! {
    /// The tables of holdings, of what was paid in, and of symbols that are left out of the scenarios.
    pub struct HoldingTables restored from SavedHoldings {
        restored {
            holdings: headwater_schemas::tables::Holding,
            paid_in: headwater_schemas::tables::PaidIn,
            risk_gaps: headwater_schemas::tables::RiskGap,
        }
    }
}

headwater_schemas::table_set! {
    /// The tables of scopes.
    pub struct ScopeTables restored from SavedScopes {
        restored {
            portfolios: headwater_schemas::tables::Portfolio,
            portfolio_peaks: headwater_schemas::tables::DrawdownState,
            risk: headwater_schemas::tables::Risk,
            stress: headwater_schemas::tables::StressResult,
        }
    }
}

/// Settings of valuation.
#[derive(Clone, Debug)]
pub struct ValuationSettings {
    /// The currency of books, through which others may be converted.
    pub base_currency: Currency,
    /// Settings of risk estimates.
    pub risk: RiskSettings,
    /// Default limits.
    pub limits: LimitDefaults,
    /// Tick and grid intervals.
    pub clock: Clock,
    /// The first tick that is not committed.
    pub start_tick: Tick,
    /// How long a fill can be busted, in nanoseconds of effective time: drawdowns can return to values before it.
    pub bust_horizon: Nanos,
}

/// State of a worker's valuation before a restart.
#[derive(Clone, Debug, Default)]
pub struct ValuationBefore {
    /// The inputs at the last commit: of the worker's accounts, and of the whole market.
    pub known: Vec<Known>,
    /// What was paid into the worker's accounts.
    pub paid_in: Vec<PaidIn>,
    /// The limits, in the order of their places.
    pub limits: Vec<Placed<Event>>,
    /// The rows of scopes, of all workers.
    pub scopes: SavedScopes,
    /// The symbols that are left out of the scenarios.
    pub gaps: Arc<Vec<RiskGap>>,
}

/// Inputs of the valuation.
pub struct ValuationInput<'scope> {
    /// Changes on the grid: of the worker's accounts, and of the market to every worker.
    pub known: StreamVec<'scope, Tick, GridChange<Known>>,
    /// Limits that are set or deleted, to every worker.
    pub limits: StreamVec<'scope, Tick, Placed<Event>>,
    /// The state before a restart.
    pub before: ValuationBefore,
}

/// Outputs of the valuation, besides rows.
pub struct ValuationOutput<'scope> {
    /// Figures for limits.
    pub measures: StreamVec<'scope, Tick, Placed<MeasureEvent>>,
    /// Carries the frontier of the rows: once it has passed a tick, the tables hold all rows of that tick.
    pub done: StreamVec<'scope, Tick, ()>,
}

/// An event of scopes.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum ScopeEvent {
    Part(Box<ScopePart>),
    Limit(Box<Placed<Event>>),
}

/// Values positions, sums scopes and estimates their risk.
pub fn valuation<'scope>(
    scope: Scope<'scope, Tick>,
    input: ValuationInput<'scope>,
    settings: &ValuationSettings,
    tables: &(HoldingTables, ScopeTables),
) -> ValuationOutput<'scope> {
    let (clock, start_tick) = (settings.clock, settings.start_tick);
    let ValuationInput { known, limits, before } = input;
    let tick = move |event: &Placed<Event>| clock.tick_of(event.place.time);
    let set = before.limits.into_iter().map(Box::new);

    let mut valuer = Valuer::new(settings.base_currency, &settings.risk, settings.limits.clone(), &tables.0);
    if scope.index() == 0 {
        valuer.write_gaps(tables.0.risk_gaps.clone(), &before.gaps);
    }
    let known_before = before.known.into_iter().chain(set.clone().map(Known::Limit));
    // At the beginning of this run, so that a scope whose valuation has changed gets a row. They have no diff of their own (0),
    // so they precede the changes of that tick.
    let restored = valuer.restore(known_before, before.paid_in.into_iter(), start_tick).into_iter();
    let restored: Vec<_> = restored.map(|part| (ScopeEvent::Part(Box::new(part)), start_tick, 0)).collect();
    let known = known.concat(limits.clone().map(move |event| {
        let tick = tick(&event);
        (Known::Limit(Box::new(event)), tick, 1)
    }));
    // Kept, so that its room is not asked for at each grid point.
    let mut now = Valued::default();
    let valued = on_grid(known, Pipeline, "valuer", move |tick, changes, emitted| {
        let moment = Moment::new(tick, clock.end_of(tick));
        // The new value replaces the old one, so retractions are not needed.
        valuer.advance(&moment, changes.into_iter().filter(|(_, diff)| *diff > 0).map(|(known, _)| known), &mut now);
        emitted.extend(now.parts.drain(..).map(|part| Ok((ScopeEvent::Part(Box::new(part)), tick, 1))));
        emitted.extend(now.measures.drain(..).map(|measure| Err(Box::new(at_grid_point(measure, tick, clock)))));
    });
    let (parts, positions): (StreamVec<'_, _, GridChange<ScopeEvent>>, StreamVec<'_, _, Box<Placed<MeasureEvent>>>) =
        valued.ok_err(|valued| valued);

    let (worker, workers) = (scope.index() as u64, scope.peers() as u64);
    let is_mine = |name: headwater_schemas::Scope| worker_number(&name) % workers == worker;
    let mut scopes = Scopes::restored(settings, tables.1.clone(), &before.scopes, is_mine);
    set.for_each(|event| scopes.watch.learn(*event));
    let limits = limits.map(move |event| {
        let tick = tick(&event);
        (ScopeEvent::Limit(Box::new(event)), tick, 1)
    });
    let exchange = Exchange::new(move |(event, _, _): &GridChange<ScopeEvent>| match event {
        ScopeEvent::Part(part) => worker_number(&part.scope),
        // Broadcast already, so every worker keeps its copy.
        ScopeEvent::Limit(_) => worker,
    });
    let events = parts.concat(restored.to_stream(scope)).concat(limits);
    let figures = on_grid(events, exchange, "scopes", move |tick, mut events, measures| {
        events.sort_by_key(|(_, diff)| *diff);
        for (event, _) in events {
            match event {
                ScopeEvent::Part(part) => scopes.add(&part),
                ScopeEvent::Limit(event) => scopes.watch.learn(*event),
            }
        }
        let mut figures = Vec::new();
        scopes.settle(&Moment::new(tick, clock.end_of(tick)), &mut figures);
        measures.extend(figures.into_iter().map(|measure| at_grid_point(measure, tick, clock)));
    });
    let measures = positions.map(|measure| *measure).concat(figures);
    let done = measures.clone().flat_map(|_| None);
    ValuationOutput { measures, done }
}

/// A figure as an event of the last moment before its grid point.
fn at_grid_point(measure: MeasureEvent, tick: Tick, clock: Clock) -> Placed<MeasureEvent> {
    let number = u64::from(matches!(measure, MeasureEvent::Measured(_)));
    placed(measure, tick, clock, number)
}
