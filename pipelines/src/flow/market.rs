//! What the valuer knows of accounts and of the market: terms, rates, closes and marks.

use headwater_operators::keyed_fold::{Corrected, FoldInput, Pace, keyed_fold};
use headwater_operators::latest::Upsert;
use headwater_operators::valuation::{CorrectedPart, Known, MarkRow, MarketEvent, Marks};
use headwater_schemas::events::{AccountEvent, Event};
use headwater_schemas::tables::{AccountTerms, ClosingPrice, InstrumentTerms, LastRate};
use headwater_schemas::{Factor, Placed, Topic};
use timely::dataflow::StreamVec;
use timely::dataflow::operators::Concatenate;
use timely::dataflow::operators::generic::operator::empty;
use timely::dataflow::operators::vec::Map;

use super::latest::{latest_of, on_grid_latest};
use super::sinks::Sinks;
use super::{Events, FlowSettings, Grid, Topics};

/// The currency and book of each account, at the worker that has its positions.
pub(super) fn account_terms<'scope>(
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
pub(super) fn market_data<'scope>(
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
pub(super) fn known_corrected<'scope, R: Clone + 'static>(
    corrected: Corrected<'scope, R>,
    part: impl Fn(R) -> Option<CorrectedPart> + 'static,
) -> Grid<'scope, Known> {
    corrected.flat_map(move |(row, tick, corrections)| Some((Known::Corrected(part(row)?, corrections), tick, 1)))
}

pub(super) fn instrument_known(InstrumentTerms { symbol, currency, multiplier, .. }: InstrumentTerms) -> Known {
    Known::Instrument { symbol, currency, multiplier }
}

pub(super) fn rate_known(LastRate { base, quote, rate, .. }: LastRate) -> Known {
    Known::Rate { base, quote, rate }
}

pub(super) fn close_known(ClosingPrice { symbol, date, close, .. }: ClosingPrice) -> Known {
    Known::Close { symbol, date, close }
}

pub(super) fn account_known(AccountTerms { account_id, currency, book, .. }: AccountTerms) -> Known {
    Known::Account { account_id, currency, book }
}
