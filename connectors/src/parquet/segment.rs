//! Segments: the rows that a worker adds in a commit, in one file, which is written, synced and renamed once.
//!
//! ```text
//!  segments/<commit>-<worker>.segment:  part │ part │ part …      a part: the rows of one table and day, an Arrow IPC stream
//! ```
//!
//! Parts are contiguous, ordered by table and day; the commit's record has their offsets. Each buffer is compressed with LZ4:
//! upkeep reads a segment once, within a minute, and writes its rows as Parquet. The bytes follow from the rows alone.

use std::fs;
use std::io::Cursor;
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::{IpcWriteOptions, StreamWriter};
use arrow_ipc::{CompressionType, MetadataVersion};
use headwater_schemas::Digest;
use headwater_schemas::tables::TableSpec;

use super::CommitError;
use super::directory::segment_file;
use super::record::{CommittedFile, FileRole, Part};

/// Rows of a table and day from which on they get a Parquet file of their own. Rows in a segment are written a second time, as
/// Parquet; for fewer rows than this, that is cheaper than creating, describing and syncing one more file.
pub(super) const SEGMENT_ROWS: usize = 8192;

/// Alignment of each buffer of a part, in bytes: the minimum of Arrow, since decompression realigns buffers.
const ALIGNMENT: usize = 8;

/// The segment of a worker and a commit that is being written.
#[derive(Debug)]
pub(super) struct SegmentWriter {
    path: String,
    content: Vec<u8>,
}

impl SegmentWriter {
    /// An empty segment.
    pub(super) fn new(commit_id: u64, worker: usize) -> Self {
        Self { path: segment_file(commit_id, worker), content: Vec::new() }
    }

    /// Adds the rows of a table and day, and describes them.
    pub(super) fn add(&mut self, spec: &TableSpec, role: FileRole, day: String, rows: &RecordBatch) -> Result<CommittedFile, CommitError> {
        let part = encode(rows).map_err(|cause| CommitError::Columns { table: spec.name, cause })?;
        let begin = self.content.len() as u64;
        self.content.extend_from_slice(&part);
        Ok(CommittedFile {
            path: self.path.clone(),
            table: spec.name.to_owned(),
            role,
            merged: None,
            part: Some(Part { begin, day }),
            rows: rows.num_rows() as u64,
            bytes: part.len() as u64,
            sha256: Digest::sha256(&part).to_string(),
        })
    }

    /// Writes the segment into staging, unless it is empty.
    pub(super) fn stage(self, staging: &Path) -> Result<(), CommitError> {
        if self.content.is_empty() {
            return Ok(());
        }
        let path = staging.join(&self.path);
        let folder = path.parent().unwrap_or(staging);
        fs::create_dir_all(folder).map_err(CommitError::file("creating", folder))?;
        fs::write(&path, &self.content).map_err(CommitError::file("writing", &path))
    }
}

fn encode(rows: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
    let options = IpcWriteOptions::try_new(ALIGNMENT, false, MetadataVersion::V5)?;
    let options = options.try_with_compression(Some(CompressionType::LZ4_FRAME))?;
    let mut writer = StreamWriter::try_new_with_options(Vec::new(), &rows.schema(), options)?;
    writer.write(rows)?;
    writer.into_inner()
}

/// The rows of a part.
pub(super) fn decode(part: Vec<u8>) -> Result<StreamReader<Cursor<Vec<u8>>>, ArrowError> {
    StreamReader::try_new(Cursor::new(part), None)
}

#[cfg(test)]
mod tests {
    use headwater_schemas::tables::{
        Audit, Change, Decision, DecisionState, Moment, Reason, Remap, SubjectType, TableRow, TableWriter, Verdict,
    };
    use headwater_schemas::{AccountId, Digest as Hash, EffectiveTime, EventTime, Id, Nanos, Offset, Sequence, Statistic, Tick};

    use super::*;
    use crate::parquet::buffer::ClosedTable;
    use crate::parquet::chain::CommitFile;
    use crate::parquet::encode::{Closed, Target};
    use crate::parquet::reader::batches;
    use crate::parquet::records::keep_file;
    use crate::parquet::writer::CommitFormat;

    const DAY: u64 = Nanos::DAY.get();

    fn remap(offset: u64, ts: u64) -> Remap {
        Remap {
            topic: "orders".into(),
            partition: 0,
            offset: Offset::new(offset),
            tick: Tick::new(offset),
            clock: EffectiveTime::new(ts),
            ts: EventTime::from_effective(EffectiveTime::new(ts)),
        }
    }

    fn decision(number: u64) -> Decision {
        let points = Statistic::new(40.0).expect("a number");
        let reason = Reason { rule: "velocity".into(), points, evidence: vec!["count=6".into(), format!("{number}").into()] };
        Decision {
            decision_id: Id::derived(format!("d{number}")),
            state: DecisionState::Made,
            subject_type: SubjectType::Transaction,
            subject_id: Id::derived("t"),
            account_id: number.is_multiple_of(2).then(|| AccountId::derived("a")),
            ruleset: "banking".into(),
            score: points,
            decision: Verdict::Review,
            reasons: vec![reason; usize::try_from(number % 3).unwrap_or(0)],
            ts: EventTime::from_effective(EffectiveTime::new(number)),
        }
    }

