//! Records that the simulator makes, and their publication.

use std::collections::BTreeMap;

use headwater_connectors::transport::{Publisher, TransportError};
use headwater_schemas::Topic;
use headwater_schemas::events::Event;

/// A record for a topic: bytes, because some records are malformed on purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its topic.
    pub topic: Topic,
    /// The key field of its event.
    pub key: Option<String>,
    /// One JSON object, unless it is malformed.
    pub value: Vec<u8>,
}

impl Record {
    /// The record of an event. `None` for a deletion, of which the simulator makes none.
    pub(super) fn of(event: &Event) -> Option<Self> {
        let value = event.encode()?;
        Some(Self { topic: event.topic(), key: Some(event.key().as_str().to_owned()), value })
    }
}

/// Sends records in order and returns their number. It does not flush: the caller decides how often records must be stored.
pub fn publish(
    records: impl IntoIterator<Item = Record>,
    publisher: &mut dyn Publisher,
    names: impl Fn(Topic) -> String,
) -> Result<usize, TransportError> {
    let mut known: BTreeMap<Topic, String> = BTreeMap::new();
    let mut count = 0;
    for record in records {
        let name = known.entry(record.topic).or_insert_with(|| names(record.topic));
        publisher.send(name, record.key.as_deref().map(str::as_bytes), Some(&record.value))?;
        count += 1;
    }
    Ok(count)
}
