//! The source as a timely operator.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use headwater_schemas::events::Event;
use headwater_schemas::tables::{Audit, DeadLetter, Remap};
use headwater_schemas::{Clock, EffectiveTime, Nanos, Offset, Placed, Tick, Topic};
use rustc_hash::FxHasher;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::{Scope, StreamVec};
use timely::progress::Antichain;

use super::ahead::{Allowance, GridLead, ReadAhead};
use super::avro::{AvroReading, AvroTopics};
use super::held::HeldRecord;
use super::partition::{Addition, Capabilities, Course, Partition, Reading, Stride, Surroundings};
use super::progress::{Position, SourceProgress};
use super::rest::{self, Alarm, until_the_next_tick};
use super::script::{Repeated, Script};
use super::{Mode, PartitionPosition, SourceCounters};
use crate::fault::with_causes;
use crate::transport::{PartitionState, ReadStatus, Reader, Transport, TransportError};

/// Called with an error that ends the run. It is called once, by the worker that met it.
pub type Failure = Arc<dyn Fn(TransportError) + Send + Sync>;

/// Settings of a source.
#[derive(Clone)]
pub struct SourceSettings {
    /// Transport of the topics.
    pub transport: Arc<dyn Transport>,
    /// The partitions of each topic when the run begins; equal on every worker.
    pub partitions: Arc<BTreeMap<Topic, Vec<PartitionState>>>,
    /// Names of topics in the transport, where they differ.
    pub names: Arc<BTreeMap<Topic, String>>,
    /// Topics that carry Avro; `None` if all carry JSON.
    pub avro: Option<AvroTopics>,
    /// Start positions of partitions that do not begin at their first record.
    pub start: Arc<BTreeMap<(Topic, u16), Position>>,
    /// Minimum of all clocks: the end of the previous run.
    pub start_clock: EffectiveTime,
    /// In a bounded run, the greatest event time accepted of records without a transport timestamp: one day after the wall clock
    /// at the start.
    pub latest: EffectiveTime,
    /// Tick and grid intervals. Commits close at grid points.
    pub clock: Clock,
    /// Whether accepted records get rows in `audit`.
    pub audit: bool,
    /// By how much an event's effective time may exceed its own time before the event's corrections count as late.
    pub late_after: Nanos,
    /// Records that are read of a partition before the next partition's turn.
    pub stride: usize,
    /// Memory in bytes for the events of all partitions of this worker, from reading until the frontier of all results has passed
    /// them. All events of one tick are held, however many.
    pub budget_bytes: u64,
    /// Grid points with records that a partition may be ahead of the frontier of all results, at least 1.
    pub grid_lead: usize,
    /// Partitions that were discovered during a live run; only ever added to.
    pub discovered: Arc<Mutex<Vec<(Topic, PartitionState)>>>,
    /// The decisions that a replay follows.
    pub script: Arc<Script>,
    /// Bounded or live reading.
    pub mode: Mode,
    /// Set by a live run that is stopped while records are left to read. No further commit may follow, because its time would be
    /// past the unread records.
    pub abandoned: Arc<AtomicBool>,
    /// Counters for metrics.
    pub counters: Arc<SourceCounters>,
    /// Called with the error that ends the run.
    pub failure: Failure,
}

/// Output streams of a source.
pub struct SourceOutput<'scope> {
    /// The events of each topic.
    pub events: BTreeMap<Topic, StreamVec<'scope, Tick, Placed<Event>>>,
    /// Rejected records.
    pub dead_letters: StreamVec<'scope, Tick, (DeadLetter, Tick, isize)>,
    /// Clocks that the wall clock decided.
    pub remap: StreamVec<'scope, Tick, (Remap, Tick, isize)>,
    /// Accepted records.
    pub audit: StreamVec<'scope, Tick, (Audit, Tick, isize)>,
    /// The clocks at which this worker's partitions ended.
    pub ends: StreamVec<'scope, Tick, EffectiveTime>,
}

type Builder<D> = CapacityContainerBuilder<Vec<D>>;
type Port<D> = OutputBuilder<Tick, Builder<D>>;

