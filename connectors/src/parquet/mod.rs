//! Commits: the rows of every table below one tick, in segments and Parquet files, published atomically.
//!
//! ```text
//!  changes ─► tables ───────────────┐                                      every worker
//!  frontier of all rows ─► closing tick F ─► write changes below F:        (threads: staging, fsync, rename)
//!                          (worker 0)        └─► report ─► publish commits/<n>.json (worker 0: a thread, atomically)
//! ```
//!
//! - One tick F closes a commit for **all** tables, so balances, alerts and reports are always consistent.
//! - A worker writes many rows of a table and day as a Parquet file, and all others into one segment ([`segment`]). Upkeep
//!   converts segments to Parquet: within a minute in a live run, and with the last commit of every run.
//! - Files are written in a staging folder outside the tables, made durable, and renamed to names that follow from (table, date,
//!   commit, worker). What no commit record names does not exist: files of a process that died before the record are never read,
//!   and the next start removes them.
//! - The record is published last, atomically and never over an existing one ([`record`]).
//! - A change of a state table is one row in `<table>_history`: the new row of the key, or the retraction of the key. The current
//!   rows are the newest of each key. Upkeep writes them whole into `<table>` from time to time, so that readers need not begin
//!   at the first commit. A checkpoint, which holds the state of operators, has no history: its rows are in `<table>`.
//!
//! - Committed data can be read back: [`chain`] is the chain of records, and [`reader`] reads the current rows of a table at its
//!   end, from which a restart continues.
//!
//! - A directory stays small, and the time of a restart is proportional to the state: [`upkeep`] merges files, writes state
//!   tables whole, drops rows beyond their retention, and archives records.
//!
//! - With a bucket ([`remote`]) the commits are there, and the directory is a copy.
//!
//! Files: [`record`] is the record, [`records`] finds it, [`directory`] is the data directory with its lock, [`buffer`] holds
//! uncommitted changes, [`encode`] makes the rows of a commit's files, [`order`] orders them ([`permutation`] moves what was ordered), [`writer`] writes a Parquet file, [`segment`] a segment,
//! [`durable`] syncs to disk, [`commit`] is the dataflow.

pub mod buffer;
pub mod chain;
pub mod columns;
pub mod commit;
pub mod configuration;
pub mod directory;
mod durable;
mod encode;
pub mod file;
mod newest;
mod order;
mod permutation;
pub mod reader;
pub mod record;
pub mod records;
pub mod remote;
mod segment;
pub mod upkeep;
mod writer;

use std::path::PathBuf;

/// Error of a commit.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// A file operation failed.
    #[error("{attempt} {path}")]
    File {
        /// What was attempted.
        attempt: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The error of the operating system.
        #[source]
        cause: std::io::Error,
    },
    /// Rows could not be written as Parquet.
    #[error("writing {path} as Parquet")]
    Parquet {
        /// The file.
        path: PathBuf,
        /// The error of the Parquet writer.
        #[source]
        cause: parquet::errors::ParquetError,
    },
    /// Rows could not be converted into columns.
    #[error("putting rows of table {table} into columns")]
    Columns {
        /// The table.
        table: &'static str,
        /// The error of Arrow.
        #[source]
        cause: arrow::error::ArrowError,
    },
    /// Rows that are merged could not wait on disk.
    #[error("sorting rows of table {table} in a file of {folder}: see whether its disk is full")]
    Spill {
        /// The table.
        table: &'static str,
        /// The folder of the file.
        folder: PathBuf,
        /// The error of Arrow.
        #[source]
        cause: arrow::error::ArrowError,
    },
    /// The record could not be written as JSON.
    #[error("writing the record of commit {commit_id} as JSON")]
    Record {
        /// The commit.
        commit_id: u64,
        /// The error of the JSON writer.
        #[source]
        cause: serde_json::Error,
    },
    /// Another process is writing the directory.
    #[error("{path} is in use by another headwater process: one data directory has one writer; stop it, or use another --data")]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// A file of an earlier commit cannot be read.
    #[error(transparent)]
    Read(#[from] file::FileError),
    /// The chain of earlier commits cannot be read.
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
    /// The directory was not written by headwater.
    #[error("{path} holds files but no commits of headwater: give an empty directory with --data")]
    Foreign {
        /// The directory.
        path: PathBuf,
    },
    /// Another process has written the bucket.
    #[error(
        "{url} has another commit {commit_id}: another run writes this bucket, and nothing of it was overwritten; let one alone use it, and start this one again to go on from the bucket's last commit"
    )]
    Overtaken {
        /// The bucket.
        url: String,
        /// The commit.
        commit_id: u64,
    },
    /// Another process has replaced a file of the bucket.
    #[error("{object} was replaced meanwhile: another run writes this bucket; let one alone use it, and start this one again")]
    Replaced {
        /// The object.
        object: String,
    },
    /// A folder and a bucket have different commits.
    #[error("commit {commit_id} of {path} is not the one in {url}: give the folder of this bucket, or an empty one, with --data")]
    Diverged {
        /// The folder.
        path: PathBuf,
        /// The bucket.
        url: String,
        /// The first commit that is known to differ.
        commit_id: u64,
    },
    /// A folder that only receives has commits that the bucket lacks.
    #[error(
        "{path} has commit {here}, and {url} ends with commit {there}: a mirror, and every process of a cluster but the first, only receives; give it an empty folder with --data"
    )]
    Ahead {
        /// The folder.
        path: PathBuf,
        /// Its last commit.
        here: u64,
        /// The bucket.
        url: String,
        /// The bucket's last commit.
        there: u64,
    },
    /// An object has another content than its commit says.
    #[error("{object} is damaged: restore it from a copy of the bucket")]
    Object {
        /// The object.
        object: String,
        /// What is wrong with what was received.
        #[source]
        cause: Box<file::FileError>,
    },
    /// A request to the bucket failed.
    #[error(transparent)]
    Bucket(#[from] crate::bucket::BucketError),
    /// A record of that commit exists already.
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
