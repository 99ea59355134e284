//! The same task in plain differential dataflow: in memory, one epoch per second of event time, nothing written.
//!
//! `differential positions|scores DATA WORKERS [OUT]`; with OUT the changes are also kept, and their net rows written.

use std::collections::BTreeMap;
use std::hash::Hash;
use std::io::Write;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, anyhow, bail};
use differential_dataflow::AsCollection;
use differential_dataflow::input::Input;
use differential_dataflow::operators::CountTotal;
use headwater_peers::{Fill, Quote, Transaction, WINDOW_NS, answer, arguments, decimal, lines, partitions, scaled, score};
use rustc_hash::FxHashMap;
use serde::Deserialize;
use timely::dataflow::operators::probe::Handle;
use timely::dataflow::operators::vec::Map;
use timely::worker::Worker;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SECOND: u64 = 1_000_000_000;
const MILLISECOND: u64 = 1_000_000;

const USAGE: &str = "differential positions|scores DATA WORKERS [OUT]";

fn main() -> Result<()> {
    let ([what, data, workers], out) = arguments(USAGE)?;
    let (data, workers, out) = (data.into(), workers.parse().context(USAGE)?, out.as_deref());
    match what.as_str() {
        "positions" => positions(data, workers, out),
        "scores" => scores(data, workers, out),
        _ => bail!("usage: {USAGE}"),
    }
}

/// Net rows of all workers' changes; nothing is kept without OUT.
struct Kept<R>(Option<Arc<Mutex<FxHashMap<R, isize>>>>);

impl<R> Clone for Kept<R> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<R: Hash + Ord> Kept<R> {
    fn new(asked: bool) -> Self {
        Self(asked.then(Arc::default))
    }

    fn add(&self, row: impl FnOnce() -> R, change: isize) {
        if let Some(rows) = &self.0 {
            *rows.lock().unwrap_or_else(PoisonError::into_inner).entry(row()).or_default() += change;
        }
    }

    fn rows(&self) -> BTreeMap<R, isize> {
        let Some(rows) = &self.0 else { return BTreeMap::new() };
        let rows = mem::take(&mut *rows.lock().unwrap_or_else(PoisonError::into_inner));
        rows.into_iter().filter(|(_, count)| *count != 0).collect()
    }
}

/// Reader of a partition with one record of look-ahead.
struct Feed<'a, R> {
    lines: Box<dyn Iterator<Item = &'a [u8]> + 'a>,
    next: Option<R>,
}

impl<'a, R: Deserialize<'a> + At> Feed<'a, R> {
    fn open(bytes: &'a [u8]) -> Result<Self> {
        let mut feed = Self { lines: Box::new(lines(bytes)), next: None };
        feed.advance()?;
        Ok(feed)
    }

    fn advance(&mut self) -> Result<Option<R>> {
        let following = self.lines.next().map(serde_json::from_slice).transpose()?;
        Ok(mem::replace(&mut self.next, following))
    }

    /// The next record, if it is before a time.
    fn before(&mut self, end: u64) -> Result<Option<R>> {
        if self.next.as_ref().is_some_and(|next| next.at() < end) { self.advance() } else { Ok(None) }
    }
}

/// A record with a time.
trait At {
    /// Nanoseconds since the epoch.
    fn at(&self) -> u64;
}

impl At for Fill<'_> {
    fn at(&self) -> u64 {
        self.ts
    }
}

impl At for Quote<'_> {
    fn at(&self) -> u64 {
        self.ts
    }
}

impl At for Transaction<'_> {
    fn at(&self) -> u64 {
        self.ts
    }
}

/// The partitions of a topic that a worker reads.
fn share(worker: &Worker, data: &Path, topic: &str) -> Result<Vec<Vec<u8>>> {
    let all = partitions(data, topic)?.into_iter().enumerate();
    Ok(all.filter(|(number, _)| number % worker.peers() == worker.index()).map(|(_, bytes)| bytes).collect())
}

