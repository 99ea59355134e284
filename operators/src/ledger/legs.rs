//! The legs of a transaction.

use headwater_schemas::events::{Transaction, TransactionPhase, TransactionType};
use headwater_schemas::{Id, Money};
use serde::{Deserialize, Serialize};

/// One leg: so much into (or, below zero, out of) an account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Leg {
    /// The account, or `external:<currency>`.
    pub account_id: Id,
    /// Signed: above zero goes into the account.
    pub amount: Money,
}

/// The account that stands for the world outside, for a currency.
pub fn external(currency: &Id) -> Id {
    Id::derived(format!("external:{currency}"))
}

/// Whether the transaction takes money out of the account that it names.
pub fn is_debit(transaction: &Transaction) -> bool {
    match transaction.r#type {
        TransactionType::Deposit | TransactionType::Interest => false,
        TransactionType::Withdrawal | TransactionType::Payment | TransactionType::Transfer | TransactionType::Fee => true,
    }
}

/// The two legs that a transaction moves when it is final: out of one account and into the other.
pub fn legs(transaction: &Transaction) -> [Leg; 2] {
    let amount = transaction.amount.money();
    let own = if is_debit(transaction) { amount.negated() } else { amount };
    let other = transaction.counterparty_account.clone().unwrap_or_else(|| external(&transaction.currency));
    [Leg { account_id: transaction.account_id.clone(), amount: own }, Leg { account_id: other, amount: own.negated() }]
}

/// The phase of a transaction: posted if it does not say.
pub fn phase(transaction: &Transaction) -> TransactionPhase {
    transaction.phase.unwrap_or(TransactionPhase::Posted)
}
