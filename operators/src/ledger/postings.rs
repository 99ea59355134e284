//! From transactions to postings: what each one does to balances, knowing holds and reversals.
//!
//! - `posted` moves its legs. With `pending_id` it resolves a hold first: posting less releases the rest.
//! - `pending` holds its amount on the accounts that would be debited: available falls, posted doesn't.
//! - `void` with `pending_id` releases the hold.
//! - `reverses` moves the original's legs with the signs turned, up to the original amount in all.
//!
//! - A posted transaction can be reversed for as long as the reversal horizon; then it is forgotten, as is a hold that was
//!   resolved. One that was not is never forgotten.
//!
//! A hold is resolved once. What names a hold or an original that is not there, or asks for more than is left of it, is
//! a dead letter: `unknown_reference` or `refused`.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use headwater_schemas::events::{ErrorCode, Event, Transaction, TransactionPhase};
use headwater_schemas::tables::{LedgerEntry, Moment, PostedTransaction};
use headwater_schemas::{Correction, EventTime, Id, Money, Place, Placed, Topic};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::legs::{Leg, legs, phase};
use crate::admission::dead_letter;
use crate::keyed_fold::{Outbox, View};

/// What a transaction does to one account's balance.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Posting {
    /// The account, or `external:<currency>`.
    pub account_id: Id,
    /// The currency.
    pub currency: Id,
    /// Added to the posted balance.
    pub posted: Money,
    /// Added to what is held, which is never below zero in all.
    pub held: Money,
    /// When.
    pub ts: EventTime,
    /// What it corrects, if it is not in the ordinary course of things.
    pub correction: Option<Box<Correction>>,
}

/// A transaction of which nothing is left: its hold was released, or all of it was reversed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TakenBack {
    /// The account that it names.
    pub account_id: Id,
    /// The transaction.
    pub transaction_id: Id,
    /// What took it back.
    pub correction: Correction,
}

/// What postings say to others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum LedgerEvent {
    /// To the balances.
    Posting(Posting),
    /// To those who go by what transactions there were.
    TakenBack(TakenBack),
}

/// The view.
#[derive(Clone, Copy, Debug)]
pub struct Postings {
    /// How long a posted transaction can be reversed, in nanoseconds of effective time.
    pub reversal_horizon: u64,
}

/// What is remembered of an account's transactions.
#[derive(Clone, Debug, Default)]
pub struct PostingState {
    transactions: FxHashMap<Id, Box<Remembered>>,
    /// In the order of their effective times: what is to be forgotten.
    by_time: VecDeque<(u64, Id)>,
    /// What changed since it was emitted last, as it was then.
    touched: Vec<(Id, Option<Box<Remembered>>)>,
}

