//! Events of a group, and what the rulesets found about them.
//!
//! An event in order is scored against running aggregates ([`running`](super::running)). A late event is inserted where it belongs,
//! and the aggregates are rebuilt at that point. Every later decision within the longest window is then made again, because no window
//! reaches back farther, and amended if its outcome differs; not by a version of a pack that did not judge the event
//! ([`coverage`](super::coverage)).

use headwater_schemas::tables::{Amendment, Verdict};
use headwater_schemas::{AccountId, EffectiveTime, EventTime, Id};

use super::cells::Cell;
use super::coverage::JudgedBy;
use super::episodes::Episodes;
use super::field::Field;
use super::grouped::{Grouped, Member};
use super::known_cells::KnownCells;
use super::outcome::{Cause, Outcome, Outcomes};
use super::pack::Slot;
use super::record::{Order, Record};
use super::ring::Ring;
use super::running::{Reading, Running};
use super::score::Moment;

/// What is remembered of a group.
#[derive(Clone, Debug, Default)]
pub struct History {
    pub(super) ring: Ring,
    /// One for each aggregate; none before they are needed.
    running: Vec<Running>,
    /// Events that changed since their rows were emitted last, each with its state of that moment; none for a new event.
    pub(super) pending: Vec<(Order, Option<Before>)>,
    /// Events that were forgotten since rows were emitted last.
    pub(super) gone: Vec<Record>,
    /// The alerts of the rulesets without points, by the rulesets' numbers; none before one is raised.
    pub(super) episodes: Vec<Episodes>,
    /// The rulesets whose outcomes changed since their alerts were compared with them.
    changed: Vec<usize>,
    /// Events that rulesets came to block since they were taken last, in the order of the decisions.
    blocked: Vec<Blocked>,
    /// Time of the timer that forgets events; `None` if none is known to be set, as after a restart.
    pub(super) timer: Option<EffectiveTime>,
}

/// State of an event when its rows were emitted last.
#[derive(Clone, Debug)]
pub(super) struct Before {
    pub(super) outcomes: Outcomes,
    pub(super) is_withdrawn: bool,
    /// The stored fields, if they changed as well.
    pub(super) cells: Option<Box<KnownCells>>,
}

/// An event that a ruleset came to block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Blocked {
    pub(super) id: Id,
    pub(super) account: Option<AccountId>,
    /// The ruleset's number.
    pub(super) ruleset: usize,
}

/// Why decisions are made again: what caused it, the effective time, and the time of their own before which they stay.
#[derive(Clone, Copy)]
pub(super) struct Again<'a> {
    pub(super) cause: &'a Cause,
    pub(super) now: EventTime,
    pub(super) oldest: i64,
}

/// The alerts of a ruleset.
pub(super) fn of_ruleset(episodes: &mut Vec<Episodes>, ruleset: usize) -> Option<&mut Episodes> {
    if episodes.len() <= ruleset {
        episodes.resize_with(ruleset + 1, Episodes::default);
    }
    episodes.get_mut(ruleset)
}

impl History {
    /// Restores saved events, in any order.
    pub(super) fn restore_events(&mut self, records: Vec<Record>) {
        self.ring.restore(records);
    }

    /// Restores what a ruleset found about an event.
    pub(super) fn restore_outcome(&mut self, order: &Order, ruleset: usize, outcome: Outcome) {
        let index = self.ring.place_of(order);
        if let Some(record) = self.ring.get_mut(index).filter(|record| record.order == *order) {
            record.outcomes.set(ruleset, outcome);
        }
    }

    /// Whether an event with an id is remembered.
    pub(super) fn knows(&self, id: &Id) -> bool {
        (self.ring.start()..self.ring.end()).rev().any(|index| self.ring.get(index).is_some_and(|record| record.id == *id))
    }

    /// Adds an event, scores it, and decides again what it changes. Returns whether another decision was amended. `now` is the event's
    /// effective time.
    pub(super) fn take(&mut self, grouped: &Grouped, record: Record, now: EventTime) -> bool {
        let (order, cause) = (record.order, Cause { amendment: Amendment::LateEvent, id: record.id.clone() });
        let index = self.ring.place_of(&order);
        let is_last = index == self.ring.end();
        self.ring.insert(index, record);
        if !is_last || self.running.len() != grouped.aggregates.len() {
            self.rewind(grouped, index);
        }
        let found = self.step(grouped, index);
        if is_last && found.is_empty() && self.is_needless(grouped, index) {
            self.ring.drop_last();
            return false;
        }
        if let Some(record) = self.ring.get_mut(index) {
            record.is_pending = true;
            self.pending.push((order, None));
        }
        for (number, outcome) in found {
            // An event that waited was read before its packs began to judge.
            let judges = |member: &&Member| self.ring.get(index).is_some_and(|record| member.judged_by(record) != JudgedBy::Nobody);
            if let Some(member) = grouped.members.get(number).filter(judges) {
                self.set(index, number, outcome.made(&member.ruleset, now));
            }
        }
        let has_amended = !is_last && self.decide_again_behind(grouped, index, Again { cause: &cause, now, oldest: i64::MIN });
        self.follow(grouped, now);
        has_amended
    }

