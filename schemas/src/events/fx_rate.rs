//! An exchange rate.

use super::json::event;
use crate::value::{EventTime, Factor, Id};

event! {
    /// What one unit of `base` costs in `quote`.
    FxRate {
        /// The currency that is priced.
        base: Id,
        /// The currency that it is priced in.
        quote: Id,
        /// Units of `quote` for one of `base`.
        rate: Factor,
        /// When.
        ts: EventTime,
    }
}
