//! Reference data: the records that every worker needs.

use std::sync::Arc;

use anyhow::Context;
use headwater_operators::latest::Upsert;
use headwater_schemas::events::Event;
use headwater_schemas::tables::ReferenceRecord;
use headwater_schemas::{EventTime, Place, Placed, Text, Topic};
use timely::dataflow::operators::Concatenate;
use timely::dataflow::operators::vec::Broadcast;

use super::Events;
use super::latest::{latest_of, on_grid_latest};
use super::wiring::{Flow, Reference};

/// Broadcasts instruments, customers, limits and accounts to every worker. The current records are committed.
pub(super) fn reference<'scope>(flow: &mut Flow<'scope, '_>, accounts: Events<'scope>) -> anyhow::Result<Reference<'scope>> {
    let before = events(&flow.settings.saved.rows::<ReferenceRecord>()?)?;
    let tables = [Topic::Instruments, Topic::Customers, Topic::Limits].map(|topic| flow.take(topic));
    let records = flow.scope.concatenate(tables.into_iter().chain([accounts]));
    on_grid_latest(flow, "reference records", latest_of(records.clone(), upsert))?;
    Ok(Reference { stream: records.broadcast(), before: Arc::new(before) })
}

fn upsert(place: Place, event: Event) -> Option<Upsert<ReferenceRecord>> {
    let topic = Text::new(event.topic().as_str());
    Some(match event {
        Event::Deleted(deleted) => Upsert::Delete((topic, deleted.key, None)),
        event => Upsert::Put(ReferenceRecord {
            topic,
            key: event.key(),
            written: event.ts().unwrap_or(EventTime::BEGINNING),
            ts: place.event_time(),
            partition: i32::from(place.partition),
            offset: place.offset,
            value: Text::new(String::from_utf8_lossy(&event.encode()?)),
        }),
    })
}

/// The saved records as the original events, in the order of their arrival.
fn events(records: &[ReferenceRecord]) -> anyhow::Result<Vec<Placed<Event>>> {
    let event = |record: &ReferenceRecord| {
        let topic = Topic::from_word(&record.topic).with_context(|| format!("reference_records: {:?} is not a topic", record.topic))?;
        let event = Event::decode(topic, Some(record.key.as_bytes()), Some(record.value.as_bytes()))
            .map_err(|bad| anyhow::anyhow!("reference_records: {} {}: {}", record.topic, record.key, bad.message))?;
        let partition = u16::try_from(record.partition).unwrap_or(u16::MAX);
        Ok(Placed { place: Place::of_record(record.ts.effective(), topic, partition, record.offset), event })
    };
    let mut events = records.iter().map(event).collect::<anyhow::Result<Vec<_>>>()?;
    events.sort_by_key(|event| event.place);
    Ok(events)
}
