//! Storage of commit records: the newest as single files, older ones in archives.
//!
//! ```text
//!  commits/<n>.json                    the newest commits' records
//!  commits/<first>-<last>.jsonl.zst    the records of older ones, a line each
//!  commits/<n>.files.json              the inventory of what existed at commit n
//!  commits/<sha256>.configuration.json the configurations of commits (`configuration`)
//! ```

use std::fs;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::chain::{ChainError, Commit, CommitFile};
use super::directory::{SEGMENTS, head_path, record_path};
use super::record::{CommitRecord, CommittedFile, FORMAT_VERSION, Head, Inventory};
use crate::fault::Fault;

const ARCHIVE: &str = ".jsonl.zst";
const INVENTORY: &str = ".files.json";
/// Attempts to list the folder when a listed file was removed meanwhile.
const LISTINGS: usize = 8;

/// Reads records of commits.
#[derive(Clone, Debug)]
pub struct Records {
    data: PathBuf,
    /// The archive that was read last.
    opened: Option<Arc<Opened>>,
}

#[derive(Debug)]
struct Opened {
    archive: Archive,
    lines: Vec<String>,
}

/// A file with the records of a range of commits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Archive {
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) path: PathBuf,
}

/// The content of the folder of records.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// Commits with a record file of their own, ascending.
    pub(super) records: Vec<u64>,
    /// Archives, ascending.
    pub(super) archives: Vec<Archive>,
    /// Commits with an inventory, ascending.
    pub(super) inventories: Vec<u64>,
}

impl Listing {
    pub(super) fn read(data: &Path) -> Result<Self, ChainError> {
        let any = record_path(data, 1);
        let folder = any.parent().unwrap_or(data);
        let unreadable = |cause| ChainError::Unreadable { path: folder.to_owned(), cause };
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(cause) => return Err(unreadable(cause)),
        };
        let names = entries.map(|entry| entry.map(|entry| entry.file_name()).map_err(unreadable)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self::of(data, names.into_iter().filter_map(|name| name.into_string().ok())))
    }

    /// What names tell of a folder of records.
    pub(super) fn of(data: &Path, names: impl IntoIterator<Item = String>) -> Self {
        let mut listing = Self::default();
        for name in names {
            if let Some(range) = name.strip_suffix(ARCHIVE) {
                let Some((first, last)) = range.split_once('-') else { continue };
                let (Ok(first), Ok(last)) = (first.parse(), last.parse()) else { continue };
                listing.archives.push(Archive { first, last, path: record_path(data, 0).with_file_name(&name) });
            } else if let Some(commit_id) = name.strip_suffix(INVENTORY) {
                listing.inventories.extend(commit_id.parse::<u64>());
            } else if let Some(commit_id) = name.strip_suffix(".json") {
                listing.records.extend(commit_id.parse::<u64>());
            }
        }
        listing.records.sort_unstable();
        listing.archives.sort();
        listing.inventories.sort_unstable();
        listing
    }

    /// The name of the file with the record of a commit.
    pub(super) fn file_of(&self, commit_id: u64) -> Option<String> {
        if self.records.contains(&commit_id) {
            return Some(format!("{commit_id}.json"));
        }
        let archive = self.archives.iter().find(|archive| (archive.first..=archive.last).contains(&commit_id))?;
        archive.path.file_name()?.to_str().map(str::to_owned)
    }

    /// Archived records, archives that are part of greater ones, and all inventories but the newest.
    pub(super) fn superfluous(&self, data: &Path) -> Vec<PathBuf> {
        let is_in = |first: u64, last: u64, archive: &Archive| archive.first <= first && last <= archive.last;
        let records = self.records.iter().filter(|id| self.archives.iter().any(|archive| is_in(**id, **id, archive)));
        let records = records.map(|commit_id| record_path(data, *commit_id));
        let is_part = |small: &&Archive| self.archives.iter().any(|archive| archive != *small && is_in(small.first, small.last, archive));
        let archives = self.archives.iter().filter(is_part).map(|archive| archive.path.clone());
        let inventories = self.inventories.iter().rev().skip(1).map(|commit_id| inventory_path(data, *commit_id));
        records.chain(archives).chain(inventories).collect()
    }

    /// The greatest commit with a record.
    pub(super) fn last(&self) -> u64 {
        self.records.last().copied().max(self.archives.iter().map(|archive| archive.last).max()).unwrap_or(0)
    }
}

