//! A source whose fed-back frontier a test moves by hand.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier, Mutex, PoisonError};
use std::time::Duration;

use headwater_schemas::Tick;
use timely::WorkerConfig;
use timely::communication::Config as CommunicationConfig;
use timely::dataflow::ProbeHandle;
use timely::dataflow::operators::vec::Map;
use timely::dataflow::operators::{Concatenate, Input, Inspect, Probe};
use timely::worker::Worker;

use super::super::{SourceProgress, SourceSettings, source};

/// Steps of each worker after a move, all workers together: more than any message needs to arrive, and with their pauses
/// longer than a source with nothing to read rests.
const STEPS: usize = 64;
/// How long a worker with nothing to do waits in a step.
const PARK: Duration = Duration::from_micros(500);

/// Workers that do not settle for this long are dead.
const DEADLINE: Duration = Duration::from_secs(60);

/// A source on some workers.
pub(super) struct Harness {
    /// Senders of the fed-back frontier, by worker.
    frontiers: Vec<Sender<Option<Tick>>>,
    /// The frontier of the source's outputs, from each worker once it has settled.
    settled: Receiver<Option<Tick>>,
    /// What the workers sent since the last call.
    sent: Arc<Mutex<Vec<Sent>>>,
}

/// A sent message: sort key, sequence number among equal keys, and text.
type Sent = (String, usize, String);

impl Harness {
    /// Starts the workers.
    pub(super) fn new(workers: usize, settings: SourceSettings) -> Self {
        let (told, settled) = channel();
        let sent = Arc::<Mutex<Vec<Sent>>>::default();
        let barrier = Arc::new(Barrier::new(workers));
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..workers).map(|_| channel()).unzip();
        let receivers = Mutex::new(receivers.into_iter().map(Some).collect::<Vec<_>>());
        let log = Arc::clone(&sent);
        std::thread::spawn(move || {
            let (builders, guard) = CommunicationConfig::Process(workers).try_build().expect("workers in one process");
            let work = move |worker: &mut Worker| {
                let frontiers = receivers.lock().unwrap_or_else(PoisonError::into_inner)[worker.index()].take();
                drive(worker, settings.clone(), &frontiers.expect("each worker has one"), &barrier, &told, &log);
            };
            timely::execute::execute_from(builders, guard, WorkerConfig::default(), work).map(drop)
        });
        Self { frontiers: senders, settled, sent }
    }

    /// Moves the fed-back frontier, or closes it, and lets all workers run until nothing is left to do. Returns what they sent,
    /// by partition, one line per message: `topic/partition @tick: offsets`; then remapped records, the ends of partitions, and
    /// the frontier of the outputs.
    pub(super) fn done(&self, frontier: Option<u64>) -> Vec<String> {
        let frontier = frontier.map(Tick::new);
        self.frontiers.iter().for_each(|worker| worker.send(frontier).expect("the workers live"));
        let frontiers: Vec<_> = self.frontiers.iter().map(|_| self.settled.recv_timeout(DEADLINE).expect("the workers live")).collect();
        assert!(frontiers.iter().all(|frontier| *frontier == frontiers[0]), "not settled: {frontiers:?}");
        let mut sent = std::mem::take(&mut *self.sent.lock().unwrap_or_else(PoisonError::into_inner));
        sent.sort();
        let lines = sent.into_iter().map(|(_, _, line)| line);
        lines.chain([frontiers[0].map_or_else(|| "frontier none".to_owned(), |tick| format!("frontier {tick}"))]).collect()
    }
}

/// Builds the source on a worker and follows the fed-back frontier until its sender is dropped.
fn drive(
    worker: &mut Worker,
    settings: SourceSettings,
    frontiers: &Receiver<Option<Tick>>,
    barrier: &Barrier,
    told: &Sender<Option<Tick>>,
    sent: &Arc<Mutex<Vec<Sent>>>,
) {
    let probe = ProbeHandle::new();
    let mut input = Some(worker.dataflow::<Tick, _, _>(|scope| {
        let (input, frontier) = scope.new_input::<Vec<()>>();
        let output = source(scope, settings, frontier, SourceProgress::default());
        let push = |sent: &Arc<Mutex<Vec<Sent>>>, from: String, line: String| {
            let mut sent = sent.lock().unwrap_or_else(PoisonError::into_inner);
            let number = sent.len();
            sent.push((from, number, line));
        };
        let mut streams = Vec::new();
        for events in output.events.into_values() {
            let sent = Arc::clone(sent);
            let seen = events.inspect_batch(move |tick, events| {
                let Some(first) = events.first() else { return };
                let from = format!("{}/{}", first.event.topic(), first.place.partition);
                let offsets: Vec<_> = events.iter().map(|event| event.place.offset.to_string()).collect();
                push(&sent, format!("0 {from}"), format!("{from} @{tick}: {}", offsets.join(" ")));
            });
            streams.push(seen.map(|_| ()));
        }
        let log = Arc::clone(sent);
        let remap = output.remap.inspect(move |(row, _, _)| {
            let line = format!("remap {}/{} {}: {} ms", row.topic, row.partition, row.offset, row.clock.get() / super::MS);
            push(&log, "1".to_owned(), line);
        });
        let log = Arc::clone(sent);
        // The order in which workers report that a partition ended does not matter.
        let ends = output.ends.inspect(move |clock| {
            let line = format!("end {} ms", clock.get() / super::MS);
            push(&log, format!("2 {clock:020}"), line);
        });
        streams.extend([output.dead_letters.map(|_| ()), output.audit.map(|_| ()), remap.map(|_| ()), ends.map(|_| ())]);
        scope.concatenate(streams).probe_with(&probe);
        input
    }));
    while let Ok(frontier) = frontiers.recv() {
        match frontier {
            Some(tick) => input.iter_mut().for_each(|input| input.advance_to(tick)),
            None => input = None,
        }
        for _ in 0..STEPS {
            barrier.wait();
            worker.step_or_park(Some(PARK));
        }
        let frontier = probe.with_frontier(|frontier| frontier.first().copied());
        if told.send(frontier).is_err() {
            break;
        }
    }
    for dataflow in worker.installed_dataflows() {
        worker.drop_dataflow(dataflow);
    }
}
