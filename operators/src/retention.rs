//! Retention of records: alerts about accounts whose records need not be kept any longer.
//!
//! - **Reads** the events of accounts. **Key**: the account. **Rows**: an alert `retention_due` of kind `compliance`, and the state
//!   ([`AccountRetention`]).
//! - Records are kept for some time from the closing of their account on: from the newest record, by its own time, that closed it,
//!   unless a newer one opened it again. A timer raises the alert at the end of that time.
//! - **Corrections**: a record that moves the end while the alert stands ends the alert. If its own time is before the end that the
//!   alert is about, that end never came, and the alert is withdrawn; else it is cleared. An end that moves and has come is an
//!   amendment.

use std::collections::BTreeMap;
use std::sync::Arc;

use headwater_schemas::events::{AccountEvent, AccountType};
use headwater_schemas::tables::{AccountRetention, Alert, AlertKind, AlertState, Moment, Severity};
use headwater_schemas::{AccountId, Correction, EffectiveTime, EventTime, Id, Nanos, Place, Placed, Text, Topic};

use crate::alerts::Raised;
use crate::keyed_fold::{Outbox, States, View};
use crate::newest::Newest;

/// The rule of the alerts.
const RULE: Text = Text::const_new("retention_due");

/// How long records are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetentionSettings {
    /// From the closing of the account on.
    pub retention: Nanos,
    /// Where it is another time, by type of account.
    pub by_account_type: BTreeMap<AccountType, Nanos>,
}

/// View of accounts whose records need not be kept any longer.
#[derive(Clone, Debug)]
pub struct Retention {
    /// How long records are kept.
    pub settings: Arc<RetentionSettings>,
}

headwater_schemas::table_set! {
    /// The tables of the retention.
    pub struct RetentionTables restored from SavedRetention {
        restored { account_retentions: AccountRetention }
        written { alerts: Alert }
    }
}

/// An account, as far as the retention of its records depends on it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct ClosedAccount {
    account_type: Newest<Option<AccountType>>,
    is_closed: Newest<bool>,
    alert: Option<DueAlert>,
    /// The effective time of the last change.
    ts: EventTime,
}

/// An alert, and the end of the retention that it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct DueAlert {
    raised: Raised,
    due_at: EventTime,
}

/// An account as it is, and as it was emitted.
#[derive(Clone, Debug, Default)]
pub struct RetentionState {
    is: ClosedAccount,
    emitted: Option<ClosedAccount>,
}

impl ClosedAccount {
    /// Learns what an event of the account gives.
    fn learn(&mut self, event: &AccountEvent) {
        let ts = event.ts();
        let (is_closed, account_type) = match event {
            AccountEvent::Opened(opened) => (Some(false), Some(opened.account_type)),
            AccountEvent::Updated(updated) => (None, updated.account_type),
            AccountEvent::Closed(_) => (Some(true), None),
            AccountEvent::Frozen(_) | AccountEvent::Unfrozen(_) => (None, None),
        };
        if let Some(is_closed) = is_closed {
            self.is_closed.put(is_closed, ts);
        }
        if account_type.is_some() {
            self.account_type.put(account_type, ts);
        }
    }

    /// The end of the retention; none of an account that is not closed.
    fn due_at(&self, settings: &RetentionSettings) -> Option<EventTime> {
        let closed_at = self.is_closed.time.filter(|_| self.is_closed.value)?;
        let of_type = self.account_type.value.and_then(|account_type| settings.by_account_type.get(&account_type));
        let retention = i64::try_from(of_type.unwrap_or(&settings.retention).get()).unwrap_or(i64::MAX);
        Some(EventTime::from_nanos(closed_at.nanos().saturating_add(retention)))
    }