/// The path of an archive.
pub(super) fn archive_path(data: &Path, first: u64, last: u64) -> PathBuf {
    record_path(data, 0).with_file_name(format!("{first}-{last}{ARCHIVE}"))
}

/// The path of an inventory.
pub fn inventory_path(data: &Path, commit_id: u64) -> PathBuf {
    record_path(data, 0).with_file_name(format!("{commit_id}{INVENTORY}"))
}

impl Records {
    /// The records of a data directory.
    pub fn new(data: &Path) -> Self {
        Self { data: data.to_owned(), opened: None }
    }

    /// The data directory.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// The greatest commit with a record. Records are published in order, so all before it must exist, too.
    pub fn last(&self) -> Result<u64, ChainError> {
        Listing::read(&self.data).map(|listing| listing.last())
    }

    /// Reads one commit and checks its record's own hash, but not its place in the chain. `None` if there is no such record.
    pub fn read(&mut self, commit_id: u64) -> Result<Option<Commit>, ChainError> {
        let Some(record) = self.find(commit_id)? else { return Ok(None) };
        let damaged = |problem: String| ChainError::damaged(&record_path(&self.data, commit_id), commit_id.saturating_sub(1), problem);
        keep(record).map(Some).map_err(damaged)
    }

    /// The record of a commit that must exist.
    pub(super) fn record(&mut self, commit_id: u64) -> Result<CommitRecord, ChainError> {
        let path = record_path(&self.data, commit_id);
        self.find(commit_id)?.ok_or(ChainError::Unreadable { path, cause: ErrorKind::NotFound.into() })
    }

    fn find(&mut self, commit_id: u64) -> Result<Option<CommitRecord>, ChainError> {
        if let Some(record) = self.in_opened(commit_id) {
            return record.map(Some);
        }
        for _ in 0..LISTINGS {
            let path = record_path(&self.data, commit_id);
            match fs::read(&path) {
                Ok(text) => return proved(&path, &text, commit_id).map(Some),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(cause) => return Err(ChainError::Unreadable { path, cause }),
            }
            if !self.may_be_archived(commit_id) {
                return Ok(None);
            }
            let archives = Listing::read(&self.data)?.archives;
            let Some(archive) = archives.into_iter().find(|archive| (archive.first..=archive.last).contains(&commit_id)) else {
                return Ok(None);
            };
            // An archive that is missing was joined into a greater one, which the next listing shows.
            if self.open(archive)? {
                return self.in_opened(commit_id).transpose();
            }
        }
        Ok(None)
    }

    /// Records after the one that `HEAD` names are in no archive. So polling for the next commit lists no folder.
    fn may_be_archived(&self, commit_id: u64) -> bool {
        let head = fs::read(head_path(&self.data)).ok().and_then(|text| serde_json::from_slice::<Head>(&text).ok());
        head.is_none_or(|head| commit_id <= head.commit_id)
    }

    fn in_opened(&self, commit_id: u64) -> Option<Result<CommitRecord, ChainError>> {
        let opened = self.opened.as_ref()?;
        let index = commit_id.checked_sub(opened.archive.first)?;
        let line = opened.lines.get(usize::try_from(index).ok()?)?;
        Some(proved(&opened.archive.path, line.as_bytes(), commit_id))
    }

    /// Reads an archive; false if it does not exist.
    fn open(&mut self, archive: Archive) -> Result<bool, ChainError> {
        let Some(lines) = archive.lines()? else { return Ok(false) };
        self.opened = Some(Arc::new(Opened { archive, lines }));
        Ok(true)
    }

