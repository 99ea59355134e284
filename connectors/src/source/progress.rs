//! Resume positions of partitions after a commit.
//!
//! A commit of everything below a grid point records, for every partition, the first record that it does not contain. So a
//! partition notes where its records cross grid points: a restart resumes exactly there, and no record is read twice or left out,
//! whatever its clock has become meanwhile.

use std::cell::{OnceCell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use headwater_schemas::{Digest, EffectiveTime, Offset, Sequence, Tick};

use super::last_record::LastRecord;
use crate::parquet::commit::MOST_IN_FLIGHT;
use crate::parquet::record::PartitionProgress;

/// A position in a partition, before a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// The record's offset.
    pub offset: Offset,
    /// The clock according to the records before it.
    pub clock: EffectiveTime,
    /// The number of accepted records before it.
    pub sequence: Sequence,
    /// The audit's hash of the last accepted record; zeros before the first.
    pub hash: Digest<32>,
    /// The record before it, where that is how a topic is recognized.
    pub last: Option<LastRecord>,
}

/// The first record at or after a grid point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Crossing {
    /// The record's tick.
    pub(super) tick: Tick,
    pub(super) position: Position,
}

/// Computes a digest of the content before an offset of a partition, for transports whose records can be changed.
pub(super) type Fingerprint = Box<dyn Fn(&str, u16, Offset) -> Option<String>>;

/// The crossings of one partition that later commits may need.
#[derive(Debug)]
struct PartitionCrossings {
    topic: &'static str,
    partition: u16,
    /// Commits that end before this tick do not contain the partition.
    since: Tick,
    crossings: VecDeque<Crossing>,
    /// The position after everything that was read.
    now: Position,
    /// The clock at that position, whatever advanced it.
    clock: EffectiveTime,
    /// The last requested offset, and the digest of the content before it.
    proved: Option<(Offset, Option<String>)>,
}

impl PartitionCrossings {
    fn at(&mut self, end_tick: Tick, prove: Option<&Fingerprint>) -> PartitionProgress {
        while self.crossings.pop_front_if(|crossing| crossing.tick < end_tick).is_some() {}
        let position = self.crossings.front().map_or(self.now, |crossing| crossing.position);
        if self.proved.as_ref().is_none_or(|(offset, _)| *offset != position.offset) {
            let proof = prove.and_then(|prove| prove(self.topic, self.partition, position.offset));
            self.proved = Some((position.offset, proof));
        }
        PartitionProgress {
            topic: self.topic.to_owned(),
            partition: self.partition,
            offset: position.offset,
            clock: position.clock,
            sequence: position.sequence,
            audit_hash: position.hash.to_string(),
            fingerprint: self.proved.as_ref().and_then(|(_, proof)| proof.clone()).or_else(|| Some(position.last?.to_string())),
        }
    }
}

/// Progress of all partitions that a worker reads: written by the source, read by the commit.
#[derive(Clone, Default)]
pub struct SourceProgress {
    partitions: Rc<RefCell<Vec<PartitionCrossings>>>,
    prove: Rc<OnceCell<Fingerprint>>,
    offsets: Rc<RefCell<Offsets>>,
}

/// Offsets that may be announced, by the partition's handle here.
#[derive(Debug, Default)]
struct Offsets {
    /// Those of the commits in flight, in order.
    coming: VecDeque<Vec<(usize, Offset)>>,
    /// Those of the last commit that is known to be published.
    committed: Vec<(usize, Offset)>,
}

impl SourceProgress {
    /// Adds a partition that commits contain from an end tick on; returns its handle for [`SourceProgress::read`].
    pub(super) fn add(&self, topic: &'static str, partition: u16, now: Position, since: Tick) -> usize {
        let mut partitions = self.partitions.borrow_mut();
        partitions.push(PartitionCrossings { topic, partition, since, crossings: VecDeque::new(), now, clock: now.clock, proved: None });
        partitions.len() - 1
    }

    /// Sets the function that computes fingerprints.
    pub(super) fn prove_with(&self, prove: Fingerprint) {
        // A source is opened once, so the value is unset.
        let _ = self.prove.set(prove);
    }

    /// Notes what was read up to a position.
    pub(super) fn read(&self, partition: usize, crossings: impl Iterator<Item = Crossing>, now: Position, clock: EffectiveTime) {
        if let Some(partition) = self.partitions.borrow_mut().get_mut(partition) {
            partition.crossings.extend(crossings);
            (partition.now, partition.clock) = (now, clock);
        }
    }

    /// The state of every partition: topic, number, the offset to read next, and the minimum clock of the records from there on.
    pub fn standing(&self) -> Vec<(&'static str, u16, Offset, EffectiveTime)> {
        let partitions = self.partitions.borrow();
        partitions.iter().map(|partition| (partition.topic, partition.partition, partition.now.offset, partition.clock)).collect()
    }

    /// The resume position of every partition after a commit of everything below `end_tick`, a grid point. Earlier crossings are
    /// dropped: later calls must not ask for an earlier tick.
    pub fn at(&self, end_tick: Tick) -> Vec<PartitionProgress> {
        let mut partitions = self.partitions.borrow_mut();
        let progress: Vec<_> = partitions.iter_mut().map(|partition| partition.at(end_tick, self.prove.get())).collect();
        let mut offsets = self.offsets.borrow_mut();
        let coming = progress.iter().enumerate().map(|(partition, progress)| (partition, progress.offset)).collect();
        // At most this many commits are in flight, so all earlier ones are published.
        offsets.coming.push_back(coming);
        if offsets.coming.len() > MOST_IN_FLIGHT {
            offsets.committed = offsets.coming.pop_front().unwrap_or_default();
        }
        let known = partitions.iter().map(|partition| partition.since <= end_tick);
        progress.into_iter().zip(known).filter_map(|(progress, is_known)| is_known.then_some(progress)).collect()
    }

    /// Each partition's committed offset, if any has changed since the last call.
    pub(super) fn take_committed(&self) -> Vec<(usize, Offset)> {
        std::mem::take(&mut self.offsets.borrow_mut().committed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_goes_on_at_the_first_record_that_a_commit_does_not_hold() {
        let progress = SourceProgress::default();
        let position = |offset| Position { offset: Offset::new(offset), clock: EffectiveTime::new(offset * 10), ..Position::default() };
        let crossing = |tick, offset| Crossing { tick: Tick::new(tick), position: position(offset) };
        let partition = progress.add("orders", 3, position(0), Tick::ZERO);
        let added = progress.add("orders", 4, position(0), Tick::new(500));
        let offsets =
            |end| progress.at(Tick::new(end)).iter().map(|progress| (progress.offset.get(), progress.clock.get())).collect::<Vec<_>>();
        assert_eq!(offsets(100), [(0, 0)]);
        // Grid points are 100 ticks apart.
        progress.read(partition, [crossing(105, 7), crossing(310, 9)].into_iter(), position(12), EffectiveTime::new(130));
        assert_eq!(
            progress.standing(),
            [("orders", 3, Offset::new(12), EffectiveTime::new(130)), ("orders", 4, Offset::ZERO, EffectiveTime::ZERO)]
        );
        assert_eq!(offsets(100), [(7, 70)]);
        assert_eq!(offsets(200), [(9, 90)]);
        assert_eq!(offsets(300), [(9, 90)]);
        assert_eq!(offsets(400), [(12, 120)]);
        // The other partition did not exist yet in the run that is replayed.
        progress.read(added, std::iter::empty(), position(1), EffectiveTime::new(10));
        assert_eq!(offsets(500), [(12, 120), (1, 10)]);
    }
}
