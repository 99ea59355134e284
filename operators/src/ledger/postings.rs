//! Postings: the effect of each transaction on balances, including holds and reversals.
//!
//! - `posted` moves its legs. With `pending_id` it captures a hold: posting less releases the rest, posting more is rejected
//!   unless [`Postings::allows_overcapture`].
//! - `pending` holds its amount on the accounts that would be debited: the available balance falls, the posted one does not.
//! - `void` with `pending_id` releases the hold.
//! - `reverses` moves the original's legs with inverted signs, up to the original amount in total, whichever of its two accounts
//!   sends it. A reversal that is itself reversed restores the original.
//! - Interest is charged to credit and loan accounts and paid to others.
//!
//! A hold is resolved once, by a transaction of the same currency, type and, if given, counterparty; any other one is
//! `inconsistent`. A transaction that asks for more than is left is `refused`. A transaction that arrives before the one that it
//! refers to waits for it; after [`Postings::waiting_horizon`] it is an `unknown_reference`.
//!
//! A posted transaction can be reversed within the reversal horizon; then it is forgotten, as is a resolved hold. An open hold is
//! never forgotten.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use headwater_schemas::events::{ErrorCode, Event, Transaction};
use headwater_schemas::tables::{LedgerEntry, Moment, PostedTransaction, WaitingTransaction};
use headwater_schemas::{AccountId, Amount, Correction, Currency, EventTime, Id, Money, Place, Placed, Topic};
use serde::{Deserialize, Serialize};

use super::legs::phase;
use super::returns::Owned;
use super::transactions::{Circumstances, Effect, Refusal, Request, Transactions, Turn};
use super::waiting::WaitingRoom;
use crate::admission::dead_letter;
use crate::keyed_fold::{Outbox, View};
use crate::reference::AccountTypes;

/// The effect of a transaction on one account's balance.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Posting {
    /// The account, or `external:<currency>`.
    pub account_id: AccountId,
    /// The currency.
    pub currency: Currency,
    /// Added to the posted balance.
    pub posted: Money,
    /// Added to the held amount, whose total is never negative.
    pub held: Money,
    /// The transaction.
    pub transaction_id: Id,
    /// The posted balance afterwards, according to the producer.
    pub balance_after: Option<Money>,
    /// Time of the transaction.
    pub ts: EventTime,
    /// The correction that it is, if any.
    pub correction: Option<Box<Correction>>,
}

/// A transaction that no longer counts, because its hold was released or it was reversed in full; or of which something counts
/// again, because a reversal was itself reversed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TakenBack {
    /// Its account.
    pub account_id: AccountId,
    /// The account on its other side.
    pub counterparty: AccountId,
    /// The transaction.
    pub transaction_id: Id,
    /// Whether something of it counts again.
    pub is_restored: bool,
    /// The transaction that caused this.
    pub correction: Correction,
}

/// A transaction that the ledger accepted, unless it is a void.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Accepted {
    /// The place of its record, at the effective time at which the ledger accepted it.
    pub record: Place,
    /// The transaction.
    pub transaction: Arc<Transaction>,
}

/// A hold that was captured for another amount than was held.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Adjusted {
    /// The account that it names.
    pub account_id: AccountId,
    /// The account on its other side.
    pub counterparty: AccountId,
    /// The hold.
    pub hold: Id,
    /// The captured amount.
    pub amount: Amount,
    /// The capture.
    pub capture: Id,
}

/// An event that the view derives.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum LedgerEvent {
    /// For balances.
    Posting(Posting),
    /// For views that count transactions.
    Accepted(Accepted),
    /// For views that count transactions.
    TakenBack(Arc<TakenBack>),
    /// For views that count transactions.
    Adjusted(Arc<Adjusted>),
}

/// View of postings. Horizons are in nanoseconds of effective time.
#[derive(Clone, Copy, Debug)]
pub struct Postings {
    /// Time within which a posted transaction can be reversed.
    pub reversal_horizon: u64,
    /// How long a transaction waits for the one that it resolves or reverses.
    pub waiting_horizon: u64,
    /// Whether more than was held may be posted against a hold.
    pub allows_overcapture: bool,
}

/// State of an account's transactions.
#[derive(Clone, Debug, Default)]
pub struct PostingState {
    transactions: Transactions,
    waiting: WaitingRoom,
}

/// Purpose of an account's timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PostingTimer {
    /// Forget the oldest transactions.
    Forget,
    /// Reject transactions that have waited too long.
    Reject,
}

headwater_schemas::table_set! {
    /// The tables of postings.
    pub struct PostingTables restored from SavedPostings {
        restored { posted_transactions: PostedTransaction, waiting_transactions: WaitingTransaction }
        written { ledger_entries: LedgerEntry }
    }
}

