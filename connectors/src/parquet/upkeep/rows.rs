//! Merging the rows of several files.
//!
//! What decides the order is made into bytes that compare like the rows, and the numbers of rows are sorted by them. The rows
//! themselves are put together chunk by chunk while they are written, so that they are in memory once.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::compute::{SortOptions, interleave_record_batch};
use arrow::datatypes::{DataType, Int32Type, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::row::{RowConverter, Rows, SortField};
use headwater_schemas::tables::TableSpec;

use super::plan::Merge;
use crate::parquet::CommitError;
use crate::parquet::columns::{CHANGE, COMMIT_ID, REASON, TICK};
use crate::parquet::permutation::{prefix, shared_by_all};
use crate::parquet::reader::{batches, conform};
use crate::parquet::record::FileRole;

/// Rows that are put together at a time.
const CHUNK_ROWS: usize = 1 << 14;
/// Bytes of a commit or a tick among those that compare like a row: one for NULL, and those of the number.
const NUMBER_BYTES: usize = 1 + size_of::<i64>();

/// A row: the batch, and the index in it.
type RowPlace = (usize, usize);

/// Rows of several files in the order of a merged file.
pub(super) struct MergedRows {
    /// Their columns.
    pub(super) schema: SchemaRef,
    batches: Vec<RecordBatch>,
    order: Vec<RowPlace>,
}

impl MergedRows {
    /// How many there are.
    pub(super) const fn len(&self) -> usize {
        self.order.len()
    }

    /// The rows, in order.
    pub(super) fn chunks(&self) -> impl Iterator<Item = Result<RecordBatch, ArrowError>> {
        let batches: Vec<_> = self.batches.iter().collect();
        self.order.chunks(CHUNK_ROWS).map(move |places| interleave_record_batch(&batches, places))
    }
}

/// The merged rows, ordered by key, commit and tick. A state keeps the newest row of each key, and a whole state drops retracted
/// keys. `None` if there are no rows.
pub(super) fn merged(data: &Path, spec: &TableSpec, merge: &Merge) -> Result<Option<MergedRows>, CommitError> {
    let mut read = Vec::new();
    for file in &merge.files {
        read.extend(batches(data, file)?.into_iter().map(|batch| (file.role, batch)));
    }
    let rows = in_order(&read, spec, merge).map_err(|cause| CommitError::Columns { table: spec.name, cause })?;
    // A whole state without keys is written, too: it supersedes all earlier rows.
    Ok(Some(rows).filter(|rows| rows.len() > 0 || merge.whole))
}

fn in_order(read: &[(FileRole, RecordBatch)], spec: &TableSpec, merge: &Merge) -> Result<MergedRows, ArrowError> {
    let schema = schema_of(read, merge.role);
    let order = match merge.role {
        FileRole::State => newest(read, spec.key, merge.whole)?,
        FileRole::Rows => places(order(&comparable(read, &[spec.key, &[COMMIT_ID]].concat(), false)?)),
        FileRole::History => places(order(&comparable(read, &[spec.key, &[COMMIT_ID, TICK, CHANGE]].concat(), false)?)),
    };
    let batches = read.iter().map(|(_, batch)| conform(batch, &schema)).collect::<Result<_, _>>()?;
    Ok(MergedRows { schema, batches, order })
}

/// The columns of the newest file. A state has those of the newest history, without the columns that only a history has.
fn schema_of(read: &[(FileRole, RecordBatch)], role: FileRole) -> SchemaRef {
    let last = |of: FileRole| read.iter().rev().find(|(role, _)| *role == of).map(|(_, batch)| batch.schema());
    let schema = if role == FileRole::State { last(FileRole::History).or_else(|| last(role)) } else { last(role) };
    let schema = schema.unwrap_or_else(|| Arc::new(Schema::empty()));
    if role != FileRole::State {
        return schema;
    }
    let kept = schema.fields().iter().filter(|field| ![TICK, REASON].contains(&field.name().as_str()));
    Arc::new(Schema::new(kept.cloned().collect::<Vec<_>>()))
}

/// The newest row of each key.
fn newest(read: &[(FileRole, RecordBatch)], key: &[&str], whole: bool) -> Result<Vec<RowPlace>, ArrowError> {
    let rows = comparable(read, &[key, &[COMMIT_ID, TICK]].concat(), true)?;
    let key_of = |row: &Placed| {
        let bytes = row.bytes(&rows);
        bytes.get(..bytes.len().saturating_sub(2 * NUMBER_BYTES))
    };
    let mut order = order(&rows);
    order.dedup_by(|later, first| key_of(later) == key_of(first));
    if whole {
        let changes: Vec<_> = read.iter().map(|(_, batch)| batch.column_by_name(CHANGE)).collect();
        let change = |row: &Placed| changes.get(row.batch as usize)?.as_ref()?.as_primitive::<Int32Type>().values().get(row.index as usize);
        order.retain(|row| change(row).is_some_and(|change| *change > 0));
    }
    Ok(places(order))
}

/// Rows of these columns as bytes that compare like the rows, by batch; commits and ticks descend if `newest_first`.
fn comparable(read: &[(FileRole, RecordBatch)], columns: &[&str], newest_first: bool) -> Result<Vec<Rows>, ArrowError> {
    let Some((_, first)) = read.first() else { return Ok(Vec::new()) };
    let field = |name: &&str| {
        let descending = newest_first && [COMMIT_ID, TICK].contains(name);
        let is_tick = *name == TICK;
        let data_type = if is_tick { DataType::Int64 } else { first.schema().field_with_name(name)?.data_type().clone() };
        Ok(SortField::new_with_options(data_type, SortOptions { descending, nulls_first: true }))
    };
    let converter = RowConverter::new(columns.iter().map(field).collect::<Result<_, ArrowError>>()?)?;
    let column = |batch: &RecordBatch, name: &str| match batch.column_by_name(name) {
        Some(column) => Ok(Arc::clone(column)),
        // A state has no ticks: its row of a commit is the last one of that commit.
        None if name == TICK => Ok(Arc::new(Int64Array::from_value(i64::MAX, batch.num_rows())) as ArrayRef),
        None => Err(ArrowError::SchemaError(format!("there is no column {name}"))),
    };
    let rows = |(_, batch): &(FileRole, RecordBatch)| {
        let columns = columns.iter().map(|name| column(batch, name)).collect::<Result<Vec<_>, _>>()?;
        converter.convert_columns(&columns)
    };
    read.iter().map(rows).collect()
}

/// A row with the first bytes that are not the same in all rows.
struct Placed {
    prefix: u128,
    batch: u32,
    index: u32,
}

impl Placed {
    fn bytes<'a>(&self, rows: &'a [Rows]) -> &'a [u8] {
        let rows = rows.get(self.batch as usize).filter(|rows| (self.index as usize) < rows.num_rows());
        rows.map(|rows| rows.row(self.index as usize).data()).unwrap_or_default()
    }
}

