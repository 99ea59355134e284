//! The orders of a book: stored in slots, indexed by account and id, linked in queues.
//!
//! [`NOWHERE`] reads as [`Resting::nobody`], and [`QueueId::NONE`] as an empty queue: links need no special case for the ends,
//! and no index can panic.
//!
//! At an order's first change after a drain, its previous standing is kept, so that [`Orders::drain_changes`] can report old and
//! new. An order that comes and goes between two drains is not reported.

use headwater_schemas::value::{AccountId, Id, Price, Quantity, fixed};

use super::order::{Order, Standing};
use super::queue::{Queue, QueueId};
use super::resting::{Resting, TermsOf};
use crate::slab::Slab;
use crate::slot_index::{KeyHash, SlotIndex};

/// Index of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slot(u32);

/// A slot that is always empty.
pub(super) const NOWHERE: Slot = Slot(u32::MAX);

/// The index of an order that is not in the list of changed orders.
pub(super) const UNTOUCHED: u32 = u32::MAX;

/// An order that changed since the last drain.
#[derive(Clone, Debug)]
struct Touched {
    /// Its slot; [`NOWHERE`] if it left before a drain reported it.
    slot: Slot,
    /// Its standing at the last drain; `None` if it was not in the book.
    said: Option<Standing>,
    /// Whether it has ended. It keeps its slot until the next drain.
    ended: bool,
}

/// The orders of a book.
#[derive(Clone, Debug)]
pub(super) struct Orders {
    slots: Slab<Resting>,
    free: Vec<Slot>,
    index: SlotIndex,
    queues: Vec<Queue>,
    free_queues: Vec<QueueId>,
    /// Total remaining quantity of all orders, in billionths.
    leaves: i128,
    touched: Vec<Touched>,
    nobody: Resting,
    nothing: Queue,
}

