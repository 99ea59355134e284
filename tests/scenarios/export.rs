//! Exports: the same bytes however the tables were made, and what other programs read of them.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use headwater_connectors::testing::{may_skip, workspace};
use headwater_tests::pipeline::{PLAIN, Way, command_with, headwater, rows, succeed, write_log};
use headwater_tests::scripts::python;
use serde_json::Value;

/// What reads exports, as the test's script imports it.
const READERS: [&str; 4] = ["deltalake==1.6.6", "duckdb==2.0.1", "polars==2.1.0", "pyarrow==26.0.1"];

/// The newest Spark for which Delta has jars.
const SPARK: [&str; 1] = ["pyspark==4.2.0"];

/// Exit code of the script where there is no Java, or Delta's jars cannot be fetched.
const NO_SPARK: i32 = 3;

/// Deposits of a day: of account `A0` the number of the first one, and so on, with more digits than a float keeps.
fn deposits(first: u32, count: u32) -> String {
    let deposit = |number: u32| {
        format!(
            "{{\"transaction_id\":\"t{number}\",\"account_id\":\"A{}\",\"type\":\"deposit\",\"amount\":\"1000000000000{number}.12\",\"currency\":\"USD\",\"ts\":\"2026-01-05T12:{:02}:00.000000001Z\"}}\n",
            number % 7,
            number % 60
        )
    };
    (first..first + count).map(deposit).collect()
}

fn run(log: &Path, data: &Path, way: Way) -> Result<()> {
    succeed(command_with(&format!("log:{}", log.display()), data, way, "", "1h")?.output()?)
}

fn exported(data: &Path, out: &Path, format: &str, more: &[&str]) -> Result<String> {
    let [data, out] = [data, out].map(|path| path.display().to_string());
    let fixed: &[&str] = &["export", "--data", &data, "--out", &out, "--format", format];
    let output = headwater(&[fixed, more].concat())?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

#[test]
fn exports_are_the_same_bytes_whatever_the_workers_and_the_restarts() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let [log, other_log, one, two] = ["log", "other-log", "one", "two"].map(|name| folder.path().join(name));
    write_log(&log, "transactions", 0, &deposits(0, 40))?;
    run(&log, &one, PLAIN)?;
    write_log(&other_log, "transactions", 0, &deposits(0, 40))?;
    run(&other_log, &two, Way { workers: 2, ..PLAIN })?;
    for format in ["parquet", "csv", "arrow"] {
        for table in ["ledger_entries", "balances", "balances_history", "decisions", "positions"] {
            let read = |data: &Path, name: &str| -> Result<Vec<u8>> {
                let out = folder.path().join(name);
                exported(data, &out, format, &["--table", table])?;
                Ok(std::fs::read(out.join(format!("{table}.{format}")))?)
            };
            ensure!(read(&one, "out-one")? == read(&two, "out-two")?, "{table} as {format}");
        }
    }
    let refused = headwater(&[
        "export",
        "--data",
        &one.display().to_string(),
        "--table",
        "balances",
        "--format",
        "csv",
        "--out",
        &one.join("x").display().to_string(),
    ])?;
    let said = String::from_utf8_lossy(&refused.stderr);
    ensure!(!refused.status.success() && said.contains("give another folder as --out"), "{said}");
    Ok(())
}

