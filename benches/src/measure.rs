//! Comparisons: the same work done in two ways, alternating, so that other load on the machine affects both.

use std::time::{Duration, Instant};

/// The result of a comparison.
pub(crate) struct Comparison {
    /// Nanoseconds per unit of our way.
    pub(crate) ours: f64,
    /// Nanoseconds per unit of the other way.
    pub(crate) other: f64,
}

impl Comparison {
    /// Our time divided by the other's.
    pub(crate) fn ratio(&self) -> f64 {
        self.ours / self.other
    }
}

/// Runs both alternately and takes the medians. Each call does `units` units of work.
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

/// The median.
pub(crate) fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// The time that a part of sorted times, in thousandths, does not exceed.
pub(crate) fn quantile(sorted: &[Duration], part: usize) -> Duration {
    sorted.get((sorted.len() * part / 1000).min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}

/// A count as a divisor; zero becomes one.
pub(crate) fn count(units: usize) -> f64 {
    u32::try_from(units.max(1)).map_or(f64::INFINITY, f64::from)
}
