//! Reference data: the records that every worker needs, and who owns accounts.

use std::sync::Arc;

use anyhow::Context;
use headwater_operators::keyed_fold::Pace;
use headwater_operators::latest::{Latest, Upsert};
use headwater_schemas::events::{AccountEvent, ErrorCode, Event};
use headwater_schemas::tables::{AccountOwner, CustomerGroup, ReferenceRecord};
use headwater_schemas::{CustomerId, EventTime, Place, Placed, Text, Topic};
use timely::dataflow::operators::Concatenate;
use timely::dataflow::operators::vec::Broadcast;

use super::Events;
use super::latest::{latest_of, on_grid_latest};
use super::wiring::{Flow, Reference};

/// Broadcasts instruments, customers, limits and accounts to every worker. The current records are committed.
pub(super) fn reference<'scope>(flow: &mut Flow<'scope, '_>, accounts: Events<'scope>) -> anyhow::Result<Reference<'scope>> {
    let before = events(&flow.settings.saved.rows::<ReferenceRecord>()?)?;
    let tables = [Topic::Instruments, Topic::Customers, Topic::Limits].map(|topic| flow.take(topic));
    let [_, customers, _] = tables.clone();
    owners(flow, accounts.clone(), customers)?;
    let records = flow.scope.concatenate(tables.into_iter().chain([accounts]));
    on_grid_latest(flow, "reference records", latest_of(records.clone(), upsert))?;
    Ok(Reference { stream: records.broadcast(), before: Arc::new(before) })
}

/// Commits the customer of each account, and the group of each customer.
fn owners<'scope>(flow: &mut Flow<'scope, '_>, accounts: Events<'scope>, customers: Events<'scope>) -> anyhow::Result<()> {
    let owners = latest_of(accounts, |_, event| {
        let Event::Account(event) = event else { return None };
        let customer_id = match &event {
            AccountEvent::Opened(opened) => opened.customer_id,
            AccountEvent::Updated(updated) => updated.customer_id?,
            AccountEvent::Frozen(_) | AccountEvent::Unfrozen(_) | AccountEvent::Closed(_) => return None,
        };
        Some(Upsert::Put(AccountOwner { account_id: *event.account_id(), customer_id, ts: event.ts() }))
    });
    let broadcasts = flow.no_broadcasts();
    flow.fold("account owners", Latest::<AccountOwner>::new(), Pace::Tick, owners, broadcasts)?;
    let groups = latest_of(customers, |_, event| match event {
        Event::Customer(customer) => {
            let ts = customer.ts.unwrap_or(EventTime::BEGINNING);
            Some(Upsert::Put(CustomerGroup { customer_id: customer.customer_id, group_id: customer.group_id, ts }))
        }
        Event::Deleted(deleted) => CustomerId::new(&deleted.key).ok().map(Upsert::Delete),
        _ => None,
    });
    let broadcasts = flow.no_broadcasts();
    flow.fold("customer groups", Latest::<CustomerGroup>::new(), Pace::Tick, groups, broadcasts)?;
    Ok(())
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
        let event = match Event::decode(topic, Some(record.key.as_bytes()), Some(record.value.as_bytes())) {
            Ok(event) => event,
            // An earlier version took records that nothing reads.
            Err(bad) if bad.code == ErrorCode::Unsupported => return Ok(None),
            Err(bad) => anyhow::bail!("reference_records: {} {}: {}", record.topic, record.key, bad.message),
        };
        let partition = u16::try_from(record.partition).unwrap_or(u16::MAX);
        Ok(Some(Placed { place: Place::of_record(record.ts.effective(), topic, partition, record.offset), event }))
    };
    let events = records.iter().filter_map(|record| event(record).transpose());
    let mut events = events.collect::<anyhow::Result<Vec<_>>>()?;
    events.sort_by_key(|event| event.place);
    Ok(events)
}
