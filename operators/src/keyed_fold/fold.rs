//! The states of a view and what is applied to them: the fold without the dataflow.

use std::hash::{Hash, Hasher};

use headwater_schemas::tables::{DeadLetter, Moment, TableSet};
use headwater_schemas::{Corrections, Place, Placed};
use rustc_hash::{FxHashMap, FxHasher};

use super::timers::Timers;
use super::view::{Outbox, Updated, Updates, View};

/// The rank of a timer: after every topic.
const TIMER_RANK: u8 = u8::MAX;

struct Slot<V: View> {
    key: V::Key,
    state: V::State,
    /// Whether rows, or updates, are to be emitted.
    touched: Touched,
}

/// What was touched since it was emitted last.
#[derive(Clone, Copy, Default)]
struct Touched {
    rows: bool,
    updates: bool,
}

/// Slots that wait to be emitted, in the order in which they were touched, with what was corrected.
#[derive(Default)]
struct Waiting {
    slots: Vec<usize>,
    corrections: FxHashMap<usize, Corrections>,
}

impl Waiting {
    fn correct(&mut self, slot: usize, corrections: &Corrections) {
        if !corrections.is_empty() {
            self.corrections.entry(slot).or_default().extend(corrections.clone());
        }
    }
}

/// The states of the keys that one worker has.
pub struct Fold<V: View> {
    view: V,
    context: V::Context,
    tables: V::Tables,
    tick_interval: u64,
    index: FxHashMap<V::Key, usize>,
    slots: Vec<Option<Slot<V>>>,
    free: Vec<usize>,
    timers: Timers<V::Key, V::Timer>,
    rows: Waiting,
    updates: Waiting,
    derived: Vec<Placed<V::Derived>>,
    dead_letters: Vec<DeadLetter>,
    told: Updates<V::Update>,
}

impl<V: View> Fold<V> {
    /// No states. `tick_interval` is in nanoseconds.
    pub fn new(view: V, tables: V::Tables, tick_interval: u64) -> Self {
        Self {
            view,
            context: V::Context::default(),
            tables,
            tick_interval: tick_interval.max(1),
            index: FxHashMap::default(),
            slots: Vec::new(),
            free: Vec::new(),
            timers: Timers::new(),
            rows: Waiting::default(),
            updates: Waiting::default(),
            derived: Vec::new(),
            dead_letters: Vec::new(),
            told: Updates::new(),
        }
    }

    /// The view.
    pub const fn view(&self) -> &V {
        &self.view
    }

    /// The tables that it writes.
    pub const fn tables(&self) -> &V::Tables {
        &self.tables
    }

    /// How many keys have a state.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether no key has a state.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Restores the states of the keys that `is_mine` accepts from the rows that they had emitted. A timer that was due before
    /// `not_before`, because the configuration is another one now, fires then.
    pub fn restore(&mut self, saved: &<V::Tables as TableSet>::Saved, is_mine: &dyn Fn(&V::Key) -> bool, not_before: u64) {
        let mut timers = Vec::new();
        for (key, state) in self.view.restore(saved, is_mine) {
            let of_key = self.view.timers(&key, &state).into_iter();
            timers.extend(of_key.map(|(time, timer)| (time.max(not_before), key.clone(), timer)));
            let position = self.slot(key);
            if let Some(Some(slot)) = self.slots.get_mut(position) {
                slot.state = state;
            }
        }
        // In the order of their times they wait in a queue.
        timers.sort_unstable();
        timers.into_iter().for_each(|(time, key, timer)| self.timers.set(time, key, timer));
    }

    /// The states, in no order that anything may depend on.
    pub fn states(&self) -> impl Iterator<Item = (&V::Key, &V::State)> {
        self.slots.iter().flatten().map(|slot| (&slot.key, &slot.state))
    }

    /// Takes in a broadcast.
    pub fn learn(&mut self, broadcast: Placed<V::Broadcast>) {
        self.view.learn(&mut self.context, broadcast);
    }

