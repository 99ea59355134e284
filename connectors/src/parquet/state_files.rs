//! Which tables' rows are to be written whole again: so that a restart reads what is, not all that was.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::chain::CommitFile;

/// So many files are too many, if a quarter of the table has changed,
const MANY_FILES: usize = 256;
/// and so many in any case.
const TOO_MANY_FILES: usize = 4096;

/// The files that the rows of each table are in now.
#[derive(Debug)]
pub(super) struct StateFiles {
    /// A table of fewer changes is not worth it.
    min_changes: u64,
    tables: BTreeMap<Box<str>, Files>,
}

#[derive(Debug, Default)]
struct Files {
    /// Oldest first: one of the whole table, if there is one, and those of the changes since.
    files: Vec<Arc<CommitFile>>,
    whole_rows: u64,
    changes: u64,
}

impl Files {
    /// Whether the table is to be written whole. Only what is committed decides, so that a repeated run does the same.
    fn is_due(&self, min_changes: u64) -> bool {
        let many = self.files.len() > MANY_FILES && self.changes * 4 >= self.whole_rows;
        many || self.files.len() > TOO_MANY_FILES || self.changes >= min_changes.max(self.whole_rows)
    }
}

impl StateFiles {
    pub(super) const fn new(min_changes: u64) -> Self {
        Self { min_changes, tables: BTreeMap::new() }
    }

    /// Takes note of a commit's files of state rows.
    pub(super) fn add(&mut self, files: impl Iterator<Item = Arc<CommitFile>>) {
        let (whole, changed): (Vec<_>, Vec<_>) = files.partition(|file| file.whole.is_some());
        for file in whole {
            let rows = file.rows;
            self.tables.insert(file.table.clone(), Files { files: vec![file], whole_rows: rows, changes: 0 });
        }
        for file in changed {
            let table = self.tables.entry(file.table.clone()).or_default();
            table.changes += file.rows;
            table.files.push(file);
        }
    }

    /// The tables that are to be written whole, with the files that their rows are in.
    pub(super) fn due(&self) -> BTreeMap<Box<str>, Vec<Arc<CommitFile>>> {
        let due = self.tables.iter().filter(|(_, files)| files.is_due(self.min_changes));
        due.map(|(table, files)| (table.clone(), files.files.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parquet::record::FileRole;

    const MIN_CHANGES: u64 = 20_000;

    fn file(commit_id: u64, rows: u64, whole: Option<u64>) -> Arc<CommitFile> {
        let (path, sha256) = (format!("t/date=2026-01-01/{commit_id}-0.parquet").into(), "".into());
        Arc::new(CommitFile { commit_id, table: "t".into(), role: FileRole::State, whole, path, date: None, rows, bytes: 1, sha256 })
    }

    #[test]
    fn a_table_is_due_when_its_changes_are_as_many_as_its_rows_or_its_files_too_many() {
        type Case = (&'static str, Vec<(u64, Option<u64>)>, bool);
        let cases: [Case; 5] = [
            ("few changes", vec![(MIN_CHANGES - 1, None)], false),
            ("many changes", vec![(MIN_CHANGES, None)], true),
            ("fewer than the whole has rows", vec![(50_000, Some(1)), (49_999, None)], false),
            ("as many", vec![(50_000, Some(1)), (25_000, None), (25_000, None)], true),
            ("many files", vec![(10, None); MANY_FILES + 1], true),
        ];
        for (name, rows, expected) in cases {
            let mut files = StateFiles::new(MIN_CHANGES);
            for (commit_id, (rows, whole)) in (1..).zip(rows) {
                files.add([file(commit_id, rows, whole)].into_iter());
            }
            assert_eq!(!files.due().is_empty(), expected, "{name}");
        }
    }
}
