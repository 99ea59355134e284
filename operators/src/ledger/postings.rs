//! Postings: the effect of each transaction on balances, including holds and reversals.
//!
//! - `posted` moves its legs. With `pending_id` it captures a hold: posting less releases the rest, posting more is rejected
//!   unless [`Captures::over`].
//! - `pending` holds its amount on the accounts that would be debited: the available balance falls, the posted one does not.
//! - `void` with `pending_id` releases the hold.
//! - `reverses` moves the original's legs with inverted signs, up to the original amount in total, whichever of its two accounts
//!   sends it. A reversal that is itself reversed restores the original.
//! - Interest is charged to credit and loan accounts and paid to others.
//!
//! A hold is resolved once, by transactions of its currency, type and, if given, counterparty; any other one is `inconsistent`. With
//! [`Captures::partial`], a capture of less leaves the rest held, until it is captured or released. A hold that is open for
//! [`Postings::hold_expiry`] is released, with an alert.
//!
//! A transaction between two currencies has two balanced legs in each, against `position:<currency>`.
//!
//! A transaction that asks for more than is left is `refused`, and with [`Postings::enforces`] also one that breaks a rule
//! ([`super::enforcement`]). A transaction that arrives before the one that it refers to waits for it; after
//! [`Postings::waiting_horizon`] it is an `unknown_reference`.
//!
//! A posted transaction can be reversed within the reversal horizon; then it is forgotten, as is a resolved hold. An open hold is
//! remembered until it is resolved.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use headwater_schemas::events::{ErrorCode, Event, Transaction, TransactionPhase};
use headwater_schemas::tables::{Alert, Balance, LedgerEntry, LimitedDebit, Moment, PostedTransaction, WaitingTransaction};
use headwater_schemas::{AccountId, Amount, Correction, Currency, EffectiveTime, EventTime, Id, Money, Nanos, Place, Placed, Topic};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::debits::{Debits, Limits, Undated, is_recent_debit};
use super::enforcement::{Enforced, Everything, Funds, Gate};
use super::legs::phase;
use super::returns::{Early, Owned};
use super::transactions::{
    Adjustment, Captures, Circumstances, Consequences, Counted, Effect, Expired, Looked, Refusal, Request, Transactions, Turn,
};
use super::waiting::{WaitingRoom, in_order};
use super::watch::overdue;
use crate::admission::dead_letter;
use crate::keyed_fold::{Outbox, States, View};
use crate::reference::{Account, Reference};
use crate::zones::CustomerZones;

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
    /// Whether it uses the account: money moves, or is held, be that an amount of zero. A release does not.
    pub is_use: bool,
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
    /// Its account; of a reversal, either of the two.
    pub account_id: AccountId,
    /// The account on its other side.
    pub counterparty: AccountId,
    /// Its currency.
    pub currency: Currency,
    /// The transaction.
    pub transaction_id: Id,
    /// The hold that it captures.
    pub captures: Option<Id>,
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
    /// What the account on the other side gives or gets, if it is an exchange: of a capture that leaves it out, its hold's.
    pub counter: Option<CounterAmount>,
}

/// A hold whose captures posted another amount than was held.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Adjusted {
    /// The account that it names.
    pub account_id: AccountId,
    /// The account on its other side.
    pub counterparty: AccountId,
    /// Its currency.
    pub currency: Currency,
    /// The hold.
    pub hold: Id,
    /// The captured amount.
    pub amount: Amount,
    /// What the account on the other side gives or gets instead, if it is an exchange.
    pub counter: Option<CounterAmount>,
    /// The transaction that resolved it; the hold itself, if it expired.
    pub capture: Id,
}

/// What the account on the other side of an exchange gives or gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CounterAmount {
    /// The amount, without a sign.
    pub amount: Amount,
    /// The currency of that account.
    pub currency: Currency,
}

impl Adjusted {
    /// The captured amount with its currency, as the hold's own account sees it, or as that on the other side.
    pub fn money(&self, is_mirrored: bool) -> (Amount, Currency) {
        let counter = self.counter.filter(|_| is_mirrored);
        counter.map_or((self.amount, self.currency), |counter| (counter.amount, counter.currency))
    }
}

