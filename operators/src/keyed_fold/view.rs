//! The trait of a view: its key, its state, its tables, and pure functions.

use std::hash::{Hash, Hasher};

use headwater_schemas::tables::{DeadLetter, Moment, TableSet};
use headwater_schemas::{Correction, Corrections, EffectiveTime, Place, Placed, Tick};
use rustc_hash::FxHasher;
use timely::ExchangeData;

use super::slots::Slots;

/// A keyed view: pure functions of a key's state, an event and the broadcasts, applied in the order of places.
pub trait View: 'static {
    /// The key of a state.
    type Key: Clone + Ord + Hash + 'static;
    /// The part of a key that determines its worker: keys with equal routes are on the same worker.
    type Route: Hash;
    /// Event of a key.
    type Event: ExchangeData + Clone;
    /// Event that every key can see: instruments, accounts, limits.
    type Broadcast: ExchangeData + Clone;
    /// Accumulated broadcasts.
    type Context: Default + 'static;
    /// State of a key. The default is that of a key without events.
    type State: Default + 'static;
    /// Purpose of a timer: its identity within the key.
    type Timer: Clone + Ord + 'static;
    /// The tables that the view writes.
    type Tables: TableSet;
    /// Event that the view derives, at the place of its cause: an execution, a leg.
    type Derived: ExchangeData + Clone;
    /// State of a key for other operators, sent whenever it has changed: a holding, a mark.
    type Update: ExchangeData + Clone;

    /// The key of an event.
    fn key(&self, event: &Self::Event) -> Self::Key;

    /// The route of a key.
    fn route(key: &Self::Key) -> Self::Route;

    /// Applies a broadcast to the context.
    fn learn(&self, context: &mut Self::Context, broadcast: Placed<Self::Broadcast>);

    /// Applies an event.
    fn apply(
        &self,
        context: &Self::Context,
        key: &Self::Key,
        state: &mut Self::State,
        event: Placed<Self::Event>,
        out: &mut Outbox<'_, Self>,
    );

    /// Handles a timer that the key has set. It fires after all events of its time.
    fn timer(
        &self,
        _context: &Self::Context,
        _key: &Self::Key,
        _state: &mut Self::State,
        _timer: Self::Timer,
        _place: Place,
        _out: &mut Outbox<'_, Self>,
    ) {
    }

    /// Emits the key's rows at `at`. Called once per period ([`super::Pace`]) in which the key was touched.
    fn emit(&self, context: &Self::Context, key: &Self::Key, state: &mut Self::State, at: &Moment, tables: &Self::Tables);

    /// Sends the key's state at a grid point to other operators. Called once per grid interval in which the key was touched.
    fn update(
        &self,
        _context: &Self::Context,
        _key: &Self::Key,
        _state: &mut Self::State,
        _at: &Moment,
        _updates: &mut Updates<Self::Update>,
    ) {
    }

    /// Whether [`View::update`] sends anything.
    const UPDATES: bool = false;

    /// Whether a state equals the default and can be forgotten.
    fn is_forgettable(&self, _state: &Self::State) -> bool {
        false
    }

    /// Restores states from the rows that they had emitted. The rows may come in any order.
    fn restore(&self, saved: &<Self::Tables as TableSet>::Saved, states: &mut States<'_, Self>);

    /// The timers of a restored state.
    fn timers(&self, _key: &Self::Key, _state: &Self::State) -> Vec<(EffectiveTime, Self::Timer)> {
        Vec::new()
    }
}

/// The states of a worker's keys, while they are restored. They are made where they stay.
pub struct States<'a, V: View + ?Sized> {
    slots: &'a mut Slots<V::Key, V::State>,
    is_mine: &'a dyn Fn(&V::Key) -> bool,
}

impl<'a, V: View + ?Sized> States<'a, V> {
    /// Those in `slots`, to which come the keys that `is_mine` accepts.
    pub(super) const fn new(slots: &'a mut Slots<V::Key, V::State>, is_mine: &'a dyn Fn(&V::Key) -> bool) -> Self {
        Self { slots, is_mine }
    }

    /// Whether a key belongs to this worker.
    pub fn have(&self, key: &V::Key) -> bool {
        (self.is_mine)(key)
    }

