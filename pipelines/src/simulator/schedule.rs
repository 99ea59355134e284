//! What happens when: the one queue that decides the order of everything.
//!
//! A task's place is its time and, among equals, when it was planned. Nothing looks at how far the caller advances at a
//! time, so the stream cannot depend on it.

use std::collections::BTreeMap;

use headwater_schemas::events::Event;

use super::faults::Fault;
use super::plants::Plant;
use super::record::Record;

/// Nanoseconds of a second.
pub(super) const SECOND: i64 = 1_000_000_000;
/// Nanoseconds of a millisecond.
pub(super) const MILLISECOND: i64 = 1_000_000;
/// Nanoseconds of a day.
pub(super) const DAY: i64 = 86_400 * SECOND;

/// Cents of a dollar, or of a euro.
pub(super) const DOLLAR: i64 = 100;

/// Something to be done.
#[derive(Clone, Debug)]
pub(super) enum Task {
    /// An ordinary event, and the plan for the next.
    Ordinary,
    /// An event that was decided earlier.
    Publish(Event),
    /// A record that something goes wrong with.
    Send(Fault, Record),
    /// Something out of the ordinary.
    Plant(Plant),
    /// The exchange rate moves.
    FxRate,
    /// The day ends.
    DayEnd,
}

/// An event and when it is published.
#[derive(Clone, Debug)]
pub(super) struct Planned {
    /// When it is published: its own time, or later if its producer is slow.
    pub(super) at: i64,
    /// What is published.
    pub(super) event: Event,
}

impl Planned {
    pub(super) fn new(at: i64, event: Event) -> Self {
        Self { at, event }
    }
}

/// The tasks that are left, in order.
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
