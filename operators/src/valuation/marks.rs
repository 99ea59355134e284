//! Marks: the price that a symbol is valued at.
//!
//! - **Key**: symbol. **Rows**: the mark, once per grid point. **State**: the last quote's mid, trade and close.
//! - The mid of the last quote, else the last trade, else the last close. A quote with a side missing (size 0) has no mid
//!   and leaves the last one standing.

use headwater_schemas::events::{Close, Quote, Trade};
use headwater_schemas::tables::LastPrice;
use headwater_schemas::{Correction, Corrections, EventTime, Id, Place, Placed, Price, Topic};
use serde::{Deserialize, Serialize};

use crate::keyed_fold::{Changes, Outbox, Persistent, View};

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
    pub symbol: Id,
    /// Its price.
    pub price: Price,
}

impl Mark {
    /// The mark that last prices make.
    pub fn of(prices: &LastPrice) -> Option<Self> {
        let price = prices.mid.or(prices.trade).or(prices.close)?;
        Some(Self { symbol: prices.symbol.clone(), price })
    }
}

/// The view.
#[derive(Clone, Copy, Debug)]
pub struct Marks {
    /// How much later than it happened a quote or a trade may count without being called late, in nanoseconds.
    pub late_after: u64,
}

/// The last prices of each kind.
#[derive(Clone, Debug, Default)]
pub struct MarkState {
    mid: Option<Price>,
    trade: Option<Price>,
    close: Option<Price>,
    /// How the quote and the trade of those prices came late, if they did.
    late_quote: Option<Correction>,
    late_trade: Option<Correction>,
    /// The effective time of the last of them.
    since: u64,
    said: Option<Price>,
    said_prices: Option<LastPrice>,
}

/// A row of one of the tables that marks feed, or a mark on its way to valuations.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum MarkRow {
    /// The mark.
    Mark(Mark),
    /// `last_prices`
    Prices(LastPrice),
}

impl MarkState {
    fn price(&self) -> Option<Price> {
        self.mid.or(self.trade).or(self.close)
    }

    fn prices(&self, symbol: &Id) -> LastPrice {
        let &Self { mid, trade, close, since, .. } = self;
        LastPrice { symbol: symbol.clone(), mid, trade, close, ts: EventTime::from_effective(since) }
    }
}

impl View for Marks {
    type Key = Id;
    type Event = MarketEvent;
    type Broadcast = ();
    type Context = ();
    type State = MarkState;
    type Row = MarkRow;
    type Derived = ();

    fn key(&self, event: &MarketEvent) -> Id {
        symbol(event).clone()
    }

    fn learn(&self, (): &mut (), _: Placed<()>) {}

    fn apply(&self, (): &(), _: &Id, state: &mut MarkState, placed: Placed<MarketEvent>, _: &mut Outbox<Self>) {
        state.since = placed.place.time;
        match placed.event {
            MarketEvent::Quote(quote) if quote.bid_size.is_zero() || quote.ask_size.is_zero() => {}
            MarketEvent::Quote(quote) => {
                state.mid = Some(mid(quote.bid, quote.ask));
                state.late_quote = self.late(placed.place, Topic::Quotes, &quote.symbol, quote.ts);
            }
            MarketEvent::Trade(trade) => {
                state.trade = Some(trade.price);
                state.late_trade = self.late(placed.place, Topic::Trades, &trade.symbol, trade.ts);
            }
            // A close is told days after, by its nature.
            MarketEvent::Close(close) => state.close = Some(close.close),
        }
    }

    fn settle(&self, (): &(), symbol: &Id, state: &mut MarkState, _: u64, rows: &mut Changes<MarkRow>) {
        let row = |price| MarkRow::Mark(Mark { symbol: symbol.clone(), price });
        let price = state.price();
        // Only what the mark is made of can be its reason.
        let late = if state.mid.is_some() { &state.late_quote } else { &state.late_trade };
        rows.because(late.iter().cloned().collect());
        rows.replace(state.said.map(row), price.map(row));
        rows.because(Corrections::new());
        state.said = price;
        let prices = state.prices(symbol);
        rows.replace(state.said_prices.replace(prices.clone()).map(MarkRow::Prices), Some(MarkRow::Prices(prices)));
    }
}

impl Marks {
    fn late(self, place: Place, topic: Topic, symbol: &Id, ts: EventTime) -> Option<Correction> {
        let nanos = place.lateness(ts, self.late_after)?;
        Some(Correction::Late { topic, id: symbol.clone(), nanos })
    }
}

impl Persistent for Marks {
    type Saved = Vec<LastPrice>;

    fn save(&self, symbol: &Id, state: &MarkState, saved: &mut Vec<LastPrice>) {
        saved.push(state.prices(symbol));
    }

    fn load(&self, saved: Vec<LastPrice>) -> Vec<(Id, MarkState)> {
        let state = |row: LastPrice| {
            let (mid, trade, close, ts) = (row.mid, row.trade, row.close, row.ts);
            let said_prices = Some(row.clone());
            let state = MarkState { mid, trade, close, since: ts.effective(), said_prices, ..MarkState::default() };
            (row.symbol, MarkState { said: state.price(), ..state })
        };
        saved.into_iter().map(state).collect()
    }
}

fn symbol(event: &MarketEvent) -> &Id {
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
    use headwater_schemas::tables::TableRow;
    use headwater_schemas::{Place, Topic};

    use super::*;
    use crate::testing::{Happening, Happenings, run, run_with_restart};

    #[test]
    fn a_quote_counts_before_a_trade_before_a_close() {
        let said = run(Marks { late_after: 0 }, happenings());
        let marks = said.rows.iter().filter_map(|(row, time, diff)| match row {
            MarkRow::Mark(mark) => Some(format!("{time} {} {diff}", mark.price)),
            MarkRow::Prices(_) => None,
        });
        let prices: Vec<_> = marks.collect();
        assert_eq!(prices, ["1 9 1", "2 9 -1", "2 10 1", "3 10 -1", "3 10.5 1"]);
    }

    #[test]
    fn a_restart_anywhere_changes_nothing() {
        let through = |rows: Vec<LastPrice>| LastPrice::read_all(&LastPrice::batch(&rows).expect("a batch")).expect("rows");
        for cut in 0..=5 {
            assert_eq!(
                run(Marks { late_after: 0 }, happenings()).rows,
                run_with_restart(Marks { late_after: 0 }, happenings(), cut, through).rows,
                "cut at {cut}"
            );
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
