//! Verification of the audit: an unbroken chain of hashes in every partition, and clocks that follow from records and remap.
//!
//! A row's hash follows from the row and the hash before it, so files are checked in parallel and then joined end to end. A row's
//! effective time is the greatest event time so far, unless `remap` has another one that the wall clock decided.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use headwater_connectors::parquet::chain::{Chain, Commit, CommitFile};
use headwater_connectors::parquet::file::FileError;
use headwater_connectors::parquet::reader::{all_rows, file_rows};
use headwater_connectors::parquet::record::{FileRole, GENESIS};
use headwater_schemas::tables::{Audit, Remap, TableRow};
use headwater_schemas::{Digest, EffectiveTime, EventTime, Offset, Sequence, Text};

/// A partition of a topic.
type Partition = (Text, i32);

/// By offset: the clocks that the wall clock decided. If a topic was created anew, an offset may have several.
type Clocks = BTreeMap<Offset, Vec<EffectiveTime>>;

/// The first and the last row of a partition in a file.
struct Piece {
    first: Audit,
    last: Audit,
    commit_id: u64,
    path: Box<str>,
}

/// The first violation in the audit.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AuditBreak {
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// A row does not follow from the one before.
    #[error("audit of {topic}, partition {partition}: row {sequence} in {path} {problem}")]
    Row {
        /// The topic.
        topic: Text,
        /// The partition.
        partition: i32,
        /// The row.
        sequence: Sequence,
        /// The file.
        path: Box<str>,
        /// How it differs.
        problem: String,
    },
    /// A commit contradicts the rows up to it.
    #[error(
        "commit {commit_id} says that {topic}, partition {partition}, has {says} audited records with the hash {hash}, and the rows say otherwise"
    )]
    Commit {
        /// The commit.
        commit_id: u64,
        /// The topic.
        topic: String,
        /// The partition.
        partition: u16,
        /// The number of rows in its record.
        says: Sequence,
        /// The last hash in its record.
        hash: String,
    },
}

/// Verifies the audit with `threads` threads; returns its number of rows.
pub(crate) fn check_audit(chain: &Chain, threads: usize) -> Result<u64, AuditBreak> {
    let clocks = clocks(chain)?;
    let mut partitions = BTreeMap::<Partition, Vec<Piece>>::new();
    for piece in pieces(chain, &clocks, threads)? {
        partitions.entry((piece.first.topic.clone(), piece.first.partition)).or_default().push(piece);
    }
    let dropped = chain.live().dropped().get(Audit::SPEC.name).copied();
    let mut rows = 0;
    for (partition, pieces) in &mut partitions {
        pieces.sort_by_key(|piece| piece.first.sequence);
        let mut before = None;
        for piece in pieces.iter() {
            match (before, dropped) {
                // Earlier rows were dropped, and the commit before it has their end.
                (None, Some(_)) => begins(&piece.first, commit_before(chain, piece), partition),
                _ => follows(&piece.first, before, clocks.get(partition)),
            }
            .map_err(|problem| broken(&piece.first, &piece.path, problem))?;
            before = Some(&piece.last);
        }
        rows += before.map_or(0, |last| last.sequence.get());
    }
    // A commit whose rows were dropped cannot be compared.
    let compared = chain.commits().iter().filter(|commit| dropped.is_none_or(|dropped| commit.commit_id > dropped));
    compared.into_iter().try_for_each(|commit| check_commit(commit, &partitions, dropped.is_some()))?;
    Ok(rows)
}

fn commit_before<'a>(chain: &'a Chain, piece: &Piece) -> Option<&'a Commit> {
    let index = usize::try_from(piece.commit_id.checked_sub(2)?).ok()?;
    chain.commits().get(index).map(|commit| &**commit)
}

/// Checks the first existing row of a partition against the commit before it.
fn begins(row: &Audit, before: Option<&Commit>, (topic, partition): &Partition) -> Result<(), String> {
    let progress = before.into_iter().flat_map(|commit| &commit.partitions);
    let progress = progress.into_iter().find(|progress| progress.topic == topic.as_str() && i32::from(progress.partition) == *partition);
    let (sequence, hash) = progress.map_or((Sequence::ZERO, GENESIS), |progress| (progress.sequence, &progress.audit_hash));
    let hash = hash.parse().map_err(|_| format!("follows a hash {hash} that is none"))?;
    if row.sequence != sequence.next() {
        return Err(format!("follows row {sequence} of the commit before: rows are missing, or twice there"));
    }
    (row.hash == row.chained(&hash))
        .then_some(())
        .ok_or_else(|| format!("has the hash {}, which does not follow from the commit before", row.hash))
}

