//! Processes that are killed, at every step of a commit and at any time: tables and published topics end as after an undisturbed
//! run.
//!
//! `HEADWATER_KILLS=200 cargo test -p headwater-tests crash` kills two hundred times instead of forty.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use headwater_connectors::parquet::commit::Step;
use headwater_tests::market;
use headwater_tests::pipeline::{PLAIN, Way, assert_invariants, assert_same, command_with, everything, published, succeed};
use headwater_tests::prices::Dice;

/// Commits, strides and read-ahead so small that a run lasts and has many commits: a run that ends before it is killed shows
/// nothing.
pub(crate) const MANY_COMMITS: &str =
    "[source]\nstride = 2\ngrid_lead = 1\n[outbox]\n[upkeep]\nevery = 2\ngrace = \"0s\"\nwhole_from_changes = 500\n";

fn run_command(source: &str, data: &Path, workers: u16) -> Result<Command> {
    let mut command = command_with(source, data, Way { workers, ..PLAIN }, MANY_COMMITS, "5ms")?;
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    Ok(command)
}

/// The number of the last commit, as the directory shows it.
pub(crate) fn last_commit(data: &Path) -> u64 {
    let entries = std::fs::read_dir(data.join("commits")).into_iter().flatten().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".json")?.parse().ok());
    numbers.max().unwrap_or(0)
}

/// Kills a run at a step or after a while; false if it had ended before.
fn kill(mut command: Command, data: &Path, step: Option<Step>, dice: &mut Dice) -> Result<bool> {
    let Some(step) = step else {
        let mut process = command.spawn()?;
        std::thread::sleep(Duration::from_millis(100 + dice.below(300)));
        process.kill()?;
        let output = process.wait_with_output()?;
        return if output.status.code().is_none() { Ok(true) } else { succeed(output).map(|()| false) };
    };
    let at = last_commit(data) + 1 + dice.below(2);
    let output = command.env("HEADWATER_KILL_AT", format!("{}:{at}", step.name())).output()?;
    if output.status.code().is_none() { Ok(true) } else { succeed(output).map(|()| false) }
}

#[test]
fn runs_that_are_killed_anywhere_end_as_one_that_nobody_disturbed() -> Result<()> {
    let kills: usize = std::env::var("HEADWATER_KILLS").ok().map_or(Ok(40), |count| count.parse()).context("HEADWATER_KILLS")?;
    let folder = tempfile::tempdir()?;
    let records = market::workload(24_000, 2, 7);
    let (log, undisturbed) = (folder.path().join("log"), folder.path().join("undisturbed"));
    market::write(&log, &records)?;
    succeed(run_command(&format!("log:{}", log.display()), &undisturbed, 2)?.output()?)?;
    let expected = (everything(&undisturbed)?, published(&log)?);
    assert!(expected.1.values().all(|lines| !lines.is_empty()), "something is published of every kind");

    // A log has no journal: nothing is published before its commit.
    let steps: Vec<_> = Step::ALL.into_iter().filter(|step| *step != Step::Journaled && !step.needs_bucket()).collect();
    let mut dice = Dice(11);
    let mut killed = BTreeMap::<String, usize>::new();
    let mut directory = 0;
    while killed.values().sum::<usize>() < kills {
        directory += 1;
        let (data, log) = (folder.path().join(format!("killed{directory}")), folder.path().join(format!("log{directory}")));
        market::write(&log, &records)?;
        let source = format!("log:{}", log.display());
        // Until a run ends normally, each run continues from where the previous one was killed.
        loop {
            let count: usize = killed.values().sum();
            let step = steps.get(count / 2 % steps.len()).copied().filter(|_| count.is_multiple_of(2));
            let workers = u16::try_from(1 + dice.below(3))?;
            if count >= kills || !kill(run_command(&source, &data, workers)?, &data, step, &mut dice)? {
                break;
            }
            *killed.entry(step.map_or("any time".to_owned(), Step::name)).or_default() += 1;
        }
        succeed(run_command(&source, &data, 1)?.output()?)?;
        assert_same(&expected.0, &everything(&data)?, &format!("directory {directory}, after {killed:?}"));
        assert_same(&expected.1, &published(&log)?, &format!("topics of directory {directory}, after {killed:?}"));
        assert_invariants(&data)?;
        // No file of an unfinished commit remains.
        assert_eq!(std::fs::read_dir(data.join("staging"))?.count(), 0, "staging");
        std::fs::remove_dir_all(&data)?;
    }
    let every_kind = steps.len() + 1;
    assert!(killed.len() == every_kind || kills < 2 * every_kind, "every kind of death: {killed:?}");
    println!("killed: {killed:?} in {directory} directories");
    Ok(())
}
