//! Labelled purchases: each purchase in the category that a person gave it, else in that of the rules.
//!
//! - **Key**: the transaction. **Rows**: [`LabelledPurchase`]. **Derived**: [`SpendingChange`]s, whose sum is what counts,
//!   each at a place of its own.
//! - Of several labels the one with the latest time of its own counts. **Ties**: the later place wins.
//! - A label may come before its purchase, and waits for it; after [`LabelledPurchases::waiting_horizon`] it is an
//!   `unknown_reference`. If the purchase itself waits for the opening of its account, its label waits for as long. That a purchase
//!   waits is restored from the rows of [`super::Purchases`].
//! - A purchase is remembered for as long as it can be reversed, an open hold until it is resolved, and can be labelled for as long.

use headwater_schemas::events::{ErrorCode, Event, Label};
use headwater_schemas::tables::{LabelledPurchase, Moment, WaitingPurchase};
use headwater_schemas::{
    Amount, Correction, Currency, CustomerId, Date, EffectiveTime, EventTime, Id, Money, Nanos, Place, Placed, Text, Topic,
};
use serde::{Deserialize, Serialize};

use super::purchases::{Purchase, PurchaseEvent};
use crate::admission::dead_letter;
use crate::keyed_fold::{Outbox, States, View};
use crate::touched::Noted;

/// View of labelled purchases. Horizons are lengths of effective time.
#[derive(Clone, Copy, Debug)]
pub struct LabelledPurchases {
    /// How long a purchase can be reversed.
    pub reversal_horizon: Nanos,
    /// How long a label waits for its purchase.
    pub waiting_horizon: Nanos,
    /// How long a purchase waits for the opening of its account.
    pub opening_horizon: Nanos,
}

/// A change of what a customer spent on a date in a category.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SpendingChange {
    /// The customer.
    pub customer_id: CustomerId,
    /// The local date.
    pub date: Date,
    /// The category.
    pub category: Text,
    /// The currency.
    pub currency: Currency,
    /// Added to the amount.
    pub amount: Money,
    /// Added to the number of purchases.
    pub count: i64,
    /// The purchase.
    pub transaction_id: Id,
    /// The correction that it is, if any.
    pub correction: Option<Correction>,
}

/// State of a transaction that is a purchase, or has a label.
#[derive(Clone, Debug, Default)]
pub struct LabelledState {
    known: Known,
    /// The effective time until which the purchase waits for the opening of its account.
    awaited: Option<EffectiveTime>,
    noted: Noted<LabelledPurchase>,
}

/// What is known of a transaction.
#[derive(Clone, Debug, Default)]
struct Known {
    purchase: Option<Bought>,
    label: Option<Box<Labelled>>,
}

/// A purchase, with the category by the rules.
#[derive(Clone, Debug)]
struct Bought {
    customer_id: CustomerId,
    date: Date,
    category: Text,
    currency: Currency,
    /// The amount that counts.
    amount: Amount,
    /// Whether it is a hold that is not resolved yet.
    is_held: bool,
    /// The effective time at which it was accepted, or at which what counts of it changed last.
    time: EffectiveTime,
}

/// A label, and the place of its record.
#[derive(Clone, Debug)]
struct Labelled {
    category: Text,
    ts: EventTime,
    place: Place,
}

/// What a purchase adds to a customer's spending.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Contribution {
    category: Text,
    amount: Money,
}

/// Changes of spending by one event, at most.
const MOST_CHANGES: u32 = 2;

/// Purpose of a timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LabelTimer {
    /// Reject a label that has waited too long.
    Reject,
    /// Forget the purchase.
    Forget,
}

headwater_schemas::table_set! {
    /// The tables of labelled purchases.
    pub struct LabelledTables restored from SavedLabelled {
        restored { labelled_purchases: LabelledPurchase, waiting_purchases: WaitingPurchase }
    }
}

crate::fold_operator!(LabelledPurchases);

impl View for LabelledPurchases {
    type Key = Id;
    type Route = Id;
    type Event = PurchaseEvent;
    type Broadcast = ();
    type Context = ();
    type State = LabelledState;
    type Timer = LabelTimer;
    type Tables = LabelledTables;
    type Derived = Placed<SpendingChange>;
    type Update = ();

    fn key(&self, event: &PurchaseEvent) -> Id {
        match event {
            PurchaseEvent::Bought(purchase) => purchase.transaction_id.clone(),
            PurchaseEvent::Remains(remains) => remains.transaction_id.clone(),
            PurchaseEvent::Label(label) => label.subject_id.clone(),
            PurchaseEvent::Waits(id) | PurchaseEvent::Dropped(id) => id.clone(),
        }
    }

    fn route(id: &Id) -> Id {
        id.clone()
    }

    fn learn(&self, (): &mut (), _: Placed<()>) {}

