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
    brokers: Mutex<Brokers>,
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

    /// What the last statistics say of the brokers.
    pub(super) fn brokers(&self) -> Brokers {
        self.brokers.lock().map_or(Brokers::Connected, |brokers| *brokers)
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
        if let Ok(mut brokers) = self.brokers.lock() {
            *brokers = Brokers::of(&statistics);
        }
        for (topic, told) in &statistics.topics {
            let Some(watched) = highs.get(topic) else { continue };
            for (partition, told) in &told.partitions {
                // It is negative until a broker has answered.
                if let Some(high) = watched.get(partition).filter(|_| told.hi_offset >= 0) {
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

/// What a client knows of brokers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Brokers {
    /// It is connected with one, or has just begun.
    #[default]
    Connected,
    /// It is connected with none of those that it knows.
    Down,
    /// It has forgotten all, those of the configuration too, and will never find one again: librdkafka does that when a broker answers
    /// that the cluster has none, as the only broker does while it stops (librdkafka's issue 5301). As long as records of a forgotten
    /// broker are not read, it still seems to be known, and [`Self::Down`].
    Forgotten,
}

impl Brokers {
    fn of(statistics: &Statistics) -> Self {
        // Others are librdkafka's own.
        let known = || statistics.brokers.values().filter(|broker| ["configured", "learned"].contains(&broker.source.as_str()));
        if known().any(|broker| broker.state == "UP") {
            Self::Connected
        } else if known().next().is_some() {
            Self::Down
        } else {
            Self::Forgotten
        }
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
    state: String,
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
        let broker = |name: &str, source: &str, state: &str| format!("\"{name}\":{{\"source\":\"{source}\",\"state\":\"{state}\"}}");
        let bootstrap = |state| broker("127.0.0.1:9092/bootstrap", "configured", state);
        let learned = |state| broker("127.0.0.1:9092/1", "learned", state);
        let own = || [broker(":0/internal", "internal", "UP"), broker("GroupCoordinator", "logical", "UP")].join(",");
        for (name, brokers, expected) in [
            ("at the start", bootstrap("CONNECT"), Brokers::Down),
            ("connected", [learned("UP"), own()].join(","), Brokers::Connected),
            ("one of two", [learned("DOWN"), bootstrap("UP")].join(","), Brokers::Connected),
            ("down", [learned("DOWN"), own()].join(","), Brokers::Down),
            ("forgotten", own(), Brokers::Forgotten),
            ("none at all", String::new(), Brokers::Forgotten),
        ] {
            let context = Context::default();
            assert_eq!(context.brokers(), Brokers::Connected, "{name}: before any statistics");
            context.stats_raw(format!("{{\"brokers\":{{{brokers}}},\"topics\":{{}}}}").as_bytes());
            assert_eq!(context.brokers(), expected, "{name}");
        }
    }
}
