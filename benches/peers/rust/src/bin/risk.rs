//! A hand-written risk kernel: scenario P&L of each account and of the firm, and value at risk and expected shortfall of them.
//!
//! `risk one|all DIR [OUT]`. DIR has the inputs `base`, `one` and `all` that `run` generates.
//!
//! **Timed**, per step: the changed prices, the resulting scenario P&L, and both measures at three confidences for each changed
//! scope. `one` moves one price a step: only its holders are updated. `all` moves all prices: everything is recomputed. Each term
//! is rounded to an integer millionth, half to even, so that sums do not depend on their order. Not timed: reading.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use headwater_peers::{Fill, Quote, Stopwatch, answer, arguments, decimal, lines, partitions, scaled};
use rustc_hash::FxHashMap;
use serde::Deserialize;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Confidences in thousandths.
const CONFIDENCES: [u64; 3] = [950, 975, 990];

/// Adding this to a number below 2⁵¹ leaves an integer in the low bits, rounded half to even: a rounding that vectorises.
const ROUND: f64 = 6_755_399_441_055_744.0;

/// A closing price.
#[derive(Deserialize)]
struct Close<'a> {
    symbol: &'a str,
    date: &'a str,
    close: &'a str,
}

const USAGE: &str = "risk one|all DIR [OUT]";

fn main() -> Result<()> {
    let ([what, data], out) = arguments(USAGE)?;
    let data = Path::new(&data);
    let mut book = Portfolio::read(&data.join("base"))?;
    let steps = steps(&data.join(what), &book)?;
    let mut measures = book.revalue()?;
    let watch = Stopwatch::start();
    for step in &steps {
        match step[..] {
            [(symbol, middle)] => book.move_one(symbol, middle, &mut measures)?,
            _ => {
                step.iter().for_each(|(symbol, middle)| book.middles[*symbol] = *middle);
                measures = book.revalue()?;
            }
        }
    }
    watch.report_per(steps.len());
    match out {
        Some(out) => write_answer(&out, &measures),
        None => Ok(()),
    }
}

/// Value at risk and expected shortfall at each confidence; in millionths, and in billionths.
type Measures = [(i64, i128); CONFIDENCES.len()];

/// Holdings of accounts, prices, and scenario P&L. The firm's P&L is last.
struct Portfolio {
    symbols: FxHashMap<String, usize>,
    /// By account: symbol and quantity.
    held: Vec<Vec<(usize, i64)>>,
    /// By symbol: account and quantity.
    holders: Vec<Vec<(usize, i64)>>,
    /// By symbol: twice the mid, in cents.
    middles: Vec<i64>,
    /// By symbol: the daily returns.
    returns: Vec<Vec<f64>>,
    /// By account, then the firm: P&L in each scenario, in millionths.
    pnl: Vec<Vec<i64>>,
}

impl Portfolio {
    fn read(data: &Path) -> Result<Self> {
        let mut symbols = FxHashMap::default();
        let mut middles = Vec::new();
        for bytes in partitions(data, "market.quotes")? {
            for line in lines(&bytes) {
                let quote: Quote = serde_json::from_slice(line)?;
                symbols.insert(quote.symbol.to_owned(), middles.len());
                middles.push(quote.doubled_middle()?);
            }
        }
        let (mut held, mut holders) = (Vec::new(), vec![Vec::new(); middles.len()]);
        for bytes in partitions(data, "fills")? {
            for line in lines(&bytes) {
                let fill: Fill = serde_json::from_slice(line)?;
                let account: usize = fill.account_id.get(1..).unwrap_or("").parse()?;
                let (symbol, quantity) = (index(&symbols, fill.symbol)?, fill.signed_quantity()?);
                held.resize_with(held.len().max(account + 1), Vec::new);
                held[account].push((symbol, quantity));
                holders[symbol].push((account, quantity));
            }
        }
        let returns = read_returns(data, &symbols)?;
        Ok(Self { symbols, held, holders, middles, returns, pnl: Vec::new() })
    }

    /// Recomputes everything.
    fn revalue(&mut self) -> Result<Vec<Measures>> {
        let scenarios = self.returns.first().map_or(0, Vec::len);
        let mut firm = vec![0; scenarios];
        self.pnl.clear();
        for held in &self.held {
            let mut sums = vec![0; scenarios];
            for (symbol, quantity) in held {
                add(&mut sums, 0.0, value(*quantity, self.middles[*symbol]), &self.returns[*symbol]);
            }
            firm.iter_mut().zip(&sums).for_each(|(firm, sum)| *firm += sum);
            self.pnl.push(sums);
        }
        self.pnl.push(firm);
        let mut sorted = Vec::new();
        self.pnl.iter().map(|pnl| measure(pnl, &mut sorted)).collect()
    }