/// Builds the source. `frontier` is the frontier of all results, fed back: what it has passed is no longer held.
pub fn source<'scope>(
    scope: Scope<'scope, Tick>,
    settings: SourceSettings,
    frontier: StreamVec<'scope, Tick, ()>,
    progress: SourceProgress,
) -> SourceOutput<'scope> {
    let mut builder = OperatorBuilder::new("source".to_owned(), scope);
    let address = builder.operator_info().address;
    let activator = scope.activator_for(address.clone());
    let wake = scope.worker().sync_activator_for(address.to_vec());
    let (index, peers) = (scope.index(), scope.peers());

    let mut streams = BTreeMap::new();
    let mut event_ports: Vec<Port<Placed<Event>>> = Vec::new();
    for topic in Topic::ALL {
        let (port, stream) = builder.new_output();
        event_ports.push(OutputBuilder::from(port));
        streams.insert(*topic, stream);
    }
    let (dead_port, dead_letters) = builder.new_output();
    let (remap_port, remap) = builder.new_output();
    let (audit_port, audit) = builder.new_output();
    let (ends_port, ends) = builder.new_output();
    let mut ports = Ports {
        events: event_ports,
        dead_letters: OutputBuilder::from(dead_port),
        remap: OutputBuilder::from(remap_port),
        audit: OutputBuilder::from(audit_port),
        ends: OutputBuilder::from(ends_port),
    };
    // The fed-back frontier is connected to no output, so that it makes no cycle in the tracking of progress.
    let mut fed_back = builder.new_input_connection(frontier, Pipeline, std::iter::empty::<(usize, Antichain<u64>)>());

    builder.build(move |capabilities| {
        let mut source = Source::open(
            settings,
            capabilities,
            index,
            peers,
            progress,
            Box::new(move || {
                let _ = wake.activate();
            }),
        );
        let mut alarm = Alarm::default();
        move |frontiers| {
            fed_back.for_each(|_, _| {});
            let frontier = frontiers.first().and_then(|input| input.frontier().first().copied());
            match source.step(frontier, &mut ports) {
                Next::Now => activator.activate(),
                Next::Soon => {
                    let rest = source.rest();
                    if alarm.set(Instant::now(), rest) {
                        activator.activate_after(rest);
                    }
                }
                Next::WhenTheFrontierMoves => {}
            }
        }
    });
    SourceOutput { events: streams, dead_letters, remap, audit, ends }
}

/// Whether a worker reads a partition.
fn reads(topic: Topic, partition: u16, index: usize, peers: usize) -> bool {
    let mut hasher = FxHasher::default();
    (topic.rank(), partition).hash(&mut hasher);
    // The high bits are the well-mixed ones.
    (hasher.finish() >> 20) % (peers.max(1) as u64) == index as u64
}

struct Ports {
    events: Vec<Port<Placed<Event>>>,
    dead_letters: Port<Addition<DeadLetter>>,
    remap: Port<Addition<Remap>>,
    audit: Port<Addition<Audit>>,
    ends: Port<EffectiveTime>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Next {
    WhenTheFrontierMoves,
    Soon,
    Now,
}

/// The partitions that this worker reads, and their state.
struct Source {
    settings: SourceSettings,
    /// Opened for the first partition: one that is never read would fill memory with what nobody asks for.
    reader: Option<Box<dyn Reader>>,
    /// Wakes the operator; the reader takes it.
    wake: Option<Box<dyn Fn() + Send + Sync>>,
    partitions: Vec<Partition>,
    progress: SourceProgress,
    stride: Stride,
    ahead: ReadAhead,
    /// Which worker this is, of how many.
    index: usize,
    peers: usize,
    /// In a live run, the right to send that a partition gets which is found later. Like a partition that is read to its
    /// end, it follows the wall clock.
    spare: Vec<Capability<Tick>>,
    /// How many of the partitions that were found are looked at.
    looked_at: usize,
    /// In a live run, the wall clock at the last step.
    stepped: EffectiveTime,
}

impl Source {
    fn open(
        settings: SourceSettings,
        capabilities: Vec<Capability<Tick>>,
        index: usize,
        peers: usize,
        progress: SourceProgress,
        wake: Box<dyn Fn() + Send + Sync>,
    ) -> Self {
        let (transport, names) = (Arc::clone(&settings.transport), Arc::clone(&settings.names));
        progress.prove_with(Box::new(move |topic, partition, offset| {
            let name = Topic::from_word(topic).and_then(|topic| names.get(&topic)).map_or(topic, String::as_str);
            // A file that cannot be read here cannot be read by the reader either, which reports the error.
            transport.fingerprint(name, partition, offset).ok().flatten()
        }));
        let mut source = Self {
            ahead: ReadAhead::new(settings.budget_bytes, settings.grid_lead),
            settings,
            reader: None,
            wake: Some(wake),
            partitions: Vec::new(),
            progress,
            stride: Stride::default(),
            index,
            peers,
            spare: Vec::new(),
            looked_at: 0,
            stepped: EffectiveTime::ZERO,
        };
        let all: Vec<_> = source
            .settings
            .partitions
            .iter()
            .flat_map(|(topic, partitions)| partitions.iter().map(|state| (*topic, *state)))
            .filter(|(topic, state)| reads(*topic, state.partition, index, peers))
            .collect();
        for (topic, state) in all {
            if let Err(error) = source.assign(topic, state, &capabilities, source.settings.start_clock) {
                (source.settings.failure)(error);
                source.partitions.clear();
                break;
            }
        }
        if matches!(source.settings.mode, Mode::Live { .. }) {
            source.spare = capabilities;
        }
        source
    }

