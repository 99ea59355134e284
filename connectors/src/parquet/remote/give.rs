//! Giving the bucket the commits of a folder that it lacks: of a directory that was written without it.
//!
//! ```text
//!  files that exist ─► configurations, the inventory of the last commit ─► the newest archive, with which the commits exist
//!                                                                        └─► older archives
//! ```

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{COMMITS, Remote, names};
use crate::parquet::CommitError;
use crate::parquet::chain::Chain;
use crate::parquet::commit::Steps;
use crate::parquet::directory::entries;
use crate::parquet::records::{Archive, Listing, Records};
use crate::parquet::upkeep::archive::archive;

impl Remote {
    /// Sends what the bucket lacks. Both agree about the commits that both have ([`Remote::fetch`]).
    pub(in crate::parquet) fn give(&self, data: &Path) -> Result<(), CommitError> {
        let chain = Chain::open(data, None)?;
        let (here, there) = (chain.last_id(), self.last(data)?);
        if here > there {
            self.claim(data, there + 1)?;
            let no_steps: Steps = std::sync::Arc::new(|_, _| {});
            archive(data, here, &no_steps)?;
            let files = names::stored(chain.live(), &mut Records::new(data))?;
            let known: BTreeSet<String> = self.bucket.list("")?.into_iter().map(|object| object.name).collect();
            let send = names::objects(&files).into_iter().filter(|(_, object)| !known.contains(object));
            self.bucket.send(send.map(|(path, object)| (data.join(path), object)).collect())?;
            self.send_beside_records(data, &beside_records(data)?)?;
        }
        self.give_archives(data)
    }

    /// Claims a commit for the folder that has it, before others send theirs.
    fn claim(&self, data: &Path, commit_id: u64) -> Result<(), CommitError> {
        let hash = Records::new(data).record(commit_id)?.hash;
        if self.bucket.create(&format!("given-{commit_id}"), hash)? {
            return Ok(());
        }
        Err(CommitError::Diverged { path: data.to_owned(), url: self.bucket.url().to_owned(), commit_id })
    }

    /// Sends archives that the bucket lacks, the newest first: with it the bucket has the last commit, and its inventory already.
    fn give_archives(&self, data: &Path) -> Result<(), CommitError> {
        let (local, (_, remote)) = (Listing::read(data)?, self.listing(data)?);
        let has = |archive: &Archive| {
            let is_in = |other: &Archive| other.first <= archive.first && archive.last <= other.last;
            remote.archives.iter().any(is_in) || (archive.first..=archive.last).all(|commit_id| remote.file_of(commit_id).is_some())
        };
        for archive in local.archives.iter().rev().filter(|archive| !has(archive)) {
            self.send_beside_records(data, std::slice::from_ref(&archive.path))?;
        }
        Ok(())
    }
}

/// The configurations and the inventories of a folder.
fn beside_records(data: &Path) -> Result<Vec<PathBuf>, CommitError> {
    let is_beside = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.ends_with(".configuration.json") || name.ends_with(".files.json")
    };
    Ok(entries(&data.join(COMMITS))?.into_iter().filter(is_beside).collect())
}
