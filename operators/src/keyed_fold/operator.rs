//! The fold as a timely operator.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::hash::Hash;
use std::rc::Rc;

use headwater_schemas::tables::{DeadLetter, Moment, TableSet};
use headwater_schemas::{Clock, EffectiveTime, Placed, Tick};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

use super::fold::{Fold, KnownKey};
use super::stash::Stash;
use super::view::{Updated, View, worker_number};

/// Events that are applied before the operator yields to others.
const WORK_PER_ACTIVATION: usize = 1 << 16;

/// Events whose slots are looked for together.
const LOOK_AHEAD: usize = 16;

/// Events for which a queue keeps its memory while it is empty.
const KEPT_READY: usize = 1 << 14;

/// How often rows are emitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// At every tick, with the time at which the tick begins.
    Tick,
    /// Once per grid interval, in its last tick, with the time of the grid point that ends it.
    Grid,
}

/// Inputs of a fold.
pub struct FoldInput<'scope, V: View> {
    /// Events of keys.
    pub events: StreamVec<'scope, Tick, Placed<V::Event>>,
    /// Broadcasts to every key; every worker gets all of them.
    pub broadcasts: StreamVec<'scope, Tick, Placed<V::Broadcast>>,
    /// The clocks at which partitions ended; every worker gets all of them.
    pub ends: StreamVec<'scope, Tick, EffectiveTime>,
}

/// What a fold knows at its start, apart from its states.
pub struct Before<V: View> {
    /// The broadcasts so far.
    pub broadcasts: Vec<Placed<V::Broadcast>>,
    /// The share of this worker.
    pub share: Share,
}

/// Restores the states of a fold from the rows of all workers. Called once, before the operator gets events.
pub type Restore<V> = Box<dyn FnOnce(&<<V as View>::Tables as TableSet>::Saved)>;

/// The keys of one worker among those that were saved.
#[derive(Clone, Copy, Debug)]
pub struct Share {
    /// The worker's index.
    pub worker: usize,
    /// The number of workers.
    pub workers: usize,
    /// The effective time at which the run continues.
    pub not_before: EffectiveTime,
}

impl Share {
    /// Whether the worker has the keys that are routed by `route`.
    pub fn has(self, route: &impl Hash) -> bool {
        let workers = if self.workers == 0 { 1 } else { self.workers as u64 };
        worker_number(route) % workers == self.worker as u64
    }
}

/// Output tables of a fold.
pub struct FoldTables<V: View> {
    /// The tables of the view.
    pub tables: V::Tables,
    /// Takes rejected events.
    pub reject: Reject,
}

/// Takes an operator's rejected events.
pub type Reject = Rc<dyn Fn(&Moment, DeadLetter)>;

/// Output streams of a fold.
pub struct FoldOutput<'scope, V: View> {
    /// Derived events.
    pub derived: StreamVec<'scope, Tick, Placed<V::Derived>>,
    /// States of keys at grid points.
    pub updates: StreamVec<'scope, Tick, Updated<V::Update>>,
    /// Carries the frontier of the rows: once it has passed a tick, the tables hold all rows of that tick.
    pub done: StreamVec<'scope, Tick, ()>,
}

/// A view whose operator is compiled in the view's own crate, whatever crate wires it. Implemented by
/// [`fold_operator!`](crate::fold_operator).
pub trait FoldOperator: View + Clone {
    /// Builds the operator, without states.
    fn operator<'scope>(
        self,
        name: &str,
        input: FoldInput<'scope, Self>,
        tables: FoldTables<Self>,
        before: Before<Self>,
        clock: Clock,
        pace: Pace,
    ) -> (FoldOutput<'scope, Self>, Restore<Self>);
}

/// Compiles the operators of views in this crate.
///
/// Generic code is compiled in the crate that first uses it with concrete types. Without this, every operator would be compiled
/// again whenever the crate that wires them changes.
#[macro_export]
macro_rules! fold_operator {
    ($($view:ty),+ $(,)?) => {$(
        impl $crate::keyed_fold::FoldOperator for $view {
            fn operator<'scope>(
                self,
                name: &str,
                input: $crate::keyed_fold::FoldInput<'scope, Self>,
                tables: $crate::keyed_fold::FoldTables<Self>,
                before: $crate::keyed_fold::Before<Self>,
                clock: $crate::keyed_fold::Clock,
                pace: $crate::keyed_fold::Pace,
            ) -> ($crate::keyed_fold::FoldOutput<'scope, Self>, $crate::keyed_fold::Restore<Self>) {
                $crate::keyed_fold::keyed_fold(name, self, input, tables, before, clock, pace)
            }
        }
    )+};
}

type Builder<D> = CapacityContainerBuilder<Vec<D>>;

