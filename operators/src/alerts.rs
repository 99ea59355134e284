//! The lifecycle of alerts, the same in every view.
//!
//! ```text
//!              ┌── amended ◄─┐  its figures or its severity changed, or it stands again
//!  raised ─────┤      │      │
//!              ├── cleared ──┤  what it warns of is over
//!              └── withdrawn ┘  what it warned of turned out not to have happened
//! ```
//!
//! A view keeps the [`Raised`] of each alert in the rows from which it is restored, and derives the row of `alerts` from that and
//! from its own state.

use headwater_schemas::EventTime;
use headwater_schemas::tables::{AlertState, Severity};

/// An alert that was raised, and may have been cleared or withdrawn since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Raised {
    /// Where it is in its lifecycle.
    pub state: AlertState,
    /// The severity; of an alert that is over, the last one.
    pub severity: Severity,
    /// The effective time of its last change.
    pub ts: EventTime,
}

impl Raised {
    /// A new alert.
    pub const fn new(severity: Severity, ts: EventTime) -> Self {
        Self { state: AlertState::Raised, severity, ts }
    }

    /// Whether it asks for attention.
    pub const fn stands(self) -> bool {
        matches!(self.state, AlertState::Raised | AlertState::Amended)
    }

    /// The alert after a change: of `severity` while its condition holds, else over, in the state `end`. An alert that is over
    /// and whose condition holds again is amended: it keeps its id.
    pub fn next(before: Option<Self>, severity: Option<Severity>, end: AlertState, ts: EventTime) -> Option<Self> {
        match (before, severity) {
            (None, None) => None,
            (None, Some(severity)) => Some(Self::new(severity, ts)),
            (Some(_), Some(severity)) => Some(Self { state: AlertState::Amended, severity, ts }),
            (Some(over), None) if !over.stands() => Some(over),
            (Some(standing), None) => Some(Self { state: end, ts, ..standing }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_is_raised_once_and_ends_once() {
        let (high, low) = (Some(Severity::High), Some(Severity::Low));
        let mut alert = None;
        for (second, severity, end, expected) in [
            (1, None, AlertState::Cleared, None),
            (2, low, AlertState::Cleared, Some((AlertState::Raised, Severity::Low, 2))),
            (3, high, AlertState::Cleared, Some((AlertState::Amended, Severity::High, 3))),
            (4, None, AlertState::Cleared, Some((AlertState::Cleared, Severity::High, 4))),
            (5, None, AlertState::Withdrawn, Some((AlertState::Cleared, Severity::High, 4))),
            (6, low, AlertState::Cleared, Some((AlertState::Amended, Severity::Low, 6))),
            (7, None, AlertState::Withdrawn, Some((AlertState::Withdrawn, Severity::Low, 7))),
        ] {
            alert = Raised::next(alert, severity, end, EventTime::from_nanos(second));
            assert_eq!(alert.map(|alert| (alert.state, alert.severity, alert.ts.nanos())), expected, "{second}");
        }
    }
}
