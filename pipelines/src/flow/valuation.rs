//! Positions and balances to portfolios, risk and limit alerts, on the event-time grid.

use differential_dataflow::{AsCollection, VecCollection};
use headwater_operators::keyed_fold::{Corrected, FoldInput, Pace, keyed_fold, route};
use headwater_operators::positions::Holding;
use headwater_operators::valuation::grid::{grid_time, on_grid};
use headwater_operators::valuation::{
    Contribution, CorrectedPart, Drawdowns, Known, Mark, PortfolioRow, RiskEvent, RiskOutput, ScopeEvent, ScopeValue, ScopeVector, Valued,
    Valuer, portfolios, risk,
};
use headwater_schemas::tables::{Balance, Position, Risk};
use headwater_schemas::{Id, Placed};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::core::partition::Partition;
use timely::dataflow::operators::generic::operator::empty;
use timely::dataflow::operators::vec::{Broadcast, Map};
use timely::dataflow::operators::{Concat, Concatenate, ToStream};
use timely::dataflow::{Scope, StreamVec};

use super::grid::{corrected_at, now};
use super::limits::{Figures, limits};
use super::market::{account_known, account_terms, close_known, instrument_known, known_corrected, market_data, rate_known};
use super::sinks::Sinks;
use super::{Events, FlowSettings, Grid, Topics};

/// What is valued.
pub(super) struct Market<'scope> {
    pub(super) holdings: (VecCollection<'scope, u64, Holding, isize>, Corrected<'scope, Holding>),
    pub(super) balances: (VecCollection<'scope, u64, Balance, isize>, Corrected<'scope, Balance>),
    pub(super) accounts: Events<'scope>,
    pub(super) reference: Events<'scope>,
}

/// Values positions, adds up scopes, estimates risk, and holds all that against limits.
pub(super) fn valuation<'scope>(
    topics: &mut Topics<'scope>,
    market: Market<'scope>,
    ends: StreamVec<'scope, u64, u64>,
    settings: &FlowSettings,
    sinks: &mut Sinks<'scope>,
) {
    let scope = topics.scope;
    let (tick_interval, worker) = (settings.tick_interval(), scope.index());

    let ((holdings, corrected_holdings), (balances, corrected_balances)) = (market.holdings, market.balances);
    // What each worker knows: of its own accounts, and of the market all there is.
    let known = scope.concatenate([
        holdings.inner.map(|(holding, tick, diff)| (Known::Holding(holding), tick, diff)),
        known_corrected(corrected_holdings, |row| Some(CorrectedPart::Holding(row.account_id, row.symbol))),
        cash(balances),
        known_corrected(corrected_balances, |row| Some(CorrectedPart::Cash(row.account_id))),
        account_terms(market.accounts, ends.clone(), settings, sinks),
        market_data(topics, market.reference.clone(), ends.clone(), settings, sinks).broadcast(),
    ]);
    let mut valuer = Valuer::new(worker, settings.base_currency.clone(), settings.risk.window);
    let (contributions_before, vectors_before) = go_on(&mut valuer, scope, settings);
    let valued = on_grid(known, Pipeline, "valuer", move |tick, changes, said| {
        let mut valued = Vec::new();
        valuer.advance(grid_time(tick, tick_interval), changes, &mut valued);
        said.extend(valued.into_iter().map(|valued| (valued, tick)));
    });
    let Split { positions, contributions, vectors, corrected_positions, corrected_scopes, corrected_exposures } = split(valued);
    sinks.table_with_reasons("commit positions", positions.clone().as_collection(), corrected_positions.clone());

    // Sums and ratios of accounts and books.
    let values = portfolios(contributions.concat(contributions_before).as_collection());
    let scope_values = now(values.inner, settings, |value: &ScopeValue| &value.scope);
    drawdowns(scope_values.clone(), corrected_scopes.clone(), ends.clone(), settings, sinks);

    // What could be lost.
    let share = settings.share(scope);
    let before = settings.remembered.risk.iter().filter(|row| share.is_mine(route(&row.scope))).cloned().collect();
    let vectors = vectors.concat(vectors_before).map(|(vector, tick, diff)| (RiskEvent::Vector(vector), tick, diff));
    let corrected = corrected_exposures.map(|(scope, tick, corrections)| (RiskEvent::Corrected(scope, corrections), tick, 1));
    let RiskOutput { rows: risk, corrected: corrected_risk } =
        risk(vectors.concat(corrected), settings.risk.clone(), tick_interval, before);
    sinks.table_with_reasons("commit risk", risk.clone().as_collection(), corrected_risk.clone());

    // And what must not be exceeded.
    let figures = Figures {
        scopes: (scope_values, corrected_scopes),
        positions: (now(positions, settings, |position: &Position| &position.symbol), corrected_positions),
        risk: (now(risk, settings, |risk: &Risk| &risk.scope), corrected_risk),
    };
    limits(figures, market.reference, ends, settings, sinks);
}

