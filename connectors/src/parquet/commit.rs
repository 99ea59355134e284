//! Committing as part of the dataflow: the closing tick out, rows down, reports in, the record published.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::operators::generic::operator::Operator;
use timely::dataflow::operators::vec::Broadcast;
use timely::dataflow::{Scope, StreamVec};
use timely::progress::Antichain;
use timely::scheduling::Activator;

use super::CommitError;
use super::buffer::{Tables, Target};
use super::chain::{Chain, ChainError, CommitFile, Live};
use super::directory::{head_path, merged_staging, record_path, staging_folder};
use super::durable;
use super::record::{CommitRecord, CommittedFile, FORMAT_VERSION, GENESIS, Head, PartitionProgress};
use super::records::{Records, keep};
use super::upkeep::UpkeepSettings;
use super::upkeep::merger::{Merger, Upkept};
use super::upkeep::sweeper::{Left, Sweeper};
use crate::source::SourceProgress;

/// Called with a commit's record, the time that it took, and how many files exist now.
pub type Published = Arc<dyn Fn(&CommitRecord, Duration, usize) + Send + Sync>;

/// A point in the making of a commit, in order. A process may die before or after any of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The closing tick is named.
    Closed,
    /// A worker's files are written, in staging.
    Staged,
    /// Their content has reached the disk.
    Synced,
    /// They have their names.
    Renamed,
    /// Their names have reached the disk.
    Settled,
    /// Merged files that the commit adds have their names.
    Merged,
    /// The record is there: from here on the commit exists.
    Published,
    /// `HEAD` names it.
    Headed,
    /// Its staging is gone.
    Cleared,
    /// The files are removed that it had replaced.
    Swept,
    /// Its record and those before it are in archives, and the inventory is there.
    Archived,
    /// What decides the order of what is published before this commit has reached the disk.
    Journaled,
    /// What it publishes is sent, but not certain yet.
    Sent,
    /// It is certain, together with the outbox's progress.
    Recorded,
}

impl Step {
    /// All steps, in order.
    pub const ALL: [Self; 13] = [
        Self::Closed,
        Self::Staged,
        Self::Synced,
        Self::Renamed,
        Self::Settled,
        Self::Merged,
        Self::Published,
        Self::Headed,
        Self::Cleared,
        Self::Swept,
        Self::Archived,
        Self::Sent,
        Self::Recorded,
    ];

    /// Its name, in lower case.
    pub fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }
}

/// Told of every step of every commit.
pub type Steps = Arc<dyn Fn(Step, u64) + Send + Sync>;

/// How commits are made.
#[derive(Clone)]
pub struct CommitSettings {
    /// The data directory.
    pub data: PathBuf,
    /// The last commit that is there already.
    pub before: Option<ChainEnd>,
    /// The hash of the configuration, which is kept.
    pub configuration: String,
    /// The time between commits, at least: they close at grid points.
    pub interval: Duration,
    /// Nanoseconds in a tick.
    pub tick_interval: u64,
    /// Nanoseconds between the grid points of valuations, a multiple of the tick: where commits close.
    pub grid_interval: u64,
    /// What was there before.
    pub existing: Existing,
    /// How the directory is kept small.
    pub upkeep: UpkeepSettings,
    /// Whether rows are let go instead of written, and no record is published: the run leaves nothing. What benches compare
    /// with.
    pub discards: bool,
    /// The ticks at which commits close, one after the other, if they are to close as those of another run did.
    pub closing_ticks: Option<Arc<Vec<u64>>>,
    /// What `committed_at` is made of: the wall clock as RFC 3339.
    pub now_text: Arc<dyn Fn() -> String + Send + Sync>,
    /// Told of every commit once it is published, on worker 0.
    pub published: Published,
    /// Told of every step, on the worker that takes it.
    pub steps: Steps,
    /// Told of the error that ends the run.
    pub failure: Arc<dyn Fn(CommitError) + Send + Sync>,
}

/// What there is already when a run begins.
#[derive(Clone, Debug, Default)]
pub struct Existing {
    /// The files that exist.
    pub live: Live,
    /// The commit of the inventory.
    pub inventory: u64,
    /// The files that are gone since then, and in which commits.
    pub gone: Vec<(u64, Vec<Arc<CommitFile>>)>,
}

