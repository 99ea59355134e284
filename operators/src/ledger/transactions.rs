//! An account's transactions that later ones may resolve or reverse, and the effects of each transaction.

use headwater_schemas::events::{AccountType, ErrorCode, Transaction, TransactionPhase, TransactionType};
use headwater_schemas::tables::{Moment, PostedTransaction, TableWriter};
use headwater_schemas::{AccountId, Amount, Currency, EffectiveTime, EventTime, Id, Money, Nanos};
use rustc_hash::FxHashMap;

use super::CounterAmount;
use super::ages::Ages;
use super::enforcement::Gate;
use super::known::{Kept, Known};
use super::legs::{Exchanged, Leg, Sides, counterparty, is_debit, phase, signed_amount};

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

/// How holds are captured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Captures {
    /// Whether more than was held may be posted against a hold.
    pub over: bool,
    /// Whether a capture of less than is held leaves the rest held.
    pub partial: bool,
}

/// Inputs to posting a transaction, besides earlier transactions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Circumstances<'a> {
    /// The account that owns the transactions. A return names the other one.
    pub(super) account: &'a AccountId,
    pub(super) account_type: Option<AccountType>,
    pub(super) captures: Captures,
    /// Whether holds expire.
    pub(super) expires: bool,
    /// Effective time.
    pub(super) time: EffectiveTime,
}

impl Circumstances<'_> {
    /// A transaction that is a debit of the account that it names. What an account pays to itself is none: nothing is sent.
    fn debit(self, transaction: &Transaction) -> Option<&Transaction> {
        let is_sent = transaction.counterparty_account != Some(transaction.account_id);
        (is_sent && is_debit(transaction, self.account_type)).then_some(transaction)
    }
}

/// The effect of a transaction on one of its accounts.
#[derive(Clone, Debug)]
pub(super) struct Effect {
    pub(super) leg: Leg,
    /// Whether the leg is final, not held.
    pub(super) moves: bool,
    /// Added to what is held.
    pub(super) held: Money,
    /// Whether it holds money of the account, be that an amount of zero.
    pub(super) places_hold: bool,
}

impl Effect {
    /// Whether it uses the account: money moves, or is held. A release does not.
    pub(super) const fn is_use(&self) -> bool {
        self.places_hold || self.moves && !self.leg.amount.is_zero()
    }
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
    pub(super) adjusted: Option<Adjustment>,
    /// What counts from now on of transactions that are neither captures nor reversals, where that changed.
    pub(super) remains: Vec<Counted>,
}

/// What counts of a transaction: a posting as itself, with what is left of it; a capture as its hold; a hold with what its captures
/// posted and what is still held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) transaction_id: Id,
    pub(super) amount: Money,
    /// Whether it is a hold that is not resolved yet.
    pub(super) is_held: bool,
}

/// A hold whose captures posted another amount than was held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Adjustment {
    pub(super) hold: Id,
    /// The amount that its captures posted, less what was reversed of them.
    pub(super) amount: Amount,
    /// The other side of the capture, if it is an exchange.
    pub(super) counter: Option<CounterAmount>,
}

impl Consequences {
    const fn of(effects: Vec<Effect>) -> Self {
        Self { effects, turns: Vec::new(), adjusted: None, remains: Vec::new() }
    }
}

/// Who releases a hold, and when.
struct Release<'a> {
    account: &'a AccountId,
    time: EffectiveTime,
    gate: &'a mut dyn Gate,
}

/// A hold that was open for too long.
#[derive(Clone, Debug)]
pub(super) struct Expired {
    pub(super) hold: Id,
    /// What was held to the end.
    pub(super) left: Money,
    pub(super) currency: Currency,
    pub(super) consequences: Consequences,
}

