//! A run that is killed leaves a directory whose last commit is whole and readable.

use std::time::{Duration, Instant};

use anyhow::Result;
use headwater_tests::pipeline::{PLAIN, assert_invariants, rows, start};
use headwater_tests::prices;

use crate::real_prices::write_market;

#[test]
fn what_a_killed_run_has_committed_is_whole() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (log, data) = (folder.path().join("log"), folder.path().join("data"));
    write_market(&log, 3000, &prices::fills(2900, 6, 6, 11))?;
    let mut process = start(&format!("log:{}", log.display()), &data, PLAIN)?;
    let begun = Instant::now();
    while !data.join("commits/2.json").exists() && begun.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(5));
    }
    process.kill()?;
    process.wait()?;
    assert!(data.join("commits/2.json").exists(), "the run was over, or stuck, before it could be killed");
    // Every file that a commit names is there, with the rows that it should have.
    let commits = rows(&data, "SELECT commit_id FROM commits ORDER BY commit_id")?;
    assert!(commits.len() >= 2 && commits.iter().enumerate().all(|(place, id)| *id == (place + 1).to_string()), "{commits:?}");
    for table in ["positions", "positions_history", "portfolios_history", "risk"] {
        rows(&data, &format!("SELECT * FROM {table}"))?;
    }
    assert_invariants(&data)
}
