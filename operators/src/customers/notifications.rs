//! Notifications: sentences for customers, published as a topic.
//!
//! - **Reads** the notices of price alerts, of spending, and of transactions and payments that were blocked for fraud. Alerts about
//!   a customer's conduct never arrive here.
//! - **Key**: customer. **Rows**: [`Notification`]. **State**: the notices of the current day, and those that wait for the end of
//!   quiet hours; [`CustomerNotice`].
//! - **Routing**: only the configured kinds are notified, and no alert that is suppressed.
//! - **Deduplication**: one notice per rule, subject and local day.
//! - **Quiet hours** are in the customer's time zone (UTC if that is unknown). A notice in quiet hours is to be delivered at their
//!   end. Several of them are one notification, a digest that lists them: its row is replaced until then. One about fraud is
//!   delivered at once.
//! - An alert that is withdrawn or cleared later takes back no notification.

use std::collections::BTreeMap;
use std::sync::Arc;

use headwater_schemas::events::Event;
use headwater_schemas::tables::{CustomerNotice, Moment, Notification, NotificationKind};
use headwater_schemas::{CustomerId, Date, EventTime, Id, Placed, Text};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::notice::Notice;
use super::quiet::{QuietHours, TimeOfDay};
use crate::keyed_fold::{Outbox, States, View};
use crate::suppressions::Suppressed;
use crate::touched::Touched;
use crate::zones::CustomerZones;

/// Section `[notifications]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NotificationSettings {
    /// The kinds that are notified. Default: `price`, `budget`, `spending`, `fraud`.
    pub kinds: Vec<NotificationKind>,
    /// The local time of day at which quiet hours begin. Default 22:00.
    pub quiet_from: TimeOfDay,
    /// The local time of day at which quiet hours end; the same as `quiet_from` for none. Default 07:00.
    pub quiet_to: TimeOfDay,
}

impl Default for NotificationSettings {
    fn default() -> Self {
        let kinds = vec![NotificationKind::Price, NotificationKind::Budget, NotificationKind::Spending, NotificationKind::Fraud];
        Self { kinds, quiet_from: TimeOfDay::hour(22), quiet_to: TimeOfDay::hour(7) }
    }
}

impl NotificationSettings {
    /// What is wrong with the settings, one sentence each.
    pub fn problems(&self) -> Vec<String> {
        let is_digest = self.kinds.contains(&NotificationKind::Digest);
        let problem = "notifications.kinds: a digest is made of notices of other kinds: write some of price, budget, spending, fraud";
        is_digest.then(|| problem.to_owned()).into_iter().collect()
    }
}

/// View of notifications.
#[derive(Clone, Debug)]
pub struct Notifications {
    /// Routing and quiet hours.
    pub settings: Arc<NotificationSettings>,
}

headwater_schemas::table_set! {
    /// The tables of notifications.
    pub struct NotificationTables restored from SavedNotifications {
        restored { customer_notices: CustomerNotice }
        written { notifications: Notification }
    }
}

/// The time zones of customers, and the alerts that are suppressed.
#[derive(Clone, Debug, Default)]
pub struct NotificationContext {
    zones: CustomerZones,
    suppressed: Suppressed,
}

/// Rule, subject and local date of a notice.
type NoticeKey = (Text, Id, Date);

/// The notices of a customer.
#[derive(Clone, Debug, Default)]
pub struct NoticeState {
    notices: BTreeMap<NoticeKey, Noticed>,
    touched: Touched<NoticeKey, CustomerNotice>,
    /// Notifications to be emitted, each in its latest state.
    now: BTreeMap<Id, Notification>,
}

/// A notice, and when it is delivered.
#[derive(Clone, Debug)]
struct Noticed {
    kind: NotificationKind,
    message: Text,
    deliver_at: EventTime,
    /// Whether it waits for the end of quiet hours.
    is_quiet: bool,
    /// The number of notices before it in its digest.
    number: i64,
    ts: EventTime,
}

crate::fold_operator!(Notifications);

impl View for Notifications {
    type Key = CustomerId;
    type Route = CustomerId;
    type Event = Notice;
    type Broadcast = Event;
    type Context = NotificationContext;
    type State = NoticeState;
    type Timer = ();
    type Tables = NotificationTables;
    type Derived = ();
    type Update = ();

