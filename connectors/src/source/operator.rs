//! The source as a timely operator.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use headwater_schemas::events::Event;
use headwater_schemas::tables::{Audit, DeadLetter, Remap};
use headwater_schemas::{Clock, EventTime, Placed, Topic};
use rustc_hash::FxHasher;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::{Scope, StreamVec};
use timely::progress::Antichain;

use super::ahead::{Allowance, GridLead, ReadAhead};
use super::partition::{Addition, Capabilities, Course, Partition, Stride, Surroundings};
use super::progress::{Position, SourceProgress};
use super::rest::{self, Alarm, until_the_next_tick};
use super::script::{Repeated, Script};
use super::{Mode, PartitionPosition, SourceCounters};
use crate::fault::with_causes;
use crate::transport::{PartitionState, ReadStatus, Reader, Transport, TransportError};

/// Called with an error that ends the run. It is called once, by the worker that met it.
pub type Failure = Arc<dyn Fn(TransportError) + Send + Sync>;

/// What a source reads and how.
#[derive(Clone)]
pub struct SourceSettings {
    /// Where the topics are.
    pub transport: Arc<dyn Transport>,
    /// The partitions of each topic at the run's beginning; the same on every worker.
    pub partitions: Arc<BTreeMap<Topic, Vec<PartitionState>>>,
    /// A topic's name outside, where it is not its own.
    pub names: Arc<BTreeMap<Topic, String>>,
    /// Where to begin, for partitions that don't begin at their first record.
    pub start: Arc<BTreeMap<(Topic, u16), Position>>,
    /// No clock is below, in nanoseconds since the epoch: where the run before ended.
    pub start_clock: u64,
    /// In a bounded run, the greatest event time that is taken where records have no timestamp of their transport: the wall clock at
    /// its start and a day.
    pub latest: u64,
    /// The steps of time. Commits close at grid points.
    pub clock: Clock,
    /// Whether accepted records get rows in `audit`.
    pub audit: bool,
    /// Nanoseconds that an event may count later than its own time without being late: what its corrections are called by.
    pub late_after: u64,
    /// Records that are read of a partition before the next one has its turn.
    pub stride: usize,
    /// Bytes that events may take in memory, of all partitions of this worker, from when they are read until the frontier of
    /// all results has passed them. What counts at one tick is held whole, however much it is.
    pub budget_bytes: u64,
    /// Grid points with records that a partition may be ahead of the frontier of all results, at least 1.
    pub grid_lead: usize,
    /// Partitions that were found while a live run goes on: only ever added to.
    pub discovered: Arc<Mutex<Vec<(Topic, PartitionState)>>>,
    /// What a replay follows.
    pub script: Arc<Script>,
    /// How time goes on.
    pub mode: Mode,
    /// Set by a live run that is told to stop while records are left to read: nothing more is to be committed then, because
    /// time would go on past them.
    pub abandoned: Arc<AtomicBool>,
    /// Where it is counted what happened.
    pub counters: Arc<SourceCounters>,
    /// Where errors go that end the run.
    pub failure: Failure,
}

/// What a source says.
pub struct SourceOutput<'scope> {
    /// The events of each topic.
    pub events: BTreeMap<Topic, StreamVec<'scope, u64, Placed<Event>>>,
    /// What could not be taken.
    pub dead_letters: StreamVec<'scope, u64, (DeadLetter, u64, isize)>,
    /// What the wall clock decided.
    pub remap: StreamVec<'scope, u64, (Remap, u64, isize)>,
    /// What was accepted.
    pub audit: StreamVec<'scope, u64, (Audit, u64, isize)>,
    /// The clocks at which this worker's partitions ended.
    pub ends: StreamVec<'scope, u64, u64>,
}

type Builder<D> = CapacityContainerBuilder<Vec<D>>;
type Port<D> = OutputBuilder<u64, Builder<D>>;

/// Builds the source. `frontier` is the frontier of all results, fed back: what it has passed is no longer held.
pub fn source<'scope>(
    scope: Scope<'scope, u64>,
    settings: SourceSettings,
    frontier: StreamVec<'scope, u64, ()>,
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

