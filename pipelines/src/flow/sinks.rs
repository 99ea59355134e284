//! Where the parts of the flow put what is to be committed.

use std::sync::Arc;

use differential_dataflow::{AsCollection, VecCollection};
use headwater_connectors::parquet::buffer::{TableHandle, Tables};
use headwater_connectors::source::SourceCounters;
use headwater_operators::keyed_fold::Corrected;
use headwater_schemas::Corrections;
use headwater_schemas::tables::{Alert, Audit, DeadLetter, Remap, TableRow};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Concatenate;
use timely::dataflow::operators::generic::operator::Operator;
use timely::dataflow::{Scope, StreamVec};

/// The tables of a worker, and the streams that feed them.
pub(super) struct Sinks<'scope> {
    tables: Tables,
    done: Vec<StreamVec<'scope, u64, ()>>,
    dead_letters: TableHandle<DeadLetter>,
    alerts: TableHandle<Alert>,
    counters: Arc<SourceCounters>,
}

impl<'scope> Sinks<'scope> {
    /// The tables that several parts feed, and what the source says.
    pub(super) fn new(
        dead_letters: StreamVec<'scope, u64, (DeadLetter, u64, isize)>,
        remap: StreamVec<'scope, u64, (Remap, u64, isize)>,
        audit: StreamVec<'scope, u64, (Audit, u64, isize)>,
        counters: Arc<SourceCounters>,
    ) -> Self {
        let tables = Tables::default();
        let mut sinks = Self { dead_letters: tables.add(), alerts: tables.add(), tables, done: Vec::new(), counters };
        sinks.dead_letters(dead_letters.as_collection());
        sinks.table("commit remap", remap.as_collection());
        sinks.table("commit audit", audit.as_collection());
        sinks
    }

    /// A table that the caller feeds by [`Sinks::rows`].
    pub(super) fn add<R: TableRow>(&self) -> TableHandle<R> {
        self.tables.add()
    }

    /// The alerts, which several parts raise.
    pub(super) fn alerts(&self) -> TableHandle<Alert> {
        self.alerts.clone()
    }

    /// Commits a collection as a table.
    pub(super) fn table<R: TableRow>(&mut self, name: &str, collection: VecCollection<'scope, u64, R, isize>) {
        let table = self.tables.add();
        self.rows(name, collection, move |row, tick, diff| table.push(row, tick, diff));
    }

    /// Commits a collection as a table, with the reasons of its changes.
    pub(super) fn table_with_reasons<R: TableRow>(
        &mut self,
        name: &str,
        collection: VecCollection<'scope, u64, R, isize>,
        corrected: Corrected<'scope, R>,
    ) {
        let table = self.tables.add();
        let reasons = table.clone();
        self.rows(name, collection, move |row, tick, diff| table.push(row, tick, diff));
        self.corrected(name, corrected, move |row, tick, corrections| reasons.because(row, tick, corrections));
    }

    /// Commits dead letters.
    pub(super) fn dead_letters(&mut self, letters: VecCollection<'scope, u64, DeadLetter, isize>) {
        let (table, counters) = (self.dead_letters.clone(), Arc::clone(&self.counters));
        self.rows("commit dead letters", letters, move |row, tick, diff| {
            counters.dead_letter(&row.topic);
            table.push(row, tick, diff);
        });
    }

    /// Hands the rows of a collection to the tables they belong to.
    pub(super) fn rows<R: Clone + 'static>(
        &mut self,
        name: &str,
        collection: VecCollection<'scope, u64, R, isize>,
        mut give: impl FnMut(R, u64, isize) + 'static,
    ) {
        let done = collection.inner.unary::<CapacityContainerBuilder<Vec<()>>, _, _, _>(Pipeline, name, move |_, _| {
            move |input, _| {
                input.for_each(|_, rows| rows.drain(..).for_each(|(row, tick, diff)| give(row, tick, diff)));
            }
        });
        self.done.push(done);
    }

    /// Hands the reasons of changes to the tables they belong to.
    pub(super) fn corrected<R: Clone + 'static>(
        &mut self,
        name: &str,
        corrected: Corrected<'scope, R>,
        mut give: impl FnMut(R, u64, Corrections) + 'static,
    ) {
        let done = corrected.unary::<CapacityContainerBuilder<Vec<()>>, _, _, _>(Pipeline, name, move |_, _| {
            move |input, _| {
                input.for_each(|_, rows| rows.drain(..).for_each(|(row, tick, corrections)| give(row, tick, corrections)));
            }
        });
        self.done.push(done);
    }

    /// The tables, and the frontier of everything that goes into them.
    pub(super) fn finish(self, scope: Scope<'scope, u64>) -> (Tables, StreamVec<'scope, u64, ()>) {
        (self.tables, scope.concatenate(self.done))
    }
}
