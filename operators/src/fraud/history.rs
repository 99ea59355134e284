//! An account's events and what was decided about them.
//!
//! An event that comes in order is scored against aggregates that go along ([`running`](super::running)). A late one is put
//! where it belongs; the aggregates are built anew at that point, and every decision behind it that it can reach is made
//! again: within the longest window, because nothing looks farther back. What comes out differently is amended.

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
    /// The events that changed since their rows were emitted last, with what they were then.
    pub(super) pending: Vec<(Order, Option<Before>)>,
    /// The events that were let go since it was said last.
    pub(super) gone: Vec<Record>,
    /// When the state will be asked to let events go; `None` if that is not known, as after a restart.
    pub(super) timer: Option<u64>,
}

/// What an event was when its rows were emitted last.
#[derive(Clone, Debug)]
pub(super) struct Before {
    pub(super) outcome: Outcome,
    pub(super) amount: Amount,
}

impl AccountHistory {
    /// The history that these events make, as they were saved.
    pub(super) fn restored(mut records: Vec<Record>) -> Self {
        records.sort_by_key(|record| record.order);
        let mut state = Self::default();
        for record in records {
            state.ring.insert(state.ring.end(), record);
        }
        state
    }

    /// Takes an event in and scores it, and again what it changes: whether it did change a decision. `now` is the event's
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

    /// Takes an event back, so that nothing counts it any more, and decides again what that changes: whether it was there. What
    /// is older than `oldest` stays as it was: a part of its windows may be forgotten.
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

    /// Counts an event again that was taken back, scores it anew, and decides again what that changes: whether it was there. As
    /// with [`Self::take_back`], what is older than `oldest` stays as it was.
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

    /// Gives a hold the amount that it was captured for, and decides again what that changes: whether it did change a decision. What
    /// is older than `oldest` stays as it was.
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

    /// Decides again what stands behind an event and within reach of it, and is not older than `oldest`: whether anything came out
    /// differently. The aggregates must stand behind the event, and stand at the end afterwards.
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

    /// Builds the aggregates as they are before the event of an index.
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

    /// Moves the aggregates behind an event, and says how it scores.
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

    /// Gives an event another outcome, and remembers the one that was said.
    fn change(&mut self, index: usize, outcome: Option<Outcome>, is_new: bool) {
        let (Some(record), Some(outcome)) = (self.ring.get_mut(index), outcome) else { return };
        let old = std::mem::replace(&mut record.outcome, outcome);
        if !record.is_pending {
            record.is_pending = true;
            let before = Before { outcome: old, amount: record.amount };
            self.pending.push((record.order, (!is_new).then_some(before)));
        }
    }

    /// Lets events go that are older than a time: no window reaches them any more.
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
