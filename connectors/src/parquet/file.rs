//! Reading of committed files, and errors of damaged ones.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use headwater_schemas::Digest;
use sha2::{Digest as _, Sha256};

use super::chain::CommitFile;
use crate::fault::{Cause, Fault};

/// A committed file is missing or damaged.
#[derive(Clone, Debug, thiserror::Error)]
#[error(
    "table {table}: {path}{range} of commit {commit_id} {problem}; restore the file from a copy, and see with `headwater verify` whether more is damaged",
    range = displayed(.part.as_ref())
)]
pub struct FileError {
    /// The table.
    pub table: Box<str>,
    /// The file.
    pub path: PathBuf,
    /// For a part of a segment: its byte range in the file.
    pub part: Option<Range<u64>>,
    /// The commit that names it.
    pub commit_id: u64,
    /// What is wrong with it.
    pub problem: String,
    /// The error that revealed it.
    #[source]
    pub cause: Option<Cause>,
}

fn displayed(part: Option<&Range<u64>>) -> String {
    part.map_or_else(String::new, |part| format!(", bytes {} to {},", part.start, part.end))
}

impl CommitFile {
    /// An error that names the file.
    pub fn error(&self, data: &Path, fault: impl Into<Fault>) -> FileError {
        let (table, path, part) = (self.table.clone(), data.join(&*self.path), self.part.is_some().then(|| self.range()));
        let Fault { problem, cause } = fault.into();
        FileError { table, path, part, commit_id: self.commit_id, problem, cause }
    }

    /// Its byte range in the file.
    fn range(&self) -> Range<u64> {
        let begin = self.part.as_ref().map_or(0, |part| part.begin);
        begin..begin.saturating_add(self.bytes)
    }

    /// Checks existence and size against the commit.
    pub fn diagnose_quickly(&self, data: &Path) -> Option<FileError> {
        let (end, is_part) = (self.range().end, self.part.is_some());
        match fs::metadata(data.join(&*self.path)) {
            Ok(found) if found.len() == end || is_part && found.len() > end => None,
            Ok(found) if is_part => Some(self.error(data, format!("is cut off: the file has {} bytes", found.len()))),
            Ok(found) => Some(self.error(data, format!("has {} bytes, and the commit says {}", found.len(), self.bytes))),
            Err(error) if error.kind() == ErrorKind::NotFound => Some(self.error(data, "is missing")),
            Err(error) => Some(self.error(data, Fault::unreadable(error))),
        }
    }

    /// Checks existence, size and hash: reads the whole file.
    pub fn diagnose(&self, data: &Path) -> Option<FileError> {
        self.diagnose_quickly(data).or_else(|| match self.sha256_on_disk(data) {
            Ok(found) if found == *self.sha256 => None,
            Ok(_) => Some(self.error(data, "is damaged: its SHA-256 is not the one in the commit")),
            Err(error) => Some(self.error(data, Fault::unreadable(error))),
        })
    }

    /// The content, verified by its hash.
    pub(super) fn content(&self, data: &Path) -> Result<Vec<u8>, FileError> {
        let mut content = Vec::new();
        let read = self.open(data).and_then(|mut bytes| bytes.read_to_end(&mut content));
        let unreadable = |error| self.diagnose_quickly(data).unwrap_or_else(|| self.error(data, Fault::unreadable(error)));
        read.map_err(unreadable)?;
        if Digest::sha256(&content).to_string() == *self.sha256 {
            return Ok(content);
        }
        Err(self.diagnose(data).unwrap_or_else(|| self.error(data, "is damaged: its SHA-256 is not the one in the commit")))
    }

    /// Opens the file at its content. A part is read to its end, a whole file also beyond the length in its commit.
    fn open(&self, data: &Path) -> io::Result<io::Take<File>> {
        let mut file = File::open(data.join(&*self.path))?;
        if self.part.is_none() {
            return Ok(file.take(u64::MAX));
        }
        file.seek(SeekFrom::Start(self.range().start))?;
        Ok(file.take(self.bytes))
    }

    fn sha256_on_disk(&self, data: &Path) -> io::Result<String> {
        let mut bytes = self.open(data)?;
        let mut digest = Sha256::new();
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let read = bytes.read(&mut buffer)?;
            if read == 0 {
                return Ok(Digest::<32>(digest.finalize().into()).to_string());
            }
            digest.update(buffer.get(..read).unwrap_or_default());
        }
    }
}
