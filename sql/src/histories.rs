//! End-to-end tests of histories: changes that views emit, through commits and upkeep, to SQL; compared with a plain list of
//! changes.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use headwater_connectors::parquet::buffer::Tables;
use headwater_connectors::parquet::chain::Chain;
use headwater_connectors::parquet::commit::{Closing, CommitSettings, Existing, commit};
use headwater_connectors::parquet::configuration;
use headwater_connectors::parquet::directory::DataDirectory;
use headwater_connectors::parquet::reader::current_rows;
use headwater_connectors::parquet::upkeep::UpkeepSettings;
use headwater_connectors::source::SourceProgress;
use headwater_schemas::tables::{Balance, Moment, TableRegistry, TableWriter};
use headwater_schemas::{AccountId, Clock, Currency, EffectiveTime, EventTime, Nanos, Tick, Total};
use proptest::prelude::*;
use timely::dataflow::operators::generic::operator::empty;
use timely::dataflow::operators::vec::Input;

use crate::Catalog;
use crate::testing::{at, rows, try_rows};

/// Length of a tick: four ticks a day.
const TICK: u64 = 21_600_000_000_000;
const DAY: u64 = 4 * TICK;

/// A change: tick, key, and the new value, or `None` for a retraction.
pub(crate) type Change = (u64, u8, Option<i64>);

/// A row of a history: tick, commit, key, value, `change`.
type Said = (u64, u64, String, i64, i64);

/// How a directory is written.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) workers: usize,
    /// Ticks at which commits close.
    pub(crate) closes: Vec<u64>,
    /// Every so many commits the last one ends a run, and leaves no segment; 0 for never.
    pub(crate) run_length: u64,
    /// Commits between plans.
    pub(crate) every: u64,
    pub(crate) whole_from_changes: u64,
    pub(crate) retention_days: Option<u64>,
}

fn first_tick() -> u64 {
    at(5, 0).effective().get() / TICK
}

fn row(key: u8, value: i64, tick: u64) -> Balance {
    let (posted, ts) = (Total::whole(value), EventTime::from_effective(EffectiveTime::new((first_tick() + tick) * TICK)));
    Balance {
        account_id: AccountId::derived(format!("a{key}")),
        currency: Currency::derived("EUR"),
        posted,
        pending: Total::ZERO,
        available: posted,
        ts,
    }
}

fn value_of(row: &Balance) -> i64 {
    i64::try_from(row.posted.units() / Total::whole(1).units()).unwrap()
}

/// The emissions of a view: the last value of each key and tick, if it differs from the one before.
fn emitted(changes: &[Change]) -> Vec<(u64, u8, Option<Balance>, Option<Balance>)> {
    let mut ticks = BTreeMap::<(u64, u8), Option<i64>>::new();
    for (tick, key, value) in changes {
        ticks.insert((*tick, *key), *value);
    }
    let mut state = BTreeMap::<u8, Balance>::new();
    let mut emitted = Vec::new();
    for ((tick, key), value) in ticks {
        let old = state.get(&key).cloned();
        let is_same = old.as_ref().map(|old| old.posted) == value.map(Total::whole);
        if is_same {
            continue;
        }
        let new = value.map(|value| row(key, value, tick));
        match &new {
            Some(new) => drop(state.insert(key, new.clone())),
            None => drop(state.remove(&key)),
        }
        emitted.push((tick, key, old, new));
    }
    emitted
}

