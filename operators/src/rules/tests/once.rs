//! Tests that each action of a customer counts once: holds with their captures, reversals, and what the ledger rejects.

use headwater_schemas::Nanos;
use headwater_schemas::events::TransactionPhase;
use headwater_schemas::tables::{AlertState, DecisionState};

use super::*;
use crate::ledger::{Accepted, Captures, LedgerEvent, Owned, Postings};
use crate::testing::run_with_restart;

/// Noon of 2026-01-15 in London.
const NOON: i64 = 1_768_478_400 * SECOND;
const LEDGER: Postings = Postings {
    reversal_horizon: Nanos::MAX,
    waiting_horizon: Nanos::MAX,
    hold_expiry: None,
    captures: Captures { over: true, partial: false },
    enforces: false,
};

fn bought(id: &str, ts: i64, amount: &str) -> Transaction {
    located(transaction(id, ts, amount), "0", "0")
}

fn held(id: &str, ts: i64, amount: &str) -> Transaction {
    Transaction { phase: Some(TransactionPhase::Pending), ..bought(id, ts, amount) }
}

fn captured(hold: &str, id: &str, ts: i64, amount: &str) -> Transaction {
    Transaction { pending_id: Some(Id::derived(hold)), ..bought(id, ts, amount) }
}

fn reversed(original: &str, id: &str, ts: i64, amount: &str) -> Transaction {
    Transaction { reverses: Some(Id::derived(original)), ..bought(id, ts, amount) }
}

/// The events that the ledger derives for scoring.
fn through_the_ledger(transactions: Vec<Transaction>) -> Happenings<Rules> {
    let to_ledger = arriving(transactions).into_iter().filter_map(|Placed { place, event }| match event {
        Happening::Event(RuleEvent { what: Happened::Transaction(transaction), .. }) => {
            Some(Placed { place, event: Happening::Event(Owned::from(transaction)) })
        }
        _ => None,
    });
    let scored = run(LEDGER, to_ledger.collect()).derived.into_iter().filter_map(|Placed { place, event }| {
        let (place, event) = match event {
            LedgerEvent::Posting(_) | LedgerEvent::Remains(_) => return None,
            LedgerEvent::Accepted(Accepted { record, transaction, .. }) => (record, Happened::Transaction(transaction)),
            LedgerEvent::TakenBack(taken) => (place, Happened::TakenBack(taken)),
            LedgerEvent::Adjusted(adjusted) => (place, Happened::Adjusted(adjusted)),
        };
        Some(Placed { place, event: of_account(event) })
    });
    customer(AT_HOME).into_iter().chain(scored).collect()
}

fn scored(view: &Rules, transactions: Vec<Transaction>) -> Emitted<Rules> {
    let happenings = through_the_ledger(transactions);
    let whole = run(view.clone(), happenings.clone());
    for cut in 0..happenings.len() {
        let cut = run_with_restart(view.clone(), happenings.clone(), cut);
        assert_eq!(decisions(&whole), decisions(&cut));
        assert_eq!(alerts(&whole), alerts(&cut));
        assert_eq!(rows_of(&whole.tables.rule_events), rows_of(&cut.tables.rule_events));
        assert_eq!(rows_of(&whole.tables.rule_outcomes), rows_of(&cut.tables.rule_outcomes));
    }
    whole
}

/// The value of a feature at each decision, from a rule that never fires.
fn figures(feature: &str, transactions: Vec<Transaction>) -> Vec<String> {
    let rules =
        format!("[[feature]]\nname = \"f\"\nwindow = \"1d\"\n{feature}\n[[rule]]\nname = \"r\"\nwhen = \"true and f >= 0\"\npoints = 1\n");
    let said = scored(&Rules::new(pack(&rules)), transactions);
    let figure = |decision: &Decision| match decision.reasons.first().and_then(|reason| reason.evidence.first()) {
        Some(figure) => format!("{} {figure}", decision.subject_id),
        None => decision.subject_id.to_string(),
    };
    decisions(&said).iter().map(figure).collect()
}

