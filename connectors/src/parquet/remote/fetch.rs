//! Receiving what the bucket has more than the folder.
//!
//! ```text
//!  few new commits:  their files ─► the folder; then their records, one after the other
//!  otherwise:        all records, archives, the inventory ─► staging/fetch/commits ─► the files that exist ─► the folder;
//!                    then the two folders of records change places at once
//! ```
//!
//! Every file is proved by its hash before it has its name in the folder, and no record is there before its files. So a process
//! that dies on the way leaves a directory of an earlier commit.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::{COMMITS, Remote, names};
use crate::bucket::BucketError;
use crate::parquet::CommitError;
use crate::parquet::chain::{Chain, ChainError, CommitFile};
use crate::parquet::directory::{entries, fetch_staging, files_without_commit, name_last, record_path};
use crate::parquet::durable;
use crate::parquet::record::CommitRecord;
use crate::parquet::records::{Listing, Records, keep};

/// Attempts when objects are removed while they are to be received, because a later commit replaced them.
const ATTEMPTS: usize = 8;
/// Files that are received, proved and put in their place together.
const PORTION: usize = 64;
/// Most commits that are received one after the other.
const MOST_STEPS: u64 = 64;

/// What the folder received.
#[derive(Debug, Default)]
pub(in crate::parquet) struct Fetched {
    /// The bucket's last commit.
    pub(in crate::parquet) last: u64,
    /// The folder's files that exist no longer.
    pub(in crate::parquet) gone: Vec<Box<str>>,
}

impl Remote {
    /// Receives the commits that the folder lacks, with the files that exist then.
    pub(in crate::parquet) fn fetch(&self, data: &Path) -> Result<Fetched, CommitError> {
        let mut attempt = 1;
        loop {
            match self.fetch_once(data, attempt == 1) {
                Err(CommitError::Bucket(BucketError::Missing { .. })) if attempt < ATTEMPTS => attempt += 1,
                result => return result,
            }
        }
    }

    fn fetch_once(&self, data: &Path, may_step: bool) -> Result<Fetched, CommitError> {
        let (names, listing) = self.listing(data)?;
        let chain = Chain::open(data, None)?;
        let (here, there) = (chain.last_id(), listing.last());
        let fetching = Fetching { remote: self, data, stage: fetch_staging(data), here, there };
        fetching.begin()?;
        fetching.agree(&listing)?;
        let mut fetched = Fetched { last: there, gone: Vec::new() };
        if there > here {
            let inventory = Listing::read(data)?.inventories.last().copied();
            let is_followed = (here + 1..=there).all(|commit_id| listing.records.contains(&commit_id));
            let steps =
                may_step && here > 0 && there - here <= MOST_STEPS && is_followed && inventory == listing.inventories.last().copied();
            fetched.gone = if steps { fetching.step(chain)? } else { fetching.whole(&names)? };
        } else if let Some(end) = chain.end().filter(|end| end.commit_id == there) {
            // After a process that died between the last record and its name here.
            name_last(data, there, &end.hash)?;
        }
        fs::remove_dir_all(&fetching.stage).map_err(CommitError::file("removing", &fetching.stage))?;
        Ok(fetched)
    }
}

/// A folder that receives commits.
struct Fetching<'a> {
    remote: &'a Remote,
    data: &'a Path,
    /// Where objects are received.
    stage: PathBuf,
    /// The folder's last commit.
    here: u64,
    /// The bucket's last commit.
    there: u64,
}

