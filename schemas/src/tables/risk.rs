//! What could be lost.

use super::{AlertKind, AlertState, RiskMethod, Severity, tables};
use crate::events::LimitKind;
use crate::value::{Date, EventTime, Id, Scope, Statistic, Symbol, Text, Total};

tables! {
    /// Value at risk and expected shortfall of a scope over one day.
    State Risk = "risk" by (scope, method, confidence) {
        /// `account:ID` or `book:PATH`.
        scope: Scope,
        /// How it was estimated.
        method: RiskMethod,
        /// The confidence, between 0 and 1.
        confidence: Statistic,
        /// How many daily returns the configuration asks for.
        window: u64,
        /// How many there were.
        observations: u64,
        /// The loss not exceeded with that confidence, positive for a loss, in the scope's currency; exact, a scenario's own P&L.
        var: Total,
        /// The mean loss beyond it, positive for a loss.
        expected_shortfall: Total,
        /// The positions that the scenarios leave out (a gap in the symbol's closes, no mark, no rate).
        left_out: u64,
        /// The positions whose symbol had no close on a scenario date and carried its last one.
        filled: u64,
        /// The grid point at which the row became what it is.
        ts: EventTime,
    }

    /// A symbol that the scenarios leave out, because its closes have a gap.
    Checkpoint RiskGap = "risk_gaps" by (symbol) {
        /// The symbol.
        symbol: Symbol,
        /// The first scenario date that it has no close for.
        from_date: Date,
        /// The last one of the gap.
        to_date: Date,
        /// Why a close before it is not carried.
        reason: Text,
        /// The grid point at which the row became what it is.
        ts: EventTime,
    }

    /// A limit alert that stands, and the measure that it belongs to. State of the limits, which so read no alert again that
    /// was ever raised.
    Checkpoint LimitAlertState = "limit_alerts" by (alert_id) {
        /// The alert.
        alert_id: Id,
        /// Its family.
        family: AlertKind,
        /// Its rule.
        rule: Text,
        /// How much it matters.
        severity: Severity,
        /// Whom or what it is about.
        subject: Id,
        /// What became of it last.
        state: AlertState,
        /// Its sentence.
        message: Text,
        /// The ids behind it.
        evidence: Vec<Id>,
        /// The scope.
        scope: Scope,
        /// The limit's kind.
        kind: LimitKind,
        /// The position's symbol, for a position's value.
        symbol: Option<Symbol>,
        /// Whether the alert stands only because the figure leaves something out.
        is_kept: bool,
        /// When the alert became what it is.
        ts: EventTime,
    }
}
