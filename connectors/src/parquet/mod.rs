//! Commits: every table's rows below one tick, in segments and Parquet, all at once or not at all.
//!
//! ```text
//!  changes ─► tables ───────────────┐                                      every worker
//!  frontier of all rows ─► closing tick F ─► write changes below F:        (threads: staging, fsync, rename)
//!                          (worker 0)        └─► report ─► publish commits/<n>.json (worker 0: a thread, atomically)
//! ```
//!
//! - One tick F closes a commit for **all** tables, so balances, alerts and reports never disagree.
//! - A worker writes many rows of a table and day as a Parquet file, and all else into one segment ([`segment`]), of which upkeep
//!   makes Parquet: within a minute in a live run, and with the last commit of every run.
//! - Files are written in a staging folder outside the tables, made durable, and renamed to names that follow from
//!   (table, date, commit, worker). What no commit record names does not exist: a process that dies in the middle leaves
//!   files that nobody reads and that the next start removes.
//! - The record is published last, atomically and never over an existing one ([`record`]).
//! - A change of a state table is one row, in `<table>_history`: what the key's row is from then on, or that the key is gone.
//!   Current rows are the newest of each key; upkeep writes them whole into `<table>` now and then, so that no reader begins at
//!   the first commit. A checkpoint, which is what operators remember, has no history: its rows are in `<table>`.
//!
//! - What was committed can be read back: [`chain`] is the chain of records, and [`reader`] the current rows of a table at
//!   its end, which is where a restart goes on.
//!
//! - A directory stays small, and a restart takes as long as the state is large: [`upkeep`] merges files, writes state tables
//!   whole, lets go what is older than its retention, and archives records.
//!
//! Files: [`record`] is the record, [`records`] where it is kept, [`directory`] the data directory with its lock, [`buffer`] the changes that wait,
//! [`encode`] the rows of a commit's files, [`writer`] a Parquet file, [`segment`] a segment, [`durable`] what reaches the disk, [`commit`] the dataflow.

pub mod buffer;
pub mod chain;
pub mod columns;
pub mod commit;
pub mod configuration;
pub mod directory;
mod durable;
mod encode;
pub mod file;
pub mod reader;
pub mod record;
pub mod records;
mod segment;
pub mod upkeep;
mod writer;

use std::path::PathBuf;

/// Why a commit could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// A file operation failed.
    #[error("{attempt} {path}")]
    File {
        /// What was attempted.
        attempt: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        #[source]
        cause: std::io::Error,
    },
    /// Rows could not be written as Parquet.
    #[error("writing {path} as Parquet")]
    Parquet {
        /// The file.
        path: PathBuf,
        /// Why it failed.
        #[source]
        cause: parquet::errors::ParquetError,
    },
    /// Rows could not be put into columns.
    #[error("putting rows of table {table} into columns")]
    Columns {
        /// The table.
        table: &'static str,
        /// Why not.
        #[source]
        cause: arrow::error::ArrowError,
    },
    /// The record could not be written as JSON.
    #[error("writing the record of commit {commit_id} as JSON")]
    Record {
        /// The commit.
        commit_id: u64,
        /// Why not.
        #[source]
        cause: serde_json::Error,
    },
    /// Another process writes the directory.
    #[error("{path} is in use by another headwater process: one data directory has one writer; stop it, or use another --data")]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// A file of what was committed before cannot be read.
    #[error(transparent)]
    Read(#[from] file::FileError),
    /// What was committed before cannot be read.
    #[error(transparent)]
    Chain(#[from] chain::ChainError),
    /// Writing or publishing a commit ended in a panic.
    #[error("writing commits of {path} ended in a panic: please report it with the data directory")]
    Writing {
        /// The data directory.
        path: PathBuf,
    },
    /// Merging ended in a panic.
    #[error("merging files of {path} ended in a panic: please report it with the data directory")]
    Merging {
        /// The data directory.
        path: PathBuf,
    },
    /// The directory is not one of ours.
    #[error("{path} holds files but no commits of headwater: give an empty directory with --data")]
    Foreign {
        /// The directory.
        path: PathBuf,
    },
    /// A commit record of that number is there already.
    #[error("{path} exists already: another process has written it; nothing was overwritten")]
    Published {
        /// The record.
        path: PathBuf,
    },
}

impl CommitError {
    fn file(attempt: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |cause| Self::File { attempt, path, cause }
    }
}
