//! Fraud scoring as a keyed fold.

use std::collections::BTreeMap;
use std::sync::Arc;

use headwater_schemas::events::{ErrorCode, Event, Transaction, TransactionPhase};
use headwater_schemas::tables::{Alert, Amendment, Decision, Moment, ScoredEvent};
use headwater_schemas::value::EventTime;
use headwater_schemas::{AccountId, Correction, Place, Placed, Topic};
use serde::{Deserialize, Serialize};

use super::customers::Customers;
use super::history::AccountHistory;
use super::outcome::{self, Cause};
use super::pack::Pack;
use super::record::Record;
use super::saved;
use crate::admission::dead_letter;
use crate::keyed_fold::{Outbox, View};
use crate::ledger::{Adjusted, TakenBack};

/// View that scores transactions by a ruleset.
#[derive(Clone, Debug)]
pub struct Fraud {
    pub(super) pack: Arc<Pack>,
    horizon: i64,
    /// The age, relative to the effective time, beyond which no window reaches an event, in nanoseconds.
    retention: i64,
}

/// An event of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FraudEvent {
    /// A transaction to be scored.
    Transaction(Arc<Transaction>),
    /// A transaction that no longer counts, or of which something counts again.
    TakenBack(Box<TakenBack>),
    /// A hold that was captured for another amount than was held.
    Adjusted(Box<Adjusted>),
}

headwater_schemas::table_set! {
    /// The tables of fraud scoring.
    pub struct FraudTables restored from SavedFraud {
        restored { fraud_events: ScoredEvent }
        written { decisions: Decision, alerts: Alert }
    }
}

impl Fraud {
    /// The view, with the default horizon: a day, or the longest window if that is longer.
    pub fn new(pack: Arc<Pack>) -> Self {
        let day = i64::try_from(EventTime::DAY).unwrap_or(i64::MAX);
        let horizon = day.max(pack.longest_window());
        Self::with_horizon(pack, horizon.unsigned_abs())
    }

    /// The view with another horizon: how late an event may be, in nanoseconds.
    pub fn with_horizon(pack: Arc<Pack>, horizon: u64) -> Self {
        let horizon = i64::try_from(horizon).unwrap_or(i64::MAX);
        let retention = horizon.saturating_add(pack.longest_window());
        Self { pack, horizon, retention }
    }

    fn is_too_late(&self, place: Place, event: &Transaction) -> bool {
        i128::from(place.time) - i128::from(event.ts.nanos()) > i128::from(self.horizon)
    }

    fn refuse(&self, place: Place, event: Arc<Transaction>, out: &mut Outbox<'_, Self>) {
        let seconds = |nanos: i128| nanos / 1_000_000_000;
        let behind = i128::from(place.time) - i128::from(event.ts.nanos());
        let error = format!(
            "the transaction is {} s behind its effective time, more than the {} s that ruleset {} remembers: decide it by hand, or send it in time",
            seconds(behind),
            seconds(i128::from(self.horizon)),
            self.pack.name
        );
        out.refuse(dead_letter(place, &Event::Transaction(event), ErrorCode::TooLate, &error));
    }

    fn take_back(&self, state: &mut AccountHistory, place: Place, taken: TakenBack, out: &mut Outbox<'_, Self>) {
        let cause = Cause { amendment: Amendment::TakenBack, id: taken.correction.event_id().clone() };
        let now = place.event_time();
        let oldest = now.nanos().saturating_sub(self.horizon);
        let is_changed = if taken.is_restored {
            state.restore(&self.pack, &taken.transaction_id, oldest, &cause, now)
        } else {
            state.take_back(&self.pack, &taken.transaction_id, oldest, &cause, now)
        };
        if is_changed {
            out.correct(taken.correction);
        }
    }

    fn adjust(&self, state: &mut AccountHistory, place: Place, adjusted: Adjusted) {
        let cause = Cause { amendment: Amendment::Captured, id: adjusted.capture };
        let now = place.event_time();
        let oldest = now.nanos().saturating_sub(self.horizon);
        state.adjust(&self.pack, &adjusted.hold, adjusted.amount, oldest, &cause, now);
    }

    /// The effective time from which on an event of `ts` can be forgotten.
    fn expiry(&self, ts: i64) -> u64 {
        EventTime::from_nanos(ts.saturating_add(self.retention).saturating_add(1)).effective()
    }

    /// The effective time from which on the first event can be forgotten.
    fn first_expiry(&self, state: &AccountHistory) -> Option<u64> {
        state.ring.get(state.ring.start()).map(|first| self.expiry(first.order.ts))
    }

    fn forget(&self, state: &mut AccountHistory, now: u64) {
        let now = EventTime::from_effective(now).nanos();
        state.forget(&self.pack, now.saturating_sub(self.retention));
    }
}

crate::fold_operator!(Fraud);

impl View for Fraud {
    type Key = AccountId;
    type Route = AccountId;
    type Event = FraudEvent;
    type Broadcast = Event;
    type Context = Customers;
    type State = AccountHistory;
    type Timer = ();
    type Tables = FraudTables;
    type Derived = ();
    type Update = ();

