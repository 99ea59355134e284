//! A pack of rules as a keyed fold.

use std::collections::BTreeMap;
use std::sync::Arc;

use headwater_schemas::events::{ErrorCode, Event, TransactionPhase};
use headwater_schemas::tables::{Alert, Amendment, DeadLetter, Decision, Moment, RememberedEvent, RuleAlert};
use headwater_schemas::value::EventTime;
use headwater_schemas::{Correction, EffectiveTime, Nanos, Place, Placed, Topic};

use super::customers::Customers;
use super::history::History;
use super::outcome::{self, Cause};
use super::pack::{Pack, Ruleset};
use super::record::Record;
use super::saved;
use super::subject::{GroupKey, Happened, RuleEvent};
use crate::admission::dead_letter;
use crate::keyed_fold::{Outbox, View};
use crate::ledger::{Adjusted, TakenBack};

/// View that judges events by the rules of a pack.
#[derive(Clone, Debug)]
pub struct Rules {
    pub(super) pack: Arc<Pack>,
    horizon: i64,
    /// Whether it refuses what is too late. Packs share the horizon, so one of them does for all.
    refuses: bool,
}

headwater_schemas::table_set! {
    /// The tables of rules.
    pub struct RuleTables restored from SavedRules {
        restored { rule_events: RememberedEvent, rule_alerts: RuleAlert }
        written { decisions: Decision, alerts: Alert }
    }
}

/// A group of a ruleset: the number of the ruleset in its pack, and what its events share.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Group {
    ruleset: u8,
    key: GroupKey,
}

impl Rules {
    /// The view, with the default horizon: a day, or the longest window if that is longer.
    pub fn new(pack: Arc<Pack>) -> Self {
        let day = i64::try_from(Nanos::DAY.get()).unwrap_or(i64::MAX);
        let horizon = day.max(pack.longest_window());
        Self::with_horizon(pack, Nanos::new(horizon.unsigned_abs()))
    }

    /// The view with another horizon: how late an event may be.
    pub fn with_horizon(pack: Arc<Pack>, horizon: Nanos) -> Self {
        Self { pack, horizon: i64::try_from(horizon.get()).unwrap_or(i64::MAX), refuses: true }
    }

    /// The view of a pack besides another one with the same subject and horizon, which refuses what is too late.
    pub fn besides_another(self) -> Self {
        Self { refuses: false, ..self }
    }

    fn ruleset(&self, group: &Group) -> Option<&Ruleset> {
        self.pack.rulesets.get(usize::from(group.ruleset))
    }

    /// The ruleset and group of a saved row; none of another pack.
    fn group_of(&self, pack: &str, grouping: &str, key: &str) -> Option<(&Ruleset, Group)> {
        let numbered = self.pack.rulesets.iter().zip(0_u8..).filter(|_| self.pack.name.as_str() == pack);
        let (ruleset, number) = numbered.into_iter().find(|(ruleset, _)| ruleset.grouping.name() == grouping)?;
        Some((ruleset, Group { ruleset: number, key: GroupKey::read(ruleset.grouping, key) }))
    }

    /// The age, relative to the effective time, beyond which no window reaches an event, in nanoseconds.
    fn retention(&self, ruleset: &Ruleset) -> i64 {
        self.horizon.saturating_add(ruleset.longest_window())
    }

    fn take_back(&self, ruleset: &Ruleset, state: &mut History, place: Place, taken: &TakenBack, out: &mut Outbox<'_, Self>) {
        let cause = Cause { amendment: Amendment::TakenBack, id: taken.correction.event_id().clone() };
        let now = place.event_time();
        let oldest = now.nanos().saturating_sub(self.horizon);
        let is_changed = if taken.is_restored {
            state.restore(ruleset, &taken.transaction_id, oldest, &cause, now)
        } else {
            state.take_back(ruleset, &taken.transaction_id, oldest, &cause, now)
        };
        if is_changed {
            out.correct(taken.correction.clone());
        }
    }

    fn adjust(&self, ruleset: &Ruleset, state: &mut History, place: Place, adjusted: &Adjusted) {
        let cause = Cause { amendment: Amendment::Captured, id: adjusted.capture.clone() };
        let now = place.event_time();
        let oldest = now.nanos().saturating_sub(self.horizon);
        state.adjust(ruleset, &adjusted.hold, adjusted.amount, oldest, &cause, now);
    }

