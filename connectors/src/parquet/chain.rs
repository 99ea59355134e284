//! The chain of commits: which files exist.
//!
//! Records are read from 1 without gaps ([`super::records`] finds them). Each must have the hash that it names, and its
//! predecessor's. Table folders are never listed: a file that no record names does not exist.
//!
//! An inventory lists all files that exist at a commit. A chain is opened from the newest inventory; only `verify` reads from the
//! first commit.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use headwater_schemas::{Clock, Date, EffectiveTime, EventTime, Tick};

use super::commit::ChainEnd;
use super::directory::{dataset, head_path, record_path};
use super::record::{CommittedFile, FileRole, GENESIS, Head, Merged, Part, PartitionProgress, file_name};
use super::records::{Records, keep, keep_file};
use crate::fault::{Cause, Fault, with_causes};

/// A commit, as described by its record.
#[derive(Debug)]
pub struct Commit {
    /// Counts from 1.
    pub commit_id: u64,
    /// The first tick in the commit.
    pub first_tick: Tick,
    /// The tick after the last one in the commit.
    pub end_tick: Tick,
    /// The time at which the next run continues.
    pub end_clock: EffectiveTime,
    /// Tick and grid intervals.
    pub clock: Clock,
    /// Hash of the configuration of its run.
    pub configuration: String,
    /// Wall clock at publication.
    pub committed_at: Option<EventTime>,
    /// Its hash.
    pub hash: String,
    /// The hash of the previous commit.
    pub previous_hash: String,
    /// Where reading resumes after it.
    pub partitions: Vec<PartitionProgress>,
    /// Whether it was the last commit of its run.
    pub ends_run: bool,
    /// The files that it adds.
    pub files: Vec<Arc<CommitFile>>,
    /// Names of earlier files whose rows were merged into the added files.
    pub replaced: Vec<String>,
    /// Names of earlier files whose rows were dropped.
    pub dropped: Vec<String>,
}

impl Commit {
    /// The number of rows that it adds, over all files. Merged rows are not new.
    pub fn rows(&self) -> u64 {
        self.files.iter().filter(|file| file.merged.is_none()).map(|file| file.rows).sum()
    }
}

/// A file that a commit added, or a part of one.
#[derive(Debug)]
pub struct CommitFile {
    /// The commit.
    pub commit_id: u64,
    /// The table, without `_history`.
    pub table: Box<str>,
    /// Which of the table's data sets the file belongs to.
    pub role: FileRole,
    /// For a merged file: which commits' rows it holds.
    pub merged: Option<Merged>,
    /// Path below the data directory.
    pub path: Box<str>,
    /// The day of all rows' `ts`; for a journal or checkpoint, of the newest row. None if the date has no four-digit year.
    pub date: Option<Date>,
    /// For a part of a segment: its position in the segment.
    pub part: Option<Part>,
    /// Number of rows.
    pub rows: u64,
    /// Length in bytes of the file, or of the part.
    pub bytes: u64,
    /// SHA-256 of those bytes, in hexadecimal.
    pub sha256: Box<str>,
}

impl CommitFile {
    /// The file in the form of a record.
    pub(super) fn committed(&self) -> CommittedFile {
        CommittedFile {
            path: self.path.to_string(),
            table: self.table.to_string(),
            role: self.role,
            merged: self.merged,
            part: self.part.clone(),
            rows: self.rows,
            bytes: self.bytes,
            sha256: self.sha256.to_string(),
        }
    }

    /// The first commit whose rows it holds.
    pub fn first_commit(&self) -> u64 {
        self.merged.map_or(self.commit_id, |merged| merged.first)
    }

    /// The last commit whose rows it holds.
    pub fn last_commit(&self) -> u64 {
        self.merged.map_or(self.commit_id, |merged| merged.last)
    }

    /// Whether it holds all rows of a state table, as of its last commit.
    pub fn is_whole(&self) -> bool {
        self.merged.is_some_and(|merged| merged.whole)
    }

