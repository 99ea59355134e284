//! Reading rows back: of a table's keys the newest rows at the end of a chain.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use bytes::Bytes;
use headwater_schemas::tables::TableRow;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use sha2::{Digest, Sha256};

use super::chain::{Chain, CommitFile};
use super::file::FileError;
use super::record::{FileRole, hex};
use super::writer::{CHANGE, COMMIT_ID};

/// The current rows of a state table or a checkpoint, in the order of their keys. Every file is proved by its hash first.
pub fn current_rows<R: TableRow>(chain: &Chain) -> Result<Vec<R>, FileError> {
    let commits = chain.commits().iter().rev();
    let files = commits.flat_map(|commit| &commit.files).filter(|file| file.role == FileRole::State && *file.table == *R::SPEC.name);
    Ok(newest_rows(chain.data(), files)?.into_iter().map(|(row, _)| row).collect())
}

/// The same of files from the newest commit back, each row with the commit that it is of. What is behind the whole table is
/// not read.
pub(super) fn newest_rows<'a, R: TableRow>(
    data: &Path,
    files: impl Iterator<Item = &'a Arc<CommitFile>>,
) -> Result<Vec<(R, i64)>, FileError> {
    let (mut files, mut whole) = (files.peekable(), None::<&Arc<CommitFile>>);
    // Newest first, so that a stable sort by key puts the newest row of each key before the others.
    let mut rows: Vec<(R, i64, bool)> = Vec::new();
    while let Some(file) = files.next_if(|file| whole.is_none_or(|whole| file.commit_id == whole.commit_id)) {
        match file.whole {
            // The changes of its own commit are newer.
            Some(_) => whole = Some(file),
            None => read(data, file, &mut rows)?,
        }
    }
    whole.map_or(Ok(()), |whole| read(data, whole, &mut rows))?;
    rows.sort_by(|(a, ..), (b, ..)| a.cmp_key(b));
    rows.dedup_by(|(later, ..), (first, ..)| later.cmp_key(first).is_eq());
    Ok(rows.into_iter().filter_map(|(row, commit_id, is)| is.then_some((row, commit_id))).collect())
}

/// All rows of an append table, in the order of commits, and within one of files.
pub fn all_rows<R: TableRow>(chain: &Chain) -> Result<Vec<R>, FileError> {
    let mut rows = Vec::new();
    for file in chain.commits().iter().flat_map(|commit| &commit.files) {
        if file.role == FileRole::Rows && *file.table == *R::SPEC.name {
            rows.extend(file_rows(chain.data(), file)?);
        }
    }
    Ok(rows)
}

/// The rows of one file, proved by its hash.
pub fn file_rows<R: TableRow>(data: &Path, file: &CommitFile) -> Result<Vec<R>, FileError> {
    let mut rows = Vec::new();
    for batch in batches(data, file)? {
        rows.extend(R::read_all(&batch).map_err(|error| unreadable(data, file, &error))?);
    }
    Ok(rows)
}

/// Adds a file's rows, each with its commit and whether it is (or is gone).
fn read<R: TableRow>(data: &Path, file: &CommitFile, rows: &mut Vec<(R, i64, bool)>) -> Result<(), FileError> {
    for batch in batches(data, file)? {
        let changes = batch.column_by_name(CHANGE).and_then(|column| column.as_any().downcast_ref::<arrow::array::Int32Array>());
        let changes = changes.ok_or_else(|| file.error(data, format!("has no column {CHANGE}")))?;
        let commits = batch.column_by_name(COMMIT_ID).and_then(|column| column.as_any().downcast_ref::<arrow::array::Int64Array>());
        let commits = commits.ok_or_else(|| file.error(data, format!("has no column {COMMIT_ID}")))?;
        for (row, (change, commit_id)) in changes.values().iter().zip(commits.values()).enumerate() {
            rows.push((R::read(&batch, row).map_err(|error| unreadable(data, file, &error))?, *commit_id, *change > 0));
        }
    }
    Ok(())
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