/// Which worker reads a partition.
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
    ends: Port<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Next {
    WhenTheFrontierMoves,
    Soon,
    Now,
}

/// The partitions that this worker reads.
struct Source {
    settings: SourceSettings,
    reader: Option<Box<dyn Reader>>,
    partitions: Vec<Partition>,
    progress: SourceProgress,
    stride: Stride,
    ahead: ReadAhead,
    /// Which worker this is, of how many.
    index: usize,
    peers: usize,
    /// In a live run, the right to send that a partition gets which is found later. Like a partition that is read to its
    /// end, it follows the wall clock.
    spare: Vec<Capability<u64>>,
    /// How many of the partitions that were found are looked at.
    looked_at: usize,
    /// In a live run, the wall clock at the last step.
    stepped: u64,
}

impl Source {
    fn open(
        settings: SourceSettings,
        capabilities: Vec<Capability<u64>>,
        index: usize,
        peers: usize,
        progress: SourceProgress,
        wake: Box<dyn Fn() + Send + Sync>,
    ) -> Self {
        let (transport, names) = (Arc::clone(&settings.transport), Arc::clone(&settings.names));
        progress.prove_with(Box::new(move |topic, partition, offset| {
            let name = Topic::from_word(topic).and_then(|topic| names.get(&topic)).map_or(topic, String::as_str);
            // What cannot be looked at cannot be read on either, which is reported.
            transport.fingerprint(name, partition, offset).ok().flatten()
        }));
        let mut source = Self {
            ahead: ReadAhead::new(settings.budget_bytes, settings.grid_lead),
            settings,
            reader: None,
            partitions: Vec::new(),
            progress,
            stride: Stride::default(),
            index,
            peers,
            spare: Vec::new(),
            looked_at: 0,
            stepped: 0,
        };
        match source.settings.transport.reader(wake) {
            Ok(reader) => source.reader = Some(reader),
            Err(error) => (source.settings.failure)(error),
        }
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

    /// Begins to read a partition. No clock of it is below `not_before`, in nanoseconds.
    fn assign(
        &mut self,
        topic: Topic,
        state: PartitionState,
        capabilities: &[Capability<u64>],
        not_before: u64,
    ) -> Result<(), TransportError> {
        let repeated = match &self.settings.script.partitions {
            Some(partitions) => match partitions.get(&(topic, state.partition)) {
                Some(repeated) => *repeated,
                None => return Ok(()), // The run that is repeated did not know it.
            },
            None => Repeated { end: u64::MAX, since: 0 },
        };
        let Some(reader) = self.reader.as_mut() else { return Ok(()) };
        let start = self.settings.start.get(&(topic, state.partition)).copied();
        let start = start.unwrap_or(Position { offset: state.low, ..Position::default() });
        let name = self.settings.names.get(&topic).map_or(topic.as_str(), String::as_str);
        let slot = reader.assign(name, state.partition, start.offset)?;
        let around = self.surroundings(None);
        let course = Course::resuming(topic, state.partition, start, not_before, around, &self.settings.script);
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
            lead: GridLead::default(),
            capabilities,
        });
        Ok(())
    }

    fn surroundings(&self, wall: Option<u64>) -> Surroundings {
        let SourceSettings { clock, audit, late_after, latest, .. } = self.settings;
        // A live run may last longer than a day.
        let latest = wall.map_or(latest, |wall| wall.saturating_add(EventTime::DAY));
        Surroundings { clock, audit, late_after, latest, wall }
    }

    /// Gives every partition its turn.
    fn step(&mut self, frontier: Option<u64>, ports: &mut Ports) -> Next {
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
        self.stepped = wall.unwrap_or(0);
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
            // Whoever holds the frontier is never paused: everybody waits for it.
            let holds_frontier = frontier.is_none_or(|frontier| partition.capabilities.tick() <= frontier);
            let Some(allowance) = self.ahead.allowance(&partition.lead, holds_frontier, count) else { return true };
            match self.read_stride(partition, allowance, around, ports) {
                Ok(Read::Ended) => {
                    // What has read nothing moves no time.
                    let told = (partition.course.offset > partition.begin).then(|| partition.course.clock.told());
                    let end_of_time = Some(self.settings.script.end_of_time).filter(|time| *time > 0);
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

    /// Tells tools how far each partition is committed.
    fn announce(&mut self) {
        let Some(reader) = self.reader.as_mut() else { return };
        for (name, offset) in self.progress.take_committed() {
            let partition = self.partitions.iter().find(|partition| partition.progress == name);
            if let Some(Err(error)) = partition.map(|partition| reader.announce(partition.slot, offset)) {
                tracing::debug!(error = with_causes(&error), "an offset was not announced");
            }
        }
    }

    /// Takes in partitions that were found, and lets what they begin with follow the clock.
    fn look_around(&mut self, now: u64) {
        let found: Vec<_> = match self.settings.discovered.lock() {
            Ok(discovered) => discovered.get(self.looked_at..).unwrap_or_default().to_vec(),
            Err(_) => Vec::new(),
        };
        self.looked_at += found.len();
        let spare = std::mem::take(&mut self.spare);
        for (topic, state) in found {
            let begin = spare.first().map_or(0, |capability| self.settings.clock.start_of(*capability.time()));
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

    /// Reads a stride of a partition and sends what it became.
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
        let (end, course, stride) = (partition.end, &mut partition.course, &mut self.stride);
        let status = reader.read(partition.slot, self.settings.stride.max(1), &mut |record| {
            if end.is_none_or(|end| record.offset < end) {
                course.read(record, around, stride);
            } else {
                // What came after the run began belongs to the next run.
                course.is_past = true;
            }
            if course.is_past || stride.has_used_up(allowance) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
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
        // An end that is met after the run began lies behind everything that was there then.
        let at_bound =
            partition.course.is_past || partition.end.is_some_and(|end| partition.course.offset >= end || status == ReadStatus::End);
        Ok(match status {
            _ if at_bound => Read::Ended,
            ReadStatus::More => Read::More,
            ReadStatus::Waiting | ReadStatus::End if self.stride.records > 0 => Read::More,
            ReadStatus::Waiting | ReadStatus::End => Read::Idle,
        })
    }

    /// Lets the partition's time go on, and notes where a restart would read on.
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
        let high = self.reader.as_ref().and_then(|reader| reader.high_watermark(partition.slot)).unwrap_or(0);
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

/// How the reading of a stride ended.
enum Read {
    More,
    Idle,
    Ended,
}

/// The right to send on a topic's outputs, from the operator's first capabilities: one per topic, then the others.
fn capabilities_of(topic: Topic, tick: u64, all: &[Capability<u64>]) -> Option<Capabilities> {
    let output = |index: usize| all.get(index).map(|capability| capability.delayed(&tick));
    Some(Capabilities {
        events: output(usize::from(topic.rank()))?,
        dead_letters: output(Topic::COUNT)?,
        remap: output(Topic::COUNT + 1)?,
        audit: output(Topic::COUNT + 2)?,
        ends: output(Topic::COUNT + 3)?,
    })
}

/// Sends what a stride became. Each kind of thing is one message: nothing is moved one by one.
fn send(partition: &Partition, stride: &mut Stride, ports: &mut Ports) {
    let capabilities = &partition.capabilities;
    if let Some(port) = ports.events.get_mut(usize::from(partition.course.topic.rank())) {
        send_whole(port, &capabilities.events, &mut stride.events);
    }
    send_whole(&mut ports.dead_letters, &capabilities.dead_letters, &mut stride.dead_letters);
    send_whole(&mut ports.audit, &capabilities.audit, &mut stride.audit);
    send_whole(&mut ports.remap, &capabilities.remap, &mut stride.remap);
}

fn send_whole<D: Clone + 'static>(port: &mut Port<D>, capability: &Capability<u64>, data: &mut Vec<D>) {
    if !data.is_empty() {
        port.activate().session(capability).give_container(data);
    }
}

/// Says at which clock a partition ended.
fn end_partition(partition: &Partition, clock: u64, ports: &mut Ports) {
    ports.ends.activate().session(&partition.capabilities.ends).give(clock);
}
