//! Location of topics: `log:DIR` or `kafka://HOST:PORT[,HOST:PORT…]`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use anyhow::Context;
use headwater_connectors::kafka::{KafkaConfig, KafkaTransport};
use headwater_connectors::log::LogTransport;
use headwater_connectors::transport::{PartitionState, Transport, TransportError};
use headwater_schemas::Topic;

use crate::config::{Config, SourceConfig};
use crate::outbox::{PROGRESS_TOPIC, PUBLISHED};
use crate::resume::Partitions;

/// Location of topics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A directory of the embedded log.
    Log(PathBuf),
    /// Kafka brokers.
    Kafka(String),
}

impl FromStr for Location {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text.strip_prefix("log:"), text.strip_prefix("kafka://")) {
            (Some(directory), _) if !directory.is_empty() => Ok(Self::Log(directory.into())),
            (_, Some(brokers))
                if brokers.split(',').all(|broker| broker.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok())) =>
            {
                Ok(Self::Kafka(brokers.to_owned()))
            }
            _ => Err(format!("{text:?} is no source: write log:DIR or kafka://HOST:PORT[,HOST:PORT…]")),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log(directory) => write!(out, "log:{}", directory.display()),
            Self::Kafka(brokers) => write!(out, "kafka://{brokers}"),
        }
    }
}

impl Location {
    /// Opens the transport.
    pub fn open(&self, config: &Config) -> anyhow::Result<Arc<dyn Transport>> {
        Ok(match self {
            Self::Log(directory) => Arc::new(LogTransport::new(directory)),
            Self::Kafka(brokers) => {
                let config = KafkaConfig { brokers: brokers.clone(), ..config.kafka.clone() };
                Arc::new(KafkaTransport::open(config).with_context(|| format!("cannot use {self}"))?)
            }
        })
    }
}

/// The current partitions of each topic.
pub fn partitions(transport: &dyn Transport, names: &SourceConfig) -> Result<BTreeMap<Topic, Vec<PartitionState>>, TransportError> {
    let of = |topic: &Topic| Ok((*topic, transport.partitions(&names.name_of(*topic))?));
    Topic::ALL.iter().map(of).collect()
}

/// Topics that are named in the configuration and do not exist, one sentence each; or that there is none at all. Other topics may be
/// missing: not everybody has all of them.
pub fn missing(partitions: &Partitions, names: &SourceConfig) -> Vec<String> {
    if partitions.values().all(Vec::is_empty) {
        let prefix = &names.topic_prefix;
        let with_prefix =
            if prefix.is_empty() { String::new() } else { format!(" whose name begins with {prefix:?} (source.topic_prefix)") };
        return vec![format!(
            "the source has none of the topics{with_prefix}, and nothing is read: create them with `headwater topics`, or correct the name; a live run reads them from their beginning once they exist"
        )];
    }
    let is_missing = |topic: &Topic| names.aliases.contains_key(topic.as_str()) && partitions.get(topic).is_none_or(Vec::is_empty);
    let mend = "create it with `headwater topics`, or correct its name; a live run reads it from its beginning once it exists";
    let told = |topic: &Topic| format!("topic {} (source.aliases of {topic}) does not exist: {mend}", names.name_of(*topic));
    Topic::ALL.iter().filter(|topic| is_missing(topic)).map(told).collect()
}

/// Files beside the topics that are not read, each with the reason.
pub fn unread(transport: &dyn Transport, names: &SourceConfig) -> Result<Vec<String>, TransportError> {
    let read = Topic::ALL.iter().map(|topic| names.name_of(*topic));
    let published = PUBLISHED.iter().map(|published| names.outside(published.name));
    transport.unread(&read.chain(published).chain([names.outside(PROGRESS_TOPIC)]).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use headwater_schemas::Offset;

    use super::*;

    #[test]
    fn topics_that_the_configuration_names_and_that_do_not_exist_are_told() {
        let state = PartitionState { partition: 0, low: Offset::ZERO, high: Offset::ZERO };
        let aliases = [("transactions", "transaction.created"), ("orders", "order.created"), ("alerts", "alarms")];
        let names = SourceConfig {
            topic_prefix: "eu.".to_owned(),
            aliases: aliases.map(|(name, outside)| (name.to_owned(), outside.to_owned())).into(),
            ..SourceConfig::default()
        };
        let with = |topics: &[Topic]| {
            let states = |topic: &Topic| (*topic, if topics.contains(topic) { vec![state] } else { Vec::new() });
            missing(&Topic::ALL.iter().map(states).collect(), &names)
        };
        assert_eq!(with(&[Topic::Orders, Topic::Transactions]), Vec::<String>::new());
        let one = with(&[Topic::Orders, Topic::Fills]);
        assert!(
            matches!(one.as_slice(), [one] if one.starts_with("topic eu.transaction.created (source.aliases of transactions)")),
            "{one:?}"
        );
        let none = with(&[]);
        let [none] = none.as_slice() else { panic!("{none:?}") };
        assert!(none.contains("none of the topics whose name begins with \"eu.\" (source.topic_prefix)"), "{none}");
        assert!(none.contains("`headwater topics`"), "{none}");
    }

    #[test]
    fn sources_are_written_in_two_ways() {
        assert_eq!("log:topics".parse(), Ok(Location::Log("topics".into())));
        assert_eq!("kafka://127.0.0.1:9092,b:9093".parse(), Ok(Location::Kafka("127.0.0.1:9092,b:9093".into())));
        for wrong in ["log:", "kafka://", "kafka://host", "topics", "http://x:1"] {
            assert!(wrong.parse::<Location>().is_err(), "{wrong}");
        }
    }
}
