//! Changes of tables, on their way from the view that emits them to the commit that writes them.

use std::cell::RefCell;
use std::rc::Rc;

use super::{Changes, TableRow};
use crate::{Corrections, EventTime};

/// When rows change, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// The tick of the change.
    pub tick: u64,
    /// The time that rows may show as their own, in nanoseconds since the epoch: the beginning of the tick, or the grid point.
    pub time: u64,
    /// What was corrected; nearly always nothing.
    pub why: Corrections,
}

impl Moment {
    /// A moment in the ordinary course of things.
    pub const fn new(tick: u64, time: u64) -> Self {
        Self { tick, time, why: Corrections::new() }
    }

    /// The time that rows show as their own.
    pub fn event_time(&self) -> EventTime {
        EventTime::from_effective(self.time)
    }
}

/// A change of a table: what a key's row is from a tick on, or that it is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change<R> {
    /// The row; of a key that is gone, the row that it had.
    pub row: R,
    /// The tick from which on it counts.
    pub tick: u64,
    /// Whether the key has no row any more.
    pub gone: bool,
    /// What was corrected; nearly always nothing.
    pub why: Corrections,
}

/// Collects the changes of one table on one worker. Clones share what is collected.
///
/// Of a state table or a checkpoint, a key changes at most once per tick: a view emits the key's row when the tick is over.
///
/// ```
/// use headwater_schemas::tables::{Moment, Remap, TableWriter};
///
/// let remap = TableWriter::<Remap>::default();
/// let row = Remap { tick: 7, topic: "orders".into(), partition: 0, offset: 40, clock: 70, ts: headwater_schemas::EventTime::from_nanos(70) };
/// remap.insert(&Moment::new(7, 70), row);
/// assert!(remap.take_below(7).is_empty());
/// assert_eq!(remap.take_below(8).len(), 1);
/// ```
#[derive(Debug)]
pub struct TableWriter<R> {
    shared: Rc<Shared<R>>,
}

#[derive(Debug)]
struct Shared<R> {
    changes: RefCell<Changes<R>>,
    copy: RefCell<Option<TableWriter<R>>>,
}

impl<R> Clone for TableWriter<R> {
    fn clone(&self) -> Self {
        Self { shared: Rc::clone(&self.shared) }
    }
}

impl<R> Default for TableWriter<R> {
    fn default() -> Self {
        Self { shared: Rc::new(Shared { changes: RefCell::default(), copy: RefCell::default() }) }
    }
}

impl<R: TableRow> TableWriter<R> {
    /// The key's row is this from now on; of an append table, a row more.
    pub fn insert(&self, at: &Moment, row: R) {
        self.push(Change { row, tick: at.tick, gone: false, why: at.why.clone() });
    }

    /// The key has no row any more. `row` is the one that it had.
    pub fn retract(&self, at: &Moment, row: R) {
        self.push(Change { row, tick: at.tick, gone: true, why: at.why.clone() });
    }

    /// The key's row was `old` and is `new`; nothing if it stays as it was.
    pub fn replace(&self, at: &Moment, old: Option<R>, new: Option<R>) {
        match (old, new) {
            (Some(old), Some(new)) if old == new => {}
            (_, Some(new)) => self.insert(at, new),
            (Some(old), None) => self.retract(at, old),
            (None, None) => {}
        }
    }

    /// Adds a change.
    pub fn push(&self, change: Change<R>) {
        if let Some(copy) = &*self.shared.copy.borrow() {
            copy.push(change.clone());
        }
        self.shared.changes.borrow_mut().push(change);
    }

    /// A second collection of the same changes, from now on, for who reads them before the commit does.
    pub fn copy(&self) -> Self {
        self.shared.copy.borrow_mut().get_or_insert_default().clone()
    }

    /// Takes out the changes of ticks below `end_tick`.
    pub fn take_below(&self, end_tick: u64) -> Changes<R> {
        self.shared.changes.borrow_mut().take_below(end_tick)
    }

    /// The changes that are collected, in the order in which they came.
    pub fn changes(&self) -> Vec<Change<R>> {
        self.shared.changes.borrow().iter().cloned().collect()
    }
}