headwater_schemas::table_set! {
    /// The tables of postings.
    pub struct PostingTables restored from SavedPostings {
        restored { posted_transactions: PostedTransaction }
        written { ledger_entries: LedgerEntry }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Remembered {
    pending: bool,
    /// The other account.
    counterparty: Id,
    /// Into the account itself; out of the other one.
    amount: Money,
    currency: Id,
    /// For a hold: whether it still holds. For a posted one: what of its amount was not reversed yet.
    left: Money,
    /// Its effective time; of a hold, when it was resolved.
    time: u64,
}

impl Remembered {
    fn row(&self, account: &Id, id: &Id) -> PostedTransaction {
        PostedTransaction {
            account_id: account.clone(),
            transaction_id: id.clone(),
            currency: self.currency.clone(),
            counterparty: self.counterparty.clone(),
            amount: self.amount,
            pending: self.pending,
            left: self.left,
            ts: EventTime::from_effective(self.time),
        }
    }

    fn legs(&self, account: &Id) -> [Leg; 2] {
        [
            Leg { account_id: account.clone(), amount: self.amount },
            Leg { account_id: self.counterparty.clone(), amount: self.amount.negated() },
        ]
    }
}

crate::fold_operator!(Postings);

impl View for Postings {
    type Key = Id;
    type Event = Arc<Transaction>;
    type Broadcast = ();
    type Context = ();
    type State = PostingState;
    type Timer = ();
    type Tables = PostingTables;
    type Derived = LedgerEvent;
    type Update = ();

    fn key(&self, event: &Arc<Transaction>) -> Id {
        event.account_id.clone()
    }

    fn learn(&self, (): &mut (), _: Placed<()>) {}

    fn apply(&self, (): &(), _: &Id, state: &mut PostingState, placed: Placed<Arc<Transaction>>, out: &mut Outbox<'_, Self>) {
        let Placed { place, event: transaction } = placed;
        let had_timer = !state.by_time.is_empty();
        match state.post(&transaction, place.time) {
            Ok(effects) => {
                let correction = self.correction(&transaction, place).map(Box::new);
                for (number, effect) in effects.into_iter().enumerate() {
                    out.tables().ledger_entries.insert(out.at(), effect.entry(&transaction, number));
                    out.derive(LedgerEvent::Posting(effect.posting(&transaction, correction.clone())));
                }
                correction.and_then(|correction| state.taken_back(&transaction, *correction)).into_iter().for_each(|taken| {
                    out.derive(LedgerEvent::TakenBack(taken));
                });
            }
            Err((code, error)) => out.refuse(dead_letter(place, &Event::Transaction(transaction), code, &error)),
        }
        if !had_timer {
            self.set_timer(state, out);
        }
    }

    fn timer(&self, (): &(), _: &Id, state: &mut PostingState, (): (), place: Place, out: &mut Outbox<'_, Self>) {
        state.forget(place.time.saturating_sub(self.reversal_horizon));
        self.set_timer(state, out);
    }

    fn emit(&self, (): &(), account: &Id, state: &mut PostingState, at: &Moment, tables: &PostingTables) {
        for (id, old) in std::mem::take(&mut state.touched) {
            let row = |known: &Remembered| known.row(account, &id);
            let new = state.transactions.get(&id).map(Box::as_ref);
            tables.posted_transactions.replace(at, old.as_deref().map(row), new.map(row));
        }
    }

    fn is_forgettable(&self, state: &PostingState) -> bool {
        state.transactions.is_empty()
    }

    fn restore(&self, saved: &SavedPostings, is_mine: &dyn Fn(&Id) -> bool) -> Vec<(Id, PostingState)> {
        let mut rows: Vec<_> = saved.posted_transactions.iter().filter(|row| is_mine(&row.account_id)).collect();
        rows.sort_by(|a, b| (a.ts, &a.transaction_id).cmp(&(b.ts, &b.transaction_id)));
        let mut accounts = BTreeMap::<Id, PostingState>::new();
        for row in rows {
            let time = row.ts.effective();
            let known = Remembered {
                pending: row.pending,
                counterparty: row.counterparty.clone(),
                amount: row.amount,
                currency: row.currency.clone(),
                left: row.left,
                time,
            };
            let state = accounts.entry(row.account_id.clone()).or_default();
            if !known.pending || known.left.is_zero() {
                state.by_time.push_back((time, row.transaction_id.clone()));
            }
            state.transactions.insert(row.transaction_id.clone(), Box::new(known));
        }
        accounts.into_iter().collect()
    }

    fn timers(&self, _: &Id, state: &PostingState) -> Vec<(u64, ())> {
        self.next_forgetting(state).map(|time| (time, ())).into_iter().collect()
    }
}

impl Postings {
    /// What a transaction corrects.
    fn correction(&self, transaction: &Transaction, place: Place) -> Option<Correction> {
        let transaction_id = || transaction.transaction_id.clone();
        match (phase(transaction), &transaction.pending_id, &transaction.reverses) {
            (TransactionPhase::Void, Some(hold), _) => Some(Correction::Void { transaction_id: transaction_id(), hold: hold.clone() }),
            (_, _, Some(original)) => Some(Correction::Reversal { transaction_id: transaction_id(), original: original.clone() }),
            _ => {
                let nanos = place.lateness(transaction.ts)?;
                Some(Correction::Late { topic: Topic::Transactions, id: transaction_id(), nanos })
            }
        }
    }

    /// There is always a timer for the first that is to be forgotten.
    fn set_timer(&self, state: &PostingState, out: &mut Outbox<'_, Self>) {
        self.next_forgetting(state).into_iter().for_each(|time| out.set_timer(time, ()));
    }

    /// When the first transaction is to be forgotten.
    fn next_forgetting(&self, state: &PostingState) -> Option<u64> {
        state.by_time.front().map(|(time, _)| time.saturating_add(self.reversal_horizon))
    }
}

/// What a transaction does to one of its accounts.
struct Effect {
    leg: Leg,
    moves: bool,
    held: Money,
}

impl Effect {
    fn posting(&self, transaction: &Transaction, correction: Option<Box<Correction>>) -> Posting {
        Posting {
            account_id: self.leg.account_id.clone(),
            currency: transaction.currency.clone(),
            posted: if self.moves { self.leg.amount } else { Money::ZERO },
            held: self.held,
            ts: transaction.ts,
            correction,
        }
    }

    fn entry(&self, transaction: &Transaction, number: usize) -> LedgerEntry {
        let phase = phase(transaction);
        LedgerEntry {
            entry_id: Id::shortened(&format!("{}-{}-{}", transaction.transaction_id, transaction.r#type, number + 1)),
            transaction_id: transaction.transaction_id.clone(),
            account_id: self.leg.account_id.clone(),
            currency: transaction.currency.clone(),
            amount: self.leg.amount,
            phase,
            ts: transaction.ts,
        }
    }
}

type Refusal = (ErrorCode, String);

impl PostingState {
    fn post(&mut self, transaction: &Transaction, time: u64) -> Result<Vec<Effect>, Refusal> {
        match (phase(transaction), &transaction.pending_id, &transaction.reverses) {
            (TransactionPhase::Pending, None, None) => Ok(self.hold(transaction, time)),
            (TransactionPhase::Void, Some(hold), None) => self.release(hold, &transaction.account_id, time),
            (TransactionPhase::Posted, Some(hold), None) => self.resolve(hold, transaction, time),
            (TransactionPhase::Posted, None, Some(original)) => self.reverse(original, transaction, time),
            (TransactionPhase::Posted, None, None) => Ok(self.moved(transaction, legs(transaction), time)),
            (TransactionPhase::Void, None, _) => {
                Err((ErrorCode::MissingField, "a void needs pending_id: say which hold it releases".into()))
            }
            _ => Err((
                ErrorCode::Inconsistent,
                "phase, pending_id and reverses contradict each other: resolve a hold or reverse a posting, not both".into(),
            )),
        }
    }

    /// Notes how a transaction stood before it changes.
    fn touch(&mut self, id: &Id) {
        if !self.is_touched(id) {
            self.touched.push((id.clone(), self.transactions.get(id).cloned()));
        }
    }

    fn is_touched(&self, id: &Id) -> bool {
        self.touched.iter().any(|(touched, _)| touched == id)
    }

    fn remember(&mut self, transaction: &Transaction, pending: bool, [own, other]: &[Leg; 2], time: u64) {
        let (id, currency) = (transaction.transaction_id.clone(), transaction.currency.clone());
        if !pending {
            self.by_time.push_back((time, id.clone()));
        }
        let (counterparty, amount, left) = (other.account_id.clone(), own.amount, transaction.amount.money());
        let known = Box::new(Remembered { pending, counterparty, amount, currency, left, time });
        let old = self.transactions.insert(id.clone(), known);
        if !self.is_touched(&id) {
            self.touched.push((id, old));
        }
    }

    /// Lets go what is at least as old as a time. One that was replaced under its id meanwhile is not that old.
    fn forget(&mut self, oldest: u64) {
        while let Some((_, id)) = self.by_time.pop_front_if(|(time, _)| *time <= oldest) {
            if self.transactions.get(&id).is_some_and(|known| known.time <= oldest) {
                self.touch(&id);
                self.transactions.remove(&id);
            }
        }
    }

    fn moved(&mut self, transaction: &Transaction, legs: [Leg; 2], time: u64) -> Vec<Effect> {
        self.remember(transaction, false, &legs, time);
        legs.into_iter().map(|leg| Effect { leg, moves: true, held: Money::ZERO }).collect()
    }

    fn hold(&mut self, transaction: &Transaction, time: u64) -> Vec<Effect> {
        let legs = legs(transaction);
        self.remember(transaction, true, &legs, time);
        legs.into_iter().map(|leg| Effect { held: held_on(&leg), leg, moves: false }).collect()
    }

    /// What a correction leaves nothing of.
    fn taken_back(&self, transaction: &Transaction, correction: Correction) -> Option<TakenBack> {
        let gone = match &correction {
            Correction::Void { hold, .. } => hold.clone(),
            Correction::Reversal { original, .. } => original.clone(),
            Correction::Late { .. } | Correction::Bust { .. } => return None,
        };
        let is_gone = self.transactions.get(&gone).is_some_and(|known| known.left.is_zero());
        is_gone.then(|| TakenBack { account_id: transaction.account_id.clone(), transaction_id: gone, correction })
    }

    /// Takes a hold away, once.
    fn take_hold(&mut self, hold: &Id, time: u64) -> Result<Box<Remembered>, Refusal> {
        self.touch(hold);
        let held = self.transactions.get_mut(hold).filter(|held| held.pending);
        let held = held
            .ok_or_else(|| (ErrorCode::UnknownReference, format!("{hold} is no pending transaction of this account: check pending_id")))?;
        if held.left.is_zero() {
            return Err((ErrorCode::Refused, format!("the hold {hold} was resolved before: a hold is resolved once")));
        }
        let taken = held.clone();
        (held.left, held.time) = (Money::ZERO, time);
        self.by_time.push_back((time, hold.clone()));
        Ok(taken)
    }

    fn release(&mut self, hold: &Id, account: &Id, time: u64) -> Result<Vec<Effect>, Refusal> {
        let held = self.take_hold(hold, time)?;
        let turned = |leg: Leg| Effect { held: held_on(&leg).negated(), leg: Leg { amount: leg.amount.negated(), ..leg }, moves: false };
        Ok(held.legs(account).into_iter().map(turned).collect())
    }

    fn resolve(&mut self, hold: &Id, transaction: &Transaction, time: u64) -> Result<Vec<Effect>, Refusal> {
        let known = self.transactions.get(hold).filter(|held| held.pending);
        if known.is_some_and(|held| held.currency != transaction.currency) {
            return Err((ErrorCode::Inconsistent, format!("the hold {hold} is in another currency: post in the hold's currency")));
        }
        let held = self.take_hold(hold, time)?;
        let released = held.legs(&transaction.account_id).into_iter().map(|leg| held_on(&leg).negated());
        let moved = self.moved(transaction, legs(transaction), time);
        Ok(moved.into_iter().zip(released).map(|(effect, held)| Effect { held, ..effect }).collect())
    }

    fn reverse(&mut self, original: &Id, transaction: &Transaction, time: u64) -> Result<Vec<Effect>, Refusal> {
        self.touch(original);
        let known = self.transactions.get_mut(original).filter(|known| !known.pending);
        let known = known
            .ok_or_else(|| (ErrorCode::UnknownReference, format!("{original} is no posted transaction of this account: check reverses")))?;
        if known.currency != transaction.currency {
            return Err((ErrorCode::Inconsistent, format!("{original} is in {}: reverse in the original's currency", known.currency)));
        }
        let amount = transaction.amount.money();
        let left = known.left.checked_sub(amount).filter(|left| left.units() >= 0);
        let left = left.ok_or_else(|| {
            (ErrorCode::Refused, format!("only {} of {original} is left to reverse: in all at most the original amount", known.left))
        })?;
        known.left = left;
        let turned = known.legs(&transaction.account_id).map(|leg| {
            let sign_turned = if leg.amount.units() < 0 { amount } else { amount.negated() };
            Leg { amount: sign_turned, ..leg }
        });
        Ok(self.moved(transaction, turned, time))
    }
}

/// What a leg holds while its transaction is pending: what would go out.
fn held_on(leg: &Leg) -> Money {
    if leg.amount.units() < 0 && !leg.account_id.starts_with("external:") { leg.amount.negated() } else { Money::ZERO }
}
