//! A simulated morning gives the same rows with any number of workers, ticks and strides, and what is planted in it is found.

use std::collections::BTreeSet;
use std::process::Command;

use anyhow::Result;
use headwater_tests::market;
use headwater_tests::pipeline::{PLAIN, Way, assert_invariants, assert_same, binary, command_with, headwater, rows, succeed, tables};

#[test]
fn a_simulated_morning_gives_the_same_rows_in_every_way() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("log");
    market::write(&log, &market::workload(12_000, 2, 1))?;
    let source = format!("log:{}", log.display());
    let mut expected = None;
    let ways = [PLAIN, Way { workers: 2, tick: "1ms" }, Way { workers: 2, tick: "1s" }, Way { workers: 4, ..PLAIN }];
    // Strides with which the slowest partition reads a hundredth of the fastest, with and without pauses.
    let strides = ["", "[source]\nstride = 7\n", "", "[source]\nstride = 4096\nbudget_mib = 1\n"];
    for (number, (way, more)) in ways.into_iter().zip(strides).enumerate() {
        let data = folder.path().join(format!("data{number}"));
        succeed(command_with(&source, &data, way, more, "200ms")?.output()?)?;
        assert_invariants(&data)?;
        let actual = tables(&data)?;
        match &expected {
            None => expected = Some((actual, data)),
            Some((expected, _)) => assert_same(expected, &actual, &format!("{way:?}")),
        }
    }
    let Some((_, data)) = expected else { return Ok(()) };
    for (what, query) in [
        ("matches", "SELECT 1 FROM executions"),
        ("blocked transactions", "SELECT 1 FROM decisions WHERE decision = 'block'"),
        ("breached limits", "SELECT 1 FROM alerts WHERE kind = 'limit'"),
        ("refused records", "SELECT 1 FROM dead_letters"),
        ("risk", "SELECT 1 FROM risk"),
        ("reversals", "SELECT 1 FROM corrections WHERE relation = 'balances' AND reason LIKE '%reverses%'"),
        ("voids", "SELECT 1 FROM corrections WHERE relation = 'decisions' AND reason LIKE '%voids%'"),
        ("late fills", "SELECT 1 FROM corrections WHERE relation = 'positions' AND reason LIKE '%of fills came%'"),
    ] {
        assert!(!rows(&data, query)?.is_empty(), "there are no {what}");
    }
    // Quantity is conserved: every quantity bought on the book was sold on it.
    let net = rows(&data, "SELECT SUM(CASE WHEN side = 'buy' THEN quantity ELSE -quantity END) = 0 FROM executions")?;
    assert_eq!(net, ["true"]);
    Ok(())
}

#[test]
fn every_planted_case_of_half_a_minute_is_found_by_each_of_its_rules() -> Result<()> {
    for seed in [1, 2] {
        let folder = tempfile::tempdir()?;
        let log = folder.path().join("log");
        let (files, cases) = market::half_a_minute(2, seed);
        market::write(&log, &files)?;
        let data = folder.path().join("data");
        succeed(command_with(&format!("log:{}", log.display()), &data, PLAIN, "", "200ms")?.output()?)?;
        let kinds: BTreeSet<_> = cases.iter().map(|case| case.name).collect();
        assert_eq!(kinds.len(), 12, "{kinds:?}");
        for case in cases {
            let mut ids: Vec<String> = case.ids.iter().map(|id| format!("'{id}'")).collect();
            // Surveillance names the executions of an order.
            let executions = rows(&data, &format!("SELECT execution_id FROM executions WHERE order_id IN ({})", ids.join(", ")))?;
            ids.extend(executions.iter().map(|id| format!("'{id}'")));
            let ids = ids.join(", ");
            let about = format!("state <> 'withdrawn' AND (subject IN ({ids}) OR array_has_any(events, make_array({ids})))");
            let found = rows(&data, &format!("SELECT DISTINCT rule FROM explanations WHERE COALESCE(points, 1) > 0 AND {about}"))?;
            let missed: Vec<_> = case.rules.iter().filter(|rule| !found.iter().any(|found| found == *rule)).collect();
            assert!(missed.is_empty(), "seed {seed}, {} at {}: {missed:?} did not fire, only {found:?}", case.name, case.at);
        }
    }
    Ok(())
}

#[test]
fn the_demo_prints_what_was_found_and_commands_that_explain_it() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (data, config) = (folder.path().join("data"), folder.path().join("demo.toml"));
    std::fs::write(&config, "[http]\naddress = \"\"\n[serve]\naddress = \"\"\n")?;
    let mut demo = Command::new(binary()?);
    demo.args(["demo", "--for", "18s", "--rate", "100", "--data"]).arg(&data).arg("--config").arg(&config);
    let output = demo.output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    for (name, rules) in [
        ("stuck transfer", "stuck"),
        ("large amount", "large_amount"),
        ("card testing", "velocity"),
        ("mule", "fan_in, in_and_out"),
        ("impossible travel", "impossible_travel"),
    ] {
        let line = said.lines().find(|line| line.trim_start().starts_with(name)).unwrap_or_default();
        assert!(line.ends_with(&format!("found by {rules}")), "{name} in {said}");
    }
    let commands: Vec<_> = said.lines().filter_map(|line| line.trim_start().strip_prefix("headwater explain --data ")).collect();
    assert!(commands.len() >= 6, "{said}");
    for command in commands {
        let id = command.rsplit_once(" '").and_then(|(_, id)| id.strip_suffix('\'')).unwrap_or_default();
        let explained = headwater(&["explain", "--data", &data.display().to_string(), id])?;
        assert!(String::from_utf8_lossy(&explained.stdout).contains("history"), "{id}");
        succeed(explained)?;
    }
    Ok(())
}
