//! Values of topics that carry Avro, as the JSON that is decoded.

use std::collections::BTreeSet;
use std::sync::Arc;

use headwater_schemas::Topic;
use headwater_schemas::avro::{Schema, framed};
use headwater_schemas::events::{BadRecord, MAX_RECORD_BYTES};

use crate::registry::{Found, WriterSchemas};

/// Topics that carry Avro, and the schemas of their writers.
#[derive(Clone)]
pub struct AvroTopics {
    /// The topics.
    pub topics: Arc<BTreeSet<Topic>>,
    /// The schemas.
    pub schemas: Arc<dyn WriterSchemas>,
}

impl AvroTopics {
    /// The JSON of a value of a topic, for whoever reads single records again: waits for the registry. `None` if the topic carries JSON.
    pub fn json(&self, topic: Topic, value: &[u8]) -> Option<Result<Vec<u8>, BadRecord>> {
        self.topics.contains(&topic).then(|| {
            let (id, record) = framed(value)?;
            let mut json = Vec::new();
            match self.schemas.wait(id) {
                Found::Known(schema) => schema.to_json(id, record, &mut json).map(|()| json),
                Found::Unusable(bad) => Err(BadRecord::clone(&bad)),
                // A refusal ends the run where records are read.
                Found::Pending | Found::Refused(_) => Ok(Vec::new()),
            }
        })
    }
}

/// The reading of a partition's Avro.
pub(super) struct AvroReading {
    schemas: Arc<dyn WriterSchemas>,
    /// The schema of the last record; the next one nearly always has the same.
    last: Option<(u32, Arc<Schema>)>,
}

/// What became of a value.
pub(super) enum Transcoded {
    /// It was written as JSON, with the schema of an id.
    Json(u32),
    Bad(BadRecord),
    /// Its schema is not there yet.
    Pending,
    /// The registry refuses to answer.
    Refused(u32, Arc<str>),
}

impl AvroReading {
    pub(super) fn of(topic: Topic, avro: Option<&AvroTopics>) -> Option<Self> {
        let avro = avro.filter(|avro| avro.topics.contains(&topic))?;
        Some(Self { schemas: Arc::clone(&avro.schemas), last: None })
    }

    /// Writes a value as JSON.
    pub(super) fn transcode(&mut self, value: &[u8], json: &mut Vec<u8>) -> Transcoded {
        if value.len() > MAX_RECORD_BYTES {
            return Transcoded::Bad(BadRecord::too_large(value.len() as u64));
        }
        let (id, record) = match framed(value) {
            Ok(framed) => framed,
            Err(bad) => return Transcoded::Bad(bad),
        };
        if self.last.as_ref().is_none_or(|(last, _)| *last != id) {
            match self.schemas.find(id) {
                Found::Known(schema) => self.last = Some((id, schema)),
                Found::Unusable(bad) => return Transcoded::Bad(BadRecord::clone(&bad)),
                Found::Pending => return Transcoded::Pending,
                Found::Refused(why) => return Transcoded::Refused(id, why),
            }
        }
        let Some((_, schema)) = &self.last else { return Transcoded::Pending };
        match schema.to_json(id, record, json) {
            Ok(()) => Transcoded::Json(id),
            Err(bad) => Transcoded::Bad(bad),
        }
    }
}
