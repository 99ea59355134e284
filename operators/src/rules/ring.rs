//! The events of an account within reach of its windows, in order. An event keeps its index when earlier ones are dropped.

use std::collections::VecDeque;

use super::record::{Order, Record};

/// The events.
#[derive(Clone, Debug, Default)]
pub(super) struct Ring {
    records: VecDeque<Record>,
    /// The number of dropped events.
    dropped: usize,
}

impl Ring {
    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The index after the last event.
    pub(super) fn end(&self) -> usize {
        self.dropped + self.records.len()
    }

    pub(super) const fn start(&self) -> usize {
        self.dropped
    }

    pub(super) fn get(&self, index: usize) -> Option<&Record> {
        self.records.get(index.checked_sub(self.dropped)?)
    }

    pub(super) fn get_mut(&mut self, index: usize) -> Option<&mut Record> {
        self.records.get_mut(index.checked_sub(self.dropped)?)
    }

    #[cfg(test)]
    pub(super) fn iter(&self) -> impl Iterator<Item = &Record> {
        self.records.iter()
    }

    pub(super) fn last(&self) -> Option<&Record> {
        self.records.back()
    }

    /// Removes the last event.
    pub(super) fn drop_last(&mut self) {
        self.records.pop_back();
    }

    /// The index at which an event is inserted: that of the first event not before it.
    pub(super) fn place_of(&self, order: &Order) -> usize {
        if self.records.back().is_none_or(|last| last.order < *order) {
            return self.end();
        }
        self.dropped + self.records.partition_point(|record| record.order < *order)
    }

    /// The index of the first event that is not older than a time.
    pub(super) fn first_since(&self, ts: i64) -> usize {
        self.dropped + self.records.partition_point(|record| record.order.ts < ts)
    }

    /// Restores events, in any order.
    pub(super) fn restore(&mut self, records: Vec<Record>) {
        if self.records.is_empty() {
            // In their own memory: nearly all that is restored comes at once.
            self.records = records.into();
        } else {
            self.records.extend(records);
        }
        self.records.make_contiguous().sort_by_key(|record| record.order);
    }

    /// Inserts an event at its index; later ones move up.
    pub(super) fn insert(&mut self, index: usize, record: Record) {
        // Room for half as many more: of very many accounts, each with a few events, room for twice as many would be most of it.
        if self.records.len() == self.records.capacity() {
            self.records.reserve_exact((self.records.len() / 2).max(1));
        }
        match index.checked_sub(self.dropped) {
            Some(position) if position < self.records.len() => self.records.insert(position, record),
            _ => self.records.push_back(record),
        }
    }

    /// Removes the first event.
    pub(super) fn take_first(&mut self) -> Option<Record> {
        let first = self.records.pop_front()?;
        self.dropped += 1;
        Some(first)
    }
}