crate::fold_operator!(Postings);

impl View for Postings {
    type Key = AccountId;
    type Route = AccountId;
    type Event = Owned;
    type Broadcast = Event;
    type Context = AccountTypes;
    type State = PostingState;
    type Timer = PostingTimer;
    type Tables = PostingTables;
    type Derived = LedgerEvent;
    type Update = ();

    fn key(&self, event: &Owned) -> AccountId {
        event.owner()
    }

    fn route(account: &AccountId) -> AccountId {
        *account
    }

    fn learn(&self, types: &mut AccountTypes, broadcast: Placed<Event>) {
        types.learn(&broadcast.event);
    }

    fn apply(
        &self,
        types: &AccountTypes,
        account: &AccountId,
        state: &mut PostingState,
        placed: Placed<Owned>,
        out: &mut Outbox<'_, Self>,
    ) {
        let account_type = types.of(account);
        let (time, had_oldest) = (placed.place.time, state.transactions.next_end(self.reversal_horizon).is_some());
        let now = Circumstances { account, account_type, allows_overcapture: self.allows_overcapture, time };
        let (mut next, mut ready) = (Some(placed.map(|owned| owned.transaction)), VecDeque::new());
        while let Some(Placed { place, event: transaction }) = next {
            match self.take(state, place, &transaction, now, out) {
                Ok(Taken::Posted) => ready.extend(state.waiting.leave_for(&transaction.transaction_id)),
                Ok(Taken::Waiting) => {}
                Err((code, error)) => out.refuse(dead_letter(Place { time, ..place }, &Event::Transaction(transaction), code, &error)),
            }
            next = ready.pop_front();
        }
        if !had_oldest {
            self.set_forgetting(state, out);
        }
    }

    fn timer(
        &self,
        _: &AccountTypes,
        _: &AccountId,
        state: &mut PostingState,
        timer: PostingTimer,
        place: Place,
        out: &mut Outbox<'_, Self>,
    ) {
        match timer {
            PostingTimer::Forget => {
                state.transactions.forget(place.time.saturating_sub(self.reversal_horizon));
                self.set_forgetting(state, out);
            }
            PostingTimer::Reject => {
                for waited in state.waiting.leave_since(place.time.saturating_sub(self.waiting_horizon)) {
                    let (code, error) = unknown_reference(&waited.event);
                    let record = Place { time: place.time, ..waited.place };
                    out.refuse(dead_letter(record, &Event::Transaction(waited.event), code, &error));
                }
            }
        }
    }

    fn emit(&self, _: &AccountTypes, account: &AccountId, state: &mut PostingState, at: &Moment, tables: &PostingTables) {
        state.transactions.emit(account, at, &tables.posted_transactions);
        state.waiting.emit(account, at, &tables.waiting_transactions);
    }

    fn is_forgettable(&self, state: &PostingState) -> bool {
        state.transactions.is_empty() && state.waiting.is_empty()
    }

    fn restore(&self, saved: &SavedPostings, is_mine: &dyn Fn(&AccountId) -> bool) -> Vec<(AccountId, PostingState)> {
        let mut rows: Vec<_> = saved.posted_transactions.iter().filter(|row| is_mine(&row.account_id)).collect();
        rows.sort_by(|a, b| (a.ts, &a.transaction_id).cmp(&(b.ts, &b.transaction_id)));
        let mut waiting: Vec<_> = saved.waiting_transactions.iter().filter(|row| is_mine(&row.account_id)).collect();
        waiting.sort_by_key(|row| (row.ts, row.partition, row.offset));
        let mut accounts = BTreeMap::<AccountId, PostingState>::new();
        rows.into_iter().for_each(|row| accounts.entry(row.account_id).or_default().transactions.restore(row));
        waiting.into_iter().for_each(|row| accounts.entry(row.account_id).or_default().waiting.restore(row));
        accounts.into_iter().collect()
    }

    fn timers(&self, _: &AccountId, state: &PostingState) -> Vec<(u64, PostingTimer)> {
        let forgetting = state.transactions.next_end(self.reversal_horizon).map(|time| (time, PostingTimer::Forget));
        let rejections = state.waiting.times().map(|time| (time.saturating_add(self.waiting_horizon), PostingTimer::Reject));
        forgetting.into_iter().chain(rejections).collect()
    }
}

/// The result of a transaction that is not rejected.
enum Taken {
    Posted,
    Waiting,
}

