//! Inputs of the valuer about accounts and the market: terms, rates, closes and marks.

use std::sync::Arc;

use headwater_operators::keyed_fold::{ByAccount, Pace, Updated};
use headwater_operators::latest::Upsert;
use headwater_operators::valuation::{CorrectedPart, Known, MarkEvent, MarkUpdate, MarketEvent, Marks, RateAges};
use headwater_schemas::events::{AccountEvent, Event, Side, Trade};
use headwater_schemas::tables::{AccountTerms, ClosingPrice, Execution, InstrumentTerms, LastRate, PriceWatch};
use headwater_schemas::{EventTime, Factor, Offset, Place, Placed, Size, Symbol, Tick, Topic};
use timely::dataflow::StreamVec;
use timely::dataflow::operators::vec::{Broadcast, Filter, Map};
use timely::dataflow::operators::{Concat, Concatenate};

use super::latest::{latest_of, on_grid_latest};
use super::wiring::{Broadcasts, Flow};
use super::{Events, Grid};

/// The currency and book of each account, on the worker that has its positions.
pub(super) fn account_terms<'scope>(
    flow: &mut Flow<'scope, '_>,
    accounts: Events<'scope>,
) -> anyhow::Result<ByAccount<StreamVec<'scope, Tick, Updated<AccountTerms>>>> {
    let terms = latest_of(accounts, |place, event| match event {
        Event::Account(AccountEvent::Opened(opened)) => Some(Upsert::Put(AccountTerms {
            account_id: opened.account_id,
            currency: Some(opened.currency),
            currency_ts: Some(opened.ts),
            book: opened.book.clone(),
            book_ts: Some(opened.ts),
            ts: place.event_time(),
        })),
        Event::Account(AccountEvent::Updated(updated)) => Some(Upsert::Put(AccountTerms {
            account_id: updated.account_id,
            currency: updated.currency,
            currency_ts: updated.currency.map(|_| updated.ts),
            book_ts: updated.book.as_ref().map(|_| updated.ts),
            book: updated.book.clone(),
            ts: place.event_time(),
        })),
        _ => None,
    });
    Ok(ByAccount::updates(on_grid_latest(flow, "account terms", terms)?))
}

/// Prices of the market.
pub(super) struct Prices<'scope> {
    /// `market.trades`.
    pub(super) trades: Events<'scope>,
    /// Each change of a watched mark, and each watched price.
    pub(super) watched: StreamVec<'scope, Tick, Placed<MarkEvent>>,
    pub(super) data: PriceData<'scope>,
}

/// Prices that valuations read.
pub(super) struct PriceData<'scope> {
    /// `market.closes`.
    pub(super) closes: Events<'scope>,
    /// Marks and times of quotes, on the grid.
    pub(super) marks: StreamVec<'scope, Tick, Updated<MarkUpdate>>,
}

/// Marks: from quotes, trades of the market and of our own books, and closes.
pub(super) fn prices<'scope>(
    flow: &mut Flow<'scope, '_>,
    executions: StreamVec<'scope, Tick, Placed<Execution>>,
    watchlists: Events<'scope>,
) -> anyhow::Result<Prices<'scope>> {
    let watched = watched(flow, watchlists.clone())?;
    let (quotes, trades, closes) = (flow.take(Topic::Quotes), flow.take(Topic::Trades), flow.take(Topic::Closes));
    let prices = flow.scope.concatenate([quotes, trades.clone(), closes.clone(), watchlists]);
    let prices = prices.flat_map(|Placed { place, event }| {
        let event = match event {
            Event::Quote(quote) => MarketEvent::Quote(quote),
            Event::Trade(trade) => MarketEvent::Trade(trade),
            Event::Close(close) => MarketEvent::Close(close),
            Event::Watch(watch) => MarketEvent::Watch(watch),
            _ => return None,
        };
        Some(Placed { place, event })
    });
    // The buyer's execution represents the match.
    let own_trades = executions.filter(|execution| execution.event.side == Side::Buy).map(|execution| execution.map(own_trade));
    let marks = flow.fold("marks", Marks, Pace::Grid, prices.concat(own_trades), watched)?;
    // A derived event names the place of the price that it comes from.
    let watched = marks.derived.map(|derived| derived.event);
    Ok(Prices { trades, watched, data: PriceData { closes, marks: marks.updates } })
}

