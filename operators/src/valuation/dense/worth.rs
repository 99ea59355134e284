//! Contributions of a position, or of an account's cash, to a scope.

use headwater_schemas::{Money, Tick};

use super::handles::SymbolHandle;
use super::part::{Pending, ScenarioChange, SumChange};
use super::scenarios::SymbolScenarios;
use crate::positions::PositionMoney;
use crate::valuation::pnl::Stake;
use crate::valuation::rates::Path;
use crate::valuation::risk::Shock;

/// The contribution of a position to the scopes of one currency.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Worth {
    sums: Valuation,
    scenarios: Exposure,
}

/// The value of a position in a currency.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Valuation {
    /// No contribution: its account belongs to no scope.
    #[default]
    Absent,
    /// It cannot be valued: there is no mark, or no rate.
    Unvalued,
    /// Its sums, in billionths.
    Valued {
        net: Money,
        cash: Money,
        realized: Money,
        unrealized: Money,
        /// Whether they are converted with a stale rate.
        is_stale: bool,
    },
}

/// The contribution of a position to the scenarios.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Exposure {
    #[default]
    Absent,
    LeftOut,
    Counted {
        stake: Stake,
        is_filled: bool,
    },
}

impl Valuation {
    /// Of a holding without trades.
    pub(super) const NOTHING: Self =
        Self::Valued { net: Money::ZERO, cash: Money::ZERO, realized: Money::ZERO, unrealized: Money::ZERO, is_stale: false };

    /// The value of a position after conversion. Each conversion rounds once.
    pub(super) fn of(position: Option<(PositionMoney, Money)>, path: Option<Path>) -> Self {
        Self::converted(position, path).unwrap_or(Self::Unvalued)
    }

    fn converted(position: Option<(PositionMoney, Money)>, path: Option<Path>) -> Option<Self> {
        let ((money, value), path) = (position?, path?);
        Some(Self::Valued {
            net: path.convert(value)?,
            cash: path.convert(money.cash_flow)?,
            realized: path.convert(money.realized)?,
            unrealized: path.convert(value.checked_sub(money.cost)?)?,
            is_stale: path.is_stale(),
        })
    }

    pub(super) fn net(self) -> Option<Money> {
        match self {
            Self::Valued { net, .. } => Some(net),
            Self::Absent | Self::Unvalued => None,
        }
    }

    fn add_to(self, sums: &mut SumChange, sign: i128) {
        match self {
            Self::Absent => {}
            Self::Unvalued => sums.unvalued += count(true, sign),
            Self::Valued { net, cash, realized, unrealized, is_stale } => {
                sums.stale += count(is_stale, sign);
                sums.net += sign * net.units();
                sums.gross += sign * net.magnitude().units();
                sums.cash += sign * cash.units();
                sums.realized += sign * realized.units();
                sums.unrealized += sign * unrealized.units();
            }
        }
    }
}

/// The change of a count by a value that is added or, with a negative sign, removed.
const fn count(counts: bool, sign: i128) -> i64 {
    match (counts, sign < 0) {
        (false, _) => 0,
        (true, true) => -1,
        (true, false) => 1,
    }
}

impl Exposure {
    /// The exposure of a position that is not flat.
    fn of(position: PositionScenarios<'_>, valuation: Valuation) -> Self {
        let Some(net) = valuation.net() else {
            return if valuation == Valuation::Absent { Self::Absent } else { Self::LeftOut };
        };
        let Some(scenarios) = position.scenarios else { return Self::LeftOut };
        let stake = if scenarios.is_absolute { position.point_value } else { Some(net) }.map(Stake::of);
        match stake.filter(|stake| scenarios.returns.can_take(*stake)) {
            Some(stake) => Self::Counted { stake, is_filled: scenarios.is_filled },
            None => Self::LeftOut,
        }
    }

    fn stake(self) -> Stake {
        match self {
            Self::Counted { stake, .. } => stake,
            Self::Absent | Self::LeftOut => Stake::default(),
        }
    }

    fn count(self, change: &mut ScenarioChange, sign: i64) {
        match self {
            Self::Absent => {}
            Self::LeftOut => change.left_out += sign,
            Self::Counted { is_filled, .. } => {
                change.counted += sign;
                change.filled += if is_filled { sign } else { 0 };
            }
        }
    }
}

impl Worth {
    /// Replaces the contribution, and adds the difference to a part.
    pub(super) fn update(&mut self, symbol: SymbolHandle, sums: Valuation, position: PositionScenarios<'_>, part: &mut Pending) {
        let [before, now] = position.shocks;
        let (old, new) = (self.sums.net().unwrap_or_default(), sums.net().unwrap_or_default());
        if !(before.is_empty() && now.is_empty()) && (old, before) != (new, now) {
            part.replace_stress([(old, before), (new, now)]);
        }
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
        let scenarios = if position.is_flat { Exposure::Absent } else { Exposure::of(position, sums) };
        if scenarios != self.scenarios {
            let change = part.scenarios.get_or_insert_with(|| ScenarioChange::nothing(position.since, position.count));
            self.scenarios.count(change, -1);
            scenarios.count(change, 1);
            let (old, new) = (self.scenarios.stake(), scenarios.stake());
            if let Some(scenarios) = position.scenarios.filter(|_| old != new) {
                change.sums.replace(scenarios.returns, old, new);
            }
            self.scenarios = scenarios;
        }
    }

    /// The stake to which the returns of its symbol are applied; `None` if the scenarios do not include it.
    pub(super) const fn stake(&self) -> Option<Stake> {
        match self.scenarios {
            Exposure::Counted { stake, .. } => Some(stake),
            Exposure::Absent | Exposure::LeftOut => None,
        }
    }

    /// Discards its contribution to outdated scenarios.
    pub(super) const fn forget_scenarios(&mut self) {
        self.scenarios = Exposure::Absent;
    }
}

/// The current scenarios for one position.
#[derive(Clone, Copy, Debug)]
pub(super) struct PositionScenarios<'a> {
    /// The scenarios of its symbol, if it has any.
    pub(super) scenarios: Option<SymbolScenarios<'a>>,
    /// The number of scenarios.
    pub(super) count: usize,
    /// The first tick with these scenarios.
    pub(super) since: Tick,
    /// Whether the position is flat.
    pub(super) is_flat: bool,
    /// P&L of a price change of one, in the currency of the scope. Only for scenarios of absolute price changes.
    pub(super) point_value: Option<Money>,
    /// The shocks of its symbol in the stress scenarios, at the last valuation and now.
    pub(super) shocks: [&'a [Shock]; 2],
}
