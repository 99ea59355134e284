//! The grid of valuations, and dense operators on it.
//!
//! A grid point reflects the events strictly before it. So its results belong to the last tick before it: once the frontier has
//! reached a grid point, all its results are complete, and a commit that closes there splits no valuation.

use std::collections::BTreeMap;

use headwater_schemas::{Clock, EventTime, Offset, Place, Placed, Tick};
use timely::ExchangeData;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::ParallelizationContract;
use timely::dataflow::operators::generic::operator::Operator;

/// A change at a grid point: +1 for the new value, -1 for the old one.
pub type GridChange<D> = (D, Tick, isize);

/// The rank of events at a grid point: after every topic.
const GRID_RANK: u8 = 200;

/// The grid point of a [`placed`] event.
pub fn point_of(place: Place) -> EventTime {
    EventTime::from_effective(place.time.next())
}

/// Results of one activation after which an operator yields to the operators that consume them.
const RESULTS_PER_ACTIVATION: usize = 1 << 10;

/// Runs `logic` once per grid point with changes, in order, with the changes in arbitrary order. A grid point is identified by
/// the last tick before it. Changes wait until it is complete.
///
/// Many grid points with few results are one activation, because each activation costs a round of timely's progress tracking.
/// After a grid point with many results the operator yields: they are consumed before the next one, so a backlog takes no more
/// memory than its inputs.
pub fn on_grid<'scope, D, R, P>(
    input: StreamVec<'scope, Tick, GridChange<D>>,
    route: P,
    name: &str,
    mut logic: impl FnMut(Tick, Vec<(D, isize)>, &mut Vec<R>) + 'static,
) -> StreamVec<'scope, Tick, R>
where
    D: ExchangeData,
    R: Clone + 'static,
    P: ParallelizationContract<Tick, Vec<GridChange<D>>>,
{
    let scope = input.scope();
    input.unary_frontier::<CapacityContainerBuilder<Vec<R>>, _, _, _>(route, name, move |capability, info| {
        let activator = scope.activator_for(info.address);
        let mut held = Some(capability);
        let mut waiting = BTreeMap::<Tick, Vec<(D, isize)>>::new();
        let mut results = Vec::new();
        move |(input, frontier), output| {
            input.for_each(|_, changes| {
                for (data, tick, diff) in changes.drain(..) {
                    waiting.entry(tick).or_default().push((data, diff));
                }
            });
            let Some(capability) = held.as_mut() else { return };
            let frontier = frontier.frontier().first().copied();
            let is_complete = |tick: Tick| frontier.is_none_or(|frontier| tick < frontier);
            // All are sent with the time of the first: each result carries its own tick.
            while results.len() < RESULTS_PER_ACTIVATION
                && let Some(point) = waiting.first_entry().filter(|point| is_complete(*point.key()))
            {
                let (tick, changes) = point.remove_entry();
                if results.is_empty() {
                    capability.downgrade(&tick.max(*capability.time()));
                }
                logic(tick, changes, &mut results);
            }
            output.session(&*capability).give_iterator(results.drain(..));
            match (waiting.keys().next().copied().filter(|tick| is_complete(*tick)), frontier) {
                (Some(next), _) => {
                    capability.downgrade(&next.max(*capability.time()));
                    activator.activate();
                }
                (None, Some(frontier)) => capability.downgrade(&frontier.max(*capability.time())),
                (None, None) => held = None,
            }
        }
    })
}

/// A result of a grid point as an event of the last moment before it, for a keyed fold. `number` must differ between events of
/// one key at one grid point.
pub fn placed<E>(event: E, tick: Tick, clock: Clock, number: u64) -> Placed<E> {
    let time = clock.end_of(tick).previous();
    Placed { place: Place { time, rank: GRID_RANK, partition: 0, offset: Offset::new(number), sequence: 0, is_late: false }, event }
}
