//! Running the pipeline, from a source and a data directory to the last commit.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, bail};
use headwater_connectors::fault::with_causes;
use headwater_connectors::parquet::chain::Chain;
use headwater_connectors::parquet::commit::{ChainEnd, Closing, CommitSettings, Committed, Existing, Steps};
use headwater_connectors::parquet::configuration;
use headwater_connectors::parquet::directory::DataDirectory;
use headwater_connectors::parquet::record::Gap;
use headwater_connectors::parquet::remote::Remote;
use headwater_connectors::registry::RegistryCounters;
use headwater_connectors::source::{Mode, Script, SourceCounters, SourceSettings};
use headwater_connectors::transport::Transport;
use headwater_schemas::{Digest, EffectiveTime, Nanos, Tick, Topic};
use headwater_sql::{Access, Server};
use timely::CommunicationConfig;

use crate::avro::{Avro, Connecting};
use crate::calendar::{self, Beside, Calendar, Maker, Message};
use crate::cluster::{Cluster, Connected, Hello};
use crate::config::{Config, SourceConfig};
use crate::decisive::Decisive;
use crate::flow::eager::EagerSettings;
use crate::flow::{self, FlowSettings};
use crate::http::DeskSettings;
use crate::journal::{Journal, followed};
use crate::metrics::{Metrics, MetricsSettings};
use crate::outbox::{self, OutboxSettings, PROGRESS_TOPIC, PUBLISHED, Running, Told};
use crate::output::{Notices, notice};
use crate::resume::{Partitions, Positions, Recognizer, positions};
use crate::saved::SavedTables;
use crate::starting_rules::StartingRules;
use crate::{discovery, http, location, progress, rejected, wall_clock};

/// Parameters of a run.
pub struct Run {
    /// Transport of the topics.
    pub transport: Arc<dyn Transport>,
    /// The data directory.
    pub data: PathBuf,
    /// The bucket that has the commits, if there is one; the directory is a copy of it.
    pub remote: Option<Remote>,
    /// The configuration.
    pub config: Config,
    /// Whether rows are discarded instead of written; for benchmarks.
    pub discards: bool,
    /// Whether this is a replay, which publishes nothing.
    pub is_replay: bool,
    /// The decisions that a replay follows.
    pub replay: Replay,
    /// Whether to continue although records after the last commit are lost.
    pub accept_gaps: bool,
    /// Whether to end after the records that exist at the start.
    pub until_end: bool,
    /// Worker threads in each process.
    pub workers: usize,
    /// The cluster, if there are several processes.
    pub cluster: Option<Cluster>,
    /// Set from outside to stop a live run.
    pub stop: Arc<AtomicBool>,
    /// Counters of reading.
    pub counters: Arc<SourceCounters>,
    /// Whether to show progress on a terminal.
    pub show_progress: bool,
}

impl Run {
    /// A live run on one worker, until it is stopped.
    pub fn new(transport: Arc<dyn Transport>, data: PathBuf, config: Config) -> Self {
        Self {
            transport,
            data,
            remote: None,
            config,
            discards: false,
            is_replay: false,
            replay: Replay::default(),
            accept_gaps: false,
            until_end: false,
            workers: 1,
            cluster: None,
            stop: Arc::default(),
            counters: Arc::default(),
            show_progress: false,
        }
    }

    /// Whether this process publishes commits.
    fn leads(&self) -> bool {
        self.cluster.as_ref().is_none_or(|cluster| cluster.process == 0)
    }
}

/// Set by crash tests as `<step>:<commit>`: the process kills itself at that step of the commit, or of the next one that has it. The
/// points of making a report are steps, too.
const KILL_AT: &str = "HEADWATER_KILL_AT";

/// A callback for the names of steps, for crash tests.
fn kill_at() -> impl Fn(&str, u64) + Send + Sync {
    let kill_at = std::env::var(KILL_AT).ok();
    let kill_at =
        kill_at.as_deref().and_then(|at| at.split_once(':')).and_then(|(step, at)| Some((step.to_owned(), at.parse::<u64>().ok()?)));
    move |step, commit_id| {
        if kill_at.as_ref().is_some_and(|(name, at)| name == step && *at <= commit_id) {
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        }
    }
}

