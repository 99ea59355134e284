//! What customers ask to be told: each story uses a log of its own, with the right alerts and sums, wherever the run is cut.

use anyhow::Result;
use headwater_tests::stories::{Record, Story, check};

/// Time of a day in January 2026, at noon unless it is given.
fn at(time: &str) -> String {
    if time.contains('T') { time.to_owned() } else { format!("{time}T12:00:00Z") }
}

fn opened() -> Record {
    let fixed = r#""account_id":"A","customer_id":"C","account_type":"checking","currency":"USD""#;
    ("accounts", format!(r#"{{"type":"opened",{fixed},"ts":"2026-01-01T00:00:00Z"}}"#))
}

fn lives_in(zone: &str) -> Record {
    ("customers", format!(r#"{{"customer_id":"C","timezone":"{zone}","ts":"2026-01-01T00:00:00Z"}}"#))
}

fn watch(direction: &str, price: &str, time: &str) -> Record {
    let fixed = format!(r#""customer_id":"C","symbol":"S","direction":"{direction}","price":"{price}""#);
    ("watchlists", format!(r#"{{{fixed},"ts":"{}"}}"#, at(time)))
}

fn trade(price: &str, time: &str) -> Record {
    ("market.trades", format!(r#"{{"symbol":"S","price":"{price}","size":"1","ts":"{}"}}"#, at(time)))
}

fn budget(category: &str, amount: &str, time: &str) -> Record {
    let fixed = format!(r#""customer_id":"C","category":"{category}","amount":"{amount}","currency":"USD""#);
    ("budgets", format!(r#"{{{fixed},"ts":"{}"}}"#, at(time)))
}

fn label(id: &str, label: &str, time: &str) -> Record {
    ("labels", format!(r#"{{"subject_id":"{id}","label":"{label}","ts":"{}"}}"#, at(time)))
}

/// A payment; `more` begins with a comma.
fn payment(id: &str, amount: &str, more: &str, time: &str) -> Record {
    let fixed = format!(r#""transaction_id":"{id}","account_id":"A","type":"payment","amount":"{amount}","currency":"USD""#);
    ("transactions", format!(r#"{{{fixed}{more},"ts":"{}"}}"#, at(time)))
}

const GROCER: &str = r#","mcc":"5411""#;
const ALERTS: &str =
    "SELECT kind, rule, severity, subject, state FROM alerts WHERE kind IN ('price', 'budget', 'spending') ORDER BY alert_id";
const SPENDING: &str = "SELECT customer_id, month, category, currency, amount, count FROM spending ORDER BY month, category";
const NOTIFICATIONS: &str = "SELECT customer_id, kind, subject, deliver_at FROM notifications ORDER BY deliver_at, notification_id";

#[test]
fn what_people_who_watch_prices_run_into() -> Result<()> {
    check(vec![
        Story {
            name: "a price that comes and goes between two grid points is seen, and the next crossing is another alert",
            config: "",
            records: vec![
                watch("above", "100", "2026-01-05T12:00:00Z"),
                trade("99", "2026-01-05T12:00:01Z"),
                trade("100.5", "2026-01-05T12:00:01.2Z"),
                trade("99.4", "2026-01-05T12:00:01.4Z"),
                trade("101", "2026-01-05T12:00:05Z"),
                trade("99.6", "2026-01-05T12:00:06Z"),
                trade("102", "2026-01-05T12:00:07Z"),
            ],
            answers: &[
                (ALERTS, &["price,price_crossed,low,C|S,cleared", "price,price_crossed,low,C|S,raised"]),
                (NOTIFICATIONS, &["C,price,C|S,2026-01-05T12:00:01.2Z"]),
                ("SELECT customer_id, symbol, phase FROM price_watches", &["C,S,crossed"]),
            ],
        },
        Story {
            name: "a price that is reached already when it is watched is no crossing",
            config: "",
            records: vec![trade("101", "2026-01-05"), watch("above", "100", "2026-01-06"), trade("102", "2026-01-07")],
            answers: &[(ALERTS, &[]), ("SELECT customer_id, symbol, phase FROM price_watches", &["C,S,beyond"])],
        },
    ])
}

#[test]
fn what_people_who_follow_their_spending_run_into() -> Result<()> {
    check(vec![
        Story {
            name: "a hold that is captured for less, a refund, and a label",
            config: "",
            records: vec![
                opened(),
                payment("h", "60", r#","mcc":"7011","phase":"pending""#, "2026-01-05"),
                payment("p", "40", GROCER, "2026-01-06"),
                payment("q", "9", r#","merchant":"Corner Bakery""#, "2026-01-07"),
                payment("c", "45", r#","pending_id":"h""#, "2026-01-08"),
                payment("r", "15", r#","reverses":"p""#, "2026-01-09"),
                label("q", "gifts", "2026-01-10"),
            ],
            answers: &[(SPENDING, &["C,2026-01,gifts,USD,9,1", "C,2026-01,groceries,USD,25,1", "C,2026-01,travel,USD,45,1"])],
        },
        Story {
            name: "a budget warns, is exceeded, and a reversal takes both back",
            config: "",
            records: vec![
                opened(),
                budget("groceries", "100", "2026-01-01"),
                payment("p", "80", GROCER, "2026-01-06"),
                payment("q", "30", GROCER, "2026-01-07"),
                payment("r", "80", r#","reverses":"p""#, "2026-01-09"),
            ],
            answers: &[
                (SPENDING, &["C,2026-01,groceries,USD,30,1"]),
                (ALERTS, &["budget,budget_exceeded,medium,C|groceries,withdrawn", "budget,budget_warning,low,C|groceries,cleared"]),
                (
                    "SELECT alert_id, reason FROM alerts_history WHERE state = 'withdrawn' AND change > 0",
                    &["budget_exceeded:C|groceries:2026-01:USD,transaction r reverses p"],
                ),
                (NOTIFICATIONS, &["C,budget,C|groceries,2026-01-06T12:00:00Z", "C,budget,C|groceries,2026-01-07T12:00:00Z"]),
            ],
        },
        Story {
            name: "notices at night are one digest in the morning of the customer's time zone",
            config: "",
            records: vec![
                opened(),
                lives_in("America/New_York"),
                budget("groceries", "10", "2026-01-02"),
                budget("dining", "10", "2026-01-02"),
                payment("p", "20", GROCER, "2026-01-06T04:00:00Z"),
                payment("q", "30", r#","mcc":"5812""#, "2026-01-06T05:00:00Z"),
            ],
            answers: &[(NOTIFICATIONS, &["C,digest,C,2026-01-06T12:00:00Z"])],
        },
        Story {
            name: "of a transaction that is blocked the customer is told at once, also at night, and once though a late one comes",
            config: "",
            records: vec![
                opened(),
                lives_in("America/New_York"),
                payment("p1", "20", "", "2026-01-06T04:00:00Z"),
                payment("p2", "20", "", "2026-01-06T04:01:00Z"),
                payment("p3", "20", "", "2026-01-06T04:02:00Z"),
                payment("p4", "20", "", "2026-01-06T04:03:00Z"),
                payment("p5", "20", "", "2026-01-06T04:04:00Z"),
                payment("p6", "11000", "", "2026-01-06T04:05:00Z"),
                payment("p0", "20", "", "2026-01-06T03:59:00Z"),
            ],
            answers: &[
                ("SELECT subject_id FROM decisions WHERE decision = 'block'", &["p6"]),
                (NOTIFICATIONS, &["C,fraud,p6,2026-01-06T04:05:00Z"]),
                (
                    "SELECT message FROM notifications",
                    &[r#""the transaction p6 was stopped for your security: if it is yours, please confirm it""#],
                ),
            ],
        },
    ])
}

/// A deposit into account `I`, or a withdrawal from it.
fn cash(kind: &str, id: &str, amount: &str, time: &str) -> Record {
    let fixed = format!(r#""transaction_id":"{id}","account_id":"I","type":"{kind}","amount":"{amount}","currency":"USD""#);
    ("transactions", format!(r#"{{{fixed},"ts":"{}"}}"#, at(time)))
}

#[test]
fn what_people_who_invest_run_into() -> Result<()> {
    let terms = r#""symbol":"S","asset_class":"equity","currency":"USD","tick_size":"0.01","lot_size":"1""#;
    let account = r#""account_id":"I","customer_id":"C","account_type":"investment","currency":"USD","book":"firm""#;
    let fill = r#""fill_id":"f","account_id":"I","symbol":"S","side":"buy","quantity":"10","price":"100""#;
    check(vec![Story {
        name: "what is paid in and out is no return, and counts as capital for the rest of its day",
        config: "",
        records: vec![
            ("instruments", format!(r#"{{{terms},"ts":"2026-01-01T00:00:00Z"}}"#)),
            ("accounts", format!(r#"{{"type":"opened",{account},"ts":"2026-01-05T00:00:00Z"}}"#)),
            cash("deposit", "d", "1000", "2026-01-05T00:00:00.5Z"),
            ("fills", format!(r#"{{"type":"fill",{fill},"ts":"2026-01-05T01:00:00Z"}}"#)),
            trade("110", "2026-01-05T23:59:59.5Z"),
            cash("deposit", "e", "500", "2026-01-06T11:59:59.5Z"),
            trade("123", "2026-01-06T20:00:00Z"),
            cash("withdrawal", "w", "200", "2026-01-07T17:59:59.5Z"),
            trade("120", "2026-01-07T20:00:00Z"),
        ],
        // 100 / 1000; 130 / (1100 + 500 / 2); -30 / (1730 - 200 / 4); by hand.
        answers: &[(
            "SELECT scope, date, ROUND(modified_dietz, 4), ROUND(time_weighted, 4) FROM returns ORDER BY scope, date",
            &[
                "account:I,2026-01-05,0.1,0.1",
                "account:I,2026-01-06,0.0963,0.2059",
                "account:I,2026-01-07,-0.0179,0.1844",
                "book:firm,2026-01-05,0.1,0.1",
                "book:firm,2026-01-06,0.0963,0.2059",
                "book:firm,2026-01-07,-0.0179,0.1844",
            ],
        )],
    }])
}
