//! What customers ask to be told: each story uses a log of its own, with the right alerts, wherever the run is cut.

use anyhow::Result;
use headwater_tests::stories::{Record, Story, check};

/// Time of a day in January 2026, at noon unless it is given.
fn at(time: &str) -> String {
    if time.contains('T') { time.to_owned() } else { format!("{time}T12:00:00Z") }
}

fn watch(direction: &str, price: &str, time: &str) -> Record {
    let fixed = format!(r#""customer_id":"C","symbol":"S","direction":"{direction}","price":"{price}""#);
    ("watchlists", format!(r#"{{{fixed},"ts":"{}"}}"#, at(time)))
}

fn trade(price: &str, time: &str) -> Record {
    ("market.trades", format!(r#"{{"symbol":"S","price":"{price}","size":"1","ts":"{}"}}"#, at(time)))
}

const ALERTS: &str = "SELECT kind, rule, severity, subject, state FROM alerts WHERE kind = 'price' ORDER BY alert_id";

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
