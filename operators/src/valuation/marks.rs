//! Marks: the price that a symbol is valued at.
//!
//! - **Key**: symbol. **Rows**: the mark with what it is made of, once per grid point. **State**: the last quote's mid, trade and close.
//! - The mid of the last quote, else the last trade, else the last close. A quote with a side missing (size 0) has no mid
//!   and leaves the last one standing.

use std::sync::Arc;

use headwater_schemas::events::{Close, Quote, Trade};
use headwater_schemas::tables::{MarkPrice, Moment, TableWriter};
use headwater_schemas::{Correction, Corrections, EventTime, Place, Placed, Price, Symbol, Topic};
use serde::{Deserialize, Serialize};

use crate::keyed_fold::{Outbox, Updates, View};

/// What prices a symbol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MarketEvent {
    /// The best bid and ask.
    Quote(Quote),
    /// A print.
    Trade(Trade),
    /// A closing price.
    Close(Close),
}

/// The price that a symbol is valued at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Mark {
    /// The symbol.
    pub symbol: Symbol,
    /// Its price.
    pub price: Price,
}

impl Mark {
    /// The mark of a row.
    pub fn of(row: &MarkPrice) -> Self {
        Self { symbol: row.symbol, price: row.mark }
    }
}

/// The view.
#[derive(Clone, Copy, Debug)]
pub struct Marks;

/// The last prices of each kind.
#[derive(Clone, Debug, Default)]
pub struct MarkState {
    mid: Option<Price>,
    trade: Option<Price>,
    close: Option<Price>,
    /// How the quote and the trade of those prices came late, if they did.
    late_quote: Option<Correction>,
    late_trade: Option<Correction>,
    /// The mark that valuations know.
    told: Option<Price>,
    emitted: Option<MarkPrice>,
}

impl MarkState {
    fn price(&self) -> Option<Price> {
        self.mid.or(self.trade).or(self.close)
    }

    /// Only what the mark is made of can be its reason.
    fn reason(&self) -> Corrections {
        let late = if self.mid.is_some() { &self.late_quote } else { &self.late_trade };
        late.iter().cloned().collect()
    }
}

crate::fold_operator!(Marks);

impl View for Marks {
    type Key = Symbol;
    type Route = Symbol;
    type Event = MarketEvent;
    type Broadcast = ();
    type Context = ();
    type State = MarkState;
    type Timer = ();
    type Tables = TableWriter<MarkPrice>;
    type Derived = ();
    type Update = Mark;

    const UPDATES: bool = true;

    fn key(&self, event: &MarketEvent) -> Symbol {
        *symbol(event)
    }

    fn route(symbol: &Symbol) -> Symbol {
        *symbol
    }

    fn learn(&self, (): &mut (), _: Placed<()>) {}

    fn apply(&self, (): &(), _: &Symbol, state: &mut MarkState, placed: Placed<MarketEvent>, _: &mut Outbox<'_, Self>) {
        match placed.event {
            MarketEvent::Quote(quote) if quote.bid_size.is_zero() || quote.ask_size.is_zero() => {}
            MarketEvent::Quote(quote) => {
                state.mid = Some(mid(quote.bid, quote.ask));
                state.late_quote = Self::late(placed.place, Topic::Quotes, quote.symbol, quote.ts);
            }
            MarketEvent::Trade(trade) => {
                state.trade = Some(trade.price);
                state.late_trade = Self::late(placed.place, Topic::Trades, trade.symbol, trade.ts);
            }
            // A close is told days after, by its nature.
            MarketEvent::Close(close) => state.close = Some(close.close),
        }
    }

    fn emit(&self, (): &(), symbol: &Symbol, state: &mut MarkState, at: &Moment, table: &TableWriter<MarkPrice>) {
        let Some(mark) = state.price() else { return };
        let same = state.emitted.as_ref().filter(|emitted| emitted.mark == mark);
        let why = if same.is_some() { Corrections::new() } else { state.reason() };
        let ts = same.map_or(at.event_time(), |emitted| emitted.ts);
        let row = MarkPrice { symbol: *symbol, mark, mid: state.mid, trade: state.trade, close: state.close, ts };
        table.replace(&Moment { why, ..*at }, state.emitted.replace(row.clone()), Some(row));
    }

