//! Any day, cut anywhere by a kill: at every commit the tables equal a recomputation in SQL from the raw records, and a replay
//! makes the same files.
//!
//! `HEADWATER_SEEDS=50 cargo test --workspace --test scenarios any_day` tries fifty days instead of two.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use headwater_sql::{Catalog, Format};
use headwater_tests::day::{day, write, write_terms};
use headwater_tests::pipeline::{PLAIN, Way, assert_invariants, binary, command_with, rows, succeed};
use headwater_tests::prices::Dice;
use headwater_tests::recomputed::Recomputation;

const CONFIGURED: &str = "[source]\nstride = 16\ngrid_lead = 1\n[valuation]\nbase_currency = \"EUR\"\n";

fn answer(catalog: &Catalog, query: &str) -> Result<Vec<String>> {
    let mut text = Vec::new();
    catalog.query(query)?.write(Format::Csv, &mut text)?;
    Ok(String::from_utf8(text)?.lines().skip(1).map(str::to_owned).collect())
}

/// Compares the tables at a commit with the recomputation of everything before its end.
fn assert_recomputed(data: &Path, commit_id: u64, expected: &[(&str, &str, Vec<String>)], what: &str) -> Result<()> {
    let catalog = Catalog::open(data, Some(commit_id))?;
    for (name, query, expected) in expected {
        let rows = answer(&catalog, query)?;
        let different = expected.iter().zip(&rows).find(|(expected, row)| expected != row);
        assert_eq!(different, None, "{what}, commit {commit_id}: {name}, recomputed and committed");
        assert_eq!(expected.len(), rows.len(), "{what}, commit {commit_id}: {name}");
    }
    Ok(())
}

#[test]
fn at_every_commit_the_tables_are_what_sql_makes_of_the_raw_records() -> Result<()> {
    let seeds: u64 = std::env::var("HEADWATER_SEEDS").ok().map_or(Ok(2), |count| count.parse()).context("HEADWATER_SEEDS")?;
    for seed in 0..seeds {
        let (folder, mut dice) = (tempfile::tempdir()?, Dice(seed + 100));
        let (log, data) = (folder.path().join("log"), folder.path().join("data"));
        let records = day(seed, 1_500);
        write(&log, &records)?;
        write_terms(&log, seed)?;
        let recomputation = Recomputation::of(&records, seed)?;
        let source = format!("log:{}", log.display());

        // Killed twice at random points, and continued with other numbers of workers.
        let command = |workers: u16| command_with(&source, &data, Way { workers, ..PLAIN }, CONFIGURED, "1ms");
        for _ in 0..2 {
            let mut process = command(1)?.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
            std::thread::sleep(Duration::from_millis(30 + dice.below(150)));
            process.kill()?;
            process.wait()?;
        }
        succeed(command(1)?.output()?)?;
        assert_invariants(&data)?;

        let commits = rows(&data, "SELECT commit_id, end_tick FROM commits ORDER BY commit_id")?;
        assert!(commits.len() >= 5, "seed {seed}: {} commits", commits.len());
        let mut ends = Vec::new();
        for commit in &commits {
            let (commit_id, end_tick) = commit.split_once(',').context("a commit")?;
            let (commit_id, end) = (commit_id.parse::<u64>()?, end_tick.parse::<u64>()? * 10_000_000);
            let expected = recomputation.at(end)?;
            assert_recomputed(&data, commit_id, &expected, &format!("seed {seed}"))?;
            ends.push((end, expected));
        }

        // A replay of everything, equal to the byte; and one of a part.
        let replay = |out: &str, more: &[&str]| -> Result<()> {
            let mut replay = Command::new(binary()?);
            replay.args(["replay", "--source", &source, "--out"]).arg(folder.path().join(out));
            replay.arg("--config").arg(data.with_extension("toml")).args(more);
            succeed(replay.output()?)
        };
        replay("again", &["--against", &data.display().to_string()])?;
        assert_eq!(std::fs::read(folder.path().join("again/HEAD"))?, std::fs::read(data.join("HEAD"))?, "seed {seed}");
        let (end, expected) = ends.get(usize::try_from(dice.below(ends.len() as u64))?).context("an end")?;
        let to = rfc3339(*end);
        replay("part", &["--to", &to])?;
        let part = folder.path().join("part");
        let last = rows(&part, "SELECT MAX(commit_id) FROM commits")?.concat().parse()?;
        assert_recomputed(&part, last, expected, &format!("seed {seed}, up to {to}"))?;
        assert_invariants(&part)?;
    }
    Ok(())
}

/// Nanoseconds since the epoch as RFC 3339.
fn rfc3339(nanos: u64) -> String {
    headwater_schemas::EventTime::from_effective(headwater_schemas::EffectiveTime::new(nanos)).to_string()
}
