//! Encoding of a commit's changes as rows of files, in the order of [`order`](super::order).

use std::path::Path;
use std::sync::Arc;

use headwater_schemas::Date;
use headwater_schemas::tables::{Change, Changes, TableKind, TableRow};

use super::CommitError;
use super::buffer::ClosedTable;
use super::directory::table_file;
use super::order::{by_day, by_key, in_order};
use super::record::{CommittedFile, FileRole};
use super::segment::{SEGMENT_ROWS, SegmentWriter};
use super::writer::{CommitFormat, Content, stage};

/// Target of a worker's files of a commit: folder and name.
#[derive(Debug)]
pub(super) struct Target<'a> {
    pub(super) staging: &'a Path,
    pub(super) commit_id: u64,
    pub(super) worker: usize,
    /// Takes the rows of tables and days with few rows; `None` if those are to be Parquet, too.
    pub(super) segment: Option<SegmentWriter>,
}

/// The changes of one table in one commit.
pub(super) struct Closed<R> {
    pub(super) changes: Changes<R>,
    pub(super) format: Arc<CommitFormat>,
}

impl<R: TableRow> ClosedTable for Closed<R> {
    fn stage(self: Box<Self>, target: &mut Target<'_>) -> Result<Vec<CommittedFile>, CommitError> {
        let changes: Vec<&Change<R>> = self.changes.iter().collect();
        let (ordered, role) = (in_order(&changes, R::SPEC.kind), role_of(R::SPEC.kind));
        let stage_day = |(date, mut of_day): (Date, Vec<u32>)| {
            if self.format.is_by_key(of_day.len()) {
                of_day = by_key(&changes, &of_day);
            }
            let rows: Vec<&R> = of_day.iter().filter_map(|change| changes.get(*change as usize)).map(|change| &change.row).collect();
            let rows = self.format.batch(&R::SPEC, target.commit_id, R::columns(&rows), &changes, &of_day)?;
            if let Some(segment) = target.segment.as_mut().filter(|_| rows.num_rows() < SEGMENT_ROWS) {
                return segment.add(&R::SPEC, role, date.to_string(), &rows);
            }
            let path = table_file(R::SPEC.name, role, date, target.commit_id, target.worker);
            let options = self.format.properties(&rows);
            let content = Content { schema: rows.schema(), chunks: &mut std::iter::once(Ok(rows)), options };
            stage(target.staging, path, &R::SPEC, role, None, content)
        };
        by_day(&changes, ordered, R::SPEC.kind).into_iter().map(stage_day).collect()
    }
}

/// The role of the files that commits write for a table. Upkeep writes the files of a state table's current rows.
pub(super) const fn role_of(kind: TableKind) -> FileRole {
    match kind {
        TableKind::Append | TableKind::Journal => FileRole::Rows,
        TableKind::State => FileRole::History,
        TableKind::Checkpoint => FileRole::State,
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use arrow::array::{AsArray, RecordBatch};
    use arrow::compute::concat_batches;
    use arrow::datatypes::Int64Type;
    use headwater_schemas::tables::{Balance, Moment, TableWriter};
    use headwater_schemas::{AccountId, Currency, EffectiveTime, EventTime, Tick, Total};
    use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
    use parquet::file::metadata::PageIndexPolicy;

    use super::*;

    /// The rows of a file with this many changes of sixty accounts, and the number of pages of its first column; 0 if they are not known.
    fn staged(changes: u64) -> (RecordBatch, usize) {
        let writer = TableWriter::<Balance>::default();
        for number in 0..changes {
            let (posted, ts) = (Total::whole(1), EventTime::from_nanos(7));
            let account_id = AccountId::derived(format!("account-{:02}", number * 7_919 % 60));
            let row = Balance { account_id, currency: Currency::derived("EUR"), posted, pending: Total::ZERO, available: posted, ts };
            writer.insert(&Moment::new(Tick::new(number), EffectiveTime::new(number)), row);
        }
        let folder = tempfile::tempdir().unwrap();
        let closed = Closed { changes: writer.take_below(Tick::new(changes)), format: CommitFormat::of::<Balance>().into() };
        let mut target = Target { staging: folder.path(), commit_id: 1, worker: 0, segment: None };
        let files = Box::new(closed).stage(&mut target).unwrap();
        let path = folder.path().join(&files.first().unwrap().path);
        let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
        let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(File::open(path).unwrap(), options).unwrap();
        let pages = reader.metadata().offset_index().map_or(0, |index| index[0][0].page_locations().len());
        let (schema, rows) = (Arc::clone(reader.schema()), reader.build().unwrap().collect::<Result<Vec<_>, _>>().unwrap());
        (concat_batches(&schema, &rows).unwrap(), pages)
    }

    #[test]
    fn a_large_file_of_a_state_is_by_key_in_pages_and_a_small_one_by_tick() {
        for (changes, is_by_key, pages) in [(4095, false, 0), (4096, true, 2), (10_000, true, 5)] {
            let (rows, found) = staged(changes);
            let accounts = rows.column_by_name("account_id").unwrap().as_string::<i32>().iter();
            let ticks = rows.column_by_name("tick").unwrap().as_primitive::<Int64Type>().values();
            let rows: Vec<_> = accounts.flatten().zip(ticks).collect();
            assert_eq!(rows.len() as u64, changes);
            assert_eq!(rows.is_sorted(), is_by_key, "{changes}");
            assert_eq!(rows.is_sorted_by_key(|(_, tick)| **tick), !is_by_key, "{changes}");
            assert_eq!(found, pages, "{changes}");
        }
    }
}
