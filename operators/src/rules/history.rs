//! Events of a group, and the decisions about them.
//!
//! An event in order is scored against running aggregates ([`running`](super::running)). A late event is inserted where it belongs,
//! and the aggregates are rebuilt at that point. Every later decision within the longest window is then made again, because no window
//! reaches back farther, and amended if its outcome differs.

use headwater_schemas::tables::Amendment;
use headwater_schemas::{Amount, EffectiveTime, EventTime, Id};

use super::cells::Cell;
use super::episodes::Episodes;
use super::field::Field;
use super::outcome::{Cause, Outcome};
use super::pack::Ruleset;
use super::record::{Order, Record};
use super::ring::Ring;
use super::running::{Reading, Running};
use super::score::Moment;

/// What is remembered of a group.
#[derive(Clone, Debug, Default)]
pub struct History {
    pub(super) ring: Ring,
    running: Vec<Running>,
    /// Events that changed since their rows were emitted last, each with its state of that moment; none for a new event.
    pub(super) pending: Vec<(Order, Option<Before>)>,
    /// Events that were forgotten since rows were emitted last.
    pub(super) gone: Vec<Record>,
    /// The alerts of a pack without points.
    pub(super) episodes: Episodes,
    /// Time of the timer that forgets events; `None` if none is known to be set, as after a restart.
    pub(super) timer: Option<EffectiveTime>,
}

/// State of an event when its rows were emitted last.
#[derive(Clone, Debug)]
pub(super) struct Before {
    pub(super) outcome: Outcome,
    /// The stored fields, if they changed as well.
    pub(super) cells: Option<Box<[Cell]>>,
}

impl History {
    /// Restores a history from its saved events.
    pub(super) fn restored(mut records: Vec<Record>) -> Self {
        records.sort_by_key(|record| record.order);
        let mut state = Self::default();
        for record in records {
            state.ring.insert(state.ring.end(), record);
        }
        state
    }

    /// Whether an event with an id is remembered.
    pub(super) fn knows(&self, id: &Id) -> bool {
        (self.ring.start()..self.ring.end()).rev().any(|index| self.ring.get(index).is_some_and(|record| record.id == *id))
    }

    /// Adds an event, scores it, and decides again what it changes. Returns whether another decision was amended. `now` is the event's
    /// effective time.
    pub(super) fn take(&mut self, ruleset: &Ruleset, record: Record, now: EventTime) -> bool {
        let (order, cause) = (record.order, Cause { amendment: Amendment::LateEvent, id: record.id.clone() });
        let index = self.ring.place_of(&order);
        let is_last = index == self.ring.end();
        self.ring.insert(index, record);
        if !is_last || self.running.len() != ruleset.aggregates.len() {
            self.rewind(ruleset, index);
        }
        let made = self.step(ruleset, index).map(|outcome| outcome.made(ruleset, now));
        if is_last && made.as_ref().is_some_and(|made| self.is_needless(ruleset, index, made)) {
            self.ring.drop_last();
            return false;
        }
        let has_fired = made.as_ref().is_some_and(|made| made.found().is_some());
        self.change(index, made, true);
        let has_amended = !is_last && self.decide_again_behind(ruleset, index, i64::MIN, &cause, now);
        if has_fired || has_amended {
            self.follow(ruleset, now);
        }
        has_amended
    }

    /// Whether a new event need not be remembered: no rule fired, no window counts it, and nothing is decided about it.
    fn is_needless(&self, ruleset: &Ruleset, index: usize, made: &Outcome) -> bool {
        let Some(record) = self.ring.get(index) else { return false };
        let counts = |aggregate| Reading { aggregate, kept: &ruleset.kept, ring: &self.ring }.contribution(record).is_some();
        ruleset.scoring.is_none() && made.found().is_none() && !ruleset.aggregates.iter().any(counts)
    }

    /// Brings the alerts of a pack without points up to date.
    fn follow(&mut self, ruleset: &Ruleset, now: EventTime) {
        if ruleset.scoring.is_none() {
            self.episodes.follow(ruleset, &self.ring, now);
        }
    }

    /// Withdraws an event, so that no window counts it, and decides again what that changes. Returns whether the event was there.
    /// Decisions older than `oldest` stay, because a part of their windows may be forgotten.
    pub(super) fn take_back(&mut self, ruleset: &Ruleset, id: &Id, oldest: i64, cause: &Cause, now: EventTime) -> bool {
        // What is taken back is mostly young.
        let is_it = |index: &usize| self.ring.get(*index).is_some_and(|record| record.id == *id && !record.outcome.is_withdrawn());
        let Some(index) = (self.ring.start()..self.ring.end()).rev().find(is_it) else { return false };
        let withdrawn = self.ring.get(index).map(|record| record.outcome.withdrawn(ruleset, cause, now));
        self.change(index, withdrawn, false);
        self.rewind(ruleset, index);
        self.step(ruleset, index);
        self.decide_again_behind(ruleset, index, oldest, cause, now);
        self.follow(ruleset, now);
        true
    }

    /// Restores a withdrawn event, scores it again, and decides again what that changes. Returns whether the event was there. Decisions
    /// older than `oldest` stay, as with [`Self::take_back`].
    pub(super) fn restore(&mut self, ruleset: &Ruleset, id: &Id, oldest: i64, cause: &Cause, now: EventTime) -> bool {
        let is_it = |index: &usize| self.ring.get(*index).is_some_and(|record| record.id == *id && record.outcome.is_withdrawn());
        let Some(index) = (self.ring.start()..self.ring.end()).rev().find(is_it) else { return false };
        let withdrawn = self.ring.get(index).map(|record| record.outcome.clone());
        // Aggregates leave out what is withdrawn, so it has to count before it is scored.
        self.change(index, withdrawn.as_ref().map(Outcome::counting_again), false);
        self.rewind(ruleset, index);
        let again = self.step(ruleset, index);
        let restored = again.zip(withdrawn).map(|(again, withdrawn)| again.restored(&withdrawn, ruleset, cause, now));
        self.change(index, restored, false);
        self.decide_again_behind(ruleset, index, oldest, cause, now);
        self.follow(ruleset, now);
        true
    }

