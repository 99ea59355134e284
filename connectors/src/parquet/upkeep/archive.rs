//! Archiving the records of old commits, and writing the inventory from which a chain is opened.
//!
//! The order makes a crash at any point safe: first the archive, then the inventory, then the removal of what both replace.
//! Preceding archives that are no longer than the new one are joined with it: so archives are few, and a record is seldom
//! rewritten.

use std::path::Path;

use crate::parquet::CommitError;
use crate::parquet::chain::{ChainError, Live};
use crate::parquet::commit::{Step, Steps};
use crate::parquet::directory::remove_file;
use crate::parquet::durable;
use crate::parquet::record::{FORMAT_VERSION, Inventory};
use crate::parquet::records::{Archive, Listing, Records, archive_path, inventory_path, keep};

const LEVEL: i32 = 3;

/// Archives all records up to a commit that are not archived yet, and writes the inventory of that commit.
pub(in crate::parquet) fn archive(data: &Path, end: u64, steps: &Steps) -> Result<(), CommitError> {
    let listing = Listing::read(data)?;
    let before = listing.archives.iter().map(|archive| archive.last).filter(|last| *last <= end).max().unwrap_or(0);
    if before < end {
        let joined = to_join(&listing.archives, before, end);
        let first = joined.first().map_or(before + 1, |archive| archive.first);
        let mut lines = Vec::new();
        for archive in &joined {
            lines.extend(archive.lines()?.unwrap_or_default());
        }
        let mut records = Records::new(data);
        for commit_id in before + 1..=end {
            let record = records.record(commit_id)?;
            lines.push(serde_json::to_string(&record).map_err(|cause| CommitError::Record { commit_id, cause })?);
        }
        let mut text = lines.join("\n").into_bytes();
        text.push(b'\n');
        let path = archive_path(data, first, end);
        let packed = zstd::encode_all(text.as_slice(), LEVEL).map_err(CommitError::file("packing", &path))?;
        durable::publish(&path, &packed)?;
    }
    inventory(data, end)?;
    steps(Step::Archived, end);
    tidy(data)
}

/// The archives to be joined with a new one: from the last one back, while they are no longer than the records joined so far.
fn to_join(archives: &[Archive], before: u64, end: u64) -> Vec<Archive> {
    let mut joined: Vec<Archive> = Vec::new();
    let mut first = before + 1;
    for archive in archives.iter().rev().filter(|archive| archive.last <= before) {
        if archive.last + 1 != first || archive.last + 1 - archive.first > end + 1 - first {
            break;
        }
        first = archive.first;
        joined.push(archive.clone());
    }
    joined.reverse();
    joined
}

/// Writes the inventory of a commit: the previous inventory with the records since then applied.
fn inventory(data: &Path, end: u64) -> Result<(), CommitError> {
    let path = inventory_path(data, end);
    if path.exists() {
        return Ok(());
    }
    let mut records = Records::new(data);
    let damaged = |problem: String| ChainError::damaged(&path, end - 1, problem);
    let (mut live, before) = match records.inventory()? {
        Some(inventory) => (Live::of(inventory.files, inventory.dropped).map_err(damaged)?, inventory.record.commit_id),
        None => (Live::default(), 0),
    };
    for commit_id in before + 1..end {
        live.apply(&keep(records.record(commit_id)?).map_err(damaged)?);
    }
    let record = records.record(end)?;
    if before < end {
        live.apply(&keep(record.clone()).map_err(damaged)?);
    }
    let files = live.files().iter().map(|file| (file.commit_id, file.committed()));
    let failed = |cause| CommitError::Record { commit_id: end, cause };
    let mut inventory =
        Inventory { format_version: FORMAT_VERSION, record, files: files.collect(), dropped: live.dropped().clone(), hash: String::new() };
    inventory.hash = inventory.expected_hash().map_err(failed)?;
    durable::publish(&path, &serde_json::to_vec(&inventory).map_err(failed)?)
}

