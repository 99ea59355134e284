//! The fold without the dataflow: the states of a view, and the application of events.

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};

use headwater_schemas::tables::{DeadLetter, Moment, TableSet};
use headwater_schemas::{Clock, Corrections, EffectiveTime, Offset, Place, Placed, Tick};
use rustc_hash::{FxHashMap, FxHasher};

use super::slots::{Slot, SlotNumber, Slots};
use super::timers::Timers;
use super::view::{Outbox, States, Updated, Updates, View};
use crate::slot_index::KeyHash;

/// The rank of a timer: after every topic.
const TIMER_RANK: u8 = u8::MAX;

/// Slots to be emitted, in the order in which they were touched, with their corrections.
#[derive(Default)]
struct Waiting {
    slots: Vec<SlotNumber>,
    corrections: FxHashMap<SlotNumber, Corrections>,
}

impl Waiting {
    fn correct(&mut self, slot: SlotNumber, corrections: &Corrections) {
        if !corrections.is_empty() {
            self.corrections.entry(slot).or_default().extend(corrections.clone());
        }
    }
}

/// A key, with its hash.
#[derive(Debug)]
pub struct KnownKey<K> {
    hash: KeyHash,
    key: K,
}

impl<K: Hash> KnownKey<K> {
    fn of(key: K) -> Self {
        Self { hash: KeyHash::of(&key), key }
    }
}

/// The states of a worker's keys.
pub struct Fold<V: View> {
    view: V,
    context: V::Context,
    tables: V::Tables,
    clock: Clock,
    slots: Slots<V::Key, V::State>,
    timers: Timers<V::Key, V::Timer>,
    rows: Waiting,
    updates: Waiting,
    derived: Vec<Placed<V::Derived>>,
    dead_letters: Vec<DeadLetter>,
    told: Updates<V::Update>,
}

impl<V: View> Fold<V> {
    /// A fold without states.
    pub fn new(view: V, tables: V::Tables, clock: Clock) -> Self {
        Self {
            view,
            context: V::Context::default(),
            tables,
            clock,
            slots: Slots::new(),
            timers: Timers::new(),
            rows: Waiting::default(),
            updates: Waiting::default(),
            derived: Vec::new(),
            dead_letters: Vec::new(),
            told: Updates::new(),
        }
    }

    /// The tables that it writes.
    pub const fn tables(&self) -> &V::Tables {
        &self.tables
    }

    /// Restores the states of the keys that `is_mine` accepts from the rows that they had emitted. A timer that was due before
    /// `not_before`, because the configuration has changed, fires then.
    pub fn restore(&mut self, saved: &<V::Tables as TableSet>::Saved, is_mine: &dyn Fn(&V::Key) -> bool, not_before: EffectiveTime) {
        self.view.restore(saved, &mut States::new(&mut self.slots, is_mine));
        let mut timers = Vec::new();
        for Slot { key, state, .. } in self.slots.iter() {
            let of_key = self.view.timers(key, state).into_iter();
            timers.extend(of_key.map(|(time, timer)| (time.max(not_before), key.clone(), timer)));
        }
        self.timers.restore(timers);
    }

    /// The states, in arbitrary order, on which nothing may depend.
    pub fn states(&self) -> impl Iterator<Item = (&V::Key, &V::State)> {
        self.slots.iter().map(|slot| (&slot.key, &slot.state))
    }

    /// Applies a broadcast to the context.
    pub fn learn(&mut self, broadcast: Placed<V::Broadcast>) {
        self.view.learn(&mut self.context, broadcast);
    }

