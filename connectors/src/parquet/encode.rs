//! Encoding of a commit's changes as rows of files.
//!
//! The content and the order of a file follow from the changes alone, not from the order in which they were emitted.
//!
//! | table | rows | order |
//! |---|---|---|
//! | append | each insertion | tick, hash of the key, row |
//! | journal | each insertion | key |
//! | state | each change: `change` is 1 with the row of the key, -1 with the last row of a retracted key | tick, hash of the key, key |
//! | checkpoint | the last change of each key, as in a state | tick, hash of the key, key |
//!
//! Ticks and hashes are integers, so strings are compared only where two keys have the same hash. Upkeep sorts by key later.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use headwater_schemas::Date;
use headwater_schemas::tables::{Change, Changes, TableKind, TableRow};

use super::CommitError;
use super::buffer::ClosedTable;
use super::directory::table_file;
use super::record::{CommittedFile, FileRole};
use super::segment::{SEGMENT_ROWS, SegmentWriter};
use super::writer::{CommitFormat, stage};

/// Target of a worker's files of a commit: folder and name.
#[derive(Debug)]
pub(super) struct Target<'a> {
    pub(super) staging: &'a Path,
    pub(super) commit_id: u64,
    pub(super) worker: usize,
    /// Takes the rows of tables and days with few rows; `None` if those are to be Parquet, too.
    pub(super) segment: Option<SegmentWriter>,
}

/// The changes of one table in one commit.
pub(super) struct Closed<R> {
    pub(super) changes: Changes<R>,
    pub(super) format: Arc<CommitFormat>,
}

impl<R: TableRow> ClosedTable for Closed<R> {
    fn stage(self: Box<Self>, target: &mut Target<'_>) -> Result<Vec<CommittedFile>, CommitError> {
        let changes = in_order(self.changes.iter());
        let (days, role) = (by_day(&changes, R::SPEC.kind), role_of(R::SPEC.kind));
        let stage_day = |(date, changes): (Date, Vec<&Change<R>>)| {
            let rows = self.format.batch(target.commit_id, &changes)?;
            if let Some(segment) = target.segment.as_mut().filter(|_| rows.num_rows() < SEGMENT_ROWS) {
                return segment.add(&R::SPEC, role, date.to_string(), &rows);
            }
            let path = table_file(R::SPEC.name, role, date, target.commit_id, target.worker);
            stage(target.staging, path, &R::SPEC, role, None, &rows, self.format.properties(&rows))
        };
        days.into_iter().map(stage_day).collect()
    }
}

/// The role of the files that commits write for a table. Upkeep writes the files of a state table's current rows.
pub(super) const fn role_of(kind: TableKind) -> FileRole {
    match kind {
        TableKind::Append | TableKind::Journal => FileRole::Rows,
        TableKind::State => FileRole::History,
        TableKind::Checkpoint => FileRole::State,
    }
}

/// A change with its sort key.
struct Placed<'a, R> {
    hash: u64,
    /// Number of changes that were emitted before it.
    arrived: usize,
    change: &'a Change<R>,
}

impl<R: TableRow> Placed<'_, R> {
    fn cmp_key(&self, other: &Self) -> Ordering {
        self.hash.cmp(&other.hash).then_with(|| self.change.row.cmp_key(&other.change.row))
    }

    fn is_same_key(&self, other: &Self) -> bool {
        self.cmp_key(other).is_eq()
    }
}

/// The changes that become rows, in file order.
fn in_order<'a, R: TableRow>(changes: impl Iterator<Item = &'a Change<R>>) -> Vec<&'a Change<R>> {
    let kind = R::SPEC.kind;
    let is_of_states = matches!(kind, TableKind::State | TableKind::Checkpoint);
    let mut written: Vec<_> = changes.enumerate().filter(|(_, change)| is_of_states || !change.gone).collect();
    match kind {
        // The rows of each partition arrive in order, and few partitions alternate: a stable sort merges the runs.
        TableKind::Journal => written.sort_by(|(_, a), (_, b)| a.row.cmp_key(&b.row)),
        // Operators emit tick by tick, so the changes are nearly sorted.
        TableKind::Append | TableKind::State | TableKind::Checkpoint => written.sort_by_key(|(_, change)| change.tick),
    }
    match kind {
        TableKind::Journal => written.into_iter().map(|(_, change)| change).collect(),
        TableKind::Checkpoint => in_order_of_ticks(&last_of_each_key(&written), kind),
        TableKind::Append | TableKind::State => in_order_of_ticks(&written, kind),
    }
}

/// The last change of each key, from changes in tick order.
fn last_of_each_key<'a, R: TableRow>(changes: &[(usize, &'a Change<R>)]) -> Vec<(usize, &'a Change<R>)> {
    let mut seen = HashTable::<(u64, &Change<R>)>::with_capacity(changes.len());
    let mut kept = Vec::with_capacity(changes.len());
    for &(arrived, change) in changes.iter().rev() {
        let hash = change.row.key_hash();
        let entry = seen.entry(hash, |(other, seen)| *other == hash && seen.row.cmp_key(&change.row).is_eq(), |(hash, _)| *hash);
        if let Entry::Vacant(entry) = entry {
            entry.insert((hash, change));
            kept.push((arrived, change));
        }
    }
    kept.reverse();
    kept
}

