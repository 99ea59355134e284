//! Merges files beside the dataflow: planned at one commit, added by a later one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use headwater_schemas::EffectiveTime;
use headwater_schemas::tables::TableSpec;

use super::plan::{Merge, Plan, plan};
use super::rows::{Limits, MergedRows, merged};
use super::{Scope, UpkeepSettings};
use crate::parquet::CommitError;
use crate::parquet::chain::CommitFile;
use crate::parquet::directory::{dataset, merged_file, merged_staging};
use crate::parquet::durable;
use crate::parquet::record::{CommittedFile, Merged};
use crate::parquet::records::Records;
use crate::parquet::writer::{Content, merged_options, stage};

/// Result of upkeep for a commit: files to add, names of files to replace and to drop.
#[derive(Debug, Default)]
pub(in crate::parquet) struct Upkept {
    /// Files that are staged and synced.
    pub(in crate::parquet) files: Vec<CommittedFile>,
    pub(in crate::parquet) replaced: Vec<String>,
    pub(in crate::parquet) dropped: Vec<String>,
}

/// Runs one merge plan at a time, on a thread.
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

    /// Returns what a commit has to add; `files` are those that exist before it. Starts the plan of an earlier commit, and waits for
    /// it if this commit is the one that adds it.
    pub(in crate::parquet) fn merge(&mut self, commit_id: u64, files: &[Arc<CommitFile>]) -> Result<Upkept, CommitError> {
        self.resume(commit_id, files)?;
        self.take(commit_id)
    }

    /// Returns what the last commit of a run has to add: a plan that is due, and all remaining parts of segments as Parquet. A plan
    /// that is not due yet is given up, because it would read those parts.
    pub(in crate::parquet) fn finish(&mut self, commit_id: u64, files: &[Arc<CommitFile>]) -> Result<Upkept, CommitError> {
        let is_due = self.planned_before(commit_id).is_some_and(|planned| self.settings.added_in(planned) == commit_id);
        if !is_due {
            self.give_up();
        }
        let mut upkept = if is_due { self.merge(commit_id, files)? } else { Upkept::default() };
        if self.settings.every > 0 {
            let taken: BTreeSet<_> = upkept.replaced.iter().chain(&upkept.dropped).map(String::as_str).collect();
            let left: Vec<_> = files.iter().filter(|file| !taken.contains(&*file.name())).cloned().collect();
            drop(taken);
            self.work(commit_id).add(&plan(&left, EffectiveTime::ZERO, Scope::Parts, &self.settings), &mut upkept)?;
        }
        Ok(upkept)
    }

    /// Commit of the plan that no commit before this one has added.
    fn planned_before(&self, commit_id: u64) -> Option<u64> {
        let planned = self.settings.last_plan(commit_id.checked_sub(1)?)?;
        (self.settings.added_in(planned) >= commit_id).then_some(planned)
    }

    /// Starts the plan that has not been added yet, unless it is running.
    fn resume(&mut self, commit_id: u64, files: &[Arc<CommitFile>]) -> Result<(), CommitError> {
        let planned = self.planned_before(commit_id).filter(|_| self.running.is_none());
        let Some(planned) = planned else { return Ok(()) };
        let record = Records::new(&self.data).record(planned)?;
        let end = record.clock().start_of(record.end_tick);
        let files: Vec<_> = files.iter().filter(|file| file.commit_id <= planned).cloned().collect();
        let (work, settings) = (self.work(self.settings.added_in(planned)), self.settings.clone());
        let added_in = work.commit_id;
        let thread = std::thread::Builder::new().name("merge".to_owned());
        let thread = thread.spawn(move || {
            let mut upkept = Upkept::default();
            work.add(&plan(&files, end, settings.scope(planned), &settings), &mut upkept).map(|()| upkept)
        });
        self.running = Some((added_in, thread.map_err(CommitError::file("starting a thread for merging", &self.data))?));
        Ok(())
    }

    fn work(&self, commit_id: u64) -> Work {
        Work { data: self.data.clone(), commit_id, specs: self.specs.clone() }
    }

    /// Takes the result that is due. Waits until it is ready.
    fn take(&mut self, commit_id: u64) -> Result<Upkept, CommitError> {
        match self.running.take_if(|(added_in, _)| *added_in <= commit_id) {
            Some((_, thread)) => thread.join().unwrap_or_else(|_| Err(CommitError::Merging { path: self.data.clone() })),
            None => Ok(Upkept::default()),
        }
    }

    /// Drops the running merge. Its plan starts again before the next commit.
    fn give_up(&mut self) {
        if let Some((commit_id, thread)) = self.running.take() {
            let _ = thread.join();
            let _ = fs::remove_dir_all(merged_staging(&self.data, commit_id));
        }
    }
}

impl Drop for Merger {
    fn drop(&mut self) {
        self.give_up();
    }
}

struct Work {
    data: PathBuf,
    commit_id: u64,
    specs: BTreeMap<&'static str, TableSpec>,
}

impl Work {
    /// Carries out a plan and adds its result to `upkept`.
    fn add(&self, plan: &Plan, upkept: &mut Upkept) -> Result<(), CommitError> {
        upkept.dropped.extend(plan.dropped.iter().map(|file| file.name().into_owned()));
        let known = upkept.files.len();
        for merge in &plan.merges {
            // A table that this program does not know stays as it is.
            let Some(spec) = merge.files.first().and_then(|file| self.specs.get(&*file.table)) else { continue };
            upkept.files.extend(self.one(spec, merge, upkept.files.len() + 1)?);
            upkept.replaced.extend(merge.replaced().map(|file| file.name().into_owned()));
        }
        upkept.replaced.sort();
        upkept.dropped.sort();
        let staging = merged_staging(&self.data, self.commit_id);
        let added: Vec<_> = upkept.files.iter().skip(known).map(|file| staging.join(&file.path)).collect();
        durable::sync(&self.data, &added)
    }

    fn one(&self, spec: &TableSpec, merge: &Merge, number: usize) -> Result<Option<CommittedFile>, CommitError> {
        let staging = merged_staging(&self.data, self.commit_id);
        let rows = merged(&self.data, &staging, spec, merge, Limits::RUN)?;
        let Some(MergedRows { schema, at_most, first: first_rows, rest }) = rows else { return Ok(None) };
        let commits = merge.files.iter().map(|file| (file.first_commit(), file.last_commit()));
        let (first, last) = commits.fold((u64::MAX, 0), |(first, last), (begin, end)| (begin.min(first), end.max(last)));
        // A whole state holds keys from the beginning.
        let merged = Merged { first: if merge.whole { 1 } else { first }, last, whole: merge.whole };
        // The newest of their days.
        let Some(newest) = merge.files.iter().max_by_key(|file| (file.date, file.day())) else { return Ok(None) };
        let path = merged_file(&dataset(spec.name, merge.role), newest.day(), self.commit_id, number);
        let options = merged_options(spec, &schema, at_most, first_rows.as_ref());
        let content = Content { schema, chunks: &mut first_rows.into_iter().map(Ok).chain(rest), options };
        stage(&staging, path, spec, merge.role, Some(merged), content).map(Some)
    }
}
