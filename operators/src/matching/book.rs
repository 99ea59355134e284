//! The order book of a symbol: its state, and its handling of each command.

use std::collections::{BTreeSet, VecDeque};

use headwater_schemas::events::{Side, TimeInForce, TradingPhase};
use headwater_schemas::tables::OrderChange;
use headwater_schemas::value::{AccountId, EventTime, Id, Price, Quantity};

use super::band::Band;
use super::command::{Amendment, Cancellation, Command, NewOrder, PhaseChange};
use super::ladder::Ladder;
use super::order::{Order, Standing, Terms, accepts, has_limit, is_stop, minus, plus};
use super::orders::{Orders, Slot, fits, hash};
use super::queue::{Queue, QueueId};
use super::reason::Reason;
use super::report::{Change, Reports, Subject};
use super::resting::TermsOf;
use crate::slot_index::KeyHash;

/// Counters of a book.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sequences {
    /// Number of matches reported.
    pub matches: u64,
    /// Number of changes reported.
    pub changes: u64,
    /// Number of priorities assigned.
    pub priority: u64,
}

impl Sequences {
    pub(super) fn next_match(&mut self) -> u64 {
        self.matches += 1;
        self.matches
    }

    pub(super) fn next_priority(&mut self) -> u64 {
        self.priority += 1;
        self.priority
    }

    /// Reports a change of an order, with its quantities after the change.
    pub(super) fn report(&mut self, order: Subject<'_>, change: OrderChange, reason: Option<Reason>, reports: &mut Reports) {
        self.changes += 1;
        reports.changes.push(Change {
            sequence: self.changes,
            order_id: order.order_id.clone(),
            account_id: *order.account_id,
            change,
            reason,
            leaves: order.leaves,
            filled: order.filled,
        });
    }
}

/// State of a book besides its orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The trading phase.
    pub phase: TradingPhase,
    /// The price of the last match.
    pub last_price: Option<Price>,
    /// The counters.
    pub sequences: Sequences,
}

impl Default for Head {
    /// A book without a phase command is in continuous trading.
    fn default() -> Self {
        Self { phase: TradingPhase::Continuous, last_price: None, sequences: Sequences::default() }
    }
}

/// The best prices of a book, with the quantities displayed there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Top {
    /// The highest bid.
    pub bid: Option<(Price, Quantity)>,
    /// The lowest ask.
    pub ask: Option<(Price, Quantity)>,
    /// The price of the last match.
    pub last: Option<Price>,
}

/// The book of a symbol: a deterministic state machine. Its reports are a function of the commands and their times.
#[derive(Clone, Debug)]
pub struct Book {
    pub(super) head: Head,
    pub(super) orders: Orders,
    pub(super) bids: Ladder,
    pub(super) asks: Ladder,
    /// Waiting buy stops, the lowest trigger first.
    pub(super) buy_stops: Ladder,
    /// Waiting sell stops, the highest trigger first.
    pub(super) sell_stops: Ladder,
    /// Expiry times of `gtd` orders.
    pub(super) expiries: BTreeSet<(EventTime, Slot)>,
    /// Stops that the current command triggered and that have not entered yet.
    pub(super) triggered: VecDeque<Order>,
    /// Time of the current command.
    pub(super) now: EventTime,
    /// Price band of orders without a limit. Set before each command, so it is not part of the saved state.
    pub(super) band: Band,
}

impl Default for Book {
    fn default() -> Self {
        Self::restore(Head::default(), Vec::new())
    }
}

impl Book {
    /// Restores a book from its head and its orders, which may come in any order.
    pub fn restore(head: Head, mut orders: Vec<(Terms, Standing)>) -> Self {
        let mut kept = Orders::new();
        let mut book = Self {
            head,
            bids: Ladder::new(true, &mut kept),
            asks: Ladder::new(false, &mut kept),
            buy_stops: Ladder::new(false, &mut kept),
            sell_stops: Ladder::new(true, &mut kept),
            orders: kept,
            expiries: BTreeSet::new(),
            triggered: VecDeque::new(),
            now: EventTime::BEGINNING,
            band: Band::default(),
        };
        orders.sort_by_key(|(_, standing)| standing.priority);
        for (terms, standing) in orders {
            book.shelve(&mut Order::restored(terms, standing), Orders::restore);
        }
        book
    }

