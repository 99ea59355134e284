//! Marks: the prices at which symbols are valued.
//!
//! - **Key**: symbol. **Rows**: the mark with its sources, once per grid point. **State**: the last quote's mid, trade and close.
//!   **Ties**: of equal times the later place wins.
//! - A mark is the mid of the last quote, else the last trade, else the last close. A quote has a mid if both its sides have a
//!   price and a size above zero.
//! - The last one is that with the latest time of its own (for a close: its date). So neither a slow feed nor a backfill replaces
//!   a newer price.
//! - **Derived**: of watched symbols, each change of the mark, at the place of the price that changed it, and each watched price
//!   with the mark of its place. So price alerts see what happens between grid points, and symbols that nobody watches cost
//!   nothing.

use std::sync::Arc;

use headwater_schemas::events::{Close, Quote, Trade, Watch};
use headwater_schemas::tables::{MarkPrice, Moment, TableWriter};
use headwater_schemas::{Correction, Corrections, Date, EventTime, Place, Placed, Price, Symbol, Topic};
use rustc_hash::FxHashSet;
use serde::{Deserialize, Serialize};

use crate::keyed_fold::{Outbox, States, Updates, View};
use crate::newest::Newest;

/// An event that prices a symbol, or asks for its price.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MarketEvent {
    /// The best bid and ask.
    Quote(Arc<Quote>),
    /// A trade, of the market or of our own book.
    Trade(Arc<Trade>),
    /// A closing price.
    Close(Box<Close>),
    /// A watched price, which is passed on with the mark of its place.
    Watch(Box<Watch>),
}

/// An event of a symbol's mark.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum MarkEvent {
    /// The mark changed.
    Moved {
        /// The new mark.
        mark: Mark,
        /// The correction that it is, if the price that changed it is late.
        correction: Option<Box<Correction>>,
    },
    /// A price is watched.
    Watched {
        /// The watched price.
        watch: Box<Watch>,
        /// The mark of that moment, if there is one.
        mark: Option<Price>,
    },
}

/// The price at which a symbol is valued.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Mark {
    /// The symbol.
    pub symbol: Symbol,
    /// The price; none if there is no longer any.
    pub price: Option<Price>,
}

impl Mark {
    /// The mark of a row.
    pub fn of(row: &MarkPrice) -> Self {
        Self { symbol: row.symbol, price: row.mark }
    }
}

/// A change of a symbol's prices at a grid point.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum MarkUpdate {
    /// It has another mark.
    Mark(Mark),
    /// Its last quote has another time of its own.
    Quoted(Symbol, EventTime),
}

impl MarkUpdate {
    /// The mark, if it is one.
    pub const fn mark(self) -> Option<Mark> {
        match self {
            Self::Mark(mark) => Some(mark),
            Self::Quoted(..) => None,
        }
    }
}

/// View of marks.
#[derive(Clone, Copy, Debug)]
pub struct Marks;

/// The last prices of each kind.
#[derive(Clone, Debug, Default)]
pub struct MarkState {
    /// The mid of the last quote.
    quote: Newest<Option<Price>>,
    trade: Newest<Option<Price>>,
    close: Newest<Option<Price>, Date>,
    /// The correction, if the price that changed the mark last, since it was sent, arrived late.
    late: Option<Correction>,
    /// The correction, if the last quote arrived late and was not sent yet.
    late_quote: Option<Correction>,
    /// The mark last sent to valuations.
    told: Option<Price>,
    /// The time of the quote last sent to surveillance.
    told_quote: Option<EventTime>,
    emitted: Option<MarkPrice>,
}

impl MarkState {
    fn price(&self) -> Option<Price> {
        self.quote.value.or(self.trade.value).or(self.close.value)
    }

    /// Whether no price has come yet, as for a symbol that is watched alone.
    const fn is_unpriced(&self) -> bool {
        self.quote.time.is_none() && self.trade.time.is_none() && self.close.time.is_none()
    }

