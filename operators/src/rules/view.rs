//! The rules of one subject as a keyed fold.

use std::sync::Arc;

use headwater_schemas::events::{ErrorCode, Event, TransactionPhase};
use headwater_schemas::privacy::Tokens;
use headwater_schemas::tables::{Alert, AlertKind, Amendment, DeadLetter, Decision, Moment, RememberedEvent, RuleAlert, RuleOutcome};
use headwater_schemas::value::EventTime;
use headwater_schemas::{Correction, CustomerId, EffectiveTime, Nanos, Place, Placed, Topic};

use super::cells::{self, Cell};
use super::coverage::Coverages;
use super::customers::{BaseCurrency, Customers, Facts};
use super::episodes::Episodes;
use super::field::Field;
use super::grouped::{Grouped, Member};
use super::history::{Again, Before, Blocked, History, of_ruleset};
use super::outcome::{self, Cause};
use super::pack::Pack;
use super::record::Record;
use super::saved::{self, Saved};
use super::subject::{GroupKey, Happened, RuleEvent, Subject};
use crate::admission::dead_letter;
use crate::customers::Notice;
use crate::keyed_fold::{Outbox, States, View};
use crate::ledger::{Adjusted, TakenBack};

/// View that judges the events of one subject by the rules of packs.
#[derive(Clone, Debug)]
pub struct Rules {
    pub(super) grouped: Arc<[Grouped]>,
    horizon: i64,
    base: BaseCurrency,
}

headwater_schemas::table_set! {
    /// The tables of rules.
    pub struct RuleTables restored from SavedRules {
        restored { rule_events: RememberedEvent, rule_outcomes: RuleOutcome, rule_alerts: RuleAlert }
        written { decisions: Decision, alerts: Alert }
    }
}

/// A group: the number of the rulesets that remember it together, and what its events share.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Group {
    grouped: u8,
    key: GroupKey,
}

impl Rules {
    /// The view of a pack, with the default horizon: a day, or the longest window if that is longer.
    pub fn new(pack: Arc<Pack>) -> Self {
        let day = i64::try_from(Nanos::DAY.get()).unwrap_or(i64::MAX);
        let horizon = day.max(pack.longest_window());
        Self::with_horizon(pack, Nanos::new(horizon.unsigned_abs()))
    }

    /// The view of a pack with another horizon: how late an event may be.
    pub fn with_horizon(pack: Arc<Pack>, horizon: Nanos) -> Self {
        Self::of(pack.subject, &[pack], horizon)
    }

    /// The view of those packs that judge a subject.
    pub fn of(subject: Subject, packs: &[Arc<Pack>], horizon: Nanos) -> Self {
        let horizon = i64::try_from(horizon.get()).unwrap_or(i64::MAX);
        Self { grouped: Grouped::all(subject, packs).into(), horizon, base: BaseCurrency::default() }
    }

    /// The view with another base currency than US dollars.
    pub fn in_currency(self, base: BaseCurrency) -> Self {
        Self { base, ..self }
    }

    /// The view with tokens in place of personal values in what it writes of why rules fired.
    pub fn with_tokens(self, tokens: Option<&Arc<Tokens>>) -> Self {
        let with_tokens = |grouped: &Grouped| Grouped { tokens: tokens.cloned(), ..grouped.clone() };
        Self { grouped: self.grouped.iter().map(with_tokens).collect(), ..self }
    }

    /// The view of packs that judged not all remembered events.
    pub fn covering(self, coverages: &Coverages) -> Self {
        Self { grouped: self.grouped.iter().map(|grouped| grouped.clone().covering(coverages)).collect(), ..self }
    }

    /// The events of groups that follow from what happened. `customer` owns its account, where that is known.
    pub fn spread(&self, what: &Happened, customer: Option<CustomerId>) -> Vec<RuleEvent> {
        self.judging(what).flat_map(|(grouped, number)| grouped.spread(number, what, customer)).collect()
    }

    /// The events of the groups of an owner of accounts, which [`Self::spread`] leaves out where the owner is not known.
    pub fn spread_to_owner(&self, what: &Happened, owner: CustomerId) -> Vec<RuleEvent> {
        let of_owner = self.judging(what).filter(|(grouped, _)| grouped.needs_owners());
        of_owner.flat_map(|(grouped, number)| grouped.spread(number, what, Some(owner))).collect()
    }

    /// Whether some rules group what happened by the owner of its account, who has to be known.
    pub fn needs_owner(&self, what: &Happened) -> bool {
        self.judging(what).any(|(grouped, _)| grouped.needs_owners())
    }

