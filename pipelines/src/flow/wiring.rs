//! Shared parts of the dataflow: topics, tables, and the conversion of a view to an operator.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use anyhow::Context;
use headwater_connectors::parquet::buffer::Tables;
use headwater_connectors::source::AvroTopics;
use headwater_connectors::transport::Records;
use headwater_operators::keyed_fold::{Before, Clock, FoldInput, FoldOperator, FoldOutput, FoldTables, Pace, Reject, Share};
use headwater_schemas::events::Event;
use headwater_schemas::tables::{DeadLetter, Moment, TableRegistry, TableRow, TableSet, TableWriter};
use headwater_schemas::{EffectiveTime, Placed, Tick, Topic};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::operator::{Operator, empty};
use timely::dataflow::operators::{Concat, Concatenate};
use timely::dataflow::{Scope, StreamVec};

use super::{Events, FlowSettings};
use crate::saved::{Requested, Requests, SavedTables};

/// The dataflow of one worker under construction.
pub(super) struct Flow<'scope, 's> {
    pub(super) scope: Scope<'scope, Tick>,
    pub(super) settings: &'s FlowSettings,
    /// The clocks at which partitions ended, on every worker.
    pub(super) ends: StreamVec<'scope, Tick, EffectiveTime>,
    topics: BTreeMap<Topic, Events<'scope>>,
    tables: Tables,
    done: Vec<StreamVec<'scope, Tick, ()>>,
    restores: Restores,
}

/// Restores the states of a view.
type Restore = Box<dyn FnOnce(&SavedTables) -> anyhow::Result<()>>;

/// Restores the states of the views, in the order in which they were built.
#[derive(Default)]
pub(super) struct Restores(Vec<Restore>);

impl Restores {
    /// Restores all of them.
    pub(super) fn restore(self, saved: &SavedTables) -> anyhow::Result<()> {
        self.0.into_iter().try_for_each(|restore| restore(saved))
    }
}

/// Broadcasts to a view, and those of before this run.
pub(super) struct Broadcasts<'scope, B> {
    pub(super) stream: StreamVec<'scope, Tick, Placed<B>>,
    pub(super) before: Arc<Vec<Placed<B>>>,
}

impl<B> Clone for Broadcasts<'_, B>
where
    B: Clone + 'static,
{
    fn clone(&self) -> Self {
        Self { stream: self.stream.clone(), before: Arc::clone(&self.before) }
    }
}

impl<'scope, B: timely::ExchangeData + Clone> Broadcasts<'scope, B> {
    /// These and others.
    pub(super) fn and(self, others: &Self) -> Self {
        let before = self.before.iter().chain(others.before.iter()).cloned().collect();
        Self { stream: self.stream.concat(others.stream.clone()), before: Arc::new(before) }
    }
}

/// Reference data, on every worker.
pub(super) type Reference<'scope> = Broadcasts<'scope, Event>;

impl<'scope, 's> Flow<'scope, 's> {
    pub(super) fn new(
        scope: Scope<'scope, Tick>,
        settings: &'s FlowSettings,
        topics: BTreeMap<Topic, Events<'scope>>,
        ends: StreamVec<'scope, Tick, EffectiveTime>,
    ) -> Self {
        Self { scope, settings, ends, topics, tables: Tables::default(), done: Vec::new(), restores: Restores::default() }
    }

