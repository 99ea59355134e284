//! Why a report cannot be made.

use crate::error::{CatalogError, QueryError};

/// Why a report cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// No report has the name.
    #[error("there is no report {name:?}: give one of {known}")]
    Unknown {
        /// The name.
        name: String,
        /// The names that exist.
        known: String,
    },
    /// A required argument is missing.
    #[error("the report {report} needs {argument}")]
    Missing {
        /// The report.
        report: &'static str,
        /// The argument and its meaning.
        argument: &'static str,
    },
    /// An argument contradicts others, or the report does not take it.
    #[error("{0}")]
    Argument(String),
    /// The data directory has no commit.
    #[error("the data directory has no commit yet: run the pipeline on it first")]
    NoCommit,
    /// The reference file is wrong.
    #[error("the reference file {path}: {}", .problems.join("; "))]
    Reference {
        /// The file.
        path: String,
        /// Each with its line, column and reason.
        problems: Vec<String>,
    },
    /// The SQL of a report names something that does not exist.
    #[error("the SQL of the report has @{0}, which is neither a parameter nor a table: please report this")]
    Macro(String),
    /// A section cannot be computed.
    #[error("the section {section} of the report {report} cannot be computed")]
    Query {
        /// The report.
        report: &'static str,
        /// The section or check.
        section: &'static str,
        /// The cause.
        #[source]
        cause: Box<QueryError>,
    },
    /// The commits cannot be read.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
}
