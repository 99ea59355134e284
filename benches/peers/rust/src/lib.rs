//! Support for peers: the command line, records as in the topics, exact decimals, a clock for the timed part, results as CSV.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::time::{ClockId, clock_gettime};
use serde::Deserialize;

/// The arguments that `usage` requires, and the output folder if one follows them.
pub fn arguments<const REQUIRED: usize>(usage: &str) -> Result<([String; REQUIRED], Option<PathBuf>)> {
    let mut given = std::env::args().skip(1);
    let required = given.by_ref().take(REQUIRED).collect::<Vec<_>>().try_into();
    let out = given.next().map(PathBuf::from);
    match (required, given.next()) {
        (Ok(required), None) => Ok((required, out)),
        _ => bail!("usage: {usage}"),
    }
}

/// A fill.
#[derive(Deserialize)]
pub struct Fill<'a> {
    pub account_id: &'a str,
    pub symbol: &'a str,
    pub side: &'a str,
    pub quantity: &'a str,
    pub price: &'a str,
    pub ts: u64,
}

impl Fill<'_> {
    /// The signed quantity: positive if bought, negative if sold.
    pub fn signed_quantity(&self) -> Result<i64> {
        let quantity: i64 = self.quantity.parse()?;
        Ok(if self.side == "buy" { quantity } else { -quantity })
    }
}

/// A quote.
#[derive(Deserialize)]
pub struct Quote<'a> {
    pub symbol: &'a str,
    pub bid: &'a str,
    pub ask: &'a str,
    pub ts: u64,
}

impl Quote<'_> {
    /// Twice the mid, in cents.
    pub fn doubled_middle(&self) -> Result<i64> {
        Ok(scaled(self.bid, 2)? + scaled(self.ask, 2)?)
    }
}

/// A transaction.
#[derive(Deserialize)]
pub struct Transaction<'a> {
    pub transaction_id: &'a str,
    pub account_id: &'a str,
    pub amount: &'a str,
    pub ts: u64,
}

/// Length in nanoseconds of the window in which scores count transactions; both ends are included.
pub const WINDOW_NS: u64 = 600_000_000_000;

/// The score of a transaction with `count` transactions in its account's window.
pub fn score(cents: i64, ts: u64, count: usize) -> u64 {
    let night = ts / 3_600_000_000_000 % 24 < 6;
    30 * u64::from(cents > 1_000_000) + 20 * u64::from(night) + 40 * u64::from(count > 5)
}

/// The partitions of a topic, each as its bytes.
pub fn partitions(data: &Path, topic: &str) -> Result<Vec<Vec<u8>>> {
    let folder = data.join(topic);
    let entries = fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    paths.into_iter().map(|path| Ok(fs::read(path)?)).collect()
}

/// The lines of a partition.
pub fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

/// A decimal text as an integer with `places` decimal places, exactly.
pub fn scaled(text: &str, places: usize) -> Result<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    anyhow::ensure!(fraction.len() <= places, "{text} has more than {places} places");
    let mut value: i64 = whole.parse().with_context(|| text.to_owned())?;
    for place in 0..places {
        let digit = fraction.as_bytes().get(place).copied().unwrap_or(b'0');
        anyhow::ensure!(digit.is_ascii_digit(), "{text} is no decimal");
        value = value * 10 + i64::from(digit - b'0');
    }
    Ok(value)
}

/// The decimal text of an integer with `places` decimal places.
pub fn decimal(units: i128, places: u32) -> String {
    let one = 10u128.pow(places);
    let magnitude = units.unsigned_abs();
    let sign = if units < 0 { "-" } else { "" };
    format!("{sign}{}.{:0width$}", magnitude / one, magnitude % one, width = places as usize)
}

/// The quotient, rounded half to even.
pub fn quotient(number: i128, by: i128) -> i128 {
    let (whole, rest) = (number.div_euclid(by), number.rem_euclid(by));
    let doubled = 2 * rest;
    let up = doubled > by.abs() || (doubled == by.abs() && whole % 2 != 0);
    if !up {
        whole
    } else if by > 0 {
        whole + 1
    } else {
        whole - 1
    }
}

/// A CSV file of results.
pub fn answer(folder: &Path, table: &str, header: &str) -> Result<impl Write + use<>> {
    let path = folder.join(format!("{table}.csv"));
    let mut file = BufWriter::new(File::create(&path).with_context(|| path.display().to_string())?);
    writeln!(file, "{header}")?;
    Ok(file)
}

/// A clock of processor and wall time.
pub struct Stopwatch {
    began: Instant,
    cpu: Duration,
}

impl Stopwatch {
    /// Starts the clock.
    pub fn start() -> Self {
        Self { began: Instant::now(), cpu: cpu_time() }
    }

    /// Stops, and prints the line from which `run` takes the times.
    pub fn report(&self) {
        let (cpu, wall) = (cpu_time() - self.cpu, self.began.elapsed());
        println!("{{\"cpu_s\": {}, \"wall_s\": {}}}", cpu.as_secs_f64(), wall.as_secs_f64());
    }

    /// Stops, and prints the time per unit.
    pub fn report_per(&self, units: usize) {
        let (cpu, wall) = (cpu_time() - self.cpu, self.began.elapsed());
        let per_unit = |time: Duration| time.as_secs_f64() / units.max(1) as f64;
        println!("{{\"cpu_s\": {:e}, \"wall_s\": {:e}}}", per_unit(cpu), per_unit(wall));
    }
}

/// Processor time of all threads so far.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}