    /// The keys of events that are applied soon. Their slots are looked for one right after the other, so that the processor waits
    /// for the memory of all of them at once; when they are applied, one by one, it is there.
    pub fn look_ahead<'e>(&self, events: impl Iterator<Item = &'e V::Event>, keys: &mut VecDeque<KnownKey<V::Key>>) {
        keys.extend(events.map(|event| KnownKey::of(self.view.key(event))));
        let found = keys.iter().filter(|known| self.slots.find_hashed(known.hash, &known.key).is_some());
        std::hint::black_box(found.count());
    }

    /// Applies an event to its key.
    pub fn apply(&mut self, event: Placed<V::Event>) {
        let known = KnownKey::of(self.view.key(&event.event));
        self.apply_to(known, event);
    }

    /// Applies an event to its key, which is known.
    pub fn apply_to(&mut self, known: KnownKey<V::Key>, event: Placed<V::Event>) {
        let place = event.place;
        self.with_slot(known, place, |view, context, key, state, out| view.apply(context, key, state, event, out));
    }

    /// The earliest timer.
    pub fn next_timer(&self) -> Option<EffectiveTime> {
        self.timers.next()
    }

    /// Fires the earliest timer.
    pub fn fire(&mut self) {
        let Some((time, key, timer)) = self.timers.take() else { return };
        let mut hasher = FxHasher::default();
        key.hash(&mut hasher);
        // The key's hash as an offset: the order of events derived by timers of different keys does not depend on workers.
        let place = Place { time, rank: TIMER_RANK, partition: 0, offset: Offset::new(hasher.finish()), sequence: 0, is_late: false };
        self.with_slot(KnownKey::of(key), place, |view, context, key, state, out| view.timer(context, key, state, timer, place, out));
    }

    /// Emits the rows of every touched key as changes of `tick`. Rows may show `time` as their own time.
    pub fn emit(&mut self, tick: Tick, time: EffectiveTime) {
        let mut at = Moment::new(tick, time);
        let mut slots = std::mem::take(&mut self.rows.slots);
        for number in slots.drain(..) {
            let Some(slot) = self.slots.get_mut(number) else { continue };
            slot.touched.rows = false;
            at.why = self.rows.corrections.remove(&number).unwrap_or_default();
            self.view.emit(&self.context, &slot.key, &mut slot.state, &at, &self.tables);
            self.forget(number);
        }
        self.rows.slots = slots;
    }

    /// Emits the updates of every touched key at the grid point `time`, which ends `tick`.
    pub fn update(&mut self, tick: Tick, time: EffectiveTime) -> std::vec::Drain<'_, Updated<V::Update>> {
        let mut at = Moment::new(tick, time);
        let mut slots = std::mem::take(&mut self.updates.slots);
        for number in slots.drain(..) {
            let Some(slot) = self.slots.get_mut(number) else { continue };
            slot.touched.updates = false;
            at.why = self.updates.corrections.remove(&number).unwrap_or_default();
            self.view.update(&self.context, &slot.key, &mut slot.state, &at, &mut self.told);
            self.forget(number);
        }
        self.updates.slots = slots;
        self.told.told.drain(..)
    }

    /// Takes the derived events since the last call.
    pub fn take_derived(&mut self) -> std::vec::Drain<'_, Placed<V::Derived>> {
        self.derived.drain(..)
    }

    /// Takes the dead letters since the last call.
    pub fn take_dead_letters(&mut self) -> std::vec::Drain<'_, DeadLetter> {
        self.dead_letters.drain(..)
    }

    fn with_slot(
        &mut self,
        known: KnownKey<V::Key>,
        place: Place,
        logic: impl FnOnce(&V, &V::Context, &V::Key, &mut V::State, &mut Outbox<'_, V>),
    ) {
        let Some(number) = self.slots.find_or_insert(known.hash, known.key) else { return };
        let Some(slot) = self.slots.get_mut(number) else { return };
        let tick = self.clock.tick_of(place.time);
        let mut out = Outbox::new(place, tick, &self.tables, &mut self.derived, &mut self.dead_letters);
        logic(&self.view, &self.context, &slot.key, &mut slot.state, &mut out);
        let Outbox { timers, corrections, .. } = out;
        for change in timers {
            if change.is_set {
                self.timers.set(change.time, slot.key.clone(), change.timer);
            } else {
                self.timers.cancel(change.time, slot.key.clone(), change.timer);
            }
        }
        self.rows.correct(number, &corrections);
        if !std::mem::replace(&mut slot.touched.rows, true) {
            self.rows.slots.push(number);
        }
        if V::UPDATES {
            self.updates.correct(number, &corrections);
            if !std::mem::replace(&mut slot.touched.updates, true) {
                self.updates.slots.push(number);
            }
        }
    }

    /// Forgets a key that has nothing left to emit or to remember.
    fn forget(&mut self, number: SlotNumber) {
        let Some(slot) = self.slots.get_mut(number) else { return };
        if !slot.touched.rows && !slot.touched.updates && self.view.is_forgettable(&slot.state) {
            self.slots.remove(number);
        }
    }
}
