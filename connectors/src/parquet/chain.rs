//! The chain of commits: what exists.
//!
//! Records are read from `<data>/commits/<n>.json`, n from 1 without gaps; each must have the hash that it says, and its
//! predecessor's. Table folders are never listed: a file that no record names does not exist.

use std::fs;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use headwater_schemas::{Date, EventTime};

use super::commit::ChainEnd;
use super::directory::{head_path, record_path};
use super::record::{CommitRecord, CommittedFile, FORMAT_VERSION, FileRole, GENESIS, Head, PartitionProgress};

/// A commit, as its record says.
#[derive(Debug)]
pub struct Commit {
    /// Counts from 1.
    pub commit_id: u64,
    /// The first tick that it holds.
    pub first_tick: u64,
    /// The tick behind the last one that it holds.
    pub end_tick: u64,
    /// Nanoseconds in a tick.
    pub tick_interval: u64,
    /// Nanoseconds between grid points.
    pub grid_interval: u64,
    /// When it was published; the wall clock.
    pub committed_at: Option<EventTime>,
    /// Its hash.
    pub hash: String,
    /// The hash of the one before.
    pub previous_hash: String,
    /// Where reading goes on behind it.
    pub partitions: Vec<PartitionProgress>,
    /// The files that it adds.
    pub files: Vec<Arc<CommitFile>>,
}

impl Commit {
    /// How many rows it adds, over all files.
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }
}

/// A file that a commit added.
#[derive(Debug)]
pub struct CommitFile {
    /// The commit.
    pub commit_id: u64,
    /// The table, without `_history`.
    pub table: Box<str>,
    /// Which of the table's data sets.
    pub role: FileRole,
    /// If it holds the whole table: as of which commit.
    pub whole: Option<u64>,
    /// Below the data directory.
    pub path: Box<str>,
    /// The day on which all its rows' `ts` are, or of a journal or checkpoint the newest; unknown for a day that has no four-digit name.
    pub date: Option<Date>,
    /// How many rows.
    pub rows: u64,
    /// How many bytes.
    pub bytes: u64,
    /// SHA-256 of the content, in hexadecimal.
    pub sha256: Box<str>,
}

/// Why the commits cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// The folder is not there.
    #[error("there is no data directory {path}; give with --data the folder that `headwater run` or `headwater demo` writes")]
    NoDataDirectory {
        /// The folder.
        path: PathBuf,
    },
    /// A commit was asked for that is not there yet.
    #[error("there is no commit {at} in {data}: the last one is {last}; give --at at most {last}, or leave it out for the newest")]
    BeyondLast {
        /// The data directory.
        data: PathBuf,
        /// The commit asked for.
        at: u64,
        /// The last commit.
        last: u64,
    },
    /// A record is missing, although a later one is there.
    #[error(
        "{path} is missing although commit {later} is there: restore the file from a copy, or query what came before with --at {before}"
    )]
    Gap {
        /// The missing record.
        path: PathBuf,
        /// A commit that is there.
        later: u64,
        /// The last commit of the whole chain.
        before: u64,
    },
    /// A file or folder cannot be read.
    #[error("{path} cannot be read: {cause}")]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        cause: std::io::Error,
    },
    /// A record is not what its writer wrote.
    #[error("{path} is damaged: {cause}; restore the file from a copy, or query what came before with --at {before}")]
    Damaged {
        /// The record.
        path: PathBuf,
        /// What is wrong.
        cause: String,
        /// The commit before it.
        before: u64,
    },
    /// A record has a layout from the future, or of a program before the first release.
    #[error(
        "{path} has format_version {found}, and this program reads {known}: use the version of headwater that wrote it, or a newer one"
    )]
    UnknownVersion {
        /// The record.
        path: PathBuf,
        /// The version that it has.
        found: u64,
        /// The version that this program reads.
        known: u32,
    },
    /// The end of the chain is gone.
    #[error(
        "{path} says that commit {commit_id} was published, and the last record is that of commit {last}: restore the records from a copy"
    )]
    Tail {
        /// The file that says so.
        path: PathBuf,
        /// The commit it names.
        commit_id: u64,
        /// The last commit there is.
        last: u64,
    },
    /// What names the end of the chain is not as it was written.
    #[error("{path} {problem}: restore it from a copy")]
    Head {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
}