impl Orders {
    pub(super) fn new() -> Self {
        Self {
            slots: Slab::new(),
            free: Vec::new(),
            index: SlotIndex::new(),
            queues: Vec::new(),
            free_queues: Vec::new(),
            leaves: 0,
            touched: Vec::new(),
            nobody: Resting::nobody(),
            nothing: Queue::new(None),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// An account's order, given its [`hash`].
    pub(super) fn find(&self, hash: KeyHash, account_id: &AccountId, order_id: &Id) -> Option<Slot> {
        let is_it = |order: &Resting| order.order_id == *order_id && order.account_id == *account_id;
        self.index.find(hash, |slot| is_it(self.at(Slot(slot)))).map(Slot)
    }

    /// Whether any account has an order with this id, given the [`hash`] of the id and of any account.
    pub(super) fn has_name(&self, hash: KeyHash, order_id: &Id) -> bool {
        self.index.find_first_part(hash, |slot| self.at(Slot(slot)).order_id == *order_id).is_some()
    }

    pub(super) fn at(&self, slot: Slot) -> &Resting {
        self.slots.get(slot.0).unwrap_or(&self.nobody)
    }

    /// The standing of an order.
    #[inline]
    pub(super) fn standing(&self, slot: Slot) -> Standing {
        let order = self.at(slot);
        order.standing(self.queue(order.queue).price)
    }

    /// A copy of an order.
    pub(super) fn order(&self, slot: Slot) -> Order {
        let order = self.at(slot);
        Order { terms: order.terms(), standing: self.standing(slot), touched: UNTOUCHED, hash: order.hash }
    }

    /// All orders, by ascending priority number.
    pub(super) fn by_priority(&self) -> Vec<Slot> {
        let mut slots: Vec<Slot> = self.index.slots().map(Slot).collect();
        slots.sort_unstable_by_key(|slot| self.at(*slot).priority);
        slots
    }

    pub(super) fn queue(&self, queue: QueueId) -> &Queue {
        self.queues.get(queue.number()).unwrap_or(&self.nothing)
    }

    /// The orders of a queue, by priority.
    pub(super) fn slots_of(&self, queue: QueueId) -> impl Iterator<Item = Slot> + use<'_> {
        let known = |slot: Slot| (slot != NOWHERE).then_some(slot);
        std::iter::successors(known(self.queue(queue).head), move |slot| known(self.at(*slot).next))
    }

    /// A new queue for a price without orders.
    pub(super) fn new_queue(&mut self, price: Option<Price>) -> QueueId {
        let fresh = Queue::new(price);
        match self.free_queues.pop() {
            Some(queue) => {
                self.queues.get_mut(queue.number()).into_iter().for_each(|free| *free = fresh);
                queue
            }
            None => {
                let queue = QueueId::new(self.queues.len()).unwrap_or(QueueId::NONE);
                self.queues.push(fresh);
                queue
            }
        }
    }

    /// Releases an empty queue.
    pub(super) fn forget_queue(&mut self, queue: QueueId) {
        self.free_queues.push(queue);
    }

    /// Whether no slot is left for another order.
    pub(super) const fn are_full(&self) -> bool {
        self.free.is_empty() && self.slots.is_full()
    }

    /// Whether the total with this quantity added fits a column, and a slot is left for another order.
    pub(super) fn have_room(&self, quantity: Quantity) -> bool {
        !self.are_full() && fits(self.leaves, quantity)
    }

    /// Adds an order at the end of a queue. Its id is moved into the book.
    pub(super) fn insert(&mut self, order: &mut Order, queue: QueueId) -> Slot {
        let touched = order.touched;
        let slot = self.keep(order, queue);
        match self.touched.get_mut(touched as usize) {
            Some(entry) => entry.slot = slot,
            None => self.touch(slot, None),
        }
        slot
    }

    /// Adds an order that an earlier drain has reported.
    pub(super) fn restore(&mut self, order: &mut Order, queue: QueueId) -> Slot {
        self.keep(order, queue)
    }

    fn keep(&mut self, order: &mut Order, queue: QueueId) -> Slot {
        let slot = self.put(order, queue);
        self.index.insert(order.hash, slot.0);
        self.link(slot);
        slot
    }

    fn put(&mut self, order: &mut Order, queue: QueueId) -> Slot {
        match self.free.pop() {
            Some(slot) => {
                if let Some(free) = self.slots.get_mut(slot.0) {
                    *free = Resting::new(order, queue);
                }
                slot
            }
            None => self.slots.push(Resting::new(order, queue)).map_or(NOWHERE, Slot),
        }
    }

    /// Changes an order in place: `logic` must not change its links.
    pub(super) fn change(&mut self, slot: Slot, logic: impl FnOnce(&mut Resting)) {
        self.mark(slot);
        let Some(order) = self.slots.get_mut(slot.0) else { return };
        let queue = self.queues.get_mut(order.queue.number()).unwrap_or(&mut self.nothing);
        queue.discount(order);
        self.leaves = self.leaves.saturating_sub(order.leaves.units());
        logic(order);
        queue.count(order);
        self.leaves = self.leaves.saturating_add(order.leaves.units());
    }

    /// Displays a fresh part of an order, at the back of its queue.
    pub(super) fn refill(&mut self, slot: Slot, priority: u64) {
        self.mark(slot);
        self.unlink(slot);
        self.slots.get_mut(slot.0).into_iter().for_each(|order| order.refill(priority));
        self.link(slot);
    }

    /// Removes an order, to [`Orders::insert`] it again or to [`Orders::end`] it. Returns the queue that it left.
    pub(super) fn take_out(&mut self, slot: Slot) -> (Order, QueueId) {
        self.mark(slot);
        let standing = self.standing(slot);
        let queue = self.leave(slot);
        let Some(order) = self.slots.get_mut(slot.0) else { return (Order::restored(self.nobody.terms(), standing), queue) };
        let (terms, touched, hash) = (order.take_terms(), order.touched, order.hash);
        self.vacate(slot);
        self.touched.get_mut(touched as usize).into_iter().for_each(|entry| entry.slot = NOWHERE);
        (Order { terms, standing, touched, hash }, queue)
    }

    /// Ends an order. Returns the queue that it left.
    pub(super) fn discard(&mut self, slot: Slot) -> QueueId {
        self.mark(slot);
        let queue = self.leave(slot);
        let Some(order) = self.slots.get_mut(slot.0) else { return queue };
        order.leaves = Quantity::ZERO;
        let touched = order.touched;
        self.end_touched(touched, slot);
        queue
    }

    /// Ends an order that was taken out, or that never was in the book. Its id may be moved out.
    pub(super) fn end(&mut self, order: &mut Order) {
        let touched = order.touched;
        if self.touched.get(touched as usize).is_some_and(|entry| entry.said.is_some()) {
            let slot = self.put(order, QueueId::NONE);
            self.end_touched(touched, slot);
        }
    }

    /// Frees the slot at once if no drain has reported the order, else at the next drain.
    fn end_touched(&mut self, touched: u32, slot: Slot) {
        match self.touched.get_mut(touched as usize) {
            Some(entry) if entry.said.is_some() => (entry.slot, entry.ended) = (slot, true),
            Some(entry) => {
                entry.slot = NOWHERE;
                self.vacate(slot);
            }
            None => self.vacate(slot),
        }
    }

    /// Frees a slot. Its content remains until the slot is reused.
    fn vacate(&mut self, slot: Slot) {
        self.free.push(slot);
    }

    /// Reports every order that changed since the last drain: its standing then and now.
    pub(super) fn drain_changes(&mut self, mut say: impl FnMut(TermsOf<'_>, Option<Standing>, Option<Standing>)) {
        let mut touched = std::mem::take(&mut self.touched);
        for entry in touched.iter().filter(|entry| entry.ended && entry.slot != NOWHERE) {
            say(TermsOf(self.at(entry.slot)), entry.said, None);
            self.vacate(entry.slot);
        }
        for entry in touched.iter().filter(|entry| !entry.ended) {
            let Some(order) = self.slots.get_mut(entry.slot.0) else { continue };
            order.touched = UNTOUCHED;
            say(TermsOf(self.at(entry.slot)), entry.said, Some(self.standing(entry.slot)));
        }
        touched.clear();
        self.touched = touched;
    }

    /// Keeps an order's standing at its first change since the last drain.
    fn mark(&mut self, slot: Slot) {
        if self.at(slot).touched == UNTOUCHED && slot != NOWHERE {
            self.touch(slot, Some(self.standing(slot)));
        }
    }

    #[inline]
    fn touch(&mut self, slot: Slot, said: Option<Standing>) {
        let number = u32::try_from(self.touched.len()).unwrap_or(UNTOUCHED);
        self.slots.get_mut(slot.0).into_iter().for_each(|order| order.touched = number);
        self.touched.push(Touched { slot, said: None, ended: false });
        // Written in place: a standing that is moved into the list is copied twice.
        self.touched.last_mut().into_iter().for_each(|entry| entry.said = said);
    }

    /// Removes an order from the index and from its queue. Returns the queue.
    fn leave(&mut self, slot: Slot) -> QueueId {
        let order = self.at(slot);
        let (hash, queue) = (order.hash, order.queue);
        self.index.remove(hash, slot.0);
        self.unlink(slot);
        queue
    }

    fn link(&mut self, slot: Slot) {
        let Some(order) = self.slots.get_mut(slot.0) else { return };
        let queue = self.queues.get_mut(order.queue.number()).unwrap_or(&mut self.nothing);
        queue.count(order);
        self.leaves = self.leaves.saturating_add(order.leaves.units());
        (order.previous, order.next) = (queue.tail, NOWHERE);
        let before = std::mem::replace(&mut queue.tail, slot);
        match self.slots.get_mut(before.0) {
            Some(before) => before.next = slot,
            None => queue.head = slot,
        }
    }

    fn unlink(&mut self, slot: Slot) {
        let Some(order) = self.slots.get_mut(slot.0) else { return };
        let queue = self.queues.get_mut(order.queue.number()).unwrap_or(&mut self.nothing);
        queue.discount(order);
        self.leaves = self.leaves.saturating_sub(order.leaves.units());
        let (previous, next) = (order.previous, order.next);
        match self.slots.get_mut(previous.0) {
            Some(previous) => previous.next = next,
            None => queue.head = next,
        }
        match self.slots.get_mut(next.0) {
            Some(next) => next.previous = previous,
            None => queue.tail = previous,
        }
    }
}

/// Hash of an order's account and id. The account is part of it, because accounts choose their order ids independently.
pub(super) fn hash(account_id: &AccountId, order_id: &Id) -> KeyHash {
    KeyHash::of_parts(order_id, account_id)
}

/// Whether a total with this quantity added fits a column.
pub(super) fn fits(there: i128, quantity: Quantity) -> bool {
    there.checked_add(quantity.units()).and_then(fixed::in_range).is_some()
}
