//! Problems of people who run a bank's ledger: alerts, holds that expire, exchanges and enforcement, wherever the run is cut.

use anyhow::Result;

use headwater_tests::stories::{Record, Story, check};

fn account(account: &str, kind: &str, ts: u32) -> Record {
    ("accounts", format!(r#"{{"type":"{kind}","account_id":"{account}","ts":"@{ts}"}}"#))
}

fn opened(account: &str, more: &str) -> Record {
    let fixed = r#""customer_id":"c","account_type":"checking","currency":"USD""#;
    ("accounts", format!(r#"{{"type":"opened","account_id":"{account}",{fixed}{more},"ts":"@0"}}"#))
}

/// A transaction in USD; `more` begins with a comma.
fn transaction(id: &str, account: &str, kind: &str, amount: &str, more: &str, ts: u32) -> Record {
    let fixed = format!(r#""transaction_id":"{id}","account_id":"{account}","type":"{kind}","amount":"{amount}","currency":"USD""#);
    ("transactions", format!(r#"{{{fixed}{more},"ts":"@{ts}"}}"#))
}

const ALERTS: &str = "SELECT subject, rule, state, message FROM alerts WHERE kind = 'ledger' ORDER BY 1, 2";
const BALANCES: &str =
    "SELECT account_id, currency, posted, pending, available FROM balances WHERE account_id NOT LIKE 'external%' ORDER BY 1, 2";
const LETTERS: &str = "SELECT code FROM dead_letters ORDER BY \"offset\"";
const INVARIANTS: &str = "SELECT invariant, key FROM invariants ORDER BY 1, 2";

fn alert_stories() -> Vec<Story> {
    vec![
        Story {
            name: "debits without funds",
            config: "",
            records: vec![
                opened("A", ""),
                opened("B", r#","overdraft_limit":"50""#),
                transaction("a1", "A", "payment", "40", "", 1),
                transaction("b1", "B", "payment", "40", "", 2),
                transaction("b2", "B", "payment", "40", "", 3),
                transaction("a2", "A", "deposit", "100", "", 4),
                transaction("b3", "B", "payment", "40", r#","reverses":"b2""#, 5),
            ],
            answers: &[
                (
                    ALERTS,
                    &[
                        "A,insufficient_funds,cleared,the available balance of A is 60 USD",
                        "B,insufficient_funds,withdrawn,the available balance of B is 10 USD",
                    ],
                ),
                (INVARIANTS, &[]),
            ],
        },
        Story {
            name: "accounts that must not be used, and reports that differ",
            config: "",
            records: vec![
                opened("A", ""),
                opened("B", ""),
                transaction("a1", "A", "deposit", "100", r#","balance_after":"100""#, 1),
                transaction("b1", "B", "deposit", "100", r#","balance_after":"90""#, 1),
                account("A", "frozen", 2),
                account("B", "closed", 2),
                transaction("a2", "A", "payment", "1", "", 3),
                transaction("b2", "B", "payment", "1", "", 3),
                account("A", "unfrozen", 4),
                transaction("a3", "A", "payment", "1", r#","balance_after":"98""#, 5),
            ],
            answers: &[
                (
                    ALERTS,
                    &[
                        "A,frozen_account,cleared,account A is not frozen any more",
                        "B,balance_mismatch,raised,the balance of B is 10 USD more than balance_after reports",
                        "B,closed_account,raised,\"account B is closed, and was used by transaction b2\"",
                    ],
                ),
                (INVARIANTS, &["balance_after,B", "closed_accounts,B"]),
            ],
        },
    ]
}

fn hold_stories() -> Vec<Story> {
    let hold = r#","phase":"pending""#;
    vec![
        Story {
            name: "holds that expire, and that are captured in parts",
            config: "[ledger]\nhold_expiry = \"10s\"\npartial_captures = true\n",
            records: vec![
                opened("A", ""),
                transaction("d", "A", "deposit", "200", "", 1),
                transaction("h", "A", "payment", "60", hold, 2),
                transaction("g", "A", "payment", "50", hold, 3),
                transaction("c", "A", "payment", "20", r#","pending_id":"h""#, 4),
                transaction("e", "A", "payment", "50", r#","pending_id":"g""#, 12),
                transaction("f", "A", "payment", "40", r#","pending_id":"h""#, 13),
            ],
            answers: &[
                (BALANCES, &["A,USD,130,0,130"]),
                (LETTERS, &["refused"]),
                ("SELECT subject, rule, state, evidence FROM alerts WHERE kind = 'ledger'", &["A,hold_overdue,raised,\"[\"\"h\"\"]\""]),
                ("SELECT entry_id, amount FROM ledger_entries WHERE phase = 'void' ORDER BY 1", &["h-expired-1,40", "h-expired-2,-40"]),
                ("SELECT DISTINCT reason FROM balances_history WHERE reason IS NOT NULL", &["the hold h expired"]),
                (INVARIANTS, &[]),
            ],
        },
        Story {
            name: "an exchange, and its return in part",
            config: "",
            records: vec![
                opened("A", ""),
                transaction("d", "A", "deposit", "100", "", 1),
                transaction(
                    "x",
                    "A",
                    "transfer",
                    "100",
                    r#","counterparty_account":"B","counter_amount":"90","counter_currency":"EUR""#,
                    2,
                ),
                transaction("r", "B", "transfer", "40", r#","reverses":"x","counter_amount":"36","counter_currency":"EUR""#, 3),
            ],
            answers: &[
                (BALANCES, &["A,USD,40,0,40", "B,EUR,54,0,54", "position:EUR,EUR,-54,0,-54", "position:USD,USD,60,0,60"]),
                ("SELECT currency, balance FROM trial_balance ORDER BY 1", &["EUR,0", "USD,0"]),
                (INVARIANTS, &[]),
            ],
        },
    ]
}

fn enforcement_stories() -> Vec<Story> {
    vec![Story {
        name: "what breaks a rule is refused",
        config: "[ledger]\nenforce = true\n",
        records: vec![
            opened("A", ""),
            opened("B", ""),
            transaction("a1", "A", "payment", "1", "", 1),
            transaction("a2", "A", "deposit", "100", "", 2),
            transaction("t", "A", "transfer", "100", r#","counterparty_account":"B""#, 3),
            transaction("b1", "B", "payment", "60", r#","phase":"pending""#, 4),
            transaction("b2", "B", "payment", "50", "", 5),
            transaction("b3", "B", "payment", "60", r#","pending_id":"b1""#, 6),
            account("B", "frozen", 7),
            transaction("b4", "B", "payment", "1", "", 8),
            account("A", "closed", 8),
            transaction("a3", "A", "deposit", "1", "", 9),
        ],
        answers: &[
            (BALANCES, &["A,USD,0,0,0", "B,USD,40,0,40"]),
            (LETTERS, &["insufficient_funds", "insufficient_funds", "frozen_account", "closed_account"]),
            (ALERTS, &[]),
            (INVARIANTS, &[]),
        ],
    }]
}

/// A savings account over the end of a month.
fn interest_records() -> Vec<Record> {
    let opened = r#""type":"opened","account_id":"S","customer_id":"c","account_type":"savings","currency":"USD","interest_rate":"0.0365""#;
    let deposit = |id: &str, amount: &str, ts: &str| {
        let fixed = r#""account_id":"S","type":"deposit","currency":"USD""#;
        ("transactions", format!(r#"{{"transaction_id":"{id}",{fixed},"amount":"{amount}","ts":"{ts}"}}"#))
    };
    vec![
        ("accounts", format!(r#"{{{opened},"ts":"2026-01-30T08:00:00Z"}}"#)),
        deposit("d", "1000", "2026-01-30T12:00:00Z"),
        deposit("e", "1", "2026-02-02T12:00:00Z"),
        deposit("f", "1", "2026-02-03T12:00:00Z"),
    ]
}

fn interest_stories() -> Vec<Story> {
    const ACCRUALS: &str = "SELECT date, balance, accrued, posted, residue FROM interest_accruals ORDER BY 1";
    vec![
        Story {
            name: "interest that the bank's own system posts",
            config: "",
            records: interest_records(),
            answers: &[
                (
                    ACCRUALS,
                    &[
                        "2026-01-30,1000,0.1,0,0.1",
                        "2026-01-31,1000,0.1,0.2,0",
                        "2026-02-01,1000,0.1,0,0.1",
                        "2026-02-02,1001,0.1001,0,0.2001",
                    ],
                ),
                (BALANCES, &["S,USD,1002,0,1002"]),
            ],
        },
        Story {
            name: "interest that is posted",
            config: "[interest]\npost = true\n",
            records: interest_records(),
            answers: &[
                (
                    ACCRUALS,
                    &[
                        "2026-01-30,1000,0.1,0,0.1",
                        "2026-01-31,1000,0.1,0.2,0",
                        "2026-02-01,1000.2,0.10002,0,0.10002",
                        "2026-02-02,1001.2,0.10012,0,0.20014",
                    ],
                ),
                (BALANCES, &["S,USD,1002.2,0,1002.2"]),
                ("SELECT posted FROM balances WHERE account_id = 'external:USD'", &["-1002.2"]),
                (
                    "SELECT entry_id, amount FROM ledger_entries WHERE entry_id LIKE 'interest%' ORDER BY 1",
                    &["interest-S-2026-01-1,0.2", "interest-S-2026-01-2,-0.2"],
                ),
                (INVARIANTS, &[]),
            ],
        },
    ]
}

#[test]
fn what_people_who_pay_interest_run_into() -> Result<()> {
    check(interest_stories())
}

#[test]
fn what_people_who_watch_accounts_run_into() -> Result<()> {
    check(alert_stories())
}

#[test]
fn what_people_who_hold_and_exchange_money_run_into() -> Result<()> {
    check(hold_stories())
}

#[test]
fn what_people_who_enforce_rules_run_into() -> Result<()> {
    check(enforcement_stories())
}
