//! Suppressions: alerts of a rule that people do not want to see for some time.
//!
//! - **Reads** the records of `suppressions`. **Key**: rule and subject, or the rule alone for every subject of it.
//! - **Rows** ([`AlertSuppression`]): the newest record of a key by its own time, as long as it is not deleted, with the effective
//!   time from which it holds. A timer marks it as expired at its end; a record that comes after its own end holds nothing.
//! - A suppression changes no alert: the outbox, notifications and the views of open alerts leave out what it names.
//! - **State**: the row.

use std::collections::BTreeMap;
use std::sync::Arc;

use headwater_schemas::events::{Event, Suppression};
use headwater_schemas::tables::{AlertSuppression, Moment, SuppressionState, TableWriter};
use headwater_schemas::{EffectiveTime, EventTime, Id, Place, Placed, Text, Topic};
use serde::{Deserialize, Serialize};

use crate::keyed_fold::{Outbox, States, View};
use crate::newest;

/// View of suppressions.
#[derive(Clone, Copy, Debug)]
pub struct Suppressions;

/// The alerts that a suppression is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SuppressionKey {
    /// The rule.
    pub rule: Text,
    /// The subject; [`AlertSuppression::EVERY_SUBJECT`] for every subject.
    pub subject: Text,
}

impl SuppressionKey {
    fn of(event: &Suppression) -> Self {
        let subject = event.subject.as_ref().map_or(AlertSuppression::EVERY_SUBJECT, |subject| Text::new(subject.as_str()));
        Self { rule: event.rule.clone(), subject }
    }

    /// The key of a row.
    pub fn of_row(row: &AlertSuppression) -> Self {
        Self { rule: row.rule.clone(), subject: row.subject.clone() }
    }

    /// The keys of the suppressions that alerts of a rule about a subject can have.
    pub fn of_alerts(rule: &Text, subject: &str) -> [Self; 2] {
        [Text::new(subject), AlertSuppression::EVERY_SUBJECT].map(|subject| Self { rule: rule.clone(), subject })
    }

    /// The key of a record: `rule|subject`, or the rule alone.
    fn of_record(key: &str) -> Self {
        match key.split_once('|') {
            Some((rule, subject)) => Self { rule: Text::new(rule), subject: Text::new(subject) },
            None => Self { rule: Text::new(key), subject: AlertSuppression::EVERY_SUBJECT },
        }
    }
}

/// A change of a suppression.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SuppressionEvent {
    /// A record.
    Set(Box<Suppression>),
    /// A deletion.
    Deleted(SuppressionKey),
}

impl SuppressionEvent {
    /// The change that follows from an event; none from one of another topic.
    pub fn of(event: Event) -> Option<Self> {
        match event {
            Event::Suppression(suppression) => Some(Self::Set(suppression)),
            Event::Deleted(deleted) if deleted.rank == Topic::Suppressions.rank() => {
                Some(Self::Deleted(SuppressionKey::of_record(&deleted.key)))
            }
            _ => None,
        }
    }
}

/// A suppression as it is, and as it was emitted.
#[derive(Clone, Debug, Default)]
pub struct SuppressionRow {
    is: Option<AlertSuppression>,
    emitted: Option<AlertSuppression>,
}

crate::fold_operator!(Suppressions);

impl View for Suppressions {
    type Key = SuppressionKey;
    type Route = SuppressionKey;
    type Event = SuppressionEvent;
    type Broadcast = ();
    type Context = ();
    type State = SuppressionRow;
    type Timer = ();
    type Tables = TableWriter<AlertSuppression>;
    type Derived = ();
    type Update = ();

    fn key(&self, event: &SuppressionEvent) -> SuppressionKey {
        match event {
            SuppressionEvent::Set(suppression) => SuppressionKey::of(suppression),
            SuppressionEvent::Deleted(key) => key.clone(),
        }
    }

    fn route(key: &SuppressionKey) -> SuppressionKey {
        key.clone()
    }

    fn learn(&self, (): &mut (), _: Placed<()>) {}

    fn apply(
        &self,
        (): &(),
        key: &SuppressionKey,
        state: &mut SuppressionRow,
        Placed { place, event }: Placed<SuppressionEvent>,
        out: &mut Outbox<'_, Self>,
    ) {
        let next = match event {
            SuppressionEvent::Set(event) if state.is.as_ref().is_some_and(|is| is.written > event.ts) => return,
            SuppressionEvent::Set(event) => Some(set(key, &event, state.is.as_ref(), place)),
            SuppressionEvent::Deleted(_) => None,
        };
        let before = std::mem::replace(&mut state.is, next);
        before.as_ref().and_then(end).into_iter().for_each(|end| out.cancel_timer(end, ()));
        state.is.as_ref().and_then(end).into_iter().for_each(|end| out.set_timer(end, ()));
    }

