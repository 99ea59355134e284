//! Events of a book within a window, as the rows from which they are restored.

use std::collections::VecDeque;

use headwater_schemas::EventTime;
use headwater_schemas::tables::{Moment, TableWriter, WatchedEvent};

/// An event, and whether its row was emitted.
#[derive(Clone, Debug)]
struct Kept {
    row: WatchedEvent,
    is_emitted: bool,
}

/// Events in the order of their places. Each has a number, which does not change while it is remembered.
#[derive(Clone, Debug, Default)]
pub(super) struct Recent {
    kept: VecDeque<Kept>,
    /// The number of the first event.
    begin: u64,
    /// Emitted rows of events that are no longer remembered.
    gone: Vec<WatchedEvent>,
}

impl Recent {
    pub(super) fn is_empty(&self) -> bool {
        self.kept.is_empty() && self.gone.is_empty()
    }

    /// The time of the first event.
    pub(super) fn first_ts(&self) -> Option<EventTime> {
        self.kept.front().map(|kept| kept.row.ts)
    }

    /// Remembers an event. Returns its number.
    pub(super) fn push(&mut self, row: WatchedEvent) -> u64 {
        self.keep(row, false)
    }

    /// Restores an event whose row was emitted. Rows come in the order of their places.
    pub(super) fn restore(&mut self, row: WatchedEvent) -> u64 {
        self.keep(row, true)
    }

    fn keep(&mut self, row: WatchedEvent, is_emitted: bool) -> u64 {
        let number = self.begin.saturating_add(self.kept.len() as u64);
        self.kept.push_back(Kept { row, is_emitted });
        number
    }

    /// An event by its number.
    pub(super) fn get(&self, number: u64) -> Option<&WatchedEvent> {
        let index = usize::try_from(number.checked_sub(self.begin)?).ok()?;
        self.kept.get(index).map(|kept| &kept.row)
    }

    /// The last event.
    pub(super) fn last(&self) -> Option<&WatchedEvent> {
        self.kept.back().map(|kept| &kept.row)
    }

    /// The events, from the latest to the earliest.
    pub(super) fn latest(&self) -> impl Iterator<Item = &WatchedEvent> {
        self.kept.iter().rev().map(|kept| &kept.row)
    }

    /// Forgets the first event, if it is earlier than a time.
    pub(super) fn pop_before(&mut self, time: EventTime) -> Option<WatchedEvent> {
        if self.first_ts()? >= time {
            return None;
        }
        let kept = self.kept.pop_front()?;
        self.begin = self.begin.saturating_add(1);
        if kept.is_emitted {
            self.gone.push(kept.row.clone());
        }
        Some(kept.row)
    }

    pub(super) fn emit(&mut self, at: &Moment, table: &TableWriter<WatchedEvent>) {
        self.gone.drain(..).for_each(|row| table.retract(at, row));
        for kept in self.kept.iter_mut().rev().take_while(|kept| !kept.is_emitted) {
            table.insert(at, kept.row.clone());
            kept.is_emitted = true;
        }
    }
}
