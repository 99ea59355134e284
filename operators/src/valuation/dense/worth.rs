//! What a position, or an account's cash, adds to a scope.

use headwater_schemas::Money;

use super::handles::SymbolHandle;
use super::part::{Pending, ScenarioChange, SumChange};
use super::scenarios::Scenarios;
use crate::positions::AverageCost;
use crate::valuation::pnl::Stake;
use crate::valuation::rates::Path;

/// What a position adds to the scopes of one currency.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Worth {
    sums: Valuation,
    scenarios: Exposure,
}

/// A position in a currency.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Valuation {
    /// It adds nothing: its account belongs to no scope.
    #[default]
    Absent,
    /// It cannot be valued: there is no mark, or no rate.
    Unvalued,
    /// Its sums, in billionths.
    Valued { net: Money, cash: Money, realized: Money, unrealized: Money },
}

/// A position's share in the scenarios.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Exposure {
    #[default]
    Absent,
    LeftOut,
    Counted(Stake),
}

impl Valuation {
    /// The sums of a position. Each conversion rounds once.
    pub(super) fn of(sums: AverageCost, market_value: Option<Money>, path: Option<Path>) -> Self {
        Self::converted(sums, market_value, path).unwrap_or(Self::Unvalued)
    }

    fn converted(sums: AverageCost, market_value: Option<Money>, path: Option<Path>) -> Option<Self> {
        // A flat position needs no mark.
        let (value, path) = (if sums.quantity.is_zero() { Money::ZERO } else { market_value? }, path?);
        Some(Self::Valued {
            net: path.convert(value)?,
            cash: path.convert(sums.cash_flow)?,
            realized: path.convert(sums.realized)?,
            unrealized: path.convert(value.checked_sub(sums.cost)?)?,
        })
    }

    fn net(self) -> Option<Money> {
        match self {
            Self::Valued { net, .. } => Some(net),
            Self::Absent | Self::Unvalued => None,
        }
    }

    fn add_to(self, sums: &mut SumChange, sign: i128) {
        match self {
            Self::Absent => {}
            Self::Unvalued => sums.unvalued += if sign < 0 { -1 } else { 1 },
            Self::Valued { net, cash, realized, unrealized } => {
                sums.net += sign * net.units();
                sums.gross += sign * net.magnitude().units();
                sums.cash += sign * cash.units();
                sums.realized += sign * realized.units();
                sums.unrealized += sign * unrealized.units();
            }
        }
    }
}

impl Exposure {
    fn of(symbol: SymbolHandle, valuation: Valuation, scenarios: &Scenarios) -> Self {
        let Some(net) = valuation.net() else {
            return if valuation == Valuation::Absent { Self::Absent } else { Self::LeftOut };
        };
        let stake = Stake::of(net);
        let can_take = net.is_zero() || scenarios.returns(symbol).is_some_and(|returns| returns.can_take(stake));
        if can_take { Self::Counted(stake) } else { Self::LeftOut }
    }

    fn stake(self) -> Stake {
        match self {
            Self::Counted(stake) => stake,
            Self::Absent | Self::LeftOut => Stake::default(),
        }
    }

    fn count(self, change: &mut ScenarioChange, sign: i64) {
        match self {
            Self::Absent => {}
            Self::LeftOut => change.left_out += sign,
            Self::Counted(_) => change.counted += sign,
        }
    }
}

impl Worth {
    /// Becomes another one, and adds the difference to a part.
    pub(super) fn update(&mut self, symbol: SymbolHandle, sums: Valuation, current: &CurrentScenarios<'_>, part: &mut Pending) {
        if sums != self.sums {
            self.sums.add_to(&mut part.sums, -1);
            sums.add_to(&mut part.sums, 1);
            let gross = |sums: Valuation| sums.net().map_or(0, |net| net.magnitude().units());
            let weight = gross(sums) - gross(self.sums);
            if weight != 0 {
                part.weights.push((symbol, weight));
            }
            self.sums = sums;
        }
        let scenarios = Exposure::of(symbol, sums, current.scenarios);
        if scenarios != self.scenarios {
            let count = current.scenarios.len();
            let change = part.scenarios.get_or_insert_with(|| ScenarioChange::nothing(current.since, count));
            self.scenarios.count(change, -1);
            scenarios.count(change, 1);
            let (old, new) = (self.scenarios.stake(), scenarios.stake());
            if let Some(returns) = current.scenarios.returns(symbol).filter(|_| old != new) {
                change.sums.replace(returns, old, new);
            }
            self.scenarios = scenarios;
        }
    }

    /// Forgets its share in scenarios that count no more.
    pub(super) const fn forget_scenarios(&mut self) {
        self.scenarios = Exposure::Absent;
    }
}

/// The scenarios, and the first tick with them as they are.
pub(super) struct CurrentScenarios<'a> {
    pub(super) scenarios: &'a Scenarios,
    pub(super) since: u64,
}