    /// Corrections of the price that changed the mark.
    fn reason(&self) -> Corrections {
        self.late.iter().cloned().collect()
    }
}

crate::fold_operator!(Marks);

impl View for Marks {
    type Key = Symbol;
    type Route = Symbol;
    type Event = MarketEvent;
    /// A symbol that is watched.
    type Broadcast = Symbol;
    type Context = FxHashSet<Symbol>;
    type State = MarkState;
    type Timer = ();
    type Tables = TableWriter<MarkPrice>;
    type Derived = Placed<MarkEvent>;
    type Update = MarkUpdate;

    const UPDATES: bool = true;

    fn key(&self, event: &MarketEvent) -> Symbol {
        *symbol(event)
    }

    fn route(symbol: &Symbol) -> Symbol {
        *symbol
    }

    fn learn(&self, watched: &mut FxHashSet<Symbol>, broadcast: Placed<Symbol>) {
        watched.insert(broadcast.event);
    }

    fn apply(
        &self,
        watched: &FxHashSet<Symbol>,
        symbol: &Symbol,
        state: &mut MarkState,
        placed: Placed<MarketEvent>,
        out: &mut Outbox<'_, Self>,
    ) {
        let Placed { place, event } = placed;
        let before = state.price();
        let late = match event {
            MarketEvent::Quote(quote) => {
                let late = Self::late(place, Topic::Quotes, quote.symbol, quote.ts);
                if state.quote.put(mid_of(&quote), quote.ts) {
                    state.late_quote.clone_from(&late);
                }
                late
            }
            MarketEvent::Trade(trade) => {
                let late = Self::late(place, Topic::Trades, trade.symbol, trade.ts);
                state.trade.put(Some(trade.price), trade.ts);
                late
            }
            // A close normally arrives later than its date.
            MarketEvent::Close(close) => {
                state.close.put(Some(close.close), close.date);
                None
            }
            MarketEvent::Watch(watch) => {
                let event = MarkEvent::Watched { watch, mark: before };
                return out.derive(Placed { place, event });
            }
        };
        let price = state.price();
        if price != before {
            state.late.clone_from(&late);
        }
        if price != before && watched.contains(symbol) {
            let event = MarkEvent::Moved { mark: Mark { symbol: *symbol, price }, correction: late.map(Box::new) };
            out.derive(Placed { place, event });
        }
    }

    fn emit(&self, _: &FxHashSet<Symbol>, symbol: &Symbol, state: &mut MarkState, at: &Moment, table: &TableWriter<MarkPrice>) {
        if state.is_unpriced() {
            return;
        }
        let mark = state.price();
        let same = state.emitted.as_ref().filter(|emitted| emitted.mark == mark);
        let why = if same.is_some() { Corrections::new() } else { state.reason() };
        let ts = same.map_or(at.event_time(), |emitted| emitted.ts);
        let MarkState { quote, trade, close, .. } = state;
        let row = MarkPrice {
            symbol: *symbol,
            mark,
            mid: quote.value,
            quote_ts: quote.time,
            trade: trade.value,
            trade_ts: trade.time,
            close: close.value,
            close_date: close.time,
            ts,
        };
        table.replace(&Moment { why, ..*at }, state.emitted.replace(row.clone()), Some(row));
    }

    fn update(&self, _: &FxHashSet<Symbol>, symbol: &Symbol, state: &mut MarkState, at: &Moment, updates: &mut Updates<MarkUpdate>) {
        let price = state.price();
        if state.told != price {
            updates.push(&Moment { why: state.reason(), ..*at }, MarkUpdate::Mark(Mark { symbol: *symbol, price }));
            state.told = price;
        }
        // Nothing of it is left for a later grid point, so a restart at one loses nothing.
        state.late = None;
        if let Some(ts) = state.quote.time.filter(|_| state.told_quote != state.quote.time) {
            let why = state.late_quote.take().into_iter().collect();
            updates.push(&Moment { why, ..*at }, MarkUpdate::Quoted(*symbol, ts));
            state.told_quote = Some(ts);
        }
    }

