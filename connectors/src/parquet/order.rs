//! The order of a commit's changes, as numbers of changes.
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
//! Ticks and hashes are integers, so strings are compared only where two keys have the same hash. Upkeep sorts by key later; large
//! files of states are ordered by key at once ([`by_key`]).
//!
//! Changes are compared through [`Emitted`], so that ordering is compiled once, not for each type of rows.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use headwater_schemas::tables::{Change, TableKind, TableRow};
use headwater_schemas::{Corrections, Date, EventTime, Tick};

use super::permutation::order_of;

/// Changes of a table by their number, in the order in which they were emitted.
pub(super) trait Emitted {
    /// How many there are.
    fn len(&self) -> u32;
    /// The tick.
    fn tick(&self, change: u32) -> Tick;
    /// Whether the key was removed.
    fn is_gone(&self, change: u32) -> bool;
    /// The corrections that caused the change.
    fn why(&self, change: u32) -> Option<&Corrections>;
    /// The row's time.
    fn event_time(&self, change: u32) -> EventTime;
    /// The hash of the row's key.
    fn key_hash(&self, change: u32) -> u64;
    /// Bytes in whose order a column of the row's key is, if there are any.
    fn sort_bytes(&self, change: u32, column: usize) -> Option<&[u8]>;
    /// Compares the rows' keys.
    fn cmp_key(&self, one: u32, other: u32) -> Ordering;
    /// Compares the rows.
    fn cmp_row(&self, one: u32, other: u32) -> Ordering;
}

/// Every number that is asked for is one of a change; of others, all is as by default.
impl<R: TableRow> Emitted for Vec<&Change<R>> {
    fn len(&self) -> u32 {
        u32::try_from(Vec::len(self)).unwrap_or(u32::MAX)
    }

    fn tick(&self, change: u32) -> Tick {
        self.get(change as usize).map(|change| change.tick).unwrap_or_default()
    }

    fn is_gone(&self, change: u32) -> bool {
        self.get(change as usize).is_some_and(|change| change.gone)
    }

    fn why(&self, change: u32) -> Option<&Corrections> {
        self.get(change as usize).map(|change| &change.why)
    }

    fn event_time(&self, change: u32) -> EventTime {
        self.get(change as usize).map_or(EventTime::from_nanos(0), |change| change.row.event_time())
    }

    fn key_hash(&self, change: u32) -> u64 {
        self.get(change as usize).map_or(0, |change| change.row.key_hash())
    }

    fn sort_bytes(&self, change: u32, column: usize) -> Option<&[u8]> {
        self.get(change as usize)?.row.sort_bytes(column)
    }

    fn cmp_key(&self, one: u32, other: u32) -> Ordering {
        match (self.get(one as usize), self.get(other as usize)) {
            (Some(one), Some(other)) => one.row.cmp_key(&other.row),
            _ => Ordering::Equal,
        }
    }

    fn cmp_row(&self, one: u32, other: u32) -> Ordering {
        match (self.get(one as usize), self.get(other as usize)) {
            (Some(one), Some(other)) => one.row.cmp(&other.row),
            _ => Ordering::Equal,
        }
    }
}

/// A change with what decides its place.
#[derive(Clone, Copy)]
struct Placed {
    tick: Tick,
    /// The hash of its key; 0 where no other change is compared with it.
    hash: u64,
    change: u32,
}

/// The changes that become rows, in file order.
pub(super) fn in_order(changes: &dyn Emitted, kind: TableKind) -> Vec<u32> {
    let is_of_states = matches!(kind, TableKind::State | TableKind::Checkpoint);
    let written = (0..changes.len()).filter(|change| is_of_states || !changes.is_gone(*change));
    if kind == TableKind::Journal {
        let mut written: Vec<_> = written.collect();
        // The rows of each partition arrive in order, and few partitions alternate: a stable sort merges the runs.
        written.sort_by(|one, other| changes.cmp_key(*one, *other));
        return written;
    }
    let mut written: Vec<_> = written.map(|change| Placed { tick: changes.tick(change), hash: 0, change }).collect();
    // Operators emit tick by tick, so the changes are nearly sorted.
    written.sort_by_key(|placed| placed.tick);
    if kind == TableKind::Checkpoint {
        written = last_of_each_key(changes, &written);
    } else {
        hash_keys_of_shared_ticks(changes, &mut written);
    }
    in_order_of_ticks(changes, written, kind)
}

/// The last change of each key, from changes in tick order.
fn last_of_each_key(changes: &dyn Emitted, written: &[Placed]) -> Vec<Placed> {
    let mut seen = HashTable::<Placed>::with_capacity(written.len());
    let mut kept = Vec::with_capacity(written.len());
    for &placed in written.iter().rev() {
        let placed = Placed { hash: changes.key_hash(placed.change), ..placed };
        let is_of_key = |seen: &Placed| seen.hash == placed.hash && changes.cmp_key(seen.change, placed.change).is_eq();
        if let Entry::Vacant(entry) = seen.entry(placed.hash, is_of_key, |seen| seen.hash) {
            entry.insert(placed);
            kept.push(placed);
        }
    }
    kept.reverse();
    kept
}

