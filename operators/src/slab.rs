//! A growable list whose values never move.

/// Values by index. They are stored in chunks, each twice as long as the previous one: growing copies nothing, and at most half
/// of the reserved memory is unused.
#[derive(Clone, Debug)]
pub(crate) struct Slab<T> {
    chunks: Vec<Vec<T>>,
    /// The index of the next value.
    next: u32,
}

/// The length of the first chunk: a power of two.
const FIRST: u32 = 16;

impl<T> Slab<T> {
    /// The greatest number of values. No valid index is greater.
    const CAPACITY: u32 = u32::MAX - FIRST;

    pub(crate) const fn new() -> Self {
        Self { chunks: Vec::new(), next: 0 }
    }

    /// Whether no index is left.
    pub(crate) const fn is_full(&self) -> bool {
        self.next >= Self::CAPACITY
    }

    pub(crate) fn get(&self, number: u32) -> Option<&T> {
        let (chunk, offset) = place(number);
        self.chunks.get(chunk)?.get(offset)
    }

    pub(crate) fn get_mut(&mut self, number: u32) -> Option<&mut T> {
        let (chunk, offset) = place(number);
        self.chunks.get_mut(chunk)?.get_mut(offset)
    }

    /// The values, in the order of their indices.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flatten()
    }

    /// The same, to be changed.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.chunks.iter_mut().flatten()
    }

    /// Adds a value. Returns its index, or `None` if the slab is full.
    pub(crate) fn push(&mut self, value: T) -> Option<u32> {
        if self.is_full() {
            return None;
        }
        let number = self.next;
        let (chunk, _) = place(number);
        if chunk == self.chunks.len() {
            self.chunks.push(Vec::with_capacity((FIRST as usize) << chunk));
        }
        self.chunks.get_mut(chunk)?.push(value);
        self.next += 1;
        Some(number)
    }
}

/// The chunk of an index, and the position in the chunk. Chunk `c` begins at index `FIRST · (2ᶜ − 1)`, so the leading bit of the
/// index plus `FIRST` determines the chunk.
const fn place(number: u32) -> (usize, usize) {
    let shifted = number.saturating_add(FIRST);
    let chunk = shifted.ilog2() - FIRST.ilog2();
    (chunk as usize, (shifted - (FIRST << chunk)) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_keeps_its_number_and_its_place_in_memory_while_the_slab_grows() {
        let mut slab = Slab::new();
        let first = (slab.push(0), slab.get(0).map(std::ptr::from_ref));
        for value in 1..5_000_u32 {
            assert_eq!(slab.push(value), Some(value));
        }
        assert_eq!((Some(0), slab.get(0).map(std::ptr::from_ref)), first);
        assert!((0..5_000).all(|number| slab.get(number) == Some(&number)));
        assert_eq!((slab.get(5_000), slab.get(u32::MAX)), (None, None));
    }

    #[test]
    fn chunks_follow_each_other_without_a_gap() {
        let mut expected = (0, 0);
        for number in 0..100_000 {
            assert_eq!(place(number), expected);
            let is_last = expected.1 + 1 == (FIRST as usize) << expected.0;
            expected = if is_last { (expected.0 + 1, 0) } else { (expected.0, expected.1 + 1) };
        }
    }
}