    /// The name by which commits replace or drop it.
    pub fn name(&self) -> Cow<'_, str> {
        file_name(&self.path, self.part.as_ref())
    }

    /// The name of the table, or of its history, which has retention of its own.
    pub fn dataset(&self) -> String {
        dataset(&self.table, self.role)
    }

    /// The day in the form that the folder name of a Parquet file has.
    pub fn day(&self) -> &str {
        let of_folder = || self.path.split('/').nth(1).and_then(|folder| folder.strip_prefix("date=")).unwrap_or_default();
        self.part.as_ref().map_or_else(of_folder, |part| &part.day)
    }
}

/// Files that a commit removed from the live ones.
#[derive(Clone, Debug, Default)]
pub struct Gone {
    /// Number of files and parts of segments.
    pub count: usize,
    /// Paths without live rows. A segment is among them once its last part is removed.
    pub paths: Vec<Box<str>>,
}

/// The files that exist.
#[derive(Clone, Debug, Default)]
pub struct Live {
    files: Vec<Arc<CommitFile>>,
    dropped: BTreeMap<String, u64>,
}

impl Live {
    /// The files of an inventory with the commits that added them, or what is wrong with the inventory.
    pub(super) fn of(files: Vec<(u64, CommittedFile)>, dropped: BTreeMap<String, u64>) -> Result<Self, String> {
        let files = files.into_iter().map(|(commit_id, file)| keep_file(file, commit_id).map(Arc::new));
        Ok(Self { files: files.collect::<Result<_, _>>()?, dropped })
    }

    /// The files, in the order of the commits that added them.
    pub fn files(&self) -> &[Arc<CommitFile>] {
        &self.files
    }

    /// By table (a history under its own name): the last commit that dropped rows of it.
    pub const fn dropped(&self) -> &BTreeMap<String, u64> {
        &self.dropped
    }

    /// Applies the next commit and returns the files that it removes.
    pub fn apply(&mut self, commit: &Commit) -> Gone {
        let dropped: BTreeSet<&str> = commit.dropped.iter().map(String::as_str).collect();
        let replaced: BTreeSet<&str> = commit.replaced.iter().map(String::as_str).collect();
        let mut gone = Vec::new();
        if !(dropped.is_empty() && replaced.is_empty()) {
            let is_gone = |file: &mut Arc<CommitFile>| {
                let name = file.name();
                dropped.contains(&*name) || replaced.contains(&*name)
            };
            gone.extend(self.files.extract_if(.., is_gone));
        }
        for file in gone.iter().filter(|file| dropped.contains(&*file.name())) {
            let last = self.dropped.entry(file.dataset()).or_default();
            *last = file.last_commit().max(*last);
        }
        let gone = Gone { count: gone.len(), paths: self.without_live(&gone) };
        self.files.extend(commit.files.iter().cloned());
        gone
    }

    /// The paths of removed files, except segments with a live part.
    fn without_live(&self, gone: &[Arc<CommitFile>]) -> Vec<Box<str>> {
        let mut paths: BTreeSet<&str> = gone.iter().map(|file| &*file.path).collect();
        if gone.iter().any(|file| file.part.is_some()) {
            for file in &self.files {
                paths.remove(&*file.path);
            }
        }
        paths.into_iter().map(Box::from).collect()
    }
}

