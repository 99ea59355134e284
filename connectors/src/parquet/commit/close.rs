//! Choosing the tick at which a commit closes, on worker 0.

use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
use std::ops::Bound;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use headwater_schemas::{EffectiveTime, Tick};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::{Scope, StreamVec};
use timely::progress::Antichain;
use timely::scheduling::Activator;

use super::publish::Complete;
use super::{Close, Closing, CommitSettings, MOST_IN_FLIGHT, Report, Step};

/// The commits that are closed and not published yet. Worker 0 keeps it; the closing and the publishing operator share it.
#[derive(Default)]
pub(super) struct InFlight {
    /// The commits whose files workers are writing, in order.
    open: VecDeque<Open>,
    /// The number of commits whose files are complete, but whose records are not published yet.
    publishing: usize,
    /// The last commit that was closed.
    closed_id: u64,
    /// All ticks below are in a commit, and none from here on.
    closed_end_tick: Tick,
    /// Whether this run must still close a commit even without changes.
    is_due: bool,
    /// Wakes the closing operator.
    closer: Option<Activator>,
    failed: bool,
}

struct Open {
    close: Close,
    began: Instant,
    reports: Vec<Report>,
}

impl InFlight {
    /// No commits in flight. A run continues in the tick of the clock at which the previous run ended.
    pub(super) fn after(settings: &CommitSettings) -> Rc<RefCell<Self>> {
        let tick_of = |clock: EffectiveTime| settings.clock.tick_of(clock);
        let (closed_id, closed_end_tick) = settings.before.as_ref().map_or((0, Tick::ZERO), |end| (end.commit_id, tick_of(end.end_clock)));
        let is_due = closed_id == 0 || !settings.gaps.is_empty();
        Rc::new(RefCell::new(Self { closed_id, closed_end_tick, is_due, ..Self::default() }))
    }

    fn begin(&mut self, close: Close, began: Instant) {
        (self.closed_id, self.closed_end_tick, self.is_due) = (close.commit_id, close.end_tick, true);
        self.open.push_back(Open { close, began, reports: Vec::new() });
    }

    /// Adds a worker's report.
    pub(super) fn add(&mut self, report: Report) {
        if let Some(open) = self.open.iter_mut().find(|open| open.close.commit_id == report.commit_id) {
            open.reports.push(report);
        }
    }

    /// The next commit to publish, once all workers have reported.
    pub(super) fn take_complete(&mut self, peers: usize) -> Option<Complete> {
        let Open { close, began, reports } = self.open.pop_front_if(|open| open.reports.len() >= peers)?;
        self.publishing += 1;
        Some(Complete { close, began, reports })
    }

    /// Notes that a commit was published.
    pub(super) fn published(&mut self) {
        self.publishing = self.publishing.saturating_sub(1);
        self.wake();
    }

    /// Stops after a failure: no further commit is closed or published.
    pub(super) fn fail(&mut self) {
        self.failed = true;
        self.open.clear();
        self.publishing = 0;
        self.wake();
    }

    /// Whether no commit is in flight.
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty() && self.publishing == 0
    }

    fn wake(&self) {
        self.closer.iter().for_each(Activator::activate);
    }
}

/// What the closing operator follows.
pub(super) struct Signals<'scope> {
    /// The frontier of all rows.
    pub(super) done: StreamVec<'scope, Tick, ()>,
    /// The clocks at which the partitions of all workers ended.
    pub(super) ends: StreamVec<'scope, Tick, EffectiveTime>,
    /// Ticks at which the run is to be entered again.
    pub(super) cuts: StreamVec<'scope, Tick, Tick>,
}

