//! The catalog: every table that there is. A row type is reached only through it, so that none can be forgotten.

use super::row::Declaration;

macro_rules! catalog {
    ($($module:ident { $($row:ident),+ $(,)? })+) => {
        $(pub use super::$module::{$($row),+};)+

        /// The declarations of all tables, in the order of the flow.
        pub fn declarations() -> Vec<Declaration> {
            vec![$($(Declaration::of::<$row>()),+),+]
        }
    };
}

catalog! {
    trading { Execution, OrderEvent, OpenOrder, TopOfBook, BookState }
    positions { Holding, HoldingState, HeldTrade, Portfolio, DrawdownState }
    risk { Risk, LimitAlertState }
    ledger { Balance, LedgerEntry, PostedTransaction }
    decisions { Decision, Alert }
    fraud { ScoredEvent }
    market { MarkPrice, LastRate, ClosingPrice, InstrumentTerms, AccountTerms, ReferenceRecord }
    system { Admitted, Audit, DeadLetter, Remap }
}