/// Builds the operator, without states. Tables may still be read while operators are built, so states are restored afterwards.
pub fn keyed_fold<'scope, V: View + Clone>(
    name: &str,
    view: V,
    input: FoldInput<'scope, V>,
    tables: FoldTables<V>,
    before: Before<V>,
    clock: Clock,
    pace: Pace,
) -> (FoldOutput<'scope, V>, Restore<V>) {
    let scope = input.events.scope();
    let mut builder = OperatorBuilder::new(name.to_owned(), scope);
    let activator = scope.activator_for(builder.operator_info().address);

    let router = view.clone();
    let route = Exchange::new(move |event: &Placed<V::Event>| worker_number(&V::route(&router.key(&event.event))));
    let mut events = builder.new_input(input.events, route);
    let mut broadcasts = builder.new_input(input.broadcasts, Pipeline);
    let mut ends = builder.new_input(input.ends, Pipeline);
    let (derived_output, derived) = builder.new_output::<Vec<Placed<V::Derived>>>();
    let (updates_output, updates) = builder.new_output::<Vec<Updated<V::Update>>>();
    let (done_output, done) = builder.new_output::<Vec<()>>();
    let mut derived_output = OutputBuilder::<_, Builder<_>>::from(derived_output);
    let mut updates_output = OutputBuilder::<_, Builder<_>>::from(updates_output);
    drop(OutputBuilder::<_, Builder<()>>::from(done_output));

    let share = before.share;
    let driver = Rc::new(RefCell::new(Driver::new(view, tables, before.broadcasts, clock, pace)));
    let restored = Rc::clone(&driver);
    builder.build(move |capabilities| {
        let mut held: Option<[Capability<Tick>; 3]> = capabilities.try_into().ok();
        move |frontiers| {
            let driver = &mut *driver.borrow_mut();
            // Drain the inputs.
            events.for_each(|_, batch| driver.events.extend(batch.drain(..)));
            broadcasts.for_each(|_, batch| driver.broadcasts.extend(batch.drain(..)));
            ends.for_each(|_, batch| driver.end = batch.drain(..).fold(driver.end, EffectiveTime::max));
            let Some(capabilities) = held.as_mut() else { return };

            // Work on the ticks that the frontier has passed.
            let frontier = frontiers.iter().filter_map(|input| input.frontier().first().copied()).min();
            driver.release(frontier);
            let finished = {
                let [derived_capability, updates_capability, _] = &*capabilities;
                let (mut derived, mut updates) = (derived_output.activate(), updates_output.activate());
                let mut derived = derived.session(derived_capability);
                let mut updates = updates.session(updates_capability);
                driver.work(WORK_PER_ACTIVATION, &mut Output { derived: &mut derived, updates: &mut updates })
            };

            // Downgrade capabilities as far as pending emissions allow.
            match frontier {
                _ if !finished => activator.activate(),
                None => held = None,
                Some(frontier) => capabilities.iter_mut().for_each(|capability| capability.downgrade(&frontier)),
            }
        }
    });
    let restore: Restore<V> = Box::new(move |saved| {
        restored.borrow_mut().fold.restore(saved, &|key| share.has(&V::route(key)), share.not_before);
    });
    (FoldOutput { derived, updates, done }, restore)
}

type TimedSession<'a, 'b, D> = timely::dataflow::operators::generic::Session<'a, 'b, Tick, Builder<D>, Capability<Tick>>;

/// The output sessions while the operator runs.
struct Output<'x, 'a, 'b, V: View> {
    derived: &'x mut TimedSession<'a, 'b, Placed<V::Derived>>,
    updates: &'x mut TimedSession<'a, 'b, Updated<V::Update>>,
}

/// Keys that were touched in a period of ticks and are not emitted yet.
struct Period {
    /// Length in ticks.
    ticks: u64,
    /// The index of the open period.
    open: Option<u64>,
}

impl Period {
    /// Opens the period that contains a tick.
    fn open(&mut self, tick: Tick) {
        self.open = Some(tick.get() / self.ticks);
    }

    /// Closes the open period if `time` is after its last tick, which is returned.
    fn close_before(&mut self, time: EffectiveTime, clock: Clock, is_over: bool) -> Option<Tick> {
        let ends = Tick::new((self.open? + 1).saturating_mul(self.ticks));
        let has_passed = clock.tick_of(time) >= ends || (time == EffectiveTime::MAX && is_over);
        has_passed.then(|| self.open = None).map(|()| ends.previous())
    }
}

/// The fold, and the events that wait for it.
struct Driver<V: View> {
    fold: Fold<V>,
    reject: Reject,
    clock: Clock,
    pace: Pace,
    rows: Period,
    updates: Period,
    events: Stash<V::Event>,
    broadcasts: Stash<V::Broadcast>,
    ready_events: VecDeque<Placed<V::Event>>,
    /// The keys of the first ready events, as far as they were looked for.
    known_keys: VecDeque<KnownKey<V::Key>>,
    ready_broadcasts: VecDeque<Placed<V::Broadcast>>,
    /// Effective times below this are complete.
    limit: EffectiveTime,
    input_is_over: bool,
    /// The greatest clock at which a partition ended.
    end: EffectiveTime,
}

