//! Limits of debits: the greatest amount of one, and of all withdrawals and transfers of a day.
//!
//! A limit of the topic `limits` for the account, its customer or by default goes before that of the account's type. A day is one
//! in the customer's time zone, by the transaction's own time. A transaction counts once, with what it became: a capture counts as
//! its hold, what was released or reversed does not count, nor does what an account pays to itself. Amounts are compared as numbers,
//! whatever their currency.
//!
//! The sum of a day outlives its transactions: what is forgotten before the day is over everywhere still counts until then.
//!
//! What was posted while nothing was enforced counts from the first transaction after that on, for the day of its effective time; a
//! hold that is resolved, for that of its resolution.

use std::collections::{BTreeMap, BTreeSet};

use headwater_schemas::events::{AccountType, ErrorCode, LimitKind, Transaction, TransactionType};
use headwater_schemas::tables::{LimitedDebit, Moment, PostedTransaction, TableWriter};
use headwater_schemas::{AccountId, Date, EffectiveTime, EventTime, Id, Money, Total};
use rustc_hash::FxHashMap;

use super::transactions::{Counted, Refusal};
use crate::reference::Reference;
use crate::touched::Touched;
use crate::zones::CustomerZones;

/// What limits depend on besides earlier debits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits<'a> {
    pub(super) accounts: &'a Reference,
    pub(super) zones: &'a CustomerZones,
}

/// The withdrawals and transfers of all accounts, as long as their transactions are remembered and their days last.
#[derive(Clone, Debug, Default)]
pub(super) struct Debits {
    known: FxHashMap<(AccountId, Id), Debit>,
    /// Those whose transactions are forgotten, by day: sums of an account and a type.
    outlived: BTreeMap<Date, BTreeSet<(AccountId, Id)>>,
    sums: FxHashMap<Day, Total>,
    /// Debits that changed since rows were emitted, as they were then.
    touched: Touched<(AccountId, Id), Debit>,
    /// Debits that were posted while nothing was enforced, until their days are looked up.
    undated: Vec<Undated>,
}

/// A debit whose day is not known yet, because that depends on the customer's time zone.
#[derive(Clone, Debug)]
pub(super) struct Undated {
    pub(super) account: AccountId,
    pub(super) id: Id,
    pub(super) r#type: TransactionType,
    pub(super) amount: Money,
    pub(super) ts: EventTime,
}

/// What one limit sums: the withdrawals or the transfers of an account on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Day {
    account: AccountId,
    r#type: TransactionType,
    date: Date,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Debit {
    day: Day,
    amount: Money,
    ts: EventTime,
}

impl Day {
    /// The id under which the sum of its forgotten debits is stored. No event can have it, because it has spaces.
    fn outlived(&self) -> Id {
        Id::derived(format!("forgotten {} {}", self.r#type, self.date))
    }
}

/// Whether a day is over in every time zone, which are less than a day from UTC. A customer may change the time zone meanwhile.
fn is_over(date: Date, now: EffectiveTime) -> bool {
    date.next().end().effective() < now
}

/// Whether a known transaction is a debit with a daily limit whose day may not be over.
pub(super) fn is_recent_debit(row: &PostedTransaction, now: EffectiveTime) -> bool {
    let is_original = row.reverses.is_none() && row.captures.is_none();
    let is_sent = row.counterparty != row.account_id;
    is_original && is_sent && daily(row.transaction_type).is_some() && !is_over(row.ts.date(), now)
}

/// The kind of the daily limit that a type of transaction has.
const fn daily(r#type: TransactionType) -> Option<LimitKind> {
    match r#type {
        TransactionType::Withdrawal => Some(LimitKind::DailyWithdrawal),
        TransactionType::Transfer => Some(LimitKind::DailyTransfer),
        TransactionType::Deposit | TransactionType::Payment | TransactionType::Interest | TransactionType::Fee => None,
    }
}

/// The limit of a type of account.
const fn of_type(kind: LimitKind, account: AccountType) -> Option<Money> {
    let whole = match (account, kind) {
        (AccountType::Checking, LimitKind::DailyWithdrawal) => 5_000,
        (AccountType::Checking, LimitKind::DailyTransfer) => 10_000,
        (AccountType::Checking, LimitKind::TransactionAmount) => 2_500,
        (AccountType::Savings, LimitKind::DailyWithdrawal | LimitKind::TransactionAmount) => 1_000,
        (AccountType::Savings, LimitKind::DailyTransfer) => 5_000,
        _ => return None,
    };
    Some(Money::whole(whole))
}

impl Limits<'_> {
    fn of(self, kind: LimitKind, account: &AccountId) -> Option<Money> {
        let set = self.accounts.account_limit(kind, account).map(|limit| Money::from_units(limit.value.units()));
        set.or_else(|| of_type(kind, self.accounts.account(account)?.account_type()?))
    }

    fn date(self, account: &AccountId, ts: EventTime) -> Date {
        let customer = self.accounts.customer_of(account);
        customer.map_or_else(|| ts.date(), |customer| self.zones.date(&customer, ts))
    }
}