    /// The rulesets that can be about what happened, with their numbers.
    fn judging(&self, what: &Happened) -> impl Iterator<Item = (&Grouped, u8)> {
        let can_judge = move |grouped: &Grouped| what.is_of(grouped.subject) && grouped.gate.admits(what);
        self.grouped.iter().zip(0_u8..).filter(move |(grouped, _)| can_judge(grouped))
    }

    fn grouped(&self, group: &Group) -> Option<&Grouped> {
        self.grouped.get(usize::from(group.grouped))
    }

    /// The group of a saved event; none of another subject, or that no pack groups events by.
    fn group_of(&self, subject: &str, grouping: &str, key: &str) -> Option<(&Grouped, Group)> {
        let is_it = |grouped: &Grouped| grouped.subject.word() == subject && grouped.grouping.name() == grouping;
        let (grouped, number) = self.grouped.iter().zip(0_u8..).find(|(grouped, _)| is_it(grouped))?;
        Some((grouped, Group { grouped: number, key: GroupKey::read(grouped.grouping, key) }))
    }

    /// The ruleset, by its number, and the group of a saved outcome or alert; none of another pack.
    fn ruleset_of(&self, pack: &str, grouping: &str, key: &str) -> Option<(&Member, usize, Group)> {
        let numbered = self.grouped.iter().zip(0_u8..);
        let mut found = numbered.filter_map(|(grouped, number)| Some((grouped, number, grouped.number(pack, grouping)?)));
        let (grouped, number, ruleset) = found.next()?;
        let member = grouped.members.get(ruleset)?;
        Some((member, ruleset, Group { grouped: number, key: GroupKey::read(grouped.grouping, key) }))
    }

    /// The age, relative to the effective time, beyond which no window reaches an event, in nanoseconds.
    const fn retention(&self, grouped: &Grouped) -> i64 {
        self.horizon.saturating_add(grouped.longest_window)
    }

    fn take_back(&self, grouped: &Grouped, state: &mut History, place: Place, taken: &TakenBack, out: &mut Outbox<'_, Self>) {
        let cause = Cause { amendment: Amendment::TakenBack, id: taken.correction.event_id().clone() };
        let again = self.again(&cause, place);
        let is_changed = if taken.is_restored {
            state.restore(grouped, &taken.transaction_id, again)
        } else {
            state.take_back(grouped, &taken.transaction_id, again)
        };
        if is_changed {
            out.correct(taken.correction.clone());
        }
    }

    fn adjust(&self, customers: &Customers, grouped: &Grouped, state: &mut History, place: Place, side: (&Adjusted, bool)) {
        let (adjusted, is_mirrored) = side;
        let Adjusted { hold, capture, .. } = adjusted;
        let (amount, currency) = adjusted.money(is_mirrored);
        let cause = Cause { amendment: Amendment::Captured, id: capture.clone() };
        let base = cells::amount_base(customers.in_base(&self.base, amount, &currency));
        let amounts = [(Field::Amount, Cell::number(amount.units())), (Field::AmountBase, base)];
        state.adjust(grouped, hold, amounts, self.again(&cause, place));
    }

