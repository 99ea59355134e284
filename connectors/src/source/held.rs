//! A record that waits for its schema.

use headwater_schemas::Offset;

use crate::transport::RawRecord;

/// A copy of a record that a transport has handed out.
pub(super) struct HeldRecord {
    offset: Offset,
    next_offset: Offset,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    timestamp_ms: Option<i64>,
    cut_from: Option<u64>,
}

impl HeldRecord {
    pub(super) fn copy_of(record: RawRecord<'_>) -> Self {
        let RawRecord { offset, next_offset, key, value, timestamp_ms, cut_from } = record;
        let [key, value] = [key, value].map(|bytes| bytes.map(<[u8]>::to_vec));
        Self { offset, next_offset, key, value, timestamp_ms, cut_from }
    }

    pub(super) fn record(&self) -> RawRecord<'_> {
        RawRecord {
            offset: self.offset,
            next_offset: self.next_offset,
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            timestamp_ms: self.timestamp_ms,
            cut_from: self.cut_from,
        }
    }
}
