//! An account's transactions that later ones may resolve or reverse, and the effects of each transaction.

use headwater_schemas::events::{AccountType, ErrorCode, Transaction, TransactionPhase, TransactionType};
use headwater_schemas::tables::{Moment, PostedTransaction, TableWriter};
use headwater_schemas::{AccountId, Currency, EventTime, Id, Money};
use rustc_hash::FxHashMap;

use super::ages::Ages;
use super::legs::{Leg, counterparty, legs_between, phase, signed_amount};

/// Code and message of a rejected transaction.
pub(super) type Refusal = (ErrorCode, String);

/// What a transaction requests.
#[derive(Clone, Copy, Debug)]
pub(super) enum Request<'a> {
    /// Post.
    Post,
    /// Hold.
    Hold,
    /// Release a hold.
    Release(&'a Id),
    /// Capture a hold.
    Capture(&'a Id),
    /// Reverse a posting.
    Reverse(&'a Id),
}

impl<'a> Request<'a> {
    pub(super) fn of(transaction: &'a Transaction) -> Result<Self, Refusal> {
        match (phase(transaction), &transaction.pending_id, &transaction.reverses) {
            (TransactionPhase::Pending, None, None) => Ok(Self::Hold),
            (TransactionPhase::Posted, None, None) => Ok(Self::Post),
            (TransactionPhase::Void, Some(hold), None) => Ok(Self::Release(hold)),
            (TransactionPhase::Posted, Some(hold), None) => Ok(Self::Capture(hold)),
            (TransactionPhase::Posted, None, Some(original)) => Ok(Self::Reverse(original)),
            (TransactionPhase::Void, None, _) => {
                Err((ErrorCode::MissingField, "a void needs pending_id: say which hold it releases".into()))
            }
            _ => Err((
                ErrorCode::Inconsistent,
                "phase, pending_id and reverses contradict each other: resolve a hold or reverse a posting, not both".into(),
            )),
        }
    }

    /// The transaction that it refers to.
    pub(super) const fn reference(self) -> Option<&'a Id> {
        match self {
            Self::Post | Self::Hold => None,
            Self::Release(id) | Self::Capture(id) | Self::Reverse(id) => Some(id),
        }
    }
}

/// Inputs to posting a transaction, besides earlier transactions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Circumstances<'a> {
    /// The account that owns the transactions. A return names the other one.
    pub(super) account: &'a AccountId,
    pub(super) account_type: Option<AccountType>,
    /// Whether more than was held may be posted against a hold.
    pub(super) allows_overcapture: bool,
    /// Effective time.
    pub(super) time: u64,
}

/// The effect of a transaction on one of its accounts.
#[derive(Clone, Debug)]
pub(super) struct Effect {
    pub(super) leg: Leg,
    /// Whether the leg is final, not held.
    pub(super) moves: bool,
    /// Added to what is held.
    pub(super) held: Money,
}

/// A transaction that no longer counts, or of which something counts again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    TakenBack(Id),
    Restored(Id),
}

/// The consequences of a transaction.
#[derive(Clone, Debug)]
pub(super) struct Consequences {
    pub(super) effects: Vec<Effect>,
    pub(super) turns: Vec<Turn>,
    /// A hold that was captured for another amount than was held.
    pub(super) adjusted: Option<Id>,
}

impl Consequences {
    const fn of(effects: Vec<Effect>) -> Self {
        Self { effects, turns: Vec::new(), adjusted: None }
    }
}

/// State of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Remembered {
    transaction_type: TransactionType,
    /// The other account.
    counterparty: AccountId,
    /// Signed: positive into the account itself, and out of the other one.
    amount: Money,
    currency: Currency,
    kind: Kind,
    /// The effective time of the transaction; for a hold, that at which it was resolved.
    time: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Hold {
        is_resolved: bool,
    },
    Posting {
        /// The amount that is not reversed: the amount less the remaining amounts of its reversals.
        left: Money,
        origin: Origin,
    },
}

/// The transaction that a posting refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Origin {
    Itself,
    /// It captures a hold.
    Hold(Id),
    /// It reverses a posting.
    Reversed(Id),
}

impl Origin {
    fn of(transaction: &Transaction) -> Self {
        match (&transaction.pending_id, &transaction.reverses) {
            (Some(hold), _) => Self::Hold(hold.clone()),
            (None, Some(original)) => Self::Reversed(original.clone()),
            (None, None) => Self::Itself,
        }
    }

