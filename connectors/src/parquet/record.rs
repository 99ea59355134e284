//! The commit record: one JSON file for each commit, which names everything that exists.
//!
//! `commits/<n>.json` lists the files that commit `n` added, with their rows, bytes and SHA-256, and for every partition the offset
//! at which reading continues. Records are chained: each has the hash of its predecessor, so a commit that is removed or changed is
//! detected. [`Head`] names the last record. `committed_at` is outside the hash, because a replay has another one.
//!
//! A file exists at a commit if that commit or an earlier one added it, and none of them `replaced` it (its rows are in files of the
//! same commit) or `dropped` it (its rows are older than the table's retention).

use std::borrow::Cow;
use std::collections::BTreeMap;

use headwater_schemas::{Clock, Digest, EffectiveTime, Nanos, Offset, Sequence, Tick};
use serde::{Deserialize, Serialize};

/// Version of the layout that this program writes.
pub const FORMAT_VERSION: u32 = 13;

/// `previous_hash` of the first commit.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// One commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommitRecord {
    /// The layout's version.
    pub format_version: u32,
    /// Number of the commit, from 1 without gaps.
    pub commit_id: u64,
    /// The first tick that the commit holds.
    pub first_tick: Tick,
    /// The tick after the last one that it holds.
    pub end_tick: Tick,
    /// Time at which the next run continues, in nanoseconds since the epoch. In the last commit of a run it is the greatest clock, in
    /// any other the beginning of `end_tick`.
    pub end_clock_ns: EffectiveTime,
    /// Nanoseconds in a tick.
    pub tick_interval_ns: Nanos,
    /// Nanoseconds between grid points of valuations, where commits close.
    pub grid_interval_ns: Nanos,
    /// How many workers wrote it.
    pub workers: u32,
    /// Hash of the configuration that its rows were made with, which is a file ([`super::configuration`]).
    pub configuration: String,
    /// Whether it was the last commit of its run. After it no rows are in segments.
    pub ends_run: bool,
    /// The files it adds, ordered by path.
    pub files: Vec<CommittedFile>,
    /// Names ([`CommittedFile::name`]) of earlier files whose rows are in files that this commit adds, ordered.
    pub replaced: Vec<String>,
    /// Names of earlier files whose rows are older than their table's retention, ordered.
    pub dropped: Vec<String>,
    /// Offsets and clocks at which reading continues, ordered by topic and partition.
    pub partitions: Vec<PartitionProgress>,
    /// Records that were missing when the run began and were accepted as gaps. Only in the first commit of a run.
    pub gaps: Vec<Gap>,
    /// The hash of the commit before, [`GENESIS`] for the first.
    pub previous_hash: String,
    /// SHA-256 over the record's JSON with `hash` and `committed_at` empty.
    pub hash: String,
    /// When the record was written (RFC 3339, wall clock). Outside the hash.
    pub committed_at: String,
}

/// Data set of a table that a file belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileRole {
    /// Rows of an append table.
    Rows,
    /// Rows of a checkpoint's keys that changed: `change` is 1 with the row from then on, -1 with the last row of a removed key. If the
    /// file is whole, all current rows of a checkpoint or a state table.
    State,
    /// Changes of a state table, one row each, under `<table>_history`: `change` is 1 with the row from then on, -1 with the last row
    /// of a removed key. The row before a change is the key's previous row.
    History,
}

/// Contents of a merged file: rows of a range of earlier commits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Merged {
    /// The first commit.
    pub first: u64,
    /// The last one.
    pub last: u64,
    /// Whether the file has all current rows of a state table or checkpoint as of the last commit. Older files then do not count.
    pub whole: bool,
}

/// Location of a table's rows in a segment, which holds rows of several tables.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Offset of the first byte.
    pub begin: u64,
    /// Day, written like in the folder of a Parquet file.
    pub day: String,
}

