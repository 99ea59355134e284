//! The calendar beside a run: a thread that learns of commits, and never delays one.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use headwater_schemas::EffectiveTime;

use super::maker::{Event, Maker, Tally};
use crate::metrics::Metrics;

/// Time after a failure until the next attempt, which a commit begins.
const PAUSE: Duration = Duration::from_secs(30);

/// A message to the thread.
#[derive(Clone, Copy, Debug)]
pub enum Message {
    /// A commit was published that ends at this event time.
    Commit(EffectiveTime),
    /// The run is over.
    Over,
}

/// The running thread.
pub struct Beside {
    tell: Sender<Message>,
    /// When it must begin no further document, once the run is over.
    deadline: Arc<OnceLock<Option<Instant>>>,
    thread: JoinHandle<()>,
}

impl Beside {
    /// The channel for messages to it.
    pub fn told(&self) -> Sender<Message> {
        self.tell.clone()
    }

    /// Makes what is due as of the last commit, and ends. Begins no document after the given time, if there is one.
    pub fn finish(self, patience: Option<Duration>) {
        let _ = self.deadline.set(patience.and_then(|patience| Instant::now().checked_add(patience)));
        let _ = self.tell.send(Message::Over);
        if self.thread.join().is_err() {
            tracing::error!(
                "the calendar of reports ended in a panic: please report it; `headwater report --calendar` makes what is missing"
            );
        }
    }
}

/// Starts the thread. It begins with what is due as of the commits that exist.
pub fn start(maker: Maker, metrics: Arc<Metrics>) -> std::io::Result<Beside> {
    let (tell, told) = channel();
    let deadline = Arc::new(OnceLock::new());
    let watched = Arc::clone(&deadline);
    let thread = std::thread::Builder::new().name("reports".to_owned()).spawn(move || follow(maker, &metrics, &told, &watched))?;
    Ok(Beside { tell, deadline, thread })
}

fn follow(mut maker: Maker, metrics: &Metrics, told: &Receiver<Message>, deadline: &OnceLock<Option<Instant>>) {
    let goes_on = || deadline.get().copied().flatten().is_none_or(|deadline| Instant::now() < deadline);
    let mut failed_at = make(&mut maker, metrics, &goes_on);
    // Without a sender, the run has failed before it began.
    while let Ok(message) = told.recv() {
        match message {
            Message::Commit(end) if end < maker.due_time() => {}
            Message::Commit(_) if failed_at.is_some_and(|at: Instant| at.elapsed() < PAUSE) => {}
            Message::Commit(_) => failed_at = make(&mut maker, metrics, &goes_on),
            Message::Over => {
                make(&mut maker, metrics, &goes_on);
                return;
            }
        }
    }
}

/// Makes what is due, and reports it. Returns the time if something failed.
fn make(maker: &mut Maker, metrics: &Metrics, goes_on: &dyn Fn() -> bool) -> Option<Instant> {
    let made = maker.make(goes_on, &mut |event| match event {
        Event::Made(line) => {
            metrics.report_made();
            tracing::info!(document = line.path, commit = line.commit_id, "report made");
        }
        Event::Empty(line) => {
            tracing::info!(document = line.path, commit = line.commit_id, reason = line.missing, "nothing to report");
        }
        Event::Lost(line) => {
            metrics.report_failed();
            tracing::error!(document = line.path, reason = line.missing, "report cannot be made any more");
        }
        Event::Failed { path, error } => {
            metrics.report_failed();
            tracing::error!(document = path, error = format!("{error:#}"), "report not made: it is tried again after a later commit");
        }
    });
    match made {
        Ok(Tally { failed: 0, stopped: false, .. }) => None,
        Ok(Tally { stopped, .. }) => {
            if stopped {
                tracing::warn!("reports are left to be made: by the next run, or by `headwater report --calendar`");
            }
            Some(Instant::now())
        }
        Err(error) => {
            metrics.report_failed();
            tracing::error!(error = format!("{error:#}"), "reports not made: they are tried again after a later commit");
            Some(Instant::now())
        }
    }
}
