//! Upkeep: a directory that is kept small has the same rows as one that keeps everything; readers of older commits finish; rows
//! beyond their retention are dropped, and verification succeeds.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use headwater_connectors::parquet::chain::Chain;
use headwater_schemas::tables::TableKind;
use headwater_sql::{Catalog, Format, tables};
use headwater_tests::market;
use headwater_tests::pipeline::{PLAIN, assert_invariants, binary, command_with, rows, succeed, write_log};

const NEVER: &str = "[source]\nstride = 32\n[upkeep]\nevery = 0\n";
const ALWAYS: &str = "[source]\nstride = 32\n[upkeep]\nevery = 2\ngrace = \"0s\"\nwhole_from_changes = 200\n";

fn answer(catalog: &Catalog, query: &str) -> Result<String> {
    let mut text = Vec::new();
    catalog.query(query)?.write(Format::Csv, &mut text)?;
    let text = String::from_utf8(text)?;
    let mut lines: Vec<_> = text.lines().collect();
    lines.sort_unstable();
    Ok(lines.join("\n"))
}

/// Every row of every table at a commit, with the row's own commit; of checkpoints only if they are still known.
fn everything_at(data: &Path, commit_id: u64) -> Result<BTreeMap<String, Option<String>>> {
    let catalog = Catalog::open(data, Some(commit_id))?;
    let mut all = BTreeMap::new();
    for table in tables() {
        let name = table.spec.name;
        let rows = answer(&catalog, &format!("SELECT * FROM {name}"));
        let rows = match rows {
            Err(error) if table.spec.kind == TableKind::Checkpoint && error.to_string().contains("it has no history") => None,
            rows => Some(rows.with_context(|| format!("{name} at {commit_id}"))?),
        };
        all.insert(name.to_owned(), rows);
        if table.spec.kind == TableKind::State {
            let history = format!("{name}_history");
            all.insert(history.clone(), Some(answer(&catalog, &format!("SELECT * FROM {history}"))?));
        }
        if all.get(name).is_some_and(Option::is_some) {
            let counted = answer(&catalog, &format!("SELECT COUNT(*) FROM (SELECT 1 FROM {name} LIMIT 7)"))?;
            all.insert(format!("{name}, counted"), Some(counted));
        }
    }
    Ok(all)
}

/// The records of a market in `count` consecutive parts.
fn parts(partitions: &market::Partitions, count: usize) -> Vec<market::Partitions> {
    let part = |number: usize| -> market::Partitions {
        let slice = |lines: &Vec<String>| -> Vec<String> {
            let (from, until) = (lines.len() * number / count, lines.len() * (number + 1) / count);
            lines.iter().take(until).skip(from).cloned().collect()
        };
        partitions.iter().map(|(partition, lines)| (partition.clone(), slice(lines))).filter(|(_, lines)| !lines.is_empty()).collect()
    };
    (0..count).map(part).collect()
}

/// Parquet files below a folder.
fn files_on_disk(data: &Path) -> Result<usize> {
    let mut count = 0;
    for table in std::fs::read_dir(data)?.flatten().filter(|entry| entry.path().is_dir()) {
        for date in std::fs::read_dir(table.path())?.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with("date=")) {
            count += std::fs::read_dir(date.path())?.count();
        }
    }
    Ok(count)
}

#[test]
fn a_directory_that_is_kept_small_says_the_same_at_every_commit() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (log, kept, small) = (folder.path().join("log"), folder.path().join("kept"), folder.path().join("small"));
    let source = format!("log:{}", log.display());
    // Each run makes at least one commit, however short it is.
    for part in parts(&market::workload(16_000, 2, 21), 24) {
        market::write(&log, &part)?;
        succeed(command_with(&source, &kept, PLAIN, NEVER, "2ms")?.output()?)?;
    }
    command_with(&source, &small, PLAIN, ALWAYS, "2ms")?;
    let mut replay = Command::new(binary()?);
    replay.args(["replay", "--source", &source]).arg("--out").arg(&small).arg("--against").arg(&kept);
    succeed(replay.arg("--config").arg(small.with_extension("toml")).output()?)?;
    assert_invariants(&small)?;

    let commits: u64 = rows(&kept, "SELECT COUNT(*) FROM commits")?.concat().parse()?;
    assert!(commits >= 24, "{commits} commits");
    assert_eq!(rows(&small, "SELECT COUNT(*), MAX(commit_id) FROM commits")?, [format!("{commits},{commits}")]);
    // A sample of the commits: there are a hundred, and a hundred relations.
    for commit_id in (1..=commits).step_by(usize::try_from(commits / 6)?).chain([commits]) {
        let (expected, actual) = (everything_at(&kept, commit_id)?, everything_at(&small, commit_id)?);
        for (name, rows) in &actual {
            // Checkpoints have no history, so their past is dropped.
            if rows.is_some() || commit_id == commits {
                assert_eq!(expected.get(name), Some(rows), "{name} at commit {commit_id}");
            }
        }
    }

    let exist = Chain::open(&small, None)?.live().files().len();
    assert_eq!(files_on_disk(&small)?, exist, "what was replaced is gone");
    let were = files_on_disk(&kept)?;
    assert!(exist * 2 < were, "{exist} files instead of {were}");
    let records = std::fs::read_dir(small.join("commits"))?.count();
    assert!(records < 24, "{records} files of records for {commits} commits");
    Ok(())
}

