//! The chain of commits: what exists.
//!
//! Records are read from `<data>/commits/<n>.json`, n from 1 without gaps; each must have the hash that it says, and its
//! predecessor's. Of a record stays what queries need. Table folders are never listed: a file that no record names does
//! not exist.

use std::fs;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use headwater_connectors::parquet::directory::record_path;
use headwater_connectors::parquet::record::{CommitRecord, CommittedFile, FORMAT_VERSION, FileRole, GENESIS};
use headwater_schemas::{Date, EventTime};

use crate::error::CatalogError;
use crate::tables::{Table, table_named};

/// A commit.
#[derive(Debug)]
pub(crate) struct Commit {
    pub(crate) commit_id: u64,
    pub(crate) first_tick: u64,
    pub(crate) end_tick: u64,
    pub(crate) rows: u64,
    pub(crate) file_count: usize,
    pub(crate) committed_at: Option<EventTime>,
    pub(crate) hash: String,
    pub(crate) previous_hash: String,
    /// The files of tables that this version knows.
    pub(crate) files: Vec<Arc<CommitFile>>,
}

/// A file that a commit added.
#[derive(Debug)]
pub(crate) struct CommitFile {
    pub(crate) commit_id: u64,
    pub(crate) table: &'static Table,
    pub(crate) role: FileRole,
    /// Below the data directory.
    pub(crate) path: Box<str>,
    /// The day on which all its rows' `ts` are, or of a checkpoint the newest; unknown for a day that has no four-digit name.
    pub(crate) date: Option<Date>,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    pub(crate) sha256: Box<str>,
}

/// All commits of a data directory, as far as they were asked for.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    data: PathBuf,
    commits: Vec<Arc<Commit>>,
}

impl Chain {
    /// Reads the whole chain, or the part up to a commit.
    pub(crate) fn open(data: &Path, at: Option<u64>) -> Result<Self, CatalogError> {
        if !data.is_dir() {
            return Err(CatalogError::NoDataDirectory { path: data.to_owned() });
        }
        let last = last_listed(data)?;
        if let Some(at) = at.filter(|at| *at > last) {
            return Err(CatalogError::BeyondLast { data: data.to_owned(), at, last });
        }
        let mut chain = Self { data: data.to_owned(), commits: Vec::new() };
        let end = at.unwrap_or(last);
        while chain.last_id() < end {
            if !chain.read_next()? {
                let path = record_path(data, chain.last_id() + 1);
                return Err(CatalogError::Gap { path, later: last, before: chain.last_id() });
            }
        }
        Ok(chain)
    }

    /// Reads what came since; tells whether anything did.
    pub(crate) fn extend(&mut self) -> Result<bool, CatalogError> {
        let before = self.last_id();
        while self.read_next()? {}
        Ok(self.last_id() > before)
    }

    /// The number of the last commit; 0 when there is none.
    pub(crate) fn last_id(&self) -> u64 {
        self.commits.last().map_or(0, |commit| commit.commit_id)
    }

    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    pub(crate) fn commits(&self) -> &[Arc<Commit>] {
        &self.commits
    }

    fn read_next(&mut self) -> Result<bool, CatalogError> {
        let commit_id = self.last_id() + 1;
        let path = record_path(&self.data, commit_id);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(cause) => return Err(CatalogError::Unreadable { path, cause }),
        };
        let record = parse(&path, &text, commit_id)?;
        let previous = self.commits.last().map_or(GENESIS, |commit| &commit.hash);
        let commit = check(&record, commit_id, previous).and_then(|()| keep(record));
        let commit = commit.map_err(|cause| CatalogError::Damaged { path, cause, before: commit_id - 1 })?;
        self.commits.push(Arc::new(commit));
        Ok(true)
    }
}

