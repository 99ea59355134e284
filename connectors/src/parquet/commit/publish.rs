//! Publishing a commit's record, on worker 0.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use headwater_schemas::tables::TableSpec;
use headwater_schemas::{EffectiveTime, Tick};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::operator::Operator;
use timely::dataflow::{Scope, StreamVec};
use timely::scheduling::SyncActivator;

use super::close::InFlight;
use super::{ChainEnd, Close, CommitError, CommitSettings, Committed, Report, Step};
use crate::parquet::chain::{ChainError, Live};
use crate::parquet::directory::{merged_staging, name_last, record_path, staging_folder};
use crate::parquet::durable;
use crate::parquet::record::{CommitRecord, FORMAT_VERSION, GENESIS};
use crate::parquet::records::keep;
use crate::parquet::upkeep::merger::{Merger, Upkept};
use crate::parquet::upkeep::sweeper::{Left, Place, Sweeper};

/// A commit whose files are complete.
pub(super) struct Complete {
    pub(super) close: Close,
    pub(super) began: Instant,
    pub(super) reports: Vec<Report>,
}

/// Publishes each commit's record in order, once every worker has reported, and emits published commits. The dataflow lasts
/// until all are published.
pub(super) fn publish<'scope>(
    scope: Scope<'scope, Tick>,
    settings: CommitSettings,
    specs: Vec<TableSpec>,
    in_flight: &Rc<RefCell<InFlight>>,
    reports: StreamVec<'scope, Tick, Report>,
) -> StreamVec<'scope, Tick, Committed> {
    let (peers, leads, in_flight) = (scope.peers(), scope.index() == 0, Rc::clone(in_flight));
    let to_leader = Exchange::new(|_: &Report| 0);
    reports.unary::<CapacityContainerBuilder<_>, _, _, _>(to_leader, "publish commits", move |_, info| {
        let wake = scope.worker().sync_activator_for(info.address.to_vec());
        let mut publisher = leads.then(|| PublisherThread::start(settings.clone(), specs, peers, wake));
        let mut held: Option<Capability<Tick>> = None;
        move |input, output| {
            let mut in_flight = in_flight.borrow_mut();
            input.for_each(|time, reports| {
                reports.drain(..).for_each(|report| in_flight.add(report));
                held.get_or_insert_with(|| time.retain(0));
            });
            let Some(publisher) = &mut publisher else { return };
            while let Some(complete) = in_flight.take_complete(peers) {
                publisher.give(complete);
            }
            loop {
                match publisher.published.try_recv() {
                    Ok(commit) => {
                        in_flight.published();
                        held.iter().for_each(|capability| output.session(capability).give(commit));
                    }
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => {
                        if publisher.panicked() {
                            (settings.failure)(CommitError::Writing { path: settings.data.clone() });
                        }
                        in_flight.fail();
                        break;
                    }
                }
            }
            if in_flight.is_empty() {
                held = None;
            }
        }
    })
}

/// The publishing thread. On drop it publishes the commits it was given, then ends.
struct PublisherThread {
    complete: Option<Sender<Complete>>,
    /// Each published commit; disconnected after a failure.
    published: Receiver<Committed>,
    thread: Option<JoinHandle<()>>,
}

impl PublisherThread {
    fn start(settings: CommitSettings, specs: Vec<TableSpec>, peers: usize, wake: SyncActivator) -> Self {
        let (complete, given) = channel::<Complete>();
        let (tell, published) = channel();
        let (failure, data) = (Arc::clone(&settings.failure), settings.data.clone());
        let thread = thread::Builder::new().name("publish".to_owned()).spawn(move || {
            // Dropped after the channel's sender, so that the operator wakes to an answer or to a closed channel.
            let wake = Waking(wake);
            let tell = tell;
            let failure = Arc::clone(&settings.failure);
            if let Err(error) = follow(settings, specs, peers, &given, &tell, &wake) {
                failure(error);
            }
        });
        let thread = thread.map_err(|error| failure(CommitError::file("starting a thread for publishing", data)(error))).ok();
        Self { complete: Some(complete), published, thread }
    }