    /// Moves a price: updates its holders' P&L, the firm's, and their measures.
    fn move_one(&mut self, symbol: usize, middle: i64, measures: &mut [Measures]) -> Result<()> {
        let before = std::mem::replace(&mut self.middles[symbol], middle);
        let Some((firm, accounts)) = self.pnl.split_last_mut() else { return Ok(()) };
        let mut sorted = Vec::new();
        for (account, quantity) in &self.holders[symbol] {
            let (old, new) = (value(*quantity, before), value(*quantity, middle));
            let pnl = &mut accounts[*account];
            firm.iter_mut().zip(&*pnl).for_each(|(firm, pnl)| *firm -= pnl);
            add(pnl, old, new, &self.returns[symbol]);
            firm.iter_mut().zip(&*pnl).for_each(|(firm, pnl)| *firm += pnl);
            measures[*account] = measure(pnl, &mut sorted)?;
        }
        if let Some(last) = measures.last_mut() {
            *last = measure(firm, &mut sorted)?;
        }
        Ok(())
    }
}

/// The value of a position in millionths, as in Headwater: the exact value, rounded to binary once.
fn value(quantity: i64, doubled_middle: i64) -> f64 {
    (quantity * doubled_middle * 5_000_000) as f64 / 1e9 * 1e6
}

/// Adds the P&L of a position's new value less that of its old one.
fn add(sums: &mut [i64], old: f64, new: f64, returns: &[f64]) {
    for (sum, daily) in sums.iter_mut().zip(returns) {
        *sum += ((new * daily + ROUND).to_bits() as i64) - ((old * daily + ROUND).to_bits() as i64);
    }
}

/// VaR is minus the ⌈(1 − c)·n⌉-th smallest P&L; ES is the mean loss beyond it (Rockafellar and Uryasev).
fn measure(pnl: &[i64], sorted: &mut Vec<i64>) -> Result<Measures> {
    sorted.clear();
    sorted.extend_from_slice(pnl);
    sorted.sort_unstable();
    let mut measures = Measures::default();
    for (measure, confidence) in measures.iter_mut().zip(CONFIDENCES) {
        let tail = (1_000 - confidence) * sorted.len() as u64;
        let rank = tail.div_ceil(1_000).max(1) as usize;
        let threshold = *sorted.get(rank - 1).context("there is no scenario")?;
        let beyond: i64 = sorted.iter().take(rank).map(|pnl| threshold - pnl).sum();
        let mean = headwater_peers::quotient(i128::from(beyond) * 1_000_000, i128::from(tail));
        *measure = (-threshold, i128::from(-threshold) * 1_000 + mean);
    }
    Ok(measures)
}

fn index(symbols: &FxHashMap<String, usize>, symbol: &str) -> Result<usize> {
    symbols.get(symbol).copied().with_context(|| format!("{symbol} has no quote"))
}

fn read_returns(data: &Path, symbols: &FxHashMap<String, usize>) -> Result<Vec<Vec<f64>>> {
    let mut closes = vec![Vec::new(); symbols.len()];
    for bytes in partitions(data, "market.closes")? {
        for line in lines(&bytes) {
            let close: Close = serde_json::from_slice(line)?;
            closes[index(symbols, close.symbol)?].push((close.date.to_owned(), close.close.parse::<f64>()?));
        }
    }
    let returns = closes.into_iter().map(|mut closes: Vec<(String, f64)>| {
        closes.sort_by(|a, b| a.0.cmp(&b.0));
        closes.windows(2).map(|pair| pair[1].1 / pair[0].1 - 1.0).collect()
    });
    Ok(returns.collect())
}

/// The quotes after the first of each symbol, by second.
fn steps(data: &Path, book: &Portfolio) -> Result<Vec<Vec<(usize, i64)>>> {
    let mut steps: Vec<Vec<(usize, i64)>> = Vec::new();
    let mut last = None;
    for bytes in partitions(data, "market.quotes")? {
        for line in lines(&bytes).skip(book.symbols.len()) {
            let quote: Quote = serde_json::from_slice(line)?;
            let second = quote.ts / 1_000_000_000;
            if last.replace(second) != Some(second) {
                steps.push(Vec::new());
            }
            let moved = (index(&book.symbols, quote.symbol)?, scaled(quote.bid, 2)? + scaled(quote.ask, 2)?);
            steps.last_mut().context("a step")?.push(moved);
        }
    }
    Ok(steps)
}

fn write_answer(out: &Path, measures: &[Measures]) -> Result<()> {
    let mut file = answer(out, "risk", "scope,confidence,var,expected_shortfall")?;
    let accounts = measures.len().saturating_sub(1);
    for (scope, measures) in measures.iter().enumerate() {
        let name = if scope == accounts { "book:firm".to_owned() } else { format!("account:A{scope:04}") };
        for ((var, shortfall), confidence) in measures.iter().zip(CONFIDENCES) {
            // Part of the key, which is compared as text.
            let confidence = decimal(confidence.into(), 3);
            let (confidence, var) = (confidence.trim_end_matches('0'), decimal((*var).into(), 6));
            writeln!(file, "{name},{confidence},{var},{}", decimal(*shortfall, 9))?;
        }
    }
    Ok(file.flush()?)
}
