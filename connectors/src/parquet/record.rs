//! The commit record: one JSON file per commit, which names everything that exists.
//!
//! `commits/<n>.json` lists the files that commit `n` added, with their rows, bytes and SHA-256, and for every partition
//! where reading goes on. Records are chained: each holds its predecessor's hash, so that no commit can be removed or
//! changed unseen; [`Head`] names the last one. `committed_at` is outside the hash: it is the one thing that differs when a run is repeated.
//!
//! What exists at a commit is what it and those before it added, without what any of them `replaced` (its rows are in files that
//! the same commit adds) or `dropped` (its rows are older than the table's retention).

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The version of the layout that this program writes.
pub const FORMAT_VERSION: u32 = 7;

/// What `previous_hash` is in the first commit.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// One commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommitRecord {
    /// The layout's version.
    pub format_version: u32,
    /// Counts from 1, without gaps.
    pub commit_id: u64,
    /// The first tick that the commit holds.
    pub first_tick: u64,
    /// The tick behind the last one that it holds.
    pub end_tick: u64,
    /// The time that the next run goes on from, in nanoseconds since the epoch: of the last commit of a run the greatest clock, and
    /// of any other the beginning of `end_tick`.
    pub end_clock_ns: u64,
    /// Nanoseconds in a tick.
    pub tick_interval_ns: u64,
    /// Nanoseconds between grid points of valuations, where commits close.
    pub grid_interval_ns: u64,
    /// How many workers wrote it.
    pub workers: u32,
    /// The configuration that its rows were made with: the hash of a file ([`super::configuration`]).
    pub configuration: String,
    /// Whether it was the last commit of its run. No segment is live after it.
    pub ends_run: bool,
    /// The files it adds, ordered by path.
    pub files: Vec<CommittedFile>,
    /// The names ([`CommittedFile::name`]) of files of earlier commits whose rows are in files that this one adds, ordered.
    pub replaced: Vec<String>,
    /// The names of files of earlier commits whose rows are let go: older than their table's retention. Ordered.
    pub dropped: Vec<String>,
    /// Where reading goes on, ordered by topic and partition.
    pub partitions: Vec<PartitionProgress>,
    /// What was missing of the topics when the run began, and was accepted; in its first commit.
    pub gaps: Vec<Gap>,
    /// The hash of the commit before, [`GENESIS`] for the first.
    pub previous_hash: String,
    /// SHA-256 over the record's JSON with `hash` and `committed_at` empty.
    pub hash: String,
    /// When the record was written (RFC 3339, wall clock). Outside the hash.
    pub committed_at: String,
}

/// Which of a table's data sets a file belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileRole {
    /// Rows of an append table.
    Rows,
    /// Of a checkpoint, the rows of the keys that changed: `change` is 1 for the key's row now, -1 for a key that is gone. Of a
    /// checkpoint or a state table, all current rows, if the file is whole.
    State,
    /// Of a state table, a row for each change, under `<table>_history`: `change` is 1 with what the key's row is from then on, -1
    /// with the last row of a key that is gone. What a row was before a change is the row before it of the same key.
    History,
}

/// What a file holds that was made of others: the rows of a range of commits, none of them its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Merged {
    /// The first commit.
    pub first: u64,
    /// The last one.
    pub last: u64,
    /// Of rows of a state table: whether these are all its rows as of the last commit, so that nothing older counts.
    pub whole: bool,
}

/// Where the rows of a table lie in a segment, which holds those of several tables.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// The offset of the first byte.
    pub begin: u64,
    /// The day, as the folder of a Parquet file has it in its name.
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
    /// Of a file that was made of others: whose rows it holds. Always written: workers of other processes are told in a form
    /// without names.
    pub merged: Option<Merged>,
    /// Of a part of a segment: where it lies.
    pub part: Option<Part>,
    /// How many rows.
    pub rows: u64,
    /// How many bytes: of the file, or of the part.
    pub bytes: u64,
    /// SHA-256 of those bytes, in hexadecimal.
    pub sha256: String,
}

/// What a file is called where commits replace or drop it: its path, and of a part the offset of its first byte after `@`.
pub(super) fn file_name<'a>(path: &'a str, part: Option<&Part>) -> Cow<'a, str> {
    part.map_or(Cow::Borrowed(path), |part| Cow::Owned(format!("{path}@{}", part.begin)))
}

impl CommittedFile {
    /// What it is called where commits replace or drop it.
    pub fn name(&self) -> Cow<'_, str> {
        file_name(&self.path, self.part.as_ref())
    }
}

/// Where reading of a partition goes on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartitionProgress {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: u16,
    /// The first offset whose record is not in the commit: its tick is `end_tick` or later, or it was not there yet.
    pub offset: u64,
    /// The clock that the records before that offset tell, in nanoseconds since the epoch. Behind this commit no clock is
    /// below `end_clock_ns`, whatever they tell.
    pub clock: u64,
    /// How many records of the partition were accepted before that offset.
    pub sequence: u64,
    /// The hash of the last of them in `audit`; [`GENESIS`] before the first.
    pub audit_hash: String,
    /// A digest of what lies before that offset, where it can be changed: in the files of a log. Always written.
    pub fingerprint: Option<String>,
}

/// Records of a partition that were gone when a run began, and that it was told to go on without.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gap {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: u16,
    /// The offset at which the commit before goes on.
    pub from: u64,
    /// The offset that was read first instead; none if the partition is gone.
    pub to: Option<u64>,
}

/// What exists at a commit, so that the records up to it need not be read: `commits/<n>.files.json`. It follows from them, and
/// is written anew now and then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inventory {
    /// The layout's version.
    pub format_version: u32,
    /// The commit's record.
    pub record: CommitRecord,
    /// All files that exist, in the order of the commits that added them, each with that commit.
    pub files: Vec<(u64, CommittedFile)>,
    /// By table (a history under its own name): the last commit of which something was dropped.
    pub dropped: BTreeMap<String, u64>,
    /// SHA-256 over the JSON of all that with `hash` empty.
    pub hash: String,
}

impl Inventory {
    /// The hash that it should have.
    pub fn expected_hash(&self) -> Result<String, serde_json::Error> {
        Ok(hex(&Sha256::digest(serde_json::to_vec(&Self { hash: String::new(), ..self.clone() })?)))
    }
}

/// The end of the chain, as it was published last: so that a tail that was cut off is seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// The last commit.
    pub commit_id: u64,
    /// Its hash.
    pub hash: String,
}

impl CommitRecord {
    /// The hash that the record should have.
    pub fn expected_hash(&self) -> Result<String, serde_json::Error> {
        let content = Self { hash: String::new(), committed_at: String::new(), ..self.clone() };
        // Fields are written in the order of their declaration, without spaces: one text for one content.
        Ok(hex(&Sha256::digest(serde_json::to_vec(&content)?)))
    }

    /// How many rows it adds, over all files. Rows that were merged are not new.
    pub fn rows(&self) -> u64 {
        self.files.iter().filter(|file| file.merged.is_none()).map(|file| file.rows).sum()
    }
}

/// Bytes as lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