    fn key(&self, notice: &Notice) -> CustomerId {
        notice.customer_id
    }

    fn route(customer: &CustomerId) -> CustomerId {
        *customer
    }

    fn learn(&self, context: &mut NotificationContext, broadcast: Placed<Event>) {
        context.zones.learn(&broadcast.event);
        context.suppressed.learn(&broadcast.event);
    }

    fn apply(
        &self,
        NotificationContext { zones, suppressed }: &NotificationContext,
        customer: &CustomerId,
        state: &mut NoticeState,
        placed: Placed<Notice>,
        _: &mut Outbox<'_, Self>,
    ) {
        let Placed { place, event: notice } = placed;
        let ts = place.event_time();
        let date = zones.date(customer, ts);
        state.forget(*customer, date, ts);
        let key = (notice.rule, notice.subject, date);
        if suppressed.holds(&key.0, &key.1, ts) {
            return;
        }
        if !self.settings.kinds.contains(&notice.kind) || state.notices.contains_key(&key) {
            return;
        }
        let quiet = QuietHours { from: self.settings.quiet_from, to: self.settings.quiet_to };
        let may_wait = notice.kind != NotificationKind::Fraud;
        let end = may_wait.then(|| quiet.end(zones.of(customer).unwrap_or(&TimeZone::UTC), ts)).flatten();
        let deliver_at = end.unwrap_or(ts);
        let is_quiet = end.is_some();
        let number = i64::try_from(state.digest(deliver_at).count()).unwrap_or(i64::MAX);
        state.touch(*customer, &key);
        let noticed = Noticed { kind: notice.kind, message: notice.message, deliver_at, is_quiet, number, ts };
        state.notices.insert(key.clone(), noticed.clone());
        let notification = if is_quiet { state.collected(*customer, deliver_at, ts) } else { alone(*customer, &key, &noticed) };
        state.now.insert(notification.notification_id.clone(), notification);
    }

    fn emit(&self, _: &NotificationContext, customer: &CustomerId, state: &mut NoticeState, at: &Moment, tables: &NotificationTables) {
        let notices = &state.notices;
        state.touched.emit(at, &tables.customer_notices, |key| Some(notices.get(key)?.row(*customer, key)));
        std::mem::take(&mut state.now).into_values().for_each(|notification| tables.notifications.insert(at, notification));
    }

    fn is_forgettable(&self, state: &NoticeState) -> bool {
        state.notices.is_empty()
    }

    fn restore(&self, saved: &SavedNotifications, states: &mut States<'_, Self>) {
        for row in saved.customer_notices.iter() {
            let Some(state) = states.of(&row.customer_id) else { continue };
            state.notices.insert((row.rule.clone(), row.subject.clone(), row.date), Noticed::restored(row));
        }
    }
}

impl NoticeState {
    /// Forgets notices that are delivered and of an earlier day.
    fn forget(&mut self, customer: CustomerId, date: Date, now: EventTime) {
        let is_over = |(key, noticed): &(&NoticeKey, &Noticed)| key.2 < date && noticed.deliver_at <= now;
        let over: Vec<_> = self.notices.iter().filter(is_over).map(|(key, _)| key.clone()).collect();
        for key in over {
            self.touch(customer, &key);
            self.notices.remove(&key);
        }
    }

    fn touch(&mut self, customer: CustomerId, key: &NoticeKey) {
        let Self { notices, touched, .. } = self;
        touched.note(key.clone(), || Some(notices.get(key)?.row(customer, key)));
    }

    /// The notices that wait for an end of quiet hours.
    fn digest(&self, deliver_at: EventTime) -> impl Iterator<Item = (&NoticeKey, &Noticed)> {
        self.notices.iter().filter(move |(_, noticed)| noticed.is_quiet && noticed.deliver_at == deliver_at)
    }