    /// Begins to read a partition. Its clock is at least `not_before`.
    fn assign(
        &mut self,
        topic: Topic,
        state: PartitionState,
        capabilities: &[Capability<Tick>],
        not_before: EffectiveTime,
    ) -> Result<(), TransportError> {
        let repeated = match &self.settings.script.partitions {
            Some(partitions) => match partitions.get(&(topic, state.partition)) {
                Some(repeated) => *repeated,
                None => return Ok(()), // The run that is repeated did not know it.
            },
            None => Repeated { end: Offset::MAX, since: EffectiveTime::ZERO },
        };
        if let Some(wake) = self.wake.take() {
            self.reader = Some(self.settings.transport.reader(wake)?);
        }
        let Some(reader) = self.reader.as_mut() else { return Ok(()) };
        let start = self.settings.start.get(&(topic, state.partition)).copied();
        let start = start.unwrap_or(Position { offset: state.low, ..Position::default() });
        let name = self.settings.names.get(&topic).map_or(topic.as_str(), String::as_str);
        let slot = reader.assign(name, state.partition, start.offset)?;
        let around = self.surroundings(None);
        let avro = AvroReading::of(topic, self.settings.avro.as_ref());
        let course = Course::resuming(topic, state.partition, start, not_before, around, &self.settings.script, avro);
        let tick = around.clock.tick_of(course.clock.now());
        let Some(capabilities) = capabilities_of(topic, tick, capabilities) else { return Ok(()) };
        let bounded = matches!(self.settings.mode, Mode::Bounded);
        self.partitions.push(Partition {
            course,
            slot,
            progress: self.progress.add(topic.as_str(), state.partition, start, around.clock.tick_of(repeated.since)),
            end: bounded.then(|| state.high.min(repeated.end)),
            begin: start.offset,
            at_end: false,
            held: None,
            lead: GridLead::default(),
            capabilities,
        });
        Ok(())
    }

    fn surroundings(&self, wall: Option<EffectiveTime>) -> Surroundings {
        let SourceSettings { clock, audit, late_after, latest, .. } = self.settings;
        // A live run may last longer than a day.
        let latest = wall.map_or(latest, |wall| wall.saturating_add(Nanos::DAY));
        Surroundings { clock, audit, late_after, latest, notes_last: self.settings.transport.is_known_by_last_record(), wall }
    }

    /// Reads a stride of every partition that may be read.
    fn step(&mut self, frontier: Option<Tick>, ports: &mut Ports) -> Next {
        let (wall, stopped) = match &self.settings.mode {
            Mode::Bounded => (None, false),
            Mode::Live { wall, stop, .. } => (Some(wall()), stop.load(Ordering::Relaxed)),
        };
        if stopped && self.partitions.iter().any(|partition| !partition.at_end) {
            self.settings.abandoned.store(true, Ordering::Relaxed);
            return Next::WhenTheFrontierMoves;
        }
        if stopped {
            self.spare.clear();
        } else if let (Mode::Live { idle_allowance, .. }, Some(wall)) = (&self.settings.mode, wall) {
            self.look_around(wall.saturating_sub(*idle_allowance));
        }
        self.announce();
        self.stepped = wall.unwrap_or_default();
        let around = self.surroundings(wall);
        self.ahead.passed(frontier);
        let mut next = if self.spare.is_empty() { Next::WhenTheFrontierMoves } else { Next::Soon };
        let mut partitions = std::mem::take(&mut self.partitions);
        let count = partitions.len();
        partitions.retain_mut(|partition| {
            if stopped {
                end_partition(partition, partition.course.clock.now(), ports);
                self.settings.counters.end(partition.course.topic, partition.course.number);
                return false;
            }
            partition.lead.passed(frontier.map(|tick| around.clock.interval_of(tick)));
            // A partition that holds the frontier is never paused: all others wait for it.
            let holds_frontier = frontier.is_none_or(|frontier| partition.capabilities.tick() <= frontier);
            let Some(allowance) = self.ahead.allowance(&partition.lead, holds_frontier, count) else { return true };
            match self.read_stride(partition, allowance, around, ports) {
                Ok(Read::Ended) => {
                    // A partition of which nothing was read does not move time.
                    let told = (partition.course.offset > partition.begin).then(|| partition.course.clock.told());
                    let end_of_time = Some(self.settings.script.end_of_time).filter(|time| *time > EffectiveTime::ZERO);
                    if let Some(clock) = told.max(end_of_time) {
                        end_partition(partition, clock, ports);
                    }
                    self.settings.counters.end(partition.course.topic, partition.course.number);
                    false
                }
                Ok(Read::More) => {
                    next = next.max(Next::Now);
                    true
                }
                Ok(Read::Idle) => {
                    next = next.max(Next::Soon);
                    true
                }
                Err(error) => {
                    (self.settings.failure)(error);
                    false
                }
            }
        });
        self.partitions = partitions;
        next
    }

