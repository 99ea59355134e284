//! The legs of a transaction.

use headwater_schemas::events::{AccountType, Transaction, TransactionPhase, TransactionType};
use headwater_schemas::{AccountId, Money};
use serde::{Deserialize, Serialize};

/// One leg: an amount into an account or, if negative, out of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Leg {
    /// The account, or the one that represents the outside.
    pub account_id: AccountId,
    /// Signed: positive into the account.
    pub amount: Money,
}

impl Leg {
    /// The amount that the leg holds while its transaction is pending: money that would leave one of the ledger's accounts.
    pub fn held(&self) -> Money {
        let goes_out = self.amount.units() < 0 && !self.account_id.is_external();
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

/// The two legs that move an amount into one account and out of the other.
pub fn legs_between(account_id: &AccountId, counterparty: &AccountId, amount: Money) -> [Leg; 2] {
    [Leg { account_id: *account_id, amount }, Leg { account_id: *counterparty, amount: amount.negated() }]
}

/// The account on the other side of a transaction.
pub fn counterparty(transaction: &Transaction) -> AccountId {
    transaction.counterparty_account.unwrap_or_else(|| AccountId::external(transaction.currency))
}

/// The phase of a transaction; `posted` if not given.
pub fn phase(transaction: &Transaction) -> TransactionPhase {
    transaction.phase.unwrap_or(TransactionPhase::Posted)
}
