//! Customers' views: from marks and watched prices to price alerts.

use headwater_operators::customers::{PriceAlerts, PriceEvent};
use headwater_operators::keyed_fold::Pace;
use headwater_operators::valuation::MarkEvent;
use headwater_schemas::events::Event;
use headwater_schemas::{Placed, Tick, Topic};
use timely::dataflow::StreamVec;
use timely::dataflow::operators::Concat;
use timely::dataflow::operators::vec::Map;

use super::Events;
use super::wiring::Flow;

/// Raises an alert when a mark reaches a watched price.
pub(super) fn price_alerts<'scope>(
    flow: &mut Flow<'scope, '_>,
    marks: StreamVec<'scope, Tick, Placed<MarkEvent>>,
    watchlists: Events<'scope>,
) -> anyhow::Result<()> {
    // The other records of watchlists come with the mark of their place.
    let deleted = watchlists.flat_map(|Placed { place, event }| {
        let key = match event {
            Event::Deleted(deleted) if deleted.rank == Topic::Watchlists.rank() => Some(deleted.key),
            _ => None,
        };
        let unwatched: Vec<_> = key.iter().flat_map(|key| PriceEvent::unwatched(key)).collect();
        unwatched.into_iter().map(move |event| Placed { place, event })
    });
    let events = marks.map(|event| event.map(PriceEvent::Mark)).concat(deleted);
    let view = PriceAlerts { hysteresis: flow.settings.config.customers.price_hysteresis };
    let broadcasts = flow.no_broadcasts();
    flow.fold("price alerts", view, Pace::Tick, events, broadcasts)?;
    Ok(())
}
