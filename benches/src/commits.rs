//! Benchmark of commits and restarts.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use headwater::config::Config;
use headwater::run::{Run, run};
use headwater_connectors::log::LogTransport;
use headwater_connectors::source::SourceCounters;
use headwater_connectors::transport::Transport;

use crate::flow::Input;
use crate::measure::median;

/// Arguments of `commits`.
#[derive(Args)]
pub(crate) struct CommitsArguments {
    #[command(flatten)]
    input: Input,
    /// Number of rounds of each way.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Measures only a run with commits, and its restart.
    #[arg(long)]
    only_restart: bool,
    /// Configuration file.
    #[arg(long)]
    config: Option<std::path::PathBuf>,
}

/// A way to run.
#[derive(Clone, Copy)]
struct Way {
    name: &'static str,
    discards: bool,
    audit: bool,
    outbox: bool,
}

const WAYS: [Way; 4] = [
    Way { name: "nothing written", discards: true, audit: true, outbox: false },
    Way { name: "a commit a second, without audit", discards: false, audit: false, outbox: false },
    Way { name: "a commit a second", discards: false, audit: true, outbox: false },
    Way { name: "the same, and the outbox", discards: false, audit: true, outbox: true },
];

/// The whole pipeline with commits, without, with audit and with outbox, alternating; then a restart, compared with reading
/// everything again.
pub(crate) fn commits(arguments: &CommitsArguments) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("log");
    arguments.input.write(&log)?;
    let mut times: Vec<Vec<Duration>> = WAYS.iter().map(|_| Vec::new()).collect();
    let mut restarts = Vec::new();
    for round in 0..arguments.rounds.max(1) {
        for (way, times) in WAYS.iter().zip(&mut times) {
            if arguments.only_restart && (way.discards || way.outbox || !way.audit) {
                continue;
            }
            let data = folder.path().join("data");
            let (_, took) = run_once(arguments, *way, &log, &data)?;
            times.push(took);
            if way.audit && !way.discards && !way.outbox {
                let (read, took) = run_once(arguments, *way, &log, &data)?;
                anyhow::ensure!(read == 0, "a restart read {read} records again");
                restarts.push(took);
            }
            if data.exists() {
                std::fs::remove_dir_all(&data)?;
            }
        }
        println!("round {} of {}", round + 1, arguments.rounds);
    }
    let medians: Vec<f64> = times.iter_mut().map(|times| median(times).as_secs_f64()).collect();
    let bare = medians.first().copied().unwrap_or(f64::NAN);
    for (way, seconds) in WAYS.iter().zip(&medians).filter(|(_, seconds)| **seconds > 0.0) {
        let rate = Duration::from_secs(arguments.input.events as u64).as_secs_f64() / seconds / 1e3;
        println!("{}: {seconds:.2} s ({rate:.0} thousand/s){}", way.name, times_as_long(*seconds, bare));
    }
    let (restart, again) = (median(&mut restarts).as_secs_f64(), medians.get(2).copied().unwrap_or(f64::NAN));
    println!("a restart from the last commit: {restart:.2} s, beside {again:.2} s to read all again ({:.0} times)", again / restart);
    Ok(())
}

fn times_as_long(seconds: f64, bare: f64) -> String {
    if bare > 0.0 { format!(", {:.2} times as long", seconds / bare) } else { String::new() }
}

/// The number of records read, and the time it took.
fn run_once(arguments: &CommitsArguments, way: Way, log: &Path, data: &Path) -> anyhow::Result<(u64, Duration)> {
    let transport: Arc<dyn Transport> = Arc::new(LogTransport::new(log));
    let mut config = Config::load(arguments.config.as_deref())?;
    config.http.address = String::new();
    config.commit.audit = way.audit;
    if !way.outbox {
        config.outbox.topics.clear();
    }
    let counters = Arc::<SourceCounters>::default();
    let began = Instant::now();
    run(Run {
        discards: way.discards,
        until_end: true,
        workers: arguments.input.workers,
        counters: Arc::clone(&counters),
        ..Run::new(transport, data.to_owned(), config)
    })?;
    Ok((counters.records(), began.elapsed()))
}