    fn give(&self, complete: Complete) {
        // A thread that failed has reported its error.
        let _ = self.complete.as_ref().map(|sender| sender.send(complete));
    }

    /// Whether the thread has ended by a panic.
    fn panicked(&mut self) -> bool {
        self.thread.take().is_some_and(|thread| thread.join().is_err())
    }
}

impl Drop for PublisherThread {
    fn drop(&mut self) {
        drop(self.complete.take());
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Wakes an operator, and once more on drop.
struct Waking(SyncActivator);

impl Waking {
    fn wake(&self) {
        // If the worker is gone, nobody needs to wake.
        let _ = self.0.activate();
    }
}

impl Drop for Waking {
    fn drop(&mut self) {
        self.wake();
    }
}

fn follow(
    settings: CommitSettings,
    specs: Vec<TableSpec>,
    peers: usize,
    given: &Receiver<Complete>,
    tell: &Sender<Committed>,
    wake: &Waking,
) -> Result<(), CommitError> {
    let mut publisher = Publisher::begin(settings, specs, peers)?;
    while let Ok(complete) = given.recv() {
        publisher.publish(&complete)?;
        let Close { commit_id, end_tick, is_cut, .. } = complete.close;
        // The dataflow may have been dropped.
        let _ = tell.send(Committed { commit_id, end_tick, is_cut });
        wake.wake();
    }
    Ok(())
}

/// Publishes commits in order, each after the one before it.
struct Publisher {
    settings: CommitSettings,
    peers: usize,
    /// The last commit.
    last: ChainEnd,
    /// The files that exist.
    live: Live,
    /// Upkeep of the files; none where nothing is written.
    upkeep: Option<Upkeep>,
}

struct Upkeep {
    merger: Merger,
    sweeper: Sweeper,
}

impl Publisher {
    fn begin(settings: CommitSettings, specs: Vec<TableSpec>, peers: usize) -> Result<Self, CommitError> {
        let genesis = || ChainEnd { commit_id: 0, hash: GENESIS.to_owned(), end_tick: Tick::ZERO, end_clock: EffectiveTime::ZERO };
        let (last, live) = (settings.before.clone().unwrap_or_else(genesis), settings.existing.live.clone());
        let upkeep = if settings.discards { None } else { Some(Upkeep::begin(&settings, specs, last.commit_id)?) };
        Ok(Self { settings, peers, last, live, upkeep })
    }

    fn publish(&mut self, complete: &Complete) -> Result<(), CommitError> {
        let upkept = self.upkept(complete.close)?;
        let record = self.record_of(complete, upkept)?;
        self.make_known(&record)?;
        self.go_on(&record)?;
        (self.settings.published)(&record, complete.began.elapsed(), self.live.files().len());
        Ok(())
    }

    /// The merged files that a commit adds, renamed to their final names.
    fn upkept(&mut self, Close { commit_id, ends_run, .. }: Close) -> Result<Upkept, CommitError> {
        let Some(upkeep) = &mut self.upkeep else { return Ok(Upkept::default()) };
        let (merger, files) = (&mut upkeep.merger, self.live.files());
        let upkept = if ends_run { merger.finish(commit_id, files)? } else { merger.merge(commit_id, files)? };
        if !upkept.files.is_empty() {
            let data = &self.settings.data;
            let staging = merged_staging(data, commit_id);
            durable::rename_all(data, &staging, upkept.files.iter().map(|file| file.path.as_str()), || {})?;
            if let Some(remote) = &self.settings.remote {
                remote.send(data, &upkept.files)?;
            }
            (self.settings.steps)(Step::Merged, commit_id);
        }
        Ok(upkept)
    }

    fn record_of(&self, complete: &Complete, upkept: Upkept) -> Result<CommitRecord, CommitError> {
        let reports = &complete.reports;
        let mut files: Vec<_> = reports.iter().flat_map(|report| report.files.iter().cloned()).chain(upkept.files).collect();
        files.sort();
        let partitions = reports.iter().flat_map(|report| report.partitions.iter().cloned());
        let partitions: BTreeMap<_, _> = partitions.map(|partition| ((partition.topic.clone(), partition.partition), partition)).collect();
        let settings = &self.settings;
        let is_first = complete.close.commit_id == settings.before.as_ref().map_or(0, |end| end.commit_id) + 1;
        let mut record = CommitRecord {
            format_version: FORMAT_VERSION,
            commit_id: complete.close.commit_id,
            first_tick: settings.clock.tick_of(self.last.end_clock),
            end_tick: complete.close.end_tick,
            end_clock_ns: complete.close.end_clock,
            tick_interval_ns: settings.clock.tick_interval(),
            grid_interval_ns: settings.clock.grid_interval(),
            workers: u32::try_from(self.peers).unwrap_or(u32::MAX),
            configuration: settings.configuration.clone(),
            ends_run: complete.close.ends_run,
            files,
            replaced: upkept.replaced,
            dropped: upkept.dropped,
            partitions: partitions.into_values().collect(),
            gaps: if is_first { settings.gaps.clone() } else { Vec::new() },
            previous_hash: self.last.hash.clone(),
            hash: String::new(),
            committed_at: (settings.now_text)(),
        };
        record.hash = record.expected_hash().map_err(|cause| CommitError::Record { commit_id: record.commit_id, cause })?;
        Ok(record)
    }

    /// Publishes the record: from then on the commit exists.
    fn make_known(&self, record: &CommitRecord) -> Result<(), CommitError> {
        if self.settings.discards {
            return Ok(());
        }
        let (data, commit_id) = (self.settings.data.as_path(), record.commit_id);
        let failed = |cause| CommitError::Record { commit_id, cause };
        let text = serde_json::to_vec_pretty(record).map_err(failed)?;
        let reached = |step| (self.settings.steps)(step, commit_id);
        if let Some(remote) = &self.settings.remote {
            remote.publish(data, commit_id, &text)?;
            reached(Step::Shared);
            remote.receive(data, record)?;
        }
        durable::publish(&record_path(data, commit_id), &text)?;
        reached(Step::Published);
        name_last(data, commit_id, &record.hash)?;
        reached(Step::Headed);
        // Only now: before the record existed, the folders showed where files had been moved.
        let merged = Some(merged_staging(data, commit_id)).filter(|staging| staging.exists());
        // A process apart has removed its own.
        let staged = (0..self.peers).map(|worker| staging_folder(data, commit_id, worker)).filter(|staging| staging.exists());
        for staging in staged.chain(merged) {
            std::fs::remove_dir_all(&staging).map_err(CommitError::file("removing", staging))?;
        }
        reached(Step::Cleared);
        Ok(())
    }

    /// Takes note of a published commit.
    fn go_on(&mut self, record: &CommitRecord) -> Result<(), CommitError> {
        let CommitRecord { commit_id, end_tick, end_clock_ns: end_clock, .. } = *record;
        self.last = ChainEnd { commit_id, hash: record.hash.clone(), end_tick, end_clock };
        let Some(upkeep) = &mut self.upkeep else { return Ok(()) };
        let path = || record_path(&self.settings.data, record.commit_id);
        let damaged = |problem: String| ChainError::damaged(&path(), record.commit_id - 1, problem);
        let gone = self.live.apply(&keep(record.clone()).map_err(damaged)?);
        upkeep.sweeper.tell(Left { commit_id: record.commit_id, paths: gone.paths });
        Ok(())
    }
}

impl Upkeep {
    /// Starts the upkeep.
    fn begin(settings: &CommitSettings, specs: Vec<TableSpec>, last_id: u64) -> Result<Self, CommitError> {
        let merger = Merger::new(&settings.data, settings.upkeep.clone(), specs);
        let failure = Arc::clone(&settings.failure);
        let (reached, gone) = ((settings.existing.inventory, last_id), settings.existing.gone.clone());
        let steps = Arc::clone(&settings.steps);
        if let Some(remote) = &settings.remote {
            remote.tidy(&settings.data, &settings.existing, last_id)?;
        }
        let place = Place { data: settings.data.clone(), remote: settings.remote.clone() };
        let sweeper = Sweeper::start(place, settings.upkeep.clone(), reached, gone, steps, move |error| failure(error))?;
        Ok(Self { merger, sweeper })
    }
}
