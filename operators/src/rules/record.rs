//! A remembered event.

use std::sync::Arc;

use headwater_schemas::events::Transaction;
use headwater_schemas::tables::EventRole;
use headwater_schemas::{AccountId, EventTime, Id, Offset, Place};

use super::cells::{self, Cell};
use super::customers::Facts;
use super::expression::{Scope, Value};
use super::field::Field;
use super::known_cells::KnownCells;
use super::outcome::Outcomes;
use super::pack::{Kept, Slot};
use super::subject::Happened;

/// Order of a group's events: by their own time, then by their place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Order {
    pub(super) ts: i64,
    pub(super) rank: u8,
    pub(super) partition: u16,
    pub(super) offset: Offset,
    pub(super) sequence: u32,
}

impl Order {
    pub(super) const fn new(ts: EventTime, place: Place) -> Self {
        Self { ts: ts.nanos(), rank: place.rank, partition: place.partition, offset: place.offset, sequence: place.sequence }
    }
}

/// An event within reach of the windows, and what the rules found.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) order: Order,
    pub(super) id: Id,
    pub(super) account: Option<AccountId>,
    /// Seconds east of UTC, where the customer lives.
    pub(super) utc_offset: Option<i32>,
    pub(super) role: EventRole,
    /// Whether it is an event of the other side of the account: the money moves the other way.
    pub(super) is_mirrored: bool,
    /// Whether it was taken back, so that no window counts it.
    pub(super) is_withdrawn: bool,
    /// Whether its rows changed since it was emitted last.
    pub(super) is_pending: bool,
    /// The fields of the event that the packs read, in the order of [`Kept::own`].
    pub(super) cells: KnownCells,
    /// What was known of its account and customer, in the order of [`Kept::facts`]; shared with the event before, if it is the same.
    pub(super) facts: Arc<[Cell]>,
    pub(super) outcomes: Outcomes,
}

impl Record {
    /// The record of an event; `None` for one that is none, like a transaction that was taken back. It shares what is known of account and
    /// customer with `last`, the last event of its group, if that is the same.
    pub(super) fn new(place: Place, what: &Happened, facts: &Facts, is_mirrored: bool, kept: &Kept, last: Option<&Self>) -> Option<Self> {
        let fields = kept.own().iter().copied();
        let (ts, id, role, cells) = match what {
            Happened::Transaction(event) => {
                let cell = |field| match field {
                    Field::AmountBase => cells::amount_base(facts.amount_base),
                    _ => cells::of_transaction(event, facts.account_type, is_mirrored, field),
                };
                (event.ts, event.transaction_id.clone(), role_of(event), fields.map(cell).collect())
            }
            Happened::Payment(event) => {
                let cell = |field| match field {
                    Field::AmountBase => cells::amount_base(facts.amount_base),
                    _ => cells::of_payment(event, field),
                };
                (event.ts, event.payment_id.clone(), EventRole::Original, fields.map(cell).collect())
            }
            Happened::Access(event) => {
                let id = Id::shortened(&format!("{}-{}-{}", place.partition, place.offset, event.actor));
                (event.ts, id, EventRole::Original, fields.map(|field| cells::of_access(event, field)).collect())
            }
            Happened::TakenBack(_) | Happened::Adjusted(_) => return None,
        };
        // An access names nobody whose time zone could be known: its hours are those of UTC.
        let utc_offset = if matches!(what, Happened::Access(_)) { Some(0) } else { facts.utc_offset };
        Some(Self {
            order: Order::new(ts, place),
            id,
            account: what.party(is_mirrored),
            utc_offset,
            role,
            is_mirrored,
            is_withdrawn: false,
            is_pending: false,
            cells,
            facts: shared(facts, kept, last.map(|last| &last.facts)),
            outcomes: Outcomes::default(),
        })
    }

    /// The value of a field, for the packs that chose which fields are kept.
    pub(super) fn field(&self, field: Field, kept: &Kept) -> Value<'_> {
        match field {
            Field::Ts => Value::Time(self.order.ts),
            Field::HourLocal => self.local_seconds().map_or(Value::Unknown, |local| whole(local.div_euclid(3_600).rem_euclid(24))),
            // The epoch was a Thursday.
            Field::WeekdayLocal => {
                self.local_seconds().map_or(Value::Unknown, |local| whole((local.div_euclid(86_400) + 3).rem_euclid(7) + 1))
            }
            _ => {
                let value = kept.slot(field).map(|slot| match slot {
                    Slot::Own(place) => self.cells.get(place),
                    Slot::Fact(place) => self.facts.get(usize::from(place)).map_or(Value::Unknown, Cell::value),
                });
                value.unwrap_or(Value::Unknown)
            }
        }
    }

    /// Seconds since the epoch in the customer's local time.
    pub(super) fn local_seconds(&self) -> Option<i64> {
        Some(self.order.ts.div_euclid(1_000_000_000) + i64::from(self.utc_offset?))
    }
}

/// What is known of account and customer; that of an earlier event, if it is the same.
fn shared(facts: &Facts, kept: &Kept, earlier: Option<&Arc<[Cell]>>) -> Arc<[Cell]> {
    let now = || kept.facts().iter().map(|field| cells::fact(facts, *field));
    let same = earlier.filter(|earlier| earlier.len() == now().len() && earlier.iter().zip(now()).all(|(earlier, now)| *earlier == now));
    same.map_or_else(|| now().collect(), Arc::clone)
}

fn whole<'a>(number: i64) -> Value<'a> {
    Value::Number(headwater_schemas::Decimal::whole(number).units())
}

const fn role_of(event: &Transaction) -> EventRole {
    match (&event.pending_id, &event.reverses) {
        (Some(_), _) => EventRole::Capture,
        (None, Some(_)) => EventRole::Reversal,
        (None, None) => EventRole::Original,
    }
}

/// A record without features, which is all that a filter sees.
pub(super) struct Alone<'a> {
    pub(super) record: &'a Record,
    pub(super) kept: &'a Kept,
}

impl Scope for Alone<'_> {
    fn field(&self, field: Field) -> Value<'_> {
        self.record.field(field, self.kept)
    }

    fn aggregate(&self, _: usize) -> Value<'_> {
        Value::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remembered_event_is_small() {
        // Besides, some bytes for each field that packs read and that it has.
        assert!(size_of::<Record>() <= 136, "{}", size_of::<Record>());
    }
}
