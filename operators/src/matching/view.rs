//! The view of matching: events of a symbol become commands of its book, and the book's reports become rows and executions.

use std::fmt::Write;

use headwater_schemas::events::{self, Event, OrderEvent as OrderMessage, SelfTrade, Side};
use headwater_schemas::tables::{Execution, Moment, OrderChange, OrderEvent};
use headwater_schemas::value::{EventTime, Factor, Id, Price, Quantity, Symbol};
use headwater_schemas::{Correction, Place, Placed, Topic};

use super::band::Band;
use super::book::Book;
use super::checks::Desk;
use super::command::{Amendment, Cancellation, Command, NewOrder, PhaseChange};
use super::config::MatchingConfig;
use super::event::{BookEvent, BookMessage, Outcome, PhaseStep};
use super::order::Order;
use super::reason::Reason;
use super::report::{Change, Match, Party, Reports};
use super::state::{BookTables, SavedBooks, SymbolBook};
use crate::keyed_fold::{Outbox, States, View};
use crate::reference::Reference;

/// View of order matching, by symbol.
#[derive(Clone, Debug, Default)]
pub struct Matching {
    config: MatchingConfig,
}

impl Matching {
    /// The view with a configuration.
    pub const fn new(config: MatchingConfig) -> Self {
        Self { config }
    }

    fn late(place: Place, message: &OrderMessage) -> Option<Correction> {
        let lateness = place.lateness(message.ts())?;
        let id = match message {
            OrderMessage::New(new) => &new.order_id,
            OrderMessage::Amend(amend) => &amend.order_id,
            OrderMessage::Cancel(cancel) => &cancel.order_id,
            OrderMessage::Phase(change) => &change.symbol.to_id(),
        };
        Some(Correction::Late { topic: Topic::Orders, id: id.clone(), lateness })
    }

    /// Checks an order message and applies it to the book. Returns the message with its result.
    fn obey(
        &self,
        reference: &Reference,
        symbol: &Symbol,
        ts: EventTime,
        message: OrderMessage,
        book: &mut Book,
        reports: &mut Reports,
    ) -> BookEvent {
        // Expired orders are neither checked nor amended.
        book.expire(ts, reports);
        book.set_band(reference.instrument(symbol).map(Band::of).unwrap_or_default());
        let desk = Desk { config: &self.config, reference, symbol, last_price: book.last_price() };
        let (order_id, account_id, outcome) = match command(reference, message) {
            Command::New(order) => (order.order_id.clone(), order.account_id, enter(&desk, ts, order, book, reports)),
            Command::Amend(amendment) => (amendment.order_id.clone(), amendment.account_id, amend(&desk, ts, amendment, book, reports)),
            Command::Cancel(cancel) => {
                let order = book.order(&cancel.account_id, &cancel.order_id);
                let ids = (cancel.order_id.clone(), cancel.account_id);
                book.apply(ts, Command::Cancel(cancel), reports);
                (ids.0, ids.1, order.map_or(Outcome::Other, |order| cancelled(&order)))
            }
            Command::Phase(change) => {
                let step = PhaseStep { symbol: *symbol, before: book.head().phase, now: change.phase };
                book.apply(ts, Command::Phase(change), reports);
                return BookEvent::Phase(step);
            }
        };
        BookEvent::Message(BookMessage { order_id, account_id, symbol: *symbol, outcome })
    }
}

fn enter(desk: &Desk<'_>, ts: EventTime, order: NewOrder, book: &mut Book, reports: &mut Reports) -> Outcome {
    let accepted = Outcome::Accepted { side: order.side, quantity: order.quantity, price: desk.expected_price(&order) };
    let first = reports.changes.len();
    match desk.check_new(&order) {
        Ok(()) => book.apply(ts, Command::New(order), reports),
        Err(reason) => book.reject_new(order, reason, reports),
    }
    if is_first(reports, first, OrderChange::Accepted) { accepted } else { Outcome::Other }
}

fn amend(desk: &Desk<'_>, ts: EventTime, amendment: Amendment, book: &mut Book, reports: &mut Reports) -> Outcome {
    let order = book.order(&amendment.account_id, &amendment.order_id);
    let ended = order.as_ref().map_or(Outcome::Other, cancelled);
    let first = reports.changes.len();
    match desk.check_amend(order, &amendment) {
        Ok(()) => book.apply(ts, Command::Amend(amendment), reports),
        Err(reason) => book.reject(amendment.order_id, amendment.account_id, reason, reports),
    }
    if is_first(reports, first, OrderChange::Cancelled) { ended } else { Outcome::Other }
}

/// The result of a cancel of an order.
fn cancelled(order: &Order) -> Outcome {
    Outcome::Cancelled { side: order.terms.side, quantity: order.standing.leaves }
}

/// Whether the report with an index is of a kind.
fn is_first(reports: &Reports, index: usize, change: OrderChange) -> bool {
    reports.changes.get(index).is_some_and(|report| report.change == change)
}

crate::fold_operator!(Matching);

impl View for Matching {
    type Key = Symbol;
    type Route = Symbol;
    type Event = OrderMessage;
    type Broadcast = Event;
    type Context = Reference;
    type State = SymbolBook;
    type Timer = ();
    type Tables = BookTables;
    type Derived = BookEvent;
    type Update = ();