    fn is_forgettable(&self, state: &MarkState) -> bool {
        state.is_unpriced()
    }

    fn restore(&self, saved: &Arc<Vec<MarkPrice>>, states: &mut States<'_, Self>) {
        for row in saved.iter() {
            let Some(state) = states.of(&row.symbol) else { continue };
            *state = MarkState {
                quote: Newest { value: row.mid, time: row.quote_ts },
                trade: Newest { value: row.trade, time: row.trade_ts },
                close: Newest { value: row.close, time: row.close_date },
                told: row.mark,
                told_quote: row.quote_ts,
                emitted: Some(row.clone()),
                ..MarkState::default()
            };
        }
    }
}

impl Marks {
    fn late(place: Place, topic: Topic, symbol: Symbol, ts: EventTime) -> Option<Correction> {
        let lateness = place.lateness(ts)?;
        Some(Correction::Late { topic, id: symbol.to_id(), lateness })
    }
}

fn symbol(event: &MarketEvent) -> &Symbol {
    match event {
        MarketEvent::Quote(quote) => &quote.symbol,
        MarketEvent::Trade(trade) => &trade.symbol,
        MarketEvent::Close(close) => &close.symbol,
        MarketEvent::Watch(watch) => &watch.symbol,
    }
}

/// The mid of a quote with both sides.
fn mid_of(quote: &Quote) -> Option<Price> {
    let has_both = quote.bid.units() > 0 && quote.ask.units() > 0 && !quote.bid_size.is_zero() && !quote.ask_size.is_zero();
    has_both.then(|| mid(quote.bid, quote.ask))
}

/// The mid, rounded half to even to nine digits.
fn mid(bid: Price, ask: Price) -> Price {
    let sum = bid.units() + ask.units();
    let half = sum.div_euclid(2);
    Price::from_units(if sum.rem_euclid(2) == 1 && half % 2 != 0 { half + 1 } else { half })
}

#[cfg(test)]
mod tests {
    use headwater_schemas::events::Event;
    use headwater_schemas::{EffectiveTime, Nanos, Offset, Place, Tick, Topic};

    use super::*;
    use crate::testing::{Happening, Happenings, history_of, rows_of, run, run_with_restart};

    /// The marks sent to valuations, each as `grid point price`.
    fn told(texts: &[&str]) -> Vec<String> {
        let emitted = run(Marks, happenings(texts));
        let text = |(update, tick, _): &(MarkUpdate, Tick, Corrections)| {
            let price = update.clone().mark()?.price;
            Some(price.map_or_else(|| format!("{tick} none"), |price| format!("{tick} {price}")))
        };
        emitted.updates.iter().filter_map(text).collect()
    }

    #[test]
    fn the_time_of_the_last_quote_is_sent_when_it_changes() {
        let emitted = run(Marks, happenings(&["quote 1 10/11", "trade 2 12", "quote 3 10/11", "quote 4 0/11"]));
        let quoted = |(update, tick, _): &(MarkUpdate, Tick, Corrections)| match update {
            MarkUpdate::Quoted(symbol, ts) => Some(format!("{tick} {symbol} {ts}")),
            MarkUpdate::Mark(_) => None,
        };
        assert_eq!(
            emitted.updates.iter().filter_map(quoted).collect::<Vec<_>>(),
            ["1 S 2026-01-05T00:00:01Z", "3 S 2026-01-05T00:00:03Z", "4 S 2026-01-05T00:00:04Z"]
        );
    }

