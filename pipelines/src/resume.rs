//! Resuming from the last commit: the position of each partition, and whether its records still exist.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::convert::Infallible;

use headwater_connectors::fault::with_causes;
use headwater_connectors::parquet::chain::Commit;
use headwater_connectors::parquet::record::{Gap, PartitionProgress};
use headwater_connectors::source::{LastRecord, Position};
use headwater_connectors::transport::{PartitionState, Records, Transport, TransportError};
use headwater_schemas::{Offset, Topic};

use crate::config::SourceConfig;

/// The partitions of each topic.
pub type Partitions = BTreeMap<Topic, Vec<PartitionState>>;

/// The position at which each partition is resumed.
pub type Positions = BTreeMap<(Topic, u16), Position>;

/// Reasons why a run cannot resume from a commit.
#[derive(Debug, thiserror::Error)]
#[error("cannot resume from commit {commit_id}: {}; --accept-gaps resumes with the records that exist, and the tables keep the effects of the lost ones", problems.join("; "))]
pub struct ResumeError {
    /// The commit.
    pub commit_id: u64,
    /// The reasons, each with topic, partition and offsets.
    pub problems: Vec<String>,
}

/// Whether the content before an offset of a partition is what was read, by the fingerprint of it.
pub type IsAsRead<'a> = &'a dyn Fn(&str, u16, Offset, &str) -> bool;

/// Compares topics with what was read of them.
pub struct Recognizer<'a> {
    transport: &'a dyn Transport,
    /// Access to single records, opened once for all partitions.
    records: RefCell<Option<Box<dyn Records>>>,
}

impl<'a> Recognizer<'a> {
    /// A recognizer of the topics of a transport.
    pub fn new(transport: &'a dyn Transport) -> Self {
        Self { transport, records: RefCell::default() }
    }

    /// Whether the content before an offset is what was read. An error where a file cannot be read. A record of a topic may have expired, or
    /// was compacted: then nothing can be compared, and offsets alone decide.
    pub fn is_as_read(&self, topic: &str, partition: u16, offset: Offset, fingerprint: &str) -> Result<bool, TransportError> {
        if !self.transport.is_known_by_last_record() {
            return Ok(self.transport.fingerprint(topic, partition, offset)?.as_deref() == Some(fingerprint));
        }
        let mut records = self.records.borrow_mut();
        if records.is_none() {
            *records = self.transport.records();
        }
        // What another program wrote is not compared.
        let (Ok(last), Some(records)) = (fingerprint.parse::<LastRecord>(), records.as_mut()) else { return Ok(true) };
        match records.value(topic, partition, last.offset) {
            Ok(value) => Ok(LastRecord::of(last.offset, &value) == last),
            Err(error) => {
                tracing::debug!(error = with_causes(&error), "the last record that was read is not compared");
                Ok(true)
            }
        }
    }
}