    /// How long to rest while there is nothing to read.
    fn rest(&self) -> Duration {
        match &self.settings.mode {
            Mode::Bounded => rest::LEAST,
            Mode::Live { wall, idle_allowance, .. } => until_the_next_tick(self.settings.clock, *idle_allowance, self.stepped, wall()),
        }
    }

    /// Announces each partition's committed offset, for tools that show lag.
    fn announce(&mut self) {
        let Some(reader) = self.reader.as_mut() else { return };
        for (name, offset) in self.progress.take_committed() {
            let partition = self.partitions.iter().find(|partition| partition.progress == name);
            if let Some(Err(error)) = partition.map(|partition| reader.announce(partition.slot, offset)) {
                tracing::debug!(error = with_causes(&error), "an offset was not announced");
            }
        }
    }

    /// Adds discovered partitions; their first records get at least the clock of the discovery.
    fn look_around(&mut self, now: EffectiveTime) {
        let found: Vec<_> = match self.settings.discovered.lock() {
            Ok(discovered) => discovered.get(self.looked_at..).unwrap_or_default().to_vec(),
            Err(_) => Vec::new(),
        };
        self.looked_at += found.len();
        let spare = std::mem::take(&mut self.spare);
        for (topic, state) in found {
            let begin = spare.first().map_or(EffectiveTime::ZERO, |capability| self.settings.clock.start_of(*capability.time()));
            if reads(topic, state.partition, self.index, self.peers)
                && let Err(error) = self.assign(topic, state, &spare, begin.max(self.settings.start_clock))
            {
                (self.settings.failure)(error);
            }
        }
        self.spare = spare;
        let tick = self.settings.clock.tick_of(now.max(self.settings.start_clock));
        for capability in self.spare.iter_mut().filter(|capability| *capability.time() < tick) {
            capability.downgrade(&tick);
        }
    }

    /// Reads a stride of a partition and sends the results.
    fn read_stride(
        &mut self,
        partition: &mut Partition,
        allowance: Allowance,
        around: Surroundings,
        ports: &mut Ports,
    ) -> Result<Read, TransportError> {
        let Some(reader) = self.reader.as_mut() else { return Ok(Read::Ended) };
        if partition.end.is_some_and(|end| partition.course.offset >= end) {
            self.place(partition);
            return Ok(Read::Ended);
        }
        self.stride.clear();
        if let Some(held) = partition.held.take()
            && partition.course.read(held.record(), around, &mut self.stride)? == Reading::AwaitsSchema
        {
            partition.held = Some(held);
            return Ok(Read::Idle);
        }
        let mut status = ReadStatus::More;
        if !partition.course.is_past && !self.stride.has_used_up(allowance) {
            let max_records = self.settings.stride.max(1);
            status = hand_out(reader.as_mut(), partition, &mut self.stride, max_records, around, allowance)?;
        }
        send(partition, &mut self.stride, ports);
        if status == ReadStatus::End {
            partition.at_end = true;
            if let (Mode::Live { idle_allowance, .. }, Some(wall)) = (&self.settings.mode, around.wall) {
                partition.course.clock.lift(wall.saturating_sub(*idle_allowance));
            }
        } else {
            partition.at_end = false;
        }
        self.settle(partition, around);
        // An end that is reached after the run began is at or after the end at the beginning.
        let at_bound =
            partition.course.is_past || partition.end.is_some_and(|end| partition.course.offset >= end || status == ReadStatus::End);
        Ok(match status {
            _ if at_bound => Read::Ended,
            ReadStatus::More => Read::More,
            ReadStatus::Waiting | ReadStatus::End if self.stride.records > 0 => Read::More,
            ReadStatus::Waiting | ReadStatus::End => Read::Idle,
        })
    }