    /// The notification at the end of quiet hours. A single notice is not listed.
    fn collected(&self, customer: CustomerId, deliver_at: EventTime, ts: EventTime) -> Notification {
        let mut digest: Vec<_> = self.digest(deliver_at).collect();
        digest.sort_by_key(|(_, noticed)| noticed.number);
        let notification_id = Id::shortened(&format!("digest:{customer}:{}", deliver_at.nanos()));
        match *digest {
            [(key, noticed)] => Notification { notification_id, ..alone(customer, key, noticed) },
            _ => {
                let messages: Vec<&str> = digest.iter().map(|(_, noticed)| noticed.message.as_str()).collect();
                let message = Text::from(format!("{} notifications: {}", messages.len(), messages.join("; ")));
                let (kind, subject) = (NotificationKind::Digest, customer.to_id());
                Notification { notification_id, customer_id: customer, kind, subject, message, deliver_at, ts }
            }
        }
    }
}

/// The notification of one notice.
fn alone(customer_id: CustomerId, (rule, subject, date): &NoticeKey, noticed: &Noticed) -> Notification {
    let Noticed { kind, message, deliver_at, ts, .. } = noticed.clone();
    let notification_id = Id::shortened(&format!("{rule}:{customer_id}:{subject}:{date}"));
    Notification { notification_id, customer_id, kind, subject: subject.clone(), message, deliver_at, ts }
}

impl Noticed {
    fn row(&self, customer_id: CustomerId, (rule, subject, date): &NoticeKey) -> CustomerNotice {
        let Self { kind, message, deliver_at, is_quiet, number, ts } = self.clone();
        let (rule, subject) = (rule.clone(), subject.clone());
        CustomerNotice { customer_id, rule, subject, kind, message, date: *date, deliver_at, is_quiet, number, ts }
    }

    fn restored(row: &CustomerNotice) -> Self {
        let CustomerNotice { kind, message, deliver_at, is_quiet, number, ts, .. } = row.clone();
        Self { kind, message, deliver_at, is_quiet, number, ts }
    }
}

#[cfg(test)]
mod tests {
    use headwater_schemas::{EffectiveTime, Offset, Place, Topic};

    use super::*;
    use crate::testing::{Happening, Happenings, history_of, rows_of, run, run_with_restart};

