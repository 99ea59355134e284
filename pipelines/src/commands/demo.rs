//! `headwater demo`: the whole pipeline on the embedded log, with simulated producers.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;
use headwater_connectors::log::LogTransport;
use headwater_connectors::parquet::chain::Chain;
use headwater_connectors::parquet::directory::is_data_directory;
use headwater_connectors::source::SourceCounters;
use headwater_connectors::transport::Transport;
use headwater_schemas::tables::{TableKind, declarations};
use headwater_schemas::{EventTime, Topic};
use headwater_sql::{Catalog, ServeConfig};

use crate::commands::explain;
use crate::commands::planted::Finding;
use crate::config::Config;
use crate::http;
use crate::run::{Run, run};
use crate::simulator::{PlantedCase, Simulator, SimulatorSettings, publish};
use crate::wall_clock;

/// Arguments of `headwater demo`.
#[derive(Args)]
pub struct DemoArguments {
    /// Data directory: tables, and the topics in its `log/`.
    #[arg(long, default_value = "headwater-data")]
    data: PathBuf,
    /// How long producers publish, like 30s; without it until Ctrl-C.
    #[arg(long = "for", value_parser = duration)]
    duration: Option<Duration>,
    /// Seed of the simulation.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Events per second.
    #[arg(long, default_value_t = 200, value_name = "EVENTS_PER_S", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
    /// Configuration file (TOML); every key has a default.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Number of worker threads.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    workers: u16,
}

fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a duration: write it like 30s or 5m");
    let span: jiff::SignedDuration = text.parse().map_err(|_| wrong())?;
    Duration::try_from(span).map_err(|_| wrong())
}

/// Interval at which producers publish.
const STEP: Duration = Duration::from_millis(20);
/// Partitions of a topic; table topics have one.
const PARTITIONS: u16 = 2;
/// How long the pipeline may take to read the remaining records once producers have ended.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs the demo until the duration has passed, or until `stop` is set.
pub fn demo(arguments: &DemoArguments, stop: &Arc<AtomicBool>, out: &mut impl Write) -> anyhow::Result<()> {
    let mut config = Config::load(arguments.config.as_deref())?;
    config.serve.address.get_or_insert_with(|| ServeConfig::ADDRESS.to_owned());
    if config.bucket.is_given() {
        bail!("the demo has its topics in {}, which is in no bucket: leave [bucket] out of its configuration", arguments.data.display());
    }
    let log = arguments.data.join("log");
    if is_data_directory(&arguments.data) && Chain::open(&arguments.data, None)?.last_id() > 0 {
        let (data, log) = (arguments.data.display(), log.display());
        bail!(
            "{data} holds an earlier run: look at it with `headwater sql --data {data}`, finish it, if it was killed, with `headwater run --source log:{log} --data {data} --until-end`, and remove it or give another --data for a new one"
        );
    }
    std::fs::create_dir_all(&log).with_context(|| format!("creating {}", log.display()))?;
    let transport = Arc::new(LogTransport::new(&log));
    for topic in Topic::ALL {
        transport.create_topic(&config.source.name_of(*topic), if topic.is_table() { 1 } else { PARTITIONS })?;
    }
    introduce(arguments, &log, &config, out)?;

    let pipeline_stop = Arc::new(AtomicBool::new(false));
    let counters = Arc::<SourceCounters>::default();
    let producers = Producers {
        transport: Arc::clone(&transport),
        config: config.clone(),
        stop: Arc::clone(stop),
        pipeline: Arc::clone(&pipeline_stop),
        counters: Arc::clone(&counters),
    };
    let settings = SimulatorSettings { seed: arguments.seed, start: now(), ..SimulatorSettings::default() }.at_rate(arguments.rate);
    let until = arguments.duration;
    // The history is published before the pipeline starts: a live run would treat it as late.
    let mut simulator = Simulator::new(settings);
    let opening = producers.open(&mut simulator)?;
    let publishing = thread::spawn(move || producers.publish(simulator, until, opening));
    let ran = run(Run {
        workers: usize::from(arguments.workers),
        stop: Arc::clone(&pipeline_stop),
        counters,
        show_progress: true,
        ..Run::new(transport, arguments.data.clone(), config)
    });
    // If the pipeline failed, there is no reader to publish for.
    stop.store(true, Ordering::Relaxed);
    let published = publishing.join().map_err(|_| anyhow::anyhow!("the simulator ended in a panic: please report it"))?;
    ran?;
    conclude(published?, &arguments.data, out)
}