/// Writes the commits from one index up to another.
pub(crate) fn write(data: &Path, run: &Run, changes: &[Change], from: usize, until: usize) {
    let (_directory, chain) = DataDirectory::open(data).unwrap();
    let retention = run.retention_days.map(|days| ("balances_history".to_owned(), Nanos::new(days * DAY)));
    let upkeep = UpkeepSettings {
        every: run.every,
        whole_from_changes: run.whole_from_changes,
        day_closes_after: Nanos::new(DAY),
        retention: retention.into_iter().collect(),
        grace: Duration::ZERO,
        outbox: Arc::new(AtomicU64::new(u64::MAX)),
    };
    let failures = Arc::new(Mutex::new(Vec::new()));
    let fail = Arc::clone(&failures);
    let closing = |(number, tick): (u64, &u64)| Closing {
        end_tick: Tick::new(first_tick() + tick),
        ends_run: number.checked_rem(run.run_length) == Some(0),
    };
    let closings: Vec<_> = (1..).zip(&run.closes).map(closing).collect();
    let settings = CommitSettings {
        data: data.to_owned(),
        before: chain.end(),
        configuration: configuration::keep(data, "{}").unwrap(),
        interval: Duration::ZERO,
        clock: Clock::new(Nanos::new(TICK), Nanos::new(TICK)),
        existing: Existing::of(&chain),
        gaps: Vec::new(),
        upkeep,
        remote: None,
        discards: false,
        cuts: Vec::new(),
        closings: Some(Arc::new(closings[from..until].to_vec())),
        now_text: Arc::new(|| "2026-02-01T00:00:00Z".to_owned()),
        published: Arc::new(|_, _, _| {}),
        on_commit: Arc::new(|_| {}),
        steps: Arc::new(|_, _| {}),
        failure: Arc::new(move |error| fail.lock().unwrap().push(error.to_string())),
    };
    let begin = from.checked_sub(1).map_or(0, |last| run.closes[last]);
    let end = run.closes[until - 1];
    let emitted: Vec<_> = emitted(changes).into_iter().filter(|(tick, ..)| (begin..end).contains(tick)).collect();
    let guards = timely::execute(timely::Config::process(run.workers), move |worker| {
        let mut tables = Tables::default();
        let balances: TableWriter<Balance> = tables.writer();
        let (index, peers) = (worker.index(), worker.peers());
        let (mut done, mut ends) = worker.dataflow::<Tick, _, _>(|scope| {
            let ((done, done_stream), (ends, ends_stream)) = (scope.new_input::<()>(), scope.new_input::<EffectiveTime>());
            let cuts = empty(scope);
            commit(scope, settings.clone(), tables.clone(), SourceProgress::default(), done_stream, ends_stream, cuts);
            (done, ends)
        });
        for (tick, key, old, new) in &emitted {
            let number = first_tick() + tick;
            let moment = Moment::new(Tick::new(number), EffectiveTime::new(number * TICK));
            done.advance_to(moment.tick);
            if usize::from(*key) % peers == index {
                balances.replace(&moment, old.clone(), new.clone());
            }
            worker.step();
        }
        ends.send(EffectiveTime::new((first_tick() + end) * TICK - 1));
        drop((done, ends));
        while worker.has_dataflows() {
            worker.step_or_park(Some(Duration::from_millis(100)));
        }
    });
    guards.unwrap().join().into_iter().for_each(|ended| ended.unwrap());
    assert_eq!(*failures.lock().unwrap(), Vec::<String>::new());
}

/// The expected history: for each change the old row and the new row.
fn expected(run: &Run, changes: &[Change], commit: u64) -> (Vec<Said>, Vec<(String, i64)>) {
    let (mut history, mut state) = (Vec::new(), BTreeMap::new());
    for (tick, key, old, new) in emitted(changes) {
        let commit_id = run.closes.partition_point(|close| *close <= tick) as u64 + 1;
        if commit_id > commit {
            continue;
        }
        let name = format!("a{key}");
        history.extend(old.map(|old| (first_tick() + tick, commit_id, name.clone(), value_of(&old), -1)));
        match new.map(|new| value_of(&new)) {
            Some(value) => {
                history.push((first_tick() + tick, commit_id, name.clone(), value, 1));
                state.insert(name, value);
            }
            None => drop(state.remove(&name)),
        }
    }
    history.sort();
    (history, state.into_iter().collect())
}

const HISTORY: &str = "SELECT tick, commit_id, account_id, posted, change FROM balances_history";

fn history(catalog: &Catalog, filter: &str) -> Vec<Said> {
    let said = |line: String| {
        let parts: Vec<_> = line.split(',').collect();
        let [tick, commit, key, value, change] = parts[..] else { panic!("{line}") };
        let number = |text: &str| text.parse::<i64>().unwrap();
        (tick.parse().unwrap(), commit.parse().unwrap(), key.to_owned(), number(value), number(change))
    };
    let mut history: Vec<_> = rows(catalog, &format!("{HISTORY} {filter}")).into_iter().map(said).collect();
    history.sort();
    history
}

/// Whether a row must be kept: its day is within the retention at the last commit.
fn must_be_kept(run: &Run, history: &[Said], said: &Said) -> bool {
    let Some(days) = run.retention_days else { return true };
    let came = history.iter().filter(|came| came.2 == said.2 && came.4 == 1 && came.0 < said.0).map(|came| came.0).max();
    let tick = if said.4 == 1 { said.0 } else { came.expect("what went had come") };
    let end = first_tick() + run.closes.last().expect("a commit");
    EventTime::from_effective(EffectiveTime::new(tick * TICK)).date().end().effective().get() + days * DAY > end * TICK
}

/// Checks that filters select the same rows wherever they are evaluated.
fn check_filters(catalog: &Catalog, all: &[Said]) {
    for (filter, holds) in [
        ("WHERE change > 0", (|said| said.4 > 0) as fn(&Said) -> bool),
        ("WHERE change = -1", |said| said.4 < 0),
        ("WHERE account_id = 'a1'", |said| said.2 == "a1"),
        ("WHERE commit_id = 2 AND account_id <> 'a1'", |said| said.1 == 2 && said.2 != "a1"),
        ("WHERE posted = 1", |said| said.3 == 1),
    ] {
        let kept: Vec<_> = all.iter().filter(|said| holds(said)).cloned().collect();
        assert_eq!(history(catalog, filter), kept, "{filter}");
    }
}

