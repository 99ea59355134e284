//! Errors of opening the catalog and of queries. Every message names the object and the remedy.

use std::error::Error;
use std::path::PathBuf;

use arrow::error::ArrowError;
use headwater_connectors::fault::Cause;
use headwater_connectors::parquet::chain::ChainError;
use headwater_connectors::parquet::file::FileError;
use tokio::task::JoinError;

/// Why the commits cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The chain of commits is broken.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The folder is not a data directory.
    #[error("{} is no data directory: give the one that `headwater run --data` writes", .0.display())]
    NoDirectory(PathBuf),
    /// The settings are invalid.
    #[error("the SQL settings are impossible: {}", .0.join("; "))]
    Config(Vec<String>),
    /// The query engine cannot start.
    #[error("the query engine cannot start")]
    Engine(#[source] Cause),
}

/// Why a query failed.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The text has no statement.
    #[error("there is nothing to run: give one SQL statement")]
    Empty,
    /// The text has several statements.
    #[error("{0} statements at once: give one at a time")]
    Several(usize),
    /// The statement's tree is too deep to plan.
    #[error(
        "the statement links {links} parts with AND, OR, UNION, JOIN, comparisons or arithmetic, and at most {limit} are taken: write long lists as IN (…) or VALUES"
    )]
    TooDeep {
        /// The number of links.
        links: usize,
        /// The maximum number of links.
        limit: usize,
    },
    /// The statement nests what planning writes twice.
    #[error(
        "planning would write parts of the statement more than {limit} times again: BETWEEN, COALESCE, IFNULL, NULLIF and NVL in each other repeat what is in them; nest them less deep"
    )]
    Copies {
        /// The maximum number of repeated parts.
        limit: u64,
    },
    /// The statement does not only read.
    #[error(
        "{0} is refused: tables are written by the pipeline alone, and SQL only reads them (SELECT, WITH, VALUES, EXPLAIN, SHOW, DESCRIBE)"
    )]
    NotReading(String),
    /// The user of a connection may not read the table.
    #[error("permission denied for table {0}: serve.users decides what this user may read")]
    Denied(String),
    /// The user of a connection may not read a table that a view is computed from.
    #[error("permission denied for view {view}: it is computed from {table}, and serve.users does not let this user read that")]
    DeniedView {
        /// The view.
        view: &'static str,
        /// The table.
        table: String,
    },
    /// The plan would show the number of rows and the files of what the user may not read.
    #[error(
        "permission denied for EXPLAIN: plans show the sizes of whole tables, and serve.users leaves rows or columns out for this user"
    )]
    ExplainDenied,
    /// The statement is not valid SQL, or names something that does not exist.
    #[error("{0}")]
    Statement(String),
    /// The table's rows at a commit are no longer kept.
    #[error("what {table} was at commit {at} is not kept any more: {why}; ask for commit {oldest} or a later one")]
    Forgotten {
        /// The table.
        table: &'static str,
        /// The requested commit.
        at: u64,
        /// The reason.
        why: &'static str,
        /// The oldest commit whose rows are kept.
        oldest: u64,
    },
    /// Changes after a commit are no longer kept.
    #[error(
        "changes of {table} after commit {after} are not kept any more: upkeep.retention dropped some up to commit {dropped}; read the table as it is, and follow it from the commit of that answer"
    )]
    Dropped {
        /// The table.
        table: &'static str,
        /// The commit.
        after: u64,
        /// The last commit of which changes were dropped.
        dropped: u64,
    },
    /// A place within a commit is beyond the changes of the commit.
    #[error(
        "there is no place {place}: commit {commit_id} has {there} changes of {table} that pass this filter; give the filter that the place comes from, or follow from {} to get the commit again", commit_id.saturating_sub(1)
    )]
    NoPlace {
        /// The table.
        table: &'static str,
        /// The place as text.
        place: String,
        /// The commit.
        commit_id: u64,
        /// The number of its changes.
        there: u64,
    },
    /// A committed file is missing or damaged.
    #[error(transparent)]
    File(#[from] FileError),
    /// The query exceeded its memory limit.
    #[error("the query needs more memory than memory_limit_mib allows: narrow it with WHERE or fewer columns, or raise the limit")]
    Memory(#[source] Cause),
    /// The query exceeded its time limit.
    #[error("the query was given up after {0} s (timeout_seconds): narrow it with WHERE, or raise the limit")]
    Timeout(u64),
    /// The query failed while it ran.
    #[error("the query failed")]
    Execution(#[source] Cause),
    /// A thread of the engine panicked, or was stopped with the engine.
    #[error("the query failed: the engine ended in a panic, please report it")]
    BrokeOff(#[from] JoinError),
    /// The commits cannot be read.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The result cannot be written.
    #[error("the answer cannot be written")]
    Output(#[from] std::io::Error),
}

impl QueryError {
    /// A query beyond its memory limit.
    pub(crate) fn memory(cause: &str) -> Self {
        Self::Memory(Box::<dyn Error + Send + Sync>::from(cause).into())
    }

    /// A failure while a query ran.
    pub(crate) fn execution(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Execution(cause.into().into())
    }
}

impl From<ArrowError> for QueryError {
    fn from(error: ArrowError) -> Self {
        Self::execution(error)
    }
}
