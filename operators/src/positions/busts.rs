//! Busts that arrived before their fills.

use std::collections::BTreeMap;

use headwater_schemas::events::{Bust, Event, FillEvent};
use headwater_schemas::tables::{Moment, PendingBust, TableWriter};
use headwater_schemas::{EffectiveTime, Id, Nanos, Place, Topic};

/// A bust whose fill has not arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WaitingBust {
    pub(super) place: Place,
    pub(super) bust: Bust,
    /// Whether its row was emitted.
    emitted: bool,
}

impl WaitingBust {
    /// The effective time at which it stops waiting.
    pub(super) const fn until(&self, horizon: Nanos) -> EffectiveTime {
        self.place.time.saturating_add(horizon)
    }

    /// The event of the bust.
    pub(super) fn event(self) -> Event {
        Event::Fill(FillEvent::Bust(Box::new(self.bust)))
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

/// The waiting busts of an account, by fill.
#[derive(Clone, Debug, Default)]
pub(super) struct WaitingBusts {
    waiting: BTreeMap<Id, WaitingBust>,
    /// Fills whose busts began to wait since the last emission.
    began: Vec<Id>,
    /// Rows to be retracted.
    gone: Vec<PendingBust>,
}

impl WaitingBusts {
    /// Adds a bust. Of several for one fill the first one counts.
    pub(super) fn wait(&mut self, place: Place, bust: Bust) -> &WaitingBust {
        let Self { waiting, began, .. } = self;
        let fill_id = bust.fill_id.clone();
        waiting.entry(fill_id).or_insert_with_key(|fill_id| {
            began.push(fill_id.clone());
            WaitingBust { place, bust, emitted: false }
        })
    }

    /// Removes the bust of a fill.
    pub(super) fn take(&mut self, fill_id: &Id) -> Option<WaitingBust> {
        let taken = self.waiting.remove(fill_id)?;
        self.gone.extend(taken.emitted.then(|| taken.row()));
        Some(taken)
    }

    /// The waiting busts.
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

    /// Restores a waiting bust from its row.
    pub(super) fn restore(&mut self, row: &PendingBust) {
        let Ok(partition) = row.partition.try_into() else { return };
        let place = Place::of_record(row.ts.effective(), Topic::Fills, partition, row.offset);
        let bust = Bust { fill_id: row.fill_id.clone(), account_id: row.account_id, ts: row.bust_ts };
        self.waiting.insert(row.fill_id.clone(), WaitingBust { place, bust, emitted: true });
    }
}
