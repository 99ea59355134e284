//! A file that is replaced as a whole, and is on the disk when that is said.

use std::fs::{self, File};
use std::io;
use std::path::Path;

/// The extension of a file that is being written.
pub const DRAFT: &str = "draft";

/// Replaces a file. Whatever happens, it is as it was or as it is to be; when this returns, it is as it is to be for good.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let draft = path.with_extension(DRAFT);
    fs::write(&draft, content)?;
    File::open(&draft)?.sync_all()?;
    fs::rename(&draft, path)?;
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}
