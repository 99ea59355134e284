//! The latest record of a key: terms and closes for valuations, on the grid; labels; owners of accounts.
//!
//! - **Key**: the record's. **Rows**: the current record, which is also the state. A deletion retracts it.
//! - The latest record is the one with the latest time of its own; a record without a time counts as the oldest. **Ties**: the
//!   later place wins.

use std::hash::Hash;
use std::marker::PhantomData;
use std::sync::Arc;

use headwater_schemas::tables::{
    AccountOwner, AccountTerms, ClosingPrice, CustomerGroup, InstrumentTerms, Labelled, Moment, ReferenceRecord, TableRow, TableWriter,
};
use headwater_schemas::{AccountId, CustomerId, Date, EventTime, Id, Offset, Placed, Symbol, Text, Topic};
use timely::ExchangeData;

use crate::keyed_fold::{Outbox, States, Updates, View};
use crate::newest;

/// A table's row of which the latest per key is kept.
pub trait Record: TableRow + ExchangeData {
    /// Key of the record.
    type Key: ExchangeData + Clone + Ord + Hash;
    /// Its key.
    fn key(&self) -> Self::Key;
    /// Merges the newer parts of another record of the same key with a later place.
    fn take(&mut self, other: Self);
}

impl Record for ClosingPrice {
    type Key = (Symbol, Date);
    fn key(&self) -> (Symbol, Date) {
        (self.symbol, self.date)
    }
    /// The date is the record's time.
    fn take(&mut self, other: Self) {
        *self = other;
    }
}

impl Record for InstrumentTerms {
    type Key = Symbol;
    fn key(&self) -> Symbol {
        self.symbol
    }
    fn take(&mut self, other: Self) {
        newest::replace(self, other, |terms| terms.written);
    }
}

impl Record for Labelled {
    type Key = (Id, bool);
    fn key(&self) -> (Id, bool) {
        (self.subject_id.clone(), self.is_category)
    }
    fn take(&mut self, other: Self) {
        newest::replace(self, other, |labelled| labelled.ts);
    }
}

impl Record for AccountOwner {
    type Key = AccountId;
    fn key(&self) -> AccountId {
        self.account_id
    }
    fn take(&mut self, other: Self) {
        newest::replace(self, other, |owner| owner.ts);
    }
}

impl Record for CustomerGroup {
    type Key = CustomerId;
    fn key(&self) -> CustomerId {
        self.customer_id
    }
    fn take(&mut self, other: Self) {
        newest::replace(self, other, |group| group.ts);
    }
}

impl Record for AccountTerms {
    type Key = AccountId;
    fn key(&self) -> AccountId {
        self.account_id
    }
    /// A part without a time is one that the record does not give.
    fn take(&mut self, other: Self) {
        if other.currency_ts.is_some() && self.currency_ts <= other.currency_ts {
            (self.currency, self.currency_ts, self.ts) = (other.currency, other.currency_ts, other.ts);
        }
        if other.book_ts.is_some() && self.book_ts <= other.book_ts {
            (self.book, self.book_ts, self.ts) = (other.book, other.book_ts, other.ts);
        }
    }
}

/// For a table topic the last record counts; for an account all records, because an update gives only the changed fields.
impl Record for ReferenceRecord {
    type Key = (Text, Text, Option<(EventTime, i32, Offset)>);
    fn key(&self) -> Self::Key {
        let place = (*self.topic == *Topic::Accounts.as_str()).then_some((self.ts, self.partition, self.offset));
        (self.topic.clone(), self.key.clone(), place)
    }
    fn take(&mut self, other: Self) {
        newest::replace(self, other, |record| record.written);
    }
}

/// A change of a key's record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum Upsert<R: Record> {
    /// A record arrived.
    #[serde(bound = "")]
    Put(R),
    /// The record is deleted.
    #[serde(bound = "")]
    Delete(R::Key),
}

impl<R: Record> Upsert<R> {
    fn key(&self) -> R::Key {
        match self {
            Self::Put(record) => record.key(),
            Self::Delete(key) => key.clone(),
        }
    }
}

/// View that keeps the latest record of each key.
pub struct Latest<R>(PhantomData<fn() -> R>);

impl<R> Latest<R> {
    /// The view.
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<R> Default for Latest<R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<R> Clone for Latest<R> {
    fn clone(&self) -> Self {
        Self::new()
    }
}

/// The record as it was emitted, and the current one.
#[derive(Debug)]
pub struct Versions<R> {
    emitted: Option<R>,
    is: Option<R>,
    /// The record that was last sent to other operators.
    told: Option<R>,
}

impl<R> Default for Versions<R> {
    fn default() -> Self {
        Self { emitted: None, is: None, told: None }
    }
}

impl<R: TableRow> Versions<R> {
    /// A record as of its row.
    pub(crate) fn restored(row: &R) -> Self {
        let [emitted, is, told] = [(); 3].map(|()| Some(row.clone()));
        Self { emitted, is, told }
    }

