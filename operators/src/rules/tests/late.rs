//! Tests of late events: each is scored at its own time, and later decisions that it changes are updated.

use std::sync::Arc;

use headwater_schemas::tables::{AlertState, DecisionState, Verdict};
use headwater_schemas::{EffectiveTime, Nanos, Tick};

use super::*;
use crate::testing::history_of;

const NOON: i64 = 1_768_478_400 * SECOND;

fn here(id: &str, ts: i64, amount: &str) -> Transaction {
    located(transaction(id, ts, amount), "0", "0")
}

#[test]
fn a_late_event_amends_the_decisions_behind_it_that_change() {
    let mut transactions: Vec<_> = (1..=5).map(|n| here(&format!("t{n}"), NOON + n * MINUTE, "1")).collect();
    transactions.push(here("t20", NOON + 20 * MINUTE, "1"));
    transactions.push(here("late", NOON, "1"));
    let said = run_as(banking(), AT_HOME, transactions);
    for (id, state, expected) in [
        ("late", DecisionState::Made, vec![]),
        ("t4", DecisionState::Made, vec![]),
        ("t5", DecisionState::Amended, vec!["velocity 40: count_10m=6 late t1 t2 t3 t4 t5", "late_event 0: late"]),
        ("t20", DecisionState::Made, vec![]),
    ] {
        let decision = decision_on(&said, id);
        assert_eq!((decision.state, reasons(&decision)), (state, expected.iter().map(|text| text.to_string()).collect()), "{id}");
    }
    // The old row stays in the history, followed by the new one: nothing is edited silently.
    let history = history_of(&said.tables.decisions);
    let of_t5 = history.iter().filter(|(_, decision, _)| decision.subject_id.as_str() == "t5");
    let scores: Vec<_> = of_t5.map(|(_, decision, gone)| (decision.score.value(), *gone)).collect();
    assert_eq!(scores, [(0.0, false), (40.0, false)]);
}

#[test]
fn a_late_event_raises_amends_and_withdraws_alerts() {
    // Far away an hour after being home: impossible, and with 20 000 blocked. A late stop on the way makes it possible.
    let home = here("t1", NOON, "1");
    let far = located(transaction("t2", NOON + HOUR, "20000"), "0", "9");
    let on_the_way = located(transaction("late", NOON + 30 * MINUTE, "1"), "0", "4.5");
    let steps = |transactions: Vec<Transaction>| {
        let said = run_as(banking(), AT_HOME, transactions);
        let alerts: Vec<_> = alerts(&said).iter().map(|alert| (alert.state, alert.message.to_string(), alert.ts.nanos())).collect();
        (decision_on(&said, "t2").decision, alerts)
    };
    let raised = "transaction t2 on account a: block, score 80 (large_amount 30, impossible_travel 50)";
    assert_eq!(steps(vec![home.clone(), far.clone()]), (Verdict::Block, vec![(AlertState::Raised, raised.to_owned(), NOON + HOUR)]));

    let late_move = located(transaction("late", NOON + 59 * MINUTE, "1"), "0", "9");
    let withdrawn = "transaction t2 on account a: approve, score 30 (large_amount 30), since late came late";
    let later = here("t3", NOON + 3 * HOUR, "1");
    let (verdict, alerts) = steps(vec![home.clone(), far.clone(), later.clone(), late_move.clone()]);
    assert_eq!((verdict, alerts.first()), (Verdict::Approve, Some(&(AlertState::Withdrawn, withdrawn.to_owned(), NOON + 3 * HOUR))));

    // With a stop at 4.5°, the second half is as fast as the first: still blocked, from another place.
    let (verdict, alerts) = steps(vec![home.clone(), far.clone(), on_the_way]);
    let amended = "transaction t2 on account a: block, score 80 (large_amount 30, impossible_travel 50), since late came late";
    assert_eq!((verdict, alerts), (Verdict::Block, vec![(AlertState::Amended, amended.to_owned(), NOON + HOUR)]));

    // Without the first event nothing was wrong until it arrived: raised late.
    let (verdict, alerts) = steps(vec![far, home]);
    let raised = "transaction t2 on account a: block, score 80 (large_amount 30, impossible_travel 50), since t1 came late";
    assert_eq!((verdict, alerts), (Verdict::Block, vec![(AlertState::Raised, raised.to_owned(), NOON + HOUR)]));
}

