//! Outbox of Kafka: each batch is one transaction, which includes a record of the outbox's progress.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

use headwater_schemas::Offset;
use rdkafka::error::KafkaError;
use rdkafka::producer::Producer;

use super::cluster::Cluster;
use super::failure::{failure, is_final};
use super::publisher::KafkaPublisher;
use super::reader::KafkaReader;
use crate::transport::{Outbox, Outgoing, Publisher, ReadStatus, Reader, TransportError};

/// The partition with the progress of all ids, of however many its topic has: so the newest record of an id is its progress.
const PROGRESS_PARTITION: i32 = 0;

/// Publishes in transactions. Opening another outbox of the same id fences this one.
pub(super) struct KafkaOutbox {
    publisher: KafkaPublisher,
    cluster: Arc<Cluster>,
    silent_readers: Arc<AtomicUsize>,
    id: String,
    progress_topic: String,
}

impl KafkaOutbox {
    /// Opens the outbox, and aborts a transaction that an earlier process of this id left open.
    pub(super) fn open(
        cluster: Arc<Cluster>,
        silent_readers: Arc<AtomicUsize>,
        id: &str,
        progress_topic: &str,
    ) -> Result<Self, TransportError> {
        if !cluster.create_topic(progress_topic, 1, true)? && cluster.is_compacted(progress_topic) == Some(false) {
            tracing::warn!(
                topic = progress_topic,
                "the progress of what is published expires with the topic's retention: set its cleanup.policy to compact"
            );
        }
        let publisher = KafkaPublisher::transactional(Arc::clone(&cluster), id)?;
        let outbox = Self { publisher, cluster, silent_readers, id: id.to_owned(), progress_topic: progress_topic.to_owned() };
        outbox.publisher.producer().init_transactions(outbox.patience()).map_err(|error| outbox.failed("opening", &error))?;
        Ok(outbox)
    }

    fn patience(&self) -> Duration {
        self.cluster.config().timeout() * 4
    }

    /// The error of a transaction. It allows a retry, with a new outbox, unless the producer or the brokers' answer is final.
    fn failed(&self, attempt: &'static str, error: &KafkaError) -> TransportError {
        let reason = if let KafkaError::Transaction(error) = error { error.string() } else { String::new() };
        let mut told = failure(attempt, &format!("the outbox {}", self.id), error, &reason);
        let is_fatal = matches!(error, KafkaError::Transaction(error) if error.is_fatal());
        told.retry = !is_fatal && !error.rdkafka_error_code().is_some_and(is_final);
        told
    }

    /// The error that ended a transaction, which a failed record does not have: when a transaction fails, librdkafka drops what was not
    /// sent, and reports the records as purged.
    fn cause(&self, of_record: TransportError) -> TransportError {
        // In a transaction that failed, a beginning returns why. In one that did not fail, it changes nothing.
        match self.publisher.producer().begin_transaction() {
            Err(error @ KafkaError::Transaction(_)) if ends_a_transaction(&error) => self.failed("publishing a batch of", &error),
            _ => of_record,
        }
    }

    fn in_transaction(&mut self, records: &[Outgoing], progress: &str) -> Result<(), TransportError> {
        for record in records {
            self.publisher.send(&record.topic, Some(record.key.as_bytes()), Some(&record.value))?;
        }
        let (topic, id) = (self.progress_topic.clone(), self.id.clone());
        self.publisher.send_to(&topic, PROGRESS_PARTITION, id.as_bytes(), progress.as_bytes())?;
        self.publisher.flush()
    }
}

impl Outbox for KafkaOutbox {
    fn progress(&mut self) -> Result<Option<String>, TransportError> {
        let states = self.cluster.partitions(&self.progress_topic)?;
        let of_progress = states.iter().find(|state| i32::from(state.partition) == PROGRESS_PARTITION);
        let low = of_progress.map_or(Offset::ZERO, |state| state.low);
        // For this once: one that nobody polls would fill memory with all that comes later.
        let mut reader = KafkaReader::open(self.cluster.config(), Arc::new(|| ()), Arc::clone(&self.silent_readers))?;
        let slot = reader.assign(&self.progress_topic, 0, low)?;
        let (mut found, began) = (None, Instant::now());
        loop {
            let status = reader.read(slot, 4096, &mut |record| {
                if record.key == Some(self.id.as_bytes()) {
                    found = record.value.map(|value| String::from_utf8_lossy(value).into_owned());
                }
                ControlFlow::Continue(())
            })?;
            match status {
                ReadStatus::End => return Ok(found),
                ReadStatus::Waiting if began.elapsed() > self.patience() => {
                    let cause = format!("it does not answer for {} s", self.patience().as_secs()).into();
                    return Err(TransportError { attempt: "reading", object: self.progress_topic.clone(), cause, retry: true });
                }
                ReadStatus::Waiting => std::thread::sleep(Duration::from_millis(5)),
                ReadStatus::More => {}
            }
        }
    }

    fn publish(&mut self, records: &[Outgoing], progress: &str, sent: &mut dyn FnMut()) -> Result<(), TransportError> {
        self.publisher.producer().begin_transaction().map_err(|error| self.failed("beginning a batch of", &error))?;
        if let Err(error) = self.in_transaction(records, progress) {
            let error = self.cause(error);
            // A failure is harmless: the next outbox of this id aborts a transaction that stays open.
            let _ = self.publisher.producer().abort_transaction(self.patience());
            return Err(error);
        }
        sent();
        self.publisher.producer().commit_transaction(self.patience()).map_err(|error| self.failed("committing a batch of", &error))
    }
}

/// Whether an error says that a transaction failed, and not only that another call was expected.
fn ends_a_transaction(error: &KafkaError) -> bool {
    matches!(error, KafkaError::Transaction(error) if error.is_fatal() || error.txn_requires_abort())
}
