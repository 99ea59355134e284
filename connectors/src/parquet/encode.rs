//! Encoding of a commit's changes as rows of files, in the order of [`order`](super::order).

use std::path::Path;
use std::sync::Arc;

use headwater_schemas::Date;
use headwater_schemas::tables::{Change, Changes, TableKind, TableRow};

use super::CommitError;
use super::buffer::ClosedTable;
use super::directory::table_file;
use super::order::{by_day, in_order};
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
        let stage_day = |(date, of_day): (Date, Vec<u32>)| {
            let rows = of_day.iter().filter_map(|change| changes.get(*change as usize)).map(|change| &change.row);
            let rows = self.format.batch(&R::SPEC, target.commit_id, R::columns(rows), &changes, &of_day)?;
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
