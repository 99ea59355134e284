//! Files as inputs of a merge that are in order of their keys already: they are decoded window by window.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::file::metadata::SortingColumn;

use super::merging::Window;
use super::rows::Columns;
use super::sort_key::SortKey;
use crate::fault::Fault;
use crate::parquet::CommitError;
use crate::parquet::chain::CommitFile;
use crate::parquet::reader::{open_again, open_parquet};
use crate::parquet::record::FileRole;
use crate::parquet::writer::LARGE_FROM_ROWS;

/// The windows of a file that is in order.
pub(super) struct Ordered {
    data: PathBuf,
    file: Arc<CommitFile>,
    batches: ParquetRecordBatchReader,
    columns: Arc<Columns>,
    key: Arc<SortKey>,
    /// The bytes of the last row so far.
    last: Vec<u8>,
}

impl Ordered {
    /// Opens a file, verified by its hash. `None` if it is not in the order of these columns.
    pub(super) fn open(
        data: &Path,
        file: &Arc<CommitFile>,
        by: &[&str],
        window_rows: usize,
        columns: &Arc<Columns>,
        key: &Arc<SortKey>,
    ) -> Result<Option<Self>, CommitError> {
        // Of a commit's files, only large ones of histories are ordered by key.
        let may_be_ordered = file.merged.is_some() || file.role == FileRole::History && file.rows >= LARGE_FROM_ROWS as u64;
        if file.part.is_some() || !may_be_ordered {
            return Ok(None);
        }
        let parquet = open_parquet(data, file)?;
        if !declares_order(&parquet, by) && !is_ordered(open_again(data, file)?, key).map_err(|fault| file.error(data, fault))? {
            return Ok(None);
        }
        let batches = parquet.with_batch_size(window_rows).build();
        let batches = batches.map_err(|error| file.error(data, Fault::unreadable(error)))?;
        let (data, file, columns, key) = (data.to_owned(), Arc::clone(file), Arc::clone(columns), Arc::clone(key));
        Ok(Some(Self { data, file, batches, columns, key, last: Vec::new() }))
    }

    fn window(&mut self, batch: Result<RecordBatch, ArrowError>) -> Result<Window, CommitError> {
        let batch = batch.map_err(|error| self.file.error(&self.data, Fault::unreadable(error)))?;
        let failed = |cause| CommitError::Columns { table: self.columns.table, cause };
        let window = Window::of(&self.columns.of_batch(&batch).map_err(failed)?, &self.key, &self.columns.output).map_err(failed)?;
        // Otherwise a state would keep two rows of a key.
        if window.keys().next().is_some_and(|first| first < self.last.as_slice()) || !window.keys().is_sorted() {
            return Err(self.file.error(&self.data, "is not in the order of its keys".to_owned()).into());
        }
        self.last.clear();
        self.last.extend_from_slice(window.keys().last().unwrap_or_default());
        Ok(window)
    }
}

impl Iterator for Ordered {
    type Item = Result<Window, CommitError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.batches.next()?;
        Some(self.window(batch))
    }
}

/// Whether a file declares that it is ordered by these columns.
fn declares_order(parquet: &ParquetRecordBatchReaderBuilder<File>, by: &[&str]) -> bool {
    let columns = parquet.parquet_schema().columns();
    let name = |column: &SortingColumn| columns.get(usize::try_from(column.column_idx).ok()?).map(|column| column.name());
    let is_by = |(column, by): (&SortingColumn, &&str)| !column.descending && name(column) == Some(*by);
    parquet.metadata().row_groups().iter().all(|group| {
        let sorting = group.sorting_columns().map_or(&[][..], Vec::as_slice);
        sorting.len() == by.len() && sorting.iter().zip(by).all(is_by)
    })
}

/// Whether a file is ordered, as its key's columns show: words of a key may sort otherwise as text.
fn is_ordered(parquet: ParquetRecordBatchReaderBuilder<File>, key: &SortKey) -> Result<bool, Fault> {
    let columns = ProjectionMask::columns(parquet.parquet_schema(), key.names().iter().copied());
    let batches = parquet.with_projection(columns).build().map_err(Fault::unreadable)?;
    let mut last = Vec::new();
    for batch in batches {
        let Some(rows) = batch.and_then(|batch| key.rows_by_name(&batch)).map_err(Fault::unreadable)? else { return Ok(false) };
        let bytes = || rows.iter().map(|row| row.data());
        if bytes().next().is_some_and(|first| first < last.as_slice()) || !bytes().is_sorted() {
            return Ok(false);
        }
        last.clear();
        last.extend_from_slice(bytes().next_back().unwrap_or_default());
    }
    Ok(true)
}
