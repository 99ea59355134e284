//! Changes of tables, between the view that emits them and the commit that writes them.

use std::cell::RefCell;
use std::rc::Rc;

use super::{Changes, TableRow};
use crate::{Corrections, EffectiveTime, EventTime, Tick};

/// Time and reason of a change of rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// The tick of the change.
    pub tick: Tick,
    /// Time for the rows' own `ts`, in nanoseconds since the epoch: the beginning of the tick, or the grid point.
    pub time: EffectiveTime,
    /// Corrections that caused the change; nearly always none.
    pub why: Corrections,
}

impl Moment {
    /// A moment without corrections.
    pub const fn new(tick: Tick, time: EffectiveTime) -> Self {
        Self { tick, time, why: Corrections::new() }
    }

    /// Time for the rows' own `ts`.
    pub fn event_time(&self) -> EventTime {
        EventTime::from_effective(self.time)
    }
}

/// A change of a table: the row that a key has from a tick on, or the removal of its row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change<R> {
    /// The row; of a removed key, its last row.
    pub row: R,
    /// The tick from which on the change applies.
    pub tick: Tick,
    /// Whether the key was removed.
    pub gone: bool,
    /// Corrections that caused the change; nearly always none.
    pub why: Corrections,
}

/// Collects the changes of one table on one worker. Clones share what is collected.
///
/// Of a state table or a checkpoint, a key changes at most once per tick: a view emits the key's row when the tick is over.
///
/// ```
/// use headwater_schemas::tables::{Moment, Remap, TableWriter};
/// use headwater_schemas::{EffectiveTime, EventTime, Offset, Tick};
///
/// let remap = TableWriter::<Remap>::default();
/// let tick = Tick::new(7);
/// let clock = EffectiveTime::new(70);
/// let (topic, offset, ts) = ("orders".into(), Offset::new(40), EventTime::from_effective(clock));
/// let row = Remap { topic, partition: 0, offset, tick, clock, ts };
/// remap.insert(&Moment::new(tick, clock), row);
/// assert!(remap.take_below(tick).is_empty());
/// assert_eq!(remap.take_below(tick.next()).len(), 1);
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
    /// Sets the row of a key. In an append table, adds a row.
    pub fn insert(&self, at: &Moment, row: R) {
        self.push(Change { row, tick: at.tick, gone: false, why: at.why.clone() });
    }

    /// Removes a key. `row` is its last row.
    pub fn retract(&self, at: &Moment, row: R) {
        self.push(Change { row, tick: at.tick, gone: true, why: at.why.clone() });
    }

    /// Replaces the row `old` by `new`. Does nothing if they are equal. A new row with another key leaves none under the old one.
    ///
    /// Precondition: no other row has taken the key of `old` in the same tick. Such a row would be removed with it.
    pub fn replace(&self, at: &Moment, old: Option<R>, new: Option<R>) {
        if old == new {
            return;
        }
        let left = old.filter(|old| new.as_ref().is_none_or(|new| old.cmp_key(new).is_ne()));
        left.into_iter().for_each(|old| self.retract(at, old));
        new.into_iter().for_each(|new| self.insert(at, new));
    }

    /// Adds a change.
    pub fn push(&self, change: Change<R>) {
        if let Some(copy) = &*self.shared.copy.borrow() {
            copy.push(change.clone());
        }
        self.shared.changes.borrow_mut().push(change);
    }

    /// A second collection, which receives every later change too, for readers that do not wait for the commit.
    pub fn copy(&self) -> Self {
        self.shared.copy.borrow_mut().get_or_insert_default().clone()
    }

    /// Removes and returns the changes of ticks below `end_tick`.
    pub fn take_below(&self, end_tick: Tick) -> Changes<R> {
        self.shared.changes.borrow_mut().take_below(end_tick)
    }

    /// The collected changes, in the order in which they were added.
    pub fn changes(&self) -> Vec<Change<R>> {
        self.shared.changes.borrow().iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::LastRate;
    use crate::{Currency, Factor};

    fn rate(base: &str, rate: i64) -> Option<LastRate> {
        let (base, quote) = (Currency::derived(base), Currency::derived("USD"));
        Some(LastRate { base, quote, rate: Factor::whole(rate), stale_since: None, ts: EventTime::from_nanos(1) })
    }

    #[test]
    fn a_row_with_another_key_replaces_the_old_one() {
        for (old, new, expected) in [
            (None, None, &[][..]),
            (None, rate("EUR", 1), &["EUR 1"]),
            (rate("EUR", 1), rate("EUR", 1), &[]),
            (rate("EUR", 1), rate("EUR", 2), &["EUR 2"]),
            (rate("EUR", 1), rate("GBP", 2), &["EUR 1 gone", "GBP 2"]),
            (rate("EUR", 1), None, &["EUR 1 gone"]),
        ] {
            let table = TableWriter::default();
            table.replace(&Moment::default(), old.clone(), new.clone());
            let text = |Change { row, gone, .. }: Change<LastRate>| format!("{} {}{}", row.base, row.rate, if gone { " gone" } else { "" });
            assert_eq!(table.changes().into_iter().map(text).collect::<Vec<_>>(), expected, "{old:?} to {new:?}");
        }
    }
}