impl Existing {
    /// At the end of a chain.
    pub fn of(chain: &Chain) -> Self {
        Self { live: chain.live().clone(), inventory: chain.inventory(), gone: chain.gone().to_vec() }
    }
}

/// The last commit of a chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainEnd {
    /// Its number.
    pub commit_id: u64,
    /// Its hash.
    pub hash: String,
    /// The tick behind the last one that it holds.
    pub end_tick: u64,
}

/// Everything below a tick is complete: write it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Close {
    commit_id: u64,
    end_tick: u64,
}

/// What a worker has written of a commit.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Report {
    commit_id: u64,
    files: Vec<CommittedFile>,
    partitions: Vec<PartitionProgress>,
}

/// What worker 0 knows of the commits in progress, shared by the operator that closes and the one that publishes.
struct Ledger {
    /// The commit that workers are writing now.
    open: Option<Open>,
    last_id: u64,
    last_end_tick: u64,
    last_hash: Option<String>,
    /// The files that exist.
    live: Live,
    /// What keeps them few; none where nothing is written.
    upkeep: Option<Upkeep>,
    /// Wakes the closing operator once the open commit is published.
    closer: Option<Activator>,
    failed: bool,
}

struct Upkeep {
    merger: Merger,
    sweeper: Sweeper,
}

struct Open {
    close: Close,
    began: Instant,
    reports: Vec<Report>,
}

/// Adds the commit of `tables` to the dataflow. `done` carries the frontier of everything that goes into them, `ends` the
/// clocks at which all workers' partitions ended.
pub fn commit<'scope>(
    scope: Scope<'scope, u64>,
    settings: CommitSettings,
    tables: Tables,
    progress: SourceProgress,
    done: StreamVec<'scope, u64, ()>,
    ends: StreamVec<'scope, u64, u64>,
) {
    let before = settings.before.clone();
    let ledger = Rc::new(RefCell::new(Ledger {
        last_id: before.as_ref().map_or(0, |end| end.commit_id),
        last_end_tick: before.as_ref().map_or(0, |end| end.end_tick),
        last_hash: before.map(|end| end.hash),
        open: None,
        live: settings.existing.live.clone(),
        upkeep: None,
        closer: None,
        failed: false,
    }));
    if scope.index() == 0 && !settings.discards {
        let begun = upkeep(&settings, &tables, &ledger.borrow());
        match begun {
            Ok(upkeep) => ledger.borrow_mut().upkeep = Some(upkeep),
            Err(error) => (settings.failure)(error),
        }
    }
    let closes = close(scope, &settings, Rc::clone(&ledger), done, ends).broadcast();
    let reports = write(&settings, tables, progress, scope.index(), closes);
    publish(settings, ledger, scope.peers(), reports);
}

/// Starts the upkeep, on worker 0, with the plan that the run before did not come to add.
fn upkeep(settings: &CommitSettings, tables: &Tables, ledger: &Ledger) -> Result<Upkeep, CommitError> {
    let mut merger = Merger::new(&settings.data, settings.upkeep.clone(), tables.specs());
    if let Some(planned) = merger.unfinished(ledger.last_id) {
        let record = Records::new(&settings.data).record(planned)?;
        merger.begin(planned, record.end_tick.saturating_mul(settings.tick_interval), ledger.live.files())?;
    }
    let failure = Arc::clone(&settings.failure);
    let (reached, gone) = ((settings.existing.inventory, ledger.last_id), settings.existing.gone.clone());
    let steps = Arc::clone(&settings.steps);
    let sweeper = Sweeper::start(&settings.data, settings.upkeep.clone(), reached, gone, steps, move |error| failure(error))?;
    Ok(Upkeep { merger, sweeper })
}

