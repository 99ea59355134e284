//! Publisher of Kafka.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};

use super::cluster::Cluster;
use super::context::log;
use super::failure::failure;
use crate::transport::{Publisher, TransportError};

/// Records that are sent between two polls for delivery reports.
const HEAR_EVERY: u32 = 256;

/// Publishes with an idempotent producer: retries neither lose nor duplicate a record.
pub(super) struct KafkaPublisher {
    producer: BaseProducer<Deliveries>,
    cluster: Arc<Cluster>,
    topics: BTreeMap<String, Unkeyed>,
    unheard: u32,
}

/// Round-robin placement of records without a key.
struct Unkeyed {
    partitions: i32,
    next: i32,
}

/// Collects failed deliveries and librdkafka's last message.
#[derive(Default)]
pub(super) struct Deliveries {
    failed: Mutex<Option<FailedDeliveries>>,
    reason: Mutex<String>,
}

struct FailedDeliveries {
    first: KafkaError,
    object: String,
    records: u64,
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", %error, reason);
        if let Ok(mut last) = self.reason.lock() {
            reason.clone_into(&mut last);
        }
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let (Err((error, message)), Ok(mut failed)) = (result, self.failed.lock()) else { return };
        let first =
            || FailedDeliveries { first: error.clone(), object: format!("{}/{}", message.topic(), message.partition()), records: 0 };
        failed.get_or_insert_with(first).records += 1;
    }
}

impl KafkaPublisher {
    pub(super) fn open(cluster: Arc<Cluster>) -> Result<Self, TransportError> {
        let config = cluster.config().producer();
        Self::configured(cluster, &config)
    }

    /// A publisher whose records belong to transactions that the caller begins and commits.
    pub(super) fn transactional(cluster: Arc<Cluster>, id: &str) -> Result<Self, TransportError> {
        let mut config = cluster.config().producer();
        // An open transaction of a dead process blocks readers for this long, unless a new producer of the id aborts it first.
        config.set("transactional.id", id).set("transaction.timeout.ms", "60000").set("message.timeout.ms", "60000");
        Self::configured(cluster, &config)
    }

    fn configured(cluster: Arc<Cluster>, config: &ClientConfig) -> Result<Self, TransportError> {
        let producer = BaseProducer::from_config_and_context(config, Deliveries::default());
        let producer = producer.map_err(|error| failure("configuring a producer for", &cluster.config().brokers, &error, ""))?;
        Ok(Self { producer, cluster, topics: BTreeMap::new(), unheard: 0 })
    }

    pub(super) fn producer(&self) -> &impl Producer<Deliveries> {
        &self.producer
    }

    /// Looks a topic up before its first record, so that a missing topic is reported at once.
    fn look_up(&mut self, topic: &str) -> Result<(), TransportError> {
        if self.topics.contains_key(topic) {
            return Ok(());
        }
        let partitions = self.cluster.numbers(topic)?.len();
        if partitions == 0 {
            return Err(self.failed(topic, &KafkaError::MessageProduction(RDKafkaErrorCode::UnknownTopic)));
        }
        let partitions = i32::try_from(partitions).unwrap_or(i32::MAX);
        self.topics.insert(topic.to_owned(), Unkeyed { partitions, next: 0 });
        Ok(())
    }

    /// The partition of a record without a key. librdkafka places records with a key, because it learns of new partitions.
    fn next_unkeyed(&mut self, topic: &str) -> Option<i32> {
        let unkeyed = self.topics.get_mut(topic)?;
        let partition = unkeyed.next;
        unkeyed.next = (unkeyed.next + 1) % unkeyed.partitions.max(1);
        Some(partition)
    }

    /// Polls for delivery reports until the timeout; fails if a delivery failed.
    fn hear(&mut self, at_most: Duration) -> Result<(), TransportError> {
        self.unheard = 0;
        self.producer.poll(at_most);
        let context = self.producer.context();
        let failed = context.failed.lock().ok().and_then(|mut failed| failed.take());
        if let Some(FailedDeliveries { first, object, records }) = failed {
            let mut error = self.failed(&object, &first);
            error.cause = format!("{records} records were not stored; the first: {}", error.cause).into();
            return Err(error);
        }
        match self.producer.client().fatal_error() {
            Some((code, said)) => Err(failure("publishing to", "Kafka", &KafkaError::MessageProduction(code), &said)),
            None => Ok(()),
        }
    }

    fn failed(&self, object: &str, error: &KafkaError) -> TransportError {
        let timed_out = error.rdkafka_error_code() == Some(RDKafkaErrorCode::MessageTimedOut);
        let reason = self.producer.context().reason.lock().map_or_else(|_| String::new(), |reason| reason.clone());
        failure("publishing to", object, error, if timed_out { &reason } else { "" })
    }
}

impl KafkaPublisher {
    /// Sends a record to a partition of a topic, whatever its key.
    pub(super) fn send_to(&mut self, topic: &str, partition: i32, key: &[u8], value: &[u8]) -> Result<(), TransportError> {
        self.look_up(topic)?;
        let record = BaseRecord::<[u8], [u8]>::to(topic).key(key).payload(value).partition(partition);
        self.enqueue(topic, record)
    }

    /// Waits until librdkafka's queue takes a record.
    fn enqueue(&mut self, topic: &str, mut record: BaseRecord<'_, [u8], [u8]>) -> Result<(), TransportError> {
        loop {
            match self.producer.send(record) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    record = back;
                    self.hear(Duration::from_millis(10))?;
                }
                Err((error, _)) => return Err(self.failed(topic, &error)),
            }
        }
        self.unheard += 1;
        if self.unheard >= HEAR_EVERY { self.hear(Duration::ZERO) } else { Ok(()) }
    }
}

impl Publisher for KafkaPublisher {
    fn send(&mut self, topic: &str, key: Option<&[u8]>, value: Option<&[u8]>) -> Result<(), TransportError> {
        self.look_up(topic)?;
        let mut record = BaseRecord::<[u8], [u8]>::to(topic);
        record.key = key;
        record.payload = value;
        record.partition = if key.is_none() { self.next_unkeyed(topic) } else { None };
        self.enqueue(topic, record)
    }

    fn flush(&mut self) -> Result<(), TransportError> {
        // The loop ends, since every record is stored or given up after `delivery_timeout_ms`. A flush with a longer timeout
        // would wait 100 ms even if all records were stored after 10 ms.
        loop {
            match self.producer.flush(Duration::ZERO) {
                Ok(()) => return self.hear(Duration::ZERO),
                Err(KafkaError::Flush(RDKafkaErrorCode::OperationTimedOut)) => self.hear(Duration::from_millis(1))?,
                Err(error) => return Err(self.failed("Kafka", &error)),
            }
        }
    }
}
