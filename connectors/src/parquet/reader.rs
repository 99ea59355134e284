//! Reading committed rows back: the newest row of each key at the end of a chain.
//!
//! ```text
//!  changes of the commits since w ─► newest of each key, by (commit, tick) ─► rows that are not retracted ─┐
//!                                                    │                                                    ├─► by key
//!  whole rows as of commit w, if there are any ──────┴─────────────► rows whose keys have no change ──────┘
//! ```
//!
//! Tables are the largest thing that a restart reads: threads decode files beside each other, and a row that is superseded is
//! dropped at once.

use std::any::Any;
use std::cmp::Ordering;
use std::fs::File;
use std::num::NonZero;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use arrow::array::{RecordBatch, RecordBatchReader, new_null_array};
use arrow::datatypes::{FieldRef, SchemaRef};
use arrow::error::ArrowError;
use bytes::Bytes;
use headwater_schemas::tables::TableRow;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::chain::{Chain, CommitFile};
use super::columns::{COMMIT_ID, Marks, commits};
use super::file::FileError;
use super::newest::{Mark, Newest, Version};
use super::permutation::{order_of, put_in_order};
use super::record::FileRole;
use super::segment::decode;
use crate::fault::Fault;

/// The current rows of a state table or a checkpoint, ordered by key. Every file is first verified by its hash.
pub fn current_rows<R: TableRow>(chain: &Chain) -> Result<Vec<R>, FileError> {
    let files = CurrentFiles::of(chain.live().files(), R::SPEC.name);
    let mut changed = Newest::with_capacity(rows_of(&files.changes));
    read_versions(chain.data(), &files.changes, files.whole_commit(), |versions| changed.extend(versions))?;
    let mut rows = match files.whole {
        Some(whole) => {
            let whole = [whole];
            let mut rows = Vec::with_capacity(rows_of(&whole).saturating_add(changed.len()));
            read_versions(chain.data(), &whole, 0, |versions: Vec<Version<R>>| {
                rows.extend(versions.into_iter().filter(|version| !changed.has(version)).map(|version| version.row));
            })?;
            rows.extend(changed.into_rows());
            rows
        }
        None => changed.into_rows(),
    };
    // The whole rows are in order of their keys, apart from words that sort otherwise as text.
    let order =
        order_of(rows.len(), &|row, column| rows.get(row)?.sort_bytes(column), &|one, other| match (rows.get(one), rows.get(other)) {
            (Some(one), Some(other)) => one.cmp_key(other),
            _ => Ordering::Equal,
        });
    put_in_order(&mut rows, order);
    Ok(rows)
}

fn rows_of(files: &[Arc<CommitFile>]) -> usize {
    files.iter().map(|file| usize::try_from(file.rows).unwrap_or(0)).fold(0, usize::saturating_add)
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
        let commits = commits(&batch).ok_or_else(|| lacks(data, file, COMMIT_ID))?;
        let read = R::read_all(&batch).map_err(|error| file.error(data, Fault::unreadable(error)))?;
        rows.extend(read.into_iter().zip(commits.values().iter().map(|commit_id| u64::try_from(*commit_id).unwrap_or(0))));
    }
    Ok(rows)
}

/// Hands the rows of commits after `behind` to `take`, batch by batch, in no order of files. Threads decode the files beside each
/// other.
fn read_versions<R: TableRow>(
    data: &Path,
    files: &[Arc<CommitFile>],
    behind: u64,
    mut take: impl FnMut(Vec<Version<R>>),
) -> Result<(), FileError> {
    let make = |file: &CommitFile, batch: &RecordBatch| Ok(Box::new(versions::<R>(data, file, behind, batch)?) as Made);
    read_beside(data, files, &make, &mut |made| {
        if let Ok(versions) = made.downcast() {
            take(*versions);
        }
    })
}

/// What a thread makes of a batch, of a type that the receiver knows.
type Made = Box<dyn Any + Send>;

