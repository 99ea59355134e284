//! Alerts of an account: rules that a posting may break, and that later events may satisfy again.
//!
//! The ledger records what happened, so a posting that breaks a rule is posted, and raises an alert. At most one alert of a rule
//! stands for each balance (for each account, if the rule is about its status). Further breaches amend it, and it is cleared once
//! the rule is satisfied, or withdrawn if that is because a transaction in its evidence was taken back.

use std::collections::BTreeMap;

use headwater_schemas::tables::{Alert, AlertKind, AlertState, LedgerAlertState, LedgerRule, Moment, Severity, TableWriter};
use headwater_schemas::{AccountId, Correction, Currency, EventTime, Id, Money, Nanos, Text};

use super::balances::BalanceTables;
use super::transactions::Expired;
use crate::alerts::Raised;

/// Maximum number of transactions in the evidence of an alert: the first one, and the latest ones.
const MOST_EVIDENCE: usize = 8;

/// The rule that an alert is about, and the balance's currency where the rule is about a balance.
pub(super) type WatchKey = (LedgerRule, Option<Currency>);

/// An alert of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Watched {
    alert_id: Id,
    raised: Raised,
    message: Text,
    evidence: Vec<Id>,
}

/// The alerts of an account.
#[derive(Clone, Debug, Default)]
pub(super) struct Watch {
    standing: BTreeMap<WatchKey, Watched>,
    /// Alerts that changed since rows were emitted, in their latest state.
    changed: BTreeMap<Id, (LedgerRule, Watched)>,
    /// The emitted rows of the standing alerts.
    emitted: BTreeMap<WatchKey, LedgerAlertState>,
}

impl Watch {
    /// Whether an alert of a rule stands.
    pub(super) fn stands(&self, key: WatchKey) -> bool {
        self.standing.contains_key(&key)
    }

    /// Raises the alert of a rule that a transaction broke, or amends it. An alert about a difference is amended only if the
    /// difference, which its message names, has changed.
    pub(super) fn warn(&mut self, key: WatchKey, account: &AccountId, message: String, cause: &Id, ts: EventTime) {
        let (rule, currency) = key;
        let message = Text::from(message);
        let watched = match self.standing.remove(&key) {
            Some(same) if rule == LedgerRule::BalanceMismatch && same.message == message => {
                self.standing.insert(key, same);
                return;
            }
            Some(mut watched) => {
                watched.raised = Raised { state: AlertState::Amended, ts, ..watched.raised };
                watched.message = message;
                if watched.evidence.len() >= MOST_EVIDENCE {
                    watched.evidence.remove(1);
                }
                watched.evidence.push(cause.clone());
                watched
            }
            None => Watched {
                alert_id: alert_id(rule, account, currency.as_ref(), cause),
                raised: Raised::new(severity(rule), ts),
                message,
                evidence: vec![cause.clone()],
            },
        };
        self.change(rule, &watched);
        self.standing.insert(key, watched);
    }

    /// Ends the alert of a rule that is satisfied again, if one stands.
    pub(super) fn satisfy(&mut self, key: WatchKey, message: String, correction: Option<&Correction>, ts: EventTime) {
        let Some(mut watched) = self.standing.remove(&key) else { return };
        let is_taken_back = correction.and_then(taken_back).is_some_and(|id| watched.evidence.contains(id));
        let state = if is_taken_back { AlertState::Withdrawn } else { AlertState::Cleared };
        watched.raised = Raised { state, ts, ..watched.raised };
        watched.message = Text::from(message);
        self.change(key.0, &watched);
    }

    fn change(&mut self, rule: LedgerRule, watched: &Watched) {
        self.changed.insert(watched.alert_id.clone(), (rule, watched.clone()));
    }

    pub(super) fn emit(&mut self, account: &AccountId, at: &Moment, tables: &BalanceTables) {
        if self.changed.is_empty() {
            return;
        }
        for (rule, watched) in std::mem::take(&mut self.changed).into_values() {
            tables.alerts.insert(at, watched.alert(account, rule));
        }
        let standing = self.standing.iter().map(|(key, watched)| (*key, watched.row(account, *key))).collect();
        let before = std::mem::replace(&mut self.emitted, standing);
        replace_rows(&tables.ledger_alerts, at, before, &self.emitted);
    }

    /// Whether nothing stands, and nothing is to be emitted.
    pub(super) fn is_idle(&self) -> bool {
        self.standing.is_empty() && self.changed.is_empty() && self.emitted.is_empty()
    }