/// Why the commits cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// The data directory does not exist.
    #[error("there is no data directory {path}; give with --data the folder that `headwater run` or `headwater demo` writes")]
    NoDataDirectory {
        /// The folder.
        path: PathBuf,
    },
    /// The requested commit does not exist yet.
    #[error("there is no commit {at} in {data}: the last one is {last}; ask for one up to {last}, or for none to have the newest")]
    BeyondLast {
        /// The data directory.
        data: PathBuf,
        /// The requested commit.
        at: u64,
        /// The last commit.
        last: u64,
    },
    /// A record is missing although a later one exists.
    #[error(
        "{path} is missing although commit {later} is there: restore the file from a copy, or query what came before, at commit {before}"
    )]
    Gap {
        /// The missing record.
        path: PathBuf,
        /// A later commit that exists.
        later: u64,
        /// The last commit before the gap.
        before: u64,
    },
    /// A file or folder cannot be read.
    #[error("{path} cannot be read")]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// The error of the operating system.
        #[source]
        cause: std::io::Error,
    },
    /// A record differs from what was written.
    #[error("{path} is damaged: {problem}; restore the file from a copy, or query what came before, at commit {before}")]
    Damaged {
        /// The record.
        path: PathBuf,
        /// What is wrong.
        problem: String,
        /// The error that revealed it.
        #[source]
        cause: Option<Cause>,
        /// The commit before it.
        before: u64,
    },
    /// A record has a newer layout.
    #[error(
        "{path} has format_version {found}, and this program reads {known}: use the version of headwater that wrote it, or a newer one"
    )]
    UnknownVersion {
        /// The record.
        path: PathBuf,
        /// The record's version.
        found: u64,
        /// The version that this program reads.
        known: u32,
    },
    /// A record has an older layout.
    #[error(
        "{path} has format_version {found}, which this program does not read (it reads {known}): replay the topics into a new directory with `headwater replay --source … --out <new directory>`, or use the version of headwater that wrote it"
    )]
    OlderVersion {
        /// The record.
        path: PathBuf,
        /// The record's version.
        found: u64,
        /// The version that this program reads.
        known: u32,
    },
    /// The last records of the chain are missing.
    #[error(
        "{path} says that commit {commit_id} was published, and the last record is that of commit {last}: restore the records from a copy"
    )]
    Tail {
        /// The file that names the last commit.
        path: PathBuf,
        /// The commit it names.
        commit_id: u64,
        /// The last commit that exists.
        last: u64,
    },
    /// The inventory differs from what was written.
    #[error("{path} is damaged: {problem}; restore it from a copy, or remove it: the records hold the same, and are read instead")]
    Inventory {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// The error that revealed it.
        #[source]
        cause: Option<Cause>,
    },
    /// The file that names the end of the chain is damaged.
    #[error("{path} {problem}: restore it from a copy")]
    Head {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// The error that revealed it.
        #[source]
        cause: Option<Cause>,
    },
}

impl ChainError {
    /// A damaged record; the commit before it can still be queried.
    pub(super) fn damaged(path: &Path, before: u64, fault: impl Into<Fault>) -> Self {
        let Fault { problem, cause } = fault.into();
        Self::Damaged { path: path.to_owned(), problem, cause, before }
    }

    /// A damaged inventory.
    pub fn inventory(path: &Path, fault: impl Into<Fault>) -> Self {
        let Fault { problem, cause } = fault.into();
        Self::Inventory { path: path.to_owned(), problem, cause }
    }

    fn head(path: &Path, fault: impl Into<Fault>) -> Self {
        let Fault { problem, cause } = fault.into();
        Self::Head { path: path.to_owned(), problem, cause }
    }
}

/// The commits of a data directory.
#[derive(Clone, Debug)]
pub struct Chain {
    records: Records,
    /// All commits that were read; for a chain that only follows new commits, the last two.
    commits: Vec<Arc<Commit>>,
    keeps_all: bool,
    /// The requested commit; later ones only tell which files hold its rows now.
    at: Option<u64>,
    live: Live,
    /// The commit of the inventory that the chain was opened from; 0 for none.
    inventory: u64,
    /// Files removed since the inventory, by the commit that removed them.
    gone: Vec<(u64, Vec<Box<str>>)>,
}

impl Chain {
    /// Opens the chain at its end, or to query the state at a commit.
    pub fn open(data: &Path, at: Option<u64>) -> Result<Self, ChainError> {
        let (mut chain, last) = Self::begin(data, false)?;
        if let Some(at) = at.filter(|at| *at > last) {
            return Err(ChainError::BeyondLast { data: data.to_owned(), at, last });
        }
        chain.at = at;
        chain.read_up_to(at.unwrap_or(last), last)?;
        match chain.read_up_to(last, last) {
            // Damage after the requested commit does not concern it.
            Err(error) if at.is_some() => {
                tracing::warn!(error = with_causes(&error), "damage after the requested commit, which it does not affect")
            }
            result => result?,
        }
        Ok(chain)
    }

