//! Disorder: records that are repeated, and up to a hundred places late.
//!
//! Results that do not depend on the order within a partition are the same as for ordered records: balances, the ledger,
//! quantities, cash flows, and the scores of windows, which are ordered by event time. By definition, average cost (cost and
//! realized P&L) and order books depend on the order: they follow the given one.

use std::path::Path;

use anyhow::Result;
use headwater_tests::day::{average_costs, disordered, orderly_day, write};
use headwater_tests::orders;
use headwater_tests::pipeline::{PLAIN, Way, assert_invariants, rows, run};

/// Results that do not depend on the order.
const WHATEVER_THE_ORDER: [&str; 4] = [
    "SELECT account_id, currency, posted, pending, available FROM balances",
    "SELECT entry_id, transaction_id, account_id, currency, amount, phase FROM ledger_entries",
    "SELECT account_id, symbol, quantity, cash_flow FROM positions",
    "SELECT subject_id, account_id, ruleset, score, decision FROM decisions",
];

const AVERAGE_COST: &str = "SELECT account_id, symbol, cost, realized_pnl FROM positions ORDER BY account_id, symbol";

fn answers(data: &Path) -> Result<Vec<Vec<String>>> {
    let sorted = |query: &&str| {
        let mut rows = rows(data, query)?;
        rows.sort_unstable();
        Ok(rows)
    };
    WHATEVER_THE_ORDER.iter().map(sorted).collect()
}

#[test]
fn disorder_changes_only_what_depends_on_order_and_that_follows_the_order_given() -> Result<()> {
    let folder = tempfile::tempdir()?;
    for seed in 0..3 {
        let day = orderly_day(seed, 2_000);
        let chaos = disordered(&day, seed + 50);
        assert!(chaos.len() > day.len() + 50, "{} records are twice there", chaos.len() - day.len());
        let path = |name: &str| folder.path().join(format!("{name}{seed}"));
        write(&path("log"), &day)?;
        write(&path("chaos-log"), &chaos)?;
        run(&format!("log:{}", path("log").display()), &path("data"), PLAIN)?;
        run(&format!("log:{}", path("chaos-log").display()), &path("chaos"), Way { workers: 2, ..PLAIN })?;
        for (query, (expected, actual)) in WHATEVER_THE_ORDER.iter().zip(answers(&path("data"))?.iter().zip(&answers(&path("chaos"))?)) {
            assert!(!expected.is_empty(), "{query}");
            for (expected, actual) in expected.iter().zip(actual) {
                assert_eq!(expected, actual, "seed {seed}: {query}");
            }
            assert_eq!(expected.len(), actual.len(), "seed {seed}: {query}");
        }
        assert_eq!(rows(&path("data"), AVERAGE_COST)?, average_costs(&day), "seed {seed}, in order");
        assert_eq!(rows(&path("chaos"), AVERAGE_COST)?, average_costs(&chaos), "seed {seed}, in the order given");
        assert_invariants(&path("chaos"))?;
    }
    Ok(())
}

#[test]
fn books_follow_the_order_that_was_given() -> Result<()> {
    let folder = tempfile::tempdir()?;
    for seed in 0..3 {
        let clean = orders::orders(seed, 2_000);
        let chaos = disordered(&clean, seed + 70);
        let mut matched = Vec::new();
        for (name, orders) in [("clean", &clean), ("chaos", &chaos)] {
            let (log, data) = (folder.path().join(format!("{name}-log{seed}")), folder.path().join(format!("{name}{seed}")));
            orders::write(&log, orders)?;
            run(&format!("log:{}", log.display()), &data, Way { workers: 2, ..PLAIN })?;
            let [executions, resting] = orders::matched(orders);
            assert!(executions.len() > 500 && resting.len() > 20, "seed {seed}: {} executions", executions.len());
            let sorted = |query: &str| -> Result<Vec<String>> {
                let mut rows = rows(&data, query)?;
                rows.sort_unstable();
                Ok(rows)
            };
            assert_eq!(sorted("SELECT symbol, order_id, liquidity, price, quantity FROM executions")?, executions, "{name}, seed {seed}");
            assert_eq!(sorted("SELECT symbol, order_id, leaves_quantity FROM open_orders")?, resting, "{name}, seed {seed}");
            assert_invariants(&data)?;
            matched.push(executions);
        }
        assert_ne!(matched.first(), matched.last(), "seed {seed}: the order matters");
    }
    Ok(())
}
