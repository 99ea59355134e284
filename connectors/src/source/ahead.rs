//! How far a partition has run ahead of the frontier, in bytes.

use std::collections::VecDeque;

/// What was read of a partition and is not behind the frontier yet.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    /// (tick up to which the bytes belong, bytes), ticks rising.
    strides: VecDeque<(u64, u64)>,
    bytes: u64,
}

impl Ahead {
    /// Adds a stride that ended at a tick.
    pub(super) fn add(&mut self, tick: u64, bytes: u64) {
        self.bytes += bytes;
        match self.strides.back_mut() {
            Some((last, sum)) if *last == tick => *sum += bytes,
            _ => self.strides.push_back((tick, bytes)),
        }
    }

    /// Forgets what the frontier has passed.
    pub(super) fn passed(&mut self, frontier: u64) {
        while let Some((_, bytes)) = self.strides.pop_front_if(|(tick, _)| *tick < frontier) {
            self.bytes -= bytes;
        }
    }

    /// Bytes ahead of the frontier.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }
}
