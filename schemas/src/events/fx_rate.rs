//! An exchange rate.

use super::checks::currency;
use super::json::event;
use super::{BadRecord, ErrorCode};
use crate::value::{Currency, EventTime, Factor, fixed};

event! {
    /// What one unit of `base` costs in `quote`.
    FxRate {
        /// The currency that is priced.
        #[schemars(extend("maxLength" = 12))]
        base: Currency,
        /// The currency that it is priced in.
        #[schemars(extend("maxLength" = 12))]
        quote: Currency,
        /// Units of `quote` for one of `base`.
        rate: Factor,
        /// When.
        ts: EventTime,
    }
}

impl FxRate {
    /// Whether both are currencies, and one unit of a currency costs one of itself.
    pub(super) fn check(&self) -> Result<(), BadRecord> {
        currency("base", &self.base)?;
        currency("quote", &self.quote)?;
        if self.base == self.quote && self.rate.units() != fixed::ONE {
            let message = format!("rate: one {} costs one {}, not {}; correct base or quote", self.base, self.quote, self.rate);
            return Err(BadRecord::new(ErrorCode::Inconsistent, message));
        }
        Ok(())
    }
}
