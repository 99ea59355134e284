//! A simulated market and bank, as a log.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use headwater::simulator::{PlantedCase, Record, Simulator, SimulatorSettings, Workload};
use headwater_connectors::transport::partition_of;
use headwater_schemas::EventTime;

use crate::pipeline::write_log;

/// Lines by topic and partition.
pub type Partitions = BTreeMap<(String, u16), Vec<String>>;

/// Simulated records as lines, with `partitions` partitions per topic.
pub fn workload(records: usize, partitions: u16, seed: u64) -> Partitions {
    let settings = SimulatorSettings { history_days: 30, retail_customers: 100, seed, ..SimulatorSettings::default() };
    lines(Workload::new(settings, records), partitions)
}

/// The simulated records of half a minute, and the cases planted in it that are complete.
pub fn half_a_minute(partitions: u16, seed: u64) -> (Partitions, Vec<PlantedCase>) {
    let settings = SimulatorSettings { history_days: 30, retail_customers: 300, seed, ..SimulatorSettings::default() };
    let end = EventTime::from_nanos(settings.start.nanos() + 30_000_000_000);
    let mut simulator = Simulator::new(settings);
    let mut records = simulator.opening();
    records.extend(simulator.advance(end));
    let complete = |case: &PlantedCase| case.complete_at <= end;
    (lines(records, partitions), simulator.planted_cases().into_iter().filter(complete).collect())
}

fn lines(records: impl IntoIterator<Item = Record>, partitions: u16) -> Partitions {
    let mut files = Partitions::new();
    for record in records {
        let partition = record.key.as_ref().map_or(0, |key| partition_of(key.as_bytes(), partitions));
        let line = String::from_utf8_lossy(&record.value).replace('\n', " ");
        files.entry((record.topic.to_string(), partition)).or_default().push(line);
    }
    files
}

/// Writes them into a log.
pub fn write(log: &Path, files: &Partitions) -> Result<()> {
    files.iter().try_for_each(|((topic, partition), lines)| write_log(log, topic, *partition, &(lines.join("\n") + "\n")))
}