    /// Notices of customer `C`, who lives in New York: time, kind, rule and subject, and sentence.
    type Case = (&'static str, &'static [(&'static str, &'static str, &'static str, &'static str)], &'static [&'static str]);

    const CASES: &[Case] = &[
        ("a notice is delivered at once", &[("2026-01-05T15:00:00Z", "price", "S", "up")], &["price S 2026-01-05T15:00:00Z: up"]),
        (
            "one notice per rule, subject and day",
            &[
                ("2026-01-05T15:00:00Z", "price", "S", "up"),
                ("2026-01-05T16:00:00Z", "price", "S", "again"),
                ("2026-01-05T16:00:00Z", "price", "T", "other"),
                ("2026-01-06T15:00:00Z", "price", "S", "next day"),
            ],
            &["price S 2026-01-05T15:00:00Z: up", "price S 2026-01-06T15:00:00Z: next day", "price T 2026-01-05T16:00:00Z: other"],
        ),
        (
            "a notice in quiet hours is delivered at their end",
            &[("2026-01-06T03:00:00Z", "budget", "food", "spent")],
            &["budget food 2026-01-06T12:00:00Z: spent"],
        ),
        (
            "several notices in quiet hours are one digest, over midnight",
            &[
                ("2026-01-06T03:00:00Z", "price", "T", "first"),
                ("2026-01-06T04:00:00Z", "budget", "food", "second"),
                ("2026-01-06T06:00:00Z", "price", "A", "third"),
                ("2026-01-06T12:00:00Z", "price", "B", "at their end"),
            ],
            &["digest C 2026-01-06T12:00:00Z: 3 notifications: first; second; third", "price B 2026-01-06T12:00:00Z: at their end"],
        ),
        (
            "what is said again after midnight, in the same quiet hours, takes nothing from the digest",
            &[
                ("2026-01-06T04:00:00Z", "price", "S", "up"),
                ("2026-01-06T04:30:00Z", "price", "S", "said today"),
                ("2026-01-06T06:00:00Z", "price", "S", "up again"),
                ("2026-01-06T06:30:00Z", "price", "S", "said today"),
            ],
            &["digest C 2026-01-06T12:00:00Z: 2 notifications: up; up again"],
        ),
        (
            "quiet hours end later by UTC in winter than in summer",
            &[("2026-07-06T03:00:00Z", "price", "S", "up")],
            &["price S 2026-07-06T11:00:00Z: up"],
        ),
        (
            "a notice about fraud does not wait for the end of quiet hours, and is in no digest",
            &[
                ("2026-01-06T03:00:00Z", "price", "S", "first"),
                ("2026-01-06T04:00:00Z", "fraud", "T1", "stopped"),
                ("2026-01-06T04:30:00Z", "fraud", "T1", "stopped again"),
            ],
            &["fraud T1 2026-01-06T04:00:00Z: stopped", "price S 2026-01-06T12:00:00Z: first"],
        ),
        ("kinds that are not routed are not notified", &[("2026-01-05T15:00:00Z", "spending", "food", "much")], &[]),
    ];

    fn happenings(notices: &[(&str, &str, &str, &str)]) -> Happenings<Notifications> {
        let json = br#"{"customer_id":"C","timezone":"America/New_York"}"#;
        let customer = Event::decode(Topic::Customers, None, Some(json)).unwrap();
        let first = Placed {
            place: Place::of_record(EffectiveTime::ZERO, Topic::Customers, 0, Offset::ZERO),
            event: Happening::Broadcast(customer),
        };
        let notice = |(offset, (time, kind, subject, message)): (u64, &(&str, &str, &str, &str))| {
            let event = Notice {
                customer_id: CustomerId::derived("C"),
                kind: NotificationKind::from_word(kind).unwrap(),
                rule: Text::new(kind),
                subject: Id::derived(*subject),
                message: Text::new(message),
            };
            let time = time.parse::<EventTime>().unwrap().effective();
            Placed { place: Place::of_record(time, Topic::Transactions, 0, Offset::new(offset)), event: Happening::Event(event) }
        };
        std::iter::once(first).chain((1..).zip(notices).map(notice)).collect()
    }

    fn view() -> Notifications {
        let kinds = vec![NotificationKind::Price, NotificationKind::Budget, NotificationKind::Fraud];
        Notifications { settings: Arc::new(NotificationSettings { kinds, ..NotificationSettings::default() }) }
    }

    #[test]
    fn notices_become_notifications() {
        for (name, notices, expected) in CASES {
            let rows = rows_of(&run(view(), happenings(notices)).tables.notifications);
            let mut texts: Vec<_> =
                rows.iter().map(|row| format!("{} {} {}: {}", row.kind, row.subject, row.deliver_at, row.message)).collect();
            texts.sort_unstable();
            assert_eq!(texts, *expected, "{name}");
        }
    }

    #[test]
    fn a_suppressed_alert_is_not_notified() {
        let notices = [
            ("2026-01-05T15:00:00Z", "price", "S", "suppressed"),
            ("2026-01-05T15:00:00Z", "price", "T", "of another subject"),
            ("2026-01-05T16:00:00Z", "price", "S", "at its end"),
        ];
        let suppression =
            br#"{"rule":"price","subject":"S","author":"ann","reason":"a bad feed","expires_at":"2026-01-05T16:00:00Z","ts":1}"#;
        let suppression = Event::decode(Topic::Suppressions, None, Some(suppression)).unwrap();
        let place = Place::of_record(EffectiveTime::ZERO, Topic::Suppressions, 0, Offset::ZERO);
        let all = || {
            let mut all = happenings(&notices);
            all.push(Placed { place, event: Happening::Broadcast(suppression.clone()) });
            all
        };
        let rows = rows_of(&run(view(), all()).tables.notifications);
        let messages: Vec<_> = rows.iter().map(|row| row.message.as_str()).collect();
        assert_eq!(messages, ["at its end", "of another subject"]);
        for cut in 0..=all().len() {
            assert_eq!(rows, rows_of(&run_with_restart(view(), all(), cut).tables.notifications), "cut at {cut}");
        }
    }

    #[test]
    fn a_restart_anywhere_changes_nothing() {
        for (name, notices, _) in CASES {
            let whole = run(view(), happenings(notices));
            for cut in 0..=notices.len() + 1 {
                let resumed = run_with_restart(view(), happenings(notices), cut);
                assert_eq!(history_of(&whole.tables.notifications), history_of(&resumed.tables.notifications), "{name}, cut at {cut}");
                assert_eq!(rows_of(&whole.tables.customer_notices), rows_of(&resumed.tables.customer_notices), "{name}, cut at {cut}");
            }
        }
    }
}
