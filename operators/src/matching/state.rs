//! The state of a symbol, its rows, and restoring it from them.

use std::collections::BTreeMap;

use headwater_schemas::tables::{BookState, Execution, Moment, OpenOrder, OrderEvent, TopOfBook};
use headwater_schemas::value::{EventTime, Symbol};

use super::book::{Book, Head, Sequences, Top};
use super::order::{Standing, Terms};
use super::report::Reports;
use super::view::Matching;
use crate::keyed_fold::States;

/// A symbol's book, and the rows emitted last.
#[derive(Debug, Default)]
pub struct SymbolBook {
    pub(super) book: Book,
    /// Buffer for the book's reports of one event.
    pub(super) reports: Reports,
    /// When the best prices last changed.
    top_changed: EventTime,
    /// When the book's head last changed.
    head_changed: EventTime,
    emitted_top: Option<TopOfBook>,
    emitted_head: Option<BookState>,
}

headwater_schemas::table_set! {
    /// The tables of order books.
    pub struct BookTables restored from SavedBooks {
        restored { book_states: BookState, open_orders: OpenOrder, top_of_book: TopOfBook }
        written { order_events: OrderEvent, executions: Execution }
    }
}

impl SymbolBook {
    /// Changes the book, and records the time if its best prices or its head change: so these times do not depend on how often
    /// they are emitted.
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

    /// Emits the changes since the last emission.
    pub(super) fn emit(&mut self, symbol: &Symbol, at: &Moment, tables: &BookTables) {
        self.book.drain_changes(|terms, old, new| {
            if old != new {
                let terms = terms.copied();
                let row = |standing| open_order(symbol, &terms, &standing);
                tables.open_orders.replace(at, old.map(row), new.map(row));
            }
        });
        let top = self.top_of_book(symbol);
        if top != self.emitted_top {
            tables.top_of_book.replace(at, self.emitted_top.take(), top.clone());
            self.emitted_top = top;
        }
        let head = self.book_state(symbol);
        if head != self.emitted_head {
            tables.book_states.replace(at, self.emitted_head.take(), head.clone());
            self.emitted_head = head;
        }
    }

    /// Whether the state equals that of a new book.
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
            emitted_top: top,
            emitted_head: Some(row),
            ..Self::default()
        }
    }

    fn top_of_book(&self, symbol: &Symbol) -> Option<TopOfBook> {
        let top = self.book.top();
        (top != Top::default()).then(|| TopOfBook {
            symbol: *symbol,
            bid: top.bid.map(|(price, _)| price),
            bid_size: top.bid.map(|(_, size)| size),
            ask: top.ask.map(|(price, _)| price),
            ask_size: top.ask.map(|(_, size)| size),
            last_price: top.last,
            ts: self.top_changed,
        })
    }

    fn book_state(&self, symbol: &Symbol) -> Option<BookState> {
        let head = self.book.head();
        (head != Head::default()).then_some(BookState {
            symbol: *symbol,
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
    /// Restores the books.
    pub(super) fn restore(&self, states: &mut States<'_, Matching>) {
        let mut orders = BTreeMap::<&Symbol, Vec<(Terms, Standing)>>::new();
        for row in self.open_orders.iter().filter(|row| states.have(&row.symbol)) {
            orders.entry(&row.symbol).or_default().push(order(row.clone()));
        }
        let mut tops: BTreeMap<&Symbol, &TopOfBook> = self.top_of_book.iter().map(|top| (&top.symbol, top)).collect();
        for row in self.book_states.iter() {
            let Some(state) = states.of(&row.symbol) else { continue };
            let (orders, top) = (orders.remove(&row.symbol).unwrap_or_default(), tops.remove(&row.symbol).cloned());
            *state = SymbolBook::restored(row.clone(), orders, top);
        }
    }
}

/// The row of an order.
fn open_order(symbol: &Symbol, terms: &Terms, standing: &Standing) -> OpenOrder {
    OpenOrder {
        symbol: *symbol,
        order_id: terms.order_id.clone(),
        account_id: terms.account_id,
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
        owner_id: terms.owner_id,
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
