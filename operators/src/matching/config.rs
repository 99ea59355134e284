//! Configuration of matching.

use std::collections::BTreeSet;

use headwater_schemas::tables::Liquidity;
use headwater_schemas::value::{Decimal, Factor, Money, Price, Quantity, Symbol, fixed};
use serde::{Deserialize, Serialize};

/// Configuration of matching. By default there are no fees and no restrictions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MatchingConfig {
    /// Fee of the resting order, in basis points of the match's value; negative for a rebate.
    #[serde(with = "headwater_schemas::value::decimal_text")]
    pub maker_fee_bps: Decimal,
    /// Fee of the incoming order, in basis points.
    #[serde(with = "headwater_schemas::value::decimal_text")]
    pub taker_fee_bps: Decimal,
    /// Fee of both sides of an auction match, in basis points.
    #[serde(with = "headwater_schemas::value::decimal_text")]
    pub auction_fee_bps: Decimal,
    /// Symbols that may not be traded: new orders and amendments are rejected, cancels are not.
    pub restricted_symbols: BTreeSet<Symbol>,
}

impl MatchingConfig {
    /// The fee of one side of a match: the rate × |price × quantity × multiplier|, rounded half to even to nine digits. A fee
    /// that does not fit a column is cut to the greatest one that does. This happens only if the multiplier grew after the order
    /// was accepted, because acceptance checks the order's value.
    pub(super) fn fee(&self, liquidity: Liquidity, price: Price, quantity: Quantity, multiplier: Factor) -> Money {
        let rate = match liquidity {
            Liquidity::Maker => self.maker_fee_bps,
            Liquidity::Taker => self.taker_fee_bps,
            Liquidity::Auction => self.auction_fee_bps,
        };
        if rate.is_zero() {
            return Money::ZERO;
        }
        let value = Money::notional(price, quantity, multiplier).map(Money::magnitude);
        let fee = value.and_then(|value| fixed::quotient(value.units(), rate.units(), 10_000 * fixed::ONE));
        Money::from_units(fee.unwrap_or(fixed::MAX_UNITS * rate.units().signum()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Result<MatchingConfig, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn fees_are_a_rate_of_the_value_rounded_half_to_even() {
        let config = config("maker_fee_bps = '-0.2'\ntaker_fee_bps = 5\nauction_fee_bps = '1'").unwrap();
        let fee = |liquidity, price: &str, quantity: &str, multiplier| {
            config.fee(liquidity, price.parse().unwrap(), quantity.parse().unwrap(), Factor::whole(multiplier)).to_string()
        };
        assert_eq!(fee(Liquidity::Taker, "100", "10", 1), "0.5");
        assert_eq!(fee(Liquidity::Maker, "100", "10", 1), "-0.02");
        assert_eq!(fee(Liquidity::Auction, "100", "10", 50), "5");
        // A negative price has the same fee as its magnitude.
        assert_eq!(fee(Liquidity::Taker, "-100", "10", 1), "0.5");
        // 0.000025 × 0.0001 is 2.5 billionths, 0.000035 × 0.0001 is 3.5.
        assert_eq!(fee(Liquidity::Auction, "0.000025", "1", 1), "0.000000002");
        assert_eq!(fee(Liquidity::Auction, "0.000035", "1", 1), "0.000000004");
    }

    #[test]
    fn a_fee_beyond_what_a_column_holds_is_cut() {
        let config = config("taker_fee_bps = '-1'").unwrap();
        let huge = Quantity::from_units(fixed::MAX_UNITS);
        assert_eq!(config.fee(Liquidity::Taker, Price::whole(2), huge, Factor::whole(1)).units(), -fixed::MAX_UNITS);
    }

    #[test]
    fn what_is_not_known_or_not_exact_is_refused() {
        assert_eq!(config(""), Ok(MatchingConfig::default()));
        assert!(config("maker_bps = 1").is_err_and(|error| error.contains("unknown field")));
        assert!(config("maker_fee_bps = 0.1").is_err_and(|error| error.contains("as text")));
        assert!(config("restricted_symbols = ['GME']").is_ok_and(|config| config.restricted_symbols.contains(&Symbol::derived("GME"))));
    }
}