/// The greatest number among the records. Records are published in order, so all before it must be there too.
fn last_listed(data: &Path) -> Result<u64, CatalogError> {
    let any = record_path(data, 1);
    let folder = any.parent().unwrap_or(data);
    let unreadable = |cause| CatalogError::Unreadable { path: folder.to_owned(), cause };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
        Err(cause) => return Err(unreadable(cause)),
    };
    let mut last = 0;
    for entry in entries {
        let name = entry.map_err(unreadable)?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(".json")).and_then(|number| number.parse().ok());
        last = last.max(number.unwrap_or(0));
    }
    Ok(last)
}

fn parse(path: &Path, text: &[u8], commit_id: u64) -> Result<CommitRecord, CatalogError> {
    #[derive(serde::Deserialize)]
    struct Version {
        format_version: u64,
    }
    let parsed = serde_json::from_slice::<CommitRecord>(text);
    // A layout from the future need not parse: its version explains more than the first field that is strange.
    let version = match &parsed {
        Ok(record) => Some(u64::from(record.format_version)),
        Err(_) => serde_json::from_slice::<Version>(text).ok().map(|version| version.format_version),
    };
    if let Some(found) = version.filter(|version| *version != u64::from(FORMAT_VERSION)) {
        return Err(CatalogError::UnknownVersion { path: path.to_owned(), found, known: FORMAT_VERSION });
    }
    let damaged =
        |cause: serde_json::Error| CatalogError::Damaged { path: path.to_owned(), cause: cause.to_string(), before: commit_id - 1 };
    parsed.map_err(damaged)
}

fn check(record: &CommitRecord, commit_id: u64, previous: &str) -> Result<(), String> {
    if record.commit_id != commit_id {
        return Err(format!("it says that it is commit {}", record.commit_id));
    }
    if record.previous_hash != previous {
        return Err(format!("its previous_hash {} is not the hash of the commit before, {previous}", record.previous_hash));
    }
    let expected = record.expected_hash().map_err(|error| error.to_string())?;
    if record.hash != expected {
        return Err(format!("its hash is {}, but what it says has the hash {expected}", record.hash));
    }
    Ok(())
}

/// What queries need of a record.
fn keep(record: CommitRecord) -> Result<Commit, String> {
    let (rows, file_count, commit_id) = (record.rows(), record.files.len(), record.commit_id);
    let files = record.files.into_iter().filter_map(|file| keep_file(file, commit_id));
    let files = files.map(|file| file.map(Arc::new)).collect::<Result<_, _>>()?;
    Ok(Commit {
        commit_id,
        first_tick: record.first_tick,
        end_tick: record.end_tick,
        rows,
        file_count,
        committed_at: record.committed_at.parse().ok(),
        hash: record.hash,
        previous_hash: record.previous_hash,
        files,
    })
}

