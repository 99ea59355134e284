//! Random numbers from a seed. Every part of the simulator has its own stream, so that changing one part leaves the others
//! unchanged.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

/// Purpose of a stream of random numbers; each purpose has its own stream.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    People = 1,
    History = 2,
    Schedule = 3,
    Market = 4,
    Traders = 5,
    Bank = 6,
    Faults = 7,
}

/// A stream of random numbers.
#[derive(Clone, Debug)]
pub(super) struct Dice(ChaCha8Rng);

impl Dice {
    pub(super) fn new(seed: u64, purpose: Purpose) -> Self {
        let mut stream = ChaCha8Rng::seed_from_u64(seed);
        stream.set_stream(purpose as u64);
        Self(stream)
    }

    /// A number from 0 to below the bound; 0 if the bound is 0.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.0.random_range(0..bound) }
    }

    /// A number of a closed interval; its low end if the interval is empty.
    pub(super) fn between(&mut self, low: i64, high: i64) -> i64 {
        if low >= high { low } else { self.0.random_range(low..=high) }
    }

    /// True with probability 1 in `throws`.
    pub(super) fn one_in(&mut self, throws: u64) -> bool {
        self.below(throws) == 0
    }

    /// True with a probability in percent.
    pub(super) fn percent(&mut self, part: u64) -> bool {
        self.below(100) < part
    }

    /// A standard normal random number.
    pub(super) fn normal(&mut self) -> f64 {
        self.0.sample(StandardNormal)
    }

    /// A random element; `None` of an empty slice.
    pub(super) fn pick<'a, T>(&mut self, things: &'a [T]) -> Option<&'a T> {
        let place = self.below(things.len() as u64);
        usize::try_from(place).ok().and_then(|place| things.get(place))
    }
}
