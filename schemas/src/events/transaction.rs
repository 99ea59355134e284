//! Postings to accounts.

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
        /// Why money moves, which also says which way.
        r#type: TransactionType,
        /// How much, without a sign.
        amount: Amount,
        /// In which currency.
        #[schemars(extend("maxLength" = 12))]
        currency: Currency,
        /// The account on the other side, if it is one of ours.
        counterparty_account: Option<AccountId>,
        /// `posted` if not given.
        phase: Option<TransactionPhase>,
        /// The pending transaction that this one resolves.
        pending_id: Option<Id>,
        /// The transaction that this one turns back.
        reverses: Option<Id>,
        /// The way it came in.
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
        /// What the producer believes the balance to be afterwards.
        balance_after: Option<Money>,
        /// When.
        ts: EventTime,
    }
}