fn clocks(chain: &Chain) -> Result<BTreeMap<Partition, Clocks>, FileError> {
    let mut clocks = BTreeMap::<Partition, Clocks>::new();
    for Remap { topic, partition, offset, clock, .. } in all_rows::<Remap>(chain)? {
        clocks.entry((topic, partition)).or_default().entry(offset).or_default().push(clock);
    }
    Ok(clocks)
}

/// Checks every file on its own.
fn pieces(chain: &Chain, clocks: &BTreeMap<Partition, Clocks>, threads: usize) -> Result<Vec<Piece>, AuditBreak> {
    let files: Vec<_> =
        chain.live().files().iter().filter(|file| file.role == FileRole::Rows && *file.table == *Audit::SPEC.name).collect();
    let next = AtomicUsize::new(0);
    let found = Mutex::new((Vec::new(), None::<(usize, AuditBreak)>));
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                while let index = next.fetch_add(1, Ordering::Relaxed)
                    && let Some(file) = files.get(index)
                {
                    let checked = check_file(chain, file, clocks);
                    let Ok(mut found) = found.lock() else { return };
                    match checked {
                        Ok(pieces) => found.0.extend(pieces),
                        Err(error) if found.1.as_ref().is_none_or(|(earlier, _)| index < *earlier) => found.1 = Some((index, error)),
                        Err(_) => {}
                    }
                }
            });
        }
    });
    match found.into_inner() {
        Ok((_, Some((_, error)))) => Err(error),
        Ok((pieces, None)) => Ok(pieces),
        Err(_) => Ok(Vec::new()),
    }
}

fn check_file(chain: &Chain, file: &CommitFile, clocks: &BTreeMap<Partition, Clocks>) -> Result<Vec<Piece>, AuditBreak> {
    let rows = file_rows::<Audit>(chain.data(), file)?;
    let mut pieces = Vec::new();
    for rows in rows.chunk_by(|(a, then), (b, now)| (&a.topic, a.partition, then) == (&b.topic, b.partition, now)) {
        let (Some((first, commit_id)), Some((last, _))) = (rows.first(), rows.last()) else { continue };
        let clocks = clocks.get(&(first.topic.clone(), first.partition));
        for pair in rows.windows(2) {
            if let [(before, _), (row, _)] = pair {
                follows(row, Some(before), clocks).map_err(|problem| broken(row, &file.path, problem))?;
            }
        }
        pieces.push(Piece { first: first.clone(), last: last.clone(), commit_id: *commit_id, path: file.path.clone() });
    }
    Ok(pieces)
}

/// Checks that a row follows from the one before; the error names the difference.
fn follows(row: &Audit, before: Option<&Audit>, clocks: Option<&Clocks>) -> Result<(), String> {
    let (sequence, hash) = before.map_or((Sequence::ZERO, Digest::ZERO), |before| (before.sequence, before.hash));
    if row.sequence != sequence.next() {
        return Err(format!("follows row {sequence}: rows are missing, or twice there"));
    }
    if row.hash != row.chained(&hash) {
        return Err(format!("has the hash {}, and what it says behind the row before has {}", row.hash, row.chained(&hash)));
    }
    // Records rejected in between have no row, but may have moved the clock. If offsets decrease, the topic was created anew.
    let since = before.map(|before| before.offset.next()).filter(|since| *since <= row.offset).unwrap_or_default();
    let told = before.map_or(EffectiveTime::ZERO, |before| before.ts.effective());
    let refused = clocks.into_iter().flat_map(|clocks| clocks.range(since..row.offset)).flat_map(|(_, clocks)| clocks).max();
    let told = told.max(refused.copied().unwrap_or_default());
    // Clocks only rise, so an earlier one at this offset belongs to another record.
    let decided = clocks.and_then(|clocks| clocks.get(&row.offset)?.iter().filter(|clock| **clock >= told).max());
    let expected = decided.copied().unwrap_or_else(|| told.max(row.event_ts.map_or(EffectiveTime::ZERO, EventTime::effective)));
    if row.ts.effective() != expected {
        return Err(format!("has the effective time {}, and events and remap tell {}", row.ts, EventTime::from_effective(expected)));
    }
    Ok(())
}

fn broken(row: &Audit, path: &str, problem: String) -> AuditBreak {
    AuditBreak::Row { topic: row.topic.clone(), partition: row.partition, sequence: row.sequence, path: path.into(), problem }
}

