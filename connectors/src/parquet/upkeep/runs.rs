//! Sorting rows that are in no order, as many at a time as fit in memory.

use std::sync::Arc;

use arrow::array::{Array, RecordBatch};
use arrow::compute::interleave_record_batch;
use arrow::error::ArrowError;
use arrow::row::Rows;

use super::rows::Limits;
use super::sort_key::{Placed, RowPlace, SortKey, order};
use super::spill::{Spill, Spilled};
use crate::parquet::CommitError;

/// Rows that are being collected, until they are sorted as a run.
pub(super) struct Runs {
    table: &'static str,
    key: Arc<SortKey>,
    /// Whether only the newest row of each key is needed.
    newest: bool,
    limits: Limits,
    spill: Spill,
    batches: Vec<RecordBatch>,
    keys: Vec<Rows>,
    bytes: usize,
}

impl Runs {
    /// No rows yet.
    pub(super) const fn new(table: &'static str, key: Arc<SortKey>, newest: bool, limits: Limits, spill: Spill) -> Self {
        Self { table, key, newest, limits, spill, batches: Vec::new(), keys: Vec::new(), bytes: 0 }
    }

    /// Adds rows. Once there are as many as may be held, all of them are a run on disk.
    pub(super) fn add(&mut self, batch: RecordBatch) -> Result<Option<Spilled>, CommitError> {
        let keys = self.key.rows(&batch).map_err(|cause| CommitError::Columns { table: self.table, cause })?;
        self.bytes += size(&batch) + keys.size();
        self.batches.push(batch);
        self.keys.push(keys);
        let rows: usize = self.batches.iter().map(RecordBatch::num_rows).sum();
        if rows < self.limits.sorted_rows && self.bytes < self.limits.sorted_bytes { Ok(None) } else { self.close() }
    }

    /// Writes the rows that are held to disk, as a run.
    pub(super) fn close(&mut self) -> Result<Option<Spilled>, CommitError> {
        let run = self.sorted();
        let Some(schema) = run.batches.first().map(RecordBatch::schema) else { return Ok(None) };
        self.spill.write(&schema, run.chunks(self.limits.window_rows)).map(Some)
    }

    /// The rows that are held, in order.
    pub(super) fn sorted(&mut self) -> Run {
        let (batches, keys) = (std::mem::take(&mut self.batches), std::mem::take(&mut self.keys));
        self.bytes = 0;
        let mut order = order(&keys);
        if self.newest {
            order = newest(order, &keys, &self.key);
        }
        Run { batches, order: order.iter().map(Placed::place).collect() }
    }
}

/// The newest row of each key. Of equally new ones, it is the first.
fn newest(order: Vec<Placed>, keys: &[Rows], key: &SortKey) -> Vec<Placed> {
    let mut newest: Vec<Placed> = Vec::new();
    for row in order {
        let bytes = row.bytes(keys);
        match newest.last_mut() {
            Some(last) if key.key(last.bytes(keys)) == key.key(bytes) => {
                if last.bytes(keys) < bytes {
                    *last = row;
                }
            }
            _ => newest.push(row),
        }
    }
    newest
}

/// Bytes of the values of a batch.
fn size(batch: &RecordBatch) -> usize {
    batch.columns().iter().map(|column| column.to_data().get_slice_memory_size().unwrap_or_default()).sum()
}

/// Sorted rows in memory.
pub(super) struct Run {
    batches: Vec<RecordBatch>,
    order: Vec<RowPlace>,
}

impl Run {
    /// The rows in order, in batches of this many rows.
    pub(super) fn chunks(self, rows: usize) -> impl Iterator<Item = Result<RecordBatch, ArrowError>> {
        let Self { batches, order } = self;
        (0..order.len().div_ceil(rows.max(1))).map(move |chunk| {
            let batches: Vec<_> = batches.iter().collect();
            let begin = chunk * rows;
            let places = order.get(begin..order.len().min(begin + rows)).unwrap_or_default();
            interleave_record_batch(&batches, places)
        })
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Int64Array};

    use super::*;

    #[test]
    fn no_more_rows_are_held_than_may_be_sorted_at_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let batch = |begin: i64| {
            let numbers: ArrayRef = Arc::new((begin..begin + 10).map(|number| number * 7_919 % 1_000).collect::<Int64Array>());
            RecordBatch::try_from_iter([("number", numbers)]).expect("a batch")
        };
        // (rows, bytes, longest run): the batch that reaches a limit is in the run that it ends.
        for (sorted_rows, sorted_bytes, longest) in [(35, usize::MAX, 40), (usize::MAX, 1, 10)] {
            let key = Arc::new(SortKey::new(&batch(0).schema(), &["number"], &[]).expect("a key"));
            let limits = Limits { sorted_rows, sorted_bytes, window_rows: 4, ..Limits::RUN };
            let mut runs = Runs::new("t", Arc::clone(&key), false, limits, Spill::new(folder.path(), "t"));
            let mut rows = 0;
            for begin in (0..1_000).step_by(10) {
                let Some(run) = runs.add(batch(begin)).expect("a run") else { continue };
                assert_eq!(runs.batches.len() + runs.keys.len(), 0, "a run on disk is not in memory");
                let run: Vec<_> = run.map(|batch| batch.expect("a batch")).collect();
                assert!(run.iter().all(|batch| batch.num_rows() <= 4));
                let keys: Vec<_> = run.iter().map(|batch| key.rows(batch).expect("rows")).collect();
                assert!(keys.iter().flatten().is_sorted());
                assert_eq!(keys.iter().map(Rows::num_rows).sum::<usize>(), longest);
                rows += longest;
            }
            assert_eq!(rows, 1_000, "rows of {longest} in a run");
        }
    }
}
