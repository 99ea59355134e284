//! The surveillance of books: rules that judge the messages and executions of a symbol.

use std::sync::Arc;

use headwater_schemas::events::{Event, Side, Trade, TradingPhase};
use headwater_schemas::tables::{Execution, Moment, SurveillanceAlert, SurveillanceRule, WatchedEvent, WatchedKind};
use headwater_schemas::{
    AccountId, Correction, EffectiveTime, EventTime, Factor, Id, Money, Nanos, OwnerId, Place, Placed, Price, Quantity, Symbol, Topic,
};
use serde::{Deserialize, Serialize};

use super::book_state::{BookHistory, BookSurveillanceTables, SavedBookSurveillance, end_of_counts, is_of_books};
use super::fills::{Basis, Terms};
use super::linked::Linked;
use super::settings::{Span, SurveillanceSettings, Thresholds};
use super::traders::{Ordered, Traded, TraderEvent};
use crate::keyed_fold::{Outbox, States, View};
use crate::matching::{BookEvent, BookMessage, Outcome, PhaseStep};
use crate::positions::FillChange;

/// An event that the surveillance of books reads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum WatchEvent {
    /// A message, an execution or a phase of the book.
    Book(BookEvent),
    /// A trade of the market.
    Trade(Arc<Trade>),
    /// A fill of another venue, or its bust.
    Fill(FillChange),
}

/// View of the surveillance of books, by symbol.
#[derive(Clone, Debug)]
pub struct BookSurveillance {
    /// Windows and thresholds.
    pub settings: Arc<SurveillanceSettings>,
    /// How late a trade of the market may be and still change the shares of a close.
    pub horizon: Nanos,
    /// How long a fill can be busted.
    pub busts: Nanos,
}

/// What a rule knows besides the history.
pub(super) struct Scene<'a> {
    pub(super) settings: &'a SurveillanceSettings,
    pub(super) thresholds: Thresholds,
    pub(super) linked: &'a Linked,
    pub(super) symbol: Symbol,
    /// How late a trade of the market may be.
    pub(super) horizon: Span,
    /// The effective time.
    pub(super) now: EventTime,
}

impl Scene<'_> {
    /// The time at which an episode that goes on now ends.
    pub(super) fn end_of_episode(&self) -> EventTime {
        self.settings.episode.after(self.now)
    }
}

crate::fold_operator!(BookSurveillance);

impl View for BookSurveillance {
    type Key = Symbol;
    type Route = Symbol;
    type Event = WatchEvent;
    type Broadcast = Event;
    type Context = Linked;
    type State = BookHistory;
    type Timer = ();
    type Tables = BookSurveillanceTables;
    type Derived = (Place, TraderEvent);
    type Update = ();

    fn key(&self, event: &WatchEvent) -> Symbol {
        match event {
            WatchEvent::Book(event) => *event.symbol(),
            WatchEvent::Trade(trade) => trade.symbol,
            WatchEvent::Fill(change) => change.symbol,
        }
    }

    fn route(symbol: &Symbol) -> Symbol {
        *symbol
    }

    fn learn(&self, linked: &mut Linked, broadcast: Placed<Event>) {
        linked.learn(&broadcast.event);
    }

    fn apply(&self, linked: &Linked, symbol: &Symbol, history: &mut BookHistory, placed: Placed<WatchEvent>, out: &mut Outbox<'_, Self>) {
        let Placed { place, event } = placed;
        let now = place.event_time();
        let due = history.due(self);
        history.advance(self, now);
        let scene = self.scene(linked, *symbol, now);
        match event {
            WatchEvent::Book(BookEvent::Execution(execution)) => self.execution(&scene, history, place, &execution, out),
            WatchEvent::Book(BookEvent::Message(message)) => self.message(&scene, history, place, &message, out),
            WatchEvent::Book(BookEvent::Phase(PhaseStep { before, now, .. })) => {
                if now == TradingPhase::Closed && before != now {
                    history.watch_close(&scene);
                }
            }
            WatchEvent::Trade(trade) => {
                if history.watch_market(&scene, &trade) {
                    let late = place.lateness(trade.ts);
                    let late = late.map(|lateness| Correction::Late { topic: Topic::Trades, id: trade.symbol.to_id(), lateness });
                    late.into_iter().for_each(|late| out.correct(late));
                }
            }
            WatchEvent::Fill(change) => fill(&scene, history, place, change, out),
        }
        let next = history.due(self);
        if next != due {
            due.into_iter().for_each(|time| out.cancel_timer(time.effective(), ()));
            next.into_iter().for_each(|time| out.set_timer(time.effective(), ()));
        }
    }