    fn of_row(row: &PostedTransaction) -> Self {
        match (&row.captures, &row.reverses) {
            (Some(hold), _) => Self::Hold(hold.clone()),
            (None, Some(original)) => Self::Reversed(original.clone()),
            (None, None) => Self::Itself,
        }
    }

    /// The hold that it captures.
    const fn hold(&self) -> Option<&Id> {
        match self {
            Self::Hold(hold) => Some(hold),
            Self::Itself | Self::Reversed(_) => None,
        }
    }

    /// The posting that it reverses.
    const fn reversed(&self) -> Option<&Id> {
        match self {
            Self::Reversed(original) => Some(original),
            Self::Itself | Self::Hold(_) => None,
        }
    }
}

impl Remembered {
    fn of(transaction: &Transaction, counterparty: AccountId, amount: Money, kind: Kind, time: u64) -> Self {
        let (transaction_type, currency) = (transaction.r#type, transaction.currency);
        Self { transaction_type, counterparty, amount, currency, kind, time }
    }

    fn row(&self, account: &AccountId, id: &Id) -> PostedTransaction {
        let (pending, resolved, left, origin) = match &self.kind {
            Kind::Hold { is_resolved } => (true, *is_resolved, Money::ZERO, &Origin::Itself),
            Kind::Posting { left, origin } => (false, false, *left, origin),
        };
        PostedTransaction {
            account_id: *account,
            transaction_id: id.clone(),
            currency: self.currency,
            counterparty: self.counterparty,
            transaction_type: self.transaction_type,
            amount: self.amount,
            pending,
            resolved,
            left,
            reverses: origin.reversed().cloned(),
            captures: origin.hold().cloned(),
            ts: EventTime::from_effective(self.time),
        }
    }

    fn restored(row: &PostedTransaction) -> Self {
        let kind = if row.pending {
            Kind::Hold { is_resolved: row.resolved }
        } else {
            Kind::Posting { left: row.left, origin: Origin::of_row(row) }
        };
        Self {
            transaction_type: row.transaction_type,
            counterparty: row.counterparty,
            amount: row.amount,
            currency: row.currency,
            kind,
            time: row.ts.effective(),
        }
    }

    /// Whether it can only be reversed from now on.
    const fn is_final(&self) -> bool {
        !matches!(self.kind, Kind::Hold { is_resolved: false })
    }

    /// Whether a later transaction that refers to it has its currency and, if given, its other account.
    fn admits(&self, id: &Id, later: &Transaction, account: &AccountId) -> Result<(), Refusal> {
        if later.currency != self.currency {
            return Err((ErrorCode::Inconsistent, format!("{id} is in {}: send its currency", self.currency)));
        }
        let expected = if later.account_id == *account { &self.counterparty } else { account };
        match &later.counterparty_account {
            Some(other) if other != expected => {
                let error = format!("the other account of {id} is {expected}: send it as counterparty_account, or none");
                Err((ErrorCode::Inconsistent, error))
            }
            _ => Ok(()),
        }
    }

    /// A magnitude with the sign of this one's amount.
    const fn signed_like(&self, amount: Money) -> Money {
        if self.amount.units() < 0 { amount.negated() } else { amount }
    }
}

/// Transactions that later ones can refer to.
#[derive(Clone, Debug, Default)]
pub(super) struct Transactions {
    known: FxHashMap<Id, Box<Remembered>>,
    /// Ids of final ones by effective time, to find what is to be forgotten.
    ages: Ages,
    /// Transactions that changed since rows were emitted, in their state at that time.
    touched: Vec<(Id, Option<Box<Remembered>>)>,
}

impl Transactions {
    pub(super) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    pub(super) fn knows(&self, id: &Id) -> bool {
        self.known.contains_key(id)
    }

    /// The account on the other side of a transaction.
    pub(super) fn counterparty(&self, id: &Id) -> Option<AccountId> {
        self.known.get(id).map(|known| known.counterparty)
    }

    /// The time at which the first one is to be forgotten.
    pub(super) fn next_end(&self, horizon: u64) -> Option<u64> {
        self.ages.next_end(horizon)
    }

