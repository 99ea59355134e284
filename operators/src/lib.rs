//! Operators.
pub mod fraud;
pub mod keyed_fold;
pub mod ledger;
pub mod matching;
pub mod testing;
pub mod valuation;
