//! Metrics in Prometheus's text format: `headwater_<noun>_<unit>`, in base units, counters with `_total`.
//!
//! `docs/dashboards.md` lists them for users; a scenario compares it with what a run exports.

mod flow;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use headwater_connectors::bucket::BucketCounters;
use headwater_connectors::parquet::commit::Committed;
use headwater_connectors::parquet::record::CommitRecord;
use headwater_connectors::registry::RegistryCounters;
use headwater_connectors::source::SourceCounters;
use headwater_connectors::transport::OffsetUnit;
use headwater_schemas::{EffectiveTime, Nanos, Tick, Topic};
use prometheus::core::Collector;
use prometheus::{Counter, CounterVec, Gauge, GaugeVec, Histogram, HistogramOpts, IntCounter, IntGauge, Opts, Registry, TextEncoder};
use timely::logging::{OperatesEvent, ScheduleEvent, StartStop, TimelyEvent, TimelyEventBuilder};
use timely::worker::Worker;

pub use flow::FlowReport;
use flow::Samples;

use crate::wall_clock;

/// Media type of [`Metrics::scrape`].
pub const MEDIA_TYPE: &str = prometheus::TEXT_FORMAT;

/// Buckets of durations, in seconds: from a millisecond to two minutes.
const SECONDS: [f64; 14] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 120.0];

/// Settings of a process's metrics.
#[derive(Clone, Copy, Debug)]
pub struct MetricsSettings {
    /// Unit of the partitions' lag.
    pub lag_unit: OffsetUnit,
    /// Whether this process publishes the commits: of a cluster, only process 0 does.
    pub publishes_commits: bool,
    /// Maximum age of the last commit while the process is ready.
    pub fresh_for: Duration,
}

/// Metrics of a process, and what its health and progress report.
pub struct Metrics {
    registry: Registry,
    source: SourceMetrics,
    commit: CommitMetrics,
    reports_made: IntCounter,
    reports_failed: IntCounter,
    duplicates: Counter,
    registry_schemas: IntGauge,
    registry_failed: Counter,
    bucket_sent: Counter,
    bucket_received: Counter,
    bucket_failed: Counter,
    worker_busy: CounterVec,
    operator_busy: CounterVec,
    schemas: OnceLock<Arc<RegistryCounters>>,
    bucket: OnceLock<Arc<BucketCounters>>,
    sources: OnceLock<(Arc<SourceCounters>, Arc<AtomicU64>)>,
    /// Number of the last commit, whichever process published it; 0 before the first.
    last_commit: AtomicU64,
    /// The wall clock at the last commit, in nanoseconds since the epoch; 0 before the first.
    committed_at: AtomicU64,
    fresh_for: Duration,
    /// Whether the run has failed, as it is ending.
    failed: OnceLock<Arc<AtomicBool>>,
    scraping: Mutex<()>,
    samples: Mutex<Samples>,
}

/// Metrics of reading.
struct SourceMetrics {
    records: CounterVec,
    bytes: CounterVec,
    dead_letters: CounterVec,
    read_to_commit: Histogram,
    lag_unit: OffsetUnit,
    lag: GaugeVec,
    clock: GaugeVec,
    frontier_holder: GaugeVec,
}

/// Metrics of commits.
struct CommitMetrics {
    commits: IntCounter,
    rows: IntCounter,
    bytes: IntCounter,
    duration: Histogram,
    last: IntGauge,
    files: IntGauge,
    frontier: Gauge,
    outbox: IntGauge,
}

