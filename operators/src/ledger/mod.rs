//! The ledger: transactions as legs, balances as the fold of the legs.
//!
//! - [`legs`]: which legs a transaction posts. They sum to zero per currency: money from or to outside goes against
//!   `external:<currency>`.
//! - [`returns`]: the view that finds whose transaction a reversal reverses: either account of a transfer may return it. **Key**: the
//!   account that received it.
//! - [`postings`]: the view that turns transactions into legs, knowing holds and reversals. **Key**: the account that
//!   the transaction names; of a return, the account that sent the original.
//! - [`balances`]: the view that folds legs. **Key**: the account that the leg belongs to.

mod ages;
pub mod balances;
pub mod legs;
pub mod postings;
pub mod returns;
#[cfg(test)]
mod tests;
mod transactions;
mod waiting;

pub use balances::{BalanceEvent, Balances, Cash};
pub use postings::{Accepted, Adjusted, LedgerEvent, Posting, PostingTables, Postings, SavedPostings, TakenBack};
pub use returns::{Owned, Returns};