/// Closes commits on worker 0: after every interval in which the frontier has moved, at cuts, and once more at the end of the run.
pub(super) fn close<'scope>(
    scope: Scope<'scope, Tick>,
    settings: &CommitSettings,
    in_flight: &Rc<RefCell<InFlight>>,
    Signals { done, ends, cuts }: Signals<'scope>,
) -> StreamVec<'scope, Tick, Close> {
    let mut builder = OperatorBuilder::new("close commits".to_owned(), scope);
    let address = builder.operator_info().address;
    let activator = scope.activator_for(address.clone());
    in_flight.borrow_mut().closer = Some(scope.activator_for(address));
    let in_flight = Rc::clone(in_flight);
    let (output, closes) = builder.new_output();
    let mut output = OutputBuilder::<Tick, CapacityContainerBuilder<Vec<Close>>>::from(output);
    let unconnected = std::iter::empty::<(usize, Antichain<u64>)>;
    let mut done = builder.new_input_connection(done, Pipeline, unconnected());
    let mut ends = builder.new_input_connection(ends, Pipeline, unconnected());
    let mut new_cuts = builder.new_input_connection(cuts, Pipeline, unconnected());
    let mut cuts: BTreeSet<Tick> = settings.cuts.iter().copied().collect();
    let (interval, leads) = (settings.interval, scope.index() == 0);
    let clock = settings.clock;
    let begin = settings.before.as_ref().map_or(EffectiveTime::ZERO, |end| end.end_clock);
    let steps = Arc::clone(&settings.steps);
    let closings = settings.closings.clone();
    builder.build(move |mut capabilities| {
        let mut capability: Option<Capability<Tick>> = capabilities.pop().filter(|_| leads);
        let mut rhythm = Rhythm::new(interval, Instant::now());
        // The greatest clock at which a partition that was read has ended.
        let mut end: Option<EffectiveTime> = None;
        move |frontiers| {
            done.for_each(|_, _| {});
            ends.for_each(|_, clocks| end = clocks.drain(..).max().max(end));
            new_cuts.for_each(|_, ticks| cuts.extend(ticks.drain(..)));
            let Some(held) = &capability else { return };
            let frontier = frontiers.iter().filter_map(|input| input.frontier().first().copied()).min();
            let mut in_flight = in_flight.borrow_mut();
            if in_flight.failed {
                capability = None;
                return;
            }
            if in_flight.open.len() + in_flight.publishing >= MOST_IN_FLIGHT {
                return; // Woken again by the publishing operator.
            }
            // A commit closes at a grid point, where no valuation is open. At the end of a run, time ends at the greatest clock,
            // and the last grid point is the one after it; the next run continues at that clock.
            let end_clock = end.unwrap_or_default().max(clock.start_of(in_flight.closed_end_tick)).max(begin);
            let reached = match frontier {
                Some(frontier) => clock.interval_start(frontier),
                None => clock.next_interval_start(clock.tick_of(end_clock)),
            };
            let told = closings.as_ref().and_then(|closings| next_closing(closings, in_flight.closed_end_tick));
            // At the end of a run, time may not have come to a cut before the last grid point: the next run cuts there.
            let time = frontier.unwrap_or_else(|| clock.tick_of(end_clock));
            let cut = next_cut(&cuts, in_flight.closed_end_tick).filter(|cut| *cut <= time);
            let cut = cut.filter(|cut| told.is_none_or(|told| *cut <= told.end_tick));
            let told = cut.map(|end_tick| Closing { end_tick, ends_run: false }).or(told);
            let is_told = told.is_some_and(|told| told.end_tick <= reached);
            if told.is_some() && !is_told && frontier.is_some() {
                return; // Woken again when the frontier moves.
            }
            let told = told.filter(|_| is_told);
            let end_tick = told.map_or(reached, |told| told.end_tick);
            if frontier.is_none() && end.is_none() && !in_flight.is_due {
                capability = None; // Nothing has come since the last commit.
                return;
            }
            let now = Instant::now();
            if frontier.is_some() && !is_told {
                if end_tick <= in_flight.closed_end_tick {
                    return; // Woken again when the frontier moves.
                }
                let wait = rhythm.wait(now, end_tick);
                if !wait.is_zero() {
                    activator.activate_after(wait);
                    return;
                }
            }
            rhythm.closed(now);
            let is_last = frontier.is_none() && end_tick == reached;
            let ends_run = told.map_or(is_last, |told| told.ends_run);
            let end_clock = if ends_run && is_last { end_clock } else { clock.start_of(end_tick) };
            let close = Close { commit_id: in_flight.closed_id + 1, end_tick, end_clock, ends_run, is_cut: cut.is_some() };
            in_flight.begin(close, now);
            steps(Step::Closed, close.commit_id);
            output.activate().session(held).give(close);
            if is_last || close.is_cut {
                capability = None;
            } else {
                // The next tick may already be complete.
                activator.activate();
            }
        }
    });
    closes
}

/// The first cut after a tick.
fn next_cut(cuts: &BTreeSet<Tick>, end_tick: Tick) -> Option<Tick> {
    cuts.range((Bound::Excluded(end_tick), Bound::Unbounded)).next().copied()
}

/// The first closing after a tick.
fn next_closing(closings: &[Closing], end_tick: Tick) -> Option<Closing> {
    closings.get(closings.partition_point(|closing| closing.end_tick <= end_tick)).copied()
}

/// Schedule of commits. Commits are one interval apart. Where grid points come about as slowly, a commit closes at each grid
/// point at once: a fixed rhythm would delay every commit by the phase at which the first one happened to close.
struct Rhythm {
    interval: Duration,
    closed: Instant,
    /// The last grid point, and the time at which it was reached.
    point: (Tick, Instant),
    is_steady: bool,
}

impl Rhythm {
    const fn new(interval: Duration, now: Instant) -> Self {
        Self { interval, closed: now, point: (Tick::ZERO, now), is_steady: false }
    }

    /// How long to wait before closing at a grid point.
    fn wait(&mut self, now: Instant, point: Tick) -> Duration {
        if point > self.point.0 {
            self.is_steady = now.duration_since(self.point.1) >= self.interval * 3 / 4;
            self.point = (point, now);
        }
        if self.is_steady { Duration::ZERO } else { self.interval.saturating_sub(now.duration_since(self.closed)) }
    }

    const fn closed(&mut self, now: Instant) {
        self.closed = now;
        self.is_steady = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_point_that_comes_once_an_interval_is_closed_at_once_and_others_wait() {
        let interval = Duration::from_millis(1000);
        // (times in ms at which grid points are reached, times of those at which a commit closes)
        let cases: [(&[u64], &[u64]); 3] = [
            (&[600, 1600, 2600, 3600], &[1600, 2600, 3600]), // live: in step with the grid
            (&[10, 20, 500, 1020, 1100], &[1020]),           // catching up: an interval apart
            (&[300, 600, 900, 1200, 1500, 1800, 2100, 2400], &[1200, 2400]),
        ];
        for (points, closes) in cases {
            let begin = Instant::now();
            let mut rhythm = Rhythm::new(interval, begin);
            let mut closed = Vec::new();
            for (point, at) in (1..).zip(points) {
                let now = begin + Duration::from_millis(*at);
                if rhythm.wait(now, Tick::new(point)).is_zero() {
                    rhythm.closed(now);
                    closed.push(*at);
                }
            }
            assert_eq!(closed, closes, "{points:?}");
        }
    }
}