    fn update(&self, (): &(), symbol: &Symbol, state: &mut MarkState, at: &Moment, updates: &mut Updates<Mark>) {
        let Some(price) = state.price().filter(|price| state.told != Some(*price)) else { return };
        updates.push(&Moment { why: state.reason(), ..*at }, Mark { symbol: *symbol, price });
        state.told = Some(price);
    }

    fn restore(&self, saved: &Arc<Vec<MarkPrice>>, is_mine: &dyn Fn(&Symbol) -> bool) -> Vec<(Symbol, MarkState)> {
        let state = |row: &MarkPrice| {
            let MarkPrice { mark, mid, trade, close, .. } = *row;
            let state = MarkState { mid, trade, close, told: Some(mark), emitted: Some(row.clone()), ..MarkState::default() };
            (row.symbol, state)
        };
        saved.iter().filter(|row| is_mine(&row.symbol)).map(state).collect()
    }
}

impl Marks {
    fn late(place: Place, topic: Topic, symbol: Symbol, ts: EventTime) -> Option<Correction> {
        let nanos = place.lateness(ts)?;
        Some(Correction::Late { topic, id: symbol.to_id(), nanos })
    }
}

fn symbol(event: &MarketEvent) -> &Symbol {
    match event {
        MarketEvent::Quote(quote) => &quote.symbol,
        MarketEvent::Trade(trade) => &trade.symbol,
        MarketEvent::Close(close) => &close.symbol,
    }
}

/// The middle, rounded half to even to nine digits.
fn mid(bid: Price, ask: Price) -> Price {
    let sum = bid.units() + ask.units();
    let half = sum.div_euclid(2);
    Price::from_units(if sum.rem_euclid(2) == 1 && half % 2 != 0 { half + 1 } else { half })
}

#[cfg(test)]
mod tests {
    use headwater_schemas::events::Event;
    use headwater_schemas::{Place, Topic};

    use super::*;
    use crate::testing::{Happening, Happenings, history_of, run, run_with_restart};

    #[test]
    fn a_quote_counts_before_a_trade_before_a_close() {
        let said = run(Marks, happenings());
        let prices: Vec<_> = said.updates.iter().map(|(mark, time, _)| format!("{time} {}", mark.price)).collect();
        assert_eq!(prices, ["1 9", "2 10", "3 10.5"]);
    }

    #[test]
    fn a_restart_anywhere_changes_nothing() {
        for cut in 0..=5 {
            let whole = run(Marks, happenings());
            let resumed = run_with_restart(Marks, happenings(), cut);
            assert_eq!(whole.updates, resumed.updates, "cut at {cut}");
            assert_eq!(history_of(&whole.tables), history_of(&resumed.tables), "cut at {cut}");
        }
    }

    fn happenings() -> Happenings<Marks> {
        let happening = |(time, (topic, text)): (u64, (Topic, &str))| {
            let event = match Event::decode(topic, None, Some(text.as_bytes())).expect(text) {
                Event::Quote(quote) => MarketEvent::Quote(quote),
                Event::Trade(trade) => MarketEvent::Trade(trade),
                Event::Close(close) => MarketEvent::Close(close),
                other => panic!("{other:?}"),
            };
            Placed { place: Place::of_record(time, topic, 0, time), event: Happening::Event(event) }
        };
        let quote = |bid: &str, size: u8| format!(r#"{{"symbol":"S","bid":{bid},"ask":"11","bid_size":{size},"ask_size":1,"ts":1}}"#);
        let texts = [
            (Topic::Closes, r#"{"symbol":"S","date":"2026-01-05","close":"9"}"#.to_owned()),
            (Topic::Trades, r#"{"symbol":"S","price":"10","size":1,"ts":1}"#.to_owned()),
            (Topic::Quotes, quote("10", 1)),
            (Topic::Trades, r#"{"symbol":"S","price":"12","size":1,"ts":1}"#.to_owned()),
            (Topic::Quotes, quote("0", 0)),
        ];
        (1..).zip(texts.iter().map(|(topic, text)| (*topic, text.as_str()))).map(happening).collect()
    }
}
