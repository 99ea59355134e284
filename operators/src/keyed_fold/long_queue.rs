//! A sorted queue of very many entries.

use std::collections::VecDeque;

/// Entries of a chunk.
const CHUNK: usize = 1 << 12;

/// Entries in ascending order, taken from the front. They are stored in chunks: growing never copies all of them, as one buffer would,
/// which needs half as much memory again meanwhile and has room for twice as many afterwards.
#[derive(Debug)]
pub(super) struct LongQueue<T> {
    /// None is empty, except that the last one of an empty queue stays.
    chunks: VecDeque<VecDeque<T>>,
}

impl<T: Ord> LongQueue<T> {
    pub(super) const fn new() -> Self {
        Self { chunks: VecDeque::new() }
    }

    pub(super) fn front(&self) -> Option<&T> {
        self.chunks.front()?.front()
    }

    pub(super) fn back(&self) -> Option<&T> {
        self.chunks.back()?.back()
    }

    /// Adds an entry, which must be greater than all others.
    pub(super) fn push_back(&mut self, entry: T) {
        match self.chunks.back_mut().filter(|last| last.len() < CHUNK) {
            Some(last) => last.push_back(entry),
            None => {
                // The first chunk grows, because most queues are short.
                let mut chunk = VecDeque::with_capacity(if self.chunks.is_empty() { 0 } else { CHUNK });
                chunk.push_back(entry);
                self.chunks.push_back(chunk);
            }
        }
    }

    pub(super) fn pop_front(&mut self) -> Option<T> {
        let first = self.chunks.front_mut()?;
        let entry = first.pop_front();
        if first.is_empty() && self.chunks.len() > 1 {
            self.chunks.pop_front();
        }
        entry
    }

    pub(super) fn contains(&self, entry: &T) -> bool {
        let behind = self.chunks.partition_point(|chunk| chunk.front().is_some_and(|first| first <= entry));
        let chunk = behind.checked_sub(1).and_then(|number| self.chunks.get(number));
        chunk.is_some_and(|chunk| chunk.binary_search(entry).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_leave_in_order_across_chunks() {
        let (mut queue, most) = (LongQueue::new(), 3 * CHUNK + 5);
        for number in 0..most {
            queue.push_back(2 * number);
            assert_eq!((queue.front(), queue.back()), (Some(&0), Some(&(2 * number))));
        }
        assert!((0..most).all(|number| queue.contains(&(2 * number)) && !queue.contains(&(2 * number + 1))));
        for number in 0..most {
            assert_eq!(queue.pop_front(), Some(2 * number));
            assert!(!queue.contains(&(2 * number)) && (number + 1 == most || queue.contains(&(2 * (most - 1)))));
        }
        assert_eq!((queue.pop_front(), queue.front(), queue.back(), queue.chunks.len()), (None, None, None, 1));
    }

    #[test]
    fn a_queue_that_is_emptied_and_filled_again_keeps_one_chunk() {
        let mut queue = LongQueue::new();
        for number in 0..10 * CHUNK {
            queue.push_back(number);
            assert_eq!(queue.pop_front(), Some(number));
        }
        assert!(queue.chunks.len() <= 1);
    }
}
