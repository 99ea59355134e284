//! Configuration of the Kafka connection.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use serde::{Deserialize, Serialize};

/// Options of the Kafka connector.
///
/// ```toml
/// [kafka]
/// client_id = "headwater"
/// group_id = "headwater"
/// queue_kib = 4096
/// fetch_wait_ms = 10
/// timeout_ms = 5000
/// delivery_timeout_ms = 120000
/// replication = -1
/// properties = { "client.rack" = "a", "fetch.max.bytes" = "16777216" }
/// ```
///
/// TLS and SASL, in a program that was built with the feature `tls`:
///
/// ```toml
/// [kafka]
/// properties = { "security.protocol" = "SASL_SSL", "sasl.mechanisms" = "SCRAM-SHA-512", "sasl.username" = "headwater", "ssl.ca.location" = "ca.pem" }
/// secrets = { "sasl.password" = "KAFKA_PASSWORD" }   # the environment variable that has it
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KafkaConfig {
    /// `HOST:PORT[,HOST:PORT…]`; the source's address sets it.
    pub brokers: String,
    /// Client id in the brokers' logs and quotas. Default: `headwater`.
    pub client_id: String,
    /// Consumer group to which committed offsets are announced, for tools that show lag. No other consumer may be a member.
    /// Default: `headwater`.
    pub group_id: String,
    /// KiB of records that each partition's queue may hold before fetching stops. A fetch in flight may exceed it by at most 1
    /// MiB or the largest record. Default: 4096.
    pub queue_kib: u32,
    /// Milliseconds that a broker may hold back a fetch that has no new records. Lower values cost more requests; records that
    /// have arrived are always sent at once. Default: 10.
    pub fetch_wait_ms: u32,
    /// Milliseconds until a request to the brokers (partitions, offsets, a new topic) times out. Default: 5000.
    pub timeout_ms: u64,
    /// Milliseconds until an undelivered record is given up and publishing fails. Default: 120000.
    pub delivery_timeout_ms: u32,
    /// Replication factor of topics that are created; -1 is the brokers' default. Default: -1.
    pub replication: i32,
    /// Further librdkafka properties, by librdkafka's names. Properties that delivery depends on are refused.
    pub properties: BTreeMap<String, String>,
    /// Properties that must not be written in a file: for each, the environment variable that holds its value.
    pub secrets: BTreeMap<String, String>,
}

impl Default for KafkaConfig {
    fn default() -> Self {
        Self {
            brokers: String::new(),
            client_id: "headwater".to_owned(),
            group_id: "headwater".to_owned(),
            queue_kib: 4096,
            fetch_wait_ms: 10,
            timeout_ms: 5000,
            delivery_timeout_ms: 120_000,
            replication: -1,
            properties: BTreeMap::new(),
            secrets: BTreeMap::new(),
        }
    }
}

/// Whether TLS is built in, and with it SASL's SCRAM and OAUTHBEARER.
pub(super) const HAS_TLS: bool = cfg!(feature = "tls");

/// Properties that have a configuration field of their own.
const FIELDS: [(&str, &str); 8] = [
    ("bootstrap.servers", "the source's address"),
    ("metadata.broker.list", "the source's address"),
    ("client.id", "client_id"),
    ("group.id", "group_id"),
    ("queued.max.messages.kbytes", "queue_kib"),
    ("fetch.wait.max.ms", "fetch_wait_ms"),
    ("message.timeout.ms", "delivery_timeout_ms"),
    ("delivery.timeout.ms", "delivery_timeout_ms"),
];

/// Properties that delivery, or detecting the end of a partition, depends on.
const FIXED: [&str; 18] = [
    "acks",
    "request.required.acks",
    "allow.auto.create.topics",
    "auto.commit.enable",
    "auto.offset.reset",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.gapless.guarantee",
    "enable.idempotence",
    "enable.partition.eof",
    "group.instance.id",
    "group.protocol",
    "isolation.level",
    "log.queue",
    "partitioner",
    "plugin.library.paths",
    "statistics.interval.ms",
    "transactional.id",
];

