//! What a view has to say about itself.

use std::hash::{Hash, Hasher};

use headwater_schemas::tables::DeadLetter;
use headwater_schemas::{Correction, Corrections, Place, Placed};
use rustc_hash::FxHasher;
use timely::ExchangeData;

/// A keyed view: a pure function of a key's state, an event and what was broadcast, applied in the order of places.
pub trait View: 'static {
    /// What a state belongs to.
    type Key: Clone + Ord + Hash + 'static;
    /// What happens to a key.
    type Event: ExchangeData + Clone;
    /// What every key can see: instruments, accounts, limits.
    type Broadcast: ExchangeData + Clone;
    /// What the broadcasts add up to.
    type Context: Default + 'static;
    /// What is remembered of a key. The default is a key that nothing has happened to.
    type State: Default + 'static;
    /// The rows that the view keeps up to date, or a choice of them if it feeds several tables.
    type Row: ExchangeData + Clone + Ord;
    /// What the view says to other views, once each: executions, legs.
    type Derived: ExchangeData + Clone;

    /// The state that an event belongs to.
    fn key(&self, event: &Self::Event) -> Self::Key;

    /// Which worker has a key's state: keys with equal numbers meet.
    fn route(&self, key: &Self::Key) -> u64 {
        route(key)
    }

    /// Takes in a broadcast.
    fn learn(&self, context: &mut Self::Context, broadcast: Placed<Self::Broadcast>);

    /// Applies an event.
    fn apply(&self, context: &Self::Context, key: &Self::Key, state: &mut Self::State, event: Placed<Self::Event>, out: &mut Outbox<Self>);

    /// Answers a timer that the key has set. It fires behind all events of its time.
    fn timer(&self, _context: &Self::Context, _key: &Self::Key, _state: &mut Self::State, _place: Place, _out: &mut Outbox<Self>) {}

    /// Says what has changed in the key's rows since it was asked last: `(row, -1)` for what was, `(row, +1)` for what
    /// is. Asked once per tick (or grid point) in which the key was touched. `as_of` is the grid point, or the time of
    /// the last event that was applied.
    fn settle(&self, context: &Self::Context, key: &Self::Key, state: &mut Self::State, as_of: u64, rows: &mut Changes<Self::Row>);

    /// Whether a state says no more than the default does and can be let go.
    fn is_forgettable(&self, _state: &Self::State) -> bool {
        false
    }
}

/// The worker of a key is this number's remainder; the same for every view that is keyed by it.
pub fn route<K: Hash + ?Sized>(key: &K) -> u64 {
    let mut hasher = FxHasher::default();
    key.hash(&mut hasher);
    // The high bits are the well-mixed ones.
    hasher.finish() >> 20
}

/// A view whose state can be written as rows and read back.
pub trait Persistent: View {
    /// The rows of all states: one list per table.
    type Saved: Default;
    /// Adds a state's rows.
    fn save(&self, key: &Self::Key, state: &Self::State, saved: &mut Self::Saved);
    /// Makes the states of the rows again.
    fn load(&self, saved: Self::Saved) -> Vec<(Self::Key, Self::State)>;
    /// The timer that a state waits for, as far as the fold has to be told after a restart.
    fn timer_of(&self, _state: &Self::State) -> Option<u64> {
        None
    }
}

/// Where the rows of a tick are collected.
#[derive(Debug)]
pub struct Changes<R> {
    pub(super) rows: Vec<(R, isize)>,
    /// The rows among them that change because of corrections.
    pub(super) corrected: Vec<(R, Corrections)>,
    because: Corrections,
}

impl<R: PartialEq + Clone> Changes<R> {
    /// An empty list.
    pub const fn new() -> Self {
        Self { rows: Vec::new(), corrected: Vec::new(), because: Corrections::new() }
    }

    /// A row that is now.
    pub fn insert(&mut self, row: R) {
        self.push(row, 1);
    }

    /// A row that was.
    pub fn retract(&mut self, row: R) {
        self.push(row, -1);
    }

    /// The reason of what changes from here on. A view whose key has several rows says it row by row; else it is all that the
    /// key's events have corrected.
    pub fn because(&mut self, corrections: Corrections) {
        self.because = corrections;
    }

    fn push(&mut self, row: R, diff: isize) {
        if !self.because.is_empty() {
            self.corrected.push((row.clone(), self.because.clone()));
        }
        self.rows.push((row, diff));
    }

    /// A row that became another one, or came, or went; nothing if it stayed as it was.
    pub fn replace(&mut self, old: Option<R>, new: Option<R>) {
        if old != new {
            old.into_iter().for_each(|row| self.retract(row));
            new.into_iter().for_each(|row| self.insert(row));
        }
    }

    /// What was collected.
    pub fn into_rows(self) -> Vec<(R, isize)> {
        self.rows
    }
}

impl<R: PartialEq + Clone> Default for Changes<R> {
    fn default() -> Self {
        Self::new()
    }
}

/// Where an event's consequences are collected, besides the rows.
#[derive(Debug)]
pub struct Outbox<V: View + ?Sized> {
    cause: Place,
    sequence: u32,
    pub(super) derived: Vec<Placed<V::Derived>>,
    pub(super) dead_letters: Vec<(u64, DeadLetter)>,
    pub(super) timers: Vec<u64>,
    pub(super) corrections: Corrections,
}

impl<V: View + ?Sized> Outbox<V> {
    /// An empty outbox for the consequences of what stands at `cause`.
    pub const fn new(cause: Place) -> Self {
        Self { cause, sequence: 0, derived: Vec::new(), dead_letters: Vec::new(), timers: Vec::new(), corrections: Corrections::new() }
    }

    pub(super) fn begin(&mut self, cause: Place) {
        self.cause = cause;
        self.sequence = 0;
    }

    /// Says something to other views, at the cause's place and behind what was said before.
    pub fn derive(&mut self, event: V::Derived) {
        self.sequence += 1;
        self.derived.push(Placed { place: self.cause.derived(self.sequence), event });
    }

    /// Refuses the event.
    pub fn refuse(&mut self, letter: DeadLetter) {
        self.dead_letters.push((self.cause.time, letter));
    }

    /// Names what the event corrects: the reason of what changes in the key's rows when they are settled next.
    pub fn correct(&mut self, correction: Correction) {
        self.corrections.add(correction);
    }

    /// Asks for [`View::timer`] once all events up to that time (nanoseconds) were applied.
    pub fn set_timer(&mut self, time: u64) {
        self.timers.push(time);
    }

    /// What was said to other views, in order.
    pub fn derived(&self) -> &[Placed<V::Derived>] {
        &self.derived
    }

    /// What was refused.
    pub fn refused(&self) -> impl Iterator<Item = &DeadLetter> {
        self.dead_letters.iter().map(|(_, letter)| letter)
    }
}
