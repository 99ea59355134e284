//! Merging beside the dataflow: begun behind one commit, added by a later one.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use headwater_schemas::tables::TableSpec;

use super::UpkeepSettings;
use super::plan::{Merge, plan};
use super::rows::merged;
use crate::parquet::CommitError;
use crate::parquet::chain::CommitFile;
use crate::parquet::directory::{merged_file, merged_staging};
use crate::parquet::durable;
use crate::parquet::record::{CommittedFile, Merged};
use crate::parquet::writer::{merged_options, stage};

/// What a commit adds, and what it replaces and drops.
#[derive(Debug, Default)]
pub(in crate::parquet) struct Upkept {
    /// Staged, and synced.
    pub(in crate::parquet) files: Vec<CommittedFile>,
    pub(in crate::parquet) replaced: Vec<String>,
    pub(in crate::parquet) dropped: Vec<String>,
}

/// Merges, one plan at a time.
#[derive(Debug)]
pub(in crate::parquet) struct Merger {
    data: PathBuf,
    settings: UpkeepSettings,
    specs: BTreeMap<&'static str, TableSpec>,
    running: Option<(u64, JoinHandle<Result<Upkept, CommitError>>)>,
}

impl Merger {
    pub(in crate::parquet) fn new(data: &Path, settings: UpkeepSettings, specs: Vec<TableSpec>) -> Self {
        let specs = specs.into_iter().map(|spec| (spec.name, spec)).collect();
        Self { data: data.to_owned(), settings, specs, running: None }
    }

    /// Goes on with a plan that a run before had made behind a commit, if there is one that no commit has added yet: the commit.
    pub(in crate::parquet) fn unfinished(&self, last: u64) -> Option<u64> {
        self.settings.last_plan(last).filter(|planned| self.settings.added_in(*planned) > last)
    }

    /// Whether there is to be a plan behind a commit.
    pub(in crate::parquet) fn is_due(&self, commit_id: u64) -> bool {
        self.settings.last_plan(commit_id) == Some(commit_id)
    }

    /// Plans behind a commit for the files that there are, and begins; `end` is the commit's end in nanoseconds.
    pub(in crate::parquet) fn begin(&mut self, commit_id: u64, end: u64, files: &[Arc<CommitFile>]) -> Result<(), CommitError> {
        let files: Vec<_> = files.iter().filter(|file| file.commit_id <= commit_id).cloned().collect();
        let work = Work { data: self.data.clone(), commit_id: self.settings.added_in(commit_id), specs: self.specs.clone() };
        let settings = self.settings.clone();
        let added_in = work.commit_id;
        let thread = std::thread::Builder::new().name("merge".to_owned());
        let thread = thread.spawn(move || work.all(&plan(&files, end, &settings)));
        self.running = Some((added_in, thread.map_err(CommitError::file("starting a thread for merging", &self.data))?));
        Ok(())
    }

    /// What a commit is to add. Waits until it is ready.
    pub(in crate::parquet) fn take(&mut self, commit_id: u64) -> Result<Upkept, CommitError> {
        match self.running.take_if(|(added_in, _)| *added_in <= commit_id) {
            Some((_, thread)) => thread.join().unwrap_or_else(|_| Err(CommitError::Merging { path: self.data.clone() })),
            None => Ok(Upkept::default()),
        }
    }
}

impl Drop for Merger {
    fn drop(&mut self) {
        // What no commit will add any more is begun again by the next run.
        if let Some((commit_id, thread)) = self.running.take() {
            let _ = thread.join();
            let _ = fs::remove_dir_all(merged_staging(&self.data, commit_id));
        }
    }
}

struct Work {
    data: PathBuf,
    commit_id: u64,
    specs: BTreeMap<&'static str, TableSpec>,
}

impl Work {
    fn all(&self, plan: &super::plan::Plan) -> Result<Upkept, CommitError> {
        let mut upkept = Upkept { dropped: plan.dropped.iter().map(|file| file.path.to_string()).collect(), ..Upkept::default() };
        for merge in &plan.merges {
            // A table that this program does not know stays as it is.
            let Some(spec) = merge.files.first().and_then(|file| self.specs.get(&*file.table)) else { continue };
            upkept.files.extend(self.one(spec, merge)?);
            upkept.replaced.extend(merge.replaced().map(|file| file.path.to_string()));
        }
        upkept.replaced.sort();
        upkept.dropped.sort();
        let staging = merged_staging(&self.data, self.commit_id);
        durable::sync(&self.data, &upkept.files.iter().map(|file| staging.join(&file.path)).collect::<Vec<_>>())?;
        Ok(upkept)
    }

    fn one(&self, spec: &TableSpec, merge: &Merge) -> Result<Option<CommittedFile>, CommitError> {
        let Some(rows) = merged(&self.data, spec, merge)? else { return Ok(None) };
        let commits = merge.files.iter().map(|file| (file.first_commit(), file.last_commit()));
        let (first, last) = commits.fold((u64::MAX, 0), |(first, last), (begin, end)| (begin.min(first), end.max(last)));
        // A whole state has its keys since ever.
        let merged = Merged { first: if merge.whole { 1 } else { first }, last, whole: merge.whole };
        // The newest of their days.
        let Some(newest) = merge.files.iter().max_by_key(|file| (file.date, file.path.split('/').nth(1))) else { return Ok(None) };
        let folder = newest.path.split('/').nth(1).unwrap_or_default();
        let path = merged_file(spec.name, merge.role, folder, self.commit_id);
        let options = merged_options(spec, &rows);
        stage(&merged_staging(&self.data, self.commit_id), path, spec, merge.role, Some(merged), &rows, options).map(Some)
    }
}
