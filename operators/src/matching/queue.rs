//! The orders at one price, by priority: a list linked through the orders, so that adding, removing and trading move no other
//! order.

use headwater_schemas::value::{Price, Quantity};

use super::orders::{NOWHERE, Slot};
use super::resting::Resting;

/// Index of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct QueueId(u32);

impl QueueId {
    /// No queue.
    pub(super) const NONE: Self = Self(u32::MAX);

    pub(super) fn new(number: usize) -> Option<Self> {
        u32::try_from(number).ok().map(Self)
    }

    pub(super) const fn number(self) -> usize {
        self.0 as usize
    }
}

/// The orders at one price, by priority.
#[derive(Clone, Copy, Debug)]
pub(super) struct Queue {
    /// The price of all its orders: their limit, or their trigger if they wait.
    pub(super) price: Option<Price>,
    pub(super) head: Slot,
    pub(super) tail: Slot,
    /// Total displayed quantity of the orders, in billionths.
    shown: i128,
    /// Total remaining quantity of the orders, in billionths.
    leaves: i128,
}

impl Queue {
    pub(super) const fn new(price: Option<Price>) -> Self {
        Self { price, head: NOWHERE, tail: NOWHERE, shown: 0, leaves: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.head == NOWHERE
    }

    /// The displayed quantity.
    pub(super) const fn shown(&self) -> Quantity {
        Quantity::from_units(self.shown)
    }

    /// The total quantity, displayed or hidden.
    pub(super) const fn leaves(&self) -> Quantity {
        Quantity::from_units(self.leaves)
    }

    pub(super) fn count(&mut self, order: &Resting) {
        self.shown = self.shown.saturating_add(order.shown().units());
        self.leaves = self.leaves.saturating_add(order.leaves.units());
    }

    pub(super) fn discount(&mut self, order: &Resting) {
        self.shown = self.shown.saturating_sub(order.shown().units());
        self.leaves = self.leaves.saturating_sub(order.leaves.units());
    }
}
