//! The manifest: a line of JSON for each document, `manifest.jsonl` in the folder of documents.
//!
//! Lines are appended and synced one by one. A last line without its end is that of a process that was killed: it does not count,
//! and is removed. Of several lines of a document, the last counts. The file is locked while documents are made, so that two processes
//! do not make the same ones.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use headwater_schemas::Date;
use serde::{Deserialize, Serialize};

/// Its name.
const NAME: &str = "manifest.jsonl";

/// A document, or one that cannot be made any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Name of the report.
    pub report: String,
    /// Version of its sections and columns.
    pub version: u32,
    /// The last date of its period.
    pub date: Date,
    /// The first date.
    pub from: Date,
    /// The account that it is about.
    pub account: Option<String>,
    /// The format.
    pub format: String,
    /// Path below the folder of documents, with `/` between its components.
    pub path: String,
    /// The commit that it is made from.
    pub commit_id: u64,
    /// The hash of that commit.
    pub commit_hash: String,
    /// The hash that the document carries; none if there is no document.
    pub sha256: Option<String>,
    /// Findings of validation, by severity.
    pub findings: Findings,
    /// Why there is no document.
    pub missing: Option<String>,
}

/// Findings of validation, by severity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Findings {
    /// Errors.
    pub error: usize,
    /// Warnings.
    pub warning: usize,
    /// Information.
    pub information: usize,
}

/// What the manifest keeps in memory of a line.
#[derive(Debug)]
struct Listed {
    date: Date,
    commit_id: u64,
    sha256: Option<String>,
}

/// The manifest of a folder, locked while it is open.
#[derive(Debug)]
pub(super) struct Manifest {
    path: PathBuf,
    file: File,
    /// Length of the lines that count, in bytes.
    length: u64,
    /// By path, the last line of each document.
    documents: BTreeMap<String, Listed>,
    last: Option<Line>,
}

impl Manifest {
    /// Whether a folder has one.
    pub(super) fn exists(folder: &Path) -> bool {
        folder.join(NAME).exists()
    }

    /// Opens the manifest of a folder, and creates both if they are missing.
    pub(super) fn open(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(NAME);
        fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
        let open = File::options().read(true).append(true).create(true).open(&path);
        let mut file = open.with_context(|| format!("opening {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => bail!("{} is in use: another process makes reports there; wait for it", path.display()),
            Err(TryLockError::Error(cause)) => return Err(cause).with_context(|| format!("locking {}", path.display())),
        }
        let mut text = Vec::new();
        file.read_to_end(&mut text).with_context(|| format!("reading {}", path.display()))?;
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let length = whole as u64;
        if whole < text.len() {
            file.set_len(length).with_context(|| format!("removing the unfinished last line of {}", path.display()))?;
        }
        sync_folder(folder)?;
        let mut manifest = Self { path, file, length, documents: BTreeMap::new(), last: None };
        for (number, line) in (1..).zip(text.get(..whole).unwrap_or_default().split_inclusive(|byte| *byte == b'\n')) {
            let line: Line = serde_json::from_slice(line).with_context(|| {
                format!("{}, line {number} is not as it was written: restore the file from a copy", manifest.path.display())
            })?;
            manifest.add(line);
        }
        Ok(manifest)
    }

    /// Whether it has the document with a path.
    pub(super) fn has(&self, path: &str) -> bool {
        self.documents.contains_key(path)
    }

    /// The hash that a document carries, if there is one.
    pub(super) fn hash(&self, path: &str) -> Option<&str> {
        self.documents.get(path)?.sha256.as_deref()
    }

    /// The commit that a document was made from, or could not be made from.
    pub(super) fn commit(&self, path: &str) -> Option<u64> {
        self.documents.get(path).map(|listed| listed.commit_id)
    }

    /// The documents whose files were deleted, by path, with their dates.
    pub(super) fn deleted(&self) -> BTreeMap<String, Date> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        // A file that cannot be looked for is not made again.
        let is_gone = |path: &str| folder.join(path).try_exists().is_ok_and(|exists| !exists);
        let written = self.documents.iter().filter(|(_, listed)| listed.sha256.is_some());
        written.filter(|(path, _)| is_gone(path)).map(|(path, listed)| (path.clone(), listed.date)).collect()
    }

