//! Positions, portfolios and risk over real prices, compared with a recomputation that is as simple as possible.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use headwater_schemas::Money;
use headwater_tests::day::half_even;
use headwater_tests::pipeline::{PLAIN, Way, assert_invariants, assert_same, command_with, rows, run, succeed, tables, write_log};
use headwater_tests::prices::{self, Fill};

const ACCOUNTS: usize = 6;

/// Writes the topics of a market: closes of the last days, and fills on some of them.
pub(crate) fn write_market(log: &Path, days: usize, fills: &[Fill]) -> Result<()> {
    write_log(log, "instruments", 0, &prices::instruments())?;
    write_log(log, "accounts", 0, &prices::accounts(ACCOUNTS))?;
    write_log(log, "market.closes", 0, &prices::closes(days))?;
    let fills: String = fills.iter().map(|fill| format!("{}\n", fill.record)).collect();
    write_log(log, "fills", 0, &fills)
}

#[test]
fn any_number_of_workers_and_any_tick_give_the_same_rows() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("log");
    write_market(&log, 320, &prices::fills(300, 4, ACCOUNTS, 7))?;
    let source = format!("log:{}", log.display());
    let mut expected = None;
    for (number, way) in
        [PLAIN, Way { workers: 2, tick: "10ms" }, Way { workers: 1, tick: "1ms" }, Way { workers: 2, tick: "1s" }].into_iter().enumerate()
    {
        let data = folder.path().join(format!("data{number}"));
        run(&source, &data, way)?;
        assert_invariants(&data)?;
        let actual = tables(&data)?;
        match &expected {
            None => expected = Some(actual),
            Some(expected) => assert_same(expected, &actual, &format!("{way:?}")),
        }
    }
    Ok(())
}

#[test]
fn positions_portfolios_and_risk_equal_a_batch_recomputation() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (log, data) = (folder.path().join("log"), folder.path().join("data"));
    let fills = prices::fills(300, 4, ACCOUNTS, 7);
    write_market(&log, 320, &fills)?;
    run(&format!("log:{}", log.display()), &data, PLAIN)?;
    assert_recomputed(&data, &fills)
}

/// Recomputes positions, account values and the firm's risk from the fills and closes, and compares row by row.
pub(crate) fn assert_recomputed(data: &Path, fills: &[Fill]) -> Result<()> {
    let last: BTreeMap<&str, f64> =
        last_closes(1)?.into_iter().map(|(symbol, series)| (symbol, series.last().copied().unwrap_or_default())).collect();
    // Average cost in integer billionths, fill by fill.
    let mut positions = BTreeMap::<(usize, &str), (i128, i128, i128)>::new();
    for fill in fills {
        let (quantity, cost, realized) = positions.entry((fill.account, fill.symbol)).or_default();
        let (traded, price) = (i128::from(fill.quantity), i128::from(fill.price_thousandths) * 1_000_000);
        let closing = if quantity.signum() * traded.signum() < 0 { traded.abs().min(quantity.abs()) * traded.signum() } else { 0 };
        let removed = if closing == 0 { 0 } else { half_even(*cost * closing.abs(), quantity.abs()) };
        *realized += -closing * price - removed - i128::from(fill.fee_cents) * 10_000_000;
        *cost += (traded - closing) * price - removed;
        *quantity += traded;
    }
    let decimal = Money::from_units;
    let expected: Vec<String> = positions
        .iter()
        .map(|((account, symbol), (quantity, cost, realized))| {
            format!("a{account},{symbol},{},{},{}", decimal(quantity * 1_000_000_000), decimal(*cost), decimal(*realized))
        })
        .collect();
    assert_eq!(rows(data, "SELECT account_id, symbol, quantity, cost, realized_pnl FROM positions ORDER BY account_id, symbol")?, expected);

    // The value of the firm and of every account, and their P&L in the last 252 daily returns, in floating point from scratch.
    let mut accounts = 0.0;
    for account in (0..ACCOUNTS).map(Some).chain([None]) {
        let scope = account.map_or("book:firm".to_owned(), |account| format!("account:a{account}"));
        let mut values = BTreeMap::<&str, f64>::new();
        for ((_, symbol), (quantity, _, _)) in positions.iter().filter(|((holder, _), _)| account.is_none_or(|account| account == *holder))
        {
            *values.entry(symbol).or_default() += *quantity as f64 * last.get(symbol).copied().unwrap_or_default();
        }
        let net: f64 = values.values().sum();
        assert_close(&rows(data, &format!("SELECT CAST(net_value AS DOUBLE) FROM portfolios WHERE scope = '{scope}'"))?, &[net], 1e-6)?;
        if account.is_some() {
            accounts += net;
        } else {
            assert!((accounts - net).abs() < 1e-6, "the accounts make {accounts}, the firm {net}");
        }
        assert_risk(data, &scope, &values)?;
    }
    Ok(())
}

