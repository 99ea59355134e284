//! Merging inputs that are in order, chunk by chunk: of each input, only a window of rows is in memory.

use std::cmp::Ordering;
use std::mem;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::interleave_record_batch;
use arrow::datatypes::{Int32Type, SchemaRef};
use arrow::error::ArrowError;
use arrow::row::Rows;

use super::rows::Limits;
use super::sort_key::{RowPlace, SortKey};
use crate::parquet::CommitError;

/// Which rows of a key remain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// Every row.
    All,
    /// The newest row; of equally new ones, that of the earliest input.
    Newest,
    /// The newest row, unless the key is retracted: the column of the changes is below 1.
    Current {
        /// The column of the changes.
        change: usize,
    },
}

/// Consecutive rows of an input.
pub(super) struct Window {
    rows: RecordBatch,
    keys: Rows,
}

impl Window {
    /// The rows of a batch that begins with the merged file's columns.
    pub(super) fn of(batch: &RecordBatch, key: &SortKey, output: &SchemaRef) -> Result<Self, ArrowError> {
        let keys = key.rows(batch)?;
        let columns = batch.columns().iter().take(output.fields().len()).cloned().collect();
        Ok(Self { rows: RecordBatch::try_new(Arc::clone(output), columns)?, keys })
    }

    /// The bytes that decide the order of each row.
    pub(super) fn keys(&self) -> impl Iterator<Item = &[u8]> {
        self.keys.iter().map(|row| row.data())
    }
}

/// An input: its windows, in order.
pub(super) type Windows = Box<dyn Iterator<Item = Result<Window, CommitError>>>;

/// An input with the window that is being merged.
struct Input {
    windows: Windows,
    keys: Option<Rows>,
    /// The next row: its window among those of the merge, and its index in that.
    next: RowPlace,
}

impl Input {
    /// The bytes that decide the order of the next row.
    fn bytes(&self) -> &[u8] {
        let keys = self.keys.as_ref().filter(|keys| self.next.1 < keys.num_rows());
        keys.map(|keys| keys.row(self.next.1).data()).unwrap_or_default()
    }
}

/// The rows of several inputs in order, in chunks.
pub(super) struct Merging {
    key: Arc<SortKey>,
    kept: Kept,
    table: &'static str,
    limits: Limits,
    inputs: Vec<Input>,
    /// The inputs that have rows, ordered by their next row: the first row's input is the last.
    order: Vec<usize>,
    /// The windows with the rows of `places`, `newest` and the inputs.
    windows: Vec<RecordBatch>,
    /// The rows of the chunk that is being merged.
    places: Vec<RowPlace>,
    /// The newest row so far of the key that is being merged.
    newest: Option<RowPlace>,
    /// Its bytes.
    newest_bytes: Vec<u8>,
}

impl Merging {
    /// Begins to merge. Among equal rows, those of the earlier input come first.
    pub(super) fn new(
        inputs: Vec<Windows>,
        key: Arc<SortKey>,
        kept: Kept,
        table: &'static str,
        limits: Limits,
    ) -> Result<Self, CommitError> {
        let input = |windows| Input { windows, keys: None, next: (0, 0) };
        let inputs: Vec<_> = inputs.into_iter().map(input).collect();
        let (windows, places, order) = (Vec::new(), Vec::with_capacity(limits.chunk_rows), Vec::with_capacity(inputs.len()));
        let mut merging = Self { key, kept, table, limits, inputs, order, windows, places, newest: None, newest_bytes: Vec::new() };
        for input in 0..merging.inputs.len() {
            if merging.load(input)? {
                merging.enqueue(input);
            }
        }
        Ok(merging)
    }

    /// Merges until a chunk is full or there are no more rows.
    fn fill(&mut self) -> Result<(), CommitError> {
        while self.places.len() < self.limits.chunk_rows && self.step()? {
            // Of rows that a newer one supersedes, nothing is left but their windows.
            if self.windows.len() > self.most_windows() {
                self.compact()?;
            }
        }
        Ok(())
    }

    const fn most_windows(&self) -> usize {
        2 * self.inputs.len() + self.limits.chunk_rows / self.limits.window_rows + 2
    }

    /// Merges the next row. Returns whether there was one.
    fn step(&mut self) -> Result<bool, CommitError> {
        let Some(input) = self.order.pop() else {
            self.settle();
            return Ok(false);
        };
        self.take(input);
        if self.advance(input)? {
            self.enqueue(input);
        }
        Ok(true)
    }

