//! The latest record of a key, on the grid: terms, rates and closes as valuations see them.
//!
//! - **Key**: the record's. **Rows**: the record as it stands, which is the state too. A deletion takes it away.
//!   **Ties**: the later place wins.

use std::hash::Hash;
use std::marker::PhantomData;
use std::sync::Arc;

use headwater_schemas::tables::{AccountTerms, ClosingPrice, InstrumentTerms, LastRate, Moment, ReferenceRecord, TableRow, TableWriter};
use headwater_schemas::{AccountId, Currency, Date, EventTime, Placed, Symbol, Text, Topic};
use timely::ExchangeData;

use crate::keyed_fold::{Outbox, Updates, View};

/// A table's row that can be the latest of its key.
pub trait Record: TableRow + ExchangeData {
    /// What it is the latest of.
    type Key: ExchangeData + Clone + Ord + Hash;
    /// What can become of some of its fields.
    type Amendment: ExchangeData + Clone + Ord;
    /// Its key.
    fn key(&self) -> Self::Key;
    /// Takes new values of some of its fields.
    fn amend(&mut self, amendment: Self::Amendment);
}

impl Record for LastRate {
    type Key = (Currency, Currency);
    type Amendment = ();
    fn key(&self) -> (Currency, Currency) {
        (self.base, self.quote)
    }
    fn amend(&mut self, (): ()) {}
}

impl Record for ClosingPrice {
    type Key = (Symbol, Date);
    type Amendment = ();
    fn key(&self) -> (Symbol, Date) {
        (self.symbol, self.date)
    }
    fn amend(&mut self, (): ()) {}
}

impl Record for InstrumentTerms {
    type Key = Symbol;
    type Amendment = ();
    fn key(&self) -> Symbol {
        self.symbol
    }
    fn amend(&mut self, (): ()) {}
}

impl Record for AccountTerms {
    type Key = AccountId;
    /// Currency and book, where they change, and when.
    type Amendment = (Option<Currency>, Option<Text>, EventTime);
    fn key(&self) -> AccountId {
        self.account_id
    }
    fn amend(&mut self, (currency, book, ts): Self::Amendment) {
        currency.into_iter().for_each(|currency| self.currency = currency);
        self.book = book.or(self.book.take());
        self.ts = ts;
    }
}

/// Of a table's key the last record counts; of an account each, because an update says only what changes.
impl Record for ReferenceRecord {
    type Key = (Text, Text, Option<(EventTime, i32, u64)>);
    type Amendment = ();
    fn key(&self) -> Self::Key {
        let place = (*self.topic == *Topic::Accounts.as_str()).then_some((self.ts, self.partition, self.offset));
        (self.topic.clone(), self.key.clone(), place)
    }
    fn amend(&mut self, (): ()) {}
}

/// What becomes of a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum Upsert<R: Record> {
    /// It has this record now.
    #[serde(bound = "")]
    Put(R),
    /// Some fields of its record change, if it has one.
    #[serde(bound = "")]
    Amend(R::Key, R::Amendment),
    /// It has none any more.
    #[serde(bound = "")]
    Delete(R::Key),
}

impl<R: Record> Upsert<R> {
    fn key(&self) -> R::Key {
        match self {
            Self::Put(record) => record.key(),
            Self::Amend(key, _) | Self::Delete(key) => key.clone(),
        }
    }
}

/// The view that keeps the latest record of each key.
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

/// The record as it was emitted, and as it is.
#[derive(Debug)]
pub struct Versions<R> {
    emitted: Option<R>,
    is: Option<R>,
    /// The record that other operators know.
    told: Option<R>,
}

impl<R> Default for Versions<R> {
    fn default() -> Self {
        Self { emitted: None, is: None, told: None }
    }
}

crate::fold_operator!(Latest<LastRate>, Latest<ClosingPrice>, Latest<InstrumentTerms>, Latest<AccountTerms>, Latest<ReferenceRecord>);

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
            Upsert::Put(record) => state.is = Some(record),
            Upsert::Amend(_, amendment) => state.is.iter_mut().for_each(|record| record.amend(amendment.clone())),
            Upsert::Delete(_) => state.is = None,
        }
    }

    fn emit(&self, (): &(), _: &R::Key, state: &mut Versions<R>, at: &Moment, table: &TableWriter<R>) {
        table.replace(at, state.emitted.take(), state.is.clone());
        state.emitted.clone_from(&state.is);
    }

    fn update(&self, (): &(), _: &R::Key, state: &mut Versions<R>, at: &Moment, updates: &mut Updates<R>) {
        if state.told != state.is {
            state.is.iter().for_each(|record| updates.push(at, record.clone()));
            state.told.clone_from(&state.is);
        }
    }

    fn is_forgettable(&self, state: &Versions<R>) -> bool {
        state.is.is_none()
    }

    fn restore(&self, saved: &Arc<Vec<R>>, is_mine: &dyn Fn(&R::Key) -> bool) -> Vec<(R::Key, Versions<R>)> {
        let restored = |record: &R| {
            let versions = Versions { emitted: Some(record.clone()), is: Some(record.clone()), told: Some(record.clone()) };
            Some((record.key(), versions)).filter(|(key, _)| is_mine(key))
        };
        saved.iter().filter_map(restored).collect()
    }
}

#[cfg(test)]
mod tests {
    use headwater_schemas::{Factor, Place};
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{Happening, Happenings, rows_of, run, run_with_restart};

    fn rates(steps: &[(u8, i64)]) -> Happenings<Latest<LastRate>> {
        let happening = |(time, (pair, rate)): (u64, &(u8, i64))| {
            let (base, quote) = (Currency::derived(format!("C{pair}")), Currency::derived("USD"));
            let event = match rate {
                0 => Upsert::Delete((base, quote)),
                rate => Upsert::Put(LastRate { base, quote, rate: Factor::whole(*rate), ts: EventTime::from_effective(time) }),
            };
            Placed { place: Place::of_record(time, Topic::FxRates, 0, time), event: Happening::Event(event) }
        };
        (1..).zip(steps).map(happening).collect()
    }

    #[test]
    fn the_latest_record_stands_until_it_is_deleted() {
        let emitted = run(Latest::<LastRate>::new(), rates(&[(1, 2), (1, 3), (2, 4), (2, 0)]));
        let rows: Vec<_> = rows_of(&emitted.tables).iter().map(|row| format!("{} {}", row.base, row.rate)).collect();
        assert_eq!(rows, ["C1 3"]);
    }

    proptest! {
        #[test]
        fn a_restart_in_the_middle_changes_nothing(steps in proptest::collection::vec((0..4_u8, 0..5_i64), 1..40), cut in 0..40_usize) {
            let whole = run(Latest::new(), rates(&steps));
            let cut = run_with_restart(Latest::new(), rates(&steps), cut);
            prop_assert_eq!(whole.tables.changes(), cut.tables.changes());
            prop_assert_eq!(whole.updates, cut.updates);
        }
    }
}
