//! Comparing: the same work done in two ways, in turns, so that whatever else the machine does falls on both.

use std::time::{Duration, Instant};

/// What a comparison came to.
pub(crate) struct Comparison {
    /// Nanoseconds a unit, ours.
    pub(crate) ours: f64,
    /// Nanoseconds a unit, the other's.
    pub(crate) other: f64,
}

impl Comparison {
    /// How many times the other's time ours takes.
    pub(crate) fn ratio(&self) -> f64 {
        self.ours / self.other
    }
}

/// Runs both in turns and takes the medians. Each does `units` units of work when it is called.
pub(crate) fn compare(
    rounds: usize,
    units: usize,
    mut ours: impl FnMut() -> anyhow::Result<()>,
    mut other: impl FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<Comparison> {
    let (mut our_times, mut other_times) = (Vec::new(), Vec::new());
    for _ in 0..rounds.max(1) {
        our_times.push(time(&mut ours)?);
        other_times.push(time(&mut other)?);
    }
    let per_unit = |times: &mut Vec<Duration>| median(times).as_secs_f64() * 1e9 / count(units);
    Ok(Comparison { ours: per_unit(&mut our_times), other: per_unit(&mut other_times) })
}

fn time(work: &mut impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<Duration> {
    let began = Instant::now();
    work()?;
    Ok(began.elapsed())
}

/// The one in the middle.
pub(crate) fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// A count as a divisor; nothing counts as one.
pub(crate) fn count(units: usize) -> f64 {
    u32::try_from(units.max(1)).map_or(f64::INFINITY, f64::from)
}
