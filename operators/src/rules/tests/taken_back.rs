//! Tests of transactions that the ledger takes back: they no longer count, and decisions that they changed are updated.

use headwater_schemas::tables::{AlertState, DecisionState};
use headwater_schemas::{EffectiveTime, Nanos, Tick};
use proptest::prelude::*;

use super::recomputed::{Spec, banking_by_hand, specs, transactions, undecided_by_rules, wide_by_hand, wide_pack};
use super::*;
use crate::testing::run_with_restart;

const NOON: i64 = 1_768_478_400 * SECOND;

fn here(id: &str, ts: i64, amount: &str) -> Transaction {
    located(transaction(id, ts, amount), "0", "0")
}

/// State, score and reasons of a decision.
fn told(said: &Emitted<Rules>, id: &str) -> (DecisionState, f64, Vec<String>) {
    let decision = decision_on(said, id);
    (decision.state, decision.score.value(), reasons(&decision))
}

fn run_with(transactions: Vec<Transaction>, taken: &[(&str, &str)]) -> Emitted<Rules> {
    let mut steps = arriving(transactions);
    for (id, by) in taken {
        let by_it = |step: &&Step| matches!(&step.event, Happening::Event(RuleEvent { what: Happened::Transaction(event), .. }) if event.transaction_id.as_str() == *by);
        let step = taken_back(steps.iter().find(by_it).expect("the reversal"), "a", id, by);
        steps.push(step);
    }
    run(banking(), customer(AT_HOME).into_iter().chain(steps).collect())
}

#[test]
fn what_is_taken_back_is_withdrawn_and_does_not_count_any_more() {
    let mut transactions: Vec<_> = (1..=6).map(|n| here(&format!("t{n}"), NOON + n * MINUTE, "1")).collect();
    transactions.push(here("back", NOON + HOUR, "1"));
    let said = run_with(transactions.clone(), &[("t2", "back")]);
    assert_eq!(told(&said, "t2"), (DecisionState::Withdrawn, 0.0, vec!["taken_back 0: back".to_owned()]));
    assert_eq!(told(&said, "t6"), (DecisionState::Amended, 0.0, vec!["taken_back 0: back".to_owned()]), "five are left in ten minutes");
    assert_eq!(told(&said, "t5"), (DecisionState::Made, 0.0, vec![]));
    // Each changed row has the correction that caused it.
    let changes = said.tables.decisions.changes();
    let reasons: Vec<_> = changes.iter().map(|change| (change.row.subject_id.to_string(), change.why.to_string())).collect();
    for id in ["t2", "t6"] {
        assert!(reasons.contains(&(id.to_owned(), "transaction back reverses t2".to_owned())), "{reasons:?}");
    }

    // A late event between them does not restore it.
    transactions.push(here("late", NOON + 5 * MINUTE + SECOND, "1"));
    let said = run_with(transactions, &[("t2", "back")]);
    assert_eq!(told(&said, "t2").0, DecisionState::Withdrawn);
    assert_eq!(
        told(&said, "t6"),
        (DecisionState::Amended, 40.0, vec!["velocity 40: count_10m=6 t1 t3 t4 t5 late t6".to_owned(), "late_event 0: late".to_owned()])
    );
}

#[test]
fn an_alert_is_withdrawn_with_what_raised_it() {
    let far = located(transaction("far", NOON + HOUR, "20000"), "0", "9");
    let said = run_with(vec![here("t1", NOON, "1"), far, here("back", NOON + 3 * HOUR, "1")], &[("far", "back")]);
    let found: Vec<_> = alerts(&said).iter().map(|alert| (alert.state, alert.message.to_string(), alert.ts.nanos())).collect();
    let message = "transaction far on account a: block, score 80 (large_amount 30, impossible_travel 50), taken back by back";
    assert_eq!(found, [(AlertState::Withdrawn, message.to_owned(), NOON + 3 * HOUR)]);
}

#[test]
fn what_is_restored_counts_again_and_so_does_its_alert() {
    let mut transactions: Vec<_> = (1..=5).map(|n| here(&format!("t{n}"), NOON + n * MINUTE, "1")).collect();
    transactions.push(here("t6", NOON + 6 * MINUTE, "20000"));
    transactions.extend([here("back", NOON + HOUR, "1"), here("won", NOON + 2 * HOUR, "1")]);
    for id in ["t2", "t6"] {
        let mut steps = arriving(transactions.clone());
        let (back, won) = (taken_back(&steps[6], "a", id, "back"), restored(&steps[7], "a", id, "won"));
        steps.extend([back, won]);
        let happenings: Happenings<Rules> = customer(AT_HOME).into_iter().chain(steps).collect();
        let whole = run(banking(), happenings.clone());
        assert_eq!(decision_on(&whole, id).state, DecisionState::Amended, "{id}");
        let reasons = ["large_amount 30: amount=20000 t6", "velocity 40: count_10m=6 t1 t2 t3 t4 t5 t6", "taken_back 0: won"];
        assert_eq!(told(&whole, "t6"), (DecisionState::Amended, 70.0, reasons.map(str::to_owned).to_vec()), "{id}");
        let found: Vec<_> = alerts(&whole).iter().map(|alert| (alert.state, alert.ts.nanos())).collect();
        assert_eq!(found, [(AlertState::Amended, NOON + 2 * HOUR)], "{id}");
        for cut in 0..happenings.len() {
            let cut = run_with_restart(banking(), happenings.clone(), cut);
            assert_eq!(decisions(&whole), decisions(&cut));
            assert_eq!(alerts(&whole), alerts(&cut));
        }
    }
}

