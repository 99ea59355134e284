//! One Parquet file: written, hashed on the way, and described.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use headwater_schemas::tables::{TableKind, TableRow, TableSpec};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use sha2::{Digest, Sha256};

use super::CommitError;
use super::columns::{CHANGE, COMMIT_ID, REASON, TICK};
use super::record::{CommittedFile, FileRole, Merged, hex};

/// A bloom filter is worth its bytes from about here on: smaller files are read whole in no time.
const BLOOM_FROM_ROWS: usize = 4096;

/// What was written.
struct Written {
    rows: u64,
    bytes: u64,
    sha256: String,
}

/// Rows that are on their way into a file.
pub(super) struct FileRows<'a, R> {
    pub(super) rows: Vec<&'a R>,
    /// Their changes, in histories and of state.
    pub(super) changes: Option<Vec<i32>>,
    /// The ticks of the changes and their reasons, in histories.
    pub(super) past: Option<Past>,
}

/// What a history says of its changes besides.
#[derive(Default)]
pub(super) struct Past {
    pub(super) ticks: Vec<i64>,
    pub(super) reasons: Vec<Option<String>>,
}

/// A commit's rows, which must be in the order of their keys, with the columns that are added.
pub(super) fn batch_of<R: TableRow>(commit_id: u64, content: FileRows<'_, R>) -> Result<RecordBatch, CommitError> {
    batch(commit_id, content).map_err(|cause| CommitError::Columns { table: R::SPEC.name, cause })
}

/// Writes rows into a staged file, to be at `path` below the data directory, and describes it.
pub(super) fn stage(
    staging: &Path,
    path: String,
    spec: &TableSpec,
    role: FileRole,
    merged: Option<Merged>,
    rows: &RecordBatch,
) -> Result<CommittedFile, CommitError> {
    let staged = staging.join(&path);
    let folder = staged.parent().unwrap_or(staging);
    fs::create_dir_all(folder).map_err(CommitError::file("creating", folder))?;
    let Written { rows, bytes, sha256 } = write(&staged, spec, rows)?;
    Ok(CommittedFile { path, table: spec.name.to_owned(), role, merged, rows, bytes, sha256 })
}

fn write(path: &Path, spec: &TableSpec, batch: &RecordBatch) -> Result<Written, CommitError> {
    let file = File::create(path).map_err(CommitError::file("creating", path))?;
    let parquet = |cause| CommitError::Parquet { path: path.to_owned(), cause };
    let properties = properties(spec, batch);
    let mut writer = ArrowWriter::try_new(Hashing::new(file), batch.schema(), Some(properties)).map_err(parquet)?;
    writer.write(batch).map_err(parquet)?;
    let hashing = writer.into_inner().map_err(parquet)?;
    let (bytes, sha256) = hashing.finish().map_err(CommitError::file("writing", path))?;
    Ok(Written { rows: batch.num_rows() as u64, bytes, sha256 })
}

fn batch<R: TableRow>(commit_id: u64, content: FileRows<'_, R>) -> Result<RecordBatch, arrow::error::ArrowError> {
    let mut fields = R::fields();
    let mut columns = R::columns(content.rows.iter().copied());
    if let Some(changes) = content.changes {
        fields.push(Field::new(CHANGE, DataType::Int32, false));
        columns.push(Arc::new(Int32Array::from(changes)) as ArrayRef);
    }
    if let Some(past) = content.past {
        fields.push(Field::new(TICK, DataType::Int64, false));
        columns.push(Arc::new(Int64Array::from(past.ticks)));
        fields.push(Field::new(REASON, DataType::Utf8, true));
        columns.push(Arc::new(StringArray::from(past.reasons)));
    }
    let commit_id = i64::try_from(commit_id).unwrap_or(i64::MAX);
    fields.push(Field::new(COMMIT_ID, DataType::Int64, false));
    columns.push(Arc::new(Int64Array::from(vec![commit_id; content.rows.len()])));
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

fn properties(spec: &TableSpec, batch: &RecordBatch) -> WriterProperties {
    let key_column = |name: &&str| batch.schema().index_of(name).ok().and_then(|index| i32::try_from(index).ok());
    let sorting = spec.key.iter().filter_map(key_column);
    let sorting = sorting.map(|column_idx| SortingColumn { column_idx, descending: false, nulls_first: false }).collect();
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_created_by("headwater".to_owned())
        .set_sorting_columns(Some(sorting));
    // Hardly any two are equal: a dictionary would only cost its hashing.
    let distinct = spec.key.first().filter(|name| name.ends_with("_id") && spec.kind == TableKind::Append);
    let journal: &[&str] = if spec.kind == TableKind::Journal { &["sequence", "offset", "event_id", "content", "hash"] } else { &[] };
    for name in distinct.copied().into_iter().chain(["ts"]).chain(journal.iter().copied()) {
        properties = properties.set_column_dictionary_enabled(ColumnPath::from(name), false);
    }
    if batch.num_rows() >= BLOOM_FROM_ROWS {
        for name in spec.key.iter().filter(|name| name.ends_with("_id")) {
            properties = properties.set_column_bloom_filter_enabled(ColumnPath::from(*name), true);
        }
    }
    properties.build()
}

/// Passes bytes on to a file and hashes them.
struct Hashing {
    file: BufWriter<File>,
    digest: Sha256,
    bytes: u64,
}

impl Hashing {
    fn new(file: File) -> Self {
        Self { file: BufWriter::new(file), digest: Sha256::new(), bytes: 0 }
    }

    fn finish(mut self) -> std::io::Result<(u64, String)> {
        self.file.flush()?;
        Ok((self.bytes, hex(&self.digest.finalize())))
    }
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.digest.update(bytes.get(..written).unwrap_or_default());
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}