    fn timer(&self, _: &Linked, _: &Symbol, history: &mut BookHistory, (): (), place: Place, out: &mut Outbox<'_, Self>) {
        history.advance(self, place.event_time());
        history.due(self).into_iter().for_each(|time| out.set_timer(time.effective(), ()));
    }

    fn emit(&self, _: &Linked, symbol: &Symbol, history: &mut BookHistory, at: &Moment, tables: &BookSurveillanceTables) {
        history.emit(*symbol, at, tables);
    }

    fn is_forgettable(&self, history: &BookHistory) -> bool {
        history.is_empty()
    }

    fn restore(&self, saved: &SavedBookSurveillance, states: &mut States<'_, Self>) {
        saved.restore(states, |row| self.until(row));
    }

    fn timers(&self, _: &Symbol, history: &BookHistory) -> Vec<(EffectiveTime, ())> {
        history.due(self).map(|time| (time.effective(), ())).into_iter().collect()
    }
}

impl BookSurveillance {
    fn scene<'a>(&'a self, linked: &'a Linked, symbol: Symbol, now: EventTime) -> Scene<'a> {
        let asset_class = linked.instrument(&symbol).map(|instrument| instrument.asset_class);
        let thresholds = self.settings.of(&symbol, asset_class);
        Scene { settings: &self.settings, thresholds, linked, symbol, horizon: Span(self.horizon), now }
    }

    /// The time after which an alert of a book cannot change.
    fn until(&self, row: &SurveillanceAlert) -> Option<EventTime> {
        let until = match (row.rule, row.period) {
            (SurveillanceRule::OrderToTrade, Some(day)) => end_of_counts(&self.settings, day.date()),
            (SurveillanceRule::MarkingTheClose, Some(close)) => Span(self.horizon).after(close),
            _ => self.settings.episode.after(row.last_ts),
        };
        is_of_books(row.rule).then_some(until)
    }

    fn execution(&self, scene: &Scene<'_>, history: &mut BookHistory, place: Place, execution: &Execution, out: &mut Outbox<'_, Self>) {
        let Execution { account_id, side, quantity, price, .. } = *execution;
        let owner = scene.linked.owner(account_id);
        let oldest = scene.settings.stuffing_window.before(scene.now);
        history.counts(account_id, scene.now.date()).add_execution(scene.now, oldest);
        history.watch_wash_trade(scene, owner, execution);
        let row = WatchedEvent {
            kind: WatchedKind::Execution,
            price: Some(price),
            match_id: Some(execution.match_id.clone()),
            ..remembered(scene, place, owner, account_id, side, quantity, &execution.execution_id)
        };
        let number = history.trades.push(row);
        history.traders.entry(account_id).or_default().add_trade(number, side, quantity);
        history.watch_layering(scene, account_id, opposite(side));
        history.watch_order_to_trade(scene, account_id, &execution.order_id);
        let basis = Basis::now(scene, account_id);
        let traded = Dealt { basis, quantity, price, id: &execution.execution_id, at: scene.now };
        traded.event(None).into_iter().for_each(|event| out.derive((place, event)));
    }

