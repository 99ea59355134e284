//! Callbacks of librdkafka other than records.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

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
    watched: Mutex<BTreeMap<String, BTreeMap<String, Arc<Watched>>>>,
    announcing_fails: AtomicBool,
    brokers: Mutex<Brokers>,
    /// Whether statistics have come since they were last asked for.
    is_news: AtomicBool,
}

/// What statistics say of a partition.
#[derive(Debug)]
pub(super) struct Watched {
    /// The high watermark; negative until it is known.
    high: AtomicI64,
    /// Microseconds for which its broker has left requests unanswered; 0 if none waits.
    unanswered_us: AtomicI64,
}

impl Watched {
    /// The high watermark; negative until it is known.
    pub(super) fn high(&self) -> i64 {
        self.high.load(Ordering::Relaxed)
    }

    /// Takes over the high watermark that another client knew.
    pub(super) fn continue_from(&self, other: &Self) {
        self.high.store(other.high(), Ordering::Relaxed);
    }

    /// For how long its broker has left requests unanswered.
    pub(super) fn unanswered(&self) -> Duration {
        Duration::from_micros(u64::try_from(self.unanswered_us.load(Ordering::Relaxed)).unwrap_or(0))
    }
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

    /// Cell that will hold what statistics say of a partition.
    pub(super) fn watch(&self, topic: &str, partition: i32) -> Arc<Watched> {
        let cell = Arc::new(Watched { high: AtomicI64::new(-1), unanswered_us: AtomicI64::new(0) });
        if let Ok(mut watched) = self.watched.lock() {
            watched.entry(topic.to_owned()).or_default().insert(partition.to_string(), Arc::clone(&cell));
        }
        cell
    }

    /// Whether statistics have come since the previous call.
    pub(super) fn take_news(&self) -> bool {
        self.is_news.swap(false, Ordering::Relaxed)
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
        let (Ok(statistics), Ok(watched)) = (serde_json::from_slice::<Statistics>(statistics), self.watched.lock()) else { return };
        if let Ok(mut brokers) = self.brokers.lock() {
            *brokers = Brokers::of(&statistics);
        }
        for (topic, told) in &statistics.topics {
            let Some(watched) = watched.get(topic) else { continue };
            for (partition, told) in &told.partitions {
                let Some(watched) = watched.get(partition) else { continue };
                // It is negative until a broker has answered.
                if told.hi_offset >= 0 {
                    watched.high.store(told.hi_offset, Ordering::Relaxed);
                }
                watched.unanswered_us.store(statistics.unanswered_us(told.broker), Ordering::Relaxed);
            }
        }
        self.is_news.store(true, Ordering::Relaxed);
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
        // That all brokers are down follows from an error of each, which has the cause: a name without an address, a refused connection.
        let is_summary = error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown);
        if let Ok(mut last) = self.reason.lock()
            && (!is_summary || last.is_empty())
        {
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
    #[serde(default = "unknown")]
    nodeid: i64,
    /// Requests that wait for an answer.
    #[serde(default)]
    waitresp_cnt: i64,
    /// Microseconds since its last answer; negative before the first of a connection.
    #[serde(default = "unknown")]
    rxidle: i64,
}

impl Statistics {
    /// Microseconds for which a broker has left requests unanswered, 0 if none waits. One that hangs, or whose network drops what is
    /// sent, looks connected until a request times out after a minute.
    fn unanswered_us(&self, broker: i64) -> i64 {
        let found = self.brokers.values().find(|found| found.nodeid == broker && found.state == "UP");
        found.filter(|found| found.waitresp_cnt > 0).map_or(0, |found| found.rxidle.max(0))
    }
}

const fn unknown() -> i64 {
    -1
}

#[derive(Deserialize)]
struct TopicStatistics {
    #[serde(default)]
    partitions: BTreeMap<String, PartitionStatistics>,
}

#[derive(Deserialize)]
struct PartitionStatistics {
    hi_offset: i64,
    /// The id of the broker that it is fetched from.
    #[serde(default = "unknown")]
    broker: i64,
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

    #[test]
    fn a_broker_that_leaves_requests_unanswered_is_told_from_one_that_was_asked_for_nothing() {
        for (name, node, state, waiting, idle_us, expected) in [
            ("it has just answered", 1, "UP", 1, 9_000, 9),
            ("it hangs", 1, "UP", 1, 4_000_000, 4_000),
            ("nothing is asked, because queues are full", 1, "UP", 0, 4_000_000, 0),
            ("another broker hangs", 2, "UP", 1, 4_000_000, 0),
            ("the connection is new", 1, "UP", 1, -1, 0),
            ("the connection broke, which is reported by itself", 1, "CONNECT", 1, 4_000_000, 0),
        ] {
            let context = Context::default();
            let watched = context.watch("orders", 3);
            assert!(!context.take_news(), "{name}");
            let broker = format!(
                "{{\"source\":\"learned\",\"state\":\"{state}\",\"nodeid\":{node},\"waitresp_cnt\":{waiting},\"rxidle\":{idle_us}}}"
            );
            let partition = "{\"3\":{\"hi_offset\":7,\"broker\":1}}";
            let statistics = format!("{{\"brokers\":{{\"b\":{broker}}},\"topics\":{{\"orders\":{{\"partitions\":{partition}}}}}}}");
            context.stats_raw(statistics.as_bytes());
            assert_eq!((watched.high(), watched.unanswered()), (7, Duration::from_millis(expected)), "{name}");
            assert!(context.take_news() && !context.take_news(), "{name}: statistics are news once");
        }
    }

    #[test]
    fn the_reason_is_why_a_broker_is_down_and_not_that_all_are() {
        let context = Context::default();
        let all_down = || KafkaError::Global(RDKafkaErrorCode::AllBrokersDown);
        context.error(all_down(), "1/1 brokers are down");
        assert_eq!(context.reason(), "1/1 brokers are down");
        context.error(KafkaError::Global(RDKafkaErrorCode::Resolve), "kafka:9092: Failed to resolve 'kafka:9092'");
        context.error(all_down(), "1/1 brokers are down");
        assert_eq!(context.reason(), "kafka:9092: Failed to resolve 'kafka:9092'");
    }
}
