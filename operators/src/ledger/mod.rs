//! The ledger: postings of transactions, and balances.
//!
//! - [`legs`]: the legs that a transaction posts. They sum to zero per currency: money from or to the outside is posted against
//!   `external:<currency>`, an exchange against `position:<currency>`.
//! - [`returns`]: view that finds the owner of the transaction that a reversal reverses: either account of a transfer may return
//!   it. **Key**: the account that received it.
//! - [`postings`]: view that turns transactions into legs and tracks holds and reversals. **Key**: the account that the
//!   transaction names; for a return, the account that sent the original.
//! - [`interest`]: what balances earn or are charged.
//! - [`balances`]: view that sums legs, and raises alerts about accounts. **Key**: the account of the leg.

mod ages;
pub mod balances;
mod debits;
mod enforcement;
pub mod interest;
mod known;
pub mod legs;
pub mod postings;
pub mod returns;
#[cfg(test)]
mod tests;
mod transactions;
mod waiting;
mod watch;

pub use balances::{BalanceEvent, BalanceTables, Balances, BalancesOf, Cash, SavedBalances};
pub use interest::InterestSettings;
pub use postings::{Accepted, Adjusted, CounterAmount, LedgerEvent, Posting, PostingTables, Postings, Remains, SavedPostings, TakenBack};
pub use returns::{Early, Owned, Returnable, Returns};
pub use transactions::Captures;