    fn again<'a>(&self, cause: &'a Cause, place: Place) -> Again<'a> {
        let now = place.event_time();
        Again { cause, now, oldest: now.nanos().saturating_sub(self.horizon) }
    }

    fn judge(&self, customers: &Customers, group: &Group, state: &mut History, event: Placed<RuleEvent>, out: &mut Outbox<'_, Self>) {
        let Some(grouped) = self.grouped(group) else { return };
        let Placed { place, event: RuleEvent { is_mirrored, what, .. } } = event;
        let Some((topic, ts)) = first_seen(&what, state) else { return };
        let behind = place.time.later_than(ts);
        if behind > i128::from(self.horizon) {
            // Every group of the event has the same record, which is refused once.
            let first = self.judging(&what).map(|(_, number)| number).next();
            let event = what.event().filter(|_| first == Some(group.grouped) && !is_mirrored);
            return event.into_iter().for_each(|event| out.refuse(self.too_late(place, &event, behind)));
        }
        let account = what.party(is_mirrored);
        let base = what.money(is_mirrored).filter(|_| grouped.kept.slot(Field::AmountBase).is_some());
        let amount_base = base.and_then(|(amount, currency)| customers.in_base(&self.base, amount, &currency));
        let facts = Facts { amount_base, ..customers.facts(account.as_ref(), what.customer(), ts, &grouped.kept) };
        let Some(record) = Record::new(place, &what, &facts, is_mirrored, &grouped.kept, state.ring.last()) else { return };
        let id = record.id.clone();
        if state.take(grouped, record, place.event_time()) {
            let lateness = place.time.since(ts.effective());
            out.correct(Correction::Late { topic, id, lateness });
        }
        if let Some(expiry) = self.first_expiry(grouped, state).filter(|expiry| state.timer.is_none_or(|timer| *expiry < timer)) {
            state.timer = Some(expiry);
            out.set_timer(expiry, ());
        }
    }

    fn too_late(&self, place: Place, event: &Event, behind: i128) -> DeadLetter {
        let seconds = |nanos: i128| nanos / 1_000_000_000;
        let mut names = Vec::new();
        for member in self.grouped.iter().flat_map(|grouped| &grouped.members) {
            if !names.contains(&member.ruleset.name.as_str()) {
                names.push(&member.ruleset.name);
            }
        }
        let error = format!(
            "the {} is {} s behind its effective time, more than the {} s that ruleset {} remembers: decide it by hand, or send it in time",
            self.grouped.first().map_or("event", |grouped| grouped.subject.word()),
            seconds(behind),
            seconds(i128::from(self.horizon)),
            names.join(", "),
        );
        dead_letter(place, event, ErrorCode::TooLate, &error)
    }

    /// The effective time from which on an event of `ts` can be forgotten.
    fn expiry(&self, grouped: &Grouped, ts: i64) -> EffectiveTime {
        EventTime::from_nanos(ts.saturating_add(self.retention(grouped)).saturating_add(1)).effective()
    }

    /// The effective time from which on the first event can be forgotten.
    fn first_expiry(&self, grouped: &Grouped, state: &History) -> Option<EffectiveTime> {
        state.ring.get(state.ring.start()).map(|first| self.expiry(grouped, first.order.ts))
    }

    /// Emits the rows of an event that changed, from what was emitted before; `is_here` is whether it is still remembered.
    fn emit_event(grouped: &Grouped, key: &GroupKey, record: &Record, old: Option<&Before>, is_here: bool, to: (&Moment, &RuleTables)) {
        let (at, tables) = to;
        for (number, member) in grouped.members.iter().enumerate().filter(|(_, member)| member.has_decided(record)) {
            let ruleset = &member.ruleset;
            let (before, now) = (old.map(|old| old.outcomes.of(number)), record.outcomes.of(number));
            let decision = |outcome: &_| outcome::decision(ruleset, record, outcome);
            let alert = |outcome: &_| outcome::alert(ruleset, key, record, outcome);
            tables.decisions.replace(at, before.and_then(decision), decision(now));
            tables.alerts.replace(at, before.and_then(alert), alert(now));
        }
        let old = old.map(|old| Saved {
            record,
            cells: old.cells.as_deref().unwrap_or(&record.cells),
            outcomes: &old.outcomes,
            is_withdrawn: old.is_withdrawn,
        });
        let new = is_here.then(|| Saved::now(record));
        match (old, new) {
            (old, Some(new)) => tables.rule_events.replace(at, old.map(|old| old.event(grouped, key)), Some(new.event(grouped, key))),
            (Some(_), None) => tables.rule_events.retract(at, saved::gone(grouped, key, record)),
            (None, None) => {}
        }
        for (number, member) in grouped.members.iter().enumerate() {
            let row = |saved: Option<Saved<'_>>| saved.and_then(|saved| saved.outcome(&member.ruleset, number, key));
            match (row(old), row(new)) {
                (Some(_), None) => tables.rule_outcomes.retract(at, saved::nothing_found(&member.ruleset, key, record)),
                (old, new) => tables.rule_outcomes.replace(at, old, new),
            }
        }
    }
}

