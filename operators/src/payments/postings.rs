//! What the ledger posted for a payment: one transaction, or the captures of a hold.

use std::collections::BTreeSet;

use headwater_schemas::{AccountId, Amount, Correction, Currency, EffectiveTime, Id};

use super::reconciliation::LedgerDebit;

/// The debits of a payment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Postings(Vec<Posting>);

/// The amount of a debit in one currency: an exchange has two. Times are effective times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Posting {
    pub(super) transaction_id: Id,
    pub(super) account_id: AccountId,
    pub(super) amount: Amount,
    pub(super) currency: Currency,
    pub(super) time: EffectiveTime,
    pub(super) taken_back: Option<EffectiveTime>,
}

/// A debit with the id of its payment, in one currency, that was not taken back: what is known of nearly all payments.
#[derive(Clone, Copy, Debug)]
pub(super) struct LoneDebit {
    amount: Amount,
    account_id: AccountId,
    currency: Currency,
    pub(super) time: EffectiveTime,
    /// Whether its row was not emitted yet.
    pub(super) is_new: bool,
}

impl LedgerDebit {
    /// Whether it has the id of its payment, and one currency.
    pub(super) fn is_lone(&self) -> bool {
        self.payment_id == self.transaction_id && self.counter.is_none()
    }
}

impl LoneDebit {
    pub(super) const fn new(debit: &LedgerDebit, time: EffectiveTime) -> Self {
        Self { amount: debit.amount, account_id: debit.account_id, currency: debit.currency, time, is_new: true }
    }

    /// The restored debit of a payment, if it is one.
    pub(super) fn of(payment_id: &Id, posting: &Posting) -> Option<Self> {
        let Posting { amount, account_id, currency, time, .. } = *posting;
        let is_lone = posting.transaction_id == *payment_id && posting.taken_back.is_none();
        is_lone.then_some(Self { amount, account_id, currency, time, is_new: false })
    }

    pub(super) fn posting(&self, payment_id: &Id) -> Posting {
        let Self { amount, account_id, currency, time, .. } = *self;
        Posting { transaction_id: payment_id.clone(), account_id, amount, currency, time, taken_back: None }
    }
}

/// Sums of debits in one currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sums {
    /// All of them.
    pub(super) posted: Amount,
    /// Those that were reversed in full.
    pub(super) taken_back: Amount,
}

impl Sums {
    /// Those that were not reversed in full.
    pub(super) fn standing(self) -> Option<Amount> {
        self.posted.checked_sub(self.taken_back)
    }
}

impl Postings {
    pub(super) fn of(posting: Posting) -> Self {
        Self(vec![posting])
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn iter(&self) -> std::slice::Iter<'_, Posting> {
        self.0.iter()
    }

    /// Restores a debit from its row.
    pub(super) fn restore(&mut self, posting: Posting) {
        self.make_room(1);
        self.0.push(posting);
    }

    /// Makes room for so many more and no others: nearly all payments, of very many, have one, and a list by itself begins with four.
    fn make_room(&mut self, more: usize) {
        self.0.reserve_exact(more);
    }

    /// Adds a debit. The captures of a hold belong together; any other debit takes the place of what was posted before.
    pub(super) fn take(&mut self, debit: LedgerDebit, time: EffectiveTime) -> Option<Correction> {
        let LedgerDebit { payment_id, transaction_id, account_id, amount, currency, counter, correction } = debit;
        let is_capture = payment_id != transaction_id;
        self.0.retain(|other| {
            is_capture && other.account_id == account_id && ![&payment_id, &transaction_id].contains(&&other.transaction_id)
        });
        let side =
            |amount, currency| Posting { transaction_id: transaction_id.clone(), account_id, amount, currency, time, taken_back: None };
        self.make_room(1 + usize::from(counter.is_some()));
        self.0.push(side(amount, currency));
        self.0.extend(counter.map(|counter| side(counter.amount, counter.currency)));
        correction
    }

