//! Events of accounts.

use std::sync::Arc;

use super::AccountType;
use super::json::{event, typed_events};
use crate::value::{AccountId, Amount, Currency, CustomerId, Decimal, EventTime, Text};

typed_events! {
    /// An event of an account.
    AccountEvent {
        /// The account is opened.
        "opened" => Opened(Arc<AccountOpened>),
        /// Some of the account's fields change.
        "updated" => Updated(Arc<AccountUpdated>),
        /// The account is frozen: nothing may be posted.
        "frozen" => Frozen(AccountStatus),
        /// The account is unfrozen: postings are allowed again.
        "unfrozen" => Unfrozen(AccountStatus),
        /// The account is closed.
        "closed" => Closed(AccountStatus),
    }
}

event! {
    /// The opening of an account.
    AccountOpened {
        /// The account.
        account_id: AccountId,
        /// The customer who owns it.
        customer_id: CustomerId,
        /// The type of account.
        account_type: AccountType,
        /// The account's currency.
        #[schemars(extend("maxLength" = 12))]
        currency: Currency,
        /// Its book path in the firm: `firm/desk/book`.
        book: Option<Text>,
        /// Interest rate per year, as a fraction.
        interest_rate: Option<Decimal>,
        /// How far below zero the balance may be; 0 if not given.
        overdraft_limit: Option<Amount>,
        /// Time of the opening.
        ts: EventTime,
    }
}

event! {
    /// New values of some of an account's fields.
    AccountUpdated {
        /// The account.
        account_id: AccountId,
        /// The customer who owns it.
        customer_id: Option<CustomerId>,
        /// The type of account.
        account_type: Option<AccountType>,
        /// The account's currency.
        #[schemars(extend("maxLength" = 12))]
        currency: Option<Currency>,
        /// Its book path in the firm: `firm/desk/book`.
        book: Option<Text>,
        /// Interest rate per year, as a fraction.
        interest_rate: Option<Decimal>,
        /// How far below zero the balance may be; 0 if not given.
        overdraft_limit: Option<Amount>,
        /// Time of the change.
        ts: EventTime,
    }
}

event! {
    /// A change of an account's status.
    AccountStatus {
        /// The account.
        account_id: AccountId,
        /// Time of the change.
        ts: EventTime,
    }
}

impl AccountEvent {
    /// The account.
    pub fn account_id(&self) -> &AccountId {
        match self {
            Self::Opened(event) => &event.account_id,
            Self::Updated(event) => &event.account_id,
            Self::Frozen(event) | Self::Unfrozen(event) | Self::Closed(event) => &event.account_id,
        }
    }
}
