//! Alerts of surveillance, by rule and subject.
//!
//! - A rule about something that happened (layering, a wash trade) has an alert for each **episode**: it is raised when the rule
//!   fires, and amended while it fires again within the time of an episode. What a book reports is final, so such an alert is
//!   neither cleared nor withdrawn.
//! - A rule about a figure of a **period** (a day, a close) has one alert for each period: it is raised when its condition holds,
//!   and cleared, or withdrawn if a late event or a bust is the reason, when its condition no longer holds.
//!
//! An alert is remembered while it can change. Its row of `alerts` stays.

use std::collections::{BTreeMap, BTreeSet};

use headwater_schemas::tables::{Alert, AlertKind, AlertState, Moment, Severity, SurveillanceAlert, SurveillanceRule, TableWriter};
use headwater_schemas::{EventTime, Id, Quantity, Symbol, Text, Total};

use crate::alerts::Raised;

/// Maximum number of ids that an alert names: the first one, then the latest ones.
pub(super) const MAX_EVIDENCE: usize = 50;

/// What distinguishes an alert from others of its view.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct AlertKey {
    pub(super) rule: SurveillanceRule,
    /// The account, owner or symbol.
    pub(super) subject: Id,
    /// The beginning of the day, or the close; none for an episode.
    pub(super) period: Option<EventTime>,
}

/// Why an alert stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) message: String,
    pub(super) evidence: Vec<Id>,
    /// For `marking_the_close`: the account's quantity and the symbol's volume.
    pub(super) shares: Option<(Quantity, Total)>,
}

/// A standing alert about a share of a volume.
pub(super) struct Share {
    pub(super) key: AlertKey,
    pub(super) quantity: Quantity,
    pub(super) volume: Total,
    pub(super) evidence: Vec<Id>,
}

/// An alert.
#[derive(Clone, Debug)]
struct Known {
    alert_id: Id,
    symbol: Option<Symbol>,
    raised: Raised,
    message: Text,
    evidence: Vec<Id>,
    shares: Option<(Quantity, Total)>,
    /// When the condition last held.
    last: EventTime,
    /// The time after which it cannot change.
    until: EventTime,
    emitted: Option<SurveillanceAlert>,
}

/// An alert that was forgotten.
#[derive(Clone, Debug)]
struct Gone {
    emitted: Option<SurveillanceAlert>,
    last: SurveillanceAlert,
}

/// The alerts of a key of a view.
#[derive(Clone, Debug, Default)]
pub(super) struct Alerts {
    known: BTreeMap<AlertKey, Known>,
    touched: BTreeSet<AlertKey>,
    /// Alerts that were forgotten since rows were emitted last.
    gone: Vec<Gone>,
    /// The earliest time after which an alert cannot change.
    until: Option<EventTime>,
}

const fn severity(rule: SurveillanceRule) -> Severity {
    match rule {
        SurveillanceRule::Layering | SurveillanceRule::WashTrade | SurveillanceRule::MarkingTheClose | SurveillanceRule::FrontRunning => {
            Severity::High
        }
        SurveillanceRule::QuoteStuffing | SurveillanceRule::OrderToTrade | SurveillanceRule::FatFinger | SurveillanceRule::StaleFeed => {
            Severity::Medium
        }
        SurveillanceRule::LargeTrader => Severity::Low,
    }
}

/// The id of an alert: rule, subject, symbol, and its period, or the time at which its episode began.
fn alert_id(key: &AlertKey, symbol: Option<Symbol>, now: EventTime) -> Id {
    let symbol = symbol.map_or("", |symbol| symbol.as_str());
    Id::shortened(&format!("surveillance:{}:{}:{symbol}:{}", key.rule, key.subject, key.period.unwrap_or(now)))
}

impl Alerts {
    /// The time after which an alert can be forgotten.
    pub(super) const fn until(&self) -> Option<EventTime> {
        self.until
    }

    pub(super) fn is_empty(&self) -> bool {
        self.known.is_empty() && self.touched.is_empty() && self.gone.is_empty()
    }

    /// Whether an alert stands.
    pub(super) fn stands(&self, key: &AlertKey) -> bool {
        self.known.get(key).is_some_and(|known| known.raised.stands())
    }

    /// The alerts of a rule that stand, with their figures and evidence.
    pub(super) fn shares(&self, rule: SurveillanceRule) -> Vec<Share> {
        let standing = self.known.iter().filter(|(key, known)| key.rule == rule && known.raised.stands());
        let share = |(key, known): (&AlertKey, &Known)| {
            let (quantity, volume) = known.shares?;
            Some(Share { key: key.clone(), quantity, volume, evidence: known.evidence.clone() })
        };
        standing.filter_map(share).collect()
    }

    /// A rule has fired for an event. An episode ends at `until`, unless the rule fires again.
    pub(super) fn fire(&mut self, key: AlertKey, symbol: Option<Symbol>, finding: Finding, now: EventTime, until: EventTime) {
        match self.known.get_mut(&key).filter(|known| now <= known.until) {
            Some(known) => known.repeat(finding, now, until),
            None => {
                let alert_id = alert_id(&key, symbol, now);
                let known = Known::new(alert_id, symbol, severity(key.rule), finding, now, until);
                let before = self.known.insert(key.clone(), known);
                self.gone.extend(before.map(|before| before.gone(&key)));
            }
        }
        self.touch(key);
    }

