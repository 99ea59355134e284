//! Tables: one row type each, from which the Arrow schema, the writer and the reader follow.
//!
//! | table | row | kind |
//! |---|---|---|
//! | `executions` | [`Execution`] | append |
//! | `order_events` | [`OrderEvent`] | append |
//! | `open_orders` | [`OpenOrder`] | state |
//! | `top_of_book` | [`TopOfBook`] | state |
//! | `book_states` | [`BookState`] | state |
//! | `positions` | [`Position`] | state |
//! | `portfolios` | [`Portfolio`] | state |
//! | `risk` | [`Risk`] | state |
//! | `balances` | [`Balance`] | state |
//! | `ledger_entries` | [`LedgerEntry`] | append |
//! | `decisions` | [`Decision`] | state |
//! | `alerts` | [`Alert`] | state |
//! | `fraud_events` | [`ScoredEvent`] | state |
//! | `dead_letters` | [`DeadLetter`] | append |
//! | `remap` | [`Remap`] | append |
//!
//! A commit adds `commit_id` to every row and `change` to the rows of histories. `commits` itself is not written as
//! Parquet: the catalog reads it from the commit records.

pub(crate) mod cell;
mod decisions;
mod fraud;
mod ledger;
mod positions;
mod risk;
mod row;
mod system;
mod trading;
mod words;

pub use cell::{Cell, CellError};
pub use decisions::{Alert, Decision, Reason};
pub use fraud::ScoredEvent;
pub use ledger::{Balance, LedgerEntry, PostedTransaction};
pub use positions::{DrawdownState, HeldTrade, HoldingState, Portfolio, Position};
pub use risk::{LimitAlertState, Risk};
pub(crate) use row::table;
pub use row::{TableKind, TableRow, TableSpec};
pub use system::{Admitted, DeadLetter, Remap};
pub use trading::{BookState, Execution, OpenOrder, OrderEvent, TopOfBook};
pub use words::*;
