//! What is committed up to one commit: the one thing that everything behind a query looks at.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use headwater_connectors::parquet::record::FileRole;
use rustc_hash::FxHashSet;

use crate::commits::{Chain, Commit, CommitFile};
use crate::current::CurrentCache;
use crate::tables::Table;

/// Everything up to one commit. It never changes: a newer commit makes a new one of these.
#[derive(Debug)]
pub(crate) struct Committed {
    data: PathBuf,
    commits: Vec<Arc<Commit>>,
    /// The current rows of state tables, shared by all commits.
    pub(crate) current: Arc<CurrentCache>,
}

impl Committed {
    pub(crate) fn new(chain: &Chain, current: Arc<CurrentCache>) -> Self {
        Self { data: chain.data().to_owned(), commits: chain.commits().to_vec(), current }
    }

    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// The last commit; 0 when there is none.
    pub(crate) fn commit_id(&self) -> u64 {
        self.commits.last().map_or(0, |commit| commit.commit_id)
    }

    pub(crate) fn commits(&self) -> &[Arc<Commit>] {
        &self.commits
    }

    /// The files of a table in a role, oldest commit first.
    pub(crate) fn files(&self, table: &'static Table, role: FileRole) -> impl Iterator<Item = &Arc<CommitFile>> {
        self.commits.iter().flat_map(|commit| &commit.files).filter(move |file| file.belongs(table, role))
    }

    /// The same, newest commit first, as far back as behind a commit.
    pub(crate) fn newest_files(&self, table: &'static Table, role: FileRole, behind: u64) -> impl Iterator<Item = &Arc<CommitFile>> {
        let commits = self.commits.iter().rev().take_while(move |commit| commit.commit_id > behind);
        commits.flat_map(|commit| &commit.files).filter(move |file| file.belongs(table, role))
    }

    /// The files with these paths below the data directory.
    pub(crate) fn files_at<'a>(&'a self, paths: &'a FxHashSet<String>) -> impl Iterator<Item = &'a Arc<CommitFile>> {
        self.commits.iter().flat_map(|commit| &commit.files).filter(|file| paths.contains(&*file.path))
    }
}

impl CommitFile {
    fn belongs(&self, table: &Table, role: FileRole) -> bool {
        self.role == role && self.table.spec.name == table.spec.name
    }
}
