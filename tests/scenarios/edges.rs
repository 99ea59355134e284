//! Edges that people meet daily: deadlines that fall on the last moment of a run, what comes before what it names, amounts of zero,
//! rates over another currency. Each story has the same answers wherever the run is cut.

use anyhow::Result;
use headwater_tests::stories::{Record, Story, check};

fn opened(account: &str, customer: &str, kind: &str, currency: &str, more: &str) -> Record {
    let fixed = format!(r#""account_id":"{account}","customer_id":"{customer}","account_type":"{kind}","currency":"{currency}""#);
    ("accounts", format!(r#"{{"type":"opened",{fixed}{more},"ts":"@0"}}"#))
}

/// A transaction in USD; `more` begins with a comma.
fn transaction(id: &str, account: &str, kind: &str, amount: &str, more: &str, at: &str) -> Record {
    let fixed = format!(r#""transaction_id":"{id}","account_id":"{account}","type":"{kind}","amount":"{amount}","currency":"USD""#);
    ("transactions", format!(r#"{{{fixed}{more},"ts":"@{at}"}}"#))
}

/// A deposit of another account: time passes.
fn meanwhile(id: &str, at: &str) -> Record {
    transaction(id, "other", "deposit", "1", "", at)
}

fn fill(id: &str, account: &str, symbol: &str, side: &str, quantity: &str, price: &str, at: &str) -> Record {
    let fixed = format!(r#""fill_id":"{id}","account_id":"{account}","symbol":"{symbol}","side":"{side}""#);
    ("fills", format!(r#"{{"type":"fill",{fixed},"quantity":"{quantity}","price":"{price}","ts":"@{at}"}}"#))
}

fn instrument(symbol: &str, currency: &str) -> Record {
    let fixed = format!(r#""symbol":"{symbol}","asset_class":"equity","currency":"{currency}""#);
    ("instruments", format!(r#"{{{fixed},"tick_size":"0.01","lot_size":"1"}}"#))
}

fn rate(base: &str, quote: &str, rate: &str, at: &str) -> Record {
    ("fx.rates", format!(r#"{{"base":"{base}","quote":"{quote}","rate":"{rate}","ts":"@{at}"}}"#))
}

const PENDING: &str = r#","phase":"pending""#;
const OF_A: &str = "SELECT posted, pending FROM balances WHERE account_id = 'A' AND currency = 'USD'";
const LETTERS: &str = "SELECT topic, code FROM dead_letters ORDER BY 1, 2";
const INVARIANTS: &str = "SELECT invariant, key FROM invariants ORDER BY 1, 2";

/// An event of the very time of a deadline comes before the deadline, also if a run has ended in between.
#[test]
fn a_deadline_at_the_end_of_a_run_waits_for_events_of_that_time() -> Result<()> {
    check(vec![
        Story {
            name: "a capture when its hold expires",
            config: "[ledger]\nhold_expiry = \"10s\"\n",
            records: vec![
                transaction("d", "A", "deposit", "100", "", "0"),
                transaction("h", "A", "payment", "60", PENDING, "1"),
                meanwhile("o", "11"),
                transaction("c", "A", "payment", "45", r#","pending_id":"h""#, "11"),
                meanwhile("p", "13"),
            ],
            answers: &[(OF_A, &["55,0"]), (LETTERS, &[]), (INVARIANTS, &[])],
        },
        Story {
            name: "a hold when its capture has waited for as long as it may",
            config: "[horizons]\ntransactions = \"10s\"\n",
            records: vec![
                transaction("c", "A", "payment", "45", r#","pending_id":"h""#, "1"),
                meanwhile("o", "11"),
                transaction("h", "A", "payment", "60", PENDING, "11"),
                meanwhile("p", "13"),
            ],
            answers: &[(OF_A, &["-45,0"]), (LETTERS, &[]), (INVARIANTS, &[])],
        },
        Story {
            name: "a reversal when its original is forgotten",
            config: "[horizons]\ntransactions = \"5s\"\n[ledger]\nreversal_horizon = \"10s\"\n",
            records: vec![
                opened("A", "c", "checking", "USD", ""),
                transaction("p", "A", "payment", "40", "", "1"),
                meanwhile("o", "11"),
                transaction("r", "A", "payment", "40", r#","reverses":"p""#, "11"),
                meanwhile("q", "13"),
            ],
            answers: &[(OF_A, &["0,0"]), (LETTERS, &[]), (INVARIANTS, &[])],
        },
        Story {
            name: "another body under an id when the id is forgotten",
            config: "[horizons]\ntransactions = \"5s\"\n[ledger]\nreversal_horizon = \"10s\"\n",
            records: vec![
                opened("A", "c", "checking", "USD", ""),
                transaction("p", "A", "payment", "40", "", "1"),
                meanwhile("o", "11"),
                transaction("p", "A", "payment", "50", "", "11"),
                meanwhile("q", "13"),
            ],
            answers: &[(OF_A, &["-40,0"]), (LETTERS, &["transactions,conflicting_duplicate"])],
        },
        Story {
            name: "a deposit of the day after the close of that day",
            config: "",
            records: vec![
                opened("A", "c", "savings", "USD", r#","interest_rate":"0.365""#),
                transaction("d", "A", "deposit", "1000", "", "1"),
                ("market.closes", r#"{"symbol":"S","date":"2026-01-05","close":"110"}"#.to_owned()),
                (
                    "transactions",
                    r#"{"transaction_id":"e","account_id":"A","type":"deposit","amount":"500","currency":"USD","ts":"2026-01-05T22:00:00Z"}"#
                        .to_owned(),
                ),
                (
                    "transactions",
                    r#"{"transaction_id":"o","account_id":"other","type":"deposit","amount":"1","currency":"USD","ts":"2026-01-07T12:00:00Z"}"#
                        .to_owned(),
                ),
            ],
            // A day of 1500 at 36.5 % in 365 days.
            answers: &[("SELECT date, accrued, residue FROM interest_accruals ORDER BY 1", &["2026-01-05,1.5,1.5", "2026-01-06,1.5,3"])],
        },
    ])
}

#[test]
fn what_comes_before_what_it_names_counts_once_that_comes() -> Result<()> {
    let payment = |id: &str, status: &str, at: &str| -> Record {
        let fixed = r#""customer_id":"c","account_id":"A","merchant_id":"m","amount":"100","currency":"USD","method":"debit_card""#;
        ("payments", format!(r#"{{"payment_id":"{id}",{fixed},"status":"{status}","ts":"@{at}"}}"#))
    };
    check(vec![
        Story {
            name: "a return by the recipient before its transfer",
            config: "",
            records: vec![
                transaction("d", "A", "deposit", "500", "", "0"),
                transaction("r", "B", "transfer", "50", r#","reverses":"t""#, "1"),
                transaction("t", "A", "transfer", "200", r#","counterparty_account":"B""#, "2"),
                meanwhile("o", "4"),
            ],
            answers: &[
                ("SELECT account_id, posted FROM balances WHERE account_id IN ('A', 'B') ORDER BY 1", &["A,350", "B,150"]),
                ("SELECT COUNT(*) FROM waiting_transactions", &["0"]),
                (LETTERS, &[]),
                (INVARIANTS, &[]),
            ],
        },
        Story {
            name: "a failed payment whose debit is reversed long after",
            config: "[horizons]\npayments = \"2s\"\n[payments]\nstuck_after = \"1s\"\n",
            records: vec![
                payment("p", "pending", "0"),
                transaction("p", "A", "payment", "100", "", "0.5"),
                payment("p", "failed", "0.8"),
                meanwhile("o", "10"),
                transaction("r", "A", "payment", "100", r#","reverses":"p""#, "20"),
                meanwhile("q", "22"),
            ],
            answers: &[
                ("SELECT rule, state FROM alerts WHERE kind = 'payment'", &["unreconciled,cleared"]),
                ("SELECT status, ledger FROM payments_state", &["failed,"]),
            ],
        },
        Story {
            name: "a payment whose hold is captured in parts",
            config: "[ledger]\npartial_captures = true\n[payments]\nstuck_after = \"1s\"\n",
            records: vec![
                payment("h", "completed", "0"),
                transaction("h", "A", "payment", "100", PENDING, "0.2"),
                transaction("c", "A", "payment", "60", r#","pending_id":"h""#, "0.4"),
                transaction("e", "A", "payment", "40", r#","pending_id":"h""#, "0.6"),
                meanwhile("q", "5"),
            ],
            answers: &[
                ("SELECT state FROM alerts WHERE kind = 'payment'", &[]),
                ("SELECT status, ledger FROM payments_state", &["completed,matched"]),
            ],
        },
    ])
}

/// A payment; `at` is in seconds after 2026-01-05T14:30:00Z.
fn payment(id: &str, customer: &str, amount: &str, status: &str, at: u32) -> Record {
    let ts = (1_767_623_400 + u64::from(at)) * 1_000_000_000;
    let fixed = format!(r#""payment_id":"{id}","customer_id":"{customer}","merchant_id":"m","method":"debit_card","currency":"USD""#);
    ("payments", format!(r#"{{{fixed},"amount":"{amount}","status":"{status}","idempotency_key":"{id}","ts":{ts}}}"#))
}

/// A payment is judged once, as it was when it was first taken: neither what is refused nor what is paid back counts as a payment.
#[test]
fn what_payments_refuse_or_pay_back_is_not_judged() -> Result<()> {
    const DAY: u32 = 86_400;
    const SCORES: &str = "SELECT subject_id, score FROM decisions WHERE ruleset = 'payments' ORDER BY 1";
    const NOTICES: &str = "SELECT customer_id FROM notifications";
    let customer = |id: &str| ("customers", format!(r#"{{"customer_id":"{id}"}}"#));
    let several = |customer: &str, amount: &str, status: &str, first: u32, apart: u32| {
        (0..6).map(|number| payment(&format!("p{number}"), customer, amount, status, first + number * apart)).collect::<Vec<_>>()
    };
    let story = |name, records: [Vec<Record>; 3], answers| Story { name, config: "", records: records.concat(), answers };
    check(vec![
        story(
            "refunds after the windows of 90 days, within the reversal horizon",
            [vec![customer("C1")], several("C1", "1800", "completed", 0, DAY), several("C1", "1800", "refunded", 105 * DAY, 60)],
            &[(SCORES, &["p0,0.0", "p1,0.0", "p2,0.0", "p3,0.0", "p4,0.0", "p5,0.0"]), (LETTERS, &[]), (NOTICES, &[])],
        ),
        story(
            "statuses of another customer",
            [vec![customer("C1"), customer("C2")], several("C1", "100", "pending", 0, 1), several("C2", "12000", "completed", 60, 60)],
            // More than three payments in an hour are 50 points, more than five 80.
            &[(SCORES, &["p0,0.0", "p1,0.0", "p2,0.0", "p3,50.0", "p4,50.0", "p5,80.0"]), (NOTICES, &[])],
        ),
    ])
}

#[test]
fn positions_and_portfolios_at_their_edges() -> Result<()> {
    let deposit = |id: &str, kind: &str, currency: &str, at: &str| -> Record {
        let fixed = format!(r#""transaction_id":"{id}","account_id":"A","type":"{kind}","amount":"100","currency":"{currency}""#);
        ("transactions", format!(r#"{{{fixed},"ts":"@{at}"}}"#))
    };
    check(vec![
        Story {
            name: "two changes of a position within a second",
            config: "",
            records: vec![
                instrument("S", "USD"),
                opened("A", "c", "investment", "USD", r#","book":"firm""#),
                fill("f", "A", "S", "buy", "10", "25", "1.2"),
                fill("g", "A", "S", "sell", "6", "26", "1.5"),
            ],
            answers: &[
                ("SELECT quantity, cost, cash_flow FROM positions", &["4,100,-94"]),
                ("SELECT SUM(change * quantity), SUM(change * cost) FROM positions_history", &["4,100"]),
            ],
        },
        Story {
            name: "nothing needs no rate",
            config: "",
            records: vec![
                opened("A", "c", "checking", "USD", r#","book":"firm""#),
                opened("E", "e", "checking", "EUR", r#","book":"firm""#),
                deposit("d", "deposit", "GBP", "1"),
                deposit("w", "withdrawal", "GBP", "3"),
                deposit("e", "deposit", "USD", "5"),
            ],
            answers: &[(
                "SELECT scope, equity, unvalued FROM portfolios ORDER BY 1",
                &["account:A,100,0", "account:E,0,0", "book:firm,100,0"],
            )],
        },
        Story {
            name: "rates over a currency that is not the base",
            config: "",
            records: vec![
                instrument("7203", "JPY"),
                opened("A", "c", "investment", "USD", ""),
                rate("EUR", "USD", "1.10", "0"),
                rate("EUR", "JPY", "165", "0"),
                ("market.trades", r#"{"trade_id":"m","symbol":"7203","price":"1500","size":"1","ts":"@1"}"#.to_owned()),
                fill("f", "A", "7203", "buy", "100", "1500", "2"),
            ],
            // 150000 / 165 * 1.10, each step rounded to nine digits.
            answers: &[("SELECT scope, gross_exposure, unvalued FROM portfolios", &["account:A,1000,0"])],
        },
        Story {
            name: "a limit of zero is kept by having nothing",
            config: "",
            records: vec![
                instrument("S", "USD"),
                opened("A", "c", "investment", "USD", ""),
                ("limits", r#"{"scope":"symbol:S","kind":"position_value","value":"0","ts":"@0"}"#.to_owned()),
                ("market.trades", r#"{"trade_id":"m","symbol":"S","price":"10","size":"1","ts":"@0"}"#.to_owned()),
                fill("f", "A", "S", "buy", "2", "10", "1"),
                fill("g", "A", "S", "sell", "2", "10", "3"),
            ],
            answers: &[("SELECT rule, state FROM alerts WHERE rule = 'position_value'", &["position_value,cleared"])],
        },
    ])
}
