//! Ids ordered by age.

use std::collections::VecDeque;

use headwater_schemas::{EffectiveTime, Id, Nanos};

/// Ids ordered by their effective times, the oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Ages(VecDeque<(EffectiveTime, Id)>);

impl Ages {
    /// Adds an id. Times never decrease.
    pub(super) fn add(&mut self, time: EffectiveTime, id: Id) {
        self.0.push_back((time, id));
    }

    /// Adds ids in any order.
    pub(super) fn restore(&mut self, ids: Vec<(EffectiveTime, Id)>) {
        self.0.reserve_exact(ids.len());
        self.0.extend(ids);
        self.0.make_contiguous().sort_unstable();
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The time at which the oldest id reaches the age of a horizon.
    pub(super) fn next_end(&self, horizon: Nanos) -> Option<EffectiveTime> {
        self.0.front().map(|(time, _)| time.saturating_add(horizon))
    }

    /// Removes the oldest id if its time is not after `time`. The id may have been reused since, and be younger.
    pub(super) fn take_until(&mut self, time: EffectiveTime) -> Option<Id> {
        self.0.pop_front_if(|(oldest, _)| *oldest <= time).map(|(_, id)| id)
    }
}
