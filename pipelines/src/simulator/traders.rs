//! Traders: orders for our own book, and fills from other venues.

use std::collections::VecDeque;
use std::sync::Arc;

use headwater_schemas::events::{
    AccountType, AmendOrder, Bust, CancelOrder, Event, Fill, FillEvent, NewOrder, OrderEvent, OrderType, SelfTrade, Side, TimeInForce,
};
use headwater_schemas::{AccountId, EventTime, Id, Money, Price, Quantity, Size, Symbol, Text};

use super::SimulatorSettings;
use super::dice::{Dice, Purpose};
use super::market::{Market, TICK, price};
use super::opening::makers_book;
use super::people::{Account, People};
use super::schedule::{MILLISECOND, Planned, SECOND};
use super::shares::SHARES;

/// Number of orders that traders remember, so that they can cancel them.
const REMEMBERED: usize = 1_000;

/// Time for which takers keep their side, in nanoseconds, so that positions grow, exceed limits, and shrink again.
const MOOD: i64 = 60 * SECOND;

/// The venue whose fills arrive late.
const LATE_VENUE: &str = "DARK";

/// All traders.
#[derive(Clone, Debug)]
pub(super) struct Traders {
    dice: Dice,
    makers: Vec<Trader>,
    takers: Vec<Trader>,
    resting: VecDeque<Resting>,
    orders: u64,
    fills: u64,
    turn: u64,
}

/// An account that trades.
#[derive(Clone, Debug)]
struct Trader {
    account: Arc<Account>,
    /// Its number among the traders of its kind.
    place: i64,
    /// The shares that it trades.
    shares: Vec<usize>,
}

/// Quantity of the orders of a wash trade.
const WASHED: i64 = 2_000;

/// An order that may rest in the book.
#[derive(Clone, Debug)]
struct Resting {
    order_id: Id,
    account_id: AccountId,
    symbol: Symbol,
}

/// Account, symbol and market of an order that is to be made.
struct Intent {
    account: AccountId,
    symbol: Symbol,
    mid: i64,
    side: Side,
    now: i64,
}

impl Traders {
    pub(super) fn new(settings: &SimulatorSettings, people: &People) -> Self {
        let (makers, takers): (Vec<_>, Vec<_>) =
            people.named(AccountType::Investment).into_iter().partition(|account| account.book == makers_book());
        Self {
            dice: Dice::new(settings.seed, Purpose::Traders),
            makers: seats(makers),
            takers: seats(takers),
            resting: VecDeque::new(),
            orders: 0,
            fills: 0,
            turn: 0,
        }
    }

    /// The next event of the topic `orders`.
    pub(super) fn order(&mut self, now: i64, market: &Market) -> Option<Planned> {
        let event = match self.dice.below(1_000) {
            0..300 => self.cancel(now).or_else(|| self.passive(now, market)),
            300..320 => self.amend(now).or_else(|| self.passive(now, market)),
            320..340 => self.stop(now, market),
            340..610 => self.aggressive(now, market),
            610..613 => self.mistaken(now, market),
            _ => self.passive(now, market),
        }?;
        Some(Planned::new(now, Event::Order(event)))
    }

    /// A passive order: of a market maker, on alternating sides, or of a patient trader.
    fn passive(&mut self, now: i64, market: &Market) -> Option<OrderEvent> {
        self.turn += 1;
        let making = self.dice.percent(65);
        let trader = self.dice.pick(if making { &self.makers } else { &self.takers })?.clone();
        let side = if self.turn.is_multiple_of(2) { Side::Buy } else { Side::Sell };
        let intent = self.intent(&trader, side, now, market)?;
        let away = if making { self.dice.between(1, 8) } else { self.dice.between(2, 25) };
        let quantity = if making { 20 * self.dice.between(5, 25) } else { 10 * self.dice.between(1, 20) };
        let mut order = self.limit(&intent, -away, quantity);
        order.time_in_force = if self.dice.percent(30) { TimeInForce::Gtc } else { TimeInForce::Day };
        order.post_only = self.dice.one_in(20).then_some(true);
        order.display_quantity = (quantity >= 300 && self.dice.one_in(10)).then(|| Quantity::whole(100));
        if self.dice.one_in(25) {
            order.time_in_force = TimeInForce::Gtd;
            order.expires_at = Some(EventTime::from_nanos(now + self.dice.between(5, 30) * SECOND));
        }
        self.remember(&order);
        Some(OrderEvent::New(Box::new(order)))
    }

    /// An order that trades at once, if there is an offer.
    fn aggressive(&mut self, now: i64, market: &Market) -> Option<OrderEvent> {
        let trader = self.dice.pick(&self.takers)?.clone();
        let side = self.mood(&trader, now);
        let intent = self.intent(&trader, side, now, market)?;
        let (through, quantity) = (self.dice.between(8, 20), 10 * self.dice.between(1, 15));
        let mut order = self.limit(&intent, through, quantity);
        match self.dice.below(100) {
            0..30 => (order.order_type, order.time_in_force, order.price) = (OrderType::Market, TimeInForce::Ioc, None),
            30..50 => order.time_in_force = TimeInForce::Ioc,
            50..57 => order.time_in_force = TimeInForce::Fok,
            _ => self.remember(&order),
        }
        Some(OrderEvent::New(Box::new(order)))
    }

