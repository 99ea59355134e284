//! Problems of banks with transfers and payments: each story has its own transfer or payment, with the right rows, wherever the
//! run is cut.

use anyhow::Result;
use headwater_tests::pipeline::{PLAIN, assert_invariants, rows, run};
use headwater_tests::stories::{Record, same_wherever_cut, write};

/// A record: minutes and seconds after 14:00 at which it is published, topic, and JSON in which `@MM:SS` is a time.
type Timed = (&'static str, &'static str, String);

/// A step of a transfer in time.
fn step(at: &'static str, id: &str, kind: &str) -> Timed {
    late_step(at, at, id, kind)
}

/// A step that is published at `at` and was made at `ts`.
fn late_step(at: &'static str, ts: &str, id: &str, kind: &str) -> Timed {
    let terms = if kind == "initiated" { r#","from_account":"a","to_account":"b","amount":"100","currency":"USD""# } else { "" };
    (at, "transfers", format!(r#"{{"type":"{kind}","transfer_id":"{id}"{terms},"ts":"@{ts}"}}"#))
}

/// A status of a payment of 100 USD from account `a`.
fn status(at: &'static str, id: &str, status: &str) -> Timed {
    payment(at, id, status, "100", "")
}

fn refund(at: &'static str, id: &str, key: &str, amount: &str) -> Timed {
    payment(at, id, "refunded", amount, &format!(r#","idempotency_key":"{key}""#))
}

fn payment(at: &'static str, id: &str, status: &str, amount: &str, more: &str) -> Timed {
    let fixed = r#""customer_id":"c","account_id":"a","merchant_id":"m","currency":"USD","method":"debit_card""#;
    (at, "payments", format!(r#"{{"payment_id":"{id}",{fixed},"status":"{status}","amount":"{amount}"{more},"ts":"@{at}"}}"#))
}

/// A payment of account `a` in the ledger.
fn debit(at: &'static str, id: &str, amount: &str, more: &str) -> Timed {
    let fixed = r#""account_id":"a","type":"payment","currency":"USD""#;
    (at, "transactions", format!(r#"{{"transaction_id":"{id}",{fixed},"amount":"{amount}"{more},"ts":"@{at}"}}"#))
}

/// All records, in the order of publication.
fn records() -> Vec<Record> {
    let mut records = vec![
        // Completed.
        step("00:00", "done", "initiated"),
        step("00:01", "done", "debited"),
        step("00:02", "done", "credited"),
        step("00:03", "done", "completed"),
        // The money is in flight for twenty minutes.
        step("00:04", "slow", "initiated"),
        step("00:05", "slow", "debited"),
        step("20:00", "slow", "credited"),
        step("20:01", "slow", "completed"),
        // It fails after the credit, and is reversed late.
        step("00:06", "half", "initiated"),
        step("00:07", "half", "debited"),
        step("00:08", "half", "credited"),
        step("00:09", "half", "failed"),
        step("21:00", "half", "credit_reversed"),
        step("21:01", "half", "debit_reversed"),
        // Completed before it is debited.
        step("00:10", "hasty", "initiated"),
        step("00:11", "hasty", "completed"),
        // The debit comes after the credit, but was made before.
        step("00:12", "late", "initiated"),
        step("00:20", "late", "credited"),
        late_step("00:21", "00:15", "late", "debited"),
        step("00:22", "late", "completed"),
        // It was never initiated.
        step("00:23", "lost", "debited"),
        // A day later.
        ("next day", "transfers", r#"{"type":"failed","transfer_id":"nobody","ts":"2026-01-06T15:00:00Z"}"#.to_owned()),
        // Paid.
        status("00:00", "paid", "pending"),
        status("00:01", "paid", "processing"),
        status("00:02", "paid", "completed"),
        debit("00:03", "paid", "100", ""),
        // Refunded twice, and once more than it was.
        status("00:04", "back", "completed"),
        debit("00:04", "back", "100", ""),
        refund("00:10", "back", "r1", "30"),
        refund("00:11", "back", "r2", "20"),
        refund("00:12", "back", "r3", "60"),
        // The ledger has not posted it.
        status("00:05", "missing", "completed"),
        // The ledger has posted another amount.
        status("00:06", "differs", "completed"),
        debit("00:07", "differs", "90", ""),
        // The ledger posts it late.
        status("00:08", "waited", "completed"),
        debit("16:00", "waited", "100", ""),
        // The ledger takes it back.
        status("00:09", "undone", "completed"),
        debit("00:10", "undone", "100", ""),
        debit("00:30", "undoing", "100", r#","reverses":"undone""#),
        // The ledger captures its hold.
        debit("00:13", "held", "100", r#","phase":"pending""#),
        status("00:14", "held", "completed"),
        debit("00:15", "capture", "100", r#","pending_id":"held""#),
        // It has no outcome for a quarter of an hour.
        status("00:13", "open", "pending"),
        status("17:00", "open", "cancelled"),
        // The payment of the refund is not known.
        refund("00:16", "unpaid", "r1", "5"),
    ];
    records.sort_by_key(|(at, ..)| *at);
    records.into_iter().map(|(_, topic, text)| (topic, text)).collect()
}

const TRANSFERS: [&str; 5] = [
    "done,completed,,false,2026-01-05T14:00:03Z",
    "half,debit_reversed,,false,2026-01-05T14:21:01Z",
    "hasty,initiated,debited,true,2026-01-05T14:00:10Z",
    "late,completed,,false,2026-01-05T14:00:22Z",
    "slow,completed,,false,2026-01-05T14:20:01Z",
];

const PAYMENTS: [&str; 8] = [
    "back,refunded,100,50,matched,false",
    "differs,completed,100,0,different,false",
    "held,completed,100,0,matched,false",
    "missing,completed,100,0,missing,false",
    "open,cancelled,100,0,,false",
    "paid,completed,100,0,matched,false",
    "undone,completed,100,0,missing,false",
    "waited,completed,100,0,matched,false",
];

const ALERTS: [&str; 11] = [
    "payment,back,out_of_order,medium,raised,2026-01-05T14:00:12Z",
    "payment,differs,unreconciled,high,raised,2026-01-05T14:15:06Z",
    "payment,missing,unreconciled,high,raised,2026-01-05T14:15:05Z",
    "payment,open,stuck,medium,cleared,2026-01-05T14:17:00Z",
    "payment,undone,unreconciled,high,raised,2026-01-05T14:15:30Z",
    "payment,waited,unreconciled,high,cleared,2026-01-05T14:16:00Z",
    "transfer,half,not_reversed,high,cleared,2026-01-05T14:21:01Z",
    "transfer,hasty,out_of_order,medium,raised,2026-01-05T14:00:11Z",
    "transfer,hasty,stuck,medium,raised,2026-01-05T14:15:10Z",
    "transfer,late,out_of_order,medium,withdrawn,2026-01-05T14:00:20Z",
    "transfer,slow,stuck,high,cleared,2026-01-05T14:20:00Z",
];

#[test]
fn what_banks_with_transfers_and_payments_run_into() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let records = records();
    let (log, data) = (folder.path().join("log"), folder.path().join("data"));
    write(&log, &records)?;
    run(&format!("log:{}", log.display()), &data, PLAIN)?;
    assert_invariants(&data)?;
    let ask = |query: &str| rows(&data, query);
    assert_eq!(ask("SELECT transfer_id, state, awaits, stuck, ts FROM transfers_state ORDER BY 1")?, TRANSFERS);
    assert_eq!(ask("SELECT payment_id, status, amount, refunded, ledger, stuck FROM payments_state ORDER BY 1")?, PAYMENTS);
    let alerts = "SELECT kind, subject, rule, severity, state, ts FROM alerts WHERE kind IN ('transfer', 'payment') ORDER BY 1, 2, 3";
    assert_eq!(ask(alerts)?, ALERTS);
    let letters = "SELECT topic, code, ts FROM dead_letters ORDER BY 1";
    let expected = ["payments,unknown_reference,2026-01-06T14:00:16Z", "transfers,unknown_reference,2026-01-06T14:00:23Z"];
    assert_eq!(ask(letters)?, expected);
    // A late step is the reason of what it changes.
    let reasons = "SELECT relation, key, reason FROM corrections WHERE change > 0 AND relation IN ('alerts', 'transfers_state') ORDER BY 1";
    let late = "late of transfers came 5.000 s late";
    assert_eq!(ask(reasons)?, [format!("alerts,transfer:out_of_order:late,{late}"), format!("transfers_state,late,{late}")]);

    same_wherever_cut(&records, 3, &data, |log, data, way| run(&format!("log:{}", log.display()), data, way))
}