    /// Applies an event to its key.
    pub fn apply(&mut self, event: Placed<V::Event>) {
        let place = event.place;
        let slot = self.slot(self.view.key(&event.event));
        self.with_slot(slot, place, |view, context, key, state, out| view.apply(context, key, state, event, out));
    }

    /// The earliest timer.
    pub fn next_timer(&self) -> Option<u64> {
        self.timers.next()
    }

    /// Fires the earliest timer.
    pub fn fire(&mut self) {
        let Some((time, key, timer)) = self.timers.take() else { return };
        let mut hasher = FxHasher::default();
        key.hash(&mut hasher);
        // The key's hash as an offset: what timers of different keys derive has an order that no worker decides.
        let place = Place { time, rank: TIMER_RANK, partition: 0, offset: hasher.finish(), sequence: 0 };
        let slot = self.slot(key);
        self.with_slot(slot, place, |view, context, key, state, out| view.timer(context, key, state, timer, place, out));
    }

    /// Emits the rows of every key that was touched since the last time, as changes of `tick`. Rows may show `time` as their own.
    pub fn emit(&mut self, tick: u64, time: u64) {
        let mut at = Moment::new(tick, time);
        for position in std::mem::take(&mut self.rows.slots) {
            let Some(Some(slot)) = self.slots.get_mut(position) else { continue };
            slot.touched.rows = false;
            at.why = self.rows.corrections.remove(&position).unwrap_or_default();
            self.view.emit(&self.context, &slot.key, &mut slot.state, &at, &self.tables);
            self.forget(position);
        }
    }

    /// Tells other operators what every key that was touched since the last time is at the grid point `time`, which ends `tick`.
    pub fn update(&mut self, tick: u64, time: u64) -> std::vec::Drain<'_, Updated<V::Update>> {
        let mut at = Moment::new(tick, time);
        for position in std::mem::take(&mut self.updates.slots) {
            let Some(Some(slot)) = self.slots.get_mut(position) else { continue };
            slot.touched.updates = false;
            at.why = self.updates.corrections.remove(&position).unwrap_or_default();
            self.view.update(&self.context, &slot.key, &mut slot.state, &at, &mut self.told);
            self.forget(position);
        }
        self.told.told.drain(..)
    }

    /// What was derived since it was taken last.
    pub fn take_derived(&mut self) -> std::vec::Drain<'_, Placed<V::Derived>> {
        self.derived.drain(..)
    }

    /// What was rejected since it was taken last.
    pub fn take_dead_letters(&mut self) -> std::vec::Drain<'_, DeadLetter> {
        self.dead_letters.drain(..)
    }

    fn with_slot(
        &mut self,
        position: usize,
        place: Place,
        logic: impl FnOnce(&V, &V::Context, &V::Key, &mut V::State, &mut Outbox<'_, V>),
    ) {
        let Some(Some(slot)) = self.slots.get_mut(position) else { return };
        let tick = place.time / self.tick_interval;
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
        self.rows.correct(position, &corrections);
        if !std::mem::replace(&mut slot.touched.rows, true) {
            self.rows.slots.push(position);
        }
        if V::UPDATES {
            self.updates.correct(position, &corrections);
            if !std::mem::replace(&mut slot.touched.updates, true) {
                self.updates.slots.push(position);
            }
        }
    }

    /// Forgets a key that has nothing left to emit and nothing to remember.
    fn forget(&mut self, position: usize) {
        let Some(entry) = self.slots.get_mut(position) else { return };
        let Some(slot) = entry else { return };
        if !slot.touched.rows && !slot.touched.updates && self.view.is_forgettable(&slot.state) {
            self.index.remove(&slot.key);
            *entry = None;
            self.free.push(position);
        }
    }

    fn slot(&mut self, key: V::Key) -> usize {
        if let Some(position) = self.index.get(&key) {
            return *position;
        }
        let slot = Some(Slot { key: key.clone(), state: V::State::default(), touched: Touched::default() });
        let position = match self.free.pop() {
            Some(position) => position,
            None => {
                self.slots.push(None);
                self.slots.len() - 1
            }
        };
        if let Some(free) = self.slots.get_mut(position) {
            *free = slot;
        }
        self.index.insert(key, position);
        position
    }
}
