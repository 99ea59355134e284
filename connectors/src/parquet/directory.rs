//! The data directory: its lock and its paths.
//!
//! ```text
//!  <data>/
//!    LOCK                                     held by the one process that writes
//!    commits/                                 what exists: see `records`
//!    HEAD                                     the last commit, so that a tail that was cut off is seen
//!    staging/                                 what is being written
//!    segments/<commit>-<worker>.segment       small parts of all tables, until upkeep turns them into Parquet
//!    <table>/date=YYYY-MM-DD/<commit>-<worker>.parquet, or <commit>-merged-<number>.parquet; of a state table only the latter
//!    <table>_history/date=YYYY-MM-DD/<commit>-<worker>.parquet, or <commit>-merged-<number>.parquet
//! ```

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use headwater_schemas::Date;

use super::CommitError;
use super::chain::{Chain, Live};
use super::durable;
use super::record::{FileRole, Head};
use super::remote::{Fetched, Remote};
use crate::durable::DRAFT;

/// Suffix of a state table's name for its history.
pub const HISTORY_SUFFIX: &str = "_history";

const LOCK: &str = "LOCK";
const COMMITS: &str = "commits";
const STAGING: &str = "staging";
pub(super) const SEGMENTS: &str = "segments";
const SEGMENT: &str = "segment";
const HEAD: &str = "HEAD";
/// The outbox's file, which survives a crash before the first commit.
pub const OUTBOX: &str = "OUTBOX";
/// The file of wall clock decisions for records that are published before their commit.
pub const EAGER: &str = "EAGER";
/// The folder of `demo`'s topics, beside the tables; commits ignore it.
const LOG: &str = "log";

/// A data directory that this process writes. Holds the lock while it lives.
#[derive(Debug)]
pub struct DataDirectory {
    path: PathBuf,
    _lock: File,
}

impl DataDirectory {
    /// Opens the directory for writing: creates it if it is missing, locks it, and removes files that no commit names. Returns
    /// the chain of earlier commits, which is empty in a new directory.
    pub fn open(path: &Path) -> Result<(Self, Chain), CommitError> {
        let directory = Self::locked(path)?;
        let chain = directory.chain()?;
        Ok((directory, chain))
    }

    /// Creates the directory if it is missing, and locks it.
    pub(super) fn locked(path: &Path) -> Result<Self, CommitError> {
        fs::create_dir_all(path).map_err(CommitError::file("creating", path))?;
        Ok(Self { path: path.to_owned(), _lock: lock(path)? })
    }

    /// Opens a directory that is in a bucket, for writing: brings both to the same commit first.
    pub fn open_in(path: &Path, remote: &Remote) -> Result<(Self, Chain), CommitError> {
        let directory = Self::locked(path)?;
        directory.remove_unnamed(Chain::open(path, None)?.last_id())?;
        remove_paths(path, &remote.fetch(path)?.gone)?;
        // Before the commits: what is published of them is known under the id in `OUTBOX`.
        [OUTBOX, EAGER].into_iter().try_for_each(|name| remote.adopt(path, name))?;
        remote.give(path)?;
        let chain = directory.chain()?;
        Ok((directory, chain))
    }

    /// Opens the folder of a process of a cluster that publishes no commits: a folder of its own is brought to the bucket's last
    /// commit. `None` if another process writes it.
    pub fn open_apart(path: &Path, remote: &Remote) -> Result<Option<(Self, Chain)>, CommitError> {
        let directory = match Self::locked(path) {
            Err(CommitError::Locked { .. }) => return Ok(None),
            directory => directory?,
        };
        remove_paths(path, &directory.receive(remote)?.gone)?;
        remote.adopt(path, EAGER)?;
        let chain = directory.chain()?;
        Ok(Some((directory, chain)))
    }

    /// Receives the bucket's commits, and returns the last one with the files that exist no longer.
    pub(super) fn receive(&self, remote: &Remote) -> Result<Fetched, CommitError> {
        let here = Chain::open(&self.path, None)?.last_id();
        self.remove_unnamed(here)?;
        let fetched = remote.fetch(&self.path)?;
        if here > fetched.last {
            let (path, url) = (self.path.clone(), remote.bucket().url().to_owned());
            return Err(CommitError::Ahead { path, here, url, there: fetched.last });
        }
        Ok(fetched)
    }

