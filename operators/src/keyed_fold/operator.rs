//! The fold as a timely operator.

use std::collections::VecDeque;

use differential_dataflow::{AsCollection, VecCollection};
use headwater_schemas::tables::DeadLetter;
use headwater_schemas::{Corrections, Placed};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

use super::fold::Fold;
use super::stash::Stash;
use super::view::{Persistent, View};

/// Events that are applied before the operator lets others run.
const WORK_PER_ACTIVATION: usize = 1 << 16;

/// How often rows are settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// At every tick, with the tick's own time.
    Tick,
    /// Once per grid interval of so many ticks, in its last tick, with the time of the grid point that ends it.
    Grid(u64),
}

/// What a fold reads.
pub struct FoldInput<'scope, V: View> {
    /// What happens to keys.
    pub events: StreamVec<'scope, u64, Placed<V::Event>>,
    /// What every key can see; every worker gets all of it.
    pub broadcasts: StreamVec<'scope, u64, Placed<V::Broadcast>>,
    /// The clocks at which partitions ended; every worker gets all of them.
    pub ends: StreamVec<'scope, u64, u64>,
    /// Where the fold goes on after a restart.
    pub before: Before<V>,
}

/// What a fold knew when its run was cut: where it goes on.
pub struct Before<V: View> {
    /// What was broadcast.
    pub broadcasts: Vec<Placed<V::Broadcast>>,
    /// The states of this worker's keys, with the timers that they wait for.
    states: Vec<(V::Key, V::State, Option<u64>)>,
}

impl<V: View> Default for Before<V> {
    fn default() -> Self {
        Self { broadcasts: Vec::new(), states: Vec::new() }
    }
}

impl<V: Persistent> Before<V> {
    /// Of what was saved, the states that are this worker's of so many. A timer that was due before `not_before`, because
    /// the configuration says otherwise now, fires then.
    pub fn of(view: &V, saved: V::Saved, broadcasts: Vec<Placed<V::Broadcast>>, share: Share) -> Self {
        let states = view.load(saved).into_iter().filter(|(key, _)| share.is_mine(view.route(key)));
        let with_timer = |(key, state)| {
            let timer = view.timer_of(&state).map(|time| time.max(share.not_before));
            (key, state, timer)
        };
        Self { broadcasts, states: states.map(with_timer).collect() }
    }
}

/// A worker's share of what was saved.
#[derive(Clone, Copy, Debug)]
pub struct Share {
    /// The worker.
    pub worker: usize,
    /// How many there are.
    pub workers: usize,
    /// The effective time from which the run goes on, in nanoseconds.
    pub not_before: u64,
}

impl Share {
    /// Whether the worker has what is routed so.
    pub const fn is_mine(self, route: u64) -> bool {
        let workers = if self.workers == 0 { 1 } else { self.workers as u64 };
        route % workers == self.worker as u64
    }
}

/// What a fold says.
pub struct FoldOutput<'scope, V: View> {
    /// The rows, as changes.
    pub rows: VecCollection<'scope, u64, V::Row, isize>,
    /// Why: of the rows that were or are different because something was corrected, what it was.
    pub corrected: Corrected<'scope, V::Row>,
    /// What the view says to other views.
    pub derived: StreamVec<'scope, u64, Placed<V::Derived>>,
    /// What it refused.
    pub dead_letters: VecCollection<'scope, u64, DeadLetter, isize>,
}

/// Rows that changed in a tick because something was corrected.
pub type Corrected<'scope, R> = StreamVec<'scope, u64, (R, u64, Corrections)>;

type Builder<D> = CapacityContainerBuilder<Vec<D>>;