fn feeds<'a, R: Deserialize<'a> + At>(partitions: &'a [Vec<u8>]) -> Result<Vec<Feed<'a, R>>> {
    partitions.iter().map(|bytes| Feed::open(bytes)).collect()
}

fn first<'a, R: At + 'a>(feeds: &[Feed<'a, R>]) -> Option<u64> {
    feeds.iter().filter_map(|feed| feed.next.as_ref().map(At::at)).min()
}

/// The number in a name like `A0042`.
fn number(name: &str) -> Result<u32> {
    name.get(1..).and_then(|digits| digits.parse().ok()).with_context(|| format!("{name} has no number"))
}

/// Runs workers to their end.
fn execute(workers: usize, work: impl Fn(&mut Worker) -> Result<()> + Send + Sync + 'static) -> Result<()> {
    let guards = timely::execute(timely::Config::process(workers), work).map_err(|error| anyhow!(error))?;
    guards.join().into_iter().try_for_each(|result| result.map_err(|error| anyhow!(error))?)
}

/// Account, symbol, quantity, cash in cents, value in half cents.
type ValuedRow = (u32, u32, i64, i64, i64);
/// Account, net in half cents, cash in cents.
type AccountRow = (u32, i128, i128);

fn positions(data: PathBuf, workers: usize, out: Option<&Path>) -> Result<()> {
    let (valued, accounts) = (Kept::<ValuedRow>::new(out.is_some()), Kept::<AccountRow>::new(out.is_some()));
    let kept = (valued.clone(), accounts.clone());
    execute(workers, move |worker| value_positions(worker, &data, kept.clone()))?;
    let Some(out) = out else { return Ok(()) };
    let mut file = answer(out, "positions", "account_id,symbol,quantity,cash_flow,market_value")?;
    for (account, symbol, quantity, cash, value) in valued.rows().keys() {
        let (cash, value) = (decimal((*cash).into(), 2), decimal(i128::from(*value) * 5, 3));
        writeln!(file, "A{account:04},S{symbol:03},{quantity},{cash},{value}")?;
    }
    file.flush()?;
    let mut file = answer(out, "accounts", "account_id,net,cash")?;
    for (account, net, cash) in accounts.rows().keys() {
        writeln!(file, "A{account:04},{},{}", decimal(net * 5, 3), decimal(*cash, 2))?;
    }
    Ok(file.flush()?)
}

/// Quantity, cash and their count are difference values; the count makes a sum of zero a row as well.
fn value_positions(worker: &mut Worker, data: &Path, kept: (Kept<ValuedRow>, Kept<AccountRow>)) -> Result<()> {
    let (fill_bytes, quote_bytes) = (share(worker, data, "fills")?, share(worker, data, "market.quotes")?);
    let mut probe = Handle::new();
    let (mut fills, mut quotes) = worker.dataflow::<u64, _, _>(|scope| {
        let (fill_input, fills) = scope.new_collection::<(u32, u32), (i64, i64, i64)>();
        let (quote_input, quotes) = scope.new_collection::<(u32, i64), isize>();
        let holdings = fills.count_total().map(|((account, symbol), (quantity, cash, _))| (symbol, (account, quantity, cash)));
        let valued =
            holdings.join_map(quotes, |symbol, (account, quantity, cash), mark| (*account, *symbol, *quantity, *cash, *quantity * *mark));
        let parts = valued.clone().inner.map(|((account, _, _, cash, value), time, change)| {
            let times = |amount: i64| i128::from(amount) * change as i128;
            (account, time, (times(value), times(cash), change as i64))
        });
        let accounts = parts.as_collection().count_total();
        let sums = accounts
            .clone()
            .inner
            .map(|((_, (net, cash, _)), time, change)| ((), time, (net * change as i128, cash * change as i128, change as i64)));
        let firm = sums.as_collection().count_total();
        valued.inspect(move |(row, _, change)| kept.0.add(|| *row, *change)).probe_with(&mut probe);
        accounts
            .inspect(move |((account, (net, cash, _)), _, change)| kept.1.add(|| (*account, *net, *cash), *change))
            .probe_with(&mut probe);
        firm.inspect(|change| {
            std::hint::black_box(change);
        })
        .probe_with(&mut probe);
        (fill_input, quote_input)
    });

    let (mut fill_feeds, mut quote_feeds) = (feeds::<Fill>(&fill_bytes)?, feeds::<Quote>(&quote_bytes)?);
    let mut marks = FxHashMap::<u32, i64>::default();
    while let Some(ts) = first(&fill_feeds).into_iter().chain(first(&quote_feeds)).min() {
        let epoch = ts / SECOND;
        fills.advance_to(epoch);
        quotes.advance_to(epoch);
        let end = (epoch + 1) * SECOND;
        for feed in &mut fill_feeds {
            while let Some(fill) = feed.before(end)? {
                let quantity = fill.signed_quantity()?;
                let key = (number(fill.account_id)?, number(fill.symbol)?);
                fills.update(key, (quantity, -quantity * scaled(fill.price, 2)?, 1));
            }
        }
        let mut last = BTreeMap::new();
        for feed in &mut quote_feeds {
            while let Some(quote) = feed.before(end)? {
                last.insert(number(quote.symbol)?, quote.doubled_middle()?);
            }
        }
        for (symbol, mark) in last {
            if let Some(before) = marks.insert(symbol, mark) {
                quotes.update((symbol, before), -1);
            }
            quotes.update((symbol, mark), 1);
        }
        fills.advance_to(epoch + 1);
        quotes.advance_to(epoch + 1);
        fills.flush();
        quotes.flush();
        worker.step_while(|| probe.less_than(&(epoch + 1)));
    }
    Ok(())
}

/// Transaction and score.
type ScoreRow = (u32, u64);

fn scores(data: PathBuf, workers: usize, out: Option<&Path>) -> Result<()> {
    let scored = Kept::<ScoreRow>::new(out.is_some());
    let kept = scored.clone();
    execute(workers, move |worker| score_transactions(worker, &data, kept.clone()))?;
    let Some(out) = out else { return Ok(()) };
    let mut file = answer(out, "scores", "transaction_id,score")?;
    for (transaction, score) in scored.rows().keys() {
        writeln!(file, "T{transaction},{score}")?;
    }
    Ok(file.flush()?)
}

/// Times are milliseconds. A transaction is in its account's window from its own time until the window has passed, and is joined
/// with the count at its own time alone. Where the count changes at that time, the join yields a result before and after the
/// change, and retracts the first: only the sum of the changes at a transaction's own time is its score.
fn score_transactions(worker: &mut Worker, data: &Path, kept: Kept<ScoreRow>) -> Result<()> {
    let bytes = share(worker, data, "transactions")?;
    let mut probe = Handle::new();
    let mut input = worker.dataflow::<u64, _, _>(|scope| {
        let (input, transactions) = scope.new_collection::<(u32, (u32, i64, u64)), isize>();
        let accounts = transactions.clone().map(|(account, _)| account);
        let window = WINDOW_NS / MILLISECOND + 1;
        let passed = accounts.clone().inner.map(move |(account, time, change)| (account, time + window, -change)).as_collection();
        let counts = accounts.concat(passed).count_total();
        let gone = transactions.clone().inner.map(|(row, time, change)| (row, time + 1, -change)).as_collection();
        let met = transactions.concat(gone).join_map(counts, |_, row, count| (*row, *count));
        met.inspect(move |(((transaction, cents, own), count), time, change)| {
            if own == time {
                let score = score(*cents, *time * MILLISECOND, usize::try_from(*count).unwrap_or(0));
                kept.add(|| (*transaction, score), *change);
                std::hint::black_box(score);
            }
        })
        .probe_with(&mut probe);
        input
    });

    let mut feeds = feeds::<Transaction>(&bytes)?;
    while let Some(ts) = first(&feeds) {
        let end = ts / SECOND * SECOND + SECOND;
        for feed in &mut feeds {
            while let Some(transaction) = feed.before(end)? {
                let time = transaction.ts / MILLISECOND;
                let row = (number(transaction.transaction_id)?, scaled(transaction.amount, 2)?, time);
                input.update_at((number(transaction.account_id)?, row), time, 1);
            }
        }
        input.advance_to(end / MILLISECOND);
        input.flush();
        worker.step_while(|| probe.less_than(&(end / MILLISECOND)));
    }
    Ok(())
}
