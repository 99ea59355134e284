//! Writes a Parquet file, hashes it on the way, and describes it.
//!
//! A commit's files are merged soon: they are written as cheaply as possible. Merged files stay, and are read by queries: they are
//! sorted by key, packed better, and can be pruned by page.

use std::fs::{self, File};
use std::hash::Hash;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Float64Type, Schema, SchemaRef};
use headwater_schemas::Digest;
use headwater_schemas::tables::{TableKind, TableRow, TableSpec};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;
use rustc_hash::FxHashSet;
use sha2::{Digest as _, Sha256};

use super::CommitError;
use super::columns::added_fields;
use super::encode::role_of;
use super::order::Emitted;
use super::record::{CommittedFile, FileRole, Merged};

/// Rows from which on a file has bloom filters, and changes of a state are ordered by key. Smaller files are read whole.
pub(super) const LARGE_FROM_ROWS: usize = 4096;
/// Rows in a page of a file that is ordered by key.
const PAGE_ROWS: usize = 2048;
/// Rows from which on a dictionary saves more than its page costs.
const DICTIONARY_FROM_ROWS: usize = 32;
/// Values of a column of a commit's file that are sampled to decide whether it gets a dictionary.
const SAMPLED: usize = 512;

/// What was written.
struct Written {
    rows: u64,
    bytes: u64,
    sha256: String,
}

/// The columns and the layout of a table's files in commits.
#[derive(Debug)]
pub(super) struct CommitFormat {
    role: FileRole,
    schema: SchemaRef,
    properties: WriterPropertiesBuilder,
    spec: &'static TableSpec,
}

impl CommitFormat {
    /// The format of a row type.
    pub(super) fn of<R: TableRow>() -> Self {
        let role = role_of(R::SPEC.kind);
        let schema = Arc::new(Schema::new([R::fields(), added_fields(role)].concat()));
        Self { role, properties: commit_properties(&schema), schema, spec: &R::SPEC }
    }

    /// Whether a file with this many rows is ordered by key.
    pub(super) const fn is_by_key(&self, rows: usize) -> bool {
        matches!(self.role, FileRole::History) && rows >= LARGE_FROM_ROWS
    }

    /// Changes as rows: the columns of their rows, in an order of the changes, and those that are added.
    pub(super) fn batch(
        &self,
        spec: &TableSpec,
        commit_id: u64,
        mut columns: Vec<ArrayRef>,
        changes: &dyn Emitted,
        ordered: &[u32],
    ) -> Result<RecordBatch, CommitError> {
        let ordered_changes = || ordered.iter().copied();
        if self.role != FileRole::Rows {
            let change = ordered_changes().map(|change| if changes.is_gone(change) { -1 } else { 1 });
            columns.push(Arc::new(Int32Array::from_iter_values(change)));
        }
        if self.role == FileRole::History {
            let ticks = ordered_changes().map(|change| i64::try_from(changes.tick(change).get()).unwrap_or(i64::MAX));
            columns.push(Arc::new(Int64Array::from_iter_values(ticks)));
            columns.push(Arc::new(reasons(changes, ordered)));
        }
        columns.push(Arc::new(Int64Array::from(vec![i64::try_from(commit_id).unwrap_or(i64::MAX); ordered.len()])));
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns);
        batch.map_err(|cause| CommitError::Columns { table: spec.name, cause })
    }

    /// Layout of a file with these rows. Dictionaries are chosen from the rows, so the file's bytes follow from them alone.
    pub(super) fn properties(&self, rows: &RecordBatch) -> ArrowWriterOptions {
        let mut properties = self.properties.clone();
        for (field, column) in self.schema.fields().iter().zip(rows.columns()) {
            // Equal values one after the other are compressed faster than they are looked up, and to less: a dictionary is for those that
            // come back later.
            if sample(column, SAMPLED).is_some_and(|sample| !sample.has_repeated(sample.runs)) {
                properties = properties.set_column_dictionary_enabled(ColumnPath::from(field.name().as_str()), false);
            }
        }
        properties = with_bloom_filters(properties, self.spec, rows.num_rows());
        if let Some(first) = self.spec.key.first().filter(|_| self.is_by_key(rows.num_rows())) {
            let bounds = ColumnPath::from(*first);
            properties = properties
                .set_column_statistics_enabled(bounds, EnabledStatistics::Page)
                .set_offset_index_disabled(false)
                .set_data_page_row_count_limit(PAGE_ROWS);
        }
        // Parquet's own types tell all that the Arrow schema would.
        ArrowWriterOptions::new().with_properties(properties.build()).with_skip_arrow_metadata(true)
    }
}

