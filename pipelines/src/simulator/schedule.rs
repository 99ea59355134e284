//! Schedule of the simulation: the queue that decides the order of everything.
//!
//! Tasks are ordered by time, then by when they were planned. The size of the caller's steps is not visible here, so the stream
//! does not depend on it.

use std::collections::BTreeMap;

use headwater_schemas::events::Event;

use super::faults::Fault;
use super::plants::Planting;
use super::record::Record;

/// Nanoseconds of a second.
pub(super) const SECOND: i64 = 1_000_000_000;
/// Nanoseconds of a millisecond.
pub(super) const MILLISECOND: i64 = 1_000_000;
/// Nanoseconds of a day.
pub(super) const DAY: i64 = 86_400 * SECOND;

/// Cents of a dollar, or of a euro.
pub(super) const DOLLAR: i64 = 100;

/// A task of the simulation.
#[derive(Clone, Debug)]
pub(super) enum Task {
    /// Publish an ordinary event, and plan the next.
    Ordinary,
    /// Publish an event that was made earlier.
    Publish(Event),
    /// Send a faulty record.
    Send(Fault, Record),
    /// Plant misconduct.
    Plant(&'static Planting),
    /// Move the exchange rate.
    FxRate,
    /// End the day.
    DayEnd,
}

/// An event, and when it is published.
#[derive(Clone, Debug)]
pub(super) struct Planned {
    /// Time of publication: the event's own time, or later if its producer is slow.
    pub(super) at: i64,
    /// The event.
    pub(super) event: Event,
}

impl Planned {
    pub(super) fn new(at: i64, event: Event) -> Self {
        Self { at, event }
    }
}

/// The remaining tasks, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Schedule {
    tasks: BTreeMap<(i64, u64), Task>,
    planned: u64,
}

impl Schedule {
    /// Plans a task.
    pub(super) fn plan(&mut self, at: i64, task: Task) {
        self.tasks.insert((at, self.planned), task);
        self.planned += 1;
    }

    /// Takes the next task that is due by a time (inclusive).
    pub(super) fn due(&mut self, until: i64) -> Option<(i64, Task)> {
        let next = self.tasks.first_entry()?;
        if next.key().0 > until {
            return None;
        }
        let ((at, _), task) = next.remove_entry();
        Some((at, task))
    }
}