impl<V: View + Clone> Driver<V> {
    fn new(view: V, tables: FoldTables<V>, broadcasts: Vec<Placed<V::Broadcast>>, clock: Clock, pace: Pace) -> Self {
        let mut fold = Fold::new(view, tables.tables, clock);
        broadcasts.into_iter().for_each(|broadcast| fold.learn(broadcast));
        Self {
            fold,
            reject: tables.reject,
            clock,
            pace,
            rows: Period { ticks: if pace == Pace::Tick { 1 } else { clock.grid_ticks() }, open: None },
            updates: Period { ticks: clock.grid_ticks(), open: None },
            events: Stash::new(),
            broadcasts: Stash::new(),
            ready_events: VecDeque::new(),
            known_keys: VecDeque::with_capacity(LOOK_AHEAD),
            ready_broadcasts: VecDeque::new(),
            limit: EffectiveTime::ZERO,
            input_is_over: false,
            end: EffectiveTime::ZERO,
        }
    }

    /// Moves what the frontier has passed to the ready queue.
    fn release(&mut self, frontier: Option<Tick>) {
        let limit = match frontier {
            Some(tick) => self.clock.start_of(tick),
            None => EffectiveTime::MAX,
        };
        self.input_is_over = frontier.is_none();
        if limit > self.limit {
            self.limit = limit;
            self.events.release(limit, &mut self.ready_events);
            self.broadcasts.release(limit, &mut self.ready_broadcasts);
        }
    }

    /// Applies what is ready, in order; true once there is nothing left to do for now.
    fn work(&mut self, mut budget: usize, out: &mut Output<'_, '_, '_, V>) -> bool {
        while let Some(next) = self.next_step() {
            if budget == 0 {
                return false;
            }
            budget -= 1;
            self.emit_before(next.0, out);
            let tick = self.clock.tick_of(next.0);
            self.rows.open(tick);
            self.updates.open(tick);
            match next.1 {
                Step::Broadcast => self.ready_broadcasts.pop_front().into_iter().for_each(|broadcast| self.fold.learn(broadcast)),
                Step::Event => self.apply_next(),
                Step::Timer => self.fold.fire(),
            }
            self.pass_on(tick, next.0, out);
        }
        self.emit_before(self.limit, out);
        give_back(&mut self.ready_events);
        give_back(&mut self.ready_broadcasts);
        true
    }

    /// Applies the first ready event.
    fn apply_next(&mut self) {
        if self.known_keys.is_empty() {
            let events = self.ready_events.iter().take(LOOK_AHEAD).map(|event| &event.event);
            self.fold.look_ahead(events, &mut self.known_keys);
        }
        if let (Some(known), Some(event)) = (self.known_keys.pop_front(), self.ready_events.pop_front()) {
            self.fold.apply_to(known, event);
        }
    }

    /// The next step, and its effective time.
    fn next_step(&self) -> Option<(EffectiveTime, Step)> {
        let event = self.ready_events.front().map(|event| event.place);
        let broadcast = self.ready_broadcasts.front().map(|broadcast| broadcast.place);
        let next = match (broadcast, event) {
            (Some(broadcast), Some(event)) if event < broadcast => Some((event.time, Step::Event)),
            (Some(broadcast), _) => Some((broadcast.time, Step::Broadcast)),
            (None, Some(event)) => Some((event.time, Step::Event)),
            (None, None) => None,
        };
        // Time ends at the greatest clock. The next run may begin with events of that very time, which come before its timers: those
        // stay in the state, as later ones do.
        let due = |time: &EffectiveTime| *time < if self.input_is_over { self.end } else { self.limit };
        match (self.fold.next_timer().filter(due), next) {
            (Some(timer), Some((time, _))) if timer < time => Some((timer, Step::Timer)),
            (Some(timer), None) => Some((timer, Step::Timer)),
            (_, next) => next,
        }
    }

    /// Emits rows and updates of open periods that end before `time`.
    fn emit_before(&mut self, time: EffectiveTime, out: &mut Output<'_, '_, '_, V>) {
        if let Some(tick) = self.rows.close_before(time, self.clock, self.input_is_over) {
            // Rows of a grid point belong to the last tick before it.
            let time = if self.pace == Pace::Grid { self.clock.end_of(tick) } else { self.clock.start_of(tick) };
            self.fold.emit(tick, time);
        }
        if let Some(tick) = self.updates.close_before(time, self.clock, self.input_is_over) {
            let as_of = self.clock.end_of(tick);
            for update in self.fold.update(tick, as_of) {
                out.updates.give(update);
            }
        }
    }

    /// Sends derived events and dead letters of an applied event.
    fn pass_on(&mut self, tick: Tick, time: EffectiveTime, out: &mut Output<'_, '_, '_, V>) {
        for event in self.fold.take_derived() {
            out.derived.give(event);
        }
        let at = Moment::new(tick, time);
        for letter in self.fold.take_dead_letters() {
            (self.reject)(&at, letter);
        }
    }
}

/// Frees the memory of a queue that is empty after a burst, such as all accounts at once: every view has queues.
fn give_back<T>(queue: &mut VecDeque<T>) {
    if queue.is_empty() && queue.capacity() > KEPT_READY {
        *queue = VecDeque::new();
    }
}

#[derive(Clone, Copy)]
enum Step {
    Broadcast,
    Event,
    Timer,
}
