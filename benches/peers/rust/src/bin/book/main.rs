//! The order book: one stream of commands through Headwater's book or through one of two crates.
//!
//! `book headwater|matchcore|lobster COMMANDS [OUT]`
//!
//! **The stream** is the same in every run and on every machine (xorshift64, seed `0x9E3779B97F4A7C15`): 60 % limit orders
//! of 1 to 100 that rest 1 to 50 prices away from the middle, 30 % cancels of any order that was placed and not cancelled
//! before (some were filled meanwhile: those cancels are rejected), 10 % market orders of 1 to 200. A fifth of the number of
//! commands rests at the end.
//!
//! **Timed**: the loop over the commands, including reading each command's reports (trades are counted and their quantities added
//! up). Not timed: creating the commands, dropping the book.
//!
//! **With OUT** nothing is timed: every trade is written to `trades.csv`, and the final quantities at every price to
//! `resting.csv`.

mod headwater;
mod lobster;
mod matchcore;

use std::hint::black_box;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, bail};
use headwater_peers::{Stopwatch, answer, arguments};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const USAGE: &str = "book headwater|matchcore|lobster COMMANDS [OUT]";

fn main() -> Result<()> {
    let ([engine, count], out) = arguments(USAGE)?;
    let (commands, out) = (stream(count.parse().context(USAGE)?), out.as_deref());
    match engine.as_str() {
        "headwater" => run::<headwater::Engine>(&commands, out),
        "matchcore" => run::<matchcore::Engine>(&commands, out),
        "lobster" => run::<lobster::Engine>(&commands, out),
        _ => bail!("usage: {USAGE}"),
    }
}

/// A command, independent of the engine. An order's id is its index in the stream.
#[derive(Clone, Copy)]
enum Command {
    Limit { id: u64, buys: bool, price: u64, quantity: u64 },
    Market { id: u64, buys: bool, quantity: u64 },
    Cancel { id: u64 },
}

/// A trade.
struct Trade {
    taker: u64,
    maker: u64,
    price: u64,
    quantity: u64,
}

/// The quantity resting at a price.
struct Level {
    buys: bool,
    price: u64,
    quantity: u64,
}

/// Sums that are computed while the time runs.
#[derive(Default)]
struct Sums {
    trades: u64,
    volume: u64,
}

impl Sums {
    fn add(&mut self, quantity: u64) {
        self.trades += 1;
        self.volume += quantity;
    }
}

/// A book, with commands in its own form.
trait Engine {
    type Command;

    fn new() -> Self;

    /// Converts a command to the engine's form.
    fn translate(command: Command) -> Self::Command;

    /// Applies a command, and adds up what was traded.
    fn apply(&mut self, number: u64, command: Self::Command, sums: &mut Sums);

    /// Applies a command, and collects its trades.
    fn trades(&mut self, number: u64, command: Self::Command, trades: &mut Vec<Trade>) -> Result<()>;

    /// The resting quantities by price.
    fn levels(&self) -> Result<Vec<Level>>;
}

fn stream(length: u64) -> Vec<Command> {
    let mut state: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut roll = |sides: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % sides
    };
    let mut placed = Vec::new();
    let command = |id: u64| match roll(100) {
        kind if kind < 60 || placed.is_empty() => {
            placed.push(id);
            let (buys, distance) = (roll(2) == 0, 1 + roll(50));
            let price = if buys { 10_000 - distance } else { 10_000 + distance };
            Command::Limit { id, buys, price, quantity: 1 + roll(100) }
        }
        kind if kind < 90 => {
            let chosen = roll(placed.len() as u64);
            Command::Cancel { id: placed.swap_remove(chosen as usize) }
        }
        _ => Command::Market { id, buys: roll(2) == 0, quantity: 1 + roll(200) },
    };
    (0..length).map(command).collect()
}

fn run<E: Engine>(commands: &[Command], out: Option<&Path>) -> Result<()> {
    let translated: Vec<E::Command> = commands.iter().map(|command| E::translate(*command)).collect();
    match out {
        None => time::<E>(translated),
        Some(out) => write_answer::<E>(translated, out)?,
    }
    Ok(())
}

fn time<E: Engine>(commands: Vec<E::Command>) {
    let (mut engine, mut sums, length) = (E::new(), Sums::default(), commands.len());
    let watch = Stopwatch::start();
    for (number, command) in (0..).zip(commands) {
        engine.apply(number, command, &mut sums);
    }
    watch.report_per(length);
    black_box((engine, sums.trades, sums.volume));
}

fn write_answer<E: Engine>(commands: Vec<E::Command>, out: &Path) -> Result<()> {
    let (mut engine, mut trades) = (E::new(), Vec::new());
    for (number, command) in (0..).zip(commands) {
        engine.trades(number, command, &mut trades)?;
    }
    let mut file = answer(out, "trades", "number,taker,maker,price,quantity")?;
    for (number, Trade { taker, maker, price, quantity }) in trades.iter().enumerate() {
        writeln!(file, "{number},{taker},{maker},{price},{quantity}")?;
    }
    file.flush()?;
    let mut file = answer(out, "resting", "side,price,quantity")?;
    for Level { buys, price, quantity } in engine.levels()? {
        writeln!(file, "{},{price},{quantity}", if buys { "buy" } else { "sell" })?;
    }
    Ok(file.flush()?)
}
