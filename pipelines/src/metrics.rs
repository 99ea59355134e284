//! Metrics, by the names that dashboards rely on: `<folder>_<noun>_<unit>`.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use headwater_connectors::parquet::record::CommitRecord;
use headwater_connectors::source::SourceCounters;
use headwater_schemas::Topic;
use prometheus::{Counter, CounterVec, Gauge, GaugeVec, Histogram, HistogramOpts, IntCounter, IntGauge, Opts, Registry, TextEncoder};
use timely::logging::{StartStop, TimelyEvent, TimelyEventBuilder};
use timely::worker::Worker;

use crate::wall_clock;

/// Buckets of durations, in seconds: from a millisecond to two minutes.
const SECONDS: [f64; 14] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 120.0];

/// All metrics of a run, and what health and progress say.
pub struct Metrics {
    registry: Registry,
    records: CounterVec,
    bytes: CounterVec,
    dead_letters: CounterVec,
    duplicates: Counter,
    partition_lag: GaugeVec,
    partition_clock: GaugeVec,
    frontier_lag: Gauge,
    frontier_holder: GaugeVec,
    commits: IntCounter,
    commit_seconds: Histogram,
    commit_rows: IntCounter,
    commit_bytes: IntCounter,
    files: IntGauge,
    outbox_commit: IntGauge,
    last_commit: IntGauge,
    latency: Histogram,
    operator_seconds: CounterVec,
    sources: OnceLock<(Arc<SourceCounters>, Arc<AtomicU64>)>,
    /// The wall clock at the last commit, in nanoseconds; 0 before the first.
    committed_at: AtomicU64,
    /// The time behind everything that is committed, in nanoseconds since the epoch.
    committed_time: AtomicI64,
    /// Whether the run has failed, as it is ending.
    failed: OnceLock<Arc<AtomicBool>>,
    scraping: Mutex<()>,
}