    /// Sets the instrument's price band for the following commands.
    pub const fn set_band(&mut self, band: Band) {
        self.band = band;
    }

    /// Applies a command, after the expiries that are due at its time.
    pub fn apply(&mut self, now: EventTime, mut command: Command, reports: &mut Reports) {
        self.expire(now, reports);
        // By reference: moving a new order out of its command would copy all of it once more.
        match &mut command {
            Command::New(order) => self.submit(order, reports),
            Command::Amend(amendment) => self.amend(amendment, reports),
            Command::Cancel(cancellation) => self.cancel(cancellation, reports),
            Command::Phase(change) => self.change_phase(change, reports),
        }
        self.enter_triggered(reports);
    }

    /// Rejects a new order.
    pub fn reject_new(&mut self, new: NewOrder, reason: Reason, reports: &mut Reports) {
        self.reject_with(new.order_id, new.account_id, reason, Standing::default(), reports);
    }

    /// Rejects an amendment or a cancel.
    pub fn reject(&mut self, order_id: Id, account_id: AccountId, reason: Reason, reports: &mut Reports) {
        let asked = self.find(&order_id, &account_id).map(|slot| self.orders.standing(slot));
        self.reject_with(order_id, account_id, reason, asked.unwrap_or_default(), reports);
    }

    fn reject_with(&mut self, order_id: Id, account_id: AccountId, reason: Reason, standing: Standing, reports: &mut Reports) {
        self.head.sequences.changes += 1;
        reports.changes.push(Change {
            sequence: self.head.sequences.changes,
            order_id,
            account_id,
            change: OrderChange::Rejected,
            reason: Some(reason),
            leaves: standing.leaves,
            filled: standing.filled,
        });
    }

    /// The state besides its orders.
    pub const fn head(&self) -> Head {
        self.head
    }

    /// The price of the last match.
    pub const fn last_price(&self) -> Option<Price> {
        self.head.last_price
    }

    /// The number of resting and waiting orders.
    pub fn len(&self) -> usize {
        self.orders.len()
    }

    /// Whether no order rests or waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A copy of an account's resting or waiting order; otherwise the reason why there is none.
    pub fn order(&self, account_id: &AccountId, order_id: &Id) -> Result<Order, Reason> {
        self.find(order_id, account_id).map(|slot| self.orders.order(slot))
    }

    /// Copies of the resting and waiting orders, by ascending priority number.
    pub fn orders(&self) -> impl Iterator<Item = Order> {
        self.orders.by_priority().into_iter().map(|slot| self.orders.order(slot))
    }

    /// The best prices.
    pub fn top(&self) -> Top {
        let best = |ladder: &Ladder| ladder.best().map(|(price, queue)| (price, self.orders.queue(queue).shown()));
        Top { bid: best(&self.bids), ask: best(&self.asks), last: self.head.last_price }
    }

