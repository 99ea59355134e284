//! A picture of the flow: topics, views, commits, outbox, with their rates.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use headwater_connectors::transport::OffsetUnit;
use headwater_schemas::{EventTime, Topic};
use prometheus::core::Collector;
use serde::Serialize;

use super::Metrics;
use crate::wall_clock;

/// Rates are over at least this time.
const SPAN: Duration = Duration::from_secs(2);
/// The busiest views that are shown.
const VIEWS_MAX: usize = 14;

/// A picture of the flow at a moment.
#[derive(Debug, Serialize)]
pub struct FlowReport {
    /// `bytes` or `records`: the unit of lags.
    lag_unit: &'static str,
    topics: Vec<TopicReport>,
    views: Vec<ViewReport>,
    commits: CommitReport,
    outbox: OutboxReport,
}

#[derive(Debug, Serialize)]
struct TopicReport {
    topic: &'static str,
    partitions: usize,
    records: u64,
    records_per_second: f64,
    dead_letters: u64,
    lag: u64,
    /// The slowest clock of its partitions, once each has one.
    clock: Option<String>,
    /// The partition with the slowest clock of all, if it is one of these: nothing is committed beyond it.
    holds_frontier: Option<u32>,
}

#[derive(Debug, Serialize)]
struct ViewReport {
    name: String,
    /// Share of one processor, from 0 on.
    busy: f64,
}

#[derive(Debug, Serialize)]
struct CommitReport {
    last: u64,
    /// Since the last one; none before the first of this run.
    seconds_ago: Option<f64>,
    commits_per_second: f64,
    rows_per_second: f64,
    live_files: i64,
    /// Event time up to which everything is committed.
    frontier: Option<String>,
}

#[derive(Debug, Serialize)]
struct OutboxReport {
    /// 0 if nothing is published.
    commit_id: i64,
}

/// Counts at a moment, from which rates follow.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    at: Instant,
    records: BTreeMap<Topic, f64>,
    busy: BTreeMap<String, f64>,
    commits: f64,
    rows: f64,
}

/// Two samples that are at least a span apart, once there are.
#[derive(Debug, Default)]
pub(super) struct Samples {
    older: Option<Sample>,
    newer: Option<Sample>,
}

impl Samples {
    /// Takes the newest sample, and returns the one to compare it with.
    fn compare(&mut self, now: &Sample) -> Option<Sample> {
        if self.newer.as_ref().is_none_or(|newer| now.at.duration_since(newer.at) >= SPAN) {
            self.older = self.newer.replace(now.clone());
        }
        self.older.clone()
    }
}

impl Metrics {
    /// A picture of the flow.
    pub fn flow(&self) -> FlowReport {
        let now = self.sample();
        let before = match self.samples.lock() {
            Ok(mut samples) => samples.compare(&now),
            Err(_) => None,
        };
        let seconds = before.as_ref().map_or(1.0, |before| now.at.duration_since(before.at).as_secs_f64().max(0.001));
        let rate = |now: f64, before: Option<f64>| before.map_or(0.0, |before| rounded((now - before).max(0.0) / seconds));
        let committed_at = self.committed_at.load(Ordering::Relaxed);
        let age = |at: u64| rounded(wall_clock::now().get().saturating_sub(at) as f64 / 1e9);
        let frontier = self.commit.frontier.get();
        FlowReport {
            lag_unit: match self.source.lag_unit {
                OffsetUnit::Bytes => "bytes",
                OffsetUnit::Records => "records",
            },
            topics: self.topics(|topic, records| rate(records, before.as_ref().and_then(|before| before.records.get(&topic)).copied())),
            views: views(&now, |name, busy| rate(busy, before.as_ref().and_then(|before| before.busy.get(name)).copied())),
            commits: CommitReport {
                last: self.last_commit(),
                seconds_ago: (committed_at > 0).then(|| age(committed_at)),
                commits_per_second: rate(now.commits, before.as_ref().map(|before| before.commits)),
                rows_per_second: rate(now.rows, before.as_ref().map(|before| before.rows)),
                live_files: self.commit.files.get(),
                frontier: (frontier > 0.0).then(|| time_of_seconds(frontier)),
            },
            outbox: OutboxReport { commit_id: self.commit.outbox.get() },
        }
    }

