//! `headwater topics`: creates missing topics, and lists partitions, lag and dead letters.

use std::collections::BTreeMap;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use headwater_connectors::parquet::chain::Chain;
use headwater_connectors::parquet::record::PartitionProgress;
use headwater_connectors::registry::{Found, WriterSchemas};
use headwater_connectors::transport::{OffsetUnit, PartitionState, ReadStatus, Transport, TransportError};
use headwater_schemas::avro::framed;
use headwater_schemas::tables::{DeadLetter, TableRow};
use headwater_schemas::{Offset, Topic};
use headwater_sql::Catalog;
use serde::Deserialize;

use crate::avro::{Avro, Connecting};
use crate::config::Config;
use crate::location;
use crate::outbox::PUBLISHED;
use crate::rejected::{Rejected, summarize};
use crate::resume::{Recognizer, is_of_other_records};

/// Creates missing topics with this many partitions, and then lists all topics; with a data directory also how far it has read
/// them.
pub fn topics(
    transport: &dyn Transport,
    config: &Config,
    partitions: u16,
    data: Option<&Path>,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let names = &config.source;
    let committed = data.map(committed).transpose()?;
    let lag = if data.is_some() { format!(" {:>14} {:>14}", "committed", "lag") } else { String::new() };
    let read = Topic::ALL.iter().map(|topic| (Some(topic.as_str()), names.name_of(*topic)));
    let published = PUBLISHED.iter().map(|published| (None, names.outside(published.name)));
    let mut listed = Vec::new();
    for (topic, name) in read.chain(published) {
        let created = transport.create_topic(&name, partitions)?;
        listed.push((topic, name, created));
    }
    let (recognizer, mut others) = (Recognizer::new(transport), 0_usize);
    writeln!(out, "{:<24} {:>9} {:>14} {:>14}{lag}", "topic", "partition", "first offset", "end offset")?;
    for (topic, name, created) in listed {
        for state in transport.partitions(&name)? {
            let lag = match committed.as_ref().zip(topic) {
                // A topic that is only published is not read.
                None => String::new(),
                Some((committed, topic)) => {
                    let progress = committed.get(&(topic.to_owned(), state.partition));
                    let is_other = progress.map(|progress| is_of_another_source(&recognizer, &name, progress, &state)).transpose()?;
                    let is_other = is_other.unwrap_or(false);
                    others += usize::from(is_other);
                    match progress.filter(|_| !is_other) {
                        Some(progress) => format!(" {:>14} {:>14}", progress.offset, lag_of(transport, &name, progress.offset, &state)?),
                        None => format!(" {:>14} {:>14}", "-", "-"),
                    }
                }
            };
            let note = if created { "  created" } else { "" };
            writeln!(out, "{name:<24} {:>9} {:>14} {:>14}{lag}{note}", state.partition, state.low, state.high)?;
        }
    }
    if let Some(data) = data.filter(|_| others > 0) {
        let positions = if others == 1 { "1 position".to_owned() } else { format!("{others} positions") };
        writeln!(out, "not of this source: {positions} of {}, which has read other records there", data.display())?;
    }
    for unread in location::unread(transport, names)? {
        writeln!(out, "not read: {unread}")?;
    }
    let (rejected, what) = match data {
        Some(data) => (in_table(data)?, format!("in {}", data.display())),
        None => {
            let topic = names.outside(DeadLetter::SPEC.name);
            (in_topic(transport, &topic, config)?, format!("in the topic {topic}"))
        }
    };
    Ok(summarize(&rejected, &what, data, out)?)
}

/// The position in each partition after the last commit.
fn committed(data: &Path) -> anyhow::Result<BTreeMap<(String, u16), PartitionProgress>> {
    let chain = Chain::open(data, None)?;
    let partitions = chain.commits().last().map(|commit| commit.partitions.as_slice()).unwrap_or_default();
    Ok(partitions.iter().map(|progress| ((progress.topic.clone(), progress.partition), progress.clone())).collect())
}

/// Whether a position is not one of this source. An error where the records before it cannot be read.
fn is_of_another_source(
    recognizer: &Recognizer<'_>,
    name: &str,
    progress: &PartitionProgress,
    state: &PartitionState,
) -> Result<bool, TransportError> {
    is_of_other_records(progress, state, |was| recognizer.is_as_read(name, progress.partition, progress.offset, was))
}

/// The distance from an offset to the end of a partition. Lines without events that end a log are no lag: no commit passes them.
fn lag_of(transport: &dyn Transport, name: &str, offset: Offset, state: &PartitionState) -> anyhow::Result<u64> {
    let lag = offset.until(state.high);
    if lag == 0 || offset < state.low || transport.offset_unit() != OffsetUnit::Bytes {
        return Ok(lag);
    }
    let mut reader = transport.reader(Box::new(|| ()))?;
    let slot = reader.assign(name, state.partition, offset)?;
    let mut has_records = false;
    reader.read(slot, 1, &mut |_| {
        has_records = true;
        ControlFlow::Break(())
    })?;
    Ok(if has_records { lag } else { 0 })
}