/// All commits of a data directory, as far as they were asked for.
#[derive(Clone, Debug)]
pub struct Chain {
    data: PathBuf,
    commits: Vec<Arc<Commit>>,
}

impl Chain {
    /// Reads the whole chain, or the part up to a commit.
    pub fn open(data: &Path, at: Option<u64>) -> Result<Self, ChainError> {
        if !data.is_dir() {
            return Err(ChainError::NoDataDirectory { path: data.to_owned() });
        }
        let last = last_listed(data)?;
        if let Some(at) = at.filter(|at| *at > last) {
            return Err(ChainError::BeyondLast { data: data.to_owned(), at, last });
        }
        let mut chain = Self { data: data.to_owned(), commits: Vec::new() };
        let end = at.unwrap_or(last);
        while chain.last_id() < end {
            if !chain.read_next()? {
                let path = record_path(data, chain.last_id() + 1);
                return Err(ChainError::Gap { path, later: last, before: chain.last_id() });
            }
        }
        Ok(chain)
    }

    /// Reads what came since; tells whether anything did.
    pub fn extend(&mut self) -> Result<bool, ChainError> {
        let before = self.last_id();
        while self.read_next()? {}
        Ok(self.last_id() > before)
    }

    /// The number of the last commit; 0 when there is none.
    pub fn last_id(&self) -> u64 {
        self.commits.last().map_or(0, |commit| commit.commit_id)
    }

    /// The data directory.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// The commits, oldest first.
    pub fn commits(&self) -> &[Arc<Commit>] {
        &self.commits
    }

    /// The files of state tables' and checkpoints' rows, oldest first.
    pub fn state_files(&self) -> Vec<Arc<CommitFile>> {
        let files = self.commits.iter().flat_map(|commit| &commit.files);
        files.filter(|file| file.role == FileRole::State).cloned().collect()
    }

    /// The last commit, if there is one.
    pub fn end(&self) -> Option<ChainEnd> {
        let last = self.commits.last()?;
        Some(ChainEnd { commit_id: last.commit_id, hash: last.hash.clone(), end_tick: last.end_tick })
    }

    /// Compares the end with what `HEAD` says. It is written behind the record, so it may be one commit behind, but never
    /// ahead.
    pub fn check_tail(&self) -> Result<(), ChainError> {
        let path = head_path(&self.data);
        let last = self.last_id();
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound && last <= 1 => return Ok(()),
            Err(error) => return Err(ChainError::Head { path, problem: format!("cannot be read ({error})") }),
        };
        let head: Head = serde_json::from_slice(&text)
            .map_err(|error| ChainError::Head { path: path.clone(), problem: format!("is damaged ({error})") })?;
        if head.commit_id > last {
            return Err(ChainError::Tail { path, commit_id: head.commit_id, last });
        }
        let named = self.commits.iter().find(|commit| commit.commit_id == head.commit_id);
        match named.filter(|commit| commit.hash != head.hash) {
            Some(commit) => {
                let problem =
                    format!("says that commit {} has the hash {}, and its record says {}", head.commit_id, head.hash, commit.hash);
                Err(ChainError::Head { path, problem })
            }
            None => Ok(()),
        }
    }

    fn read_next(&mut self) -> Result<bool, ChainError> {
        let commit_id = self.last_id() + 1;
        let path = record_path(&self.data, commit_id);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(cause) => return Err(ChainError::Unreadable { path, cause }),
        };
        let record = parse(&path, &text, commit_id)?;
        let previous = self.commits.last().map_or(GENESIS, |commit| &commit.hash);
        let commit = check(&record, commit_id, previous).and_then(|()| keep(record));
        let commit = commit.map_err(|cause| ChainError::Damaged { path, cause, before: commit_id - 1 })?;
        self.commits.push(Arc::new(commit));
        Ok(true)
    }
}

/// Reads one commit's record by itself: its own hash is checked, its place in the chain is not.
pub fn read_commit(data: &Path, commit_id: u64) -> Result<Commit, ChainError> {
    let path = record_path(data, commit_id);
    let text = fs::read(&path).map_err(|cause| ChainError::Unreadable { path: path.clone(), cause })?;
    let record = parse(&path, &text, commit_id)?;
    let previous = record.previous_hash.clone();
    let commit = check(&record, commit_id, &previous).and_then(|()| keep(record));
    commit.map_err(|cause| ChainError::Damaged { path, cause, before: commit_id - 1 })
}

