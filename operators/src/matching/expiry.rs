//! Expiry of orders. Orders that expire together do so by priority.

use headwater_schemas::events::TimeInForce;
use headwater_schemas::tables::OrderChange;
use headwater_schemas::value::EventTime;

use super::book::Book;
use super::orders::Slot;
use super::reason::Reason;
use super::report::Reports;

impl Book {
    /// Ends `gtd` orders that are due. They end at the first event of the symbol at or after their time: a book has no clock of
    /// its own.
    pub fn expire(&mut self, now: EventTime, reports: &mut Reports) {
        self.now = now;
        if self.expiries.first().is_none_or(|(end, _)| *end > now) {
            return;
        }
        let due = self.expiries.iter().take_while(|(end, _)| *end <= now);
        let due = due.map(|(_, slot)| *slot).collect();
        self.end_all(due, Reason::ExpiresAt, reports);
    }

    /// Ends the `day` orders.
    pub(super) fn end_day(&mut self, reports: &mut Reports) {
        let mut slots = self.orders.by_priority();
        slots.retain(|slot| self.orders.at(*slot).time_in_force == TimeInForce::Day);
        self.end_all(slots, Reason::EndOfDay, reports);
    }

    fn end_all(&mut self, mut slots: Vec<Slot>, reason: Reason, reports: &mut Reports) {
        slots.sort_unstable_by_key(|slot| self.orders.at(*slot).priority);
        for slot in slots {
            self.end(slot, OrderChange::Expired, Some(reason), reports);
        }
    }
}