/// A callback for steps of commits, for crash tests.
fn steps() -> Steps {
    let kill_at = kill_at();
    Arc::new(move |step, commit_id| kill_at(&step.name(), commit_id))
}

/// The decisions that a replay follows; empty in any other run.
#[derive(Clone, Debug, Default)]
pub struct Replay {
    /// Clocks, and the part of the topics to read.
    pub script: Arc<Script>,
    /// Start positions of partitions that do not begin at their first record.
    pub positions: Positions,
    /// The ticks at which commits close, if not by the interval.
    pub closings: Option<Arc<Vec<Closing>>>,
    /// Whether it follows the original wall clock's decisions, so that its own wall clock decides nothing.
    pub follows_remap: bool,
}

/// Maximum sleep of an idle worker.
const PARK: Duration = Duration::from_millis(10);

/// By how much a commit may be late before the run is no longer ready.
const OVERDUE: Duration = Duration::from_secs(30);

/// How long reports are made after a live run was stopped. A bounded run makes all that are due.
const REPORTS_AFTER_STOP: Duration = Duration::from_secs(60);

/// Maximum time between commits of a live run, which close at grid points.
fn between_commits(config: &Config) -> Duration {
    config.commit.interval.saturating_add(config.valuation.interval)
}

/// Runs until the source ends, a stop, or an error. When the topic `rules` changes the rules, the run closes a commit at that time
/// and is entered again from there, like a run that was killed after that commit.
pub fn run(run: Run) -> anyhow::Result<()> {
    let maker = maker(&run)?;
    let (directory, chain) = open(&run)?;
    // Brokers that are away are waited for: meanwhile probes are answered, and what is committed can be queried.
    let mut process = Process::new(&run)?;
    let (sql_server, access) = sql_server(&run)?.unzip();
    let server = http::serve(&http_address(&run)?, Some(Arc::clone(&process.metrics)), desk(&run, access))?;
    let Some(mut partitions) = partitions(&run)? else { return Ok(()) };
    if run.until_end && partitions.values().all(Vec::is_empty) {
        bail!("the source has none of the topics: create them with `headwater topics`, or check its name and source.topic_prefix");
    }
    if run.leads() {
        location::missing(&partitions, &run.config.source).iter().for_each(|missing| tracing::warn!("{missing}"));
    }
    if !run.is_replay && run.leads() {
        for unread in location::unread(run.transport.as_ref(), &run.config.source)? {
            notice(format_args!("headwater: not read: {unread}"));
        }
    }
    let is_json = run.config.source.avro.is_empty() && run.config.outbox.avro.is_empty();
    if !is_json && !run.transport.has_transactions() {
        bail!("source.avro and outbox.avro need Kafka: the records of a log are lines of text; leave them out");
    }
    let connecting = Connecting { publishes: !run.is_replay, is_bounded: run.until_end };
    let Some(avro) = Avro::connect(&run.config, connecting, &run.stop, &process.registry)? else { return Ok(()) };
    process.avro = avro;
    let reports = maker.map(|maker| calendar::start(maker, Arc::clone(&process.metrics))).transpose()?;
    process.reports = reports.as_ref().map(Beside::told);
    let progress = progress::show(run.show_progress, run.until_end, Arc::clone(&run.counters), Arc::clone(&process.metrics));
    let mut entered = enter(&run, directory.as_ref(), chain, partitions.clone(), &process);
    while let Ok(Entered { is_cut: true, published: Ok(()), .. }) = &entered {
        entered = match again(&run, directory.as_ref(), &mut partitions) {
            Ok(Some(chain)) => enter(&run, directory.as_ref(), chain, partitions.clone(), &process),
            Ok(None) => break,
            Err(error) => Err(error),
        };
    }
    progress.finish();
    if let Some(reports) = reports {
        let patience = match &entered {
            Err(_) => Some(Duration::ZERO),
            Ok(_) if run.until_end => None,
            Ok(_) => Some(REPORTS_AFTER_STOP),
        };
        reports.finish(patience);
    }
    drop(sql_server);
    drop(server);
    drop(directory);
    let Entered { published, left_after, .. } = entered?;
    if let Some(commit_id) = left_after {
        notice(format_args!("{}", stopped(commit_id)));
    }
    if !run.is_replay {
        // The next run reads again, and counts again, what no commit has.
        run.counters.go_back();
        rejected::summarize(&rejected::counted(&run.counters), "of this run", Some(&run.data), &mut Notices)?;
    }
    published
}