    /// Restores a transaction. Rows come in the order of their effective times.
    pub(super) fn restore(&mut self, row: &PostedTransaction) {
        let remembered = Box::new(Remembered::restored(row));
        if remembered.is_final() {
            self.ages.add(remembered.time, row.transaction_id.clone());
        }
        self.known.insert(row.transaction_id.clone(), remembered);
    }

    pub(super) fn emit(&mut self, account: &AccountId, at: &Moment, table: &TableWriter<PostedTransaction>) {
        for (id, old) in std::mem::take(&mut self.touched) {
            let row = |known: &Remembered| known.row(account, &id);
            table.replace(at, old.as_deref().map(row), self.known.get(&id).map(|known| row(known)));
        }
    }

    /// Forgets transactions up to a time. One whose id was reused meanwhile is younger.
    pub(super) fn forget(&mut self, oldest: u64) {
        while let Some(id) = self.ages.take_until(oldest) {
            if self.known.get(&id).is_some_and(|known| known.time <= oldest) {
                self.touch(&id);
                self.known.remove(&id);
            }
        }
    }

    /// Posts a transaction.
    pub(super) fn post(
        &mut self,
        request: Request<'_>,
        transaction: &Transaction,
        now: Circumstances<'_>,
    ) -> Result<Consequences, Refusal> {
        match request {
            Request::Post => {
                let amount = signed_amount(transaction, now.account_type);
                Ok(Consequences::of(self.moved(transaction, counterparty(transaction), amount, now)))
            }
            Request::Hold => Ok(Consequences::of(self.hold(transaction, now))),
            Request::Release(hold) => self.release(hold, transaction, now.time),
            Request::Capture(hold) => self.capture(hold, transaction, now),
            Request::Reverse(original) => self.reverse(original, transaction, now),
        }
    }

    /// Notes the state of a transaction before it changes.
    fn touch(&mut self, id: &Id) {
        if !self.touched.iter().any(|(touched, _)| touched == id) {
            self.touched.push((id.clone(), self.known.get(id).cloned()));
        }
    }

    fn remember(&mut self, id: &Id, remembered: Remembered) {
        self.touch(id);
        if remembered.is_final() {
            self.ages.add(remembered.time, id.clone());
        }
        self.known.insert(id.clone(), Box::new(remembered));
    }

    fn moved(&mut self, transaction: &Transaction, counterparty: AccountId, amount: Money, now: Circumstances<'_>) -> Vec<Effect> {
        let legs = legs_between(now.account, &counterparty, amount);
        let kind = Kind::Posting { left: amount.magnitude(), origin: Origin::of(transaction) };
        self.remember(&transaction.transaction_id, Remembered::of(transaction, counterparty, amount, kind, now.time));
        legs.into_iter().map(|leg| Effect { leg, moves: true, held: Money::ZERO }).collect()
    }

    fn hold(&mut self, transaction: &Transaction, now: Circumstances<'_>) -> Vec<Effect> {
        let (counterparty, amount) = (counterparty(transaction), signed_amount(transaction, now.account_type));
        let legs = legs_between(&transaction.account_id, &counterparty, amount);
        let kind = Kind::Hold { is_resolved: false };
        self.remember(&transaction.transaction_id, Remembered::of(transaction, counterparty, amount, kind, now.time));
        legs.into_iter().map(|leg| Effect { held: leg.held(), leg, moves: false }).collect()
    }

    /// The hold that a transaction resolves, if it may.
    fn open_hold(&self, hold: &Id, transaction: &Transaction) -> Result<Remembered, Refusal> {
        let unknown = || (ErrorCode::UnknownReference, format!("{hold} is no pending transaction of this account: check pending_id"));
        let held = self.known.get(hold).ok_or_else(unknown)?;
        match held.kind {
            Kind::Posting { .. } => return Err(unknown()),
            Kind::Hold { is_resolved: true } => {
                return Err((ErrorCode::Refused, format!("the hold {hold} was resolved before: a hold is resolved once")));
            }
            Kind::Hold { is_resolved: false } => {}
        }
        held.admits(hold, transaction, &transaction.account_id)?;
        if held.transaction_type != transaction.r#type {
            let error = format!("the hold {hold} is a {}: resolve it by a transaction of its type", held.transaction_type);
            return Err((ErrorCode::Inconsistent, error));
        }
        Ok(held.as_ref().clone())
    }

    fn close_hold(&mut self, hold: &Id, held: Remembered, time: u64) {
        self.remember(hold, Remembered { kind: Kind::Hold { is_resolved: true }, time, ..held });
    }

