//! The legal statuses of a payment.

use headwater_schemas::events::{Payment, PaymentStatus};
use headwater_schemas::{AccountId, Amount, Currency, CustomerId, EffectiveTime, EventTime, Text};

use crate::steps::{Course, Process};

/// A status of a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) status: PaymentStatus,
    /// Its own time.
    pub(super) written: EventTime,
    pub(super) customer_id: CustomerId,
    pub(super) account_id: Option<AccountId>,
    /// The amount; of a refund, the refunded one.
    pub(super) amount: Amount,
    pub(super) currency: Currency,
    /// Of a refund: the key that distinguishes it from other refunds.
    pub(super) idempotency_key: Option<Text>,
    /// The event, while the payment is not known.
    pub(super) event: Option<Box<Payment>>,
}

impl Step {
    pub(super) fn of(payment: Box<Payment>) -> Self {
        let is_refund = payment.status == PaymentStatus::Refunded;
        Self {
            status: payment.status,
            written: payment.ts,
            customer_id: payment.customer_id,
            account_id: payment.account_id,
            amount: payment.amount,
            currency: payment.currency,
            idempotency_key: payment.idempotency_key.clone().filter(|_| is_refund),
            event: Some(payment),
        }
    }

    /// Whether an event repeats the status. Refunds with different keys are different refunds.
    pub(super) fn is_repeated_by(&self, other: &Self) -> bool {
        self.status == other.status && self.idempotency_key == other.idempotency_key
    }
}

/// The progress of a payment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stage {
    /// The last legal status; `None` before the first.
    pub(super) status: Option<PaymentStatus>,
    /// The amount, as of the last status that is not a refund.
    pub(super) amount: Amount,
    /// The sum of its refunds.
    pub(super) refunded: Amount,
    /// The account, as of the last status that gives one.
    pub(super) account_id: Option<AccountId>,
}

impl Process for Stage {
    type Step = Step;

    fn after(&self, step: &Step) -> Option<Self> {
        use PaymentStatus::{Cancelled, Completed, Failed, Pending, Processing, Refunded};
        let account_id = step.account_id.or(self.account_id);
        let next = Self { status: Some(step.status), amount: step.amount, account_id, refunded: self.refunded };
        match (self.status, step.status) {
            (None, Pending | Processing | Completed | Failed | Cancelled)
            | (Some(Pending), Processing | Completed | Failed | Cancelled)
            | (Some(Processing), Completed | Failed | Cancelled) => Some(next),
            (Some(Completed | Refunded), Refunded) => {
                let refunded = self.refunded.checked_add(step.amount).filter(|refunded| *refunded <= self.amount)?;
                Some(Self { amount: self.amount, account_id: self.account_id, refunded, ..next })
            }
            _ => None,
        }
    }

    fn own_order(step: &Step) -> (EventTime, u8) {
        (step.written, step.status as u8)
    }
}

impl Stage {
    /// Whether the outcome has not come.
    pub(super) const fn is_open(&self) -> bool {
        matches!(self.status, Some(PaymentStatus::Pending | PaymentStatus::Processing))
    }

    /// Whether it was paid, refunded or not.
    pub(super) const fn is_paid(&self) -> bool {
        matches!(self.status, Some(PaymentStatus::Completed | PaymentStatus::Refunded))
    }
}

impl Course<'_, Stage> {
    /// The effective time at which the outcome arrived.
    pub(super) fn outcome_at(&self) -> Option<EffectiveTime> {
        let is_outcome = |status| matches!(status, PaymentStatus::Completed | PaymentStatus::Failed | PaymentStatus::Cancelled);
        self.legal.iter().find(|step| is_outcome(step.event.status)).map(|step| step.place.time)
    }
}