fn check(run: &Run, changes: &[Change], restart: usize) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let last = run.closes.len();
    let restart = restart.min(last);
    if restart > 0 {
        write(&data, run, changes, 0, restart);
    }
    if restart < last {
        write(&data, run, changes, restart, last);
    }
    let following = Catalog::open(&data, None).unwrap();
    assert_eq!(following.commit_id(), last as u64);
    for commit_id in 1..=last as u64 {
        let (all, state) = expected(run, changes, commit_id);
        let catalog = Catalog::open(&data, Some(commit_id)).unwrap();
        let kept = history(&catalog, "");
        let known = kept.iter().all(|said| all.contains(said)) && kept.windows(2).all(|pair| pair[0] != pair[1]);
        let missing = all.iter().find(|said| !kept.contains(said) && must_be_kept(run, &all, said));
        assert!(known && missing.is_none(), "the history at commit {commit_id}: {kept:?} instead of {all:?}");
        let of_key: Vec<_> = kept.iter().filter(|said| said.2 == "a1").cloned().collect();
        assert_eq!(history(&catalog, "WHERE account_id = 'a1'"), of_key, "the history of a key at commit {commit_id}");
        let count = rows(&catalog, "SELECT COUNT(*) FROM balances_history");
        assert_eq!(count, [kept.len().to_string()], "at commit {commit_id}");
        let state: Vec<_> = state.into_iter().map(|(key, value)| format!("{key},{value}")).collect();
        // The first query reads its keys alone, the second all rows.
        let of_key = try_rows(&catalog, "SELECT account_id, posted FROM balances WHERE account_id = 'a1'");
        match try_rows(&catalog, "SELECT account_id, posted FROM balances ORDER BY account_id") {
            Ok(current) => {
                let same_key = state.iter().filter(|row| row.starts_with("a1,")).cloned().collect::<Vec<_>>();
                assert_eq!(of_key.unwrap(), same_key, "the rows of a key at commit {commit_id}");
                assert_eq!(current, state, "the rows at commit {commit_id}");
            }
            Err(error) => {
                assert_eq!(of_key.unwrap_err().to_string(), error.to_string());
                assert!(run.retention_days.is_some() && error.to_string().contains("retention"), "commit {commit_id}: {error}");
                assert_ne!(commit_id, last as u64, "the newest rows are always known");
            }
        }
        if commit_id == last as u64 {
            check_filters(&catalog, &kept);
            let chain = Chain::open(&data, None).unwrap();
            let saved: Vec<Balance> = current_rows(&chain).unwrap();
            assert_eq!(saved.iter().map(|row| format!("{},{}", row.account_id, value_of(row))).collect::<Vec<_>>(), state, "a restart");
        }
    }
}

#[test]
fn histories_show_what_went_and_what_came() {
    // (name, changes: tick, key, value)
    let cases: [(&str, &[Change]); 9] = [
        ("an insertion", &[(0, 1, Some(1))]),
        ("a change in the same commit", &[(0, 1, Some(1)), (1, 1, Some(2))]),
        ("a change in a later commit", &[(0, 1, Some(1)), (5, 1, Some(2))]),
        ("changed and changed back within a tick", &[(0, 1, Some(1)), (1, 1, Some(2)), (1, 1, Some(1))]),
        ("gone", &[(0, 1, Some(1)), (6, 1, None)]),
        ("gone in the commit that it came in", &[(0, 1, Some(1)), (1, 1, None)]),
        ("gone, and back later", &[(0, 1, Some(1)), (5, 1, None), (9, 1, Some(1))]),
        ("gone and back within a tick", &[(0, 1, Some(1)), (5, 1, None), (5, 1, Some(2))]),
        (
            "changes across all commits",
            &[(0, 1, Some(1)), (3, 1, Some(2)), (7, 1, Some(3)), (8, 2, Some(1)), (11, 1, Some(1)), (15, 2, None)],
        ),
    ];
    for (name, changes) in cases {
        for (workers, run_length, every, retention_days) in
            [(1, 0, 0, None), (1, 1, 0, None), (2, 2, 0, None), (2, 0, 1, None), (1, 0, 4, None), (1, 2, 4, Some(1)), (1, 0, 1, Some(1))]
        {
            let closes = vec![4, 8, 12, 16, 20];
            let run = Run { workers, closes, run_length, every, whole_from_changes: 2, retention_days };
            println!("{name}: {run:?}");
            check(&run, changes, 3);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn histories_and_current_rows_are_those_of_a_plain_list_of_changes(
        changes in prop::collection::vec((0_u64..32, 0_u8..4, prop::option::weighted(0.8, 0_i64..3)), 0..60),
        more_closes in prop::collection::btree_set(1_u64..32, 0..8),
        (workers, run_length) in (1_usize..4, 0_u64..5),
        (every, whole_from_changes, retention_days) in (0_u64..9, 1_u64..12, prop::option::of(1_u64..4)),
        restart in 0_usize..9,
    ) {
        let closes: Vec<u64> = more_closes.into_iter().chain([32]).collect();
        check(&Run { workers, closes, run_length, every, whole_from_changes, retention_days }, &changes, restart);
    }
}