    /// Takes an input's next row into the chunk.
    fn take(&mut self, input: usize) {
        let Some(input) = self.inputs.get(input) else { return };
        if self.kept == Kept::All {
            self.places.push(input.next);
            return;
        }
        let (bytes, place) = (input.bytes(), input.next);
        let is_same_key = self.newest.is_some() && self.key.key(&self.newest_bytes) == self.key.key(bytes);
        if is_same_key && self.newest_bytes.as_slice() >= bytes {
            return;
        }
        self.newest_bytes.clear();
        self.newest_bytes.extend_from_slice(bytes);
        if !is_same_key {
            self.settle();
        }
        self.newest = Some(place);
    }

    /// Takes the newest row of a key into the chunk: there are no more rows of the key.
    fn settle(&mut self) {
        let Some((window, row)) = self.newest.take() else { return };
        let change = |column: usize| self.windows.get(window)?.columns().get(column)?.as_primitive_opt::<Int32Type>()?.values().get(row);
        let is_there = match self.kept {
            Kept::Current { change: column } => change(column).is_some_and(|change| *change > 0),
            Kept::All | Kept::Newest => true,
        };
        if is_there {
            self.places.push((window, row));
        }
    }

    /// Goes on to an input's next row. Returns whether there is one.
    fn advance(&mut self, input: usize) -> Result<bool, CommitError> {
        let Some(advanced) = self.inputs.get_mut(input) else { return Ok(false) };
        advanced.next.1 += 1;
        if advanced.keys.as_ref().is_some_and(|keys| advanced.next.1 < keys.num_rows()) {
            return Ok(true);
        }
        self.load(input)
    }

    /// Reads an input's next window that has rows. Returns whether there is one.
    fn load(&mut self, input: usize) -> Result<bool, CommitError> {
        let Some(input) = self.inputs.get_mut(input) else { return Ok(false) };
        input.keys = None;
        for window in &mut input.windows {
            let Window { rows, keys } = window?;
            if keys.num_rows() > 0 {
                (input.keys, input.next) = (Some(keys), (self.windows.len(), 0));
                self.windows.push(rows);
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Puts an input at its place in the order.
    fn enqueue(&mut self, input: usize) {
        // Keys often follow each other in one input.
        if self.order.last().is_none_or(|first| self.compare(input, *first).is_lt()) {
            self.order.push(input);
            return;
        }
        let at = self.order.partition_point(|other| self.compare(*other, input).is_gt());
        self.order.insert(at, input);
    }

    fn compare(&self, one: usize, other: usize) -> Ordering {
        let bytes = |input: usize| self.inputs.get(input).map(Input::bytes);
        bytes(one).cmp(&bytes(other)).then(one.cmp(&other))
    }

    /// Puts the chunk's rows together.
    fn gather(&mut self) -> Result<RecordBatch, CommitError> {
        let windows: Vec<_> = self.windows.iter().collect();
        let rows = interleave_record_batch(&windows, &self.places);
        self.places.clear();
        rows.map_err(|cause| CommitError::Columns { table: self.table, cause })
    }

    /// Puts the chunk's rows so far together, so that their windows are no longer needed.
    fn compact(&mut self) -> Result<(), CommitError> {
        let rows = self.gather()?;
        self.places.extend((0..rows.num_rows()).map(|row| (0, row)));
        self.release(Some(rows));
        Ok(())
    }

    /// Releases the windows whose rows are merged. `first` is the first that remains.
    fn release(&mut self, first: Option<RecordBatch>) {
        let windows = mem::replace(&mut self.windows, first.into_iter().collect());
        let mut keep = |window: &mut usize| {
            if let Some(rows) = windows.get(*window) {
                *window = self.windows.len();
                self.windows.push(rows.clone());
            }
        };
        for input in &self.order {
            self.inputs.get_mut(*input).into_iter().for_each(|input| keep(&mut input.next.0));
        }
        self.newest.iter_mut().for_each(|(window, _)| keep(window));
    }
}

impl Iterator for Merging {
    type Item = Result<RecordBatch, CommitError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Err(error) = self.fill() {
            (self.newest, self.order) = (None, Vec::new());
            self.places.clear();
            return Some(Err(error));
        }
        if self.places.is_empty() {
            return None;
        }
        let rows = self.gather();
        self.release(None);
        Some(rows)
    }
}
