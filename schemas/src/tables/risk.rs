//! What could be lost.

use super::{RiskMethod, tables};
use crate::events::LimitKind;
use crate::value::{EventTime, Id, Money, Scope, Statistic, Symbol};

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
        var: Money,
        /// The mean loss beyond it, positive for a loss.
        expected_shortfall: Money,
        /// The positions that the scenarios leave out (a gap in the symbol's closes, no mark, no rate).
        left_out: u64,
        /// The grid point at which the row became what it is.
        ts: EventTime,
    }

    /// Which measure a standing limit alert belongs to. State of the limits.
    Checkpoint LimitAlertState = "limit_alerts" by (alert_id) {
        /// The alert.
        alert_id: Id,
        /// The scope.
        scope: Scope,
        /// The limit's kind.
        kind: LimitKind,
        /// The position's symbol, for a position's value.
        symbol: Option<Symbol>,
        /// When the alert became what it is.
        ts: EventTime,
    }
}