fn places(order: Vec<Placed>) -> Vec<RowPlace> {
    order.into_iter().map(|row| (row.batch as usize, row.index as usize)).collect()
}

/// The rows in sorted order. Among equal rows, those of the earlier file come first.
fn order(rows: &[Rows]) -> Vec<Placed> {
    let shared = shared_by_all(rows.iter().flatten().map(|row| row.data()));
    let placed = |(batch, rows): (u32, &Rows)| {
        let prefixes: Vec<_> = rows.iter().map(|row| prefix(row.data().get(shared..).unwrap_or_default())).collect();
        prefixes.into_iter().zip(0..).map(move |(prefix, index)| Placed { prefix, batch, index })
    };
    let mut order: Vec<_> = (0..).zip(rows).flat_map(placed).collect();
    // The prefixes decide most comparisons, and are contiguous in memory.
    order.sort_unstable_by(|a, b| {
        let whole = || a.bytes(rows).cmp(b.bytes(rows)).then((a.batch, a.index).cmp(&(b.batch, b.index)));
        a.prefix.cmp(&b.prefix).then_with(whole)
    });
    order
}

#[cfg(test)]
mod tests {
    use arrow::array::StringArray;

    use super::*;

    /// The order of texts, as rows.
    fn ordered(texts: &[&str]) -> Vec<u32> {
        let converter = RowConverter::new(vec![SortField::new(DataType::Utf8)]).expect("a converter");
        // In two batches, of which the first one has a text.
        let rows = |texts: &[&str]| {
            let column: ArrayRef = Arc::new(StringArray::from(texts.to_vec()));
            converter.convert_columns(&[column]).expect("rows")
        };
        let (first, others) = texts.split_at(texts.len().min(1));
        order(&[rows(first), rows(others)]).iter().map(|row| if row.batch == 0 { row.index } else { row.index + 1 }).collect()
    }

    #[test]
    fn rows_are_ordered_by_all_their_bytes_whatever_they_share() {
        for (case, texts, expected) in [
            ("none", vec![], vec![]),
            ("one", vec!["a"], vec![0]),
            ("nothing shared", vec!["b", "a", "c"], vec![1, 0, 2]),
            ("all equal: the earlier one first", vec!["a", "a", "a"], vec![0, 1, 2]),
            ("one begins like all others", vec!["transaction-2", "transaction", "transaction-1"], vec![1, 2, 0]),
            (
                "a beginning that is longer than a number",
                vec!["a beginning of more than sixteen bytes, b", "a beginning of more than sixteen bytes, a", "a beginning"],
                vec![2, 1, 0],
            ),
            (
                "differences far behind",
                vec!["xa, and then the same for a while 2", "xa, and then the same for a while 1", "xb"],
                vec![1, 0, 2],
            ),
        ] {
            assert_eq!(ordered(&texts), expected, "{case}");
        }
    }

    #[test]
    fn what_follows_the_key_has_always_the_same_length() {
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(i64::MIN), Some(-1), Some(7), None]));
        let converter = RowConverter::new(vec![SortField::new(DataType::Int64)]).expect("a converter");
        let rows = converter.convert_columns(&[numbers]).expect("rows");
        assert!(rows.iter().all(|row| row.data().len() == NUMBER_BYTES), "keys are compared without it");
    }
}
