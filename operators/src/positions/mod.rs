//! Positions: the holdings of each account by symbol, at average cost or by lots.
//!
//! - **Reads** executions of our own book and fills of other venues, in the order of their places.
//! - **Key**: the account. **Rows**: a [`HoldingSums`] per symbol, once per grid point, for valuations; `lots`.
//! - **State**: the exact sums ([`average_cost`]), and the trades that a bust can still remove ([`recent`]). With `fifo` and `lifo`
//!   ([`settings`]) the open lots as well ([`lots`]), which determine the cost that a closing trade removes.
//! - **Another method** of an account than in the last run carries over what is open, when the run begins: as one lot with its cost,
//!   or at average cost. It is a trade of nothing, so a bust of an earlier fill applies everything as it was.
//! - **A bust** recomputes the sums without its fill. A bust that arrives before its fill waits for it, and then the fill never
//!   counts. If the fill does not arrive within the horizon, the bust is a dead letter (`unknown_reference`); so is the bust of a
//!   fill older than the horizon, because it cannot be distinguished from a fill that has not arrived.
//! - **An execution** that overflows the sums is a dead letter of the order that caused it; a fill that does is one itself.
//! - A fill of an account that is not opened yet counts; it is part of portfolios once the account is.

pub mod average_cost;
mod busts;
mod lot_rows;
mod lots;
mod recent;
mod settings;
#[cfg(test)]
mod tests;
mod view;

pub use average_cost::{AverageCost, PositionMoney, Trade};
pub use settings::PositionSettings;
pub use view::{FillChange, HoldingSums, PositionEvent, PositionState, PositionTables, PositionTimer, Positions, SavedPositions};