impl Postings {
    /// Posts a transaction, or stores it until the one that it refers to arrives.
    fn take(
        &self,
        state: &mut PostingState,
        place: Place,
        transaction: &Arc<Transaction>,
        now: Circumstances<'_>,
        out: &mut Outbox<'_, Self>,
    ) -> Result<Taken, Refusal> {
        let request = Request::of(transaction)?;
        if let Some(reference) = request.reference().filter(|reference| !state.transactions.knows(reference)) {
            state.waiting.enter(place, reference.clone(), Arc::clone(transaction));
            out.set_timer(place.time.saturating_add(self.waiting_horizon), PostingTimer::Reject);
            return Ok(Taken::Waiting);
        }
        let consequences = state.transactions.post(request, transaction, now)?;
        let correction = correction(request, transaction, place).map(Box::new);
        for (number, effect) in consequences.effects.into_iter().enumerate() {
            out.tables().ledger_entries.insert(out.at(), effect.entry(transaction, number));
            out.derive(LedgerEvent::Posting(effect.posting(transaction, correction.clone())));
        }
        if !matches!(request, Request::Release(_)) {
            let record = Place { time: now.time, ..place };
            out.derive(LedgerEvent::Accepted(Accepted { record, transaction: Arc::clone(transaction) }));
        }
        for turn in consequences.turns {
            let Some(correction) = correction.as_deref().cloned() else { continue };
            let taken = turn.taken_back(now.account, &state.transactions, correction);
            out.derive(LedgerEvent::TakenBack(Arc::new(taken)));
        }
        if let Some(hold) = consequences.adjusted {
            let (account_id, capture) = (transaction.account_id, transaction.transaction_id.clone());
            let counterparty = state.transactions.counterparty(&hold).unwrap_or(account_id);
            out.derive(LedgerEvent::Adjusted(Arc::new(Adjusted { account_id, counterparty, hold, amount: transaction.amount, capture })));
        }
        Ok(Taken::Posted)
    }

    /// Sets the timer for the first transaction to be forgotten. It is always set.
    fn set_forgetting(&self, state: &PostingState, out: &mut Outbox<'_, Self>) {
        state.transactions.next_end(self.reversal_horizon).into_iter().for_each(|time| out.set_timer(time, PostingTimer::Forget));
    }
}

/// The correction that a transaction is, if any.
fn correction(request: Request<'_>, transaction: &Transaction, place: Place) -> Option<Correction> {
    let transaction_id = transaction.transaction_id.clone();
    match request {
        Request::Release(hold) => Some(Correction::Void { transaction_id, hold: hold.clone() }),
        Request::Reverse(original) => Some(Correction::Reversal { transaction_id, original: original.clone() }),
        Request::Post | Request::Hold | Request::Capture(_) => {
            let nanos = place.lateness(transaction.ts)?;
            Some(Correction::Late { topic: Topic::Transactions, id: transaction_id, nanos })
        }
    }
}

/// The rejection of a transaction that has waited in vain.
fn unknown_reference(transaction: &Transaction) -> Refusal {
    let (field, id) = match (&transaction.pending_id, &transaction.reverses) {
        (Some(hold), _) => ("pending_id", hold.as_str()),
        (None, original) => ("reverses", original.as_ref().map_or("", |id| id.as_str())),
    };
    (ErrorCode::UnknownReference, format!("this account has no transaction {id}, and none came within the horizon: check {field}"))
}

impl Turn {
    fn taken_back(self, account: &AccountId, transactions: &Transactions, correction: Correction) -> TakenBack {
        let (transaction_id, is_restored) = match self {
            Self::TakenBack(id) => (id, false),
            Self::Restored(id) => (id, true),
        };
        let counterparty = transactions.counterparty(&transaction_id).unwrap_or(*account);
        TakenBack { account_id: *account, counterparty, transaction_id, is_restored, correction }
    }
}

impl Effect {
    fn posting(&self, transaction: &Transaction, correction: Option<Box<Correction>>) -> Posting {
        Posting {
            account_id: self.leg.account_id,
            currency: transaction.currency,
            posted: if self.moves { self.leg.amount } else { Money::ZERO },
            held: self.held,
            transaction_id: transaction.transaction_id.clone(),
            balance_after: transaction.balance_after.filter(|_| self.leg.account_id == transaction.account_id),
            ts: transaction.ts,
            correction,
        }
    }

    fn entry(&self, transaction: &Transaction, number: usize) -> LedgerEntry {
        let phase = phase(transaction);
        LedgerEntry {
            entry_id: Id::shortened(&format!("{}-{}-{}", transaction.transaction_id, transaction.r#type, number + 1)),
            transaction_id: transaction.transaction_id.clone(),
            account_id: self.leg.account_id,
            currency: transaction.currency,
            amount: self.leg.amount,
            phase,
            ts: transaction.ts,
        }
    }
}
