//! A data directory in a bucket: the bucket has the commits, and the local folder is a copy of it.
//!
//! ```text
//!  a worker's files: synced, renamed ─► sent to the bucket ─┐
//!  files of upkeep:  renamed ─────────► sent to the bucket ─┴─► commits/<n>.json created in the bucket: the commit exists
//!                                                                 └─► commits/<n>.json and HEAD in the folder
//!  another machine, or the same one after a crash: what the bucket has more is received first
//! ```
//!
//! - A commit exists once its record is in the bucket. The record is created there, never overwritten, also not once it is archived: of
//!   two runs that write one bucket, one ends with an error before it has published anything that the other one did not.
//! - A file's object has part of its content's hash in its name ([`names`]). So a run that does not know that another one has taken
//!   its place cannot overwrite files of commits, and an object is sent again without harm.
//! - Nothing in the folder is needed: a run in an empty one receives the files that exist at the bucket's last commit
//!   ([`fetch`]), and continues from there. A folder that has commits which the bucket lacks gives them to it ([`give`]).
//! - `OUTBOX` and `EAGER` ([`super::directory`]) are in the bucket as well, because what a run publishes to topics depends on them.
//! - Objects that no commit names are removed when the folder's files are. What dead processes have sent goes once it is a day
//!   older than the newest object.

mod fetch;
mod give;
mod mirror;
mod names;

pub(super) use fetch::Fetched;
pub use mirror::Mirror;

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::CommitError;
use super::commit::Existing;
use super::directory::{record_path, remove_file};
use super::record::{CommitRecord, CommittedFile};
use super::records::{Listing, inventory_path};
use crate::bucket::{Bucket, Version};
use crate::durable;

/// Folder of records in the bucket, as in the data directory.
const COMMITS: &str = "commits";
/// Age from which objects that no commit names are those of dead processes.
const ABANDONED: Duration = Duration::from_secs(86_400);

/// The bucket of a data directory.
#[derive(Clone, Debug)]
pub struct Remote {
    bucket: Bucket,
    /// The versions of files that are replaced.
    versions: Arc<Mutex<BTreeMap<&'static str, Version>>>,
    /// Whether no other process of the cluster reads this folder, so that files stay in it only until they are sent.
    is_apart: bool,
}

impl Remote {
    /// The data directory in a bucket.
    pub fn new(bucket: Bucket) -> Self {
        Self { bucket, versions: Arc::default(), is_apart: false }
    }

    /// The same for a process of a cluster that has a folder of its own and does not publish commits.
    pub fn apart(self) -> Self {
        Self { is_apart: true, ..self }
    }

    /// Whether files stay in the folder only until they are sent.
    pub const fn is_apart(&self) -> bool {
        self.is_apart
    }

    /// The bucket.
    pub const fn bucket(&self) -> &Bucket {
        &self.bucket
    }

    /// Sends files of a commit, which are below `folder`.
    pub(super) fn send(&self, folder: &Path, files: &[CommittedFile]) -> Result<(), CommitError> {
        let objects = names::objects(files);
        Ok(self.bucket.send(objects.into_iter().map(|(path, object)| (folder.join(path), object)).collect())?)
    }

    /// Creates the record of a commit, from which on the commit exists.
    pub(super) fn publish(&self, data: &Path, commit_id: u64, text: &[u8]) -> Result<(), CommitError> {
        let name = format!("{COMMITS}/{commit_id}.json");
        let is_created = self.bucket.create(&name, text.to_owned())?;
        // Of a run that was paused for long, the other one's record may be in an archive by now, which is sent before the record is
        // removed.
        let is_archived = || Ok::<_, CommitError>(self.listing(data)?.1.archives.iter().any(|archive| archive.last >= commit_id));
        if is_created && !is_archived()? {
            return Ok(());
        }
        if is_created {
            self.bucket.delete(vec![name])?;
        }
        Err(CommitError::Overtaken { url: self.bucket.url().to_owned(), commit_id })
    }

    /// Receives the files of a commit that the folder lacks: those of processes apart.
    pub(super) fn receive(&self, data: &Path, record: &CommitRecord) -> Result<(), CommitError> {
        fetch::receive(self, data, record)
    }

    /// Sends a configuration, archive or inventory, which is in the folder of records.
    pub(super) fn send_beside_records(&self, data: &Path, paths: &[PathBuf]) -> Result<(), CommitError> {
        let named = |path: &PathBuf| {
            let name = path.strip_prefix(data).ok().and_then(Path::to_str).map(str::to_owned);
            name.map(|name| (path.clone(), name))
        };
        Ok(self.bucket.send(paths.iter().filter_map(named).collect())?)
    }

    /// Sends a configuration that later commits name.
    pub fn send_configuration(&self, data: &Path, hash: &str) -> Result<(), CommitError> {
        self.send_beside_records(data, &[super::configuration::configuration_path(data, hash)])
    }

