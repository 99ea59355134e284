//! A simulated morning gives the same rows with any number of workers, ticks and strides.

use anyhow::Result;
use headwater_tests::market;
use headwater_tests::pipeline::{PLAIN, Way, assert_invariants, assert_same, command_with, rows, succeed, tables};

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
