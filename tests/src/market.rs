//! A simulated market and bank, as a log.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use headwater::simulator::{SimulatorSettings, Workload};
use headwater_connectors::transport::partition_of;

use crate::pipeline::write_log;

/// Lines by topic and partition.
pub type Partitions = BTreeMap<(String, u16), Vec<String>>;

/// Simulated records as lines, with `partitions` partitions per topic.
pub fn workload(records: usize, partitions: u16, seed: u64) -> Partitions {
    let settings = SimulatorSettings { history_days: 30, retail_customers: 100, seed, ..SimulatorSettings::default() };
    let mut files = Partitions::new();
    for record in Workload::new(settings, records) {
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
