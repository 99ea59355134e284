//! Random access to single records of Kafka.

use std::time::{Duration, Instant};

use headwater_schemas::Offset;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::{Offset as KafkaOffset, TopicPartitionList};

use super::config::KafkaConfig;
use super::context::Context;
use super::failure::{failure, is_passing};
use super::leave;
use crate::transport::{Records, TransportError};

/// The farthest record to which the consumer reads on instead of seeking: it fetches many at once.
const AHEAD: u64 = 10_000;
/// Timeout of one poll of the queue.
const POLL: Duration = Duration::from_millis(100);

/// Reads records by offset, with its own consumer, which is created for the first of them.
pub(super) struct KafkaRecords {
    config: KafkaConfig,
    consumer: Option<BaseConsumer<Context>>,
    /// The assigned partition, and the offset that its consumer reads next.
    at: Option<(String, u16, Offset)>,
}

impl KafkaRecords {
    pub(super) const fn new(config: KafkaConfig) -> Self {
        Self { config, consumer: None, at: None }
    }

    /// A consumer whose next records include the given one.
    fn before(&mut self, topic: &str, partition: u16, offset: Offset) -> Result<&BaseConsumer<Context>, TransportError> {
        let failed = |error: KafkaError| failure("reading again from", topic, &error, "");
        let consumer = match self.consumer.take() {
            Some(consumer) => consumer,
            None => BaseConsumer::from_config_and_context(&self.config.consumer(), Context::default()).map_err(failed)?,
        };
        let is_ahead = self
            .at
            .as_ref()
            .is_some_and(|(of, number, next)| of == topic && *number == partition && *next <= offset && next.until(offset) < AHEAD);
        if !is_ahead {
            let mut here = TopicPartitionList::new();
            let begin = i64::try_from(offset.get()).unwrap_or(i64::MAX);
            here.add_partition_offset(topic, i32::from(partition), KafkaOffset::Offset(begin)).map_err(failed)?;
            consumer.assign(&here).map_err(failed)?;
        }
        self.at = None;
        Ok(self.consumer.insert(consumer))
    }

    fn read(&mut self, topic: &str, partition: u16, offset: Offset) -> Result<Vec<u8>, TransportError> {
        let give_up = Instant::now() + self.config.timeout();
        let consumer = self.before(topic, partition, offset)?;
        let object = || format!("{topic}/{partition} at offset {offset}");
        let missing = |cause: &str| TransportError { attempt: "reading again", object: object(), cause: cause.into(), retry: false };
        loop {
            match consumer.poll(POLL) {
                // Left over from another partition's queue.
                Some(Ok(record)) if record.topic() != topic || record.partition() != i32::from(partition) => {}
                Some(Ok(record)) => match u64::try_from(record.offset()).map_or(Offset::ZERO, Offset::new).cmp(&offset) {
                    std::cmp::Ordering::Less => {}
                    std::cmp::Ordering::Equal => return Ok(record.payload().unwrap_or_default().to_vec()),
                    std::cmp::Ordering::Greater => return Err(missing("the record is not there any more")),
                },
                Some(Err(KafkaError::PartitionEOF(_))) | None if Instant::now() > give_up => return Err(missing("brokers do not answer")),
                Some(Err(KafkaError::PartitionEOF(_))) | None => {}
                Some(Err(error)) if error.rdkafka_error_code().is_some_and(is_passing) && Instant::now() <= give_up => {}
                Some(Err(error)) => return Err(failure("reading again", &object(), &error, "")),
            }
        }
    }
}

impl Records for KafkaRecords {
    fn value(&mut self, topic: &str, partition: u16, offset: Offset) -> Result<Vec<u8>, TransportError> {
        // After a failure a new consumer is made: this one may have forgotten all brokers.
        let value = self.read(topic, partition, offset).inspect_err(|_| leave(self.consumer.take()))?;
        self.at = Some((topic.to_owned(), partition, offset.next()));
        Ok(value)
    }
}