    fn apply(&self, (): &(), id: &Id, state: &mut LabelledState, placed: Placed<PurchaseEvent>, out: &mut Outbox<'_, Self>) {
        let Placed { place, event } = placed;
        let awaited = match event {
            PurchaseEvent::Waits(_) => Some(place.time.saturating_add(self.opening_horizon)),
            PurchaseEvent::Label(_) => state.awaited,
            PurchaseEvent::Bought(_) | PurchaseEvent::Remains(_) | PurchaseEvent::Dropped(_) => None,
        };
        state.awaited = awaited;
        let known = state.touch(id);
        let before = known.contribution();
        let correction = match event {
            PurchaseEvent::Bought(purchase) => {
                out.set_timer(place.time.saturating_add(self.reversal_horizon), LabelTimer::Forget);
                known.buy(*purchase, place.time)
            }
            PurchaseEvent::Remains(remains) => {
                let Some(bought) = &mut known.purchase else { return };
                (bought.amount, bought.is_held, bought.time) = (remains.amount, remains.is_held, place.time);
                out.set_timer(place.time.saturating_add(self.reversal_horizon), LabelTimer::Forget);
                remains.correction.clone()
            }
            PurchaseEvent::Label(label) => {
                if known.purchase.is_none() {
                    let patience = place.time.saturating_add(self.waiting_horizon);
                    out.set_timer(awaited.map_or(patience, |until| until.max(patience)), LabelTimer::Reject);
                }
                known.label(*label, place).map(|category| Correction::Label { transaction_id: id.clone(), category })
            }
            PurchaseEvent::Waits(_) => {
                awaited.into_iter().for_each(|until| out.set_timer(until, LabelTimer::Reject));
                None
            }
            PurchaseEvent::Dropped(_) => {
                let patience = known.label.as_ref().map(|label| self.patience(label).max(place.time));
                patience.into_iter().for_each(|time| out.set_timer(time, LabelTimer::Reject));
                None
            }
        };
        if let Some(bought) = &known.purchase {
            let first = place.sequence.saturating_mul(MOST_CHANGES);
            let changes = changes(id, bought, before, known.contribution(), correction.as_ref());
            for (number, event) in (0..MOST_CHANGES).zip(changes) {
                out.derive(Placed { place: place.derived(first.saturating_add(number)), event });
            }
        }
        correction.into_iter().for_each(|correction| out.correct(correction));
    }

    fn timer(&self, (): &(), id: &Id, state: &mut LabelledState, timer: LabelTimer, place: Place, out: &mut Outbox<'_, Self>) {
        state.awaited.take_if(|until| *until <= place.time);
        let is_awaited = state.awaited.is_some();
        let known = state.touch(id);
        match timer {
            LabelTimer::Forget => {
                let is_over = |bought: &Bought| !bought.is_held && self.end(bought) <= place.time;
                if known.purchase.as_ref().is_some_and(is_over) {
                    *known = Known::default();
                }
            }
            LabelTimer::Reject if known.purchase.is_none() && !is_awaited => {
                let is_due = |label: &mut Box<Labelled>| self.patience(label) <= place.time;
                let Some(label) = known.label.take_if(is_due) else { return };
                let Labelled { category, ts, place: record } = *label;
                let label = Event::Label(Box::new(Label { subject_id: id.clone(), label: category, ts }));
                let error = format!("{id} is no purchase, and none came within the horizon: check subject_id");
                out.refuse(dead_letter(Place { time: place.time, ..record }, &label, ErrorCode::UnknownReference, &error));
            }
            LabelTimer::Reject => {}
        }
    }

    fn emit(&self, (): &(), id: &Id, state: &mut LabelledState, at: &Moment, tables: &LabelledTables) {
        let LabelledState { known, noted, .. } = state;
        noted.emit(at, &tables.labelled_purchases, || known.row(id));
    }

    fn is_forgettable(&self, state: &LabelledState) -> bool {
        state.known.purchase.is_none() && state.known.label.is_none() && state.awaited.is_none()
    }

    fn restore(&self, saved: &SavedLabelled, states: &mut States<'_, Self>) {
        for row in saved.labelled_purchases.iter() {
            let Some(state) = states.of(&row.transaction_id) else { continue };
            state.known = Known::restored(row);
        }
        for row in saved.waiting_purchases.iter() {
            let Some(state) = states.of(&row.transaction_id) else { continue };
            state.awaited = Some(row.ts.effective().saturating_add(self.opening_horizon));
        }
    }

    fn timers(&self, _: &Id, state: &LabelledState) -> Vec<(EffectiveTime, LabelTimer)> {
        let LabelledState { known: Known { purchase, label }, awaited, .. } = state;
        let forgetting = purchase.as_ref().map(|bought| (self.end(bought), LabelTimer::Forget));
        let waiting = label.as_ref().filter(|_| purchase.is_none());
        let rejection = waiting.map(|label| self.patience(label)).max(*awaited);
        forgetting.into_iter().chain(rejection.map(|time| (time, LabelTimer::Reject))).collect()
    }
}

