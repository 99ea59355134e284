//! Transport traits: reading and publishing records, implemented by `log/` and `kafka/`.
//!
//! A [`Transport`] is opened once per process and shared by its threads. Each worker opens a [`Reader`] of its own and
//! assigns partitions to it by hand; offsets, clocks and decoding are the business of [`crate::source`], not of a
//! transport. Delivery: a reader hands out every record from the offset it was given, in order, each once.

use std::error::Error;
use std::fmt;
use std::ops::ControlFlow;

use headwater_schemas::Offset;

/// A record as a transport carries it. It is borrowed: the caller copies what it keeps.
#[derive(Clone, Copy, Debug)]
pub struct RawRecord<'a> {
    /// Its offset in the partition.
    pub offset: Offset,
    /// The offset of the next record, as far as is known: where reading resumes.
    pub next_offset: Offset,
    /// The key's bytes.
    pub key: Option<&'a [u8]>,
    /// The value's bytes; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// The transport's own timestamp in milliseconds since the epoch, where it has one.
    pub timestamp_ms: Option<i64>,
    /// Length of the value in bytes, if it is so long that only its beginning is handed out.
    pub cut_from: Option<u64>,
}

/// A partition as it is now: records from `low` (inclusive) to `high` (exclusive) can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PartitionState {
    /// The partition.
    pub partition: u16,
    /// The first offset that still exists.
    pub low: Offset,
    /// The offset after the last record.
    pub high: Offset,
}

/// Unit of a difference of two offsets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetUnit {
    /// Records.
    Records,
    /// Bytes of a file.
    Bytes,
}

/// Result of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadStatus {
    /// The limit was reached, or the sink broke; there may be more.
    More,
    /// Nothing more has arrived yet, but the partition's end is not confirmed either (a broker is down or slow).
    Waiting,
    /// Every record that the partition held at the time of the request was handed out. Transaction markers, or records of open
    /// transactions, may follow: they are skipped.
    End,
}

/// Error of a transport: the operation, its object, and whether a retry may help.
#[derive(Debug, thiserror::Error)]
#[error("{attempt} {object}{}", if *.retry { " (trying again may help)" } else { "" })]
pub struct TransportError {
    /// The operation: "reading", "listing the partitions of".
    pub attempt: &'static str,
    /// The object: a file, a topic and partition, a broker.
    pub object: String,
    /// The cause, and how to resolve it.
    #[source]
    pub cause: Box<dyn Error + Send + Sync>,
    /// Whether a retry can help.
    pub retry: bool,
}

/// A system that carries topics.
pub trait Transport: Send + Sync + fmt::Debug {
    /// Unit of offsets.
    fn offset_unit(&self) -> OffsetUnit;

    /// The partitions of a topic, in order; empty if the topic does not exist.
    fn partitions(&self, topic: &str) -> Result<Vec<PartitionState>, TransportError>;

    /// Creates a topic with this many partitions if it is missing. True if it was created.
    fn create_topic(&self, topic: &str, partitions: u16) -> Result<bool, TransportError>;

    /// Opens a reader. `wake` is called, from any thread, whenever a reader that was [`ReadStatus::Waiting`] or at its end may
    /// have more records; a transport that cannot know never calls it, and is polled.
    fn reader(&self, wake: Box<dyn Fn() + Send + Sync>) -> Result<Box<dyn Reader>, TransportError>;

    /// Opens a publisher.
    fn publisher(&self) -> Result<Box<dyn Publisher>, TransportError>;

    /// Opens an outbox. Each id is open in one process at a time; the progress of all ids is kept in `progress_topic`, if the
    /// transport needs a topic for it.
    fn outbox(&self, id: &str, progress_topic: &str) -> Result<Box<dyn Outbox>, TransportError>;

    /// A digest of the content before an offset, for transports whose records can be changed: equal as long as the content is.
    /// `None` where records cannot be changed.
    fn fingerprint(&self, _topic: &str, _partition: u16, _offset: Offset) -> Result<Option<String>, TransportError> {
        Ok(None)
    }

    /// Whether commits note the last record of each partition, by which a resumed run recognizes the topic: records cannot be changed,
    /// but the topic can be replaced by another of the same name. Needs [`Self::records`].
    fn is_known_by_last_record(&self) -> bool {
        false
    }

