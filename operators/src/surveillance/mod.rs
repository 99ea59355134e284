//! Market surveillance: rules about orders, executions and quotes, whose alerts are of kind `surveillance`.
//!
//! ```text
//!  book events ──┐                        ┌─► alerts
//!  market.trades ├─► books, by symbol ────┤
//!  fills, busts ─┘   (BookSurveillance)   └─► accepted orders, trades ─► traders ─► alerts
//!                                                          (TraderSurveillance)
//!  quotes, on the grid ─► feeds (StaleFeeds) ─► alerts
//! ```
//!
//! Three views judge all rules, so that an order message is sent to one place and not to ten:
//!
//! | view, key | rules |
//! |---|---|
//! | [`BookSurveillance`], symbol | [`layering`], [`wash_trade`], [`quote_stuffing`], [`order_to_trade`], [`front_running`], [`marking_the_close`] |
//! | [`TraderSurveillance`], account or owner | [`fat_finger`], [`large_trader`] |
//! | [`StaleFeeds`], none | [`stale_feed`] |
//!
//! - **A rule** is a file: what it says, its arithmetic as a pure function, and where the view asks it. [`settings`] has its
//!   thresholds, which an asset class or a symbol may override; windows are the same for all.
//! - **State** is bounded: events within a window, counts of a day, sums per second, the values of the last orders. Each is a row
//!   of a checkpoint. Sums are updated when an event enters and leaves its window, so an event costs the same however many the
//!   window has; the events themselves are read only when a rule fires.
//! - **What is over** is forgotten at whole minutes of effective time, by one timer per key.
//! - **Alerts** ([`alerts`]) are of an episode or of a period. What a book reports is final: only late trades of the market and
//!   late quotes, and busts of fills, change an alert after the fact.
//! - **Position over limit** is the rule `position_value` of [`ExposureLimits`](crate::valuation::ExposureLimits), which has the
//!   value of each position: an alert of kind `limit`. It is not judged a second time here.

mod alerts;
mod book_state;
mod books;
pub mod fat_finger;
mod fills;
pub mod front_running;
pub mod large_trader;
pub mod layering;
mod linked;
pub mod marking_the_close;
pub mod order_to_trade;
pub mod quote_stuffing;
mod ratio;
mod recent;
pub mod settings;
pub mod stale_feed;
#[cfg(test)]
mod tests;
mod trader;
mod traders;
mod volumes;
pub mod wash_trade;

pub use book_state::{BookHistory, BookSurveillanceTables, SavedBookSurveillance};
pub use books::{BookSurveillance, WatchEvent};
pub use linked::Linked;
pub use settings::SurveillanceSettings;
pub use stale_feed::{FeedEvent, FeedHistory, SavedStaleFeeds, StaleFeedTables, StaleFeeds};
pub use traders::{
    Ordered, SavedTraderSurveillance, Traded, TraderEvent, TraderHistory, TraderKey, TraderSurveillance, TraderSurveillanceTables,
};