/// Builds the operator. `tick_interval` is in nanoseconds.
pub fn keyed_fold<'scope, V: View + Clone>(
    name: &str,
    view: V,
    input: FoldInput<'scope, V>,
    tick_interval: u64,
    pace: Pace,
) -> FoldOutput<'scope, V> {
    let scope = input.events.scope();
    let mut builder = OperatorBuilder::new(name.to_owned(), scope);
    let activator = scope.activator_for(builder.operator_info().address);

    let router = view.clone();
    let route = Exchange::new(move |event: &Placed<V::Event>| router.route(&router.key(&event.event)));
    let mut events = builder.new_input(input.events, route);
    let mut broadcasts = builder.new_input(input.broadcasts, Pipeline);
    let mut ends = builder.new_input(input.ends, Pipeline);
    let (rows_output, rows) = builder.new_output::<Vec<(V::Row, u64, isize)>>();
    let (corrected_output, corrected) = builder.new_output::<Vec<(V::Row, u64, Corrections)>>();
    let (derived_output, derived) = builder.new_output::<Vec<Placed<V::Derived>>>();
    let (dead_output, dead_letters) = builder.new_output::<Vec<(DeadLetter, u64, isize)>>();
    let mut rows_output = OutputBuilder::<_, Builder<_>>::from(rows_output);
    let mut corrected_output = OutputBuilder::<_, Builder<_>>::from(corrected_output);
    let mut derived_output = OutputBuilder::<_, Builder<_>>::from(derived_output);
    let mut dead_output = OutputBuilder::<_, Builder<_>>::from(dead_output);

    builder.build(move |capabilities| {
        let mut held: Option<[Capability<u64>; 4]> = capabilities.try_into().ok();
        let mut driver = Driver::new(view, tick_interval, pace);
        input.before.broadcasts.into_iter().for_each(|broadcast| driver.fold.learn(broadcast));
        input.before.states.into_iter().for_each(|(key, state, timer)| driver.fold.restore(key, state, timer));
        move |frontiers| {
            // Drain the inputs.
            events.for_each(|_, batch| driver.events.extend(batch.drain(..)));
            broadcasts.for_each(|_, batch| driver.broadcasts.extend(batch.drain(..)));
            ends.for_each(|_, batch| driver.end = batch.drain(..).fold(driver.end, u64::max));
            let Some(capabilities) = held.as_mut() else { return };

            // Act on the ticks that the frontier has passed.
            let frontier = frontiers.iter().filter_map(|input| input.frontier().first().copied()).min();
            driver.release(frontier);
            let finished = {
                let [rows_capability, corrected_capability, derived_capability, dead_capability] = &*capabilities;
                let (mut rows, mut corrected) = (rows_output.activate(), corrected_output.activate());
                let (mut derived, mut dead) = (derived_output.activate(), dead_output.activate());
                let mut rows = rows.session(rows_capability);
                let mut corrected = corrected.session(corrected_capability);
                let mut derived = derived.session(derived_capability);
                let mut dead_letters = dead.session(dead_capability);
                let mut out = Output { rows: &mut rows, corrected: &mut corrected, derived: &mut derived, dead_letters: &mut dead_letters };
                driver.work(WORK_PER_ACTIVATION, &mut out)
            };

            // Let time go on, as far as what is left to say allows.
            match frontier {
                _ if !finished => activator.activate(),
                None => held = None,
                Some(frontier) => capabilities.iter_mut().for_each(|capability| capability.downgrade(&frontier)),
            }
        }
    });
    FoldOutput { rows: rows.as_collection(), corrected, derived, dead_letters: dead_letters.as_collection() }
}

type TimedSession<'a, 'b, D> = timely::dataflow::operators::generic::Session<'a, 'b, u64, Builder<D>, Capability<u64>>;

/// The outputs while the operator runs.
struct Output<'x, 'a, 'b, V: View> {
    rows: &'x mut TimedSession<'a, 'b, (V::Row, u64, isize)>,
    corrected: &'x mut TimedSession<'a, 'b, (V::Row, u64, Corrections)>,
    derived: &'x mut TimedSession<'a, 'b, Placed<V::Derived>>,
    dead_letters: &'x mut TimedSession<'a, 'b, (DeadLetter, u64, isize)>,
}

/// The fold with what waits for it.
struct Driver<V: View> {
    fold: Fold<V>,
    tick_interval: u64,
    /// Ticks per settling, and whether the settling has the time of the interval's end.
    period: u64,
    on_grid: bool,
    events: Stash<V::Event>,
    broadcasts: Stash<V::Broadcast>,
    ready_events: VecDeque<Placed<V::Event>>,
    ready_broadcasts: VecDeque<Placed<V::Broadcast>>,
    /// The period whose touched keys are not settled yet.
    open_period: Option<u64>,
    /// Effective times below this are complete.
    limit: u64,
    input_is_over: bool,
    /// The greatest clock at which a partition ended.
    end: u64,
}

