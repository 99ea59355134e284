//! Operators.
pub mod admission;
pub mod fraud;
pub mod keyed_fold;
pub mod latest;
pub mod ledger;
pub mod matching;
pub mod positions;
pub mod reference;
pub mod testing;
pub mod valuation;
