//! Making files reach the disk before anybody is told of them.

use std::fs::{self, File};
use std::path::Path;

use super::CommitError;

/// Above so many files, one call that flushes the whole file system is cheaper than one call each.
const FLUSH_ALL_ABOVE: usize = 32;

/// The extension of a file that is being written.
pub(super) const DRAFT: &str = "draft";

/// Makes files durable: their content if `what` is files, their names if it is folders.
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

/// Writes a file that appears whole or not at all, and never over an existing one.
pub(super) fn publish(path: &Path, content: &[u8]) -> Result<(), CommitError> {
    let folder = path.parent().unwrap_or(path);
    let draft = path.with_extension(DRAFT);
    fs::write(&draft, content).map_err(CommitError::file("writing", &draft))?;
    File::open(&draft).and_then(|file| file.sync_all()).map_err(CommitError::file("syncing", &draft))?;
    // A link, unlike a rename, refuses to replace what is there.
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft).map_err(CommitError::file("removing", &draft))?;
    match linked {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Err(CommitError::Published { path: path.to_owned() }),
        Err(error) => return Err(CommitError::file("publishing", path)(error)),
    }
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(CommitError::file("syncing", folder))
}

/// Writes a file that always is whole, as it was or as it is to be. After a power cut it may be as it was.
pub(super) fn replace(path: &Path, content: &[u8]) -> Result<(), CommitError> {
    let draft = path.with_extension(DRAFT);
    fs::write(&draft, content).map_err(CommitError::file("writing", &draft))?;
    fs::rename(&draft, path).map_err(CommitError::file("renaming", path))
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
