//! Stress scenarios: what a scope would gain or lose if prices moved as a scenario says.
//!
//! The P&L of a position is its market value times the shock of its symbol, or else of its asset class, rounded once; a scope's is the sum
//! over its positions. It is money, and exact.

use std::collections::BTreeMap;
use std::sync::Arc;

use headwater_schemas::events::AssetClass;
use headwater_schemas::value::fixed;
use headwater_schemas::{Decimal, Money, Symbol, Text};
use serde::{Deserialize, Serialize};

/// A scenario: changes of prices.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StressScenario {
    /// Its name.
    pub name: Text,
    /// The shocks of the instruments of asset classes.
    #[serde(default)]
    pub asset_classes: BTreeMap<AssetClass, Shock>,
    /// The shocks of symbols, before those of their asset classes.
    #[serde(default)]
    pub symbols: BTreeMap<Symbol, Shock>,
}

/// A relative change of a price: -0.2 takes a fifth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Shock(#[serde(with = "headwater_schemas::value::decimal_text")] pub Decimal);

/// The shocks of a symbol in all scenarios.
pub(in crate::valuation) type Shocks = Arc<[Shock]>;

impl StressScenario {
    /// The greatest magnitude of a shock.
    const GREATEST: Decimal = Decimal::whole(100);

    /// The shock of an instrument; none where the scenario names neither its symbol nor its asset class.
    fn shock(&self, symbol: &Symbol, asset_class: AssetClass) -> Shock {
        let shock = self.symbols.get(symbol).or_else(|| self.asset_classes.get(&asset_class));
        shock.copied().unwrap_or_default()
    }

    /// The shocks of an instrument in all scenarios.
    pub(in crate::valuation) fn shocks(scenarios: &[Self], symbol: &Symbol, asset_class: AssetClass) -> Shocks {
        scenarios.iter().map(|scenario| scenario.shock(symbol, asset_class)).collect()
    }

    /// The problems of scenarios, one sentence each.
    pub(super) fn problems(scenarios: &[Self]) -> Vec<String> {
        let mut problems = Vec::new();
        for (place, scenario) in scenarios.iter().enumerate() {
            let name = &scenario.name;
            if name.is_empty() {
                problems.push(format!("risk.stress: scenario {} has no name; give one", place + 1));
            }
            if scenarios.iter().take(place).any(|before| before.name == *name) {
                problems.push(format!("risk.stress: {name:?} is there twice; give each scenario a name of its own"));
            }
            let of_classes = scenario.asset_classes.iter().map(|(class, shock)| (class.to_string(), shock));
            let of_symbols = scenario.symbols.iter().map(|(symbol, shock)| (symbol.to_string(), shock));
            for (of, Shock(shock)) in of_classes.chain(of_symbols) {
                if !(-Self::GREATEST.units()..=Self::GREATEST.units()).contains(&shock.units()) {
                    problems.push(format!(
                        "risk.stress: {name:?} changes {of} by {shock} times its price: give a shock between -100 and 100, such as -0.2 for a fifth less"
                    ));
                }
            }
            if scenario.asset_classes.is_empty() && scenario.symbols.is_empty() {
                problems.push(format!("risk.stress: {name:?} changes no price; give shocks in asset_classes or symbols"));
            }
        }
        problems
    }
}

impl Shock {
    /// The P&L of a market value, in billionths.
    pub(in crate::valuation) fn pnl(self, value: Money) -> i128 {
        // A value of at most 10^19 times a shock of at most 100 fits.
        fixed::wide_quotient(value.units(), self.0.units(), fixed::ONE).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shock(text: &str) -> Shock {
        Shock(text.parse().expect("a decimal"))
    }

    #[test]
    fn a_symbol_has_its_own_shock_or_that_of_its_asset_class() {
        let scenario = StressScenario {
            name: "crash".into(),
            asset_classes: [(AssetClass::Equity, shock("-0.2"))].into(),
            symbols: [(Symbol::derived("AAPL"), shock("-0.35"))].into(),
        };
        for (symbol, class, expected) in [
            ("AAPL", AssetClass::Equity, "-0.35"),
            ("AAPL", AssetClass::Option, "-0.35"),
            ("MSFT", AssetClass::Equity, "-0.2"),
            ("BTC", AssetClass::Crypto, "0"),
        ] {
            let shocks = StressScenario::shocks(std::slice::from_ref(&scenario), &Symbol::derived(symbol), class);
            assert_eq!(*shocks, [shock(expected)], "{symbol}");
        }
    }

    #[test]
    fn a_shock_of_a_value_is_rounded_once_and_never_overflows() {
        for (value, by, expected) in [
            (Money::whole(1000), "-0.2", -200_000_000_000),
            // 0.000000003 × 0.5 = 1.5 billionths, half to even.
            (Money::from_units(3), "0.5", 2),
            (Money::from_units(-(10_i128.pow(28) - 1)), "100", -100 * (10_i128.pow(28) - 1)),
        ] {
            assert_eq!(shock(by).pnl(value), expected, "{value} by {by}");
        }
    }

    #[test]
    fn problems_of_scenarios_are_named() {
        let of = |name: &str, symbols: &[(&str, &str)]| StressScenario {
            name: name.into(),
            symbols: symbols.iter().map(|(symbol, by)| (Symbol::derived(symbol), shock(by))).collect(),
            ..StressScenario::default()
        };
        let problems = StressScenario::problems(&[of("a", &[("S", "-1")]), of("a", &[("S", "101")]), of("", &[])]);
        assert_eq!(
            problems,
            [
                "risk.stress: \"a\" is there twice; give each scenario a name of its own",
                "risk.stress: \"a\" changes S by 101 times its price: give a shock between -100 and 100, such as -0.2 for a fifth less",
                "risk.stress: scenario 3 has no name; give one",
                "risk.stress: \"\" changes no price; give shocks in asset_classes or symbols",
            ]
        );
    }
}