impl Metrics {
    /// All metrics at zero.
    pub fn new(settings: MetricsSettings) -> prometheus::Result<Self> {
        let registry = Registry::new();
        register_process(&registry)?;
        let maker = Maker { registry: &registry };
        let version = maker.gauges("headwater_build_info", "Version of the program. Always 1.", &["version"])?;
        version.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1.0);
        // The commits of a cluster are published, and so reported, by one process.
        let unreported = Registry::new();
        let committing = if settings.publishes_commits { &registry } else { &unreported };
        Ok(Self {
            source: SourceMetrics::new(&maker, settings.lag_unit)?,
            commit: CommitMetrics::new(&Maker { registry: committing })?,
            reports_made: Maker { registry: committing }
                .int_counter("headwater_made_reports_total", "Documents of reports that the calendar has made, each format as one.")?,
            reports_failed: Maker { registry: committing }.int_counter(
                "headwater_failed_reports_total",
                "Attempts to make documents of reports of the calendar that failed; each is made again after a later commit.",
            )?,
            duplicates: maker.counter(
                "headwater_duplicate_events_total",
                "Events left out because the same event, with the same content, was accepted before.",
            )?,
            registry_schemas: maker.int_gauge(
                "headwater_registry_schemas",
                "Schemas of Avro records that the schema registry has answered since the process began.",
            )?,
            registry_failed: maker.counter(
                "headwater_registry_failed_requests_total",
                "Requests for schemas of Avro records that the schema registry did not answer; each is made again.",
            )?,
            bucket_sent: maker.counter("headwater_bucket_sent_bytes_total", "Bytes written to the bucket.")?,
            bucket_received: maker.counter("headwater_bucket_received_bytes_total", "Bytes read from the bucket.")?,
            bucket_failed: maker
                .counter("headwater_bucket_failed_requests_total", "Requests that the bucket did not answer; each is made again.")?,
            schemas: OnceLock::new(),
            bucket: OnceLock::new(),
            worker_busy: maker.counters(
                "headwater_worker_busy_seconds_total",
                "Seconds that the worker thread spent in operators and in tracking their progress.",
                &["worker"],
            )?,
            operator_busy: maker.counters(
                "headwater_operator_busy_seconds_total",
                "Seconds that worker threads spent in operators of this name, added up over workers.",
                &["operator"],
            )?,
            sources: OnceLock::new(),
            last_commit: AtomicU64::new(0),
            committed_at: AtomicU64::new(0),
            fresh_for: settings.fresh_for,
            failed: OnceLock::new(),
            scraping: Mutex::new(()),
            samples: Mutex::default(),
            registry,
        })
    }

    /// Exports the counters of the sources.
    pub fn follow(&self, counters: Arc<SourceCounters>, duplicates: Arc<AtomicU64>) {
        let _ = self.sources.set((counters, duplicates));
    }

    /// Exports the counters of the schema registry.
    pub fn follow_registry(&self, counters: Arc<RegistryCounters>) {
        let _ = self.schemas.set(counters);
    }

    /// Exports the counters of the bucket.
    pub fn follow_bucket(&self, counters: Arc<BucketCounters>) {
        let _ = self.bucket.set(counters);
    }

    /// Reports a commit that this process published, and the number of live files after it.
    pub fn committed(&self, record: &CommitRecord, took: Duration, files: usize) {
        self.commit.observe(record, took, files);
        tracing::info!(
            commit = record.commit_id,
            rows = record.rows(),
            files = record.files.len(),
            seconds = took.as_secs_f64(),
            "committed"
        );
    }

    /// Reports a commit, whichever process published it, that contains rows of this process. Workers may report it more than once.
    pub fn on_commit(&self, commit: Committed) {
        if let Some((counters, _)) = self.sources.get() {
            self.source.committed(counters, commit.end_tick);
        }
        self.last_commit.fetch_max(commit.commit_id, Ordering::Relaxed);
        self.committed_at.store(wall_clock::now().get(), Ordering::Relaxed);
    }

    /// Reports the last commit that the outbox has published.
    pub fn published(&self, commit_id: u64) {
        self.commit.outbox.set(i64::try_from(commit_id).unwrap_or(i64::MAX));
    }

    /// Counts a document of the calendar of reports.
    pub fn report_made(&self) {
        self.reports_made.inc();
    }

    /// Counts a document of the calendar of reports that could not be made.
    pub fn report_failed(&self) {
        self.reports_failed.inc();
    }

    /// Number of the last commit, whichever process published it; 0 before the first of this run.
    pub fn last_commit(&self) -> u64 {
        self.last_commit.load(Ordering::Relaxed)
    }

    /// Watches whether the run has failed.
    pub fn follow_failure(&self, failed: Arc<AtomicBool>) {
        let _ = self.failed.set(failed);
    }

    /// Whether commits are made with a part from this process, and it has read all records available to it.
    pub fn is_ready(&self) -> bool {
        let committed = EffectiveTime::new(self.committed_at.load(Ordering::Relaxed));
        let recent = wall_clock::now().since(committed) < Nanos::from(self.fresh_for);
        let caught_up = self.sources.get().is_some_and(|(counters, _)| counters.partitions().values().all(|position| position.at_end));
        let failed = self.failed.get().is_some_and(|failed| failed.load(Ordering::Relaxed));
        committed > EffectiveTime::ZERO && recent && caught_up && !failed
    }

    /// Whether the first commit of this run is made.
    pub fn is_started(&self) -> bool {
        self.last_commit() > 0
    }

    /// Counts the time that a worker and each of its operators are busy.
    pub fn observe_operators(self: &Arc<Self>, worker: &mut Worker) {
        let mut busy = Busy { metrics: Arc::clone(self), worker: worker.index().to_string(), running: BTreeMap::new() };
        let Some(mut register) = worker.log_register() else { return };
        register.insert::<TimelyEventBuilder, _>("timely", move |_, events| {
            for (at, event) in events.iter().flat_map(|events| events.iter()) {
                match event {
                    TimelyEvent::Operates(operates) => busy.begin(operates),
                    TimelyEvent::Schedule(schedule) => busy.schedule(schedule, *at),
                    _ => {}
                }
            }
        });
    }

    /// All metrics as text, in the format of [`MEDIA_TYPE`].
    pub fn scrape(&self) -> prometheus::Result<String> {
        let _one_at_a_time = self.scraping.lock();
        if let Some((counters, duplicates)) = self.sources.get() {
            self.source.read(counters);
            raise(&self.duplicates, duplicates);
        }
        if let Some(counters) = self.schemas.get() {
            self.registry_schemas.set(i64::try_from(counters.schemas.load(Ordering::Relaxed)).unwrap_or(i64::MAX));
            raise(&self.registry_failed, &counters.unanswered);
        }
        if let Some(counters) = self.bucket.get() {
            raise(&self.bucket_sent, &counters.sent_bytes);
            raise(&self.bucket_received, &counters.received_bytes);
            raise(&self.bucket_failed, &counters.unanswered);
        }
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

impl SourceMetrics {
    fn new(maker: &Maker<'_>, lag_unit: OffsetUnit) -> prometheus::Result<Self> {
        let (lag, lag_help) = match lag_unit {
            OffsetUnit::Records => (
                "headwater_partition_lag_records",
                "Records of the Kafka partition that are not read yet, as offsets count them: markers of transactions are included.",
            ),
            OffsetUnit::Bytes => ("headwater_partition_lag_bytes", "Bytes of the log's partition that are not read yet."),
        };
        Ok(Self {
            records: maker.counters("headwater_source_records_total", "Records read, rejected ones included.", &["topic"])?,
            bytes: maker.counters("headwater_source_bytes_total", "Bytes of the keys and values of records read.", &["topic"])?,
            dead_letters: maker.counters(
                "headwater_dead_letters_total",
                "Records rejected by the source or by an operator; each is a row of the table dead_letters.",
                &["topic"],
            )?,
            read_to_commit: maker.histogram(
                "headwater_read_to_commit_seconds",
                "Seconds from reading a stride of records, up to source.stride of a partition, \
                 to the publication of the commit that holds their results.",
            )?,
            lag_unit,
            lag: maker.gauges(lag, lag_help, &["topic", "partition"])?,
            clock: maker.gauges(
                "headwater_partition_clock_timestamp_seconds",
                "Clock of the partition, in seconds since the Unix epoch: the greatest event time read from it; \
                 at its end the wall clock less time.idle_allowance; 0 before the first event time.",
                &["topic", "partition"],
            )?,
            frontier_holder: maker.gauges(
                "headwater_frontier_holder_info",
                "Partition with the slowest clock of those that this process reads: nothing is committed beyond it. Always 1.",
                &["topic", "partition"],
            )?,
        })
    }

    /// Reports the waiting times of the strides that a commit of everything below `end_tick` contains.
    fn committed(&self, counters: &SourceCounters, end_tick: Tick) {
        for waited in counters.committed(end_tick) {
            self.read_to_commit.observe(waited.as_secs_f64());
        }
    }

    fn read(&self, counters: &SourceCounters) {
        for topic in Topic::ALL {
            let Some(counts) = counters.topic(*topic) else { continue };
            for (metric, count) in
                [(&self.records, &counts.records), (&self.bytes, &counts.bytes), (&self.dead_letters, &counts.dead_letters)]
            {
                raise(&metric.with_label_values(&[topic.as_str()]), count);
            }
        }
        let partitions = counters.partitions();
        for ((topic, partition), position) in &partitions {
            let labels = [topic.as_str(), &partition.to_string()];
            self.lag.with_label_values(&labels).set(position.offset.until(position.high) as f64);
            self.clock.with_label_values(&labels).set(position.clock.get() as f64 / 1e9);
        }
        // A partition that has ended does not lag.
        let going = partitions.iter().filter(|(_, position)| !position.ended);
        self.frontier_holder.reset();
        if let Some(((topic, partition), _)) = going.min_by_key(|(_, position)| position.clock) {
            self.frontier_holder.with_label_values(&[topic.as_str(), &partition.to_string()]).set(1.0);
        }
    }
}

impl CommitMetrics {
    fn new(maker: &Maker<'_>) -> prometheus::Result<Self> {
        Ok(Self {
            commits: maker.int_counter("headwater_commits_total", "Commits published by this process.")?,
            rows: maker.int_counter("headwater_committed_rows_total", "Rows committed, over all tables.")?,
            bytes: maker.int_counter(
                "headwater_committed_bytes_total",
                "Bytes of the files that commits added: segments, and the Parquet that replaces them.",
            )?,
            duration: maker.histogram(
                "headwater_commit_duration_seconds",
                "Seconds from closing a commit to its publication: encoding, syncing, and waiting for the slowest worker.",
            )?,
            last: maker.int_gauge("headwater_last_commit_id", "Number of the last commit; 0 before the first of this process.")?,
            files: maker.int_gauge("headwater_live_files", "Files, and parts of segments, that exist as of the last commit.")?,
            frontier: maker.gauge(
                "headwater_commit_frontier_timestamp_seconds",
                "Event time up to which everything is committed, in seconds since the Unix epoch; 0 before the first commit.",
            )?,
            outbox: maker.int_gauge(
                "headwater_outbox_commit_id",
                "Number of the last commit whose records are published as topics; 0 if nothing is published.",
            )?,
        })
    }

    fn observe(&self, record: &CommitRecord, took: Duration, files: usize) {
        self.commits.inc();
        self.rows.inc_by(record.rows());
        self.bytes.inc_by(record.files.iter().map(|file| file.bytes).sum());
        self.duration.observe(took.as_secs_f64());
        self.last.set(i64::try_from(record.commit_id).unwrap_or(i64::MAX));
        self.files.set(i64::try_from(files).unwrap_or(i64::MAX));
        self.frontier.set(record.clock().start_of(record.end_tick).get() as f64 / 1e9);
    }
}

/// Busy time of one worker, from timely's log.
struct Busy {
    metrics: Arc<Metrics>,
    worker: String,
    /// By operator: its counter, and when it was last started.
    running: BTreeMap<usize, (Counter, Duration)>,
}

impl Busy {
    fn begin(&mut self, operates: &OperatesEvent) {
        // The dataflow itself, which contains all operators, is the only one with a top-level address.
        let counter = match operates.addr.as_slice() {
            [_] => self.metrics.worker_busy.with_label_values(&[self.worker.as_str()]),
            _ => self.metrics.operator_busy.with_label_values(&[operates.name.as_str()]),
        };
        self.running.insert(operates.id, (counter, Duration::ZERO));
    }

    fn schedule(&mut self, schedule: &ScheduleEvent, at: Duration) {
        let Some((counter, began)) = self.running.get_mut(&schedule.id) else { return };
        match schedule.start_stop {
            StartStop::Start => *began = at,
            StartStop::Stop => counter.inc_by(at.saturating_sub(*began).as_secs_f64()),
        }
    }
}

/// Raises a counter to a count that is kept elsewhere.
fn raise(counter: &Counter, count: &AtomicU64) {
    counter.inc_by((count.load(Ordering::Relaxed) as f64 - counter.get()).max(0.0));
}

/// Processor time, memory, threads and open files of the process; on Linux only.
fn register_process(registry: &Registry) -> prometheus::Result<()> {
    #[cfg(target_os = "linux")]
    {
        let process = i32::try_from(std::process::id()).map_err(|error| prometheus::Error::Msg(error.to_string()))?;
        registry.register(Box::new(prometheus::process_collector::ProcessCollector::new(process, "headwater")))?;
    }
    Ok(())
}

/// Creates metrics and registers them.
struct Maker<'a> {
    registry: &'a Registry,
}

