//! Results that must not depend on when partitions pause: places, rejected, remapped and audited records, the clocks at which
//! partitions end, and the offsets of commits. The fed-back frontier comes from an operator that is slower than the source.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use headwater_schemas::events::Event;
use headwater_schemas::tables::{Audit, DeadLetter, Remap};
use headwater_schemas::{EffectiveTime, Nanos, Placed, Tick, Topic};
use proptest::prelude::*;
use timely::WorkerConfig;
use timely::communication::Config as CommunicationConfig;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::core::feedback::{ConnectLoop, Feedback};
use timely::dataflow::operators::generic::operator::Operator;
use timely::dataflow::operators::vec::{Filter, Map};
use timely::dataflow::operators::{Concatenate, Inspect};
use timely::worker::Worker;

use super::super::{Mode, SourceProgress, SourceSettings, source};
use super::{GRID_TICKS, MS, MemoryLog, instrument, quote, unbounded};
use crate::parquet::record::PartitionProgress;

/// A run that takes longer is stuck.
const DEADLINE: Duration = Duration::from_secs(60);

/// The wall clock of live runs, in milliseconds: some records are from its future.
const WALL_MS: u64 = 20_000_000;

/// Difference of a record from the previous one.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Later by this many milliseconds.
    Later(u64),
    /// Earlier by this many milliseconds: late.
    Earlier(u64),
    /// Not an event.
    Bad,
    /// An instrument, an event without a time, in place of a quote.
    Timeless,
}

fn step() -> impl Strategy<Value = Step> {
    let gaps = prop_oneof![Just(0_u64), Just(1), Just(10), Just(300), Just(1_000), Just(70_000), Just(3_600_000)];
    prop_oneof![
        4 => gaps.prop_map(Step::Later),
        1 => (1..5_000_u64).prop_map(Step::Earlier),
        1 => Just(Step::Bad),
        1 => Just(Step::Timeless),
    ]
}

/// The records of some partitions: quotes from a first time on, and instruments.
fn partitions() -> impl Strategy<Value = Vec<(u64, Vec<Step>)>> {
    let first = prop_oneof![Just(1_000_u64), Just(1_500), Just(3_600_000), Just(9_000_000)];
    proptest::collection::vec((first, proptest::collection::vec(step(), 0..24)), 1..6)
}

fn log_of(partitions: &[(u64, Vec<Step>)]) -> MemoryLog {
    let log = MemoryLog::default();
    for (partition, (first, steps)) in (0..).zip(partitions) {
        log.add_partition(Topic::Quotes.as_str(), partition);
        let mut ms = *first;
        for (number, step) in steps.iter().enumerate() {
            match step {
                Step::Later(by) => {
                    ms += by;
                    log.append(Topic::Quotes.as_str(), partition, quote(ms));
                }
                Step::Earlier(by) => log.append(Topic::Quotes.as_str(), partition, quote(ms.saturating_sub(*by))),
                Step::Bad => log.append(Topic::Quotes.as_str(), partition, "{"),
                Step::Timeless => log.append(Topic::Instruments.as_str(), partition, instrument(number)),
            }
        }
    }
    log
}

/// Parameters of a run: workers, strides and bounds.
#[derive(Clone, Copy, Debug)]
struct Way {
    workers: usize,
    stride: usize,
    budget_bytes: u64,
    grid_lead: usize,
}

const UNBOUNDED: Way = Way { workers: 1, stride: 1024, budget_bytes: u64::MAX, grid_lead: usize::MAX };

fn way() -> impl Strategy<Value = Way> {
    let budget = prop_oneof![Just(0), 1..2_000_u64, 2_000..20_000_u64, Just(u64::MAX)];
    let lead = prop_oneof![1..4_usize, Just(usize::MAX)];
    let way = |(workers, stride, budget_bytes, grid_lead)| Way { workers, stride, budget_bytes, grid_lead };
    (1..4_usize, 1..9_usize, budget, lead).prop_map(way)
}

/// Everything that a run emits.
#[derive(Debug, Default, PartialEq)]
struct Outcome {
    /// The events of each partition, in order of arrival.
    events: BTreeMap<(Topic, u16), Vec<Placed<Event>>>,
    dead_letters: BTreeSet<DeadLetter>,
    remap: BTreeSet<Remap>,
    audit: BTreeSet<Audit>,
    /// The clocks at which partitions ended, ascending.
    ends: Vec<EffectiveTime>,
    /// Resume positions of each partition after a commit, by the commit's end tick.
    commits: BTreeMap<Tick, BTreeMap<(String, u16), PartitionProgress>>,
}

/// One output of a run.
enum Said {
    Events(Vec<Placed<Event>>),
    DeadLetter(DeadLetter),
    Remap(Remap),
    Audit(Audit),
    End(EffectiveTime),
    Commit(Tick, Vec<PartitionProgress>),
}

impl Outcome {
    fn add(&mut self, said: Said) {
        match said {
            Said::Events(events) => {
                for event in events {
                    let partition = (event.event.topic(), event.place.partition);
                    self.events.entry(partition).or_default().push(event);
                }
            }
            Said::DeadLetter(row) => assert!(self.dead_letters.insert(row), "a dead letter twice"),
            Said::Remap(row) => assert!(self.remap.insert(row), "a row of remap twice"),
            Said::Audit(row) => assert!(self.audit.insert(row), "a row of the audit twice"),
            Said::End(clock) => self.ends.push(clock),
            Said::Commit(tick, progress) => {
                let progress = progress.into_iter().map(|progress| ((progress.topic.clone(), progress.partition), progress));
                self.commits.entry(tick).or_default().extend(progress);
            }
        }
    }
}

