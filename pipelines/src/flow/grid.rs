//! What stands at grid points, as events of that time.

use std::hash::{Hash, Hasher};

use headwater_operators::keyed_fold::Corrected;
use headwater_operators::valuation::grid::placed;
use headwater_schemas::{Corrections, Id, Placed};
use rustc_hash::FxHasher;
use timely::dataflow::StreamVec;
use timely::dataflow::operators::vec::Map;

use super::{FlowSettings, Grid};

/// What is at a grid point, as events of that time. What was before this run began is no news.
pub(super) fn now<'scope, D: Clone + 'static>(
    changes: Grid<'scope, D>,
    settings: &FlowSettings,
    key: impl Fn(&D) -> &Id + 'static,
) -> StreamVec<'scope, u64, Placed<D>> {
    let (tick_interval, start_tick) = (settings.tick_interval(), settings.source.start_tick);
    changes.flat_map(move |(row, tick, diff)| {
        (diff > 0 && tick >= start_tick).then(|| {
            let number = hash(key(&row));
            placed(row, tick, tick_interval, number)
        })
    })
}

/// What was corrected at a grid point, as events of that time.
pub(super) fn corrected_at<'scope, K: Clone + Hash + 'static, E: Clone + 'static>(
    corrected: Corrected<'scope, K>,
    tick_interval: u64,
    event: impl Fn(K, Corrections) -> E + 'static,
) -> StreamVec<'scope, u64, Placed<E>> {
    corrected.map(move |(key, tick, corrections)| {
        let number = hash(&key);
        placed(event(key, corrections), tick, tick_interval, number)
    })
}

fn hash(value: &(impl Hash + ?Sized)) -> u64 {
    let mut hasher = FxHasher::default();
    value.hash(&mut hasher);
    hasher.finish()
}