    /// The state of a key, at first the default; none if the key belongs to another worker.
    pub fn of(&mut self, key: &V::Key) -> Option<&mut V::State> {
        let is_mine = self.is_mine;
        let number = self.slots.find_or_insert_if(key, || is_mine(key));
        self.slots.get_mut(number?).map(|slot| &mut slot.state)
    }

    /// The state of a key, if it is restored already.
    pub fn restored(&mut self, key: &V::Key) -> Option<&mut V::State> {
        self.slots.find(key).and_then(|number| self.slots.get_mut(number)).map(|slot| &mut slot.state)
    }

    /// Every state that is restored, in arbitrary order.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut V::State> {
        self.slots.iter_mut().map(|slot| &mut slot.state)
    }
}

/// Hash of a route; modulo the number of workers it gives the worker's index.
pub fn worker_number(route: &impl Hash) -> u64 {
    let mut hasher = FxHasher::default();
    route.hash(&mut hasher);
    // The high bits are the well-mixed ones.
    hasher.finish() >> 20
}

/// An update, the tick that ends at its grid point, and its corrections.
pub type Updated<U> = (U, Tick, Corrections);

/// Collects updates.
#[derive(Debug)]
pub struct Updates<U> {
    pub(super) told: Vec<Updated<U>>,
}

impl<U> Updates<U> {
    pub(super) const fn new() -> Self {
        Self { told: Vec::new() }
    }

    /// Adds an update of the key.
    pub fn push(&mut self, at: &Moment, update: U) {
        self.told.push((update, at.tick, at.why.clone()));
    }
}

/// Sets or cancels a timer.
#[derive(Debug)]
pub(super) struct TimerChange<T> {
    pub(super) time: EffectiveTime,
    pub(super) timer: T,
    pub(super) is_set: bool,
}

/// Collects the outputs of one event.
pub struct Outbox<'a, V: View + ?Sized> {
    cause: Place,
    sequence: u32,
    tables: &'a V::Tables,
    at: Moment,
    pub(super) derived: &'a mut Vec<Placed<V::Derived>>,
    pub(super) dead_letters: &'a mut Vec<DeadLetter>,
    pub(super) timers: Vec<TimerChange<V::Timer>>,
    pub(super) corrections: Corrections,
}

impl<'a, V: View + ?Sized> Outbox<'a, V> {
    pub(super) const fn new(
        cause: Place,
        tick: Tick,
        tables: &'a V::Tables,
        derived: &'a mut Vec<Placed<V::Derived>>,
        dead_letters: &'a mut Vec<DeadLetter>,
    ) -> Self {
        let at = Moment::new(tick, cause.time);
        Self { cause, sequence: 0, tables, at, derived, dead_letters, timers: Vec::new(), corrections: Corrections::new() }
    }

    /// The tables, for facts: rows of append tables, which are written at once.
    pub const fn tables(&self) -> &'a V::Tables {
        self.tables
    }

    /// The moment of the event.
    pub const fn at(&self) -> &Moment {
        &self.at
    }

    /// Derives an event, at the cause's place and after the events derived before.
    pub fn derive(&mut self, event: V::Derived) {
        self.sequence += 1;
        self.derived.push(Placed { place: self.cause.derived(self.sequence), event });
    }

    /// Numbers the events that are derived from here on from `first`: after those of other events at the same place.
    pub const fn number_from(&mut self, first: u32) {
        self.sequence = first;
    }

    /// Rejects the event.
    pub fn refuse(&mut self, letter: DeadLetter) {
        self.dead_letters.push(letter);
    }

    /// Names what the event corrects: the reason of the next changes of the key's rows.
    pub fn correct(&mut self, correction: Correction) {
        self.corrections.add(correction);
    }

    /// Sets a timer: [`View::timer`] is called once all events up to that time are applied.
    pub fn set_timer(&mut self, time: EffectiveTime, timer: V::Timer) {
        self.timers.push(TimerChange { time, timer, is_set: true });
    }

    /// Cancels a timer that was set for that time.
    pub fn cancel_timer(&mut self, time: EffectiveTime, timer: V::Timer) {
        self.timers.push(TimerChange { time, timer, is_set: false });
    }
}
