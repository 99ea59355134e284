//! Replays: recomputed tables equal to the byte, and differences where a replay is configured differently.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use headwater_tests::market;
use headwater_tests::pipeline::{PLAIN, Way, assert_invariants, assert_same, binary, command_with, rows, succeed, tables, write_log};

const CONFIGURED: &str = "[source]\nstride = 32\n";

fn replay(source: &str, out: &Path, config: &Path, more: &[&str]) -> Result<Output> {
    let mut command = Command::new(binary()?);
    command.args(["replay", "--source", source, "--out"]).arg(out).arg("--config").arg(config).args(more);
    Ok(command.output()?)
}

/// The hash of the last commit: it covers the hashes of all files, and of all commits before.
fn last_hash(data: &Path) -> Result<String> {
    Ok(std::fs::read_to_string(data.join("HEAD"))?)
}

/// A simulated market, processed in three runs with two workers, of which two were killed.
fn disturbed_run(folder: &Path) -> Result<(String, PathBuf)> {
    let (log, data) = (folder.join("log"), folder.join("data"));
    market::write(&log, &market::workload(12_000, 2, 3))?;
    let source = format!("log:{}", log.display());
    let command = || command_with(&source, &data, Way { workers: 2, ..PLAIN }, CONFIGURED, "5ms");
    for at in ["published:2", "renamed:5"] {
        let killed = command()?.env("HEADWATER_KILL_AT", at).stderr(Stdio::null()).status()?;
        assert_eq!(killed.code(), None, "killed at {at}");
    }
    succeed(command()?.output()?)?;
    Ok((source, data))
}

#[test]
fn a_replay_makes_the_same_files_to_the_byte() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (source, data) = disturbed_run(folder.path())?;
    let (config, against) = (data.with_extension("toml"), data.display().to_string());
    let again = folder.path().join("again");
    let output = replay(&source, &again, &config, &["--workers", "2", "--against", &against])?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    succeed(output)?;
    assert!(said.contains("the same rows"), "{said}");
    assert_eq!(last_hash(&again)?, last_hash(&data)?, "equal to the byte");

    // Another number of workers: other files, the same rows. A directory with commits is refused.
    let otherwise = folder.path().join("otherwise");
    succeed(replay(&source, &otherwise, &config, &["--workers", "3", "--against", &against])?)?;
    assert_ne!(last_hash(&otherwise)?, last_hash(&data)?);
    let refused = replay(&source, &otherwise, &config, &["--against", &against])?;
    assert!(refused.status.code() == Some(1) && String::from_utf8_lossy(&refused.stderr).contains("empty directory"));
    Ok(())
}

#[test]
fn a_replay_with_another_tick_can_be_gone_on_with() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (source, data) = disturbed_run(folder.path())?;
    let (config, again) = (folder.path().join("longer.toml"), folder.path().join("again"));
    let text = std::fs::read_to_string(data.with_extension("toml"))?;
    std::fs::write(&config, text.replace("tick_interval = \"10ms\"", "tick_interval = \"20ms\""))?;
    // Histories have a change per key and tick, so they differ; nothing else does.
    let output = replay(&source, &again, &config, &["--against", &data.display().to_string()])?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("configured otherwise: time.tick_interval: \"10ms\" before, \"20ms\" now"), "{said}");
    assert_same(&tables(&data)?, &tables(&again)?, "another tick");
    let commits = |data: &Path| rows(data, "SELECT COUNT(*) FROM commits");
    assert_eq!(commits(&again)?, commits(&data)?, "commits close where they did");
    // It continues from the position of each partition.
    let mut command = Command::new(binary()?);
    command.args(["run", "--until-end", "--source", &source, "--data"]).arg(&again).arg("--config").arg(&config);
    succeed(command.output()?)?;
    assert_eq!(commits(&again)?, commits(&data)?, "nothing came, so nothing was committed");
    assert_invariants(&again)
}

#[test]
fn another_configuration_is_compared_row_by_row() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (source, data) = disturbed_run(folder.path())?;
    let config = folder.path().join("strict.toml");
    let text = std::fs::read_to_string(data.with_extension("toml"))?;
    std::fs::write(&config, text + "[matching]\ntaker_fee_bps = \"5\"\n")?;
    let output = replay(&source, &folder.path().join("strict"), &config, &["--against", &data.display().to_string()])?;
    let (said, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{said}{error}");
    assert!(said.contains("executions: 0 gained, 0 lost, ") && said.contains("\n  < ") && said.contains("\n  > "), "{said}");
    assert!(!said.contains("ledger_entries") && error.contains("tables differ"), "{said}{error}");
    Ok(())
}