/// The end ticks of the commits of a run, ascending: every grid point at first, then some.
fn commits() -> impl Iterator<Item = Tick> {
    (0..100_u64).chain((100..100_000).step_by(500)).map(|seconds| Tick::new(seconds * GRID_TICKS))
}

/// Runs a source to its end: over the log, or live with a wall clock that does not move.
fn run(log: &MemoryLog, way: Way, live: bool) -> Result<Outcome, Box<dyn std::error::Error>> {
    let Way { workers, stride, budget_bytes, grid_lead } = way;
    let stop = Arc::new(AtomicBool::new(false));
    // Without an allowance: a partition that was read up to the wall clock pauses until the others are there, too, and this wall
    // clock does not move.
    let following_the_wall =
        Mode::Live { wall: Arc::new(|| EffectiveTime::new(WALL_MS * MS)), idle_allowance: Nanos::ZERO, stop: Arc::clone(&stop) };
    let mode = if live { following_the_wall } else { Mode::Bounded };
    let settings = SourceSettings { stride, budget_bytes, grid_lead, audit: true, mode, ..unbounded(log)? };
    let partitions: usize = settings.partitions.values().map(Vec::len).sum();
    let (said, outcome) = channel();
    let said = Mutex::new(said);
    let began = Instant::now();
    let (builders, guard) = CommunicationConfig::Process(workers).try_build()?;
    let work = move |worker: &mut Worker| {
        let Ok(said) = said.lock().map(|said| said.clone()) else { return };
        let progress = SourceProgress::default();
        build(worker, settings.clone(), progress.clone(), &said);
        while worker.has_dataflows() {
            worker.step_or_park(Some(Duration::from_millis(1)));
            let positions = settings.counters.partitions();
            if live && positions.len() == partitions && positions.values().all(|position| position.at_end) {
                stop.store(true, Ordering::Relaxed);
            }
            assert!(began.elapsed() < DEADLINE, "no end: {way:?}, {positions:?}");
        }
        assert!(!settings.abandoned.load(Ordering::Relaxed), "nothing was left to read");
        commits().for_each(|end_tick| drop(said.send(Said::Commit(end_tick, progress.at(end_tick)))));
    };
    let guards = timely::execute::execute_from(builders, guard, WorkerConfig::default(), work)?;
    guards.join().into_iter().collect::<Result<Vec<()>, _>>()?;
    let mut all = Outcome::default();
    outcome.try_iter().for_each(|said| all.add(said));
    all.ends.sort_unstable();
    Ok(all)
}

/// A source, and a dataflow that records its outputs and passes them slowly.
fn build(worker: &mut Worker, settings: SourceSettings, progress: SourceProgress, said: &Sender<Said>) {
    worker.dataflow::<Tick, _, _>(|scope| {
        let (handle, frontier) = scope.feedback::<Vec<()>>(0);
        let output = source(scope, settings, frontier, progress);
        let mut streams = Vec::new();
        for events in output.events.into_values() {
            let to = said.clone();
            streams.push(events.inspect_batch(move |_, events| drop(to.send(Said::Events(events.to_vec())))).map(|_| ()));
        }
        let to = said.clone();
        streams.push(output.dead_letters.inspect(move |(row, _, _)| drop(to.send(Said::DeadLetter(row.clone())))).map(|_| ()));
        let to = said.clone();
        streams.push(output.remap.inspect(move |(row, _, _)| drop(to.send(Said::Remap(row.clone())))).map(|_| ()));
        let to = said.clone();
        streams.push(output.audit.inspect(move |(row, _, _)| drop(to.send(Said::Audit(row.clone())))).map(|_| ()));
        let to = said.clone();
        streams.push(output.ends.inspect(move |clock| drop(to.send(Said::End(*clock)))).map(|_| ()));
        slowly(scope.concatenate(streams)).filter(|_| false).connect_loop(handle);
    });
}

/// Delays time: it advances in steps of half the remaining distance.
fn slowly(stream: StreamVec<'_, Tick, ()>) -> StreamVec<'_, Tick, ()> {
    let scope = stream.scope();
    stream.unary_frontier::<CapacityContainerBuilder<Vec<()>>, _, _, _>(Pipeline, "slow", move |capability, info| {
        let activator = scope.activator_for(info.address);
        let mut held = Some(capability);
        move |(input, frontier), _| {
            input.for_each(|_, units| units.clear());
            let Some(capability) = held.as_mut() else { return };
            let Some(frontier) = frontier.frontier().first().copied() else {
                held = None;
                return;
            };
            let (reached, frontier) = (capability.time().get(), frontier.get());
            let left = frontier.saturating_sub(reached);
            if left > 0 {
                capability.downgrade(&Tick::new(reached + left.div_ceil(2)));
                activator.activate();
            }
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn only_when_records_are_read_depends_on_pauses(partitions in partitions(), way in way(), live in any::<bool>()) {
        let log = log_of(&partitions);
        let expected = run(&log, UNBOUNDED, live).map_err(|error| TestCaseError::fail(error.to_string()))?;
        let paused = run(&log, way, live).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(paused, expected);
    }
}
