//! Holds that expire, and holds that are captured in parts.

use headwater_schemas::events::TransactionPhase;
use headwater_schemas::{Amount, Tick};

use super::*;

const EXPIRING: Postings = Postings { hold_expiry: Some(Nanos::new(100)), ..POSTINGS };

#[test]
fn a_hold_is_released_once_it_is_overdue() {
    let capture = |at: u64| format!(r#"@{at} "transaction_id":"c","type":"payment","amount":"45","pending_id":"h""#);
    let later = r#"@200 "transaction_id":"l","type":"deposit","amount":"1""#;
    let receipt = r#""transaction_id":"h","type":"deposit","amount":"60","phase":"pending","counterparty_account":"b""#;
    let part = r#""transaction_id":"c","type":"payment","amount":"20","pending_id":"h""#;
    check(
        EXPIRING,
        &[
            ("it is open until then", &[DEPOSIT, HOLD, &capture(102)], &["a USD 55 0 55"], &[]),
            ("a capture after it is refused", &[DEPOSIT, HOLD, &capture(103)], &["a USD 100 0 100"], &["103 refused"]),
            ("a hold on the counterparty", &[receipt, later], &["a USD 1 0 1", "b USD 0 0 0"], &[]),
            ("a hold that was resolved in time", &[DEPOSIT, HOLD, &capture(50), later], &["a USD 56 0 56"], &[]),
        ],
    );
    let in_parts = Postings { captures: Captures { over: false, partial: true }, ..EXPIRING };
    check(in_parts, &[("the rest of a hold", &[DEPOSIT, HOLD, part, later], &["a USD 81 0 81"], &[])]);
}

#[test]
fn the_release_of_overdue_holds_is_explained() {
    let other = r#"@2 "transaction_id":"g","type":"fee","amount":"7","phase":"pending""#;
    let events = events(&[DEPOSIT, HOLD, other, r#"@200 "transaction_id":"l","type":"deposit","amount":"1""#]);
    let posted = run(EXPIRING, to_postings(EXPIRING, &events));
    let voided = rows_of(&posted.tables.ledger_entries).into_iter().filter(|entry| entry.phase == TransactionPhase::Void);
    let voided: Vec<_> = voided.map(|entry| format!("{} {} {}", entry.entry_id, entry.account_id, entry.amount)).collect();
    assert_eq!(voided, ["g-expired-1 a 7", "g-expired-2 external:USD -7", "h-expired-1 a 60", "h-expired-2 external:USD -60"]);

    let alerts = rows_of(&posted.tables.alerts);
    let alerts: Vec<_> = alerts.iter().map(|alert| format!("{} {} {}", alert.alert_id, alert.state, alert.ts.nanos())).collect();
    assert_eq!(alerts, ["ledger:hold_overdue:a:g raised 102", "ledger:hold_overdue:a:h raised 102"]);

    let balances = run(Balances::default(), to_balances(&events, &posted.derived)).tables.balances.changes();
    let at_expiry = balances.iter().filter(|change| change.tick == Tick::new(102) && !change.row.account_id.is_contra());
    let reasons: Vec<_> = at_expiry.map(|change| change.why.to_string()).collect();
    assert_eq!(reasons, ["the hold g expired; the hold h expired"]);
}

fn capture(id: &str, amount: &str) -> String {
    format!(r#""transaction_id":"{id}","type":"payment","amount":"{amount}","pending_id":"h""#)
}

const VOID: &str = r#""transaction_id":"v","type":"payment","amount":"60","phase":"void","pending_id":"h""#;

#[test]
fn a_hold_may_be_captured_in_parts() {
    let (part, rest) = (capture("c", "20"), capture("d", "40"));
    check(
        Postings { captures: Captures { over: false, partial: true }, ..POSTINGS },
        &[
            ("the rest stays held", &[DEPOSIT, HOLD, &part], &["a USD 80 40 40"], &[]),
            ("several parts", &[DEPOSIT, HOLD, &part, &capture("d", "15")], &["a USD 65 25 40"], &[]),
            ("the last one resolves it", &[DEPOSIT, HOLD, &part, &rest, VOID], &["a USD 40 0 40"], &["5 refused"]),
            ("a void releases the rest", &[DEPOSIT, HOLD, &part, VOID, &capture("d", "1")], &["a USD 80 0 80"], &["5 refused"]),
            ("in all at most what was held", &[DEPOSIT, HOLD, &part, &capture("d", "41")], &["a USD 80 40 40"], &["4 refused"]),
            ("a part of nothing leaves it held", &[DEPOSIT, HOLD, &capture("c", "0")], &["a USD 100 60 40"], &[]),
            ("parts that wait for their hold", &[DEPOSIT, &part, &rest, HOLD], &["a USD 40 0 40"], &[]),
        ],
    );
    let more = capture("d", "45");
    check(
        Postings { captures: Captures { over: true, partial: true }, ..POSTINGS },
        &[("the last part may be more, where that is allowed", &[DEPOSIT, HOLD, &part, &more], &["a USD 35 0 35"], &[])],
    );
}

/// What views that count transactions learn of the hold `h`.
fn learned(view: Postings, records: &[&str]) -> Vec<String> {
    let text = |derived: &Placed<LedgerEvent>| match &derived.event {
        LedgerEvent::TakenBack(turn) if *turn.transaction_id == *"h" => {
            Some(if turn.is_restored { "restored" } else { "taken back" }.to_owned())
        }
        LedgerEvent::Adjusted(adjusted) => Some(format!("is {} by {}", adjusted.amount, adjusted.capture)),
        _ => None,
    };
    run(view, to_postings(view, &events(records))).derived.iter().filter_map(text).collect()
}

#[test]
fn a_hold_counts_as_what_its_captures_posted() {
    let reversal =
        |id: &str, of: &str, amount: &str| format!(r#""transaction_id":"{id}","type":"payment","amount":"{amount}","reverses":"{of}""#);
    let (c, d, more) = (capture("c", "20"), capture("d", "40"), capture("d", "45"));
    let e = capture("e", "10");
    let (of_c, of_d, again) = (reversal("r", "c", "20"), reversal("s", "d", "40"), reversal("w", "s", "1"));
    let later = r#"@200 "transaction_id":"l","type":"deposit","amount":"1""#;
    let view = Postings { captures: Captures { over: true, partial: true }, hold_expiry: Some(Nanos::new(100)), ..POSTINGS };
    let cases: &[(&str, &[&str], &[&str])] = &[
        ("as itself while a part is held", &[HOLD, &c], &[]),
        ("as itself once all was captured", &[HOLD, &c, &d], &[]),
        ("as its captures once the rest is released", &[HOLD, &c, VOID], &["is 20 by v"]),
        ("also if it expires", &[HOLD, &c, later], &["is 20 by h"]),
        ("no more if it expires uncaptured", &[HOLD, later], &["taken back"]),
        ("as its captures if they post more", &[HOLD, &c, &more], &["is 65 by d"]),
        ("without a capture that was reversed before the last one", &[HOLD, &c, &of_c, &d], &["is 40 by d"]),
        ("nor when the rest is released", &[HOLD, &c, &e, &of_c, VOID], &["is 10 by v"]),
        ("still if one capture of two is reversed", &[HOLD, &c, &d, &of_c], &[]),
        ("no more if both are", &[HOLD, &c, &d, &of_c, &of_d], &["taken back"]),
        ("again if a reversal is reversed", &[HOLD, &c, &d, &of_c, &of_d, &again], &["taken back", "restored"]),
        ("still while a part is held", &[HOLD, &c, &of_c], &[]),
        ("no more once that is released", &[HOLD, &c, &of_c, VOID], &["taken back"]),
        (
            "as its captures if it counts again after its release",
            &[HOLD, &c, &of_c, VOID, &reversal("w", "r", "20")],
            &["taken back", "restored", "is 20 by w"],
        ),
        (
            "without a capture that stays reversed",
            &[HOLD, &c, &e, &of_c, &reversal("s", "e", "10"), VOID, &reversal("w", "r", "1")],
            &["taken back", "restored", "is 20 by w"],
        ),
    ];
    for (name, records, expected) in cases {
        assert_eq!(learned(view, records), *expected, "{name}");
    }
}

/// A capture of the same account that is no capture of the hold does not count, and those of the hold are known after a restart.
#[test]
fn a_restored_hold_counts_as_its_own_captures_after_a_restart() {
    let other = r#""transaction_id":"g","type":"payment","amount":"7","phase":"pending""#;
    let of_other = r#""transaction_id":"x","type":"payment","amount":"7","pending_id":"g""#;
    let reversal = |id: &str, of: &str| format!(r#""transaction_id":"{id}","type":"payment","amount":"20","reverses":"{of}""#);
    let records = [HOLD, other, of_other, &capture("c", "20"), &reversal("r", "c"), VOID, &reversal("w", "r")];
    let view = Postings { captures: Captures { over: false, partial: true }, ..POSTINGS };
    let inputs = to_postings(view, &events(&records));
    let adjusted = |cut: usize| {
        let derived = run_with_restart(view, inputs.clone(), cut).derived.into_iter();
        let amounts = derived.filter_map(|event| if let LedgerEvent::Adjusted(it) = event.event { Some(it.amount) } else { None });
        amounts.collect::<Vec<_>>()
    };
    for cut in 0..inputs.len() {
        assert_eq!(adjusted(cut), [Amount::whole(20)], "cut at {cut}");
    }
}

#[test]
fn a_hold_that_is_captured_for_nothing_counts_no_more() {
    let cases: &[(&str, &[&str], &[&str])] = &[
        ("as if it were voided", &[HOLD, &capture("c", "0")], &["taken back"]),
        (
            "a hold of nothing is what it was",
            &[r#""transaction_id":"h","type":"payment","amount":"0","phase":"pending""#, &capture("c", "0")],
            &[],
        ),
    ];
    for (name, records, expected) in cases {
        assert_eq!(learned(POSTINGS, records), *expected, "{name}");
    }
}