    fn key(&self, event: &FraudEvent) -> AccountId {
        match event {
            FraudEvent::Transaction(event) => event.account_id,
            FraudEvent::TakenBack(taken) => taken.account_id,
            FraudEvent::Adjusted(adjusted) => adjusted.account_id,
        }
    }

    fn route(account: &AccountId) -> AccountId {
        *account
    }

    fn learn(&self, customers: &mut Customers, broadcast: Placed<Event>) {
        customers.learn(&broadcast.event);
    }

    fn apply(
        &self,
        customers: &Customers,
        account: &AccountId,
        state: &mut AccountHistory,
        event: Placed<FraudEvent>,
        out: &mut Outbox<'_, Self>,
    ) {
        let Placed { place, event } = event;
        let event = match event {
            FraudEvent::Transaction(event) => event,
            FraudEvent::TakenBack(taken) => return self.take_back(state, place, *taken, out),
            FraudEvent::Adjusted(adjusted) => return self.adjust(state, place, *adjusted),
        };
        if event.phase == Some(TransactionPhase::Void) {
            return;
        }
        if self.is_too_late(place, &event) {
            return self.refuse(place, event, out);
        }
        let whereabouts = customers.whereabouts(account, event.ts);
        let record = Record::new(place, &event, whereabouts, &self.pack.kept);
        if state.take(&self.pack, record, place.event_time()) {
            let nanos = place.time.saturating_sub(event.ts.effective());
            out.correct(Correction::Late { topic: Topic::Transactions, id: event.transaction_id.clone(), nanos });
        }
        if let Some(expiry) = self.first_expiry(state).filter(|expiry| state.timer.is_none_or(|timer| *expiry < timer)) {
            state.timer = Some(expiry);
            out.set_timer(expiry, ());
        }
    }

    /// A timer for the first event is always set, so forgetting an event depends on nothing else.
    fn timer(&self, _: &Customers, _: &AccountId, state: &mut AccountHistory, (): (), place: Place, out: &mut Outbox<'_, Self>) {
        self.forget(state, place.time);
        if state.timer.is_some_and(|timer| timer > place.time) {
            // The timer of an event that is already forgotten.
            return;
        }
        state.timer = self.first_expiry(state);
        state.timer.into_iter().for_each(|expiry| out.set_timer(expiry, ()));
    }

    fn emit(&self, _: &Customers, account: &AccountId, state: &mut AccountHistory, at: &Moment, tables: &FraudTables) {
        let event = |record: &Record, outcome: &_| saved::row(&self.pack, account, record, outcome);
        let mut never_emitted = Vec::new();
        for (order, old) in std::mem::take(&mut state.pending) {
            let index = state.ring.place_of(&order);
            let here = state.ring.get_mut(index).filter(|record| record.order == order);
            let is_here = here.is_some();
            // The event may have been forgotten meanwhile.
            let Some(record) = here.or_else(|| state.gone.iter_mut().find(|record| record.order == order)) else { continue };
            record.is_pending = false;
            let decision = |outcome: &_| outcome::decision(&self.pack, account, record, outcome);
            let alert = |outcome: &_| outcome::alert(&self.pack, account, record, outcome);
            let before = old.as_ref().map(|old| &old.outcome);
            tables.decisions.replace(at, before.map(decision), Some(decision(&record.outcome)));
            tables.alerts.replace(at, before.and_then(alert), alert(&record.outcome));
            match &old {
                _ if is_here => {
                    let before = old.as_ref().map(|old| ScoredEvent { amount: old.amount, ..event(record, &old.outcome) });
                    tables.fraud_events.replace(at, before, Some(event(record, &record.outcome)));
                }
                Some(_) => {}
                None => never_emitted.push(order),
            }
        }
        for record in state.gone.drain(..).filter(|record| !never_emitted.contains(&record.order)) {
            tables.fraud_events.retract(at, event(&record, &record.outcome));
        }
    }

    /// If the pack reads a text that the previous pack did not keep, the text is unknown for earlier events.
    fn restore(&self, saved: &SavedFraud, is_mine: &dyn Fn(&AccountId) -> bool) -> Vec<(AccountId, AccountHistory)> {
        let mut accounts = BTreeMap::<AccountId, Vec<Record>>::new();
        for row in saved.fraud_events.iter().filter(|row| row.ruleset == self.pack.name && is_mine(&row.account_id)) {
            let Some(record) = saved::record(&self.pack, row) else { continue };
            accounts.entry(row.account_id).or_default().push(record);
        }
        let state = |(account, records)| {
            let mut state = AccountHistory::restored(records);
            state.timer = self.first_expiry(&state);
            (account, state)
        };
        accounts.into_iter().map(state).collect()
    }

    fn timers(&self, _: &AccountId, state: &AccountHistory) -> Vec<(u64, ())> {
        state.timer.map(|time| (time, ())).into_iter().collect()
    }

    fn is_forgettable(&self, state: &AccountHistory) -> bool {
        state.ring.is_empty()
    }
}
