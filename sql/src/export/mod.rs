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

use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;
use parquet::errors::ParquetError;

use crate::catalog::{Catalog, QueryResult};
use crate::error::QueryError;
use crate::formats::formats;
use crate::names::Relation;
use crate::suggestions::unknown_table;
use plain::Plain;

formats! {
    /// A format of exported tables. Its name is the ending of its files; a Delta Lake table is a folder.
    ExportFormat {
        /// One Parquet file, compressed with Zstandard.
        Parquet = "parquet",
        /// A Delta Lake table. Exported again, facts and histories get what is new, and other tables are replaced, as a new version.
        Delta = "delta",
        /// One CSV file, as `headwater sql --format csv` writes it.
        Csv = "csv",
        /// One Arrow file (IPC, also known as Feather 2), compressed with LZ4.
        Arrow = "arrow",
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
    let write: fn(&str, QueryResult, &Path) -> Result<u64, ExportError> = match format {
        ExportFormat::Delta => return delta::export(catalog, name, relation, &out.join(name)),
        ExportFormat::Csv => |_, result, path| file::write_csv(path, result),
        ExportFormat::Arrow => |name, result, path| file::write_arrow(path, plain_rows(name, result, Plain::Decimals)),
        ExportFormat::Parquet => |name, result, path| file::write_parquet(path, plain_rows(name, result, Plain::Decimals)),
    };
    let result = catalog.query(&rows::query(catalog, name, relation, None)?)?;
    std::fs::create_dir_all(out).map_err(ExportError::file("creating", out))?;
    let path = out.join(format!("{name}.{format}"));
    let commit_id = result.commit_id();
    let rows = write(name, result, &path)?;
    Ok(Exported { path, commit_id, rows })
}

/// Rows of one commit, in types that other programs read.
struct PlainRows<I> {
    commit_id: u64,
    schema: SchemaRef,
    batches: I,
}

/// The rows of a result.
fn plain_rows(table: &str, result: QueryResult, plain: Plain) -> PlainRows<impl Iterator<Item = Result<RecordBatch, ExportError>>> {
    let (commit_id, schema) = (result.commit_id(), plain.schema(result.schema()));
    let (table, to) = (table.to_owned(), SchemaRef::clone(&schema));
    PlainRows { commit_id, schema, batches: result.map(move |batch| plain::convert(&table, &batch?, &to)) }
}
