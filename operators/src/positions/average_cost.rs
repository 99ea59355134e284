//! Average cost arithmetic.
//!
//! The state holds sums, not averages: `cost` is the exact cost of the open quantity. A closing trade removes the same fraction
//! of the cost as of the quantity, rounded half to even to nine digits once. Realized P&L is computed against the removed cost,
//! so nothing is lost: `realized = cash_flow + cost`, always, to the last digit.
//!
//! With lots ([`super::lots`]) only the removed cost is another one.
//!
//! Sums are price × quantity. The instrument's multiplier is a constant of the contract that is applied on output
//! ([`AverageCost::in_money`]): a multiplier that arrives late, or is corrected, applies as if it had been known from the start.
//!
//! ```
//! use headwater_operators::positions::{AverageCost, Trade};
//! use headwater_schemas::{Factor, Money, Quantity};
//!
//! let trade = |quantity, price: &str| Trade { quantity: Quantity::whole(quantity), price: price.parse().unwrap(), fee: Money::ZERO };
//! let bought = AverageCost::default().after(trade(30, "10")).unwrap();
//! let sold = bought.after(trade(-10, "13")).unwrap();
//! assert_eq!((sold.quantity, sold.average_price().to_string()), (Quantity::whole(20), "10".to_owned()));
//! assert_eq!(sold.in_money(Factor::whole(50)).unwrap().realized, Money::whole(1500));
//! ```

use headwater_schemas::value::fixed;
use headwater_schemas::{Factor, Money, Price, Quantity};
use serde::{Deserialize, Serialize};

/// A trade of a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Trade {
    /// Signed quantity: positive bought, negative sold.
    pub quantity: Quantity,
    /// The price.
    pub price: Price,
    /// The fee.
    pub fee: Money,
}

/// An open quantity, and the sums of its trades.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AverageCost {
    /// Signed quantity: positive long, negative short.
    pub quantity: Quantity,
    /// Cost of the open quantity, as price × quantity; negative if short.
    pub cost: Money,
    /// Total proceeds of all trades, as price × quantity, without fees.
    pub cash_flow: Money,
    /// Total fees.
    pub fees: Money,
}

/// The signed quantities of a trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parts {
    /// What closes the open quantity.
    pub(super) closing: Quantity,
    /// What opens.
    pub(super) opening: Quantity,
}

/// The sums of a position in the instrument's currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PositionMoney {
    /// Cost of the open quantity; negative if short.
    pub cost: Money,
    /// Total proceeds of all trades, net of fees.
    pub cash_flow: Money,
    /// Proceeds of closing trades less their cost and less all fees: `cash_flow + cost`.
    pub realized: Money,
}

impl AverageCost {
    /// The state after a trade at average cost; `None` if a sum would not fit a column.
    #[must_use = "the state itself does not change"]
    pub fn after(self, trade: Trade) -> Option<Self> {
        let parts = self.split(trade.quantity)?;
        self.after_parts(trade, parts, self.cost_of(parts.closing)?)
    }

    /// The state after a trade whose closing part removes the cost `removed`; `None` if a sum would not fit a column.
    pub(super) fn after_parts(self, trade: Trade, parts: Parts, removed: Money) -> Option<Self> {
        let one = Factor::whole(1);
        let closed = Money::notional(trade.price, parts.closing, one)?;
        let opened = Money::notional(trade.price, parts.opening, one)?;
        let after = Self {
            quantity: self.quantity.checked_add(trade.quantity)?,
            cost: self.cost.checked_sub(removed)?.checked_add(opened)?,
            cash_flow: self.cash_flow.checked_sub(closed)?.checked_sub(opened)?,
            fees: self.fees.checked_add(trade.fee)?,
        };
        after.in_money(one).map(|_| after)
    }

    /// The sums with the instrument's multiplier; `None` if one would not fit a column.
    pub fn in_money(self, multiplier: Factor) -> Option<PositionMoney> {
        let cost = self.cost.times(multiplier)?;
        let cash_flow = self.cash_flow.times(multiplier)?.checked_sub(self.fees)?;
        Some(PositionMoney { cost, cash_flow, realized: cash_flow.checked_add(cost)? })
    }

    /// The part of a trade that closes the open quantity, and the part that opens.
    pub(super) fn split(self, quantity: Quantity) -> Option<Parts> {
        let opposite = (self.quantity.units() < 0) != (quantity.units() < 0);
        if self.quantity.is_zero() || !opposite {
            return Some(Parts { closing: Quantity::ZERO, opening: quantity });
        }
        let size = quantity.magnitude().min(self.quantity.magnitude());
        let closing = if quantity.units() < 0 { size.negated() } else { size };
        Some(Parts { closing, opening: quantity.checked_sub(closing)? })
    }

    /// The cost of a part of the open quantity. The result has the sign of the cost; the part's sign is ignored.
    fn cost_of(self, closing: Quantity) -> Option<Money> {
        if closing.is_zero() {
            return Some(Money::ZERO);
        }
        fixed::quotient(self.cost.units(), closing.magnitude().units(), self.quantity.magnitude().units()).map(Money::from_units)
    }

