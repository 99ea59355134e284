//! What librdkafka tells besides records.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use rdkafka::TopicPartitionList;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use serde::Deserialize;

use super::failure::is_refusal;

/// Hears errors, statistics and the answers to announced offsets. All of it comes on the thread that polls.
#[derive(Default)]
pub(super) struct Context {
    reason: Mutex<String>,
    refusal: Mutex<Option<(RDKafkaErrorCode, String)>>,
    highs: Mutex<BTreeMap<String, BTreeMap<String, Arc<AtomicI64>>>>,
    announcing_fails: AtomicBool,
}

impl Context {
    /// What librdkafka said with its last error.
    pub(super) fn reason(&self) -> String {
        self.reason.lock().map_or_else(|_| String::new(), |reason| reason.clone())
    }

    /// Why brokers refused us, if one did since this was asked last: the call that waited for them only says that it waited.
    pub(super) fn refusal(&self) -> Option<(RDKafkaErrorCode, String)> {
        self.refusal.lock().ok()?.take()
    }

    /// Where the high watermark of a partition will be told; negative until then.
    pub(super) fn watch_high(&self, topic: &str, partition: i32) -> Arc<AtomicI64> {
        let high = Arc::new(AtomicI64::new(-1));
        if let Ok(mut highs) = self.highs.lock() {
            highs.entry(topic.to_owned()).or_default().insert(partition.to_string(), Arc::clone(&high));
        }
        high
    }

    /// Tells, once until it works again, that offsets could not be announced.
    pub(super) fn announced(&self, result: &KafkaResult<()>) {
        match result {
            Ok(()) => self.announcing_fails.store(false, Ordering::Relaxed),
            Err(error) if self.announcing_fails.swap(true, Ordering::Relaxed) => {
                tracing::debug!(%error, "an offset could not be announced");
            }
            Err(error) => tracing::warn!(%error, "offsets cannot be announced: tools show a lag that is too great; reading goes on"),
        }
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn stats_raw(&self, statistics: &[u8]) {
        let (Ok(statistics), Ok(highs)) = (serde_json::from_slice::<Statistics>(statistics), self.highs.lock()) else { return };
        for (topic, told) in &statistics.topics {
            let Some(watched) = highs.get(topic) else { continue };
            for (partition, told) in &told.partitions {
                if let Some(high) = watched.get(partition) {
                    high.store(told.hi_offset, Ordering::Relaxed);
                }
            }
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // Ends of partitions come as errors, too.
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::PartitionEOF) {
            return;
        }
        tracing::debug!(target: "librdkafka", %error, reason);
        if let (Some(code), Ok(mut refusal)) = (error.rdkafka_error_code().filter(|code| is_refusal(*code)), self.refusal.lock()) {
            *refusal = Some((code, reason.to_owned()));
        }
        if let Ok(mut last) = self.reason.lock() {
            reason.clone_into(&mut last);
        }
    }
}

impl ConsumerContext for Context {
    fn commit_callback(&self, result: KafkaResult<()>, _offsets: &TopicPartitionList) {
        self.announced(&result);
    }
}

/// librdkafka logs every attempt to connect; what it means is told by readers and publishers, when it changes.
pub(super) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
            tracing::error!(target: "librdkafka", facility, message)
        }
        _ => tracing::debug!(target: "librdkafka", facility, message),
    }
}

/// The part of librdkafka's statistics that is used.
#[derive(Deserialize)]
struct Statistics {
    #[serde(default)]
    topics: BTreeMap<String, TopicStatistics>,
}

#[derive(Deserialize)]
struct TopicStatistics {
    #[serde(default)]
    partitions: BTreeMap<String, PartitionStatistics>,
}

#[derive(Deserialize)]
struct PartitionStatistics {
    hi_offset: i64,
}