    const CASES: &[(&str, &[&str], &[&str])] = &[
        (
            "a quote counts before a trade before a close",
            &["close 05 9", "trade 1 10", "quote 2 10/11", "trade 3 12"],
            &["1 9", "2 10", "3 10.5"],
        ),
        (
            "a quote that loses a side gives way to the trade",
            &["quote 1 1.9/2.1", "quote 2 0/0.05", "trade 3 0.04"],
            &["1 2", "2 none", "3 0.04"],
        ),
        ("a price of zero is no side", &["trade 1 7", "quote 2 0/1", "quote 3 1/0", "quote 4 -2/-1"], &["1 7"]),
        ("a size of zero is no side", &["trade 1 7", "quote 2 1x0/2", "quote 3 1/2x0"], &["1 7"]),
        ("a quote of an earlier time changes nothing", &["quote 5 99/101", "quote 1 49/51"], &["1 100"]),
        ("an earlier quote without a side changes nothing", &["quote 5 99/101", "quote 1 0/51", "trade 6 7"], &["1 100"]),
        ("a trade of an earlier time changes nothing", &["trade 5 100", "trade 1 50"], &["1 100"]),
        (
            "a close that is filled in later changes nothing",
            &["close 05 50", "close 06 60", "close 02 10", "close 05 51"],
            &["1 50", "2 60"],
        ),
        ("the last close is corrected", &["close 05 50", "close 05 51"], &["1 50", "2 51"]),
        ("of equal times the later place counts", &["trade 5 100", "trade 5 50"], &["1 100", "2 50"]),
        ("a close below zero is a mark", &["close 05 18.27", "close 06 -37.63"], &["1 18.27", "2 -37.63"]),
    ];

    #[test]
    fn the_mark_is_the_newest_price_of_the_best_kind() {
        for (name, texts, expected) in CASES {
            assert_eq!(told(texts), *expected, "{name}");
        }
    }

    #[test]
    fn a_restart_anywhere_changes_nothing() {
        for (name, texts, _) in CASES {
            for cut in 0..=texts.len() {
                let whole = run(Marks, happenings(texts));
                let resumed = run_with_restart(Marks, happenings(texts), cut);
                assert_eq!(whole.updates, resumed.updates, "{name}, cut at {cut}");
                assert_eq!(history_of(&whole.tables), history_of(&resumed.tables), "{name}, cut at {cut}");
            }
        }
    }

    /// Events that arrive a second apart, the first in second 1. One whose own time is an earlier second is late.
    fn arriving(texts: &[&str]) -> Happenings<Marks> {
        let begin = "2026-01-05T00:00:00Z".parse::<EventTime>().expect("a time").nanos();
        let seconds = (1..).map(|second: i64| begin + second * 1_000_000_000);
        let arrived = |(mut happening, nanos): (Placed<Happening<Symbol, MarketEvent>>, i64)| {
            let ts = match &happening.event {
                Happening::Event(MarketEvent::Quote(quote)) => quote.ts,
                Happening::Event(MarketEvent::Trade(trade)) => trade.ts,
                other => panic!("{other:?}"),
            };
            happening.place = Place { time: EventTime::from_nanos(nanos).effective(), ..happening.place }.of_event_at(ts, Nanos::ZERO);
            happening
        };
        happenings(texts).into_iter().zip(seconds).map(arrived).collect()
    }

    #[test]
    fn a_mark_has_the_reason_of_the_price_that_changed_it_wherever_a_restart_is() {
        // The trade of second 1 comes in second 2. That the mark falls back on it later is no correction.
        for (name, texts, late) in [
            ("a late trade", &["trade 1 9", "trade 1 10"][..], &[false, true][..]),
            ("a late quote", &["trade 1 9", "quote 1 10/12"], &[false, true]),
            ("back to a late trade", &["trade 1 9", "trade 1 10", "quote 3 11/13", "quote 4 0/13"], &[false, true, false, false]),
            ("a late quote without a side", &["trade 1 9", "quote 2 11/13", "quote 2 0/13"], &[false, false, true]),
        ] {
            let whole = run(Marks, arriving(texts));
            let marks = whole.updates.iter().filter(|(update, ..)| matches!(update, MarkUpdate::Mark(_)));
            assert_eq!(marks.map(|(_, _, why)| !why.is_empty()).collect::<Vec<_>>(), late, "{name}");
            let reasons =
                |tables: &TableWriter<MarkPrice>| tables.changes().iter().map(|change| change.why.to_string()).collect::<Vec<_>>();
            for cut in 0..=texts.len() {
                let resumed = run_with_restart(Marks, arriving(texts), cut);
                assert_eq!(whole.updates, resumed.updates, "{name}, cut at {cut}");
                assert_eq!(reasons(&whole.tables), reasons(&resumed.tables), "{name}, cut at {cut}");
            }
        }
    }

