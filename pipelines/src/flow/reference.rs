//! Reference data: what every worker has to know.

use headwater_operators::latest::Upsert;
use headwater_schemas::events::Event;
use headwater_schemas::tables::ReferenceRecord;
use headwater_schemas::{Place, Text, Topic};
use timely::dataflow::StreamVec;
use timely::dataflow::operators::Concatenate;
use timely::dataflow::operators::vec::Broadcast;

use super::latest::{latest_of, on_grid_latest};
use super::sinks::Sinks;
use super::{Events, FlowSettings, Topics};

/// Instruments, customers, limits and accounts, on every worker. The records that still count are committed.
pub(super) fn reference<'scope>(
    topics: &mut Topics<'scope>,
    accounts: Events<'scope>,
    ends: StreamVec<'scope, u64, u64>,
    settings: &FlowSettings,
    sinks: &mut Sinks<'scope>,
) -> Events<'scope> {
    let tables = [Topic::Instruments, Topic::Customers, Topic::Limits].map(|topic| topics.take(topic));
    let records = topics.scope.concatenate(tables.into_iter().chain([accounts]));
    let upserts = latest_of(records.clone(), upsert);
    on_grid_latest("reference records", upserts, &settings.remembered.reference, ends, settings, sinks);
    records.broadcast()
}

fn upsert(place: Place, event: Event) -> Option<Upsert<ReferenceRecord>> {
    let topic = Text::new(event.topic().as_str());
    Some(match event {
        Event::Deleted(deleted) => Upsert::Delete((topic, deleted.key, None)),
        event => Upsert::Put(ReferenceRecord {
            topic,
            key: event.key(),
            ts: place.event_time(),
            partition: i32::from(place.partition),
            offset: place.offset,
            value: Text::new(String::from_utf8_lossy(&event.encode()?)),
        }),
    })
}
