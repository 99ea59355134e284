//! One side of a book: a queue of orders per price, the best price first.
//!
//! A book has four ladders: bids and asks, and the buy and sell stops that wait for their triggers. The queues themselves are in
//! [`Orders`].

use std::collections::BTreeMap;

use headwater_schemas::value::Price;

use super::orders::Orders;
use super::queue::QueueId;

/// One side of a book.
#[derive(Clone, Debug)]
pub(super) struct Ladder {
    /// Whether the highest price is the best (descending order).
    descending: bool,
    /// Queues by price in billionths, negated if `descending`, so that the best comes first.
    rungs: BTreeMap<i128, QueueId>,
    /// Orders without a price, which precede all others: market orders that wait for an uncrossing.
    unpriced: QueueId,
}

impl Ladder {
    pub(super) fn new(descending: bool, orders: &mut Orders) -> Self {
        Self { descending, rungs: BTreeMap::new(), unpriced: orders.new_queue(None) }
    }

    const fn key(&self, price: Price) -> i128 {
        if self.descending { price.units().wrapping_neg() } else { price.units() }
    }

    const fn price(&self, key: i128) -> Price {
        Price::from_units(if self.descending { key.wrapping_neg() } else { key })
    }

    /// The best price and its queue.
    pub(super) fn best(&self) -> Option<(Price, QueueId)> {
        self.rungs.first_key_value().map(|(key, queue)| (self.price(*key), *queue))
    }

    /// Every price and its queue, the best first.
    pub(super) fn rungs(&self) -> impl DoubleEndedIterator<Item = (Price, QueueId)> {
        self.rungs.iter().map(|(key, queue)| (self.price(*key), *queue))
    }

    /// The queue of orders without a price.
    pub(super) const fn unpriced(&self) -> QueueId {
        self.unpriced
    }

    /// The queue of a price.
    pub(super) fn find(&self, price: Option<Price>) -> Option<QueueId> {
        match price {
            Some(price) => self.rungs.get(&self.key(price)).copied(),
            None => Some(self.unpriced),
        }
    }

    /// The queue of a price, created if there is none.
    pub(super) fn queue(&mut self, price: Option<Price>, orders: &mut Orders) -> QueueId {
        match price {
            Some(price) => *self.rungs.entry(self.key(price)).or_insert_with(|| orders.new_queue(Some(price))),
            None => self.unpriced,
        }
    }

    /// Removes a queue if it is empty.
    pub(super) fn tidy(&mut self, queue: QueueId, orders: &mut Orders) {
        let left = orders.queue(queue);
        if let (true, Some(price)) = (left.is_empty(), left.price) {
            self.rungs.remove(&self.key(price));
            orders.forget_queue(queue);
        }
    }
}
