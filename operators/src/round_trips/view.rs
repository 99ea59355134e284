//! The view of round trips.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use headwater_schemas::events::Transaction;
use headwater_schemas::tables::{Alert, Moment, RoundTrip, RoundTripTransfer};
use headwater_schemas::{Correction, Currency, EffectiveTime, Id, Nanos, Place, Placed, Topic};
use serde::{Deserialize, Serialize};

use super::graph::Graph;
use super::search::{Bounds, Search};
use super::transfer::{Order, Transfer, parties};
use super::trips::Trips;
use crate::keyed_fold::{Outbox, States, View};
use crate::ledger::{Adjusted, TakenBack};
use crate::rules::Happened;

/// View of round trips. **Key**: currency, which a trip never changes, and which it needs to know all transfers of.
#[derive(Clone, Copy, Debug)]
pub struct RoundTrips {
    /// What counts as a trip.
    pub bounds: Bounds,
    /// How late a transfer may be.
    pub horizon: Nanos,
}

/// Money that moves between two accounts, and what changes that afterwards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Movement {
    /// The ledger accepted a transfer.
    Made(Arc<Transaction>),
    /// A transfer no longer counts, or counts again.
    TakenBack(Arc<TakenBack>),
    /// A hold was captured for another amount than was held.
    Adjusted(Arc<Adjusted>),
}

impl Movement {
    /// The movement between two accounts that an event of the ledger is, if it is one.
    pub fn of(happened: Happened) -> Option<Self> {
        match happened {
            Happened::Transaction(transaction) => parties(&transaction).map(|_| Self::Made(transaction)),
            Happened::TakenBack(taken) => (!taken.counterparty.is_contra()).then_some(Self::TakenBack(taken)),
            Happened::Adjusted(adjusted) => (!adjusted.counterparty.is_contra()).then_some(Self::Adjusted(adjusted)),
            Happened::Payment(_) | Happened::Access(_) => None,
        }
    }
}

/// Transfers and trips of a currency.
#[derive(Clone, Debug, Default)]
pub struct RoundTripState {
    graph: Graph,
    trips: Trips,
    /// Transfers by the time at which they are forgotten, in steps of [`STEP`].
    ages: BTreeMap<EffectiveTime, Vec<Order>>,
    /// Transfers that changed since rows were emitted.
    touched: BTreeSet<Order>,
    /// Emitted transfers that were forgotten since rows were emitted.
    gone: Vec<Transfer>,
}

/// Transfers are forgotten together, once a minute: one timer for many.
const STEP: Nanos = Nanos::new(60_000_000_000);

headwater_schemas::table_set! {
    /// The tables of round trips.
    pub struct RoundTripTables restored from SavedRoundTrips {
        restored { round_trip_transfers: RoundTripTransfer, round_trips: RoundTrip }
        written { alerts: Alert }
    }
}

crate::fold_operator!(RoundTrips);

impl View for RoundTrips {
    type Key = Currency;
    type Route = Currency;
    type Event = Movement;
    type Broadcast = ();
    type Context = ();
    type State = RoundTripState;
    type Timer = ();
    type Tables = RoundTripTables;
    type Derived = ();
    type Update = ();

    fn key(&self, event: &Movement) -> Currency {
        match event {
            Movement::Made(transaction) => transaction.currency,
            Movement::TakenBack(taken) => taken.currency,
            Movement::Adjusted(adjusted) => adjusted.currency,
        }
    }

    fn route(currency: &Currency) -> Currency {
        *currency
    }

    fn learn(&self, (): &mut (), _: Placed<()>) {}

    fn apply(&self, (): &(), currency: &Currency, state: &mut RoundTripState, placed: Placed<Movement>, out: &mut Outbox<'_, Self>) {
        let Placed { place, event } = placed;
        // Also before an event of the very time of a timer, which may have fired in an earlier run.
        state.forget_until(place.time);
        let Some(Cause { ends, id, correction }) = self.cause(state, event, place, out) else { return };
        let mut is_changed = false;
        for end in ends {
            is_changed |= self.settle(state, end, currency, &id, place);
        }
        correction.filter(|_| is_changed).into_iter().for_each(|correction| out.correct(correction));
    }

    fn timer(&self, (): &(), _: &Currency, state: &mut RoundTripState, (): (), place: Place, _: &mut Outbox<'_, Self>) {
        state.forget_until(place.time);
    }

    fn emit(&self, (): &(), currency: &Currency, state: &mut RoundTripState, at: &Moment, tables: &RoundTripTables) {
        for order in std::mem::take(&mut state.touched) {
            let transfer = state.graph.emitted(&order);
            transfer.into_iter().for_each(|transfer| tables.round_trip_transfers.insert(at, transfer.row(currency)));
        }
        for transfer in state.gone.drain(..) {
            tables.round_trip_transfers.retract(at, transfer.row(currency));
        }
        state.trips.emit(at, tables);
    }

    fn is_forgettable(&self, state: &RoundTripState) -> bool {
        state.graph.is_empty() && state.trips.is_empty() && state.gone.is_empty()
    }