    fn timer(&self, (): &(), _: &SuppressionKey, state: &mut SuppressionRow, (): (), place: Place, _: &mut Outbox<'_, Self>) {
        if let Some(is) = state.is.as_mut().filter(|is| end(is).is_some_and(|end| end <= place.time)) {
            is.state = SuppressionState::Expired;
            is.ts = place.event_time();
        }
    }

    fn emit(&self, (): &(), _: &SuppressionKey, state: &mut SuppressionRow, at: &Moment, suppressions: &TableWriter<AlertSuppression>) {
        suppressions.replace(at, state.emitted.take(), state.is.clone());
        state.emitted.clone_from(&state.is);
    }

    fn is_forgettable(&self, state: &SuppressionRow) -> bool {
        state.is.is_none()
    }

    fn restore(&self, saved: &Arc<Vec<AlertSuppression>>, states: &mut States<'_, Self>) {
        for row in saved.iter() {
            let Some(state) = states.of(&SuppressionKey::of_row(row)) else { continue };
            *state = SuppressionRow { is: Some(row.clone()), emitted: Some(row.clone()) };
        }
    }

    fn timers(&self, _: &SuppressionKey, state: &SuppressionRow) -> Vec<(EffectiveTime, ())> {
        state.is.as_ref().and_then(end).map(|end| (end, ())).into_iter().collect()
    }
}

/// The row of a record. One that follows on another without a gap holds since that one began.
fn set(key: &SuppressionKey, event: &Suppression, before: Option<&AlertSuppression>, place: Place) -> AlertSuppression {
    let now = place.event_time();
    let holding = before.filter(|before| before.state == SuppressionState::Active);
    AlertSuppression {
        rule: key.rule.clone(),
        subject: key.subject.clone(),
        state: if event.expires_at > now { SuppressionState::Active } else { SuppressionState::Expired },
        author: event.author.clone(),
        justification: event.reason.clone(),
        since: holding.map_or(now, |before| before.since),
        expires_at: event.expires_at,
        written: event.ts,
        ts: now,
    }
}

/// The time at which a suppression that holds expires.
fn end(row: &AlertSuppression) -> Option<EffectiveTime> {
    (row.state == SuppressionState::Active).then(|| row.expires_at.effective())
}

/// The record of a row; none of a row whose subject is no subject.
pub fn record_of(row: &AlertSuppression) -> Option<Suppression> {
    let AlertSuppression { rule, subject, author, justification: reason, expires_at, written: ts, .. } = row.clone();
    let is_of_every = subject == AlertSuppression::EVERY_SUBJECT;
    let subject = if is_of_every { None } else { Some(Id::new(&subject).ok()?) };
    Some(Suppression { rule, subject, author, reason, expires_at, ts })
}

/// The suppressions that hold, for views that look them up.
#[derive(Clone, Debug, Default)]
pub struct Suppressed(BTreeMap<SuppressionKey, (Option<EventTime>, EventTime)>);

impl Suppressed {
    /// Applies a broadcast; ignores events of other topics.
    pub fn learn(&mut self, event: &Event) {
        match event {
            Event::Suppression(event) => {
                let kept = self.0.entry(SuppressionKey::of(event)).or_insert((event.ts, event.expires_at));
                newest::replace(kept, (event.ts, event.expires_at), |(ts, _)| *ts);
            }
            Event::Deleted(deleted) if deleted.rank == Topic::Suppressions.rank() => {
                self.0.remove(&SuppressionKey::of_record(&deleted.key));
            }
            _ => {}
        }
    }

    /// Whether alerts of a rule about a subject are suppressed at a time.
    pub fn holds(&self, rule: &Text, subject: &str, now: EventTime) -> bool {
        let mut found = SuppressionKey::of_alerts(rule, subject).into_iter().filter_map(|key| self.0.get(&key));
        found.any(|(_, expires_at)| now < *expires_at)
    }
}

#[cfg(test)]
mod tests {
    use headwater_schemas::Offset;

    use super::*;
    use crate::testing::{Happening, Happenings, history_of, run, run_with_restart};

