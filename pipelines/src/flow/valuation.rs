//! Positions and balances to portfolios, risk and limit alerts, on the event-time grid.

use std::hash::{Hash, Hasher};

use differential_dataflow::{AsCollection, VecCollection};
use headwater_operators::keyed_fold::{Corrected, FoldInput, Pace, keyed_fold, route};
use headwater_operators::latest::Upsert;
use headwater_operators::positions::Holding;
use headwater_operators::valuation::grid::{grid_time, on_grid, placed};
use headwater_operators::valuation::{
    Contribution, CorrectedPart, Drawdowns, ExposureLimits, Known, LimitRow, Mark, MarkRow, MarketEvent, Marks, MeasureEvent, PortfolioRow,
    RiskOutput, ScopeEvent, ScopeValue, ScopeVector, Valued, Valuer, portfolios, risk,
};
use headwater_schemas::events::{AccountEvent, Event};
use headwater_schemas::tables::{AccountTerms, Balance, ClosingPrice, InstrumentTerms, LastRate, Position, Risk};
use headwater_schemas::{Factor, Id, Placed, Topic};
use rustc_hash::FxHasher;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::core::partition::Partition;
use timely::dataflow::operators::generic::operator::empty;
use timely::dataflow::operators::vec::{Broadcast, Map};
use timely::dataflow::operators::{Concat, Concatenate, ToStream};
use timely::dataflow::{Scope, StreamVec};

use super::latest::{latest_of, on_grid_latest};
use super::measures::{is_limited, measure_of_position, measure_of_risk, measures_of_scope, of_position, of_risk, of_scope};
use super::sinks::Sinks;
use super::{Events, FlowSettings, Grid, Topics};

/// What is valued.
pub(super) struct Market<'scope> {
    pub(super) holdings: (VecCollection<'scope, u64, Holding, isize>, Corrected<'scope, Holding>),
    pub(super) balances: (VecCollection<'scope, u64, Balance, isize>, Corrected<'scope, Balance>),
    pub(super) accounts: Events<'scope>,
    pub(super) reference: Events<'scope>,
}

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
    let Split { positions, contributions, vectors, corrected_positions, corrected_scopes } = split(valued);
    sinks.table_with_reasons("commit positions", positions.clone().as_collection(), corrected_positions.clone());

    // Sums and ratios of accounts and books.
    let values = portfolios(contributions.concat(contributions_before).as_collection());
    let scope_values = now(values.inner, settings, |value: &ScopeValue| &value.scope);
    let before = settings.before(scope, &Drawdowns, &settings.remembered.portfolios);
    let corrected = corrected_scopes.clone().map(move |(scope, tick, corrections)| {
        let number = hash(&scope);
        placed(ScopeEvent::Corrected(scope, corrections), tick, tick_interval, number)
    });
    let events = scope_values.clone().map(|value| value.map(ScopeEvent::Value)).concat(corrected);
    let input = FoldInput { events, broadcasts: empty(scope), ends: ends.clone(), before };
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

    // What could be lost.
    let share = settings.share(scope);
    let before = settings.remembered.risk.iter().filter(|row| share.is_mine(route(&row.scope))).cloned().collect();
    let RiskOutput { rows: risk, corrected: corrected_risk } =
        risk(vectors.concat(vectors_before), settings.risk.clone(), tick_interval, before);
    sinks.table_with_reasons("commit risk", risk.clone().as_collection(), corrected_risk.clone());

    // And what must not be exceeded.
    let method = settings.risk.methods.first().copied();
    let measures = scope.concatenate([
        scope_values.flat_map(measures_of_scope),
        now(positions, settings, |position: &Position| &position.symbol).flat_map(measure_of_position),
        now(risk, settings, |risk: &Risk| &risk.scope)
            .flat_map(move |risk| is_limited(&risk.event, method).then(|| measure_of_risk(&risk))),
    ]);
    let corrected = scope.concatenate([
        corrected_scopes.flat_map(|(scope, tick, corrections)| of_scope(scope).map(|key| (key, tick, corrections.clone()))),
        corrected_positions.flat_map(|(row, tick, corrections)| Some((of_position(&row), tick, corrections))),
        corrected_risk.flat_map(move |(row, tick, corrections)| is_limited(&row, method).then(|| (of_risk(&row), tick, corrections))),
    ]);
    let corrected = corrected.map(move |(key, tick, corrections)| {
        let number = hash(&key);
        placed(MeasureEvent::Corrected(key, corrections), tick, tick_interval, number)
    });
    let view = ExposureLimits { defaults: settings.limits.clone() };
    let before = settings.before_with_reference(scope, &view, &settings.remembered.limits);
    let input = FoldInput {
        events: measures.map(|measure| measure.map(MeasureEvent::Measured)).concat(corrected),
        broadcasts: market.reference,
        ends,
        before,
    };
    let limits = keyed_fold("limits", view, input, tick_interval, Pace::Tick);
    let (alerts, standing) = (sinks.alerts(), sinks.add());
    let because = alerts.clone();
    sinks.corrected("commit limit alerts", limits.corrected, move |row, tick, corrections| match row {
        LimitRow::Alert(row) => because.because(row, tick, corrections),
        LimitRow::Standing(_) => {}
    });
    sinks.rows("commit limit alerts", limits.rows, move |row, tick, diff| match row {
        LimitRow::Alert(row) => alerts.push(row, tick, diff),
        LimitRow::Standing(row) => standing.push(row, tick, diff),
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
            // At the beginning of this run: if risk is estimated otherwise now, that is news.
            Valued::Vector(vector) => vectors.push((vector, settings.source.start_tick, 1)),
            Valued::Position(..) | Valued::CorrectedPosition(..) | Valued::CorrectedScope(..) => {}
        }
    }
    (contributions.to_stream(scope), vectors.to_stream(scope))
}

