//! Valuation: what positions are worth, and what they could lose, on the event-time grid.
//!
//! ```text
//!  holdings, balances (per account) ──┐
//!  marks, terms, rates, closes ───────┴─► valuer ─┬─► holdings (table)
//!   (every worker has all of them)                ├─► parts of scopes ─► scopes ─┬─► portfolios, risk (tables)
//!                                                 └─► values of positions ───────┴─► limits ─► alerts
//! ```
//!
//! Grid point g sees what lies strictly before g, and exists only if something that it reads has changed. All inputs
//! arrive as changes at grid times ([`crate::keyed_fold::Pace::Grid`]); [`grid`] holds them until the frontier has
//! passed g, so the result is a function of what was known at g.
//!
//! Causes are stored, not what follows from them: a row of `holdings` when a holding changes, one of `marks` when the market
//! moves. What a position is worth at any moment is a view in SQL over both.
//!
//! What was corrected (a bust, a reversal, what came late) goes along beside the figures, account by account and scope by
//! scope, and gives the changes in histories their reason.
//!
//! Money is added as integers, so sums are the same in any order, incremental or not. Converted sums and scenario terms
//! are rounded once per position, half to even; ratios are derived last.

pub mod dense;
pub mod grid;
pub mod known;
pub mod limits;
pub mod marks;
pub mod pnl;
pub mod rates;
pub mod risk;

pub use grid::{GridChange, on_grid};
pub use known::{CorrectedPart, Known};
pub use limits::{Compared, ExposureLimits, Figure, LimitDefaults, LimitTables, Measure, MeasureEvent};
pub use marks::{Mark, MarketEvent, Marks};
pub use risk::RiskSettings;
