//! Accounts and what happens to them.

use super::AccountType;
use super::json::{event, typed_events};
use crate::value::{AccountId, Amount, Currency, CustomerId, Decimal, EventTime, Text};

typed_events! {
    /// What happens to an account.
    AccountEvent {
        /// An account begins.
        "opened" => Opened(Box<AccountOpened>),
        /// Some of its fields change.
        "updated" => Updated(Box<AccountUpdated>),
        /// Nothing may be posted for now.
        "frozen" => Frozen(AccountStatus),
        /// Posting may go on.
        "unfrozen" => Unfrozen(AccountStatus),
        /// The account ends.
        "closed" => Closed(AccountStatus),
    }
}

event! {
    /// The beginning of an account.
    AccountOpened {
        /// The account.
        account_id: AccountId,
        /// Whose it is.
        customer_id: CustomerId,
        /// What it is for.
        account_type: AccountType,
        /// What it is kept in.
        #[schemars(extend("maxLength" = 12))]
        currency: Currency,
        /// Its place in the firm: `firm/desk/book`.
        book: Option<Text>,
        /// Interest a year, as a fraction.
        interest_rate: Option<Decimal>,
        /// How far below zero it may go; 0 if not given.
        overdraft_limit: Option<Amount>,
        /// When.
        ts: EventTime,
    }
}

event! {
    /// New values of some of an account's fields.
    AccountUpdated {
        /// The account.
        account_id: AccountId,
        /// Whose it is.
        customer_id: Option<CustomerId>,
        /// What it is for.
        account_type: Option<AccountType>,
        /// What it is kept in.
        #[schemars(extend("maxLength" = 12))]
        currency: Option<Currency>,
        /// Its place in the firm: `firm/desk/book`.
        book: Option<Text>,
        /// Interest a year, as a fraction.
        interest_rate: Option<Decimal>,
        /// How far below zero it may go; 0 if not given.
        overdraft_limit: Option<Amount>,
        /// When.
        ts: EventTime,
    }
}

event! {
    /// A change of an account's status.
    AccountStatus {
        /// The account.
        account_id: AccountId,
        /// When.
        ts: EventTime,
    }
}

impl AccountEvent {
    /// The account.
    pub const fn account_id(&self) -> &AccountId {
        match self {
            Self::Opened(event) => &event.account_id,
            Self::Updated(event) => &event.account_id,
            Self::Frozen(event) | Self::Unfrozen(event) | Self::Closed(event) => &event.account_id,
        }
    }
}