    /// A stop order.
    fn stop(&mut self, now: i64, market: &Market) -> Option<OrderEvent> {
        let trader = self.dice.pick(&self.takers)?.clone();
        let side = self.mood(&trader, now);
        let intent = self.intent(&trader, side, now, market)?;
        let (trigger, quantity) = (self.dice.between(5, 60), 10 * self.dice.between(1, 10));
        let mut order = self.limit(&intent, trigger + 10, quantity);
        order.stop_price = Some(price(intent.mid + toward(side, trigger)));
        order.order_type = OrderType::StopLimit;
        if self.dice.percent(50) {
            (order.order_type, order.price) = (OrderType::Stop, None);
        }
        self.remember(&order);
        Some(OrderEvent::New(Box::new(order)))
    }

    /// An order that is rejected: off the tick, or far outside the price band.
    fn mistaken(&mut self, now: i64, market: &Market) -> Option<OrderEvent> {
        let trader = self.dice.pick(&self.takers)?.clone();
        let intent = self.intent(&trader, Side::Buy, now, market)?;
        let mut order = self.limit(&intent, 0, 100);
        let wrong = if self.dice.percent(50) { price(intent.mid * 3 / 2) } else { half_a_tick_above(intent.mid) };
        order.price = Some(wrong);
        Some(OrderEvent::New(Box::new(order)))
    }

    /// A cancel of an own order, preferably an old one.
    fn cancel(&mut self, now: i64) -> Option<OrderEvent> {
        let old = self.resting.len() as u64 / 2 + 1;
        let place = usize::try_from(self.dice.below(old)).ok()?;
        let Resting { order_id, account_id, symbol } = self.resting.remove(place)?;
        Some(OrderEvent::Cancel(Box::new(CancelOrder { order_id, account_id, symbol, ts: EventTime::from_nanos(now) })))
    }

    /// An amendment of an own order to a smaller quantity.
    fn amend(&mut self, now: i64) -> Option<OrderEvent> {
        let Resting { order_id, account_id, symbol } = self.resting.back()?.clone();
        let quantity = Some(Size::whole(10 * self.dice.between(1, 8)));
        Some(OrderEvent::Amend(Box::new(AmendOrder {
            order_id,
            account_id,
            symbol,
            quantity,
            price: None,
            ts: EventTime::from_nanos(now),
        })))
    }

    /// A fill from another venue, and rarely its bust. One venue reports its fills seconds late.
    pub(super) fn fill(&mut self, now: i64, market: &Market) -> Vec<Planned> {
        self.try_fill(now, market).unwrap_or_default()
    }

    fn try_fill(&mut self, now: i64, market: &Market) -> Option<Vec<Planned>> {
        let trader = self.dice.pick(&self.takers)?.clone();
        let side = self.mood(&trader, now);
        let Intent { account, symbol, mid, .. } = self.intent(&trader, side, now, market)?;
        let venue = *self.dice.pick(&["XNYS", "XNAS", "BATS", "IEXG", LATE_VENUE])?;
        let quantity = 10 * self.dice.between(1, 10);
        self.fills += 1;
        let fill = Fill {
            fill_id: Id::derived(format!("F{:08}", self.fills)),
            account_id: account,
            symbol,
            side,
            quantity: Quantity::whole(quantity),
            price: price(mid + self.dice.between(-1, 1)),
            // Half a cent a share, at least one dollar.
            fee: Some(Money::from_units((i128::from(quantity) * TICK / 2).max(100 * TICK))),
            order_id: None,
            venue: Some(Text::const_new(venue)),
            ts: EventTime::from_nanos(now),
        };
        let delay = if venue == LATE_VENUE { self.dice.between(2_000, 5_000) * MILLISECOND } else { 0 };
        let bust = Bust { fill_id: fill.fill_id.clone(), account_id: fill.account_id, ts: EventTime::from_nanos(now + 8 * SECOND) };
        let mut planned = vec![Planned::new(now + delay, Event::Fill(FillEvent::Fill(Box::new(fill))))];
        if self.dice.one_in(150) {
            planned.push(Planned::new(now + 8 * SECOND, Event::Fill(FillEvent::Bust(Box::new(bust)))));
        }
        Some(planned)
    }

    /// Two accounts of one owner trade with each other. The sale is larger than what others bid for above its price, so that the rest
    /// of it meets the purchase.
    pub(super) fn wash_trade(&mut self, now: i64, market: &Market) -> Vec<Planned> {
        let linked = |trader: &&Trader| trader.account.owner.group.as_deref() == Some("G-BIRCH");
        let pair: Vec<Trader> = self.takers.iter().filter(linked).take(2).cloned().collect();
        let [seller, buyer] = pair.as_slice() else { return Vec::new() };
        let share = seller.shares.first().copied();
        let sides = [(seller, Side::Sell, now), (buyer, Side::Buy, now + 5 * MILLISECOND)];
        let order = |(trader, side, at): (&Trader, Side, i64)| {
            let intent = self.intent_in(share?, trader, side, at, market)?;
            let mut order = self.limit(&intent, 0, WASHED);
            order.self_trade = Some(SelfTrade::Allow);
            Some(Planned::new(at, Event::Order(OrderEvent::New(Box::new(order)))))
        };
        sides.into_iter().filter_map(order).collect()
    }