/// State of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Remembered {
    pub(super) transaction_type: TransactionType,
    /// The other account.
    pub(super) counterparty: AccountId,
    /// Signed: positive into the account itself, and out of the other one.
    pub(super) amount: Money,
    pub(super) currency: Currency,
    /// The other account's side, if it has another currency.
    pub(super) exchange: Option<Exchanged>,
    pub(super) kind: Kind,
    /// The effective time of the transaction; for a hold, that at which it was resolved.
    pub(super) time: EffectiveTime,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Hold(Held),
    Posting {
        /// The amounts that are not reversed: the transaction's less what remains of its reversals.
        left: Left,
        origin: Origin,
    },
}

/// The state of a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    is_resolved: bool,
    /// The amount that is still held.
    left: Money,
    /// The amount that its captures posted, less what was reversed of them.
    captured: Money,
}

/// Amounts, without signs, of both sides of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Left {
    pub(super) amount: Money,
    /// The other side's in an exchange, else zero.
    pub(super) counter: Money,
}

/// The transaction that a posting refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
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
    fn of(transaction: &Transaction, sides: &Sides, kind: Kind, time: EffectiveTime) -> Self {
        let Sides { counterparty, currency, amount, exchange, .. } = *sides;
        Self { transaction_type: transaction.r#type, counterparty, amount, currency, exchange, kind, time }
    }

    fn row(&self, account: &AccountId, id: &Id) -> PostedTransaction {
        let (held, posted, origin) = match &self.kind {
            Kind::Hold(held) => (Some(*held), None, &Origin::Itself),
            Kind::Posting { left, origin } => (None, Some(*left), origin),
        };
        let left = posted.map(|left| left.amount).or(held.map(|held| held.left));
        PostedTransaction {
            account_id: *account,
            transaction_id: id.clone(),
            currency: self.currency,
            counterparty: self.counterparty,
            transaction_type: self.transaction_type,
            amount: self.amount,
            counter_currency: self.exchange.map(|exchange| exchange.currency),
            counter_amount: self.exchange.map(|exchange| exchange.amount),
            pending: held.is_some(),
            resolved: held.is_some_and(|held| held.is_resolved),
            left: left.unwrap_or_default(),
            counter_left: posted.filter(|_| self.exchange.is_some()).map(|left| left.counter),
            captured: held.map(|held| held.captured),
            reverses: origin.reversed().cloned(),
            captures: origin.hold().cloned(),
            ts: EventTime::from_effective(self.time),
        }
    }

    fn restored(row: &PostedTransaction) -> Self {
        let kind = if row.pending {
            Kind::Hold(Held { is_resolved: row.resolved, left: row.left, captured: row.captured.unwrap_or_default() })
        } else {
            let left = Left { amount: row.left, counter: row.counter_left.unwrap_or_default() };
            Kind::Posting { left, origin: Origin::of_row(row) }
        };
        let exchange = row.counter_currency.zip(row.counter_amount).map(|(currency, amount)| Exchanged { currency, amount });
        Self {
            transaction_type: row.transaction_type,
            counterparty: row.counterparty,
            amount: row.amount,
            currency: row.currency,
            exchange,
            kind,
            time: row.ts.effective(),
        }
    }

    /// The hold that it captures.
    const fn captured_hold(&self) -> Option<&Id> {
        match &self.kind {
            Kind::Posting { origin, .. } => origin.hold(),
            Kind::Hold(_) => None,
        }
    }

    /// Whether it can only be reversed from now on.
    const fn is_final(&self) -> bool {
        !matches!(self.kind, Kind::Hold(Held { is_resolved: false, .. }))
    }

    /// Whether a later transaction that refers to it is of one of its accounts, and has its currencies and, if given, its other account.
    fn admits(&self, id: &Id, later: &Transaction, account: &AccountId) -> Result<(), Refusal> {
        if ![account, &self.counterparty].contains(&&later.account_id) {
            let error = format!("{id} is no transaction of {}: check the reference and account_id", later.account_id);
            return Err((ErrorCode::UnknownReference, error));
        }
        if later.currency != self.currency {
            return Err((ErrorCode::Inconsistent, format!("{id} is in {}: send its currency", self.currency)));
        }
        let counter = self.exchange.map(|exchange| exchange.currency);
        if later.counter_currency.is_some_and(|currency| Some(currency) != counter) {
            let text = counter.map_or_else(
                || "no exchange: send no counter_currency".to_owned(),
                |currency| format!("an exchange for {currency}: send that as counter_currency"),
            );
            return Err((ErrorCode::Inconsistent, format!("{id} is {text}")));
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

    /// Both sides of a transaction that moves an amount, signed, between the same accounts.
    const fn sides(&self, account: &AccountId, amount: Money, exchange: Option<Exchanged>) -> Sides {
        Sides { account: *account, counterparty: self.counterparty, currency: self.currency, amount, exchange }
    }
}

impl Sides {
    /// The sides of a transaction that refers to no other one.
    fn of(transaction: &Transaction, now: Circumstances<'_>) -> Self {
        let amount = signed_amount(transaction, now.account_type);
        Self {
            account: *now.account,
            counterparty: counterparty(transaction),
            currency: transaction.currency,
            amount,
            exchange: Exchanged::of(transaction, amount),
        }
    }

    fn left(&self) -> Left {
        Left { amount: self.amount.magnitude(), counter: self.exchange.map_or(Money::ZERO, |exchange| exchange.amount.magnitude()) }
    }
}

/// What is looked up among the transactions of an account besides their ids.
#[derive(Clone, Copy, Debug)]
pub(super) struct Looked {
    /// Open holds by effective time, if holds expire.
    pub(super) holds_by_age: bool,
    /// Captures by their holds, if a hold may have several.
    pub(super) captures_by_hold: bool,
}

/// Transactions that later ones can refer to.
#[derive(Clone, Debug, Default)]
pub(super) struct Transactions {
    known: Known,
    /// Ids of final ones by effective time, to find what is to be forgotten.
    ages: Ages,
    /// If holds expire, their ids by effective time. Resolved ones are skipped when they would.
    holds: Ages,
    /// Where [`Captures::partial`], the captures of each hold that are remembered.
    captures: FxHashMap<Id, Vec<Id>>,
    /// Transactions that changed since rows were emitted, in their state at that time.
    touched: FxHashMap<Id, Option<Kept>>,
}

impl Transactions {
    pub(super) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    pub(super) fn knows(&self, id: &Id) -> bool {
        self.known.has(id)
    }

    /// The account on the other side of a transaction, and its currency.
    pub(super) fn terms(&self, id: &Id) -> Option<(AccountId, Currency)> {
        self.known.get(id).map(|known| (known.counterparty, known.currency))
    }

    /// What the account on the other side of a transaction gives or gets, if it is an exchange.
    pub(super) fn counter(&self, id: &Id) -> Option<CounterAmount> {
        self.known.get(id)?.exchange.map(Exchanged::counter_amount)
    }

    /// Whether a transaction reverses another one.
    pub(super) fn is_reversal(&self, id: &Id) -> bool {
        self.known.get(id).is_some_and(|known| matches!(known.kind, Kind::Posting { origin: Origin::Reversed(_), .. }))
    }

    /// The hold that a transaction captures.
    pub(super) fn captured_hold(&self, id: &Id) -> Option<Id> {
        self.known.get(id)?.captured_hold().cloned()
    }

    /// The time at which the first one is to be forgotten.
    pub(super) fn next_end(&self, horizon: Nanos) -> Option<EffectiveTime> {
        self.ages.next_end(horizon)
    }

    /// The time at which the first hold expires.
    pub(super) fn next_expiry(&self, expiry: Nanos) -> Option<EffectiveTime> {
        self.holds.next_end(expiry)
    }

    /// Restores transactions, whose rows may come in any order.
    pub(super) fn restore(&mut self, rows: &[PostedTransaction], Looked { holds_by_age, captures_by_hold }: Looked) {
        self.known.reserve(rows.len());
        let (mut ages, mut holds) = (Vec::with_capacity(rows.len()), Vec::new());
        for row in rows {
            let remembered = Remembered::restored(row);
            let age = (remembered.time, row.transaction_id.clone());
            if remembered.is_final() {
                ages.push(age);
            } else if holds_by_age {
                holds.push(age);
            }
            if captures_by_hold && let Some(hold) = &row.captures {
                self.captures.entry(hold.clone()).or_default().push(row.transaction_id.clone());
            }
            self.known.insert(row.transaction_id.clone(), remembered);
        }
        self.ages.restore(ages);
        self.holds.restore(holds);
    }

    pub(super) fn emit(&mut self, account: &AccountId, at: &Moment, table: &TableWriter<PostedTransaction>) {
        for (id, old) in std::mem::take(&mut self.touched) {
            let row = |known: Remembered| known.row(account, &id);
            table.replace(at, old.map(|old| row(old.remembered())), self.known.get(&id).map(row));
        }
    }

    /// Forgets transactions up to a time, and tells which. One whose id was reused meanwhile is younger.
    pub(super) fn forget(&mut self, oldest: EffectiveTime, mut is_forgotten: impl FnMut(Id)) {
        while let Some(id) = self.ages.take_until(oldest) {
            if self.known.get(&id).is_some_and(|known| known.time <= oldest) {
                self.touch(&id);
                if let Some(known) = self.known.remove(&id) {
                    self.forget_capture(&id, &known);
                }
                is_forgotten(id);
            }
        }
    }

    /// Posts a transaction.
    pub(super) fn post(
        &mut self,
        request: Request<'_>,
        transaction: &Transaction,
        now: Circumstances<'_>,
        gate: &mut dyn Gate,
    ) -> Result<Consequences, Refusal> {
        match request {
            Request::Post => {
                let sides = Sides::of(transaction, now);
                let effects = moving(&sides);
                gate.admit(&effects, now.debit(transaction))?;
                self.move_sides(transaction, &sides, now.time);
                Ok(Consequences::of(effects))
            }
            Request::Hold => self.hold(transaction, &Sides::of(transaction, now), now, gate),
            Request::Release(hold) => self.release(hold, transaction, now.time, gate),
            Request::Capture(hold) => self.capture(hold, transaction, now, gate),
            Request::Reverse(original) => self.reverse(original, transaction, now, gate),
        }
    }

    /// Notes the state of a transaction before it changes.
    fn touch(&mut self, id: &Id) {
        self.touched.entry(id.clone()).or_insert_with(|| self.known.kept(id).cloned());
    }

    /// Removes a transaction from the captures of its hold, if it is one.
    fn forget_capture(&mut self, id: &Id, known: &Remembered) {
        let Some(hold) = known.captured_hold() else { return };
        let Some(captures) = self.captures.get_mut(hold) else { return };
        captures.retain(|capture| capture != id);
        if captures.is_empty() {
            self.captures.remove(hold);
        }
    }

    fn remember(&mut self, id: &Id, remembered: Remembered) {
        self.touch(id);
        if remembered.is_final() {
            self.ages.add(remembered.time, id.clone());
        }
        self.known.insert(id.clone(), remembered);
    }

    fn move_sides(&mut self, transaction: &Transaction, sides: &Sides, time: EffectiveTime) {
        let kind = Kind::Posting { left: sides.left(), origin: Origin::of(transaction) };
        self.remember(&transaction.transaction_id, Remembered::of(transaction, sides, kind, time));
    }

    fn hold(
        &mut self,
        transaction: &Transaction,
        sides: &Sides,
        now: Circumstances<'_>,
        gate: &mut dyn Gate,
    ) -> Result<Consequences, Refusal> {
        let holding = |leg: Leg| {
            let held = leg.held();
            Effect { held, leg, moves: false, places_hold: held.units() > 0 }
        };
        let mut effects: Vec<_> = sides.legs().into_iter().map(holding).collect();
        // The first leg is the account's, the last one the counterparty's. The sign of an amount of zero does not tell who would pay.
        let payer = if is_debit(transaction, now.account_type) { effects.first_mut() } else { effects.last_mut() };
        payer.into_iter().for_each(|payer| payer.places_hold = true);
        gate.admit(&effects, now.debit(transaction))?;
        let held = Held { is_resolved: false, left: sides.amount.magnitude(), captured: Money::ZERO };
        self.remember(&transaction.transaction_id, Remembered::of(transaction, sides, Kind::Hold(held), now.time));
        if now.expires {
            self.holds.add(now.time, transaction.transaction_id.clone());
        }
        Ok(Consequences::of(effects))
    }

    /// The hold that a transaction resolves, if it may.
    fn open_hold(&self, hold: &Id, transaction: &Transaction) -> Result<(Remembered, Held), Refusal> {
        let unknown = || (ErrorCode::UnknownReference, format!("{hold} is no pending transaction of this account: check pending_id"));
        let known = self.known.get(hold).ok_or_else(unknown)?;
        let Kind::Hold(held) = known.kind else { return Err(unknown()) };
        if held.is_resolved {
            return Err((ErrorCode::Refused, format!("the hold {hold} was resolved before: a hold is resolved once")));
        }
        known.admits(hold, transaction, &transaction.account_id)?;
        if known.transaction_type != transaction.r#type {
            let error = format!("the hold {hold} is a {}: resolve it by a transaction of its type", known.transaction_type);
            return Err((ErrorCode::Inconsistent, error));
        }
        Ok((known, held))
    }

    fn close_hold(&mut self, hold: &Id, known: Remembered, held: Held, time: EffectiveTime) {
        let kind = Kind::Hold(Held { is_resolved: true, left: Money::ZERO, ..held });
        self.remember(hold, Remembered { kind, time, ..known });
    }

    fn release(&mut self, hold: &Id, transaction: &Transaction, time: EffectiveTime, gate: &mut dyn Gate) -> Result<Consequences, Refusal> {
        let (known, held) = self.open_hold(hold, transaction)?;
        self.let_go(hold, known, held, Release { account: &transaction.account_id, time, gate })
    }

    /// Releases the holds that were open for `expiry`, in the order of their ids where they have one age.
    pub(super) fn expire(&mut self, account: &AccountId, expiry: Nanos, time: EffectiveTime, gate: &mut dyn Gate) -> Vec<Expired> {
        let mut due = Vec::new();
        while let Some(hold) = self.holds.take_until(time.saturating_sub(expiry)) {
            due.push(hold);
        }
        due.sort_unstable();
        due.dedup();
        let expired = |hold: Id| {
            let known = self.known.get(&hold)?;
            let Kind::Hold(held) = known.kind else { return None };
            // An id that was used again meanwhile is younger.
            if held.is_resolved || known.time.saturating_add(expiry) > time {
                return None;
            }
            let (left, currency) = (held.left, known.currency);
            // A release breaks no rule, so it is always admitted.
            let consequences = self.let_go(&hold, known, held, Release { account, time, gate: &mut *gate }).ok()?;
            Some(Expired { hold, left, currency, consequences })
        };
        due.into_iter().filter_map(expired).collect()
    }

    /// Releases what is left of a hold. If nothing of it was captured, it no longer counts; else it counts as what was captured.
    fn let_go(&mut self, hold: &Id, known: Remembered, held: Held, release: Release<'_>) -> Result<Consequences, Refusal> {
        let Release { account, time, gate } = release;
        let sides = known.sides(account, known.signed_like(held.left), known.exchange);
        let turned = |leg: Leg| {
            let (held, amount) = (leg.held().negated(), leg.amount.negated());
            Effect { held, leg: Leg { amount, ..leg }, moves: false, places_hold: false }
        };
        let effects: Vec<_> = sides.legs().into_iter().map(turned).collect();
        gate.admit(&effects, None)?;
        let before = self.counts(hold);
        self.close_hold(hold, known, held, time);
        let released = Consequences { remains: self.remains_unlike(before), ..Consequences::of(effects) };
        Ok(if held.captured.is_zero() {
            Consequences { turns: vec![Turn::TakenBack(hold.clone())], ..released }
        } else {
            // An exchange is captured once, which leaves nothing of its hold to release.
            let adjustment = Adjustment { hold: hold.clone(), amount: Amount::from_units(held.captured.units()), counter: None };
            Consequences { adjusted: Some(adjustment), ..released }
        })
    }

    /// Posts a part of a hold, or all of it. The rest is released, or stays held where [`Captures::partial`]. An exchange is
    /// captured once.
    fn capture(
        &mut self,
        hold: &Id,
        transaction: &Transaction,
        now: Circumstances<'_>,
        gate: &mut dyn Gate,
    ) -> Result<Consequences, Refusal> {
        let (known, held) = self.open_hold(hold, transaction)?;
        let amount = transaction.amount.money();
        if amount > held.left && !now.captures.over {
            let error = format!("{} of the hold {hold} is left: post at most that, or set ledger.overcapture", held.left);
            return Err((ErrorCode::Refused, error));
        }
        let sides = known.sides(&transaction.account_id, Self::capture_of(&known, transaction, now), None);
        let sides = Sides { exchange: known.captured_exchange(hold, transaction, &sides)?, ..sides };
        let stays_held = now.captures.partial && amount < held.left && known.exchange.is_none();
        let released_amount = if stays_held { amount } else { held.left };
        let released = known.sides(&transaction.account_id, known.signed_like(released_amount), known.exchange);
        let released = released.legs().into_iter().map(|leg| leg.held().negated());
        let captured = held.captured.checked_add(amount).ok_or_else(|| overflow(hold))?;
        // Less what was reversed of earlier captures.
        let counter = sides.exchange.map(Exchanged::counter_amount);
        let adjustment = Adjustment { hold: hold.clone(), amount: Amount::from_units(captured.units()), counter };
        let is_other = captured != known.amount.magnitude() || counter != known.exchange.map(Exchanged::counter_amount);
        // A capture of nothing is a release: the hold no longer counts.
        let is_release = !stays_held && captured.is_zero() && !known.amount.is_zero();
        let adjusted = (!stays_held && is_other && !is_release).then_some(adjustment);
        let turns = is_release.then(|| Turn::TakenBack(hold.clone())).into_iter().collect();
        let left = held.left.checked_sub(released_amount).ok_or_else(|| overflow(hold))?;
        let effects: Vec<_> = moving(&sides).into_iter().zip(released).map(|(effect, held)| Effect { held, ..effect }).collect();
        gate.admit(&effects, None)?;
        let before = self.counts(hold);
        if stays_held {
            self.touch(hold);
            self.known.insert(hold.clone(), Remembered { kind: Kind::Hold(Held { left, captured, ..held }), ..known });
        } else {
            self.close_hold(hold, known, Held { captured, ..held }, now.time);
        }
        self.move_sides(transaction, &sides, now.time);
        if now.captures.partial {
            self.captures.entry(hold.clone()).or_default().push(transaction.transaction_id.clone());
        }
        Ok(Consequences { turns, adjusted, remains: self.remains_unlike(before), ..Consequences::of(effects) })
    }

    /// The amount of a capture, signed like its hold.
    fn capture_of(known: &Remembered, transaction: &Transaction, now: Circumstances<'_>) -> Money {
        if known.amount.is_zero() { signed_amount(transaction, now.account_type) } else { known.signed_like(transaction.amount.money()) }
    }

    fn reverse(
        &mut self,
        original: &Id,
        transaction: &Transaction,
        now: Circumstances<'_>,
        gate: &mut dyn Gate,
    ) -> Result<Consequences, Refusal> {
        let unknown = || (ErrorCode::UnknownReference, format!("{original} is no posted transaction of this account: check reverses"));
        let known = self.known.get(original).ok_or_else(unknown)?;
        let Kind::Posting { left, .. } = &known.kind else { return Err(unknown()) };
        known.admits(original, transaction, now.account)?;
        let part = known.reversed_part(original, transaction, *left)?;
        let turned = |amount: Money| known.signed_like(amount).negated();
        let exchange = known.exchange.map(|exchange| Exchanged { amount: turned(part.counter), ..exchange });
        let sides = known.sides(now.account, turned(part.amount), exchange);
        let parts = self.parts_after(original, part)?;
        let effects = moving(&sides);
        gate.admit(&effects, None)?;
        let before: Vec<_> = parts.iter().filter_map(|(id, _)| self.counts(id)).collect();
        let turns: Vec<_> = parts.into_iter().flat_map(|(id, left)| self.leave(&id, left)).collect();
        let adjusted = turns.iter().filter(|_| now.captures.partial).find_map(|turn| self.adjusted_by(turn));
        self.move_sides(transaction, &sides, now.time);
        Ok(Consequences { turns, adjusted, remains: self.remains_unlike(before), ..Consequences::of(effects) })
    }

    /// The adjustment of a hold that counts again, where its captures posted another amount than was held. If they were all reversed
    /// when the rest of it was released, it no longer counted, and nobody has learned that amount.
    fn adjusted_by(&self, turn: &Turn) -> Option<Adjustment> {
        let Turn::Restored(hold) = turn else { return None };
        let known = self.known.get(hold).filter(|known| known.is_final())?;
        let Kind::Hold(_) = known.kind else { return None };
        let (mut captured, mut counts) = (Money::ZERO, Money::ZERO);
        for capture in self.captures.get(hold)?.iter().filter_map(|id| self.known.get(id)) {
            let Kind::Posting { left, .. } = &capture.kind else { continue };
            captured = captured.checked_add(capture.amount.magnitude())?;
            if !left.amount.is_zero() {
                counts = counts.checked_add(capture.amount.magnitude())?;
            }
        }
        let is_other = captured != known.amount.magnitude() && known.exchange.is_none();
        is_other.then(|| Adjustment { hold: hold.clone(), amount: Amount::from_units(counts.units()), counter: None })
    }

    /// The remaining amounts of a transaction, and of those that it reverses, directly and indirectly, once a part of it is
    /// reversed. A part that is taken from a reversal counts again in its original.
    fn parts_after(&self, id: &Id, part: Left) -> Result<Vec<(Id, Left)>, Refusal> {
        let mut parts = Vec::new();
        let mut next = Some(id.clone());
        let mut is_reversed = true;
        while let Some(id) = next {
            let Some(Kind::Posting { left, origin }) = self.known.get(&id).map(|known| known.kind) else { break };
            let becomes = if is_reversed { left.less(part) } else { left.and(part) };
            let becomes = becomes.ok_or_else(|| {
                let error = format!("only {} of {id} is left to reverse: in all at most the original amount", left.amount);
                (ErrorCode::Refused, error)
            })?;
            parts.push((id, becomes));
            next = origin.reversed().cloned();
            is_reversed = !is_reversed;
        }
        Ok(parts)
    }

    /// What counts of a transaction; a reversal does not count.
    pub(super) fn counts(&self, id: &Id) -> Option<Counted> {
        let transaction_id = id.clone();
        match self.known.get(id)?.kind {
            Kind::Posting { origin: Origin::Itself, left } => Some(Counted { transaction_id, amount: left.amount, is_held: false }),
            Kind::Posting { origin: Origin::Hold(hold), .. } => self.counts(&hold),
            Kind::Posting { origin: Origin::Reversed(_), .. } => None,
            Kind::Hold(held) => {
                let amount = held.captured.checked_add(held.left)?;
                Some(Counted { transaction_id, amount, is_held: !held.is_resolved })
            }
        }
    }

    /// What counts now of transactions, where it differs from before.
    fn remains_unlike(&self, before: impl IntoIterator<Item = Counted>) -> Vec<Counted> {
        let now = |before: Counted| self.counts(&before.transaction_id).filter(|now| *now != before);
        before.into_iter().filter_map(now).collect()
    }

    /// Sets the remaining amounts of a posting. With a capture its hold changes, since both are the same money.
    fn leave(&mut self, id: &Id, left: Left) -> Vec<Turn> {
        self.touch(id);
        let Some(mut known) = self.known.get(id) else { return Vec::new() };
        let Kind::Posting { left: part, origin } = &mut known.kind else { return Vec::new() };
        let old = std::mem::replace(part, left);
        let hold = origin.hold().cloned();
        self.known.insert(id.clone(), known);
        let turn = turn_of(id, old.amount, left.amount);
        let of_hold = hold.and_then(|hold| self.leave_captured(&hold, old.amount, left.amount));
        turn.into_iter().chain(of_hold).collect()
    }

    /// Changes what counts of a hold: what is held and what its captures posted.
    fn leave_captured(&mut self, hold: &Id, old: Money, left: Money) -> Option<Turn> {
        self.touch(hold);
        let known = self.known.get(hold)?;
        let Kind::Hold(before) = known.kind else { return None };
        let now = Held { captured: before.captured.checked_sub(old)?.checked_add(left)?, ..before };
        self.known.insert(hold.clone(), Remembered { kind: Kind::Hold(now), ..known });
        turn_of(hold, before.left.checked_add(before.captured)?, now.left.checked_add(now.captured)?)
    }
}

/// The effects of a final transaction.
fn moving(sides: &Sides) -> Vec<Effect> {
    sides.legs().into_iter().map(|leg| Effect { leg, moves: true, held: Money::ZERO, places_hold: false }).collect()
}

/// Whether a transaction no longer counts, or counts again, once an amount of it becomes another one.
fn turn_of(id: &Id, old: Money, left: Money) -> Option<Turn> {
    match (old.is_zero(), left.is_zero()) {
        (_, true) => Some(Turn::TakenBack(id.clone())),
        (true, false) => Some(Turn::Restored(id.clone())),
        (false, false) => None,
    }
}

/// The refusal of a capture whose hold's sum would not fit a column.
fn overflow(hold: &Id) -> Refusal {
    (ErrorCode::Overflow, format!("the captures of {hold} exceed 19 integer digits: check the unit of their amounts"))
}

impl Left {
    /// The rest without a part; none if that is less than nothing.
    fn less(self, part: Self) -> Option<Self> {
        let rest = |left: Money, part: Money| left.checked_sub(part).filter(|rest| rest.units() >= 0);
        Some(Self { amount: rest(self.amount, part.amount)?, counter: rest(self.counter, part.counter)? })
    }

    fn and(self, part: Self) -> Option<Self> {
        Some(Self { amount: self.amount.checked_add(part.amount)?, counter: self.counter.checked_add(part.counter)? })
    }
}

impl Remembered {
    /// The part of a transaction that a reversal takes. A reversal of a part of an exchange gives both amounts; one of all that is
    /// left may leave the counterparty's out.
    fn reversed_part(&self, id: &Id, reversal: &Transaction, left: Left) -> Result<Left, Refusal> {
        let amount = reversal.amount.money();
        if self.exchange.is_none() {
            return Ok(Left { amount, counter: Money::ZERO });
        }
        let is_whole = amount == left.amount;
        let counter = reversal.counter_amount.map(Amount::money).or(is_whole.then_some(left.counter));
        match counter {
            Some(counter) if is_whole == (counter == left.counter) => Ok(Left { amount, counter }),
            _ => {
                let error =
                    format!("{} and a counter_amount of {} are left of {id}: reverse both, or a part of both", left.amount, left.counter);
                Err((ErrorCode::Inconsistent, error))
            }
        }
    }

    /// The counterparty's side of a capture. If it captures all that was held, it may leave it out: then it is the hold's.
    fn captured_exchange(&self, hold: &Id, capture: &Transaction, sides: &Sides) -> Result<Option<Exchanged>, Refusal> {
        let Some(held) = self.exchange else { return Ok(None) };
        let given = Exchanged::of(capture, sides.amount);
        let is_whole = sides.amount == self.amount;
        given.or(is_whole.then_some(held)).map(Some).ok_or_else(|| {
            let error = format!("the hold {hold} is an exchange for {}: send counter_amount with another amount", held.currency);
            (ErrorCode::Inconsistent, error)
        })
    }
}
