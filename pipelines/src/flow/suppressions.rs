//! Suppressions of alerts.

use std::sync::Arc;

use headwater_operators::keyed_fold::Pace;
use headwater_operators::suppressions::{SuppressionEvent, Suppressions, record_of};
use headwater_schemas::events::Event;
use headwater_schemas::tables::AlertSuppression;
use headwater_schemas::{Offset, Place, Placed, Topic};
use timely::dataflow::operators::vec::{Broadcast, Map};

use super::wiring::{Flow, Reference};

/// Commits the suppressions, and broadcasts them to every worker.
pub(super) fn suppressions<'scope>(flow: &mut Flow<'scope, '_>) -> anyhow::Result<Reference<'scope>> {
    let records = flow.take(Topic::Suppressions);
    let events = records.clone().flat_map(|Placed { place, event }| Some(Placed { place, event: SuppressionEvent::of(event)? }));
    let broadcasts = flow.no_broadcasts();
    flow.fold("suppressions", Suppressions, Pace::Tick, events, broadcasts)?;
    let saved = flow.settings.saved.rows::<AlertSuppression>()?;
    let before = |row: &AlertSuppression| {
        let place = Place::of_record(row.ts.effective(), Topic::Suppressions, 0, Offset::ZERO);
        Some(Placed { place, event: Event::Suppression(Box::new(record_of(row)?)) })
    };
    Ok(Reference { stream: records.broadcast(), before: Arc::new(saved.iter().filter_map(before).collect()) })
}