/// The rows of one table and day: a Parquet file, or a part of a segment, which is read and replaced as a file is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommittedFile {
    /// The path below the data directory, with `/` between its components:
    /// `<table>/date=YYYY-MM-DD/<commit>-<worker>.parquet`, or `<commit>-merged-<number>.parquet`; of a part
    /// `segments/<commit>-<worker>.segment`.
    pub path: String,
    /// The table, without `_history`.
    pub table: String,
    /// Which of the table's data sets.
    pub role: FileRole,
    /// Contents of a merged file. Always written, because the form that goes to other processes has no field names.
    pub merged: Option<Merged>,
    /// Location of a part in its segment; none for a Parquet file.
    pub part: Option<Part>,
    /// How many rows.
    pub rows: u64,
    /// How many bytes: of the file, or of the part.
    pub bytes: u64,
    /// SHA-256 of those bytes, in hexadecimal.
    pub sha256: String,
}

/// Name of a file in `replaced` and `dropped`: its path, and for a part `@` and the offset of its first byte.
pub(super) fn file_name<'a>(path: &'a str, part: Option<&Part>) -> Cow<'a, str> {
    part.map_or(Cow::Borrowed(path), |part| Cow::Owned(format!("{path}@{}", part.begin)))
}

impl CommittedFile {
    /// Name of the file in `replaced` and `dropped`.
    pub fn name(&self) -> Cow<'_, str> {
        file_name(&self.path, self.part.as_ref())
    }
}

/// Offset and clock at which reading of a partition continues.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartitionProgress {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: u16,
    /// First offset whose record is not in the commit, because its tick is `end_tick` or later or because it was not there yet.
    pub offset: Offset,
    /// Clock after the records before that offset, in nanoseconds since the epoch. A run that continues after this commit begins no
    /// clock below `end_clock_ns`.
    pub clock: EffectiveTime,
    /// Number of accepted records of the partition before that offset.
    pub sequence: Sequence,
    /// Hash of the last accepted record in `audit`; [`GENESIS`] if there is none.
    pub audit_hash: String,
    /// What the content before that offset is recognized by: of a file of a log, which can be changed, a digest of its bytes; of Kafka the
    /// last record (`LastRecord`), none before the first. Always written.
    pub fingerprint: Option<String>,
}

/// Missing records of a partition that a run was told to accept (`--accept-gaps`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gap {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: u16,
    /// Offset at which reading should have continued.
    pub from: Offset,
    /// Offset at which reading continued instead; none if the partition is gone.
    pub to: Option<Offset>,
}

/// Files that exist at a commit: `commits/<n>.files.json`. It follows from the records up to that commit, saves reading them, and is
/// rewritten from time to time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inventory {
    /// The layout's version.
    pub format_version: u32,
    /// The commit's record.
    pub record: CommitRecord,
    /// All files that exist, each with the commit that added it, in the order of those commits.
    pub files: Vec<(u64, CommittedFile)>,
    /// Last commit of which rows were dropped, by table (a history under its own name).
    pub dropped: BTreeMap<String, u64>,
    /// SHA-256 over the inventory's JSON with `hash` empty.
    pub hash: String,
}

impl Inventory {
    /// Hash that the inventory should have.
    pub fn expected_hash(&self) -> Result<String, serde_json::Error> {
        Ok(Digest::sha256(serde_json::to_vec(&Self { hash: String::new(), ..self.clone() })?).to_string())
    }
}

/// Last commit that was published, so that records removed from the end of the chain are detected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// The last commit.
    pub commit_id: u64,
    /// Its hash.
    pub hash: String,
}

impl CommitRecord {
    /// Tick and grid intervals.
    pub const fn clock(&self) -> Clock {
        Clock::new(self.tick_interval_ns, self.grid_interval_ns)
    }

    /// Hash that the record should have.
    pub fn expected_hash(&self) -> Result<String, serde_json::Error> {
        let content = Self { hash: String::new(), committed_at: String::new(), ..self.clone() };
        // Fields are written in the order of their declaration, without spaces: one text for one content.
        Ok(Digest::sha256(serde_json::to_vec(&content)?).to_string())
    }

    /// Number of new rows in all files. Rows of merged files are not new.
    pub fn rows(&self) -> u64 {
        self.files.iter().filter(|file| file.merged.is_none()).map(|file| file.rows).sum()
    }
}