    /// Reports every order that changed since the last call: its state then and now. An order that came and went in between is
    /// not reported. Ended orders are kept in memory until this is called.
    pub fn drain_changes(&mut self, say: impl FnMut(TermsOf<'_>, Option<Standing>, Option<Standing>)) {
        self.orders.drain_changes(say);
    }

    fn submit(&mut self, new: &mut NewOrder, reports: &mut Reports) {
        let hash = hash(&new.account_id, &new.order_id);
        if let Err(reason) = self.admit(new, hash) {
            return self.reject_with(new.order_id.clone(), new.account_id, reason, Standing::default(), reports);
        }
        let mut order = Order::new(new, hash, self.now);
        self.head.sequences.report(order.subject(), OrderChange::Accepted, None, reports);
        if !order.waits() {
            self.enter(&mut order, reports);
        } else if self.is_triggered(&order) {
            self.triggered.push_back(order);
        } else {
            self.rest(&mut order, reports);
        }
    }

    /// The book's own checks of a new order. Their sequence is part of the contract.
    fn admit(&self, new: &NewOrder, hash: KeyHash) -> Result<(), Reason> {
        new.check(self.now)?;
        let (waits, price) = (is_stop(new.order_type), new.price.filter(|_| has_limit(new.order_type)));
        if self.orders.find(hash, &new.account_id, &new.order_id).is_some() {
            return Err(Reason::DuplicateOrder);
        }
        if !self.takes_orders() || (self.collects() && !waits && is_immediate(new.time_in_force)) {
            return Err(Reason::WrongPhase);
        }
        // An order without a limit never rests, and a post-only order may only rest.
        if new.post_only && (price.is_none() || (!waits && self.would_trade(new.side, price))) {
            return Err(Reason::PostOnly);
        }
        if !self.has_room(new.side, price, new.quantity) {
            return Err(Reason::Overflow);
        }
        Ok(())
    }

    fn cancel(&mut self, cancellation: &Cancellation, reports: &mut Reports) {
        let Cancellation { order_id, account_id } = cancellation;
        match self.find(order_id, account_id) {
            Ok(slot) => self.end(slot, OrderChange::Cancelled, None, reports),
            Err(reason) => self.reject_with(order_id.clone(), *account_id, reason, Standing::default(), reports),
        }
    }

    fn amend(&mut self, amendment: &Amendment, reports: &mut Reports) {
        let amended = self.find(&amendment.order_id, &amendment.account_id);
        let amended = amended.and_then(|slot| self.amended(slot, amendment).map(|becomes| (slot, becomes)));
        match amended {
            Ok((slot, becomes)) => self.become_amended(slot, becomes, reports),
            Err(reason) => self.reject(amendment.order_id.clone(), amendment.account_id, reason, reports),
        }
    }

    /// The limit and the remaining quantity of an amendment, if the book allows them.
    fn amended(&self, slot: Slot, amendment: &Amendment) -> Result<(Option<Price>, Quantity), Reason> {
        let (order, standing) = (self.orders.at(slot), self.orders.standing(slot));
        if !self.takes_orders() {
            return Err(Reason::WrongPhase);
        }
        if amendment.price.is_some() && !has_limit(order.order_type()) {
            return Err(Reason::UnexpectedPrice);
        }
        let price = amendment.price.or(standing.price);
        let quantity = amendment.quantity.unwrap_or(plus(standing.filled, standing.leaves));
        let leaves = minus(quantity, standing.filled);
        let stays = leaves <= Quantity::ZERO || (price == standing.price && leaves <= standing.leaves);
        if !stays && !order.waits() && order.post_only() && self.would_trade(order.side, price) {
            return Err(Reason::PostOnly);
        }
        if !stays && !self.has_room(order.side, price, leaves) {
            return Err(Reason::Overflow);
        }
        Ok((price, leaves))
    }

    /// A smaller quantity keeps the priority; a new limit or a greater quantity gets a new one, like a new order.
    fn become_amended(&mut self, slot: Slot, (price, leaves): (Option<Price>, Quantity), reports: &mut Reports) {
        let standing = self.orders.standing(slot);
        if leaves <= Quantity::ZERO {
            return self.end(slot, OrderChange::Cancelled, Some(Reason::AmendedAway), reports);
        }
        if price == standing.price && leaves <= standing.leaves {
            return self.reduce(slot, leaves, None, reports);
        }
        let mut order = self.take_out(slot);
        order.standing = Standing { price, leaves, ts: self.now, ..order.standing };
        self.head.sequences.report(order.subject(), OrderChange::Amended, None, reports);
        if order.waits() { self.rest(&mut order, reports) } else { self.enter(&mut order, reports) }
    }

    fn change_phase(&mut self, change: &PhaseChange, reports: &mut Reports) {
        let matches = matches!(change.phase, TradingPhase::Continuous | TradingPhase::Closed);
        if matches {
            self.uncross(change.tick_size, change.reference_price, reports);
        }
        self.head.phase = change.phase;
        match (change.phase, self.head.last_price) {
            (TradingPhase::Closed, _) => self.end_day(reports),
            (TradingPhase::Continuous, Some(last)) => self.collect_triggered(last),
            _ => {}
        }
    }

    /// Matches an order, if the phase allows it, and rests the remainder, if its terms allow it. What rests is moved out of `order`,
    /// which is too large to be handed on by value.
    pub(super) fn enter(&mut self, order: &mut Order, reports: &mut Reports) {
        if self.collects() {
            return self.rest(order, reports);
        }
        let limit = self.limit(order);
        if let Some(reason) = self.hindrance(order, limit) {
            return self.drop(order, reason, reports);
        }
        if !self.take(order, limit, reports) {
            return self.orders.end(order);
        }
        match (order.terms.time_in_force, order.standing.price) {
            // The remaining offers are beyond the band.
            (_, None) if self.side(opposite(order.terms.side)).best().is_some() => self.drop(order, Reason::PriceBand, reports),
            (_, None) => self.drop(order, Reason::NoLiquidity, reports),
            (TimeInForce::Ioc, _) => self.drop(order, Reason::ImmediateOrCancel, reports),
            _ => self.rest(order, reports),
        }
    }

    /// The worst price at which an entering order may trade: its own limit, else the edge of the band.
    fn limit(&self, order: &Order) -> Option<Price> {
        order.standing.price.or_else(|| self.band.worst(order.terms.side, self.head.last_price))
    }

    /// The reason why an accepted order must not trade at all, if any.
    fn hindrance(&self, order: &Order, limit: Option<Price>) -> Option<Reason> {
        if order.terms.time_in_force == TimeInForce::Fok && !self.can_fill(order, limit) {
            return Some(Reason::FillOrKill);
        }
        // Only a triggered stop gets here: other orders were rejected.
        (order.terms.post_only && self.would_trade(order.terms.side, order.standing.price)).then_some(Reason::PostOnly)
    }

    /// Adds an order at the end of the queue of its price.
    fn rest(&mut self, order: &mut Order, reports: &mut Reports) {
        if !self.has_room(order.terms.side, order.standing.price, order.standing.leaves) {
            return self.drop(order, Reason::Overflow, reports);
        }
        order.standing.shown = order.peak();
        order.standing.priority = self.head.sequences.next_priority();
        self.shelve(order, Orders::insert);
    }

    /// Adds an order to its queue.
    fn shelve(&mut self, order: &mut Order, keep: impl FnOnce(&mut Orders, &mut Order, QueueId) -> Slot) {
        let (rung, end) = (order.rung(), order.terms.expires_at);
        let (ladder, orders) = self.shelf(order.waits(), order.terms.side);
        let queue = ladder.queue(rung, orders);
        let slot = keep(orders, order, queue);
        if let Some(end) = end {
            self.expiries.insert((end, slot));
        }
    }

    /// Removes an order from the book in order to enter it again.
    pub(super) fn take_out(&mut self, slot: Slot) -> Order {
        let (waits, side) = self.unlist(slot);
        let (order, queue) = self.orders.take_out(slot);
        self.tidy(waits, side, queue);
        order
    }

    /// Removes an order whose end has been reported.
    fn discard(&mut self, slot: Slot) {
        let (waits, side) = self.unlist(slot);
        let queue = self.orders.discard(slot);
        self.tidy(waits, side, queue);
    }

    /// Removes an order from the expiries. Returns whether it waits, and its side, which together determine its ladder.
    fn unlist(&mut self, slot: Slot) -> (bool, Side) {
        let order = self.orders.at(slot);
        if let Some(end) = order.expires_at() {
            self.expiries.remove(&(end, slot));
        }
        (order.waits(), order.side)
    }

    /// Removes a queue from its ladder if it is empty.
    fn tidy(&mut self, waits: bool, side: Side, queue: QueueId) {
        let (ladder, orders) = self.shelf(waits, side);
        ladder.tidy(queue, orders);
    }

    /// Reduces the remaining quantity of a resting order.
    pub(super) fn reduce(&mut self, slot: Slot, leaves: Quantity, reason: Option<Reason>, reports: &mut Reports) {
        let now = self.now;
        self.orders.change(slot, |order| order.reduce(leaves, now));
        self.head.sequences.report(self.orders.at(slot).subject(), OrderChange::Amended, reason, reports);
    }

    /// Ends a resting or waiting order.
    pub(super) fn end(&mut self, slot: Slot, change: OrderChange, reason: Option<Reason>, reports: &mut Reports) {
        let ended = Subject { leaves: Quantity::ZERO, ..self.orders.at(slot).subject() };
        self.head.sequences.report(ended, change, reason, reports);
        self.discard(slot);
    }

    /// Ends a resting order that is filled.
    pub(super) fn end_filled(&mut self, slot: Slot, reports: &mut Reports) {
        let order = self.orders.at(slot).subject();
        let ended = Subject { leaves: Quantity::ZERO, filled: plus(order.filled, order.leaves), ..order };
        self.head.sequences.report(ended, OrderChange::Filled, None, reports);
        self.discard(slot);
    }

    /// Cancels an order that is not in the book.
    pub(super) fn drop(&mut self, order: &mut Order, reason: Reason, reports: &mut Reports) {
        order.standing.leaves = Quantity::ZERO;
        self.head.sequences.report(order.subject(), OrderChange::Cancelled, Some(reason), reports);
        self.orders.end(order);
    }

    fn find(&self, order_id: &Id, account_id: &AccountId) -> Result<Slot, Reason> {
        let hash = hash(account_id, order_id);
        self.orders
            .find(hash, account_id, order_id)
            .ok_or_else(|| if self.orders.has_name(hash, order_id) { Reason::WrongAccount } else { Reason::UnknownOrder })
    }

    /// Whether orders may be entered and amended.
    fn takes_orders(&self) -> bool {
        !matches!(self.head.phase, TradingPhase::Halted | TradingPhase::Closed)
    }

    /// Whether orders accumulate without trading.
    fn collects(&self) -> bool {
        matches!(self.head.phase, TradingPhase::PreOpen | TradingPhase::Auction)
    }

    /// Whether an order with this limit would trade. While orders accumulate: whether it would in continuous trading.
    fn would_trade(&self, side: Side, price: Option<Price>) -> bool {
        let others = self.side(opposite(side));
        !self.unpriced(opposite(side)).is_empty() || others.best().is_some_and(|(best, _)| accepts(side, price, best))
    }

    /// Whether the price's total quantity still fits a column with this quantity added, and the book has a slot for another
    /// order.
    fn has_room(&self, side: Side, price: Option<Price>, quantity: Quantity) -> bool {
        // The total of the whole book bounds the total at each price, and is cheaper to look up.
        self.orders.have_room(quantity) || {
            let there = self.side(side).find(price).map_or(Quantity::ZERO, |queue| self.orders.queue(queue).leaves());
            !self.orders.are_full() && fits(there.units(), quantity)
        }
    }

    /// The bids for a buyer, the asks for a seller.
    pub(super) const fn side(&self, side: Side) -> &Ladder {
        match side {
            Side::Buy => &self.bids,
            Side::Sell => &self.asks,
        }
    }

    /// The orders of a side without a limit.
    pub(super) fn unpriced(&self, side: Side) -> &Queue {
        self.orders.queue(self.side(side).unpriced())
    }

    /// The ladder of a side's resting orders, or of its waiting stops, and the orders.
    fn shelf(&mut self, waits: bool, side: Side) -> (&mut Ladder, &mut Orders) {
        let ladder = match (waits, side) {
            (false, Side::Buy) => &mut self.bids,
            (false, Side::Sell) => &mut self.asks,
            (true, Side::Buy) => &mut self.buy_stops,
            (true, Side::Sell) => &mut self.sell_stops,
        };
        (ladder, &mut self.orders)
    }
}

/// The side that an order trades with.
pub(super) const fn opposite(side: Side) -> Side {
    match side {
        Side::Buy => Side::Sell,
        Side::Sell => Side::Buy,
    }
}

/// Whether an order is cancelled if it does not trade at once.
const fn is_immediate(time_in_force: TimeInForce) -> bool {
    matches!(time_in_force, TimeInForce::Ioc | TimeInForce::Fok)
}