impl KafkaConfig {
    /// Every problem with the options, one sentence each.
    pub fn validate(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for broker in self.brokers.split(',').filter(|_| !self.brokers.is_empty()) {
            if !is_address(broker) {
                problems.push(format!("brokers: {broker:?} is no address: write HOST:PORT[,HOST:PORT…]"));
            }
        }
        for (name, value) in [("client_id", &self.client_id), ("group_id", &self.group_id)] {
            if value.is_empty() || value.len() > 255 || value.chars().any(char::is_control) {
                problems.push(format!("{name} is {value:?}: give 1 to 255 characters"));
            }
        }
        let mut range = |name: &str, value: u64, low: u64, high: u64| {
            if !(low..=high).contains(&value) {
                problems.push(format!("{name} is {value}: give {low} to {high}"));
            }
        };
        range("queue_kib", self.queue_kib.into(), 64, 2_097_151);
        range("fetch_wait_ms", self.fetch_wait_ms.into(), 0, 10_000);
        range("timeout_ms", self.timeout_ms, 100, 300_000);
        range("delivery_timeout_ms", self.delivery_timeout_ms.into(), 1000, 2_147_483_647);
        if self.replication != -1 && !(1..=32_767).contains(&self.replication) {
            problems.push(format!("replication is {}: give 1 or more, or -1 to leave it to the brokers", self.replication));
        }
        problems.extend(self.properties.keys().chain(self.secrets.keys()).filter_map(|name| refused(name)));
        problems.extend(self.secrets.iter().filter_map(|(name, variable)| match std::env::var(variable) {
            Ok(_) => None,
            Err(error) => Some(format!("secrets: {name:?} is to come from the environment variable {variable:?}: {error}")),
        }));
        problems.extend(self.needs_tls().filter(|_| !HAS_TLS).map(|(name, value)| {
            format!("properties: {name:?} is {value:?}, and this program was built without TLS: build it with `cargo build -p headwater --features tls` (it needs OpenSSL)")
        }));
        problems
    }

    /// The first property that requires a build with TLS.
    fn needs_tls(&self) -> Option<(&str, &str)> {
        let properties = self.properties.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let mut needing = properties.filter(|(name, value)| match *name {
            "security.protocol" => value.to_ascii_lowercase().ends_with("ssl"),
            "sasl.mechanism" | "sasl.mechanisms" => !value.eq_ignore_ascii_case("PLAIN"),
            _ => name.starts_with("ssl."),
        });
        needing.next()
    }

    pub(super) const fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    /// librdkafka configuration for metadata requests and creating topics.
    pub(super) fn client(&self) -> ClientConfig {
        let mut client = ClientConfig::new();
        client
            .set_log_level(RDKafkaLogLevel::Info)
            .set("bootstrap.servers", &self.brokers)
            .set("client.id", &self.client_id)
            .set("allow.auto.create.topics", "false")
            // A partition ends where a reader of committed records stops.
            .set("isolation.level", "read_committed")
            // Reconnects soon to a broker that is down, because the outage is visible as lag.
            .set("reconnect.backoff.ms", "100")
            .set("reconnect.backoff.max.ms", "1000");
        self.with_properties(client)
    }

    /// librdkafka configuration of whatever reads records.
    pub(super) fn consumer(&self) -> ClientConfig {
        let mut consumer = self.client();
        consumer
            .set("group.id", &self.group_id)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "error")
            .set("enable.partition.eof", "true")
            .set("fetch.wait.max.ms", self.fetch_wait_ms.to_string())
            .set("fetch.message.max.bytes", (u64::from(self.queue_kib) * 1024).min(1 << 20).to_string())
            .set("queued.max.messages.kbytes", self.queue_kib.to_string())
            // By default librdkafka waits 1 s before it retries a queue that was full, and 0.5 s after an error.
            .set("fetch.queue.backoff.ms", "10")
            .set("fetch.error.backoff.ms", "100");
        self.with_properties(consumer)
    }

    /// librdkafka configuration of a publisher.
    pub(super) fn producer(&self) -> ClientConfig {
        let mut producer = self.client();
        producer
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("partitioner", "murmur2_random")
            .set("linger.ms", "5")
            .set("compression.type", "lz4")
            .set("queue.buffering.max.kbytes", "65536")
            .set("message.timeout.ms", self.delivery_timeout_ms.to_string());
        // Consumer properties, which a producer would warn about.
        producer.remove("isolation.level").remove("allow.auto.create.topics");
        self.with_properties(producer)
    }

    fn with_properties(&self, mut client: ClientConfig) -> ClientConfig {
        for (name, value) in &self.properties {
            client.set(name, value);
        }
        for (name, variable) in &self.secrets {
            // Validation has checked that the variable is set.
            client.set(name, std::env::var(variable).unwrap_or_default());
        }
        client
    }
}