#[test]
fn other_programs_read_exports_to_the_last_digit() -> Result<()> {
    let Some(python) = python(&READERS)? else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let [log, data, out] = ["log", "data", "out"].map(|name| folder.path().join(name));
    write_log(&log, "transactions", 0, &deposits(0, 30))?;
    run(&log, &data, PLAIN)?;
    exported(&data, &out, "delta", &["--table", "posted_transactions", "--table", "ledger_entries"])?;
    write_log(&log, "transactions", 0, &deposits(30, 12))?;
    run(&log, &data, PLAIN)?;
    for (table, column) in [("posted_transactions", "amount"), ("ledger_entries", "amount")] {
        for format in ["parquet", "csv", "arrow", "delta"] {
            exported(&data, &out, format, &["--table", table])?;
        }
        let query = format!("SELECT COUNT(*), CAST(SUM({column}) AS DECIMAL(38, 9)) FROM {table}");
        let expected = rows(&data, &query)?.concat();
        let (rows, sum) = expected.split_once(',').context("two figures")?;
        let script = workspace().join("tests/scenarios/export.py");
        let read = Command::new(&python).arg(script).arg(&out).args([table, column]).output()?;
        ensure!(read.status.success(), "{} after {}", String::from_utf8_lossy(&read.stderr), String::from_utf8_lossy(&read.stdout));
        let lines = String::from_utf8(read.stdout)?;
        ensure!(lines.lines().count() == 8, "{table}: {lines}");
        for line in lines.lines() {
            let read: Value = serde_json::from_str(line)?;
            if let Some(versions) = read.get("versions") {
                ensure!(*versions == 2, "{table}: {line}");
                continue;
            }
            let same_sum = read["sum"].as_str().context("a sum")?.trim_end_matches('0').trim_end_matches('.') == sum;
            let read_rows = read["rows"].to_string();
            ensure!(read_rows == rows && same_sum, "{table}: {line}, and the table has {expected}");
        }
    }
    Ok(())
}

#[test]
fn spark_reads_every_row_of_exports() -> Result<()> {
    let Some(python) = python(&SPARK)? else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let [log, data, out] = ["log", "data", "out"].map(|name| folder.path().join(name));
    let tables = ["--table", "posted_transactions", "--table", "ledger_entries"];
    for (first, count) in [(0, 30), (30, 12)] {
        write_log(&log, "transactions", 0, &deposits(first, count))?;
        run(&log, &data, PLAIN)?;
        exported(&data, &out, "delta", &tables)?;
    }
    exported(&data, &out, "parquet", &tables)?;
    exported(&data, &out, "csv", &tables)?;
    let script = workspace().join("tests/scenarios/export_spark.py");
    let read = Command::new(&python).arg(script).arg(&out).args(["posted_transactions", "ledger_entries"]).output()?;
    if read.status.code() == Some(NO_SPARK) && may_skip() {
        eprintln!("skipped, because Spark does not start: {}", String::from_utf8_lossy(&read.stderr).trim());
        return Ok(());
    }
    ensure!(read.status.success(), "{} after {}", String::from_utf8_lossy(&read.stderr), String::from_utf8_lossy(&read.stdout));
    let expected = "posted_transactions parquet 42\nposted_transactions delta 42\nledger_entries parquet 84\nledger_entries delta 84\n\
                    posted_transactions delta, version 0 30\n";
    let lines = String::from_utf8(read.stdout)?;
    ensure!(lines == expected, "{lines}");
    Ok(())
}

#[test]
fn a_delta_table_gets_the_rows_of_the_commits_since() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let [log, data, out] = ["log", "data", "out"].map(|name| folder.path().join(name));
    for (first, count) in [(0, 10), (10, 5)] {
        write_log(&log, "transactions", 0, &deposits(first, count))?;
        run(&log, &data, PLAIN)?;
        let said = exported(&data, &out, "delta", &["--table", "ledger_entries"])?;
        // Each deposit has two entries.
        ensure!(said.starts_with(&format!("ledger_entries: {} rows of commit", 2 * count)), "{said}");
        let again = exported(&data, &out, "delta", &["--table", "ledger_entries"])?;
        ensure!(again.starts_with("ledger_entries: 0 rows of commit"), "{again}");
    }
    let earlier = headwater(&[
        "export",
        "--data",
        &data.display().to_string(),
        "--table",
        "ledger_entries",
        "--format",
        "delta",
        "--at",
        "1",
        "--out",
        &out.display().to_string(),
    ])?;
    let said = String::from_utf8_lossy(&earlier.stderr);
    ensure!(!earlier.status.success() && said.contains("export an earlier commit into an empty folder"), "{said}");
    Ok(())
}
