//! Removing files that no commit names any more, and archiving records of old commits, on a thread of its own.
//!
//! Results do not depend on when this happens. After a crash, the next process finds the remaining files in the records since the
//! last inventory: records are archived only once all files that they replaced are removed.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::UpkeepSettings;
use super::archive::archive;
use crate::parquet::CommitError;
use crate::parquet::commit::{Step, Steps};
use crate::parquet::directory::remove_paths;
use crate::parquet::remote::Remote;

/// Interval at which waiting files are checked again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// An archive is begun once the records of this many plans are not archived.
const ARCHIVE_PLANS: u64 = 4;

/// Files that a commit made superfluous.
pub(in crate::parquet) struct Left {
    pub(in crate::parquet) commit_id: u64,
    /// Files without live rows.
    pub(in crate::parquet) paths: Vec<Box<str>>,
}

/// What is swept.
pub(in crate::parquet) struct Place {
    pub(in crate::parquet) data: PathBuf,
    /// The bucket that has the commits, if there is one.
    pub(in crate::parquet) remote: Option<Remote>,
}

/// The sweeping thread; it ends on drop.
pub(in crate::parquet) struct Sweeper {
    left: Option<Sender<Left>>,
    thread: Option<JoinHandle<()>>,
}

impl Sweeper {
    /// Starts sweeping. `archived` is the commit of the last inventory, `last` the last commit, and `gone` lists the files that
    /// commits since the inventory made superfluous.
    pub(in crate::parquet) fn start(
        place: Place,
        settings: UpkeepSettings,
        (archived, last): (u64, u64),
        gone: Vec<(u64, Vec<Box<str>>)>,
        steps: Steps,
        failure: impl Fn(CommitError) + Send + 'static,
    ) -> Result<Self, CommitError> {
        let (left, told) = channel();
        let due = Instant::now() + settings.grace;
        let waiting = gone.into_iter().map(|(commit_id, paths)| (due, Left { commit_id, paths })).collect();
        let failed = CommitError::file("starting a thread for sweeping", place.data.clone());
        let mut sweeping = Sweeping { place, settings, archived, last, waiting, steps };
        let thread = std::thread::Builder::new().name("sweep".to_owned()).spawn(move || {
            if let Err(error) = sweeping.follow(&told) {
                failure(error);
            }
        });
        Ok(Self { left: Some(left), thread: Some(thread.map_err(failed)?) })
    }

    /// Adds the superfluous files of a commit.
    pub(in crate::parquet) fn tell(&self, left: Left) {
        // A thread that failed has reported its error.
        let _ = self.left.as_ref().map(|sender| sender.send(left));
    }
}

impl Drop for Sweeper {
    fn drop(&mut self) {
        drop(self.left.take());
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

struct Sweeping {
    place: Place,
    settings: UpkeepSettings,
    /// The commit of the last inventory.
    archived: u64,
    last: u64,
    /// In commit order, each with the time from which on its files may be removed.
    waiting: VecDeque<(Instant, Left)>,
    steps: Steps,
}

impl Sweeping {
    fn follow(&mut self, told: &Receiver<Left>) -> Result<(), CommitError> {
        loop {
            let until_due = self.waiting.front().map(|(due, _)| due.saturating_duration_since(Instant::now()));
            match told.recv_timeout(until_due.unwrap_or(LOOK_AGAIN).max(Duration::from_millis(1)).min(LOOK_AGAIN)) {
                Ok(left) => {
                    self.last = left.commit_id;
                    if !left.paths.is_empty() {
                        self.waiting.push_back((Instant::now() + self.settings.grace, left));
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    self.sweep()?;
                    return self.archive();
                }
            }
            self.sweep()?;
            self.archive()?;
        }
    }

    /// Removes what is due, but nothing that the outbox still has to read for publishing.
    fn sweep(&mut self) -> Result<(), CommitError> {
        let published = self.settings.outbox.load(Ordering::Relaxed);
        let is_due = |(due, left): &mut (Instant, Left)| *due <= Instant::now() && left.commit_id <= published;
        while let Some((_, left)) = self.waiting.pop_front_if(is_due) {
            remove_paths(&self.place.data, &left.paths)?;
            if let Some(remote) = &self.place.remote {
                remote.forget(&left.paths)?;
            }
            (self.steps)(Step::Swept, left.commit_id);
        }
        Ok(())
    }

    /// Archives the records of all commits whose superfluous files are removed, once there are enough. The newest records stay.
    fn archive(&mut self) -> Result<(), CommitError> {
        let worth = self.settings.every.saturating_mul(ARCHIVE_PLANS).max(1);
        let swept = self.waiting.front().map_or(u64::MAX, |(_, left)| left.commit_id - 1);
        let published = self.settings.outbox.load(Ordering::Relaxed);
        let end = self.last.saturating_sub(worth).min(swept).min(published);
        if end < self.archived.saturating_add(worth) {
            return Ok(());
        }
        archive(&self.place.data, end, &self.steps)?;
        if let Some(remote) = &self.place.remote {
            remote.archived(&self.place.data)?;
        }
        self.archived = end;
        Ok(())
    }
}