/// The notice of a run that was stopped while records were left to read.
fn stopped(commit_id: u64) -> String {
    match commit_id {
        0 => "stopped before the first commit: the next run reads from the beginning".to_owned(),
        _ => format!("stopped at commit {commit_id} with records left to read: the next run reads on from there"),
    }
}

/// What lives as long as the process, however often the run is entered again.
struct Process {
    metrics: Arc<Metrics>,
    /// Counts deduplicated events.
    duplicates: Arc<AtomicU64>,
    failure: Failure,
    avro: Avro,
    /// Counters of the schema registry.
    registry: Arc<RegistryCounters>,
    /// The calendar of reports, which learns of commits.
    reports: Option<Sender<Message>>,
}

impl Process {
    fn new(run: &Run) -> anyhow::Result<Self> {
        let settings = MetricsSettings {
            lag_unit: run.transport.offset_unit(),
            publishes_commits: run.leads(),
            fresh_for: between_commits(&run.config).saturating_add(OVERDUE),
        };
        let process = Self {
            metrics: Arc::new(Metrics::new(settings)?),
            duplicates: Arc::default(),
            failure: Failure::default(),
            avro: Avro::default(),
            registry: Arc::default(),
            reports: None,
        };
        process.metrics.follow_registry(Arc::clone(&process.registry));
        if let Some(remote) = &run.remote {
            process.metrics.follow_bucket(Arc::clone(remote.bucket().counters()));
        }
        process.metrics.follow(Arc::clone(&run.counters), Arc::clone(&process.duplicates));
        process.metrics.follow_failure(Arc::clone(&process.failure.failed));
        Ok(process)
    }
}

/// How a run ended that was entered once.
struct Entered {
    /// Whether the rules change, so that it is to be entered again.
    is_cut: bool,
    /// The last commit, 0 without one, if it was stopped while records were left to read.
    left_after: Option<u64>,
    /// Whether the outbox has published what was committed.
    published: anyhow::Result<()>,
}

/// Runs from the last commit until the source ends, a stop, an error, or a change of the rules.
fn enter(
    run: &Run,
    directory: Option<&DataDirectory>,
    mut chain: Chain,
    partitions: Partitions,
    process: &Process,
) -> anyhow::Result<Entered> {
    let connected = connect(run, &mut chain)?;
    let apart = match (&run.remote, run.leads()) {
        (Some(remote), false) => apart(run, remote, &mut chain)?,
        _ => None,
    };
    agree(run, &chain, connected.as_ref())?;
    let resumed = resume(run, &chain, &partitions)?;
    let is_kept = !run.discards && directory.is_some();
    let configuration = if is_kept { configuration::keep(&run.data, &resumed.rules.decisive.text)? } else { String::new() };
    if let Some(remote) = run.remote.as_ref().filter(|_| is_kept) {
        remote.send_configuration(&run.data, &configuration)?;
    }
    let existing = Existing::of(&chain);
    drop(chain);
    let discovered = Arc::default();
    let look_out = if run.until_end {
        None
    } else {
        Some(discovery::look_out(Arc::clone(&run.transport), run.config.source.clone(), &partitions, Arc::clone(&discovered))?)
    };
    let progress = Arc::new(AtomicU64::new(u64::MAX));
    let before = resumed.before.as_ref().map_or(0, |end| end.commit_id);
    let outbox = outbox(run, before, process, &progress)?;
    let told = outbox.as_ref().map(Running::told);
    let eager = eager(run, &resumed, told.clone(), process)?;
    let is_cut = Arc::new(AtomicBool::new(false));
    let mut settings = settings(run, Beginning { configuration, partitions, resumed }, (told, eager), process, &is_cut);
    settings.source.discovered = discovered;
    settings.commit.upkeep.outbox = progress;
    settings.commit.existing = existing;
    if apart.is_some() {
        settings.commit.remote = run.remote.clone().map(Remote::apart);
    }

    let worked = work(run.workers.max(1), connected, &settings, process, &is_cut);
    let is_left = settings.source.abandoned.load(Ordering::Relaxed);
    drop(settings);
    drop(look_out);
    let published = outbox.map_or(Ok(()), Running::finish);
    worked?;
    process.failure.result()?;
    let left_after = is_left.then(|| process.metrics.last_commit().max(before));
    Ok(Entered { is_cut: is_cut.load(Ordering::Relaxed), left_after, published })
}