    fn sample(&self) -> Sample {
        let mut records = BTreeMap::new();
        if let Some((counters, _)) = self.sources.get() {
            for topic in Topic::ALL {
                records.extend(counters.topic(*topic).map(|counts| (*topic, counts.records.load(Ordering::Relaxed) as f64)));
            }
        }
        Sample {
            at: Instant::now(),
            records,
            busy: busy_seconds(&self.operator_busy),
            commits: self.commit.commits.get() as f64,
            rows: self.commit.rows.get() as f64,
        }
    }

    fn topics(&self, rate: impl Fn(Topic, f64) -> f64) -> Vec<TopicReport> {
        let Some((counters, _)) = self.sources.get() else { return Vec::new() };
        let partitions = counters.partitions();
        let going = partitions.iter().filter(|(_, position)| !position.ended);
        let holder = going.min_by_key(|(_, position)| position.clock).map(|(partition, _)| *partition);
        let report = |topic: &Topic| {
            let counts = counters.topic(*topic)?;
            let own: Vec<_> = partitions.iter().filter(|((of, _), _)| of == topic).map(|(_, position)| position).collect();
            let clock = own.iter().map(|position| position.clock.get()).min().filter(|clock| *clock > 0);
            let records = counts.records.load(Ordering::Relaxed);
            Some(TopicReport {
                topic: topic.as_str(),
                partitions: own.len(),
                records,
                records_per_second: rate(*topic, records as f64),
                dead_letters: counts.dead_letters.load(Ordering::Relaxed),
                lag: own.iter().map(|position| position.offset.until(position.high)).sum(),
                clock: clock.map(|clock| EventTime::from_nanos(i64::try_from(clock).unwrap_or(i64::MAX)).to_string()),
                holds_frontier: holder.filter(|(of, _)| of == topic).map(|(_, partition)| u32::from(partition)),
            })
        };
        Topic::ALL.iter().filter_map(report).collect()
    }
}

/// The busiest views. Names of timely's own operators begin with a capital letter; reading and writing are shown elsewhere.
fn views(now: &Sample, rate: impl Fn(&str, f64) -> f64) -> Vec<ViewReport> {
    let is_view = |name: &str| {
        let is_ours = name.starts_with(|first: char| first.is_ascii_lowercase());
        is_ours && name != "source" && !["write ", "close ", "publish "].iter().any(|verb| name.starts_with(verb))
    };
    let mut all: Vec<_> = now.busy.iter().filter(|(name, _)| is_view(name)).collect();
    all.sort_by(|(a, spent), (b, other)| other.total_cmp(spent).then_with(|| a.cmp(b)));
    all.truncate(VIEWS_MAX);
    all.sort_by_key(|(name, _)| *name);
    all.into_iter().map(|(name, busy)| ViewReport { name: name.clone(), busy: rate(name, *busy) }).collect()
}

fn busy_seconds(counters: &impl Collector) -> BTreeMap<String, f64> {
    let families = counters.collect();
    let metrics = families.iter().flat_map(|family| family.get_metric());
    metrics.filter_map(|metric| Some((metric.get_label().first()?.value().to_owned(), metric.get_counter().get_value()))).collect()
}

fn rounded(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

/// The time of a gauge in seconds since the epoch, to the microsecond.
fn time_of_seconds(seconds: f64) -> String {
    // A time within some centuries of now fits, and a gauge has no more digits.
    #[expect(clippy::cast_possible_truncation, reason = "beyond the range it becomes the end of it")]
    let micros = (seconds * 1e6).round() as i64;
    EventTime::from_nanos(micros.saturating_mul(1000)).to_string()
}