/// The rows of scopes, with the drawdown of their equity.
fn drawdowns<'scope>(
    values: StreamVec<'scope, u64, Placed<ScopeValue>>,
    corrected: Corrected<'scope, Id>,
    ends: StreamVec<'scope, u64, u64>,
    settings: &FlowSettings,
    sinks: &mut Sinks<'scope>,
) {
    let (scope, tick_interval) = (values.scope(), settings.tick_interval());
    let before = settings.before(scope, &Drawdowns, &settings.remembered.portfolios);
    let corrected = corrected_at(corrected, tick_interval, ScopeEvent::Corrected);
    let events = values.map(|value| value.map(ScopeEvent::Value)).concat(corrected);
    let input = FoldInput { events, broadcasts: empty(scope), ends, before };
    let drawdowns = keyed_fold("portfolios", Drawdowns, input, tick_interval, Pace::Grid(settings.grid_ticks()));
    let (rows, peaks) = (sinks.add(), sinks.add());
    let because = rows.clone();
    sinks.corrected("commit portfolios", drawdowns.corrected, move |row, tick, corrections| match row {
        PortfolioRow::Portfolio(row) => because.because(row, tick, corrections),
        PortfolioRow::Peak(_) => {}
    });
    sinks.rows("commit portfolios", drawdowns.rows, move |row, tick, diff| match row {
        PortfolioRow::Portfolio(row) => rows.push(row, tick, diff),
        PortfolioRow::Peak(row) => peaks.push(row, tick, diff),
    });
}

/// Lets the valuer know what it knew at the last commit. What it said until then is needed again by those whose inputs are
/// nothing else: the sums of scopes, which begin with it, and the vectors of risk.
fn go_on<'scope>(
    valuer: &mut Valuer,
    scope: Scope<'scope, u64>,
    settings: &FlowSettings,
) -> (Grid<'scope, Contribution>, Grid<'scope, ScopeVector>) {
    let (remembered, share) = (&settings.remembered, settings.share(scope));
    let mine = |account: &Id| share.is_mine(route(account));
    let instruments = remembered.instruments.iter().cloned().map(instrument_known);
    let rates = remembered.rates.iter().cloned().map(rate_known);
    let closes = remembered.closes.iter().cloned().map(close_known);
    let marks = remembered.prices.iter().filter_map(Mark::of).map(Known::Mark);
    let accounts = remembered.accounts.iter().filter(|row| mine(&row.account_id)).cloned().map(account_known);
    let cash = remembered.balances.iter().filter(|row| mine(&row.account_id)).cloned().filter_map(cash_known);
    let rows: Vec<_> = remembered.valued.iter().filter(|row| mine(&row.account_id)).cloned().collect();
    let holdings = rows.iter().map(|row| Known::Holding(Holding::of(row)));
    let known = instruments.chain(rates).chain(closes).chain(marks).chain(accounts).chain(cash).chain(holdings).collect();

    let (mut contributions, mut vectors) = (Vec::new(), Vec::new());
    for said in valuer.restore(known, rows) {
        match said {
            Valued::Contribution(part, diff) => contributions.push((part, 0, diff)),
            // At the beginning of this run: if risk is estimated otherwise now, that is news. No change of its own, so that it comes
            // before those of that tick.
            Valued::Vector(vector) => vectors.push((vector, settings.source.start_tick, 0)),
            Valued::Position(..) | Valued::CorrectedPosition(..) | Valued::CorrectedScope(..) | Valued::CorrectedExposure(..) => {}
        }
    }
    (contributions.to_stream(scope), vectors.to_stream(scope))
}

/// What accounts of ours have posted.
fn cash_known(row: Balance) -> Option<Known> {
    let ours = !row.account_id.starts_with("external:");
    ours.then_some(Known::Cash { account_id: row.account_id, currency: row.currency, posted: row.posted })
}

fn cash(balances: VecCollection<'_, u64, Balance, isize>) -> Grid<'_, Known> {
    balances.inner.flat_map(|(row, tick, diff)| Some((cash_known(row)?, tick, diff)))
}

/// What the valuer says, apart.
struct Split<'scope> {
    positions: Grid<'scope, Position>,
    contributions: Grid<'scope, Contribution>,
    vectors: Grid<'scope, ScopeVector>,
    corrected_positions: Corrected<'scope, Position>,
    corrected_scopes: Corrected<'scope, Id>,
    corrected_exposures: Corrected<'scope, Id>,
}

fn split(valued: StreamVec<'_, u64, (Valued, u64)>) -> Split<'_> {
    let scope = valued.scope();
    let mut parts = valued
        .partition::<CapacityContainerBuilder<Vec<_>>, _, _>(6, |said: (Valued, u64)| {
            let part = match &said.0 {
                Valued::Position(..) => 0,
                Valued::Contribution(..) => 1,
                Valued::Vector(_) => 2,
                Valued::CorrectedPosition(..) => 3,
                Valued::CorrectedScope(..) => 4,
                Valued::CorrectedExposure(..) => 5,
            };
            (part, said)
        })
        .into_iter();
    let mut next = || parts.next().unwrap_or_else(|| empty(scope));
    let positions = next().flat_map(|(valued, tick)| match valued {
        Valued::Position(row, diff) => Some((row, tick, diff)),
        _ => None,
    });
    let contributions = next().flat_map(|(valued, tick)| match valued {
        Valued::Contribution(part, diff) => Some((part, tick, diff)),
        _ => None,
    });
    let vectors = next().flat_map(|(valued, tick)| match valued {
        Valued::Vector(vector) => Some((vector, tick, 1)),
        _ => None,
    });
    let corrected_positions = next().flat_map(|(valued, tick)| match valued {
        Valued::CorrectedPosition(row, corrections) => Some((row, tick, corrections)),
        _ => None,
    });
    let corrected_scopes = next().flat_map(|(valued, tick)| match valued {
        Valued::CorrectedScope(scope, corrections) => Some((scope, tick, corrections)),
        _ => None,
    });
    let corrected_exposures = next().flat_map(|(valued, tick)| match valued {
        Valued::CorrectedExposure(scope, corrections) => Some((scope, tick, corrections)),
        _ => None,
    });
    Split { positions, contributions, vectors, corrected_positions, corrected_scopes, corrected_exposures }
}