    /// Brings the alert up to date at an effective time. Until it is due it is `end`.
    fn follow(&mut self, settings: &RetentionSettings, end: AlertState, now: EventTime) {
        let due_at = self.due_at(settings).filter(|due_at| *due_at <= now);
        let before = self.alert;
        if due_at.is_some() && before.is_some_and(|alert| alert.raised.stands() && Some(alert.due_at) == due_at) {
            return;
        }
        let raised = Raised::next(before.map(|alert| alert.raised), due_at.map(|_| Severity::Low), end, now);
        let due_at = due_at.or_else(|| before.map(|alert| alert.due_at));
        self.alert = raised.zip(due_at).map(|(raised, due_at)| DueAlert { raised, due_at });
    }

    fn row(&self, account_id: AccountId) -> AccountRetention {
        AccountRetention {
            account_id,
            account_type: self.account_type.value,
            account_type_ts: self.account_type.time,
            is_closed: self.is_closed.value,
            is_closed_ts: self.is_closed.time,
            due_at: self.alert.map(|alert| alert.due_at),
            alert_state: self.alert.map(|alert| alert.raised.state),
            alert_severity: self.alert.map(|alert| alert.raised.severity),
            alert_ts: self.alert.map(|alert| alert.raised.ts),
            ts: self.ts,
        }
    }

    fn restored(row: &AccountRetention) -> Self {
        let raised = row.alert_state.zip(row.alert_severity).zip(row.alert_ts);
        let raised = raised.map(|((state, severity), ts)| Raised { state, severity, ts });
        Self {
            account_type: Newest { value: row.account_type, time: row.account_type_ts },
            is_closed: Newest { value: row.is_closed, time: row.is_closed_ts },
            alert: raised.zip(row.due_at).map(|(raised, due_at)| DueAlert { raised, due_at }),
            ts: row.ts,
        }
    }

    /// The row of the alert.
    fn alert(&self, account_id: AccountId) -> Option<Alert> {
        let DueAlert { raised, due_at } = self.alert?;
        let message = match raised.state {
            AlertState::Raised | AlertState::Amended => {
                format!("the records of account {account_id} had to be kept until {due_at}: review and erase them")
            }
            AlertState::Cleared => format!("the records of account {account_id} have to be kept again, after {due_at}"),
            AlertState::Withdrawn => format!("the records of account {account_id} have to be kept for longer than until {due_at}"),
        };
        Some(Alert {
            alert_id: Id::shortened(&format!("compliance:{RULE}:{account_id}")),
            kind: AlertKind::Compliance,
            rule: RULE,
            severity: raised.severity,
            subject: account_id.to_id(),
            state: raised.state,
            message: Text::from(message),
            evidence: vec![account_id.to_id()],
            ts: raised.ts,
        })
    }
}

crate::fold_operator!(Retention);

impl View for Retention {
    type Key = AccountId;
    type Route = AccountId;
    type Event = AccountEvent;
    type Broadcast = ();
    type Context = ();
    type State = RetentionState;
    type Timer = ();
    type Tables = RetentionTables;
    type Derived = ();
    type Update = ();

    fn key(&self, event: &AccountEvent) -> AccountId {
        *event.account_id()
    }

    fn route(account: &AccountId) -> AccountId {
        *account
    }

    fn learn(&self, (): &mut (), _: Placed<()>) {}

    fn apply(
        &self,
        (): &(),
        account: &AccountId,
        state: &mut RetentionState,
        Placed { place, event }: Placed<AccountEvent>,
        out: &mut Outbox<'_, Self>,
    ) {
        let (before, now) = (state.is, place.event_time());
        state.is.learn(&event);
        if state.is == before {
            return;
        }
        state.is.ts = now;
        if let Some(standing) = before.alert.filter(|alert| alert.raised.stands()) {
            let end = if event.ts() <= standing.due_at { AlertState::Withdrawn } else { AlertState::Cleared };
            state.is.follow(&self.settings, end, now);
        }
        if let Some(lateness) = place.lateness(event.ts()).filter(|_| state.is.alert != before.alert) {
            out.correct(Correction::Late { topic: Topic::Accounts, id: account.to_id(), lateness });
        }
        self.timer_of(&before).into_iter().for_each(|time| out.cancel_timer(time, ()));
        self.timer_of(&state.is).into_iter().for_each(|time| out.set_timer(time, ()));
    }