    /// Removes files that no commit up to the last one names.
    fn remove_unnamed(&self, last: u64) -> Result<(), CommitError> {
        if last == 0 { self.remove_everything() } else { self.remove_leftovers(last) }
    }

    /// The chain of commits. Removes files that no commit names, so nothing may be writing.
    pub fn chain(&self) -> Result<Chain, CommitError> {
        let chain = Chain::open(&self.path, None)?;
        chain.check_tail()?;
        self.remove_unnamed(chain.last_id())?;
        for folder in [COMMITS, STAGING] {
            let folder = self.path.join(folder);
            fs::create_dir_all(&folder).map_err(CommitError::file("creating", folder))?;
        }
        Ok(chain)
    }

    /// The path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the files of a process that died before its first commit. A foreign folder is left alone and is an error.
    fn remove_everything(&self) -> Result<(), CommitError> {
        let (mut leftovers, mut drafts) = (Vec::new(), Vec::new());
        for entry in entries(&self.path)? {
            match entry.file_name().and_then(|name| name.to_str()) {
                Some(LOCK | LOG | OUTBOX | EAGER) => {}
                Some(COMMITS | STAGING) => leftovers.push(entry),
                Some(SEGMENTS) if is_segment_folder(&entry) => leftovers.push(entry),
                Some(name) if drafts_of_others().contains(&name.to_owned()) => drafts.push(entry),
                Some(_) if is_table_folder(&entry) => leftovers.push(entry),
                _ => return Err(CommitError::Foreign { path: self.path.clone() }),
            }
        }
        drafts.iter().try_for_each(|draft| remove_file(draft))?;
        leftovers.iter().try_for_each(|leftover| remove_folder(leftover))
    }

    /// Removes the files that a dead process left after its last commit. The subfolders of a commit's staging folder show where
    /// files were moved, so nothing else is searched.
    fn remove_leftovers(&self, last: u64) -> Result<(), CommitError> {
        for staged in entries(&self.path.join(STAGING))? {
            let name = staged.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let commit_id = name.split('-').next().and_then(|number| number.parse::<u64>().ok());
            // The staging folder of a published commit remains if the process dies before removing it.
            if commit_id.is_some_and(|commit_id| commit_id > last) {
                self.remove_renamed(&staged, name)?;
            }
            remove_folder(&staged)?;
        }
        let others = drafts_of_others().map(|name| self.path.join(name));
        for draft in entries(&self.path.join(COMMITS))?.into_iter().chain(others) {
            let draft = draft.with_extension(DRAFT);
            remove_file(&draft)?;
        }
        Ok(())
    }

    /// Removes the files that were staged in a folder and then renamed.
    fn remove_renamed(&self, staged: &Path, name: &str) -> Result<(), CommitError> {
        remove_file(&self.path.join(SEGMENTS).join(name).with_extension(SEGMENT))?;
        for table in entries(staged)? {
            for date in entries(&table)? {
                let below = date.strip_prefix(staged).unwrap_or(&date);
                let files = entries(&self.path.join(below))?;
                files.iter().filter(|file| is_named(file, name)).try_for_each(|file| remove_file(file))?;
            }
        }
        Ok(())
    }
}

/// The content of a folder; empty if it does not exist.
pub(super) fn entries(folder: &Path) -> Result<Vec<PathBuf>, CommitError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(Vec::new()),
        Err(error) => return Err(CommitError::file("listing", folder)(error)),
    };
    entries.map(|entry| entry.map(|entry| entry.path()).map_err(CommitError::file("listing", folder))).collect()
}

/// Draft names of the files beside the commits.
fn drafts_of_others() -> [String; 3] {
    [HEAD, OUTBOX, EAGER].map(|name| format!("{name}.{DRAFT}"))
}

fn remove_folder(path: &Path) -> Result<(), CommitError> {
    fs::remove_dir_all(path).map_err(CommitError::file("removing", path))
}

