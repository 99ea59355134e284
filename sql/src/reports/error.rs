//! Why a report cannot be made.

use headwater_schemas::Date;

use super::render::ReportFormat;
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
    /// The report was asked for as of commit 0.
    #[error("there is no commit 0: the first one is 1; give a commit from 1 on, or leave it out for the newest")]
    CommitZero,
    /// The reference file is wrong.
    #[error("the reference file {path}: {}", .problems.join("; "))]
    Reference {
        /// The file.
        path: String,
        /// Each with its line, column and reason.
        problems: Vec<String>,
    },
    /// The reference file is of another kind than the report takes.
    #[error("the report {report} takes a reference file with the header {header}, and this one has {given}: give another file")]
    ReferenceKind {
        /// The report.
        report: &'static str,
        /// The header of files that it takes.
        header: &'static str,
        /// The header of the file.
        given: &'static str,
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
    /// The report cannot be written in the format.
    #[error("the report {report} cannot be written as {format}: give another format")]
    Format {
        /// The report.
        report: &'static str,
        /// The format.
        format: ReportFormat,
        /// Why.
        #[source]
        cause: Unfit,
    },
    /// The commits cannot be read.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
}

impl ReportError {
    /// Whether a report has no document in a format because nothing happened: nothing is wrong, and nothing is to be mended.
    pub const fn is_nothing_to_report(&self) -> bool {
        matches!(self, Self::Format { cause: Unfit::NoTransaction, .. })
    }
}

/// Why a report cannot be written in a format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// The format is for one report.
    #[error("it is for the report {0} alone")]
    OtherReport(&'static str),
    /// The report amends another one.
    #[error("it has no place for amendments")]
    Amendments,
    /// The account has no balance in any currency.
    #[error("it needs a currency, and the account {account} has no balance until {date}")]
    Empty {
        /// The account.
        account: String,
        /// The date of the report.
        date: Date,
    },
    /// A currency outside ISO 4217.
    #[error("{0:?} is no currency of three letters, and it has no other")]
    Currency(String),
    /// An account's id.
    #[error("the account {0} has more than 34 characters")]
    Account(String),
    /// An amount.
    #[error("the amount {amount} of {whose} has more than 5 digits after the point, or more than 18 altogether")]
    Amount {
        /// The entry or balance.
        whose: String,
        /// The amount.
        amount: String,
    },
    /// The report was made without the fields of a reference file.
    #[error(
        "it names the firm and its customers, which the pipeline does not know: give a file with the header kind,id,field,value (--reference)"
    )]
    NoFields,
    /// Nothing was executed.
    #[error("it needs a transaction, and there is none")]
    NoTransaction,
    /// Every transaction lacks something.
    #[error(
        "it needs a transaction, and all {number} are left out, first {first}, because {reason} (the validation of the report in another format \
         lists all causes)"
    )]
    AllLeftOut {
        /// Transactions.
        number: usize,
        /// The first of them.
        first: String,
        /// What it lacks.
        reason: String,
    },
    /// No transaction was another one at the earlier commit.
    #[error("it needs a transaction, and no transaction that can be reported is another one than at the earlier commit")]
    NothingAmended,
    /// A section, column or parameter of the report.
    #[error("the report has no {0}: please report this")]
    Lacks(&'static str),
}