fn instrument_known(InstrumentTerms { symbol, currency, multiplier, .. }: InstrumentTerms) -> Known {
    Known::Instrument { symbol, currency, multiplier }
}

fn rate_known(LastRate { base, quote, rate, .. }: LastRate) -> Known {
    Known::Rate { base, quote, rate }
}

fn close_known(ClosingPrice { symbol, date, close, .. }: ClosingPrice) -> Known {
    Known::Close { symbol, date, close }
}

fn account_known(AccountTerms { account_id, currency, book, .. }: AccountTerms) -> Known {
    Known::Account { account_id, currency, book }
}

/// What accounts of ours have posted.
fn cash_known(row: Balance) -> Option<Known> {
    let ours = !row.account_id.starts_with("external:");
    ours.then_some(Known::Cash { account_id: row.account_id, currency: row.currency, posted: row.posted })
}

fn cash(balances: VecCollection<'_, u64, Balance, isize>) -> Grid<'_, Known> {
    balances.inner.flat_map(|(row, tick, diff)| Some((cash_known(row)?, tick, diff)))
}

/// The currency and book of each account, at the worker that has its positions.
fn account_terms<'scope>(
    accounts: Events<'scope>,
    ends: StreamVec<'scope, u64, u64>,
    settings: &FlowSettings,
    sinks: &mut Sinks<'scope>,
) -> Grid<'scope, Known> {
    let terms = latest_of(accounts, |place, event| match event {
        Event::Account(AccountEvent::Opened(opened)) => Some(Upsert::Put(AccountTerms {
            account_id: opened.account_id,
            currency: opened.currency,
            book: opened.book,
            ts: place.event_time(),
        })),
        Event::Account(AccountEvent::Updated(updated)) => {
            Some(Upsert::Amend(updated.account_id, (updated.currency, updated.book, place.event_time())))
        }
        _ => None,
    });
    let rows = on_grid_latest("account terms", terms, &settings.remembered.accounts, ends, settings, sinks);
    rows.map(|(row, tick, diff)| (account_known(row), tick, diff))
}

