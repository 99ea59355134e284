//! Returns: the owner of the transaction that a reversal reverses.
//!
//! A transaction and its reversals belong to the account that the transaction names. Its counterparty may return it, too, with a
//! reversal that names the counterparty. So the state of an account knows what it received from whom, and routes such a reversal
//! to the sender's postings.
//!
//! A reversal that the owner sends also reaches the account that it names as its counterparty, which may reverse it in turn.
//!
//! A capture that leaves out its counterparty, which is that of its hold, reaches nobody else. So the account that sends it knows that
//! it is its own. A reversal by another account names that one as its counterparty, finds the capture there, and joins the sender's
//! postings from there.
//!
//! A reversal of an unknown transaction goes to the account's own postings, where it waits for its original. If that turns out to be
//! one that the account receives, the reversal leaves them and joins the sender's. A reversal that reaches its
//! counterparty before its original waits for it, too.
//!
//! **Key**: the account that received money, or that sends a reversal or such a capture. **Rows**: [`ReceivedTransfer`]; the reversals
//! that wait are restored from the postings' rows. **Derived**: every transaction, with its owner.

use std::sync::Arc;

use headwater_schemas::events::{Transaction, TransactionPhase};
use headwater_schemas::tables::{Moment, ReceivedTransfer, WaitingTransaction};
use headwater_schemas::{AccountId, EffectiveTime, EventTime, Id, Nanos, Place, Placed};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::ages::Ages;
use super::legs::phase;
use super::transactions::Request;
use super::waiting::{in_order, sent_reversal};
use crate::keyed_fold::{Outbox, States, View};

/// A transaction, routed to the postings of its owner.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Owned {
    /// The transaction.
    pub transaction: Arc<Transaction>,
    /// The account whose transaction it reverses, if it names another one.
    pub sender: Option<AccountId>,
    /// For a reversal that came before the transfer that it returns: what becomes of it when that comes.
    pub early: Option<Early>,
}

/// A transaction, at an account that it concerns.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Returnable {
    /// The account.
    pub account: AccountId,
    /// The transaction.
    pub transaction: Arc<Transaction>,
}

impl Returnable {
    /// A transaction at each account that it concerns: the one that routes it, and the counterparty of a reversal.
    pub fn all(transaction: &Arc<Transaction>) -> impl Iterator<Item = Self> + use<> {
        let (own, other) = (transaction.account_id, receiver(transaction));
        let (router, counterparty) = if transaction.reverses.is_some() { (own, other) } else { (other.unwrap_or(own), None) };
        let transaction = Arc::clone(transaction);
        [Some(router), counterparty].into_iter().flatten().map(move |account| Self { account, transaction: Arc::clone(&transaction) })
    }

    /// Whether it is a reversal that another account sent.
    fn is_of_counterparty(&self) -> bool {
        self.transaction.reverses.is_some() && self.transaction.account_id != self.account
    }
}

/// The number of the first event that a reversal derives at its counterparty: beyond those of its sender, which have the same place.
const FIRST_OF_COUNTERPARTY: u32 = 1 << 12;

/// What becomes of a reversal that came before the transfer that it returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Early {
    /// It no longer waits in the postings of the account that sent it.
    Leaves,
    /// It joins the postings of the transfer's sender. The place is that of its record.
    Joins(Place),
}

impl Owned {
    /// The account whose postings it belongs to.
    pub fn owner(&self) -> AccountId {
        self.sender.unwrap_or(self.transaction.account_id)
    }
}

/// A transaction that belongs to the account that it names.
impl From<Arc<Transaction>> for Owned {
    fn from(transaction: Arc<Transaction>) -> Self {
        Self { transaction, sender: None, early: None }
    }
}

/// The account that receives a transaction and may return it. The outside returns nothing.
fn receiver(transaction: &Transaction) -> Option<AccountId> {
    let is_void = phase(transaction) == TransactionPhase::Void;
    transaction.counterparty_account.filter(|other| !is_void && !other.is_contra() && *other != transaction.account_id)
}

/// Whether it captures a hold and leaves out the other account.
fn leaves_receiver_out(transaction: &Transaction) -> bool {
    transaction.counterparty_account.is_none() && matches!(Request::of(transaction), Ok(Request::Capture(_)))
}

/// Whether another account may return a transaction, or it is a reversal. All others bypass [`Returns`].
pub fn concerns_returns(transaction: &Transaction) -> bool {
    transaction.reverses.is_some() || receiver(transaction).is_some() || leaves_receiver_out(transaction)
}

/// View of returns.
#[derive(Clone, Copy, Debug)]
pub struct Returns {
    /// How long a transaction can be returned, in nanoseconds of effective time.
    pub reversal_horizon: Nanos,
    /// How long a reversal waits for its original, in nanoseconds of effective time.
    pub waiting_horizon: Nanos,
}