/// What a customer is told of an event that rules about fraud came to block. None if nobody is known to own its account.
fn notice(customers: &Customers, grouped: &Grouped, group: &Group, blocked: &Blocked) -> Option<Notice> {
    let member = grouped.members.get(blocked.ruleset).filter(|member| member.ruleset.kind == AlertKind::Fraud)?;
    let customer_id = match &group.key {
        GroupKey::Customer(customer) => Some(*customer),
        GroupKey::Account(_) | GroupKey::Text(_) => customers.owner(&blocked.account?),
    }?;
    Some(Notice::of_blocked(customer_id, member.ruleset.subject.decided()?, &blocked.id))
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
    /// What customers are told of events that were blocked.
    type Derived = Notice;
    type Update = ();

    fn key(&self, event: &RuleEvent) -> Group {
        Group { grouped: event.grouped, key: event.key.clone() }
    }

    fn route(group: &Group) -> GroupKey {
        group.key.clone()
    }

    fn learn(&self, customers: &mut Customers, broadcast: Placed<Event>) {
        customers.learn(&broadcast.event);
    }

    fn apply(&self, customers: &Customers, group: &Group, state: &mut History, event: Placed<RuleEvent>, out: &mut Outbox<'_, Self>) {
        let Some(grouped) = self.grouped(group) else { return };
        match &event.event.what {
            Happened::TakenBack(taken) => self.take_back(grouped, state, event.place, taken, out),
            Happened::Adjusted(adjusted) => {
                self.adjust(customers, grouped, state, event.place, (adjusted, event.event.is_mirrored));
            }
            _ => self.judge(customers, group, state, event, out),
        }
        let blocked = state.take_blocked();
        blocked.iter().filter_map(|blocked| notice(customers, grouped, group, blocked)).for_each(|notice| out.derive(notice));
    }

    /// A timer for the first event is always set, so forgetting an event depends on nothing else.
    fn timer(&self, _: &Customers, group: &Group, state: &mut History, (): (), place: Place, out: &mut Outbox<'_, Self>) {
        let Some(grouped) = self.grouped(group) else { return };
        let now = EventTime::from_effective(place.time).nanos();
        state.forget(grouped, now.saturating_sub(self.retention(grouped)));
        if state.timer.is_some_and(|timer| timer > place.time) {
            // The timer of an event that is already forgotten.
            return;
        }
        state.timer = self.first_expiry(grouped, state);
        state.timer.into_iter().for_each(|expiry| out.set_timer(expiry, ()));
    }

    fn emit(&self, _: &Customers, group: &Group, state: &mut History, at: &Moment, tables: &RuleTables) {
        let Some(grouped) = self.grouped(group) else { return };
        let key = &group.key;
        for record in state.gone.iter().filter(|record| !record.is_pending) {
            tables.rule_events.retract(at, saved::gone(grouped, key, record));
            for (number, member) in grouped.members.iter().enumerate() {
                if record.outcomes.of(number).is_saved_apart() {
                    tables.rule_outcomes.retract(at, saved::nothing_found(&member.ruleset, key, record));
                }
            }
        }
        for (order, old) in std::mem::take(&mut state.pending) {
            let index = state.ring.place_of(&order);
            let here = state.ring.get_mut(index).filter(|record| record.order == order);
            let is_here = here.is_some();
            // The event may have been forgotten meanwhile.
            let Some(record) = here.or_else(|| state.gone.iter_mut().find(|record| record.order == order)) else { continue };
            record.is_pending = false;
            Self::emit_event(grouped, key, record, old.as_ref(), is_here, (at, tables));
        }
        state.gone.clear();
        for (episodes, member) in state.episodes.iter_mut().zip(&grouped.members) {
            episodes.emit(&member.ruleset, key, at, &tables.alerts, &tables.rule_alerts);
        }
    }

    /// If a pack reads a field that no previous pack kept, the field is unknown for earlier events.
    fn restore(&self, saved: &SavedRules, states: &mut States<'_, Self>) {
        let are_of_one = |one: &RememberedEvent, next: &RememberedEvent| {
            (&one.group_key, &one.grouping, &one.subject) == (&next.group_key, &next.grouping, &next.subject)
        };
        // Rows come by group, as they are stored: a group is looked up once.
        for rows in saved.rule_events.chunk_by(are_of_one) {
            let found = rows.first().and_then(|row| self.group_of(&row.subject, &row.grouping, &row.group_key));
            let Some((grouped, group)) = found.filter(|(_, group)| states.have(group)) else { continue };
            let records = saved::records(grouped, rows);
            if records.is_empty() {
                continue;
            }
            let Some(state) = states.of(&group) else { continue };
            state.restore_events(records);
            state.timer = self.first_expiry(grouped, state);
        }
        for row in saved.rule_outcomes.iter() {
            let Some((_, ruleset, group)) = self.ruleset_of(&row.ruleset, &row.grouping, &row.group_key) else { continue };
            let Some((state, order)) = states.restored(&group).zip(saved::order_of(row)) else { continue };
            saved::outcome(row).into_iter().for_each(|outcome| state.restore_outcome(&order, ruleset, outcome));
        }
        for row in saved.rule_alerts.iter() {
            let Some((member, ruleset, group)) = self.ruleset_of(&row.ruleset, &row.grouping, &row.group_key) else { continue };
            let episodes = states.of(&group).and_then(|state| of_ruleset(&mut state.episodes, ruleset));
            episodes.into_iter().for_each(|episodes| episodes.restore(&member.ruleset, row));
        }
    }

    fn timers(&self, _: &Group, state: &History) -> Vec<(EffectiveTime, ())> {
        state.timer.map(|time| (time, ())).into_iter().collect()
    }

    fn is_forgettable(&self, state: &History) -> bool {
        state.ring.is_empty() && state.episodes.iter().all(Episodes::is_empty)
    }
}
