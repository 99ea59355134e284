//! Labelled days: every planted case is found by its rule.
//!
//! `HEADWATER_SEEDS=10 cargo test --workspace --test scenarios quality_of_the_rules -- --nocapture` measures precision and recall on ten
//! larger weeks, and prints the table of `docs/rules-quality.md`.

use anyhow::{Context, Result};
use headwater_tests::crimes::quality::{Quality, RULES};
use headwater_tests::crimes::{Days, LARGE, SMALL};
use headwater_tests::pipeline::{PLAIN, Way, assert_invariants, assert_same, run, tables};

#[test]
fn every_planted_case_is_found_by_its_rule() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (log, data) = (folder.path().join("log"), folder.path().join("data"));
    let days = Days::of(1, SMALL);
    days.write(&log)?;
    let source = format!("log:{}", log.display());
    run(&source, &data, PLAIN)?;
    assert_invariants(&data)?;
    let mut quality = Quality::default();
    quality.add(&days, &data)?;
    assert!(quality.missed.is_empty(), "not found: {:#?}\n{}", quality.missed, quality.table());
    for (pack, rule) in RULES.iter().filter(|(_, rule)| !rule.starts_with('(')) {
        assert!(quality.of(pack, rule).planted > 0, "no case of {pack} {rule} is planted");
    }
    // Ordinary customers are among those whom the bank must not stop.
    let approved = headwater_tests::pipeline::rows(&data, "SELECT COUNT(*) FROM decisions WHERE decision = 'approve'")?;
    assert!(approved.concat().parse::<usize>()? > 1_000, "{approved:?} decisions approve");

    // The same whatever the number of workers.
    let again = folder.path().join("again");
    run(&source, &again, Way { workers: 2, ..PLAIN })?;
    assert_same(&tables(&data)?, &tables(&again)?, "two workers");
    Ok(())
}

/// Seeds to measure on. The others are for looking at single rules.
const MEASURED_FROM: u64 = 1_001;

#[test]
fn the_quality_of_the_rules_is_measured_on_as_many_weeks_as_asked_for() -> Result<()> {
    let seeds: u64 = std::env::var("HEADWATER_SEEDS").ok().map_or(Ok(0), |count| count.parse()).context("HEADWATER_SEEDS")?;
    let (mut quality, mut records) = (Quality::default(), 0);
    for seed in MEASURED_FROM..MEASURED_FROM + seeds {
        let folder = tempfile::tempdir()?;
        let (log, data) = (folder.path().join("log"), folder.path().join("data"));
        let days = Days::of(seed, LARGE);
        days.write(&log)?;
        run(&format!("log:{}", log.display()), &data, PLAIN)?;
        quality.add(&days, &data)?;
        records += days.records();
    }
    if seeds > 0 {
        println!("{seeds} seeds from {MEASURED_FROM}, {records} records\n\n{}", quality.table());
        quality.missed.iter().for_each(|case| println!("missed: {} {} of {:?}", case.pack, case.rule, case.parties));
    }
    Ok(())
}
