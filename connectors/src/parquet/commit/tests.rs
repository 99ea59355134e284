//! Tests of commits in flight: how many at once, the order of publication, and failures.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use headwater_schemas::tables::{Moment, Remap, TableRegistry, TableWriter};
use headwater_schemas::{Clock, EffectiveTime, EventTime, Nanos, Offset, Tick};
use timely::dataflow::operators::vec::Input;

use super::*;
use crate::fault::with_causes;
use crate::parquet::directory::DataDirectory;

/// The events so far, in order, and a condition variable for waiting.
#[derive(Clone, Default)]
struct Log(Arc<(Mutex<Vec<String>>, Condvar)>);

impl Log {
    fn add(&self, line: String) {
        self.0.0.lock().expect("a lock").push(line);
        self.0.1.notify_all();
    }

    fn lines(&self) -> Vec<String> {
        self.0.0.lock().expect("a lock").clone()
    }

    /// Waits for an event; fails the test if it does not come.
    fn wait_for(&self, line: &str) {
        let lines = self.0.0.lock().expect("a lock");
        let missing = |lines: &mut Vec<String>| !lines.iter().any(|known| known == line);
        let waited = self.0.1.wait_timeout_while(lines, Duration::from_secs(10), missing).expect("a lock").1;
        assert!(!waited.timed_out(), "{line} did not happen");
    }

    fn place(&self, line: &str) -> usize {
        self.lines().iter().position(|known| known == line).unwrap_or_else(|| panic!("{line} did not happen: {:?}", self.lines()))
    }
}

/// Makes commits of one row per worker, and logs every step, publication and failure.
fn run(data: &Path, workers: usize, commits: u64, log: &Log, at_step: impl Fn(Step, u64) + Send + Sync + 'static) {
    run_with_cuts(data, workers, commits, Cuts::default(), log, at_step);
}

/// Ticks at which the run is to be entered again: those that it begins with, and those that the dataflow finds.
#[derive(Clone, Default)]
struct Cuts {
    known: Vec<u64>,
    found: Vec<u64>,
}

fn run_with_cuts(data: &Path, workers: usize, commits: u64, cuts: Cuts, log: &Log, at_step: impl Fn(Step, u64) + Send + Sync + 'static) {
    let (_directory, chain) = DataDirectory::open(data).expect("a directory");
    let (steps, published, told, failure) = (log.clone(), log.clone(), log.clone(), log.clone());
    let settings = CommitSettings {
        data: data.to_owned(),
        before: chain.end(),
        configuration: String::new(),
        interval: Duration::ZERO,
        clock: Clock::new(Nanos::new(1), Nanos::new(1)),
        existing: Existing::of(&chain),
        gaps: Vec::new(),
        upkeep: UpkeepSettings {
            every: 0,
            whole_from_changes: 1,
            day_closes_after: Nanos::ZERO,
            retention: Default::default(),
            grace: Duration::ZERO,
            outbox: Arc::default(),
        },
        remote: None,
        discards: false,
        cuts: cuts.known.into_iter().map(Tick::new).collect(),
        closings: Some(Arc::new((1..=commits).map(|end_tick| Closing { end_tick: Tick::new(end_tick), ends_run: false }).collect())),
        now_text: Arc::new(String::new),
        published: Arc::new(move |record, _, _| published.add(format!("{} is there", record.commit_id))),
        on_commit: Arc::new(move |commit| {
            let end = if commit.is_cut { ", to enter the run again" } else { "" };
            told.add(format!("told of {} up to tick {}{end}", commit.commit_id, commit.end_tick));
        }),
        steps: Arc::new(move |step, commit_id| {
            steps.add(format!("{} {commit_id}", step.name()));
            at_step(step, commit_id);
        }),
        failure: Arc::new(move |error| failure.add(format!("failed: {}", with_causes(&error)))),
    };
    let failed = log.clone();
    let workers = timely::execute(timely::Config::process(workers), move |worker| {
        let mut tables = Tables::default();
        let remap: TableWriter<Remap> = tables.writer();
        let (done, mut ends, mut found) = worker.dataflow::<Tick, _, _>(|scope| {
            let ((done, done_stream), (ends, ends_stream)) = (scope.new_input::<()>(), scope.new_input::<EffectiveTime>());
            let (found, found_stream) = scope.new_input::<Tick>();
            commit(scope, settings.clone(), tables.clone(), SourceProgress::default(), done_stream, ends_stream, found_stream);
            (done, ends, found)
        });
        cuts.found.iter().for_each(|cut| found.send(Tick::new(*cut)));
        for number in 0..commits {
            let (topic, offset, tick, clock) = ("orders".into(), Offset::new(number), Tick::new(number), EffectiveTime::new(number));
            let row = Remap { topic, partition: 0, offset, tick, clock, ts: EventTime::from_effective(clock) };
            remap.insert(&Moment::new(tick, clock), row);
        }
        ends.send(EffectiveTime::new(commits - 1));
        drop((done, ends, found));
        while worker.has_dataflows() {
            if failed.lines().iter().any(|line| line.starts_with("failed")) {
                worker.installed_dataflows().into_iter().for_each(|dataflow| worker.drop_dataflow(dataflow));
                break;
            }
            worker.step_or_park(Some(Duration::from_millis(20)));
        }
    });
    workers.expect("a worker").join().into_iter().for_each(|ended| ended.expect("an end"));
}