/// What counts of a transaction, once a hold was captured or released, or a part of it was reversed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Remains {
    /// Its account.
    pub account_id: AccountId,
    /// The transaction; of a hold and its captures, the hold.
    pub transaction_id: Id,
    /// The amount.
    pub amount: Amount,
    /// Whether it is a hold that is not resolved yet.
    pub is_held: bool,
    /// The correction that it is, if any. A capture in time is none.
    pub correction: Option<Correction>,
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
    /// For views that sum amounts.
    Remains(Arc<Remains>),
}

/// View of postings. Horizons are lengths of effective time.
#[derive(Clone, Copy, Debug)]
pub struct Postings {
    /// Time within which a posted transaction can be reversed.
    pub reversal_horizon: Nanos,
    /// How long a transaction waits for the one that it resolves or reverses.
    pub waiting_horizon: Nanos,
    /// How long a hold may be open before it is released; for ever, if none.
    pub hold_expiry: Option<Nanos>,
    /// How holds are captured.
    pub captures: Captures,
    /// Whether what breaks a rule is refused. Then all accounts have one key, because a debit depends on all earlier ones.
    pub enforces: bool,
}

/// State of a key: the transactions of its account; with enforcement, those of all accounts.
#[derive(Clone, Debug, Default)]
pub struct PostingState {
    book: Book,
    all: Option<Box<Books>>,
}

/// An account's transactions.
#[derive(Clone, Debug, Default)]
struct Book {
    transactions: Transactions,
    waiting: WaitingRoom,
}

impl Book {
    fn is_empty(&self) -> bool {
        self.transactions.is_empty() && self.waiting.is_empty()
    }

    fn emit(&mut self, account: &AccountId, at: &Moment, tables: &PostingTables) {
        self.transactions.emit(account, at, &tables.posted_transactions);
        self.waiting.emit(account, at, &tables.waiting_transactions);
    }
}

/// The transactions, the funds and the limited debits of all accounts.
#[derive(Clone, Debug, Default)]
struct Books {
    books: FxHashMap<AccountId, Book>,
    funds: Funds,
    debits: Debits,
    /// Accounts whose transactions changed since rows were emitted.
    touched: BTreeSet<AccountId>,
}

/// Data of accounts; with enforcement, their limits and the time zones of customers as well.
#[derive(Clone, Debug, Default)]
pub struct PostingContext {
    accounts: Reference,
    zones: CustomerZones,
}

/// Purpose of an account's timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PostingTimer {
    /// Forget the oldest transactions.
    Forget,
    /// Reject transactions that have waited too long.
    Reject,
    /// Release the oldest holds.
    Expire,
}

headwater_schemas::table_set! {
    /// The tables of postings.
    pub struct PostingTables restored from SavedPostings {
        restored {
            posted_transactions: PostedTransaction,
            waiting_transactions: WaitingTransaction,
            limited_debits: LimitedDebit,
            balances: Balance,
        }
        written { ledger_entries: LedgerEntry, alerts: Alert }
    }
}

crate::fold_operator!(Postings);

impl View for Postings {
    /// The account; none for all accounts.
    type Key = Option<AccountId>;
    type Route = Option<AccountId>;
    type Event = Owned;
    type Broadcast = Event;
    type Context = PostingContext;
    type State = PostingState;
    type Timer = (AccountId, PostingTimer);
    type Tables = PostingTables;
    type Derived = LedgerEvent;
    type Update = ();

    fn key(&self, event: &Owned) -> Option<AccountId> {
        (!self.enforces).then(|| event.owner())
    }

    fn route(key: &Option<AccountId>) -> Option<AccountId> {
        *key
    }

    fn learn(&self, context: &mut PostingContext, broadcast: Placed<Event>) {
        let event = &broadcast.event;
        if matches!(event, Event::Account(_)) || (self.enforces && !matches!(event, Event::Instrument(_))) {
            context.accounts.learn(event);
        }
        if self.enforces {
            context.zones.learn(event);
        }
    }

    fn apply(
        &self,
        context: &PostingContext,
        _: &Option<AccountId>,
        state: &mut PostingState,
        placed: Placed<Owned>,
        out: &mut Outbox<'_, Self>,
    ) {
        let account = placed.event.owner();
        let (time, account_type) = (placed.place.time, context.accounts.account(&account).and_then(Account::account_type));
        let now = Circumstances { account: &account, account_type, captures: self.captures, expires: self.hold_expiry.is_some(), time };
        let Placed { place, event: Owned { transaction, early, .. } } = placed;
        self.with_book(context, state, &account, |book, gate| match early {
            Some(Early::Leaves) => book.waiting.remove(&transaction.transaction_id),
            Some(Early::Joins(record)) => {
                // It came with the transfer that it returns, and follows it.
                out.number_from(place.sequence.saturating_mul(MOST_DERIVED));
                self.post(book, Placed { place: record, event: transaction }, now, gate, out);
            }
            None => self.post(book, Placed { place, event: transaction }, now, gate, out),
        });
    }

