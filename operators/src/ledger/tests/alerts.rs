//! Alerts about accounts: the event that just raises one, the one that just does not, and what ends it.

use headwater_schemas::tables::{Alert, AlertState, Change};

use super::*;

/// The changes of alerts, as `id state, message, evidence`.
fn alerts(records: &[&str]) -> Vec<String> {
    let events = events(records);
    let posted = run(POSTINGS, to_postings(POSTINGS, &events));
    let balances = run(Balances::default(), to_balances(&events, &posted.derived));
    let stand =
        rows_of(&balances.tables.alerts).into_iter().filter(|alert| matches!(alert.state, AlertState::Raised | AlertState::Amended));
    assert_eq!(stand.count(), rows_of(&balances.tables.ledger_alerts).len(), "a row of state for each standing alert");
    let text = |change: &Change<Alert>| {
        let Alert { alert_id, state, message, evidence, .. } = &change.row;
        let evidence: Vec<_> = evidence.iter().map(|id| id.as_str()).collect();
        format!("{alert_id} {state}, {message}, {}", evidence.join(" "))
    };
    balances.tables.alerts.changes().iter().map(text).collect()
}

/// A transfer from an account to itself.
const TO_ITSELF: &str = r#""transaction_id":"t","type":"transfer","amount":"500","counterparty_account":"a""#;