    fn judge(&self, customers: &Customers, group: &Group, state: &mut History, event: Placed<RuleEvent>, out: &mut Outbox<'_, Self>) {
        let Some(ruleset) = self.ruleset(group) else { return };
        let Placed { place, event: RuleEvent { is_mirrored, what, .. } } = event;
        let Some((topic, ts)) = first_seen(&what, state) else { return };
        let behind = place.time.later_than(ts);
        if behind > i128::from(self.horizon) {
            // Every group of the event has the same record, which is refused once.
            let event = what.event().filter(|_| self.refuses && group.ruleset == 0 && !is_mirrored);
            return event.into_iter().for_each(|event| out.refuse(self.too_late(place, &event, behind)));
        }
        let account = what.party(is_mirrored);
        let facts = customers.facts(account.as_ref(), what.customer(), ts, &ruleset.kept);
        let Some(record) = Record::new(place, &what, &facts, is_mirrored, &ruleset.kept) else { return };
        let id = record.id.clone();
        if state.take(ruleset, record, place.event_time()) {
            let lateness = place.time.since(ts.effective());
            out.correct(Correction::Late { topic, id, lateness });
        }
        if let Some(expiry) = self.first_expiry(ruleset, state).filter(|expiry| state.timer.is_none_or(|timer| *expiry < timer)) {
            state.timer = Some(expiry);
            out.set_timer(expiry, ());
        }
    }

    fn too_late(&self, place: Place, event: &Event, behind: i128) -> DeadLetter {
        let seconds = |nanos: i128| nanos / 1_000_000_000;
        let error = format!(
            "the {} is {} s behind its effective time, more than the {} s that ruleset {} remembers: decide it by hand, or send it in time",
            self.pack.subject.word(),
            seconds(behind),
            seconds(i128::from(self.horizon)),
            self.pack.name
        );
        dead_letter(place, event, ErrorCode::TooLate, &error)
    }

    /// The effective time from which on an event of `ts` can be forgotten.
    fn expiry(&self, ruleset: &Ruleset, ts: i64) -> EffectiveTime {
        EventTime::from_nanos(ts.saturating_add(self.retention(ruleset)).saturating_add(1)).effective()
    }

    /// The effective time from which on the first event can be forgotten.
    fn first_expiry(&self, ruleset: &Ruleset, state: &History) -> Option<EffectiveTime> {
        state.ring.get(state.ring.start()).map(|first| self.expiry(ruleset, first.order.ts))
    }
}

/// Topic and time of an event that is to be judged. A void is not, and a payment is judged once, whatever its later statuses.
fn first_seen(what: &Happened, state: &History) -> Option<(Topic, EventTime)> {
    match what {
        Happened::Transaction(event) if event.phase == Some(TransactionPhase::Void) => None,
        Happened::Transaction(event) => Some((Topic::Transactions, event.ts)),
        Happened::Payment(event) if state.knows(&event.payment_id) => None,
        Happened::Payment(event) => Some((Topic::Payments, event.ts)),
        Happened::Access(event) => Some((Topic::Access, event.ts)),
        Happened::TakenBack(_) | Happened::Adjusted(_) => None,
    }
}

crate::fold_operator!(Rules);

impl View for Rules {
    type Key = Group;
    type Route = GroupKey;
    type Event = RuleEvent;
    type Broadcast = Event;
    type Context = Customers;
    type State = History;
    type Timer = ();
    type Tables = RuleTables;
    type Derived = ();
    type Update = ();

    fn key(&self, event: &RuleEvent) -> Group {
        Group { ruleset: event.ruleset, key: event.key.clone() }
    }

    fn route(group: &Group) -> GroupKey {
        group.key.clone()
    }

    fn learn(&self, customers: &mut Customers, broadcast: Placed<Event>) {
        customers.learn(&broadcast.event);
    }

    fn apply(&self, customers: &Customers, group: &Group, state: &mut History, event: Placed<RuleEvent>, out: &mut Outbox<'_, Self>) {
        let Some(ruleset) = self.ruleset(group) else { return };
        match &event.event.what {
            Happened::TakenBack(taken) => self.take_back(ruleset, state, event.place, taken, out),
            Happened::Adjusted(adjusted) => self.adjust(ruleset, state, event.place, adjusted),
            _ => self.judge(customers, group, state, event, out),
        }
    }

