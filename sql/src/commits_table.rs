//! The table `commits`: one row per commit record.

use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch, StringArray, TimestampNanosecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use headwater_connectors::parquet::chain::Commit;
use headwater_schemas::EventTime;

/// What a row is.
pub(crate) const ABOUT: &str = "a commit: a range of ticks of all tables at once";

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
        Field::new("committed_at", time, true),
        Field::new("hash", DataType::Utf8, false),
        Field::new("previous_hash", DataType::Utf8, false),
    ]))
}

/// The rows of `commits`.
pub(crate) fn batch(commits: &[Arc<Commit>]) -> Result<RecordBatch, ArrowError> {
    let numbers = |of: fn(&Commit) -> u64| -> Arc<Int64Array> {
        Arc::new(commits.iter().map(|commit| Some(i64::try_from(of(commit)).unwrap_or(i64::MAX))).collect())
    };
    let texts = |of: fn(&Commit) -> &str| -> Arc<StringArray> { Arc::new(commits.iter().map(|commit| Some(of(commit))).collect()) };
    let times: TimestampNanosecondArray = commits.iter().map(|commit| commit.committed_at.map(EventTime::nanos)).collect();
    RecordBatch::try_new(
        schema(),
        vec![
            numbers(|commit| commit.commit_id),
            numbers(|commit| commit.end_tick.saturating_sub(commit.first_tick)),
            numbers(|commit| commit.first_tick),
            numbers(|commit| commit.end_tick),
            numbers(Commit::rows),
            numbers(|commit| commit.files.len() as u64),
            Arc::new(times.with_timezone("UTC")),
            texts(|commit| &commit.hash),
            texts(|commit| &commit.previous_hash),
        ],
    )
}
