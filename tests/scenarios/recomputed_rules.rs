//! Rules in SQL: every feature, decision and alert of the built-in packs is what a batch over the raw records makes of it, with events
//! that are late, voids, captures and reversals, whatever the run is cut by.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use headwater_sql::Catalog;
use headwater_tests::judged_day::JudgedDay;
use headwater_tests::pipeline::{PLAIN, Way, assert_invariants, command_with, objects, replay, succeed};
use headwater_tests::recomputed_rules::{Decided, Expected, RuleRecomputation, round_trips};
use serde_json::Value;

/// Built-in packs, of whose features a pack of its own shows every value.
const PACKS: [(&str, &str); 5] = [
    ("transaction", include_str!("../../operators/packs/banking.toml")),
    ("transaction", include_str!("../../operators/packs/aml.toml")),
    ("transaction", include_str!("../../operators/packs/compliance.toml")),
    ("payment", include_str!("../../operators/packs/payments.toml")),
    ("access", include_str!("../../operators/packs/access.toml")),
];

/// A pack with the same features, and a rule for each count and sum that always fires: an alert for every event, because events
/// are more than a second apart.
fn features(subject: &str) -> String {
    let mut text = format!("name = \"every_{subject}\"\nsubject = \"{subject}\"\nkind = \"compliance\"\n");
    for (_, pack) in PACKS.iter().filter(|(of, _)| *of == subject) {
        for section in pack.split("\n[[").filter(|section| section.starts_with("feature]]\n")) {
            let name = section.split('"').nth(1).unwrap_or_default();
            if ["count", "sum", "distinct"].iter().any(|kind| section.contains(&format!("aggregate = \"{kind}\""))) {
                text += &format!("\n[[{section}\n[[rule]]\nname = \"{name}\"\nwhen = '{name} >= 0'\nseverity = \"low\"\nquiet = \"1s\"\n");
            }
        }
    }
    text
}

fn answer(data: &Path, query: &str) -> Result<Vec<Value>> {
    objects(Catalog::open(data, None)?.query(query)?)
}

