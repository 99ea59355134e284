//! Another bookkeeper: hledger makes the same posted balances of the exported entries, at commits all over seeded days in disorder.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use headwater_tests::day::{day, disordered, write, write_terms};
use headwater_tests::hledger::{balances, committed, journal};
use headwater_tests::pipeline::{PLAIN, Way, command_with, rows, succeed};
use headwater_tests::prices::Dice;
use headwater_tests::scripts;

/// Commits that are compared, besides the last one.
const COMPARED: usize = 6;
/// Many commits.
const CONFIGURED: &str = "[source]\nstride = 16\ngrid_lead = 1\n";

#[test]
fn hledger_makes_the_same_balances_of_the_entries_at_every_commit() -> Result<()> {
    let Some(hledger) = scripts::hledger()? else { return Ok(()) };
    for seed in 0..2 {
        let (folder, mut dice) = (tempfile::tempdir()?, Dice(seed + 300));
        let (log, data) = (folder.path().join("log"), folder.path().join("data"));
        write(&log, &disordered(&day(seed + 20, 1_500), seed))?;
        write_terms(&log, seed)?;
        let source = format!("log:{}", log.display());
        let command = |workers: u16| command_with(&source, &data, Way { workers, ..PLAIN }, CONFIGURED, "1ms");
        let mut process = command(2)?.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        std::thread::sleep(Duration::from_millis(30 + dice.below(150)));
        process.kill()?;
        process.wait()?;
        succeed(command(1)?.output()?)?;

        let commits = rows(&data, "SELECT commit_id FROM commits ORDER BY commit_id")?;
        // How many there are depends on the machine.
        assert!(commits.len() > 2, "seed {seed}: {commits:?}");
        let last = commits.last().context("a commit")?;
        for commit in commits.iter().step_by(commits.len().div_ceil(COMPARED)).chain([last]) {
            let (commit, file) = (commit.parse()?, folder.path().join("journal"));
            std::fs::write(&file, journal(&data, commit)?)?;
            let (theirs, ours) = (balances(&hledger, &file)?, committed(&data, commit)?);
            let accounts = theirs.keys().chain(ours.keys());
            let different: Vec<_> = accounts.filter(|account| theirs.get(account) != ours.get(account)).collect();
            assert!(different.is_empty(), "seed {seed}, commit {commit}: {different:?} differ: {theirs:?} and {ours:?}");
        }
    }
    Ok(())
}
