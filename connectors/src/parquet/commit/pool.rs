//! Thread pool beside the dataflow.

use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use super::{CommitError, MOST_IN_FLIGHT};

/// A job.
type Job = Box<dyn FnOnce() + Send>;

/// A small thread pool. On drop, its threads end after the jobs in progress.
pub(super) struct Pool {
    jobs: Option<Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

impl Pool {
    /// Starts the threads: one on a machine of up to two cores, otherwise one per commit in flight.
    pub(super) fn start(name: &str, data: &Path) -> Result<Self, CommitError> {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let count = if cores <= 2 { 1 } else { MOST_IN_FLIGHT };
        let (jobs, given) = channel::<Job>();
        let given = Arc::new(Mutex::new(given));
        let start = |_| {
            let given = Arc::clone(&given);
            let thread = thread::Builder::new().name(name.to_owned()).spawn(move || while next(&given).is_some_and(run) {});
            thread.map_err(CommitError::file("starting a thread for writing", data))
        };
        Ok(Self { jobs: Some(jobs), threads: (0..count).map(start).collect::<Result<_, _>>()? })
    }

    /// Queues a job. If the job panics, whoever waits for it learns that from the channel or waker that the job drops.
    pub(super) fn run(&self, job: impl FnOnce() + Send + 'static) {
        // The threads outlive the sender.
        let _ = self.jobs.as_ref().map(|jobs| jobs.send(Box::new(job)));
    }
}

fn next(given: &Mutex<Receiver<Job>>) -> Option<Job> {
    given.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

/// Runs a job and contains its panic, so that the thread survives.
fn run(job: Job) -> bool {
    let _ = catch_unwind(AssertUnwindSafe(job));
    true
}

impl Drop for Pool {
    fn drop(&mut self) {
        drop(self.jobs.take());
        self.threads.drain(..).for_each(|thread| drop(thread.join()));
    }
}
