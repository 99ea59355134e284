//! The last record that was read of a partition: by it a resumed run recognizes the topic.
//!
//! Records of a topic on brokers do not change. But a topic can be deleted and created anew while no run reads it, and as soon as it has
//! as many records as were read of the old one, offsets alone do not show that. So a commit notes the record before each position.

use std::fmt;
use std::str::FromStr;

use headwater_schemas::{Digest, Offset};

use crate::transport::RawRecord;

/// Values of up to this many bytes are copied, and hashed only where a position is asked for.
const COPIED: usize = 16 << 10;

/// A record, by its offset and a digest of its value. Written as `OFFSET:DIGEST`.
///
/// ```
/// use headwater_connectors::source::LastRecord;
/// use headwater_schemas::Offset;
///
/// let last = LastRecord::of(Offset::new(522), b"{}");
/// assert_eq!(last.to_string().parse(), Ok(last));
/// assert_ne!(last, LastRecord::of(Offset::new(522), b"{ }"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastRecord {
    /// The record's offset.
    pub offset: Offset,
    /// The beginning of the SHA-256 of its value; a tombstone counts as empty.
    pub content: Digest<16>,
}

/// A text that is not a [`LastRecord`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not OFFSET:DIGEST")]
pub struct ParseLastRecordError;

impl LastRecord {
    /// The record at an offset with a value.
    pub fn of(offset: Offset, value: &[u8]) -> Self {
        Self { offset, content: Digest::shortened(&Digest::sha256(value).0) }
    }
}

impl fmt::Display for LastRecord {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}", self.offset.get(), self.content)
    }
}

impl FromStr for LastRecord {
    type Err = ParseLastRecordError;

    fn from_str(text: &str) -> Result<Self, ParseLastRecordError> {
        let (offset, content) = text.split_once(':').ok_or(ParseLastRecordError)?;
        let offset = offset.parse().map(Offset::new).map_err(|_| ParseLastRecordError)?;
        Ok(Self { offset, content: content.parse().map_err(|_| ParseLastRecordError)? })
    }
}

/// The last record that a partition has read.
#[derive(Debug, Default)]
pub(super) struct LastRead {
    known: Option<LastRecord>,
    /// The offset of a later record, whose value is not hashed yet.
    noted: Option<Offset>,
    value: Vec<u8>,
}

impl LastRead {
    pub(super) fn resuming(known: Option<LastRecord>) -> Self {
        Self { known, ..Self::default() }
    }

    /// Notes that a record was read.
    pub(super) fn note(&mut self, record: RawRecord<'_>) {
        let value = record.value.unwrap_or_default();
        if value.len() > COPIED {
            (self.noted, self.known) = (None, Some(LastRecord::of(record.offset, value)));
            return;
        }
        self.noted = Some(record.offset);
        self.value.clear();
        self.value.extend_from_slice(value);
    }

    /// The last record; `None` if none was read.
    pub(super) fn record(&mut self) -> Option<LastRecord> {
        if let Some(offset) = self.noted.take() {
            self.known = Some(LastRecord::of(offset, &self.value));
        }
        self.known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_record_is_the_one_that_was_noted_last_whatever_its_size() {
        let before = LastRecord::of(Offset::new(6), b"before the restart");
        let mut last = LastRead::resuming(Some(before));
        assert_eq!(last.record(), Some(before));
        let large = vec![b'x'; COPIED + 1];
        for (offset, value) in [(7, Some(&b"small"[..])), (8, Some(&large)), (9, Some(b"small")), (12, None)] {
            let record = RawRecord {
                offset: Offset::new(offset),
                next_offset: Offset::new(offset + 1),
                key: None,
                value,
                timestamp_ms: None,
                cut_from: None,
            };
            last.note(record);
            let expected = LastRecord::of(Offset::new(offset), value.unwrap_or_default());
            assert_eq!([last.record(), last.record()], [Some(expected); 2]);
        }
    }

    #[test]
    fn other_texts_are_no_record() {
        for text in [
            "",
            "5",
            "5:",
            ":00",
            "x:000102030405060708090a0b0c0d0e0f",
            "5:000102030405060708090a0b0c0d0e",
            "000102030405060708090a0b0c0d0e0f",
        ] {
            assert_eq!(text.parse::<LastRecord>(), Err(ParseLastRecordError), "{text}");
        }
    }
}
