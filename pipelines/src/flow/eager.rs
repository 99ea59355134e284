//! Early publication: rows that are published before their commit.
//!
//! ```text
//!  executions, decisions ─► rows of whole ticks ─┐ (every worker)
//!  remap ─► decisions of the wall clock ─────────┴─► worker 0: first the journal, then the outbox
//! ```
//!
//! A tick's rows are final once the frontier has passed it. They are published as soon as every worker has passed it and the
//! decisions that determine their order are on disk ([`crate::journal`]). Their commit later publishes those that were not
//! published yet.

use std::sync::{Arc, Mutex};

use headwater_connectors::parquet::commit::Step;
use headwater_connectors::source::SourceProgress;
use headwater_schemas::tables::{Decision, Execution, Remap, TableRow, TableWriter};
use headwater_schemas::{EffectiveTime, Offset, Tick};
use serde::{Deserialize, Serialize};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::operator::Operator;
use timely::dataflow::operators::generic::{OutputBuilder, builder_rc::OperatorBuilder};

use crate::avro::PublishedSchemas;
use crate::journal::{Decided, Entry, Journal};
use crate::outbox::{EagerRow, Early, Told, records_of};

use super::wiring::Flow;

/// Settings of early publication.
#[derive(Clone)]
pub struct EagerSettings {
    /// The journal, in process 0.
    pub journal: Option<Arc<Mutex<Journal>>>,
    /// The outbox, in process 0.
    pub outbox: Option<std::sync::mpsc::Sender<Told>>,
    /// The tables that are published early.
    pub tables: Vec<String>,
    /// Topics that are published as Avro.
    pub avro: Arc<PublishedSchemas>,
    /// The tick at which the run begins.
    pub start_tick: Tick,
    /// Ticks at which the run is to be entered again.
    pub cuts: Vec<Tick>,
    /// Called at every step.
    pub steps: headwater_connectors::parquet::commit::Steps,
    /// Called with the error that ends the run.
    pub failure: Arc<dyn Fn(anyhow::Error) + Send + Sync>,
}

/// The rows of the ticks that a worker has passed.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Passed {
    worker: usize,
    /// The first tick that may still come.
    end_tick: Tick,
    rows: Vec<EagerRow>,
    entry: Entry,
}

/// What early publication follows.
pub(super) struct Signals<'scope> {
    /// The frontiers of the tables of executions and decisions.
    pub(super) done: [StreamVec<'scope, Tick, ()>; 2],
    /// The decisions of the wall clock.
    pub(super) remap: StreamVec<'scope, Tick, (Remap, Tick, isize)>,
    /// Ticks at which the run is to be entered again: what this run computes from there on is not published.
    pub(super) cuts: StreamVec<'scope, Tick, Tick>,
}

/// Publishes executions and decisions before their commit.
pub(super) fn eager<'scope>(
    flow: &mut Flow<'scope, '_>,
    Signals { done, remap, cuts }: Signals<'scope>,
    progress: SourceProgress,
    settings: EagerSettings,
) {
    let scope = flow.scope;
    let (worker, peers) = (scope.index(), scope.peers());
    let wants = |name: &str| settings.tables.iter().any(|table| table == name);
    // The commit takes the rows out of the tables, so this reads copies.
    let executions = wants(Execution::SPEC.name).then(|| flow.register::<TableWriter<Execution>>().copy());
    let decisions = wants(Decision::SPEC.name).then(|| flow.register::<TableWriter<Decision>>().copy());

    let mut builder = OperatorBuilder::new("eager rows".to_owned(), scope);
    let (output, passed) = builder.new_output();
    let mut output = OutputBuilder::<Tick, CapacityContainerBuilder<Vec<Passed>>>::from(output);
    let mut done = done.map(|done| builder.new_input(done, Pipeline));
    let mut remap = builder.new_input(remap, Pipeline);
    let mut new_cuts = builder.new_input(cuts, Pipeline);
    let mut first_cut = settings.cuts.iter().copied().min();
    let (failure, start_tick, avro) = (Arc::clone(&settings.failure), settings.start_tick, Arc::clone(&settings.avro));
    builder.build(move |mut capabilities| {
        let mut capability: Option<Capability<Tick>> = capabilities.pop();
        let mut remapped = Vec::new();
        let mut begin = start_tick;
        move |frontiers| {
            done.iter_mut().for_each(|done| done.for_each(|_, _| {}));
            remap.for_each(|_, rows| remapped.extend(rows.drain(..).map(|(row, _, _)| decided_by(&row))));
            new_cuts.for_each(|_, ticks| first_cut = ticks.drain(..).chain(first_cut).min());
            // The decisions that have arrived are sufficient: a worker that passed a tick has read all its records.
            let frontier = frontiers.iter().filter_map(|input| input.frontier().first().copied()).min();
            let (Some(held), Some(end_tick)) = (&mut capability, frontier) else {
                // At the end of a run, the last commit publishes.
                capability = None;
                return;
            };
            let end_tick = first_cut.map_or(end_tick, |cut| cut.min(end_tick));
            if end_tick <= begin {
                return;
            }
            let rows = rows_below(executions.as_ref(), end_tick, &avro).and_then(|mut rows| {
                rows.extend(rows_below(decisions.as_ref(), end_tick, &avro)?);
                Ok(rows)
            });
            match rows {
                Ok(rows) => {
                    let entry = Entry { remap: std::mem::take(&mut remapped), standing: standing(&progress), ..Entry::default() };
                    output.activate().session(held).give(Passed { worker, end_tick, rows, entry });
                    begin = end_tick;
                    held.downgrade(&end_tick);
                }
                Err(error) => failure(error),
            }
        }
    });
    collect(passed, peers, settings);
}

