//! Payments: their statuses, their refunds, and whether the ledger agrees.
//!
//! ```text
//!  pending ─► processing ─► completed ─► refunded ─► refunded …
//!     │            ├──────► failed
//!     │            └──────► cancelled
//!     └─► completed, failed, cancelled
//! ```
//!
//! - **Key**: the payment, not its customer: the ledger's transactions name payments only. **Rows**: its progress, and alerts
//!   ([`PaymentTables`]).
//! - **Legal statuses** change the state. Any but `refunded` may be the first, because producers may report the outcome alone. A
//!   refund gives the amount that it refunds; there may be several, up to the payment's amount in total.
//! - **An illegal status** changes nothing. It is kept, and an alert `out_of_order` names it. If a late status shows that it was
//!   legal by the statuses' own times, it takes effect, and the alert is withdrawn.
//! - **Overdue**: a payment without an outcome is `stuck` [`Payments::stuck_after`] after its last status, until the next one.
//! - **The ledger**: a completed payment with an account has a posted debit that carries its id, or several that capture its hold
//!   ([`reconciliation`]). If they are missing or different for [`Payments::stuck_after`], the payment is `unreconciled`, until they
//!   agree.
//! - **Rules** judge each payment once, by its first status that was taken ([`FirstStatus`]), whatever comes later.
//! - **Unknown**: a refund without a completed payment waits for it within the horizon; then it is a dead letter
//!   (`unknown_reference`). A status with another customer or currency than the first one is `inconsistent`.
//! - **State**: open payments; completed ones for the reversal horizon, within which they can be refunded; failed and cancelled
//!   ones for the horizon; debits of the ledger without a payment for the horizon.

mod postings;
pub mod reconciliation;
mod saved;
mod stage;
#[cfg(test)]
mod tests;
mod view;

pub use reconciliation::{LedgerDebit, PaymentEvent};
pub use view::{FirstStatus, PaymentHistory, PaymentTables, Payments, SavedPayments};
