//! Bounds on how far reading may be ahead of the frontier of all results.
//!
//! Both bounds limit what the dataflow holds because it was read and is not processed yet:
//!
//! - **Bytes**, as decoded, over all partitions of a worker ([`ReadAhead`]). Half of the budget is for whichever partition asks
//!   first. The other half is divided among the partitions: a partition may read its share while its clock is the frontier,
//!   however much the others have read.
//! - **Grid points**, for each partition ([`GridLead`]): one record can change many values at its grid point, so the cost of a
//!   grid point does not follow from its bytes. Only grid points with records count: a partition with a record a day is read as
//!   fast as one with a record a second.
//!
//! A partition whose clock is the frontier is never paused, because every other partition waits for it. So neither bound limits
//! the records of one tick: a table topic without `ts` is read whole. In a live run, a partition that is read up to the wall
//! clock pauses for as long as idle partitions lag: the idle allowance.

use std::collections::{BTreeMap, VecDeque};

use headwater_schemas::Tick;

/// What a worker has read beyond the frontier, and the bounds for it.
#[derive(Debug)]
pub(super) struct ReadAhead {
    budget_bytes: u64,
    /// Grid points that a partition may be ahead of the frontier, at least 1.
    grid_lead: usize,
    /// Decoded bytes by the tick that the frontier has to pass.
    by_tick: BTreeMap<Tick, u64>,
    /// The sum of `by_tick`.
    bytes: u64,
}

/// How much may be read of a partition at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Allowance {
    /// Decoded bytes, at least 1. Reading stops with the record that reaches them.
    pub(super) bytes: u64,
    /// Grid points that reading may enter, at least 1. Reading stops with the record that enters the last of them.
    pub(super) grid_points: usize,
}

impl ReadAhead {
    pub(super) fn new(budget_bytes: u64, grid_lead: usize) -> Self {
        Self { budget_bytes, grid_lead: grid_lead.max(1), by_tick: BTreeMap::new(), bytes: 0 }
    }

    /// Adds decoded bytes that are released once the frontier has passed a tick.
    pub(super) fn add(&mut self, tick: Tick, bytes: u64) {
        *self.by_tick.entry(tick).or_default() += bytes;
        self.bytes += bytes;
    }

    /// Releases what the frontier has passed. Without a frontier, everything is released.
    pub(super) fn passed(&mut self, frontier: Option<Tick>) {
        while let Some(first) = self.by_tick.first_entry().filter(|first| frontier.is_none_or(|frontier| *first.key() < frontier)) {
            self.bytes -= first.remove();
        }
    }

    /// How much may be read of one of `partitions` partitions; `None` if it has to pause until the frontier moves.
    pub(super) fn allowance(&self, lead: &GridLead, holds_frontier: bool, partitions: usize) -> Option<Allowance> {
        let half = self.budget_bytes / 2;
        let left = half.saturating_sub(self.bytes);
        let left_points = self.grid_lead.saturating_add(1).saturating_sub(lead.len());
        if holds_frontier {
            let share = half / (partitions.max(1) as u64);
            return Some(Allowance { bytes: left.max(share).max(1), grid_points: left_points.max(1) });
        }
        (left > 0 && left_points > 0).then_some(Allowance { bytes: left, grid_points: left_points })
    }
}

/// The grid points of a partition that have records and that the frontier has not passed.
#[derive(Debug, Default)]
pub(super) struct GridLead {
    /// Grid intervals, ascending: the tick of a record divided by the ticks between grid points.
    intervals: VecDeque<u64>,
}

impl GridLead {
    /// Adds the interval of a record.
    pub(super) fn enter(&mut self, interval: u64) {
        if self.intervals.back().is_none_or(|last| *last < interval) {
            self.intervals.push_back(interval);
        }
    }

    /// Removes the grid points before the interval that the frontier has reached. Without a frontier, removes all.
    pub(super) fn passed(&mut self, frontier: Option<u64>) {
        let is_done = |interval: u64| frontier.is_none_or(|frontier| interval < frontier);
        while self.intervals.pop_front_if(|interval| is_done(*interval)).is_some() {}
    }

    /// Number of grid points.
    pub(super) fn len(&self) -> usize {
        self.intervals.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lead(intervals: &[u64]) -> GridLead {
        let mut lead = GridLead::default();
        intervals.iter().for_each(|interval| lead.enter(*interval));
        lead
    }

    fn allowance(bytes: u64, grid_points: usize) -> Option<Allowance> {
        Some(Allowance { bytes, grid_points })
    }

    #[test]
    fn half_of_the_budget_is_for_whoever_asks_first() {
        let mut ahead = ReadAhead::new(1_000, 2);
        assert_eq!(ahead.allowance(&lead(&[]), false, 5), allowance(500, 3));
        ahead.add(Tick::new(7), 499);
        assert_eq!(ahead.allowance(&lead(&[]), false, 5), allowance(1, 3));
        ahead.add(Tick::new(9), 1);
        assert_eq!(ahead.allowance(&lead(&[]), false, 5), None);
        ahead.passed(Some(Tick::new(7)));
        assert_eq!(ahead.allowance(&lead(&[]), false, 5), None, "the frontier is at the tick, not after it");
        ahead.passed(Some(Tick::new(8)));
        assert_eq!(ahead.allowance(&lead(&[]), false, 5), allowance(499, 3));
        ahead.passed(None);
        assert_eq!(ahead.allowance(&lead(&[]), false, 5), allowance(500, 3));
    }

    #[test]
    fn a_partition_that_holds_the_frontier_is_never_paused() {
        let mut ahead = ReadAhead::new(1_000, 1);
        ahead.add(Tick::new(7), 1_000_000);
        assert_eq!(ahead.allowance(&lead(&[0]), false, 5), None);
        assert_eq!(ahead.allowance(&lead(&[0]), true, 5), allowance(100, 1));
        assert_eq!(ahead.allowance(&lead(&[0, 1, 2]), true, 5), allowance(100, 1));
        assert_eq!(ReadAhead::new(0, 0).allowance(&lead(&[0, 1, 2]), true, 5), allowance(1, 1));
    }

    #[test]
    fn only_grid_points_with_records_count_and_only_until_the_frontier_reaches_them() {
        let ahead = ReadAhead::new(1_000, 2);
        let mut lead = lead(&[3, 3, 90]);
        assert_eq!(ahead.allowance(&lead, false, 1), allowance(500, 1));
        lead.enter(86_400);
        assert_eq!(ahead.allowance(&lead, false, 1), None);
        lead.passed(Some(3));
        assert_eq!(ahead.allowance(&lead, false, 1), None);
        lead.passed(Some(4));
        assert_eq!(ahead.allowance(&lead, false, 1), allowance(500, 1));
        lead.passed(None);
        assert_eq!(lead.len(), 0);
    }
}
