//! From transactions to postings: what each one does to balances, knowing holds and reversals.
//!
//! - `posted` moves its legs. With `pending_id` it resolves a hold first: posting less releases the rest.
//! - `pending` holds its amount on the accounts that would be debited: available falls, posted doesn't.
//! - `void` with `pending_id` releases the hold.
//! - `reverses` moves the original's legs with the signs turned, up to the original amount in all.
//!
//! A hold is resolved once. What names a hold or an original that is not there, or asks for more than is left of it, is
//! a dead letter: `unknown_reference` or `refused`.

use std::collections::BTreeMap;

use headwater_schemas::events::{ErrorCode, Event, Transaction, TransactionPhase};
use headwater_schemas::tables::{LedgerEntry, PostedTransaction};
use headwater_schemas::{EventTime, Id, Money, Placed};
use serde::{Deserialize, Serialize};

use super::legs::{Leg, legs, phase};
use crate::admission::dead_letter;
use crate::keyed_fold::{Changes, Outbox, Persistent, View};
use crate::latest::route;

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
}

/// The view.
#[derive(Clone, Copy, Debug)]
pub struct Postings;

/// What is remembered of an account's transactions.
#[derive(Clone, Debug, Default)]
pub struct PostingState {
    transactions: BTreeMap<Id, Remembered>,
    entries: Vec<LedgerEntry>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Remembered {
    pending: bool,
    legs: [Leg; 2],
    currency: Id,
    /// For a hold: whether it still holds. For a posted one: what of its amount was not reversed yet.
    left: Money,
}

impl View for Postings {
    type Key = Id;
    type Event = Box<Transaction>;
    type Broadcast = ();
    type Context = ();
    type State = PostingState;
    type Row = LedgerEntry;
    type Derived = Posting;

    fn key(&self, event: &Box<Transaction>) -> Id {
        event.account_id.clone()
    }

    fn route(&self, event: &Box<Transaction>) -> u64 {
        route(&event.account_id)
    }

    fn learn(&self, (): &mut (), _: Placed<()>) {}

    fn apply(&self, (): &(), _: &Id, state: &mut PostingState, placed: Placed<Box<Transaction>>, out: &mut Outbox<Self>) {
        let Placed { place, event: transaction } = placed;
        match state.post(&transaction) {
            Ok(effects) => {
                for (number, effect) in effects.into_iter().enumerate() {
                    state.entries.extend(effect.entry(&transaction, number));
                    out.derive(effect.posting(&transaction));
                }
            }
            Err((code, error)) => out.refuse(dead_letter(place, &Event::Transaction(transaction), code, &error)),
        }
    }

    fn settle(&self, (): &(), _: &Id, state: &mut PostingState, _: u64, rows: &mut Changes<LedgerEntry>) {
        state.entries.drain(..).for_each(|entry| rows.insert(entry));
    }
}

/// What a transaction does to one of its accounts.
struct Effect {
    leg: Leg,
    moves: bool,
    held: Money,
}

impl Effect {
    fn posting(&self, transaction: &Transaction) -> Posting {
        Posting {
            account_id: self.leg.account_id.clone(),
            currency: transaction.currency.clone(),
            posted: if self.moves { self.leg.amount } else { Money::ZERO },
            held: self.held,
            ts: transaction.ts,
        }
    }

