//! A bounded stream of simulated records, for benchmarks and tests.

use std::collections::VecDeque;

use headwater_schemas::EventTime;

use super::schedule::SECOND;
use super::{Record, Simulator, SimulatorSettings};

/// Events per second of simulated time in a [`workload`].
const WORKLOAD_RATE: u32 = 2_000;

/// A bounded stream of records.
#[derive(Debug)]
pub struct Workload {
    simulator: Simulator,
    ready: VecDeque<Record>,
    until: i64,
    step: i64,
    left: usize,
}

impl Workload {
    /// The opening records, and `events` further records.
    pub fn new(settings: SimulatorSettings, events: usize) -> Self {
        let mut simulator = Simulator::new(settings);
        let ready = simulator.opening().into();
        // About a thousand records at a time.
        let step = (1_000 * SECOND / i64::from(settings.events_per_second.max(1))).max(1);
        Self { simulator, ready, until: settings.start.nanos(), step, left: events }
    }

    fn refill(&mut self) {
        while self.ready.is_empty() && self.left > 0 {
            self.until += self.step;
            self.ready.extend(self.simulator.advance(EventTime::from_nanos(self.until)));
            self.ready.truncate(self.left);
            self.left -= self.ready.len();
        }
    }
}

impl Iterator for Workload {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        if self.ready.is_empty() {
            self.refill();
        }
        self.ready.pop_front()
    }
}

/// The opening records, and then `events` more at two thousand per simulated second, with enough customers to make that rate
/// ordinary.
pub fn workload(seed: u64, events: usize) -> Workload {
    let settings = SimulatorSettings { seed, ..SimulatorSettings::default() }.at_rate(WORKLOAD_RATE);
    Workload::new(settings, events)
}