impl Metrics {
    /// All metrics at zero.
    pub fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        #[cfg(target_os = "linux")]
        registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
        let maker = Maker { registry: &registry };
        Ok(Self {
            records: maker.counters("connectors_records_total", "Records read", &["topic"])?,
            bytes: maker.counters("connectors_bytes_total", "Bytes of keys and values read", &["topic"])?,
            dead_letters: maker.counters("connectors_dead_letters_total", "Records that the source could not take", &["topic"])?,
            duplicates: maker.counter("operators_duplicates_total", "Events that came again with the same content")?,
            partition_lag: maker.gauges(
                "connectors_partition_lag_records",
                "Offsets (bytes, for a log) not read yet",
                &["topic", "partition"],
            )?,
            partition_clock: maker.gauges(
                "connectors_partition_clock_seconds",
                "The partition's clock, since the epoch",
                &["topic", "partition"],
            )?,
            frontier_lag: maker.gauge("pipelines_frontier_lag_seconds", "Wall clock less the time behind everything that is committed")?,
            frontier_holder: maker.gauges(
                "pipelines_frontier_holder",
                "1 for the partition whose clock is the slowest",
                &["topic", "partition"],
            )?,
            commits: maker.int_counter("connectors_commits_total", "Commits published")?,
            commit_seconds: maker.histogram("connectors_commit_seconds", "From closing a commit to its publication")?,
            commit_rows: maker.int_counter("connectors_commit_rows_total", "Rows committed")?,
            commit_bytes: maker.int_counter("connectors_commit_bytes_total", "Bytes of Parquet committed")?,
            files: maker.int_gauge("connectors_files", "Files that the last commit says exist")?,
            outbox_commit: maker.int_gauge("pipelines_outbox_commit", "The last commit whose records are published")?,
            last_commit: maker.int_gauge("connectors_last_commit", "The number of the last commit")?,
            latency: maker
                .histogram("pipelines_latency_seconds", "From reading a stride of records to the commit that holds what they did")?,
            operator_seconds: maker.counters("operators_busy_seconds_total", "Time that operators were busy", &["operator"])?,
            sources: OnceLock::new(),
            committed_at: AtomicU64::new(0),
            committed_time: AtomicI64::new(0),
            failed: OnceLock::new(),
            scraping: Mutex::new(()),
            registry,
        })
    }

    /// Follows what the sources count.
    pub fn follow(&self, counters: Arc<SourceCounters>, duplicates: Arc<AtomicU64>) {
        let _ = self.sources.set((counters, duplicates));
    }

    /// Takes note of a commit, behind which so many files exist.
    pub fn committed(&self, record: &CommitRecord, took: Duration, files: usize, counters: &SourceCounters) {
        self.commits.inc();
        self.files.set(i64::try_from(files).unwrap_or(i64::MAX));
        self.commit_seconds.observe(took.as_secs_f64());
        self.commit_rows.inc_by(record.rows());
        self.commit_bytes.inc_by(record.files.iter().map(|file| file.bytes).sum());
        self.last_commit.set(i64::try_from(record.commit_id).unwrap_or(i64::MAX));
        for waited in counters.take_arrivals(record.end_tick) {
            self.latency.observe(waited.as_secs_f64());
        }
        let end = record.end_tick.saturating_mul(record.tick_interval_ns);
        self.committed_time.store(i64::try_from(end).unwrap_or(i64::MAX), Ordering::Relaxed);
        self.committed_at.store(wall_clock::now(), Ordering::Relaxed);
        tracing::info!(
            commit = record.commit_id,
            rows = record.rows(),
            files = record.files.len(),
            seconds = took.as_secs_f64(),
            "committed"
        );
    }

    /// Takes note of the last commit that the outbox has published.
    pub fn published(&self, commit_id: u64) {
        self.outbox_commit.set(i64::try_from(commit_id).unwrap_or(i64::MAX));
    }

    /// The number of the last commit; 0 before the first.
    pub fn last_commit(&self) -> i64 {
        self.last_commit.get()
    }

    /// Follows whether the run has failed.
    pub fn follow_failure(&self, failed: Arc<AtomicBool>) {
        let _ = self.failed.set(failed);
    }

    /// Whether commits are made and everything that is there is read.
    pub fn is_ready(&self) -> bool {
        let committed = self.committed_at.load(Ordering::Relaxed);
        let recent = wall_clock::now().saturating_sub(committed) < 30_000_000_000;
        let caught_up = self.sources.get().is_some_and(|(counters, _)| counters.partitions().values().all(|position| position.at_end));
        let failed = self.failed.get().is_some_and(|failed| failed.load(Ordering::Relaxed));
        committed > 0 && recent && caught_up && !failed
    }

    /// Whether the first commit is made.
    pub fn is_started(&self) -> bool {
        self.last_commit() > 0
    }

    /// Counts the time that each operator of a worker is busy.
    pub fn observe_operators(self: &Arc<Self>, worker: &mut Worker) {
        let busy = self.operator_seconds.clone();
        let mut names =
            std::collections::BTreeMap::<usize, (prometheus::core::GenericCounter<prometheus::core::AtomicF64>, Duration)>::new();
        let Some(mut register) = worker.log_register() else { return };
        register.insert::<TimelyEventBuilder, _>("timely", move |_, events| {
            for (at, event) in events.iter().flat_map(|events| events.iter()) {
                match event {
                    TimelyEvent::Operates(operates) => {
                        names.insert(operates.id, (busy.with_label_values(&[operates.name.as_str()]), Duration::ZERO));
                    }
                    TimelyEvent::Schedule(schedule) => {
                        let Some((counter, began)) = names.get_mut(&schedule.id) else { continue };
                        match schedule.start_stop {
                            StartStop::Start => *began = *at,
                            StartStop::Stop => counter.inc_by(at.saturating_sub(*began).as_secs_f64()),
                        }
                    }
                    _ => {}
                }
            }
        });
    }

    /// Everything as text, as Prometheus reads it.
    pub fn scrape(&self) -> prometheus::Result<String> {
        let _one_at_a_time = self.scraping.lock();
        if let Some((counters, duplicates)) = self.sources.get() {
            self.read_sources(counters);
            let count = duplicates.load(Ordering::Relaxed) as f64;
            self.duplicates.inc_by((count - self.duplicates.get()).max(0.0));
        }
        let committed = self.committed_time.load(Ordering::Relaxed);
        if committed > 0 {
            let now = i64::try_from(wall_clock::now()).unwrap_or(i64::MAX);
            self.frontier_lag.set(now.saturating_sub(committed) as f64 / 1e9);
        }
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }

    fn read_sources(&self, counters: &SourceCounters) {
        for topic in Topic::ALL {
            let Some(counts) = counters.topic(*topic) else { continue };
            for (metric, count) in
                [(&self.records, &counts.records), (&self.bytes, &counts.bytes), (&self.dead_letters, &counts.dead_letters)]
            {
                let counter = metric.with_label_values(&[topic.as_str()]);
                counter.inc_by((count.load(Ordering::Relaxed) as f64 - counter.get()).max(0.0));
            }
        }
        let partitions = counters.partitions();
        // One that has ended holds nobody back.
        let going = partitions.iter().filter(|(_, position)| !position.ended);
        let slowest = going.min_by_key(|(_, position)| position.clock).map(|(key, _)| *key);
        for ((topic, partition), position) in &partitions {
            let labels = [topic.as_str(), &partition.to_string()];
            self.partition_lag.with_label_values(&labels).set(position.high.saturating_sub(position.offset) as f64);
            self.partition_clock.with_label_values(&labels).set(position.clock as f64 / 1e9);
            let holds = slowest == Some((*topic, *partition));
            self.frontier_holder.with_label_values(&labels).set(if holds { 1.0 } else { 0.0 });
        }
    }
}

/// Makes metrics and registers them.
struct Maker<'a> {
    registry: &'a Registry,
}

impl Maker<'_> {
    fn keep<M: prometheus::core::Collector + Clone + 'static>(&self, metric: prometheus::Result<M>) -> prometheus::Result<M> {
        let metric = metric?;
        self.registry.register(Box::new(metric.clone()))?;
        Ok(metric)
    }

    fn counters(&self, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<CounterVec> {
        self.keep(CounterVec::new(Opts::new(name, help), labels))
    }

    fn counter(&self, name: &str, help: &str) -> prometheus::Result<Counter> {
        self.keep(Counter::new(name, help))
    }

    fn int_counter(&self, name: &str, help: &str) -> prometheus::Result<IntCounter> {
        self.keep(IntCounter::new(name, help))
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<GaugeVec> {
        self.keep(GaugeVec::new(Opts::new(name, help), labels))
    }

    fn gauge(&self, name: &str, help: &str) -> prometheus::Result<Gauge> {
        self.keep(Gauge::new(name, help))
    }

    fn int_gauge(&self, name: &str, help: &str) -> prometheus::Result<IntGauge> {
        self.keep(IntGauge::new(name, help))
    }

    fn histogram(&self, name: &str, help: &str) -> prometheus::Result<Histogram> {
        self.keep(Histogram::with_opts(HistogramOpts::new(name, help).buckets(SECONDS.to_vec())))
    }
}