    /// The newest inventory, if there is one.
    pub(super) fn inventory(&self) -> Result<Option<Inventory>, ChainError> {
        for _ in 0..LISTINGS {
            let Some(commit_id) = Listing::read(&self.data)?.inventories.last().copied() else { return Ok(None) };
            let path = inventory_path(&self.data, commit_id);
            match fs::read(&path) {
                Ok(text) => return inventory(&path, &text, commit_id).map(Some),
                // A newer one has replaced it.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(cause) => return Err(ChainError::Unreadable { path, cause }),
            }
        }
        Ok(None)
    }
}

impl Archive {
    /// The records, one per line; `None` if the file does not exist.
    pub(super) fn lines(&self) -> Result<Option<Vec<String>>, ChainError> {
        let damaged = |fault: Fault| ChainError::damaged(&self.path, self.first - 1, fault);
        let packed = match fs::read(&self.path) {
            Ok(packed) => packed,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(cause) => return Err(ChainError::Unreadable { path: self.path.clone(), cause }),
        };
        let text =
            zstd::decode_all(packed.as_slice()).map_err(|error| damaged(Fault::shown_by("it is not compressed as archives are", error)))?;
        let text = String::from_utf8(text).map_err(|error| damaged(Fault::shown_by("it is no text", error)))?;
        let lines: Vec<_> = text.lines().map(str::to_owned).collect();
        if lines.len() as u64 != self.last + 1 - self.first {
            let problem = format!("it has {} records, and its name says {}", lines.len(), self.last + 1 - self.first);
            return Err(damaged(problem.into()));
        }
        Ok(Some(lines))
    }
}

fn inventory(path: &Path, text: &[u8], commit_id: u64) -> Result<Inventory, ChainError> {
    let damaged = |fault: Fault| ChainError::inventory(path, fault);
    let inventory: Inventory = serde_json::from_slice(text).map_err(|error| match other_version(text) {
        Some(found) => unknown_version(path, found),
        None => damaged(Fault::shown_by("it is no inventory", error)),
    })?;
    check(&inventory.record, commit_id).map_err(damaged)?;
    let expected = inventory.expected_hash().map_err(|error| damaged(unhashable(error)))?;
    if inventory.hash != expected {
        return Err(damaged(another_hash(&inventory.hash, &expected)));
    }
    Ok(inventory)
}

fn proved(path: &Path, text: &[u8], commit_id: u64) -> Result<CommitRecord, ChainError> {
    let record = parse(path, text, commit_id)?;
    let checked = check(&record, commit_id);
    checked.map(|()| record).map_err(|fault| ChainError::damaged(path, commit_id.saturating_sub(1), fault))
}

fn unknown_version(path: &Path, found: u64) -> ChainError {
    let (path, known) = (path.to_owned(), FORMAT_VERSION);
    if found < u64::from(known) {
        ChainError::OlderVersion { path, found, known }
    } else {
        ChainError::UnknownVersion { path, found, known }
    }
}

/// The format version of a text, if it is not this program's.
fn other_version(text: &[u8]) -> Option<u64> {
    #[derive(serde::Deserialize)]
    struct Version {
        format_version: u64,
    }
    let version = serde_json::from_slice::<Version>(text).ok()?.format_version;
    (version != u64::from(FORMAT_VERSION)).then_some(version)
}

fn parse(path: &Path, text: &[u8], commit_id: u64) -> Result<CommitRecord, ChainError> {
    let parsed = serde_json::from_slice::<CommitRecord>(text);
    // A newer layout may not parse: its version is a better error than the first unknown field.
    let version = match &parsed {
        Ok(record) => Some(u64::from(record.format_version)).filter(|version| *version != u64::from(FORMAT_VERSION)),
        Err(_) => other_version(text),
    };
    if let Some(found) = version {
        return Err(unknown_version(path, found));
    }
    let before = commit_id.saturating_sub(1);
    parsed.map_err(|error| ChainError::damaged(path, before, Fault::shown_by("it is no record of a commit", error)))
}