/// Transactions that an account received, and its own captures that leave out who receives them.
#[derive(Clone, Debug, Default)]
pub struct ReceivedState {
    senders: FxHashMap<Id, Received>,
    /// Ids ordered by effective time, to find what is to be forgotten.
    ages: Ages,
    /// Ids received since rows were emitted.
    new: Vec<Id>,
    /// Transactions forgotten since rows were emitted.
    gone: Vec<(Id, Received)>,
    /// Reversals of transactions that the account has not received, or not yet, by those: its own, and those that name it as
    /// their counterparty.
    early: FxHashMap<Id, Vec<Placed<Arc<Transaction>>>>,
    /// Ids of these transactions by the effective times of the reversals.
    early_ages: Ages,
}

#[derive(Clone, Debug)]
struct Received {
    sender: AccountId,
    /// Effective time.
    time: EffectiveTime,
}

impl Received {
    fn row(&self, account: &AccountId, id: &Id) -> ReceivedTransfer {
        let (account_id, transaction_id) = (*account, id.clone());
        ReceivedTransfer { account_id, transaction_id, sender: self.sender, ts: EventTime::from_effective(self.time) }
    }
}

impl ReceivedState {
    fn receive(&mut self, id: &Id, sender: AccountId, time: EffectiveTime) {
        self.ages.add(time, id.clone());
        self.senders.insert(id.clone(), Received { sender, time });
    }

    fn keep_early(&mut self, reversal: Placed<Arc<Transaction>>) {
        let Some(original) = reversal.event.reverses.clone() else { return };
        self.early_ages.add(reversal.place.time, original.clone());
        self.early.entry(original).or_default().push(reversal);
    }

    /// Removes the reversals that arrived at or before a time.
    fn give_up(&mut self, oldest: EffectiveTime) {
        while let Some(original) = self.early_ages.take_until(oldest) {
            let Some(waiting) = self.early.get_mut(&original) else { continue };
            waiting.retain(|reversal| reversal.place.time > oldest);
            if waiting.is_empty() {
                self.early.remove(&original);
            }
        }
    }

    fn forget(&mut self, oldest: EffectiveTime) {
        while let Some(id) = self.ages.take_until(oldest) {
            // An id that was received again meanwhile is younger.
            if self.senders.get(&id).is_some_and(|received| received.time <= oldest) {
                let received = self.senders.remove(&id);
                self.gone.extend(received.map(|received| (id, received)));
            }
        }
    }
}

headwater_schemas::table_set! {
    /// The tables of returns.
    pub struct ReturnTables restored from SavedReturns {
        restored { received_transfers: ReceivedTransfer, waiting_transactions: WaitingTransaction }
    }
}

crate::fold_operator!(Returns);

impl View for Returns {
    type Key = AccountId;
    type Route = AccountId;
    type Event = Returnable;
    type Broadcast = ();
    type Context = ();
    type State = ReceivedState;
    type Timer = ();
    type Tables = ReturnTables;
    type Derived = Owned;
    type Update = ();

    fn key(&self, event: &Returnable) -> AccountId {
        event.account
    }

    fn route(account: &AccountId) -> AccountId {
        *account
    }

    fn learn(&self, (): &mut (), _: Placed<()>) {}

    fn apply(&self, (): &(), account: &AccountId, state: &mut ReceivedState, placed: Placed<Returnable>, out: &mut Outbox<'_, Self>) {
        let Placed { place, event } = placed;
        let is_of_counterparty = event.is_of_counterparty();
        let Returnable { transaction, .. } = event;
        let original = transaction.reverses.as_ref();
        let sender = original.and_then(|original| state.senders.get(original)).map(|received| received.sender);
        if is_of_counterparty {
            return self.receive_reversal(account, state, Placed { place, event: transaction }, sender, out);
        }
        let is_original = original.is_none() && (receiver(&transaction).is_some() || leaves_receiver_out(&transaction));
        // Either account may reverse the return, too: it belongs to the sender.
        let owner = sender.or_else(|| is_original.then(|| transaction.account_id));
        let had_oldest = !state.ages.is_empty();
        out.derive(Owned { transaction: Arc::clone(&transaction), sender, early: None });
        match owner {
            Some(owner) => self.receive(account, state, &transaction.transaction_id, Received { sender: owner, time: place.time }, out),
            None => self.wait(state, place, transaction, out),
        }
        if !had_oldest {
            self.set_timer(state, out);
        }
    }

    fn timer(&self, (): &(), _: &AccountId, state: &mut ReceivedState, (): (), place: Place, out: &mut Outbox<'_, Self>) {
        state.forget(place.time.saturating_sub(self.reversal_horizon));
        state.give_up(place.time.saturating_sub(self.waiting_horizon));
        self.set_timer(state, out);
        self.set_early_timer(state, out);
    }

    fn emit(&self, (): &(), account: &AccountId, state: &mut ReceivedState, at: &Moment, tables: &ReturnTables) {
        let table = &tables.received_transfers;
        for id in state.new.drain(..) {
            state.senders.get(&id).into_iter().for_each(|received| table.insert(at, received.row(account, &id)));
        }
        state.gone.drain(..).for_each(|(id, received)| table.retract(at, received.row(account, &id)));
    }

    fn is_forgettable(&self, state: &ReceivedState) -> bool {
        state.senders.is_empty() && state.early.is_empty()
    }

