//! Benchmark of latency from publishing to commit, in a live run.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use headwater::config::Config;
use headwater::run::{Run, run};
use headwater::simulator::{Simulator, SimulatorSettings, publish};
use headwater::wall_clock::wall_clock;
use headwater_connectors::log::LogTransport;
use headwater_connectors::parquet::directory::record_path;
use headwater_connectors::parquet::record::CommitRecord;
use headwater_connectors::transport::Transport;
use headwater_schemas::{EventTime, Offset, Topic};

use crate::measure::quantile;

/// Arguments of `latency`.
#[derive(Args)]
pub(crate) struct LatencyArguments {
    /// Events per second.
    #[arg(long, default_value_t = 2_000)]
    rate: u32,
    /// Seconds of publishing.
    #[arg(long, default_value_t = 15)]
    seconds: u64,
    /// Milliseconds between commits.
    #[arg(long, default_value_t = 1_000)]
    commit_ms: u64,
    /// Worker threads of the pipeline.
    #[arg(long, default_value_t = 1)]
    workers: usize,
}

/// Time of publishing before measuring: until the initial records are committed.
const WARM_UP: Duration = Duration::from_secs(8);
/// Interval at which producers publish.
const STEP: Duration = Duration::from_millis(5);

/// Publishes at a steady rate, and observes when a commit has read the published records. So the result covers everything: into
/// the log, through the dataflow, into Parquet, synced, and the record published.
pub(crate) fn latency(arguments: &LatencyArguments) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (log, data) = (folder.path().join("log"), folder.path().join("data"));
    let transport = Arc::new(LogTransport::new(&log));
    for topic in Topic::ALL {
        transport.create_topic(topic.as_str(), 1)?;
    }
    let mut config = Config::default();
    config.http.address = String::new();
    config.commit.interval = Duration::from_millis(arguments.commit_ms);

    let settings = SimulatorSettings { start: now(), ..SimulatorSettings::default() }.at_rate(arguments.rate);
    let mut simulator = Simulator::new(settings);
    let mut publisher = transport.publisher()?;
    publish(simulator.opening(), publisher.as_mut(), |topic| topic.as_str().to_owned())?;
    publisher.flush()?;

    let stop = Arc::new(AtomicBool::new(false));
    let (sender, published) = mpsc::channel();
    let producer = {
        let (stop, transport, seconds) = (Arc::clone(&stop), Arc::clone(&transport), arguments.seconds);
        thread::spawn(move || -> anyhow::Result<()> {
            let began = Instant::now();
            let until = began + WARM_UP + Duration::from_secs(seconds);
            while Instant::now() < until {
                publish(simulator.advance(now()), publisher.as_mut(), |topic| topic.as_str().to_owned())?;
                publisher.flush()?;
                let at = Instant::now();
                for topic in Topic::ALL.iter().filter(|_| at - began > WARM_UP) {
                    let high = transport.partitions(topic.as_str())?.first().map_or(Offset::ZERO, |partition| partition.high);
                    // The receiver is gone: the run has ended, and reports why.
                    let _ = sender.send((topic.as_str(), high, at));
                }
                thread::sleep(STEP);
            }
            // Time for the last commits, which are measured, too.
            thread::sleep(Duration::from_secs(2));
            stop.store(true, Ordering::Relaxed);
            Ok(())
        })
    };
    let follower = {
        let (data, over) = (data.clone(), Arc::clone(&stop));
        thread::spawn(move || follow(&data, &published, &over))
    };
    run(Run { workers: arguments.workers, stop, ..Run::new(transport, data, config) })?;
    producer.join().map_err(|_| anyhow::anyhow!("the producer died"))??;
    let mut waited = follower.join().map_err(|_| anyhow::anyhow!("the follower died"))??;
    waited.sort_unstable();
    let at = |part| quantile(&waited, part).as_millis();
    println!(
        "{} events/s, a commit every {} ms: from publishing to commit p50 {} ms, p90 {} ms, p99 {} ms, most {} ms ({} batches)",
        arguments.rate,
        arguments.commit_ms,
        at(500),
        at(900),
        at(990),
        at(1000),
        waited.len()
    );
    Ok(())
}

pub(crate) fn now() -> EventTime {
    EventTime::from_effective(wall_clock()())
}

type Published = (&'static str, Offset, Instant);

/// How long each batch waited for the commit that contains it.
fn follow(data: &Path, published: &mpsc::Receiver<Published>, over: &AtomicBool) -> anyhow::Result<Vec<Duration>> {
    let mut waiting: BTreeMap<&str, VecDeque<(Offset, Instant)>> = BTreeMap::new();
    let mut last: BTreeMap<&str, Offset> = BTreeMap::new();
    let mut waited = Vec::new();
    let mut next = 1;
    while !over.load(Ordering::Relaxed) {
        let path = record_path(data, next);
        if !path.exists() {
            thread::sleep(Duration::from_millis(1));
            continue;
        }
        let seen = Instant::now();
        let record: CommitRecord = serde_json::from_slice(&std::fs::read(&path)?).with_context(|| format!("reading {}", path.display()))?;
        for (topic, high, at) in published.try_iter() {
            if last.insert(topic, high) != Some(high) {
                waiting.entry(topic).or_default().push_back((high, at));
            }
        }
        for partition in &record.partitions {
            let Some(batches) = waiting.get_mut(partition.topic.as_str()) else { continue };
            while let Some((_, at)) = batches.pop_front_if(|(high, at)| *high <= partition.offset && *at <= seen) {
                waited.push(seen.duration_since(at));
            }
        }
        next += 1;
    }
    Ok(waited)
}
