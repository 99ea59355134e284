//! Benchmark of the whole pipeline, from a log to the last commit.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use headwater::config::Config;
use headwater::run::{Run, run};
use headwater::simulator::{publish, workload};
use headwater_connectors::log::LogTransport;
use headwater_connectors::source::SourceCounters;
use headwater_connectors::transport::{ReadStatus, Transport};
use headwater_schemas::events::Event;
use headwater_schemas::{Offset, Topic};

use crate::process::{cpu_time, resident_mib};

/// A simulated log, and the workers that read it.
#[derive(Args)]
pub(crate) struct Input {
    /// Simulated records.
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) events: usize,
    /// Partitions of each topic.
    #[arg(long, default_value_t = 2)]
    partitions: u16,
    /// Worker threads of the pipeline.
    #[arg(long, default_value_t = 1)]
    pub(crate) workers: usize,
}

impl Input {
    /// Writes the log.
    pub(crate) fn write(&self, log: &Path) -> anyhow::Result<()> {
        let transport = LogTransport::new(log);
        for topic in Topic::ALL {
            transport.create_topic(topic.as_str(), if topic.is_table() { 1 } else { self.partitions })?;
        }
        let mut publisher = transport.publisher()?;
        publish(workload(1, self.events), publisher.as_mut(), |topic| topic.as_str().to_owned())?;
        publisher.flush().context("writing the log")
    }
}

/// Arguments of `flow`.
#[derive(Args)]
pub(crate) struct FlowArguments {
    #[command(flatten)]
    input: Input,
    /// Directory of the simulated log; an existing log is read unchanged.
    #[arg(long)]
    log: Option<std::path::PathBuf>,
    /// Configuration file.
    #[arg(long)]
    config: Option<std::path::PathBuf>,
}

/// The whole pipeline over a log, from its first record to the last commit; for comparison, reading and decoding alone.
pub(crate) fn flow(arguments: &FlowArguments) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let log = arguments.log.clone().unwrap_or_else(|| folder.path().join("log"));
    if !log.exists() {
        arguments.input.write(&log)?;
    }
    let transport: Arc<dyn Transport> = Arc::new(LogTransport::new(&log));
    let (records, alone, _) = timed(|| read_and_decode(transport.as_ref()))?;
    say("reading and decoding alone", records, alone.0, alone.1);

    let mut config = Config::load(arguments.config.as_deref())?;
    config.http.address = String::new();
    let counters = Arc::<SourceCounters>::default();
    let over = Arc::new(AtomicBool::new(false));
    let data = folder.path().join("data");
    let watch = watch(Arc::clone(&counters), data.clone(), Arc::clone(&over));
    let (read, pipeline, ()) = timed(|| {
        run(Run {
            until_end: true,
            workers: arguments.input.workers,
            counters: Arc::clone(&counters),
            ..Run::new(transport, data.clone(), config)
        })?;
        Ok((counters.records(), ()))
    })?;
    over.store(true, Ordering::Relaxed);
    watch.join().map_err(|_| anyhow::anyhow!("the watch died"))?;
    say("the whole pipeline", read, pipeline.0, pipeline.1);
    println!("files at the end: {}", files_below(&data));
    println!("ratio in processor time {:.1}; at most {} MiB resident", pipeline.1.as_secs_f64() / alone.1.as_secs_f64(), resident_mib().1);
    Ok(())
}

/// Runs some work; returns its result, with wall time and processor time.
fn timed<T>(work: impl FnOnce() -> anyhow::Result<(u64, T)>) -> anyhow::Result<(u64, (Duration, Duration), T)> {
    let (began, used) = (Instant::now(), cpu_time());
    let (records, result) = work()?;
    Ok((records, (began.elapsed(), cpu_time().saturating_sub(used)), result))
}

fn say(what: &str, records: u64, wall: Duration, cpu: Duration) {
    let rate = |time: Duration| Duration::from_secs(records).as_secs_f64() / time.as_secs_f64() / 1e3;
    println!(
        "{what}: {records} records in {:.2} s ({:.0} thousand/s), {:.2} s of processors ({:.0} thousand/s/core)",
        wall.as_secs_f64(),
        rate(wall),
        cpu.as_secs_f64(),
        rate(cpu)
    );
}

/// Every record of every topic, decoded and dropped.
fn read_and_decode(transport: &dyn Transport) -> anyhow::Result<(u64, ())> {
    let mut reader = transport.reader(Box::new(|| {}))?;
    let mut records = 0;
    for topic in Topic::ALL {
        for partition in transport.partitions(topic.as_str())? {
            let slot = reader.assign(topic.as_str(), partition.partition, Offset::ZERO)?;
            loop {
                let mut count = |record: headwater_connectors::transport::RawRecord<'_>| {
                    let _ = std::hint::black_box(Event::decode(*topic, record.key, record.value));
                    records += 1;
                    ControlFlow::Continue(())
                };
                if reader.read(slot, 4096, &mut count)? != ReadStatus::More {
                    break;
                }
            }
        }
    }
    Ok((records, ()))
}

/// Number of files below a folder. Files that are removed meanwhile are not counted.
fn files_below(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| if entry.file_type().is_ok_and(|kind| kind.is_dir()) { files_below(&entry.path()) } else { 1 }).sum()
}

/// Prints memory, and the files of the data directory, at every million records, until the run ends.
fn watch(counters: Arc<SourceCounters>, data: PathBuf, over: Arc<AtomicBool>) -> thread::JoinHandle<()> {
    const EVERY: u64 = 1_000_000;
    thread::spawn(move || {
        let began = Instant::now();
        let mut next = EVERY;
        while !over.load(Ordering::Relaxed) {
            let records = counters.records();
            if records >= next {
                next = (records / EVERY + 1) * EVERY;
                println!(
                    "  {:.1} s: {:.1} million records, {} MiB resident, {} files",
                    began.elapsed().as_secs_f64(),
                    Duration::from_micros(records).as_secs_f64(),
                    resident_mib().0,
                    files_below(&data)
                );
            }
            thread::sleep(Duration::from_millis(20));
        }
    })
}
