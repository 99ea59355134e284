//! Problems of people who change rules while the pipeline runs: who may, from when, what is judged by which rules, wherever the run
//! is cut.

use std::process::Stdio;

use anyhow::Result;
use headwater_connectors::parquet::commit::Step;
use headwater_tests::pipeline::{
    PLAIN, Way, assert_invariants, assert_same, command_with, everything, headwater, replay, rows, succeed, tables,
};
use headwater_tests::stories::{self, Record, Story};

use crate::cluster::hosts;

/// No packs but the one that scores transactions, until the topic adds some.
const BANKING: &str = "[rules]\npacks = []\n";

fn transaction(id: &str, account: &str, amount: u32, at: &str) -> Record {
    let text = format!(
        r#"{{"transaction_id":"{id}","account_id":"{account}","type":"payment","channel":"card","amount":"{amount}","currency":"USD","ts":"@{at}"}}"#
    );
    ("transactions", text)
}

/// The proposal of a pack.
fn proposed(ruleset: &str, version: &str, pack: &str, more: &str, at: &str) -> Record {
    let pack = serde_json::Value::from(pack);
    let text =
        format!(r#"{{"type":"proposed","ruleset":"{ruleset}","version":"{version}","pack":{pack},"actor":"ann"{more},"ts":"@{at}"}}"#);
    ("rules", text)
}

/// Any other step of a version.
fn step(kind: &str, ruleset: &str, version: &str, actor: &str, at: &str) -> Record {
    ("rules", format!(r#"{{"type":"{kind}","ruleset":"{ruleset}","version":"{version}","actor":"{actor}","ts":"@{at}"}}"#))
}

/// A pack whose alerts are about single large amounts.
fn big(least: u32) -> String {
    format!("name = \"big\"\nsubject = \"transaction\"\n[[rule]]\nname = \"big\"\nwhen = \"amount > {least}\"\nseverity = \"low\"\n")
}

/// A pack that scores what an account spends within two days.
const SPREE: &str = r#"name = "banking"
subject = "transaction"
[thresholds]
review = 10
block = 50
[[feature]]
name = "spent_2d"
aggregate = "sum"
field = "amount"
window = "2d"
[[rule]]
name = "spree"
when = "spent_2d > 1000"
points = 60
"#;

/// A new pack, changed later on: each transaction is of an account of its own.
fn a_new_pack() -> Story {
    Story {
        name: "a new pack judges from the grid point after its approval, and its next version from the time that was proposed",
        config: BANKING,
        records: vec![
            transaction("t1", "a1", 500, "1"),
            proposed("big", "1", &big(100), "", "2"),
            step("approved", "big", "1", "ann", "3"),
            transaction("t2", "a2", 500, "4"),
            step("approved", "big", "1", "bob", "5.2"),
            transaction("t3", "a3", 500, "5.9"),
            transaction("t4", "a4", 500, "6"),
            proposed("big", "2", &big(1000), r#","effective_from":"@10""#, "7"),
            step("approved", "big", "2", "bob", "8"),
            transaction("t5", "a5", 500, "9.99"),
            transaction("t6", "a6", 500, "10"),
            transaction("t7", "a7", 2000, "11"),
        ],
        answers: &[
            ("SELECT subject, state FROM alerts WHERE starts_with(alert_id, 'big:') ORDER BY 1", &["a4,raised", "a5,raised", "a7,raised"]),
            (
                "SELECT version, state, proposed_by, decided_by, effective_from, counts_from FROM rule_versions ORDER BY 1",
                &["1,superseded,ann,bob,2026-01-05T14:30:06Z,", "2,effective,ann,bob,2026-01-05T14:30:10Z,"],
            ),
            ("SELECT topic, code FROM dead_letters", &["rules,maker_is_checker"]),
            (
                "SELECT state, ts FROM rule_versions_history WHERE version = '1' AND change = 1 ORDER BY ts",
                &[
                    "proposed,2026-01-05T14:30:02Z",
                    "approved,2026-01-05T14:30:05.2Z",
                    "effective,2026-01-05T14:30:06Z",
                    "superseded,2026-01-05T14:30:10Z",
                ],
            ),
        ],
    }
}

/// A changed pack whose windows are longer than those of before, and the end of all scoring.
fn a_changed_pack() -> Story {
    Story {
        name: "a changed pack scores in place of the configured one with what is remembered, until it is retired",
        config: BANKING,
        records: vec![
            transaction("t1", "a", 600, "1"),
            proposed("banking", "spree", SPREE, "", "2"),
            transaction("t2", "b", 600, "3"),
            step("approved", "banking", "spree", "bob", "4"),
            transaction("t3", "a", 600, "6"),
            transaction("t4", "b", 300, "7"),
            step("retirement_proposed", "banking", "none", "ann", "8"),
            step("approved", "banking", "none", "bob", "9"),
            transaction("t5", "b", 900, "11"),
        ],
        answers: &[
            (
                "SELECT subject_id, decision, score FROM decisions ORDER BY 1",
                &["t1,approve,0.0", "t2,approve,0.0", "t3,block,60.0", "t4,approve,0.0"],
            ),
            (
                "SELECT version, state, counts_from FROM rule_versions ORDER BY 1",
                &["none,effective,", "spree,superseded,2026-01-07T14:30:05Z"],
            ),
        ],
    }
}

/// A changed pack, and then a late event and a reversal among those that the pack of before decided about.
fn a_late_event_after_a_change() -> Story {
    let reversal = r#"{"transaction_id":"r","account_id":"a","type":"payment","amount":"600","currency":"USD","reverses":"t2","ts":"@8"}"#;
    Story {
        name: "a late event and a reversal decide nothing again that an earlier version decided",
        config: BANKING,
        records: vec![
            transaction("t1", "a", 600, "1"),
            transaction("t2", "a", 600, "2"),
            transaction("t3", "a", 600, "3"),
            proposed("banking", "spree", SPREE, "", "3.1"),
            step("approved", "banking", "spree", "bob", "4"),
            transaction("t4", "b", 1, "6"),
            transaction("t0", "a", 10, "1.5"),
            transaction("t5", "b", 1, "7"),
            ("transactions", reversal.to_owned()),
        ],
        answers: &[
            (
                "SELECT subject_id, decision, state FROM decisions ORDER BY 1",
                &[
                    "r,approve,made",
                    "t0,approve,made",
                    "t1,approve,made",
                    "t2,approve,withdrawn",
                    "t3,approve,made",
                    "t4,approve,made",
                    "t5,approve,made",
                ],
            ),
            ("SELECT count(*) FROM alerts WHERE kind = 'fraud'", &["0"]),
        ],
    }
}

/// A pack whose name is the kind of its alerts, and a hold that is captured for less.
fn the_quality_of_a_pack() -> Story {
    let held = r#"{"transaction_id":"h","account_id":"a","type":"payment","amount":"500","currency":"USD","phase":"pending","ts":"@4"}"#;
    let captured = r#"{"transaction_id":"c","account_id":"a","type":"payment","amount":"300","currency":"USD","pending_id":"h","ts":"@5"}"#;
    Story {
        name: "a pack may be named fraud, and a captured hold is worth what was captured",
        config: BANKING,
        records: vec![
            proposed("fraud", "1", &big(100).replacen("big", "fraud", 1), "", "1"),
            step("approved", "fraud", "1", "bob", "2"),
            ("transactions", held.to_owned()),
            ("transactions", captured.to_owned()),
            ("labels", r#"{"subject_id":"h","label":"fraud","ts":"@6"}"#.to_owned()),
        ],
        answers: &[("SELECT ruleset, rule, caught, value_caught FROM rule_quality", &["fraud,big,1,USD 300"])],
    }
}

/// Proposals that cannot be taken.
fn bad_proposals() -> Story {
    Story {
        name: "what cannot be proposed is a dead letter, and nothing changes",
        config: BANKING,
        records: vec![
            proposed("big", "1", &big(100).replace("amount", "size"), "", "1"),
            proposed("small", "1", &big(100), "", "2"),
            step("approved", "big", "1", "bob", "3"),
            proposed("big", "2", &big(100), "", "4"),
            step("rejected", "big", "2", "bob", "5"),
            step("approved", "big", "2", "bob", "6"),
            transaction("t1", "a", 500, "8"),
        ],
        answers: &[
            ("SELECT code FROM dead_letters ORDER BY ts", &["bad_rules", "inconsistent", "unknown_reference", "already_decided"]),
            ("SELECT version, state, decided_by FROM rule_versions", &["2,rejected,bob"]),
            ("SELECT count(*) FROM alerts WHERE starts_with(alert_id, 'big:')", &["0"]),
        ],
    }
}

#[test]
fn rules_change_while_the_pipeline_runs() -> Result<()> {
    stories::check(vec![a_new_pack(), a_changed_pack(), a_late_event_after_a_change(), the_quality_of_a_pack(), bad_proposals()])
}

#[test]
fn a_pack_that_changes_at_a_restart_leaves_earlier_decisions_as_they_are() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (log, data, pack) = (folder.path().join("log"), folder.path().join("data"), folder.path().join("pack.toml"));
    let source = format!("log:{}", log.display());
    let config = format!("[fraud]\npack = \"{}\"\n{BANKING}", pack.display());
    let run = |text: &str, records: &[Record]| {
        std::fs::write(&pack, text)?;
        stories::write(&log, records)?;
        succeed(command_with(&source, &data, PLAIN, &config, "200ms")?.output()?)
    };
    let reversal = r#"{"transaction_id":"r","account_id":"a","type":"payment","amount":"600","currency":"USD","reverses":"t1","ts":"@8"}"#;
    let milder = SPREE.replace("> 1000", "> 5000");
    run(SPREE, &[transaction("t1", "a", 600, "1"), transaction("t2", "a", 600, "2")])?;
    run(&milder, &[transaction("t0", "a", 10, "1.5"), ("transactions", reversal.to_owned())])?;
    // A later run with the same pack knows from when on it judges.
    run(&milder, &[transaction("t3", "a", 10, "1.7")])?;
    let decided = ["r,approve,made", "t0,approve,made", "t1,approve,withdrawn", "t2,block,made", "t3,approve,made"];
    assert_eq!(rows(&data, "SELECT subject_id, decision, state FROM decisions ORDER BY 1")?, decided);
    assert_eq!(rows(&data, "SELECT alert_id, state FROM alerts WHERE kind = 'fraud'")?, ["fraud:banking:transaction:t2,raised"]);
    assert_invariants(&data)
}

#[test]
fn rows_do_not_depend_on_workers_and_ticks_though_the_rules_change() -> Result<()> {
    for Story { name, records, config, .. } in [a_new_pack(), a_changed_pack(), a_late_event_after_a_change()] {
        let folder = tempfile::tempdir()?;
        let (log, data) = (folder.path().join("log"), folder.path().join("data"));
        let source = format!("log:{}", log.display());
        stories::write(&log, &records)?;
        succeed(command_with(&source, &data, PLAIN, config, "200ms")?.output()?)?;
        assert_invariants(&data)?;
        for (number, (workers, tick)) in (1..).zip([(2, "10ms"), (1, "1ms"), (2, "250ms"), (3, "1s")]) {
            let other = folder.path().join(format!("data-{number}"));
            succeed(command_with(&source, &other, Way { workers, tick }, config, "50ms")?.output()?)?;
            assert_same(&tables(&data)?, &tables(&other)?, &format!("{name}, {workers} workers, ticks of {tick}"));
        }
        let again = folder.path().join("again");
        replay(&log, &again, &data)?;
        assert_same(&everything(&data)?, &everything(&again)?, name);
    }
    Ok(())
}

#[test]
fn an_alert_is_explained_with_the_rules_that_raised_it_and_a_closed_topic_changes_none() -> Result<()> {
    let Story { records, config, .. } = a_new_pack();
    let folder = tempfile::tempdir()?;
    let (log, data) = (folder.path().join("log"), folder.path().join("data"));
    let source = format!("log:{}", log.display());
    stories::write(&log, &records)?;
    succeed(command_with(&source, &data, PLAIN, config, "200ms")?.output()?)?;
    for (transaction, condition) in [("t5", "amount > 100"), ("t7", "amount > 1000")] {
        let alert = rows(&data, &format!("SELECT alert_id FROM alerts WHERE array_has(evidence, '{transaction}')"))?;
        let alert = alert.first().map_or("", String::as_str);
        let output = headwater(&["explain", "--data", &data.display().to_string(), alert])?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        succeed(output)?;
        assert!(said.contains(&format!("{condition}\n")), "{transaction}: {said}");
    }

    let closed = folder.path().join("closed");
    let config = "[rules]\npacks = []\ntopic = false\n";
    succeed(command_with(&source, &closed, PLAIN, config, "200ms")?.output()?)?;
    assert_eq!(rows(&closed, "SELECT count(*) FROM alerts WHERE starts_with(alert_id, 'big:')")?, ["0"]);
    assert_eq!(rows(&closed, "SELECT DISTINCT topic, code FROM dead_letters")?, ["rules,unsupported"]);
    Ok(())
}

#[test]
fn a_run_that_is_killed_while_the_rules_change_ends_as_one_that_nobody_disturbed() -> Result<()> {
    const STEPS: [Step; 8] =
        [Step::Closed, Step::Staged, Step::Synced, Step::Renamed, Step::Settled, Step::Published, Step::Headed, Step::Cleared];
    let Story { records, config, .. } = a_new_pack();
    let folder = tempfile::tempdir()?;
    let (log, undisturbed) = (folder.path().join("log"), folder.path().join("undisturbed"));
    let source = format!("log:{}", log.display());
    stories::write(&log, &records)?;
    succeed(command_with(&source, &undisturbed, PLAIN, config, "200ms")?.output()?)?;
    let expected = everything(&undisturbed)?;
    assert_eq!(rows(&undisturbed, "SELECT count(*) >= 3 FROM commits")?, ["true"], "each version begins after a commit");
    for (step, commit) in STEPS.into_iter().flat_map(|step| (1..=3_u16).map(move |commit| (step, commit))) {
        let data = folder.path().join(format!("{}-{commit}", step.name()));
        let way = Way { workers: 1 + commit % 2, ..PLAIN };
        let killed =
            command_with(&source, &data, way, config, "200ms")?.env("HEADWATER_KILL_AT", format!("{}:{commit}", step.name())).output()?;
        assert_eq!(killed.status.code(), None, "{} of commit {commit} is reached", step.name());
        succeed(command_with(&source, &data, PLAIN, config, "200ms")?.output()?)?;
        assert_same(&expected, &everything(&data)?, &format!("killed at {} of commit {commit}", step.name()));
        assert_invariants(&data)?;
    }
    Ok(())
}

#[test]
fn a_cluster_ends_when_the_rules_change_and_goes_on_with_the_new_ones() -> Result<()> {
    let Story { records, config, .. } = a_new_pack();
    let folder = tempfile::tempdir()?;
    let (log, alone, data) = (folder.path().join("log"), folder.path().join("alone"), folder.path().join("data"));
    let source = format!("log:{}", log.display());
    stories::write(&log, &records)?;
    succeed(command_with(&source, &alone, PLAIN, config, "200ms")?.output()?)?;
    let hosts = hosts(folder.path(), 2)?;
    // Each of the two versions that take effect ends all processes once.
    for changes in [true, true, false] {
        let start = |number: usize| -> Result<_> {
            let mut command = command_with(&source, &data, PLAIN, config, "200ms")?;
            command.arg("--hosts").arg(&hosts).args(["--process", &number.to_string()]).stdout(Stdio::null()).stderr(Stdio::piped());
            Ok(command.spawn()?)
        };
        let (first, second) = (start(0)?, start(1)?);
        let outputs = [first.wait_with_output()?, second.wait_with_output()?];
        let said: Vec<_> = outputs.iter().map(|output| String::from_utf8_lossy(&output.stderr).into_owned()).collect();
        assert!(outputs.iter().all(|output| output.status.code() == Some(i32::from(changes))), "{changes}: {said:?}");
        assert_eq!(said.iter().any(|said| said.contains("the rules change by the topic rules")), changes, "{said:?}");
    }
    assert_same(&everything(&alone)?, &everything(&data)?, "two processes");
    assert_invariants(&data)
}
