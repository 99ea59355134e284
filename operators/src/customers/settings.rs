//! Settings of customers' views.

use headwater_schemas::Decimal;
use headwater_schemas::value::fixed;
use serde::{Deserialize, Serialize};

/// Section `[customers]`. Fractions are from 0 to 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CustomerSettings {
    /// How far a mark has to come back from a watched price before it can reach it again, as a fraction of that price. Default
    /// 0.005.
    #[serde(with = "headwater_schemas::value::decimal_text")]
    pub price_hysteresis: Decimal,
}

impl Default for CustomerSettings {
    fn default() -> Self {
        Self { price_hysteresis: Decimal::from_units(5_000_000) }
    }
}

impl CustomerSettings {
    /// What is wrong with the settings, one sentence each.
    pub fn problems(&self) -> Vec<String> {
        let value = self.price_hysteresis;
        let is_fraction = (0..=fixed::ONE).contains(&value.units());
        let problem = || format!("customers.price_hysteresis: {value} is no fraction from 0 to 1; 0.005 is half a percent");
        (!is_fraction).then(problem).into_iter().collect()
    }
}
