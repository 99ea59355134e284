//! The binary: parses the command line, sets up logs and signals, and runs a command.

#![warn(clippy::print_stdout, clippy::print_stderr)]

use std::io::{BufRead, BufReader, IsTerminal, StdoutLock, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand};
use headwater::arguments::with_statements;
use headwater::cluster::Cluster;
use headwater::commands::{
    backtest, demo, erase, explain, export, files, keys, mirror, publish, replay, report, rules, schema, serve, sql, topics, verify,
};
use headwater::config::Config;
use headwater::location::Location;
use headwater::output::{Notices, Printer, notice};
use headwater::run::{Replay, Run, run};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// A streaming dataflow pipeline for finance.
#[derive(Parser)]
#[command(name = "headwater", version, about, propagate_version = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Demonstrates the whole pipeline: simulated producers on an embedded log, tables, metrics.
    Demo(demo::DemoArguments),
    /// Runs the pipeline: reads topics and commits tables.
    Run(RunArguments),
    /// Recomputes every table from the topics, and can compare them with those of a run.
    Replay(Box<replay::ReplayArguments>),
    /// Publishes events: each line of FILE, or of standard input, to TOPIC; or deletes keys of a table topic.
    Publish(PublishArguments),
    /// Creates missing topics, and lists partitions and offsets.
    Topics(TopicsArguments),
    /// Prints the schema of a published topic.
    Schema(schema::SchemaArguments),
    /// Queries the committed tables with SQL; without a query, opens a prompt.
    Sql(sql::SqlArguments),
    /// Makes a report as of the end of a date, as known now or at an earlier commit; without a name, lists the reports.
    Report(report::ReportArguments),
    /// Serves SQL to PostgreSQL clients such as psql, Python, JDBC and Grafana.
    Serve(serve::ServeArguments),
    /// Explains a decision or an alert: its rules, figures and events, and the smallest change that would have cleared it.
    Explain(explain::ExplainArguments),
    /// Writes tables for other programs: as Parquet, CSV or Arrow files, or as Delta Lake tables that grow.
    Export(export::ExportArguments),
    /// Lists the live Parquet files for other programs; a glob would also find files that were merged into others.
    Files(files::FilesArguments),
    /// Copies the commits of a bucket into a folder, which SQL, servers and reports on this machine then read.
    Mirror(mirror::MirrorArguments),
    /// Proves from the files alone that committed data is complete and unchanged, and that the books balance.
    Verify(verify::VerifyArguments),
    /// Checks rule packs, and runs their own tests.
    Rules(rules::RulesArguments),
    /// Applies other rules to the same history: what they gain, lose and score otherwise.
    Backtest(backtest::BacktestArguments),
    /// Creates the keys of what is written in place of personal values.
    Keys(keys::KeysArguments),
    /// Destroys the keys of a customer and its accounts: what was written in place of their personal values stands for nothing any more.
    Erase(erase::EraseArguments),
}

/// Arguments of commands that read or write topics.
#[derive(Args)]
struct SourceArguments {
    /// Location of the topics: log:DIR or kafka://HOST:PORT[,HOST:PORT…].
    #[arg(long)]
    source: Location,
    /// Configuration file (TOML); every key has a default.
    #[arg(long)]
    config: Option<PathBuf>,
}

#[derive(Args)]
struct RunArguments {
    #[command(flatten)]
    source: SourceArguments,
    /// Directory for the tables; if it holds commits, the run continues from the last one.
    #[arg(long)]
    data: PathBuf,
    /// Continues even if records after the last commit are lost: expired, or their topic was created anew.
    #[arg(long)]
    accept_gaps: bool,
    /// Processes all records that exist now, commits, and exits; without it, runs until Ctrl-C or SIGTERM.
    #[arg(long)]
    until_end: bool,
    /// Number of worker threads per process; rows do not depend on it.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    workers: u16,
    /// Joins several processes in one run: a file with the address of each, HOST:PORT, one a line. Start all of them, each with
    /// its own --process and otherwise the same arguments. They share the data directory, or, with a bucket, each may have its own.
    #[arg(long, requires = "process")]
    hosts: Option<PathBuf>,
    /// Number of this process: its line in --hosts, from 0.
    #[arg(long, requires = "hosts")]
    process: Option<usize>,
}

#[derive(Args)]
struct PublishArguments {
    #[command(flatten)]
    source: SourceArguments,
    /// Topic.
    topic: String,
    /// File with one event a line; standard input if omitted.
    file: Option<PathBuf>,
    /// Publishes by event time. Use it for a file whose times go back, like one account after the other: unsorted, its earlier
    /// events would be late. All lines are held in memory.
    #[arg(long)]
    sort: bool,
    /// Deletes the record of a key from a table topic, by a record with the key and no value; no FILE is read. May be given several
    /// times.
    #[arg(long, value_name = "KEY", conflicts_with_all = ["file", "sort"])]
    delete: Vec<String>,
}

