//! Progress on a terminal: records, records a second, lag, last commit.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use headwater_connectors::source::SourceCounters;
use indicatif::{HumanCount, ProgressBar, ProgressStyle};

use crate::metrics::Metrics;

/// A line that is kept up to date until it is finished.
pub struct Progress {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Progress {
    /// Takes the line away.
    pub fn finish(mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Shows progress, if that is wanted and standard error is a terminal.
pub fn show(wanted: bool, counters: Arc<SourceCounters>, metrics: Arc<Metrics>) -> Progress {
    let over = Arc::new(AtomicBool::new(false));
    if !wanted || !std::io::stderr().is_terminal() {
        return Progress { over, thread: None };
    }
    let stop = Arc::clone(&over);
    let thread = std::thread::spawn(move || {
        let line = ProgressBar::new_spinner();
        line.set_style(ProgressStyle::with_template("{spinner} {msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()));
        let (mut last, mut at) = (0, Instant::now());
        while !stop.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(200));
            let records = counters.records();
            let rate = (records.saturating_sub(last)) as f64 / at.elapsed().as_secs_f64().max(0.001);
            (last, at) = (records, Instant::now());
            line.set_message(text(&counters, &metrics, records, rate));
            line.tick();
        }
        line.finish_and_clear();
    });
    Progress { over, thread: Some(thread) }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate for people to read")]
fn text(counters: &SourceCounters, metrics: &Metrics, records: u64, rate: f64) -> String {
    let lag: u64 = counters.partitions().values().map(|position| position.high.saturating_sub(position.offset)).sum();
    format!("{} records, {}/s, lag {}, commit {}", HumanCount(records), HumanCount(rate as u64), HumanCount(lag), metrics.last_commit())
}