fn text(row: &Value, name: &str) -> String {
    row.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// The alerts of packs, by id, with their figures; of features, those that are not zero.
fn alerts(data: &Path) -> Result<Expected> {
    let query = "SELECT alert_id, severity, message FROM alerts WHERE state <> 'withdrawn' AND kind IN ('aml', 'compliance') AND rule <> 'round_trip'";
    let alert = |row: &Value| {
        let message = text(row, "message");
        let (_, figures) = message.split_once(": ").unwrap_or_default();
        let severity = format!("severity={}", text(row, "severity"));
        (text(row, "alert_id"), figures.split(", ").map(str::to_owned).chain([severity]).collect::<Vec<_>>())
    };
    let is_zero = |(id, figures): &(String, Vec<String>)| id.starts_with("every_") && figures.iter().any(|figure| figure.ends_with("=0"));
    Ok(answer(data, query)?.iter().map(alert).filter(|alert| !is_zero(alert)).collect())
}

/// The decisions, each rule that fired with its figures.
fn decisions(data: &Path) -> Result<BTreeMap<String, Decided>> {
    let query = "SELECT ruleset, subject_id, state, score, decision, reasons FROM decisions";
    let decision = |row: &Value| {
        let id = format!("{}:{}", text(row, "ruleset"), text(row, "subject_id"));
        if text(row, "state") == "withdrawn" {
            return (id, None);
        }
        let reasons = row.get("reasons").and_then(Value::as_array).into_iter().flatten();
        let fired = reasons.filter(|reason| reason.get("points").and_then(Value::as_f64).is_some_and(|points| points > 0.0));
        let reason = |reason: &Value| {
            let evidence = reason.get("evidence").and_then(Value::as_array).into_iter().flatten();
            let figures: Vec<String> = evidence.filter_map(Value::as_str).map(str::to_owned).collect();
            format!("{} {}", text(reason, "rule"), figures.join(" "))
        };
        let score = row.get("score").and_then(Value::as_f64).unwrap_or(f64::NAN);
        (id, Some((format!("{score:.6}"), text(row, "decision"), fired.map(reason).collect())))
    };
    Ok(answer(data, query)?.iter().map(decision).collect())
}

/// Fails unless both have the same alerts, each with the expected figures.
fn assert_alerts(actual: &Expected, expected: &Expected, what: &str) {
    let ids = |alerts: &Expected| alerts.keys().cloned().collect::<BTreeSet<_>>();
    let (actual_ids, expected_ids) = (ids(actual), ids(expected));
    let different: Vec<_> = actual_ids.symmetric_difference(&expected_ids).take(10).collect();
    assert!(different.is_empty(), "{what}: only one of both has {different:?}");
    for (id, figures) in expected {
        let has = actual.get(id).map(Vec::as_slice).unwrap_or_default();
        assert!(figures.iter().all(|figure| has.contains(figure)), "{what}: {id} has {has:?}, not {figures:?}");
    }
}

fn assert_decisions(actual: &BTreeMap<String, Decided>, expected: &BTreeMap<String, Decided>, what: &str) {
    assert!(actual.keys().eq(expected.keys()), "{what}: other decisions");
    for (id, expected) in expected {
        let actual = actual.get(id).cloned().flatten();
        match (&actual, expected) {
            (Some((score, verdict, reasons)), Some((expected_score, expected_verdict, expected_reasons))) => {
                assert_eq!((score, verdict), (expected_score, expected_verdict), "{what}: {id}: {reasons:?}, not {expected_reasons:?}");
                let agrees = |(reason, expected): (&String, &String)| {
                    let words: Vec<_> = reason.split(' ').collect();
                    expected.split(' ').all(|word| words.contains(&word))
                };
                assert!(
                    reasons.len() == expected_reasons.len() && reasons.iter().zip(expected_reasons).all(agrees),
                    "{what}: {id}: {reasons:?}, not {expected_reasons:?}"
                );
            }
            _ => assert_eq!(actual, *expected, "{what}: {id}"),
        }
    }
}

#[test]
fn rules_find_what_sql_finds_in_the_raw_records() -> Result<()> {
    let seeds: u64 = std::env::var("HEADWATER_SEEDS").ok().map_or(Ok(1), |count| count.parse()).context("HEADWATER_SEEDS")?;
    for seed in 0..seeds {
        let folder = tempfile::tempdir()?;
        let (log, data) = (folder.path().join("log"), folder.path().join("data"));
        let day = JudgedDay::of(seed);
        day.write(&log)?;
        let mut packs = vec!["payments".to_owned(), "aml".to_owned(), "compliance".to_owned(), "access".to_owned()];
        for subject in ["transaction", "payment", "access"] {
            let file = folder.path().join(format!("{subject}.toml"));
            std::fs::write(&file, features(subject))?;
            packs.push(file.display().to_string());
        }
        // Round trips look at every transfer here, not at the latest ones of an account.
        let config = format!("[rules]\npacks = {packs:?}\n[aml]\nround_trips = {{ fan = 100 }}\n");
        let source = format!("log:{}", log.display());
        let command = |workers: u16| command_with(&source, &data, Way { workers, ..PLAIN }, &config, "200ms");
        let mut process = command(1)?.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        std::thread::sleep(Duration::from_millis(150));
        process.kill()?;
        process.wait()?;
        succeed(command(2)?.output()?)?;
        assert_invariants(&data)?;

        let recomputed = RuleRecomputation::of(&day)?;
        let what = format!("seed {seed}");
        let (of_features, of_packs): (Expected, Expected) = alerts(&data)?.into_iter().partition(|(id, _)| id.starts_with("every_"));
        assert_alerts(&of_packs, &recomputed.alerts()?, &what);
        assert_alerts(&of_features, &recomputed.features()?, &what);
        assert_decisions(&decisions(&data)?, &recomputed.decisions()?, &what);

        let trips = answer(&data, "SELECT alert_id, evidence FROM alerts WHERE rule = 'round_trip' AND state <> 'withdrawn'")?;
        let path = |row: &Value| {
            row.get("evidence").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let trips: BTreeMap<String, Vec<String>> = trips.iter().map(|row| (text(row, "alert_id"), path(row))).collect();
        assert_eq!(trips, round_trips(&day), "{what}");
        replay(&log, &folder.path().join("again"), &data)?;
    }
    Ok(())
}
