//! Events of an account, and the decisions about them.
//!
//! An event in order is scored against running aggregates ([`running`](super::running)). A late event is inserted where it belongs,
//! and the aggregates are rebuilt at that point. Every later decision within the longest window is then made again, because no window
//! reaches back farther, and amended if its outcome differs.

use headwater_schemas::tables::Amendment;
use headwater_schemas::{Amount, EventTime, Id};

use super::outcome::{Cause, Outcome};
use super::pack::Pack;
use super::record::{Order, Record};
use super::ring::Ring;
use super::running::{Reading, Running};
use super::score::Moment;

/// What is remembered of an account.
#[derive(Clone, Debug, Default)]
pub struct AccountHistory {
    pub(super) ring: Ring,
    running: Vec<Running>,
    /// Events that changed since their rows were emitted last, each with its state of that moment; none for a new event.
    pub(super) pending: Vec<(Order, Option<Before>)>,
    /// Events that were forgotten since rows were emitted last.
    pub(super) gone: Vec<Record>,
    /// Time of the timer that forgets events; `None` if none is known to be set, as after a restart.
    pub(super) timer: Option<u64>,
}

/// State of an event when its rows were emitted last.
#[derive(Clone, Debug)]
pub(super) struct Before {
    pub(super) outcome: Outcome,
    pub(super) amount: Amount,
}

impl AccountHistory {
    /// Restores a history from its saved events.
    pub(super) fn restored(mut records: Vec<Record>) -> Self {
        records.sort_by_key(|record| record.order);
        let mut state = Self::default();
        for record in records {
            state.ring.insert(state.ring.end(), record);
        }
        state
    }

    /// Adds an event, scores it, and decides again what it changes. Returns whether another decision was amended. `now` is the event's
    /// effective time.
    pub(super) fn take(&mut self, pack: &Pack, record: Record, now: EventTime) -> bool {
        let (order, cause) = (record.order, Cause { amendment: Amendment::LateEvent, id: record.id.clone() });
        let index = self.ring.place_of(&order);
        let is_last = index == self.ring.end();
        self.ring.insert(index, record);
        if !is_last || self.running.len() != pack.aggregates.len() {
            self.rewind(pack, index);
        }
        let made = self.step(pack, index).map(|outcome| outcome.made(pack, now));
        self.change(index, made, true);
        !is_last && self.decide_again_behind(pack, index, i64::MIN, &cause, now)
    }

    /// Withdraws an event, so that no window counts it, and decides again what that changes. Returns whether the event was there.
    /// Decisions older than `oldest` stay, because a part of their windows may be forgotten.
    pub(super) fn take_back(&mut self, pack: &Pack, id: &Id, oldest: i64, cause: &Cause, now: EventTime) -> bool {
        // What is taken back is mostly young.
        let is_it = |index: &usize| self.ring.get(*index).is_some_and(|record| record.id == *id && !record.outcome.is_withdrawn());
        let Some(index) = (self.ring.start()..self.ring.end()).rev().find(is_it) else { return false };
        let withdrawn = self.ring.get(index).map(|record| record.outcome.withdrawn(pack, cause, now));
        self.change(index, withdrawn, false);
        self.rewind(pack, index);
        self.step(pack, index);
        self.decide_again_behind(pack, index, oldest, cause, now);
        true
    }

    /// Restores a withdrawn event, scores it again, and decides again what that changes. Returns whether the event was there. Decisions
    /// older than `oldest` stay, as with [`Self::take_back`].
    pub(super) fn restore(&mut self, pack: &Pack, id: &Id, oldest: i64, cause: &Cause, now: EventTime) -> bool {
        let is_it = |index: &usize| self.ring.get(*index).is_some_and(|record| record.id == *id && record.outcome.is_withdrawn());
        let Some(index) = (self.ring.start()..self.ring.end()).rev().find(is_it) else { return false };
        let withdrawn = self.ring.get(index).map(|record| record.outcome.clone());
        // Aggregates leave out what is withdrawn, so it has to count before it is scored.
        self.change(index, withdrawn.as_ref().map(Outcome::counting_again), false);
        self.rewind(pack, index);
        let again = self.step(pack, index);
        let restored = again.zip(withdrawn).map(|(again, withdrawn)| again.restored(&withdrawn, pack, cause, now));
        self.change(index, restored, false);
        self.decide_again_behind(pack, index, oldest, cause, now);
        true
    }

