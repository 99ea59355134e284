//! Transfers: a saga whose steps are events.
//!
//! ```text
//!  initiated ─► debited ─► credited ─► completed
//!      │           │           │
//!      └───────────┴───────────┴─► failed ─► credit_reversed ─► debit_reversed
//! ```
//!
//! - **Key**: the transfer. **Rows**: its progress, and alerts ([`TransferTables`]).
//! - **Legal steps** change the state. After a failure, only what was done is reversed, the credit before the debit. A transfer is
//!   over once it is completed, or failed and reversed.
//! - **An illegal step** changes nothing. It is kept, and an alert `out_of_order` names it. If a late step shows that it was legal
//!   by the steps' own times, it takes effect, and the alert is withdrawn. The course of a transfer is computed from all of its
//!   steps each time, and there are at most seven.
//! - **Overdue**: without a step for [`Transfers::stuck_after`] of effective time a transfer is `stuck`, until its next step. A
//!   failed one is `not_reversed` that long after its failure, until it is reversed.
//! - **Unknown**: steps of a transfer without an initiation wait for it within the horizon; then each is a dead letter
//!   (`unknown_reference`).
//! - **State**: the steps and alerts of transfers that are not over; of others for the horizon.

mod saga;
#[cfg(test)]
mod tests;
mod view;

pub use view::{SavedTransfers, TransferHistory, TransferTables, Transfers};
