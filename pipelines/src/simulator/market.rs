//! The market: correlated paths, the quotes and prints along them, closes and the exchange rate.
//!
//! A share's price is its last close times `exp(x)`. The displacement `x` returns to zero slowly (an Ornstein–Uhlenbeck
//! process): over seconds it moves like the share does, only [`SimulatorSettings::market_speed`] times as fast, and from
//! one day's close to the next it has moved by one of the share's daily standard deviations, however fast the day was.
//! Displacements are binary floats; a price is a whole number of ticks from the moment that anybody sees it.

use headwater_schemas::events::{Close, Event, FxRate, Quote, Trade};
use headwater_schemas::{Currency, Date, EventTime, Factor, Price, Size, Symbol, Text};

use super::SimulatorSettings;
use super::dice::{Dice, Purpose};
use super::schedule::{MILLISECOND, Planned, SECOND};
use super::shares::{FACTOR, SHARES, Share};

/// A tick, in billionths: a cent.
pub(super) const TICK: i128 = 10_000_000;

/// The seconds of a session in the data that the shares were calibrated on: from 09:30 to 16:00.
const SESSION_SECONDS: f64 = 23_400.0;

/// Paths move at most this often.
const STEP: i64 = 10 * MILLISECOND;

/// The market.
#[derive(Clone, Debug)]
pub(super) struct Market {
    dice: Dice,
    /// The displacements' time to forget all but 1/e of themselves, in seconds.
    memory: f64,
    moved_at: i64,
    lines: Vec<Line>,
    quotes: usize,
    /// Ten-thousandths.
    rate: i64,
}

/// A share's line in the market.
#[derive(Clone, Debug)]
struct Line {
    share: &'static Share,
    symbol: Symbol,
    /// The last close, in ticks.
    close: i64,
    displacement: f64,
}

impl Market {
    pub(super) fn new(settings: &SimulatorSettings) -> Self {
        let line = |share: &'static Share| Line { share, symbol: Symbol::derived(share.symbol), close: share.close, displacement: 0.0 };
        Self {
            dice: Dice::new(settings.seed, Purpose::Market),
            memory: 2.0 * SESSION_SECONDS / f64::from(settings.market_speed.max(1)),
            moved_at: settings.start.nanos(),
            lines: SHARES.iter().map(line).collect(),
            quotes: 0,
            rate: 10_850,
        }
    }

    /// Moves the paths on.
    pub(super) fn move_to(&mut self, now: i64) {
        if now - self.moved_at < STEP {
            return;
        }
        let kept = (-seconds(now - self.moved_at) / self.memory).exp();
        let news = (1.0 - kept * kept).sqrt();
        for (line, moved) in self.lines.iter_mut().zip(log_returns(&mut self.dice)) {
            line.displacement = kept * line.displacement + news * moved;
        }
        self.moved_at = now;
    }

    /// The symbol of a share.
    pub(super) fn symbol(&self, share: usize) -> Option<&Symbol> {
        self.lines.get(share).map(|line| &line.symbol)
    }

    /// The price that the market is at, in ticks.
    pub(super) fn mid(&self, share: usize) -> Option<i64> {
        self.lines.get(share).map(Line::mid)
    }

    /// A quote of the share whose turn it is: no share's quotes become stale.
    pub(super) fn quote(&mut self, now: i64) -> Option<Planned> {
        let line = self.lines.get(self.quotes % self.lines.len().max(1))?;
        self.quotes += 1;
        let (mid, dice) = (line.mid(), &mut self.dice);
        let quote = Quote {
            symbol: line.symbol,
            bid: price(mid - dice.between(1, 2)),
            ask: price(mid + dice.between(1, 2)),
            bid_size: Size::whole(100 * dice.between(1, 20)),
            ask_size: Size::whole(100 * dice.between(1, 20)),
            source: Some(Text::const_new("consolidated")),
            ts: EventTime::from_nanos(now),
        };
        Some(Planned::new(now, Event::Quote(quote)))
    }

    /// A print of the market, at or within the spread.
    pub(super) fn trade(&mut self, now: i64) -> Option<Planned> {
        let dice = &mut self.dice;
        let line = dice.pick(&self.lines)?;
        let size = if dice.one_in(3) { dice.between(1, 99) } else { 100 * dice.between(1, 8) };
        let trade = Trade {
            symbol: line.symbol,
            price: price(line.mid() + dice.between(-1, 1)),
            size: Size::whole(size),
            source: Some(Text::const_new("consolidated")),
            ts: EventTime::from_nanos(now),
        };
        Some(Planned::new(now, Event::Trade(trade)))
    }

    /// The closes of the day that ends, from which the next one begins.
    pub(super) fn end_day(&mut self, date: Date) -> Vec<Event> {
        let mut closes = Vec::new();
        for line in &mut self.lines {
            line.close = line.mid();
            line.displacement = 0.0;
            closes.push(close(line.share, line.close, date));
        }
        closes
    }

    /// The euro's next rate, a little away from the last.
    pub(super) fn fx_rate(&mut self, now: i64) -> Event {
        self.rate = (self.rate + self.dice.between(-2, 2)).clamp(10_500, 11_200);
        eur_usd(self.rate, now)
    }
}

impl Line {
    fn mid(&self) -> i64 {
        moved(self.close, self.displacement)
    }
}

/// A day's log returns of all shares, without their drift: each its part of the common factor, and its own.
pub(super) fn log_returns(dice: &mut Dice) -> impl Iterator<Item = f64> {
    let factor = FACTOR * dice.normal();
    SHARES.iter().map(move |share| share.beta * factor + share.own * dice.normal())
}

/// A price in ticks after a log return; never nothing, and never beyond ten times or a tenth.
pub(super) fn moved(ticks: i64, log: f64) -> i64 {
    let ratio = log.clamp(-2.3, 2.3).exp();
    // A price in cents is far below 2^52, so that the conversions lose nothing but the part of a tick.
    #[expect(clippy::cast_possible_truncation, reason = "the nearest tick is what is wanted")]
    let nearest = (ticks as f64 * ratio).round() as i64;
    nearest.max(10)
}

/// A price of so many ticks.
pub(super) fn price(ticks: i64) -> Price {
    Price::from_units(i128::from(ticks.max(1)) * TICK)
}

/// A closing price.
pub(super) fn close(share: &Share, ticks: i64, date: Date) -> Event {
    Event::Close(Close { symbol: Symbol::derived(share.symbol), date, close: price(ticks) })
}

/// What a euro costs in dollars, in ten-thousandths.
pub(super) fn eur_usd(ten_thousandths: i64, now: i64) -> Event {
    let rate = Factor::from_units(i128::from(ten_thousandths) * 100_000);
    Event::FxRate(FxRate { base: Currency::derived("EUR"), quote: Currency::derived("USD"), rate, ts: EventTime::from_nanos(now) })
}

fn seconds(nanos: i64) -> f64 {
    nanos as f64 / SECOND as f64
}