fn decided_by(row: &Remap) -> Decided {
    let partition = u16::try_from(row.partition).unwrap_or(u16::MAX);
    Decided { topic: row.topic.to_string(), partition, offset: row.offset, clock: row.clock }
}

fn standing(progress: &SourceProgress) -> Vec<Decided> {
    let at = |(topic, partition, offset, clock): (&str, u16, Offset, EffectiveTime)| Decided {
        topic: topic.to_owned(),
        partition,
        offset,
        clock,
    };
    progress.standing().into_iter().map(at).collect()
}

/// Takes the rows below a tick as records; of each key and tick the last row.
fn rows_below<R: TableRow>(table: Option<&TableWriter<R>>, end_tick: Tick, avro: &PublishedSchemas) -> anyhow::Result<Vec<EagerRow>> {
    let due = table.map(|table| table.take_below(end_tick)).into_iter().flatten();
    let mut due: Vec<_> = due.filter(|change| !change.gone).collect();
    due.sort_by(|a, b| a.tick.cmp(&b.tick).then_with(|| a.row.cmp_key(&b.row)));
    let rows: Vec<_> = due.iter().map(|change| (&change.row, change.tick)).collect();
    if rows.is_empty() { Ok(Vec::new()) } else { records_of(&rows, avro) }
}

/// Collects, on worker 0, the ticks that all workers have passed.
fn collect(passed: StreamVec<'_, Tick, Passed>, peers: usize, settings: EagerSettings) {
    let mut ends = vec![settings.start_tick; peers];
    let mut begin = settings.start_tick;
    let (mut waiting, mut entry) = (Vec::<EagerRow>::new(), Entry::default());
    passed.sink(Exchange::new(|_: &Passed| 0), "publish eagerly", move |(input, _)| {
        input.for_each(|_, passed| {
            for passed in passed.drain(..) {
                if let Some(end) = ends.get_mut(passed.worker) {
                    *end = passed.end_tick;
                }
                waiting.extend(passed.rows);
                entry.remap.extend(passed.entry.remap);
                let of_the_same =
                    |at: &Decided| passed.entry.standing.iter().any(|newer| (&newer.topic, newer.partition) == (&at.topic, at.partition));
                entry.standing.retain(|at| !of_the_same(at));
                entry.standing.extend(passed.entry.standing);
            }
        });
        let end = ends.iter().copied().min().unwrap_or(begin);
        if end <= begin || !waiting.iter().any(|row| row.tick < end) {
            return;
        }
        let (Some(journal), Some(outbox)) = (&settings.journal, &settings.outbox) else { return };
        let added = journal.lock().map_err(|_| anyhow::anyhow!("the journal's lock is broken")).and_then(|mut journal| journal.add(&entry));
        if let Err(error) = added {
            return (settings.failure)(error);
        }
        (settings.steps)(Step::Journaled, end.get());
        entry.remap.clear();
        let mut rows: Vec<_> = waiting.extract_if(.., |row| row.tick < end).collect();
        rows.sort_by_key(|row| row.tick);
        // An outbox that failed has reported its error.
        let _ = outbox.send(Told::Eager(Early { begin_tick: begin, end_tick: end, rows }));
        begin = end;
    });
}