/// Names the closing tick, on worker 0: at every interval, if the frontier has moved, and once more when all is over.
fn close<'scope>(
    scope: Scope<'scope, u64>,
    settings: &CommitSettings,
    ledger: Rc<RefCell<Ledger>>,
    done: StreamVec<'scope, u64, ()>,
    ends: StreamVec<'scope, u64, u64>,
) -> StreamVec<'scope, u64, Close> {
    let mut builder = OperatorBuilder::new("close commits".to_owned(), scope);
    let address = builder.operator_info().address;
    let activator = scope.activator_for(address.clone());
    ledger.borrow_mut().closer = Some(scope.activator_for(address));
    let (output, closes) = builder.new_output();
    let mut output = OutputBuilder::<u64, CapacityContainerBuilder<Vec<Close>>>::from(output);
    let unconnected = std::iter::empty::<(usize, Antichain<u64>)>;
    let mut done = builder.new_input_connection(done, Pipeline, unconnected());
    let mut ends = builder.new_input_connection(ends, Pipeline, unconnected());
    let (interval, leads) = (settings.interval, scope.index() == 0);
    let tick_interval = settings.tick_interval;
    let grid_ticks = (settings.grid_interval / tick_interval).max(1);
    let steps = Arc::clone(&settings.steps);
    let closing_ticks = settings.closing_ticks.clone();
    builder.build(move |mut capabilities| {
        let mut capability: Option<Capability<u64>> = capabilities.pop().filter(|_| leads);
        let mut rhythm = Rhythm::new(interval, Instant::now());
        let mut end = 0;
        move |frontiers| {
            done.for_each(|_, _| {});
            ends.for_each(|_, clocks| end = clocks.drain(..).fold(end, u64::max));
            let Some(held) = &capability else { return };
            let frontier = frontiers.iter().filter_map(|input| input.frontier().first().copied()).min();
            let mut ledger = ledger.borrow_mut();
            if ledger.failed {
                capability = None;
                return;
            }
            if ledger.open.is_some() {
                return; // Woken again by the publishing operator.
            }
            // A commit closes at a grid point, where no valuation is open. When all is over, time has ended at the greatest
            // clock, and the last grid point is the one behind it.
            let reached = match frontier {
                Some(frontier) => frontier / grid_ticks * grid_ticks,
                None => ((end / tick_interval / grid_ticks + 1) * grid_ticks).max(ledger.last_end_tick),
            };
            let told = closing_ticks.as_ref().and_then(|ticks| ticks.get(ticks.partition_point(|tick| *tick <= ledger.last_end_tick)));
            let is_told = told.is_some_and(|told| *told <= reached);
            if told.is_some() && !is_told && frontier.is_some() {
                return; // Woken again when the frontier moves.
            }
            let end_tick = told.copied().filter(|_| is_told).unwrap_or(reached);
            if frontier.is_none() && end_tick == ledger.last_end_tick {
                capability = None; // Nothing has come since the last commit.
                return;
            }
            let now = Instant::now();
            if frontier.is_some() && !is_told {
                if end_tick <= ledger.last_end_tick {
                    return; // Woken again when the frontier moves.
                }
                let wait = rhythm.wait(now, end_tick);
                if !wait.is_zero() {
                    activator.activate_after(wait);
                    return;
                }
            }
            rhythm.closed(now);
            let close = Close { commit_id: ledger.last_id + 1, end_tick };
            ledger.open = Some(Open { close, began: now, reports: Vec::new() });
            steps(Step::Closed, close.commit_id);
            output.activate().session(held).give(close);
            if frontier.is_none() && end_tick == reached {
                capability = None;
            }
        }
    });
    closes
}

/// When to close. Commits are an interval apart, but where grid points come about as slowly, each is closed when it comes:
/// otherwise every commit would be late by as much as the first one happened to be.
struct Rhythm {
    interval: Duration,
    closed: Instant,
    /// The last grid point, and when it came.
    point: (u64, Instant),
    is_steady: bool,
}

impl Rhythm {
    const fn new(interval: Duration, now: Instant) -> Self {
        Self { interval, closed: now, point: (0, now), is_steady: false }
    }

    /// How long to wait before closing at a grid point.
    fn wait(&mut self, now: Instant, point: u64) -> Duration {
        if point > self.point.0 {
            self.is_steady = now.duration_since(self.point.1) >= self.interval * 3 / 4;
            self.point = (point, now);
        }
        if self.is_steady { Duration::ZERO } else { self.interval.saturating_sub(now.duration_since(self.closed)) }
    }

    const fn closed(&mut self, now: Instant) {
        self.closed = now;
        self.is_steady = false;
    }
}