    /// The current record.
    pub(crate) const fn is(&self) -> Option<&R> {
        self.is.as_ref()
    }

    /// The same, to be changed.
    pub(crate) const fn is_mut(&mut self) -> &mut Option<R> {
        &mut self.is
    }

    /// Emits the current record if it has changed.
    pub(crate) fn emit(&mut self, at: &Moment, table: &TableWriter<R>) {
        table.replace(at, self.emitted.take(), self.is.clone());
        self.emitted.clone_from(&self.is);
    }

    /// Sends the current record to other operators if it has changed. They are not told of a deletion.
    pub(crate) fn tell(&mut self, at: &Moment, updates: &mut Updates<R>) {
        if self.told != self.is {
            self.is.iter().for_each(|record| updates.push(at, record.clone()));
            self.told.clone_from(&self.is);
        }
    }
}

crate::fold_operator!(
    Latest<ClosingPrice>,
    Latest<InstrumentTerms>,
    Latest<AccountTerms>,
    Latest<Labelled>,
    Latest<AccountOwner>,
    Latest<CustomerGroup>,
    Latest<ReferenceRecord>
);

impl<R: Record> View for Latest<R> {
    type Key = R::Key;
    type Route = R::Key;
    type Event = Upsert<R>;
    type Broadcast = ();
    type Context = ();
    type State = Versions<R>;
    type Timer = ();
    type Tables = TableWriter<R>;
    type Derived = ();
    type Update = R;

    const UPDATES: bool = true;

    fn key(&self, event: &Upsert<R>) -> R::Key {
        event.key()
    }

    fn route(key: &R::Key) -> R::Key {
        key.clone()
    }

    fn learn(&self, (): &mut (), _: Placed<()>) {}

    fn apply(&self, (): &(), _: &R::Key, state: &mut Versions<R>, event: Placed<Upsert<R>>, _: &mut Outbox<'_, Self>) {
        match event.event {
            Upsert::Put(record) => match &mut state.is {
                Some(is) => is.take(record),
                None => state.is = Some(record),
            },
            Upsert::Delete(_) => state.is = None,
        }
    }

    fn emit(&self, (): &(), _: &R::Key, state: &mut Versions<R>, at: &Moment, table: &TableWriter<R>) {
        state.emit(at, table);
    }

    fn update(&self, (): &(), _: &R::Key, state: &mut Versions<R>, at: &Moment, updates: &mut Updates<R>) {
        state.tell(at, updates);
    }

    fn is_forgettable(&self, state: &Versions<R>) -> bool {
        state.is.is_none()
    }

    fn restore(&self, saved: &Arc<Vec<R>>, states: &mut States<'_, Self>) {
        for record in saved.iter() {
            let Some(state) = states.of(&record.key()) else { continue };
            *state = Versions::restored(record);
        }
    }
}

#[cfg(test)]
mod tests {
    use headwater_schemas::{EffectiveTime, Place, Price};
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{Happening, Happenings, rows_of, run, run_with_restart};

    /// Closes of one day, each with the number of its symbol; 0 deletes it.
    fn closes(steps: &[(u8, i64)]) -> Happenings<Latest<ClosingPrice>> {
        let happening = |(time, (symbol, close)): (u64, &(u8, i64))| {
            let (symbol, date) = (Symbol::derived(format!("C{symbol}")), Date::from_days(1));
            let event = match close {
                0 => Upsert::Delete((symbol, date)),
                close => Upsert::Put(ClosingPrice {
                    symbol,
                    date,
                    close: Price::whole(*close),
                    ts: EventTime::from_effective(EffectiveTime::new(time)),
                }),
            };
            Placed {
                place: Place::of_record(EffectiveTime::new(time), Topic::Closes, 0, Offset::new(time)),
                event: Happening::Event(event),
            }
        };
        (1..).zip(steps).map(happening).collect()
    }

    #[test]
    fn the_latest_record_stands_until_it_is_deleted() {
        let emitted = run(Latest::<ClosingPrice>::new(), closes(&[(1, 2), (1, 3), (2, 4), (2, 0)]));
        let rows: Vec<_> = rows_of(&emitted.tables).iter().map(|row| format!("{} {}", row.symbol, row.close)).collect();
        assert_eq!(rows, ["C1 3"]);
    }

    proptest! {
        #[test]
        fn a_restart_in_the_middle_changes_nothing(steps in proptest::collection::vec((0..4_u8, 0..5_i64), 1..40), cut in 0..40_usize) {
            let whole = run(Latest::new(), closes(&steps));
            let cut = run_with_restart(Latest::new(), closes(&steps), cut);
            prop_assert_eq!(whole.tables.changes(), cut.tables.changes());
            prop_assert_eq!(whole.updates, cut.updates);
        }
    }
}
