//! Tests of the operator, driven by hand: its messages and frontiers, with one, two and three workers.
//!
//! A tick is 10 ns and a grid interval 5 ticks. Each worker feeds its own partition. After each advance of the inputs, the test
//! logs everything that was emitted, sorted, and the frontier of `done`.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use headwater_schemas::events::ErrorCode;
use headwater_schemas::tables::{Balance, DeadLetter, LedgerEntry, Moment, TableReader, TableSet};
use headwater_schemas::{
    AccountId, Clock, Correction, Currency, EffectiveTime, EventTime, Id, Nanos, Offset, Place, Placed, Text, Tick, Topic, Total,
};
use serde::{Deserialize, Serialize};
use timely::dataflow::ProbeHandle;
use timely::dataflow::operators::vec::Broadcast;
use timely::dataflow::operators::{Input, Inspect, Probe};
use timely::worker::Worker;

use super::*;
use crate::testing::TestTables;

const TICK: u64 = 10;
const GRID: u64 = 5;

/// An event of a sum.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Step {
    Add(i64),
    Correct(i64),
    SetTimer(u64, u8),
    CancelTimer(u64, u8),
    Reject,
}

/// A view that sums, in the unit of the last broadcast.
#[derive(Clone)]
struct Sums;

#[derive(Default)]
struct Sum {
    sum: i64,
    emitted: Option<Balance>,
}

headwater_schemas::table_set! {
    struct SumTables restored from SavedSums {
        restored { balances: Balance }
        written { ledger_entries: LedgerEntry }
    }
}

fn account(text: &str) -> AccountId {
    AccountId::derived(text)
}

impl View for Sums {
    type Key = AccountId;
    type Route = AccountId;
    type Event = (String, Step);
    type Broadcast = i64;
    type Context = i64;
    type State = Sum;
    type Timer = u8;
    type Tables = SumTables;
    type Derived = String;
    type Update = String;

    const UPDATES: bool = true;

    fn key(&self, (key, _): &(String, Step)) -> AccountId {
        account(key)
    }

    fn route(account: &AccountId) -> AccountId {
        *account
    }

    fn learn(&self, unit: &mut i64, broadcast: Placed<i64>) {
        *unit = broadcast.event;
    }

    fn apply(&self, unit: &i64, key: &AccountId, state: &mut Sum, event: Placed<(String, Step)>, out: &mut Outbox<'_, Self>) {
        match event.event.1 {
            Step::Add(amount) => state.sum += amount * unit,
            Step::Correct(amount) => {
                state.sum += amount;
                out.correct(Correction::Bust { traded: EffectiveTime::ZERO, fill_id: Id::derived("f") });
            }
            Step::SetTimer(time, timer) => return out.set_timer(EffectiveTime::new(time), timer),
            Step::CancelTimer(time, timer) => return out.cancel_timer(EffectiveTime::new(time), timer),
            Step::Reject => {
                return out.refuse(DeadLetter {
                    topic: Text::new("fills"),
                    partition: i32::from(event.place.partition),
                    offset: event.place.offset,
                    ts: event.place.event_time(),
                    key: None,
                    value: None,
                    text: None,
                    code: Text::new(ErrorCode::Refused.as_str()),
                    error: Text::default(),
                });
            }
        }
        out.derive(format!("{key} is {}", state.sum));
    }

    fn timer(&self, _: &i64, key: &AccountId, state: &mut Sum, timer: u8, place: Place, out: &mut Outbox<'_, Self>) {
        state.sum += 1;
        out.derive(format!("{key} rang {timer} at {}", place.time));
    }

    fn emit(&self, _: &i64, key: &AccountId, state: &mut Sum, at: &Moment, tables: &SumTables) {
        let row = Balance {
            account_id: *key,
            currency: Currency::derived("USD"),
            posted: Total::whole(state.sum),
            pending: Total::ZERO,
            available: Total::ZERO,
            ts: at.event_time(),
        };
        tables.balances.replace(at, state.emitted.replace(row.clone()), Some(row));
    }

    fn update(&self, _: &i64, key: &AccountId, state: &mut Sum, at: &Moment, updates: &mut Updates<String>) {
        updates.push(at, format!("{key} is {}", state.sum));
    }

    fn restore(&self, saved: &SavedSums, states: &mut States<'_, Self>) {
        let sum = |row: &Balance| i64::try_from(row.posted.units() / Total::whole(1).units()).expect("a small sum");
        for row in saved.balances.iter() {
            let Some(state) = states.of(&row.account_id) else { continue };
            *state = Sum { sum: sum(row), emitted: Some(row.clone()) };
        }
    }
}

