//! Export of tables for other programs: Parquet, CSV and Arrow files, and Delta Lake tables.
//!
//! ```text
//!  table ─► rows: all at one commit, in an order that follows from them ─► plain: types that others read ─► file, or delta
//! ```
//!
//! The same table at the same commit gives the same rows in the same order, whatever was merged or restarted meanwhile. A file
//! appears under its name when it is complete.

mod delta;
mod file;
mod log;
mod plain;
mod rows;

use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;
use parquet::errors::ParquetError;

use crate::catalog::{Catalog, QueryResult};
use crate::error::QueryError;
use crate::names::Relation;
use crate::readable::unknown_table;
use crate::render::Format;
use file::NewFile;
use plain::Plain;

/// A format of exported tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportFormat {
    /// One Parquet file, compressed with Zstandard.
    Parquet,
    /// A Delta Lake table. Exported again, facts and histories get what is new, and other tables are replaced, as a new version.
    Delta,
    /// One CSV file, as `headwater sql --format csv` writes it.
    Csv,
    /// One Arrow file (IPC, also known as Feather 2), compressed with LZ4.
    Arrow,
}

impl ExportFormat {
    /// All formats.
    pub const ALL: &'static [Self] = &[Self::Parquet, Self::Delta, Self::Csv, Self::Arrow];

    /// The format's name, which is also the ending of its files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Delta => "delta",
            Self::Csv => "csv",
            Self::Arrow => "arrow",
        }
    }
}

impl fmt::Display for ExportFormat {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl FromStr for ExportFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.iter().find(|format| format.as_str() == text);
        known.copied().ok_or_else(|| format!("there is no format {text:?}: give parquet, delta, csv or arrow"))
    }
}

/// What an export wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// The file, or the folder of a Delta table.
    pub path: PathBuf,
    /// The commit that the rows are as of.
    pub commit_id: u64,
    /// Number of rows that were written.
    pub rows: u64,
}

/// Why a table cannot be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The rows cannot be read.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// A file operation failed.
    #[error("{attempt} {}", path.display())]
    File {
        /// What was attempted.
        attempt: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The error of the operating system.
        #[source]
        cause: std::io::Error,
    },
    /// Rows cannot be written as Parquet.
    #[error("writing {} as Parquet", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// The error of the Parquet writer.
        #[source]
        cause: ParquetError,
    },
    /// Rows cannot be written as Arrow.
    #[error("writing {} as Arrow", path.display())]
    Arrow {
        /// The file.
        path: PathBuf,
        /// The error of the Arrow writer.
        #[source]
        cause: ArrowError,
    },
    /// A value does not fit the type that other programs read.
    #[error("{table}.{column} has a value that does not fit {to}: export it as csv")]
    Value {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// The type.
        to: DataType,
        /// The error of the conversion.
        #[source]
        cause: ArrowError,
    },
    /// Delta Lake has no type for a column.
    #[error("{table}.{column} is of type {is}, which Delta Lake does not have: export it as parquet or csv")]
    Type {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// Its type.
        is: DataType,
    },
    /// The Delta table is not one that this program can continue.
    #[error("{} cannot be continued: {why}", path.display())]
    Delta {
        /// The folder of the table, or a file of its log.
        path: PathBuf,
        /// The reason and the mend.
        why: String,
    },
}

impl ExportError {
    fn file(attempt: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |cause| Self::File { attempt, path, cause }
    }
}

/// Exports a table, a history or a view, as of the catalog's commit, into a folder: as a file, or as a folder of its name.
pub fn export(catalog: &Catalog, name: &str, format: ExportFormat, out: &Path) -> Result<Exported, ExportError> {
    let relation = Relation::named(name).ok_or_else(|| QueryError::Statement(unknown_table(name)))?;
    if format == ExportFormat::Delta {
        return delta::export(catalog, name, relation, &out.join(name));
    }
    let result = catalog.query(&rows::query(catalog, name, relation, None)?)?;
    std::fs::create_dir_all(out).map_err(ExportError::file("creating", out))?;
    let path = out.join(format!("{name}.{format}"));
    let (commit_id, file) = (result.commit_id(), NewFile::create(&path)?);
    let rows = match format {
        ExportFormat::Csv => {
            let mut out = file.out();
            let written = result.write(Format::Csv, &mut out)?;
            out.flush().map_err(ExportError::file("writing", &path))?;
            drop(out);
            file.name(&path)?;
            written.rows as u64
        }
        ExportFormat::Arrow => {
            let (batches, schema) = plain_rows(name, result, Plain::Decimals);
            file::write_arrow(file, &path, &schema, batches)?
        }
        ExportFormat::Parquet | ExportFormat::Delta => {
            let (batches, schema) = plain_rows(name, result, Plain::Decimals);
            file::write_parquet(file, &path, &schema, batches, &[("headwater.commit", commit_id.to_string())])?
        }
    };
    Ok(Exported { path, commit_id, rows })
}

/// The rows of a result, in types that other programs read.
fn plain_rows(
    table: &str,
    result: QueryResult,
    plain: Plain,
) -> (impl Iterator<Item = Result<arrow::array::RecordBatch, ExportError>>, SchemaRef) {
    let schema = plain.schema(result.schema());
    let (table, plain_schema) = (table.to_owned(), schema.clone());
    (result.map(move |batch| plain::convert(&table, &batch?, &plain_schema)), schema)
}