    fn restore(&self, saved: &SavedReturns, states: &mut States<'_, Self>) {
        let waiting = in_order(&saved.waiting_transactions).into_iter();
        for (row, reversal) in waiting.filter_map(|row| Some((row, sent_reversal(row)?))) {
            let counterparty = receiver(&reversal.event);
            for account in [Some(row.account_id), counterparty].into_iter().flatten() {
                states.of(&account).into_iter().for_each(|state| state.keep_early(reversal.clone()));
            }
        }
        let mut rows: Vec<_> = saved.received_transfers.iter().filter(|row| states.have(&row.account_id)).collect();
        rows.sort_by_key(|row| (row.ts, &row.transaction_id));
        for row in rows {
            let Some(state) = states.of(&row.account_id) else { continue };
            state.receive(&row.transaction_id, row.sender, row.ts.effective());
        }
    }

    fn timers(&self, _: &AccountId, state: &ReceivedState) -> Vec<(EffectiveTime, ())> {
        let forgetting = state.ages.next_end(self.reversal_horizon);
        let giving_up = state.early_ages.next_end(self.waiting_horizon);
        forgetting.into_iter().chain(giving_up).map(|time| (time, ())).collect()
    }
}

/// Moves a reversal from the postings of the account that sent it, where it waits, to those of the owner of what it reverses.
fn join(Placed { place, event: reversal }: Placed<Arc<Transaction>>, owner: AccountId, out: &mut Outbox<'_, Returns>) {
    let owned = |sender, early| Owned { transaction: Arc::clone(&reversal), sender, early: Some(early) };
    out.derive(owned(None, Early::Leaves));
    out.derive(owned(Some(owner), Early::Joins(place)));
}

impl Returns {
    /// Stores a transaction that the account received, or a capture of its own, or a return of one, and hands over the reversals that
    /// came before it.
    fn receive(&self, account: &AccountId, state: &mut ReceivedState, id: &Id, from: Received, out: &mut Outbox<'_, Self>) {
        let Received { sender: owner, time: now } = from;
        let mut received = vec![id.clone()];
        while let Some(id) = received.pop() {
            state.receive(&id, owner, now);
            for reversal in state.early.remove(&id).unwrap_or_default() {
                let (id, by) = (reversal.event.transaction_id.clone(), reversal.event.account_id);
                if by == owner {
                    // It is in the owner's postings already.
                    received.push(id);
                } else if by == *account || owner == *account {
                    join(reversal, owner, out);
                    received.push(id);
                }
            }
            state.new.push(id);
        }
    }

    /// Stores a reversal whose sender names the account as its counterparty, now or once the account receives the original.
    fn receive_reversal(
        &self,
        account: &AccountId,
        state: &mut ReceivedState,
        placed: Placed<Arc<Transaction>>,
        sender: Option<AccountId>,
        out: &mut Outbox<'_, Self>,
    ) {
        let Placed { place, event: reversal } = placed;
        match sender {
            Some(owner) if owner == reversal.account_id || owner == *account => {
                if matches!(Request::of(&reversal), Ok(Request::Reverse(_))) {
                    self.take_reversal(account, state, Placed { place, event: reversal }, owner, out);
                }
            }
            Some(_) => {}
            None => self.wait(state, place, reversal, out),
        }
    }

    /// Stores a reversal by the owner of what it reverses, or one of what is the account's own, which it joins there.
    fn take_reversal(
        &self,
        account: &AccountId,
        state: &mut ReceivedState,
        reversal: Placed<Arc<Transaction>>,
        owner: AccountId,
        out: &mut Outbox<'_, Self>,
    ) {
        let (id, from) = (reversal.event.transaction_id.clone(), Received { sender: owner, time: reversal.place.time });
        let had_oldest = !state.ages.is_empty();
        out.number_from(FIRST_OF_COUNTERPARTY);
        if reversal.event.account_id != owner {
            join(reversal, owner, out);
        }
        self.receive(account, state, &id, from, out);
        if !had_oldest {
            self.set_timer(state, out);
        }
    }

    /// Stores a reversal whose original the account has not received, for as long as it waits in the account's postings.
    fn wait(&self, state: &mut ReceivedState, place: Place, transaction: Arc<Transaction>, out: &mut Outbox<'_, Self>) {
        if matches!(Request::of(&transaction), Ok(Request::Reverse(_))) {
            let had_early = !state.early_ages.is_empty();
            state.keep_early(Placed { place, event: transaction });
            if !had_early {
                self.set_early_timer(state, out);
            }
        }
    }

    /// Sets the timer for the first reversal that has waited for too long. It is always set.
    fn set_early_timer(&self, state: &ReceivedState, out: &mut Outbox<'_, Self>) {
        state.early_ages.next_end(self.waiting_horizon).into_iter().for_each(|time| out.set_timer(time, ()));
    }

    /// Sets the timer for the first id to be forgotten. It is always set.
    fn set_timer(&self, state: &ReceivedState, out: &mut Outbox<'_, Self>) {
        state.ages.next_end(self.reversal_horizon).into_iter().for_each(|time| out.set_timer(time, ()));
    }
}