impl<V: View> Driver<V> {
    fn new(view: V, tick_interval: u64, pace: Pace) -> Self {
        let (period, on_grid) = match pace {
            Pace::Tick => (1, false),
            Pace::Grid(ticks) => (ticks.max(1), true),
        };
        Self {
            fold: Fold::new(view),
            tick_interval,
            period,
            on_grid,
            events: Stash::new(),
            broadcasts: Stash::new(),
            ready_events: VecDeque::new(),
            ready_broadcasts: VecDeque::new(),
            open_period: None,
            limit: 0,
            input_is_over: false,
            end: 0,
        }
    }

    /// Moves what the frontier has passed to what is ready.
    fn release(&mut self, frontier: Option<u64>) {
        let limit = match frontier {
            Some(tick) => tick.saturating_mul(self.tick_interval),
            None => u64::MAX,
        };
        self.input_is_over = frontier.is_none();
        if limit > self.limit {
            self.limit = limit;
            self.events.release(limit, &mut self.ready_events);
            self.broadcasts.release(limit, &mut self.ready_broadcasts);
        }
    }

    /// Applies what is ready, in order; true once nothing is left to do for now.
    fn work(&mut self, mut budget: usize, out: &mut Output<'_, '_, '_, V>) -> bool {
        while let Some(next) = self.next_step() {
            if budget == 0 {
                return false;
            }
            budget -= 1;
            self.settle_before(next.0, out);
            self.open_period = Some(next.0 / self.tick_interval / self.period);
            match next.1 {
                Step::Broadcast => self.ready_broadcasts.pop_front().into_iter().for_each(|broadcast| self.fold.learn(broadcast)),
                Step::Event => self.ready_events.pop_front().into_iter().for_each(|event| self.fold.apply(event)),
                Step::Timer => self.fold.fire(),
            }
            self.say(next.0, out);
        }
        self.settle_before(self.limit, out);
        true
    }

    /// What comes next, and its effective time.
    fn next_step(&self) -> Option<(u64, Step)> {
        let event = self.ready_events.front().map(|event| event.place);
        let broadcast = self.ready_broadcasts.front().map(|broadcast| broadcast.place);
        let next = match (broadcast, event) {
            (Some(broadcast), Some(event)) if event < broadcast => Some((event.time, Step::Event)),
            (Some(broadcast), _) => Some((broadcast.time, Step::Broadcast)),
            (None, Some(event)) => Some((event.time, Step::Event)),
            (None, None) => None,
        };
        // Time ends at the greatest clock: a later timer stays in the state.
        let due = |time: &u64| if self.input_is_over { *time <= self.end } else { *time < self.limit };
        match (self.fold.next_timer().filter(due), next) {
            (Some(timer), Some((time, _))) if timer < time => Some((timer, Step::Timer)),
            (Some(timer), None) => Some((timer, Step::Timer)),
            (_, next) => next,
        }
    }

    /// Settles the open period if `time` lies behind it.
    fn settle_before(&mut self, time: u64, out: &mut Output<'_, '_, '_, V>) {
        let Some(open) = self.open_period else { return };
        let period_ends = (open + 1).saturating_mul(self.period);
        let passed = time / self.tick_interval >= period_ends || (time == u64::MAX && self.input_is_over);
        if !passed {
            return;
        }
        self.open_period = None;
        // What stands at a grid point belongs to the last tick before it.
        let as_of = self.on_grid.then(|| period_ends.saturating_mul(self.tick_interval));
        let tick = period_ends - 1;
        for (row, diff) in self.fold.settle(as_of) {
            out.rows.give((row, tick, diff));
        }
        for (row, corrections) in self.fold.take_corrected() {
            out.corrected.give((row, tick, corrections));
        }
    }

    /// Sends on what an event had for consequences.
    fn say(&mut self, time: u64, out: &mut Output<'_, '_, '_, V>) {
        for event in self.fold.take_derived() {
            out.derived.give(event);
        }
        let tick = time / self.tick_interval;
        for (_, letter) in self.fold.take_dead_letters() {
            out.dead_letters.give((letter, tick, 1));
        }
    }
}

#[derive(Clone, Copy)]
enum Step {
    Broadcast,
    Event,
    Timer,
}