/// Hashes the keys of changes that share their tick with others.
fn hash_keys_of_shared_ticks(changes: &dyn Emitted, written: &mut [Placed]) {
    for of_tick in written.chunk_by_mut(|one, other| one.tick == other.tick).filter(|of_tick| of_tick.len() > 1) {
        of_tick.iter_mut().for_each(|placed| placed.hash = changes.key_hash(placed.change));
    }
}

/// Sorts changes within each tick. A state keeps one change per key and tick.
fn in_order_of_ticks(changes: &dyn Emitted, mut written: Vec<Placed>, kind: TableKind) -> Vec<u32> {
    let cmp_key = |one: &Placed, other: &Placed| one.hash.cmp(&other.hash).then_with(|| changes.cmp_key(one.change, other.change));
    for of_tick in written.chunk_by_mut(|one, other| one.tick == other.tick) {
        of_tick.sort_unstable_by(|one, other| {
            // Rows of an append table may have equal keys. In a state, the last change of a tick is sorted first, and kept.
            let of_key = || match kind {
                TableKind::Append => changes.cmp_row(one.change, other.change),
                _ => other.change.cmp(&one.change),
            };
            cmp_key(one, other).then_with(of_key)
        });
    }
    if kind == TableKind::State {
        written.dedup_by(|earlier, last| earlier.tick == last.tick && cmp_key(earlier, last).is_eq());
    }
    written.iter().map(|placed| placed.change).collect()
}

/// Changes in the order of their keys; those of a key keep their order. In a large file, a query for a key then reads few pages.
pub(super) fn by_key(changes: &dyn Emitted, ordered: &[u32]) -> Vec<u32> {
    let change = |place: usize| ordered.get(place).copied().unwrap_or(u32::MAX);
    let bytes = |place, column| changes.sort_bytes(change(place), column);
    let order = order_of(ordered.len(), &bytes, &|one, other| changes.cmp_key(change(one), change(other)));
    order.into_iter().map(change).collect()
}

/// Ordered changes by the day of their row. A journal or a checkpoint, which is never queried by day, is one file on the day of its
/// newest row.
pub(super) fn by_day(changes: &dyn Emitted, ordered: Vec<u32>, kind: TableKind) -> BTreeMap<Date, Vec<u32>> {
    let mut times = ordered.iter().map(|change| changes.event_time(*change));
    let Some(time) = times.next() else { return BTreeMap::new() };
    let (first, last) = times.fold((time, time), |(first, last), time| (first.min(time), last.max(time)));
    if first.date() == last.date() || matches!(kind, TableKind::Journal | TableKind::Checkpoint) {
        return BTreeMap::from([(last.date(), ordered)]);
    }
    let mut days = BTreeMap::<Date, Vec<u32>>::new();
    for change in ordered {
        days.entry(changes.event_time(change).date()).or_default().push(change);
    }
    days
}

#[cfg(test)]
mod tests {
    use headwater_schemas::tables::{AccountTerms, Balance, Moment, Remap, TableWriter};
    use headwater_schemas::{AccountId, Currency, EffectiveTime, Offset, Total};

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

    /// The changes that become rows, in file order.
    fn ordered<'a, R: TableRow>(changes: impl IntoIterator<Item = &'a Change<R>>) -> Vec<&'a Change<R>> {
        let changes: Vec<_> = changes.into_iter().collect();
        in_order(&changes, R::SPEC.kind).into_iter().map(|change| changes[change as usize]).collect()
    }

    fn said(changes: &[Change<Balance>]) -> Vec<(Tick, String, bool)> {
        ordered(changes).iter().map(|change| (change.tick, change.row.posted.to_string(), change.gone)).collect()
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
    fn by_key_the_changes_of_a_key_keep_their_order() {
        let writer = TableWriter::<Balance>::default();
        for number in 0..500 {
            let account = format!("account-{:02}", number * 7_919 % 60);
            writer.insert(&Moment::new(Tick::new(number / 3), EffectiveTime::new(number)), balance(&account, 1));
        }
        let changes = writer.take_below(Tick::new(500));
        let changes: Vec<_> = changes.iter().collect();
        let by_tick = in_order(&changes, TableKind::State);
        let mut expected = by_tick.clone();
        expected.sort_by(|one, other| changes.cmp_key(*one, *other));
        assert_ne!(by_tick, expected);
        assert_eq!(by_key(&changes, &by_tick), expected);
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
        let kept: Vec<_> = ordered(changes.iter()).iter().map(|change| change.tick).collect();
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
        let mut offsets: Vec<_> = ordered(changes.iter()).iter().map(|change| change.row.offset.get()).collect();
        offsets.sort_unstable();
        assert_eq!(offsets, [3, 5, 5]);
    }
}
