//! Valuation: what positions are worth, and what they could lose, on the event-time grid.
//!
//! ```text
//!  holdings, balances (per account) ──┐
//!  marks, terms, rates, closes ───────┴─► valuer ─┬─► positions (table)
//!   (every worker has all of them)                ├─► contributions ─► portfolios (differential) ─► limits ─► alerts
//!                                                 └─► scenario P&L per scope ─► risk ──────────────────┘
//! ```
//!
//! Grid point g sees what lies strictly before g, and exists only if something that it reads has changed. All inputs
//! arrive as changes at grid times ([`crate::keyed_fold::Pace::Grid`]); [`grid`] holds them until the frontier has
//! passed g and then hands them over in a fixed order, so the result is a function of what was known at g.
//!
//! What was corrected (a bust, a reversal, what came late) goes along beside the figures, account by account and scope by
//! scope, and gives the changes in histories their reason.
//!
//! Money is added as integers, so sums are the same in any order, incremental or not. Converted sums and scenario terms
//! are rounded once per position, half to even; ratios are derived last.

pub mod grid;
pub mod limits;
pub mod marks;
pub mod portfolios;
pub mod rates;
pub mod risk;
pub mod scenarios;
pub mod valuer;

pub use grid::{GridChange, on_grid};
pub use limits::{ExposureLimits, LimitDefaults, LimitRow, Measure, MeasureEvent};
pub use marks::{Mark, MarkRow, MarketEvent, Marks};
pub use portfolios::{Drawdowns, PortfolioRow, ScopeEvent, ScopeValue, portfolios};
pub use risk::{RiskEvent, RiskOutput, RiskSettings, risk};
pub use valuer::{Contribution, CorrectedPart, Known, ScopeVector, Valued, Valuer};