    fn audit(sequence: u64) -> Audit {
        Audit {
            topic: "orders".into(),
            partition: 0,
            sequence: Sequence::new(sequence),
            offset: Offset::new(sequence),
            event_id: None,
            event_ts: None,
            ts: EventTime::from_effective(EffectiveTime::new(sequence)),
            content: Audit::content_of(None, Some(b"{}")),
            hash: Hash::ZERO,
        }
    }

    fn emitted<R: TableRow>(rows: impl Iterator<Item = R>) -> Vec<Change<R>> {
        let writer = TableWriter::default();
        rows.for_each(|row| {
            let time = row.event_time().effective();
            writer.insert(&Moment::new(Tick::new(time.get()), time), row);
        });
        writer.take_below(Tick::MAX).into_iter().collect()
    }

    /// The content of the segment and the list of files that a worker writes for tables in a commit.
    fn staged(staging: &Path, tables: Vec<Box<dyn ClosedTable>>) -> (Vec<u8>, Vec<CommittedFile>) {
        let mut target = Target { staging, commit_id: 7, worker: 1, segment: Some(SegmentWriter::new(7, 1)) };
        let mut files = Vec::new();
        for table in tables {
            files.extend(table.stage(&mut target).expect("files"));
        }
        let segment = target.segment.expect("a segment");
        let content = segment.content.clone();
        segment.stage(staging).expect("a staged segment");
        (content, files)
    }

    fn closed<R: TableRow>(changes: Vec<Change<R>>) -> Box<dyn ClosedTable> {
        Box::new(Closed { changes: changes.into_iter().collect(), format: CommitFormat::of::<R>().into() })
    }

    fn kept(file: &CommittedFile) -> CommitFile {
        keep_file(file.clone(), 7).expect("a file")
    }

    #[test]
    fn a_segment_has_the_same_bytes_in_whatever_order_rows_arrived() {
        let folder = tempfile::tempdir().expect("a folder");
        let remaps = || emitted((0..50).map(|offset| remap(offset, offset % 3 * DAY)));
        let decisions = || emitted((0..50).map(decision));
        let (content, files) = staged(folder.path(), vec![closed(remaps()), closed(decisions())]);
        let backwards = vec![closed(remaps().into_iter().rev().collect()), closed(decisions().into_iter().rev().collect())];
        assert_eq!(staged(folder.path(), backwards), (content.clone(), files.clone()));
        let days: Vec<_> = files.iter().map(|file| (file.table.as_str(), file.part.as_ref().map_or("", |part| &part.day))).collect();
        assert_eq!(
            days,
            [("remap", "1970-01-01"), ("remap", "1970-01-02"), ("remap", "1970-01-03"), ("decisions", "1970-01-01")],
            "a part for each table and day"
        );
        let end = files.iter().fold(0, |end, file| {
            assert_eq!((file.path.as_str(), file.part.as_ref().map(|part| part.begin)), ("segments/7-1.segment", Some(end)));
            end + file.bytes
        });
        assert_eq!(end, content.len() as u64, "one after the other");
    }

    #[test]
    fn parts_read_back_as_parquet_does() {
        fn check<R: TableRow>(changes: Vec<Change<R>>) {
            let folder = tempfile::tempdir().expect("a folder");
            let expected = changes.iter().map(|change| change.row.clone()).collect::<Vec<_>>();
            let (_, in_segment) = staged(folder.path(), vec![closed(changes.clone())]);
            let mut target = Target { staging: folder.path(), commit_id: 7, worker: 1, segment: None };
            let in_parquet = closed(changes).stage(&mut target).expect("files");
            let read = |files: &[CommittedFile]| -> Vec<_> {
                files.iter().flat_map(|file| batches(folder.path(), &kept(file)).expect("rows")).collect()
            };
            assert_eq!(read(&in_segment), read(&in_parquet), "{}", R::SPEC.name);
            let rows: Vec<R> = read(&in_segment).iter().flat_map(|batch| R::read_all(batch).expect("rows")).collect();
            assert_eq!(rows.len(), expected.len(), "{}", R::SPEC.name);
        }
        check(emitted((0..20).map(decision)));
        check(emitted((0..20).map(audit)));
        check(emitted((0..20).map(|offset| remap(offset, offset))));
    }

    #[test]
    fn many_rows_of_a_table_are_parquet_at_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let rows = |count: usize| closed(emitted((0..count as u64).map(|offset| remap(offset, 0))));
        for (count, expected) in [(SEGMENT_ROWS - 1, "segments/7-1.segment"), (SEGMENT_ROWS, "remap/date=1970-01-01/7-1.parquet")] {
            let (content, files) = staged(folder.path(), vec![rows(count)]);
            assert_eq!(files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(), [expected]);
            assert_eq!(content.is_empty(), count == SEGMENT_ROWS);
        }
        let nothing = tempfile::tempdir().expect("a folder");
        assert_eq!(staged(nothing.path(), Vec::new()).1, []);
        assert!(!nothing.path().join("segments").exists(), "there is no empty segment");
    }
}
