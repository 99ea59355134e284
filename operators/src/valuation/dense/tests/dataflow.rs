//! Tests of the dataflow on 1, 2 and 3 workers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use headwater_schemas::Tick;
use headwater_schemas::tables::{Change, TableRow, TableWriter};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use timely::dataflow::operators::{Input, Inspect, Probe};
use timely::dataflow::{InputHandleVec, ProbeHandle};

use super::steps::{Step, account_of, steps};
use super::*;

type Lines = BTreeMap<String, u32>;

/// All changes and figures as text, each with its count.
fn outcome(steps: &[Step], workers: usize) -> Lines {
    let (steps, lines) = (steps.to_vec(), Arc::new(Mutex::new(Lines::new())));
    let all = Arc::clone(&lines);
    let config = timely::Config::process(workers);
    let guards = timely::execute(config, move |worker| {
        let (mut known, mut limits) = (InputHandleVec::new(), InputHandleVec::new());
        let tables = (HoldingTables::default(), ScopeTables::default());
        let settings = super::valuation_settings();
        let seen = Arc::clone(&all);
        let (peers, index) = (worker.peers(), worker.index());
        let probe = ProbeHandle::new();
        worker.dataflow::<Tick, _, _>(|scope| {
            let input = ValuationInput {
                known: scope.input_from(&mut known),
                limits: scope.input_from(&mut limits),
                before: ValuationBefore::default(),
            };
            let output = valuation(scope, input, &settings, &tables);
            output.measures.inspect(move |measure| add(&seen, format!("{measure:?}")));
            output.done.probe_with(&probe);
        });
        for step in &steps {
            for change in &step.changes {
                match change {
                    Known::Limit(event) => limits.send((**event).clone()),
                    change if account_of(change).is_none_or(|account| route_of(account, peers) == index) => {
                        known.send((change.clone(), step.tick, 1));
                    }
                    _ => {}
                }
            }
            let next = step.tick.next();
            known.advance_to(next);
            limits.advance_to(next);
            // Several grid points are complete at once, as after an outage.
            if step.tick.get() % 3 == 0 {
                worker.step_while(|| probe.less_than(&next));
                take(&all, &tables.0.holdings, next);
                take(&all, &tables.0.paid_in, next);
                take(&all, &tables.1.portfolios, next);
            }
        }
        known.close();
        limits.close();
        worker.step_while(|| !probe.done());
        take(&all, &tables.0.holdings, Tick::MAX);
        take(&all, &tables.0.paid_in, Tick::MAX);
        take(&all, &tables.1.portfolios, Tick::MAX);
        take(&all, &tables.1.portfolio_peaks, Tick::MAX);
        take(&all, &tables.1.risk, Tick::MAX);
        take(&all, &tables.1.stress, Tick::MAX);
    });
    drop(guards.expect("workers"));
    let lines = lines.lock().expect("lines");
    lines.clone()
}

fn add(lines: &Mutex<Lines>, line: String) {
    *lines.lock().expect("lines").entry(line).or_default() += 1;
}

/// Asserts that all rows of completed ticks are in the tables: none comes later.
fn take<R: TableRow>(lines: &Mutex<Lines>, table: &TableWriter<R>, end_tick: Tick) {
    for Change { row, tick, gone, why } in table.take_below(end_tick) {
        add(lines, format!("{} at {tick}, gone {gone}, why {why}: {row:?}", R::SPEC.name));
    }
}

#[test]
fn rows_and_figures_are_the_same_on_any_number_of_workers() {
    let mut runner = TestRunner::deterministic();
    for _ in 0..12 {
        let steps = steps().new_tree(&mut runner).expect("steps").current();
        let one = outcome(&steps, 1);
        assert!(!one.is_empty() || steps.len() < 8);
        for workers in [2, 3] {
            let many = outcome(&steps, workers);
            let differences: Vec<_> = one.iter().filter(|(line, count)| many.get(*line) != Some(count)).collect();
            assert!(differences.is_empty() && one.len() == many.len(), "{workers} workers: {differences:#?}");
        }
    }
}
