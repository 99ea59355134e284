//! Benchmark of commands to an order book.

use std::collections::{BTreeMap, VecDeque};
use std::hint::black_box;
use std::sync::Arc;

use clap::Args;
use headwater::simulator::workload;
use headwater_operators::keyed_fold::Fold;
use headwater_operators::matching::{Book, BookEvent, BookTables, Cancellation, Command, Matching, NewOrder, Reports};
use headwater_operators::surveillance::{
    BookSurveillance, BookSurveillanceTables, SurveillanceSettings, TraderSurveillance, TraderSurveillanceTables, WatchEvent,
};
use headwater_schemas::events::{Event, OrderEvent, OrderType, SelfTrade, Side, TimeInForce};
use headwater_schemas::{Clock, EffectiveTime, EventTime, Id, Nanos, Offset, Place, Placed, Price, Quantity, Symbol, Tick, Topic};
use rustc_hash::FxHashMap;

use crate::measure::{compare, count};

/// Arguments of `book`.
#[derive(Args)]
pub(crate) struct BookArguments {
    /// Simulated records; a fifth of them are orders.
    #[arg(long, default_value_t = 1_000_000)]
    events: usize,
    /// Number of rounds.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
}

/// Events per tick in a busy market.
const PER_TICK: usize = 100;

/// New orders and cancels of the simulated market: through the book, through the view with its rows, and through a minimal book.
pub(crate) fn book(arguments: &BookArguments) -> anyhow::Result<()> {
    let records = workload(1, arguments.events).filter(|record| record.topic == Topic::Orders);
    let messages: Vec<OrderEvent> = records
        .filter_map(|record| match Event::decode(Topic::Orders, None, Some(&record.value)) {
            Ok(Event::Order(message @ (OrderEvent::New(_) | OrderEvent::Cancel(_)))) => Some(message),
            _ => None,
        })
        .filter(is_plain)
        .collect();
    let with_command = |message: &OrderEvent| Some((*message.symbol(), message.ts(), command(message)?));
    let commands: Vec<(Symbol, EventTime, Command)> = messages.iter().filter_map(with_command).collect();

    let mut resting = 0;
    let through_books = || {
        let mut books = FxHashMap::<Symbol, Book>::default();
        let mut reports = Reports::default();
        for (symbol, ts, command) in &commands {
            let book = books.entry(*symbol).or_default();
            book.apply(*ts, command.clone(), &mut reports);
            black_box(&reports);
            reports.clear();
            book.drain_changes(|_, _, _| {});
        }
        resting = books.values().map(Book::len).sum();
        Ok(())
    };
    let through_bare = || {
        let mut books = FxHashMap::<Symbol, BareBook>::default();
        for (symbol, _, command) in &commands {
            black_box(books.entry(*symbol).or_default().apply(command.clone()));
        }
        Ok(())
    };
    let result = compare(arguments.rounds, commands.len(), through_books, through_bare)?;
    println!("{} new orders and cancels, {resting} orders rest at the end", commands.len());
    say("book", result.ours, result.other, result.ratio());

    let through_view = || {
        let tables = BookTables::default();
        let mut fold = Fold::new(Matching::default(), tables.clone(), Clock::new(Nanos::new(1), Nanos::new(1)));
        for (number, message) in messages.iter().enumerate() {
            let place = Place::of_record(message.ts().effective(), Topic::Orders, 0, Offset::new(number as u64));
            fold.apply(Placed { place, event: message.clone() });
            if number % PER_TICK == PER_TICK - 1 {
                fold.emit(Tick::new(number as u64), EffectiveTime::ZERO);
                black_box(fold.take_derived().count());
                black_box(rows_of(&tables));
            }
        }
        Ok(())
    };
    let result = compare(arguments.rounds, messages.len(), through_view, through_bare)?;
    say("view with rows", result.ours, result.other, result.ratio());
    surveillance(arguments)
}