    /// Removes from the bucket what superfluous local files were there: every object of these paths, whatever its content.
    pub(super) fn forget(&self, paths: &[Box<str>]) -> Result<(), CommitError> {
        let gone: BTreeSet<&str> = paths.iter().map(|path| &**path).collect();
        let folders: BTreeSet<&str> = gone.iter().filter_map(|path| path.rsplit_once('/')).map(|(folder, _)| folder).collect();
        for folder in folders {
            let objects = self.bucket.list(folder)?.into_iter().map(|object| object.name);
            self.bucket.delete(objects.filter(|object| names::path(object).is_some_and(|path| gone.contains(&*path))).collect())?;
        }
        Ok(())
    }

    /// Sends the archives and the inventory of the folder, and removes the records and archives that they hold.
    pub(super) fn archived(&self, data: &Path) -> Result<(), CommitError> {
        let local = Listing::read(data)?;
        let known: BTreeSet<String> = self.listed()?.into_iter().collect();
        let archives = local.archives.iter().map(|archive| archive.path.clone());
        let inventory = local.inventories.last().map(|commit_id| inventory_path(data, *commit_id));
        let is_new = |path: &PathBuf| !path.file_name().and_then(|name| name.to_str()).is_some_and(|name| known.contains(name));
        self.send_beside_records(data, &archives.chain(inventory).filter(is_new).collect::<Vec<_>>())?;
        let superfluous = Listing::of(data, self.listed()?).superfluous(data);
        let names = superfluous.iter().filter_map(|path| path.strip_prefix(data).ok()?.to_str().map(str::to_owned));
        Ok(self.bucket.delete(names.collect())?)
    }

    /// Removes objects of dead processes: those of no file that exists or waits to be removed, if they are a day older than the
    /// newest. Nothing if the bucket has other commits than those up to `last`.
    pub(super) fn tidy(&self, data: &Path, existing: &Existing, last: u64) -> Result<(), CommitError> {
        let gone = existing.gone.iter().flat_map(|(_, paths)| paths.iter().map(|path| &**path));
        let named: BTreeSet<&str> = existing.live.files().iter().map(|file| &*file.path).chain(gone).collect();
        let is_abandoned = |name: &str| names::path(name).is_some_and(|path| !named.contains(&*path));
        let objects = self.bucket.list("")?.into_iter().filter(|object| object.older_by > ABANDONED && is_abandoned(&object.name));
        if self.last(data)? != last {
            return Ok(());
        }
        Ok(self.bucket.delete(objects.map(|object| object.name).collect())?)
    }

    /// What the bucket's folder of records tells, and the names in it that count: a record that is also in an archive may be of a run that
    /// was overtaken.
    fn listing(&self, data: &Path) -> Result<(Vec<String>, Listing), CommitError> {
        let mut names = self.listed()?;
        let superfluous: BTreeSet<PathBuf> = Listing::of(data, names.iter().cloned()).superfluous(data).into_iter().collect();
        names.retain(|name| !superfluous.contains(&record_path(data, 0).with_file_name(name)));
        let listing = Listing::of(data, names.iter().cloned());
        Ok((names, listing))
    }

    /// The bucket's last commit.
    pub(super) fn last(&self, data: &Path) -> Result<u64, CommitError> {
        Ok(self.listing(data)?.1.last())
    }

    /// The names of the files in the bucket's folder of records.
    fn listed(&self) -> Result<Vec<String>, CommitError> {
        let names = self.bucket.list(COMMITS)?.into_iter().map(|object| object.name);
        Ok(names.filter_map(|name| name.strip_prefix(COMMITS)?.strip_prefix('/').map(str::to_owned)).collect())
    }

    /// Replaces one of the files beside the records in the bucket by the folder's. Fails if another process has replaced it.
    pub fn replace(&self, data: &Path, name: &'static str) -> Result<(), CommitError> {
        let path = data.join(name);
        let content = std::fs::read(&path).map_err(CommitError::file("reading", &path))?;
        let mut versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(version) = self.bucket.exchange(name, content, versions.get(name))? else {
            return Err(CommitError::Replaced { object: format!("{}/{name}", self.bucket.url()) });
        };
        versions.insert(name, version);
        Ok(())
    }

    /// Brings one of the files beside the records to what the bucket has; a file that the bucket lacks is sent, or by a process apart
    /// removed.
    pub(super) fn adopt(&self, data: &Path, name: &'static str) -> Result<(), CommitError> {
        let path = data.join(name);
        let Some((content, version)) = self.bucket.get(name)? else {
            return match path.exists() {
                true if self.is_apart => remove_file(&path),
                true => self.replace(data, name),
                false => Ok(()),
            };
        };
        self.versions.lock().unwrap_or_else(PoisonError::into_inner).insert(name, version);
        match std::fs::read(&path) {
            Ok(found) if found == content => Ok(()),
            Err(error) if error.kind() != ErrorKind::NotFound => Err(CommitError::file("reading", &path)(error)),
            _ => durable::replace(&path, &content).map_err(CommitError::file("writing", path)),
        }
    }
}