/// The greatest number among the records. Records are published in order, so all before it must be there too.
fn last_listed(data: &Path) -> Result<u64, ChainError> {
    let any = record_path(data, 1);
    let folder = any.parent().unwrap_or(data);
    let unreadable = |cause| ChainError::Unreadable { path: folder.to_owned(), cause };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
        Err(cause) => return Err(unreadable(cause)),
    };
    let mut last = 0;
    for entry in entries {
        let name = entry.map_err(unreadable)?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(".json")).and_then(|number| number.parse().ok());
        last = last.max(number.unwrap_or(0));
    }
    Ok(last)
}

fn parse(path: &Path, text: &[u8], commit_id: u64) -> Result<CommitRecord, ChainError> {
    #[derive(serde::Deserialize)]
    struct Version {
        format_version: u64,
    }
    let parsed = serde_json::from_slice::<CommitRecord>(text);
    // A layout from the future need not parse: its version explains more than the first field that is strange.
    let version = match &parsed {
        Ok(record) => Some(u64::from(record.format_version)),
        Err(_) => serde_json::from_slice::<Version>(text).ok().map(|version| version.format_version),
    };
    if let Some(found) = version.filter(|version| *version != u64::from(FORMAT_VERSION)) {
        return Err(ChainError::UnknownVersion { path: path.to_owned(), found, known: FORMAT_VERSION });
    }
    let damaged = |cause: serde_json::Error| ChainError::Damaged { path: path.to_owned(), cause: cause.to_string(), before: commit_id - 1 };
    parsed.map_err(damaged)
}

fn check(record: &CommitRecord, commit_id: u64, previous: &str) -> Result<(), String> {
    if record.commit_id != commit_id {
        return Err(format!("it says that it is commit {}", record.commit_id));
    }
    if record.previous_hash != previous {
        return Err(format!("its previous_hash {} is not the hash of the commit before, {previous}", record.previous_hash));
    }
    let expected = record.expected_hash().map_err(|error| error.to_string())?;
    if record.hash != expected {
        return Err(format!("its hash is {}, but what it says has the hash {expected}", record.hash));
    }
    Ok(())
}

/// A record whose hashes are right, with its files where they can be.
fn keep(record: CommitRecord) -> Result<Commit, String> {
    let commit_id = record.commit_id;
    let files = record.files.into_iter().map(|file| keep_file(file, commit_id).map(Arc::new)).collect::<Result<_, _>>()?;
    Ok(Commit {
        commit_id,
        first_tick: record.first_tick,
        end_tick: record.end_tick,
        tick_interval: record.tick_interval_ns,
        grid_interval: record.grid_interval_ns,
        committed_at: record.committed_at.parse().ok(),
        hash: record.hash,
        previous_hash: record.previous_hash,
        partitions: record.partitions,
        files,
    })
}

/// A file must lie in a date folder below the data directory.
pub(super) fn keep_file(file: CommittedFile, commit_id: u64) -> Result<CommitFile, String> {
    let parts = Path::new(&file.path).components().map(|part| match part {
        Component::Normal(name) => name.to_str(),
        _ => None,
    });
    let date = match parts.collect::<Option<Vec<_>>>().as_deref() {
        Some([_, folder, _]) => folder.strip_prefix("date=").map(|date| date.parse().ok()),
        _ => None,
    };
    let Some(date) = date else {
        return Err(format!("the path {:?} is not of the form <table>/date=YYYY-MM-DD/<file>", file.path));
    };
    let CommittedFile { path, table, role, whole, rows, bytes, sha256 } = file;
    Ok(CommitFile { commit_id, table: table.into(), role, whole, path: path.into(), date, rows, bytes, sha256: sha256.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_leads_elsewhere_is_refused() {
        for path in ["../etc/passwd", "/balances/date=2026-01-01/x", "balances/2026-01-01/x", "balances/date=2026-01-01/../x", "x"] {
            let file = CommittedFile {
                path: path.to_owned(),
                table: "balances".to_owned(),
                role: FileRole::State,
                whole: None,
                rows: 1,
                bytes: 1,
                sha256: String::new(),
            };
            assert!(keep_file(file, 1).is_err(), "{path}");
        }
    }
}