    /// Reads and keeps every commit from the first on.
    pub fn open_whole(data: &Path) -> Result<Self, ChainError> {
        let (mut chain, last) = Self::begin(data, true)?;
        chain.read_up_to(last, last)?;
        Ok(chain)
    }

    /// The chain with nothing read but the inventory, and the number of the last commit.
    fn begin(data: &Path, keeps_all: bool) -> Result<(Self, u64), ChainError> {
        if !data.is_dir() {
            return Err(ChainError::NoDataDirectory { path: data.to_owned() });
        }
        let records = Records::new(data);
        let last = records.last()?;
        let (commits, live, gone) = (Vec::new(), Live::default(), Vec::new());
        let mut chain = Self { records, commits, keeps_all, at: None, live, inventory: 0, gone };
        if let Some(inventory) = if keeps_all { None } else { chain.records.inventory()? } {
            chain.inventory = inventory.record.commit_id;
            let path = record_path(data, chain.inventory);
            let damaged = |problem: String| ChainError::damaged(&path, 0, problem);
            chain.live = Live::of(inventory.files, inventory.dropped).map_err(damaged)?;
            chain.commits.push(Arc::new(keep(inventory.record).map_err(damaged)?));
        }
        Ok((chain, last))
    }

    fn read_up_to(&mut self, end: u64, last: u64) -> Result<(), ChainError> {
        while self.read_id() < end {
            if !self.read_next()? {
                let path = record_path(self.data(), self.read_id() + 1);
                return Err(ChainError::Gap { path, later: last, before: self.read_id() });
            }
        }
        Ok(())
    }

    /// Reads the new commits; true if there were any.
    pub fn extend(&mut self) -> Result<bool, ChainError> {
        let before = self.read_id();
        while self.read_next()? {}
        Ok(self.read_id() > before)
    }

    /// The number of the last commit that was read.
    fn read_id(&self) -> u64 {
        self.commits.last().map_or(0, |commit| commit.commit_id)
    }

    /// The number of the last commit, or of the requested one; 0 if there is none.
    pub fn last_id(&self) -> u64 {
        self.at.unwrap_or_else(|| self.read_id())
    }

    /// The data directory.
    pub fn data(&self) -> &Path {
        self.records.data()
    }

    /// The commits, oldest first: all if the chain was opened whole, and otherwise the last ones.
    pub fn commits(&self) -> &[Arc<Commit>] {
        &self.commits
    }

    /// The files that exist, including those of commits after the requested one.
    pub const fn live(&self) -> &Live {
        &self.live
    }

    /// The commit of the inventory that the chain was opened from; 0 for none.
    pub const fn inventory(&self) -> u64 {
        self.inventory
    }

    /// Paths that have lost their last live rows since that inventory, by the commit whose upkeep replaced or dropped the rows.
    /// The files may still exist.
    pub fn gone(&self) -> &[(u64, Vec<Box<str>>)] {
        &self.gone
    }

    /// The last commit, if there is one.
    pub fn end(&self) -> Option<ChainEnd> {
        let last = self.commits.last()?;
        Some(ChainEnd { commit_id: last.commit_id, hash: last.hash.clone(), end_tick: last.end_tick, end_clock: last.end_clock })
    }

