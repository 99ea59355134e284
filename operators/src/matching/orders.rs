//! The orders of a book: in slots, found by id, linked to their neighbours in a queue.
//!
//! [`NOWHERE`] reads as [`Order::nobody`]: links need no case for the ends of a queue, and nothing can stop the worker.
//!
//! The orders also remember how each was last said to stand, so that [`Orders::drain_changes`] can tell what became of
//! it since. An order that comes and goes in between leaves no trace.

use headwater_schemas::Id;
use rustc_hash::FxHashMap;

use super::order::{Order, Standing, Terms};

/// Where an order is kept.
pub(super) type Slot = usize;

/// A slot that holds nothing, ever.
pub(super) const NOWHERE: Slot = Slot::MAX;

/// What an order has besides its meaning: its neighbours, and what was said of it.
#[derive(Clone, Debug)]
pub(super) struct Links {
    pub(super) previous: Slot,
    pub(super) next: Slot,
    /// How it was last said to stand; `None` for an order that nobody was told of.
    said: Option<Standing>,
    /// Whether it changed since.
    touched: bool,
}

impl Default for Links {
    fn default() -> Self {
        Self { previous: NOWHERE, next: NOWHERE, said: None, touched: false }
    }
}

/// The orders of a book.
#[derive(Clone, Debug)]
pub(super) struct Orders {
    slots: Vec<Order>,
    free: Vec<Slot>,
    index: FxHashMap<Id, Slot>,
    nobody: Order,
    touched: Vec<Slot>,
    /// Orders that ended, whose end has not been said.
    ended: Vec<Order>,
}

impl Orders {
    pub(super) fn new() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            index: FxHashMap::default(),
            nobody: Order::nobody(),
            touched: Vec::new(),
            ended: Vec::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    pub(super) fn find(&self, order_id: &Id) -> Option<Slot> {
        self.index.get(order_id).copied()
    }

    pub(super) fn at(&self, slot: Slot) -> &Order {
        self.slots.get(slot).unwrap_or(&self.nobody)
    }

    /// The order, which is about to change.
    pub(super) fn change(&mut self, slot: Slot) -> &mut Order {
        match self.slots.get_mut(slot) {
            Some(order) => {
                if !order.links.touched {
                    order.links.touched = true;
                    self.touched.push(slot);
                }
                order
            }
            None => &mut self.nobody,
        }
    }

    /// The order's neighbours.
    pub(super) fn links(&mut self, slot: Slot) -> &mut Links {
        match self.slots.get_mut(slot) {
            Some(order) => &mut order.links,
            None => &mut self.nobody.links,
        }
    }

    /// Keeps an order.
    pub(super) fn insert(&mut self, mut order: Order) -> Slot {
        order.links.touched = true;
        let order_id = order.terms.order_id.clone();
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => self.slots.len(),
        };
        match self.slots.get_mut(slot) {
            Some(free) => *free = order,
            None => self.slots.push(order),
        }
        self.index.insert(order_id, slot);
        self.touched.push(slot);
        slot
    }

    /// Keeps an order that everybody was told of.
    pub(super) fn restore(&mut self, mut order: Order) -> Slot {
        order.links.said = Some(order.standing);
        let slot = self.insert(order);
        self.links(slot).touched = false;
        slot
    }

    /// Takes an order out, to [`Orders::insert`] it again or to [`Orders::end`] it.
    pub(super) fn remove(&mut self, slot: Slot) -> Order {
        let Some(kept) = self.slots.get_mut(slot) else { return Order::nobody() };
        let order = std::mem::replace(kept, Order::nobody());
        self.index.remove(&order.terms.order_id);
        self.free.push(slot);
        order
    }

    /// Lets go of an order where it is.
    pub(super) fn discard(&mut self, slot: Slot) {
        let Some(order) = self.slots.get_mut(slot) else { return };
        self.index.remove(&order.terms.order_id);
        self.free.push(slot);
        order.links.touched = false;
        // What nobody was told of may lie there until the slot is used again.
        if order.links.said.is_some() {
            self.ended.push(std::mem::replace(order, Order::nobody()));
        }
    }

    /// Lets go of an order that has been taken out, or that never was in.
    pub(super) fn end(&mut self, order: Order) {
        if order.links.said.is_some() {
            self.ended.push(order);
        }
    }

    /// Every order, the one with the least priority number first.
    pub(super) fn by_priority(&self) -> Vec<Slot> {
        let mut slots: Vec<Slot> = self.index.values().copied().collect();
        slots.sort_unstable_by_key(|slot| self.at(*slot).standing.priority);
        slots
    }

    /// Tells of every order that changed since this was asked last: how it stood and how it stands.
    pub(super) fn drain_changes(&mut self, mut say: impl FnMut(&Terms, Option<Standing>, Option<Standing>)) {
        for order in self.ended.drain(..) {
            say(&order.terms, order.links.said, None);
        }
        for slot in self.touched.drain(..) {
            let Some(order) = self.slots.get_mut(slot) else { continue };
            // A slot may be listed twice, and its order may be gone again.
            if std::mem::take(&mut order.links.touched) {
                say(&order.terms, order.links.said, Some(order.standing));
                order.links.said = Some(order.standing);
            }
        }
    }
}