#[test]
fn two_commits_are_on_their_way_at_most_and_are_published_in_order() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = Log::default();
    let known = log.clone();
    run(&folder.path().join("data"), 1, 5, &log, move |step, commit_id| {
        if (step, commit_id) == (Step::Staged, 1) {
            // The dataflow continues while the first commit is written.
            known.wait_for("closed 2");
        }
    });
    let there: Vec<_> = log.lines().into_iter().filter(|line| line.ends_with("is there")).collect();
    assert_eq!(there, ["1 is there", "2 is there", "3 is there", "4 is there", "5 is there"], "a run ends when all is published");
    for commit_id in 3..=5 {
        let (closed, before) = (log.place(&format!("closed {commit_id}")), log.place(&format!("{} is there", commit_id - 2)));
        assert!(before < closed, "commit {commit_id} waits for the second one before it: {:?}", log.lines());
    }
    let chain = Chain::open_whole(&folder.path().join("data")).expect("a chain");
    assert_eq!(chain.commits().iter().map(|commit| commit.rows()).collect::<Vec<_>>(), [1; 5]);
}

#[test]
fn every_worker_is_told_of_every_commit_once_it_is_published() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = Log::default();
    run(&folder.path().join("data"), 3, 5, &log, |_, _| {});
    for commit_id in 1..=5 {
        let told = format!("told of {commit_id} up to tick {commit_id}");
        assert_eq!(log.lines().iter().filter(|line| **line == told).count(), 3, "{told}: {:?}", log.lines());
        assert!(log.place(&format!("{commit_id} is there")) < log.place(&told), "{:?}", log.lines());
    }
}

#[test]
fn a_commit_closes_at_a_cut_and_none_after_it() {
    let cuts = |known: &[u64], found: &[u64]| Cuts { known: known.to_vec(), found: found.to_vec() };
    // (case, cuts, ticks at which commits end); time ends in tick 4, before the grid point 5, and closings are told for each tick.
    let cases: [(&str, Cuts, &[u64]); 6] = [
        ("none", cuts(&[], &[]), &[1, 2, 3, 4, 5]),
        ("known when the run began", cuts(&[3], &[]), &[1, 2, 3]),
        ("found by the dataflow", cuts(&[], &[2]), &[1, 2]),
        ("the first of several", cuts(&[4, 2], &[3]), &[1, 2]),
        ("at the very end of time", cuts(&[4], &[]), &[1, 2, 3, 4]),
        ("later than time has come", cuts(&[5], &[9]), &[1, 2, 3, 4, 5]),
    ];
    for (case, cuts, expected) in cases {
        let (folder, log) = (tempfile::tempdir().expect("a folder"), Log::default());
        let data = folder.path().join("data");
        run_with_cuts(&data, 2, 5, cuts, &log, |_, _| {});
        let chain = Chain::open_whole(&data).expect("a chain");
        assert_eq!(chain.commits().iter().map(|commit| commit.end_tick.get()).collect::<Vec<_>>(), expected, "{case}");
        let told = log.lines().iter().filter(|line| line.ends_with(", to enter the run again")).count();
        let is_cut = expected.last().is_some_and(|last| *last < 5);
        assert_eq!(told, if is_cut { 2 } else { 0 }, "{case}: both workers are told: {:?}", log.lines());
        assert!(chain.commits().iter().all(|commit| !commit.ends_run || !is_cut), "{case}: the run does not end");
    }
}

#[test]
fn what_fails_beside_the_dataflow_ends_the_run_and_nothing_later_is_published() {
    type Harm = fn(&Path, Step, u64);
    let cases: [(&str, Harm, &str); 3] = [
        ("writing panics", |_, step, id| assert_ne!((step, id), (Step::Staged, 2)), "failed: writing commits of"),
        ("publishing panics", |_, step, id| assert_ne!((step, id), (Step::Published, 2)), "failed: writing commits of"),
        (
            "a folder cannot be written",
            |data, step, id| {
                if (step, id) == (Step::Cleared, 1) {
                    fs::remove_dir_all(data.join("segments")).and_then(|()| fs::write(data.join("segments"), "")).expect("harm");
                }
            },
            "failed: ",
        ),
    ];
    for (name, harm, expected) in cases {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("data");
        let (log, harmed) = (Log::default(), data.clone());
        run(&data, 1, 6, &log, move |step, commit_id| harm(&harmed, step, commit_id));
        let lines = log.lines();
        assert!(lines.iter().any(|line| line.starts_with(expected)), "{name}: {lines:?}");
        assert!(!lines.contains(&"6 is there".to_owned()), "{name}: {lines:?}");
    }
}
