//! Problems of people who try other rules on their history.

use anyhow::Result;
use headwater_tests::pipeline::{PLAIN, command_with, headwater, rows, succeed, write_log};

/// Cash deposits just below the amount that has to be reported, of one account, a day apart; another account's are larger.
const TRANSACTIONS: &str = r#"{"transaction_id":"t1","account_id":"a","type":"deposit","channel":"cash","amount":"9500","currency":"USD","ts":"2026-01-05T10:00:00Z"}
{"transaction_id":"t2","account_id":"a","type":"deposit","channel":"cash","amount":"9700","currency":"USD","ts":"2026-01-06T10:00:00Z"}
{"transaction_id":"t3","account_id":"a","type":"deposit","channel":"cash","amount":"9000","currency":"USD","ts":"2026-01-07T10:00:00Z"}
{"transaction_id":"t4","account_id":"b","type":"deposit","channel":"cash","amount":"7500","currency":"USD","ts":"2026-01-07T11:00:00Z"}
{"transaction_id":"t5","account_id":"b","type":"deposit","channel":"cash","amount":"7400","currency":"USD","ts":"2026-01-07T12:00:00Z"}
"#;

/// What people found out: one of the second account's deposits was fraud, too, and one of the first one's was not.
const LABELS: &str = r#"{"subject_id":"t1","label":"legitimate","ts":"2026-02-01T00:00:00Z"}
{"subject_id":"t2","label":"fraud","ts":"2026-02-01T00:00:00Z"}
{"subject_id":"t3","label":"legitimate","ts":"2026-02-01T00:00:00Z"}
{"subject_id":"t3","label":"fraud","ts":"2026-02-02T00:00:00Z"}
{"subject_id":"t4","label":"fraud","ts":"2026-02-01T00:00:00Z"}
{"subject_id":"t4","label":"groceries","ts":"2026-02-03T00:00:00Z"}
"#;

const STRUCTURING: &str = r#"
kind = "aml"
subject = "transaction"
[[feature]]
name = "deposits"
aggregate = "count"
filter = 'type == "deposit" and channel == "cash" and amount >= LEAST and amount <= 10000'
window = "7d"
[[rule]]
name = "structuring"
when = 'deposits >= 2 and type == "deposit" and channel == "cash" and amount >= LEAST and amount <= 10000'
severity = "high"
"#;

#[test]
fn other_rules_are_tried_on_the_history_before_they_are_used() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (log, data) = (folder.path().join("log"), folder.path().join("data"));
    let source = format!("log:{}", log.display());
    write_log(&log, "transactions", 0, TRANSACTIONS)?;
    let pack = |name: &str, least: &str| -> Result<String> {
        let file = folder.path().join(format!("{name}-{least}.toml"));
        std::fs::write(&file, format!("name = \"{name}\"{}", STRUCTURING.replace("LEAST", least)))?;
        Ok(file.display().to_string())
    };
    let (before, after, unknown) = (pack("mine", "8000")?, pack("mine", "7000")?, pack("another", "7000")?);
    let rules = format!("[rules]\npacks = [\"{before}\"]\n");
    succeed(command_with(&source, &data, PLAIN, &rules, "200ms")?.output()?)?;
    let (data_argument, config) = (data.display().to_string(), data.with_extension("toml").display().to_string());
    let tried = |rules: &str, more: &[&str]| -> Result<Vec<String>> {
        let output = headwater(&[&["backtest", "--rules", rules, "--source", &source, "--config", &config], more].concat())?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        succeed(output)?;
        Ok(said.lines().map(str::to_owned).collect())
    };
    let gained = [
        "alerts structuring: 2 (1 gained, 0 lost, 0 changed)",
        "+ structuring (high): structuring of account b: deposits=2, type=deposit, channel=cash, amount=7400",
    ];
    let no_labels = "the topic labels says of nothing whether it was fraud: no precision, no recall";
    // Against the run's directory, and against the configured pack of the same name: the same.
    for more in [&["--against", data_argument.as_str()][..], &[]] {
        assert_eq!(tried(&after, more)?, [gained[0], gained[1], no_labels], "{more:?}");
    }
    assert_eq!(tried(&before, &[])?, ["alerts structuring: 1 (0 gained, 0 lost, 0 changed)", no_labels]);
    let all = tried(&unknown, &["--show", "1"])?;
    assert_eq!(
        all[..2],
        ["no pack named another is configured: everything is gained", "alerts structuring: 2 (2 gained, 0 lost, 0 changed)"]
    );
    assert_eq!(all[3], "… and 1 more: --show 2");

    // The newest label of each kind counts: of t3, fraud; a spending category says nothing of fraud.
    write_log(&log, "labels", 0, LABELS)?;
    let said = tried(&after, &[])?;
    let cells = |line: &str| line.split('|').map(str::trim).map(str::to_owned).collect::<Vec<_>>();
    let quality = said.iter().find(|line| line.contains("structuring |") || line.starts_with(" structuring")).map(|line| cells(line));
    assert_eq!(quality.as_deref(), Some(&["structuring", "3", "1", "0", "0.75", "1.0", "USD 26200"].map(str::to_owned)[..]), "{said:?}");
    succeed(command_with(&source, &data, PLAIN, &rules, "200ms")?.output()?)?;
    let query = "SELECT rule, caught, false_alarms, missed, value_caught FROM rule_quality WHERE ruleset = 'mine'";
    assert_eq!(rows(&data, query)?, ["structuring,2,1,1,USD 18700"]);

    let output = headwater(&["backtest", "--rules", "none.toml", "--source", &source])?;
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("reading the rule pack none.toml"));
    Ok(())
}