    fn timer(
        &self,
        context: &PostingContext,
        _: &Option<AccountId>,
        state: &mut PostingState,
        (account, timer): (AccountId, PostingTimer),
        place: Place,
        out: &mut Outbox<'_, Self>,
    ) {
        self.with_book(context, state, &account, |book, gate| match timer {
            PostingTimer::Forget => {
                book.transactions.forget(place.time.saturating_sub(self.reversal_horizon), |id| gate.forget(&account, id, place.time));
                self.set_timers(&account, book, Oldest { final_one: None, ..self.oldest(book) }, out);
            }
            PostingTimer::Expire => self.expire(&account, book, place, gate, out),
            PostingTimer::Reject => {
                for waited in book.waiting.leave_since(place.time.saturating_sub(self.waiting_horizon)) {
                    let (code, error) = unknown_reference(&waited.event);
                    let record = Place { time: place.time, ..waited.place };
                    out.refuse(dead_letter(record, &Event::Transaction(waited.event), code, &error));
                }
            }
        });
    }

    fn emit(&self, _: &PostingContext, key: &Option<AccountId>, state: &mut PostingState, at: &Moment, tables: &PostingTables) {
        if let Some(account) = key {
            state.book.emit(account, at, tables);
        }
        let Some(all) = state.all.as_deref_mut() else { return };
        for account in std::mem::take(&mut all.touched) {
            let Some(book) = all.books.get_mut(&account) else { continue };
            book.emit(&account, at, tables);
            if book.is_empty() {
                all.books.remove(&account);
            }
        }
        all.debits.emit(at, &tables.limited_debits);
    }

    fn is_forgettable(&self, state: &PostingState) -> bool {
        state.book.is_empty() && state.all.is_none()
    }

