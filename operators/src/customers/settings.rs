//! Settings of customers' views.

use std::collections::BTreeMap;

use headwater_schemas::value::fixed;
use headwater_schemas::{Decimal, Text};
use serde::{Deserialize, Serialize};

/// Section `[customers]`. Fractions are from 0 to 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CustomerSettings {
    /// How far a mark has to come back from a watched price before it can reach it again, as a fraction of that price. Default
    /// 0.005.
    #[serde(with = "headwater_schemas::value::decimal_text")]
    pub price_hysteresis: Decimal,
    /// Spending categories of merchants, by words of their names; they go before the built-in ones. Default: none.
    pub merchants: BTreeMap<String, Text>,
    /// The part of a budget from which on there is a warning, for budgets that give none. Default 0.8.
    #[serde(with = "headwater_schemas::value::decimal_text")]
    pub budget_threshold: Decimal,
    /// How much more than on the same days of the month before is a spike, as a fraction of that; 0 or more. Default 0.3.
    #[serde(with = "headwater_schemas::value::decimal_text")]
    pub spike: Decimal,
    /// The amount, in the currency of the purchases, below which a month is no spike. Default 100.
    #[serde(with = "headwater_schemas::value::decimal_text")]
    pub spike_minimum: Decimal,
}

impl Default for CustomerSettings {
    fn default() -> Self {
        Self {
            price_hysteresis: Decimal::from_units(5_000_000),
            merchants: BTreeMap::new(),
            budget_threshold: Decimal::from_units(800_000_000),
            spike: Decimal::from_units(300_000_000),
            spike_minimum: Decimal::whole(100),
        }
    }
}

impl CustomerSettings {
    /// What is wrong with the settings, one sentence each.
    pub fn problems(&self) -> Vec<String> {
        let is_fraction = |value: Decimal| (0..=fixed::ONE).contains(&value.units());
        let mut problems = Vec::new();
        for (key, value, example) in [
            ("price_hysteresis", self.price_hysteresis, "0.005 is half a percent"),
            ("budget_threshold", self.budget_threshold, "0.8 is 80 %"),
        ] {
            if !is_fraction(value) {
                problems.push(format!("customers.{key}: {value} is no fraction from 0 to 1; {example}"));
            }
        }
        for (key, value) in [("spike", self.spike), ("spike_minimum", self.spike_minimum)] {
            if value.units() < 0 {
                problems.push(format!("customers.{key}: {value} is negative; write 0 or more"));
            }
        }
        problems
    }
}
