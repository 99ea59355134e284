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
//! | `position_bases` | [`HoldingState`] | state |
//! | `position_trades` | [`HeldTrade`] | state |
//! | `portfolios` | [`Portfolio`] | state |
//! | `portfolio_peaks` | [`DrawdownState`] | state |
//! | `risk` | [`Risk`] | state |
//! | `limit_alerts` | [`LimitAlertState`] | state |
//! | `balances` | [`Balance`] | state |
//! | `ledger_entries` | [`LedgerEntry`] | append |
//! | `posted_transactions` | [`PostedTransaction`] | state |
//! | `decisions` | [`Decision`] | state |
//! | `fraud_events` | [`ScoredEvent`] | state |
//! | `alerts` | [`Alert`] | state |
//! | `last_prices` | [`LastPrice`] | state |
//! | `last_rates` | [`LastRate`] | state |
//! | `closing_prices` | [`ClosingPrice`] | state |
//! | `instrument_terms` | [`InstrumentTerms`] | state |
//! | `account_terms` | [`AccountTerms`] | state |
//! | `admitted` | [`Admitted`] | state |
//! | `dead_letters` | [`DeadLetter`] | append |
//! | `remap` | [`Remap`] | append |
//!
//! A commit adds `commit_id` to every row and `change` to the rows of histories. `commits` itself is not written as
//! Parquet: the catalog reads it from the commit records.

pub(crate) mod cell;
mod decisions;
mod fraud;
mod ledger;
mod market;
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
pub use market::{AccountTerms, ClosingPrice, InstrumentTerms, LastPrice, LastRate};
pub use positions::{DrawdownState, HeldTrade, HoldingState, Portfolio, Position};
pub use risk::{LimitAlertState, Risk};
pub(crate) use row::table;
pub use row::{TableKind, TableRow, TableSpec};
pub use system::{Admitted, DeadLetter, Remap};
pub use trading::{BookState, Execution, OpenOrder, OrderEvent, TopOfBook};
pub use words::*;