    /// Restores a standing alert.
    pub(super) fn restore(&mut self, row: &LedgerAlertState) {
        let key = (row.rule, row.currency);
        let raised = Raised { state: row.state, severity: row.severity, ts: row.ts };
        let (alert_id, message, evidence) = (row.alert_id.clone(), row.message.clone(), row.evidence.clone());
        self.standing.insert(key, Watched { alert_id, raised, message, evidence });
        self.emitted.insert(key, row.clone());
    }
}

/// Replaces rows by those of the standing alerts. A later alert of the same rule has another id.
fn replace_rows(
    table: &TableWriter<LedgerAlertState>,
    at: &Moment,
    before: BTreeMap<WatchKey, LedgerAlertState>,
    now: &BTreeMap<WatchKey, LedgerAlertState>,
) {
    for (key, row) in &before {
        if now.get(key).is_none_or(|standing| standing.alert_id != row.alert_id) {
            table.retract(at, gone(row));
        }
    }
    for (key, row) in now {
        if before.get(key) != Some(row) {
            table.insert(at, row.clone());
        }
    }
}

/// The row of an alert that no longer stands: its key alone, whatever it said last.
fn gone(row: &LedgerAlertState) -> LedgerAlertState {
    LedgerAlertState {
        severity: Severity::Low,
        state: AlertState::Cleared,
        message: Text::default(),
        evidence: Vec::new(),
        ts: EventTime::default(),
        ..row.clone()
    }
}

impl Watched {
    fn alert(&self, account: &AccountId, rule: LedgerRule) -> Alert {
        Alert {
            alert_id: self.alert_id.clone(),
            kind: AlertKind::Ledger,
            rule: Text::new(rule.as_str()),
            severity: self.raised.severity,
            subject: account.to_id(),
            state: self.raised.state,
            message: self.message.clone(),
            evidence: self.evidence.clone(),
            ts: self.raised.ts,
        }
    }

    fn row(&self, account: &AccountId, (rule, currency): WatchKey) -> LedgerAlertState {
        LedgerAlertState {
            alert_id: self.alert_id.clone(),
            account_id: *account,
            currency,
            rule,
            severity: self.raised.severity,
            state: self.raised.state,
            message: self.message.clone(),
            evidence: self.evidence.clone(),
            ts: self.raised.ts,
        }
    }
}

/// `ledger:<rule>:<account>[:<currency>]:<first transaction>`
fn alert_id(rule: LedgerRule, account: &AccountId, currency: Option<&Currency>, cause: &Id) -> Id {
    let balance = currency.map_or_else(|| account.to_string(), |currency| format!("{account}:{currency}"));
    Id::shortened(&format!("ledger:{rule}:{balance}:{cause}"))
}

const fn severity(rule: LedgerRule) -> Severity {
    match rule {
        LedgerRule::HoldOverdue => Severity::Low,
        LedgerRule::InsufficientFunds | LedgerRule::BalanceMismatch => Severity::Medium,
        LedgerRule::FrozenAccount | LedgerRule::ClosedAccount => Severity::High,
    }
}

/// The transaction that a correction takes back.
const fn taken_back(correction: &Correction) -> Option<&Id> {
    match correction {
        Correction::Reversal { original: id, .. } | Correction::Void { hold: id, .. } => Some(id),
        Correction::Expired { hold } => Some(hold),
        Correction::Bust { .. } | Correction::Label { .. } | Correction::Late { .. } => None,
    }
}

/// The alert about a hold that was released because nobody resolved it.
pub(super) fn overdue(account: &AccountId, expired: &Expired, expiry: Nanos, ts: EventTime) -> Alert {
    let Expired { hold, left, currency, .. } = expired;
    let expiry = jiff::SignedDuration::from_nanos(i64::try_from(expiry.get()).unwrap_or(i64::MAX));
    let message =
        format!("{left} {currency} of the hold {hold} on {account} were neither captured nor voided within {expiry:#}, and are released");
    let (rule, evidence) = (LedgerRule::HoldOverdue, vec![hold.clone()]);
    let watched = Watched {
        alert_id: alert_id(rule, account, None, hold),
        raised: Raised::new(severity(rule), ts),
        message: Text::from(message),
        evidence,
    };
    watched.alert(account, rule)
}

/// The message about a reported balance.
pub(super) fn mismatch(account: &AccountId, currency: &Currency, posted: i128, reported: Money) -> String {
    let difference = Money::from_units(posted.saturating_sub(reported.units()));
    let (magnitude, word) = (difference.magnitude(), if difference.units() < 0 { "less" } else { "more" });
    format!("the balance of {account} is {magnitude} {currency} {word} than balance_after reports")
}
