//! Tables of the ledger.

use super::{AlertState, LedgerRule, Severity, tables};
use crate::Offset;
use crate::events::{TransactionPhase, TransactionType};
use crate::value::{AccountId, Currency, Date, Decimal, EventTime, Id, Money, Text, Total};

tables! {
    /// An account's balance in a currency: the fold of its legs, never an opening number. It exists from the account's opening on.
    State Balance = "balances" by (account_id, currency) {
        /// The account; `external:<currency>` for the outside.
        account_id: AccountId,
        /// The currency.
        currency: Currency,
        /// The sum of posted legs.
        posted: Total,
        /// The amount held by pending transactions, as a positive number.
        pending: Total,
        /// Posted less pending plus the overdraft limit.
        available: Total,
        /// Time of the latest event that changed it.
        ts: EventTime,
    }

    /// One leg of a transaction; a transaction's legs sum to zero per currency.
    Append LedgerEntry = "ledger_entries" by (entry_id) {
        /// `<transaction>-<type>-<leg's number>`; `<transaction>-expired-<leg's number>` for the release of an expired hold.
        entry_id: Id,
        /// The transaction.
        transaction_id: Id,
        /// The account.
        account_id: AccountId,
        /// The currency.
        currency: Currency,
        /// Signed: positive into the account.
        amount: Money,
        /// Whether the leg is posted, holds, or releases a hold.
        phase: TransactionPhase,
        /// Effective time of the transaction.
        ts: EventTime,
    }

    /// A transaction that a later one may resolve or reverse. State of the postings.
    Checkpoint PostedTransaction = "posted_transactions" by (account_id, transaction_id) {
        /// The account that the transaction names.
        account_id: AccountId,
        /// The transaction.
        transaction_id: Id,
        /// The currency.
        currency: Currency,
        /// The account of the other leg.
        counterparty: AccountId,
        /// The type of transaction.
        transaction_type: TransactionType,
        /// The amount of the account's own leg, signed.
        amount: Money,
        /// In an exchange: the currency of the other account.
        counter_currency: Option<Currency>,
        /// In an exchange: the amount of the other account, signed like `amount`.
        counter_amount: Option<Money>,
        /// Whether the transaction is a hold.
        pending: bool,
        /// Whether the transaction is a hold that was captured or released.
        resolved: bool,
        /// For a posting: the part of its amount that is not reversed. For a hold: the part that is still held.
        left: Money,
        /// For a posted exchange: the part of `counter_amount` that is not reversed.
        counter_left: Option<Money>,
        /// For a hold: what its captures posted, less what was reversed of them.
        captured: Option<Money>,
        /// For a reversal: the transaction that it reverses.
        reverses: Option<Id>,
        /// For a capture: the hold that it captures.
        captures: Option<Id>,
        /// Effective time; for a resolved hold, that of its resolution.
        ts: EventTime,
    }

    /// A transaction with another account of the ledger, which may return it. State of the returns.
    Checkpoint ReceivedTransfer = "received_transfers" by (account_id, transaction_id) {
        /// The account that received the money; the sender, if it captures a hold and leaves out who receives it.
        account_id: AccountId,
        /// The transaction.
        transaction_id: Id,
        /// The account that sent the money, which owns the transaction.
        sender: AccountId,
        /// Effective time.
        ts: EventTime,
    }

    /// A transaction that arrived before the one that it resolves or reverses. State of the postings.
    Checkpoint WaitingTransaction = "waiting_transactions" by (account_id, ts, partition, offset) {
        /// The account that the transaction names.
        account_id: AccountId,
        /// Effective time of its record.
        ts: EventTime,
        /// Partition of its record.
        partition: i32,
        /// Offset of its record.
        offset: Offset,
        /// Whether it is late.
        is_late: bool,
        /// The event as JSON.
        event: Text,
    }

    /// A withdrawal or transfer that counts towards a limit of its day. State of the postings, with `ledger.enforce`.
    Checkpoint LimitedDebit = "limited_debits" by (account_id, transaction_id) {
        /// The account that is debited.
        account_id: AccountId,
        /// The transaction; of a hold and its captures, the hold; `forgotten TYPE DATE` for the sum of those that are forgotten.
        transaction_id: Id,
        /// Its type, which has a limit of its own.
        transaction_type: TransactionType,
        /// Its date in the customer's time zone.
        date: Date,
        /// What counts of it.
        amount: Money,
        /// Its own time.
        ts: EventTime,
    }

    /// Interest of an account for a day (UTC). A day on which nothing bears interest has no row.
    State InterestAccrual = "interest_accruals" by (account_id, date) {
        /// The account.
        account_id: AccountId,
        /// The day.
        date: Date,
        /// The currency.
        currency: Currency,
        /// The rate per year, as a fraction.
        rate: Decimal,
        /// The posted balance at the end of the day.
        balance: Total,
        /// The interest of the day: positive if paid to the account; none if it fits no column.
        accrued: Option<Money>,
        /// The interest of the month, on its last day; else zero.
        posted: Money,
        /// What has accrued and is not posted.
        residue: Money,
        /// The end of the day.
        ts: EventTime,
    }

    /// The interest of an account between its days. State of the balances.
    Checkpoint InterestState = "interest_states" by (account_id) {
        /// The account.
        account_id: AccountId,
        /// The currency in which it accrues.
        currency: Currency,
        /// The first day that is not posted.
        since: Date,
        /// The residue of the days before.
        carried: Money,
        /// The last day that accrued.
        accrued_to: Option<Date>,
        /// When the next day closes.
        due: Option<EventTime>,
        /// Effective time of the last change.
        ts: EventTime,
    }

    /// A day that is not posted, whose closing balance or terms differ from those of the day before. State of the balances.
    Checkpoint InterestPoint = "interest_points" by (account_id, date) {
        /// The account.
        account_id: AccountId,
        /// The day.
        date: Date,
        /// The posted balance at its end.
        balance: Total,
        /// The part of the balance that bears interest.
        bearing: Total,
        /// The rate per year; none if there was none.
        rate: Option<Decimal>,
        /// The days of a year.
        days_of_year: i32,
        /// The end of the day.
        ts: EventTime,
    }

    /// A standing alert of an account. State of the balances.
    Checkpoint LedgerAlertState = "ledger_alerts" by (alert_id) {
        /// The alert.
        alert_id: Id,
        /// The account.
        account_id: AccountId,
        /// The currency of the balance that it is about; none for an alert about the account's status.
        currency: Option<Currency>,
        /// The rule.
        rule: LedgerRule,
        /// The severity.
        severity: Severity,
        /// The state of the alert.
        state: AlertState,
        /// The message of the alert.
        message: Text,
        /// The ids of the transactions that caused it.
        evidence: Vec<Id>,
        /// Time of the last change of the alert.
        ts: EventTime,
    }
}
