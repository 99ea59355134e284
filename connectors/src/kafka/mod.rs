//! Kafka: topics on brokers, through librdkafka.
//!
//! ```text
//!                  ┌─ Cluster: partitions, offsets, new topics
//!  KafkaTransport ─┼─ KafkaReader, one per worker: a consumer, and a queue for each partition
//!                  ├─ KafkaPublisher: an idempotent producer
//!                  └─ KafkaOutbox: the same in transactions, each with its progress
//! ```
//!
//! - **Options**: [`KafkaConfig`]. What delivery depends on is fixed; everything else of librdkafka can be set by its own
//!   name. TLS, and SASL's SCRAM and OAUTHBEARER, come with the feature `tls`, which brings OpenSSL with it.
//! - **Delivery**: a reader hands out every committed record of a partition once, in order, from the offset it was given.
//!   Records of aborted transactions, and the markers of transactions, are passed over; records of a transaction that is
//!   still open are not there yet. Partitions are assigned by hand; offsets are announced to a group only so that tools
//!   can show lag, and reading never depends on them. A publisher's records are stored by all in-sync replicas before
//!   `flush` returns, each once as long as the publisher lives; one that dies and starts again may repeat its last ones.
//! - **Order and time**: a record keeps the timestamp that its producer or broker gave it. Nothing here reads a clock to
//!   decide what is handed out.
//! - **Pausing**: each partition has a queue of its own with bounded memory. One that is not read costs its queue, no more:
//!   librdkafka stops fetching it when the queue is full, and goes on by itself.
//! - **Ends**: a partition is at its end when its broker said so. Whenever a connection breaks, every end is asked again,
//!   so that a partition whose broker is away is [`Waiting`](crate::transport::ReadStatus::Waiting), never at its end.
//! - **Brokers that are away**, at the start or in the middle, are waited for: librdkafka connects again by itself, and
//!   reading goes on where it stopped. It is told once when partitions have been without an answer for some seconds, and
//!   once when all answer again. What waiting cannot mend (an offset that is not there, a topic that is gone, no
//!   permission) is an error that says so.
//! - **What it cannot see**: a topic that is deleted and made anew within seconds while it is read, and has more records
//!   by then than were read of the old one, looks like the same topic. With fewer, it is an error.

mod cluster;
mod config;
mod context;
mod failure;
mod outbox;
mod publisher;
mod reader;
mod records;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

pub use config::KafkaConfig;

use self::cluster::Cluster;
use crate::transport::{OffsetUnit, Outbox, PartitionState, Publisher, Reader, Records, Transport, TransportError};

/// Brokers, and how to speak with them.
pub struct KafkaTransport {
    cluster: Arc<Cluster>,
    silent_readers: Arc<AtomicUsize>,
}

impl KafkaTransport {
    /// Prepares a client. Brokers are not contacted yet: one that is away is an error of the calls that need it.
    pub fn open(config: KafkaConfig) -> Result<Self, TransportError> {
        Ok(Self { cluster: Arc::new(Cluster::open(config)?), silent_readers: Arc::default() })
    }
}

impl std::fmt::Debug for KafkaTransport {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "kafka://{}", self.cluster.config().brokers)
    }
}

impl Transport for KafkaTransport {
    fn offset_unit(&self) -> OffsetUnit {
        OffsetUnit::Records
    }

    fn partitions(&self, topic: &str) -> Result<Vec<PartitionState>, TransportError> {
        self.cluster.partitions(topic)
    }

    fn create_topic(&self, topic: &str, partitions: u16) -> Result<bool, TransportError> {
        self.cluster.create_topic(topic, partitions, false)
    }

    fn reader(&self, wake: Box<dyn Fn() + Send + Sync>) -> Result<Box<dyn Reader>, TransportError> {
        Ok(Box::new(reader::KafkaReader::open(self.cluster.config(), wake.into(), Arc::clone(&self.silent_readers))?))
    }

    fn publisher(&self) -> Result<Box<dyn Publisher>, TransportError> {
        Ok(Box::new(publisher::KafkaPublisher::open(Arc::clone(&self.cluster))?))
    }

    fn records(&self) -> Option<Box<dyn Records>> {
        Some(Box::new(records::KafkaRecords::new(self.cluster.config().clone())))
    }

    fn has_transactions(&self) -> bool {
        true
    }

    fn outbox(&self, id: &str, progress_topic: &str) -> Result<Box<dyn Outbox>, TransportError> {
        let reader = reader::KafkaReader::open(self.cluster.config(), Arc::new(|| ()), Arc::clone(&self.silent_readers))?;
        Ok(Box::new(outbox::KafkaOutbox::open(Arc::clone(&self.cluster), reader, id, progress_topic)?))
    }
}
