//! Whether the ledger agrees with a payment.
//!
//! The ledger's transaction of a payment is the posted debit that carries the payment's id: as its own `transaction_id`, or as
//! `pending_id` if it captures the hold of that id. It must have the payment's account, currency and amount. Once it is reversed in
//! full it is missing, unless the payment is refunded in full. Partial refunds are not compared with partial reversals.

use headwater_schemas::events::{PaymentStatus, Transaction, TransactionPhase};
use headwater_schemas::tables::Reconciliation;
use headwater_schemas::{AccountId, Amount, Correction, Currency, EffectiveTime, Id, Placed, Topic};
use serde::{Deserialize, Serialize};

use super::stage::Stage;
use crate::ledger::legs::{is_debit, phase};
use crate::ledger::{Accepted, LedgerEvent};

/// An event of a payment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum PaymentEvent {
    /// It has a status.
    Status(Box<headwater_schemas::events::Payment>),
    /// The ledger has posted a debit that may be its own.
    Posted(Box<LedgerDebit>),
    /// The ledger has reversed a transaction in full, or restored it.
    TakenBack {
        /// The id by which a payment would name it.
        payment_id: Id,
        /// Whether it was restored.
        is_restored: bool,
        /// The transaction that caused this.
        correction: Box<Correction>,
    },
}

/// A posted debit of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LedgerDebit {
    /// The id by which a payment would name it: its own, or that of the hold that it captures.
    pub payment_id: Id,
    /// The transaction.
    pub transaction_id: Id,
    /// The account that it debits.
    pub account_id: AccountId,
    /// The amount.
    pub amount: Amount,
    /// The currency of the amount.
    pub currency: Currency,
    /// The correction that it is, if it is late.
    pub correction: Option<Correction>,
}

/// The debit of a payment, as it is remembered. Times are effective times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Posting {
    pub(super) transaction_id: Id,
    pub(super) account_id: AccountId,
    pub(super) amount: Amount,
    pub(super) currency: Currency,
    pub(super) time: EffectiveTime,
    pub(super) taken_back: Option<EffectiveTime>,
}

impl PaymentEvent {
    /// The payment.
    pub(super) const fn payment_id(&self) -> &Id {
        match self {
            Self::Status(payment) => &payment.payment_id,
            Self::Posted(debit) => &debit.payment_id,
            Self::TakenBack { payment_id, .. } => payment_id,
        }
    }

    /// The events of payments in an event of the ledger: none, one, or two for a capture.
    pub fn of_ledger(Placed { place, event }: Placed<LedgerEvent>) -> Vec<Placed<Self>> {
        match event {
            LedgerEvent::Accepted(accepted) => {
                debits(&accepted).map(|debit| Placed { place, event: Self::Posted(Box::new(debit)) }).collect()
            }
            LedgerEvent::TakenBack(taken) => {
                let correction = Box::new(taken.correction.clone());
                vec![Placed {
                    place,
                    event: Self::TakenBack { payment_id: taken.transaction_id.clone(), is_restored: taken.is_restored, correction },
                }]
            }
            LedgerEvent::Posting(_) | LedgerEvent::Adjusted(_) | LedgerEvent::Remains(_) => Vec::new(),
        }
    }
}

/// The debit of an accepted transaction, under each id by which a payment could name it.
fn debits(Accepted { record, transaction }: &Accepted) -> impl Iterator<Item = LedgerDebit> {
    let Transaction { transaction_id, account_id, amount, currency, pending_id, .. } = transaction.as_ref();
    let is_posted = phase(transaction) == TransactionPhase::Posted && transaction.reverses.is_none();
    let late = |lateness| Correction::Late { topic: Topic::Transactions, id: transaction_id.clone(), lateness };
    let correction = record.lateness(transaction.ts).map(late);
    let ids = std::iter::once(transaction_id).chain(pending_id).filter(move |_| is_posted && is_debit(transaction, None));
    ids.map(move |payment_id| LedgerDebit {
        payment_id: payment_id.clone(),
        transaction_id: transaction_id.clone(),
        account_id: *account_id,
        amount: *amount,
        currency: *currency,
        correction: correction.clone(),
    })
}

/// Whether the ledger agrees with a payment; `None` if there is nothing to compare.
pub(super) fn reconciled(stage: &Stage, currency: Currency, posting: Option<&Posting>) -> Option<Reconciliation> {
    let account_id = stage.account_id?;
    let standing = posting.filter(|posting| posting.taken_back.is_none());
    match (stage.status?, posting, standing) {
        (PaymentStatus::Pending | PaymentStatus::Processing, ..) | (PaymentStatus::Failed | PaymentStatus::Cancelled, _, None) => None,
        (PaymentStatus::Failed | PaymentStatus::Cancelled, _, Some(_)) => Some(Reconciliation::Different),
        (PaymentStatus::Completed | PaymentStatus::Refunded, Some(posting), None) if stage.refunded == stage.amount => {
            Some(agreement(stage, account_id, currency, posting))
        }
        (PaymentStatus::Completed | PaymentStatus::Refunded, _, None) => Some(Reconciliation::Missing),
        (PaymentStatus::Completed | PaymentStatus::Refunded, _, Some(posting)) => Some(agreement(stage, account_id, currency, posting)),
    }
}

fn agreement(stage: &Stage, account_id: AccountId, currency: Currency, posting: &Posting) -> Reconciliation {
    let is_same = (posting.account_id, posting.currency, posting.amount) == (account_id, currency, stage.amount);
    if is_same { Reconciliation::Matched } else { Reconciliation::Different }
}