/// A file of a table that this version knows; it must lie in a date folder below the data directory.
fn keep_file(file: CommittedFile, commit_id: u64) -> Option<Result<CommitFile, String>> {
    let table = table_named(&file.table)?;
    let parts = Path::new(&file.path).components().map(|part| match part {
        Component::Normal(name) => name.to_str(),
        _ => None,
    });
    let date = match parts.collect::<Option<Vec<_>>>().as_deref() {
        Some([_, folder, _]) => folder.strip_prefix("date=").map(|date| date.parse().ok()),
        _ => None,
    };
    let Some(date) = date else {
        return Some(Err(format!("the path {:?} is not of the form <table>/date=YYYY-MM-DD/<file>", file.path)));
    };
    let CommittedFile { path, role, rows, bytes, sha256, .. } = file;
    Some(Ok(CommitFile { commit_id, table, role, path: path.into(), date, rows, bytes, sha256: sha256.into() }))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::testing::TestData;

    fn message(data: &TestData, at: Option<u64>) -> String {
        let error = Chain::open(data.path(), at).map(|chain| chain.last_id()).expect_err("an error");
        error.to_string().replace(&data.path().display().to_string(), "DATA")
    }

    fn change(data: &TestData, commit_id: u64, change: impl FnOnce(&mut serde_json::Value)) {
        let path = data.record_path(commit_id);
        let mut record = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        change(&mut record);
        fs::write(path, record.to_string()).unwrap();
    }

    fn three_commits() -> TestData {
        let mut data = TestData::new();
        (0..3).for_each(|_| assert!(data.commit(vec![]) > 0));
        data
    }

    #[test]
    fn the_chain_is_read_as_far_as_asked() {
        let data = three_commits();
        for (at, last) in [(None, 3), (Some(3), 3), (Some(2), 2), (Some(0), 0)] {
            assert_eq!(Chain::open(data.path(), at).unwrap().last_id(), last, "{at:?}");
        }
        assert_eq!(
            message(&data, Some(4)),
            "there is no commit 4 in DATA: the last one is 3; give --at at most 3, or leave it out for the newest"
        );
    }

    #[test]
    fn a_directory_without_commits_is_an_empty_chain_and_no_directory_is_an_error() {
        let data = TestData::new();
        assert_eq!(Chain::open(data.path(), None).unwrap().last_id(), 0);
        let missing = Chain::open(&data.path().join("nowhere"), None).map(|chain| chain.last_id());
        assert!(matches!(missing, Err(CatalogError::NoDataDirectory { .. })), "{missing:?}");
    }

    #[test]
    fn a_missing_record_is_a_gap_but_what_came_before_can_be_asked() {
        let data = three_commits();
        fs::remove_file(data.record_path(2)).unwrap();
        assert_eq!(
            message(&data, None),
            "DATA/commits/2.json is missing although commit 3 is there: restore the file from a copy, or query what came before with --at 1"
        );
        assert_eq!(Chain::open(data.path(), Some(1)).unwrap().last_id(), 1);
    }

    #[test]
    fn every_damage_is_told_with_file_and_mend() {
        type Damage = Box<dyn Fn(&TestData)>;
        let cases: Vec<(&str, Damage, &str)> = vec![
            ("no JSON", Box::new(|data| fs::write(data.record_path(2), "{").unwrap()), "is damaged: EOF while parsing an object"),
            ("changed", Box::new(|data| change(data, 2, |record| record["end_tick"] = 7.into())), "but what it says has the hash"),
            (
                "renamed",
                Box::new(|data| {
                    fs::copy(data.record_path(3), data.record_path(2)).unwrap();
                }),
                "it says that it is commit 3",
            ),
            ("unknown field", Box::new(|data| change(data, 2, |record| record["more"] = 7.into())), "unknown field `more`"),
            (
                "from the future",
                Box::new(|data| change(data, 2, |record| record["format_version"] = 2.into())),
                "has format_version 2, and this program reads 1: use the version of headwater that wrote it, or a newer one",
            ),
            ("another layout", Box::new(|data| fs::write(data.record_path(2), "{\"format_version\":9}").unwrap()), "has format_version 9"),
        ];
        for (case, damage, expected) in cases {
            let data = three_commits();
            damage(&data);
            let message = message(&data, None);
            assert!(message.starts_with("DATA/commits/2.json ") && message.contains(expected), "{case}: {message}");
            assert_eq!(Chain::open(data.path(), Some(1)).unwrap().last_id(), 1, "{case}");
        }
    }

    #[test]
    fn a_record_must_follow_the_one_before() {
        let (data, mut other) = (three_commits(), TestData::new());
        other.commit(vec![crate::testing::facts(&[crate::testing::leg(
            "t",
            1,
            "a",
            "EUR",
            headwater_schemas::Money::ZERO,
            crate::testing::at(1, 0),
        )])]);
        fs::copy(other.record_path(1), data.record_path(1)).unwrap();
        assert!(message(&data, None).contains("commits/2.json is damaged: its previous_hash "));
    }

    #[test]
    fn a_path_that_leads_elsewhere_is_refused() {
        for path in ["../etc/passwd", "/balances/date=2026-01-01/x", "balances/2026-01-01/x", "balances/date=2026-01-01/../x", "x"] {
            let file = CommittedFile {
                path: path.to_owned(),
                table: "balances".to_owned(),
                role: FileRole::State,
                rows: 1,
                bytes: 1,
                sha256: String::new(),
            };
            assert!(keep_file(file, 1).is_some_and(|kept| kept.is_err()), "{path}");
        }
    }
}
