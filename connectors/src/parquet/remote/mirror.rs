//! A mirror: a folder that follows a bucket, for reading on another machine.

use std::collections::VecDeque;
use std::path::Path;
use std::time::{Duration, Instant};

use super::Remote;
use crate::parquet::CommitError;
use crate::parquet::chain::Chain;
use crate::parquet::directory::{DataDirectory, files_without_commit, remove_paths};

/// A folder that follows a bucket. Any command that reads a data directory reads it, also while it follows.
#[derive(Debug)]
pub struct Mirror {
    directory: DataDirectory,
    remote: Remote,
    /// How long files stay that exist no longer, so that queries that read them can finish.
    grace: Duration,
    /// Files that exist no longer, with the time from which on they may be removed.
    gone: VecDeque<(Instant, Vec<Box<str>>)>,
    /// The last commit that was received.
    last: Option<u64>,
}

impl Mirror {
    /// Opens the folder, which may be new. Removes files that an earlier mirror had to leave for queries of its time.
    pub fn open(data: &Path, remote: Remote, grace: Duration) -> Result<Self, CommitError> {
        let directory = DataDirectory::locked(data)?;
        let chain = Chain::open(data, None)?;
        if chain.last_id() > 0 {
            remove_paths(data, &files_without_commit(data, chain.live())?)?;
        }
        Ok(Self { directory, remote, grace, gone: VecDeque::new(), last: None })
    }

    /// Receives the commits that the folder lacks, and returns the last one; 0 if the bucket has none.
    pub fn follow(&mut self) -> Result<u64, CommitError> {
        let last = match self.last {
            Some(last) if last == self.remote.last(self.directory.path())? => last,
            _ => self.receive()?,
        };
        while let Some((_, paths)) = self.gone.pop_front_if(|(due, _)| *due <= Instant::now()) {
            remove_paths(self.directory.path(), &paths)?;
        }
        Ok(last)
    }

    fn receive(&mut self) -> Result<u64, CommitError> {
        let fetched = self.directory.receive(&self.remote)?;
        if !fetched.gone.is_empty() {
            self.gone.push_back((Instant::now() + self.grace, fetched.gone));
        }
        self.last = Some(fetched.last);
        Ok(fetched.last)
    }
}
