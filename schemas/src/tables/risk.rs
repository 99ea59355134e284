//! Tables of risk.

use serde::{Deserialize, Serialize};

use super::cell::struct_list_cell;
use super::{AlertKind, AlertState, RiskMethod, Severity, tables};
use crate::events::LimitKind;
use crate::value::{Currency, Date, EventTime, Id, Scope, Statistic, Symbol, Text, Total};

/// What a part of a scope adds to its historical estimates.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RiskComponent {
    /// A symbol of an account, or a child scope of a book.
    pub component: Text,
    /// Its loss in the scenario of the scope's VaR. The components of a scope add up to its VaR.
    pub component_var: Total,
    /// Its mean loss beyond that. The components of a scope add up to its expected shortfall.
    pub component_es: Total,
}

tables! {
    /// Value at risk and expected shortfall of a scope over one day.
    State Risk = "risk" by (scope, method, confidence) {
        /// `account:ID` or `book:PATH`.
        scope: Scope,
        /// The method of estimation.
        method: RiskMethod,
        /// The confidence, between 0 and 1.
        confidence: Statistic,
        /// The configured number of daily returns.
        window: u64,
        /// The available number of daily returns.
        observations: u64,
        /// The loss not exceeded with that confidence, positive for a loss, in the scope's currency; exact, the P&L of one
        /// scenario.
        var: Total,
        /// The mean loss beyond the VaR, positive for a loss.
        expected_shortfall: Total,
        /// Number of positions that the scenarios leave out (a gap in the symbol's closes, no mark, no rate).
        left_out: u64,
        /// Number of positions whose symbol had no close on a scenario date, so that its last close was carried.
        filled: u64,
        /// What each symbol of an account, or each child of a book, adds to the historical estimates, in the order of their names.
        components: Vec<RiskComponent>,
        /// The grid point at which the row last changed.
        ts: EventTime,
    }

    /// What a scope would gain or lose if prices moved as a stress scenario says.
    State StressResult = "stress" by (scope, scenario) {
        /// `account:ID` or `book:PATH`.
        scope: Scope,
        /// The name of the scenario.
        scenario: Text,
        /// The currency of the scope.
        currency: Currency,
        /// The profit, or the loss below zero. Positions that cannot be valued are left out: `portfolios.unvalued` counts them.
        pnl: Total,
        /// The grid point at which the row last changed.
        ts: EventTime,
    }

    /// A symbol that the scenarios leave out, because its closes have a gap.
    Checkpoint RiskGap = "risk_gaps" by (symbol) {
        /// The symbol.
        symbol: Symbol,
        /// The first scenario date without a close.
        from_date: Date,
        /// The last scenario date of the gap.
        to_date: Date,
        /// Why an earlier close is not carried.
        reason: Text,
        /// The grid point at which the row last changed.
        ts: EventTime,
    }

    /// A standing limit alert, and the figure that it belongs to. State of the limits, which need not read all alerts ever
    /// raised.
    Checkpoint LimitAlertState = "limit_alerts" by (alert_id) {
        /// The alert.
        alert_id: Id,
        /// The family of the alert.
        family: AlertKind,
        /// The rule.
        rule: Text,
        /// The severity.
        severity: Severity,
        /// The subject of the alert.
        subject: Id,
        /// The state of the alert.
        state: AlertState,
        /// The message of the alert.
        message: Text,
        /// The ids of the events that caused it.
        evidence: Vec<Id>,
        /// The scope.
        scope: Scope,
        /// The limit's kind.
        kind: LimitKind,
        /// The position's symbol, for a position's value.
        symbol: Option<Symbol>,
        /// Whether the alert stands only because the figure is incomplete.
        is_kept: bool,
        /// Time of the last change of the alert.
        ts: EventTime,
    }
}

struct_list_cell!(RiskComponent { component: Text, component_var: Total, component_es: Total });

#[cfg(test)]
mod tests {
    use super::super::TableRow;
    use super::*;

    #[test]
    fn risk_with_its_components_reads_back_from_arrow() -> Result<(), Box<dyn std::error::Error>> {
        let component = |component: &str, var: i64, shortfall: i64| RiskComponent {
            component: component.into(),
            component_var: Total::whole(var),
            component_es: Total::whole(shortfall),
        };
        let risk = |scope: &str, components| Risk {
            scope: Scope::derived(scope),
            method: RiskMethod::Historical,
            confidence: Statistic::new(0.99).unwrap_or_default(),
            window: 252,
            observations: 252,
            var: Total::whole(7),
            expected_shortfall: Total::whole(9),
            left_out: 0,
            filled: 0,
            components,
            ts: EventTime::from_nanos(5),
        };
        let rows = vec![risk("account:a", vec![component("A", 10, 11), component("B", -3, -2)]), risk("account:b", vec![])];
        assert_eq!(Risk::read_all(&Risk::batch(&rows)?)?, rows);
        Ok(())
    }
}