    fn restore(&self, saved: &SavedRoundTrips, states: &mut States<'_, Self>) {
        for row in saved.round_trip_transfers.iter() {
            let Some(state) = states.of(&row.currency) else { continue };
            let transfer = Transfer::restored(row);
            state.ages.entry(self.forgotten_at(&transfer)).or_default().push(transfer.order);
            state.graph.insert(transfer);
        }
        for row in saved.round_trips.iter() {
            states.of(&row.currency).into_iter().for_each(|state| state.trips.restore(row));
        }
    }

    fn timers(&self, _: &Currency, state: &RoundTripState) -> Vec<(EffectiveTime, ())> {
        state.ages.keys().map(|time| (*time, ())).collect()
    }
}

/// What changed the trips.
struct Cause {
    /// The transfers of which it may have changed which trips they end.
    ends: BTreeSet<Order>,
    /// The event.
    id: Id,
    /// What it corrects, if it does.
    correction: Option<Correction>,
}

impl RoundTrips {
    /// Notes a movement.
    fn cause(&self, state: &mut RoundTripState, event: Movement, place: Place, out: &mut Outbox<'_, Self>) -> Option<Cause> {
        match event {
            Movement::Made(transaction) => self.make(state, &transaction, place, out),
            Movement::TakenBack(taken) => {
                let ends = self.change(state, &taken.transaction_id, |transfer| transfer.counts = taken.is_restored)?;
                Some(Cause { ends, id: taken.correction.event_id().clone(), correction: Some(taken.correction.clone()) })
            }
            Movement::Adjusted(adjusted) => {
                let ends = self.change(state, &adjusted.hold, |transfer| transfer.amount = adjusted.amount)?;
                Some(Cause { ends, id: adjusted.capture.clone(), correction: None })
            }
        }
    }

    /// Adds a transfer.
    fn make(&self, state: &mut RoundTripState, transaction: &Transaction, place: Place, out: &mut Outbox<'_, Self>) -> Option<Cause> {
        let transfer = Transfer::of(transaction, place)?;
        // The rules of the pack refuse what is too late.
        if place.time.later_than(transaction.ts) > i128::from(self.horizon.get()) {
            return None;
        }
        let (order, id, forgotten_at) = (transfer.order, transfer.id.clone(), self.forgotten_at(&transfer));
        let age = state.ages.entry(forgotten_at).or_insert_with(|| {
            out.set_timer(forgotten_at, ());
            Vec::new()
        });
        age.push(order);
        state.graph.insert(transfer);
        state.touched.insert(order);
        let lateness = place.lateness(transaction.ts);
        let correction = lateness.map(|lateness| Correction::Late { topic: Topic::Transactions, id: id.clone(), lateness });
        Some(Cause { ends: self.ends_through(state, &order), id, correction })
    }

    /// Changes a transfer. Returns the transfers of which that may change which trips they end; none if it is not known.
    fn change(&self, state: &mut RoundTripState, id: &Id, change: impl FnOnce(&mut Transfer)) -> Option<BTreeSet<Order>> {
        let order = state.graph.order_of(id)?;
        let mut ends = state.trips.with(id, order.ts, self.bounds.after(order.ts));
        state.graph.change(&order, change);
        state.touched.insert(order);
        ends.append(&mut self.ends_through(state, &order));
        Some(ends)
    }

    fn search<'a>(&'a self, state: &'a RoundTripState) -> Search<'a> {
        Search { graph: &state.graph, bounds: &self.bounds }
    }

    fn ends_through(&self, state: &RoundTripState, order: &Order) -> BTreeSet<Order> {
        match state.graph.get(order) {
            Some(transfer) if transfer.counts => self.search(state).ends_of_trips_through(transfer),
            _ => BTreeSet::from([*order]),
        }
    }

    /// Searches for the trip that a transfer ends. Returns whether it is another one than before.
    fn settle(&self, state: &mut RoundTripState, end: Order, currency: &Currency, cause: &Id, place: Place) -> bool {
        let RoundTripState { graph, trips, .. } = state;
        let search = Search { graph, bounds: &self.bounds };
        let path = search.graph.get(&end).and_then(|transfer| search.trip_that_ends_with(transfer));
        trips.settle(end, path.as_ref(), currency, cause, place.event_time())
    }

    /// When a transfer is forgotten: no transfer that comes later can be on a trip with it.
    fn forgotten_at(&self, transfer: &Transfer) -> EffectiveTime {
        let latest = transfer.accepted.max(transfer.order.ts.effective());
        let time = latest.saturating_add(self.horizon).saturating_add(self.bounds.window);
        let steps = (time.get() / STEP.get()).saturating_add(1);
        EffectiveTime::new(steps.saturating_mul(STEP.get()))
    }
}

impl RoundTripState {
    fn forget_until(&mut self, now: EffectiveTime) {
        while let Some(age) = self.ages.first_entry().filter(|age| *age.key() <= now) {
            for order in age.remove() {
                self.trips.forget(&order);
                self.gone.extend(self.graph.remove(&order).filter(|transfer| transfer.is_emitted));
            }
        }
    }
}