    fn restore(&self, saved: &SavedPostings, states: &mut States<'_, Self>) {
        if !self.enforces {
            return restore_books(saved, self.looked(), |account, restore| {
                states.of(&Some(account)).into_iter().for_each(|state| restore(&mut state.book));
            });
        }
        let Some(state) = states.of(&None) else { return };
        let all = state.all.get_or_insert_default();
        restore_books(saved, self.looked(), |account, restore| restore(all.books.entry(account).or_default()));
        saved.balances.iter().for_each(|row| all.funds.restore(row));
        let Books { books, debits, .. } = &mut **all;
        let counts = |account: &AccountId, id: &Id| books.get(account)?.transactions.counts(id).map(|counted| counted.amount);
        for row in saved.limited_debits.iter() {
            debits.restore(row, counts(&row.account_id, &row.transaction_id));
        }
        let latest = saved.posted_transactions.iter().map(|row| row.ts.effective()).max().unwrap_or_default();
        let undated = saved.posted_transactions.iter().filter(|row| is_recent_debit(row, latest)).filter_map(|row| {
            let (account, id) = (row.account_id, row.transaction_id.clone());
            let amount = counts(&account, &id).filter(|amount| !amount.is_zero())?;
            Some(Undated { account, id, r#type: row.transaction_type, amount, ts: row.ts })
        });
        debits.restore_undated(undated);
    }

    fn timers(&self, key: &Option<AccountId>, state: &PostingState) -> Vec<(EffectiveTime, (AccountId, PostingTimer))> {
        let one = key.iter().map(|account| (account, &state.book));
        let all = state.all.iter().flat_map(|all| &all.books);
        one.chain(all).flat_map(|(account, book)| self.timers_of(account, book)).collect()
    }
}

/// Restores the transactions of accounts. `with_book` calls its argument with the book of an account of this worker.
fn restore_books(saved: &SavedPostings, looked: Looked, mut with_book: impl FnMut(AccountId, &mut dyn FnMut(&mut Book))) {
    // Rows come by account, as they are stored: a book is looked up once.
    for rows in saved.posted_transactions.chunk_by(|one, next| one.account_id == next.account_id) {
        let Some(account) = rows.first().map(|row| row.account_id) else { continue };
        with_book(account, &mut |book| book.transactions.restore(rows, looked));
    }
    in_order(&saved.waiting_transactions).into_iter().for_each(|row| with_book(row.account_id, &mut |book| book.waiting.restore(row)));
}

/// Events that are derived from one transaction, at most.
const MOST_DERIVED: u32 = 1 << 16;

/// The result of a transaction that is not rejected.
enum Taken {
    Posted,
    Waiting,
}

impl Postings {
    /// Runs `logic` with the transactions of an account, and what decides whether others may follow.
    fn with_book(
        &self,
        context: &PostingContext,
        state: &mut PostingState,
        account: &AccountId,
        logic: impl FnOnce(&mut Book, &mut dyn Gate),
    ) {
        if !self.enforces {
            return logic(&mut state.book, &mut Everything);
        }
        let Books { books, funds, debits, touched } = &mut **state.all.get_or_insert_default();
        touched.insert(*account);
        let limits = Limits { accounts: &context.accounts, zones: &context.zones };
        debits.date(limits);
        logic(books.entry(*account).or_default(), &mut Enforced { funds, debits, limits });
    }

    /// Posts a transaction, and those that waited for it.
    fn post(
        &self,
        book: &mut Book,
        placed: Placed<Arc<Transaction>>,
        now: Circumstances<'_>,
        gate: &mut dyn Gate,
        out: &mut Outbox<'_, Self>,
    ) {
        let timers = self.oldest(book);
        let (mut next, mut ready) = (Some(placed), VecDeque::new());
        while let Some(Placed { place, event: transaction }) = next {
            match self.take(book, Placed { place, event: &transaction }, now, gate, out) {
                Ok(Taken::Posted) => ready.extend(book.waiting.leave_for(&transaction.transaction_id)),
                Ok(Taken::Waiting) => {}
                Err((code, error)) => {
                    let record = Place { time: now.time, ..place };
                    out.refuse(dead_letter(record, &Event::Transaction(transaction), code, &error));
                }
            }
            next = ready.pop_front();
        }
        self.set_timers(now.account, book, timers, out);
    }

    /// Releases the holds that were open for too long.
    fn expire(&self, account: &AccountId, book: &mut Book, place: Place, gate: &mut dyn Gate, out: &mut Outbox<'_, Self>) {
        let Some(expiry) = self.hold_expiry else { return };
        let timers = Oldest { hold: None, ..self.oldest(book) };
        for expired in book.transactions.expire(account, expiry, place.time, gate) {
            expired.consequences.remains.iter().for_each(|counted| gate.count(account, counted));
            expired.release(account, &book.transactions, expiry, place, out);
        }
        self.set_timers(account, book, timers, out);
    }

    /// The timers of an account.
    fn timers_of(&self, account: &AccountId, book: &Book) -> Vec<(EffectiveTime, (AccountId, PostingTimer))> {
        let oldest = self.oldest(book);
        let forgetting = oldest.final_one.map(|time| (time, PostingTimer::Forget));
        let expiry = oldest.hold.map(|time| (time, PostingTimer::Expire));
        let rejections = book.waiting.times().map(|time| (time.saturating_add(self.waiting_horizon), PostingTimer::Reject));
        forgetting.into_iter().chain(expiry).chain(rejections).map(|(time, timer)| (time, (*account, timer))).collect()
    }

    /// Posts a transaction, or stores it until the one that it refers to arrives.
    fn take(
        &self,
        book: &mut Book,
        Placed { place, event: transaction }: Placed<&Arc<Transaction>>,
        now: Circumstances<'_>,
        gate: &mut dyn Gate,
        out: &mut Outbox<'_, Self>,
    ) -> Result<Taken, Refusal> {
        let request = Request::of(transaction)?;
        if let Some(reference) = request.reference().filter(|reference| !book.transactions.knows(reference)) {
            book.waiting.enter(place, reference.clone(), Arc::clone(transaction));
            out.set_timer(place.time.saturating_add(self.waiting_horizon), (*now.account, PostingTimer::Reject));
            return Ok(Taken::Waiting);
        }
        let consequences = book.transactions.post(request, transaction, now, gate)?;
        consequences.remains.iter().for_each(|counted| gate.count(now.account, counted));
        let correction = correction(request, transaction, place, &consequences.turns).map(Box::new);
        for (number, effect) in consequences.effects.iter().enumerate() {
            out.tables().ledger_entries.insert(out.at(), effect.entry(transaction, number));
        }
        let postings = consequences.effects.iter().map(|effect| effect.posting(transaction, correction.clone()));
        by_balance(postings).into_iter().for_each(|posting| out.derive(LedgerEvent::Posting(posting)));
        if !matches!(request, Request::Release(_)) {
            let record = Place { time: now.time, ..place };
            let counter = book.transactions.counter(&transaction.transaction_id);
            out.derive(LedgerEvent::Accepted(Accepted { record, transaction: Arc::clone(transaction), counter }));
        }
        consequences.pass_on(now.account, &book.transactions, &transaction.transaction_id, correction.as_deref(), out);
        Ok(Taken::Posted)
    }

    const fn looked(&self) -> Looked {
        Looked { holds_by_age: self.hold_expiry.is_some(), captures_by_hold: self.captures.partial }
    }

    /// The times at which the oldest transactions are due.
    fn oldest(&self, book: &Book) -> Oldest {
        let final_one = book.transactions.next_end(self.reversal_horizon);
        let hold = self.hold_expiry.and_then(|expiry| book.transactions.next_expiry(expiry));
        Oldest { final_one, hold }
    }

    /// Sets the timers of the oldest transactions, where none was set `before`. They are always set.
    fn set_timers(&self, account: &AccountId, book: &Book, before: Oldest, out: &mut Outbox<'_, Self>) {
        let now = self.oldest(book);
        if let (None, Some(time)) = (before.final_one, now.final_one) {
            out.set_timer(time, (*account, PostingTimer::Forget));
        }
        if let (None, Some(time)) = (before.hold, now.hold) {
            out.set_timer(time, (*account, PostingTimer::Expire));
        }
    }
}

/// When the oldest transactions are due.
#[derive(Clone, Copy)]
struct Oldest {
    /// When the oldest final transaction is forgotten.
    final_one: Option<EffectiveTime>,
    /// When the oldest hold expires.
    hold: Option<EffectiveTime>,
}

impl Consequences {
    /// Derives what views that count transactions need to know of the earlier transactions that changed.
    fn pass_on(
        self,
        account: &AccountId,
        transactions: &Transactions,
        cause: &Id,
        correction: Option<&Correction>,
        out: &mut Outbox<'_, Postings>,
    ) {
        for turn in self.turns {
            let Some(correction) = correction.cloned() else { continue };
            let taken = turn.taken_back(account, transactions, correction);
            taken.into_iter().for_each(|taken| out.derive(LedgerEvent::TakenBack(Arc::new(taken))));
        }
        if let Some(Adjustment { hold, amount, counter }) = self.adjusted
            && let Some((counterparty, currency)) = transactions.terms(&hold)
        {
            let (account_id, capture) = (*account, cause.clone());
            let adjusted = Adjusted { account_id, counterparty, currency, hold, amount, counter, capture };
            out.derive(LedgerEvent::Adjusted(Arc::new(adjusted)));
        }
        for Counted { transaction_id, amount, is_held } in self.remains {
            let (account_id, amount, correction) = (*account, Amount::from_units(amount.units()), correction.cloned());
            out.derive(LedgerEvent::Remains(Arc::new(Remains { account_id, transaction_id, amount, is_held, correction })));
        }
    }
}

impl Expired {
    /// Posts the release, and raises an alert.
    fn release(self, account: &AccountId, transactions: &Transactions, expiry: Nanos, place: Place, out: &mut Outbox<'_, Postings>) {
        let correction = Correction::Expired { hold: self.hold.clone() };
        for (number, effect) in self.consequences.effects.iter().enumerate() {
            out.tables().ledger_entries.insert(out.at(), effect.release_entry(&self.hold, number, place));
            out.derive(LedgerEvent::Posting(effect.release_posting(&self.hold, place, &correction)));
        }
        out.tables().alerts.insert(out.at(), overdue(account, &self, expiry, place.event_time()));
        self.consequences.pass_on(account, transactions, &self.hold, Some(&correction), out);
    }
}

/// The correction that a transaction is, if any.
fn correction(request: Request<'_>, transaction: &Transaction, place: Place, turns: &[Turn]) -> Option<Correction> {
    let transaction_id = transaction.transaction_id.clone();
    match request {
        Request::Release(hold) => Some(Correction::Void { transaction_id, hold: hold.clone() }),
        // It captures nothing, which releases the hold.
        Request::Capture(hold) if !turns.is_empty() => Some(Correction::Void { transaction_id, hold: hold.clone() }),
        Request::Reverse(original) => Some(Correction::Reversal { transaction_id, original: original.clone() }),
        Request::Post | Request::Hold | Request::Capture(_) => {
            let lateness = place.lateness(transaction.ts)?;
            Some(Correction::Late { topic: Topic::Transactions, id: transaction_id, lateness })
        }
    }
}

/// The postings of a transaction, one for each balance: what an account pays to itself takes nothing, and breaks no rule between its
/// legs.
fn by_balance(postings: impl Iterator<Item = Posting>) -> Vec<Posting> {
    let mut all = Vec::<Posting>::new();
    for posting in postings {
        let same = all.iter_mut().find(|other| (other.account_id, other.currency) == (posting.account_id, posting.currency));
        match same.and_then(|same| Some((same.with(&posting)?, same))) {
            Some((sum, same)) => *same = sum,
            None => all.push(posting),
        }
    }
    all
}

impl Posting {
    /// It and another posting of the same transaction to the same balance; none if the sum does not fit an amount.
    fn with(&self, other: &Self) -> Option<Self> {
        let (posted, held) = (self.posted.checked_add(other.posted)?, self.held.checked_add(other.held)?);
        Some(Self { posted, held, is_use: self.is_use || other.is_use, ..self.clone() })
    }
}

/// The rejection of a transaction that has waited in vain.
fn unknown_reference(transaction: &Transaction) -> Refusal {
    let (field, id) = match (&transaction.pending_id, &transaction.reverses) {
        (Some(hold), _) => ("pending_id", hold.as_str()),
        (None, original) => ("reverses and counterparty_account", original.as_ref().map_or("", |id| id.as_str())),
    };
    (
        ErrorCode::UnknownReference,
        format!(
            "this account has no transaction {id}, and none came within the horizon: check {field}, and send it under a new transaction_id"
        ),
    )
}

impl Turn {
    /// What views learn of it. Either account may have sent a reversal, so both learn of one.
    fn taken_back(self, account: &AccountId, transactions: &Transactions, correction: Correction) -> Vec<TakenBack> {
        let (transaction_id, is_restored) = match self {
            Self::TakenBack(id) => (id, false),
            Self::Restored(id) => (id, true),
        };
        let Some((counterparty, currency)) = transactions.terms(&transaction_id) else { return Vec::new() };
        let may_be_others = transactions.is_reversal(&transaction_id) && counterparty != *account && !counterparty.is_contra();
        let captures = transactions.captured_hold(&transaction_id);
        let own = TakenBack { account_id: *account, counterparty, currency, transaction_id, captures, is_restored, correction };
        let others = may_be_others.then(|| TakenBack { account_id: counterparty, counterparty: *account, ..own.clone() });
        std::iter::once(own).chain(others).collect()
    }
}

impl Effect {
    fn posting(&self, transaction: &Transaction, correction: Option<Box<Correction>>) -> Posting {
        let is_reported = (self.leg.account_id, self.leg.currency) == (transaction.account_id, transaction.currency);
        Posting {
            account_id: self.leg.account_id,
            currency: self.leg.currency,
            posted: if self.moves { self.leg.amount } else { Money::ZERO },
            held: self.held,
            is_use: self.is_use(),
            transaction_id: transaction.transaction_id.clone(),
            balance_after: transaction.balance_after.filter(|_| is_reported),
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
            currency: self.leg.currency,
            amount: self.leg.amount,
            phase,
            ts: transaction.ts,
        }
    }

    /// The posting of an expired hold's release.
    fn release_posting(&self, hold: &Id, place: Place, correction: &Correction) -> Posting {
        Posting {
            account_id: self.leg.account_id,
            currency: self.leg.currency,
            posted: Money::ZERO,
            held: self.held,
            is_use: false,
            transaction_id: hold.clone(),
            balance_after: None,
            ts: place.event_time(),
            correction: Some(Box::new(correction.clone())),
        }
    }

    /// The leg of an expired hold's release: `<hold>-expired-<number>`.
    fn release_entry(&self, hold: &Id, number: usize, place: Place) -> LedgerEntry {
        LedgerEntry {
            entry_id: Id::shortened(&format!("{hold}-expired-{}", number + 1)),
            transaction_id: hold.clone(),
            account_id: self.leg.account_id,
            currency: self.leg.currency,
            amount: self.leg.amount,
            phase: TransactionPhase::Void,
            ts: place.event_time(),
        }
    }
}
