//! What can go wrong: opening the catalog, and answering a query. Every message names the thing and the mend.

use std::path::PathBuf;

use arrow::error::ArrowError;

/// Why the commits cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The folder is not there.
    #[error("there is no data directory {path}; give with --data the folder that `headwater run` or `headwater demo` writes")]
    NoDataDirectory {
        /// The folder.
        path: PathBuf,
    },
    /// A commit was asked for that is not there yet.
    #[error("there is no commit {at} in {data}: the last one is {last}; give --at at most {last}, or leave it out for the newest")]
    BeyondLast {
        /// The data directory.
        data: PathBuf,
        /// The commit asked for.
        at: u64,
        /// The last commit.
        last: u64,
    },
    /// A record is missing, although a later one is there.
    #[error(
        "{path} is missing although commit {later} is there: restore the file from a copy, or query what came before with --at {before}"
    )]
    Gap {
        /// The missing record.
        path: PathBuf,
        /// A commit that is there.
        later: u64,
        /// The last commit of the whole chain.
        before: u64,
    },
    /// A file or folder cannot be read.
    #[error("{path} cannot be read: {cause}")]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        cause: std::io::Error,
    },
    /// A record is not what its writer wrote.
    #[error("{path} is damaged: {cause}; restore the file from a copy, or query what came before with --at {before}")]
    Damaged {
        /// The record.
        path: PathBuf,
        /// What is wrong.
        cause: String,
        /// The commit before it.
        before: u64,
    },
    /// A record has a layout from the future.
    #[error(
        "{path} has format_version {found}, and this program reads {known}: use the version of headwater that wrote it, or a newer one"
    )]
    UnknownVersion {
        /// The record.
        path: PathBuf,
        /// The version that it has.
        found: u64,
        /// The version that this program reads.
        known: u32,
    },
    /// The settings are impossible.
    #[error("the SQL settings are impossible: {}", .0.join("; "))]
    Config(Vec<String>),
    /// The query engine cannot start.
    #[error("the query engine cannot start: {0}")]
    Engine(String),
}

/// A committed file that is not what its commit says.
#[derive(Debug, thiserror::Error)]
#[error(
    "table {table}: {path} of commit {commit_id} {problem}; restore the file from a copy, and see with `headwater verify` whether more is damaged"
)]
pub struct FileError {
    /// The table.
    pub table: &'static str,
    /// The file.
    pub path: PathBuf,
    /// The commit that names it.
    pub commit_id: u64,
    /// What is wrong with it.
    pub problem: String,
}

/// Why a query has no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// There is nothing to run.
    #[error("there is nothing to run: give one SQL statement")]
    Empty,
    /// More than one statement at once.
    #[error("{0} statements at once: give one at a time")]
    Several(usize),
    /// The statement's tree is too deep to plan.
    #[error(
        "the statement links {links} parts with AND, OR, UNION, JOIN or arithmetic, and at most {limit} are taken: write long lists as IN (…) or VALUES"
    )]
    TooDeep {
        /// How many links there are.
        links: usize,
        /// How many there may be.
        limit: usize,
    },
    /// The statement does something other than reading.
    #[error(
        "{0} is refused: tables are written by the pipeline alone, and SQL only reads them (SELECT, WITH, VALUES, EXPLAIN, SHOW, DESCRIBE)"
    )]
    NotReading(String),
    /// The statement is not SQL, or names something that is not there.
    #[error("{0}")]
    Statement(String),
    /// A committed file is missing or damaged.
    #[error(transparent)]
    File(#[from] FileError),
    /// The query ran into its memory limit.
    #[error("the query needs more memory than memory_limit_mib allows: narrow it with WHERE or fewer columns, or raise the limit ({0})")]
    Memory(String),
    /// The query ran into its time limit.
    #[error("the query was given up after {0} s (timeout_seconds): narrow it with WHERE, or raise the limit")]
    Timeout(u64),
    /// The query failed while it ran.
    #[error("the query failed: {0}")]
    Execution(String),
    /// The commits cannot be read.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The answer cannot be written.
    #[error("the answer cannot be written: {0}")]
    Output(#[from] std::io::Error),
}

impl From<ArrowError> for QueryError {
    fn from(error: ArrowError) -> Self {
        Self::Execution(error.to_string())
    }
}