/// Removes archived records, archives that are part of greater ones, and all inventories but the newest.
fn tidy(data: &Path) -> Result<(), CommitError> {
    Listing::read(data)?.superfluous(data).iter().try_for_each(|path| remove_file(path))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::{Arc, Mutex};

    use super::*;
    use headwater_schemas::{EffectiveTime, Nanos, Tick};

    use crate::parquet::chain::Chain;
    use crate::parquet::directory::{head_path, record_path};
    use crate::parquet::record::{CommitRecord, CommittedFile, FileRole, GENESIS, Head};

    /// Publishes commits of one file each; every fifth commit replaces the four files before.
    fn publish(data: &Path, commit_ids: std::ops::RangeInclusive<u64>) {
        let mut previous = Records::new(data).record(commit_ids.start() - 1).map_or(GENESIS.to_owned(), |record| record.hash);
        let path = |commit_id: u64| format!("t/date=2026-01-01/{commit_id}-0.parquet");
        for commit_id in commit_ids {
            let (table, sha256) = ("t".to_owned(), String::new());
            let file =
                CommittedFile { path: path(commit_id), table, role: FileRole::Rows, merged: None, part: None, rows: 1, bytes: 1, sha256 };
            let replaced = if commit_id % 5 == 0 { (commit_id - 4..commit_id).map(path).collect() } else { Vec::new() };
            let mut record = CommitRecord {
                format_version: FORMAT_VERSION,
                commit_id,
                first_tick: Tick::new(commit_id - 1),
                end_tick: Tick::new(commit_id),
                end_clock_ns: EffectiveTime::new(commit_id),
                tick_interval_ns: Nanos::new(1),
                grid_interval_ns: Nanos::new(1),
                workers: 1,
                configuration: String::new(),
                ends_run: false,
                files: vec![file],
                replaced,
                dropped: Vec::new(),
                partitions: Vec::new(),
                gaps: Vec::new(),
                previous_hash: previous,
                hash: String::new(),
                committed_at: String::new(),
            };
            record.hash = record.expected_hash().expect("a hash");
            previous = record.hash.clone();
            fs::write(record_path(data, commit_id), serde_json::to_vec(&record).expect("JSON")).expect("a record");
            let head = Head { commit_id, hash: record.hash };
            fs::write(head_path(data), serde_json::to_vec(&head).expect("JSON")).expect("a head");
        }
    }

    fn paths(chain: &Chain) -> Vec<String> {
        chain.live().files().iter().map(|file| file.path.to_string()).collect()
    }

    #[test]
    fn what_is_archived_is_read_as_before_and_files_stay_few() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let data = folder.path();
        fs::create_dir(data.join("commits"))?;
        let told = Arc::new(Mutex::new(Vec::new()));
        let tell = Arc::clone(&told);
        let steps: Steps = Arc::new(move |step, commit_id| tell.lock().expect("a lock").push((step, commit_id)));
        let mut follower = Chain::open(data, None)?;
        for round in 1..=33 {
            publish(data, round * 4 - 3..=round * 4);
            archive(data, (round * 4).saturating_sub(4).max(1), &steps)?;
            // This reader had read only part of what has been archived since.
            if round % 7 == 0 {
                assert!(follower.extend()?);
            }
        }
        follower.extend()?;
        let (anew, whole) = (Chain::open(data, None)?, Chain::open_whole(data)?);
        assert_eq!((whole.commits().len(), whole.last_id(), anew.last_id(), follower.last_id()), (132, 132, 132, 132));
        assert_eq!(anew.inventory(), 128);
        assert_eq!(paths(&anew), paths(&whole));
        assert_eq!(paths(&follower), paths(&whole));
        assert_eq!(paths(&whole).len(), 26 + 2, "of each five one, and the last two");
        assert_eq!(told.lock().expect("a lock").last(), Some(&(Step::Archived, 128)));
        anew.check_tail()?;
        assert_eq!(Chain::open(data, Some(50))?.last_id(), 50);
        // 128 records in archives whose lengths are powers of two, 4 single records, the inventory.
        let files = fs::read_dir(data.join("commits"))?.count();
        assert!(files <= 8 + 4 + 1, "{files} files");

        // Without the inventory the records yield the same; a damaged one is an error that names it.
        let inventory = inventory_path(data, 128);
        let text = fs::read_to_string(&inventory)?;
        fs::write(&inventory, text.replacen("\"rows\":1", "\"rows\":2", 1))?;
        let said = Chain::open(data, None).map(|chain| chain.last_id()).expect_err("a damaged inventory").to_string();
        assert!(said.contains("128.files.json is damaged") && said.contains("remove it"), "{said}");
        fs::remove_file(&inventory)?;
        assert_eq!(paths(&Chain::open(data, None)?), paths(&whole));
        Ok(())
    }
}