/// Sorts changes within each tick. A state keeps one change per key and tick.
fn in_order_of_ticks<'a, R: TableRow>(changes: &[(usize, &'a Change<R>)], kind: TableKind) -> Vec<&'a Change<R>> {
    let mut ordered = Vec::with_capacity(changes.len());
    let mut placed = Vec::new();
    for of_tick in changes.chunk_by(|(_, a), (_, b)| a.tick == b.tick) {
        if let [(_, only)] = of_tick {
            ordered.push(*only);
            continue;
        }
        placed.extend(of_tick.iter().map(|&(arrived, change)| Placed { hash: change.row.key_hash(), arrived, change }));
        placed.sort_unstable_by(|a, b| {
            // Rows of an append table may have equal keys. In a state, the last change of a tick is sorted first, and kept.
            let of_key = || if kind == TableKind::Append { a.change.row.cmp(&b.change.row) } else { b.arrived.cmp(&a.arrived) };
            a.cmp_key(b).then_with(of_key)
        });
        if kind == TableKind::State {
            placed.dedup_by(|earlier, last| earlier.is_same_key(last));
        }
        ordered.extend(placed.drain(..).map(|placed| placed.change));
    }
    ordered
}

/// The changes by the day of their row. A journal or a checkpoint, which is never queried by day, is one file on the day of its
/// newest row.
fn by_day<'a, R: TableRow>(changes: &[&'a Change<R>], kind: TableKind) -> BTreeMap<Date, Vec<&'a Change<R>>> {
    let day_of = |change: &Change<R>| change.row.event_time().date();
    let (Some(first), Some(last)) = (changes.iter().map(|c| day_of(c)).min(), changes.iter().map(|c| day_of(c)).max()) else {
        return BTreeMap::new();
    };
    if first == last || matches!(kind, TableKind::Journal | TableKind::Checkpoint) {
        return BTreeMap::from([(last, changes.to_vec())]);
    }
    let mut days = BTreeMap::<Date, Vec<&Change<R>>>::new();
    for change in changes {
        days.entry(day_of(change)).or_default().push(change);
    }
    days
}

#[cfg(test)]
mod tests {
    use headwater_schemas::tables::{AccountTerms, Balance, Moment, Remap, TableWriter};
    use headwater_schemas::{AccountId, Currency, EffectiveTime, EventTime, Offset, Tick, Total};

    use super::*;

    fn balance(account: &str, posted: i64) -> Balance {
        let posted = Total::whole(posted);
        let ts = EventTime::from_nanos(7);
        Balance {
            account_id: AccountId::derived(account),
            currency: Currency::derived("EUR"),
            posted,
            pending: Total::ZERO,
            available: posted,
            ts,
        }
    }

    fn said(changes: &[Change<Balance>]) -> Vec<(Tick, String, bool)> {
        in_order(changes.iter()).iter().map(|change| (change.tick, change.row.posted.to_string(), change.gone)).collect()
    }

    #[test]
    fn a_state_has_one_row_for_each_key_and_tick_whatever_the_order_of_emission() {
        let writer = TableWriter::<Balance>::default();
        let at = |tick| Moment::new(Tick::new(tick), EffectiveTime::new(tick));
        writer.replace(&at(2), Some(balance("a", 1)), Some(balance("a", 2)));
        writer.replace(&at(1), None, Some(balance("a", 1)));
        writer.replace(&at(3), Some(balance("a", 2)), Some(balance("a", 2)));
        writer.replace(&at(4), Some(balance("a", 2)), None);
        let mut changes: Vec<_> = writer.take_below(Tick::new(9)).into_iter().collect();
        let expected =
            [(1, "1", false), (2, "2", false), (4, "2", true)].map(|(tick, posted, gone)| (Tick::new(tick), posted.to_owned(), gone));
        assert_eq!(said(&changes), expected);
        changes.reverse();
        assert_eq!(said(&changes), expected);
        // If a view emits a key twice in a tick, the last change counts.
        writer.insert(&at(5), balance("a", 5));
        writer.insert(&at(5), balance("a", 6));
        assert_eq!(said(&writer.take_below(Tick::new(9)).into_iter().collect::<Vec<_>>()), [(Tick::new(5), "6".to_owned(), false)]);
    }

    #[test]
    fn a_checkpoint_has_one_row_for_each_key() {
        let terms = |book: &str| AccountTerms {
            account_id: AccountId::derived("a"),
            currency: Some(Currency::derived("EUR")),
            currency_ts: None,
            book: Some(book.into()),
            book_ts: None,
            ts: EventTime::from_nanos(7),
        };
        let writer = TableWriter::<AccountTerms>::default();
        for (tick, book) in [(3, "z"), (1, "x"), (2, "y")] {
            writer.insert(&Moment::new(Tick::new(tick), EffectiveTime::new(tick)), terms(book));
        }
        let changes = writer.take_below(Tick::new(9));
        let kept: Vec<_> = in_order(changes.iter()).iter().map(|change| change.tick).collect();
        assert_eq!(kept, [Tick::new(3)]);
    }

    #[test]
    fn equal_facts_stand_as_often_as_they_were_emitted() {
        let tick = Tick::new(1);
        let row = |offset| Remap {
            topic: "orders".into(),
            partition: 0,
            offset: Offset::new(offset),
            tick,
            clock: EffectiveTime::new(1),
            ts: EventTime::from_nanos(1),
        };
        let writer = TableWriter::<Remap>::default();
        for offset in [5, 3, 5] {
            writer.insert(&Moment::new(tick, EffectiveTime::new(1)), row(offset));
        }
        let changes = writer.take_below(Tick::new(2));
        let mut offsets: Vec<_> = in_order(changes.iter()).iter().map(|change| change.row.offset.get()).collect();
        offsets.sort_unstable();
        assert_eq!(offsets, [3, 5, 5]);
    }
}