    /// A timer for the first event is always set, so forgetting an event depends on nothing else.
    fn timer(&self, _: &Customers, group: &Group, state: &mut History, (): (), place: Place, out: &mut Outbox<'_, Self>) {
        let Some(ruleset) = self.ruleset(group) else { return };
        let now = EventTime::from_effective(place.time).nanos();
        state.forget(ruleset, now.saturating_sub(self.retention(ruleset)));
        if state.timer.is_some_and(|timer| timer > place.time) {
            // The timer of an event that is already forgotten.
            return;
        }
        state.timer = self.first_expiry(ruleset, state);
        state.timer.into_iter().for_each(|expiry| out.set_timer(expiry, ()));
    }

    fn emit(&self, _: &Customers, group: &Group, state: &mut History, at: &Moment, tables: &RuleTables) {
        let Some(ruleset) = self.ruleset(group) else { return };
        let key = &group.key;
        let mut never_emitted = Vec::new();
        for (order, old) in std::mem::take(&mut state.pending) {
            let index = state.ring.place_of(&order);
            let here = state.ring.get_mut(index).filter(|record| record.order == order);
            let is_here = here.is_some();
            // The event may have been forgotten meanwhile.
            let Some(record) = here.or_else(|| state.gone.iter_mut().find(|record| record.order == order)) else { continue };
            record.is_pending = false;
            let decision = |outcome: &_| outcome::decision(ruleset, record, outcome);
            let alert = |outcome: &_| outcome::alert(ruleset, key, record, outcome);
            let before = old.as_ref().map(|old| &old.outcome);
            tables.decisions.replace(at, before.and_then(decision), decision(&record.outcome));
            tables.alerts.replace(at, before.and_then(alert), alert(&record.outcome));
            match &old {
                _ if is_here => {
                    let cells = |old: &super::history::Before| old.cells.as_deref().unwrap_or(&record.cells).to_vec();
                    let before = old.as_ref().map(|old| saved::row(ruleset, key, record, &cells(old), &old.outcome));
                    tables.rule_events.replace(at, before, Some(saved::row(ruleset, key, record, &record.cells, &record.outcome)));
                }
                Some(_) => {}
                None => never_emitted.push(order),
            }
        }
        for record in state.gone.drain(..).filter(|record| !never_emitted.contains(&record.order)) {
            tables.rule_events.retract(at, saved::gone(ruleset, key, &record, &record.outcome));
        }
        state.episodes.emit(ruleset, key, at, &tables.alerts, &tables.rule_alerts);
    }

    /// If the pack reads a field that the previous pack did not keep, the field is unknown for earlier events.
    fn restore(&self, saved: &SavedRules, is_mine: &dyn Fn(&Group) -> bool) -> Vec<(Group, History)> {
        let mut groups = BTreeMap::<Group, Vec<Record>>::new();
        for row in saved.rule_events.iter() {
            let Some((ruleset, group)) = self.group_of(&row.ruleset, &row.grouping, &row.group_key) else { continue };
            let Some(record) = is_mine(&group).then(|| saved::record(ruleset, row)).flatten() else { continue };
            groups.entry(group).or_default().push(record);
        }
        let state = |(group, records): (Group, Vec<Record>)| {
            let mut state = History::restored(records);
            state.timer = self.ruleset(&group).and_then(|ruleset| self.first_expiry(ruleset, &state));
            (group, state)
        };
        let mut states: BTreeMap<Group, History> = groups.into_iter().map(state).collect();
        for row in saved.rule_alerts.iter() {
            let Some((ruleset, group)) = self.group_of(&row.ruleset, &row.grouping, &row.group_key) else { continue };
            if is_mine(&group) {
                let key = group.key.clone();
                states.entry(group).or_default().episodes.restore(ruleset, &key, row);
            }
        }
        states.into_iter().collect()
    }

    fn timers(&self, _: &Group, state: &History) -> Vec<(EffectiveTime, ())> {
        state.timer.map(|time| (time, ())).into_iter().collect()
    }

    fn is_forgettable(&self, state: &History) -> bool {
        state.ring.is_empty() && state.episodes.is_empty()
    }
}