    fn key(&self, event: &OrderMessage) -> Symbol {
        *event.symbol()
    }

    fn route(symbol: &Symbol) -> Symbol {
        *symbol
    }

    fn learn(&self, context: &mut Reference, broadcast: Placed<Event>) {
        context.learn(&broadcast.event);
    }

    fn apply(&self, context: &Reference, key: &Symbol, state: &mut SymbolBook, event: Placed<OrderMessage>, out: &mut Outbox<'_, Self>) {
        let ts = event.place.event_time();
        Self::late(event.place, &event.event).into_iter().for_each(|late| out.correct(late));
        let message = state.change(ts, |book, reports| self.obey(context, key, ts, event.event, book, reports));
        let (reports, tables) = (&mut state.reports, out.tables());
        for change in reports.changes.drain(..) {
            tables.order_events.insert(out.at(), order_event(key, ts, change));
        }
        if reports.matches.is_empty() {
            return out.derive(message);
        }
        let multiplier = context.instrument(key).and_then(|instrument| instrument.multiplier).unwrap_or(Factor::whole(1));
        let mut ids = Ids::default();
        for found in reports.matches.drain(..) {
            for execution in self.executions(key, ts, multiplier, found, &mut ids) {
                tables.executions.insert(out.at(), execution.clone());
                out.derive(BookEvent::Execution(execution));
            }
        }
        out.derive(message);
    }

    fn emit(&self, _: &Reference, key: &Symbol, state: &mut SymbolBook, at: &Moment, tables: &BookTables) {
        state.emit(key, at, tables);
    }

    fn is_forgettable(&self, state: &SymbolBook) -> bool {
        state.is_forgettable()
    }

    fn restore(&self, saved: &SavedBooks, states: &mut States<'_, Self>) {
        saved.restore(states);
    }
}

/// The command of an order message.
fn command(reference: &Reference, message: OrderMessage) -> Command {
    match message {
        OrderMessage::New(new) => Command::New(new_order(reference, *new)),
        OrderMessage::Amend(amend) => Command::Amend(Amendment {
            order_id: amend.order_id,
            account_id: amend.account_id,
            quantity: amend.quantity.map(|quantity| Quantity::from_units(quantity.units())),
            price: amend.price,
        }),
        OrderMessage::Cancel(cancel) => Command::Cancel(Cancellation { order_id: cancel.order_id, account_id: cancel.account_id }),
        OrderMessage::Phase(change) => {
            let instrument = reference.instrument(&change.symbol);
            Command::Phase(PhaseChange {
                phase: change.phase,
                tick_size: instrument.map(|instrument| Price::from_units(instrument.tick_size.units())),
                reference_price: instrument.and_then(|instrument| instrument.reference_price),
            })
        }
    }
}

fn new_order(reference: &Reference, new: events::NewOrder) -> NewOrder {
    NewOrder {
        owner_id: reference.owner(new.account_id),
        order_id: new.order_id,
        account_id: new.account_id,
        side: new.side,
        order_type: new.order_type,
        time_in_force: new.time_in_force,
        quantity: new.quantity,
        price: new.price,
        stop_price: new.stop_price,
        display_quantity: new.display_quantity,
        post_only: new.post_only.unwrap_or(false),
        expires_at: new.expires_at,
        self_trade: new.self_trade.unwrap_or(SelfTrade::CancelNewest),
    }
}

fn order_event(symbol: &Symbol, ts: EventTime, change: Change) -> OrderEvent {
    OrderEvent {
        order_id: change.order_id,
        sequence: change.sequence,
        account_id: change.account_id,
        symbol: *symbol,
        event: change.change,
        reason: change.reason.map(Reason::text),
        leaves_quantity: change.leaves,
        cumulative_quantity: change.filled,
        ts,
    }
}

impl Matching {
    /// The two executions of a match, the buyer's first.
    fn executions(&self, symbol: &Symbol, ts: EventTime, multiplier: Factor, found: Match, ids: &mut Ids) -> [Execution; 2] {
        let Match { sequence, price, quantity, buyer, seller } = found;
        let match_id = ids.make(format_args!("{symbol}-{sequence}"));
        [(buyer, Side::Buy, 'b'), (seller, Side::Sell, 's')].map(|(Party { order_id, account_id, liquidity }, side, letter)| Execution {
            execution_id: ids.make(format_args!("{match_id}-{letter}")),
            match_id: match_id.clone(),
            order_id,
            account_id,
            symbol: *symbol,
            side,
            price,
            quantity,
            fee: self.config.fee(liquidity, price, quantity, multiplier),
            liquidity,
            ts,
        })
    }
}

/// Formats ids in a reused buffer: short ones do not allocate.
#[derive(Default)]
struct Ids {
    text: String,
}

impl Ids {
    fn make(&mut self, parts: std::fmt::Arguments<'_>) -> Id {
        self.text.clear();
        // Writing to a string cannot fail.
        let _ = self.text.write_fmt(parts);
        Id::shortened(&self.text)
    }
}