    /// Gives a hold the amount that it was captured for, and decides again what that changes. Returns whether a decision was amended.
    /// Decisions older than `oldest` stay.
    pub(super) fn adjust(&mut self, pack: &Pack, id: &Id, amount: Amount, oldest: i64, cause: &Cause, now: EventTime) -> bool {
        let is_it = |index: &usize| self.ring.get(*index).is_some_and(|record| record.id == *id && !record.outcome.is_withdrawn());
        let Some(index) = (self.ring.start()..self.ring.end()).rev().find(is_it) else { return false };
        let Some(record) = self.ring.get_mut(index) else { return false };
        if !std::mem::replace(&mut record.is_pending, true) {
            let before = Before { outcome: record.outcome.clone(), amount: record.amount };
            self.pending.push((record.order, Some(before)));
        }
        record.amount = amount;
        self.rewind(pack, index);
        let again = self.step(pack, index);
        let old = self.ring.get(index).filter(|record| record.order.ts >= oldest).map(|record| &record.outcome);
        let amended = again.zip(old).and_then(|(again, old)| again.amended(old, pack, cause, now));
        let has_amended = amended.is_some();
        self.change(index, amended, false);
        self.decide_again_behind(pack, index, oldest, cause, now) || has_amended
    }

    /// Decides again about the events after `index` that are within its reach and not older than `oldest`. Returns whether a decision
    /// was amended. Precondition: the aggregates include `index`. On return they include the last event.
    fn decide_again_behind(&mut self, pack: &Pack, index: usize, oldest: i64, cause: &Cause, now: EventTime) -> bool {
        let Some(order) = self.ring.get(index).map(|record| record.order) else { return false };
        let mut has_amended = false;
        let reach = order.ts.saturating_add(pack.longest_window());
        let behind = self.ring.first_since(reach.saturating_add(1));
        for index in index + 1..behind {
            let again = self.step(pack, index);
            let old = self.ring.get(index).filter(|record| record.order.ts >= oldest).map(|record| &record.outcome);
            let amended = again.zip(old).and_then(|(again, old)| again.amended(old, pack, cause, now));
            has_amended |= amended.is_some();
            self.change(index, amended, false);
        }
        if behind < self.ring.end() {
            self.rewind(pack, self.ring.end());
        }
        has_amended
    }

    /// Rebuilds the aggregates as they are before the event `index`.
    fn rewind(&mut self, pack: &Pack, index: usize) {
        let at = self.ring.get(index).or(self.ring.last()).map_or(0, |record| record.order.ts);
        self.running.clear();
        for aggregate in &pack.aggregates {
            let from = self.ring.first_since(at.saturating_sub(aggregate.window));
            let mut running = Running::new(aggregate, from);
            let reading = Reading { aggregate, kept: &pack.kept, ring: &self.ring };
            (from..index).for_each(|earlier| running.add(reading, earlier));
            self.running.push(running);
        }
    }

    /// Scores the event `index` and moves the aggregates past it.
    fn step(&mut self, pack: &Pack, index: usize) -> Option<Outcome> {
        let record = self.ring.get(index)?;
        let kept = &pack.kept;
        for (running, aggregate) in self.running.iter_mut().zip(&pack.aggregates) {
            let reading = Reading { aggregate, kept, ring: &self.ring };
            running.expire(reading, record.order.ts.saturating_sub(aggregate.window));
            if aggregate.kind.includes_current() {
                running.add(reading, index);
            }
        }
        let outcome = Moment { pack, ring: &self.ring, running: &self.running, index, record }.score();
        for (running, aggregate) in self.running.iter_mut().zip(&pack.aggregates) {
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
            let before = Before { outcome: old, amount: record.amount };
            self.pending.push((record.order, (!is_new).then_some(before)));
        }
    }

    /// Forgets events before `oldest`, which no window reaches any more.
    pub(super) fn forget(&mut self, pack: &Pack, oldest: i64) {
        let is_old = |ring: &Ring| ring.get(ring.start()).is_some_and(|record| record.order.ts < oldest);
        if !is_old(&self.ring) {
            return;
        }
        for (running, aggregate) in self.running.iter_mut().zip(&pack.aggregates) {
            running.expire(Reading { aggregate, kept: &pack.kept, ring: &self.ring }, oldest);
        }
        while is_old(&self.ring) {
            self.gone.extend(self.ring.take_first());
        }
    }
}
