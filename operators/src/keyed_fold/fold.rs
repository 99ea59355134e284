//! The states of a view and what is applied to them: the fold without the dataflow.

use std::hash::{Hash, Hasher};

use headwater_schemas::tables::DeadLetter;
use headwater_schemas::{Corrections, Place, Placed};
use rustc_hash::{FxHashMap, FxHasher};

use super::timers::Timers;
use super::view::{Changes, Outbox, View};

/// The rank of a timer: behind every topic.
const TIMER_RANK: u8 = u8::MAX;

struct Slot<V: View> {
    key: V::Key,
    state: V::State,
    touched: bool,
}

/// The states of the keys that one worker has.
pub struct Fold<V: View> {
    view: V,
    context: V::Context,
    index: FxHashMap<V::Key, usize>,
    slots: Vec<Option<Slot<V>>>,
    free: Vec<usize>,
    touched: Vec<usize>,
    timers: Timers<V::Key>,
    outbox: Outbox<V>,
    changes: Changes<V::Row>,
    /// What was corrected since the last settling, by slot.
    corrections: FxHashMap<usize, Corrections>,
    last_time: u64,
}

impl<V: View> Fold<V> {
    /// No states.
    pub fn new(view: V) -> Self {
        let nowhere = Place { time: 0, rank: 0, partition: 0, offset: 0, sequence: 0 };
        Self {
            view,
            context: V::Context::default(),
            index: FxHashMap::default(),
            slots: Vec::new(),
            free: Vec::new(),
            touched: Vec::new(),
            timers: Timers::new(),
            outbox: Outbox::new(nowhere),
            changes: Changes::new(),
            corrections: FxHashMap::default(),
            last_time: 0,
        }
    }

    /// The view.
    pub const fn view(&self) -> &V {
        &self.view
    }

    /// How many keys have a state.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether no key has a state.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// The states, in no order that anything may depend on.
    pub fn states(&self) -> impl Iterator<Item = (&V::Key, &V::State)> {
        self.slots.iter().flatten().map(|slot| (&slot.key, &slot.state))
    }

    /// Puts a state in place, as after a restart, with the timer that it waits for. Its rows are taken as said already.
    pub fn restore(&mut self, key: V::Key, state: V::State, timer: Option<u64>) {
        timer.into_iter().for_each(|time| self.timers.set(time, key.clone()));
        let slot = self.slot(key);
        if let Some(Some(slot)) = self.slots.get_mut(slot) {
            slot.state = state;
        }
    }

    /// Takes in a broadcast.
    pub fn learn(&mut self, broadcast: Placed<V::Broadcast>) {
        self.last_time = self.last_time.max(broadcast.place.time);
        self.view.learn(&mut self.context, broadcast);
    }

    /// Applies an event to its key.
    pub fn apply(&mut self, event: Placed<V::Event>) {
        let place = event.place;
        self.last_time = self.last_time.max(place.time);
        let slot = self.slot(self.view.key(&event.event));
        self.with_slot(slot, place, |view, context, key, state, out| view.apply(context, key, state, event, out));
    }

    /// The earliest timer.
    pub fn next_timer(&self) -> Option<u64> {
        self.timers.next()
    }

    /// Fires the earliest timer.
    pub fn fire(&mut self) {
        let Some((time, key)) = self.timers.take() else { return };
        let mut hasher = FxHasher::default();
        key.hash(&mut hasher);
        // The key's hash as an offset: what timers of different keys derive has an order that no worker decides.
        let place = Place { time, rank: TIMER_RANK, partition: 0, offset: hasher.finish(), sequence: 0 };
        self.last_time = self.last_time.max(time);
        let slot = self.slot(key);
        self.with_slot(slot, place, |view, context, key, state, out| view.timer(context, key, state, place, out));
    }

    /// Whether a key was touched since the last settling.
    pub fn is_touched(&self) -> bool {
        !self.touched.is_empty()
    }

    /// Settles every touched key: the changes of their rows. `as_of` as for [`View::settle`]; `None` means the time of
    /// what was applied last.
    pub fn settle(&mut self, as_of: Option<u64>) -> std::vec::Drain<'_, (V::Row, isize)> {
        let as_of = as_of.unwrap_or(self.last_time);
        for position in self.touched.drain(..) {
            let Some(entry) = self.slots.get_mut(position) else { continue };
            let Some(slot) = entry else { continue };
            slot.touched = false;
            self.changes.because(self.corrections.remove(&position).unwrap_or_default());
            self.view.settle(&self.context, &slot.key, &mut slot.state, as_of, &mut self.changes);
            if self.view.is_forgettable(&slot.state) {
                self.index.remove(&slot.key);
                *entry = None;
                self.free.push(position);
            }
        }
        self.changes.rows.drain(..)
    }

    /// The rows that were settled differently because something was corrected, since they were taken last: what was, and
    /// what is.
    pub fn take_corrected(&mut self) -> std::vec::Drain<'_, (V::Row, Corrections)> {
        self.changes.corrected.drain(..)
    }

    /// What was said to other views since it was taken last.
    pub fn take_derived(&mut self) -> std::vec::Drain<'_, Placed<V::Derived>> {
        self.outbox.derived.drain(..)
    }

    /// What was refused since it was taken last, with the effective times.
    pub fn take_dead_letters(&mut self) -> std::vec::Drain<'_, (u64, DeadLetter)> {
        self.outbox.dead_letters.drain(..)
    }

    fn with_slot(&mut self, position: usize, place: Place, logic: impl FnOnce(&V, &V::Context, &V::Key, &mut V::State, &mut Outbox<V>)) {
        let Some(Some(slot)) = self.slots.get_mut(position) else { return };
        self.outbox.begin(place);
        logic(&self.view, &self.context, &slot.key, &mut slot.state, &mut self.outbox);
        for time in self.outbox.timers.drain(..) {
            self.timers.set(time, slot.key.clone());
        }
        if !self.outbox.corrections.is_empty() {
            self.corrections.entry(position).or_default().extend(std::mem::take(&mut self.outbox.corrections));
        }
        if !slot.touched {
            slot.touched = true;
            self.touched.push(position);
        }
    }

    fn slot(&mut self, key: V::Key) -> usize {
        if let Some(position) = self.index.get(&key) {
            return *position;
        }
        let slot = Some(Slot { key: key.clone(), state: V::State::default(), touched: false });
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