    /// Whether a new event need not be remembered: no window counts it, begins with it or after it, and nothing is decided about it.
    fn is_needless(&self, grouped: &Grouped, index: usize) -> bool {
        let Some(record) = self.ring.get(index) else { return false };
        let counts = |aggregate| {
            let reading = Reading { aggregate, kept: &grouped.kept, ring: &self.ring };
            reading.contribution(record).is_some() || reading.ends_with(record) || reading.begins_with(record)
        };
        !grouped.members.iter().any(|member| member.decides(record)) && !grouped.aggregates.iter().any(counts)
    }

    /// Brings the alerts of rulesets without points up to date.
    fn follow(&mut self, grouped: &Grouped, now: EventTime) {
        for number in std::mem::take(&mut self.changed) {
            let Some(member) = grouped.members.get(number).filter(|member| member.ruleset.scoring.is_none()) else { continue };
            if let Some(episodes) = of_ruleset(&mut self.episodes, number) {
                episodes.follow(number, member, &self.ring, now);
            }
        }
    }

    /// The latest event with an id that counts, or, if `is_withdrawn`, that does not. What is taken back is mostly young.
    fn find(&self, id: &Id, is_withdrawn: bool) -> Option<usize> {
        let is_it = |index: &usize| self.ring.get(*index).is_some_and(|record| record.id == *id && record.is_withdrawn == is_withdrawn);
        (self.ring.start()..self.ring.end()).rev().find(is_it)
    }

    /// Withdraws an event, so that no window counts it, and decides again what that changes. Returns whether the event was there.
    /// Decisions older than `again.oldest` stay, because a part of their windows may be forgotten.
    pub(super) fn take_back(&mut self, grouped: &Grouped, id: &Id, again: Again<'_>) -> bool {
        let Some(index) = self.find(id, false) else { return false };
        self.touch(index, false);
        let Some(record) = self.ring.get_mut(index) else { return false };
        record.is_withdrawn = true;
        let found: Vec<usize> = record.outcomes.iter().map(|(number, _)| number).collect();
        for (number, member) in grouped.members.iter().enumerate() {
            if !member.has_decided(record) {
                continue;
            }
            let withdrawn = record.outcomes.of(number).withdrawn(&member.ruleset, again.cause, again.now);
            record.outcomes.set(number, withdrawn);
        }
        found.into_iter().for_each(|number| self.has_changed(number));
        self.rewind(grouped, index);
        self.step(grouped, index);
        self.decide_again_behind(grouped, index, again);
        self.follow(grouped, again.now);
        true
    }

    /// Restores a withdrawn event, scores it again, and decides again what that changes. Returns whether the event was there. Decisions
    /// older than `again.oldest` stay, as with [`Self::take_back`].
    pub(super) fn restore(&mut self, grouped: &Grouped, id: &Id, again: Again<'_>) -> bool {
        let Some(index) = self.find(id, true) else { return false };
        self.touch(index, false);
        // Aggregates leave out what is withdrawn, so it has to count before it is scored.
        self.ring.get_mut(index).into_iter().for_each(|record| record.is_withdrawn = false);
        self.rewind(grouped, index);
        let mut found = self.step(grouped, index);
        for (number, member) in grouped.members.iter().enumerate() {
            let Some(record) = self.ring.get(index).filter(|record| member.sees(record)) else { continue };
            let withdrawn = record.outcomes.of(number);
            // The reasons of an earlier version are those of its decision, which counts again as it was.
            let scored = match member.judged_by(record) {
                JudgedBy::Current => found.take(number),
                JudgedBy::Earlier => withdrawn.clone(),
                JudgedBy::Nobody => continue,
            };
            let restored = match member.ruleset.scoring {
                Some(_) => scored.restored(withdrawn, &member.ruleset, again.cause, again.now),
                None => scored,
            };
            self.set(index, number, restored);
        }
        self.decide_again_behind(grouped, index, again);
        self.follow(grouped, again.now);
        true
    }

    /// Gives a hold the amounts that it was captured for, and decides again what that changes. Decisions older than `again.oldest`
    /// stay.
    pub(super) fn adjust(&mut self, grouped: &Grouped, id: &Id, amounts: [(Field, Cell); 2], again: Again<'_>) {
        let Some(index) = self.find(id, false) else { return };
        self.touch(index, true);
        for (field, amount) in amounts {
            let slot = grouped.kept.slot(field);
            if let (Some(Slot::Own(place)), Some(record)) = (slot, self.ring.get_mut(index)) {
                record.cells.set(place, &amount);
            }
        }
        self.rewind(grouped, index);
        self.decide_again(grouped, index, again);
        self.decide_again_behind(grouped, index, again);
        self.follow(grouped, again.now);
    }

