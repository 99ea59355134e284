//! Callbacks of librdkafka other than records.

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

/// Handles errors, statistics and results of announced offsets. All callbacks run on the thread that polls.
#[derive(Default)]
pub(super) struct Context {
    reason: Mutex<String>,
    refusal: Mutex<Option<(RDKafkaErrorCode, String)>>,
    highs: Mutex<BTreeMap<String, BTreeMap<String, Arc<AtomicI64>>>>,
    announcing_fails: AtomicBool,
    has_no_brokers: AtomicBool,
}

impl Context {
    /// The message of librdkafka's last error.
    pub(super) fn reason(&self) -> String {
        self.reason.lock().map_or_else(|_| String::new(), |reason| reason.clone())
    }

    /// The last refusal by a broker since the previous call. The call that waited for the broker reports only a timeout.
    pub(super) fn refusal(&self) -> Option<(RDKafkaErrorCode, String)> {
        self.refusal.lock().ok()?.take()
    }

    /// Cell that will hold a partition's high watermark; negative until it is known.
    pub(super) fn watch_high(&self, topic: &str, partition: i32) -> Arc<AtomicI64> {
        let high = Arc::new(AtomicI64::new(-1));
        if let Ok(mut highs) = self.highs.lock() {
            highs.entry(topic.to_owned()).or_default().insert(partition.to_string(), Arc::clone(&high));
        }
        high
    }

    /// Whether librdkafka has forgotten all brokers, those of the configuration too, and so will never find one again: it does when
    /// a broker answers that the cluster has none, as the only broker does while it stops (librdkafka's issue 5301).
    pub(super) fn has_no_brokers(&self) -> bool {
        self.has_no_brokers.load(Ordering::Relaxed)
    }

    /// Logs that offsets could not be announced, once until announcing succeeds again.
    pub(super) fn announced(&self, result: &KafkaResult<()>) {
        match result {
            Ok(()) => self.announcing_fails.store(false, Ordering::Relaxed),
            Err(error) if self.announcing_fails.swap(true, Ordering::Relaxed) => {
                tracing::debug!(%error, "an offset could not be announced");
            }
            Err(error) => tracing::warn!(%error, "offsets cannot be announced: tools show too much lag; reading continues"),
        }
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn stats_raw(&self, statistics: &[u8]) {
        let (Ok(statistics), Ok(highs)) = (serde_json::from_slice::<Statistics>(statistics), self.highs.lock()) else { return };
        self.has_no_brokers.store(!statistics.brokers.values().any(BrokerStatistics::is_real), Ordering::Relaxed);
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
        // librdkafka reports the end of a partition as an error, too.
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

/// librdkafka logs every attempt to connect; readers and publishers log changes of state instead.
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
    brokers: BTreeMap<String, BrokerStatistics>,
    #[serde(default)]
    topics: BTreeMap<String, TopicStatistics>,
}

#[derive(Deserialize)]
struct BrokerStatistics {
    source: String,
}

impl BrokerStatistics {
    /// Whether it is a broker of the configuration or of the cluster, not one that librdkafka made for its own purposes.
    fn is_real(&self) -> bool {
        ["configured", "learned"].contains(&self.source.as_str())
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_has_forgotten_its_brokers_is_recognised() {
        let internal = "\":0/internal\":{\"source\":\"internal\"},\"GroupCoordinator\":{\"source\":\"logical\"}";
        for (name, brokers, expected) in [
            ("at the start", "\"127.0.0.1:9092/bootstrap\":{\"source\":\"configured\"}".to_owned(), false),
            ("connected", format!("\"127.0.0.1:9092/1\":{{\"source\":\"learned\",\"state\":\"UP\"}},{internal}"), false),
            ("down", format!("\"127.0.0.1:9092/1\":{{\"source\":\"learned\",\"state\":\"DOWN\"}},{internal}"), false),
            ("forgotten", internal.to_owned(), true),
            ("forgotten all", String::new(), true),
        ] {
            let context = Context::default();
            assert!(!context.has_no_brokers(), "{name}: before any statistics");
            context.stats_raw(format!("{{\"brokers\":{{{brokers}}},\"topics\":{{}}}}").as_bytes());
            assert_eq!(context.has_no_brokers(), expected, "{name}");
        }
    }
}
