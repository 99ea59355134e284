//! Reading committed rows back: the newest row of each key at the end of a chain.
//!
//! ```text
//!  whole rows as of commit w, if there are any ──┐
//!                                                ├─► newest row of each key, by (commit, tick) ─► without retracted keys, by key
//!  changes of the commits since w ───────────────┘
//! ```

use std::path::Path;
use std::sync::Arc;

use arrow::array::{Int32Array, Int64Array, RecordBatch, new_null_array};
use arrow::datatypes::{FieldRef, SchemaRef};
use arrow::error::ArrowError;
use bytes::Bytes;
use headwater_schemas::tables::TableRow;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::chain::{Chain, CommitFile};
use super::columns::{CHANGE, COMMIT_ID, TICK};
use super::file::FileError;
use super::record::FileRole;
use super::segment::decode;
use crate::fault::Fault;

/// The state of a key from a commit and tick on: its row, or that it is retracted.
struct Version<R> {
    row: R,
    since: (i64, i64),
    is: bool,
}

/// The current rows of a state table or a checkpoint, ordered by key. Every file is first verified by its hash.
pub fn current_rows<R: TableRow>(chain: &Chain) -> Result<Vec<R>, FileError> {
    let mut versions: Vec<Version<R>> = Vec::new();
    let files = CurrentFiles::of(chain.live().files(), R::SPEC.name);
    if let Some(file) = &files.whole {
        read(chain.data(), file, 0, &mut versions)?;
    }
    for file in &files.changes {
        read(chain.data(), file, files.whole_commit(), &mut versions)?;
    }
    versions.sort_by(|a, b| a.row.cmp_key(&b.row).then(b.since.cmp(&a.since)));
    versions.dedup_by(|earlier, last| earlier.row.cmp_key(&last.row).is_eq());
    Ok(versions.into_iter().filter_map(|version| version.is.then_some(version.row)).collect())
}

/// The files with the current rows of a state table or a checkpoint.
#[derive(Debug, Default)]
pub struct CurrentFiles {
    /// All rows as of a commit, if they were written whole.
    pub whole: Option<Arc<CommitFile>>,
    /// Later changes, in no order: the newest row of each key counts. Rows of merged files may be older than the whole.
    pub changes: Vec<Arc<CommitFile>>,
}

impl CurrentFiles {
    /// Selects a table's files among those that exist.
    pub fn of(files: &[Arc<CommitFile>], table: &str) -> Self {
        let of_table = || files.iter().filter(|file| *file.table == *table && file.role != FileRole::Rows);
        let whole = of_table().filter(|file| file.is_whole()).max_by_key(|file| file.last_commit()).cloned();
        let since = whole.as_ref().map_or(0, |whole| whole.last_commit());
        Self { whole, changes: of_table().filter(|file| !file.is_whole() && file.last_commit() > since).cloned().collect() }
    }

    /// The commit of the whole rows; 0 if there are none.
    pub fn whole_commit(&self) -> u64 {
        self.whole.as_ref().map_or(0, |whole| whole.last_commit())
    }
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

/// The rows of one file, each with its commit, verified by the file's hash.
pub fn file_rows<R: TableRow>(data: &Path, file: &CommitFile) -> Result<Vec<(R, u64)>, FileError> {
    let mut rows = Vec::new();
    for batch in batches(data, file)? {
        let commits = commits(data, file, &batch)?;
        let read = R::read_all(&batch).map_err(|error| file.error(data, Fault::unreadable(error)))?;
        rows.extend(read.into_iter().zip(commits.values().iter().map(|commit_id| u64::try_from(*commit_id).unwrap_or(0))));
    }
    Ok(rows)
}

/// Adds the rows of commits after `behind`, with their commits and ticks. A checkpoint has one row per key and commit, so it
/// needs no ticks.
fn read<R: TableRow>(data: &Path, file: &CommitFile, behind: u64, versions: &mut Vec<Version<R>>) -> Result<(), FileError> {
    let behind = i64::try_from(behind).unwrap_or(i64::MAX);
    for batch in batches(data, file)? {
        let changes = batch.column_by_name(CHANGE).and_then(|column| column.as_any().downcast_ref::<Int32Array>());
        let changes = changes.ok_or_else(|| file.error(data, format!("has no column {CHANGE}")))?;
        let ticks = batch.column_by_name(TICK).and_then(|column| column.as_any().downcast_ref::<Int64Array>());
        let commits = commits(data, file, &batch)?;
        versions.reserve(batch.num_rows());
        let rows = changes.values().iter().zip(commits.values()).enumerate();
        for (index, (change, commit_id)) in rows.filter(|(_, (_, commit_id))| **commit_id > behind) {
            let row = R::read(&batch, index).map_err(|error| file.error(data, Fault::unreadable(error)))?;
            let tick = ticks.and_then(|ticks| ticks.values().get(index)).copied().unwrap_or(0);
            versions.push(Version { row, since: (*commit_id, tick), is: *change > 0 });
        }
    }
    Ok(())
}

fn commits<'a>(data: &Path, file: &CommitFile, batch: &'a RecordBatch) -> Result<&'a Int64Array, FileError> {
    let commits = batch.column_by_name(COMMIT_ID).and_then(|column| column.as_any().downcast_ref::<Int64Array>());
    commits.ok_or_else(|| file.error(data, format!("has no column {COMMIT_ID}")))
}

/// Adapts a batch to a schema: a column that is newer than the file becomes NULL.
pub fn conform(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let column = |field: &FieldRef| match batch.column_by_name(field.name()) {
        Some(column) => Arc::clone(column),
        None => new_null_array(field.data_type(), batch.num_rows()),
    };
    let columns = schema.fields().iter().map(column).collect();
    RecordBatch::try_new(Arc::clone(schema), columns)
}

/// The batches of one file, or of a part of a segment, verified by its hash.
pub fn batches(data: &Path, file: &CommitFile) -> Result<Vec<RecordBatch>, FileError> {
    let content = file.content(data)?;
    if file.part.is_some() {
        return decode(content).map_err(|error| file.error(data, Fault::unreadable(error)));
    }
    let reader =
        ParquetRecordBatchReaderBuilder::try_new(Bytes::from(content)).map_err(|error| file.error(data, Fault::unreadable(error)))?;
    let batches = reader.build().map_err(|error| file.error(data, Fault::unreadable(error)))?;
    batches.collect::<Result<_, _>>().map_err(|error| file.error(data, Fault::unreadable(error)))
}
