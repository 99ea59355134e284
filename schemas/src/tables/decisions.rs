//! Tables of decisions and alerts.

use serde::{Deserialize, Serialize};

use super::cell::struct_list_cell;
use super::{AlertKind, AlertState, DecisionState, Severity, SubjectType, Verdict, tables};
use crate::value::{AccountId, EventTime, Id, Statistic, Text};

/// A rule that fired, or that could not be decided because a field is unknown.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Reason {
    /// The rule's name.
    pub rule: Text,
    /// Points that it adds to the score; 0 for a rule that could not be decided.
    pub points: Statistic,
    /// The features' values (`name=value`), then the ids of the events that they were computed from.
    pub evidence: Vec<Text>,
}

impl Reason {
    /// Evidence of a reason that names only the latest of its events.
    pub const EARLIER_EVENTS: &'static str = "(and earlier events)";

    /// The number of figures (`name=value`) with which evidence begins; ids of events follow them.
    pub fn figure_count<'e>(evidence: impl IntoIterator<Item = &'e str>) -> usize {
        evidence.into_iter().take_while(|text| is_figure(text)).count()
    }
}

/// Whether a text is `name=value`, with a name as packs have it.
fn is_figure(text: &str) -> bool {
    let is_name = |name: &str| {
        let is_part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        name.starts_with(|first: char| first.is_ascii_lowercase()) && name.bytes().all(is_part)
    };
    text.split_once('=').is_some_and(|(name, _)| is_name(name))
}

tables! {
    /// The decision of a ruleset about an event.
    State Decision = "decisions" by (decision_id) published by subject_id {
        /// `<ruleset>:<subject type>:<subject>`.
        decision_id: Id,
        /// Whether the decision is unchanged, amended or withdrawn.
        state: DecisionState,
        /// What the decision is about.
        subject_type: SubjectType,
        /// The transaction's or payment's id.
        subject_id: Id,
        /// The account, where there is one.
        account_id: Option<AccountId>,
        /// The name of the ruleset.
        ruleset: Text,
        /// The sum of the points.
        score: Statistic,
        /// The verdict.
        decision: Verdict,
        /// Each rule that fired, with points and evidence.
        reasons: Vec<Reason>,
        /// The event's own time.
        ts: EventTime,
    }

    /// An alert: something that a person should review.
    State Alert = "alerts" by (alert_id) published by subject {
        /// Derived from the rule, the subject and the event that raised it.
        alert_id: Id,
        /// The family of the alert.
        kind: AlertKind,
        /// The rule.
        rule: Text,
        /// The severity.
        severity: Severity,
        /// The subject of the alert.
        subject: Id,
        /// Whether the alert stands, and whether it was amended.
        state: AlertState,
        /// A sentence with the figures.
        message: Text,
        /// The ids of the events that caused it.
        evidence: Vec<Id>,
        /// Time of the last change of the alert.
        ts: EventTime,
    }
}

struct_list_cell!(Reason { rule: Text, points: Statistic, evidence: Vec<Text> });

#[cfg(test)]
mod tests {
    use super::super::TableRow;
    use super::*;

    #[test]
    fn evidence_begins_with_figures() {
        for (evidence, figures) in [
            (&["count_10m=6", "amount=7", "t1", "t2"][..], 2),
            (&["merchant=a=b", "(and earlier events)", "t1"], 1),
            (&["t1", "amount=7"], 0),
            (&["T=1"], 0),
            (&["=1"], 0),
            (&[], 0),
        ] {
            assert_eq!(Reason::figure_count(evidence.iter().copied()), figures, "{evidence:?}");
        }
    }

    #[test]
    fn a_decision_with_its_reasons_reads_back_from_arrow() -> Result<(), Box<dyn std::error::Error>> {
        let reason = |rule: &str, evidence: &[&str]| Reason {
            rule: rule.into(),
            points: Statistic::new(40.0).unwrap_or_default(),
            evidence: evidence.iter().map(|text| (*text).into()).collect(),
        };
        let decision = |id: &str, reasons| Decision {
            decision_id: Id::derived(id),
            state: DecisionState::Made,
            subject_type: SubjectType::Transaction,
            subject_id: Id::derived("t1"),
            account_id: None,
            ruleset: "banking".into(),
            score: Statistic::new(70.0).unwrap_or_default(),
            decision: Verdict::Block,
            reasons,
            ts: EventTime::from_nanos(-1),
        };
        let rows = vec![decision("a", vec![]), decision("b", vec![reason("velocity", &["count=6", "t0", "t1"]), reason("amount", &[])])];
        assert_eq!(Decision::read_all(&Decision::batch(&rows)?)?, rows);
        Ok(())
    }
}