/// Starts the outbox in process 0. A replay publishes nothing.
fn outbox(run: &Run, last: u64, process: &Process, progress: &Arc<AtomicU64>) -> anyhow::Result<Option<Running>> {
    let topics: Vec<_> = PUBLISHED
        .iter()
        .filter(|published| run.config.outbox.topics.iter().any(|name| name == published.name))
        .map(|published| (*published, run.config.source.outside(published.name)))
        .collect();
    if !run.leads() || run.is_replay || topics.is_empty() {
        return Ok(None);
    }
    let failure = process.failure.clone();
    // Until the outbox reports its progress, nothing counts as published.
    progress.store(0, Ordering::Relaxed);
    let settings = OutboxSettings {
        transport: Arc::clone(&run.transport),
        data: run.data.clone(),
        remote: run.remote.clone(),
        topics,
        avro: Arc::clone(&process.avro.published),
        eager: run.config.outbox.eager.clone(),
        clock: run.config.clock(),
        progress_topic: run.config.source.outside(PROGRESS_TOPIC),
        last,
        steps: steps(),
        metrics: Arc::clone(&process.metrics),
        published: Arc::clone(progress),
        failure: Arc::new(move |error| failure.set(error)),
    };
    outbox::start(settings).map(Some)
}

/// Settings of early publication, if it is configured and this is a live run on Kafka.
fn eager(run: &Run, resumed: &Resumed, told: Option<Sender<Told>>, process: &Process) -> anyhow::Result<Option<EagerSettings>> {
    let tables = run.config.outbox.eager.clone();
    if tables.is_empty() || run.until_end || run.is_replay {
        return Ok(None);
    }
    if !run.transport.has_transactions() {
        bail!("outbox.eager needs Kafka: a log has no transactions; leave it out");
    }
    // In a cluster, only process 0 has an outbox.
    let journal = if told.is_some() { Some(Arc::new(Mutex::new(Journal::open(&run.data, run.remote.clone())?))) } else { None };
    let failure = process.failure.clone();
    Ok(Some(EagerSettings {
        avro: Arc::clone(&process.avro.published),
        journal,
        outbox: told,
        tables,
        start_tick: run.config.clock().tick_of(resumed.start_clock()),
        cuts: resumed.cuts(run),
        steps: steps(),
        failure: Arc::new(move |error| failure.set(error)),
    }))
}

/// Opens the directory: process 0 locks it, the other processes of a cluster only read. A bucket has more than its copy: what the
/// directory lacks is received.
fn open(run: &Run) -> anyhow::Result<(Option<DataDirectory>, Chain)> {
    if run.cluster.as_ref().is_some_and(|cluster| cluster.process > 0) {
        std::fs::create_dir_all(&run.data).with_context(|| format!("creating {}", run.data.display()))?;
        return Ok((None, Chain::open(&run.data, None)?));
    }
    let (directory, chain) = match &run.remote {
        Some(remote) => DataDirectory::open_in(&run.data, remote)?,
        None => DataDirectory::open(&run.data)?,
    };
    Ok((Some(directory), chain))
}