    fn message(&self, scene: &Scene<'_>, history: &mut BookHistory, place: Place, message: &BookMessage, out: &mut Outbox<'_, Self>) {
        let BookMessage { order_id, account_id, outcome, .. } = message;
        let oldest = scene.settings.stuffing_window.before(scene.now);
        history.counts(*account_id, scene.now.date()).add_message(scene.now, oldest);
        match *outcome {
            Outcome::Accepted { side, quantity, price } => {
                let owner = scene.linked.owner(*account_id);
                if scene.linked.others(owner, *account_id).next().is_some() {
                    let row = remembered(scene, place, owner, *account_id, side, quantity, order_id);
                    history.watch_front_running(scene, row);
                }
                let ordered = price.and_then(|price| ordered(scene, *account_id, order_id, quantity, price));
                ordered.into_iter().for_each(|event| out.derive((place, event)));
            }
            Outcome::Cancelled { side, quantity } => {
                let owner = scene.linked.owner(*account_id);
                let row = remembered(scene, place, owner, *account_id, side, quantity, order_id);
                let number = history.cancels.push(WatchedEvent { kind: WatchedKind::Cancel, ..row });
                history.traders.entry(*account_id).or_default().add_cancel(number, side, quantity);
                history.watch_layering(scene, *account_id, side);
            }
            Outcome::Other => {}
        }
        history.watch_quote_stuffing(scene, *account_id, order_id);
        history.watch_order_to_trade(scene, *account_id, order_id);
    }
}

fn fill(scene: &Scene<'_>, history: &mut BookHistory, place: Place, change: FillChange, out: &mut Outbox<'_, BookSurveillance>) {
    let FillChange { fill_id, account_id, quantity, price, traded, bust, .. } = change;
    // A bust takes back what the owner of then has traded.
    let basis = if bust.is_some() {
        history.fills.counted(account_id, traded)
    } else {
        let basis = Basis::now(scene, account_id);
        history.fills.count(account_id, traded, basis);
        Some(basis)
    };
    let at = EventTime::from_effective(traded);
    let event = basis.and_then(|basis| Dealt { basis, quantity, price, id: &fill_id, at }.event(bust));
    event.into_iter().for_each(|event| out.derive((place, event)));
}

/// The other side.
pub(super) const fn opposite(side: Side) -> Side {
    match side {
        Side::Buy => Side::Sell,
        Side::Sell => Side::Buy,
    }
}

/// An order of an account, as it is remembered.
fn remembered(
    scene: &Scene<'_>,
    place: Place,
    owner_id: OwnerId,
    account_id: AccountId,
    side: Side,
    quantity: Quantity,
    event_id: &Id,
) -> WatchedEvent {
    WatchedEvent {
        symbol: scene.symbol,
        ts: scene.now,
        partition: i32::from(place.partition),
        offset: place.offset,
        sequence: i64::from(place.sequence),
        kind: WatchedKind::Order,
        account_id,
        owner_id,
        side,
        quantity,
        price: None,
        event_id: event_id.clone(),
        match_id: None,
    }
}

/// An execution or a fill.
struct Dealt<'a> {
    basis: Basis,
    quantity: Quantity,
    price: Price,
    id: &'a Id,
    at: EventTime,
}

impl Dealt<'_> {
    /// The event for the owner; none for an instrument that is not known, or a value that fits no column.
    fn event(&self, bust: Option<Correction>) -> Option<TraderEvent> {
        let Terms { asset_class, currency, multiplier } = self.basis.terms?;
        Some(TraderEvent::Traded(Traded {
            owner_id: self.basis.owner,
            asset_class,
            currency,
            quantity: self.quantity,
            value: Money::notional(self.price, self.quantity, multiplier)?.magnitude(),
            id: self.id.clone(),
            day: self.at.date(),
            bust,
        }))
    }
}

/// The event for an account that has entered an order.
fn ordered(scene: &Scene<'_>, account_id: AccountId, order_id: &Id, quantity: Quantity, price: Price) -> Option<TraderEvent> {
    let instrument = scene.linked.instrument(&scene.symbol)?;
    let multiplier = instrument.multiplier.unwrap_or(Factor::whole(1));
    Some(TraderEvent::Ordered(Ordered {
        account_id,
        order_id: order_id.clone(),
        symbol: scene.symbol,
        currency: instrument.currency,
        value: Money::notional(price, quantity, multiplier)?.magnitude(),
        multiple: scene.thresholds.fat_finger.0,
    }))
}