/// Reads files on threads beside each other, and hands what they make of each batch to `take`. It is independent of the type of rows,
/// so that threads and channels are compiled once.
fn read_beside(
    data: &Path,
    files: &[Arc<CommitFile>],
    make: &(dyn Fn(&CommitFile, &RecordBatch) -> Result<Made, FileError> + Sync),
    take: &mut dyn FnMut(Made),
) -> Result<(), FileError> {
    let next = AtomicUsize::new(0);
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(files.len());
    thread::scope(|scope| {
        let (sender, received) = sync_channel(2 * threads);
        let decode = |sender: &SyncSender<Result<Made, FileError>>| {
            while let Some(file) = files.get(next.fetch_add(1, Relaxed)) {
                let batches = match read(data, file) {
                    Ok(batches) => batches,
                    Err(error) => return sender.send(Err(error)).unwrap_or_default(),
                };
                for batch in batches {
                    let batch = batch.map_err(|error| file.error(data, Fault::unreadable(error)));
                    // Nobody receives any more once a file could not be read.
                    if sender.send(batch.and_then(|batch| make(file, &batch))).is_err() {
                        return;
                    }
                }
            }
        };
        for file in files.iter().take(threads) {
            let sender = sender.clone();
            let started = thread::Builder::new().name("read tables".to_owned()).spawn_scoped(scope, move || decode(&sender));
            started.map_err(|error| file.error(data, Fault::shown_by("cannot be read: no thread can be started", error)))?;
        }
        drop(sender);
        received.into_iter().try_for_each(|made| made.map(&mut *take))
    })
}

/// The rows of a batch that commits after `behind` wrote.
fn versions<R: TableRow>(data: &Path, file: &CommitFile, behind: u64, batch: &RecordBatch) -> Result<Vec<Version<R>>, FileError> {
    let marks = Marks::of(batch).map_err(|name| lacks(data, file, name))?;
    let behind = i64::try_from(behind).unwrap_or(i64::MAX);
    let rows = (0..batch.num_rows()).filter(|row| marks.since(*row).0 > behind);
    let mut versions = Vec::with_capacity(batch.num_rows());
    let read = R::read_each(batch, rows, |number, row| {
        let mark = Mark { since: marks.since(number), is: marks.is_there(number) };
        versions.push(Version { hash: row.key_hash(), row, mark });
    });
    read.map_err(|error| file.error(data, Fault::unreadable(error)))?;
    Ok(versions)
}

fn lacks(data: &Path, file: &CommitFile, column: &str) -> FileError {
    file.error(data, format!("has no column {column}"))
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
    read(data, file)?.collect::<Result<_, _>>().map_err(|error| file.error(data, Fault::unreadable(error)))
}

/// Opens a Parquet file or a part of a segment, verified by its hash. Of a Parquet file, only the rows of a batch are in memory.
pub(super) fn open(data: &Path, file: &CommitFile, batch_rows: usize) -> Result<Box<dyn RecordBatchReader>, FileError> {
    if file.part.is_some() {
        let part = decode(file.content(data)?);
        return Ok(Box::new(part.map_err(|error| file.error(data, Fault::unreadable(error)))?));
    }
    let rows = open_parquet(data, file)?.with_batch_size(batch_rows).build();
    Ok(Box::new(rows.map_err(|error| file.error(data, Fault::unreadable(error)))?))
}

/// Opens a Parquet file, verified by its hash.
pub(super) fn open_parquet(data: &Path, file: &CommitFile) -> Result<ParquetRecordBatchReaderBuilder<File>, FileError> {
    match file.diagnose(data) {
        Some(error) => Err(error),
        None => open_again(data, file),
    }
}

/// Opens a Parquet file that has been verified.
pub(super) fn open_again(data: &Path, file: &CommitFile) -> Result<ParquetRecordBatchReaderBuilder<File>, FileError> {
    let opened = File::open(data.join(&*file.path)).map_err(|error| file.error(data, Fault::unreadable(error)))?;
    ParquetRecordBatchReaderBuilder::try_new(opened).map_err(|error| file.error(data, Fault::unreadable(error)))
}

/// Rows of a batch of a Parquet file: enough that a batch costs little beside its rows, and few enough for the processor's caches.
const BATCH_ROWS: usize = 8192;

/// The same, each batch decoded when it is asked for.
fn read(data: &Path, file: &CommitFile) -> Result<Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>>>, FileError> {
    let content = file.content(data)?;
    let unreadable = |error: Fault| file.error(data, error);
    if file.part.is_some() {
        return Ok(Box::new(decode(content).map_err(|error| unreadable(Fault::unreadable(error)))?));
    }
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(content));
    let reader = reader.and_then(|reader| reader.with_batch_size(BATCH_ROWS).build());
    Ok(Box::new(reader.map_err(|error| unreadable(Fault::unreadable(error)))?))
}