fn check(record: &CommitRecord, commit_id: u64) -> Result<(), Fault> {
    if record.commit_id != commit_id {
        return Err(format!("it says that it is commit {}", record.commit_id).into());
    }
    let expected = record.expected_hash().map_err(unhashable)?;
    if record.hash != expected {
        return Err(another_hash(&record.hash, &expected));
    }
    Ok(())
}

fn unhashable(error: serde_json::Error) -> Fault {
    Fault::shown_by("its hash cannot be computed", error)
}

fn another_hash(hash: &str, expected: &str) -> Fault {
    format!("its hash is {hash}, but what it says has the hash {expected}").into()
}

/// Converts a record and checks its hashes and the paths of its files.
pub(super) fn keep(record: CommitRecord) -> Result<Commit, String> {
    let (commit_id, clock) = (record.commit_id, record.clock());
    let files = record.files.into_iter().map(|file| keep_file(file, commit_id).map(Arc::new)).collect::<Result<_, _>>()?;
    Ok(Commit {
        commit_id,
        first_tick: record.first_tick,
        end_tick: record.end_tick,
        end_clock: record.end_clock_ns,
        clock,
        configuration: record.configuration,
        committed_at: record.committed_at.parse().ok(),
        hash: record.hash,
        previous_hash: record.previous_hash,
        partitions: record.partitions,
        ends_run: record.ends_run,
        files,
        replaced: record.replaced,
        dropped: record.dropped,
    })
}

/// Checks a path: a file must lie in a date folder below the data directory, a segment in the folder of segments.
pub(super) fn keep_file(file: CommittedFile, commit_id: u64) -> Result<CommitFile, String> {
    let components = Path::new(&file.path).components().map(|component| match component {
        Component::Normal(name) => name.to_str(),
        _ => None,
    });
    let date = match (components.collect::<Option<Vec<_>>>().as_deref(), &file.part) {
        (Some([_, folder, _]), None) => folder.strip_prefix("date=").map(|date| date.parse().ok()),
        (Some([SEGMENTS, _]), Some(part)) => Some(part.day.parse().ok()),
        _ => None,
    };
    let Some(date) = date else {
        let form = if file.part.is_some() { "segments/<file>" } else { "<table>/date=YYYY-MM-DD/<file>" };
        return Err(format!("the path {:?} is not of the form {form}", file.path));
    };
    let CommittedFile { path, table, role, merged, part, rows, bytes, sha256 } = file;
    Ok(CommitFile { commit_id, table: table.into(), role, merged, path: path.into(), date, part, rows, bytes, sha256: sha256.into() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parquet::record::{FileRole, Part};

    fn is_kept(path: &str, part: Option<Part>) -> bool {
        let (path, table, sha256) = (path.to_owned(), "balances".to_owned(), String::new());
        keep_file(CommittedFile { path, table, role: FileRole::State, merged: None, part, rows: 1, bytes: 1, sha256 }, 1).is_ok()
    }

    #[test]
    fn a_path_that_leads_elsewhere_is_refused() {
        for path in ["../etc/passwd", "/balances/date=2026-01-01/x", "balances/2026-01-01/x", "balances/date=2026-01-01/../x", "x"] {
            assert!(!is_kept(path, None), "{path}");
        }
        let part = || Some(Part { begin: 0, day: "2026-01-01".to_owned() });
        for path in ["segments/../x", "../segments/x", "/segments/x", "segments/a/x", "balances/date=2026-01-01/x", "segments"] {
            assert!(!is_kept(path, part()), "{path}");
        }
        assert!(is_kept("balances/date=2026-01-01/x", None) && is_kept("segments/x", part()));
        assert!(!is_kept("segments/x", None), "only parts are in segments");
    }
}