    fn timer(&self, (): &(), _: &AccountId, state: &mut RetentionState, (): (), place: Place, _: &mut Outbox<'_, Self>) {
        let before = state.is.alert;
        state.is.follow(&self.settings, AlertState::Cleared, place.event_time());
        if state.is.alert != before {
            state.is.ts = place.event_time();
        }
    }

    fn emit(&self, (): &(), account: &AccountId, state: &mut RetentionState, at: &Moment, tables: &RetentionTables) {
        let old = state.emitted.replace(state.is);
        tables.account_retentions.replace(at, old.map(|old| old.row(*account)), Some(state.is.row(*account)));
        tables.alerts.replace(at, old.and_then(|old| old.alert(*account)), state.is.alert(*account));
    }

    fn restore(&self, saved: &SavedRetention, states: &mut States<'_, Self>) {
        for row in saved.account_retentions.iter() {
            let Some(state) = states.of(&row.account_id) else { continue };
            let is = ClosedAccount::restored(row);
            *state = RetentionState { is, emitted: Some(is) };
        }
    }

    fn timers(&self, _: &AccountId, state: &RetentionState) -> Vec<(EffectiveTime, ())> {
        self.timer_of(&state.is).map(|time| (time, ())).into_iter().collect()
    }
}

impl Retention {
    /// The time of the timer of an account whose alert is not raised: the end of the retention, or the last change if that has
    /// come before it.
    fn timer_of(&self, account: &ClosedAccount) -> Option<EffectiveTime> {
        if account.alert.is_some_and(|alert| alert.raised.stands()) {
            return None;
        }
        Some(account.due_at(&self.settings)?.max(account.ts).effective())
    }
}

#[cfg(test)]
mod tests {
    use headwater_schemas::Offset;
    use headwater_schemas::events::Event;

    use super::*;
    use crate::testing::{Happening, Happenings, history_of, rows_of, run, run_with_restart};

    const DAY: i64 = 86_400_000_000_000;

    /// Ten days, and twenty for loans.
    fn view() -> Retention {
        let days = |days: u64| Nanos::new(days * Nanos::DAY.get());
        let by_account_type = BTreeMap::from([(AccountType::Loan, days(20))]);
        Retention { settings: Arc::new(RetentionSettings { retention: days(10), by_account_type }) }
    }

