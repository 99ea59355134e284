//! Where reading would go on from, for every tick that is not committed yet.
//!
//! A commit of everything below tick F has to say for every partition where a restart reads on. Strides begin at known
//! offsets and clocks; the last one that began below F is the place: everything before it is below F, and what follows
//! of it below F is read again and dropped.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use crate::parquet::record::PartitionProgress;

/// A stride's beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) tick: u64,
    pub(super) offset: u64,
    pub(super) clock: u64,
}

/// The strides of one partition that a commit may still name.
#[derive(Debug)]
pub(super) struct PartitionMarks {
    topic: &'static str,
    partition: u16,
    marks: VecDeque<Mark>,
}

impl PartitionMarks {
    pub(super) fn begin(&mut self, mark: Mark) {
        // Where nothing was read since the last mark, only the clock went on: the earlier mark says more.
        if self.marks.len() > 1 && self.marks.back().is_some_and(|last| last.offset == mark.offset) {
            return;
        }
        self.marks.push_back(mark);
    }

    fn at(&mut self, end_tick: u64) -> Option<PartitionProgress> {
        while self.marks.get(1).is_some_and(|next| next.tick < end_tick) {
            self.marks.pop_front();
        }
        let mark = self.marks.front()?;
        Some(PartitionProgress { topic: self.topic.to_owned(), partition: self.partition, offset: mark.offset, clock: mark.clock })
    }
}

/// The progress of all partitions that a worker reads: written by the source, read by the commit.
#[derive(Clone, Debug, Default)]
pub struct SourceProgress {
    partitions: Rc<RefCell<Vec<PartitionMarks>>>,
}

impl SourceProgress {
    /// Adds a partition; the answer names it in [`SourceProgress::begin`].
    pub(super) fn add(&self, topic: &'static str, partition: u16, mark: Mark) -> usize {
        let mut partitions = self.partitions.borrow_mut();
        partitions.push(PartitionMarks { topic, partition, marks: VecDeque::from([mark]) });
        partitions.len() - 1
    }

    /// Notes the beginning of a stride.
    pub(super) fn begin(&self, partition: usize, mark: Mark) {
        if let Some(marks) = self.partitions.borrow_mut().get_mut(partition) {
            marks.begin(mark);
        }
    }

    /// Where every partition would go on from behind a commit of everything below `end_tick`. What lies before is
    /// forgotten: a later question must not ask for less.
    pub fn at(&self, end_tick: u64) -> Vec<PartitionProgress> {
        self.partitions.borrow_mut().iter_mut().filter_map(|marks| marks.at(end_tick)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_goes_on_from_the_last_stride_that_began_below_the_commit() {
        let progress = SourceProgress::default();
        let mark = |tick, offset| Mark { tick, offset, clock: tick * 10 };
        let partition = progress.add("orders", 3, mark(0, 0));
        for (tick, offset) in [(5, 100), (5, 200), (9, 300)] {
            progress.begin(partition, mark(tick, offset));
        }
        let offsets = |end| progress.at(end).iter().map(|progress| (progress.offset, progress.clock)).collect::<Vec<_>>();
        assert_eq!(offsets(5), [(0, 0)]);
        assert_eq!(offsets(6), [(200, 50)]);
        assert_eq!(offsets(10), [(300, 90)]);
        assert_eq!(offsets(u64::MAX), [(300, 90)]);
    }
}