#[test]
fn what_is_not_known_or_was_taken_back_before_changes_nothing() {
    let transactions = || vec![here("t1", NOON, "1"), here("b1", NOON + MINUTE, "1"), here("b2", NOON + HOUR, "1")];
    let once = run_with(transactions(), &[("t1", "b1")]);
    let again = run_with(transactions(), &[("t1", "b1"), ("t1", "b2"), ("t0", "b2")]);
    assert_eq!(decisions(&once), decisions(&again));
    assert_eq!(alerts(&once), alerts(&again));
    assert_eq!(rows_of(&once.tables.rule_events), rows_of(&again.tables.rule_events));
}

#[test]
fn what_is_older_than_the_horizon_is_not_decided_again() {
    // A day of horizon, a day of window: two days later the first transaction is forgotten, and with it a part of the third one's
    // window.
    let pack =
        pack("[[feature]]\nname = \"f\"\naggregate = \"count\"\nwindow = \"1d\"\n[[rule]]\nname = \"r\"\nwhen = \"f > 2\"\npoints = 10\n");
    let transactions = [("t1", 0), ("t2", HOUR), ("t3", 2 * HOUR), ("back", 2 * DAY + HOUR / 2)];
    let mut steps = arriving(transactions.map(|(id, behind)| here(id, NOON + behind, "1")));
    let step = taken_back(&steps[3], "a", "t2", "back");
    steps.push(step);
    let said = run(Rules::new(pack), customer(AT_HOME).into_iter().chain(steps).collect());
    assert_eq!(told(&said, "t2").0, DecisionState::Withdrawn);
    assert_eq!(told(&said, "t3"), (DecisionState::Made, 10.0, vec!["r 10: f=3 t1 t2 t3".to_owned()]));
}

#[test]
fn what_is_taken_back_in_the_tick_in_which_it_is_let_go_is_said() {
    let mut fold = crate::testing::fold(banking());
    // Two days and a nanosecond later a transaction is forgotten.
    let transactions = [here("t1", NOON, "1"), here("back", NOON + 2 * DAY + 1, "1")];
    let steps = arriving(transactions);
    let take_back = taken_back(&steps[1], "a", "t1", "back");
    for (step, tick) in steps.into_iter().zip([Some(1), None]).chain([(take_back, None)]) {
        let Happening::Event(event) = step.event else { continue };
        fold.apply(Placed { place: step.place, event });
        tick.into_iter().for_each(|tick| fold.emit(Tick::new(tick), EffectiveTime::ZERO));
    }
    assert_eq!(fold.next_timer(), Some(EffectiveTime::new((NOON + 2 * DAY + 1).unsigned_abs())));
    fold.fire();
    fold.emit(Tick::new(2), EffectiveTime::ZERO);
    let decisions = rows_of(&fold.tables().decisions).into_iter().map(|row| format!("decision {} {}", row.subject_id, row.state));
    let events = rows_of(&fold.tables().rule_events).into_iter().map(|row| format!("event {}", row.event_id));
    let left: Vec<_> = decisions.chain(events).collect();
    assert_eq!(left, ["decision back made", "decision t1 withdrawn", "event back"]);
    // The forgotten event had a row, which is retracted once.
    let events = fold.tables().rule_events.changes();
    let of_t1: Vec<_> =
        events.iter().filter(|change| change.row.event_id.as_str() == "t1").map(|change| (change.tick, change.gone)).collect();
    assert_eq!(of_t1, [(Tick::new(1), false), (Tick::new(2), true)]);
}

type ByHand = fn(&[Transaction], usize) -> (u32, Vec<&'static str>);

/// After every event that is taken back, the decisions equal those of a batch over the remaining events.
fn matches_batch(view: Rules, specs: &[Spec], taken: &[(usize, usize)], by_hand: ByHand) -> Result<(), TestCaseError> {
    let all = transactions(specs);
    let mut steps = arriving(all.clone());
    let mut gone = std::collections::BTreeSet::new();
    for (when, what) in taken {
        let when = when % all.len();
        let what = &all[what % (when + 1)];
        let step = taken_back(&steps[when], &what.account_id, &what.transaction_id, "back");
        steps.push(step);
        gone.insert(what.transaction_id.clone());
    }
    let said = run(view, customer(AT_HOME).into_iter().chain(steps).collect());
    let mut left = all;
    left.retain(|transaction| !gone.contains(&transaction.transaction_id));
    left.sort_by_key(|transaction| transaction.ts);
    let expected: Vec<_> = (0..left.len())
        .map(|index| {
            let (score, undecided) = by_hand(&left, index);
            (left[index].transaction_id.to_string(), f64::from(score), undecided.into_iter().map(str::to_owned).collect::<Vec<_>>())
        })
        .collect();
    let (withdrawn, mut decided): (Vec<_>, Vec<_>) =
        decisions(&said).into_iter().partition(|decision| decision.state == DecisionState::Withdrawn);
    decided.sort_by_key(|decision| (decision.ts, decision.subject_id.clone()));
    let decided: Vec<_> =
        decided.iter().map(|decision| (decision.subject_id.to_string(), decision.score.value(), undecided_by_rules(decision))).collect();
    prop_assert_eq!(decided, expected);
    prop_assert_eq!(withdrawn.into_iter().map(|decision| decision.subject_id).collect::<std::collections::BTreeSet<_>>(), gone);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_is_left_is_what_a_batch_makes_of_it(specs in specs(40), taken in proptest::collection::vec((0..40_usize, 0..40_usize), 0..8)) {
        matches_batch(Rules::with_horizon(banking_pack(), Nanos::MAX), &specs, &taken, banking_by_hand)?;
        matches_batch(Rules::with_horizon(wide_pack(), Nanos::MAX), &specs, &taken, wide_by_hand)?;
    }
}
