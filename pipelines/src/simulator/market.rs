//! Simulated market: correlated price paths, quotes and trades along them, closes and the exchange rate.
//!
//! A share's price is its last close times `exp(x)`. The displacement `x` slowly returns to zero (an Ornstein–Uhlenbeck process):
//! over seconds it moves like the share does, [`SimulatorSettings::market_speed`] times as fast; from one day's close to the next
//! it moves by one of the share's daily standard deviations, whatever the speed. Displacements are binary floats; a published
//! price is a whole number of ticks.

use std::sync::Arc;

use headwater_schemas::events::{Close, Event, FxRate, Quote, Trade};
use headwater_schemas::{Currency, Date, EventTime, Factor, Price, Size, Symbol, Text};

use super::SimulatorSettings;
use super::dice::{Dice, Purpose};
use super::schedule::{MILLISECOND, Planned, SECOND};
use super::shares::{FACTOR, SHARES, Share};

/// Tick size, in billionths: a cent.
pub(super) const TICK: i128 = 10_000_000;

/// Seconds of a session in the data on which the shares were calibrated: from 09:30 to 16:00.
const SESSION_SECONDS: f64 = 23_400.0;

/// Minimum interval between moves of the paths.
const STEP: i64 = 10 * MILLISECOND;

/// State of the market.
#[derive(Clone, Debug)]
pub(super) struct Market {
    dice: Dice,
    /// Time constant of the return to zero, in seconds.
    memory: f64,
    moved_at: i64,
    lines: Vec<Line>,
    quotes: usize,
    /// The exchange rate in ten-thousandths.
    rate: i64,
}

/// State of a share.
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

    /// Advances the paths to a time.
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

    /// The current price of a share, in ticks.
    pub(super) fn mid(&self, share: usize) -> Option<i64> {
        self.lines.get(share).map(Line::mid)
    }

    /// A quote of the next share in turn, so that no share's quotes become stale.
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
        Some(Planned::new(now, Event::Quote(Arc::new(quote))))
    }

    /// A trade of the market, at or within the spread.
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
        Some(Planned::new(now, Event::Trade(Arc::new(trade))))
    }

    /// The closes of the day, from which the next day begins.
    pub(super) fn end_day(&mut self, date: Date) -> Vec<Event> {
        let mut closes = Vec::new();
        for line in &mut self.lines {
            line.close = line.mid();
            line.displacement = 0.0;
            closes.push(close(line.share, line.close, date));
        }
        closes
    }

    /// The next euro rate, a small step from the last.
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

/// Log returns of all shares for a day, without drift: each share's part of the common factor, and its own.
pub(super) fn log_returns(dice: &mut Dice) -> impl Iterator<Item = f64> {
    let factor = FACTOR * dice.normal();
    SHARES.iter().map(move |share| share.beta * factor + share.own * dice.normal())
}

/// A price in ticks after a log return; at least one tick, and between a tenth and ten times the old price.
pub(super) fn moved(ticks: i64, log: f64) -> i64 {
    let ratio = log.clamp(-2.3, 2.3).exp();
    // A price in cents is far below 2^52, so the conversions lose only fractions of a tick.
    #[expect(clippy::cast_possible_truncation, reason = "the nearest tick is what is wanted")]
    let nearest = (ticks as f64 * ratio).round() as i64;
    nearest.max(10)
}

/// The price of a number of ticks.
pub(super) fn price(ticks: i64) -> Price {
    Price::from_units(i128::from(ticks.max(1)) * TICK)
}

/// A closing price.
pub(super) fn close(share: &Share, ticks: i64, date: Date) -> Event {
    Event::Close(Box::new(Close { symbol: Symbol::derived(share.symbol), date, close: price(ticks) }))
}

/// Dollars per euro, in ten-thousandths.
pub(super) fn eur_usd(ten_thousandths: i64, now: i64) -> Event {
    let rate = Factor::from_units(i128::from(ten_thousandths) * 100_000);
    Event::FxRate(Box::new(FxRate {
        base: Currency::derived("EUR"),
        quote: Currency::derived("USD"),
        rate,
        ts: EventTime::from_nanos(now),
    }))
}

fn seconds(nanos: i64) -> f64 {
    nanos as f64 / SECOND as f64
}
