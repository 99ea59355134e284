//! The latest record of each key, for the parts that need terms, rates, closes and reference data.

use headwater_operators::keyed_fold::{FoldInput, Pace, keyed_fold};
use headwater_operators::latest::{Latest, Record, Upsert};
use headwater_schemas::events::Event;
use headwater_schemas::{Place, Placed};
use timely::dataflow::StreamVec;
use timely::dataflow::operators::generic::operator::empty;
use timely::dataflow::operators::vec::Map;

use super::sinks::Sinks;
use super::{Events, FlowSettings, Grid};

/// What events say of their keys.
pub(super) fn latest_of<'scope, R: Record>(
    events: Events<'scope>,
    upsert: impl Fn(Place, Event) -> Option<Upsert<R>> + 'static,
) -> StreamVec<'scope, u64, Placed<Upsert<R>>> {
    events.flat_map(move |Placed { place, event }| Some(Placed { place, event: upsert(place, event)? }))
}

/// The latest record of each key, on the grid; committed, too, because it is what the fold remembers.
pub(super) fn on_grid_latest<'scope, R: Record>(
    name: &str,
    upserts: StreamVec<'scope, u64, Placed<Upsert<R>>>,
    remembered: &Vec<R>,
    ends: StreamVec<'scope, u64, u64>,
    settings: &FlowSettings,
    sinks: &mut Sinks<'scope>,
) -> Grid<'scope, R> {
    let scope = upserts.scope();
    let view = Latest::<R>::new();
    let before = settings.before(scope, &view, remembered);
    let input = FoldInput { events: upserts, broadcasts: empty(scope), ends, before };
    let latest = keyed_fold(name, view, input, settings.tick_interval(), Pace::Grid(settings.grid_ticks()));
    sinks.table(&format!("commit {}", R::SPEC.name), latest.rows.clone());
    latest.rows.inner
}
