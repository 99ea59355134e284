//! The catalog of all tables, module by module.

use super::row::Declaration;

macro_rules! catalog {
    ($($module:ident),+ $(,)?) => {
        $(pub use super::$module::*;)+

        /// The declarations of all tables, in the order of the flow.
        pub fn declarations() -> Vec<Declaration> {
            [$(super::$module::declarations()),+].concat()
        }
    };
}

catalog!(
    trading,
    positions,
    risk,
    ledger,
    steps,
    decisions,
    suppressions,
    retention,
    rules,
    surveillance,
    customers,
    market,
    owners,
    system
);