pub(super) fn remove_file(path: &Path) -> Result<(), CommitError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(CommitError::file("removing", path)(error)),
        _ => Ok(()),
    }
}

/// Whether a Parquet file has a name, or the name with a number.
fn is_named(path: &Path, name: &str) -> bool {
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    let rest = stem.and_then(|stem| stem.strip_prefix(name));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// Whether a folder holds only segments.
fn is_segment_folder(path: &Path) -> bool {
    let Ok(mut entries) = fs::read_dir(path) else { return false };
    entries.all(|entry| entry.is_ok_and(|entry| entry.path().extension().is_some_and(|extension| extension == SEGMENT)))
}

/// Whether a folder holds only date folders of a table.
fn is_table_folder(path: &Path) -> bool {
    let Ok(mut entries) = fs::read_dir(path) else { return false };
    entries.all(|entry| entry.is_ok_and(|entry| entry.file_name().to_str().is_some_and(|name| name.starts_with("date="))))
}

fn lock(path: &Path) -> Result<File, CommitError> {
    let path = path.join(LOCK);
    let file = File::options().write(true).create(true).truncate(false).open(&path).map_err(CommitError::file("opening", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(CommitError::Locked { path }),
        Err(TryLockError::Error(cause)) => Err(CommitError::File { attempt: "locking", path, cause }),
    }
}

/// Removes files of tables; those that do not exist are passed over.
pub(super) fn remove_paths(data: &Path, paths: &[Box<str>]) -> Result<(), CommitError> {
    for path in paths.iter().map(|path| data.join(&**path)) {
        remove_file(&path)?;
        // Fails if the folder has other files.
        let _ = path.parent().map(fs::remove_dir);
    }
    Ok(())
}

/// The files in the folders of tables and of segments that do not exist for a chain, as paths below the directory.
pub(super) fn files_without_commit(data: &Path, live: &Live) -> Result<Vec<Box<str>>, CommitError> {
    let named: BTreeSet<&str> = live.files().iter().map(|file| &*file.path).collect();
    let mut files = Vec::new();
    for folder in entries(data)?.iter().filter(|folder| folder.is_dir()) {
        let is_segments = folder.file_name().is_some_and(|name| name == SEGMENTS);
        if is_segments && is_segment_folder(folder) {
            files.extend(entries(folder)?);
        } else if is_table_folder(folder) {
            for day in entries(folder)? {
                files.extend(entries(&day)?);
            }
        }
    }
    let below = |file: PathBuf| file.strip_prefix(data).ok()?.to_str().filter(|path| !named.contains(path)).map(Box::from);
    Ok(files.into_iter().filter_map(below).collect())
}

/// Whether a run has begun to write the directory.
pub fn is_data_directory(data: &Path) -> bool {
    data.join(COMMITS).is_dir() || head_path(data).is_file()
}

/// The path of a commit record.
pub fn record_path(data: &Path, commit_id: u64) -> PathBuf {
    data.join(COMMITS).join(format!("{commit_id}.json"))
}

/// The path of the file that names the last commit.
pub fn head_path(data: &Path) -> PathBuf {
    data.join(HEAD)
}

/// Writes the file that names the last commit.
pub(super) fn name_last(data: &Path, commit_id: u64, hash: &str) -> Result<(), CommitError> {
    let head = Head { commit_id, hash: hash.to_owned() };
    let text = serde_json::to_vec(&head).map_err(|cause| CommitError::Record { commit_id, cause })?;
    durable::replace(&head_path(data), &text)
}

/// The path of the file of wall clock decisions for records that are published before their commit.
pub fn eager_path(data: &Path) -> PathBuf {
    data.join(EAGER)
}

/// The staging folder of what is received from a bucket.
pub(super) fn fetch_staging(data: &Path) -> PathBuf {
    data.join(STAGING).join("fetch")
}

/// The staging folder of a worker and a commit.
pub(super) fn staging_folder(data: &Path, commit_id: u64, worker: usize) -> PathBuf {
    data.join(STAGING).join(format!("{commit_id}-{worker}"))
}

/// The name of a commit's merged files and of their staging folder.
fn merged_name(commit_id: u64) -> String {
    format!("{commit_id}-merged")
}

/// The staging folder of a commit's merged files.
pub(super) fn merged_staging(data: &Path, commit_id: u64) -> PathBuf {
    data.join(STAGING).join(merged_name(commit_id))
}

/// The path of one of a commit's merged files. They are numbered because a day may have several.
pub(super) fn merged_file(dataset: &str, day: &str, commit_id: u64, number: usize) -> String {
    format!("{dataset}/date={day}/{}-{number}.parquet", merged_name(commit_id))
}

/// The path of the segment of a worker and a commit.
pub(super) fn segment_file(commit_id: u64, worker: usize) -> String {
    format!("{SEGMENTS}/{commit_id}-{worker}.{SEGMENT}")
}

/// The path of a worker's Parquet file.
pub(super) fn table_file(table: &str, role: FileRole, date: Date, commit_id: u64, worker: usize) -> String {
    format!("{}/date={date}/{commit_id}-{worker}.parquet", dataset(table, role))
}

/// The folder of a table's Parquet files of a role.
pub(super) fn dataset(table: &str, role: FileRole) -> String {
    let history = if role == FileRole::History { HISTORY_SUFFIX } else { "" };
    format!("{table}{history}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_has_one_writer_and_leftovers_go() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let data = folder.path().join("data");
        fs::create_dir_all(data.join("orders_state/date=2026-01-01"))?;
        fs::create_dir_all(data.join("staging/1-0"))?;
        fs::create_dir_all(data.join("segments"))?;
        fs::write(data.join("segments/1-0.segment"), "")?;
        fs::create_dir_all(data.join("log/orders"))?;
        fs::write(data.join("EAGER.draft"), "{")?;
        let (_first, chain) = DataDirectory::open(&data)?;
        assert_eq!(chain.last_id(), 0);
        assert!(!data.join("orders_state").exists() && !data.join("staging/1-0").exists() && data.join("log/orders").exists());
        assert!(!data.join("EAGER.draft").exists() && !data.join("segments").exists());
        assert!(matches!(DataDirectory::open(&data), Err(CommitError::Locked { .. })));
        Ok(())
    }

    #[test]
    fn of_a_commit_that_was_not_published_nothing_stays_and_of_others_everything() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let data = folder.path().join("data");
        let day = data.join("balances/date=2026-01-01");
        for staged in ["4-1", "4-merged", "3-0"] {
            fs::create_dir_all(data.join("staging").join(staged).join("balances/date=2026-01-01"))?;
        }
        for path in [&day, &data.join("segments")] {
            fs::create_dir_all(path)?;
        }
        for name in ["3-0", "3-1", "3-merged-1", "4-0", "4-1", "4-10", "4-merged-1", "4-merged-2"] {
            fs::write(day.join(name).with_extension("parquet"), "rows")?;
        }
        for name in ["3-1", "4-0", "4-1", "4-10"] {
            fs::write(data.join("segments").join(name).with_extension("segment"), "rows")?;
        }
        let directory = DataDirectory { path: data.clone(), _lock: File::create(data.join(LOCK))? };
        directory.remove_leftovers(3)?;
        let left = |folder: &Path| -> std::io::Result<Vec<String>> {
            let mut left: Vec<_> = fs::read_dir(folder)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
            left.sort();
            Ok(left)
        };
        // Workers 0 and 10 had not begun to stage commit 4, so the files of those names belong to other commits.
        assert_eq!(left(&day)?, ["3-0.parquet", "3-1.parquet", "3-merged-1.parquet", "4-0.parquet", "4-10.parquet"]);
        assert_eq!(left(&data.join("segments"))?, ["3-1.segment", "4-0.segment", "4-10.segment"]);
        assert_eq!(fs::read_dir(data.join("staging"))?.count(), 0);
        Ok(())
    }

    #[test]
    fn a_folder_of_somebody_else_is_left_alone() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        fs::create_dir_all(folder.path().join("photos/2026"))?;
        assert!(matches!(DataDirectory::open(folder.path()), Err(CommitError::Foreign { .. })));
        assert!(folder.path().join("photos/2026").exists());
        Ok(())
    }
}