    /// Takes the events of a topic. A topic is taken once; parts that read the same topic share the stream.
    pub(super) fn take(&mut self, topic: Topic) -> Events<'scope> {
        self.topics.remove(&topic).unwrap_or_else(|| empty(self.scope))
    }

    /// Turns a view into an operator: registers its tables, and commits its rows with their reasons, and its dead letters. Its states
    /// are restored once all operators are built; meanwhile its tables are read.
    pub(super) fn fold<V: FoldOperator>(
        &mut self,
        name: &str,
        view: V,
        pace: Pace,
        events: StreamVec<'scope, Tick, Placed<V::Event>>,
        broadcasts: Broadcasts<'scope, V::Broadcast>,
    ) -> anyhow::Result<FoldOutput<'scope, V>> {
        let Ok(_) = V::Tables::read(&mut Requests(&self.settings.saved));
        let before = Before { broadcasts: broadcasts.before.to_vec(), share: self.share() };
        let input = FoldInput { events, broadcasts: broadcasts.stream, ends: self.ends.clone() };
        let tables = FoldTables { tables: self.register(), reject: self.reject_events() };
        let (output, restore) = view.operator(name, input, tables, before, self.clock(), pace);
        self.done.push(output.done.clone());
        let name = name.to_owned();
        self.restores.0.push(Box::new(move |saved| {
            restore(&V::Tables::read(&mut Requested(saved)).with_context(|| format!("restoring {name}"))?);
            Ok(())
        }));
        Ok(output)
    }

    /// For a view without broadcasts.
    pub(super) fn no_broadcasts(&self) -> Broadcasts<'scope, ()> {
        Broadcasts { stream: empty(self.scope), before: Arc::default() }
    }

    /// The writers of a set of tables. The operator that writes them reports its frontier with [`Flow::done`].
    pub(super) fn register<T: TableSet>(&mut self) -> T {
        T::register(&mut self.tables)
    }

    /// Adds the frontier of an operator that writes tables: the rows of ticks that it has passed are written.
    pub(super) fn done(&mut self, done: StreamVec<'scope, Tick, ()>) {
        self.done.push(done);
    }

    /// The destination of an operator's rejected inputs: `dead_letters`, counted by topic.
    pub(super) fn reject(&mut self) -> Reject {
        let table: TableWriter<DeadLetter> = self.tables.writer();
        let counters = Arc::clone(&self.settings.source.counters);
        let tokens = self.settings.tokens.clone();
        Rc::new(move |at: &Moment, letter: DeadLetter| {
            counters.dead_letter(at.tick, &letter);
            table.insert(at, if let Some(tokens) = &tokens { tokens.letter(letter) } else { letter });
        })
    }

    /// The same for events: each dead letter gets the bytes of its record, if the record can be read again.
    fn reject_events(&mut self) -> Reject {
        let reject = self.reject();
        let source = &self.settings.source;
        let names = Arc::clone(&source.names);
        let (records, avro) = (RefCell::new(source.transport.records()), source.avro.clone());
        Rc::new(move |at: &Moment, letter: DeadLetter| {
            let value = records.borrow_mut().as_mut().and_then(|records| record_of(&letter, records.as_mut(), &names, avro.as_ref()));
            reject(at, if value.is_some() { letter.with_record(None, value.as_deref()) } else { letter });
        })
    }

    /// Commits a stream of rows of an append table.
    pub(super) fn write<R: TableRow>(&mut self, rows: StreamVec<'scope, Tick, (R, Tick, isize)>) {
        let table: TableWriter<R> = self.tables.writer();
        self.write_with(&format!("write {}", R::SPEC.name), rows, move |at, row| table.insert(at, row));
    }

    /// Passes the rows of a stream to a writer, each with the moment of its tick.
    pub(super) fn write_with<R: 'static>(
        &mut self,
        name: &str,
        rows: StreamVec<'scope, Tick, (R, Tick, isize)>,
        mut write: impl FnMut(&Moment, R) + 'static,
    ) {
        let done = rows.unary::<CapacityContainerBuilder<Vec<()>>, _, _, _>(Pipeline, name, move |_, _| {
            move |input, _| {
                input.for_each(|_, rows| rows.drain(..).for_each(|(row, tick, _)| write(&Moment::new(tick, EffectiveTime::ZERO), row)));
            }
        });
        self.done.push(done);
    }

    /// This worker's share of the saved state.
    pub(super) fn share(&self) -> Share {
        let source = &self.settings.source;
        let not_before = source.clock.start_of(source.clock.tick_of(source.start_clock));
        Share { worker: self.scope.index(), workers: self.scope.peers(), not_before }
    }

    pub(super) const fn clock(&self) -> Clock {
        self.settings.source.clock
    }

    /// The tables, the frontier of all operators that write them, and what restores their states.
    pub(super) fn finish(self) -> (Tables, StreamVec<'scope, Tick, ()>, Restores) {
        (self.tables, self.scope.concatenate(self.done), self.restores)
    }
}

/// The bytes of a rejected event's record. A derived event has the place of its cause; if that is of another topic, its bytes are
/// not those of the event.
fn record_of(
    letter: &DeadLetter,
    records: &mut dyn Records,
    names: &BTreeMap<Topic, String>,
    avro: Option<&AvroTopics>,
) -> Option<Vec<u8>> {
    let topic = Topic::from_word(&letter.topic)?;
    let value = records.value(names.get(&topic)?, u16::try_from(letter.partition).ok()?, letter.offset).ok()?;
    let json = avro.and_then(|avro| avro.json(topic, &value)).transpose().ok()?;
    let event = Event::decode(topic, None, Some(json.as_ref().unwrap_or(&value))).ok()?;
    (letter.value.is_none() || event.encode().as_deref() == letter.value.as_deref()).then_some(value)
}
