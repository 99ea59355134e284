//! A hand-written loop: one thread, one pass, no state but the result. The minimum cost of reading, decoding and folding.
//!
//! `by_hand positions|scores DATA OUT`

use std::collections::VecDeque;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, bail};
use headwater_peers::{Fill, Quote, Transaction, WINDOW_NS, answer, arguments, decimal, lines, partitions, quotient, scaled, score};
use rustc_hash::FxHashMap;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Billionths in a cent.
const CENT: i128 = 10_000_000;

const USAGE: &str = "by_hand positions|scores DATA OUT";

fn main() -> Result<()> {
    let ([what, data], out) = arguments(USAGE)?;
    let (data, out) = (Path::new(&data), out.context(USAGE)?);
    match what.as_str() {
        "positions" => positions(data, &out),
        "scores" => scores(data, &out),
        _ => bail!("usage: {USAGE}"),
    }
}

/// The holding of an account in a symbol.
#[derive(Default)]
struct Holding {
    quantity: i64,
    /// In cents.
    cash: i64,
    /// Cost of the open quantity, in billionths.
    cost: i128,
}

impl Holding {
    /// Applies a trade at average cost.
    fn trade(&mut self, quantity: i64, cents: i64) {
        let left = self.quantity + quantity;
        let bought = i128::from(quantity) * i128::from(cents) * CENT;
        self.cost = if self.quantity == 0 || (self.quantity > 0) == (quantity > 0) {
            self.cost + bought
        } else if left == 0 {
            0
        } else if (left > 0) == (self.quantity > 0) {
            quotient(self.cost * i128::from(left), i128::from(self.quantity))
        } else {
            i128::from(left) * i128::from(cents) * CENT
        };
        self.quantity = left;
        self.cash -= quantity * cents;
    }

    /// The average price, in billionths.
    fn average(&self) -> i128 {
        if self.quantity == 0 { 0 } else { quotient(self.cost, i128::from(self.quantity)) }
    }
}

fn positions(data: &Path, out: &Path) -> Result<()> {
    let holdings = holdings(data)?;
    let marks = marks(data)?;
    let mut accounts = FxHashMap::<&str, (i64, i64)>::default();
    let mut file = answer(out, "positions", "account_id,symbol,quantity,cash_flow,average_price,market_value")?;
    for ((account, symbol), holding) in &holdings {
        // In half cents.
        let value = holding.quantity * marks.get(symbol).with_context(|| symbol.clone())?.1;
        let (cash, worth) = (decimal(holding.cash.into(), 2), decimal(i128::from(value) * 5, 3));
        writeln!(file, "{account},{symbol},{},{cash},{},{worth}", holding.quantity, decimal(holding.average(), 9))?;
        let sums = accounts.entry(account).or_default();
        *sums = (sums.0 + value, sums.1 + holding.cash);
    }
    file.flush()?;
    let mut file = answer(out, "accounts", "account_id,net,cash")?;
    for (account, (net, cash)) in &accounts {
        writeln!(file, "{account},{},{}", decimal(i128::from(*net) * 5, 3), decimal((*cash).into(), 2))?;
    }
    Ok(file.flush()?)
}

fn holdings(data: &Path) -> Result<FxHashMap<(String, String), Holding>> {
    let mut holdings = FxHashMap::<(String, String), Holding>::default();
    for bytes in partitions(data, "fills")? {
        for line in lines(&bytes) {
            let fill: Fill = serde_json::from_slice(line)?;
            let holding = holdings.entry((fill.account_id.to_owned(), fill.symbol.to_owned())).or_default();
            holding.trade(fill.signed_quantity()?, scaled(fill.price, 2)?);
        }
    }
    Ok(holdings)
}

/// The time and twice the mid of each symbol's last quote.
fn marks(data: &Path) -> Result<FxHashMap<String, (u64, i64)>> {
    let mut marks = FxHashMap::<String, (u64, i64)>::default();
    for bytes in partitions(data, "market.quotes")? {
        for line in lines(&bytes) {
            let quote: Quote = serde_json::from_slice(line)?;
            let mark = marks.entry(quote.symbol.to_owned()).or_default();
            if quote.ts >= mark.0 {
                *mark = (quote.ts, quote.doubled_middle()?);
            }
        }
    }
    Ok(marks)
}

fn scores(data: &Path, out: &Path) -> Result<()> {
    let mut windows = FxHashMap::<String, VecDeque<u64>>::default();
    let mut file = answer(out, "scores", "transaction_id,score")?;
    for bytes in partitions(data, "transactions")? {
        for line in lines(&bytes) {
            let transaction: Transaction = serde_json::from_slice(line)?;
            let window = match windows.get_mut(transaction.account_id) {
                Some(window) => window,
                None => windows.entry(transaction.account_id.to_owned()).or_default(),
            };
            while window.front().is_some_and(|first| first + WINDOW_NS < transaction.ts) {
                window.pop_front();
            }
            window.push_back(transaction.ts);
            let score = score(scaled(transaction.amount, 2)?, transaction.ts, window.len());
            writeln!(file, "{},{score}", transaction.transaction_id)?;
        }
    }
    Ok(file.flush()?)
}