/// The resume positions after a commit, and the accepted gaps. Partitions that are new since the commit begin at their first
/// record.
pub fn positions(
    commit: &Commit,
    partitions: &Partitions,
    names: &SourceConfig,
    is_as_read: IsAsRead<'_>,
    accept_gaps: bool,
) -> Result<(Positions, Vec<Gap>), ResumeError> {
    let (mut positions, mut gaps) = (Positions::new(), Vec::new());
    let mut problems = Vec::new();
    for progress in &commit.partitions {
        let Some(topic) = Topic::from_word(&progress.topic) else {
            problems.push(format!("{} is no topic that this program knows", progress.topic));
            continue;
        };
        let name = names.name_of(topic);
        let state = partitions.get(&topic).and_then(|states| states.iter().find(|state| state.partition == progress.partition));
        let position = position(progress);
        match problem(&name, progress, state, is_as_read) {
            None => {
                positions.insert((topic, progress.partition), position);
            }
            Some(problem) if accept_gaps => {
                tracing::warn!(%problem, "gap accepted");
                let to = state.map(|state| state.low);
                gaps.push(Gap { topic: progress.topic.clone(), partition: progress.partition, from: progress.offset, to });
                positions.extend(to.map(|offset| ((topic, progress.partition), Position { offset, last: None, ..position })));
            }
            Some(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok((positions, gaps)) } else { Err(ResumeError { commit_id: commit.commit_id, problems }) }
}

fn position(progress: &PartitionProgress) -> Position {
    // The record's own hash covers this one, so it is intact.
    let hash = progress.audit_hash.parse().unwrap_or_default();
    let last = progress.fingerprint.as_deref().and_then(|fingerprint| fingerprint.parse().ok());
    Position { offset: progress.offset, clock: progress.clock, sequence: progress.sequence, hash, last }
}

/// Whether a position is not one of a partition: it is after the end, or the content before it is not what was read, as `is_as_read` finds
/// by a fingerprint.
pub fn is_of_other_records<E>(
    progress: &PartitionProgress,
    state: &PartitionState,
    is_as_read: impl FnOnce(&str) -> Result<bool, E>,
) -> Result<bool, E> {
    match &progress.fingerprint {
        _ if progress.offset > state.high => Ok(true),
        Some(was) => Ok(!is_as_read(was)?),
        None => Ok(false),
    }
}

fn problem(name: &str, progress: &PartitionProgress, state: Option<&PartitionState>, is_as_read: IsAsRead<'_>) -> Option<String> {
    let (partition, offset) = (progress.partition, progress.offset);
    let Some(state) = state else {
        // A partition that never had a record is not missed.
        return (offset > Offset::ZERO)
            .then(|| format!("topic {name} has no partition {partition} any more, which was read up to offset {offset}"));
    };
    let PartitionState { low, high, .. } = state;
    if offset < *low {
        return Some(format!(
            "topic {name}, partition {partition}: reading resumes at offset {offset}, but the first record left is {low}: the ones between have expired"
        ));
    }
    if offset > *high {
        return Some(format!(
            "topic {name}, partition {partition}: reading resumes at offset {offset}, but the partition ends at {high}: the topic was created anew, or this is another one"
        ));
    }
    let Ok(is_other) = is_of_other_records(progress, state, |was| Ok::<_, Infallible>(is_as_read(name, partition, offset, was)));
    let last = position(progress).last;
    let why = if last.is_some() {
        "the topic was created anew, or this is another one"
    } else {
        "its file was replaced, or truncated and written again"
    };
    is_other.then(|| {
        format!(
            "topic {name}, partition {partition}: the content before offset {offset}, where reading resumes, is not what was read: {why}"
        )
    })
}

#[cfg(test)]
mod tests {
    use headwater_connectors::parquet::record::GENESIS;
    use headwater_schemas::{Clock, EffectiveTime, Nanos, Sequence, Tick};

    use super::*;

    fn commit(offset: u64) -> Commit {
        let progress = |partition| PartitionProgress {
            topic: "orders".to_owned(),
            partition,
            offset: Offset::new(offset),
            clock: EffectiveTime::new(7),
            sequence: Sequence::new(3),
            audit_hash: GENESIS.to_owned(),
            fingerprint: Some("as it was".to_owned()),
        };
        Commit {
            commit_id: 5,
            first_tick: Tick::ZERO,
            end_tick: Tick::new(100),
            end_clock: EffectiveTime::new(1_000),
            clock: Clock::new(Nanos::new(10), Nanos::new(100)),
            configuration: String::new(),
            committed_at: None,
            hash: String::new(),
            previous_hash: String::new(),
            partitions: vec![progress(0), progress(1)],
            ends_run: false,
            files: Vec::new(),
            replaced: Vec::new(),
            dropped: Vec::new(),
        }
    }

    fn partitions(states: &[(u64, u64)]) -> Partitions {
        let states = (0..).zip(states).map(|(partition, (low, high))| PartitionState {
            partition,
            low: Offset::new(*low),
            high: Offset::new(*high),
        });
        Partitions::from([(Topic::Orders, states.collect())])
    }

    #[test]
    fn what_is_lost_is_named_with_topic_partition_and_offsets() {
        let names = SourceConfig { topic_prefix: "eu.".to_owned(), ..SourceConfig::default() };
        let changed = "bytes changed";
        for (case, states, expected) in [
            ("all there", vec![(0, 50), (20, 90)], vec![]),
            (changed, vec![(0, 50), (0, 90)], vec!["eu.orders, partition 0", "eu.orders, partition 1", "before offset 50", "replaced"]),
            ("one new", vec![(0, 50), (20, 90), (0, 3)], vec![]),
            ("at the edges", vec![(50, 60), (0, 50)], vec![]),
            ("expired", vec![(51, 60), (0, 50)], vec!["eu.orders, partition 0", "offset 50", "51", "expired"]),
            ("created anew", vec![(0, 50), (0, 49)], vec!["eu.orders, partition 1", "offset 50", "ends at 49", "anew"]),
            ("fewer", vec![(0, 50)], vec!["eu.orders has no partition 1", "offset 50"]),
            ("both", vec![(51, 60), (0, 3)], vec!["partition 0", "partition 1", "--accept-gaps"]),
        ] {
            let (commit, states) = (commit(50), partitions(&states));
            let is_as_read = |_: &str, _, _, was: &str| case != changed && was == "as it was";
            let said = positions(&commit, &states, &names, &is_as_read, false).map_err(|error| error.to_string());
            assert_eq!(said.is_ok(), expected.is_empty(), "{case}: {said:?}");
            let message = said.err().unwrap_or_default();
            assert!(expected.iter().all(|part| message.contains(part)), "{case}: {message}");
            let (accepted, gaps) = positions(&commit, &states, &names, &is_as_read, true).unwrap_or_default();
            assert_eq!(gaps.is_empty(), expected.is_empty(), "{case}: what is accepted is told");
            assert!(!accepted.is_empty() && accepted.values().all(|position| position.clock == EffectiveTime::new(7)), "{case}");
        }
    }
}
