//! Counters of a source for metrics and progress lines, shared by all workers of the process.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use headwater_schemas::tables::DeadLetter;
use headwater_schemas::{EffectiveTime, Offset, Text, Tick, Topic};

/// Counters of one topic.
#[derive(Debug, Default)]
pub struct TopicCounts {
    /// Records read.
    pub records: AtomicU64,
    /// Bytes of their keys and values.
    pub bytes: AtomicU64,
    /// Records that were rejected, by the source or by an operator.
    pub dead_letters: AtomicU64,
}

/// Reading position of a partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartitionPosition {
    /// The offset at which reading began.
    pub begin: Offset,
    /// The offset to read next.
    pub offset: Offset,
    /// The latest known offset after the last record.
    pub high: Offset,
    /// The clock.
    pub clock: EffectiveTime,
    /// Whether every available record is read.
    pub at_end: bool,
    /// Whether reading has ended.
    pub ended: bool,
}

/// Counters of all sources of a process.
#[derive(Debug)]
pub struct SourceCounters {
    topics: Vec<TopicCounts>,
    partitions: Mutex<BTreeMap<(Topic, u16), PartitionPosition>>,
    /// By code: the number of dead letters, and the first of them.
    dead_letters: Mutex<BTreeMap<Text, (u64, DeadLetter)>>,
    /// Dead letters that are not committed yet: their tick, topic and code.
    uncommitted: Mutex<Vec<(Tick, Text, Text)>>,
    /// Strides that are not committed yet: their last tick, and when they were read.
    arrivals: Mutex<VecDeque<(Tick, Instant)>>,
}

impl Default for SourceCounters {
    fn default() -> Self {
        Self {
            topics: Topic::ALL.iter().map(|_| TopicCounts::default()).collect(),
            partitions: Mutex::default(),
            dead_letters: Mutex::default(),
            uncommitted: Mutex::default(),
            arrivals: Mutex::default(),
        }
    }
}

impl SourceCounters {
    /// The counters of a topic.
    pub fn topic(&self, topic: Topic) -> Option<&TopicCounts> {
        self.topics.get(usize::from(topic.rank()))
    }

    /// Records read, over all topics.
    pub fn records(&self) -> u64 {
        self.topics.iter().map(|counts| counts.records.load(Ordering::Relaxed)).sum()
    }

    /// The reading position of every partition.
    pub fn partitions(&self) -> BTreeMap<(Topic, u16), PartitionPosition> {
        self.partitions.lock().map(|partitions| partitions.clone()).unwrap_or_default()
    }

