//! Tables of suppressions.

use super::{SuppressionState, tables};
use crate::events::Suppression;
use crate::value::{EventTime, Text};

tables! {
    /// A person's decision not to be alerted by a rule for some time. Alerts are in `alerts` all the same.
    State AlertSuppression = "suppressions" by (rule, subject) {
        /// The rule.
        rule: Text,
        /// The subject of the alerts; `*` for every subject.
        subject: Text,
        /// Whether it holds.
        state: SuppressionState,
        /// Who decided it.
        author: Text,
        /// Why.
        justification: Text,
        /// The effective time from which it holds, without interruption.
        since: EventTime,
        /// The time at which it ends.
        expires_at: EventTime,
        /// The record's own time, if it has one.
        written: Option<EventTime>,
        /// The effective time of the last change.
        ts: EventTime,
    }
}

impl AlertSuppression {
    /// The subject of a suppression for every subject.
    pub const EVERY_SUBJECT: Text = Text::const_new(Suppression::EVERY_SUBJECT);
}