    /// Notes that a transaction was taken back, or restored. A hold that no longer counts has no captures that do. Returns whether
    /// that changes anything.
    pub(super) fn take_back(&mut self, payment_id: &Id, transaction_id: &Id, is_restored: bool, time: EffectiveTime) -> bool {
        let is_whole = !is_restored && payment_id == transaction_id;
        let is_it =
            |posting: &&mut Posting| (is_whole || posting.transaction_id == *transaction_id) && posting.taken_back.is_some() == is_restored;
        let mut is_changed = false;
        for posting in self.0.iter_mut().filter(is_it) {
            posting.taken_back = (!is_restored).then_some(time);
            is_changed = true;
        }
        is_changed
    }

    /// Whether one was not taken back.
    pub(super) fn stand(&self) -> bool {
        self.standing().next().is_some()
    }

    fn standing(&self) -> impl Iterator<Item = &Posting> {
        self.0.iter().filter(|posting| posting.taken_back.is_none())
    }

    /// Since when the oldest one stands.
    pub(super) fn stand_since(&self) -> Option<EffectiveTime> {
        self.standing().map(|posting| posting.time).min()
    }

    /// When the latest one was posted.
    pub(super) fn latest(&self) -> Option<EffectiveTime> {
        self.0.iter().map(|posting| posting.time).max()
    }

    /// When one was taken back last.
    pub(super) fn taken_back(&self) -> Option<EffectiveTime> {
        self.0.iter().filter_map(|posting| posting.taken_back).max()
    }

    /// The transactions, in the order of their ids.
    pub(super) fn transactions(&self) -> BTreeSet<Id> {
        self.0.iter().map(|posting| posting.transaction_id.clone()).collect()
    }

    /// The sums in a currency; none if one is of another account, none has that currency, or they do not fit an amount.
    pub(super) fn sums(&self, account_id: AccountId, currency: Currency) -> Option<Sums> {
        let of_account = self.0.iter().all(|posting| posting.account_id == account_id).then_some(&self.0)?;
        let mut of_currency = of_account.iter().filter(|posting| posting.currency == currency).peekable();
        of_currency.peek()?;
        of_currency.try_fold(Sums { posted: Amount::ZERO, taken_back: Amount::ZERO }, |sums, posting| {
            let taken_back = if posting.taken_back.is_some() { posting.amount } else { Amount::ZERO };
            Some(Sums { posted: sums.posted.checked_add(posting.amount)?, taken_back: sums.taken_back.checked_add(taken_back)? })
        })
    }

    /// What the ledger has posted, as part of a sentence. Of an exchange, the side in the payment's currency, if there is one.
    pub(super) fn described(&self, payment_currency: Currency) -> String {
        let Some(first) = self.0.first() else { return "the ledger has posted no debit with its id".to_owned() };
        if !self.stand() {
            return format!("the ledger has taken back {}", named(self.0.iter()));
        }
        let currencies: BTreeSet<_> = self.standing().map(|posting| posting.currency).collect();
        let shown = |currency: &&Currency| **currency == payment_currency || !currencies.contains(&payment_currency);
        let sum = |currency: &Currency| {
            let sums = self.sums(first.account_id, *currency)?;
            Some(format!("{} {currency}", sums.standing()?))
        };
        let amounts: Vec<_> = currencies.iter().filter(shown).filter_map(sum).collect();
        format!("the ledger has posted {} on account {} by {}", amounts.join(" for "), first.account_id, named(self.standing()))
    }
}

/// The ids of debits, in the order of their ids.
fn named<'a>(postings: impl Iterator<Item = &'a Posting>) -> String {
    let ids: BTreeSet<_> = postings.map(|posting| posting.transaction_id.as_str()).collect();
    let noun = if ids.len() == 1 { "transaction" } else { "transactions" };
    format!("{noun} {}", ids.into_iter().collect::<Vec<_>>().join(", "))
}