    /// Compares the end of the chain with `HEAD`. `HEAD` is written after the record, so it may lag by one commit but is never
    /// ahead.
    pub fn check_tail(&self) -> Result<(), ChainError> {
        let path = head_path(self.data());
        let last = self.last_id();
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound && last <= 1 => return Ok(()),
            Err(error) => return Err(ChainError::head(&path, Fault::unreadable(error))),
        };
        let head: Head = serde_json::from_slice(&text).map_err(|error| ChainError::head(&path, Fault::shown_by("is damaged", error)))?;
        if head.commit_id > last {
            return Err(ChainError::Tail { path, commit_id: head.commit_id, last });
        }
        let known = self.commits.iter().find(|commit| commit.commit_id == head.commit_id).map(|commit| commit.hash.clone());
        let hash = match known {
            Some(hash) => Some(hash),
            None => self.records.clone().read(head.commit_id)?.map(|commit| commit.hash),
        };
        match hash.filter(|hash| *hash != head.hash) {
            Some(hash) => {
                let problem = format!("says that commit {} has the hash {}, and its record says {hash}", head.commit_id, head.hash);
                Err(ChainError::head(&path, problem))
            }
            None => Ok(()),
        }
    }

    fn read_next(&mut self) -> Result<bool, ChainError> {
        let commit_id = self.read_id() + 1;
        let Some(commit) = self.records.read(commit_id)? else { return Ok(false) };
        let previous = self.commits.last().map_or(GENESIS, |commit| &commit.hash);
        if commit.previous_hash != previous {
            let problem = format!("its previous_hash {} is not the hash of the commit before, {previous}", commit.previous_hash);
            return Err(ChainError::damaged(&record_path(self.data(), commit_id), commit_id - 1, problem));
        }
        let gone = self.live.apply(&commit);
        if gone.count != commit.replaced.len() + commit.dropped.len() {
            let problem = "it takes the place of files that were not there";
            return Err(ChainError::damaged(&record_path(self.data(), commit_id), commit_id - 1, problem));
        }
        if !gone.paths.is_empty() {
            self.gone.push((commit_id, gone.paths));
        }
        self.commits.push(Arc::new(commit));
        if !self.keeps_all && self.commits.len() > 2 {
            self.commits.remove(0);
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use headwater_schemas::Nanos;

    use super::*;
    use crate::parquet::record::{CommitRecord, FORMAT_VERSION};
    use crate::parquet::records::keep;

    fn part(commit_id: u64, begin: u64) -> CommittedFile {
        CommittedFile {
            path: format!("segments/{commit_id}-0.segment"),
            table: "t".to_owned(),
            role: FileRole::Rows,
            merged: None,
            part: Some(Part { begin, day: "2026-01-01".to_owned() }),
            rows: 1,
            bytes: 10,
            sha256: String::new(),
        }
    }

    fn commit(commit_id: u64, files: Vec<CommittedFile>, replaced: &[&str], dropped: &[&str]) -> Commit {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        keep(CommitRecord {
            format_version: FORMAT_VERSION,
            commit_id,
            first_tick: Tick::new(commit_id - 1),
            end_tick: Tick::new(commit_id),
            end_clock_ns: EffectiveTime::new(commit_id),
            tick_interval_ns: Nanos::new(1),
            grid_interval_ns: Nanos::new(1),
            workers: 1,
            configuration: String::new(),
            ends_run: false,
            files,
            replaced: names(replaced),
            dropped: names(dropped),
            partitions: Vec::new(),
            gaps: Vec::new(),
            previous_hash: String::new(),
            hash: String::new(),
            committed_at: String::new(),
        })
        .expect("a commit")
    }

    #[test]
    fn a_segment_goes_with_its_last_part() {
        let mut live = Live::default();
        live.apply(&commit(1, vec![part(1, 0), part(1, 10), part(1, 20)], &[], &[]));
        let gone = live.apply(&commit(2, vec![part(2, 0)], &["segments/1-0.segment@10"], &[]));
        assert_eq!((gone.count, gone.paths), (1, vec![]));
        let gone = live.apply(&commit(3, vec![], &["segments/1-0.segment@0"], &["segments/1-0.segment@20"]));
        assert_eq!((gone.count, gone.paths), (2, vec![Box::from("segments/1-0.segment")]));
        assert_eq!(live.files().iter().map(|file| file.name().into_owned()).collect::<Vec<_>>(), ["segments/2-0.segment@0"]);
        assert_eq!(live.dropped(), &BTreeMap::from([("t".to_owned(), 1)]));
    }
}
