//! The data directory: who may write it, and what is where.
//!
//! ```text
//!  <data>/
//!    LOCK                                     held by the one process that writes
//!    commits/<n>.json                         what exists
//!    HEAD                                     the last commit, so that a tail that was cut off is seen
//!    staging/                                 what is being written
//!    <table>/date=YYYY-MM-DD/<commit>-<worker>.parquet
//!    <table>_history/date=YYYY-MM-DD/<commit>-<worker>.parquet
//! ```

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use headwater_schemas::Date;

use super::CommitError;
use super::record::FileRole;

const LOCK: &str = "LOCK";
const COMMITS: &str = "commits";
const STAGING: &str = "staging";
const HEAD: &str = "HEAD";
/// Where `demo` keeps its topics: beside the tables, and none of the commits' business.
const LOG: &str = "log";

/// A data directory that this process writes. The lock is held as long as this lives.
#[derive(Debug)]
pub struct DataDirectory {
    path: PathBuf,
    _lock: File,
}

impl DataDirectory {
    /// Takes the directory for writing: makes it if it is missing, locks it, removes what no commit names. A directory
    /// that has commits is refused.
    pub fn open_empty(path: &Path) -> Result<Self, CommitError> {
        fs::create_dir_all(path).map_err(CommitError::file("creating", path))?;
        let lock = lock(path)?;
        let directory = Self { path: path.to_owned(), _lock: lock };
        if let Some(last) = last_commit(path)? {
            return Err(CommitError::NotEmpty { path: path.to_owned(), last });
        }
        directory.remove_leftovers()?;
        for folder in [COMMITS, STAGING] {
            let folder = path.join(folder);
            fs::create_dir_all(&folder).map_err(CommitError::file("creating", folder))?;
        }
        Ok(directory)
    }

    /// The path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes what a process left that died before its first commit. A folder that is none of ours stays, and stops us.
    fn remove_leftovers(&self) -> Result<(), CommitError> {
        let entries = fs::read_dir(&self.path).map_err(CommitError::file("listing", &self.path))?;
        let mut leftovers = Vec::new();
        for entry in entries {
            let entry = entry.map_err(CommitError::file("listing", &self.path))?;
            let name = entry.file_name();
            match name.to_str() {
                Some(LOCK | LOG) => {}
                // Commits were there and are not any more: nothing of that is ours to remove.
                Some(HEAD) => return Err(CommitError::Foreign { path: self.path.clone() }),
                Some(COMMITS | STAGING) => leftovers.push(entry.path()),
                Some(_) if is_table_folder(&entry.path()) => leftovers.push(entry.path()),
                _ => return Err(CommitError::Foreign { path: self.path.clone() }),
            }
        }
        for leftover in leftovers {
            fs::remove_dir_all(&leftover).map_err(CommitError::file("removing", leftover))?;
        }
        Ok(())
    }
}

/// Whether a folder holds nothing but our date folders.
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

/// The number of the last commit record, if there is one.
fn last_commit(path: &Path) -> Result<Option<u64>, CommitError> {
    let folder = path.join(COMMITS);
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(CommitError::file("listing", folder)(error)),
    };
    let mut last = None;
    for entry in entries {
        let name = entry.map_err(CommitError::file("listing", &folder))?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(".json")).and_then(|number| number.parse().ok());
        last = last.max(number);
    }
    Ok(last)
}

/// The path of a commit record.
pub fn record_path(data: &Path, commit_id: u64) -> PathBuf {
    data.join(COMMITS).join(format!("{commit_id}.json"))
}

/// The path of the file that names the last commit.
pub fn head_path(data: &Path) -> PathBuf {
    data.join(HEAD)
}

/// The folder that a worker writes a commit's files into, before they have their names.
pub(super) fn staging_folder(data: &Path, commit_id: u64, worker: usize) -> PathBuf {
    data.join(STAGING).join(format!("{commit_id}-{worker}"))
}

/// The name of a file below the data directory.
pub(super) fn table_file(table: &str, role: FileRole, date: Date, commit_id: u64, worker: usize) -> String {
    let history = if role == FileRole::History { "_history" } else { "" };
    format!("{table}{history}/date={date}/{commit_id}-{worker}.parquet")
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
        fs::create_dir_all(data.join("log/orders"))?;
        let first = DataDirectory::open_empty(&data)?;
        assert!(!data.join("orders_state").exists() && !data.join("staging/1-0").exists() && data.join("log/orders").exists());
        assert!(matches!(DataDirectory::open_empty(&data), Err(CommitError::Locked { .. })));
        drop(first);
        fs::write(record_path(&data, 7), "{}")?;
        assert!(matches!(DataDirectory::open_empty(&data), Err(CommitError::NotEmpty { last: 7, .. })));
        Ok(())
    }

    #[test]
    fn a_folder_of_somebody_else_is_left_alone() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        fs::create_dir_all(folder.path().join("photos/2026"))?;
        assert!(matches!(DataDirectory::open_empty(folder.path()), Err(CommitError::Foreign { .. })));
        assert!(folder.path().join("photos/2026").exists());
        Ok(())
    }
}
