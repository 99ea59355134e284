//! The table `commits`: one row per commit record.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch, StringArray, TimestampNanosecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use headwater_connectors::parquet::chain::Commit;
use headwater_connectors::parquet::records::Records;
use headwater_schemas::{EventTime, Tick};

use crate::error::{CatalogError, QueryError};

/// Description of a row.
pub(crate) const ABOUT: &str = "a commit: a range of ticks of all tables at once";

/// What each column is.
const COLUMNS: [(&str, &str); 10] = [
    ("commit_id", "The number of the commit, from 1."),
    ("ticks", "How many ticks it closed."),
    ("first_tick", "The first tick that it closed."),
    ("end_tick", "The first tick after those that it closed."),
    ("rows", "How many rows it wrote."),
    ("files", "How many files it wrote."),
    ("configuration", "The hash of the run's configuration."),
    ("committed_at", "When it was made, by the wall clock; NULL for those of a replay."),
    ("hash", "The SHA-256 of its record."),
    ("previous_hash", "The hash of the commit before it."),
];

/// Description of a column.
pub(crate) fn column_about(name: &str) -> Option<&'static str> {
    COLUMNS.iter().find(|(column, _)| *column == name).map(|(_, about)| *about)
}

/// The columns of `commits`.
pub(crate) fn schema() -> SchemaRef {
    let bigint = |name: &str| Field::new(name, DataType::Int64, false);
    let time = DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()));
    Arc::new(Schema::new(vec![
        bigint("commit_id"),
        bigint("ticks"),
        bigint("first_tick"),
        bigint("end_tick"),
        bigint("rows"),
        bigint("files"),
        Field::new("configuration", DataType::Utf8, false),
        Field::new("committed_at", time, true),
        Field::new("hash", DataType::Utf8, false),
        Field::new("previous_hash", DataType::Utf8, false),
    ]))
}

/// The rows of `commits` up to a commit.
pub(crate) fn batch(data: &Path, last: u64) -> Result<RecordBatch, QueryError> {
    let mut records = Records::new(data);
    let mut commits = Vec::new();
    for commit_id in 1..=last {
        // The row has only the number of its files.
        commits.extend(records.read(commit_id).map_err(CatalogError::from)?.map(Row::of));
    }
    Ok(columns(&commits)?)
}

/// A commit in a few words.
#[derive(Clone, Debug)]
pub struct CommitSummary {
    /// Its number.
    pub commit_id: u64,
    /// The rows that it adds.
    pub rows: u64,
    /// The files that it adds.
    pub files: usize,
    /// Event time up to which everything is committed.
    pub end: EventTime,
    /// Wall clock at publication.
    pub committed_at: Option<EventTime>,
}

/// The commits after one, up to another.
pub(crate) fn summaries(data: &Path, after: u64, upto: u64) -> Result<Vec<CommitSummary>, CatalogError> {
    let mut records = Records::new(data);
    let mut all = Vec::new();
    for commit_id in after.saturating_add(1)..=upto {
        all.extend(records.read(commit_id)?.map(CommitSummary::of));
    }
    Ok(all)
}

impl CommitSummary {
    fn of(commit: Commit) -> Self {
        Self {
            commit_id: commit.commit_id,
            rows: commit.rows(),
            files: commit.files.len(),
            end: EventTime::from_effective(commit.clock.start_of(commit.end_tick)),
            committed_at: commit.committed_at,
        }
    }
}

/// Columns of a row.
struct Row {
    commit_id: u64,
    first_tick: Tick,
    end_tick: Tick,
    rows: u64,
    files: u64,
    configuration: String,
    committed_at: Option<EventTime>,
    hash: String,
    previous_hash: String,
}

impl Row {
    fn of(commit: Commit) -> Self {
        let (rows, files) = (commit.rows(), commit.files.len() as u64);
        let Commit { commit_id, first_tick, end_tick, configuration, committed_at, hash, previous_hash, .. } = commit;
        Self { commit_id, first_tick, end_tick, rows, files, configuration, committed_at, hash, previous_hash }
    }
}

fn columns(commits: &[Row]) -> Result<RecordBatch, ArrowError> {
    let numbers = |of: fn(&Row) -> u64| -> Arc<Int64Array> {
        Arc::new(commits.iter().map(|commit| Some(i64::try_from(of(commit)).unwrap_or(i64::MAX))).collect())
    };
    let texts = |of: fn(&Row) -> &str| -> Arc<StringArray> { Arc::new(commits.iter().map(|commit| Some(of(commit))).collect()) };
    let times: TimestampNanosecondArray = commits.iter().map(|commit| commit.committed_at.map(EventTime::nanos)).collect();
    RecordBatch::try_new(
        schema(),
        vec![
            numbers(|commit| commit.commit_id),
            numbers(|commit| commit.end_tick.get().saturating_sub(commit.first_tick.get())),
            numbers(|commit| commit.first_tick.get()),
            numbers(|commit| commit.end_tick.get()),
            numbers(|commit| commit.rows),
            numbers(|commit| commit.files),
            texts(|commit| &commit.configuration),
            Arc::new(times.with_timezone("UTC")),
            texts(|commit| &commit.hash),
            texts(|commit| &commit.previous_hash),
        ],
    )
}
