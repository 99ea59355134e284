//! Busts that wait for their fills.

use std::collections::BTreeMap;

use headwater_schemas::events::{Bust, Event, FillEvent};
use headwater_schemas::tables::{Moment, PendingBust, TableWriter};
use headwater_schemas::{Id, Place, Topic};

/// A bust whose fill has not come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WaitingBust {
    pub(super) place: Place,
    pub(super) bust: Bust,
    /// Whether its row was emitted.
    emitted: bool,
}

impl WaitingBust {
    /// The end of the waiting, an effective time.
    pub(super) const fn until(&self, horizon: u64) -> u64 {
        self.place.time.saturating_add(horizon)
    }

    /// The event that waits.
    pub(super) fn event(self) -> Event {
        Event::Fill(FillEvent::Bust(self.bust))
    }

    fn row(&self) -> PendingBust {
        PendingBust {
            account_id: self.bust.account_id,
            fill_id: self.bust.fill_id.clone(),
            bust_ts: self.bust.ts,
            partition: i32::from(self.place.partition),
            offset: self.place.offset,
            ts: self.place.event_time(),
        }
    }
}

/// The busts of an account that wait, by fill.
#[derive(Clone, Debug, Default)]
pub(super) struct WaitingBusts {
    waiting: BTreeMap<Id, WaitingBust>,
    /// Fills whose busts began to wait since the rows were emitted last.
    began: Vec<Id>,
    /// Rows that are to be retracted.
    gone: Vec<PendingBust>,
}

impl WaitingBusts {
    /// Lets a bust wait. Of several for one fill the first one does.
    pub(super) fn wait(&mut self, place: Place, bust: Bust) -> &WaitingBust {
        let Self { waiting, began, .. } = self;
        let fill_id = bust.fill_id.clone();
        waiting.entry(fill_id).or_insert_with_key(|fill_id| {
            began.push(fill_id.clone());
            WaitingBust { place, bust, emitted: false }
        })
    }

    /// The bust of a fill, which waits no longer.
    pub(super) fn take(&mut self, fill_id: &Id) -> Option<WaitingBust> {
        let taken = self.waiting.remove(fill_id)?;
        self.gone.extend(taken.emitted.then(|| taken.row()));
        Some(taken)
    }

    /// The busts that wait.
    pub(super) fn iter(&self) -> impl Iterator<Item = &WaitingBust> {
        self.waiting.values()
    }

    /// Emits the rows that have changed.
    pub(super) fn emit(&mut self, at: &Moment, table: &TableWriter<PendingBust>) {
        self.gone.drain(..).for_each(|row| table.retract(at, row));
        for fill_id in self.began.drain(..) {
            if let Some(began) = self.waiting.get_mut(&fill_id).filter(|began| !began.emitted) {
                table.insert(at, began.row());
                began.emitted = true;
            }
        }
    }

    /// Restores a bust that waits from its row.
    pub(super) fn restore(&mut self, row: &PendingBust) {
        let Ok(partition) = row.partition.try_into() else { return };
        let place = Place::of_record(row.ts.effective(), Topic::Fills, partition, row.offset);
        let bust = Bust { fill_id: row.fill_id.clone(), account_id: row.account_id, ts: row.bust_ts };
        self.waiting.insert(row.fill_id.clone(), WaitingBust { place, bust, emitted: true });
    }
}
