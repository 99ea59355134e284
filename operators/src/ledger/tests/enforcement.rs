//! Enforcement: transactions that break a rule are refused.

use super::*;
use crate::testing::{resumed, run_with_change};

const ENFORCED: Postings = Postings { enforces: true, ..POSTINGS };
const STRICT: Postings = Postings { enforces: true, ..FORGETFUL };

#[test]
fn a_debit_without_funds_is_refused() {
    let opened = |fields: &str| format!(r#""type":"opened","customer_id":"c","currency":"USD",{fields}"#);
    let (credit, overdraft) = (opened(r#""account_type":"credit""#), opened(r#""account_type":"checking","overdraft_limit":"40""#));
    let more = r#""transaction_id":"q","type":"payment","amount":"40.01""#;
    let capture = r#""transaction_id":"c","type":"payment","amount":"60","pending_id":"h""#;
    let void = r#""transaction_id":"v","type":"payment","amount":"60","phase":"void","pending_id":"h""#;
    let transfer = r#""transaction_id":"t","type":"transfer","amount":"100","counterparty_account":"b""#;
    let spent = r#""transaction_id":"s","account_id":"b","type":"payment","amount":"100""#;
    let back = r#""transaction_id":"r","type":"transfer","amount":"100","reverses":"t""#;
    let to_itself = r#""transaction_id":"t","type":"transfer","amount":"500","counterparty_account":"a""#;
    let pulled = r#""transaction_id":"u","account_id":"b","type":"deposit","amount":"40","counterparty_account":"a""#;
    check(
        ENFORCED,
        &[
            ("nothing is there", &[PAYMENT], &[], &["1 insufficient_funds"]),
            ("all that is there", &[DEPOSIT, HOLD, PAYMENT], &["a USD 60 60 0"], &[]),
            ("a cent more", &[DEPOSIT, HOLD, more], &["a USD 100 60 40"], &["3 insufficient_funds"]),
            ("what is held is there for its capture", &[DEPOSIT, HOLD, PAYMENT, capture], &["a USD 0 0 0"], &[]),
            ("what is released is there again", &[DEPOSIT, HOLD, void, more], &["a USD 59.99 0 59.99"], &[]),
            ("what another account sent", &[DEPOSIT, transfer, spent], &["a USD 0 0 0", "b USD 0 0 0"], &[]),
            ("but not before it comes", &[DEPOSIT, spent, transfer], &["a USD 0 0 0", "b USD 100 0 100"], &["2 insufficient_funds"]),
            (
                "what is spent cannot be taken back",
                &[DEPOSIT, transfer, spent, back],
                &["a USD 0 0 0", "b USD 0 0 0"],
                &["4 insufficient_funds"],
            ),
            ("a debit by another account", &[pulled], &[], &["1 insufficient_funds"]),
            ("a transfer to itself takes nothing", &[to_itself], &["a USD 0 0 0"], &[]),
            (
                "within the overdraft limit",
                &[&overdraft, PAYMENT, PAYMENT.replace("\"p\"", "\"o\"").as_str()],
                &["a USD -40 0 0"],
                &["3 insufficient_funds"],
            ),
            ("a credit account owes by its nature", &[&credit, PAYMENT], &["a USD -40 0 -40"], &[]),
        ],
    );
}

#[test]
fn a_frozen_or_closed_account_is_not_used() {
    let status = |word: &str| format!(r#""type":"{word}""#);
    let (frozen, unfrozen, closed) = (status("frozen"), status("unfrozen"), status("closed"));
    let to_a = r#""transaction_id":"t","account_id":"b","type":"deposit","amount":"1","counterparty_account":"a""#;
    let void = r#""transaction_id":"v","type":"payment","amount":"60","phase":"void","pending_id":"h""#;
    check(
        ENFORCED,
        &[
            ("a frozen one", &[DEPOSIT, &frozen, PAYMENT], &["a USD 100 0 100"], &["3 frozen_account"]),
            ("a closed one", &[DEPOSIT, &closed, PAYMENT], &["a USD 100 0 100"], &["3 closed_account"]),
            ("not even to receive money", &[&closed, DEPOSIT], &[], &["2 closed_account"]),
            ("nor by another account", &[DEPOSIT, &frozen, to_a], &["a USD 100 0 100"], &["3 frozen_account"]),
            ("a hold is still released", &[DEPOSIT, HOLD, &frozen, void], &["a USD 100 0 100"], &[]),
            ("once it is unfrozen", &[DEPOSIT, &frozen, &unfrozen, PAYMENT], &["a USD 60 0 60"], &[]),
        ],
    );
}

#[test]
fn a_hold_of_zero_on_a_frozen_or_closed_account_is_refused() {
    let status = |word: &str| format!(r#""type":"{word}""#);
    let (frozen, closed) = (status("frozen"), status("closed"));
    let nothing = r#""transaction_id":"h","type":"payment","amount":"0","phase":"pending""#;
    let from_a = r#""transaction_id":"h","account_id":"b","type":"deposit","amount":"0","phase":"pending","counterparty_account":"a""#;
    let to_a = r#""transaction_id":"h","account_id":"b","type":"payment","amount":"0","phase":"pending","counterparty_account":"a""#;
    let void = r#""transaction_id":"v","type":"payment","amount":"0","phase":"void","pending_id":"h""#;
    let balances = &["a USD 100 0 100"];
    check(
        ENFORCED,
        &[
            ("a frozen one", &[DEPOSIT, &frozen, nothing], balances, &["3 frozen_account"]),
            ("a closed one", &[DEPOSIT, &closed, nothing], balances, &["3 closed_account"]),
            ("by another account", &[DEPOSIT, &frozen, from_a], balances, &["3 frozen_account"]),
            ("a hold of another account holds nothing here", &[DEPOSIT, &frozen, to_a], &["a USD 100 0 100", "b USD 0 0 0"], &[]),
            ("it is still released", &[DEPOSIT, nothing, &frozen, void], balances, &[]),
        ],
    );
}

#[test]
fn a_debit_above_a_limit_is_refused() {
    let opened = |account: &str, r#type: &str| {
        format!(r#""type":"opened","account_id":"{account}","customer_id":"c","currency":"USD","account_type":"{}""#, r#type)
    };
    let (checking, savings, investment) = (opened("a", "checking"), opened("a", "savings"), opened("a", "investment"));
    let limit = |scope: &str, kind: &str, value: u32| format!(r#""scope":"{scope}","kind":"{kind}","value":{value}"#);
    let debit = |id: &str, r#type: &str, amount: &str| format!(r#""transaction_id":"{id}","type":"{type}","amount":"{amount}""#);
    let [w1, w2, w3] = ["w1", "w2", "w3"].map(|id| debit(id, "withdrawal", "2500"));
    let [t1, t2, t3, t4] = ["t1", "t2", "t3", "t4"].map(|id| debit(id, "transfer", "2500"));
    let (rich, cent) = (debit("d", "deposit", "100000"), debit("w4", "withdrawal", "0.01"));
    let (held, voided) = (
        format!(r#"{w2},"phase":"pending""#),
        r#""transaction_id":"v","type":"withdrawal","amount":"2500","phase":"void","pending_id":"w2""#,
    );
    let less = r#""transaction_id":"c","type":"withdrawal","amount":"1000","pending_id":"w2""#;
    let back = r#""transaction_id":"r","type":"withdrawal","amount":"2000","reverses":"w1""#;
    let again = r#""transaction_id":"rr","type":"withdrawal","amount":"2000","reverses":"r""#;
    // Times of their own: the last moment of the first day in New York, and the first one of the next.
    let zone = r#""customer_id":"c","timezone":"America/New_York""#;
    let midnight = 5 * 3600 * 1_000_000_000_u64;
    let at = |time: u64, text: &str| format!("@{time} {text}");
    let (evening, night) = (at(midnight - 1, &w3), at(midnight, &w3));
    let late = at(midnight + 9, &format!(r#"{w3},"ts":{}"#, midnight - 1));
    let to_itself = format!(r#"{},"counterparty_account":"a""#, debit("own", "transfer", "9000"));
    let (large, customers) = (debit("l", "payment", "2500.01"), limit("customer:c", "daily_withdrawal", 6000));
    check(
        ENFORCED,
        &[
            ("the greatest amount at once", &[&checking, &rich, &debit("p", "payment", "2500")], &["a USD 97500 0 97500"], &[]),
            ("a cent more", &[&checking, &rich, &large], &["a USD 100000 0 100000"], &["3 transaction_limit"]),
            ("money that comes in has none", &[&savings, &rich], &["a USD 100000 0 100000"], &[]),
            ("nor has what an account pays to itself", &[&checking, &rich, &to_itself, &t1, &t2, &t3, &t4], &["a USD 90000 0 90000"], &[]),
            ("other types of account have none", &[&investment, &rich, &large], &["a USD 97499.99 0 97499.99"], &[]),
            ("savings", &[&savings, &rich, &debit("w", "withdrawal", "1000"), &cent], &["a USD 99000 0 99000"], &["4 daily_withdrawal"]),
            ("withdrawals of a day", &[&checking, &rich, &w1, &w2, &cent], &["a USD 95000 0 95000"], &["5 daily_withdrawal"]),
            (
                "transfers have a limit of their own",
                &[&checking, &rich, &w1, &w2, &t1, &t2, &t3, &t4, &debit("t5", "transfer", "1")],
                &["a USD 85000 0 85000"],
                &["9 daily_transfer"],
            ),
            ("what was refused does not count", &[&checking, &w1, &rich, &w2, &w3], &["a USD 95000 0 95000"], &["2 insufficient_funds"]),
            ("what is held counts", &[&checking, &rich, &w1, &held, &cent], &["a USD 97500 2500 95000"], &["5 daily_withdrawal"]),
            ("what is released does not", &[&checking, &rich, &w1, &held, voided, &w3], &["a USD 95000 0 95000"], &[]),
            (
                "a capture counts as what it became",
                &[&checking, &rich, &w1, &held, less, &debit("w", "withdrawal", "1500"), &cent],
                &["a USD 95000 0 95000"],
                &["7 daily_withdrawal"],
            ),
            ("nor what is reversed", &[&checking, &rich, &w1, &w2, back, &debit("w", "withdrawal", "2000")], &["a USD 95000 0 95000"], &[]),
            (
                "what is restored counts again",
                &[&checking, &rich, &w1, &w2, back, again, &cent],
                &["a USD 95000 0 95000"],
                &["7 daily_withdrawal"],
            ),
            (
                "a limit of the customer goes before",
                &[&checking, &customers, &rich, &w1, &w2, &debit("w", "withdrawal", "1000")],
                &["a USD 94000 0 94000"],
                &[],
            ),
            (
                "the day is one of the customer's",
                &[&checking, zone, &rich, &w1, &w2, &evening],
                &["a USD 95000 0 95000"],
                &["17999999999999 daily_withdrawal"],
            ),
            ("the next day", &[&checking, zone, &rich, &w1, &w2, &night], &["a USD 92500 0 92500"], &[]),
            (
                "a late one has its own day",
                &[&checking, zone, &rich, &w1, &w2, &late],
                &["a USD 95000 0 95000"],
                &["18000000000009 daily_withdrawal"],
            ),
        ],
    );
}

#[test]
fn the_sum_of_a_day_outlives_the_reversal_horizon() {
    const HOUR: u64 = 3600 * 1_000_000_000;
    let checking = r#""type":"opened","customer_id":"c","currency":"USD","account_type":"checking""#;
    let zone = r#""customer_id":"c","timezone":"America/New_York""#;
    let rich = r#""transaction_id":"d","type":"deposit","amount":"100000""#;
    let at = |hour: u64, text: &str| format!("@{} {text}", hour * HOUR);
    let withdrawal =
        |hour: u64, id: &str, amount: &str| at(hour, &format!(r#""transaction_id":"{id}","type":"withdrawal","amount":"{amount}""#));
    let (w1, w2, cent) = (withdrawal(6, "w1", "2500"), withdrawal(8, "w2", "2500"), withdrawal(10, "w3", "0.01"));
    let back = at(7, r#""transaction_id":"r","type":"withdrawal","amount":"2000","reverses":"w1""#);
    let (again, rest) = (withdrawal(10, "w1", "0.01"), withdrawal(10, "w5", "2000"));
    // The first day in New York lasts from 5 to 29 o'clock.
    let (evening, night) = (withdrawal(28, "w4", "2500"), withdrawal(29, "w4", "2500"));
    let refused = |hour: u64| format!("{} daily_withdrawal", hour * HOUR);
    let shortly = Postings { reversal_horizon: Nanos::new(HOUR + 1), ..ENFORCED };
    let (refused_10, refused_28) = (refused(10), refused(28));
    let cases: &[Case<'_>] = &[
        ("the day is not over", &[checking, zone, rich, &w1, &w2, &cent], &["a USD 95000 0 95000"], &[&refused_10]),
        ("an id that is used again", &[checking, zone, rich, &w1, &w2, &again], &["a USD 95000 0 95000"], &[&refused_10]),
        ("in the evening, when it is over in UTC", &[checking, zone, rich, &w1, &w2, &evening], &["a USD 95000 0 95000"], &[&refused_28]),
        ("the next day", &[checking, zone, rich, &w1, &w2, &night], &["a USD 92500 0 92500"], &[]),
        ("without what was reversed in time", &[checking, zone, rich, &w1, &back, &w2, &rest], &["a USD 95000 0 95000"], &[]),
    ];
    check(shortly, cases);

    let later = at(100, r#""transaction_id":"l","type":"deposit","amount":"1""#);
    let last = at(200, r#""transaction_id":"m","type":"deposit","amount":"1""#);
    let debits = |records: &[&str]| {
        let rows = rows_of(&run(shortly, to_postings(shortly, &events(records))).tables.limited_debits);
        rows.into_iter().map(|row| format!("{} {} {}", row.transaction_id, row.date, row.amount)).collect::<Vec<_>>()
    };
    assert_eq!(debits(&[checking, zone, rich, &w1, &w2, &cent]), ["forgotten withdrawal 1970-01-01 1970-01-01 5000"]);
    assert_eq!(debits(&[checking, zone, rich, &w1, &w2, &later, &last]), Vec::<String>::new(), "a day that is over is forgotten");
}

const HOUR: u64 = 3600 * 1_000_000_000;

fn at(hour: u64, text: &str) -> String {
    format!("@{} {text}", hour * HOUR)
}

fn withdrawal(hour: u64, id: &str, amount: &str) -> String {
    at(hour, &format!(r#""transaction_id":"{id}","type":"withdrawal","amount":"{amount}""#))
}

/// The rows that are saved of the records of a run, of which those after `cut` come after a change of the configuration.
fn saved_after(before: Postings, after: Postings, records: &[&str], cut: usize) -> SavedPostings {
    let events = events(records);
    let balances_of = |events: &[Placed<Event>], derived: &[Placed<LedgerEvent>]| {
        Arc::new(rows_of(&run(Balances::default(), to_balances(events, derived)).tables.balances))
    };
    let said = run_with_change(before, after, (to_postings(before, &events), cut), |saved, _| {
        let first = &events[..cut];
        saved.balances = balances_of(first, &run(before, to_postings(before, first)).derived);
    });
    SavedPostings {
        posted_transactions: Arc::new(rows_of(&said.tables.posted_transactions)),
        waiting_transactions: Arc::new(rows_of(&said.tables.waiting_transactions)),
        limited_debits: Arc::new(rows_of(&said.tables.limited_debits)),
        balances: balances_of(&events, &said.derived),
    }
}

/// What is refused of the records after `cut`, before which nothing is enforced, as `hour code`. A further restart changes nothing.
fn refused_after(records: &[&str], cut: usize) -> Vec<String> {
    let mut before = to_postings(ENFORCED, &events(records));
    before.sort_by_key(|happening| happening.place);
    let rest = before.split_off(cut);
    let refused = |saved: &SavedPostings, before: &Happenings<Postings>, rest: &Happenings<Postings>| {
        let letters = resumed(ENFORCED, saved, before.clone(), rest.clone()).dead_letters;
        letters.iter().map(|letter| format!("{} {}", letter.offset.get() / HOUR, letter.code)).collect::<Vec<_>>()
    };
    let found = refused(&saved_after(POSTINGS, POSTINGS, &records[..cut], cut), &before, &rest);
    for further in 1..rest.len() {
        let saved = saved_after(POSTINGS, ENFORCED, &records[..cut + further], cut);
        let (first, last) = rest.split_at(further);
        let (all, last) = ([before.clone(), first.to_vec()].concat(), last.to_vec());
        assert!(found.ends_with(&refused(&saved, &all, &last)), "restarted after {further} of {records:?}");
    }
    found
}

#[test]
fn what_was_posted_before_enforcement_counts_for_the_limits_of_its_day() {
    // The first day in New York lasts from 5 to 29 o'clock.
    let known = [
        r#""type":"opened","customer_id":"c","currency":"USD","account_type":"checking""#,
        r#""customer_id":"c","timezone":"America/New_York""#,
        r#""transaction_id":"d","type":"deposit","amount":"100000""#,
    ];
    let (w1, w2, cent) = (withdrawal(6, "w1", "2500"), withdrawal(8, "w2", "2500"), withdrawal(11, "w3", "0.01"));
    let held = format!(r#"{w2},"phase":"pending""#);
    let void = at(9, r#""transaction_id":"v","type":"withdrawal","amount":"2500","phase":"void","pending_id":"w2""#);
    let less = at(9, r#""transaction_id":"c","type":"withdrawal","amount":"1000","pending_id":"w2""#);
    let back = at(7, r#""transaction_id":"r","type":"withdrawal","amount":"2000","reverses":"w1""#);
    let (whole, rest) = (withdrawal(10, "w4", "2500"), withdrawal(10, "w4", "2000"));
    let (early, next_day) = (withdrawal(4, "w0", "2500"), withdrawal(29, "w5", "2500"));
    for (name, before, after, expected) in [
        ("withdrawals of the day", vec![&w1, &w2], vec![&cent], &["11 daily_withdrawal"][..]),
        ("of another day", vec![&w1, &w2], vec![&next_day], &[]),
        ("of the day before in the customer's time zone", vec![&early, &w1], vec![&whole, &cent], &["11 daily_withdrawal"]),
        ("without what was reversed", vec![&w1, &back, &w2], vec![&rest, &cent], &["11 daily_withdrawal"]),
        ("with what is held", vec![&w1, &held], vec![&cent], &["11 daily_withdrawal"]),
        ("until that is released", vec![&w1, &held], vec![&void, &whole, &cent], &["11 daily_withdrawal"]),
        ("or captured for less", vec![&w1, &held], vec![&less, &cent], &[]),
        ("what was released before does not count", vec![&w1, &held, &void], vec![&cent], &[]),
    ] {
        let records: Vec<&str> = known.into_iter().chain(before.iter().chain(&after).map(|text| text.as_str())).collect();
        assert_eq!(refused_after(&records, known.len() + before.len()), expected, "{name}");
    }
}

#[test]
fn what_changes_while_nothing_is_enforced_counts_once_it_is_again() {
    let known = [
        r#""type":"opened","customer_id":"c","currency":"USD","account_type":"checking""#,
        r#""transaction_id":"d","type":"deposit","amount":"100000""#,
    ];
    let (w1, w2) = (withdrawal(6, "w1", "2500"), withdrawal(7, "w2", "2500"));
    let back = at(8, r#""transaction_id":"r","type":"withdrawal","amount":"2000","reverses":"w1""#);
    let (rest, cent) = (withdrawal(9, "w3", "2000"), withdrawal(10, "w4", "0.01"));
    let records: Vec<&str> = known.into_iter().chain([&w1, &w2, &back].map(String::as_str)).collect();
    // The reversal is the one record that comes without enforcement.
    let saved = saved_after(ENFORCED, POSTINGS, &records, records.len() - 1);
    let later = [&rest, &cent].map(String::as_str);
    let mut all = to_postings(ENFORCED, &events(&[&records[..], &later[..]].concat()));
    all.sort_by_key(|happening| happening.place);
    let after = all.split_off(records.len());
    let letters = resumed(ENFORCED, &saved, all, after).dead_letters;
    let refused: Vec<_> = letters.iter().map(|letter| format!("{} {}", letter.offset.get() / HOUR, letter.code)).collect();
    assert_eq!(refused, ["10 daily_withdrawal"]);
}

#[test]
fn a_refused_hold_is_unknown_to_its_capture() {
    let capture = r#""transaction_id":"c","type":"payment","amount":"60","pending_id":"h""#;
    let later = r#"@2000 "transaction_id":"l","type":"deposit","amount":"1""#;
    let refused = &["1 insufficient_funds", "2 unknown_reference"];
    check(ENFORCED, &[("it waits, and is rejected", &[HOLD, capture, later], &["a USD 1 0 1"], refused)]);
}

proptest! {
    #[test]
    fn nothing_is_overdrawn_and_a_restart_changes_nothing(texts in arbitrary(), cut in 0..40_usize) {
        let limits = [r#""scope":"default","kind":"daily_transfer","value":90"#, r#""scope":"account:b","kind":"transaction_amount","value":80"#];
        let events = events(&limits.into_iter().chain(texts.iter().map(String::as_str)).collect::<Vec<_>>());
        let whole = run(STRICT, to_postings(STRICT, &events));
        let balances = run(Balances::default(), to_balances(&events, &whole.derived));
        prop_assert!(rows_of(&balances.tables.alerts).iter().all(|alert| alert.rule.as_str() == "balance_mismatch"));

        // The funds are restored from the balances.
        let mut before = to_postings(STRICT, &events);
        before.sort_by_key(|happening| happening.place);
        let after = before.split_off(cut.min(before.len()));
        let first = run(STRICT, before.clone());
        let saved = SavedPostings {
            posted_transactions: Arc::new(rows_of(&first.tables.posted_transactions)),
            waiting_transactions: Arc::new(rows_of(&first.tables.waiting_transactions)),
            limited_debits: Arc::new(rows_of(&first.tables.limited_debits)),
            balances: Arc::new(rows_of(&run(Balances::default(), to_balances(&events, &first.derived)).tables.balances)),
        };
        let second = resumed(STRICT, &saved, before, after);
        prop_assert_eq!(whole.dead_letters, [first.dead_letters, second.dead_letters].concat());
        prop_assert_eq!(whole.derived, [first.derived, second.derived].concat());
    }
}
