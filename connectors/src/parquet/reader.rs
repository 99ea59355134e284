//! Reading rows back: of a table's keys the newest rows at the end of a chain.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch, new_null_array};
use arrow::datatypes::{FieldRef, SchemaRef};
use arrow::error::ArrowError;
use bytes::Bytes;
use headwater_schemas::tables::TableRow;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use sha2::{Digest, Sha256};

use super::chain::{Chain, CommitFile};
use super::columns::{CHANGE, COMMIT_ID};
use super::file::FileError;
use super::record::{FileRole, hex};

/// The current rows of a state table or a checkpoint, in the order of their keys. Every file is proved by its hash first.
pub fn current_rows<R: TableRow>(chain: &Chain) -> Result<Vec<R>, FileError> {
    let mut rows: Vec<(R, i64, bool)> = Vec::new();
    for file in state_files(chain.live().files(), R::SPEC.name) {
        read(chain.data(), file, &mut rows)?;
    }
    rows.sort_by(|(a, then, _), (b, later, _)| a.cmp_key(b).then(later.cmp(then)));
    rows.dedup_by(|(later, ..), (first, ..)| later.cmp_key(first).is_eq());
    Ok(rows.into_iter().filter_map(|(row, _, is)| is.then_some(row)).collect())
}

/// The files that a state table's current rows are in: of the whole table, if it was written whole, and of what changed
/// since.
pub fn state_files<'a>(files: &'a [Arc<CommitFile>], table: &str) -> impl Iterator<Item = &'a Arc<CommitFile>> {
    let files: Vec<_> = files.iter().filter(|file| file.role == FileRole::State && *file.table == *table).collect();
    let whole = files.iter().filter(|file| file.is_whole()).map(|file| file.last_commit()).max();
    files.into_iter().filter(move |file| file.is_whole() || whole.is_none_or(|whole| file.first_commit() > whole))
}

/// All rows of an append table, file by file.
pub fn all_rows<R: TableRow>(chain: &Chain) -> Result<Vec<R>, FileError> {
    let mut rows = Vec::new();
    for file in chain.live().files() {
        if file.role == FileRole::Rows && *file.table == *R::SPEC.name {
            rows.extend(file_rows(chain.data(), file)?.into_iter().map(|(row, _)| row));
        }
    }
    Ok(rows)
}

/// The rows of one file, each with its commit, proved by its hash.
pub fn file_rows<R: TableRow>(data: &Path, file: &CommitFile) -> Result<Vec<(R, u64)>, FileError> {
    let mut rows = Vec::new();
    for batch in batches(data, file)? {
        let commits = commits(data, file, &batch)?;
        let read = R::read_all(&batch).map_err(|error| unreadable(data, file, &error))?;
        rows.extend(read.into_iter().zip(commits.values().iter().map(|commit_id| u64::try_from(*commit_id).unwrap_or(0))));
    }
    Ok(rows)
}

/// Adds a file's rows, each with its commit and whether it is (or is gone).
fn read<R: TableRow>(data: &Path, file: &CommitFile, rows: &mut Vec<(R, i64, bool)>) -> Result<(), FileError> {
    for batch in batches(data, file)? {
        let changes = batch.column_by_name(CHANGE).and_then(|column| column.as_any().downcast_ref::<arrow::array::Int32Array>());
        let changes = changes.ok_or_else(|| file.error(data, format!("has no column {CHANGE}")))?;
        let commits = commits(data, file, &batch)?;
        for (row, (change, commit_id)) in changes.values().iter().zip(commits.values()).enumerate() {
            rows.push((R::read(&batch, row).map_err(|error| unreadable(data, file, &error))?, *commit_id, *change > 0));
        }
    }
    Ok(())
}

fn commits<'a>(data: &Path, file: &CommitFile, batch: &'a RecordBatch) -> Result<&'a Int64Array, FileError> {
    let commits = batch.column_by_name(COMMIT_ID).and_then(|column| column.as_any().downcast_ref::<Int64Array>());
    commits.ok_or_else(|| file.error(data, format!("has no column {COMMIT_ID}")))
}

/// A batch with the columns of a schema: a column that is younger than the file is NULL.
pub fn conform(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let column = |field: &FieldRef| match batch.column_by_name(field.name()) {
        Some(column) => Arc::clone(column),
        None => new_null_array(field.data_type(), batch.num_rows()),
    };
    let columns = schema.fields().iter().map(column).collect();
    RecordBatch::try_new(Arc::clone(schema), columns)
}

/// The batches of one file, proved by its hash.
pub fn batches(data: &Path, file: &CommitFile) -> Result<Vec<RecordBatch>, FileError> {
    let path = data.join(&*file.path);
    let content = fs::read(&path).map_err(|error| file.diagnose_quickly(data).unwrap_or_else(|| unreadable(data, file, &error)))?;
    if hex(&Sha256::digest(&content)) != *file.sha256 {
        return Err(file.diagnose(data).unwrap_or_else(|| file.error(data, "is damaged: its SHA-256 is not the one in the commit")));
    }
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(content)).map_err(|error| unreadable(data, file, &error))?;
    let batches = reader.build().map_err(|error| unreadable(data, file, &error))?;
    batches.collect::<Result<_, _>>().map_err(|error| unreadable(data, file, &error))
}

fn unreadable(data: &Path, file: &CommitFile, error: &dyn std::error::Error) -> FileError {
    file.error(data, format!("cannot be read: {error}"))
}
