//! The decision about a transaction, and its rows.

use headwater_schemas::tables::{Alert, AlertState, Amendment, Decision, DecisionState, Reason, Severity, Verdict};
use headwater_schemas::{Decimal, EventTime, Id, Statistic, Text};

use super::field::FieldSet;
use super::pack::{Ruleset, UNIT};
use super::record::Record;
use super::subject::GroupKey;
use crate::alerts::Raised;
use crate::small_map::SmallMap;

/// A decision, stored compactly for the common case that no rule fired.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Outcome {
    /// In billionths.
    pub(super) score: i64,
    pub(super) verdict: Verdict,
    pub(super) state: DecisionState,
    pub(super) grounds: Grounds,
}

/// The grounds of a decision.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Grounds {
    /// No rule fired, and all could be decided.
    #[default]
    Nothing,
    /// No rule fired; some could not be decided.
    Undecided(Box<[Undecided]>),
    /// Some rule fired, or the decision was amended.
    Found(Box<Found>),
}

/// A rule that could not be decided, and the fields that would have decided it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Undecided {
    pub(super) rule: u16,
    pub(super) fields: FieldSet,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Found {
    pub(super) reasons: Vec<Reason>,
    /// The ids in the reasons' evidence.
    pub(super) evidence: Vec<Id>,
    /// The last cause that changed the decision.
    pub(super) amended_by: Option<Cause>,
    pub(super) alert: Option<Raised>,
}

/// The cause that changed a decision. A reason of the decision names it; no rule can have such a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cause {
    pub(super) amendment: Amendment,
    /// The event.
    pub(super) id: Id,
}

/// The outcome of an event for which no rule fired, and of which all rules could be decided.
static PLAIN: Outcome = Outcome { score: 0, verdict: Verdict::Approve, state: DecisionState::Made, grounds: Grounds::Nothing };

/// What the rulesets found about an event, by their numbers, in order. Nearly all find nothing, which is not stored.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Outcomes(SmallMap<usize, Outcome>);

impl Outcomes {
    /// What a ruleset found.
    pub(super) fn of(&self, ruleset: usize) -> &Outcome {
        self.0.get(&ruleset).unwrap_or(&PLAIN)
    }

    /// Removes what a ruleset found.
    pub(super) fn take(&mut self, ruleset: usize) -> Outcome {
        self.0.remove(&ruleset).unwrap_or_default()
    }

    /// Sets what a ruleset found.
    pub(super) fn set(&mut self, ruleset: usize, outcome: Outcome) {
        if outcome == PLAIN {
            self.0.remove(&ruleset);
        } else {
            self.0.insert(ruleset, outcome);
        }
    }

