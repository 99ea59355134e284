//! Money in accounts.

use super::tables;
use crate::events::TransactionPhase;
use crate::value::{EventTime, Id, Money};

tables! {
    /// What an account has of a currency: the fold of its legs, never an opening number.
    State Balance = "balances" by (account_id, currency) {
        /// Whose; `external:<currency>` for the world outside.
        account_id: Id,
        /// Of what.
        currency: Id,
        /// The sum of posted legs.
        posted: Money,
        /// What pending transactions hold, as a positive number.
        pending: Money,
        /// Posted less held plus the overdraft limit.
        available: Money,
        /// When it last changed.
        ts: EventTime,
    }

    /// One leg of a transaction; a transaction's legs sum to zero per currency.
    Append LedgerEntry = "ledger_entries" by (entry_id) {
        /// `<transaction>-<type>-<leg's number>`.
        entry_id: Id,
        /// The transaction.
        transaction_id: Id,
        /// The account.
        account_id: Id,
        /// The currency.
        currency: Id,
        /// Signed: above zero goes into the account.
        amount: Money,
        /// Whether it is final, holds, or releases a hold.
        phase: TransactionPhase,
        /// When.
        ts: EventTime,
    }

    /// A transaction that a later one may resolve or reverse. State of the postings.
    Checkpoint PostedTransaction = "posted_transactions" by (account_id, transaction_id) {
        /// The account that it names.
        account_id: Id,
        /// The transaction.
        transaction_id: Id,
        /// The currency.
        currency: Id,
        /// The account of the other leg.
        counterparty: Id,
        /// The leg of the account itself, signed.
        amount: Money,
        /// Whether it is a hold.
        pending: bool,
        /// Of a hold: above zero as long as it holds. Of a posting: what was not reversed yet.
        left: Money,
        /// The beginning: the row says no time.
        ts: EventTime,
    }
}