impl Debits {
    /// Restores a debit, with what counts of its transaction by now: without enforcement, that changed without it. One whose
    /// transaction is not known any more counts until its day is over.
    pub(super) fn restore(&mut self, row: &LimitedDebit, counts: Option<Money>) {
        let day = Day { account: row.account_id, r#type: row.transaction_type, date: row.date };
        let (key, debit) = ((row.account_id, row.transaction_id.clone()), Debit { day, amount: row.amount, ts: row.ts });
        self.set(key.clone(), Some(debit));
        match counts {
            Some(amount) if amount == row.amount => {}
            Some(amount) => self.put(key, Some(Debit { amount, ..debit })),
            None => {
                self.outlived.entry(row.date).or_default().insert(key);
            }
        }
    }

    /// Adds debits of known transactions, as far as they were posted while nothing was enforced.
    pub(super) fn restore_undated(&mut self, debits: impl Iterator<Item = Undated>) {
        let Self { known, undated, .. } = self;
        undated.extend(debits.filter(|debit| !known.contains_key(&(debit.account, debit.id.clone()))));
    }

    /// Counts the debits that were posted while nothing was enforced.
    pub(super) fn date(&mut self, limits: Limits<'_>) {
        for Undated { account, id, r#type, amount, ts } in std::mem::take(&mut self.undated) {
            let day = Day { account, r#type, date: limits.date(&account, ts) };
            self.put((account, id), Some(Debit { day, amount, ts }));
        }
    }

    /// Admits a debit, which counts from now on; or names the limit that it exceeds.
    pub(super) fn admit(&mut self, transaction: &Transaction, limits: Limits<'_>) -> Result<(), Refusal> {
        let Transaction { account_id: account, amount, currency, .. } = transaction;
        let exceeds = |kind: LimitKind, sum: Total| limits.of(kind, account).filter(|limit| sum > Total::from_units(limit.units()));
        let amount = amount.money();
        if let Some(limit) = exceeds(LimitKind::TransactionAmount, Total::from_units(amount.units())) {
            let error = format!(
                "{account} may send at most {limit} {currency} at once, and this is {amount}: send less, or raise its limit transaction_amount; \
                 then under a new transaction_id"
            );
            return Err((ErrorCode::TransactionLimit, error));
        }
        let Some(kind) = daily(transaction.r#type) else { return Ok(()) };
        let day = Day { account: *account, r#type: transaction.r#type, date: limits.date(account, transaction.ts) };
        let before = self.sums.get(&day).copied().unwrap_or_default();
        let sum = before.checked_add(amount).unwrap_or(before);
        if let Some(limit) = exceeds(kind, sum) {
            let error = format!(
                "the limit {kind} of {account} is {limit} {currency}, and on {} it has {before} of it and sends {amount} more: send less, \
                 on another day, or raise the limit; then under a new transaction_id",
                day.date
            );
            let code = if kind == LimitKind::DailyWithdrawal { ErrorCode::DailyWithdrawal } else { ErrorCode::DailyTransfer };
            return Err((code, error));
        }
        self.put((*account, transaction.transaction_id.clone()), Some(Debit { day, amount, ts: transaction.ts }));
        Ok(())
    }

    /// Changes what counts of a transaction.
    pub(super) fn count(&mut self, account: &AccountId, counted: &Counted) {
        let key = (*account, counted.transaction_id.clone());
        let Some(debit) = self.known.get(&key).copied() else { return };
        self.put(key, Some(Debit { amount: counted.amount, ..debit }));
    }

    /// Forgets a transaction. What counted of it joins the sum of its day, until that is over.
    pub(super) fn forget(&mut self, account: &AccountId, id: Id, now: EffectiveTime) {
        let key = (*account, id);
        if let Some(debit) = self.known.get(&key).copied() {
            self.put(key, None);
            self.outlive(debit);
        }
        self.forget_days(now);
    }

    /// Adds a debit to the forgotten ones of its day.
    fn outlive(&mut self, debit: Debit) {
        if debit.amount.is_zero() {
            return;
        }
        let key = (debit.day.account, debit.day.outlived());
        let sum = match self.known.get(&key).filter(|sum| sum.day == debit.day) {
            // A sum that would not fit a column, which takes ten of the greatest amounts, stays.
            Some(sum) => Debit { amount: sum.amount.checked_add(debit.amount).unwrap_or(sum.amount), ts: sum.ts.max(debit.ts), ..debit },
            None => debit,
        };
        self.outlived.entry(debit.day.date).or_default().insert(key.clone());
        self.put(key, Some(sum));
    }

    /// Forgets what was left of the days that are over.
    fn forget_days(&mut self, now: EffectiveTime) {
        while let Some(first) = self.outlived.first_entry().filter(|first| is_over(*first.key(), now)) {
            let date = *first.key();
            for key in first.remove() {
                // An id that was used again meanwhile has another day.
                if self.known.get(&key).is_some_and(|debit| debit.day.date == date) {
                    self.put(key, None);
                }
            }
        }
    }

    /// Replaces a debit, whose row is to be emitted.
    fn put(&mut self, key: (AccountId, Id), debit: Option<Debit>) {
        let old = self.set(key.clone(), debit);
        self.touched.note(key, || old);
    }

    /// Replaces a debit, and adds the difference to the sum of its day. Returns the old one.
    fn set(&mut self, key: (AccountId, Id), debit: Option<Debit>) -> Option<Debit> {
        let old = match debit {
            Some(debit) => self.known.insert(key, debit),
            None => self.known.remove(&key),
        };
        let changes = old.map(|old| (old.day, old.amount.negated())).into_iter().chain(debit.map(|new| (new.day, new.amount)));
        for (day, change) in changes {
            let sum = self.sums.entry(day).or_default();
            // 10^10 of the greatest amounts fit.
            *sum = sum.checked_add(change).unwrap_or(*sum);
            if *sum == Total::ZERO {
                self.sums.remove(&day);
            }
        }
        old
    }

    pub(super) fn emit(&mut self, at: &Moment, table: &TableWriter<LimitedDebit>) {
        let row = |(account_id, transaction_id): &(AccountId, Id), debit: Debit| LimitedDebit {
            account_id: *account_id,
            transaction_id: transaction_id.clone(),
            transaction_type: debit.day.r#type,
            date: debit.day.date,
            amount: debit.amount,
            ts: debit.ts,
        };
        self.touched.emit_as(at, table, row, |key| self.known.get(key).copied());
    }
}