    /// The condition of a period's alert holds, as the finding says, or no longer holds, which leaves the alert in the state
    /// `end`.
    pub(super) fn set(
        &mut self,
        key: AlertKey,
        symbol: Option<Symbol>,
        finding: Option<Finding>,
        end: AlertState,
        now: EventTime,
        until: EventTime,
    ) {
        match (self.known.get_mut(&key), finding) {
            (None, None) => return,
            (None, Some(finding)) => {
                let alert_id = alert_id(&key, symbol, now);
                let known = Known::new(alert_id, symbol, severity(key.rule), finding, now, until);
                self.known.insert(key.clone(), known);
            }
            (Some(known), finding) => {
                known.until = until;
                known.follow(finding, end, now);
            }
        }
        self.touch(key);
    }

    fn touch(&mut self, key: AlertKey) {
        self.touched.insert(key);
        self.find_until();
    }

    fn find_until(&mut self) {
        self.until = self.known.values().map(|known| known.until).min();
    }

    /// Forgets the alerts that cannot change after a time before `now`.
    pub(super) fn forget(&mut self, now: EventTime) {
        if self.until.is_none_or(|until| until >= now) {
            return;
        }
        for (key, known) in self.known.extract_if(.., |_, known| known.until < now) {
            self.touched.remove(&key);
            self.gone.push(known.gone(&key));
        }
        self.find_until();
    }

    pub(super) fn emit(&mut self, at: &Moment, alerts: &TableWriter<Alert>, saved: &TableWriter<SurveillanceAlert>) {
        for Gone { emitted, last } in self.gone.drain(..) {
            alerts.replace(at, emitted.as_ref().map(alert), Some(alert(&last)));
            saved.replace(at, emitted, None);
        }
        for key in std::mem::take(&mut self.touched) {
            let Some(known) = self.known.get_mut(&key) else { continue };
            let row = known.row(&key);
            let before = known.emitted.replace(row.clone());
            alerts.replace(at, before.as_ref().map(alert), Some(alert(&row)));
            saved.replace(at, before, Some(row));
        }
    }

    /// Restores an alert, which cannot change after `until`.
    pub(super) fn restore(&mut self, row: &SurveillanceAlert, until: EventTime) {
        let key = AlertKey { rule: row.rule, subject: row.subject.clone(), period: row.period };
        let known = Known {
            alert_id: row.alert_id.clone(),
            symbol: row.symbol,
            raised: Raised { state: row.state, severity: row.severity, ts: row.ts },
            message: row.message.clone(),
            evidence: row.evidence.clone(),
            shares: row.quantity.zip(row.volume),
            last: row.last_ts,
            until,
            emitted: Some(row.clone()),
        };
        self.known.insert(key, known);
        self.find_until();
    }
}

impl Known {
    fn new(alert_id: Id, symbol: Option<Symbol>, severity: Severity, finding: Finding, now: EventTime, until: EventTime) -> Self {
        let Finding { message, mut evidence, shares } = finding;
        limit(&mut evidence);
        let raised = Raised::new(severity, now);
        Self { alert_id, symbol, raised, message: Text::from(message), evidence, shares, last: now, until, emitted: None }
    }

    /// The rule has fired again.
    fn repeat(&mut self, finding: Finding, now: EventTime, until: EventTime) {
        (self.last, self.until) = (now, until);
        let message = Text::from(finding.message);
        let more: Vec<_> = finding.evidence.into_iter().filter(|id| !self.evidence.contains(id)).collect();
        if message == self.message && more.is_empty() {
            return;
        }
        self.message = message;
        self.evidence.extend(more);
        limit(&mut self.evidence);
        self.raised = Raised { state: AlertState::Amended, ts: now, ..self.raised };
    }

    /// The condition of a period's alert holds or not.
    fn follow(&mut self, finding: Option<Finding>, end: AlertState, now: EventTime) {
        let severity = finding.as_ref().map(|_| self.raised.severity);
        let is_same = match &finding {
            Some(finding) => self.raised.stands() && *finding.message == *self.message,
            None => !self.raised.stands(),
        };
        if let Some(Finding { message, evidence, shares }) = finding {
            self.last = now;
            self.shares = shares;
            self.message = Text::from(message);
            self.evidence = evidence;
            limit(&mut self.evidence);
        }
        if let Some(next) = Raised::next(Some(self.raised), severity, end, now).filter(|_| !is_same) {
            self.raised = next;
        }
    }

    fn gone(self, key: &AlertKey) -> Gone {
        Gone { last: self.row(key), emitted: self.emitted }
    }

    fn row(&self, key: &AlertKey) -> SurveillanceAlert {
        SurveillanceAlert {
            alert_id: self.alert_id.clone(),
            rule: key.rule,
            symbol: self.symbol,
            subject: key.subject.clone(),
            period: key.period,
            state: self.raised.state,
            severity: self.raised.severity,
            message: self.message.clone(),
            evidence: self.evidence.clone(),
            quantity: self.shares.map(|(quantity, _)| quantity),
            volume: self.shares.map(|(_, volume)| volume),
            last_ts: self.last,
            ts: self.raised.ts,
        }
    }
}

/// Keeps the first id and the latest ones.
fn limit(evidence: &mut Vec<Id>) {
    let excess = evidence.len().saturating_sub(MAX_EVIDENCE);
    evidence.drain(1.min(evidence.len())..excess.saturating_add(1).min(evidence.len()));
}

fn alert(row: &SurveillanceAlert) -> Alert {
    let message = match row.state {
        AlertState::Raised | AlertState::Amended => row.message.clone(),
        AlertState::Cleared => Text::from(format!("{}: it no longer holds", row.message)),
        AlertState::Withdrawn => Text::from(format!("{}: it does not hold after a correction", row.message)),
    };
    Alert {
        alert_id: row.alert_id.clone(),
        kind: AlertKind::Surveillance,
        rule: Text::new(row.rule.as_str()),
        severity: row.severity,
        subject: row.subject.clone(),
        state: row.state,
        message,
        evidence: row.evidence.clone(),
        ts: row.ts,
    }
}
