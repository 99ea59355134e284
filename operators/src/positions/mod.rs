//! Positions: what each account holds of each symbol, at average cost.
//!
//! - **Reads** executions of our own book and outside fills, in the order of their places.
//! - **Key**: the account. **Rows**: a [`HoldingSums`] per symbol, once per grid point, for valuations.
//! - **State**: the sums, exactly ([`average_cost`]), and the trades that a bust may still take back ([`recent`]).
//! - **A bust** folds the trades again without the fill that it names. One that comes before its fill waits for it, and then
//!   the fill never counts. One whose fill does not come within the horizon is a dead letter then (`unknown_reference`); so is
//!   one of a fill that is older than the horizon, which cannot be told from a fill that is still to come.
//! - **An execution** that the sums cannot hold is a dead letter of the order that made it; so is such a fill.
//! - A fill for an account that isn't opened yet counts; it rolls up into portfolios once the account is.

pub mod average_cost;
mod busts;
mod recent;
mod view;

pub use average_cost::{AverageCost, PositionMoney, Trade};
pub use view::{HoldingSums, PositionEvent, PositionState, PositionTables, Positions, SavedPositions};