/// An event to be fed before the inputs advance to a tick: (partition, time, key, step).
type Fed = (u16, u64, &'static str, Step);

struct Script {
    pace: Pace,
    broadcasts: Vec<(u64, i64)>,
    /// The tick that inputs advance to, and the events fed before it. `None`: the inputs end, and time ends at `end` nanoseconds.
    steps: Vec<(Option<u64>, Vec<Fed>)>,
    end: u64,
    saved: Vec<Balance>,
}

/// Runs a script and returns the lines of each step, the last of them the frontier of `done`.
fn run(workers: usize, script: Script) -> Vec<Vec<String>> {
    let script = Arc::new(script);
    let transcript = Arc::new(Mutex::new(vec![Vec::new(); script.steps.len()]));
    let written = Arc::clone(&transcript);
    let guards = timely::execute(timely::Config::process(workers), move |worker| {
        for (number, lines) in run_worker(worker, &script).into_iter().enumerate() {
            written.lock().expect("the transcript")[number].extend(lines);
        }
    });
    guards.expect("workers").join().into_iter().for_each(|result| result.expect("a worker"));
    let mut transcript = transcript.lock().expect("the transcript").clone();
    for step in &mut transcript {
        step.sort();
        step.dedup_by(|a, b| a == b && a.starts_with("done"));
    }
    transcript
}

fn run_worker(worker: &mut Worker, script: &Script) -> Vec<Vec<String>> {
    let (index, peers) = (worker.index(), worker.peers());
    let lines = Rc::new(RefCell::new(Vec::new()));
    let probe = ProbeHandle::new();
    let tables = SumTables::register(&mut TestTables::default());
    let (events, mut broadcasts, mut ends) = worker.dataflow::<Tick, _, _>(|scope| {
        let (events, event_stream) = scope.new_input();
        let (broadcasts, broadcast_stream) = scope.new_input();
        let (ends, end_stream) = scope.new_input();
        let input = FoldInput { events: event_stream, broadcasts: broadcast_stream.broadcast(), ends: end_stream.broadcast() };
        let rejected = Rc::clone(&lines);
        let reject: Reject =
            Rc::new(move |at, letter| rejected.borrow_mut().push(format!("rejected {} in tick {}", letter.offset, at.tick)));
        let mut restored = TestTables::default();
        let saved = SumTables::register(&mut restored);
        script.saved.iter().for_each(|row| saved.balances.insert(&Moment::new(Tick::ZERO, EffectiveTime::ZERO), row.clone()));
        let before = Before {
            broadcasts: vec![Placed { place: Place::of_record(EffectiveTime::ZERO, Topic::Instruments, 0, Offset::ZERO), event: 1 }],
            share: Share { worker: index, workers: peers, not_before: EffectiveTime::ZERO },
        };
        let clock = Clock::new(Nanos::new(TICK), Nanos::new(TICK * GRID));
        let (output, restore) = keyed_fold("sums", Sums, input, FoldTables { tables: tables.clone(), reject }, before, clock, script.pace);
        restore(&SavedSums { balances: restored.rows().expect("rows") });
        let (derived, updates) = (Rc::clone(&lines), Rc::clone(&lines));
        output.derived.inspect(move |event| {
            let Place { time, partition, sequence, .. } = event.place;
            derived.borrow_mut().push(format!("derived {} at {time} of {partition} #{sequence}", event.event));
        });
        output.updates.inspect(move |(update, tick, why)| updates.borrow_mut().push(format!("update {update} in {tick} {why}")));
        output.done.probe_with(&probe);
        (events, broadcasts, ends)
    });

    // The first worker sends all broadcasts at once; they wait for their time.
    if index == 0 {
        for (offset, (time, unit)) in (1..).zip(&script.broadcasts) {
            broadcasts.send(Placed {
                place: Place::of_record(EffectiveTime::new(*time), Topic::Instruments, 0, Offset::new(offset)),
                event: *unit,
            });
        }
    }
    // So does it send the clocks at which partitions end.
    if index == 0 {
        ends.send(EffectiveTime::new(script.end));
    }
    let (mut events, mut others) = (Some(events), Some((broadcasts, ends)));
    let mut transcript = Vec::new();
    for (offset, (tick, fed)) in (0..).zip(&script.steps) {
        if let Some(events) = &mut events {
            for (number, (partition, time, key, step)) in (0..).zip(fed).filter(|(_, fed)| usize::from(fed.0) % peers == index) {
                let place = Place::of_record(EffectiveTime::new(*time), Topic::Fills, *partition, Offset::new(offset * 100 + number));
                events.send(Placed { place, event: ((*key).to_owned(), step.clone()) });
            }
        }
        match tick {
            Some(tick) => {
                let tick = Tick::new(*tick);
                events.iter_mut().for_each(|events| events.advance_to(tick));
                others.iter_mut().for_each(|(broadcasts, ends)| {
                    broadcasts.advance_to(tick);
                    ends.advance_to(tick);
                });
                worker.step_while(|| probe.less_than(&tick));
                // Every worker has written all complete rows; a few more steps deliver the messages.
                (0..10).for_each(|_| {
                    worker.step();
                });
            }
            None => {
                (events, others) = (None, None);
                worker.step_while(|| !probe.done());
            }
        }
        let mut step = std::mem::take(&mut *lines.borrow_mut());
        for change in tables.balances.take_below(Tick::MAX) {
            let gone = if change.gone { " gone" } else { "" };
            step.push(format!(
                "row {} {} at {} in tick {}{gone} {}",
                change.row.account_id,
                change.row.posted,
                change.row.ts.nanos(),
                change.tick,
                change.why
            ));
        }
        step.push(format!("done {:?}", probe.with_frontier(|frontier| frontier.to_vec())));
        transcript.push(step.iter().map(|line| line.trim_end().to_owned()).collect());
    }
    transcript
}

fn add(partition: u16, time: u64, key: &'static str, amount: i64) -> Fed {
    (partition, time, key, Step::Add(amount))
}

/// Asserts the lines, which must not depend on the number of workers.
fn assert_transcript(script: impl Fn() -> Script, expected: &[&[&str]]) {
    for workers in 1..=3 {
        let transcript = run(workers, script());
        for (number, (step, expected)) in transcript.iter().zip(expected).enumerate() {
            assert_eq!(step, expected, "step {number} with {workers} workers");
        }
        assert_eq!(transcript.len(), expected.len());
    }
}

#[test]
fn rows_leave_when_their_tick_has_passed_and_updates_at_grid_points() {
    let script = || Script {
        pace: Pace::Tick,
        broadcasts: vec![(25, 100)],
        steps: vec![
            // Two partitions out of order with each other; a broadcast between them.
            (Some(2), vec![add(0, 12, "a", 1), add(0, 27, "a", 1), add(1, 15, "a", 2), add(2, 11, "b", 5)]),
            (Some(3), vec![add(1, 24, "a", 3)]),
            (Some(5), vec![]),
            (Some(10), vec![]),
            (None, vec![add(0, 103, "b", 1)]),
        ],
        end: 120,
        saved: Vec::new(),
    };
    assert_transcript(
        script,
        &[
            &[
                "derived a is 1 at 12 of 0 #1",
                "derived a is 3 at 15 of 1 #1",
                "derived b is 5 at 11 of 2 #1",
                "done [2]",
                "row a 3 at 10 in tick 1",
                "row b 5 at 10 in tick 1",
            ],
            &["derived a is 106 at 27 of 0 #1", "derived a is 6 at 24 of 1 #1", "done [3]", "row a 106 at 20 in tick 2"],
            &["done [5]", "update a is 106 in 4", "update b is 5 in 4"],
            &["done [10]"],
            &["derived b is 105 at 103 of 0 #1", "done []", "row b 105 at 100 in tick 10", "update b is 105 in 14"],
        ],
    );
}

#[test]
fn on_the_grid_rows_leave_once_with_the_grid_point_s_time_in_the_last_tick_before_it() {
    let script = || Script {
        pace: Pace::Grid,
        broadcasts: Vec::new(),
        steps: vec![
            (Some(4), vec![add(0, 12, "a", 1), add(1, 31, "a", 2)]),
            (Some(5), vec![add(0, 49, "a", 4)]),
            // Exactly at the grid point: part of the next one.
            (Some(6), vec![add(0, 50, "a", 8)]),
            (None, vec![]),
        ],
        end: 55,
        saved: Vec::new(),
    };
    assert_transcript(
        script,
        &[
            &["derived a is 1 at 12 of 0 #1", "derived a is 3 at 31 of 1 #1", "done [4]"],
            &["derived a is 7 at 49 of 0 #1", "done [5]", "row a 7 at 50 in tick 4", "update a is 7 in 4"],
            &["derived a is 15 at 50 of 0 #1", "done [6]"],
            &["done []", "row a 15 at 100 in tick 9", "update a is 15 in 9"],
        ],
    );
}

#[test]
fn timers_fire_after_all_events_of_their_time_and_before_time_ends() {
    let script = || Script {
        pace: Pace::Tick,
        broadcasts: Vec::new(),
        steps: vec![
            (Some(1), vec![(0, 1, "a", Step::SetTimer(25, 1)), (0, 2, "a", Step::SetTimer(25, 2)), (0, 3, "a", Step::SetTimer(27, 3))]),
            // One of them is cancelled, and an event arrives at the same time.
            (Some(3), vec![(1, 21, "a", Step::CancelTimer(25, 2)), add(1, 25, "a", 10)]),
            // Of two timers after the end of the input, the one before the greatest clock still fires. Events of that very clock may
            // come in the next run, and come first.
            (Some(4), vec![(0, 31, "b", Step::SetTimer(59, 1)), (0, 31, "b", Step::SetTimer(60, 2))]),
            (None, vec![]),
        ],
        end: 60,
        saved: Vec::new(),
    };
    assert_transcript(
        script,
        &[
            &["done [1]", "row a 0 at 0 in tick 0"],
            &[
                "derived a is 10 at 25 of 1 #1",
                "derived a rang 1 at 25 at 25 of 0 #1",
                "derived a rang 3 at 27 at 27 of 0 #1",
                "done [3]",
                "row a 12 at 20 in tick 2",
            ],
            &["done [4]", "row b 0 at 30 in tick 3"],
            &[
                "derived b rang 1 at 59 at 59 of 0 #1",
                "done []",
                "row b 1 at 50 in tick 5",
                "update a is 12 in 4",
                "update b is 0 in 4",
                "update b is 1 in 9",
            ],
        ],
    );
}

#[test]
fn reasons_go_with_the_rows_of_their_tick_and_with_the_update_of_their_grid_point() {
    let script = || Script {
        pace: Pace::Tick,
        broadcasts: Vec::new(),
        steps: vec![
            (Some(2), vec![add(0, 5, "a", 1), (1, 12, "a", Step::Correct(-1)), (0, 13, "b", Step::Reject)]),
            (Some(5), vec![add(0, 21, "a", 7)]),
            (Some(10), vec![add(0, 51, "a", 1)]),
            (None, vec![]),
        ],
        end: 60,
        saved: Vec::new(),
    };
    assert_transcript(
        script,
        &[
            &[
                "derived a is 0 at 12 of 1 #1",
                "derived a is 1 at 5 of 0 #1",
                "done [2]",
                "rejected 2 in tick 1",
                "row a 0 at 10 in tick 1 fill f was busted",
                "row a 1 at 0 in tick 0",
                "row b 0 at 10 in tick 1",
            ],
            &[
                "derived a is 7 at 21 of 0 #1",
                "done [5]",
                "row a 7 at 20 in tick 2",
                "update a is 7 in 4 fill f was busted",
                "update b is 0 in 4",
            ],
            &["derived a is 8 at 51 of 0 #1", "done [10]", "row a 8 at 50 in tick 5", "update a is 8 in 9"],
            &["done []"],
        ],
    );
}

#[test]
fn a_restored_state_goes_on_at_its_own_worker_and_emits_nothing_by_itself() {
    let row = |key: &str, posted: i64| Balance {
        account_id: account(key),
        currency: Currency::derived("USD"),
        posted: Total::whole(posted),
        pending: Total::ZERO,
        available: Total::ZERO,
        ts: EventTime::from_nanos(0),
    };
    let script = || Script {
        pace: Pace::Tick,
        broadcasts: Vec::new(),
        steps: vec![(Some(1), vec![]), (Some(2), vec![add(0, 11, "a", 1), add(1, 11, "b", 1), add(2, 11, "c", 1)]), (None, vec![])],
        end: 12,
        saved: vec![row("a", 100), row("b", 200)],
    };
    assert_transcript(
        script,
        &[
            &["done [1]"],
            &[
                "derived a is 101 at 11 of 0 #1",
                "derived b is 201 at 11 of 1 #1",
                "derived c is 1 at 11 of 2 #1",
                "done [2]",
                "row a 101 at 10 in tick 1",
                "row b 201 at 10 in tick 1",
                "row c 1 at 10 in tick 1",
            ],
            &["done []", "update a is 101 in 4", "update b is 201 in 4", "update c is 1 in 4"],
        ],
    );
}
