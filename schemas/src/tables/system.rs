//! Tables about the pipeline itself.

use sha2::{Digest as _, Sha256};

use super::tables;
use crate::value::{Blob, Digest, EventTime, Text};
use crate::{EffectiveTime, Offset, Sequence, Tick};

tables! {
    /// A rejected record, complete, with the reason.
    Append DeadLetter = "dead_letters" by (topic, partition, offset, code) published by topic {
        /// The topic's name in the pipeline (without prefix).
        topic: Text,
        /// The partition.
        partition: i32,
        /// The record's offset.
        offset: Offset,
        /// The effective time at which it was rejected.
        ts: EventTime,
        /// The record's key, if it had one; bytes that are not UTF-8 are replaced.
        key: Option<Text>,
        /// The bytes of the record's value as in the topic, if it had one; at most the first 64 MiB.
        /// A published event of more than 512 KiB has the first 32 KiB.
        value: Option<Blob>,
        /// The value as text; bytes that are not UTF-8 are replaced. A published event of more than 512 KiB has the first 64 KiB.
        text: Option<Text>,
        /// The stable code of the error.
        code: Text,
        /// What is wrong, where, and how to fix it. A published event that was cut ends with what is left out.
        error: Text,
    }

    /// A clock that the wall clock decided, which the topics alone do not determine.
    Append Remap = "remap" by (topic, partition, offset, tick) {
        /// The topic.
        topic: Text,
        /// The partition.
        partition: i32,
        /// The record that got the clock; at a run's end, the offset after the last record.
        offset: Offset,
        /// The tick of the clock.
        tick: Tick,
        /// The partition's clock, in nanoseconds since the epoch.
        clock: EffectiveTime,
        /// The clock as a time.
        ts: EventTime,
    }

    /// An accepted record: it was decoded, and has its place. In each partition the rows are a chain of hashes. A record that an
    /// operator rejected later is also in `dead_letters`, with the same topic, partition and offset.
    Journal Audit = "audit" by (topic, partition, sequence) {
        /// The topic.
        topic: Text,
        /// The partition.
        partition: i32,
        /// Sequence number of the accepted record in its partition, from 1.
        sequence: Sequence,
        /// The record's offset.
        offset: Offset,
        /// The event's id, if it has an identity.
        event_id: Option<Text>,
        /// The event's own `ts`, if it has one.
        event_ts: Option<EventTime>,
        /// Effective time: the partition's clock after the record was read.
        ts: EventTime,
        /// The first half of the SHA-256 of the record's key and value.
        content: Digest<16>,
        /// SHA-256 of the previous hash and of all other columns: [`Audit::chained`].
        hash: Digest<32>,
    }

    /// An event that was admitted, kept in order to recognize its repetitions. State of the admission.
    Checkpoint Admitted = "admitted" by (identity) {
        /// The digest of topic, `type` or `status`, and id.
        identity: Digest<16>,
        /// The digest of the event's content.
        body: Digest<16>,
        /// The time at which it is forgotten; NULL for never.
        until: Option<EventTime>,
        /// Effective time of the event.
        ts: EventTime,
    }
}

impl DeadLetter {
    /// The letter with the key and the value of its record. The text that it has already, the event's JSON, stays if the value is binary:
    /// if it is Avro.
    pub fn with_record(self, key: Option<&[u8]>, value: Option<&[u8]>) -> Self {
        let text = |bytes: &[u8]| Text::new(String::from_utf8_lossy(bytes));
        let shown = match (value, self.text) {
            (Some(value), Some(shown)) if value.first() == Some(&0) => Some(shown),
            (value, _) => value.map(text),
        };
        Self { key: key.map(text).or(self.key), value: value.map(Blob::from), text: shown, ..self }
    }
}

impl Audit {
    /// The hash of the row if it follows a row with the hash `before` (zeros for the first).
    ///
    /// SHA-256 over: `before`; sequence, partition and offset as 8 bytes each, big endian; `ts` as 8 bytes of nanoseconds;
    /// `event_ts` as a byte 1 followed by 8 bytes of nanoseconds, or a byte 0 alone; `content`; topic and event id, each preceded
    /// by its length in 4 bytes (no id: length 0).
    pub fn chained(&self, before: &Digest<32>) -> Digest<32> {
        let mut hash = Sha256::new();
        hash.update(before.0);
        hash.update(self.sequence.get().to_be_bytes());
        hash.update(i64::from(self.partition).to_be_bytes());
        hash.update(self.offset.get().to_be_bytes());
        hash.update(self.ts.nanos().to_be_bytes());
        match self.event_ts {
            Some(ts) => {
                hash.update([1]);
                hash.update(ts.nanos().to_be_bytes());
            }
            None => hash.update([0]),
        }
        hash.update(self.content.0);
        for text in [self.topic.as_str(), self.event_id.as_ref().map_or("", Text::as_str)] {
            hash.update(u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
            hash.update(text);
        }
        Digest(hash.finalize().into())
    }

    /// The `content` of a record: for its key a byte 1, its length in 4 bytes and its bytes, or a byte 0 alone; then the same for
    /// its value.
    pub fn content_of(key: Option<&[u8]>, value: Option<&[u8]>) -> Digest<16> {
        let mut hash = Sha256::new();
        for part in [key, value] {
            match part {
                Some(bytes) => {
                    hash.update([1]);
                    hash.update(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
                    hash.update(bytes);
                }
                None => hash.update([0]),
            }
        }
        Digest::shortened(&hash.finalize())
    }
}
