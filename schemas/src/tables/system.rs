//! What the pipeline says about itself.

use sha2::{Digest as _, Sha256};

use super::tables;
use crate::value::{Blob, Digest, EventTime, Text};

tables! {
    /// A record that was not taken, whole, with the reason.
    Append DeadLetter = "dead_letters" by (topic, partition, offset, code) published by topic {
        /// The topic's name, as the pipeline knows it (without prefix).
        topic: Text,
        /// The partition.
        partition: i32,
        /// The record's offset.
        offset: u64,
        /// The effective time at which it was refused.
        ts: EventTime,
        /// The record's key, if it had one; bytes that are not UTF-8 are replaced.
        key: Option<Text>,
        /// The bytes of the record's value as they are in the topic, if it had one. Of a value of more than 64 MiB, its beginning.
        value: Option<Blob>,
        /// The value as text; bytes that are not UTF-8 are replaced.
        text: Option<Text>,
        /// The stable code: see the list of codes.
        code: Text,
        /// What is wrong, where, and how to mend it.
        error: Text,
    }

    /// Where the wall clock decided something that the topics alone do not tell.
    Append Remap = "remap" by (topic, partition, offset, tick) {
        /// The topic.
        topic: Text,
        /// The partition.
        partition: i32,
        /// The record that got the clock; a run's end names the offset behind the last record.
        offset: u64,
        /// The tick of the clock.
        tick: u64,
        /// The partition's clock, in nanoseconds since the epoch.
        clock: u64,
        /// The clock as a time.
        ts: EventTime,
    }

    /// A record that was accepted: it could be read, and has its place. In each partition the rows are a chain of hashes.
    /// What an operator refused later is in `dead_letters` too, under the same topic, partition and offset.
    Journal Audit = "audit" by (topic, partition, sequence) {
        /// The topic.
        topic: Text,
        /// The partition.
        partition: i32,
        /// Counts the accepted records of the partition from 1.
        sequence: u64,
        /// The record's offset.
        offset: u64,
        /// The event's id, where it has an identity.
        event_id: Option<Text>,
        /// The event's own `ts`, where it has one.
        event_ts: Option<EventTime>,
        /// Its effective time: the partition's clock once it was read.
        ts: EventTime,
        /// The first half of the SHA-256 of the record's key and value.
        content: Digest<16>,
        /// SHA-256 of the hash before and of all other columns: [`Audit::chained`].
        hash: Digest<32>,
    }

    /// An event that was let through, so that it is known when it comes again. State of the admission.
    Checkpoint Admitted = "admitted" by (identity) {
        /// The digest of topic, `type` or `status`, and id.
        identity: Digest<16>,
        /// The digest of what it says.
        body: Digest<16>,
        /// When it is forgotten; never, if there is none.
        until: Option<EventTime>,
        /// Its effective time.
        ts: EventTime,
    }
}

impl DeadLetter {
    /// The letter with the key and the value that its record has.
    pub fn with_record(self, key: Option<&[u8]>, value: Option<&[u8]>) -> Self {
        let text = |bytes: &[u8]| Text::new(String::from_utf8_lossy(bytes));
        Self { key: key.map(text).or(self.key), value: value.map(Blob::from), text: value.map(text), ..self }
    }
}

impl Audit {
    /// The hash that the row should have behind a row with the hash `before` (zeros for the first).
    ///
    /// SHA-256 over: `before`; sequence, partition and offset as 8 bytes each, big endian; `ts` and `event_ts` as 8 bytes of
    /// nanoseconds, the latter behind a byte 1, or a byte 0 alone; `content`; topic and event id, each behind its length in
    /// 4 bytes (no id: length 0).
    pub fn chained(&self, before: &Digest<32>) -> Digest<32> {
        let mut hash = Sha256::new();
        hash.update(before.0);
        hash.update(self.sequence.to_be_bytes());
        hash.update(i64::from(self.partition).to_be_bytes());
        hash.update(self.offset.to_be_bytes());
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

    /// What `content` is of a record: its key behind a byte 1 and its length in 4 bytes, or a byte 0; then its value
    /// likewise.
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