    fn entry(&self, transaction: &Transaction, number: usize) -> Option<LedgerEntry> {
        let phase = phase(transaction);
        Some(LedgerEntry {
            entry_id: Id::derived(format!("{}-{}-{}", transaction.transaction_id, transaction.r#type, number + 1)),
            transaction_id: transaction.transaction_id.clone(),
            account_id: self.leg.account_id.clone(),
            currency: transaction.currency.clone(),
            amount: self.leg.amount,
            phase,
            ts: transaction.ts,
        })
    }
}

type Refusal = (ErrorCode, String);

impl PostingState {
    fn post(&mut self, transaction: &Transaction) -> Result<Vec<Effect>, Refusal> {
        match (phase(transaction), &transaction.pending_id, &transaction.reverses) {
            (TransactionPhase::Pending, None, None) => Ok(self.hold(transaction)),
            (TransactionPhase::Void, Some(hold), None) => self.release(hold),
            (TransactionPhase::Posted, Some(hold), None) => self.resolve(hold, transaction),
            (TransactionPhase::Posted, None, Some(original)) => self.reverse(original, transaction),
            (TransactionPhase::Posted, None, None) => Ok(self.moved(transaction, legs(transaction))),
            (TransactionPhase::Void, None, _) => {
                Err((ErrorCode::MissingField, "a void needs pending_id: say which hold it releases".into()))
            }
            _ => Err((
                ErrorCode::Inconsistent,
                "phase, pending_id and reverses contradict each other: resolve a hold or reverse a posting, not both".into(),
            )),
        }
    }

    fn remember(&mut self, transaction: &Transaction, pending: bool, legs: &[Leg; 2]) {
        let remembered =
            Remembered { pending, legs: legs.clone(), currency: transaction.currency.clone(), left: transaction.amount.money() };
        self.transactions.insert(transaction.transaction_id.clone(), remembered);
    }

    fn moved(&mut self, transaction: &Transaction, legs: [Leg; 2]) -> Vec<Effect> {
        self.remember(transaction, false, &legs);
        legs.into_iter().map(|leg| Effect { leg, moves: true, held: Money::ZERO }).collect()
    }

    fn hold(&mut self, transaction: &Transaction) -> Vec<Effect> {
        let legs = legs(transaction);
        self.remember(transaction, true, &legs);
        legs.into_iter().map(|leg| Effect { held: held_on(&leg), leg, moves: false }).collect()
    }

    /// Takes a hold away, once.
    fn take_hold(&mut self, hold: &Id) -> Result<Remembered, Refusal> {
        let held = self.transactions.get_mut(hold).filter(|held| held.pending);
        let held = held
            .ok_or_else(|| (ErrorCode::UnknownReference, format!("{hold} is no pending transaction of this account: check pending_id")))?;
        if held.left.is_zero() {
            return Err((ErrorCode::Refused, format!("the hold {hold} was resolved before: a hold is resolved once")));
        }
        let taken = held.clone();
        held.left = Money::ZERO;
        Ok(taken)
    }

    fn release(&mut self, hold: &Id) -> Result<Vec<Effect>, Refusal> {
        let held = self.take_hold(hold)?;
        let turned = |leg: Leg| Effect { held: held_on(&leg).negated(), leg: Leg { amount: leg.amount.negated(), ..leg }, moves: false };
        Ok(held.legs.into_iter().map(turned).collect())
    }

    fn resolve(&mut self, hold: &Id, transaction: &Transaction) -> Result<Vec<Effect>, Refusal> {
        let known = self.transactions.get(hold).filter(|held| held.pending);
        if known.is_some_and(|held| held.currency != transaction.currency) {
            return Err((ErrorCode::Inconsistent, format!("the hold {hold} is in another currency: post in the hold's currency")));
        }
        let held = self.take_hold(hold)?;
        let released = held.legs.into_iter().map(|leg| held_on(&leg).negated());
        let moved = self.moved(transaction, legs(transaction));
        Ok(moved.into_iter().zip(released).map(|(effect, held)| Effect { held, ..effect }).collect())
    }

    fn reverse(&mut self, original: &Id, transaction: &Transaction) -> Result<Vec<Effect>, Refusal> {
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
        let turned = known.legs.clone().map(|leg| {
            let sign_turned = if leg.amount.units() < 0 { amount } else { amount.negated() };
            Leg { amount: sign_turned, ..leg }
        });
        Ok(self.moved(transaction, turned))
    }
}

/// What a leg holds while its transaction is pending: what would go out.
fn held_on(leg: &Leg) -> Money {
    if leg.amount.units() < 0 && !leg.account_id.starts_with("external:") { leg.amount.negated() } else { Money::ZERO }
}

impl Persistent for Postings {
    type Saved = Vec<PostedTransaction>;

    fn save(&self, account: &Id, state: &PostingState, saved: &mut Vec<PostedTransaction>) {
        for (id, known) in &state.transactions {
            let [own, other] = &known.legs;
            saved.push(PostedTransaction {
                account_id: account.clone(),
                transaction_id: id.clone(),
                currency: known.currency.clone(),
                counterparty: other.account_id.clone(),
                amount: own.amount,
                pending: known.pending,
                left: known.left,
                ts: EventTime::BEGINNING,
            });
        }
    }

    fn load(&self, saved: Vec<PostedTransaction>) -> Vec<(Id, PostingState)> {
        let mut accounts = BTreeMap::<Id, PostingState>::new();
        for row in saved {
            let legs = [
                Leg { account_id: row.account_id.clone(), amount: row.amount },
                Leg { account_id: row.counterparty, amount: row.amount.negated() },
            ];
            let known = Remembered { pending: row.pending, legs, currency: row.currency, left: row.left };
            accounts.entry(row.account_id).or_default().transactions.insert(row.transaction_id, known);
        }
        accounts.into_iter().collect()
    }
}