    pub(super) fn count(&self, topic: Topic, records: u64, bytes: u64) {
        if let Some(counts) = self.topic(topic) {
            counts.records.fetch_add(records, Ordering::Relaxed);
            counts.bytes.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    /// Counts a rejected record, by whichever operator, in a tick.
    pub fn dead_letter(&self, tick: Tick, letter: &DeadLetter) {
        if let Ok(mut uncommitted) = self.uncommitted.lock() {
            uncommitted.push((tick, letter.topic.clone(), letter.code.clone()));
        }
        if let Some(counts) = Topic::from_word(&letter.topic).and_then(|topic| self.topic(topic)) {
            counts.dead_letters.fetch_add(1, Ordering::Relaxed);
        }
        let Ok(mut letters) = self.dead_letters.lock() else { return };
        match letters.get_mut(&letter.code) {
            Some((count, _)) => *count += 1,
            // Kept as an example, without a copy of the record.
            None => drop(letters.insert(letter.code.clone(), (1, DeadLetter { key: None, value: None, text: None, ..letter.clone() }))),
        }
    }

    /// Dead letters by code: their number, and the first of them without its key and value.
    pub fn dead_letters(&self) -> BTreeMap<Text, (u64, DeadLetter)> {
        self.dead_letters.lock().map(|letters| letters.clone()).unwrap_or_default()
    }

    /// Takes note of a published commit of everything below `end_tick`; returns the waiting times of the strides in it. Every process
    /// has to call it at every commit, whichever process publishes it.
    pub fn committed(&self, end_tick: Tick) -> Vec<Duration> {
        if let Ok(mut uncommitted) = self.uncommitted.lock() {
            uncommitted.retain(|(tick, _, _)| *tick >= end_tick);
        }
        let Ok(mut arrivals) = self.arrivals.lock() else { return Vec::new() };
        let mut waited = Vec::new();
        arrivals.retain(|(tick, read)| {
            let committed = *tick < end_tick;
            if committed {
                waited.push(read.elapsed());
            }
            !committed
        });
        waited
    }

    /// Forgets what was counted beyond the last commit, because it is read again.
    pub fn go_back(&self) {
        let uncommitted = self.uncommitted.lock().map(|mut letters| std::mem::take(&mut *letters)).unwrap_or_default();
        let Ok(mut letters) = self.dead_letters.lock() else { return };
        for (_, topic, code) in uncommitted {
            if let Some(counts) = Topic::from_word(&topic).and_then(|topic| self.topic(topic)) {
                counts.dead_letters.fetch_sub(1, Ordering::Relaxed);
            }
            if let Some((count, _)) = letters.get_mut(&code) {
                *count = count.saturating_sub(1);
            }
        }
        letters.retain(|_, (count, _)| *count > 0);
        if let Ok(mut arrivals) = self.arrivals.lock() {
            arrivals.clear();
        }
    }

    pub(super) fn arrived(&self, tick: Tick) {
        if let Ok(mut arrivals) = self.arrivals.lock() {
            arrivals.push_back((tick, Instant::now()));
        }
    }

    pub(super) fn end(&self, topic: Topic, partition: u16) {
        if let Some(position) = self.partitions.lock().ok().as_mut().and_then(|partitions| partitions.get_mut(&(topic, partition))) {
            position.ended = true;
        }
    }

    pub(super) fn place(&self, topic: Topic, partition: u16, position: PartitionPosition) {
        if let Ok(mut partitions) = self.partitions.lock() {
            partitions.insert((topic, partition), position);
        }
    }
}

#[cfg(test)]
mod tests {
    use headwater_schemas::EventTime;

    use super::*;

    #[test]
    fn a_stride_waits_until_a_commit_holds_it_and_is_then_forgotten() {
        let counters = SourceCounters::default();
        [5, 9, 7].into_iter().for_each(|tick| counters.arrived(Tick::new(tick)));
        for (end_tick, strides) in [(5, 0), (8, 2), (8, 0), (10, 1), (u64::MAX, 0)] {
            assert_eq!(counters.committed(Tick::new(end_tick)).len(), strides, "a commit up to {end_tick}");
        }
    }

    #[test]
    fn what_is_read_again_after_a_commit_is_counted_once() {
        let counters = SourceCounters::default();
        let reject = |tick, code: &str| {
            let (topic, code, error) = ("orders".into(), code.into(), "".into());
            let (offset, ts) = (Offset::ZERO, EventTime::from_nanos(0));
            let letter = DeadLetter { topic, partition: 0, offset, ts, key: None, value: None, text: None, code, error };
            counters.dead_letter(Tick::new(tick), &letter);
        };
        let counted = || {
            let by_code: Vec<_> = counters.dead_letters().into_iter().map(|(code, (count, _))| (code.to_string(), count)).collect();
            let of_topic = counters.topic(Topic::Orders).map_or(0, |counts| counts.dead_letters.load(Ordering::Relaxed));
            (of_topic, by_code)
        };
        let expect = |of_topic, by_code: &[(&str, u64)]| {
            (of_topic, by_code.iter().map(|(code, count)| ((*code).to_owned(), *count)).collect::<Vec<_>>())
        };
        [(1, "a"), (5, "a"), (7, "b")].into_iter().for_each(|(tick, code)| reject(tick, code));
        counters.committed(Tick::new(5));
        assert_eq!(counted(), expect(3, &[("a", 2), ("b", 1)]));
        counters.go_back();
        assert_eq!(counted(), expect(1, &[("a", 1)]));
        [(5, "a"), (7, "b")].into_iter().for_each(|(tick, code)| reject(tick, code));
        assert_eq!(counted(), expect(3, &[("a", 2), ("b", 1)]));
    }
}
