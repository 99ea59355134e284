//! The latest record of each key: terms, rates, closes and reference data.

use headwater_operators::keyed_fold::{FoldOperator, FoldOutput, Pace};
use headwater_operators::latest::{Latest, Record, Upsert};
use headwater_schemas::events::Event;
use headwater_schemas::{Place, Placed, Tick};
use timely::dataflow::StreamVec;
use timely::dataflow::operators::vec::Map;

use super::Events;
use super::wiring::Flow;

/// The latest record of each key that events change.
pub(super) fn latest_of<'scope, R: Record>(
    events: Events<'scope>,
    upsert: impl Fn(Place, Event) -> Option<Upsert<R>> + 'static,
) -> StreamVec<'scope, Tick, Placed<Upsert<R>>> {
    events.flat_map(move |Placed { place, event }| Some(Placed { place, event: upsert(place, event)? }))
}

/// The latest record of each key, on the grid.
pub(super) fn on_grid_latest<'scope, R: Record>(
    flow: &mut Flow<'scope, '_>,
    name: &str,
    upserts: StreamVec<'scope, Tick, Placed<Upsert<R>>>,
) -> anyhow::Result<FoldOutput<'scope, Latest<R>>>
where
    Latest<R>: FoldOperator<Update = R, Event = Upsert<R>, Broadcast = ()>,
{
    let broadcasts = flow.no_broadcasts();
    flow.fold(name, Latest::<R>::new(), Pace::Grid, upserts, broadcasts)
}