    /// Events, each with the day on which it is read and the day of its own time; `other` is an event of another account, by which
    /// time passes.
    type Story = &'static [(i64, i64, &'static str)];

    fn happenings(story: Story) -> Happenings<Retention> {
        let happening = |(offset, (read, day, what)): (u64, &(i64, i64, &str))| {
            let fields = match *what {
                "opened" => r#""type":"opened","account_id":"a","customer_id":"c","account_type":"checking","currency":"USD""#,
                "loan" => r#""type":"updated","account_id":"a","account_type":"loan""#,
                "savings" => r#""type":"updated","account_id":"a","account_type":"savings""#,
                "closed" => r#""type":"closed","account_id":"a""#,
                "frozen" => r#""type":"frozen","account_id":"a""#,
                _ => r#""type":"frozen","account_id":"other""#,
            };
            let text = format!("{{{fields},\"ts\":{}}}", day * DAY);
            let Ok(Event::Account(event)) = Event::decode(Topic::Accounts, None, Some(text.as_bytes())) else { panic!("{text}") };
            let time = EventTime::from_nanos(read * DAY).effective();
            let place = Place::of_record(time, Topic::Accounts, 0, Offset::new(offset)).of_event_at(event.ts(), Nanos::new(0));
            Placed { place, event: Happening::Event(event) }
        };
        (0..).zip(story).map(happening).collect()
    }

    /// Each change of the alert of `a`: the day, the state, and the end that it is about.
    fn alerts(story: Story) -> Vec<String> {
        let whole = run(view(), happenings(story));
        for cut in 0..=story.len() {
            let resumed = run_with_restart(view(), happenings(story), cut);
            assert_eq!(history_of(&whole.tables.alerts), history_of(&resumed.tables.alerts), "{story:?}, cut at {cut}");
            assert_eq!(rows_of(&whole.tables.account_retentions), rows_of(&resumed.tables.account_retentions), "{story:?}, cut at {cut}");
        }
        let text = |alert: Alert| {
            let until = alert.message.split("until ").nth(1).or_else(|| alert.message.split("after ").nth(1)).unwrap_or_default();
            let until: EventTime = until.get(..20).unwrap_or_default().parse().expect("a time");
            format!("{} {} {}", alert.ts.nanos() / DAY, alert.state, until.nanos() / DAY)
        };
        history_of(&whole.tables.alerts).into_iter().map(|(_, alert, _)| text(alert)).collect()
    }

    #[test]
    fn an_alert_follows_the_end_of_the_retention() {
        for (case, story, expected) in [
            ("an open account is kept", &[(1, 1, "opened"), (99, 99, "other")][..], &[][..]),
            ("before its end", &[(1, 1, "opened"), (5, 5, "closed"), (15, 15, "other")], &[]),
            ("at its end", &[(1, 1, "opened"), (5, 5, "closed"), (16, 16, "other")], &["15 raised 15"]),
            ("an account whose opening is not known", &[(5, 5, "closed"), (16, 16, "other")], &["15 raised 15"]),
            ("a loan is kept for longer", &[(1, 1, "opened"), (2, 2, "loan"), (5, 5, "closed"), (26, 26, "other")], &["25 raised 25"]),
            ("opened again in time", &[(1, 1, "opened"), (5, 5, "closed"), (9, 9, "opened"), (99, 99, "other")], &[]),
            ("opened again after its end", &[(1, 1, "opened"), (5, 5, "closed"), (20, 20, "opened")], &["15 raised 15", "20 cleared 15"]),
            (
                "a late opening shows that the account was open",
                &[(1, 1, "opened"), (5, 5, "closed"), (20, 9, "opened"), (21, 21, "other")],
                &["15 raised 15", "20 withdrawn 15"],
            ),
            (
                "a late closing moves the end",
                &[(5, 5, "closed"), (20, 12, "closed"), (30, 30, "other")],
                &["15 raised 15", "20 withdrawn 15", "22 amended 22"],
            ),
            ("a late closing moves an end that has come", &[(5, 5, "closed"), (20, 7, "closed")], &["15 raised 15", "20 amended 17"]),
            ("an older closing changes nothing", &[(5, 5, "closed"), (20, 3, "closed"), (21, 21, "other")], &["15 raised 15"]),
            (
                "closed again",
                &[(5, 5, "closed"), (20, 20, "opened"), (30, 30, "closed"), (50, 50, "other")],
                &["15 raised 15", "20 cleared 15", "40 amended 40"],
            ),
            (
                "another type moves the end",
                &[(1, 1, "opened"), (5, 5, "closed"), (16, 16, "loan"), (40, 40, "other")],
                &["15 raised 15", "16 cleared 15", "25 amended 25"],
            ),
            ("a type that moves no end", &[(1, 1, "opened"), (5, 5, "closed"), (16, 16, "savings"), (40, 40, "other")], &["15 raised 15"]),
            ("a closing that comes after its end", &[(30, 5, "closed"), (31, 31, "other")], &["30 raised 15"]),
            ("freezing changes nothing", &[(5, 5, "closed"), (6, 6, "frozen"), (16, 16, "other")], &["15 raised 15"]),
        ] {
            assert_eq!(alerts(story), expected, "{case}");
        }
    }

    #[test]
    fn a_late_event_that_ends_an_alert_is_its_reason() {
        let told = run(view(), happenings(&[(5, 5, "closed"), (20, 9, "opened")]));
        let reasons: Vec<_> = told.tables.alerts.changes().iter().map(|change| change.why.is_empty()).collect();
        assert_eq!(reasons, [true, false]);
    }
}
