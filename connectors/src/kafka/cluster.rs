//! Metadata of a cluster: partitions, offsets, and the creation of topics.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::executor::block_on;
use headwater_schemas::Offset;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::KafkaConfig;
use super::context::Context;
use super::failure::{failure, is_electing, is_missing, is_passing, is_unanswered};
use super::leave;
use crate::fault::with_causes;
use crate::transport::{PartitionState, TransportError};

/// Interval at which brokers are asked whether a new topic exists yet.
const ASK_AGAIN: Duration = Duration::from_millis(20);

/// Client for everything but records.
pub(super) struct Cluster {
    config: KafkaConfig,
    client: Mutex<Arc<BaseConsumer<Context>>>,
}

impl Cluster {
    pub(super) fn open(config: KafkaConfig) -> Result<Self, TransportError> {
        let mut problems = config.validate();
        if config.brokers.is_empty() {
            problems.push("brokers are missing: give HOST:PORT[,HOST:PORT…]".to_owned());
        }
        if !problems.is_empty() {
            return Err(TransportError {
                attempt: "configuring",
                object: "Kafka".to_owned(),
                cause: problems.join("; ").into(),
                retry: false,
            });
        }
        let client = Mutex::new(client(&config)?);
        Ok(Self { config, client })
    }

    fn client(&self) -> Arc<BaseConsumer<Context>> {
        Arc::clone(&self.client.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces a client that no broker has answered: one that has forgotten all brokers (`Brokers::Forgotten`) would fail for ever.
    fn renew(&self, failed: &Arc<BaseConsumer<Context>>) {
        let mut current = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&current, failed) {
            return; // Another thread was faster.
        }
        match client(&self.config) {
            Ok(client) => leave(std::mem::replace(&mut *current, client)),
            Err(error) => tracing::warn!(error = with_causes(&error), "a client that no broker answers is kept"),
        }
    }

    pub(super) const fn config(&self) -> &KafkaConfig {
        &self.config
    }

    pub(super) fn partitions(&self, topic: &str) -> Result<Vec<PartitionState>, TransportError> {
        self.numbers(topic)?.into_iter().map(|partition| self.state(topic, partition)).collect()
    }

    /// The numbers of a topic's partitions, ascending; empty if the topic does not exist.
    pub(super) fn numbers(&self, topic: &str) -> Result<Vec<u16>, TransportError> {
        let client = self.client();
        serve(&client);
        let failed = |error: &KafkaError| self.failed(&client, "listing the partitions of", topic, error);
        let metadata = client.fetch_metadata(Some(topic), self.config.timeout()).map_err(|error| failed(&error))?;
        let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else { return Ok(Vec::new()) };
        match found.error().map(RDKafkaErrorCode::from) {
            None => {}
            Some(code) if is_missing(code) => return Ok(Vec::new()),
            Some(code) => return Err(failed(&KafkaError::MetadataFetch(code))),
        }
        let number = |id: i32| {
            u16::try_from(id).map_err(|_| {
                let cause = format!("it has a partition {id}: at most {} are read", u16::MAX).into();
                TransportError { attempt: "listing the partitions of", object: topic.to_owned(), cause, retry: false }
            })
        };
        let mut numbers = found.partitions().iter().map(|partition| number(partition.id())).collect::<Result<Vec<_>, _>>()?;
        numbers.sort_unstable();
        Ok(numbers)
    }

    fn state(&self, topic: &str, partition: u16) -> Result<PartitionState, TransportError> {
        let (client, begin) = (self.client(), Instant::now());
        let offsets = loop {
            let offsets = client.fetch_watermarks(topic, partition.into(), self.config.timeout());
            let code = offsets.as_ref().err().and_then(KafkaError::rdkafka_error_code);
            // Brokers that have just restarted are electing leaders.
            if !code.is_some_and(is_electing) || begin.elapsed() > self.config.timeout() {
                break offsets;
            }
            std::thread::sleep(ASK_AGAIN);
        };
        let (low, high) =
            offsets.map_err(|error| self.failed(&client, "asking for the offsets of", &format!("{topic}/{partition}"), &error))?;
        let offset = |offset: i64| u64::try_from(offset).map_or(Offset::ZERO, Offset::new);
        Ok(PartitionState { partition, low: offset(low), high: offset(high) })
    }

    /// Creates a topic if it is missing. For a compacted topic the brokers keep the newest record of each key.
    pub(super) fn create_topic(&self, topic: &str, partitions: u16, compacted: bool) -> Result<bool, TransportError> {
        if !self.numbers(topic)?.is_empty() {
            return Ok(false);
        }
        let client = self.client();
        let failed = |error: &KafkaError| self.failed(&client, "creating", topic, error);
        // A topic is created once, so no admin client is kept.
        let admin: AdminClient<DefaultClientContext> = self.config.client().create().map_err(|error| failed(&error))?;
        let new = NewTopic::new(topic, i32::from(partitions.max(1)), TopicReplication::Fixed(self.config.replication));
        let new = if compacted { new.set("cleanup.policy", "compact") } else { new };
        let options = AdminOptions::new().request_timeout(Some(self.config.timeout())).operation_timeout(Some(self.config.timeout()));
        let results = block_on(admin.create_topics(&[new], &options)).map_err(|error| failed(&error))?;
        match results.into_iter().next() {
            Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => Ok(false),
            Some(Err((_, code))) => Err(failed(&KafkaError::AdminOp(code))),
            Some(Ok(_)) | None => self.wait_for(topic).map(|()| true),
        }
    }

    /// Whether brokers keep the newest record of each key of a topic for ever; `None` where they do not answer or must not.
    pub(super) fn is_compacted(&self, topic: &str) -> Option<bool> {
        let admin: AdminClient<DefaultClientContext> = self.config.client().create().ok()?;
        let options = AdminOptions::new().request_timeout(Some(self.config.timeout()));
        let answers = block_on(admin.describe_configs(&[ResourceSpecifier::Topic(topic)], &options)).ok()?;
        let settings = answers.into_iter().next()?.ok()?;
        let policy = settings.get("cleanup.policy")?.value.as_deref()?;
        Some(policy.trim() == "compact")
    }

    /// Waits until all partitions of a new topic answer: one broker creates it, and the others learn of it later.
    fn wait_for(&self, topic: &str) -> Result<(), TransportError> {
        let begin = Instant::now();
        loop {
            match self.partitions(topic) {
                Ok(partitions) if !partitions.is_empty() => return Ok(()),
                Err(error) if begin.elapsed() > self.config.timeout() => return Err(error),
                Ok(_) if begin.elapsed() > self.config.timeout() => {
                    let cause = format!("it was created, but no broker shows it after {} ms", self.config.timeout_ms).into();
                    return Err(TransportError { attempt: "creating", object: topic.to_owned(), cause, retry: true });
                }
                Ok(_) | Err(_) => std::thread::sleep(ASK_AGAIN),
            }
        }
    }

    /// An error of a request, with the last message of the client that made it.
    fn failed(&self, client: &Arc<BaseConsumer<Context>>, attempt: &'static str, object: &str, error: &KafkaError) -> TransportError {
        serve(client);
        if error.rdkafka_error_code().is_some_and(is_unanswered) {
            self.renew(client);
        }
        match client.context().refusal() {
            Some((code, reason)) if error.rdkafka_error_code().is_none_or(is_passing) => {
                failure(attempt, object, &KafkaError::AdminOp(code), &reason)
            }
            _ => failure(attempt, object, error, &client.context().reason()),
        }
    }
}

fn client(config: &KafkaConfig) -> Result<Arc<BaseConsumer<Context>>, TransportError> {
    let client = BaseConsumer::from_config_and_context(&config.client(), Context::default());
    client.map(Arc::new).map_err(|error| failure("configuring a client for", &config.brokers, &error, ""))
}

/// Drains librdkafka's queue of errors and log lines, which would grow otherwise.
fn serve(client: &BaseConsumer<Context>) {
    for _ in 0..256 {
        drop(client.poll(Duration::ZERO));
    }
}
