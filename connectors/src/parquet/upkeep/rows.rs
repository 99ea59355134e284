//! Merging the rows of several files.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray, RecordBatch, UInt32Array};
use arrow::compute::{SortOptions, concat_batches, filter_record_batch, take_record_batch};
use arrow::datatypes::Int32Type;
use arrow::error::ArrowError;
use arrow::row::{RowConverter, Rows, SortField};
use headwater_schemas::tables::TableSpec;

use super::plan::Merge;
use crate::parquet::CommitError;
use crate::parquet::chain::CommitFile;
use crate::parquet::columns::{CHANGE, COMMIT_ID, REASON, TICK};
use crate::parquet::reader::{batches, conform};
use crate::parquet::record::FileRole;

/// The merged rows, ordered by key, commit and tick. A state keeps the newest row of each key, and a whole state drops retracted
/// keys. `None` if there are no rows.
pub(super) fn merged(data: &Path, spec: &TableSpec, merge: &Merge) -> Result<Option<RecordBatch>, CommitError> {
    let columns = |cause| CommitError::Columns { table: spec.name, cause };
    let rows = match merge.role {
        FileRole::State => {
            let (changes, states): (Vec<_>, Vec<_>) = merge.files.iter().cloned().partition(|file| file.role == FileRole::History);
            let (changes, states) = (all(data, &changes)?, all(data, &states)?);
            state(&changes, &states, spec, merge.whole)
        }
        FileRole::Rows => sorted(&all(data, &merge.files)?, &[spec.key, &[COMMIT_ID]].concat()),
        FileRole::History => sorted(&all(data, &merge.files)?, &[spec.key, &[COMMIT_ID, TICK, CHANGE]].concat()),
    };
    // A whole state without keys is written, too: it supersedes all earlier rows.
    rows.map_err(columns).map(|rows| Some(rows).filter(|rows| rows.num_rows() > 0 || merge.whole))
}

/// The newest rows of a history's changes and of earlier states.
fn state(changes: &RecordBatch, states: &RecordBatch, spec: &TableSpec, whole: bool) -> Result<RecordBatch, ArrowError> {
    if changes.num_columns() == 0 {
        return newest(states, spec.key, whole);
    }
    let changes = without_past(&last_of_each_key(changes, spec.key)?)?;
    if states.num_columns() == 0 {
        return newest(&changes, spec.key, whole);
    }
    let schema = changes.schema();
    let both = [&conform(states, &schema)?, &changes].map(Clone::clone);
    newest(&concat_batches(&schema, &both)?, spec.key, whole)
}

/// The last change of each key of a history.
fn last_of_each_key(changes: &RecordBatch, key: &[&str]) -> Result<RecordBatch, ArrowError> {
    let by_age = comparable(changes, &[key, &[COMMIT_ID, TICK]].concat(), true)?;
    let keys = comparable(changes, key, false)?;
    let mut order = order(&by_age);
    order.dedup_by(|earlier, last| keys.row(*earlier as usize) == keys.row(*last as usize));
    take_record_batch(changes, &UInt32Array::from(order))
}

/// The columns of a history that a state has, too.
fn without_past(changes: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let schema = changes.schema();
    let kept = schema.fields().iter().enumerate().filter(|(_, field)| ![TICK, REASON].contains(&field.name().as_str()));
    changes.project(&kept.map(|(index, _)| index).collect::<Vec<_>>())
}

/// The rows of all files, with the columns of the newest file.
fn all(data: &Path, files: &[Arc<CommitFile>]) -> Result<RecordBatch, CommitError> {
    let mut read = Vec::new();
    for file in files {
        read.extend(batches(data, file)?);
    }
    let columns = |cause| CommitError::Columns { table: "of merged files", cause };
    let Some(schema) = read.last().map(RecordBatch::schema) else {
        return Ok(RecordBatch::new_empty(Arc::new(arrow::datatypes::Schema::empty())));
    };
    let conformed = read.iter().map(|batch| conform(batch, &schema)).collect::<Result<Vec<_>, _>>().map_err(columns)?;
    concat_batches(&schema, &conformed).map_err(columns)
}