/// The chain from which a run is entered again; `None` if it was stopped. A live run also reads partitions that have come since, a
/// bounded one ends where it meant to end.
fn again(run: &Run, directory: Option<&DataDirectory>, found: &mut Partitions) -> anyhow::Result<Option<Chain>> {
    if !run.until_end {
        let Some(now) = partitions(run)? else { return Ok(None) };
        *found = now;
    }
    run.counters.go_back();
    Ok(directory.map(DataDirectory::chain).transpose()?)
}

/// Connects to the other processes, and checks that all continue from the same commit.
fn connect(run: &Run, chain: &mut Chain) -> anyhow::Result<Option<Connected>> {
    let Some(cluster) = &run.cluster else { return Ok(None) };
    // The packs of the topic follow from the commit.
    let configured = Decisive::of(&run.config)?.text;
    // With a bucket, each process may have a folder of its own.
    let data = Some(&run.data).filter(|_| run.remote.is_none());
    let common = format!("{:?} {data:?} {:?} {} {configured}", run.transport, run.config, run.until_end);
    let hello = Hello {
        process: cluster.process,
        processes: cluster.addresses.len(),
        workers: run.workers.max(1),
        configuration: Digest::sha256(common).to_string(),
        begin: chain.end().filter(|_| cluster.process == 0),
    };
    let connected = cluster.connect(&hello, &run.stop)?;
    // Process 0 may have seen a commit that was published after this process had read the chain.
    chain.extend()?;
    Ok(Some(connected))
}

/// Opens the folder of a process that publishes no commits, and brings it to the bucket's last one; `None` if process 0 writes the
/// same folder. Process 0 is there by now.
fn apart(run: &Run, remote: &Remote, chain: &mut Chain) -> anyhow::Result<Option<DataDirectory>> {
    let Some((directory, received)) = DataDirectory::open_apart(&run.data, &remote.clone().apart())? else { return Ok(None) };
    *chain = received;
    Ok(Some(directory))
}

/// Checks that this process continues from the same commit as process 0.
fn agree(run: &Run, chain: &Chain, connected: Option<&Connected>) -> anyhow::Result<()> {
    let (Some(cluster), Some(connected)) = (&run.cluster, connected) else { return Ok(()) };
    if chain.end() != connected.begin {
        bail!(
            "{}: process 0 resumes from another commit than process {}: give all the same data directory",
            run.data.display(),
            cluster.process
        );
    }
    Ok(())
}

/// The HTTP address. Each process of a cluster has its own port: the configured one plus its number.
fn http_address(run: &Run) -> anyhow::Result<String> {
    let configured = &run.config.http.address;
    let Some(cluster) = run.cluster.as_ref().filter(|_| !configured.is_empty()) else { return Ok(configured.clone()) };
    let wrong = || format!("http.address is {configured:?}: write HOST:PORT");
    let (host, port) = configured.rsplit_once(':').with_context(wrong)?;
    let port = port.parse::<u16>().with_context(wrong)?;
    let own = u16::try_from(cluster.process).ok().and_then(|number| port.checked_add(number)).with_context(wrong)?;
    Ok(format!("{host}:{own}"))
}

/// What makes the reports of the calendar, if there is one. Of a cluster, process 0 does.
fn maker(run: &Run) -> anyhow::Result<Option<Maker>> {
    if !serves_tables(run) {
        return Ok(None);
    }
    let kill_at = kill_at();
    let reached = Arc::new(move |point: calendar::Point, commit_id| kill_at(&point.name(), commit_id));
    let calendar = Calendar::open(&run.config.reports, &run.data)?;
    Ok(calendar.map(|calendar| Maker::new(calendar, &run.data, run.config.sql.clone(), reached)))
}