#[test]
fn a_debit_without_funds_is_posted_and_raises_an_alert() {
    let opened = |fields: &str| format!(r#""type":"opened","customer_id":"c","currency":"USD",{fields}"#);
    let credit = opened(r#""account_type":"credit""#);
    let overdraft = opened(r#""account_type":"checking","overdraft_limit":"40""#);
    let more = r#""transaction_id":"q","type":"payment","amount":"10""#;
    let returned = r#""transaction_id":"r","type":"payment","amount":"40","reverses":"p""#;
    let void = r#""transaction_id":"v","type":"payment","amount":"60","phase":"void","pending_id":"h""#;
    let raised = "ledger:insufficient_funds:a:USD:p raised, the available balance of a is -40 USD, p";
    let cases: &[(&str, &[&str], &[&str])] = &[
        ("what is there may be spent", &[DEPOSIT, PAYMENT, HOLD], &[]),
        ("more than there is", &[PAYMENT], &[raised]),
        (
            "further debits amend it, a deposit clears it",
            &[PAYMENT, more, DEPOSIT, HOLD],
            &[
                raised,
                "ledger:insufficient_funds:a:USD:p amended, the available balance of a is -50 USD, p q",
                "ledger:insufficient_funds:a:USD:p cleared, the available balance of a is 50 USD, p q",
                "ledger:insufficient_funds:a:USD:h raised, the available balance of a is -10 USD, h",
            ],
        ),
        ("a deposit that is too small leaves it", &[PAYMENT, r#""transaction_id":"d","type":"deposit","amount":"1""#], &[raised]),
        (
            "a reversal withdraws it",
            &[PAYMENT, returned],
            &[raised, "ledger:insufficient_funds:a:USD:p withdrawn, the available balance of a is 0 USD, p"],
        ),
        (
            "so does the void of a hold",
            &[HOLD, void],
            &[
                "ledger:insufficient_funds:a:USD:h raised, the available balance of a is -60 USD, h",
                "ledger:insufficient_funds:a:USD:h withdrawn, the available balance of a is 0 USD, h",
            ],
        ),
        (
            "and its capture for nothing",
            &[HOLD, r#""transaction_id":"c","type":"payment","amount":"0","pending_id":"h""#],
            &[
                "ledger:insufficient_funds:a:USD:h raised, the available balance of a is -60 USD, h",
                "ledger:insufficient_funds:a:USD:h withdrawn, the available balance of a is 0 USD, h",
            ],
        ),
        ("what an account pays to itself takes nothing", &[TO_ITSELF, DEPOSIT], &[]),
        ("within the overdraft limit", &[&overdraft, PAYMENT], &[]),
        (
            "a limit that rises clears it, a limit that falls raises none",
            &[PAYMENT, &overdraft, r#""type":"updated","overdraft_limit":"0""#],
            &[raised, "ledger:insufficient_funds:a:USD:p cleared, the available balance of a is 0 USD, p"],
        ),
        ("a credit account owes by its nature", &[&credit, PAYMENT], &[]),
    ];
    for (name, records, expected) in cases {
        assert_eq!(alerts(records), *expected, "{name}");
    }
}

#[test]
fn the_evidence_of_an_alert_is_bounded() {
    let payments: Vec<_> = (0..20).map(|n| format!(r#""transaction_id":"p{n}","type":"payment","amount":"1""#)).collect();
    let last = alerts(&payments.iter().map(String::as_str).collect::<Vec<_>>()).pop();
    let expected = "ledger:insufficient_funds:a:USD:p0 amended, the available balance of a is -20 USD, p0 p13 p14 p15 p16 p17 p18 p19";
    assert_eq!(last.as_deref(), Some(expected));
}

#[test]
fn a_frozen_or_closed_account_that_is_used_raises_an_alert() {
    let status = |word: &str| format!(r#""type":"{word}""#);
    let (frozen, unfrozen, closed) = (status("frozen"), status("unfrozen"), status("closed"));
    let opened = r#""type":"opened","customer_id":"c","account_type":"checking","currency":"USD""#;
    let to_a = r#""transaction_id":"t","account_id":"b","type":"deposit","amount":"1","counterparty_account":"a""#;
    let void = r#""transaction_id":"v","type":"payment","amount":"60","phase":"void","pending_id":"h""#;
    let nothing = r#""transaction_id":"n","type":"payment","amount":"0","phase":"pending""#;
    let none_of_a = r#""transaction_id":"n","account_id":"b","type":"deposit","amount":"0","phase":"pending","counterparty_account":"a""#;
    let void_of_nothing = r#""transaction_id":"v","type":"payment","amount":"0","phase":"void","pending_id":"n""#;
    let used = |status: &str, state: &str, by: &str, evidence: &str, first: &str| {
        format!("ledger:{status}_account:a:{first} {state}, account a is {status}, and was used by transaction {by}, {evidence}")
    };
    let cases: &[(&str, &[&str], &[String])] = &[
        ("before it is frozen", &[DEPOSIT, &frozen], &[]),
        ("once it is unfrozen", &[DEPOSIT, &frozen, &unfrozen, PAYMENT], &[]),
        (
            "frozen",
            &[DEPOSIT, &frozen, PAYMENT, HOLD, &unfrozen],
            &[
                used("frozen", "raised", "p", "p", "p"),
                used("frozen", "amended", "h", "p h", "p"),
                "ledger:frozen_account:a:p cleared, account a is not frozen any more, p h".to_owned(),
            ],
        ),
        (
            "closed",
            &[DEPOSIT, &closed, PAYMENT, opened],
            &[used("closed", "raised", "p", "p", "p"), "ledger:closed_account:a:p cleared, account a is open again, p".to_owned()],
        ),
        ("by another account", &[DEPOSIT, &frozen, to_a], &[used("frozen", "raised", "t", "t", "t")]),
        ("by a transfer to itself", &[DEPOSIT, &frozen, TO_ITSELF], &[used("frozen", "raised", "t", "t", "t")]),
        ("by a hold of zero", &[DEPOSIT, &frozen, nothing], &[used("frozen", "raised", "n", "n", "n")]),
        ("by a hold of zero, once it is closed", &[DEPOSIT, &closed, nothing], &[used("closed", "raised", "n", "n", "n")]),
        ("by a hold of zero of another account", &[DEPOSIT, &frozen, none_of_a], &[used("frozen", "raised", "n", "n", "n")]),
        ("the release of a hold of zero is no use", &[DEPOSIT, nothing, &frozen, void_of_nothing], &[]),
        ("the release of a hold is no use", &[DEPOSIT, HOLD, &frozen, void], &[]),
    ];
    for (name, records, expected) in cases {
        assert_eq!(alerts(records), *expected, "{name}");
    }
}

#[test]
fn a_reported_balance_that_differs_raises_an_alert() {
    let deposit = |id: &str, amount: u32, after: &str| {
        format!(r#""transaction_id":"{id}","type":"deposit","amount":"{amount}","balance_after":"{after}""#)
    };
    let first = deposit("d1", 100, "100");
    let hold = r#""transaction_id":"h","type":"payment","amount":"60","phase":"pending","balance_after":"100""#;
    let transfer =
        r#""transaction_id":"t","account_id":"b","type":"transfer","amount":"5","counterparty_account":"a","balance_after":"-5""#;
    let missing = "ledger:balance_mismatch:a:USD:d2 raised, the balance of a is 7 USD less than balance_after reports, d2";
    let cases: &[(&str, &[&str], &[&str])] = &[
        ("they agree, and a hold leaves the posted balance", &[&first, hold], &[]),
        (
            "so does a transfer to itself",
            &[&first, r#""transaction_id":"t","type":"transfer","amount":"5","counterparty_account":"a","balance_after":"100""#],
            &[],
        ),
        (
            "the report is that of the account that the transaction names",
            &[&first, transfer],
            &["ledger:insufficient_funds:b:USD:t raised, the available balance of b is -5 USD, t"],
        ),
        (
            "a difference is one alert until it changes, and clears when they agree",
            &[&first, &deposit("d2", 1, "108"), &deposit("d3", 1, "109"), &deposit("d4", 1, "100"), &deposit("d5", 1, "104")],
            &[
                missing,
                "ledger:balance_mismatch:a:USD:d2 amended, the balance of a is 3 USD more than balance_after reports, d2 d4",
                "ledger:balance_mismatch:a:USD:d2 cleared, the balance of a in USD is the reported one again, d2 d4",
            ],
        ),
    ];
    for (name, records, expected) in cases {
        assert_eq!(alerts(records), *expected, "{name}");
    }
}