impl Maker<'_> {
    fn keep<M: Collector + Clone + 'static>(&self, metric: prometheus::Result<M>) -> prometheus::Result<M> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics(publishes_commits: bool, fresh_for: Duration) -> prometheus::Result<Metrics> {
        let metrics = Metrics::new(MetricsSettings { lag_unit: OffsetUnit::Bytes, publishes_commits, fresh_for })?;
        metrics.follow(Arc::default(), Arc::default());
        Ok(metrics)
    }

    #[test]
    fn a_process_is_started_and_ready_by_commits_whichever_process_publishes_them() -> prometheus::Result<()> {
        for publishes_commits in [true, false] {
            let (metrics, failed) = (metrics(publishes_commits, Duration::from_secs(30))?, Arc::<AtomicBool>::default());
            metrics.follow_failure(Arc::clone(&failed));
            assert!(!metrics.is_started() && !metrics.is_ready(), "nothing is committed");
            // Each worker reports commits at its own time.
            for commit_id in [1, 2, 1] {
                metrics.on_commit(Committed { commit_id, end_tick: Tick::new(commit_id * 100), is_cut: false });
            }
            assert!(metrics.is_started() && metrics.is_ready());
            assert_eq!(metrics.last_commit(), 2);
            failed.store(true, Ordering::Relaxed);
            assert!(metrics.is_started() && !metrics.is_ready(), "the run is ending");
        }
        Ok(())
    }

    #[test]
    fn a_process_whose_last_commit_is_old_is_not_ready() -> prometheus::Result<()> {
        let metrics = metrics(false, Duration::ZERO)?;
        metrics.on_commit(Committed { commit_id: 1, end_tick: Tick::new(100), is_cut: false });
        assert!(metrics.is_started() && !metrics.is_ready());
        Ok(())
    }
}