/// Writes what a close asks for, on every worker.
fn write<'scope>(
    settings: &CommitSettings,
    tables: Tables,
    progress: SourceProgress,
    worker: usize,
    closes: StreamVec<'scope, u64, Close>,
) -> StreamVec<'scope, u64, Report> {
    let settings = settings.clone();
    closes.unary::<CapacityContainerBuilder<_>, _, _, _>(Pipeline, "write commits", move |_, _| {
        move |input, output| {
            input.for_each(|time, closes| {
                for close in closes.drain(..) {
                    match write_one(&settings, &tables, worker, close) {
                        Ok(files) => {
                            let report = Report { commit_id: close.commit_id, files, partitions: progress.at(close.end_tick) };
                            output.session(&time).give(report);
                        }
                        Err(error) => (settings.failure)(error),
                    }
                }
            });
        }
    })
}

/// Staged, synced, renamed, and the names synced. The staging folder stays until the commit is published: its folders tell
/// where the files went.
fn write_one(settings: &CommitSettings, tables: &Tables, worker: usize, close: Close) -> Result<Vec<CommittedFile>, CommitError> {
    if settings.discards {
        tables.discard(close.end_tick);
        return Ok(Vec::new());
    }
    let data = settings.data.as_path();
    let reached = |step| (settings.steps)(step, close.commit_id);
    let staging = staging_folder(data, close.commit_id, worker);
    std::fs::create_dir_all(&staging).map_err(CommitError::file("creating", &staging))?;
    let target = Target { staging: &staging, commit_id: close.commit_id, worker, end_tick: close.end_tick };
    let files = tables.write(target)?;
    let staged: Vec<_> = files.iter().map(|file| staging.join(&file.path)).collect();
    reached(Step::Staged);
    durable::sync(data, &staged)?;
    reached(Step::Synced);
    durable::rename_all(data, &staging, files.iter().map(|file| file.path.as_str()), || reached(Step::Renamed))?;
    reached(Step::Settled);
    Ok(files)
}

/// Publishes the record once every worker has reported, on worker 0.
fn publish(settings: CommitSettings, ledger: Rc<RefCell<Ledger>>, peers: usize, reports: StreamVec<'_, u64, Report>) {
    reports.sink(Exchange::new(|_: &Report| 0), "publish commits", move |(input, _)| {
        input.for_each(|_, reports| {
            let mut ledger = ledger.borrow_mut();
            for report in reports.drain(..) {
                let Some(open) = ledger.open.as_mut().filter(|open| open.close.commit_id == report.commit_id) else { continue };
                open.reports.push(report);
                if open.reports.len() < peers {
                    continue;
                }
                if let Some(open) = ledger.open.take() {
                    finish(&settings, &mut ledger, open, peers);
                }
                if let Some(closer) = &ledger.closer {
                    closer.activate();
                }
            }
        });
    });
}

fn finish(settings: &CommitSettings, ledger: &mut Ledger, open: Open, peers: usize) {
    let published = upkept(settings, ledger, open.close.commit_id)
        .and_then(|upkept| record_of(settings, ledger, &open, upkept, peers))
        .and_then(|record| make_known(settings, &record, peers).map(|()| record))
        .and_then(|record| go_on(settings, ledger, &record).map(|()| record));
    match published {
        Ok(record) => (settings.published)(&record, open.began.elapsed(), ledger.live.files().len()),
        Err(error) => {
            ledger.failed = true;
            (settings.failure)(error);
        }
    }
}

/// What a commit adds that was merged, under its names.
fn upkept(settings: &CommitSettings, ledger: &mut Ledger, commit_id: u64) -> Result<Upkept, CommitError> {
    let Some(upkeep) = &mut ledger.upkeep else { return Ok(Upkept::default()) };
    let upkept = upkeep.merger.take(commit_id)?;
    if !upkept.files.is_empty() {
        let staging = merged_staging(&settings.data, commit_id);
        durable::rename_all(&settings.data, &staging, upkept.files.iter().map(|file| file.path.as_str()), || {})?;
        (settings.steps)(Step::Merged, commit_id);
    }
    Ok(upkept)
}

