//! The legs of a transaction.

use headwater_schemas::events::{AccountType, Transaction, TransactionPhase, TransactionType};
use headwater_schemas::{AccountId, Amount, Currency, Money};
use serde::{Deserialize, Serialize};

use super::CounterAmount;

/// One leg: an amount into an account or, if negative, out of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Leg {
    /// The account, or the one that represents the outside.
    pub account_id: AccountId,
    /// The currency.
    pub currency: Currency,
    /// Signed: positive into the account.
    pub amount: Money,
}

impl Leg {
    /// The amount that the leg holds while its transaction is pending: money that would leave one of the ledger's accounts.
    pub fn held(&self) -> Money {
        let goes_out = self.amount.units() < 0 && !self.account_id.is_contra();
        if goes_out { self.amount.negated() } else { Money::ZERO }
    }
}

/// Whether the transaction takes money out of the account that it names. Interest is charged to credit and loan accounts, and
/// paid to others.
pub fn is_debit(transaction: &Transaction, account_type: Option<AccountType>) -> bool {
    match transaction.r#type {
        TransactionType::Deposit => false,
        TransactionType::Interest => matches!(account_type, Some(AccountType::Credit | AccountType::Loan)),
        TransactionType::Withdrawal | TransactionType::Payment | TransactionType::Transfer | TransactionType::Fee => true,
    }
}

/// The amount of a final transaction, signed: positive into the account that it names.
pub fn signed_amount(transaction: &Transaction, account_type: Option<AccountType>) -> Money {
    let amount = transaction.amount.money();
    if is_debit(transaction, account_type) { amount.negated() } else { amount }
}

/// What the counterparty of an exchange gives or gets, in its own currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchanged {
    /// The counterparty's currency.
    pub currency: Currency,
    /// Signed like the amount of the account.
    pub amount: Money,
}

impl Exchanged {
    /// The counterparty's side of a transaction whose account gets `amount`; none if both have one currency.
    pub fn of(transaction: &Transaction, amount: Money) -> Option<Self> {
        let (currency, counter) = (transaction.counter_currency?, transaction.counter_amount?.money());
        Some(Self { currency, amount: if amount.units() < 0 { counter.negated() } else { counter } })
    }

    /// The amount without its sign, with its currency.
    pub const fn counter_amount(self) -> CounterAmount {
        CounterAmount { amount: Amount::from_units(self.amount.magnitude().units()), currency: self.currency }
    }

    /// The same with the opposite sign.
    pub const fn negated(self) -> Self {
        Self { amount: self.amount.negated(), ..self }
    }
}

/// Both sides of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sides {
    /// The account that owns the transaction.
    pub account: AccountId,
    /// The other account.
    pub counterparty: AccountId,
    /// The account's currency.
    pub currency: Currency,
    /// Signed: positive into the account.
    pub amount: Money,
    /// The counterparty's side, if it has another currency.
    pub exchange: Option<Exchanged>,
}

impl Sides {
    /// The legs: two that move the amount between the accounts. In an exchange, two for each currency: the accounts
    /// `position:<currency>` hold what the ledger bought and sold.
    pub fn legs(self) -> Vec<Leg> {
        let leg = |account_id, currency, amount| Leg { account_id, currency, amount };
        let Self { account, counterparty, currency, amount, exchange } = self;
        let Some(counter) = exchange else {
            return vec![leg(account, currency, amount), leg(counterparty, currency, amount.negated())];
        };
        vec![
            leg(account, currency, amount),
            leg(AccountId::position(currency), currency, amount.negated()),
            leg(AccountId::position(counter.currency), counter.currency, counter.amount),
            leg(counterparty, counter.currency, counter.amount.negated()),
        ]
    }
}

/// The account on the other side of a transaction.
pub fn counterparty(transaction: &Transaction) -> AccountId {
    let outside = || AccountId::external(transaction.counter_currency.unwrap_or(transaction.currency));
    transaction.counterparty_account.unwrap_or_else(outside)
}

/// The phase of a transaction; `posted` if not given.
pub fn phase(transaction: &Transaction) -> TransactionPhase {
    transaction.phase.unwrap_or(TransactionPhase::Posted)
}