#[derive(Args)]
struct TopicsArguments {
    #[command(flatten)]
    source: SourceArguments,
    /// Number of partitions of created topics.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    partitions: u16,
    /// Data directory: shows how far it has read each partition, and its dead letters.
    #[arg(long)]
    data: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = CommandLine::parse_from(with_statements(std::env::args_os()));
    if let Command::Replay(replay) = &arguments.command
        && let Some(contradiction) = replay.contradiction()
    {
        CommandLine::command().error(ErrorKind::ValueValidation, contradiction).exit();
    }
    logs();
    let mut out = Printer::new(std::io::stdout().lock());
    let executed = execute(arguments.command, &mut out);
    match executed.and(out.flush().map_err(anyhow::Error::from)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            notice(format_args!("headwater: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Logs to standard error: `RUST_LOG` sets the filter, `HEADWATER_LOG=json` makes each line an object.
fn logs() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(Notices::default).with_ansi(std::io::stderr().is_terminal());
    if std::env::var("HEADWATER_LOG").is_ok_and(|format| format == "json") { logs.json().init() } else { logs.init() }
}

fn execute(command: Command, out: &mut Printer<StdoutLock<'_>>) -> anyhow::Result<()> {
    match command {
        Command::Demo(arguments) => demo::demo(&arguments, &stop_signal()?, out),
        Command::Run(arguments) => {
            let config = Config::load(arguments.source.config.as_deref())?;
            run(Run {
                transport: arguments.source.source.open(&config)?,
                data: arguments.data,
                remote: mirror::remote(&config.bucket)?,
                config,
                accept_gaps: arguments.accept_gaps,
                discards: false,
                is_replay: false,
                replay: Replay::default(),
                until_end: arguments.until_end,
                workers: usize::from(arguments.workers),
                cluster: cluster(arguments.hosts.as_deref(), arguments.process)?,
                stop: stop_signal()?,
                counters: Arc::default(),
                show_progress: true,
            })
        }
        Command::Replay(arguments) => replay::replay(*arguments, stop_signal()?, out),
        Command::Publish(arguments) => publish(&arguments),
        Command::Topics(arguments) => {
            let config = Config::load(arguments.source.config.as_deref())?;
            let transport = arguments.source.source.open(&config)?;
            let data = arguments.data.as_deref();
            topics::topics(transport.as_ref(), &config, arguments.partitions, data, out)
        }
        Command::Schema(arguments) => schema::schema(&arguments, out),
        Command::Sql(arguments) => sql::sql(arguments, out.until_closed()),
        Command::Mirror(arguments) => {
            let stop = stop_signal()?;
            mirror::mirror(&arguments, &stop, out)
        }
        Command::Report(arguments) => report::report(&arguments, out),
        Command::Serve(arguments) => {
            let stop = stop_signal()?;
            serve::serve(arguments, &stop, &mut std::io::stdin().lock(), out)
        }
        Command::Explain(arguments) => explain::explain(&arguments, out),
        Command::Export(arguments) => export::export(&arguments, out),
        Command::Files(arguments) => files::files(&arguments, out),
        Command::Verify(arguments) => verify::verify(&arguments, out),
        Command::Rules(arguments) => rules::rules(&arguments, out),
        Command::Keys(arguments) => keys::keys(&arguments, out),
        Command::Erase(arguments) => erase::erase(&arguments, out),
        Command::Backtest(arguments) => backtest::backtest(&arguments, &stop_signal()?, out),
    }
}

fn publish(arguments: &PublishArguments) -> anyhow::Result<()> {
    let config = Config::load(arguments.source.config.as_deref())?;
    let transport = arguments.source.source.open(&config)?;
    let topic = &arguments.topic;
    if !arguments.delete.is_empty() {
        publish::delete(transport.as_ref(), &config.source, topic, &arguments.delete)?;
        let count = arguments.delete.len();
        let deletions = if count == 1 { "deletion" } else { "deletions" };
        notice(format_args!("{count} {deletions} published to {topic}"));
        return Ok(());
    }
    let lines: Box<dyn BufRead> = match &arguments.file {
        Some(file) => {
            let lines = std::fs::File::open(file).with_context(|| format!("opening {}", file.display()))?;
            Box::new(BufReader::with_capacity(1 << 20, lines))
        }
        None => Box::new(std::io::stdin().lock()),
    };
    let order = if arguments.sort { publish::LineOrder::ByTime } else { publish::LineOrder::AsGiven };
    let name = arguments.file.as_deref().map_or_else(|| "standard input".to_owned(), |file| file.display().to_string());
    let count = publish::publish(transport.as_ref(), &config.source, topic, publish::Input { name, lines }, order)?;
    let events = if count == 1 { "event" } else { "events" };
    notice(format_args!("{count} {events} published to {topic}"));
    Ok(())
}

fn cluster(hosts: Option<&Path>, process: Option<usize>) -> anyhow::Result<Option<Cluster>> {
    hosts.zip(process).map(|(hosts, process)| Cluster::read(hosts, process)).transpose()
}

/// Flag that Ctrl-C, SIGTERM or SIGHUP sets. A second Ctrl-C or SIGTERM ends the process at once; a terminal that closes may send
/// SIGHUP several times.
fn stop_signal() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&stop))?;
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    if !ignores_hangups() {
        signal_hook::flag::register(SIGHUP, Arc::clone(&stop))?;
    }
    Ok(stop)
}

/// Whether the process was started to survive its terminal (`nohup`). Assumed where the system does not show it.
fn ignores_hangups() -> bool {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else { return true };
    let ignored = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok());
    // The lowest bit is signal 1, SIGHUP.
    ignored.is_none_or(|ignored| ignored & 1 == 1)
}
