//! Where records come from and go to, whatever carries them: the traits that `log/` and `kafka/` implement.
//!
//! A [`Transport`] is opened once per process and shared by its threads. Each worker opens a [`Reader`] of its own and
//! assigns partitions to it by hand; offsets, clocks and decoding are the business of [`crate::source`], not of a
//! transport. Delivery: a reader hands out every record from the offset it was given, in order, each once.

use std::error::Error;
use std::fmt;
use std::ops::ControlFlow;

/// A record as a transport carries it. Borrowed: what is kept is copied by the caller.
#[derive(Clone, Copy, Debug)]
pub struct RawRecord<'a> {
    /// Where it stands in its partition.
    pub offset: u64,
    /// Where the next record stands, as far as is known: the offset to go on from.
    pub next_offset: u64,
    /// The key's bytes.
    pub key: Option<&'a [u8]>,
    /// The value's bytes; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// The transport's own timestamp in milliseconds since the epoch, where it has one.
    pub timestamp_ms: Option<i64>,
    /// How many bytes the value has, if it is so long that only its beginning is handed out.
    pub cut_from: Option<u64>,
}

/// A partition as it is now: records from `low` (inclusive) to `high` (exclusive) can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PartitionState {
    /// The partition.
    pub partition: u16,
    /// The first offset that is still there.
    pub low: u64,
    /// The offset behind the last record.
    pub high: u64,
}

/// What a difference of two offsets counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetUnit {
    /// Records.
    Records,
    /// Bytes of a file.
    Bytes,
}

/// How a read ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadStatus {
    /// The limit was reached, or the sink broke; there may be more.
    More,
    /// Nothing further has arrived yet, but the partition's end was not confirmed either (a broker is away or slow).
    Waiting,
    /// Everything that the partition held when it was asked was handed out. Behind the last record there may be markers
    /// of transactions, or records of transactions that are open: both are passed over.
    End,
}

/// What went wrong in a transport: what was attempted, on what, and whether trying again can help.
#[derive(Debug, thiserror::Error)]
#[error("{attempt} {object}{}", if *.retry { " (trying again may help)" } else { "" })]
pub struct TransportError {
    /// What was attempted: "reading", "listing the partitions of".
    pub attempt: &'static str,
    /// On what: a file, a topic and partition, a broker.
    pub object: String,
    /// Why it failed, and how to mend it.
    #[source]
    pub cause: Box<dyn Error + Send + Sync>,
    /// Whether a retry can help.
    pub retry: bool,
}

/// A place that topics live in.
pub trait Transport: Send + Sync + fmt::Debug {
    /// What offsets count.
    fn offset_unit(&self) -> OffsetUnit;

    /// The partitions of a topic, in order; empty if the topic does not exist.
    fn partitions(&self, topic: &str) -> Result<Vec<PartitionState>, TransportError>;

    /// Creates a topic if it is missing, with that many partitions. True if it was created.
    fn create_topic(&self, topic: &str, partitions: u16) -> Result<bool, TransportError>;

    /// Opens a reader. `wake` is called, from any thread, whenever a reader that was [`ReadStatus::Waiting`] or at its
    /// end may have more; a transport that cannot tell never calls it, and is asked again after a moment.
    fn reader(&self, wake: Box<dyn Fn() + Send + Sync>) -> Result<Box<dyn Reader>, TransportError>;

    /// Opens a publisher.
    fn publisher(&self) -> Result<Box<dyn Publisher>, TransportError>;

    /// Opens an outbox. One process at a time has one of an id; the progress of all ids is kept in `progress_topic`, where
    /// the transport needs a topic for it.
    fn outbox(&self, id: &str, progress_topic: &str) -> Result<Box<dyn Outbox>, TransportError>;

    /// A digest of what lies before an offset, for transports whose records can be changed: equal as long as they are those that
    /// were read. None where nobody can change them.
    fn fingerprint(&self, _topic: &str, _partition: u16, _offset: u64) -> Result<Option<String>, TransportError> {
        Ok(None)
    }

    /// What reads single records again; none if the transport cannot.
    fn records(&self) -> Option<Box<dyn Records>> {
        None
    }

    /// What lies beside the topics and is not read, each with why.
    fn unread(&self, _topics: &[String]) -> Result<Vec<String>, TransportError> {
        Ok(Vec::new())
    }

    /// Whether a batch of an outbox that was cut off was never seen. If not, exactly the same batch has to come again.
    fn has_transactions(&self) -> bool;
}

/// A record on its way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// The topic.
    pub topic: String,
    /// The key, which decides the partition.
    pub key: String,
    /// The value: one JSON object.
    pub value: Vec<u8>,
}

/// Publishes batches, each exactly once: for those who read what is committed, a batch is there as a whole together with
/// its progress, or not at all.
pub trait Outbox: Send {
    /// What was given with the last batch that is there.
    fn progress(&mut self) -> Result<Option<String>, TransportError>;

    /// Publishes a batch. After an error that may pass, another outbox of the same id is to be opened and asked for its
    /// progress: the batch may be there. `sent` is called between the records and their becoming certain.
    fn publish(&mut self, records: &[Outgoing], progress: &str, sent: &mut dyn FnMut()) -> Result<(), TransportError>;
}

/// Reads partitions that were assigned to it. Partitions that are not asked for cost bounded memory only.
pub trait Reader {
    /// Begins to read a partition at an offset; the answer names the partition in the other calls.
    fn assign(&mut self, topic: &str, partition: u16, from: u64) -> Result<usize, TransportError>;

    /// Hands out up to `max_records` records, without waiting. A sink that breaks gets no further record of this call: the next
    /// call hands out the record after the one that it broke at.
    fn read(
        &mut self,
        slot: usize,
        max_records: usize,
        sink: &mut dyn FnMut(RawRecord<'_>) -> ControlFlow<()>,
    ) -> Result<ReadStatus, TransportError>;

    /// The offset behind the partition's last record, as last heard; `None` before anything was heard.
    fn high_watermark(&self, slot: usize) -> Option<u64>;

    /// Tells the outside how far a committed state has come, for tools that show lag. A resume never depends on it.
    fn announce(&mut self, slot: usize, offset: u64) -> Result<(), TransportError>;
}

/// Reads single records again.
pub trait Records {
    /// The value of the record at an offset of a partition.
    fn value(&mut self, topic: &str, partition: u16, offset: u64) -> Result<Vec<u8>, TransportError>;
}

/// Writes records.
pub trait Publisher: Send {
    /// Adds a record to a topic; the partition follows from the key ([`partition_of`]), without one from the record's number.
    fn send(&mut self, topic: &str, key: Option<&[u8]>, value: Option<&[u8]>) -> Result<(), TransportError>;

    /// Waits until everything sent so far is safely stored.
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
