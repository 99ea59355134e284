//! What a view declares: its key, its tables, and the pure functions between them.

use std::hash::{Hash, Hasher};

use headwater_schemas::tables::{DeadLetter, Moment, TableSet};
use headwater_schemas::{Correction, Corrections, Place, Placed};
use rustc_hash::FxHasher;
use timely::ExchangeData;

/// A keyed view: pure functions of a key's state, an event and what was broadcast, applied in the order of places.
pub trait View: 'static {
    /// What a state belongs to.
    type Key: Clone + Ord + Hash + 'static;
    /// The part of a key that decides which worker has its state: keys with equal parts meet.
    type Route: Hash;
    /// What happens to a key.
    type Event: ExchangeData + Clone;
    /// What every key can see: instruments, accounts, limits.
    type Broadcast: ExchangeData + Clone;
    /// What the broadcasts add up to.
    type Context: Default + 'static;
    /// What is remembered of a key. The default is a key that nothing has happened to.
    type State: Default + 'static;
    /// What a timer is for: its identity within the key.
    type Timer: Clone + Ord + 'static;
    /// The tables that the view writes.
    type Tables: TableSet;
    /// Events that the view derives, once each, at the place of their cause: executions, legs.
    type Derived: ExchangeData + Clone;
    /// What other operators need to know of a key whenever it has changed: a holding, a mark.
    type Update: ExchangeData + Clone;

    /// The key that an event belongs to.
    fn key(&self, event: &Self::Event) -> Self::Key;

    /// The part of the key that decides which worker has its state.
    fn route(key: &Self::Key) -> Self::Route;

    /// Takes in a broadcast.
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

    /// Answers a timer that the key has set. It fires after all events of its time.
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

    /// Emits the key's rows, as they are at `at`. Called once per period ([`super::Pace`]) in which the key was touched.
    fn emit(&self, context: &Self::Context, key: &Self::Key, state: &mut Self::State, at: &Moment, tables: &Self::Tables);

    /// Tells other operators what the key is at a grid point. Called once per grid point before which the key was touched.
    fn update(
        &self,
        _context: &Self::Context,
        _key: &Self::Key,
        _state: &mut Self::State,
        _at: &Moment,
        _updates: &mut Updates<Self::Update>,
    ) {
    }

    /// Whether [`View::update`] tells anything.
    const UPDATES: bool = false;

    /// Whether a state holds no more than the default does and can be forgotten.
    fn is_forgettable(&self, _state: &Self::State) -> bool {
        false
    }

    /// Restores states from the rows that they had emitted. Only those keys are wanted that `is_mine` accepts.
    fn restore(&self, saved: &<Self::Tables as TableSet>::Saved, is_mine: &dyn Fn(&Self::Key) -> bool) -> Vec<(Self::Key, Self::State)>;

    /// The timers that a restored state waits for.
    fn timers(&self, _key: &Self::Key, _state: &Self::State) -> Vec<(u64, Self::Timer)> {
        Vec::new()
    }
}

/// The number whose remainder by the number of workers is the worker that has what is routed by `route`.
pub fn worker_number(route: &impl Hash) -> u64 {
    let mut hasher = FxHasher::default();
    route.hash(&mut hasher);
    // The high bits are the well-mixed ones.
    hasher.finish() >> 20
}

/// What other operators are told at a grid point: the update, the tick that ends there, and what was corrected.
pub type Updated<U> = (U, u64, Corrections);

/// Collects what other operators are told.
#[derive(Debug)]
pub struct Updates<U> {
    pub(super) told: Vec<Updated<U>>,
}

impl<U> Updates<U> {
    pub(super) const fn new() -> Self {
        Self { told: Vec::new() }
    }

    /// Tells an update of the key.
    pub fn push(&mut self, at: &Moment, update: U) {
        self.told.push((update, at.tick, at.why.clone()));
    }
}

/// A timer that is to be set, or not any more.
#[derive(Debug)]
pub(super) struct TimerChange<T> {
    pub(super) time: u64,
    pub(super) timer: T,
    pub(super) is_set: bool,
}

/// Collects the consequences of one event.
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
        tick: u64,
        tables: &'a V::Tables,
        derived: &'a mut Vec<Placed<V::Derived>>,
        dead_letters: &'a mut Vec<DeadLetter>,
    ) -> Self {
        let at = Moment::new(tick, cause.time);
        Self { cause, sequence: 0, tables, at, derived, dead_letters, timers: Vec::new(), corrections: Corrections::new() }
    }

    /// The tables, for facts: rows of append tables, which are written when they come about.
    pub const fn tables(&self) -> &'a V::Tables {
        self.tables
    }

    /// The moment of the event.
    pub const fn at(&self) -> &Moment {
        &self.at
    }

    /// Derives an event, at the cause's place and after what was derived before.
    pub fn derive(&mut self, event: V::Derived) {
        self.sequence += 1;
        self.derived.push(Placed { place: self.cause.derived(self.sequence), event });
    }

    /// Rejects the event.
    pub fn refuse(&mut self, letter: DeadLetter) {
        self.dead_letters.push(letter);
    }

    /// Names what the event corrects: the reason for what changes in the key's rows when they are emitted next.
    pub fn correct(&mut self, correction: Correction) {
        self.corrections.add(correction);
    }

    /// Asks for [`View::timer`] once all events up to that time (nanoseconds) were applied.
    pub fn set_timer(&mut self, time: u64, timer: V::Timer) {
        self.timers.push(TimerChange { time, timer, is_set: true });
    }

    /// Takes a timer back that was set for that time.
    pub fn cancel_timer(&mut self, time: u64, timer: V::Timer) {
        self.timers.push(TimerChange { time, timer, is_set: false });
    }
}
