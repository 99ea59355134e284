//! Restarts: where a run continues, and the error if it cannot.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use headwater_connectors::parquet::record::FORMAT_VERSION;
use headwater_tests::pipeline::{PLAIN, Way, assert_invariants, command, command_with, headwater, rows, run, succeed, write_log};

fn deposits(ids: std::ops::Range<usize>) -> String {
    let record = |id: usize| {
        format!(
            "{{\"transaction_id\":\"t{id}\",\"account_id\":\"a{}\",\"type\":\"deposit\",\"amount\":\"1\",\"currency\":\"USD\",\"ts\":\"2026-01-05T10:00:{:02}Z\"}}\n",
            id % 3,
            id % 60
        )
    };
    ids.map(record).collect()
}

/// A log with some deposits, and a directory with a run on it.
fn first_run(folder: &Path) -> Result<(PathBuf, PathBuf, String)> {
    let (log, data) = (folder.join("log"), folder.join("data"));
    write_log(&log, "transactions", 0, &deposits(0..30))?;
    let source = format!("log:{}", log.display());
    run(&source, &data, PLAIN)?;
    Ok((log, data, source))
}

fn refusal(source: &str, data: &Path) -> Result<String> {
    let output = command(source, data, PLAIN)?.output()?;
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(message.lines().count(), 1, "one sentence: {message}");
    Ok(message)
}

#[test]
fn a_run_goes_on_where_the_one_before_ended() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (log, data, source) = first_run(folder.path())?;
    let commits = rows(&data, "SELECT COUNT(*) FROM commits")?;
    run(&source, &data, PLAIN)?;
    assert_eq!(rows(&data, "SELECT COUNT(*) FROM commits")?, commits, "nothing came, so nothing was committed");

    // The second half, one record of it twice, and a new partition: with another number of workers.
    write_log(&log, "transactions", 0, &deposits(29..50))?;
    write_log(&log, "transactions", 1, &deposits(50..60))?;
    run(&source, &data, Way { workers: 2, ..PLAIN })?;
    assert_eq!(rows(&data, "SELECT SUM(posted) FROM balances WHERE account_id LIKE 'a%'")?, ["60"]);
    assert_eq!(rows(&data, "SELECT MAX(sequence), COUNT(*) FROM audit WHERE \"partition\" = 0")?, ["51,51"]);
    // Time had ended at the 29th second, and continued from there.
    assert_eq!(rows(&data, "SELECT topic, \"partition\", clock FROM remap")?, Vec::<String>::new());
    assert_invariants(&data)
}

#[test]
fn lost_records_are_named_and_can_be_accepted() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (log, data, source) = first_run(folder.path())?;
    // The topic is created anew, with fewer records.
    std::fs::remove_file(log.join("transactions/0.jsonl"))?;
    write_log(&log, "transactions", 0, &deposits(100..102))?;
    let message = refusal(&source, &data)?;
    assert!(["transactions, partition 0", "created anew", "--accept-gaps"].iter().all(|part| message.contains(part)), "{message}");
    succeed(command(&source, &data, PLAIN)?.arg("--accept-gaps").output()?)?;
    assert_eq!(rows(&data, "SELECT SUM(posted) FROM balances WHERE account_id LIKE 'a%'")?, ["32"]);
    assert_invariants(&data)
}

#[test]
fn what_is_damaged_is_named_with_the_mend() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (_, data, source) = first_run(folder.path())?;
    let file = rows(&data, "SELECT 1")
        .ok()
        .and_then(|_| std::fs::read_dir(data.join("balances_history/date=2026-01-05")).ok()?.flatten().next())
        .context("a file of balances")?
        .path();
    let good = std::fs::read(&file)?;

    let mut bad = good.clone();
    let middle = bad.len() / 2;
    bad.get_mut(middle).into_iter().for_each(|byte| *byte ^= 1);
    std::fs::write(&file, bad)?;
    let message = refusal(&source, &data)?;
    assert!(message.contains("balances") && message.contains("damaged") && message.contains("restore"), "{message}");

    std::fs::remove_file(&file)?;
    let message = refusal(&source, &data)?;
    assert!(message.contains("balances") && message.contains("is missing"), "{message}");
    std::fs::write(&file, good)?;

    let record = data.join("commits/1.json");
    let text = std::fs::read_to_string(&record)?;
    std::fs::write(&record, text.replacen(&format!("\"format_version\": {FORMAT_VERSION}"), "\"format_version\": 99", 1))?;
    let message = refusal(&source, &data)?;
    assert!(message.contains("format_version 99") && message.contains("newer"), "{message}");
    std::fs::write(&record, text.replacen(&format!("\"format_version\": {FORMAT_VERSION}"), "\"format_version\": 4", 1))?;
    let message = refusal(&source, &data)?;
    assert!(message.contains("format_version 4") && message.contains("headwater replay"), "{message}");
    std::fs::write(&record, text)?;
    run(&source, &data, PLAIN)
}

#[test]
fn a_clock_that_was_begun_otherwise_is_refused() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (_, data, source) = first_run(folder.path())?;
    let output = command_with(&source, &data, Way { tick: "1ms", ..PLAIN }, "", "200ms")?.output()?;
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && message.contains("time.tick_interval") && message.contains("10ms"), "{message}");
    Ok(())
}

#[test]
fn what_rows_are_made_with_is_kept_with_them() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (log, data, source) = first_run(folder.path())?;
    let run = |id: usize, more: &str| -> Result<(Option<i32>, String)> {
        write_log(&log, "transactions", 0, &deposits(id..id + 1))?;
        let output = command_with(&source, &data, PLAIN, more, "200ms")?.output()?;
        Ok((output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned()))
    };
    // Values in one currency cannot be continued in another.
    let (code, said) = run(40, "[valuation]\nbase_currency = \"EUR\"\n")?;
    assert!(code == Some(1) && said.contains("valuation.base_currency: \"USD\" before, \"EUR\" now"), "{said}");
    // Other keys may change. The change is logged, and each commit names its configuration.
    let (code, said) = run(50, "[risk]\nwindow = 500\n")?;
    assert!(code == Some(0) && said.contains("risk.window: 252 before, 500 now"), "{said}");
    let (code, said) = run(60, "[risk]\nwindow = 500\n[sql]\n")?;
    assert!(code == Some(0) && !said.contains("another configuration"), "{said}");
    let configurations = rows(&data, "SELECT configuration FROM commits GROUP BY configuration ORDER BY MIN(commit_id)")?;
    assert_eq!(configurations.len(), 2);
    assert_invariants(&data)?;
    // Verification finds a configuration that was changed.
    let path = data.join(format!("commits/{}.configuration.json", configurations[0]));
    assert!(std::fs::read_to_string(&path)?.contains("\"window\": 252"));
    std::fs::write(&path, "{}")?;
    let output = headwater(&["verify", "--data", &data.display().to_string()])?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && said.contains("the configuration of commit 1, is not what it was"), "{said}");
    Ok(())
}