/// Terms, rates, closes and marks.
fn market_data<'scope>(
    topics: &mut Topics<'scope>,
    reference: Events<'scope>,
    ends: StreamVec<'scope, u64, u64>,
    settings: &FlowSettings,
    sinks: &mut Sinks<'scope>,
) -> Grid<'scope, Known> {
    let scope = topics.scope;
    let first = scope.index() == 0;
    // Reference data is on every worker already; one of them is enough to say it here.
    let instruments = latest_of(reference, move |place, event| match event {
        Event::Instrument(instrument) if first => {
            let multiplier = instrument.multiplier.unwrap_or(Factor::whole(1));
            Some(Upsert::Put(InstrumentTerms {
                symbol: instrument.symbol,
                currency: instrument.currency,
                multiplier,
                ts: place.event_time(),
            }))
        }
        _ => None,
    });
    let instruments = on_grid_latest("instrument terms", instruments, &settings.remembered.instruments, ends.clone(), settings, sinks)
        .map(|(row, tick, diff)| (instrument_known(row), tick, diff));

    let rates = latest_of(topics.take(Topic::FxRates), |place, event| match event {
        Event::FxRate(rate) => Some(Upsert::Put(LastRate { base: rate.base, quote: rate.quote, rate: rate.rate, ts: place.event_time() })),
        _ => None,
    });
    let rates = on_grid_latest("rates", rates, &settings.remembered.rates, ends.clone(), settings, sinks)
        .map(|(row, tick, diff)| (rate_known(row), tick, diff));

    let closing = topics.take(Topic::Closes);
    let closes = latest_of(closing.clone(), |place, event| match event {
        Event::Close(close) => {
            Some(Upsert::Put(ClosingPrice { symbol: close.symbol, date: close.date, close: close.close, ts: place.event_time() }))
        }
        _ => None,
    });
    let closes = on_grid_latest("closes", closes, &settings.remembered.closes, ends.clone(), settings, sinks)
        .map(|(row, tick, diff)| (close_known(row), tick, diff));

    let prices = scope.concatenate([topics.take(Topic::Quotes), topics.take(Topic::Trades), closing]);
    let prices = prices.flat_map(|Placed { place, event }| {
        let event = match event {
            Event::Quote(quote) => MarketEvent::Quote(quote),
            Event::Trade(trade) => MarketEvent::Trade(trade),
            Event::Close(close) => MarketEvent::Close(close),
            _ => return None,
        };
        Some(Placed { place, event })
    });
    let view = Marks { late_after: settings.late_after };
    let before = settings.before(scope, &view, &settings.remembered.prices);
    let input = FoldInput { events: prices, broadcasts: empty(scope), ends, before };
    let marks = keyed_fold("marks", view, input, settings.tick_interval(), Pace::Grid(settings.grid_ticks()));
    let last_prices = sinks.add();
    let prices = marks.rows.clone().flat_map(|row| match row {
        MarkRow::Prices(row) => Some(row),
        MarkRow::Mark(_) => None,
    });
    sinks.rows("commit last prices", prices, move |row, tick, diff| last_prices.push(row, tick, diff));
    let corrected_marks = marks.corrected;
    let marks = marks.rows.inner.flat_map(|(row, tick, diff)| match row {
        MarkRow::Mark(mark) => Some((Known::Mark(mark), tick, diff)),
        MarkRow::Prices(_) => None,
    });
    let corrected = known_corrected(corrected_marks, |row| match row {
        MarkRow::Mark(mark) => Some(CorrectedPart::Mark(mark.symbol)),
        MarkRow::Prices(_) => None,
    });
    scope.concatenate([instruments, rates, closes, marks, corrected])
}

/// What was corrected, as the valuer is to know it.
fn known_corrected<'scope, R: Clone + 'static>(
    corrected: Corrected<'scope, R>,
    part: impl Fn(R) -> Option<CorrectedPart> + 'static,
) -> Grid<'scope, Known> {
    corrected.flat_map(move |(row, tick, corrections)| Some((Known::Corrected(part(row)?, corrections), tick, 1)))
}

/// What the valuer says, apart.
struct Split<'scope> {
    positions: Grid<'scope, Position>,
    contributions: Grid<'scope, Contribution>,
    vectors: Grid<'scope, ScopeVector>,
    corrected_positions: Corrected<'scope, Position>,
    corrected_scopes: Corrected<'scope, Id>,
}

fn split(valued: StreamVec<'_, u64, (Valued, u64)>) -> Split<'_> {
    let scope = valued.scope();
    let mut parts = valued
        .partition::<CapacityContainerBuilder<Vec<_>>, _, _>(5, |said: (Valued, u64)| {
            let part = match &said.0 {
                Valued::Position(..) => 0,
                Valued::Contribution(..) => 1,
                Valued::Vector(_) => 2,
                Valued::CorrectedPosition(..) => 3,
                Valued::CorrectedScope(..) => 4,
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
    Split { positions, contributions, vectors, corrected_positions, corrected_scopes }
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = FxHasher::default();
    value.hash(&mut hasher);
    hasher.finish()
}

/// What is at a grid point, as events of that time. What was before this run began is no news.
fn now<'scope, D: Clone + 'static>(
    changes: Grid<'scope, D>,
    settings: &FlowSettings,
    key: impl Fn(&D) -> &Id + 'static,
) -> StreamVec<'scope, u64, Placed<D>> {
    let (tick_interval, start_tick) = (settings.tick_interval(), settings.source.start_tick);
    changes.flat_map(move |(row, tick, diff)| {
        (diff > 0 && tick >= start_tick).then(|| {
            let number = hash(key(&row));
            placed(row, tick, tick_interval, number)
        })
    })
}