/// Recomputes a scope's risk from its holdings.
fn assert_risk(data: &Path, scope: &str, values: &BTreeMap<&str, f64>) -> Result<()> {
    let mut pnl = vec![0.0; 252];
    for (symbol, series) in last_closes(253)? {
        let value = values.get(symbol).copied().unwrap_or_default();
        for (sum, (before, after)) in pnl.iter_mut().zip(series.iter().zip(series.iter().skip(1))) {
            *sum += value * (after / before - 1.0);
        }
    }
    pnl.sort_by(f64::total_cmp);
    for (confidence, worst) in [(0.95, 13), (0.975, 7), (0.99, 3)] {
        let var = -pnl.get(worst - 1).copied().context("252 scenarios")?;
        let beyond: f64 = pnl.iter().map(|pnl| (-var - pnl).max(0.0)).sum();
        let shortfall = var + beyond / ((1.0 - confidence) * 252.0);
        let query = format!("SELECT CAST(var AS DOUBLE) FROM risk WHERE scope = '{scope}' AND confidence = {confidence}");
        assert_close(&rows(data, &query)?, &[var], 1e-3)?;
        assert_close(&rows(data, &query.replace("(var", "(expected_shortfall"))?, &[shortfall], 1e-3)?;
    }
    Ok(())
}

fn last_closes(count: usize) -> Result<Vec<(&'static str, Vec<f64>)>> {
    let days = prices::days();
    let tail: Vec<_> = days.iter().skip(days.len() - count).collect();
    let series = |(column, symbol): (usize, &'static str)| {
        let prices = tail
            .iter()
            .map(|(_, prices)| prices.get(column).context("a price")?.parse::<f64>().context("a number"))
            .collect::<Result<Vec<_>>>()?;
        Ok((symbol, prices))
    };
    prices::symbols().into_iter().enumerate().map(series).collect()
}

fn assert_close(rows: &[String], expected: &[f64], tolerance: f64) -> Result<()> {
    assert_eq!(rows.len(), expected.len(), "{rows:?}");
    for (row, expected) in rows.iter().zip(expected) {
        let actual: f64 = row.parse().with_context(|| row.clone())?;
        assert!((actual - expected).abs() <= tolerance, "{actual} instead of {expected}");
    }
    Ok(())
}

/// The published figures for the 252 returns up to 2022-12-28 and five fixed positions, to their known digits.
#[test]
fn the_golden_risk_figures_hold() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (log, data) = (folder.path().join("log"), folder.path().join("data"));
    // A multiplier makes the value exact: quantity × close × multiplier, with a close of one unit on the last day only for scale.
    // So each symbol is held as `value / close`, to nine digits.
    let held = [("AAPL", 1_000_000.0), ("JPM", -500_000.0), ("XOM", 750_000.0), ("GE", -250_000.0), ("MSFT", 400_000.0)];
    let closes: BTreeMap<_, _> = last_closes(1)?.into_iter().collect();
    let mut fills = String::new();
    for (symbol, value) in held {
        let close = closes.get(symbol).and_then(|series| series.last()).context("a close")?;
        let side = if value > 0.0 { "buy" } else { "sell" };
        fills += &format!(
            "{{\"type\":\"fill\",\"fill_id\":\"{symbol}\",\"account_id\":\"a0\",\"symbol\":\"{symbol}\",\"side\":\"{side}\",\"quantity\":\"{:.9}\",\"price\":\"{close}\",\"ts\":\"2022-12-28T12:00:00Z\"}}\n",
            f64::abs(value) / close
        );
    }
    write_market(&log, 253, &[])?;
    write_log(&log, "fills", 0, &fills)?;
    const METHODS: &str = "[risk]\nmethods = [\"historical\", \"parametric\", \"ewma\", \"monte_carlo\"]\npaths = 100000\n";
    let source = format!("log:{}", log.display());
    succeed(command_with(&source, &data, PLAIN, METHODS, "200ms")?.output()?)?;
    let var = |data: &Path, method: &str, confidence: f64, column: &str| {
        let query = format!(
            "SELECT CAST({column} AS DOUBLE) FROM risk WHERE scope = 'account:a0' AND method = '{method}' AND confidence = {confidence}"
        );
        rows(data, &query)
    };
    // The last: five standard errors of a quantile of 100,000 draws, 5 σ √(c (1 − c) / 100,000) / φ(z) with σ = 31,214.
    let figures = [
        (0.95, 55734.1654, 65115.1230, 50669.5027, 1043.0),
        (0.975, 65080.2499, 70246.0052, 60503.3267, 1318.0),
        (0.99, 68631.7534, 76398.8388, 71937.2723, 1843.0),
    ];
    for (confidence, historical, shortfall, parametric, error) in figures {
        // Paths are drawn from the distribution that the parametric method assumes.
        assert_close(&var(&data, "monte_carlo", confidence, "var")?, &[parametric], error)?;
        assert_close(&var(&data, "historical", confidence, "var")?, &[historical], 1e-3)?;
        assert_close(&var(&data, "historical", confidence, "expected_shortfall")?, &[shortfall], 1e-3)?;
        assert_close(&var(&data, "parametric", confidence, "var")?, &[parametric], 1e-3)?;
    }
    assert_close(&var(&data, "ewma", 0.99, "var")?, &[74592.8992], 1e-3)?;

    let linear = folder.path().join("linear");
    succeed(command_with(&source, &linear, PLAIN, "[risk]\nquantile = \"linear\"\n", "200ms")?.output()?)?;
    for (confidence, value) in [(0.95, 55398.4783), (0.975, 64790.6974), (0.99, 67430.1656)] {
        assert_close(&var(&linear, "historical", confidence, "var")?, &[value], 1e-3)?;
    }
    Ok(())
}