fn is_address(broker: &str) -> bool {
    broker.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0))
}

/// Why a property cannot be set by its own name.
fn refused(name: &str) -> Option<String> {
    if let Some((_, field)) = FIELDS.iter().find(|(property, _)| *property == name) {
        return Some(format!("properties: {name:?} cannot be set here: use {field}"));
    }
    FIXED.contains(&name).then(|| format!("properties: {name:?} cannot be set: delivery depends on it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_is_told() {
        assert_eq!(KafkaConfig::default().validate(), Vec::<String>::new());
        let properties = ["group.id", "enable.partition.eof", "client.rack"].map(|name| (name.to_owned(), "x".to_owned()));
        let bad = KafkaConfig {
            brokers: "host,b:1,:9092".to_owned(),
            client_id: String::new(),
            queue_kib: 0,
            timeout_ms: 0,
            delivery_timeout_ms: 0,
            replication: 0,
            properties: properties.into(),
            ..KafkaConfig::default()
        };
        let problems = bad.validate();
        for expected in [
            "\"host\"",
            "\":9092\"",
            "client_id",
            "queue_kib",
            "timeout_ms",
            "delivery_timeout_ms",
            "replication",
            "group_id",
            "partition.eof",
        ] {
            assert!(problems.iter().any(|problem| problem.contains(expected)), "{expected} is not told: {problems:?}");
        }
        assert_eq!(problems.len(), 9, "{problems:?}");
    }

    #[test]
    fn what_needs_tls_or_a_secret_that_is_not_there_is_told() {
        let config = |key: &str, value: &str, secret: &str| KafkaConfig {
            properties: [(key.to_owned(), value.to_owned())].into(),
            secrets: [("sasl.password".to_owned(), secret.to_owned())].into(),
            ..KafkaConfig::default()
        };
        for (key, value, needs) in [
            ("security.protocol", "SASL_SSL", true),
            ("security.protocol", "sasl_plaintext", false),
            ("sasl.mechanisms", "SCRAM-SHA-256", true),
            ("sasl.mechanisms", "PLAIN", false),
            ("ssl.ca.location", "ca.pem", true),
            ("client.rack", "a", false),
        ] {
            let problems = config(key, value, "PATH").validate();
            assert_eq!(problems.iter().any(|problem| problem.contains("--features tls")), needs && !HAS_TLS, "{key}: {problems:?}");
        }
        let problems = config("client.rack", "a", "HEADWATER_NO_SUCH_VARIABLE").validate();
        assert!(problems.len() == 1 && problems.iter().all(|problem| problem.contains("HEADWATER_NO_SUCH_VARIABLE")), "{problems:?}");
    }

    #[test]
    fn unknown_fields_are_refused_and_missing_ones_have_defaults() {
        assert!(serde_json::from_str::<KafkaConfig>("{\"queue\": 5}").is_err());
        let config: KafkaConfig = serde_json::from_str("{\"queue_kib\": 128}").expect("a configuration");
        assert_eq!(config, KafkaConfig { queue_kib: 128, ..KafkaConfig::default() });
    }

    #[test]
    fn librdkafka_knows_every_property_that_is_set() {
        let config = KafkaConfig { brokers: "127.0.0.1:1".to_owned(), ..KafkaConfig::default() };
        for client in [config.client(), config.consumer(), config.producer()] {
            client.create_native_config().expect("a configuration that librdkafka takes");
        }
    }
}
