//! Tables of risk.

use super::{AlertKind, AlertState, RiskMethod, Severity, tables};
use crate::events::LimitKind;
use crate::value::{Date, EventTime, Id, Scope, Statistic, Symbol, Text, Total};

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