/// The server for PostgreSQL clients with what it has opened, if it is configured. Of a cluster, process 0 has it.
fn sql_server(run: &Run) -> anyhow::Result<Option<(Server, Access)>> {
    let address = run.config.serve.address.as_deref().filter(|address| !address.is_empty());
    let Some(address) = address.filter(|_| serves_tables(run)) else { return Ok(None) };
    let access = Access::open(&run.data, run.config.serve.clone(), run.config.sql.clone())?;
    Ok(Some((Server::listen(&access, address)?, access)))
}

/// The console. Of a cluster, process 0 has it.
fn desk(run: &Run, access: Option<Access>) -> Option<DeskSettings> {
    serves_tables(run).then(|| DeskSettings::new(run.data.clone(), &run.config, access))
}

/// Whether others may read the tables of this run while it writes them.
fn serves_tables(run: &Run) -> bool {
    run.leads() && !run.is_replay && !run.discards
}

/// Interval of retries while brokers are down.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// The state from which a run continues.
struct Resumed {
    before: Option<ChainEnd>,
    positions: Positions,
    /// Accepted gaps in the topics.
    gaps: Vec<Gap>,
    saved: SavedTables,
    /// Decisions that the run follows.
    script: Arc<Script>,
    rules: StartingRules,
}

impl Resumed {
    /// The minimum of all clocks.
    fn start_clock(&self) -> EffectiveTime {
        self.before.as_ref().map_or(EffectiveTime::ZERO, |end| end.end_clock)
    }

    /// The ticks at which the rules change, as far as it is known.
    fn cuts(&self, run: &Run) -> Vec<Tick> {
        self.rules.due.iter().map(|time| run.config.clock().tick_of(*time)).collect()
    }
}

/// The start of a run.
struct Beginning {
    /// The hash of its stored configuration.
    configuration: String,
    partitions: Partitions,
    resumed: Resumed,
}

/// Reads the end of the last commit, the state and the rules there, and the position of each partition.
fn resume(run: &Run, chain: &Chain, partitions: &Partitions) -> anyhow::Result<Resumed> {
    let saved = if chain.last_id() == 0 { SavedTables::default() } else { SavedTables::of(chain.clone(), run.workers.max(1)) };
    let rules = StartingRules::after(chain, &saved, &run.config, &run.data)?;
    let Some(last) = chain.commits().last() else {
        let script = if run.is_replay { Arc::clone(&run.replay.script) } else { Arc::new(followed(&run.data, &Positions::new())?) };
        return Ok(Resumed { before: None, positions: run.replay.positions.clone(), gaps: Vec::new(), saved, script, rules });
    };
    let recognizer = Recognizer::new(run.transport.as_ref());
    // A file that cannot be read here cannot be read later either, which reports the error.
    let is_as_read = |name: &str, partition, offset, was: &str| recognizer.is_as_read(name, partition, offset, was).unwrap_or(false);
    let (positions, gaps) = positions(last, partitions, &run.config.source, &is_as_read, run.accept_gaps)?;
    let script = match run.is_replay {
        true => Arc::clone(&run.replay.script),
        // Where records are lost, offsets may have changed.
        false if run.accept_gaps => Arc::default(),
        false => Arc::new(followed(&run.data, &positions)?),
    };
    Ok(Resumed { before: chain.end(), positions, gaps, saved, script, rules })
}

/// The existing partitions. A live run waits for brokers that are down; `None` if it was stopped meanwhile.
fn partitions(run: &Run) -> anyhow::Result<Option<Partitions>> {
    while !run.stop.load(Ordering::Relaxed) {
        match location::partitions(run.transport.as_ref(), &run.config.source) {
            Ok(partitions) => return Ok(Some(partitions)),
            Err(error) if error.retry && !run.until_end => tracing::warn!(error = with_causes(&error), "waiting for the source"),
            Err(error) => return Err(error.into()),
        }
        std::thread::sleep(ASK_AGAIN);
    }
    Ok(None)
}

/// The first error that ended the run.
#[derive(Clone, Default)]
struct Failure {
    failed: Arc<AtomicBool>,
    first: Arc<Mutex<Option<anyhow::Error>>>,
}