    /// The nearest offsets before and after one at which no record can begin, because it is inside of a record; `None` if one can.
    fn around(&self, _topic: &str, _partition: u16, _offset: Offset) -> Result<Option<(Offset, Offset)>, TransportError> {
        Ok(None)
    }

    /// Opens random access to single records; `None` if the transport has none.
    fn records(&self) -> Option<Box<dyn Records>> {
        None
    }

    /// Files beside the topics that are not read, each with the reason.
    fn unread(&self, _topics: &[String]) -> Result<Vec<String>, TransportError> {
        Ok(Vec::new())
    }

    /// Whether a batch of an outbox that was cut off stays invisible. If not, exactly the same batch has to be published again.
    fn has_transactions(&self) -> bool;
}

/// A record to be published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// The topic.
    pub topic: String,
    /// The key, which decides the partition.
    pub key: String,
    /// The value: one JSON object.
    pub value: Vec<u8>,
}

/// Publishes batches, each exactly once: readers of committed records see a batch completely and with its progress, or not at
/// all.
pub trait Outbox: Send {
    /// The progress given with the last published batch.
    fn progress(&mut self) -> Result<Option<String>, TransportError>;

    /// Publishes a batch. After an error that may pass, open another outbox of the same id and read its progress: the batch may
    /// have been published. `sent` is called after the records are sent and before they are committed.
    fn publish(&mut self, records: &[Outgoing], progress: &str, sent: &mut dyn FnMut()) -> Result<(), TransportError>;
}

/// Reads assigned partitions. Partitions that are not read use bounded memory only.
pub trait Reader {
    /// Begins to read a partition at an offset; returns its handle for the other calls.
    fn assign(&mut self, topic: &str, partition: u16, from: Offset) -> Result<usize, TransportError>;

    /// Hands out up to `max_records` records, without waiting. After a sink breaks, it gets no further record of this call: the
    /// next call hands out the record after the one at which the sink broke.
    fn read(
        &mut self,
        slot: usize,
        max_records: usize,
        sink: &mut dyn FnMut(RawRecord<'_>) -> ControlFlow<()>,
    ) -> Result<ReadStatus, TransportError>;

    /// The latest known offset after the partition's last record; `None` before it is known.
    fn high_watermark(&self, slot: usize) -> Option<Offset>;

    /// Announces the committed offset for tools that show lag. Resuming never depends on it.
    fn announce(&mut self, slot: usize, offset: Offset) -> Result<(), TransportError>;
}

/// Random access to single records.
pub trait Records {
    /// The value of the record at an offset of a partition.
    fn value(&mut self, topic: &str, partition: u16, offset: Offset) -> Result<Vec<u8>, TransportError>;
}

/// Publishes records.
pub trait Publisher: Send {
    /// Sends a record to a topic; the partition follows from the key ([`partition_of`]), without a key from the record's number.
    fn send(&mut self, topic: &str, key: Option<&[u8]>, value: Option<&[u8]>) -> Result<(), TransportError>;

    /// Waits until everything sent so far is durably stored.
    fn flush(&mut self) -> Result<(), TransportError>;
}

/// The partition of a key: murmur2, as Kafka's own Java client places it (`toPositive(murmur2(key)) % partitions`).
pub fn partition_of(key: &[u8], partitions: u16) -> u16 {
    let positive = murmur2(key) & 0x7fff_ffff;
    u16::try_from(positive % u32::from(partitions.max(1))).unwrap_or(0)
}

/// The 32-bit murmur2 of Kafka's clients, seed 0x9747b28c.
fn murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mut hash = 0x9747_b28c_u32 ^ u32::try_from(data.len() & 0xffff_ffff).unwrap_or(0);
    let (words, tail) = data.as_chunks::<4>();
    for word in words {
        let mut mixed = u32::from_le_bytes(*word).wrapping_mul(M);
        mixed ^= mixed >> 24;
        hash = hash.wrapping_mul(M) ^ mixed.wrapping_mul(M);
    }
    if !tail.is_empty() {
        for (index, byte) in tail.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * index);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of Kafka's own `UtilsTest.testMurmur2`.
    #[test]
    fn murmur2_agrees_with_the_java_client() {
        for (text, expected) in [
            ("21", -973932308),
            ("foobar", -790332482),
            ("a-little-bit-long-string", -985981536),
            ("a-little-bit-longer-string", -1486304829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
            ("abc", 479470107),
        ] {
            assert_eq!(murmur2(text.as_bytes()).cast_signed(), expected, "{text}");
        }
    }
}