    fn release(&mut self, hold: &Id, transaction: &Transaction, time: u64) -> Result<Consequences, Refusal> {
        let held = self.open_hold(hold, transaction)?;
        let legs = legs_between(&transaction.account_id, &held.counterparty, held.amount);
        self.close_hold(hold, held, time);
        let turned = |leg: Leg| Effect { held: leg.held().negated(), leg: Leg { amount: leg.amount.negated(), ..leg }, moves: false };
        let turns = vec![Turn::TakenBack(hold.clone())];
        Ok(Consequences { turns, ..Consequences::of(legs.into_iter().map(turned).collect()) })
    }

    fn capture(&mut self, hold: &Id, transaction: &Transaction, now: Circumstances<'_>) -> Result<Consequences, Refusal> {
        let held = self.open_hold(hold, transaction)?;
        let amount = transaction.amount.money();
        if amount > held.amount.magnitude() && !now.allows_overcapture {
            let error = format!("the hold {hold} is of {}: post at most that, or set ledger.overcapture", held.amount.magnitude());
            return Err((ErrorCode::Refused, error));
        }
        let amount = if held.amount.is_zero() { signed_amount(transaction, now.account_type) } else { held.signed_like(amount) };
        let released = legs_between(&transaction.account_id, &held.counterparty, held.amount).map(|leg| leg.held().negated());
        let adjusted = (amount.magnitude() != held.amount.magnitude()).then(|| hold.clone());
        let counterparty = held.counterparty;
        self.close_hold(hold, held, now.time);
        let moved = self.moved(transaction, counterparty, amount, now);
        let effects = moved.into_iter().zip(released).map(|(effect, held)| Effect { held, ..effect }).collect();
        Ok(Consequences { adjusted, ..Consequences::of(effects) })
    }

    fn reverse(&mut self, original: &Id, transaction: &Transaction, now: Circumstances<'_>) -> Result<Consequences, Refusal> {
        let unknown = || (ErrorCode::UnknownReference, format!("{original} is no posted transaction of this account: check reverses"));
        let known = self.known.get(original).filter(|known| matches!(known.kind, Kind::Posting { .. })).ok_or_else(unknown)?;
        known.admits(original, transaction, now.account)?;
        let amount = transaction.amount.money();
        let (counterparty, turned) = (known.counterparty, known.signed_like(amount).negated());
        let parts = self.parts_after(original, amount)?;
        let turns = parts.into_iter().flat_map(|(id, left)| self.leave(&id, left)).collect();
        Ok(Consequences { turns, ..Consequences::of(self.moved(transaction, counterparty, turned, now)) })
    }

    /// The remaining amounts of a transaction, and of those that it reverses, directly and indirectly, once an amount of it is
    /// reversed. An amount that is taken from a reversal counts again in its original.
    fn parts_after(&self, id: &Id, amount: Money) -> Result<Vec<(Id, Money)>, Refusal> {
        let mut parts = Vec::new();
        let mut next = Some(id);
        let mut is_reversed = true;
        while let Some(id) = next {
            let Some(Kind::Posting { left, origin }) = self.known.get(id).map(|known| &known.kind) else { break };
            let becomes = if is_reversed { left.checked_sub(amount) } else { left.checked_add(amount) };
            let becomes = becomes.filter(|left| left.units() >= 0).ok_or_else(|| {
                (ErrorCode::Refused, format!("only {left} of {id} is left to reverse: in all at most the original amount"))
            })?;
            parts.push((id.clone(), becomes));
            next = origin.reversed();
            is_reversed = !is_reversed;
        }
        Ok(parts)
    }

    /// Sets the remaining amount of a posting. For a capture, the hold changes with it, since both are the same money.
    fn leave(&mut self, id: &Id, left: Money) -> Vec<Turn> {
        self.touch(id);
        let Some(Kind::Posting { left: part, origin }) = self.known.get_mut(id).map(|known| &mut known.kind) else { return Vec::new() };
        let old = std::mem::replace(part, left);
        let turn = match (old.is_zero(), left.is_zero()) {
            (_, true) => Turn::TakenBack,
            (true, false) => Turn::Restored,
            (false, false) => return Vec::new(),
        };
        std::iter::once(id).chain(origin.hold()).cloned().map(turn).collect()
    }
}
