//! One side of a book: a queue of orders per price, the best price first.
//!
//! Four ladders make a book: bids and asks, and the buy and sell stops that wait for their triggers. A queue is linked
//! through its orders ([`Orders`]), so coming, going and trading move no other order.

use std::collections::BTreeMap;

use headwater_schemas::value::{EventTime, Price, Quantity, fixed};

use super::order::{Order, minus};
use super::orders::{NOWHERE, Orders, Slot};

/// The orders at one price, by priority.
#[derive(Clone, Copy, Debug)]
pub(super) struct Queue {
    head: Slot,
    tail: Slot,
    /// What the orders show, in billionths.
    shown: i128,
    /// What the orders have left, in billionths.
    leaves: i128,
}

impl Default for Queue {
    fn default() -> Self {
        Self { head: NOWHERE, tail: NOWHERE, shown: 0, leaves: 0 }
    }
}

impl Queue {
    /// The first order.
    pub(super) const fn head(&self) -> Slot {
        self.head
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.head == NOWHERE
    }

    /// What everybody can see.
    pub(super) const fn shown(&self) -> Quantity {
        Quantity::from_units(self.shown)
    }

    /// What is there, shown or not.
    pub(super) const fn leaves(&self) -> Quantity {
        Quantity::from_units(self.leaves)
    }

    /// The orders, the first one first.
    pub(super) fn slots<'a>(&self, orders: &'a Orders) -> impl Iterator<Item = Slot> + use<'a> {
        let known = |slot: Slot| (slot != NOWHERE).then_some(slot);
        std::iter::successors(known(self.head), move |slot| known(orders.at(*slot).links.next))
    }

    fn count(&mut self, order: &Order) {
        self.shown = self.shown.saturating_add(order.standing.shown.units());
        self.leaves = self.leaves.saturating_add(order.standing.leaves.units());
    }

    fn discount(&mut self, order: &Order) {
        self.shown = self.shown.saturating_sub(order.standing.shown.units());
        self.leaves = self.leaves.saturating_sub(order.standing.leaves.units());
    }

    fn push(&mut self, orders: &mut Orders, slot: Slot) {
        self.count(orders.at(slot));
        let links = orders.links(slot);
        (links.previous, links.next) = (self.tail, NOWHERE);
        match self.tail {
            NOWHERE => self.head = slot,
            tail => orders.links(tail).next = slot,
        }
        self.tail = slot;
    }

    fn unlink(&mut self, orders: &mut Orders, slot: Slot) {
        self.discount(orders.at(slot));
        let links = orders.links(slot);
        let (previous, next) = (links.previous, links.next);
        match previous {
            NOWHERE => self.head = next,
            previous => orders.links(previous).next = next,
        }
        match next {
            NOWHERE => self.tail = previous,
            next => orders.links(next).previous = previous,
        }
    }
}

/// One side of a book.
#[derive(Clone, Debug)]
pub(super) struct Ladder {
    /// Whether the highest price is the best.
    descending: bool,
    /// By price in billionths, turned so that the best comes first.
    rungs: BTreeMap<i128, Queue>,
    /// Orders without a price, which come before all others: market orders that wait for an uncrossing.
    unpriced: Queue,
}

impl Ladder {
    pub(super) fn new(descending: bool) -> Self {
        Self { descending, rungs: BTreeMap::new(), unpriced: Queue::default() }
    }

    const fn key(&self, price: Price) -> i128 {
        if self.descending { price.units().wrapping_neg() } else { price.units() }
    }

    const fn price(&self, key: i128) -> Price {
        Price::from_units(if self.descending { key.wrapping_neg() } else { key })
    }

    /// The best price and who waits there.
    pub(super) fn best(&self) -> Option<(Price, &Queue)> {
        self.rungs.first_key_value().map(|(key, queue)| (self.price(*key), queue))
    }

    /// Every price and who waits there, the best first.
    pub(super) fn rungs(&self) -> impl DoubleEndedIterator<Item = (Price, &Queue)> {
        self.rungs.iter().map(|(key, queue)| (self.price(*key), queue))
    }

    /// Who waits without a price.
    pub(super) const fn unpriced(&self) -> &Queue {
        &self.unpriced
    }

    /// Every order, in the order in which they trade.
    pub(super) fn slots<'a>(&'a self, orders: &'a Orders) -> impl Iterator<Item = Slot> {
        self.unpriced.slots(orders).chain(self.rungs.values().flat_map(|queue| queue.slots(orders)))
    }

    /// Whether a column could hold what waits at the price once so much is added.
    pub(super) fn has_room(&self, price: Option<Price>, quantity: Quantity) -> bool {
        let queue = match price {
            Some(price) => self.rungs.get(&self.key(price)),
            None => Some(&self.unpriced),
        };
        let there = queue.map_or(0, |queue| queue.leaves);
        there.checked_add(quantity.units()).and_then(fixed::in_range).is_some()
    }

    fn queue(&mut self, price: Option<Price>) -> &mut Queue {
        match price {
            Some(price) => self.rungs.entry(self.key(price)).or_default(),
            None => &mut self.unpriced,
        }
    }

    /// Puts an order behind those of its price.
    pub(super) fn push(&mut self, orders: &mut Orders, slot: Slot) {
        self.queue(orders.at(slot).rung()).push(orders, slot);
    }

    /// Takes an order out of its queue.
    pub(super) fn unlink(&mut self, orders: &mut Orders, slot: Slot) {
        let rung = orders.at(slot).rung();
        let queue = self.queue(rung);
        queue.unlink(orders, slot);
        if let (true, Some(price)) = (queue.is_empty(), rung) {
            self.rungs.remove(&self.key(price));
        }
    }

    /// Changes what an order has left, in place: `logic` must leave its price alone.
    pub(super) fn change(&mut self, orders: &mut Orders, slot: Slot, logic: impl FnOnce(&mut Order)) {
        let queue = self.queue(orders.at(slot).rung());
        let order = orders.change(slot);
        queue.discount(order);
        logic(order);
        queue.count(order);
    }

    /// Lets an order have less left, in place. The hidden part goes first.
    pub(super) fn reduce(&mut self, orders: &mut Orders, slot: Slot, leaves: Quantity, ts: EventTime) {
        self.change(orders, slot, |order| {
            order.standing.ts = ts;
            order.standing.leaves = leaves;
            order.standing.shown = order.standing.shown.min(leaves);
        });
    }

    /// Takes a match of less than an order has left into account: in place, and from what it shows as far as that goes.
    pub(super) fn fill(&mut self, orders: &mut Orders, slot: Slot, quantity: Quantity, ts: EventTime) {
        self.change(orders, slot, |order| {
            order.fill(quantity, ts);
            order.standing.shown = minus(order.standing.shown, quantity).max(Quantity::ZERO);
        });
    }

    /// Lets an order show a fresh part, from the back of its queue.
    pub(super) fn refill(&mut self, orders: &mut Orders, slot: Slot, priority: u64) {
        self.unlink(orders, slot);
        let order = orders.change(slot);
        order.standing.shown = order.peak();
        order.standing.priority = priority;
        self.push(orders, slot);
    }
}
