//! Reasons of changes: histories name the correction, in every view that it reaches.

use std::path::Path;

use anyhow::Result;
use headwater_tests::pipeline::{PLAIN, Way, assert_same, everything, rows, run, write_log};
use tempfile::TempDir;

/// A market, two accounts, and one of everything that can be corrected.
const RECORDS: [(&str, &str); 8] = [
    ("instruments", r#"{"symbol":"S","asset_class":"equity","currency":"USD","tick_size":"0.01","lot_size":1}"#),
    (
        "accounts",
        r#"{"type":"opened","account_id":"a","customer_id":"c","account_type":"investment","currency":"USD","book":"firm/desk","ts":"2026-01-12T10:00:00Z"}
{"type":"opened","account_id":"b","customer_id":"c","account_type":"checking","currency":"USD","ts":"2026-01-12T10:00:00Z"}
{"type":"opened","account_id":"c","customer_id":"c","account_type":"investment","currency":"USD","book":"firm/desk","ts":"2026-01-12T10:00:00Z"}"#,
    ),
    ("limits", r#"{"scope":"account:a","kind":"position_value","value":1500}"#),
    (
        "market.closes",
        r#"{"symbol":"S","date":"2026-01-08","close":"90"}
{"symbol":"S","date":"2026-01-09","close":"99"}
{"symbol":"S","date":"2026-01-10","close":"100"}"#,
    ),
    (
        "market.quotes",
        r#"{"symbol":"S","bid":"99","ask":"101","bid_size":1,"ask_size":1,"ts":"2026-01-12T10:00:00Z"}
{"symbol":"T","bid":"109","ask":"111","bid_size":1,"ask_size":1,"ts":"2026-01-12T10:00:30Z"}
{"symbol":"S","bid":"119","ask":"121","bid_size":1,"ask_size":1,"ts":"2026-01-12T10:00:27.5Z"}
{"symbol":"S","bid":"119","ask":"121","bid_size":1,"ask_size":1,"ts":"2026-01-12T10:00:50Z"}"#,
    ),
    (
        "fills",
        r#"{"type":"fill","fill_id":"f1","account_id":"a","symbol":"S","side":"buy","quantity":10,"price":"100","ts":"2026-01-12T10:00:05Z"}
{"type":"fill","fill_id":"f2","account_id":"a","symbol":"S","side":"buy","quantity":10,"price":"100","ts":"2026-01-12T10:00:10Z"}
{"type":"fill","fill_id":"f3","account_id":"c","symbol":"S","side":"buy","quantity":1,"price":"100","ts":"2026-01-12T10:00:15.5Z"}
{"type":"bust","fill_id":"f2","account_id":"a","ts":"2026-01-12T10:00:20Z"}"#,
    ),
    (
        "transactions",
        r#"{"transaction_id":"t1","account_id":"a","type":"deposit","amount":"5000","currency":"USD","ts":"2026-01-12T10:00:01Z"}
{"transaction_id":"t2","account_id":"a","type":"withdrawal","phase":"pending","amount":"300","currency":"USD","ts":"2026-01-12T10:00:02Z"}
{"transaction_id":"t3","account_id":"a","type":"withdrawal","phase":"void","pending_id":"t2","amount":"300","currency":"USD","ts":"2026-01-12T10:00:12Z"}
{"transaction_id":"t4","account_id":"a","type":"payment","amount":"100","currency":"USD","ts":"2026-01-12T10:00:13Z"}
{"transaction_id":"t5","account_id":"a","type":"payment","reverses":"t4","amount":"40","currency":"USD","ts":"2026-01-12T10:00:15Z"}
{"transaction_id":"u1","account_id":"b","type":"payment","amount":"1","currency":"USD","ts":"2026-01-12T10:00:16Z"}
{"transaction_id":"u2","account_id":"b","type":"payment","amount":"1","currency":"USD","ts":"2026-01-12T10:00:17Z"}
{"transaction_id":"u3","account_id":"b","type":"payment","amount":"1","currency":"USD","ts":"2026-01-12T10:00:18Z"}
{"transaction_id":"u4","account_id":"b","type":"payment","amount":"1","currency":"USD","ts":"2026-01-12T10:00:19Z"}
{"transaction_id":"u5","account_id":"b","type":"payment","amount":"1","currency":"USD","ts":"2026-01-12T10:00:40Z"}
{"transaction_id":"t7","account_id":"a","type":"deposit","amount":"1","currency":"USD","ts":"2026-01-12T10:00:45Z"}
{"transaction_id":"u6","account_id":"b","type":"payment","amount":"1","currency":"USD","ts":"2026-01-12T10:00:17.5Z"}
{"transaction_id":"t8","account_id":"a","type":"payment","reverses":"t4","amount":"60","currency":"USD","ts":"2026-01-12T10:00:46Z"}"#,
    ),
    ("fx.rates", ""),
];

fn told(log: &Path) -> Result<()> {
    RECORDS.iter().try_for_each(|(topic, records)| write_log(log, topic, 0, &format!("{records}\n")))
}

fn history(data: &Path, columns: &str, table: &str, which: &str) -> Result<Vec<String>> {
    rows(data, &format!("SELECT {columns}, change, reason FROM {table}_history WHERE {which} ORDER BY tick, change, {columns}"))
}

fn check(data: &Path, columns: &str, table: &str, which: &str, expected: &[&str]) -> Result<()> {
    assert_eq!(history(data, columns, table, which)?, expected, "{table}_history where {which}");
    Ok(())
}

#[test]
fn every_view_says_what_was_corrected() -> Result<()> {
    let folder = TempDir::new()?;
    let log = folder.path().join("log");
    told(&log)?;
    let (source, data) = (format!("log:{}", log.display()), folder.path().join("data"));
    run(&source, &data, PLAIN)?;

    let balances = [
        "0,0,1,",
        "0,0,-1,",
        "5000,0,1,",
        "5000,0,-1,",
        "5000,300,1,",
        "5000,300,-1,transaction t3 voids t2",
        "5000,0,1,transaction t3 voids t2",
        "5000,0,-1,",
        "4900,0,1,",
        "4900,0,-1,transaction t5 reverses t4",
        "4940,0,1,transaction t5 reverses t4",
        "4940,0,-1,",
        "4941,0,1,",
        "4941,0,-1,transaction t8 reverses t4",
        "5001,0,1,transaction t8 reverses t4",
    ];
    check(&data, "posted, pending", "balances", "account_id = 'a'", &balances)?;
    let positions = [
        "10,100,1,",
        "10,100,-1,",
        "20,100,1,",
        "20,100,-1,fill f2 was busted",
        "10,100,1,fill f2 was busted",
        "10,100,-1,S of market.quotes came 2.500 s late",
        "10,120,1,S of market.quotes came 2.500 s late",
    ];
    check(&data, "quantity, mark_price", "positions", "account_id = 'a'", &positions)?;
    // The account and each book above it; a change by a hold alone is not one of theirs. The risk of the books changes in the
    // second of a reversal because another account trades, so the reversal is not its reason.
    for (scope, valued, at_last) in [("account:a", 5140, 5201), ("book:firm", 5160, 5221), ("book:firm/desk", 5160, 5221)] {
        let which = format!("scope = '{scope}' AND change > 0 AND reason IS NOT NULL");
        let portfolios = [
            "4940,1,transaction t5 reverses t4",
            "4940,1,fill f2 was busted",
            &format!("{valued},1,S of market.quotes came 2.500 s late"),
            &format!("{at_last},1,transaction t8 reverses t4"),
        ];
        check(&data, "equity", "portfolios", &which, &portfolios)?;
        let which = format!("{which} AND confidence = 0.95");
        check(&data, "observations", "risk", &which, &["2,1,fill f2 was busted", "2,1,S of market.quotes came 2.500 s late"])?;
    }
    let alerts = ["raised,1,", "raised,-1,fill f2 was busted", "cleared,1,fill f2 was busted"];
    check(&data, "state", "alerts", "alert_id LIKE 'limit:position_value:%' AND ts < '2026-01-12T10:00:30Z' ", &alerts)?;
    let decisions = [
        "t2,made,1,",
        "t2,made,-1,transaction t3 voids t2",
        "t2,withdrawn,1,transaction t3 voids t2",
        "t4,made,1,",
        "u5,made,1,",
        "u5,made,-1,u6 of transactions came 27.500 s late",
        "u5,amended,1,u6 of transactions came 27.500 s late",
        "t4,made,-1,transaction t8 reverses t4",
        "t4,withdrawn,1,transaction t8 reverses t4",
    ];
    check(&data, "subject_id, state", "decisions", "subject_id IN ('t2', 't4', 'u5')", &decisions)?;

    // All relations, each with its keys.
    let relations = rows(&data, "SELECT DISTINCT relation FROM corrections ORDER BY relation")?;
    assert_eq!(relations, ["alerts", "balances", "decisions", "portfolios", "positions", "risk", "spending"]);
    let query = "SELECT relation || ' ' || key FROM corrections WHERE change > 0 AND reason = 'fill f2 was busted' AND relation <> 'risk' ORDER BY 1";
    let busted = [
        "alerts limit:position_value:account:a|S:1768212011000000000",
        "portfolios account:a",
        "portfolios book:firm",
        "portfolios book:firm/desk",
        "positions a S",
    ];
    assert_eq!(rows(&data, query)?, busted);

    // The same with more workers.
    let expected = everything(&data)?;
    for workers in [2, 4] {
        let again = folder.path().join(format!("data-{workers}"));
        run(&source, &again, Way { workers, ..PLAIN })?;
        assert_same(&expected, &everything(&again)?, &format!("{workers} workers"));
    }
    Ok(())
}
