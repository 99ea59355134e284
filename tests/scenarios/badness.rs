//! One bad record of every kind between good ones: every good one arrives, every bad one becomes a dead letter.

use anyhow::Result;
use headwater_tests::pipeline::{PLAIN, assert_invariants, command_with, headwater, rows, run, succeed, write_log};

#[test]
fn one_bad_record_of_every_kind_stops_nothing() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (log, data) = (folder.path().join("log"), folder.path().join("data"));
    let good = |id: usize| {
        format!(
            r#"{{"transaction_id":"t{id}","account_id":"a","type":"deposit","amount":"1","currency":"USD","ts":"2026-01-05T10:00:{:02}Z"}}"#,
            id % 60
        )
    };
    let bad = [
        ("not_json", "this is not json"),
        ("not_json", r#"{"transaction_id":"x""#),
        ("not_an_object", "[1,2,3]"),
        ("tombstone", r#"{"$delete":"a"}"#),
        ("missing_field", r#"{"$delete":"a","more":1}"#),
        ("missing_field", r#"{"transaction_id":"x1","type":"deposit","amount":"1","currency":"USD","ts":0}"#),
        (
            "duplicate_field",
            r#"{"transaction_id":"x2","transaction_id":"x2","account_id":"a","type":"deposit","amount":"1","currency":"USD","ts":0}"#,
        ),
        ("wrong_type", r#"{"transaction_id":17,"account_id":"a","type":"deposit","amount":"1","currency":"USD","ts":0}"#),
        ("unknown_value", r#"{"transaction_id":"x3","account_id":"a","type":"gift","amount":"1","currency":"USD","ts":0}"#),
        ("bad_decimal", r#"{"transaction_id":"x4","account_id":"a","type":"deposit","amount":"1.0000000001","currency":"USD","ts":0}"#),
        ("negative_number", r#"{"transaction_id":"x5","account_id":"a","type":"deposit","amount":"-1","currency":"USD","ts":0}"#),
        ("bad_time", r#"{"transaction_id":"x6","account_id":"a","type":"deposit","amount":"1","currency":"USD","ts":"yesterday"}"#),
        ("bad_id", r#"{"transaction_id":"x 7","account_id":"a","type":"deposit","amount":"1","currency":"USD","ts":0}"#),
        (
            "too_late",
            r#"{"transaction_id":"x8","account_id":"a","type":"deposit","amount":"1","currency":"USD","ts":"2025-12-01T00:00:00Z"}"#,
        ),
        (
            "conflicting_duplicate",
            r#"{"transaction_id":"t0","account_id":"a","type":"deposit","amount":"2","currency":"USD","ts":"2026-01-05T10:00:00Z"}"#,
        ),
        (
            "unknown_reference",
            r#"{"transaction_id":"x9","account_id":"a","type":"payment","amount":"1","currency":"USD","reverses":"t999","ts":"2026-01-05T10:00:00Z"}"#,
        ),
        (
            "inconsistent",
            r#"{"transaction_id":"x10","account_id":"a","type":"deposit","amount":"1.5","currency":"JPY","ts":"2026-01-05T10:00:00Z"}"#,
        ),
    ];
    // A transaction that refers to another one waits for it as long as an event may be late.
    let much_later =
        r#"{"transaction_id":"t-last","account_id":"z","type":"deposit","amount":"1","currency":"USD","ts":"2026-01-06T10:01:01Z"}"#;
    let mut records = String::new();
    for (number, (_, bad)) in bad.iter().enumerate() {
        records += &format!("{}\n{bad}\n", good(number));
    }
    records += &format!("{}\n{}\n", good(bad.len()), good(3)); // the last one repeats an earlier one
    records += &format!("{much_later}\n");
    write_log(&log, "transactions", 0, &records)?;
    run(&format!("log:{}", log.display()), &data, PLAIN)?;

    let mut expected: Vec<String> = bad.iter().map(|(code, _)| (*code).to_owned()).collect();
    expected.sort();
    let refused = rows(&data, "SELECT code FROM dead_letters ORDER BY code")?;
    assert_eq!(refused, expected);
    assert_eq!(rows(&data, "SELECT posted FROM balances WHERE account_id = 'a'")?, [(bad.len() + 1).to_string()]);
    assert_invariants(&data)
}

#[test]
fn each_view_has_its_own_horizon() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (log, data) = (folder.path().join("log"), folder.path().join("data"));
    let deposit = |id: &str, ts: &str| {
        format!(
            "{{\"transaction_id\":\"{id}\",\"account_id\":\"a\",\"type\":\"deposit\",\"amount\":\"1\",\"currency\":\"USD\",\"ts\":\"{ts}\"}}\n"
        )
    };
    let fill = |id: &str, ts: &str| {
        format!(
            "{{\"type\":\"fill\",\"fill_id\":\"{id}\",\"account_id\":\"a\",\"symbol\":\"S\",\"side\":\"buy\",\"quantity\":1,\"price\":1,\"ts\":\"{ts}\"}}\n"
        )
    };
    let bust = "{\"type\":\"bust\",\"fill_id\":\"f1\",\"account_id\":\"a\",\"ts\":\"2026-01-07T10:00:00Z\"}\n";
    // Behind the newest by nothing, 30 hours, and 50 hours.
    let (now, late, later) = ("2026-01-07T10:00:00Z", "2026-01-06T04:00:00Z", "2026-01-05T08:00:00Z");
    write_log(&log, "transactions", 0, &[deposit("t1", now), deposit("t2", late), deposit("t3", later)].concat())?;
    // A fill is too late after a day, as time.horizon says; a bust may come two days after its fill.
    write_log(&log, "fills", 0, &[fill("f1", "2026-01-05T11:00:00Z"), fill("f2", now), fill("f3", late), bust.to_owned()].concat())?;
    let more = "[horizons]\ntransactions = \"48h\"\nbusts = \"48h\"\nfraud = \"20h\"\n";
    succeed(command_with(&format!("log:{}", log.display()), &data, PLAIN, more, "200ms")?.output()?)?;
    assert_eq!(rows(&data, "SELECT posted FROM balances WHERE account_id = 'a'")?, ["2"], "two are posted");
    assert_eq!(rows(&data, "SELECT subject_id FROM decisions ORDER BY subject_id")?, ["t1"], "one is scored");
    assert_eq!(rows(&data, "SELECT quantity FROM positions")?, ["1"], "one fill stands, one was busted, one was too late");
    let letters = rows(&data, "SELECT topic, \"offset\" > 0, code FROM dead_letters ORDER BY topic, \"offset\"")?;
    assert_eq!(letters, ["fills,true,too_late", "transactions,true,too_late", "transactions,true,too_late"]);
    assert_invariants(&data)
}

#[test]
fn published_lines_arrive_and_topics_are_listed() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let source = format!("log:{}", folder.path().join("log").display());
    succeed(headwater(&["topics", "--source", &source, "--partitions", "3"])?)?;
    let file = folder.path().join("closes.jsonl");
    std::fs::write(&file, "{\"symbol\":\"A\",\"date\":\"2026-01-05\",\"close\":\"1\"}\nnonsense\n")?;
    succeed(headwater(&["publish", "--source", &source, "market.closes", &file.display().to_string()])?)?;
    let data = folder.path().join("data");
    run(&source, &data, PLAIN)?;
    assert_eq!(rows(&data, "SELECT topic, code FROM dead_letters")?, ["market.closes,not_json"]);
    let unknown = headwater(&["publish", "--source", &source, "dealings", &file.display().to_string()])?;
    assert_eq!(unknown.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("market.closes"), "the known topics are listed");
    Ok(())
}
