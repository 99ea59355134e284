//! A symbol's state between events, its rows, and the way back from them.

use std::collections::BTreeMap;

use headwater_schemas::tables::{BookState, OpenOrder, OrderEvent, TopOfBook};
use headwater_schemas::value::{EventTime, Id};

use super::book::{Book, Head, Sequences, Top};
use super::order::{Standing, Terms};
use super::report::Reports;
use super::view::BookRow;
use crate::keyed_fold::Changes;

/// A symbol's book, what it has to say when it settles, and what it said before.
#[derive(Debug, Default)]
pub struct SymbolBook {
    pub(super) book: Book,
    /// Room for what the book says about one event.
    pub(super) reports: Reports,
    /// Changes of orders that have not been said.
    pub(super) order_events: Vec<OrderEvent>,
    /// When the best prices last changed.
    top_changed: EventTime,
    /// When the book's head last changed.
    head_changed: EventTime,
    said_top: Option<TopOfBook>,
    said_head: Option<BookState>,
}

/// The rows of many books: with them, everything goes on as if nothing had happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SavedBooks {
    /// The symbols.
    pub books: Vec<BookState>,
    /// Their orders.
    pub orders: Vec<OpenOrder>,
    /// Their best prices, which follow from the orders but for the time.
    pub tops: Vec<TopOfBook>,
}

impl SymbolBook {
    /// Lets something happen to the book, and notes when its best prices and its head change: so their times do not
    /// depend on how often they are looked at.
    pub(super) fn change<T>(&mut self, now: EventTime, logic: impl FnOnce(&mut Book, &mut Reports) -> T) -> T {
        let (top, head) = (self.book.top(), self.book.head());
        let result = logic(&mut self.book, &mut self.reports);
        if self.book.top() != top {
            self.top_changed = now;
        }
        if self.book.head() != head {
            self.head_changed = now;
        }
        result
    }

    /// Says what has changed since it was asked last.
    pub(super) fn settle(&mut self, symbol: &Id, rows: &mut Changes<BookRow>) {
        self.order_events.drain(..).for_each(|event| rows.insert(BookRow::OrderEvent(event)));
        self.book.drain_changes(|terms, old, new| {
            let row = |standing| BookRow::OpenOrder(open_order(symbol, terms, &standing));
            if old != new {
                rows.replace(old.map(row), new.map(row));
            }
        });
        let top = self.top_of_book(symbol);
        if top != self.said_top {
            rows.replace(self.said_top.take().map(BookRow::TopOfBook), top.clone().map(BookRow::TopOfBook));
            self.said_top = top;
        }
        let head = self.book_state(symbol);
        if head != self.said_head {
            rows.replace(self.said_head.take().map(BookRow::BookState), head.clone().map(BookRow::BookState));
            self.said_head = head;
        }
    }

    /// Whether nothing is left to remember.
    pub(super) fn is_forgettable(&self) -> bool {
        self.book.head() == Head::default() && self.book.is_empty()
    }

    fn restored(row: BookState, orders: Vec<(Terms, Standing)>, top: Option<TopOfBook>) -> Self {
        let sequences = Sequences { matches: row.matches, changes: row.order_events, priority: row.priorities };
        let head = Head { phase: row.phase, last_price: row.last_price, sequences };
        Self {
            book: Book::restore(head, orders),
            top_changed: top.as_ref().map_or(EventTime::BEGINNING, |top| top.ts),
            head_changed: row.ts,
            said_top: top,
            said_head: Some(row),
            ..Self::default()
        }
    }

    /// Adds the book's rows.
    pub(super) fn save(&self, symbol: &Id, saved: &mut SavedBooks) {
        saved.books.extend(self.book_state(symbol));
        saved.tops.extend(self.top_of_book(symbol));
        saved.orders.extend(self.book.orders().map(|order| open_order(symbol, &order.terms, &order.standing)));
    }

    fn top_of_book(&self, symbol: &Id) -> Option<TopOfBook> {
        let top = self.book.top();
        (top != Top::default()).then(|| TopOfBook {
            symbol: symbol.clone(),
            bid: top.bid.map(|(price, _)| price),
            bid_size: top.bid.map(|(_, size)| size),
            ask: top.ask.map(|(price, _)| price),
            ask_size: top.ask.map(|(_, size)| size),
            last_price: top.last,
            ts: self.top_changed,
        })
    }

    fn book_state(&self, symbol: &Id) -> Option<BookState> {
        let head = self.book.head();
        (head != Head::default()).then(|| BookState {
            symbol: symbol.clone(),
            phase: head.phase,
            last_price: head.last_price,
            matches: head.sequences.matches,
            order_events: head.sequences.changes,
            priorities: head.sequences.priority,
            ts: self.head_changed,
        })
    }
}

impl SavedBooks {
    /// The books that the rows tell of. The rows may come in any order.
    pub(super) fn load(self) -> Vec<(Id, SymbolBook)> {
        let mut orders = BTreeMap::<Id, Vec<(Terms, Standing)>>::new();
        for row in self.orders {
            orders.entry(row.symbol.clone()).or_default().push(order(row));
        }
        let mut tops: BTreeMap<Id, TopOfBook> = self.tops.into_iter().map(|top| (top.symbol.clone(), top)).collect();
        let restored = |row: BookState| {
            let (orders, top) = (orders.remove(&row.symbol).unwrap_or_default(), tops.remove(&row.symbol));
            (row.symbol.clone(), SymbolBook::restored(row, orders, top))
        };
        self.books.into_iter().map(restored).collect()
    }
}

/// An order's row.
fn open_order(symbol: &Id, terms: &Terms, standing: &Standing) -> OpenOrder {
    OpenOrder {
        symbol: symbol.clone(),
        order_id: terms.order_id.clone(),
        account_id: terms.account_id.clone(),
        side: terms.side,
        order_type: terms.order_type,
        price: standing.price,
        stop_price: terms.stop_price,
        leaves_quantity: standing.leaves,
        cumulative_quantity: standing.filled,
        display_quantity: terms.display_quantity,
        shown_quantity: standing.shown,
        time_in_force: terms.time_in_force,
        expires_at: terms.expires_at,
        post_only: terms.post_only,
        self_trade: terms.self_trade,
        owner_id: terms.owner_id.clone(),
        triggered: standing.triggered,
        priority: standing.priority,
        ts: standing.ts,
    }
}

/// The order of a row.
fn order(row: OpenOrder) -> (Terms, Standing) {
    let terms = Terms {
        order_id: row.order_id,
        account_id: row.account_id,
        owner_id: row.owner_id,
        side: row.side,
        order_type: row.order_type,
        time_in_force: row.time_in_force,
        stop_price: row.stop_price,
        display_quantity: row.display_quantity,
        expires_at: row.expires_at,
        post_only: row.post_only,
        self_trade: row.self_trade,
    };
    let standing = Standing {
        price: row.price,
        leaves: row.leaves_quantity,
        filled: row.cumulative_quantity,
        shown: row.shown_quantity,
        triggered: row.triggered,
        priority: row.priority,
        ts: row.ts,
    };
    (terms, standing)
}
