//! Changes of a worker that are not committed yet.

use std::any::Any;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use headwater_schemas::Tick;
use headwater_schemas::tables::{TableRegistry, TableRow, TableSpec, TableWriter};

use super::CommitError;
use super::encode::{Closed, Target};
use super::record::CommittedFile;
use super::writer::CommitFormat;

/// All tables of a worker. Clones share them; registering a table twice yields one writer.
#[derive(Clone, Default)]
pub struct Tables {
    tables: Rc<RefCell<Vec<Rc<dyn Waiting>>>>,
}

/// A table with uncommitted changes, independent of its row type.
trait Waiting: Any {
    /// The table's declaration.
    fn spec(&self) -> TableSpec;
    /// Takes the changes of ticks below `end_tick`; `None` if there are none.
    fn close(&self, end_tick: Tick) -> Option<Box<dyn ClosedTable>>;
}

/// The changes of one table in one commit, to be written by another thread.
pub(super) trait ClosedTable: Send {
    /// Writes the changes into the staging folder.
    fn stage(self: Box<Self>, target: &mut Target<'_>) -> Result<Vec<CommittedFile>, CommitError>;
}

struct Registered<R> {
    writer: TableWriter<R>,
    format: Arc<CommitFormat>,
}

impl Tables {
    /// Takes every table's changes of ticks below `end_tick`, in the order in which the tables were registered.
    pub(super) fn close(&self, end_tick: Tick) -> Vec<Box<dyn ClosedTable>> {
        self.tables.borrow().iter().filter_map(|table| table.close(end_tick)).collect()
    }

    /// The declarations of the tables.
    pub(super) fn specs(&self) -> Vec<TableSpec> {
        self.tables.borrow().iter().map(|table| table.spec()).collect()
    }
}

impl TableRegistry for Tables {
    fn writer<R: TableRow>(&mut self) -> TableWriter<R> {
        let mut tables = self.tables.borrow_mut();
        let known = tables.iter().find_map(|table| (&**table as &dyn Any).downcast_ref::<Registered<R>>());
        if let Some(known) = known {
            return known.writer.clone();
        }
        let writer = TableWriter::default();
        tables.push(Rc::new(Registered { writer: writer.clone(), format: Arc::new(CommitFormat::of::<R>()) }));
        writer
    }
}

impl<R: TableRow> Waiting for Registered<R> {
    fn spec(&self) -> TableSpec {
        R::SPEC
    }

    fn close(&self, end_tick: Tick) -> Option<Box<dyn ClosedTable>> {
        let changes = self.writer.take_below(end_tick);
        (!changes.is_empty()).then(|| Box::new(Closed { changes, format: Arc::clone(&self.format) }) as Box<dyn ClosedTable>)
    }
}

#[cfg(test)]
mod tests {
    use headwater_schemas::tables::{Moment, Remap};
    use headwater_schemas::{EffectiveTime, EventTime, Offset};

    use super::*;

    #[test]
    fn a_table_that_is_registered_twice_has_one_writer() {
        let (mut tables, row) = (Tables::default(), |tick| Remap {
            topic: "orders".into(),
            partition: 0,
            offset: Offset::new(tick),
            tick: Tick::new(tick),
            clock: EffectiveTime::new(tick),
            ts: EventTime::from_effective(EffectiveTime::new(tick)),
        });
        let (one, other) = (tables.writer::<Remap>(), tables.clone().writer::<Remap>());
        one.insert(&Moment::new(Tick::new(3), EffectiveTime::new(3)), row(3));
        other.insert(&Moment::new(Tick::new(8), EffectiveTime::new(8)), row(8));
        assert_eq!(tables.specs().len(), 1);
        assert_eq!(tables.close(Tick::new(8)).len(), 1);
        assert!(tables.close(Tick::new(8)).is_empty(), "what was taken is gone, and what is later waits");
        assert_eq!(one.take_below(Tick::new(9)).len(), 1);
    }
}
