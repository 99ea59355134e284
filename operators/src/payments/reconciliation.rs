//! Whether the ledger agrees with a payment.
//!
//! The ledger's transaction of a payment is the posted debit that carries the payment's id: as its own `transaction_id`, or as
//! `pending_id` if it captures the hold of that id; a hold may be captured in parts. It must have the payment's account, currency and
//! amount; of an exchange, either side may. Once it is reversed in full it is missing, unless the payment is refunded in full. Of
//! several captures those that were reversed in full do not count, unless refunds cover them. Partial refunds are not compared with
//! partial reversals.

use headwater_schemas::events::{PaymentStatus, Transaction, TransactionPhase};
use headwater_schemas::tables::Reconciliation;
use headwater_schemas::{AccountId, Amount, Correction, Currency, Id, Placed, Topic};
use serde::{Deserialize, Serialize};

use super::postings::Postings;
use super::stage::Stage;
use crate::ledger::legs::{is_debit, phase};
use crate::ledger::{Accepted, CounterAmount, LedgerEvent};

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
        /// The transaction.
        transaction_id: Id,
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
    /// What the account on the other side gets, if it is an exchange.
    pub counter: Option<CounterAmount>,
    /// The correction that it is, if it is late.
    pub correction: Option<Correction>,
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
                let of_payment = |payment_id: &Id| Self::TakenBack {
                    payment_id: payment_id.clone(),
                    transaction_id: taken.transaction_id.clone(),
                    is_restored: taken.is_restored,
                    correction: Box::new(taken.correction.clone()),
                };
                let ids = std::iter::once(&taken.transaction_id).chain(&taken.captures);
                ids.map(|id| Placed { place, event: of_payment(id) }).collect()
            }
            LedgerEvent::Posting(_) | LedgerEvent::Adjusted(_) | LedgerEvent::Remains(_) => Vec::new(),
        }
    }
}

/// The debit of an accepted transaction, under each id by which a payment could name it.
fn debits(Accepted { record, transaction, counter }: &Accepted) -> impl Iterator<Item = LedgerDebit> {
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
        counter: *counter,
        correction: correction.clone(),
    })
}

/// Whether the ledger agrees with a payment; `None` if there is nothing to compare.
pub(super) fn reconciled(stage: &Stage, currency: Currency, postings: &Postings) -> Option<Reconciliation> {
    let account_id = stage.account_id?;
    let is_refunded = stage.refunded == stage.amount && !postings.is_empty();
    match (stage.status?, postings.stand()) {
        (PaymentStatus::Pending | PaymentStatus::Processing, _) | (PaymentStatus::Failed | PaymentStatus::Cancelled, false) => None,
        (PaymentStatus::Failed | PaymentStatus::Cancelled, true) => Some(Reconciliation::Different),
        (PaymentStatus::Completed | PaymentStatus::Refunded, false) if !is_refunded => Some(Reconciliation::Missing),
        (PaymentStatus::Completed | PaymentStatus::Refunded, _) => Some(agreement(stage, account_id, currency, postings)),
    }
}

fn agreement(stage: &Stage, account_id: AccountId, currency: Currency, postings: &Postings) -> Reconciliation {
    let sums = postings.sums(account_id, currency).filter(|sums| {
        // A refund may be what a reversal is about: then both count, or none of them.
        let is_covered = sums.posted == stage.amount && sums.taken_back <= stage.refunded;
        is_covered || sums.standing() == Some(stage.amount)
    });
    if sums.is_some() { Reconciliation::Matched } else { Reconciliation::Different }
}