    /// The average price of the open quantity, rounded half to even to nine digits; 0 when flat.
    ///
    /// It is for display, and as exact as the cost, which has nine digits: the rounding of the cost, half a billionth for each trade,
    /// is divided by the quantity. So of a millionth it may be off by half a thousandth, and of less by more. No sum is computed from it.
    pub fn average_price(self) -> Price {
        let per_unit = fixed::quotient(self.cost.units(), fixed::ONE, self.quantity.units());
        Price::from_units(per_unit.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn money(text: &str) -> Money {
        text.parse().expect("a sum")
    }

    fn trade(quantity: i64, price: &str, fee: &str) -> Trade {
        Trade { quantity: Quantity::whole(quantity), price: price.parse().expect("a price"), fee: money(fee) }
    }

    fn in_money(state: AverageCost) -> PositionMoney {
        state.in_money(Factor::whole(1)).expect("no overflow")
    }

    /// Fees of 0.1 % of the notional.
    #[test]
    fn buys_and_sells_with_fees_keep_the_average_on_closing() {
        // (trade, average price, realized to nine digits)
        let steps = [
            (trade(12, "10000", "120"), "10000", "-120"),
            (trade(17, "9999", "169.983"), "9999.413793103", "-289.983"),
            (trade(-9, "10001", "90.009"), "9999.413793103", "-365.716137931"),
            (trade(3, "10003", "30.009"), "9999.88155922", "-395.725137931"),
            (trade(-4, "10005", "40.02"), "9999.88155922", "-415.271374813"),
        ];
        let mut state = AverageCost::default();
        for (trade, average, realized) in steps {
            state = state.after(trade).expect("no overflow");
            assert_eq!(state.average_price().to_string(), average);
            assert_eq!(in_money(state).realized, money(realized));
        }
    }

    #[test]
    fn cases() {
        // (trades, quantity, cost, realized, cash flow)
        type Case<'a> = (&'a str, &'a [Trade], i64, &'a str, &'a str, &'a str);
        let cases: &[Case<'_>] = &[
            ("a short is closed with a gain", &[trade(-10, "50", "0"), trade(10, "40", "0")], 0, "0", "100", "100"),
            ("through zero: only what was open is realized", &[trade(10, "50", "0"), trade(-15, "60", "0")], -5, "-300", "100", "400"),
            ("flat with a fee", &[trade(1, "10", "1"), trade(-1, "10", "1")], 0, "0", "-2", "-2"),
            ("a third is rounded once", &[trade(3, "10", "0"), trade(-1, "10", "0")], 2, "20", "0", "-20"),
            ("negative prices", &[trade(2, "-5", "0"), trade(-2, "-3", "0")], 0, "0", "4", "4"),
        ];
        for (name, trades, quantity, cost, realized, cash) in cases {
            let state = trades.iter().try_fold(AverageCost::default(), |state, trade| state.after(*trade)).expect(name);
            let expected = PositionMoney { cost: money(cost), cash_flow: money(cash), realized: money(realized) };
            assert_eq!((state.quantity, in_money(state)), (Quantity::whole(*quantity), expected), "{name}");
        }
    }

    #[test]
    fn the_average_of_a_tiny_quantity_shows_the_rounding_of_its_cost_and_no_money_is_lost() {
        let tiny = |units: i128, price: &str| Trade { quantity: Quantity::from_units(units), ..trade(0, price, "0") };
        // 0.000000001 × 123.456 is 0.000000123456; 0.000000001 × 0.4 is no billionth.
        for (units, price, average, cost) in [
            (1, "123.456", "123", "0.000000123"),
            (1, "0.4", "0", "0"),
            (1_000, "123.4567", "123.457", "0.000123457"),
            (1_000_000, "123.456789", "123.456789", "0.123456789"),
        ] {
            let bought = AverageCost::default().after(tiny(units, price)).expect("no overflow");
            assert_eq!((bought.average_price().to_string().as_str(), bought.cost), (average, money(cost)));
            let sold = bought.after(tiny(-units, price)).expect("no overflow");
            assert_eq!(in_money(sold), PositionMoney::default(), "bought and sold at one price");
        }
    }

    #[test]
    fn a_multiplier_scales_money_but_not_the_average() {
        let trades = [trade(3, "4000", "1"), trade(-1, "4010", "1")];
        let state = trades.into_iter().try_fold(AverageCost::default(), AverageCost::after).expect("no overflow");
        assert_eq!(state.average_price().to_string(), "4000");
        let expected = PositionMoney { cost: money("400000"), cash_flow: money("-399502"), realized: money("498") };
        assert_eq!(state.in_money(Factor::whole(50)), Some(expected));
        assert_eq!(state.in_money(Factor::whole(i64::MAX)), None);
    }

    proptest! {
        #[test]
        fn nothing_is_lost(trades in proptest::collection::vec((-1_000_000_000_000_i128..1_000_000_000_000, -1_000_000_000_000_i128..9_000_000_000_000, 0..1_000_000_000_i128), 1..40)) {
            let mut state = AverageCost::default();
            for (quantity, price, fee) in trades {
                let trade = Trade { quantity: Quantity::from_units(quantity), price: Price::from_units(price), fee: Money::from_units(fee) };
                state = state.after(trade).expect("no overflow");
                let money = in_money(state);
                prop_assert_eq!(money.realized.units(), money.cash_flow.units() + money.cost.units());
                prop_assert!(!state.quantity.is_zero() || state.cost.is_zero());
            }
        }
    }
}
