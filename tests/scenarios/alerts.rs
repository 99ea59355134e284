//! What analysts do with alerts: suppress some for a while, look at persons instead of rows, and erase records in time.

use anyhow::{Context, Result};
use headwater_tests::pipeline::{PLAIN, Way, command_with, rows, succeed};
use headwater_tests::stories::{Record, Story, check, write};

fn opened(account: &str, customer: &str, at: &str) -> Record {
    let fixed = r#""account_type":"checking","currency":"USD""#;
    ("accounts", format!(r#"{{"type":"opened","account_id":"{account}","customer_id":"{customer}",{fixed},"ts":"@{at}"}}"#))
}

/// An event of an account at a time.
fn account(account: &str, kind: &str, at: &str) -> Record {
    ("accounts", format!(r#"{{"type":"{kind}","account_id":"{account}","ts":"@{at}"}}"#))
}

/// An attempt that is denied, which raises an alert about the actor.
fn denied(actor: &str, at: &str) -> Record {
    ("access", format!(r#"{{"actor":"{actor}","action":"read","outcome":"denied","ts":"@{at}"}}"#))
}

/// A suppression of the alerts about denied attempts: of one actor, or of all.
fn suppressed(subject: &str, at: &str, until: &str) -> Record {
    let subject = if subject.is_empty() { String::new() } else { format!(r#""subject":"{subject}","#) };
    let fixed = r#""rule":"access_denied","author":"ann","reason":"a broken badge""#;
    ("suppressions", format!(r#"{{{subject}{fixed},"expires_at":"@{until}","ts":"@{at}"}}"#))
}

/// Time goes on for every topic that a story reads.
fn later(at: &str) -> Record {
    account("clock", "frozen", at)
}

#[test]
fn what_analysts_do_with_alerts() -> Result<()> {
    check(vec![
        Story {
            name: "a suppressed alert is in `alerts`, and open again once the suppression has expired",
            config: "",
            records: vec![denied("bob", "01"), denied("eve", "02"), suppressed("bob", "03", "20"), denied("bob", "04"), later("10")],
            answers: &[
                (
                    "SELECT subject, state, ts FROM alerts ORDER BY 1",
                    &["bob,amended,2026-01-05T14:30:04Z", "eve,raised,2026-01-05T14:30:02Z"],
                ),
                ("SELECT subject FROM open_alerts", &["eve"]),
                ("SELECT subject, author, reason, expires_at FROM suppressed_alerts", &["bob,ann,a broken badge,2026-01-05T14:30:20Z"]),
                ("SELECT rule, subject, state, since FROM suppressions", &["access_denied,bob,active,2026-01-05T14:30:03Z"]),
            ],
        },
        Story {
            name: "a suppression expires at its time, for every subject",
            config: "",
            records: vec![suppressed("", "00", "20"), denied("bob", "01"), denied("eve", "02"), denied("bob", "25"), later("30")],
            answers: &[
                ("SELECT subject FROM open_alerts ORDER BY 1", &["bob", "eve"]),
                ("SELECT COUNT(*) FROM suppressed_alerts", &["0"]),
                ("SELECT subject, state, ts FROM suppressions", &["*,expired,2026-01-05T14:30:20Z"]),
            ],
        },
        Story {
            name: "a suppression that is deleted ends",
            config: "",
            records: vec![
                denied("bob", "01"),
                denied("eve", "01"),
                suppressed("bob", "03", "20"),
                suppressed("eve", "03", "20"),
                ("suppressions", r#"{"$delete":"access_denied|bob"}"#.to_owned()),
                denied("bob", "05"),
                later("10"),
            ],
            answers: &[
                ("SELECT subject FROM open_alerts", &["bob"]),
                ("SELECT subject FROM suppressed_alerts", &["eve"]),
                ("SELECT COUNT(*) FROM dead_letters", &["0"]),
            ],
        },
        Story {
            name: "alerts about the accounts of one beneficial owner are one line",
            config: "[compliance]\nretention = \"5s\"\n",
            records: vec![
                ("customers", r#"{"customer_id":"c","group_id":"g"}"#.to_owned()),
                ("customers", r#"{"customer_id":"d","group_id":"g"}"#.to_owned()),
                opened("a1", "c", "00"),
                opened("a2", "d", "00"),
                account("a1", "closed", "01"),
                account("a2", "closed", "02"),
                denied("eve", "03"),
                later("20"),
            ],
            answers: &[(
                "SELECT owner, alerts, severity, kinds, rules, subjects, first_ts, last_ts FROM alert_subjects ORDER BY 1",
                &[
                    "eve,1,medium,compliance 1,access_denied,eve,2026-01-05T14:30:03Z,2026-01-05T14:30:03Z",
                    "g,2,low,compliance 2,retention_due,\"a1, a2\",2026-01-05T14:30:06Z,2026-01-05T14:30:07Z",
                ],
            )],
        },
        Story {
            name: "the retention of records ends some time after their account was closed for the last time",
            config: "[compliance]\nretention = \"10s\"\nretention_by_account_type = { loan = \"1h\" }\n",
            records: vec![
                opened("due", "c", "00"),
                opened("reopened", "c", "00"),
                opened("corrected", "c", "00"),
                opened("kept", "c", "00"),
                ("accounts", r#"{"type":"updated","account_id":"kept","account_type":"loan","ts":"@01"}"#.to_owned()),
                account("due", "closed", "02"),
                account("reopened", "closed", "03"),
                account("corrected", "closed", "04"),
                account("kept", "closed", "05"),
                opened("reopened", "c", "20"),
                // It comes late: the account was opened again in time.
                opened("corrected", "c", "06"),
                later("30"),
            ],
            answers: &[(
                "SELECT subject, rule, kind, severity, state, ts FROM alerts ORDER BY 1",
                &[
                    "corrected,retention_due,compliance,low,withdrawn,2026-01-05T14:30:20Z",
                    "due,retention_due,compliance,low,raised,2026-01-05T14:30:12Z",
                    "reopened,retention_due,compliance,low,cleared,2026-01-05T14:30:20Z",
                ],
            )],
        },
    ])
}

/// The outbox leaves out what changes while a suppression holds, however the run is cut.
#[test]
fn a_suppressed_change_is_not_published() -> Result<()> {
    let records = [
        denied("bob", "01"),
        suppressed("bob", "02", "10"),
        denied("bob", "03"),
        denied("eve", "04"),
        denied("bob", "09.999"),
        denied("bob", "10"),
        suppressed("", "11", "20"),
        denied("eve", "12"),
        denied("eve", "21"),
        later("30"),
    ];
    for cut in 0..records.len() {
        let folder = tempfile::tempdir()?;
        let (log, data) = (folder.path().join("log"), folder.path().join("data"));
        let source = format!("log:{}", log.display());
        let (before, after) = records.split_at(cut);
        for (part, workers) in [(before, 1), (after, 2)].into_iter().filter(|(part, _)| !part.is_empty()) {
            write(&log, part)?;
            succeed(command_with(&source, &data, Way { workers, ..PLAIN }, "[outbox]\ntopics = [\"alerts\"]\n", "200ms")?.output()?)?;
        }
        let published = std::fs::read_to_string(log.join("alerts/0.jsonl")).context("the topic of alerts")?;
        let mut changes = Vec::new();
        for line in published.lines() {
            let alert: serde_json::Value = serde_json::from_str(line)?;
            let field = |name: &str| alert.get(name).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
            changes.push(format!("{} {} {}", field("subject"), field("state"), field("ts")));
        }
        changes.sort_unstable();
        let expected = [
            "bob amended 2026-01-05T14:30:10Z",
            "bob raised 2026-01-05T14:30:01Z",
            "eve amended 2026-01-05T14:30:21Z",
            "eve raised 2026-01-05T14:30:04Z",
        ];
        assert_eq!(changes, expected, "cut before record {cut}");
        let all = rows(&data, "SELECT subject, COUNT(*) FROM alerts_history WHERE change > 0 GROUP BY subject ORDER BY 1")?;
        assert_eq!(all, ["bob,4", "eve,3"], "cut before record {cut}");
    }
    Ok(())
}