/// Publishes the record: from then on the commit exists.
fn make_known(settings: &CommitSettings, record: &CommitRecord, peers: usize) -> Result<(), CommitError> {
    if settings.discards {
        return Ok(());
    }
    let (data, commit_id) = (settings.data.as_path(), record.commit_id);
    let failed = |cause| CommitError::Record { commit_id, cause };
    let text = serde_json::to_vec_pretty(record).map_err(failed)?;
    durable::publish(&record_path(data, commit_id), &text)?;
    let reached = |step| (settings.steps)(step, commit_id);
    reached(Step::Published);
    let head = Head { commit_id, hash: record.hash.clone() };
    durable::replace(&head_path(data), &serde_json::to_vec(&head).map_err(failed)?)?;
    reached(Step::Headed);
    // Only now: until the record was there, its folders told where files had gone.
    let merged = Some(merged_staging(data, commit_id)).filter(|staging| staging.exists());
    for staging in (0..peers).map(|worker| staging_folder(data, commit_id, worker)).chain(merged) {
        std::fs::remove_dir_all(&staging).map_err(CommitError::file("removing", staging))?;
    }
    reached(Step::Cleared);
    Ok(())
}

/// Takes note of a commit, and plans behind it if it is time.
fn go_on(settings: &CommitSettings, ledger: &mut Ledger, record: &CommitRecord) -> Result<(), CommitError> {
    ledger.last_id = record.commit_id;
    ledger.last_end_tick = record.end_tick;
    ledger.last_hash = Some(record.hash.clone());
    let Some(upkeep) = &mut ledger.upkeep else { return Ok(()) };
    let path = || record_path(&settings.data, record.commit_id);
    let damaged = |cause| ChainError::Damaged { path: path(), cause, before: record.commit_id - 1 };
    let gone = ledger.live.apply(&keep(record.clone()).map_err(damaged)?);
    upkeep.sweeper.tell(Left { commit_id: record.commit_id, gone });
    if upkeep.merger.is_due(record.commit_id) {
        let end = record.end_tick.saturating_mul(settings.tick_interval);
        upkeep.merger.begin(record.commit_id, end, ledger.live.files())?;
    }
    Ok(())
}

fn record_of(settings: &CommitSettings, ledger: &Ledger, open: &Open, upkept: Upkept, peers: usize) -> Result<CommitRecord, CommitError> {
    let reported = open.reports.iter().flat_map(|report| report.files.iter().cloned());
    let mut files: Vec<_> = reported.chain(upkept.files).collect();
    files.sort();
    let partitions = open.reports.iter().flat_map(|report| report.partitions.iter().cloned());
    let partitions: BTreeMap<_, _> = partitions.map(|partition| ((partition.topic.clone(), partition.partition), partition)).collect();
    let mut record = CommitRecord {
        format_version: FORMAT_VERSION,
        commit_id: open.close.commit_id,
        first_tick: ledger.last_end_tick,
        end_tick: open.close.end_tick,
        tick_interval_ns: settings.tick_interval,
        grid_interval_ns: settings.grid_interval,
        workers: u32::try_from(peers).unwrap_or(u32::MAX),
        configuration: settings.configuration.clone(),
        files,
        replaced: upkept.replaced,
        dropped: upkept.dropped,
        partitions: partitions.into_values().collect(),
        previous_hash: ledger.last_hash.clone().unwrap_or_else(|| GENESIS.to_owned()),
        hash: String::new(),
        committed_at: (settings.now_text)(),
    };
    record.hash = record.expected_hash().map_err(|cause| CommitError::Record { commit_id: record.commit_id, cause })?;
    Ok(record)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_point_that_comes_once_an_interval_is_closed_at_once_and_others_wait() {
        let interval = Duration::from_millis(1000);
        // (when grid points come in ms, which of them is closed when)
        let cases: [(&[u64], &[u64]); 3] = [
            (&[600, 1600, 2600, 3600], &[1600, 2600, 3600]), // live: in step with the grid
            (&[10, 20, 500, 1020, 1100], &[1020]),           // catching up: an interval apart
            (&[300, 600, 900, 1200, 1500, 1800, 2100, 2400], &[1200, 2400]),
        ];
        for (points, closes) in cases {
            let begin = Instant::now();
            let mut rhythm = Rhythm::new(interval, begin);
            let mut closed = Vec::new();
            for (point, at) in (1..).zip(points) {
                let now = begin + Duration::from_millis(*at);
                if rhythm.wait(now, point).is_zero() {
                    rhythm.closed(now);
                    closed.push(*at);
                }
            }
            assert_eq!(closed, closes, "{points:?}");
        }
    }
}
