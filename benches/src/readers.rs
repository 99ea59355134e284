//! Benchmark of readers beside a run: what each costs the other.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use headwater::config::Config;
use headwater::run::{Run, run};
use headwater_connectors::log::LogTransport;
use headwater_connectors::testing::free_addresses;
use headwater_connectors::transport::Transport;
use headwater_sql::Server;

use crate::flow::Input;
use crate::measure::{count, median, quantile};
use crate::postgres::Client;
use crate::process::cpu_time;

/// Arguments of `readers`.
#[derive(Args)]
pub(crate) struct ReadersArguments {
    #[command(flatten)]
    input: Input,
    /// Clients that ask one statement after the other.
    #[arg(long, default_value_t = 32)]
    readers: usize,
    /// Number of rounds of each way.
    #[arg(long, default_value_t = 2)]
    rounds: usize,
}

/// What a desk asks all day: rows of a key, sums, the newest of something.
const STATEMENTS: [&str; 5] = [
    "SELECT currency, COUNT(*), SUM(posted) FROM balances GROUP BY currency ORDER BY currency",
    "SELECT symbol, quantity, market_value FROM positions WHERE account_id = (SELECT MIN(account_id) FROM positions)",
    "SELECT scope, equity, gross_exposure FROM portfolios WHERE scope LIKE 'book:%' ORDER BY scope",
    "SELECT decision, COUNT(*) FROM decisions GROUP BY decision ORDER BY decision",
    "SELECT kind, severity, COUNT(*) FROM alerts GROUP BY kind, severity ORDER BY kind, severity",
];

/// How long readers ask when nothing runs beside them.
const ALONE: Duration = Duration::from_secs(10);

/// A run over a log, alone and with readers, alternating; then the readers alone.
pub(crate) fn readers(arguments: &ReadersArguments) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("log");
    arguments.input.write(&log)?;
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    let mut asked = Vec::new();
    let data = |name: &str, round: usize| folder.path().join(format!("{name}-{round}"));
    for round in 0..arguments.rounds.max(1) {
        alone.push(piped(&log, &data("alone", round), arguments, String::new())?);
        let address = free_addresses(1)?.pop().context("an address")?;
        let over = Arc::new(AtomicBool::new(false));
        let readers = begin(address, arguments.readers, &over);
        beside.push(piped(&log, &data("beside", round), arguments, address.to_string())?);
        over.store(true, Ordering::Relaxed);
        asked.extend(collect(readers)?);
    }
    let (alone, beside) = (median(&mut alone), median(&mut beside));
    println!("a run of {} events alone: {:.1} s", arguments.input.events, alone.as_secs_f64());
    let ratio = beside.as_secs_f64() / alone.as_secs_f64();
    println!("with {} readers: {:.1} s, {ratio:.2} times as long", arguments.readers, beside.as_secs_f64());
    say("beside the run", asked, beside * u32::try_from(arguments.rounds.max(1)).unwrap_or(1));

    let config = Config::default();
    let server = Server::start(&data("alone", 0), "127.0.0.1:0", config.serve, config.sql)?;
    let (over, began, used) = (Arc::new(AtomicBool::new(false)), Instant::now(), cpu_time());
    let readers = begin(server.address(), arguments.readers, &over);
    thread::sleep(ALONE);
    over.store(true, Ordering::Relaxed);
    let asked = collect(readers)?;
    println!("{:.2} s of processors a second", cpu_time().saturating_sub(used).as_secs_f64() / began.elapsed().as_secs_f64());
    say("with nothing beside them", asked, began.elapsed());
    Ok(())
}

/// A run from a log's first record to the last commit; returns how long it took.
fn piped(log: &Path, data: &Path, arguments: &ReadersArguments, address: String) -> anyhow::Result<Duration> {
    let transport: Arc<dyn Transport> = Arc::new(LogTransport::new(log));
    let mut config = Config::default();
    config.http.address = String::new();
    config.serve.address = Some(address);
    let began = Instant::now();
    run(Run { until_end: true, workers: arguments.input.workers, ..Run::new(transport, data.to_owned(), config) })?;
    Ok(began.elapsed())
}

type Asking = JoinHandle<anyhow::Result<Vec<Duration>>>;

/// Starts readers, each of which asks one statement after the other until it is over. They return how long each took.
fn begin(address: SocketAddr, readers: usize, over: &Arc<AtomicBool>) -> Vec<Asking> {
    let reader = |number: usize| {
        let over = Arc::clone(over);
        thread::spawn(move || {
            let mut took = Vec::new();
            let Some(mut client) = connect(address, &over) else { return Ok(took) };
            for statement in STATEMENTS.iter().cycle().skip(number) {
                if over.load(Ordering::Relaxed) {
                    break;
                }
                let began = Instant::now();
                match client.rows(statement) {
                    Ok(_) => took.push(began.elapsed()),
                    // The run ends with its server.
                    Err(_) if over.load(Ordering::Relaxed) => break,
                    Err(error) => return ended(error, &over).map(|()| took),
                }
            }
            Ok(took)
        })
    };
    (0..readers).map(reader).collect()
}

/// The server of a run ends a moment before the run does.
fn ended(error: anyhow::Error, over: &AtomicBool) -> anyhow::Result<()> {
    for _ in 0..50 {
        if over.load(Ordering::Relaxed) {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(100));
    }
    Err(error)
}

/// A client, once the server listens; none if it was over before.
fn connect(address: SocketAddr, over: &AtomicBool) -> Option<Client> {
    while !over.load(Ordering::Relaxed) {
        if let Ok(client) = Client::connect(address) {
            return Some(client);
        }
        thread::sleep(Duration::from_millis(5));
    }
    None
}

fn collect(readers: Vec<Asking>) -> anyhow::Result<Vec<Duration>> {
    let mut took = Vec::new();
    for reader in readers {
        took.extend(reader.join().map_err(|_| anyhow::anyhow!("a reader died"))??);
    }
    Ok(took)
}

fn say(when: &str, mut took: Vec<Duration>, within: Duration) {
    took.sort_unstable();
    let at = |part| quantile(&took, part).as_secs_f64() * 1e3;
    let rate = count(took.len()) / within.as_secs_f64();
    println!("{when}: {rate:.0} statements a second, p50 {:.0} ms, p90 {:.0} ms, p99 {:.0} ms", at(500), at(900), at(990));
}