    /// What is not plain, with the rulesets' numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &Outcome)> {
        self.0.iter().map(|(number, outcome)| (*number, outcome))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Default for Outcome {
    fn default() -> Self {
        PLAIN.clone()
    }
}

impl IntoIterator for Outcomes {
    type Item = (usize, Outcome);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl Outcome {
    pub(super) fn found(&self) -> Option<&Found> {
        match &self.grounds {
            Grounds::Found(found) => Some(found),
            _ => None,
        }
    }

    /// Whether a rule fired that gave points to a score. Without points, the score is zero.
    pub(super) const fn is_scored(&self) -> bool {
        self.score != 0
    }

    pub(super) fn amended_by(&self) -> Option<&Cause> {
        self.found().and_then(|found| found.amended_by.as_ref())
    }

    pub(super) fn alert(&self) -> Option<Raised> {
        self.found().and_then(|found| found.alert)
    }

    pub(super) fn evidence(&self) -> &[Id] {
        self.found().map_or(&[], |found| &found.evidence)
    }

    /// The rules that fired or could not be decided.
    pub(super) fn reasons(&self, ruleset: &Ruleset) -> Vec<Reason> {
        match &self.grounds {
            Grounds::Nothing => Vec::new(),
            Grounds::Undecided(rules) => rules.iter().filter_map(|undecided| undecided.reason(ruleset)).collect(),
            Grounds::Found(found) => found.reasons.clone(),
        }
    }

    /// Whether two outcomes have the same decision and the same reasons.
    fn agrees_with(&self, other: &Self, ruleset: &Ruleset) -> bool {
        let figures = (self.score, self.verdict) == (other.score, other.verdict);
        figures
            && match (&self.grounds, &other.grounds) {
                (Grounds::Nothing, Grounds::Nothing) => true,
                (Grounds::Undecided(mine), Grounds::Undecided(theirs)) => mine == theirs,
                _ => self.reasons(ruleset) == other.reasons(ruleset),
            }
    }

    /// The outcome of an event that is scored for the first time, at an effective time.
    pub(super) fn made(mut self, ruleset: &Ruleset, now: EventTime) -> Self {
        let severity = ruleset.severity(self.score, self.verdict);
        if let (Grounds::Found(found), Some(severity)) = (&mut self.grounds, severity) {
            found.alert = Some(Raised::new(severity, now));
        }
        self
    }

    /// Whether it has a row of its own: something was found, other than that some rules could not be decided.
    pub(super) const fn is_saved_apart(&self) -> bool {
        matches!(self.grounds, Grounds::Found(_))
    }

    /// Whether the event was taken back and no longer counts.
    pub(super) fn is_withdrawn(&self) -> bool {
        self.state == DecisionState::Withdrawn
    }

    /// The outcome of an event that was taken back.
    pub(super) fn withdrawn(&self, ruleset: &Ruleset, cause: &Cause, now: EventTime) -> Self {
        let alert = alert_after(self.alert(), None, now);
        let (reasons, evidence) = (self.reasons(ruleset), self.evidence().to_vec());
        let found = Found { reasons, evidence, amended_by: Some(cause.clone()), alert };
        Self { state: DecisionState::Withdrawn, grounds: Grounds::Found(Box::new(found)), ..*self }
    }

    /// The outcome, scored again, of an event that was taken back and counts again.
    pub(super) fn restored(self, withdrawn: &Self, ruleset: &Ruleset, cause: &Cause, now: EventTime) -> Self {
        self.replacing(withdrawn.alert(), ruleset, cause, now)
    }

    /// The outcome after a late event or after an event was taken back; `None` if it is unchanged. Without points there is no
    /// decision, and only the alerts that follow from it are amended.
    pub(super) fn amended(self, old: &Self, ruleset: &Ruleset, cause: &Cause, now: EventTime) -> Option<Self> {
        if self.agrees_with(old, ruleset) {
            return None;
        }
        Some(if ruleset.scoring.is_some() { self.replacing(old.alert(), ruleset, cause, now) } else { self })
    }

    /// The outcome that replaces another one, and amends or withdraws that one's alert.
    fn replacing(self, alert: Option<Raised>, ruleset: &Ruleset, cause: &Cause, now: EventTime) -> Self {
        let severity = ruleset.severity(self.score, self.verdict);
        let alert = alert_after(alert, severity, now);
        let (reasons, evidence) = (self.reasons(ruleset), self.evidence().to_vec());
        let found = Found { reasons, evidence, amended_by: Some(cause.clone()), alert };
        Self { state: DecisionState::Amended, grounds: Grounds::Found(Box::new(found)), ..self }
    }
}

/// The alert after its decision changed, and with the decision its message.
fn alert_after(alert: Option<Raised>, severity: Option<Severity>, now: EventTime) -> Option<Raised> {
    Raised::next(alert, severity, AlertState::Withdrawn, now).map(|raised| Raised { ts: now, ..raised })
}

impl Undecided {
    pub(super) fn reason(self, ruleset: &Ruleset) -> Option<Reason> {
        let rule = ruleset.rules.get(usize::from(self.rule))?.name.clone();
        let evidence = self.fields.names().map(|name| Text::new([name, "=unknown"].concat())).collect();
        Some(Reason { rule, points: Statistic::default(), evidence })
    }
}

/// `<ruleset>:<subject>:<id>`
fn decision_id(ruleset: &Ruleset, record: &Record) -> Id {
    Id::shortened(&[&*ruleset.name, ":", ruleset.subject.word(), ":", &*record.id].concat())
}

/// A score as a number.
fn points_of(outcome: &Outcome) -> Decimal {
    Decimal::from_units(outcome.score.into())
}

/// The decision's row; none for a subject that is not decided about, or a pack without points.
pub(super) fn decision(ruleset: &Ruleset, record: &Record, outcome: &Outcome) -> Option<Decision> {
    let subject_type = ruleset.scoring.and_then(|_| ruleset.subject.decided())?;
    let cause = outcome.amended_by().map(|Cause { amendment, id }| Reason {
        rule: Text::new(amendment.as_str()),
        points: Statistic::default(),
        evidence: vec![Text::new(id.as_str())],
    });
    let mut reasons = outcome.reasons(ruleset);
    reasons.extend(cause);
    Some(Decision {
        decision_id: decision_id(ruleset, record),
        state: outcome.state,
        subject_type,
        subject_id: record.id.clone(),
        account_id: record.account,
        ruleset: ruleset.name.clone(),
        score: Statistic::new(outcome.score as f64 / UNIT as f64).unwrap_or_default(),
        decision: outcome.verdict,
        reasons,
        ts: EventTime::from_nanos(record.order.ts),
    })
}

/// The alert's row, if one was raised about a decision.
pub(super) fn alert(ruleset: &Ruleset, key: &GroupKey, record: &Record, outcome: &Outcome) -> Option<Alert> {
    let Raised { state, severity, ts } = outcome.alert()?;
    let mut evidence = vec![record.id.clone()];
    let others = outcome.evidence().iter().chain(outcome.amended_by().map(|cause| &cause.id));
    for id in others {
        if !evidence.contains(id) {
            evidence.push(id.clone());
        }
    }
    Some(Alert {
        alert_id: Id::shortened(&["fraud:", &*decision_id(ruleset, record)].concat()),
        kind: ruleset.kind,
        rule: ruleset.name.clone(),
        severity,
        subject: record.account.map_or_else(|| key.subject(), |account| account.to_id()),
        state,
        message: Text::from(message(ruleset, key, record, outcome)),
        evidence,
        ts,
    })
}

fn message(ruleset: &Ruleset, key: &GroupKey, record: &Record, outcome: &Outcome) -> String {
    let fired = outcome.found().into_iter().flat_map(|found| &found.reasons).filter(|reason| reason.points != Statistic::default());
    let rules: Vec<String> = fired.map(|reason| format!("{} {}", reason.rule, reason.points)).collect();
    let rules = if rules.is_empty() { "no rule fires".to_owned() } else { rules.join(", ") };
    let cause = outcome.amended_by().map_or_else(String::new, |Cause { amendment, id }| match amendment {
        Amendment::LateEvent => format!(", since {id} came late"),
        Amendment::TakenBack if outcome.is_withdrawn() => format!(", taken back by {id}"),
        Amendment::TakenBack => format!(", since {id} took back an earlier one"),
        Amendment::Captured => format!(", since {id} captured a hold for another amount"),
    });
    let subject = ruleset.subject.word();
    let whose = record.account.map_or_else(|| format!("of {}", key.as_str()), |account| format!("on account {account}"));
    format!("{subject} {} {whose}: {}, score {} ({rules}){cause}", record.id, outcome.verdict, points_of(outcome))
}