/// The corrections that caused changes; mostly there are none.
fn reasons(changes: &dyn Emitted, ordered: &[u32]) -> StringArray {
    let reason = |change: &u32| changes.why(*change).filter(|why| !why.is_empty());
    if ordered.iter().all(|change| reason(change).is_none()) {
        return StringArray::new_null(ordered.len());
    }
    ordered.iter().map(|change| reason(change).map(ToString::to_string)).collect()
}

/// Properties that follow from the types of columns.
fn commit_properties(schema: &Schema) -> WriterPropertiesBuilder {
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1).unwrap_or_default()))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true)
        .set_created_by("headwater".to_owned());
    for field in schema.fields() {
        let column = ColumnPath::from(field.name().as_str());
        properties = match field.data_type() {
            // Times, ticks and numbers that count differ little from row to row.
            DataType::Int32 | DataType::Int64 | DataType::Date32 | DataType::Timestamp(..) => {
                properties.set_column_dictionary_enabled(column.clone(), false).set_column_encoding(column, Encoding::DELTA_BINARY_PACKED)
            }
            // Digests do not compress, and no query compares them.
            DataType::FixedSizeBinary(_) => properties
                .set_column_dictionary_enabled(column.clone(), false)
                .set_column_compression(column.clone(), Compression::UNCOMPRESSED)
                .set_column_statistics_enabled(column, EnabledStatistics::None),
            // Finding the least and the greatest text or amount costs more than it saves on files this small.
            DataType::Utf8 | DataType::Decimal128(..) => properties.set_column_statistics_enabled(column, EnabledStatistics::None),
            _ => properties,
        };
    }
    properties
}

/// Adds bloom filters of the columns by which single rows are looked up: ids in keys, and the events of a journal.
fn with_bloom_filters(mut properties: WriterPropertiesBuilder, spec: &TableSpec, rows: usize) -> WriterPropertiesBuilder {
    if rows < LARGE_FROM_ROWS {
        return properties;
    }
    let event = Some("event_id").filter(|_| spec.kind == TableKind::Journal);
    for name in spec.key.iter().copied().filter(|name| name.ends_with("_id")).chain(event) {
        let column = ColumnPath::from(name);
        properties = properties.set_column_bloom_filter_enabled(column.clone(), true).set_column_bloom_filter_max_ndv(column, rows as u64);
    }
    properties
}

/// Repetitions among the first values of a column.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sample {
    rows: usize,
    /// Values that differ from the one before.
    runs: usize,
    distinct: usize,
}

impl Sample {
    fn of<T: Copy + Eq + Hash>(rows: usize, values: impl Iterator<Item = T>) -> Self {
        let (mut runs, mut before, mut distinct) = (0, None, FxHashSet::default());
        for value in values {
            if before != Some(value) {
                runs += 1;
                distinct.insert(value);
            }
            before = Some(value);
        }
        Self { rows, runs, distinct: distinct.len() }
    }

    /// Whether a dictionary saves more than it costs: of so many values or runs, at least half repeat earlier ones.
    const fn has_repeated(&self, of: usize) -> bool {
        self.rows >= DICTIONARY_FROM_ROWS && self.distinct.saturating_mul(2) <= of
    }
}

/// Samples a column; none for types that are not sampled. Decimals are not: they have a fixed length, and version 1 of Parquet's pages
/// has no dictionaries of such values.
fn sample(column: &ArrayRef, sampled: usize) -> Option<Sample> {
    let rows = column.len().min(sampled);
    match column.data_type() {
        DataType::Utf8 => Some(Sample::of(rows, column.as_string::<i32>().iter().take(rows).flatten())),
        DataType::Float64 => {
            let values = column.as_primitive::<Float64Type>().iter().take(rows).flatten();
            Some(Sample::of(rows, values.map(f64::to_bits)))
        }
        _ => None,
    }
}

/// What a file gets.
pub(super) struct Content<'a> {
    /// Its columns.
    pub(super) schema: SchemaRef,
    /// Its rows, in order.
    pub(super) chunks: &'a mut dyn Iterator<Item = Result<RecordBatch, CommitError>>,
    /// Its layout.
    pub(super) options: ArrowWriterOptions,
}

/// Writes rows into a staged file and describes it. Its final place is `path` below the data directory.
pub(super) fn stage(
    staging: &Path,
    path: String,
    spec: &TableSpec,
    role: FileRole,
    merged: Option<Merged>,
    content: Content<'_>,
) -> Result<CommittedFile, CommitError> {
    let staged = staging.join(&path);
    let folder = staged.parent().unwrap_or(staging);
    fs::create_dir_all(folder).map_err(CommitError::file("creating", folder))?;
    let Written { rows, bytes, sha256 } = write(&staged, content)?;
    Ok(CommittedFile { path, table: spec.name.to_owned(), role, merged, part: None, rows, bytes, sha256 })
}