impl LabelledPurchases {
    /// The effective time at which a purchase is forgotten.
    const fn end(&self, bought: &Bought) -> EffectiveTime {
        bought.time.saturating_add(self.reversal_horizon)
    }

    /// The effective time at which a label has waited too long.
    const fn patience(&self, label: &Labelled) -> EffectiveTime {
        label.place.time.saturating_add(self.waiting_horizon)
    }
}

impl LabelledState {
    /// Notes the row before it changes.
    fn touch(&mut self, id: &Id) -> &mut Known {
        let Self { known, noted, .. } = self;
        noted.note(|| known.row(id));
        known
    }
}

impl Known {
    /// Stores a purchase. Returns the correction that it is, if it is late.
    fn buy(&mut self, purchase: Purchase, time: EffectiveTime) -> Option<Correction> {
        let Purchase { customer_id, date, category, currency, amount, is_held, correction, .. } = purchase;
        self.purchase = Some(Bought { customer_id, date, category, currency, amount, is_held, time });
        correction
    }

    /// Stores a label unless the existing one has a later time of its own. Returns its category if it was stored.
    fn label(&mut self, label: Label, place: Place) -> Option<Text> {
        let Label { label: category, ts, .. } = label;
        if self.label.as_ref().is_some_and(|old| old.ts > ts) {
            return None;
        }
        self.label = Some(Box::new(Labelled { category: category.clone(), ts, place }));
        Some(category)
    }

    /// What the purchase adds to spending; none before it arrives.
    fn contribution(&self) -> Option<Contribution> {
        let bought = self.purchase.as_ref()?;
        let category = self.label.as_ref().map_or(&bought.category, |label| &label.category);
        Some(Contribution { category: category.clone(), amount: bought.amount.money() })
    }

    fn row(&self, id: &Id) -> Option<LabelledPurchase> {
        let (bought, label) = (self.purchase.as_ref(), self.label.as_deref());
        let time = bought.map(|bought| bought.time).or(label.map(|label| label.place.time))?;
        Some(LabelledPurchase {
            transaction_id: id.clone(),
            customer_id: bought.map(|bought| bought.customer_id),
            date: bought.map(|bought| bought.date),
            category: bought.map(|bought| bought.category.clone()),
            currency: bought.map(|bought| bought.currency),
            amount: bought.map(|bought| bought.amount),
            is_held: bought.is_some_and(|bought| bought.is_held),
            label: label.map(|label| label.category.clone()),
            label_ts: label.map(|label| label.ts),
            label_partition: label.map(|label| i32::from(label.place.partition)),
            label_offset: label.map(|label| label.place.offset),
            ts: EventTime::from_effective(time),
        })
    }

    fn restored(row: &LabelledPurchase) -> Self {
        let time = row.ts.effective();
        let bought = || {
            Some(Bought {
                customer_id: row.customer_id?,
                date: row.date?,
                category: row.category.clone()?,
                currency: row.currency?,
                amount: row.amount?,
                is_held: row.is_held,
                time,
            })
        };
        let labelled = || {
            let partition = u16::try_from(row.label_partition?).ok()?;
            let place = Place::of_record(time, Topic::Labels, partition, row.label_offset?);
            Some(Box::new(Labelled { category: row.label.clone()?, ts: row.label_ts?, place }))
        };
        Self { purchase: bought(), label: labelled() }
    }
}

/// The changes of spending between two contributions of a purchase.
fn changes(
    id: &Id,
    bought: &Bought,
    before: Option<Contribution>,
    after: Option<Contribution>,
    correction: Option<&Correction>,
) -> impl Iterator<Item = SpendingChange> {
    let of = |category: Text, amount: Money, count: i64| SpendingChange {
        customer_id: bought.customer_id,
        date: bought.date,
        category,
        currency: bought.currency,
        amount,
        count,
        transaction_id: id.clone(),
        correction: correction.cloned(),
    };
    let counts = |amount: Money| i64::from(!amount.is_zero());
    let changes = match (before, after) {
        (Some(before), Some(after)) if before.category == after.category => {
            let amount = Money::from_units(after.amount.units().saturating_sub(before.amount.units()));
            vec![of(after.category, amount, counts(after.amount) - counts(before.amount))]
        }
        (before, after) => {
            let taken = before.map(|before| of(before.category, before.amount.negated(), -counts(before.amount)));
            let added = after.map(|after| of(after.category, after.amount, counts(after.amount)));
            taken.into_iter().chain(added).collect()
        }
    };
    changes.into_iter().filter(|change| !change.amount.is_zero() || change.count != 0)
}
