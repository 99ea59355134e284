//! Syncing files to disk before a commit refers to them.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::Path;

use super::CommitError;
use crate::durable::DRAFT;

/// Above this number of files, one flush of the whole file system is cheaper than one per file.
const FLUSH_ALL_ABOVE: usize = 32;

/// Makes files durable: their contents if `what` lists files, their names if it lists folders.
pub(super) fn sync(data: &Path, what: &[impl AsRef<Path>]) -> Result<(), CommitError> {
    if what.len() > FLUSH_ALL_ABOVE {
        let folder = File::open(data).map_err(CommitError::file("opening", data))?;
        return rustix::fs::syncfs(&folder).map_err(|error| CommitError::file("syncing", data)(error.into()));
    }
    for path in what {
        let path = path.as_ref();
        File::open(path).and_then(|file| file.sync_all()).map_err(CommitError::file("syncing", path))?;
    }
    Ok(())
}

/// Writes a new file atomically; fails if the file exists.
pub(super) fn publish(path: &Path, content: &[u8]) -> Result<(), CommitError> {
    let folder = path.parent().unwrap_or(path);
    let draft = path.with_extension(DRAFT);
    fs::write(&draft, content).map_err(CommitError::file("writing", &draft))?;
    File::open(&draft).and_then(|file| file.sync_all()).map_err(CommitError::file("syncing", &draft))?;
    // A hard link, unlike a rename, fails if the target exists.
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft).map_err(CommitError::file("removing", &draft))?;
    match linked {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(CommitError::Published { path: path.to_owned() }),
        Err(error) => return Err(CommitError::file("publishing", path)(error)),
    }
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(CommitError::file("syncing", folder))
}

/// Replaces a file atomically. After a power cut the old content may be back.
pub(super) fn replace(path: &Path, content: &[u8]) -> Result<(), CommitError> {
    let draft = path.with_extension(DRAFT);
    fs::write(&draft, content).map_err(CommitError::file("writing", &draft))?;
    fs::rename(&draft, path).map_err(CommitError::file("renaming", path))
}

/// Renames staged files to their final names and makes the names durable. `renamed` is called between the two.
pub(super) fn rename_all<'a>(
    data: &Path,
    staging: &Path,
    paths: impl Iterator<Item = &'a str>,
    renamed: impl FnOnce(),
) -> Result<(), CommitError> {
    let mut folders = BTreeSet::new();
    for path in paths {
        rename(&staging.join(path), &data.join(path))?;
        folders.extend(data.join(path).parent().map(Path::to_owned));
    }
    renamed();
    // A new date folder is a name in its table's folder, and a new table's folder is a name in the data directory.
    folders.extend(folders.clone().iter().filter_map(|folder| folder.parent().map(Path::to_owned)));
    if !folders.is_empty() {
        folders.insert(data.to_owned());
    }
    sync(data, &folders.into_iter().collect::<Vec<_>>())
}

/// Attempts to rename into a folder that does not exist yet, or that is removed at the same time because it was empty.
const ATTEMPTS: usize = 8;

fn rename(from: &Path, to: &Path) -> Result<(), CommitError> {
    let folder = to.parent().unwrap_or(to);
    let mut attempt = 1;
    loop {
        match fs::rename(from, to) {
            Err(error) if error.kind() == ErrorKind::NotFound && attempt < ATTEMPTS => {
                fs::create_dir_all(folder).map_err(CommitError::file("creating", folder))?;
                attempt += 1;
            }
            result => return result.map_err(CommitError::file("renaming", to)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_never_written_over_another() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("1.json");
        publish(&path, b"one")?;
        assert!(matches!(publish(&path, b"two"), Err(CommitError::Published { .. })));
        assert_eq!(fs::read(&path)?, b"one");
        assert_eq!(fs::read_dir(folder.path())?.count(), 1);
        Ok(())
    }
}