    /// Gives a hold the amount that it was captured for, and decides again what that changes. Returns whether a decision was amended.
    /// Decisions older than `oldest` stay.
    pub(super) fn adjust(&mut self, ruleset: &Ruleset, id: &Id, amount: Amount, oldest: i64, cause: &Cause, now: EventTime) -> bool {
        let is_it = |index: &usize| self.ring.get(*index).is_some_and(|record| record.id == *id && !record.outcome.is_withdrawn());
        let Some(index) = (self.ring.start()..self.ring.end()).rev().find(is_it) else { return false };
        let Some(record) = self.ring.get_mut(index) else { return false };
        if !std::mem::replace(&mut record.is_pending, true) {
            let before = Before { outcome: record.outcome.clone(), cells: Some(record.cells.clone()) };
            self.pending.push((record.order, Some(before)));
        }
        if let Some(cell) = ruleset.kept.slot(Field::Amount).and_then(|slot| record.cells.get_mut(slot)) {
            *cell = Cell::number(amount.units());
        }
        self.rewind(ruleset, index);
        let again = self.step(ruleset, index);
        let old = self.ring.get(index).filter(|record| record.order.ts >= oldest).map(|record| &record.outcome);
        let amended = again.zip(old).and_then(|(again, old)| again.amended(old, ruleset, cause, now));
        let has_amended = amended.is_some();
        self.change(index, amended, false);
        let has_amended = self.decide_again_behind(ruleset, index, oldest, cause, now) || has_amended;
        self.follow(ruleset, now);
        has_amended
    }

    /// Decides again about the events after `index` that are within its reach and not older than `oldest`. Returns whether a decision
    /// was amended. Precondition: the aggregates include `index`. On return they include the last event.
    fn decide_again_behind(&mut self, ruleset: &Ruleset, index: usize, oldest: i64, cause: &Cause, now: EventTime) -> bool {
        let Some(order) = self.ring.get(index).map(|record| record.order) else { return false };
        let mut has_amended = false;
        let reach = order.ts.saturating_add(ruleset.longest_window());
        let behind = self.ring.first_since(reach.saturating_add(1));
        for index in index + 1..behind {
            let again = self.step(ruleset, index);
            let old = self.ring.get(index).filter(|record| record.order.ts >= oldest).map(|record| &record.outcome);
            let amended = again.zip(old).and_then(|(again, old)| again.amended(old, ruleset, cause, now));
            has_amended |= amended.is_some();
            self.change(index, amended, false);
        }
        if behind < self.ring.end() {
            self.rewind(ruleset, self.ring.end());
        }
        has_amended
    }

    /// Rebuilds the aggregates as they are before the event `index`.
    fn rewind(&mut self, ruleset: &Ruleset, index: usize) {
        self.running.clear();
        let Some(record) = self.ring.get(index).or(self.ring.last()) else { return };
        for aggregate in &ruleset.aggregates {
            let reading = Reading { aggregate, kept: &ruleset.kept, ring: &self.ring };
            self.running.push(Running::rebuilt(reading, record, index));
        }
    }

    /// Scores the event `index` and moves the aggregates past it.
    fn step(&mut self, ruleset: &Ruleset, index: usize) -> Option<Outcome> {
        let record = self.ring.get(index)?;
        let kept = &ruleset.kept;
        for (running, aggregate) in self.running.iter_mut().zip(&ruleset.aggregates) {
            let reading = Reading { aggregate, kept, ring: &self.ring };
            running.move_to(reading, record, index);
            if aggregate.kind.includes_current() {
                running.add(reading, index);
            }
        }
        let outcome = Moment { ruleset, ring: &self.ring, running: &self.running, index, record }.score();
        for (running, aggregate) in self.running.iter_mut().zip(&ruleset.aggregates) {
            if !aggregate.kind.includes_current() {
                running.add(Reading { aggregate, kept, ring: &self.ring }, index);
            }
        }
        Some(outcome)
    }

    /// Sets the outcome of an event, and keeps the one that was emitted.
    fn change(&mut self, index: usize, outcome: Option<Outcome>, is_new: bool) {
        let (Some(record), Some(outcome)) = (self.ring.get_mut(index), outcome) else { return };
        let old = std::mem::replace(&mut record.outcome, outcome);
        if !record.is_pending {
            record.is_pending = true;
            let before = Before { outcome: old, cells: None };
            self.pending.push((record.order, (!is_new).then_some(before)));
        }
    }

    /// Forgets events before `oldest`, which no window reaches any more.
    pub(super) fn forget(&mut self, ruleset: &Ruleset, oldest: i64) {
        let is_old = |ring: &Ring| ring.get(ring.start()).is_some_and(|record| record.order.ts < oldest);
        if !is_old(&self.ring) {
            return;
        }
        for (running, aggregate) in self.running.iter_mut().zip(&ruleset.aggregates) {
            running.expire(Reading { aggregate, kept: &ruleset.kept, ring: &self.ring }, oldest);
        }
        while is_old(&self.ring) {
            self.gone.extend(self.ring.take_first());
        }
        self.episodes.forget(oldest);
    }
}
