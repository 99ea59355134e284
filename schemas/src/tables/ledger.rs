//! Money in accounts.

use super::tables;
use crate::events::{TransactionPhase, TransactionType};
use crate::value::{AccountId, Currency, EventTime, Id, Money, Text, Total};

tables! {
    /// An account's balance in a currency: the fold of its legs, never an opening number. It exists from the account's opening on.
    State Balance = "balances" by (account_id, currency) {
        /// The account; `external:<currency>` for the world outside.
        account_id: AccountId,
        /// The currency.
        currency: Currency,
        /// The sum of posted legs.
        posted: Total,
        /// What pending transactions hold, as a positive number.
        pending: Total,
        /// Posted less held plus the overdraft limit.
        available: Total,
        /// Time of the latest event that changed it.
        ts: EventTime,
    }

    /// One leg of a transaction; a transaction's legs sum to zero per currency.
    Append LedgerEntry = "ledger_entries" by (entry_id) {
        /// `<transaction>-<type>-<leg's number>`.
        entry_id: Id,
        /// The transaction.
        transaction_id: Id,
        /// The account.
        account_id: AccountId,
        /// The currency.
        currency: Currency,
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
        account_id: AccountId,
        /// The transaction.
        transaction_id: Id,
        /// The currency.
        currency: Currency,
        /// The account of the other leg.
        counterparty: AccountId,
        /// Why money moved.
        transaction_type: TransactionType,
        /// The leg of the account itself, signed.
        amount: Money,
        /// Whether it is a hold.
        pending: bool,
        /// Whether it is a hold that was posted or released.
        resolved: bool,
        /// Of a posting: the part of its amount that was not reversed yet.
        left: Money,
        /// Of a reversal: the transaction that it reverses.
        reverses: Option<Id>,
        /// Of a capture: the hold that it posts.
        captures: Option<Id>,
        /// Effective time: of a hold that was resolved, when that was.
        ts: EventTime,
    }

    /// A transaction with another account of ours, which may return it. State of the returns.
    Checkpoint ReceivedTransfer = "received_transfers" by (account_id, transaction_id) {
        /// The account that received it.
        account_id: AccountId,
        /// The transaction.
        transaction_id: Id,
        /// The account whose transaction it is.
        sender: AccountId,
        /// Effective time.
        ts: EventTime,
    }

    /// A transaction that came before the one that it resolves or reverses. State of the postings.
    Checkpoint WaitingTransaction = "waiting_transactions" by (account_id, ts, partition, offset) {
        /// The account that it names.
        account_id: AccountId,
        /// Effective time of its record.
        ts: EventTime,
        /// Partition of its record.
        partition: i32,
        /// Offset of its record.
        offset: u64,
        /// Whether it is late.
        is_late: bool,
        /// The event, as JSON.
        event: Text,
    }
}