    /// The line that was written last.
    pub(super) const fn last(&self) -> Option<&Line> {
        self.last.as_ref()
    }

    /// Adds a line. Once this returns, it is durable.
    pub(super) fn append(&mut self, line: Line) -> anyhow::Result<()> {
        let mut text = serde_json::to_vec(&line)?;
        text.push(b'\n');
        if let Err(error) = self.file.write_all(&text).and_then(|()| self.file.sync_data()) {
            // What was written of it must not be the beginning of the next line.
            let _ = self.file.set_len(self.length);
            return Err(error).with_context(|| format!("writing {}", self.path.display()));
        }
        self.length += text.len() as u64;
        self.add(line);
        Ok(())
    }

    fn add(&mut self, line: Line) {
        self.documents.insert(line.path.clone(), Listed { date: line.date, commit_id: line.commit_id, sha256: line.sha256.clone() });
        self.last = Some(line);
    }
}

/// Makes the names in a folder durable.
pub(super) fn sync_folder(folder: &Path) -> anyhow::Result<()> {
    File::open(folder).and_then(|folder| folder.sync_all()).with_context(|| format!("syncing {}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_whose_files_are_not_there_are_deleted_ones() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let mut manifest = Manifest::open(folder.path())?;
        fs::write(folder.path().join("there"), "")?;
        for path in ["there", "deleted", "never made"] {
            manifest.append(line(path))?;
        }
        manifest.append(Line { sha256: None, missing: Some("why".to_owned()), ..line("never made") })?;
        assert_eq!(manifest.deleted(), BTreeMap::from([("deleted".to_owned(), Date::from_days(20_000))]));
        assert_eq!((manifest.hash("deleted"), manifest.hash("never made")), (Some("cd"), None));
        Ok(())
    }

    fn line(path: &str) -> Line {
        Line {
            report: "daily-position".to_owned(),
            version: 1,
            date: Date::from_days(20_000),
            from: Date::from_days(20_000),
            account: None,
            format: "json".to_owned(),
            path: path.to_owned(),
            commit_id: 7,
            commit_hash: "ab".to_owned(),
            sha256: Some("cd".to_owned()),
            findings: Findings { error: 0, warning: 2, information: 1 },
            missing: None,
        }
    }

    #[test]
    fn lines_are_there_after_a_restart_and_an_unfinished_one_is_not() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join(NAME);
        {
            let mut manifest = Manifest::open(folder.path())?;
            assert!(manifest.last().is_none());
            manifest.append(line("a"))?;
            manifest.append(line("b"))?;
            let second = Manifest::open(folder.path()).expect_err("it is locked").to_string();
            assert!(second.contains("manifest.jsonl is in use"), "{second}");
        }
        let written = fs::read(&file)?;
        for cut in [1, 40] {
            let torn = [&written[..], &written[..cut]].concat();
            fs::write(&file, torn)?;
            let manifest = Manifest::open(folder.path())?;
            assert!(manifest.has("a") && manifest.has("b") && !manifest.has("c"));
            assert_eq!(manifest.last(), Some(&line("b")));
            assert_eq!(fs::read(&file)?, written);
        }
        let mut manifest = Manifest::open(folder.path())?;
        manifest.append(line("c"))?;
        drop(manifest);
        assert!(fs::read(&file)?.starts_with(&written) && Manifest::open(folder.path())?.has("c"));
        fs::write(&file, [&b"{}\n"[..], &written[..]].concat())?;
        let damaged = Manifest::open(folder.path()).expect_err("damaged").to_string();
        assert!(damaged.contains("manifest.jsonl, line 1 is not as it was written"), "{damaged}");
        Ok(())
    }
}
