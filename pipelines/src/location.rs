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

/// Files beside the topics that are not read, each with the reason.
pub fn unread(transport: &dyn Transport, names: &SourceConfig) -> Result<Vec<String>, TransportError> {
    let read = Topic::ALL.iter().map(|topic| names.name_of(*topic));
    let published = PUBLISHED.iter().map(|published| names.outside(published.name));
    transport.unread(&read.chain(published).chain([names.outside(PROGRESS_TOPIC)]).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_written_in_two_ways() {
        assert_eq!("log:topics".parse(), Ok(Location::Log("topics".into())));
        assert_eq!("kafka://127.0.0.1:9092,b:9093".parse(), Ok(Location::Kafka("127.0.0.1:9092,b:9093".into())));
        for wrong in ["log:", "kafka://", "kafka://host", "topics", "http://x:1"] {
            assert!(wrong.parse::<Location>().is_err(), "{wrong}");
        }
    }
}
