//! Alerts of a process, one for each rule.

use std::collections::BTreeMap;

use headwater_schemas::tables::{Alert, AlertKind, AlertState, Severity, StepAlert, StepRule};
use headwater_schemas::{EventTime, Id, Text};

use crate::alerts::Raised;

/// A process, as the subject of alerts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    /// The kind of its alerts.
    pub(crate) kind: AlertKind,
    /// Its id.
    pub(crate) id: &'a Id,
}

/// Why an alert of a rule stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) rule: StepRule,
    pub(crate) severity: Severity,
    pub(crate) message: String,
    /// Ids of events besides the subject's.
    pub(crate) evidence: Vec<Id>,
}

/// The alerts of a process. Those that stand show the findings of their rules; findings are a function of the process, and not
/// kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct StepAlerts(BTreeMap<StepRule, Raised>);

impl StepAlerts {
    /// Whether the alert of a rule stands.
    pub(crate) fn stands(&self, rule: StepRule) -> bool {
        self.0.get(&rule).is_some_and(|raised| raised.stands())
    }

    /// Follows a change of the findings at an effective time.
    pub(crate) fn follow(&mut self, before: &[Finding], now: &[Finding], ts: EventTime) {
        for rule in StepRule::ALL.iter().copied() {
            let (before, now) = (of_rule(before, rule), of_rule(now, rule));
            let is_same = before == now && now.is_some() == self.stands(rule);
            let raised = self.0.get(&rule).copied();
            if let Some(next) = Raised::next(raised, now.map(|finding| finding.severity), end_of(rule), ts).filter(|_| !is_same) {
                self.0.insert(rule, next);
            }
        }
    }

    /// The rows of `alerts`. `findings` are those of the alerts that stand.
    pub(crate) fn rows(&self, subject: Subject<'_>, findings: &[Finding]) -> Vec<Alert> {
        let row = |(rule, raised): (&StepRule, &Raised)| {
            let finding = of_rule(findings, *rule).filter(|_| raised.stands());
            let message = finding.map_or_else(|| end_message(subject, *rule), |finding| finding.message.clone());
            let others = finding.into_iter().flat_map(|finding| &finding.evidence).cloned();
            let Subject { kind, id } = subject;
            Alert {
                alert_id: Id::shortened(&format!("{kind}:{rule}:{id}")),
                kind,
                rule: Text::new(rule.as_str()),
                severity: raised.severity,
                subject: id.clone(),
                state: raised.state,
                message: Text::from(message),
                evidence: std::iter::once(id.clone()).chain(others).collect(),
                ts: raised.ts,
            }
        };
        self.0.iter().map(row).collect()
    }

    /// The rows from which the alerts are restored.
    pub(crate) fn saved(&self, subject: Subject<'_>) -> Vec<StepAlert> {
        let Subject { kind, id } = subject;
        let row = |(rule, raised): (&StepRule, &Raised)| {
            let Raised { state, severity, ts } = *raised;
            StepAlert { kind, subject: id.clone(), rule: *rule, state, severity, ts }
        };
        self.0.iter().map(row).collect()
    }

    /// Restores an alert.
    pub(crate) fn restore(&mut self, row: &StepAlert) {
        let StepAlert { rule, state, severity, ts, .. } = *row;
        self.0.insert(rule, Raised { state, severity, ts });
    }
}

fn of_rule(findings: &[Finding], rule: StepRule) -> Option<&Finding> {
    findings.iter().find(|finding| finding.rule == rule)
}

/// The state of an alert whose finding is gone. Steps that are out of order stay so, unless a late one shows that they were not.
const fn end_of(rule: StepRule) -> AlertState {
    match rule {
        StepRule::OutOfOrder => AlertState::Withdrawn,
        StepRule::Stuck | StepRule::NotReversed | StepRule::Unreconciled => AlertState::Cleared,
    }
}

/// The message of an alert that is over. It depends on nothing that changes later.
fn end_message(Subject { kind, id }: Subject<'_>, rule: StepRule) -> String {
    let end = match rule {
        StepRule::Stuck => "is no longer stuck",
        StepRule::OutOfOrder => "has its steps in order, since a late one came",
        StepRule::NotReversed => "has nothing left to reverse",
        StepRule::Unreconciled => "no longer differs from the ledger",
    };
    format!("{kind} {id} {end}")
}