/// Prints what was published and what was found.
fn conclude(published: Published, data: &Path, out: &mut impl Write) -> anyhow::Result<()> {
    let Published { records, cases, end } = published;
    writeln!(out, "{records} records were published and committed. Look at them with: headwater sql --data {}", data.display())?;
    let catalog = Catalog::open(data, None)?;
    let findings = cases.into_iter().map(|case| Finding::look_up(&catalog, case, end)).collect::<anyhow::Result<Vec<_>>>()?;
    write!(out, "{}", Finding::report(&findings, data)?)?;
    let shown: BTreeSet<&str> = findings.iter().flat_map(Finding::rules).collect();
    let commands = explain::commands(&catalog, data, &shown)?;
    if !commands.is_empty() {
        writeln!(out, "An alert of each other rule, explained by:")?;
    }
    commands.iter().try_for_each(|command| writeln!(out, "  {command}"))?;
    Ok(())
}

/// The tables of the final summary.
fn tables() -> Vec<&'static str> {
    let shown = |kind| matches!(kind, TableKind::Append | TableKind::State);
    declarations().into_iter().filter(|declaration| shown(declaration.spec.kind)).map(|declaration| declaration.spec.name).collect()
}

fn introduce(arguments: &DemoArguments, log: &Path, config: &Config, out: &mut impl Write) -> io::Result<()> {
    let data = arguments.data.display();
    writeln!(
        out,
        "Simulated producers publish {} events a second to {}; the pipeline keeps these tables up to date:",
        arguments.rate,
        log.display()
    )?;
    writeln!(out, "  {}, commits", tables().join(", "))?;
    writeln!(out, "  (every change of a state table is in <table>_history)")?;
    writeln!(out, "SQL:      headwater sql --data {data} \"SELECT * FROM portfolios ORDER BY scope\"")?;
    if let Some((host, port)) = config.serve.address.as_deref().and_then(|address| address.rsplit_once(':')) {
        writeln!(out, "          psql -h {host} -p {port} headwater")?;
    }
    if !config.http.address.is_empty() {
        if http::offers_console(&config.http.address, &config.serve) {
            writeln!(out, "Console:  http://{}/", config.http.address)?;
        }
        writeln!(out, "Metrics:  http://{}/metrics", config.http.address)?;
        writeln!(out, "Health:   http://{}/health/ready", config.http.address)?;
    }
    match arguments.duration {
        Some(duration) => writeln!(out, "It ends by itself in {} s; Ctrl-C ends it earlier, with nothing lost.", duration.as_secs()),
        None => writeln!(out, "Ctrl-C ends it, with nothing lost."),
    }
}

fn now() -> EventTime {
    EventTime::from_effective(wall_clock::now())
}

/// What the producers published.
struct Published {
    /// Number of records, with those of the history.
    records: usize,
    cases: Vec<PlantedCase>,
    /// Time until which they published.
    end: EventTime,
}

/// The producers, on a thread of their own.
struct Producers {
    transport: Arc<LogTransport>,
    config: Config,
    /// Set from outside to stop.
    stop: Arc<AtomicBool>,
    /// Set to end the pipeline, once it has read everything.
    pipeline: Arc<AtomicBool>,
    /// Reading positions of the pipeline.
    counters: Arc<SourceCounters>,
}

impl Producers {
    /// Publishes the history; returns the number of records.
    fn open(&self, simulator: &mut Simulator) -> anyhow::Result<usize> {
        let mut publisher = self.transport.publisher()?;
        let count = publish(simulator.opening(), publisher.as_mut(), |topic| self.config.source.name_of(topic))?;
        publisher.flush()?;
        Ok(count)
    }

    /// Publishes until it is time to stop.
    fn publish(&self, simulator: Simulator, until: Option<Duration>, opening: usize) -> anyhow::Result<Published> {
        let published = self.publish_all(simulator, until, opening);
        let waiting = Instant::now();
        while !self.is_all_read()? && waiting.elapsed() < PATIENCE {
            thread::sleep(STEP);
        }
        self.pipeline.store(true, Ordering::Relaxed);
        published
    }

    /// Whether the pipeline has read every published record.
    fn is_all_read(&self) -> anyhow::Result<bool> {
        let read = self.counters.partitions();
        for topic in Topic::ALL {
            for state in self.transport.partitions(&self.config.source.name_of(*topic))? {
                if read.get(&(*topic, state.partition)).is_none_or(|position| position.offset < state.high) {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    fn publish_all(&self, mut simulator: Simulator, until: Option<Duration>, opening: usize) -> anyhow::Result<Published> {
        let mut publisher = self.transport.publisher()?;
        let name = |topic| self.config.source.name_of(topic);
        let (mut records, mut end) = (opening, now());
        let began = Instant::now();
        while !self.stop.load(Ordering::Relaxed) && until.is_none_or(|until| began.elapsed() < until) {
            thread::sleep(STEP);
            end = now();
            records += publish(simulator.advance(end), publisher.as_mut(), name)?;
            publisher.flush()?;
        }
        Ok(Published { records, cases: simulator.planted_cases(), end })
    }
}
