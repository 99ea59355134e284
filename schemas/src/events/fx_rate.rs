//! Exchange rates.

use super::checks::currency;
use super::json::event;
use super::{BadRecord, ErrorCode};
use crate::value::{Currency, EventTime, Factor, fixed};

event! {
    /// The exchange rate of a pair of currencies.
    FxRate {
        /// The base currency, of which the rate prices one unit.
        #[schemars(extend("maxLength" = 12))]
        base: Currency,
        /// The quote currency, in which the rate is given.
        #[schemars(extend("maxLength" = 12))]
        quote: Currency,
        /// Units of `quote` per unit of `base`.
        rate: Factor,
        /// Time of the rate.
        ts: EventTime,
    }
}

impl FxRate {
    /// Checks that both are currencies, and that the rate of a currency to itself is one.
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