fn write(path: &Path, content: Content<'_>) -> Result<Written, CommitError> {
    let Content { schema, chunks, options } = content;
    let file = File::create(path).map_err(CommitError::file("creating", path))?;
    let parquet = |cause| CommitError::Parquet { path: path.to_owned(), cause };
    let mut writer = ArrowWriter::try_new_with_options(Hashing::new(file), schema, options).map_err(parquet)?;
    let mut rows = 0;
    for chunk in chunks {
        let chunk = chunk?;
        rows += chunk.num_rows() as u64;
        writer.write(&chunk).map_err(parquet)?;
    }
    let hashing = writer.into_inner().map_err(parquet)?;
    let (bytes, sha256) = hashing.finish().map_err(CommitError::file("writing", path))?;
    Ok(Written { rows, bytes, sha256 })
}

/// The layout of a merged file with at most so many rows, in the order of their keys. `first` are the first of them: they decide
/// which columns get a dictionary.
pub(super) fn merged_options(spec: &TableSpec, schema: &Schema, rows: usize, first: Option<&RecordBatch>) -> ArrowWriterOptions {
    let key_column = |name: &&str| schema.index_of(name).ok().and_then(|index| i32::try_from(index).ok());
    let sorting = spec.key.iter().filter_map(key_column);
    let sorting = sorting.map(|column_idx| SortingColumn { column_idx, descending: false, nulls_first: false }).collect();
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_created_by("headwater".to_owned())
        .set_sorting_columns(Some(sorting));
    // Hardly any two are equal: a dictionary would only cost its hashing.
    let distinct = spec.key.first().filter(|name| name.ends_with("_id") && spec.kind == TableKind::Append);
    let journal: &[&str] = if spec.kind == TableKind::Journal { &["sequence", "offset", "event_id", "content", "hash"] } else { &[] };
    for name in distinct.copied().into_iter().chain(["ts"]).chain(journal.iter().copied()) {
        properties = properties.set_column_dictionary_enabled(ColumnPath::from(name), false);
    }
    for (field, column) in schema.fields().iter().zip(first.map_or(&[][..], RecordBatch::columns)) {
        if sample(column, column.len()).is_some_and(|sample| !sample.has_repeated(sample.rows)) {
            properties = properties.set_column_dictionary_enabled(ColumnPath::from(field.name().as_str()), false);
        }
    }
    ArrowWriterOptions::new().with_properties(with_bloom_filters(properties, spec, rows).build())
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
        Ok((self.bytes, Digest::<32>(self.digest.finalize().into()).to_string()))
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

#[cfg(test)]
mod tests {
    use arrow::array::Decimal128Array;
    use headwater_schemas::tables::{Audit, Balance, LedgerEntry, TableRow};

    use super::*;

    #[test]
    fn what_single_rows_are_looked_up_by_has_a_bloom_filter_in_files_that_are_not_small() {
        for (spec, column, rows, has) in [
            (Audit::SPEC, "event_id", LARGE_FROM_ROWS, true),
            (Audit::SPEC, "event_id", LARGE_FROM_ROWS - 1, false),
            (Audit::SPEC, "topic", LARGE_FROM_ROWS, false),
            (LedgerEntry::SPEC, "entry_id", LARGE_FROM_ROWS, true),
            (Balance::SPEC, "account_id", LARGE_FROM_ROWS, true),
            (Balance::SPEC, "currency", LARGE_FROM_ROWS, false),
        ] {
            let properties = with_bloom_filters(WriterProperties::builder(), &spec, rows).build();
            let found = properties.bloom_filter_properties(&ColumnPath::from(column)).is_some();
            assert_eq!(found, has, "{} {column} {rows}", spec.name);
        }
    }

    #[test]
    fn a_dictionary_in_a_commit_is_for_values_that_come_back_later() {
        let texts =
            |text: fn(usize) -> usize| Arc::new(StringArray::from_iter_values((0..400).map(|row| text(row).to_string()))) as ArrayRef;
        for (case, column, in_commits, in_merged) in [
            ("ids", texts(|row| row), false, false),
            ("ids of two legs", texts(|row| row / 2), false, true),
            ("accounts in order", texts(|row| row / 20), false, true),
            ("one currency", texts(|_| 1), false, true),
            ("accounts in no order", texts(|row| row * 7_919 % 20), true, true),
        ] {
            let sample = sample(&column, 400).expect("texts are sampled");
            assert_eq!((sample.has_repeated(sample.runs), sample.has_repeated(sample.rows)), (in_commits, in_merged), "{case}: {sample:?}");
        }
        let amounts: ArrayRef = Arc::new(Decimal128Array::from(vec![7; 400]));
        assert_eq!(sample(&amounts, 400), None, "version 1 of pages has no dictionary of amounts");
    }
}
