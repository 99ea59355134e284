//! Progress line on a terminal: records, records per second, lag, last commit.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use headwater_connectors::source::SourceCounters;
use indicatif::{HumanCount, ProgressBar, ProgressStyle};

use crate::metrics::Metrics;

/// A progress line that is updated until it is finished.
pub struct Progress {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Progress {
    /// Removes the line.
    pub fn finish(mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Shows progress if `wanted` and standard error is a terminal; in a bounded run also the remaining part.
pub fn show(wanted: bool, bounded: bool, counters: Arc<SourceCounters>, metrics: Arc<Metrics>) -> Progress {
    let over = Arc::new(AtomicBool::new(false));
    if !wanted || !std::io::stderr().is_terminal() {
        return Progress { over, thread: None };
    }
    let stop = Arc::clone(&over);
    let thread = std::thread::spawn(move || {
        let line = ProgressBar::new(0);
        let template = if bounded { "{bar:30} {percent} %, {eta} left, {msg}" } else { "{spinner} {msg}" };
        line.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner()));
        let (mut last, mut at) = (0, Instant::now());
        while !stop.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(200));
            let records = counters.records();
            let rate = (records.saturating_sub(last)) as f64 / at.elapsed().as_secs_f64().max(0.001);
            (last, at) = (records, Instant::now());
            let lag = lag(&counters);
            if bounded {
                // The remaining part is measured in the unit of lag, and so is the part that is done.
                let done = counters.partitions().values().map(|position| position.begin.until(position.offset)).sum();
                line.set_length(done + lag);
                line.set_position(done);
            }
            line.set_message(text(&metrics, records, rate, lag));
            line.tick();
        }
        line.finish_and_clear();
    });
    Progress { over, thread: Some(thread) }
}

fn lag(counters: &SourceCounters) -> u64 {
    counters.partitions().values().map(|position| position.offset.until(position.high)).sum()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate for people to read")]
fn text(metrics: &Metrics, records: u64, rate: f64, lag: u64) -> String {
    format!("{} records, {}/s, lag {}, commit {}", HumanCount(records), HumanCount(rate as u64), HumanCount(lag), metrics.last_commit())
}