impl Fetching<'_> {
    fn begin(&self) -> Result<(), CommitError> {
        match fs::remove_dir_all(&self.stage) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(CommitError::file("removing", &self.stage)(error)),
            _ => {}
        }
        let commits = self.stage.join(COMMITS);
        fs::create_dir_all(&commits).map_err(CommitError::file("creating", commits))
    }

    /// Receives files of the folder of records.
    fn receive_records(&self, names: impl Iterator<Item = String>) -> Result<(), CommitError> {
        let to = |name: String| (format!("{COMMITS}/{name}"), self.stage.join(COMMITS).join(name));
        Ok(self.remote.bucket.receive(names.map(to).collect())?)
    }

    /// Checks that the last commit that both have is the same.
    fn agree(&self, listing: &Listing) -> Result<(), CommitError> {
        let common = self.here.min(self.there);
        let Some(name) = (common > 0).then(|| listing.file_of(common)).flatten() else { return Ok(()) };
        self.receive_records(std::iter::once(name))?;
        let theirs = Records::new(&self.stage).record(common)?;
        let mine = Records::new(self.data).record(common)?;
        if mine.hash == theirs.hash {
            return Ok(());
        }
        let (path, url) = (self.data.to_owned(), self.remote.bucket.url().to_owned());
        Err(CommitError::Diverged { path, url, commit_id: common })
    }

    /// Receives one commit after the other. Returns the files that they replace or drop.
    fn step(&self, chain: Chain) -> Result<Vec<Box<str>>, CommitError> {
        self.receive_records((self.here + 1..=self.there).map(|commit_id| format!("{commit_id}.json")))?;
        let mut records = Records::new(&self.stage);
        let (mut live, mut last) = (chain.live().clone(), chain.end().map(|end| end.hash));
        let mut gone = Vec::new();
        for commit_id in self.here + 1..=self.there {
            let record = records.record(commit_id)?;
            if last.as_ref().is_some_and(|last| *last != record.previous_hash) {
                let (path, url) = (self.data.to_owned(), self.remote.bucket.url().to_owned());
                return Err(CommitError::Diverged { path, url, commit_id });
            }
            let objects = names::objects(&record.files);
            let commit = keep(record.clone())
                .map_err(|problem| ChainError::damaged(&record_path(&self.stage, commit_id), commit_id - 1, problem))?;
            self.receive_files(&commit.files, &objects)?;
            self.receive_configuration(&record)?;
            gone.extend(live.apply(&commit).paths);
            let staged = record_path(&self.stage, commit_id);
            let text = fs::read(&staged).map_err(CommitError::file("reading", staged))?;
            durable::publish(&record_path(self.data, commit_id), &text)?;
            name_last(self.data, commit_id, &record.hash)?;
            last = Some(record.hash);
        }
        Ok(gone)
    }

    fn receive_configuration(&self, record: &CommitRecord) -> Result<(), CommitError> {
        let path = super::super::configuration::configuration_path(self.data, &record.configuration);
        let Some(name) = path.file_name().and_then(|name| name.to_str()).filter(|_| !path.exists()) else { return Ok(()) };
        self.receive_records(std::iter::once(name.to_owned()))?;
        let staged = self.stage.join(COMMITS).join(name);
        let content = fs::read(&staged).map_err(CommitError::file("reading", staged))?;
        durable::replace(&path, &content)
    }

    /// Receives all records and the files that exist. Returns files of the folder that do not.
    fn whole(&self, names: &[String]) -> Result<Vec<Box<str>>, CommitError> {
        let commits = self.stage.join(COMMITS);
        let mut missing = Vec::new();
        for name in names.iter().filter(|name| !commits.join(name).exists()) {
            // What the folder has is the same: names tell commits, and those that both have agree.
            if fs::hard_link(self.data.join(COMMITS).join(name), commits.join(name)).is_err() {
                missing.push(name.clone());
            }
        }
        self.receive_records(missing.into_iter())?;
        let chain = Chain::open(&self.stage, None)?;
        let objects = names::objects(&names::stored(chain.live(), &mut Records::new(&self.stage))?);
        self.receive_files(chain.live().files(), &objects)?;
        durable::sync(self.data, &entries(&commits)?)?;
        durable::sync(self.data, &[&commits])?;
        self.exchange(&commits)?;
        if let Some(end) = chain.end() {
            name_last(self.data, end.commit_id, &end.hash)?;
        }
        files_without_commit(self.data, chain.live())
    }

    /// Receives files that the folder lacks, and proves them.
    fn receive_files(&self, files: &[Arc<CommitFile>], objects: &BTreeMap<String, String>) -> Result<(), CommitError> {
        let is_lacking = |file: &&Arc<CommitFile>| {
            // A run that another one has overtaken may have left other content under the names of later commits.
            let is_new = file.commit_id > self.here;
            if is_new { file.diagnose(self.data) } else { file.diagnose_quickly(self.data) }.is_some()
        };
        let mut lacking = BTreeMap::<&str, Vec<&Arc<CommitFile>>>::new();
        for file in files.iter().filter(is_lacking) {
            lacking.entry(&file.path).or_default();
        }
        for file in files {
            lacking.entry(&file.path).and_modify(|parts| parts.push(file));
        }
        // In portions: what has arrived stays, if the next one is removed from the bucket meanwhile.
        let lacking: Vec<_> = lacking.into_iter().collect();
        lacking.chunks(PORTION).try_for_each(|portion| self.receive_portion(portion, objects))
    }

    /// Receives files with all of their parts.
    fn receive_portion(&self, files: &[(&str, Vec<&Arc<CommitFile>>)], objects: &BTreeMap<String, String>) -> Result<(), CommitError> {
        let mut receive = Vec::new();
        for (path, _) in files {
            let staged = self.stage.join(path);
            let folder = staged.parent().unwrap_or(&self.stage);
            fs::create_dir_all(folder).map_err(CommitError::file("creating", folder))?;
            receive.extend(objects.get(*path).map(|object| (object.clone(), staged)));
        }
        let staged: Vec<_> = receive.iter().map(|(_, staged)| staged.clone()).collect();
        self.remote.bucket.receive(receive)?;
        for (path, parts) in files {
            if let Some(cause) = parts.iter().find_map(|part| part.diagnose(&self.stage)) {
                let object = objects.get(*path).map_or(*path, String::as_str);
                return Err(CommitError::Object { object: format!("{}/{object}", self.remote.bucket.url()), cause: Box::new(cause) });
            }
        }
        durable::sync(self.data, &staged)?;
        durable::rename_all(self.data, &self.stage, files.iter().map(|(path, _)| *path), || {})
    }

    /// Puts received records in the place of the folder's at once.
    fn exchange(&self, commits: &Path) -> Result<(), CommitError> {
        let mine = self.data.join(COMMITS);
        let moved = if mine.exists() {
            renameat_with(CWD, commits, CWD, &mine, RenameFlags::EXCHANGE).map_err(Into::into)
        } else {
            fs::rename(commits, &mine)
        };
        moved.map_err(CommitError::file("renaming", mine))?;
        durable::sync(self.data, &[self.data])
    }
}

/// Receives the files of a commit that the folder lacks.
pub(super) fn receive(remote: &Remote, data: &Path, record: &CommitRecord) -> Result<(), CommitError> {
    let (commit_id, before) = (record.commit_id, record.commit_id - 1);
    let damaged = |problem| ChainError::damaged(&record_path(data, commit_id), before, problem);
    let commit = keep(record.clone()).map_err(damaged)?;
    if commit.files.iter().all(|file| file.diagnose_quickly(data).is_none()) {
        return Ok(());
    }
    let fetching = Fetching { remote, data, stage: fetch_staging(data), here: before, there: commit_id };
    fetching.receive_files(&commit.files, &names::objects(&record.files))?;
    fs::remove_dir_all(&fetching.stage).map_err(CommitError::file("removing", &fetching.stage))
}
