//! Tables of transfers and payments.

use super::{AlertKind, AlertState, Reconciliation, Severity, StepRule, TransferState, tables};
use crate::Offset;
use crate::events::PaymentStatus;
use crate::value::{AccountId, Amount, Currency, CustomerId, EventTime, Id, Text};

tables! {
    /// A transfer and its progress. The row stays when the transfer is over.
    State TransferProgress = "transfers_state" by (transfer_id) {
        /// The transfer.
        transfer_id: Id,
        /// The last legal step.
        state: TransferState,
        /// The payer's account.
        from_account: AccountId,
        /// The payee's account.
        to_account: AccountId,
        /// The amount.
        amount: Amount,
        /// The currency of the amount.
        currency: Currency,
        /// Whether the awaited step is overdue: the alert `stuck` or `not_reversed` stands.
        stuck: bool,
        /// The step that must follow unless the transfer fails; NULL once the transfer is over.
        awaits: Option<TransferState>,
        /// Time of the initiation.
        initiated_at: EventTime,
        /// Time of the debit.
        debited_at: Option<EventTime>,
        /// Time of the credit.
        credited_at: Option<EventTime>,
        /// Time of the completion.
        completed_at: Option<EventTime>,
        /// Time of the failure.
        failed_at: Option<EventTime>,
        /// Time of the reversal of the credit.
        credit_reversed_at: Option<EventTime>,
        /// Time of the reversal of the debit.
        debit_reversed_at: Option<EventTime>,
        /// Time of the last legal step.
        ts: EventTime,
    }

    /// A payment and its progress. The row stays when the payment is over.
    State PaymentProgress = "payments_state" by (payment_id) {
        /// The payment.
        payment_id: Id,
        /// The customer who pays.
        customer_id: CustomerId,
        /// The last legal status.
        status: PaymentStatus,
        /// The amount, as of the last status that is not a refund.
        amount: Amount,
        /// The sum of its refunds.
        refunded: Amount,
        /// The currency of the amounts.
        currency: Currency,
        /// The account from which it is paid.
        account_id: Option<AccountId>,
        /// Whether the ledger agrees; NULL if it need not have posted the payment.
        ledger: Option<Reconciliation>,
        /// Whether the outcome is overdue: the alert `stuck` stands.
        stuck: bool,
        /// Time of the last legal status.
        ts: EventTime,
    }

    /// A step of a transfer that is not over, was over recently, or is not known yet. State of the transfers.
    Checkpoint TransferStepTaken = "transfer_steps" by (transfer_id, step) {
        /// The transfer.
        transfer_id: Id,
        /// The step.
        step: TransferState,
        /// The step's own time.
        written: EventTime,
        /// Partition of its record.
        partition: i32,
        /// Offset of its record.
        offset: Offset,
        /// Of an initiation: the payer's account.
        from_account: Option<AccountId>,
        /// Of an initiation: the payee's account.
        to_account: Option<AccountId>,
        /// Of an initiation: the amount.
        amount: Option<Amount>,
        /// Of an initiation: the currency of the amount.
        currency: Option<Currency>,
        /// Effective time of its record.
        ts: EventTime,
    }

    /// A status of a payment that is not over, can be refunded, or is not known yet. State of the payments.
    Checkpoint PaymentStepTaken = "payment_steps" by (payment_id, partition, offset) {
        /// The payment.
        payment_id: Id,
        /// Partition of its record.
        partition: i32,
        /// Offset of its record.
        offset: Offset,
        /// The status.
        status: PaymentStatus,
        /// The status's own time.
        written: EventTime,
        /// The customer who pays.
        customer_id: CustomerId,
        /// The account from which it is paid.
        account_id: Option<AccountId>,
        /// The amount; of a refund, the refunded one.
        amount: Amount,
        /// The currency of the amount.
        currency: Currency,
        /// Of a refund: the key that distinguishes it from other refunds.
        idempotency_key: Option<Text>,
        /// The event as JSON, while the payment is not known.
        event: Option<Text>,
        /// Effective time of its record.
        ts: EventTime,
    }

    /// A posted transaction of the ledger that is, or may become, that of a payment: an exchange has a row for each of its currencies.
    /// State of the payments.
    Checkpoint PaymentPosting = "payment_postings" by (payment_id, transaction_id, currency) {
        /// The id by which a payment would name it: its own, or that of the hold that it captures.
        payment_id: Id,
        /// The transaction.
        transaction_id: Id,
        /// The account that it debits.
        account_id: AccountId,
        /// The amount.
        amount: Amount,
        /// The currency of the amount.
        currency: Currency,
        /// Effective time at which it was reversed in full, if it was.
        taken_back: Option<EventTime>,
        /// Effective time at which it was posted.
        ts: EventTime,
    }

    /// An alert of a transfer or payment that is remembered. State of the transfers and payments.
    Checkpoint StepAlert = "step_alerts" by (kind, subject, rule) {
        /// `transfer` or `payment`.
        kind: AlertKind,
        /// The transfer or payment.
        subject: Id,
        /// The rule.
        rule: StepRule,
        /// The state of the alert.
        state: AlertState,
        /// The severity of the alert.
        severity: Severity,
        /// Time of the last change of the alert.
        ts: EventTime,
    }
}
