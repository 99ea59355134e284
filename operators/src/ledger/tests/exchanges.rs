//! Transactions between two currencies.

use super::*;

/// 100 USD of `a` for 90 EUR of `b`.
const EXCHANGE: &str =
    r#""transaction_id":"x","type":"transfer","amount":"100","counterparty_account":"b","counter_amount":"90","counter_currency":"EUR""#;

#[test]
fn an_exchange_has_two_legs_in_each_currency() {
    let posted = run(POSTINGS, to_postings(POSTINGS, &events(&[DEPOSIT, EXCHANGE])));
    let legs = rows_of(&posted.tables.ledger_entries).into_iter().filter(|entry| *entry.transaction_id == *"x");
    let legs: Vec<_> = legs.map(|leg| format!("{} {} {} {}", leg.entry_id, leg.account_id, leg.amount, leg.currency)).collect();
    let expected =
        ["x-transfer-1 a -100 USD", "x-transfer-2 position:USD 100 USD", "x-transfer-3 position:EUR -90 EUR", "x-transfer-4 b 90 EUR"];
    assert_eq!(legs, expected);
}

fn counter(amount: &str) -> String {
    format!(r#","counter_amount":"{amount}","counter_currency":"EUR""#)
}

const DONE: &[&str] = &["a USD 0 0 0", "b EUR 90 0 90"];
const BACK: &[&str] = &["a USD 100 0 100", "b EUR 0 0 0"];

#[test]
fn exchanges_may_be_within_an_account_and_with_the_outside() {
    let own = EXCHANGE.replace(r#""b""#, r#""a""#);
    let withdrawal = r#""transaction_id":"x","type":"withdrawal","amount":"100","counter_amount":"90","counter_currency":"EUR""#;
    check(
        POSTINGS,
        &[
            ("between two accounts", &[DEPOSIT, EXCHANGE], DONE, &[]),
            ("within one account", &[DEPOSIT, &own], &["a EUR 90 0 90", "a USD 0 0 0"], &[]),
            ("with the outside", &[DEPOSIT, withdrawal], &["a USD 0 0 0"], &[]),
        ],
    );
}

#[test]
fn a_captured_exchange_tells_what_each_side_gets() {
    let hold = r#""transaction_id":"h","type":"transfer","amount":"100","counterparty_account":"b","counter_amount":"90","counter_currency":"EUR","phase":"pending""#;
    let capture =
        |amount: &str, more: &str| format!(r#""transaction_id":"c","type":"transfer","amount":"{amount}","pending_id":"h"{more}"#);
    for (capture, expected) in [
        (capture("80", &counter("71")), vec!["80 USD, 71 EUR"]),
        (capture("100", &counter("88")), vec!["100 USD, 88 EUR"]),
        (capture("100", &counter("90")), vec![]),
        (capture("100", ""), vec![]),
    ] {
        let told = |derived: &Placed<LedgerEvent>| match &derived.event {
            LedgerEvent::Adjusted(adjusted) => {
                let [(own, of_own), (other, of_other)] = [false, true].map(|is_mirrored| adjusted.money(is_mirrored));
                Some(format!("{own} {of_own}, {other} {of_other}"))
            }
            _ => None,
        };
        let adjusted: Vec<_> =
            run(POSTINGS, to_postings(POSTINGS, &events(&[DEPOSIT, hold, &capture]))).derived.iter().filter_map(told).collect();
        assert_eq!(adjusted, expected, "{capture}");
    }
}

#[test]
fn an_exchange_is_reversed_in_both_currencies() {
    let reversal = |id: &str, amount: &str, more: &str| {
        format!(r#""transaction_id":"{id}","type":"transfer","amount":"{amount}","reverses":"x"{more}"#)
    };
    let (all, rest) = (reversal("r", "100", ""), reversal("s", "60", ""));
    let (whole, part) = (reversal("r", "100", &counter("90")), reversal("r", "40", &counter("35.99")));
    let (silent, unequal, more) = (reversal("r", "40", ""), reversal("r", "40", &counter("90")), reversal("r", "40", &counter("91")));
    let pounds = reversal("r", "100", r#","counter_amount":"90","counter_currency":"GBP""#);
    let by_b = r#""transaction_id":"r","account_id":"b","type":"transfer","amount":"100","reverses":"x""#;
    let again = r#""transaction_id":"s","type":"transfer","amount":"100","reverses":"r""#;
    let of_p = format!(r#""transaction_id":"r","type":"payment","amount":"40","reverses":"p"{}"#, counter("1"));
    check(
        POSTINGS,
        &[
            ("of all that is left the counter amount may be left out", &[DEPOSIT, EXCHANGE, &all], BACK, &[]),
            ("or given", &[DEPOSIT, EXCHANGE, &whole], BACK, &[]),
            ("of a part it must be given", &[DEPOSIT, EXCHANGE, &silent], DONE, &["3 inconsistent"]),
            ("a part, and then the rest", &[DEPOSIT, EXCHANGE, &part, &rest], BACK, &[]),
            ("all of one currency alone", &[DEPOSIT, EXCHANGE, &unequal], DONE, &["3 inconsistent"]),
            ("more than was exchanged", &[DEPOSIT, EXCHANGE, &more], DONE, &["3 refused"]),
            ("in a third currency", &[DEPOSIT, EXCHANGE, &pounds], DONE, &["3 inconsistent"]),
            ("by the other account, in the terms of the original", &[DEPOSIT, EXCHANGE, by_b], BACK, &[]),
            ("a reversal that is reversed", &[DEPOSIT, EXCHANGE, &all, again], DONE, &[]),
            ("a payment that is no exchange", &[PAYMENT, &of_p], &["a USD -40 0 -40"], &["2 inconsistent"]),
        ],
    );
}

#[test]
fn an_exchange_is_held_and_captured_once() {
    let hold = format!(r#"{EXCHANGE},"phase":"pending""#);
    let capture =
        |amount: &str, more: &str| format!(r#""transaction_id":"c","type":"transfer","amount":"{amount}","pending_id":"x"{more}"#);
    let void = r#""transaction_id":"v","type":"transfer","amount":"0","phase":"void","pending_id":"x""#;
    let receipt = hold.replace("transfer", "deposit");
    let (whole, other_rate) = (capture("100", ""), capture("100", &counter("91")));
    let (part, silent) = (capture("50", &counter("46")), capture("50", ""));
    let cases: &[Case<'_>] = &[
        ("a hold", &[DEPOSIT, &hold], &["a USD 100 100 0", "b EUR 0 0 0"], &[]),
        ("captured whole, at the rate of the hold", &[DEPOSIT, &hold, &whole], DONE, &[]),
        ("captured whole, at another rate", &[DEPOSIT, &hold, &other_rate], &["a USD 0 0 0", "b EUR 91 0 91"], &[]),
        ("captured in part", &[DEPOSIT, &hold, &part], &["a USD 50 0 50", "b EUR 46 0 46"], &[]),
        ("captured in part, at no rate", &[DEPOSIT, &hold, &silent], &["a USD 100 100 0", "b EUR 0 0 0"], &["3 inconsistent"]),
        ("voided", &[DEPOSIT, &hold, void], BACK, &[]),
        ("a hold on the counterparty is in its currency", &[&receipt], &["a USD 0 0 0", "b EUR 0 90 -90"], &[]),
    ];
    check(POSTINGS, cases);
    // Whether or not other holds are captured in parts.
    check(Postings { captures: Captures { over: false, partial: true }, ..POSTINGS }, cases);
}