    /// Spoofing: sell orders that are cancelled after a buy.
    pub(super) fn spoof(&mut self, now: i64, market: &Market) -> Vec<Planned> {
        self.try_spoof(now, market).unwrap_or_default()
    }

    fn try_spoof(&mut self, now: i64, market: &Market) -> Option<Vec<Planned>> {
        let trader = self.takers.first()?.clone();
        let share = *trader.shares.first()?;
        let mut planned = Vec::new();
        let mut cancels = Vec::new();
        for layer in 0..4 {
            let at = now + layer * 100 * MILLISECOND;
            let intent = self.intent_in(share, &trader, Side::Sell, at, market)?;
            let order = self.limit(&intent, -(60 + 5 * layer), 900);
            let ts = EventTime::from_nanos(at + 3 * SECOND);
            let (order_id, account_id, symbol) = (order.order_id.clone(), order.account_id, order.symbol);
            cancels.push(Planned::new(
                ts.nanos(),
                Event::Order(OrderEvent::Cancel(Box::new(CancelOrder { order_id, account_id, symbol, ts }))),
            ));
            planned.push(Planned::new(at, Event::Order(OrderEvent::New(Box::new(order)))));
        }
        let at = now + SECOND;
        let intent = self.intent_in(share, &trader, Side::Buy, at, market)?;
        let order = self.limit(&intent, 50, 100);
        planned.push(Planned::new(at, Event::Order(OrderEvent::New(Box::new(order)))));
        planned.append(&mut cancels);
        Some(planned)
    }

    /// Side of a taker: half of them buy while the others sell, then they swap. Occasionally one does the opposite.
    fn mood(&mut self, trader: &Trader, now: i64) -> Side {
        let buys = (now.div_euclid(MOOD) + trader.place) % 2 == 0;
        let dissents = self.dice.percent(25);
        if buys == dissents { Side::Sell } else { Side::Buy }
    }

    fn intent(&mut self, trader: &Trader, side: Side, now: i64, market: &Market) -> Option<Intent> {
        let share = *self.dice.pick(&trader.shares)?;
        self.intent_in(share, trader, side, now, market)
    }

    fn intent_in(&self, share: usize, trader: &Trader, side: Side, now: i64, market: &Market) -> Option<Intent> {
        Some(Intent { account: trader.account.id, symbol: *market.symbol(share)?, mid: market.mid(share)?, side, now })
    }

    /// A limit order so many ticks through the market; away from it if negative.
    fn limit(&mut self, intent: &Intent, through: i64, quantity: i64) -> NewOrder {
        self.orders += 1;
        NewOrder {
            order_id: Id::derived(format!("O{:08}", self.orders)),
            account_id: intent.account,
            symbol: intent.symbol,
            side: intent.side,
            order_type: OrderType::Limit,
            time_in_force: TimeInForce::Day,
            quantity: Quantity::whole(quantity),
            price: Some(price(intent.mid + toward(intent.side, through))),
            stop_price: None,
            display_quantity: None,
            post_only: None,
            expires_at: None,
            self_trade: None,
            ts: EventTime::from_nanos(intent.now),
        }
    }

    fn remember(&mut self, order: &NewOrder) {
        if self.resting.len() >= REMEMBERED {
            self.resting.pop_front();
        }
        let (order_id, account_id, symbol) = (order.order_id.clone(), order.account_id, order.symbol);
        self.resting.push_back(Resting { order_id, account_id, symbol });
    }
}

/// Gives traders their places and the shares of their books.
fn seats(accounts: Vec<Arc<Account>>) -> Vec<Trader> {
    accounts
        .into_iter()
        .zip(0..)
        .map(|(account, place)| {
            let shares =
                SHARES.iter().enumerate().filter(|(_, share)| trades(account.book, share.symbol)).map(|(share, _)| share).collect();
            Trader { account, place, shares }
        })
        .collect()
}

/// Whether a book trades a share.
fn trades(book: Option<&str>, symbol: &str) -> bool {
    match book {
        Some("firm/equities/tech") => matches!(symbol, "AAPL" | "AMD" | "MSFT"),
        Some("firm/equities/energy") => matches!(symbol, "CVX" | "GE" | "XOM"),
        Some("firm/macro/defensive") => matches!(symbol, "JNJ" | "KO" | "PG" | "WMT"),
        _ => true,
    }
}

/// Ticks in the direction that makes an order of a side more likely to trade.
fn toward(side: Side, ticks: i64) -> i64 {
    match side {
        Side::Buy => ticks,
        Side::Sell => -ticks,
    }
}

fn half_a_tick_above(ticks: i64) -> Price {
    Price::from_units(i128::from(ticks) * TICK + TICK / 2)
}