    /// Records, each with the time at which it is read: a value, or a key to delete.
    type Story<'a> = &'a [(i64, &'a str)];

    fn event(text: &str) -> Event {
        let event = match text.starts_with('{') {
            true => Event::decode(Topic::Suppressions, None, Some(text.as_bytes())),
            false => Event::decode(Topic::Suppressions, Some(text.as_bytes()), None),
        };
        event.expect(text)
    }

    fn placed(story: Story<'_>) -> Vec<Placed<Event>> {
        let place =
            |time: i64, offset| Place::of_record(EventTime::from_nanos(time).effective(), Topic::Suppressions, 0, Offset::new(offset));
        (0..).zip(story).map(|(offset, (time, text))| Placed { place: place(*time, offset), event: event(text) }).collect()
    }

    fn record(ts: i64, subject: &str, expires_at: i64) -> String {
        format!(r#"{{"rule":"fan_out"{subject},"author":"ann","reason":"payday","expires_at":{expires_at},"ts":{ts}}}"#)
    }

    /// Each change: the time, the subject, the state, and from when until when it holds; `gone` if it was deleted.
    fn changes(story: Story<'_>) -> Vec<String> {
        let happenings = || -> Happenings<Suppressions> {
            let event = |event: Event| SuppressionEvent::of(event).map(Happening::Event).expect("a suppression");
            placed(story).into_iter().map(|placed| placed.map(event)).collect()
        };
        let whole = history_of(&run(Suppressions, happenings()).tables);
        for cut in 0..=story.len() {
            assert_eq!(whole, history_of(&run_with_restart(Suppressions, happenings(), cut).tables), "{story:?}, cut at {cut}");
        }
        let text = |(tick, row, gone): (headwater_schemas::Tick, AlertSuppression, bool)| {
            let AlertSuppression { subject, state, since, expires_at, .. } = row;
            let what = if gone { "gone".to_owned() } else { format!("{state} {}..{}", since.nanos(), expires_at.nanos()) };
            format!("{} {subject} {what}", tick.get())
        };
        whole.into_iter().map(text).collect()
    }

    #[test]
    fn a_suppression_holds_until_it_expires_is_deleted_or_replaced() {
        let of_a = r#","subject":"a""#;
        let (of_b, since_zero) = (r#","subject":"b""#, record(0, of_a, 70));
        let records =
            [record(1, of_a, 50), record(2, of_a, 90), record(3, of_a, 20), record(1, "", 50), record(5, of_a, 60), record(80, of_b, 999)];
        let [first, longer, shorter, every, late, other] = records.each_ref().map(String::as_str);
        let old = since_zero.as_str();
        let begins = "1 a active 1..50";
        for (case, story, expected) in [
            ("it expires", vec![(1, first), (80, other)], vec![begins, "50 a expired 1..50", "80 b active 80..999"]),
            ("every subject", vec![(1, every), (80, other)], vec!["1 * active 1..50", "50 * expired 1..50", "80 b active 80..999"]),
            ("a deletion", vec![(1, first), (30, "fan_out|a"), (80, other)], vec![begins, "30 a gone", "80 b active 80..999"]),
            ("a deletion for every subject", vec![(1, every), (30, "fan_out")], vec!["1 * active 1..50", "30 * gone"]),
            ("prolonged", vec![(1, first), (30, longer), (80, other)], vec![begins, "30 a active 1..90", "80 b active 80..999"]),
            ("shortened into the past", vec![(1, first), (30, shorter)], vec![begins, "30 a expired 1..20"]),
            ("again after its end", vec![(1, first), (60, longer)], vec![begins, "50 a expired 1..50", "60 a active 60..90"]),
            ("an older record does not replace a newer one", vec![(1, first), (30, old)], vec![begins]),
            ("a record that comes after its own end", vec![(60, late)], vec!["60 a expired 60..60"]),
            ("deleted before it is set", vec![(1, "fan_out|a")], vec![]),
        ] {
            assert_eq!(changes(&story), expected, "{case}");
        }
    }

    #[test]
    fn a_lookup_agrees_with_the_rows() {
        let of_a = r#","subject":"a""#;
        let (first, old, every) = (record(5, of_a, 50), record(1, of_a, 99), record(7, "", 70));
        let mut suppressed = Suppressed::default();
        let rule = Text::new("fan_out");
        for (story, at, of_a, of_b, of_other_rule) in [
            (vec![], 1, false, false, false),
            (vec![(5, first.as_str())], 5, true, false, false),
            (vec![(6, old.as_str())], 49, true, false, false),
            (vec![], 50, false, false, false),
            (vec![(51, every.as_str())], 69, true, true, false),
            (vec![], 70, false, false, false),
            (vec![(71, "fan_out"), (71, "fan_out|a")], 71, false, false, false),
        ] {
            placed(&story).iter().for_each(|placed| suppressed.learn(&placed.event));
            let at = EventTime::from_nanos(at);
            let found =
                (suppressed.holds(&rule, "a", at), suppressed.holds(&rule, "b", at), suppressed.holds(&Text::new("fan_in"), "a", at));
            assert_eq!(found, (of_a, of_b, of_other_rule), "{story:?}");
        }
    }
}