impl Failure {
    fn set(&self, error: impl Into<anyhow::Error>) {
        if let Ok(mut first) = self.first.lock() {
            first.get_or_insert_with(|| error.into());
        }
        self.failed.store(true, Ordering::Relaxed);
    }

    fn result(&self) -> anyhow::Result<()> {
        match self.first.lock().ok().and_then(|mut first| first.take()) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

/// What a cluster reports when the rules change.
const START_AGAIN: &str = "the rules change by the topic rules, and the processes of a cluster do not enter the run again by themselves: \
    start all of them again, they go on from the last commit with the new rules";

fn settings(
    run: &Run,
    Beginning { configuration, partitions, resumed }: Beginning,
    (told, eager): (Option<Sender<Told>>, Option<EagerSettings>),
    process: &Process,
    is_cut: &Arc<AtomicBool>,
) -> FlowSettings {
    let (config, Process { metrics, failure, .. }) = (&run.config, process);
    let mode = if run.until_end {
        Mode::Bounded
    } else {
        Mode::Live { wall: wall_clock::wall_clock(), idle_allowance: config.time.idle_allowance.into(), stop: Arc::clone(&run.stop) }
    };
    let (start_clock, cuts) = (resumed.start_clock(), resumed.cuts(run));
    let cut = on_cut(run, failure.clone(), Arc::clone(is_cut));
    let (source_failure, commit_failure, journal_failure) = (failure.clone(), failure.clone(), failure.clone());
    let journal = eager.as_ref().and_then(|eager| eager.journal.clone());
    let (published, everywhere) = (Arc::clone(metrics), Arc::clone(metrics));
    let reports = process.reports.clone();
    FlowSettings {
        source: SourceSettings {
            transport: Arc::clone(&run.transport),
            partitions: Arc::new(partitions),
            names: Arc::new(names(&config.source)),
            avro: process.avro.topics(config),
            start: Arc::new(resumed.positions),
            start_clock,
            latest: if run.replay.follows_remap { EffectiveTime::MAX } else { wall_clock::now().saturating_add(Nanos::DAY) },
            clock: config.clock(),
            audit: config.commit.audit,
            stride: config.source.stride,
            late_after: config.time.idle_allowance.into(),
            budget_bytes: (config.source.budget_mib << 20) / run.workers.max(1) as u64,
            grid_lead: config.source.grid_lead,
            discovered: Arc::default(),
            script: resumed.script,
            mode,
            abandoned: Arc::default(),
            counters: Arc::clone(&run.counters),
            failure: Arc::new(move |error| source_failure.set(error)),
        },
        commit: CommitSettings {
            data: run.data.clone(),
            before: resumed.before,
            configuration,
            existing: Existing::default(),
            gaps: resumed.gaps,
            upkeep: config.upkeep.settings(config.horizons().longest()),
            remote: run.remote.clone(),
            discards: run.discards,
            cuts,
            closings: run.replay.closings.clone(),
            interval: config.commit.interval,
            clock: config.clock(),
            now_text: Arc::new(wall_clock::now_text),
            published: Arc::new(move |record, took, files| {
                published.committed(record, took, files);
                // Also if the dataflow was dropped meanwhile: a run that was stopped tells what it committed.
                published.on_commit(Committed { commit_id: record.commit_id, end_tick: record.end_tick, is_cut: false });
                if let Some(reports) = &reports {
                    let _ = reports.send(Message::Commit(record.clock().start_of(record.end_tick)));
                }
                // An outbox that failed has reported its error.
                if let Some(told) = &told {
                    let _ = told.send(Told::Commit(record.commit_id));
                }
                if let Some(journal) = &journal
                    && let Err(error) = journal
                        .lock()
                        .map_err(|_| anyhow::anyhow!("the journal's lock is broken"))
                        .and_then(|mut journal| journal.committed(record))
                {
                    journal_failure.set(error);
                }
            }),
            on_commit: Arc::new(move |commit| {
                everywhere.on_commit(commit);
                if commit.is_cut {
                    cut();
                }
            }),
            steps: steps(),
            failure: Arc::new(move |error| commit_failure.set(error)),
        },
        eager,
        config: Arc::new(config.clone()),
        packs: resumed.rules.decisive.packs,
        tokens: resumed.rules.decisive.tokens,
        counts_from: resumed.rules.counts_from,
        coverages: resumed.rules.coverages,
        duplicates: Arc::clone(&process.duplicates),
        saved: Arc::new(resumed.saved),
    }
}

/// What happens once the commit is published with which the rules change.
fn on_cut(run: &Run, failure: Failure, is_cut: Arc<AtomicBool>) -> impl Fn() + Send + Sync + use<> {
    let obstacle = match (&run.cluster, run.discards) {
        (Some(_), _) => Some(START_AGAIN),
        (None, true) => Some("the topic rules changes the rules, which needs commits: leave its records out where rows are discarded"),
        (None, false) => None,
    };
    move || match obstacle {
        Some(obstacle) => failure.set(anyhow::anyhow!(obstacle)),
        None => is_cut.store(true, Ordering::Relaxed),
    }
}

fn names(config: &SourceConfig) -> std::collections::BTreeMap<Topic, String> {
    Topic::ALL.iter().map(|topic| (*topic, config.name_of(*topic))).collect()
}

/// Steps the workers until the dataflow has ended, the rules change, or an error occurred.
fn work(
    workers: usize,
    connected: Option<Connected>,
    settings: &FlowSettings,
    process: &Process,
    is_cut: &Arc<AtomicBool>,
) -> anyhow::Result<()> {
    let (settings, metrics, failure) = (settings.clone(), Arc::clone(&process.metrics), process.failure.clone());
    let is_cut = Arc::clone(is_cut);
    let (is_cluster, failed) = (connected.is_some(), failure.clone());
    let channels = match connected {
        Some(connected) => connected.channels(workers).map_err(|error| error.to_string()),
        None => CommunicationConfig::Process(workers).try_build(),
    };
    let (builders, guard) = channels.map_err(|error| anyhow::anyhow!("starting the workers: {error}"))?;
    let guards = timely::execute::execute_from(builders, guard, timely::WorkerConfig::default(), move |worker| {
        let _fails_if_it_panics = FailsOnPanic(failure.clone());
        metrics.observe_operators(worker);
        if let Err(error) = worker.dataflow::<Tick, _, _>(|scope| flow::build(scope, &settings)) {
            failure.set(error);
        }
        while worker.has_dataflows() {
            let failed = failure.failed.load(Ordering::Relaxed);
            if failed || settings.source.abandoned.load(Ordering::Relaxed) || is_cut.load(Ordering::Relaxed) {
                if is_cluster {
                    leave_the_cluster(&failure);
                }
                for dataflow in worker.installed_dataflows() {
                    worker.drop_dataflow(dataflow);
                }
                break;
            }
            worker.step_or_park(Some(PARK));
        }
    });
    let guards = guards.map_err(|error| anyhow::anyhow!("starting the workers: {error}"))?;
    // A worker that did not end normally has reported why.
    let ended: Result<Vec<()>, String> = guards.join().into_iter().collect();
    ended
        .map(|_| ())
        .or_else(|error| if failed.failed.load(Ordering::Relaxed) { Ok(()) } else { bail!("a worker ended in a panic: {error}") })
}

/// Reports a worker's panic: the other workers would wait for it for ever.
struct FailsOnPanic(Failure);

impl Drop for FailsOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.set(anyhow::anyhow!("a worker ended in a panic: please report it with the output above; the last commit is intact"));
        }
    }
}

/// Ends the process at once: closing its channels gracefully would let the other processes wait for ever.
fn leave_the_cluster(failure: &Failure) -> ! {
    match failure.result() {
        Err(error) => {
            notice(format_args!("headwater: {error:#}"));
            std::process::exit(1)
        }
        Ok(()) => std::process::exit(0),
    }
}