    #[test]
    fn a_watched_mark_that_changes_between_grid_points_is_passed_on_at_once() {
        let emitted = run(Marks, happenings(&["trade 0 9", "watch", "trade 1 10", "trade 2 10", "watch", "quote 3 10/11", "quote 3 0/11"]));
        let text = |Placed { place, event }: &Placed<MarkEvent>| match event {
            MarkEvent::Moved { mark, .. } => format!("{} moved to {:?}", place.time, mark.price),
            MarkEvent::Watched { mark, .. } => format!("{} watched at {mark:?}", place.time),
        };
        let texts: Vec<_> = emitted.derived.iter().map(|derived| text(&derived.event)).collect();
        let expected =
            ["2 watched at Some(9)", "3 moved to Some(10)", "5 watched at Some(10)", "6 moved to Some(10.5)", "7 moved to Some(10)"];
        assert_eq!(texts, expected);
        let alone = run(Marks, happenings(&["watch"]));
        assert_eq!(rows_of(&alone.tables), [], "a symbol that is watched has no mark");
    }

    /// Events from `watch`, `quote TS BID/ASK` (with `xSIZE`), `trade TS PRICE` and `close DAY PRICE`, one per grid point.
    fn happenings(texts: &[&str]) -> Happenings<Marks> {
        let side = |text: &str| {
            text.split_once('x').map_or((text.to_owned(), "1".to_owned()), |(price, size)| (price.to_owned(), size.to_owned()))
        };
        let happening = |(time, text): (u64, &&str)| {
            let padded = format!("{text} 0 0");
            let [kind, ts, price] = *padded.split(' ').take(3).collect::<Vec<_>>() else { panic!("{text}") };
            let (topic, json) = match kind {
                "watch" => (Topic::Watchlists, r#"{"customer_id":"C","symbol":"S","direction":"above","price":11}"#.to_owned()),
                "close" => (Topic::Closes, format!(r#"{{"symbol":"S","date":"2026-01-{ts}","close":{price}}}"#)),
                "trade" => (Topic::Trades, format!(r#"{{"symbol":"S","price":{price},"size":1,"ts":"2026-01-05T00:00:0{ts}Z"}}"#)),
                _ => {
                    let (bid, ask) = price.split_once('/').expect(text);
                    let ((bid, bid_size), (ask, ask_size)) = (side(bid), side(ask));
                    let prices = format!(r#""bid":{bid},"ask":{ask},"bid_size":{bid_size},"ask_size":{ask_size}"#);
                    (Topic::Quotes, format!(r#"{{"symbol":"S",{prices},"ts":"2026-01-05T00:00:0{ts}Z"}}"#))
                }
            };
            let event = match Event::decode(topic, None, Some(json.as_bytes())).expect(text) {
                Event::Quote(quote) => MarketEvent::Quote(quote),
                Event::Trade(trade) => MarketEvent::Trade(trade),
                Event::Close(close) => MarketEvent::Close(close),
                Event::Watch(watch) => MarketEvent::Watch(watch),
                other => panic!("{other:?}"),
            };
            let place = Place::of_record(EffectiveTime::new(time), topic, 0, Offset::new(time));
            let watched = matches!(event, MarketEvent::Watch(_)).then(|| Happening::Broadcast(*symbol(&event)));
            watched.into_iter().chain([Happening::Event(event)]).map(move |event| Placed { place, event })
        };
        (1..).zip(texts).flat_map(happening).collect()
    }
}