#[test]
fn a_decision_that_changes_back_stays_amended() {
    // Slow, then fast from a late place, then slow again from a later late one.
    let transactions = vec![
        located(transaction("t", NOON + HOUR, "1"), "0", "9"),
        located(transaction("late1", NOON + 30 * MINUTE, "1"), "0", "0"),
        located(transaction("late2", NOON + 59 * MINUTE, "1"), "0", "9"),
    ];
    let decision = decision_on(&run_as(banking(), AT_HOME, transactions), "t");
    assert_eq!((decision.state, decision.decision), (DecisionState::Amended, Verdict::Approve));
    assert_eq!(reasons(&decision), ["late_event 0: late2"]);
}

#[test]
fn later_than_the_horizon_is_a_dead_letter() {
    let view = banking();
    let clock = here("clock", NOON + DAY, "1");
    let said = run_as(view, AT_HOME, [clock, here("in_time", NOON, "1"), here("too_late", NOON - 1, "1")]);
    let subjects: Vec<_> = decisions(&said).iter().map(|decision| decision.subject_id.to_string()).collect();
    assert_eq!(subjects, ["clock", "in_time"]);
    let [letter] = said.dead_letters.as_slice() else { panic!("{:?}", said.dead_letters) };
    assert_eq!((letter.topic.as_str(), letter.partition, letter.offset.get(), letter.code.as_str()), ("transactions", 0, 2, "too_late"));
    assert_eq!(letter.key.as_deref(), Some("a"));
    assert!(letter.error.contains("more than the 86400 s that ruleset banking remembers"), "{}", letter.error);
    let value = letter.value.as_deref().unwrap_or_default();
    let decoded = Event::decode(Topic::Transactions, Some(b"a"), Some(value)).expect("the event as it came");
    assert_eq!(decoded, Event::Transaction(Arc::new(here("too_late", NOON - 1, "1"))));
}

#[test]
fn the_horizon_is_a_day_or_the_longest_window_if_longer() {
    let pack =
        pack("[[feature]]\nname = \"f\"\naggregate = \"count\"\nwindow = \"2d\"\n[[rule]]\nname = \"r\"\nwhen = \"f > 1\"\npoints = 10\n");
    let transactions = || [here("clock", NOON, "1"), here("two_days", NOON - 2 * DAY, "1"), here("more", NOON - 2 * DAY - 1, "1")];
    let taken = |view: Rules| decisions(&run_as(view, AT_HOME, transactions())).len();
    assert_eq!(taken(Rules::new(Arc::clone(&pack))), 2);
    assert_eq!(taken(Rules::with_horizon(Arc::clone(&pack), Nanos::ZERO)), 1);
    assert_eq!(taken(Rules::with_horizon(pack, Nanos::new((3 * DAY).unsigned_abs()))), 3);
}

#[test]
fn an_event_at_the_edge_of_the_horizon_still_finds_its_window() {
    // The window is a day, and the event is late by a day: events from two days before must still be remembered.
    let pack =
        pack("[[feature]]\nname = \"f\"\naggregate = \"count\"\nwindow = \"1d\"\n[[rule]]\nname = \"r\"\nwhen = \"f > 1\"\npoints = 10\n");
    let transactions = [here("first", NOON, "1"), here("clock", NOON + 2 * DAY, "1"), here("late", NOON + DAY, "1")];
    let said = run_as(Rules::new(pack), AT_HOME, transactions);
    assert_eq!(reasons(&decision_on(&said, "late")), ["r 10: f=2 first late"]);
    assert_eq!(reasons(&decision_on(&said, "clock")), ["r 10: f=2 late clock", "late_event 0: late"]);
}

#[test]
fn state_is_bounded() {
    let view = banking();
    let mut fold = crate::testing::fold(view);
    let mut largest = 0;
    let transactions = (0..2_000)
        .map(|n| Transaction { account_id: AccountId::derived(format!("a{}", n % 3)), ..here(&format!("t{n}"), NOON + n * HOUR, "1") });
    for step in arriving(transactions) {
        while fold.next_timer().is_some_and(|timer| timer < step.place.time) {
            fold.fire();
        }
        let Happening::Event(event) = step.event else { continue };
        fold.apply(Placed { place: step.place, event });
        fold.emit(Tick::ZERO, EffectiveTime::ZERO);
        largest = largest.max(fold.states().map(|(_, state)| state.ring.iter().count()).max().unwrap_or(0));
    }
    // A day of horizon and a day of window, one event every three hours: 17 and the one at the edge.
    assert!(largest <= 18, "{largest}");
    // A quiet account is forgotten entirely, once its timers have fired.
    while fold.next_timer().is_some() {
        fold.fire();
        fold.emit(Tick::ZERO, EffectiveTime::ZERO);
    }
    assert_eq!(fold.states().count(), 0);
}