/// Compares a commit with the last row of each partition. If rows were dropped, that row may be among them.
fn check_commit(commit: &Commit, partitions: &BTreeMap<Partition, Vec<Piece>>, dropped: bool) -> Result<(), AuditBreak> {
    for progress in &commit.partitions {
        let pieces = partitions.get(&(Text::new(&progress.topic), i32::from(progress.partition)));
        let pieces = pieces.map_or(&[][..], Vec::as_slice);
        let until = pieces.partition_point(|piece| piece.commit_id <= commit.commit_id);
        let last = until.checked_sub(1).and_then(|last| pieces.get(last)).map(|piece| &piece.last);
        if last.is_none() && dropped {
            continue;
        }
        let (sequence, hash) = last.map_or((Sequence::ZERO, Digest::ZERO), |row| (row.sequence, row.hash));
        if (progress.sequence, &progress.audit_hash) != (sequence, &hash.to_string()) {
            return Err(AuditBreak::Commit {
                commit_id: commit.commit_id,
                topic: progress.topic.clone(),
                partition: progress.partition,
                says: progress.sequence,
                hash: progress.audit_hash.clone(),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use headwater_schemas::{Tick, Topic};

    use super::*;
    use crate::testing::{TestData, facts};

    /// Rows of one partition: (offset, event time, effective time) in seconds.
    fn rows(records: &[(u64, Option<u64>, u64)]) -> Vec<Audit> {
        let mut before = Digest::ZERO;
        let mut rows = Vec::new();
        let time = |seconds: u64| EventTime::from_effective(EffectiveTime::new(1_767_600_000_000_000_000 + seconds * 1_000_000_000));
        for (sequence, (offset, event_ts, ts)) in (1..).zip(records) {
            let mut row = Audit {
                topic: Text::new(Topic::Orders.as_str()),
                partition: 0,
                sequence: Sequence::new(sequence),
                offset: Offset::new(*offset),
                event_id: Some(Text::from(format!("o{offset}"))),
                event_ts: event_ts.map(time),
                ts: time(*ts),
                content: Audit::content_of(None, Some(b"{}")),
                hash: Digest::ZERO,
            };
            row.hash = row.chained(&before);
            before = row.hash;
            rows.push(row);
        }
        rows
    }

    fn remap(offset: u64, seconds: u64) -> Remap {
        let clock = EffectiveTime::new(1_767_600_000_000_000_000 + seconds * 1_000_000_000);
        Remap {
            topic: Text::new(Topic::Orders.as_str()),
            partition: 0,
            offset: Offset::new(offset),
            tick: Tick::ZERO,
            clock,
            ts: EventTime::from_effective(clock),
        }
    }

    const RECORDS: [(u64, Option<u64>, u64); 5] =
        [(3, Some(10), 10), (4, Some(9), 10), (5, None, 10), (9, Some(20), 30), (12, Some(15), 40)];

    #[test]
    fn every_break_of_the_audit_is_named() {
        type Harm = fn(&mut Vec<Audit>, &mut Vec<Remap>);
        let cases: [(&str, Harm, Option<&str>); 8] = [
            ("as it was written", |_, _| {}, None),
            ("a row that is gone", |rows, _| drop(rows.remove(2)), Some("follows row 2")),
            ("the last row again", |rows, _| rows.extend(rows.last().cloned()), Some("twice")),
            ("a changed id", |rows, _| rows.iter_mut().skip(1).take(1).for_each(|row| row.event_id = None), Some("row 2")),
            ("a changed record", |rows, _| rows.iter_mut().take(1).for_each(|row| row.content = Digest::ZERO), Some("row 1")),
            ("a remap that is gone", |_, remap| drop(remap.remove(0)), Some("row 4")),
            ("a remap that was none", |_, remaps| remaps.push(remap(4, 11)), Some("row 2")),
            ("a remap of a refused record that is gone", |_, remap| drop(remap.pop()), Some("row 5")),
        ];
        for (name, harm, expected) in cases {
            // The last row's clock comes from a record that was rejected.
            let (mut audit, mut remaps) = (rows(&RECORDS), vec![remap(9, 30), remap(11, 40)]);
            harm(&mut audit, &mut remaps);
            let mut data = TestData::new();
            let (early, late) = audit.split_at(3);
            data.commit(vec![facts(early), facts(&remaps)]);
            data.commit(vec![facts(late)]);
            let chain = Chain::open_whole(data.path()).expect("a chain");
            let said = check_audit(&chain, 2).map_err(|error| error.to_string());
            match expected {
                None => assert_eq!(said, Ok(5), "{name}"),
                Some(expected) => assert!(said.as_ref().is_err_and(|error| error.contains(expected)), "{name}: {said:?}"),
            }
        }
    }
}