#[test]
fn a_reader_of_an_older_commit_finishes_while_files_are_merged() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (log, data) = (folder.path().join("log"), folder.path().join("data"));
    let parts = parts(&market::workload(12_000, 1, 22), 12);
    let (first_half, second_half) = parts.split_at(6);
    first_half.iter().try_for_each(|part| market::write(&log, part))?;
    let source = format!("log:{}", log.display());
    let run = || succeed(command_with(&source, &data, PLAIN, &ALWAYS.replace("\"0s\"", "\"10m\""), "2ms")?.output()?);
    run()?;
    let query = "SELECT * FROM positions_history ORDER BY account_id, symbol, commit_id, tick, change";
    let last = Chain::open(&data, None)?.last_id();
    let (following, pinned) = (Catalog::open(&data, None)?, Catalog::open(&data, Some(last))?);
    let begun = following.query(query)?;
    let expected = answer(&Catalog::open(&data, None)?, query)?;

    for part in second_half {
        market::write(&log, part)?;
        run()?;
    }
    assert!(Chain::open(&data, None)?.last_id() > last + 4, "there were commits that merged");
    let mut text = Vec::new();
    begun.write(Format::Csv, &mut text)?;
    let mut lines: Vec<_> = std::str::from_utf8(&text)?.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines.join("\n"), expected, "a query that had begun");
    assert_eq!(answer(&following, query)?, expected, "a catalog that has not looked again");
    // Now the files that had to wait are removed.
    command_with(&source, &data, PLAIN, ALWAYS, "2ms")?;
    write_log(&log, "transactions", 0, "no transaction\n")?;
    succeed(command_with(&source, &data, PLAIN, ALWAYS, "2ms")?.output()?)?;
    pinned.refresh()?;
    assert_eq!(answer(&pinned, query)?, expected, "a catalog of one commit that has looked where its rows are now");
    assert_invariants(&data)
}

#[test]
fn rows_older_than_their_retention_go_and_proofs_hold() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (log, data) = (folder.path().join("log"), folder.path().join("data"));
    let source = format!("log:{}", log.display());
    let more = format!("{ALWAYS}retention = {{ balances_history = \"24h\", audit = \"24h\", remap = \"24h\", dead_letters = \"48h\" }}\n");
    for day in 5..=14 {
        let deposit = |number: u32| {
            let (hour, minute) = (number / 60, number % 60);
            format!(
                "{{\"transaction_id\":\"t{day}-{number}\",\"account_id\":\"a{}\",\"type\":\"deposit\",\"amount\":\"1\",\"currency\":\"USD\",\"ts\":\"2026-01-{day:02}T{hour:02}:{minute:02}:00Z\"}}\n",
                number % 5
            )
        };
        let records: String = (0..600).map(deposit).collect();
        write_log(&log, "transactions", 0, &format!("{records}no transaction\n"))?;
        succeed(command_with(&source, &data, PLAIN, &more, "1ms")?.output()?)?;
        assert_invariants(&data)?;
    }
    assert_eq!(rows(&data, "SELECT COUNT(*) FROM ledger_entries")?, ["12000"], "the books are whole");
    assert_eq!(rows(&data, "SELECT SUM(posted) FROM balances WHERE account_id LIKE 'a%'")?, ["6000"]);
    for (table, oldest) in [("balances_history", "2026-01-12"), ("audit", "2026-01-12"), ("dead_letters", "2026-01-11")] {
        let first = rows(&data, &format!("SELECT CAST(MIN(ts) AS DATE) FROM {table}"))?.concat();
        assert!(*first >= *oldest && *first <= *"2026-01-13", "{table} begins on {first}");
    }
    assert!(!data.join("audit/date=2026-01-06").exists(), "an empty folder goes, too");
    let catalog = Catalog::open(&data, Some(2))?;
    let said = answer(&catalog, "SELECT * FROM balances").map_err(|error| error.to_string()).expect_err("it is not known any more");
    assert!(said.contains("what balances was at commit 2 is not kept any more") && said.contains("retention"), "{said}");
    assert_eq!(answer(&catalog, "SELECT COUNT(*) FROM commits")?, "2\ncount(*)");
    Ok(())
}