/// A dead letter as JSON.
#[derive(Deserialize)]
struct Letter {
    topic: String,
    partition: i32,
    offset: Offset,
    code: String,
    error: String,
}

fn add(rejected: &mut BTreeMap<String, Rejected>, Letter { topic, partition, offset, code, error }: Letter, count: u64) {
    let first = || Rejected { count: 0, at: format!("{topic}/{partition}@{offset}"), error };
    rejected.entry(code).or_insert_with(first).count += count;
}

/// The dead letters in a data directory.
fn in_table(data: &Path) -> anyhow::Result<BTreeMap<String, Rejected>> {
    #[derive(Deserialize)]
    struct Counted {
        #[serde(flatten)]
        letter: Letter,
        letters: u64,
    }
    let first = |column: &str| format!("first_value({column} ORDER BY ts, topic, \"partition\", \"offset\") AS {column}");
    let columns = ["topic", "\"partition\"", "\"offset\"", "error"].map(first).join(", ");
    let query = format!("SELECT code, count(*) AS letters, {columns} FROM dead_letters GROUP BY code");
    let mut text = Vec::new();
    Catalog::open(data, None)?.query(&query)?.write(headwater_sql::Format::Json, &mut text)?;
    let mut rejected = BTreeMap::new();
    for Counted { letter, letters } in serde_json::from_slice::<Vec<Counted>>(&text)? {
        add(&mut rejected, letter, letters);
    }
    Ok(rejected)
}

/// Records of one read.
const STRIDE: usize = 1024;

/// The schemas of a registry that answers.
fn schemas(config: &Config) -> anyhow::Result<Option<Arc<dyn WriterSchemas>>> {
    let way = Connecting { publishes: true, is_bounded: true };
    Ok(Avro::connect(config, way, &AtomicBool::new(false), &Arc::default())?.and_then(|avro| avro.schemas()))
}

/// A dead letter, which is JSON, or Avro with one of the schemas.
fn letter(value: &[u8], schemas: Option<&dyn WriterSchemas>) -> Option<Letter> {
    let Some((schemas, (id, record))) = schemas.zip(framed(value).ok()) else { return serde_json::from_slice(value).ok() };
    let Found::Known(schema) = schemas.wait(id) else { return None };
    let mut json = Vec::new();
    schema.to_json(id, record, &mut json).ok()?;
    serde_json::from_slice(&json).ok()
}

/// The published dead letters.
fn in_topic(transport: &dyn Transport, topic: &str, config: &Config) -> anyhow::Result<BTreeMap<String, Rejected>> {
    let mut rejected = BTreeMap::new();
    let schemas = if config.outbox.avro.iter().any(|name| name == DeadLetter::SPEC.name) { schemas(config)? } else { None };
    let mut reader = transport.reader(Box::new(|| ()))?;
    for state in transport.partitions(topic)?.into_iter().filter(|state| state.low < state.high) {
        let slot = reader.assign(topic, state.partition, state.low)?;
        let mut next = state.low;
        while next < state.high {
            let status = reader.read(slot, STRIDE, &mut |record| {
                next = record.next_offset;
                let letter = record.value.and_then(|value| letter(value, schemas.as_deref()));
                letter.into_iter().for_each(|letter| add(&mut rejected, letter, 1));
                ControlFlow::Continue(())
            })?;
            match status {
                ReadStatus::End => break,
                ReadStatus::Waiting => std::thread::sleep(std::time::Duration::from_millis(10)),
                ReadStatus::More => {}
            }
        }
    }
    Ok(rejected)
}

#[cfg(test)]
mod tests {
    use headwater_connectors::log::LogTransport;
    use headwater_connectors::parquet::record::GENESIS;
    use headwater_schemas::{EffectiveTime, Sequence};

    use super::*;

    #[test]
    fn records_that_cannot_be_read_are_an_error_and_not_of_another_source() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let log = LogTransport::new(folder.path());
        let recognizer = Recognizer::new(&log);
        let mut progress = PartitionProgress {
            topic: Topic::Fills.as_str().to_owned(),
            partition: 0,
            offset: Offset::new(10),
            clock: EffectiveTime::new(7),
            sequence: Sequence::new(3),
            audit_hash: GENESIS.to_owned(),
            fingerprint: Some("as it was".to_owned()),
        };
        let state = PartitionState { partition: 0, low: Offset::ZERO, high: Offset::new(20) };
        // The file is not there.
        let unread = is_of_another_source(&recognizer, "fills", &progress, &state);
        assert!(unread.is_err_and(|error| error.to_string().contains("fills/0.jsonl")));
        log.create_topic("fills", 1)?;
        std::fs::write(folder.path().join("fills/0.jsonl"), "0123456789 and more\n")?;
        assert!(is_of_another_source(&recognizer, "fills", &progress, &state)?);
        progress.fingerprint = log.fingerprint("fills", 0, Offset::new(10))?;
        assert!(!is_of_another_source(&recognizer, "fills", &progress, &state)?);
        Ok(())
    }
}