/// Terms, rates, closes and marks.
pub(super) fn market_data<'scope>(
    flow: &mut Flow<'scope, '_>,
    reference: Events<'scope>,
    prices: PriceData<'scope>,
    rates: Events<'scope>,
) -> anyhow::Result<Grid<'scope, Known>> {
    let scope = flow.scope;
    let first = scope.index() == 0;
    // Reference data is on every worker already; one of them emits it here.
    let instruments = latest_of(reference, move |place, event| match event {
        Event::Instrument(instrument) if first => {
            let multiplier = instrument.multiplier.unwrap_or(Factor::whole(1));
            Some(Upsert::Put(InstrumentTerms {
                symbol: instrument.symbol,
                asset_class: instrument.asset_class,
                currency: instrument.currency,
                multiplier,
                written: instrument.ts.unwrap_or(EventTime::BEGINNING),
                ts: place.event_time(),
            }))
        }
        _ => None,
    });
    let instruments = known(on_grid_latest(flow, "instrument terms", instruments)?.updates, instrument_known);

    let rates = rates.flat_map(|Placed { place, event }| match event {
        Event::FxRate(rate) => Some(Placed { place, event: *rate }),
        _ => None,
    });
    let (view, broadcasts) = (RateAges { max_age: flow.settings.config.valuation.max_rate_age.into() }, flow.no_broadcasts());
    let rates = known(flow.fold("rates", view, Pace::Grid, rates, broadcasts)?.updates, rate_known);

    let closes = latest_of(prices.closes, |place, event| match event {
        Event::Close(close) => {
            Some(Upsert::Put(ClosingPrice { symbol: close.symbol, date: close.date, close: close.close, ts: place.event_time() }))
        }
        _ => None,
    });
    let closes = known(on_grid_latest(flow, "closes", closes)?.updates, close_known);

    let marks = prices.marks.flat_map(|(update, tick, corrections)| Some((update.mark()?, tick, corrections)));
    let corrected = known_corrected(marks.clone(), |mark| CorrectedPart::Mark(mark.symbol));
    Ok(scope.concatenate([instruments, rates, closes, known(marks, Known::Mark), corrected]))
}

/// The symbols that are watched, on every worker.
fn watched<'scope>(flow: &Flow<'scope, '_>, watchlists: Events<'scope>) -> anyhow::Result<Broadcasts<'scope, Symbol>> {
    let stream = watchlists.flat_map(|Placed { place, event }| match event {
        Event::Watch(watch) => Some(Placed { place, event: watch.symbol }),
        _ => None,
    });
    let saved = flow.settings.saved.rows::<PriceWatch>()?;
    let before = saved
        .iter()
        .map(|row| Placed { place: Place::of_record(row.ts.effective(), Topic::Watchlists, 0, Offset::ZERO), event: row.symbol });
    Ok(Broadcasts { stream: stream.broadcast(), before: Arc::new(before.collect()) })
}

/// A match on our own book as a trade of the market.
fn own_trade(execution: Execution) -> MarketEvent {
    let Execution { symbol, price, quantity, ts, .. } = execution;
    MarketEvent::Trade(Arc::new(Trade { symbol, price, size: Size::from_units(quantity.units()), source: None, ts }))
}

/// Updates as inputs of the valuer.
pub(super) fn known<'scope, U: Clone + 'static, K: Into<Option<Known>>>(
    updates: StreamVec<'scope, Tick, Updated<U>>,
    as_known: impl Fn(U) -> K + 'static,
) -> Grid<'scope, Known> {
    updates.flat_map(move |(update, tick, _)| Some((as_known(update).into()?, tick, 1)))
}

/// Corrections as inputs of the valuer.
pub(super) fn known_corrected<'scope, U: Clone + 'static>(
    updates: StreamVec<'scope, Tick, Updated<U>>,
    part: impl Fn(U) -> CorrectedPart + 'static,
) -> Grid<'scope, Known> {
    updates.flat_map(move |(update, tick, corrections)| {
        (!corrections.is_empty()).then(|| (Known::Corrected(part(update), corrections), tick, 1))
    })
}

pub(super) fn instrument_known(InstrumentTerms { symbol, asset_class, currency, multiplier, .. }: InstrumentTerms) -> Known {
    Known::Instrument { symbol, asset_class, currency, multiplier }
}

pub(super) fn rate_known(LastRate { base, quote, rate, stale_since, ts }: LastRate) -> Known {
    Known::Rate { base, quote, rate, ts, is_stale: stale_since.is_some() }
}

pub(super) fn close_known(ClosingPrice { symbol, date, close, .. }: ClosingPrice) -> Known {
    Known::Close { symbol, date, close }
}

/// Without a record the currency is unknown.
pub(super) fn account_known(AccountTerms { account_id, currency, book, .. }: AccountTerms) -> Option<Known> {
    Some(Known::Account { account_id, currency: currency?, book })
}
