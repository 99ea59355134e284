//! One Parquet file: written, hashed on the way, and described.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use headwater_schemas::tables::{TableKind, TableRow, TableSpec};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use sha2::{Digest, Sha256};

use super::CommitError;
use super::record::hex;

/// A bloom filter is worth its bytes from about here on: smaller files are read whole in no time.
const BLOOM_FROM_ROWS: usize = 4096;

/// What was written.
pub(super) struct Written {
    pub(super) rows: u64,
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

/// The column that a history or a state file has behind the table's own: +1 for what is, -1 for what was.
pub(super) const CHANGE: &str = "change";
/// The column that a history has behind that: the tick of the change. A key has at most one row that went and one that came in
/// a tick.
pub(super) const TICK: &str = "tick";
/// The last column of every file.
pub(super) const COMMIT_ID: &str = "commit_id";

/// Rows that are on their way into a file.
pub(super) struct FileRows<'a, R> {
    pub(super) rows: Vec<&'a R>,
    /// Their changes, in histories and of state.
    pub(super) changes: Option<Vec<i32>>,
    /// The ticks of the changes, in histories.
    pub(super) ticks: Option<Vec<i64>>,
}

/// Writes a file of a commit's rows, which must be in the order of their keys.
pub(super) fn write<R: TableRow>(path: &Path, commit_id: u64, content: FileRows<'_, R>) -> Result<Written, CommitError> {
    let batch = batch(commit_id, content).map_err(|cause| CommitError::Columns { table: R::SPEC.name, cause })?;
    write_batch(path, &R::SPEC, &batch)
}

/// Writes a file of rows as they are.
pub(super) fn write_batch(path: &Path, spec: &TableSpec, batch: &RecordBatch) -> Result<Written, CommitError> {
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
    if let Some(ticks) = content.ticks {
        fields.push(Field::new(TICK, DataType::Int64, false));
        columns.push(Arc::new(Int64Array::from(ticks)));
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
