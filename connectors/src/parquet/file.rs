//! Committed files, and what is wrong with one that cannot be read.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::chain::CommitFile;
use super::record::hex;

/// A committed file that is not what its commit says.
#[derive(Clone, Debug, thiserror::Error)]
#[error(
    "table {table}: {path} of commit {commit_id} {problem}; restore the file from a copy, and see with `headwater verify` whether more is damaged"
)]
pub struct FileError {
    /// The table.
    pub table: Box<str>,
    /// The file.
    pub path: PathBuf,
    /// The commit that names it.
    pub commit_id: u64,
    /// What is wrong with it.
    pub problem: String,
}

impl CommitFile {
    /// An error that names the file.
    pub fn error(&self, data: &Path, problem: impl Into<String>) -> FileError {
        FileError { table: self.table.clone(), path: data.join(&*self.path), commit_id: self.commit_id, problem: problem.into() }
    }

    /// Compares existence and size with what the commit says.
    pub fn diagnose_quickly(&self, data: &Path) -> Option<FileError> {
        match fs::metadata(data.join(&*self.path)) {
            Ok(found) if found.len() == self.bytes => None,
            Ok(found) => Some(self.error(data, format!("has {} bytes, and the commit says {}", found.len(), self.bytes))),
            Err(error) if error.kind() == ErrorKind::NotFound => Some(self.error(data, "is missing")),
            Err(error) => Some(self.error(data, format!("cannot be read: {error}"))),
        }
    }

    /// Compares the content, too: reads the whole file.
    pub fn diagnose(&self, data: &Path) -> Option<FileError> {
        self.diagnose_quickly(data).or_else(|| match sha256(&data.join(&*self.path)) {
            Ok(found) if found == *self.sha256 => None,
            Ok(_) => Some(self.error(data, "is damaged: its SHA-256 is not the one in the commit")),
            Err(error) => Some(self.error(data, format!("cannot be read: {error}"))),
        })
    }
}

fn sha256(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = io::Read::read(&mut file, &mut buffer)?;
        if read == 0 {
            return Ok(hex(&digest.finalize()));
        }
        digest.update(buffer.get(..read).unwrap_or_default());
    }
}
