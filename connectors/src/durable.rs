//! Atomic, durable replacement of a file.

use std::fs::{self, File};
use std::io;
use std::path::Path;

/// The extension of a file that is being written.
pub const DRAFT: &str = "draft";

/// Replaces a file atomically. After a crash the file holds the old content or the new; once this returns, the new content is
/// durable.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let draft = path.with_extension(DRAFT);
    fs::write(&draft, content)?;
    File::open(&draft)?.sync_all()?;
    fs::rename(&draft, path)?;
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}