#[test]
fn a_part_of_the_topics_can_be_replayed() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("log");
    let record = |second: usize| {
        format!(
            "{{\"transaction_id\":\"t{second}\",\"account_id\":\"a\",\"type\":\"deposit\",\"amount\":\"1\",\"currency\":\"USD\",\"ts\":\"2026-01-05T10:00:{second:02}Z\"}}\n"
        )
    };
    let records: Vec<_> = (0..50).map(record).collect();
    write_log(&log, "transactions", 0, &records.concat())?;
    write_log(
        &log,
        "accounts",
        0,
        "{\"type\":\"opened\",\"account_id\":\"a\",\"customer_id\":\"c\",\"account_type\":\"checking\",\"currency\":\"USD\",\"ts\":0}\n",
    )?;
    let source = format!("log:{}", log.display());
    let config = folder.path().join("config.toml");
    std::fs::write(&config, "[http]\naddress = \"\"\n")?;
    let behind_forty = format!("transactions/0@{}", records.iter().take(40).map(String::len).sum::<usize>());
    for (name, arguments, posted) in [
        ("from", vec!["--from", "2026-01-05T10:00:30Z"], 20),
        ("to", vec!["--to", "2026-01-05T10:00:30Z"], 30),
        ("both", vec!["--from", "2026-01-05T10:00:10Z", "--to", "2026-01-05T10:00:30Z"], 20),
        ("offset", vec!["--from", &behind_forty], 10),
    ] {
        let out = folder.path().join(name);
        succeed(replay(&source, &out, &config, &arguments)?)?;
        assert_eq!(rows(&out, "SELECT posted FROM balances WHERE account_id = 'a'")?, [posted.to_string()], "{name}");
        assert_eq!(rows(&out, "SELECT COUNT(*) FROM reference_records")?, ["1"], "{name}: the account is known");
        assert_invariants(&out)?;
    }
    Ok(())
}

#[test]
fn what_the_wall_clock_decided_in_a_live_run_is_followed() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (log, data) = (folder.path().join("log"), folder.path().join("data"));
    for topic in ["transactions", "accounts"] {
        write_log(&log, topic, 0, "")?;
    }
    let source = format!("log:{}", log.display());
    let config = folder.path().join("config.toml");
    std::fs::write(&config, "[http]\naddress = \"\"\n[commit]\ninterval = \"100ms\"\n[valuation]\ninterval = \"100ms\"\n")?;
    let start = || {
        Command::new(binary()?)
            .args(["run", "--source", &source, "--data"])
            .arg(&data)
            .arg("--config")
            .arg(&config)
            .spawn()
            .context("a run")
    };
    let deposit = |number: usize, behind: i64| -> Result<()> {
        let now = i64::try_from(headwater::wall_clock::now().get())?;
        let ts = now - behind * 1_000_000;
        let record = format!(
            "{{\"transaction_id\":\"t{number}\",\"account_id\":\"a{}\",\"type\":\"deposit\",\"amount\":\"1\",\"currency\":\"USD\",\"ts\":{ts}}}\n",
            number % 7
        );
        write_log(&log, "transactions", 0, &record)
    };
    // Late by up to 300 ms, or from the future; the first run is killed in the middle, the second is stopped.
    let mut number = 0;
    for end in ["kill", "stop"] {
        let mut process = start()?;
        std::thread::sleep(Duration::from_millis(300));
        for _ in 0..60 {
            deposit(number, if number.is_multiple_of(11) { -5_000 } else { i64::try_from(number * 37 % 300)? })?;
            number += 1;
            std::thread::sleep(Duration::from_millis(20));
        }
        if end == "kill" {
            process.kill()?;
            process.wait()?;
        } else {
            std::thread::sleep(Duration::from_millis(300));
            succeed(Command::new("kill").args(["-TERM", &process.id().to_string()]).output()?)?;
            assert_eq!(process.wait()?.code(), Some(0));
        }
    }
    assert_eq!(rows(&data, "SELECT SUM(posted) FROM balances WHERE account_id LIKE 'a%'")?, ["120"], "nothing is lost, nothing twice");
    let remapped: usize = rows(&data, "SELECT COUNT(*) FROM remap")?.concat().parse()?;
    assert!(remapped > 10, "the wall clock decided {remapped} times");
    assert_invariants(&data)?;

    let again = folder.path().join("again");
    let against = data.display().to_string();
    let output = replay(&source, &again, &config, &["--against", &against])?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    succeed(output).with_context(|| said)?;
    assert_eq!(last_hash(&again)?, last_hash(&data)?, "equal to the byte");

    // As if every record had arrived in time: other times, the same money.
    let in_time = folder.path().join("in-time");
    let output = replay(&source, &in_time, &config, &["--against", &against, "--ignore-remap"])?;
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("remap: 0 gained") && !said.contains("\nledger_entries: 0 gained, 0 lost, 0 changed"), "{said}");
    assert_eq!(rows(&in_time, "SELECT SUM(posted) FROM balances WHERE account_id LIKE 'a%'")?, ["120"]);
    assert_invariants(&in_time)
}