#[test]
fn a_purchase_by_hold_and_capture_counts_once() {
    let purchases = |count: i64| {
        let one = |n: i64| {
            let ts = NOON + n * MINUTE;
            [held(&format!("h{n}"), ts, "20"), captured(&format!("h{n}"), &format!("c{n}"), ts + SECOND, "20")]
        };
        (1..=count).flat_map(one).collect::<Vec<_>>()
    };
    let velocity = |count: i64| {
        let said = scored(&banking(), purchases(count));
        let fast = decisions(&said).into_iter().filter(|decision| fired(decision).contains(&"velocity"));
        fast.map(|decision| decision.subject_id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(velocity(3), Vec::<String>::new());
    assert_eq!(velocity(5), Vec::<String>::new());
    assert_eq!(velocity(6), ["h6"]);
}

#[test]
fn a_window_counts_others_only_if_it_asks_for_them() {
    let story = || {
        vec![
            bought("p", NOON, "40"),
            held("h", NOON + MINUTE, "20"),
            captured("h", "c", NOON + 2 * MINUTE, "20"),
            reversed("p", "r", NOON + 3 * MINUTE, "10"),
            bought("q", NOON + 4 * MINUTE, "5"),
        ]
    };
    for (feature, expected) in [
        ("aggregate = \"count\"", "c,h f=2,p f=1,q f=3,r"),
        ("aggregate = \"sum\"\nfield = \"amount\"", "c,h f=60,p f=40,q f=65,r"),
        ("aggregate = \"count\"\nfilter = \"exists(reverses)\"", "c,h f=0,p f=0,q f=1,r f=1"),
        ("aggregate = \"count\"\nfilter = \"exists(pending_id)\"", "c f=1,h f=0,p f=0,q f=1,r"),
        ("aggregate = \"count\"\nfilter = \"phase == 'posted'\"", "c f=2,h f=1,p f=1,q f=3,r"),
        ("aggregate = \"distinct\"\nfield = \"reverses\"", "c,h f=0,p f=0,q f=1,r f=1"),
    ] {
        assert_eq!(figures(feature, story()).join(","), expected, "{feature}");
    }
}

#[test]
fn a_rule_may_ask_for_reversals() {
    let rules = "[[rule]]\nname = \"large\"\nwhen = \"amount > 10\"\npoints = 1\n[[rule]]\nname = \"refund\"\nwhen = \"exists(reverses)\"\npoints = 2\n";
    let said = scored(&Rules::new(pack(rules)), vec![bought("p", NOON, "40"), reversed("p", "r", NOON + MINUTE, "30")]);
    assert_eq!((fired(&decision_on(&said, "p")), fired(&decision_on(&said, "r"))), (vec!["large"], vec!["refund"]));
}

#[test]
fn a_hold_has_the_amount_that_it_was_captured_for() {
    let story = |amount: &str| {
        vec![
            held("h", NOON, "20000"),
            bought("between", NOON + MINUTE, "1"),
            captured("h", "c", NOON + HOUR, amount),
            bought("after", NOON + 2 * HOUR, "2"),
        ]
    };
    let sum = "aggregate = \"sum\"\nfield = \"amount\"";
    assert_eq!(figures(sum, story("20000")), ["after f=20003", "between f=20001", "c", "h f=20000"]);
    assert_eq!(figures(sum, story("50")), ["after f=53", "between f=51", "c", "h f=50"]);
    // The hold's own decision is updated as well.
    let decided = |amount: &str| {
        let decision = decision_on(&scored(&banking(), story(amount)), "h");
        (decision.state, reasons(&decision))
    };
    let large = |amount: &str| format!("large_amount 30: amount={amount} h");
    assert_eq!(decided("20000"), (DecisionState::Made, vec![large("20000")]));
    assert_eq!(decided("10000"), (DecisionState::Amended, vec!["captured 0: c".to_owned()]));
    assert_eq!(decided("30000"), (DecisionState::Amended, vec![large("30000"), "captured 0: c".to_owned()]));
    // One that is captured for nothing is released, like one that is voided.
    assert_eq!(decided("0"), (DecisionState::Withdrawn, vec![large("20000"), "taken_back 0: c".to_owned()]));
    assert_eq!(figures("aggregate = \"count\"", story("0")), ["after f=2", "between f=1", "c", "h f=1"]);
}

#[test]
fn a_refund_of_a_blocked_payment_raises_no_alert_of_its_own() {
    // At night, far from home.
    let night = NOON + 13 * HOUR;
    let far = |transaction: Transaction| located(transaction, "0", "30");
    let blocked = far(transaction("p", night, "20000"));
    let refund = Transaction { reverses: Some(Id::derived("p")), ..far(transaction("r", night + MINUTE, "20000")) };
    let said = scored(&banking(), vec![blocked, refund]);
    let found: Vec<_> = alerts(&said).iter().map(|alert| (alert.evidence.clone(), alert.state)).collect();
    assert_eq!(found, [(vec![Id::derived("p"), Id::derived("r")], AlertState::Withdrawn)]);
    assert_eq!(decision_on(&said, "p").state, DecisionState::Withdrawn);
    assert_eq!(reasons(&decision_on(&said, "r")), Vec::<String>::new());
}

#[test]
fn a_purchase_that_is_refunded_after_its_capture_does_not_count() {
    let story = |refund: &str| {
        vec![
            held("h", NOON, "20"),
            captured("h", "c", NOON + MINUTE, "20"),
            reversed("c", "r", NOON + HOUR, refund),
            bought("q", NOON + 2 * HOUR, "1"),
        ]
    };
    assert_eq!(figures("aggregate = \"count\"", story("19")), ["c", "h f=1", "q f=2", "r"]);
    let said = scored(&banking(), story("20"));
    let states: Vec<_> = decisions(&said).iter().map(|decision| (decision.subject_id.to_string(), decision.state)).collect();
    let expected =
        [("c", DecisionState::Withdrawn), ("h", DecisionState::Withdrawn), ("q", DecisionState::Made), ("r", DecisionState::Made)];
    assert_eq!(states, expected.map(|(id, state)| (id.to_owned(), state)));
    assert_eq!(figures("aggregate = \"count\"", story("20")).get(2).map(String::as_str), Some("q f=1"));
}

#[test]
fn what_the_ledger_refuses_is_not_scored() {
    let contradiction = Transaction { pending_id: Some(Id::derived("h")), ..reversed("p", "x", NOON + 4 * MINUTE, "1") };
    let refused = vec![
        bought("p", NOON, "40"),
        reversed("p", "too_much", NOON + MINUTE, "41"),
        Transaction { currency: Currency::derived("EUR"), ..reversed("p", "euros", NOON + 2 * MINUTE, "1") },
        reversed("unknown", "waits", NOON + 3 * MINUTE, "1"),
        contradiction,
        bought("q", NOON + 5 * MINUTE, "1"),
    ];
    let said = scored(&banking(), refused);
    let subjects: Vec<_> = decisions(&said).into_iter().map(|decision| decision.subject_id.to_string()).collect();
    assert_eq!(subjects, ["p", "q"]);
}

#[test]
fn what_waited_is_scored_when_the_ledger_takes_it() {
    let said = scored(&banking(), vec![captured("h", "c", NOON, "20"), bought("p", NOON + MINUTE, "1"), held("h", NOON - MINUTE, "20")]);
    let subjects: Vec<_> = decisions(&said).into_iter().map(|decision| decision.subject_id.to_string()).collect();
    assert_eq!(subjects, ["c", "h", "p"]);
}
