//! Uncommitted changes of a table, in blocks.

use super::Change;
use crate::Tick;

/// Changes of one table, in order of arrival.
///
/// They are stored in blocks: growing moves none of them, and a commit mostly takes whole blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes<R> {
    blocks: Vec<Block<R>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Block<R> {
    changes: Vec<Change<R>>,
    least_tick: Tick,
    greatest_tick: Tick,
}

/// Number of changes in a full block.
const FULL: usize = 1024;

impl<R> Default for Changes<R> {
    fn default() -> Self {
        Self { blocks: Vec::new() }
    }
}

impl<R> Changes<R> {
    /// The changes.
    pub fn iter(&self) -> impl Iterator<Item = &Change<R>> {
        self.blocks.iter().flat_map(|block| &block.changes)
    }

    /// The number of changes.
    pub fn len(&self) -> usize {
        self.blocks.iter().map(|block| block.changes.len()).sum()
    }

    /// Whether there are no changes.
    pub const fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Adds a change.
    pub(super) fn push(&mut self, change: Change<R>) {
        let tick = change.tick;
        if let Some(block) = self.blocks.last_mut().filter(|block| block.changes.len() < FULL) {
            block.least_tick = block.least_tick.min(tick);
            block.greatest_tick = block.greatest_tick.max(tick);
            block.changes.push(change);
            return;
        }
        // The first block grows on demand; after a full block, more are likely to follow.
        let mut changes = Vec::with_capacity(if self.blocks.is_empty() { 1 } else { FULL });
        changes.push(change);
        self.blocks.push(Block { changes, least_tick: tick, greatest_tick: tick });
    }

    /// Removes and returns the changes of ticks below `end_tick`.
    pub(super) fn take_below(&mut self, end_tick: Tick) -> Self {
        let (mut below, mut above) = (Vec::new(), Vec::new());
        for mut block in self.blocks.drain(..) {
            if block.least_tick >= end_tick {
                above.push(block);
            } else if block.greatest_tick < end_tick {
                below.push(block);
            } else {
                let later = block.changes.extract_if(.., |change| change.tick >= end_tick).collect();
                above.extend(Block::of(later));
                below.extend(Block::of(block.changes));
            }
        }
        self.blocks = above;
        Self { blocks: below }
    }
}

impl<R> Block<R> {
    /// A block of changes; `None` if there are none.
    fn of(changes: Vec<Change<R>>) -> Option<Self> {
        let ticks = || changes.iter().map(|change| change.tick);
        let (least_tick, greatest_tick) = (ticks().min()?, ticks().max()?);
        Some(Self { changes, least_tick, greatest_tick })
    }
}

impl<R> FromIterator<Change<R>> for Changes<R> {
    fn from_iter<I: IntoIterator<Item = Change<R>>>(iter: I) -> Self {
        let mut changes = Self::default();
        iter.into_iter().for_each(|change| changes.push(change));
        changes
    }
}

impl<R> IntoIterator for Changes<R> {
    type Item = Change<R>;
    type IntoIter = std::iter::Flatten<std::vec::IntoIter<Vec<Change<R>>>>;

    fn into_iter(self) -> Self::IntoIter {
        let blocks: Vec<_> = self.blocks.into_iter().map(|block| block.changes).collect();
        blocks.into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Corrections;

    #[test]
    fn what_is_below_a_tick_is_taken_and_the_rest_stays_in_order() {
        let mut changes = Changes::default();
        // Three blocks, nearly in tick order, as operators emit them.
        let ticks: Vec<u64> = (0..2_500).map(|number: u64| number / 10 + number % 3).collect();
        ticks
            .iter()
            .zip(0..)
            .for_each(|(tick, row)| changes.push(Change { row, tick: Tick::new(*tick), gone: false, why: Corrections::new() }));
        let expected = |is_wanted: &dyn Fn(u64) -> bool| -> Vec<usize> {
            ticks.iter().enumerate().filter(|(_, tick)| is_wanted(**tick)).map(|(row, _)| row).collect()
        };
        let rows = |changes: Changes<usize>| changes.into_iter().map(|change| change.row).collect::<Vec<_>>();
        assert!(changes.take_below(Tick::new(0)).is_empty());
        assert_eq!(rows(changes.take_below(Tick::new(104))), expected(&|tick| tick < 104));
        assert_eq!(changes.len(), expected(&|tick| tick >= 104).len());
        assert_eq!(rows(changes.take_below(Tick::new(107))), expected(&|tick| (104..107).contains(&tick)));
        assert_eq!(rows(changes.take_below(Tick::MAX)), expected(&|tick| tick >= 107));
        assert!(changes.is_empty());
    }
}
