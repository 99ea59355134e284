//! The order of merged rows, as bytes that compare like the rows.

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use arrow::row::{RowConverter, Rows, SortField};

use crate::parquet::permutation::{prefix, shared_by_all};

/// A row: the batch, and the index in it.
pub(super) type RowPlace = (usize, usize);

/// The columns that decide the order of merged rows: those of the key, then numbers such as the commit and the tick.
#[derive(Debug)]
pub(super) struct SortKey {
    converter: RowConverter,
    names: Vec<&'static str>,
    columns: Vec<usize>,
    /// Bytes of the numbers after the key.
    numbers: usize,
}

impl SortKey {
    /// The order by the columns of a key, and among rows of a key by numbers.
    pub(super) fn new(schema: &Schema, key: &[&'static str], numbers: &[&'static str]) -> Result<Self, ArrowError> {
        let names = [key, numbers].concat();
        let columns = names.iter().map(|name| schema.index_of(name)).collect::<Result<Vec<_>, _>>()?;
        let types: Vec<_> = columns.iter().filter_map(|column| Some(schema.fields().get(*column)?.data_type().clone())).collect();
        // One byte for NULL, and those of the number.
        let numbers = types.iter().skip(key.len()).map(|number| 1 + number.primitive_width().unwrap_or(0)).sum();
        let converter = RowConverter::new(types.into_iter().map(SortField::new).collect())?;
        Ok(Self { converter, names, columns, numbers })
    }

    /// The bytes of each row of a batch.
    pub(super) fn rows(&self, batch: &RecordBatch) -> Result<Rows, ArrowError> {
        let columns: Vec<_> = self.columns.iter().filter_map(|column| batch.columns().get(*column).cloned()).collect();
        self.converter.convert_columns(&columns)
    }

    /// The names of the columns.
    pub(super) fn names(&self) -> &[&'static str] {
        &self.names
    }

    /// The bytes of each row of a batch that has these columns somewhere; `None` if one is not there.
    pub(super) fn rows_by_name(&self, batch: &RecordBatch) -> Result<Option<Rows>, ArrowError> {
        let columns = self.names.iter().map(|name| batch.column_by_name(name).cloned()).collect::<Option<Vec<_>>>();
        columns.map(|columns| self.converter.convert_columns(&columns)).transpose()
    }

    /// The bytes of the key among those of a row.
    pub(super) fn key<'a>(&self, row: &'a [u8]) -> &'a [u8] {
        row.get(..row.len().saturating_sub(self.numbers)).unwrap_or_default()
    }
}

/// A row of a batch that is being sorted, with the first bytes that are not the same in all rows.
pub(super) struct Placed {
    prefix: u128,
    batch: u32,
    index: u32,
}

impl Placed {
    /// The bytes that decide its order.
    pub(super) fn bytes<'a>(&self, rows: &'a [Rows]) -> &'a [u8] {
        let rows = rows.get(self.batch as usize).filter(|rows| (self.index as usize) < rows.num_rows());
        rows.map(|rows| rows.row(self.index as usize).data()).unwrap_or_default()
    }

    /// The batch, and the index in it.
    pub(super) const fn place(&self) -> RowPlace {
        (self.batch as usize, self.index as usize)
    }
}

/// The rows of batches in sorted order. Among equal rows, those of the earlier batch come first.
pub(super) fn order(rows: &[Rows]) -> Vec<Placed> {
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
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int32Array, Int64Array, StringArray};
    use arrow::datatypes::DataType;

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
    fn the_key_of_a_row_is_independent_of_the_numbers_after_it() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["a key"; 4]));
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(i64::MIN), Some(-1), Some(7), None]));
        let changes: ArrayRef = Arc::new(Int32Array::from(vec![Some(i32::MIN), Some(1), None, Some(0)]));
        let batch = RecordBatch::try_from_iter([("key", texts), ("commit_id", numbers), ("change", changes)]).expect("a batch");
        let key = SortKey::new(&batch.schema(), &["key"], &["commit_id", "change"]).expect("a key");
        let keys_alone = SortKey::new(&batch.schema(), &["key"], &[]).expect("a key").rows(&batch).expect("rows");
        let rows = key.rows(&batch).expect("rows");
        assert!(rows.iter().zip(&keys_alone).all(|(row, alone)| key.key(row.data()) == alone.data()));
    }
}
