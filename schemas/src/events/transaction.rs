//! Transactions: postings to accounts, and holds.

use super::json::event;
use super::{Channel, TransactionPhase, TransactionType};
use crate::value::{AccountId, Amount, Currency, Decimal, EventTime, Id, Money, Text};

event! {
    /// A posting to an account, or a hold on it.
    Transaction {
        /// The transaction.
        transaction_id: Id,
        /// The account.
        account_id: AccountId,
        /// The type of transaction, which also determines the direction.
        r#type: TransactionType,
        /// The amount, without a sign.
        amount: Amount,
        /// The currency of the amount.
        #[schemars(extend("maxLength" = 12))]
        currency: Currency,
        /// The account on the other side, if it is one of the ledger's.
        counterparty_account: Option<AccountId>,
        /// In an exchange: the amount of the other account, in its currency.
        counter_amount: Option<Amount>,
        /// In an exchange: the currency of the other account.
        #[schemars(extend("maxLength" = 12))]
        counter_currency: Option<Currency>,
        /// The phase; `posted` if not given.
        phase: Option<TransactionPhase>,
        /// The hold that this transaction captures or voids.
        pending_id: Option<Id>,
        /// The transaction that this one reverses.
        reverses: Option<Id>,
        /// The channel by which it was initiated.
        channel: Option<Channel>,
        /// The merchant.
        merchant: Option<Text>,
        /// The merchant's category code.
        mcc: Option<Text>,
        /// Free text.
        description: Option<Text>,
        /// The device.
        device_id: Option<Text>,
        /// Latitude, in degrees.
        lat: Option<Decimal>,
        /// Longitude, in degrees.
        lon: Option<Decimal>,
        /// The country.
        country: Option<Text>,
        /// The balance afterwards, according to the producer.
        balance_after: Option<Money>,
        /// Time of the transaction.
        ts: EventTime,
    }
}
