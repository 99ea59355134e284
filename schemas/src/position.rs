//! Positions of records in their partition.

use crate::number::number;

number! {
    /// Offset of a record in its partition, in the unit of its transport: records of Kafka, bytes of a log.
    Offset
}

number! {
    /// Number of an accepted record among those of its partition, from 1; 0 before the first.
    Sequence
}

impl Offset {
    /// The offset after this one; the greatest one has none, and stays.
    #[inline]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The distance to a later offset; 0 if `end` is not later.
    #[inline]
    pub const fn until(self, end: Self) -> u64 {
        end.0.saturating_sub(self.0)
    }
}

impl Sequence {
    /// The number of the next accepted record; the greatest one has none, and stays.
    #[inline]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}