    /// Decides again about the events after `index` that are within its reach. Returns whether a decision was amended. Precondition:
    /// the aggregates include `index`. On return they include the last event.
    fn decide_again_behind(&mut self, grouped: &Grouped, index: usize, again: Again<'_>) -> bool {
        let Some(order) = self.ring.get(index).map(|record| record.order) else { return false };
        let mut has_amended = false;
        let behind = self.ring.first_since(order.ts.saturating_add(grouped.longest_window).saturating_add(1));
        for index in index + 1..behind {
            has_amended |= self.decide_again(grouped, index, again);
        }
        if behind < self.ring.end() {
            self.rewind(grouped, self.ring.end());
        }
        has_amended
    }

    /// Decides again about an event, and moves the aggregates past it. Returns whether a decision was amended.
    fn decide_again(&mut self, grouped: &Grouped, index: usize, again: Again<'_>) -> bool {
        let mut found = self.step(grouped, index);
        let mut has_amended = false;
        for (number, member) in grouped.members.iter().enumerate() {
            let stands = |record: &&Record| !record.is_withdrawn && record.order.ts >= again.oldest && member.may_change(record);
            let Some(record) = self.ring.get(index).filter(stands) else { continue };
            let amended = found.take(number).amended(record.outcomes.of(number), &member.ruleset, again.cause, again.now);
            if let Some(amended) = amended {
                has_amended = true;
                self.touch(index, false);
                self.set(index, number, amended);
            }
        }
        has_amended
    }

    /// Rebuilds the aggregates as they are before the event `index`.
    fn rewind(&mut self, grouped: &Grouped, index: usize) {
        self.running.clear();
        let Some(record) = self.ring.get(index).or(self.ring.last()) else { return };
        for aggregate in &grouped.aggregates {
            let reading = Reading { aggregate, kept: &grouped.kept, ring: &self.ring };
            self.running.push(Running::rebuilt(reading, record, index));
        }
    }

    /// Scores the event `index` and moves the aggregates past it.
    fn step(&mut self, grouped: &Grouped, index: usize) -> Outcomes {
        let mut found = Outcomes::default();
        let Some(record) = self.ring.get(index) else { return found };
        let reading = |aggregate| Reading { aggregate, kept: &grouped.kept, ring: &self.ring };
        for (running, aggregate) in self.running.iter_mut().zip(&grouped.aggregates) {
            running.move_to(reading(aggregate), record, index);
            if aggregate.kind.includes_current() {
                running.add(reading(aggregate), index);
            }
        }
        for (number, member) in grouped.members.iter().enumerate().filter(|(_, member)| member.sees(record)) {
            found.set(number, Moment { grouped, member, ring: &self.ring, running: &self.running, index, record }.score());
        }
        for (running, aggregate) in self.running.iter_mut().zip(&grouped.aggregates) {
            if !aggregate.kind.includes_current() {
                running.add(reading(aggregate), index);
            }
        }
        found
    }

    /// Keeps what was emitted of an event, before it changes; with its fields, if those change.
    fn touch(&mut self, index: usize, with_cells: bool) {
        let Some(record) = self.ring.get_mut(index) else { return };
        if !std::mem::replace(&mut record.is_pending, true) {
            let cells = with_cells.then(|| Box::new(record.cells.clone()));
            let before = Before { outcomes: record.outcomes.clone(), is_withdrawn: record.is_withdrawn, cells };
            self.pending.push((record.order, Some(before)));
        } else if with_cells {
            let old = self.pending.iter_mut().find(|(order, _)| *order == record.order).and_then(|(_, before)| before.as_mut());
            old.into_iter().for_each(|old| {
                old.cells.get_or_insert_with(|| Box::new(record.cells.clone()));
            });
        }
    }

    /// Sets what a ruleset found about an event.
    fn set(&mut self, index: usize, ruleset: usize, outcome: Outcome) {
        if let Some(record) = self.ring.get_mut(index) {
            if outcome.verdict == Verdict::Block && record.outcomes.of(ruleset).verdict != Verdict::Block {
                self.blocked.push(Blocked { id: record.id.clone(), account: record.account, ruleset });
            }
            record.outcomes.set(ruleset, outcome);
            self.has_changed(ruleset);
        }
    }

    /// Takes the events that rulesets came to block since the last call.
    pub(super) fn take_blocked(&mut self) -> Vec<Blocked> {
        std::mem::take(&mut self.blocked)
    }

    fn has_changed(&mut self, ruleset: usize) {
        if !self.changed.contains(&ruleset) {
            self.changed.push(ruleset);
        }
    }

    /// Forgets events before `oldest`, which no window reaches any more.
    pub(super) fn forget(&mut self, grouped: &Grouped, oldest: i64) {
        let is_old = |ring: &Ring| ring.get(ring.start()).is_some_and(|record| record.order.ts < oldest);
        if !is_old(&self.ring) {
            return;
        }
        for (running, aggregate) in self.running.iter_mut().zip(&grouped.aggregates) {
            running.expire(Reading { aggregate, kept: &grouped.kept, ring: &self.ring }, oldest);
        }
        while is_old(&self.ring) {
            self.gone.extend(self.ring.take_first());
        }
        self.episodes.iter_mut().for_each(|episodes| episodes.forget(oldest));
    }
}
