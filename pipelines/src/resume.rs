//! Going on from the last commit: where each partition is read on, and whether what is to be read is still there.

use std::collections::BTreeMap;

use headwater_connectors::parquet::chain::Commit;
use headwater_connectors::parquet::record::PartitionProgress;
use headwater_connectors::source::Position;
use headwater_connectors::transport::PartitionState;
use headwater_schemas::Topic;

use crate::config::SourceConfig;

/// The partitions of each topic.
pub type Partitions = BTreeMap<Topic, Vec<PartitionState>>;

/// Where each partition is read on.
pub type Positions = BTreeMap<(Topic, u16), Position>;

/// Why a run cannot go on from a commit, with every reason.
#[derive(Debug, thiserror::Error)]
#[error("cannot go on from commit {commit_id}: {}; --accept-gaps goes on from what is there, and the tables keep what the lost records did", problems.join("; "))]
pub struct ResumeError {
    /// The commit.
    pub commit_id: u64,
    /// What is wrong, each with topic, partition and offsets.
    pub problems: Vec<String>,
}

/// Where reading goes on behind a commit. Partitions that are new since then begin at their first record.
pub fn positions(commit: &Commit, partitions: &Partitions, names: &SourceConfig, accept_gaps: bool) -> Result<Positions, ResumeError> {
    let mut positions = Positions::new();
    let mut problems = Vec::new();
    for progress in &commit.partitions {
        let Some(topic) = Topic::from_word(&progress.topic) else {
            problems.push(format!("{} is no topic that this program knows", progress.topic));
            continue;
        };
        let name = names.name_of(topic);
        let state = partitions.get(&topic).and_then(|states| states.iter().find(|state| state.partition == progress.partition));
        let position = position(progress);
        match (state, problem(&name, progress, state)) {
            (_, None) => {
                positions.insert((topic, progress.partition), position);
            }
            (Some(state), Some(problem)) if accept_gaps => {
                tracing::warn!(%problem, "accepted");
                positions.insert((topic, progress.partition), Position { offset: state.low, ..position });
            }
            (None, Some(problem)) if accept_gaps => tracing::warn!(%problem, "accepted"),
            (_, Some(problem)) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(positions) } else { Err(ResumeError { commit_id: commit.commit_id, problems }) }
}

fn position(progress: &PartitionProgress) -> Position {
    // The record's own hash covers it, so it is as it was written.
    let hash = progress.audit_hash.parse().unwrap_or_default();
    Position { offset: progress.offset, clock: progress.clock, sequence: progress.sequence, hash }
}

fn problem(name: &str, progress: &PartitionProgress, state: Option<&PartitionState>) -> Option<String> {
    let (partition, offset) = (progress.partition, progress.offset);
    let Some(PartitionState { low, high, .. }) = state else {
        // What never had a record is not missed.
        return (offset > 0).then(|| format!("topic {name} has no partition {partition} any more, which was read up to offset {offset}"));
    };
    if offset < *low {
        return Some(format!(
            "topic {name}, partition {partition}: reading goes on at offset {offset}, but the first record left is {low}: the ones between have expired"
        ));
    }
    (offset > *high).then(|| {
        format!(
            "topic {name}, partition {partition}: reading goes on at offset {offset}, but the partition ends at {high}: the topic was created anew, or this is another one"
        )
    })
}

#[cfg(test)]
mod tests {
    use headwater_connectors::parquet::record::GENESIS;

    use super::*;

    fn commit(offset: u64) -> Commit {
        let progress = |partition| PartitionProgress {
            topic: "orders".to_owned(),
            partition,
            offset,
            clock: 7,
            sequence: 3,
            audit_hash: GENESIS.to_owned(),
        };
        Commit {
            commit_id: 5,
            first_tick: 0,
            end_tick: 100,
            tick_interval: 10,
            grid_interval: 100,
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
        let states = (0..).zip(states).map(|(partition, (low, high))| PartitionState { partition, low: *low, high: *high });
        Partitions::from([(Topic::Orders, states.collect())])
    }

    #[test]
    fn what_is_lost_is_named_with_topic_partition_and_offsets() {
        let names = SourceConfig { topic_prefix: "eu.".to_owned(), ..SourceConfig::default() };
        for (case, states, expected) in [
            ("all there", vec![(0, 50), (20, 90)], vec![]),
            ("one new", vec![(0, 50), (20, 90), (0, 3)], vec![]),
            ("at the edges", vec![(50, 60), (0, 50)], vec![]),
            ("expired", vec![(51, 60), (0, 50)], vec!["eu.orders, partition 0", "offset 50", "51", "expired"]),
            ("created anew", vec![(0, 50), (0, 49)], vec!["eu.orders, partition 1", "offset 50", "ends at 49", "anew"]),
            ("fewer", vec![(0, 50)], vec!["eu.orders has no partition 1", "offset 50"]),
            ("both", vec![(51, 60), (0, 3)], vec!["partition 0", "partition 1", "--accept-gaps"]),
        ] {
            let (commit, states) = (commit(50), partitions(&states));
            let said = positions(&commit, &states, &names, false).map_err(|error| error.to_string());
            assert_eq!(said.is_ok(), expected.is_empty(), "{case}: {said:?}");
            let message = said.err().unwrap_or_default();
            assert!(expected.iter().all(|part| message.contains(part)), "{case}: {message}");
            let accepted = positions(&commit, &states, &names, true).unwrap_or_default();
            assert!(!accepted.is_empty() && accepted.values().all(|position| position.clock == 7), "{case}");
        }
    }
}
