//! Kafka: topics on brokers, through librdkafka.
//!
//! ```text
//!                  ┌─ Cluster: partitions, offsets, new topics
//!  KafkaTransport ─┼─ KafkaReader, one per worker: a consumer, and a queue for each partition
//!                  ├─ KafkaPublisher: an idempotent producer
//!                  └─ KafkaOutbox: the same in transactions, each with its progress
//! ```
//!
//! - **Options**: [`KafkaConfig`]. What delivery depends on is fixed; every other property of librdkafka can be set by its own
//!   name. TLS, and SASL's SCRAM and OAUTHBEARER, come with the feature `tls`, which requires OpenSSL.
//! - **Delivery**: a reader hands out every committed record of a partition once, in order, from the offset it was given. Records
//!   of aborted transactions and transaction markers are skipped; records of an open transaction are not visible yet. Partitions
//!   are assigned by hand; offsets are announced to a group only so that tools can show lag, and reading never depends on them. A
//!   publisher's records are stored by all in-sync replicas before `flush` returns, each once as long as the publisher lives;
//!   after a crash and restart it may repeat its last records.
//! - **Order and time**: a record keeps the timestamp that its producer or broker gave it. No clock is read to decide which
//!   records are handed out.
//! - **Pausing**: each partition has a queue of its own with bounded memory. When the queue of a partition that is not read is
//!   full, librdkafka stops fetching it, and resumes by itself.
//! - **Ends**: a partition is at its end when its broker has confirmed it. Whenever a connection breaks, or a broker leaves
//!   requests unanswered for some seconds, ends are requested again, so a partition whose broker is down or hangs is
//!   [`Waiting`](crate::transport::ReadStatus::Waiting), not at its end.
//! - **Brokers that are down**, at the start or later, are waited for: librdkafka reconnects, and reading continues where it
//!   stopped. A broker that is stopping may answer that its cluster has no brokers: librdkafka then forgets all, and the reader goes
//!   on with a new consumer. Clients for single requests, and outboxes, are replaced after a failure. One log line reports that
//!   partitions have been without an answer for some seconds, and one that all answer again. What waiting cannot resolve (an offset
//!   that does not exist, a deleted topic, a missing permission) is an error that names it.
//! - **A topic that was created anew** while no run read it is recognized by the last record that was read
//!   ([`LastRecord`](crate::source::LastRecord)).
//! - **Limitation**: a topic that is deleted and created again within seconds while it is read looks like the same topic if it
//!   then has more records than were read of the old one. With fewer, reading fails.

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
use std::thread;

pub use config::KafkaConfig;

use self::cluster::Cluster;
use crate::transport::{OffsetUnit, Outbox, PartitionState, Publisher, Reader, Records, Transport, TransportError};

/// A connection to a Kafka cluster.
pub struct KafkaTransport {
    cluster: Arc<Cluster>,
    silent_readers: Arc<AtomicUsize>,
}

impl KafkaTransport {
    /// Prepares a client without contacting brokers: an unreachable broker is an error of the calls that need it.
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

    fn is_known_by_last_record(&self) -> bool {
        true
    }

    fn records(&self) -> Option<Box<dyn Records>> {
        Some(Box::new(records::KafkaRecords::new(self.cluster.config().clone())))
    }

    fn has_transactions(&self) -> bool {
        true
    }

    fn outbox(&self, id: &str, progress_topic: &str) -> Result<Box<dyn Outbox>, TransportError> {
        Ok(Box::new(outbox::KafkaOutbox::open(Arc::clone(&self.cluster), Arc::clone(&self.silent_readers), id, progress_topic)?))
    }
}

/// Drops a client that has failed on a thread of its own: its end waits for brokers.
fn leave(client: impl Send + 'static) {
    // If no thread is to be had, this one waits.
    let _ = thread::Builder::new().name("kafka-leave".to_owned()).spawn(move || drop(client));
}