/// What surveillance adds to an order message of the simulated market: both views, with rows once a second, compared with the book
/// that derives what they read.
fn surveillance(arguments: &BookArguments) -> anyhow::Result<()> {
    let clock = Clock::new(Nanos::new(1_000_000_000), Nanos::new(1_000_000_000));
    let (mut reference, mut orders) = (Vec::new(), Vec::new());
    for (number, record) in workload(1, arguments.events).enumerate() {
        let Ok(event) = Event::decode(record.topic, None, Some(&record.value)) else { continue };
        let ts = event.ts().unwrap_or(EventTime::BEGINNING);
        let place = Place::of_record(ts.effective(), record.topic, 0, Offset::new(number as u64));
        match event {
            Event::Order(event) => orders.push(Placed { place, event }),
            event @ (Event::Instrument(_) | Event::Account(_) | Event::Customer(_)) => reference.push(Placed { place, event }),
            _ => {}
        }
    }
    orders.sort_by_key(|order| order.place);
    let through_book = |derived: &mut Vec<Placed<BookEvent>>| {
        let tables = BookTables::default();
        let mut fold = Fold::new(Matching::default(), tables.clone(), clock);
        reference.iter().cloned().for_each(|event| fold.learn(event));
        for (number, order) in orders.iter().enumerate() {
            fold.apply(order.clone());
            derived.extend(fold.take_derived());
            if number % PER_TICK == PER_TICK - 1 {
                fold.emit(Tick::new(number as u64), EffectiveTime::ZERO);
                black_box(rows_of(&tables));
            }
        }
    };
    let mut watched = Vec::new();
    through_book(&mut watched);
    let settings = Arc::new(SurveillanceSettings::default());
    let through_views = || {
        let (tables, of_traders) = (BookSurveillanceTables::default(), TraderSurveillanceTables::default());
        let view = BookSurveillance { settings: Arc::clone(&settings), horizon: Nanos::DAY, busts: Nanos::DAY };
        let mut books = Fold::new(view, tables.clone(), clock);
        let view = TraderSurveillance { settings: Arc::clone(&settings), horizon: Nanos::DAY };
        let mut traders = Fold::new(view, of_traders.clone(), clock);
        reference.iter().cloned().for_each(|event| books.learn(event));
        let mut second = Tick::ZERO;
        for event in &watched {
            let tick = clock.tick_of(event.place.time);
            if tick > second {
                books.emit(second, clock.start_of(second));
                traders.emit(second, clock.start_of(second));
                let rows = tables.events.take_below(Tick::MAX).len() + tables.counts.take_below(Tick::MAX).len();
                black_box(rows + of_traders.order_values.take_below(Tick::MAX).len() + of_traders.traded.take_below(Tick::MAX).len());
                second = tick;
            }
            while books.next_timer().is_some_and(|timer| timer < event.place.time) {
                books.fire();
            }
            books.apply(event.clone().map(WatchEvent::Book));
            for Placed { event: (place, event), .. } in books.take_derived() {
                traders.apply(Placed { place, event });
            }
        }
        Ok(())
    };
    let book_alone = || {
        let mut derived = Vec::new();
        through_book(&mut derived);
        black_box(derived.len());
        Ok(())
    };
    let result = compare(arguments.rounds, orders.len(), through_views, book_alone)?;
    println!(
        "surveillance of {} order messages with {} executions: {:.0} ns/message; the book's view {:.0} ns",
        orders.len(),
        watched.len() - orders.len(),
        result.ours,
        result.other
    );
    Ok(())
}

/// Takes the rows that a commit would write, and returns their number.
fn rows_of(tables: &BookTables) -> usize {
    let facts = tables.order_events.take_below(Tick::MAX).len() + tables.executions.take_below(Tick::MAX).len();
    let states = tables.open_orders.take_below(Tick::MAX).len() + tables.top_of_book.take_below(Tick::MAX).len();
    facts + states + tables.book_states.take_below(Tick::MAX).len()
}