/// Rows of these columns as bytes that compare like the rows; commits and ticks descend if `newest_first`.
fn comparable(rows: &RecordBatch, columns: &[&str], newest_first: bool) -> Result<Rows, ArrowError> {
    let indexes = columns.iter().map(|name| rows.schema().index_of(name)).collect::<Result<Vec<_>, _>>()?;
    let field = |index: &usize| {
        let schema = rows.schema();
        let field = schema.field(*index);
        let descending = newest_first && [COMMIT_ID, TICK].contains(&field.name().as_str());
        SortField::new_with_options(field.data_type().clone(), SortOptions { descending, nulls_first: true })
    };
    let converter = RowConverter::new(indexes.iter().map(field).collect())?;
    converter.convert_columns(rows.project(&indexes)?.columns())
}

/// The row numbers in sorted order. Among equal rows, those of the earlier file come first.
fn order(rows: &Rows) -> Vec<u32> {
    let numbers = 0..u32::try_from(rows.num_rows()).unwrap_or(u32::MAX);
    let shared = shared_by_all(rows);
    let mut order: Vec<_> = numbers.zip(rows.iter().map(|row| prefix(row.data().get(shared..).unwrap_or_default()))).collect();
    // The prefixes decide most comparisons, and are contiguous in memory.
    order.sort_unstable_by(|(a, prefix_of_a), (b, prefix_of_b)| {
        let whole = || rows.row(*a as usize).cmp(&rows.row(*b as usize)).then(a.cmp(b));
        prefix_of_a.cmp(prefix_of_b).then_with(whole)
    });
    order.into_iter().map(|(number, _)| number).collect()
}

/// The number of bytes with which all rows begin: many keys begin with the name of a kind.
fn shared_by_all(rows: &Rows) -> usize {
    let mut rows = rows.iter();
    let Some(first) = rows.next() else { return 0 };
    let first = first.data();
    rows.fold(first.len(), |shared, row| first.iter().zip(row.data()).take(shared).take_while(|(one, other)| one == other).count())
}

/// The first bytes of a row as a number with the same order; a short row is padded with zeros.
fn prefix(row: &[u8]) -> u128 {
    let mut first = [0; size_of::<u128>()];
    first.iter_mut().zip(row).for_each(|(to, from)| *to = *from);
    u128::from_be_bytes(first)
}

fn sorted(rows: &RecordBatch, by: &[&str]) -> Result<RecordBatch, ArrowError> {
    take_record_batch(rows, &UInt32Array::from(order(&comparable(rows, by, false)?)))
}

fn newest(rows: &RecordBatch, key: &[&str], whole: bool) -> Result<RecordBatch, ArrowError> {
    let by_age = comparable(rows, &[key, &[COMMIT_ID]].concat(), true)?;
    let keys = comparable(rows, key, false)?;
    let mut order = order(&by_age);
    order.dedup_by(|later, first| keys.row(*later as usize) == keys.row(*first as usize));
    let rows = take_record_batch(rows, &UInt32Array::from(order))?;
    if !whole {
        return Ok(rows);
    }
    let changes = rows.column_by_name(CHANGE).ok_or_else(|| ArrowError::SchemaError(format!("there is no column {CHANGE}")))?;
    let present: BooleanArray = changes.as_primitive::<Int32Type>().iter().map(|change| Some(change > Some(0))).collect();
    filter_record_batch(&rows, &present)
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, StringArray};
    use arrow::datatypes::DataType;

    use super::*;

    /// The order of texts, as rows.
    fn ordered(texts: &[&str]) -> Vec<u32> {
        let converter = RowConverter::new(vec![SortField::new(DataType::Utf8)]).expect("a converter");
        let column: ArrayRef = Arc::new(StringArray::from(texts.to_vec()));
        order(&converter.convert_columns(&[column]).expect("rows"))
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
}
