//! Market surveillance: from what books, markets and feeds report to alerts.

use std::sync::Arc;

use headwater_operators::keyed_fold::{Pace, Updated, worker_number};
use headwater_operators::matching::BookEvent;
use headwater_operators::positions::FillChange;
use headwater_operators::surveillance::{BookSurveillance, FeedEvent, StaleFeeds, TraderSurveillance, WatchEvent};
use headwater_operators::valuation::MarkUpdate;
use headwater_operators::valuation::grid::placed;
use headwater_schemas::events::Event;
use headwater_schemas::{Placed, Tick, Topic};
use timely::dataflow::StreamVec;
use timely::dataflow::operators::Concatenate;
use timely::dataflow::operators::core::OkErr;
use timely::dataflow::operators::vec::{Filter, Map};

use super::Events;
use super::wiring::{Flow, Reference};

/// What surveillance reads.
pub(super) struct Watched<'scope> {
    pub(super) books: StreamVec<'scope, Tick, Placed<BookEvent>>,
    /// Trades of the market.
    pub(super) trades: Events<'scope>,
    /// Fills that count, and those that no longer do.
    pub(super) fills: StreamVec<'scope, Tick, Placed<FillChange>>,
    /// Marks and times of quotes.
    pub(super) marks: StreamVec<'scope, Tick, Updated<MarkUpdate>>,
    pub(super) reference: Reference<'scope>,
}

/// Watches books, traders and feeds.
pub(super) fn surveillance<'scope>(flow: &mut Flow<'scope, '_>, watched: Watched<'scope>) -> anyhow::Result<()> {
    let Watched { books, trades, fills, marks, reference } = watched;
    let config = &flow.settings.config;
    let (settings, horizons) = (Arc::new(config.surveillance.clone()), config.horizons());
    // Phases are few, and both views read them.
    let (books, phases) = books.ok_err(|Placed { place, event }| match event {
        BookEvent::Phase(step) => Err(Placed { place, event: step }),
        event => Ok(Placed { place, event: WatchEvent::Book(event) }),
    });
    let trades = trades.flat_map(|Placed { place, event }| match event {
        Event::Trade(trade) => Some(Placed { place, event: WatchEvent::Trade(trade) }),
        _ => None,
    });
    let closing = phases.clone().map(|step| step.map(|step| WatchEvent::Book(BookEvent::Phase(step))));
    let fills = fills.map(|change| change.map(WatchEvent::Fill));
    let events = flow.scope.concatenate([books, closing, trades, fills]);
    let view = BookSurveillance { settings: Arc::clone(&settings), horizon: horizons.horizon, busts: horizons.busts };
    let traders = flow.fold("surveillance of books", view, Pace::Grid, events, reference.clone())?.derived;
    // The event of its cause's place.
    let traders = traders.map(|Placed { event: (place, event), .. }| Placed { place, event });
    let view = TraderSurveillance { settings: Arc::clone(&settings), horizon: horizons.busts };
    let broadcasts = flow.no_broadcasts();
    flow.fold("surveillance of traders", view, Pace::Grid, traders, broadcasts)?;

    let clock = flow.clock();
    let quotes = marks.flat_map(move |(update, tick, why)| match update {
        MarkUpdate::Quoted(symbol, ts) => Some(placed(FeedEvent::Quoted { symbol, ts, why }, tick, clock, worker_number(&symbol))),
        MarkUpdate::Mark(_) => None,
    });
    let feeds = flow.scope.concatenate([quotes, phases.map(|step| step.map(FeedEvent::Phase))]);
    let instruments = Reference {
        stream: reference.stream.filter(|event| is_instrument(&event.event)),
        before: Arc::new(reference.before.iter().filter(|event| is_instrument(&event.event)).cloned().collect()),
    };
    flow.fold("stale feeds", StaleFeeds { settings }, Pace::Tick, feeds, instruments)?;
    Ok(())
}

fn is_instrument(event: &Event) -> bool {
    event.topic() == Topic::Instruments
}