fn say(what: &str, ours: f64, other: f64, ratio: f64) {
    let a_second = count(1_000_000_000) / ours / 1e6;
    println!("{what:<15} {ours:>6.0} ns/command ({a_second:.1} M/s); bare book {other:.0} ns; ratio {ratio:.2}");
}

/// Whether the minimal book supports an event: limit and market orders, and cancels.
fn is_plain(message: &OrderEvent) -> bool {
    match message {
        OrderEvent::New(order) => {
            matches!(order.order_type, OrderType::Limit | OrderType::Market) && order.time_in_force != TimeInForce::Gtd
        }
        _ => true,
    }
}

fn command(message: &OrderEvent) -> Option<Command> {
    Some(match message {
        OrderEvent::New(order) => Command::New(NewOrder {
            order_id: order.order_id.clone(),
            account_id: order.account_id,
            owner_id: order.account_id.of_kind(),
            side: order.side,
            order_type: order.order_type,
            time_in_force: order.time_in_force,
            quantity: order.quantity,
            price: order.price,
            stop_price: None,
            display_quantity: None,
            post_only: false,
            expires_at: None,
            self_trade: order.self_trade.unwrap_or(SelfTrade::CancelNewest),
        }),
        OrderEvent::Cancel(cancel) => Command::Cancel(Cancellation { order_id: cancel.order_id.clone(), account_id: cancel.account_id }),
        OrderEvent::Amend(_) | OrderEvent::Phase(_) => return None,
    })
}

/// A minimal book: two maps of queues and an index, with price-time priority and no reports.
#[derive(Default)]
struct BareBook {
    bids: BTreeMap<Price, VecDeque<(Id, Quantity)>>,
    asks: BTreeMap<Price, VecDeque<(Id, Quantity)>>,
    index: FxHashMap<Id, (Side, Price)>,
}

impl BareBook {
    /// Applies a command and returns the matched quantity.
    fn apply(&mut self, command: Command) -> Quantity {
        match command {
            Command::New(order) => self.submit(order),
            Command::Cancel(cancel) => {
                if let Some((side, price)) = self.index.remove(&cancel.order_id) {
                    let levels = if side == Side::Buy { &mut self.bids } else { &mut self.asks };
                    if let Some(queue) = levels.get_mut(&price) {
                        queue.retain(|(id, _)| *id != cancel.order_id);
                        if queue.is_empty() {
                            levels.remove(&price);
                        }
                    }
                }
                Quantity::ZERO
            }
            _ => Quantity::ZERO,
        }
    }

    fn submit(&mut self, order: NewOrder) -> Quantity {
        let mut left = order.quantity;
        while left > Quantity::ZERO {
            let best = match order.side {
                Side::Buy => self.asks.first_entry(),
                _ => self.bids.last_entry(),
            };
            let Some(mut level) = best else { break };
            let crosses =
                order.price.is_none_or(|limit| if order.side == Side::Buy { *level.key() <= limit } else { *level.key() >= limit });
            if !crosses {
                break;
            }
            let queue = level.get_mut();
            while let Some((id, quantity)) = queue.front_mut() {
                let taken = left.min(*quantity);
                left = left.checked_sub(taken).unwrap_or(Quantity::ZERO);
                *quantity = quantity.checked_sub(taken).unwrap_or(Quantity::ZERO);
                if *quantity > Quantity::ZERO {
                    break;
                }
                self.index.remove(id);
                queue.pop_front();
            }
            if queue.is_empty() {
                level.remove();
            }
        }
        if let Some(price) = order.price.filter(|_| left > Quantity::ZERO && order.time_in_force == TimeInForce::Gtc) {
            let levels = if order.side == Side::Buy { &mut self.bids } else { &mut self.asks };
            levels.entry(price).or_default().push_back((order.order_id.clone(), left));
            self.index.insert(order.order_id, (order.side, price));
        }
        left
    }
}