    /// Advances the partition's clock, and notes where a restart would resume.
    fn settle(&mut self, partition: &mut Partition, around: Surroundings) {
        let topic = partition.course.topic;
        let tick = around.clock.tick_of(partition.course.clock.now());
        partition.capabilities.downgrade(tick);
        self.stride.decoded.iter().for_each(|(tick, bytes)| self.ahead.add(*tick, *bytes));
        self.stride.crossings.iter().for_each(|crossing| partition.lead.enter(around.clock.interval_of(crossing.tick)));
        let (position, clock) = (partition.course.position(), partition.course.clock.now());
        self.progress.read(partition.progress, self.stride.crossings.drain(..), position, clock);
        if self.stride.records > 0 {
            self.settings.counters.arrived(tick);
        }
        self.settings.counters.count(topic, self.stride.records, self.stride.bytes);
        self.place(partition);
    }

    fn place(&self, partition: &Partition) {
        let high = self.reader.as_ref().and_then(|reader| reader.high_watermark(partition.slot)).unwrap_or_default();
        let position = PartitionPosition {
            begin: partition.begin,
            offset: partition.course.offset,
            high: high.max(partition.course.offset),
            clock: partition.course.clock.now(),
            at_end: partition.at_end,
            ended: false,
        };
        self.settings.counters.place(partition.course.topic, partition.course.number, position);
    }
}

/// Reads records of a partition until the stride ends, or a record has to wait for its schema.
fn hand_out(
    reader: &mut dyn Reader,
    partition: &mut Partition,
    stride: &mut Stride,
    max_records: usize,
    around: Surroundings,
    allowance: Allowance,
) -> Result<ReadStatus, TransportError> {
    let Partition { course, held, end, slot, .. } = partition;
    let mut refused = None;
    let status = reader.read(*slot, max_records, &mut |record| {
        if end.is_some_and(|end| record.offset >= end) {
            // Records that arrived after the run began belong to the next run.
            course.is_past = true;
            return ControlFlow::Break(());
        }
        match course.read(record, around, stride) {
            Ok(Reading::Done) if course.is_past || stride.has_used_up(allowance) => ControlFlow::Break(()),
            Ok(Reading::Done) => ControlFlow::Continue(()),
            Ok(Reading::AwaitsSchema) => {
                *held = Some(HeldRecord::copy_of(record));
                ControlFlow::Break(())
            }
            Err(error) => {
                refused = Some(error);
                ControlFlow::Break(())
            }
        }
    })?;
    refused.map_or(Ok(status), Err)
}

/// Result of reading a stride.
enum Read {
    More,
    Idle,
    Ended,
}

/// The capabilities for a topic's outputs, from the operator's initial ones: one per topic, then the others.
fn capabilities_of(topic: Topic, tick: Tick, all: &[Capability<Tick>]) -> Option<Capabilities> {
    let output = |index: usize| all.get(index).map(|capability| capability.delayed(&tick));
    Some(Capabilities {
        events: output(usize::from(topic.rank()))?,
        dead_letters: output(Topic::COUNT)?,
        remap: output(Topic::COUNT + 1)?,
        audit: output(Topic::COUNT + 2)?,
        ends: output(Topic::COUNT + 3)?,
    })
}

/// Sends the results of a stride, one message per output: nothing is moved item by item.
fn send(partition: &Partition, stride: &mut Stride, ports: &mut Ports) {
    let capabilities = &partition.capabilities;
    if let Some(port) = ports.events.get_mut(usize::from(partition.course.topic.rank())) {
        send_whole(port, &capabilities.events, &mut stride.events);
    }
    send_whole(&mut ports.dead_letters, &capabilities.dead_letters, &mut stride.dead_letters);
    send_whole(&mut ports.audit, &capabilities.audit, &mut stride.audit);
    send_whole(&mut ports.remap, &capabilities.remap, &mut stride.remap);
}

fn send_whole<D: Clone + 'static>(port: &mut Port<D>, capability: &Capability<Tick>, data: &mut Vec<D>) {
    if !data.is_empty() {
        port.activate().session(capability).give_container(data);
    }
}

/// Emits the clock at which a partition ended.
fn end_partition(partition: &Partition, clock: EffectiveTime, ports: &mut Ports) {
    ports.ends.activate().session(&partition.capabilities.ends).give(clock);
}
