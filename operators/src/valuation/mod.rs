//! Valuation: values and risk of positions, on the event-time grid.
//!
//! ```text
//!  holdings, balances (per account) ──┐
//!  marks, terms, rates, closes ───────┴─► valuer ─┬─► holdings (table)
//!   (every worker has all of them)                ├─► parts of scopes ─► scopes ─┬─► portfolios, risk (tables)
//!                                                 └─► values of positions ───────┴─► limits ─► alerts
//! ```
//!
//! Grid point g reflects the events strictly before g, and has results only if an input has changed. All inputs arrive as changes
//! at grid times ([`crate::keyed_fold::Pace::Grid`]); [`grid`] holds them until the frontier has passed g, so the result is a
//! function of the inputs before g.
//!
//! Tables hold causes, not consequences: a row of `holdings` when a holding changes, one of `marks` when the market moves. The
//! value of a position at any moment is a view in SQL over both.
//!
//! Corrections (a bust, a reversal, a late event) accompany the figures, by account and by scope, and are the reasons of the
//! changes in histories.
//!
//! Money is added as integers, so sums are the same in any order, incremental or not. Converted sums and scenario terms are
//! rounded once per position, half to even; ratios are derived last.

pub mod dense;
pub mod grid;
pub mod known;
pub mod limits;
pub mod marks;
pub mod pnl;
pub mod rate_ages;
pub mod rates;
pub mod risk;

pub use grid::{GridChange, on_grid};
pub use known::{CorrectedPart, Known};
pub use limits::{Compared, ExposureLimits, Figure, LimitDefaults, LimitTables, Measure, MeasureEvent};
pub use marks::{Mark, MarkEvent, MarkUpdate, MarketEvent, Marks};
pub use rate_ages::RateAges;
pub use risk::{RiskSettings, Shock, StressScenario};
