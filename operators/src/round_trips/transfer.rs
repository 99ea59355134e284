//! A transfer between two accounts.

use headwater_schemas::events::{Transaction, TransactionType};
use headwater_schemas::tables::RoundTripTransfer;
use headwater_schemas::{AccountId, Amount, Currency, EffectiveTime, EventTime, Id, Offset, Place};

/// Order of transfers: by their own time, then by their place. It identifies a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Order {
    pub(super) ts: EventTime,
    pub(super) partition: u16,
    pub(super) offset: Offset,
}

impl Order {
    /// Before every transfer of a time.
    pub(super) const fn first_of(ts: EventTime) -> Self {
        Self { ts, partition: 0, offset: Offset::ZERO }
    }
}

/// A transfer between two accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Transfer {
    pub(super) order: Order,
    pub(super) id: Id,
    pub(super) payer: AccountId,
    pub(super) payee: AccountId,
    pub(super) amount: Amount,
    /// The effective time at which the ledger accepted it.
    pub(super) accepted: EffectiveTime,
    /// Whether it counts: it does unless it was taken back.
    pub(super) counts: bool,
    /// Whether its row has been emitted.
    pub(super) is_emitted: bool,
}

impl Transfer {
    /// The transfer that a transaction is; none if it moves no money between two accounts in one currency. Captures and reversals
    /// change an earlier transfer and are none themselves, nor are interest and fees.
    pub(super) fn of(transaction: &Transaction, place: Place) -> Option<Self> {
        let (payer, payee) = parties(transaction)?;
        let is_change = transaction.pending_id.is_some() || transaction.reverses.is_some();
        if is_change || transaction.counter_currency.is_some() || transaction.amount.is_zero() {
            return None;
        }
        Some(Self {
            order: Order { ts: transaction.ts, partition: place.partition, offset: place.offset },
            id: transaction.transaction_id.clone(),
            payer,
            payee,
            amount: transaction.amount,
            accepted: place.time,
            counts: true,
            is_emitted: false,
        })
    }

    /// Its row, in a currency.
    pub(super) fn row(&self, currency: &Currency) -> RoundTripTransfer {
        RoundTripTransfer {
            transaction_id: self.id.clone(),
            payer: self.payer,
            payee: self.payee,
            currency: *currency,
            amount: self.amount,
            is_taken_back: !self.counts,
            written: self.order.ts,
            partition: self.order.partition.into(),
            offset: self.order.offset,
            ts: EventTime::from_effective(self.accepted),
        }
    }

    /// The transfer of a row.
    pub(super) fn restored(row: &RoundTripTransfer) -> Self {
        let partition = u16::try_from(row.partition).unwrap_or(u16::MAX);
        Self {
            order: Order { ts: row.written, partition, offset: row.offset },
            id: row.transaction_id.clone(),
            payer: row.payer,
            payee: row.payee,
            amount: row.amount,
            accepted: EventTime::effective(row.ts),
            counts: !row.is_taken_back,
            is_emitted: true,
        }
    }
}

/// The account that pays and the one that is paid; none if one of them is the outside, or both are the same.
pub(super) fn parties(transaction: &Transaction) -> Option<(AccountId, AccountId)> {
    let own = transaction.account_id;
    let other = transaction.counterparty_account.filter(|other| *other != own)?;
    if own.is_contra() || other.is_contra() {
        return None;
    }
    match transaction.r#type {
        TransactionType::Transfer | TransactionType::Payment | TransactionType::Withdrawal => Some((own, other)),
        TransactionType::Deposit => Some((other, own)),
        TransactionType::Interest | TransactionType::Fee => None,
    }
}
