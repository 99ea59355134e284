//! Transactions that arrived before the ones that they resolve or reverse.

use std::sync::Arc;

use headwater_schemas::events::{Event, Transaction};
use headwater_schemas::tables::{Moment, TableWriter, WaitingTransaction};
use headwater_schemas::{AccountId, EffectiveTime, Id, Place, Placed, Text, Topic};

/// A waiting transaction.
#[derive(Clone, Debug)]
struct Waiting {
    place: Place,
    reference: Id,
    transaction: Arc<Transaction>,
    is_emitted: bool,
}

impl Waiting {
    fn row(&self, account: &AccountId) -> Option<WaitingTransaction> {
        let event = Event::Transaction(Arc::clone(&self.transaction)).encode()?;
        Some(WaitingTransaction {
            account_id: *account,
            ts: self.place.event_time(),
            partition: i32::from(self.place.partition),
            offset: self.place.offset,
            is_late: self.place.is_late,
            event: Text::new(String::from_utf8_lossy(&event)),
        })
    }
}

/// Waiting transactions, in the order of their places.
#[derive(Clone, Debug, Default)]
pub(super) struct WaitingRoom {
    waiting: Vec<Waiting>,
    /// Transactions whose rows are to be retracted.
    gone: Vec<Waiting>,
}

impl WaitingRoom {
    pub(super) const fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Adds a transaction that waits for another one.
    pub(super) fn enter(&mut self, place: Place, reference: Id, transaction: Arc<Transaction>) {
        self.waiting.push(Waiting { place, reference, transaction, is_emitted: false });
    }

    /// Removes the transactions that wait for a transaction.
    pub(super) fn leave_for(&mut self, reference: &Id) -> Vec<Placed<Arc<Transaction>>> {
        self.leave(|waiting| waiting.reference == *reference)
    }

    /// Removes the transactions that arrived at or before a time.
    pub(super) fn leave_since(&mut self, time: EffectiveTime) -> Vec<Placed<Arc<Transaction>>> {
        self.leave(|waiting| waiting.place.time <= time)
    }

    /// Removes a transaction, which waits elsewhere or no longer.
    pub(super) fn remove(&mut self, id: &Id) {
        self.leave(|waiting| waiting.transaction.transaction_id == *id);
    }

    fn leave(&mut self, leaves: impl Fn(&Waiting) -> bool) -> Vec<Placed<Arc<Transaction>>> {
        let left: Vec<Waiting> = self.waiting.extract_if(.., |waiting| leaves(waiting)).collect();
        let transactions = left.iter().map(|waiting| Placed { place: waiting.place, event: Arc::clone(&waiting.transaction) });
        let transactions = transactions.collect();
        self.gone.extend(left.into_iter().filter(|waiting| waiting.is_emitted));
        transactions
    }

    /// The effective times of the waiting transactions.
    pub(super) fn times(&self) -> impl Iterator<Item = EffectiveTime> {
        self.waiting.iter().map(|waiting| waiting.place.time)
    }

    pub(super) fn emit(&mut self, account: &AccountId, at: &Moment, table: &TableWriter<WaitingTransaction>) {
        self.gone.drain(..).filter_map(|waiting| waiting.row(account)).for_each(|row| table.retract(at, row));
        for waiting in self.waiting.iter_mut().filter(|waiting| !waiting.is_emitted) {
            waiting.is_emitted = true;
            waiting.row(account).into_iter().for_each(|row| table.insert(at, row));
        }
    }

    /// Restores a transaction. Rows come in the order of their places.
    pub(super) fn restore(&mut self, row: &WaitingTransaction) {
        let Some(Placed { place, event: transaction }) = transaction_of(row) else { return };
        let Some(reference) = transaction.pending_id.clone().or_else(|| transaction.reverses.clone()) else { return };
        self.waiting.push(Waiting { place, reference, transaction, is_emitted: true });
    }
}

/// The rows in the order of the places of their transactions.
pub(super) fn in_order(rows: &[WaitingTransaction]) -> Vec<&WaitingTransaction> {
    let mut rows: Vec<_> = rows.iter().collect();
    rows.sort_by_key(|row| (row.ts, row.partition, row.offset));
    rows
}

/// The transaction of a row, if it is a reversal that the account sent itself, and not one that it was handed.
pub(super) fn sent_reversal(row: &WaitingTransaction) -> Option<Placed<Arc<Transaction>>> {
    transaction_of(row).filter(|placed| placed.event.reverses.is_some() && placed.event.account_id == row.account_id)
}

fn transaction_of(row: &WaitingTransaction) -> Option<Placed<Arc<Transaction>>> {
    let Ok(Event::Transaction(event)) = Event::decode(Topic::Transactions, None, Some(row.event.as_bytes())) else { return None };
    let partition = u16::try_from(row.partition).unwrap_or(u16::MAX);
    let place = Place::of_record(row.ts.effective(), Topic::Transactions, partition, row.offset);
    Some(Placed { place: Place { is_late: row.is_late, ..place }, event })
}
