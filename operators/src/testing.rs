//! Runs a view on a list of events, without a dataflow: for case tables and property tests.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use headwater_schemas::tables::{Change, DeadLetter, TableReader, TableRegistry, TableRow, TableSet, TableWriter};
use headwater_schemas::{Clock, Placed};

use crate::keyed_fold::{Fold, Updated, View};

/// What a view has emitted.
pub struct Emitted<V: View> {
    /// Its tables, with all their changes.
    pub tables: V::Tables,
    /// What went to other views at grid points; here every time is one.
    pub updates: Vec<Updated<V::Update>>,
    /// What was derived.
    pub derived: Vec<Placed<V::Derived>>,
    /// What was rejected.
    pub dead_letters: Vec<DeadLetter>,
}

impl<V: View> Emitted<V> {
    fn new(tables: V::Tables) -> Self {
        Self { tables, updates: Vec::new(), derived: Vec::new(), dead_letters: Vec::new() }
    }
}

/// The rows that a table has after all its changes, in the order of their keys; of an append table, all of them.
pub fn rows_of<R: TableRow>(table: &TableWriter<R>) -> Vec<R> {
    current(&table.changes())
}

fn current<R: TableRow>(changes: &[Change<R>]) -> Vec<R> {
    let mut newest: Vec<&Change<R>> = changes.iter().rev().collect();
    newest.sort_by(|a, b| a.row.cmp_key(&b.row));
    newest.dedup_by(|older, newer| older.row.cmp_key(&newer.row).is_eq());
    newest.into_iter().filter(|change| !change.gone).map(|change| change.row.clone()).collect()
}

/// What a table's history is: for each tick in which a key became something else, the row, or none if it is gone then; in the order
/// of ticks, then keys. Of several changes of a key in one tick the last one counts.
pub fn history_of<R: TableRow>(table: &TableWriter<R>) -> Vec<(u64, R, bool)> {
    let changes = table.changes();
    let mut ordered: Vec<&Change<R>> = changes.iter().collect();
    let same_key = |a: &Change<R>, b: &Change<R>| a.row.cmp_key(&b.row).is_eq();
    ordered.sort_by(|a, b| a.row.cmp_key(&b.row).then(a.tick.cmp(&b.tick)));
    let mut history = Vec::new();
    for of_key in ordered.chunk_by(|a, b| same_key(a, b)) {
        let mut is = None;
        for of_tick in of_key.chunk_by(|a, b| a.tick == b.tick) {
            let Some(last) = of_tick.last() else { continue };
            let becomes = (!last.gone).then_some(&last.row);
            if becomes != is {
                history.push((last.tick, last.row.clone(), last.gone));
                is = becomes;
            }
        }
    }
    history.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.cmp_key(&b.1)));
    history
}

/// A clock whose ticks, and intervals of the grid, are a nanosecond.
const FINEST: Clock = Clock::new(1, 1);

/// A fold without states, whose tick is a nanosecond.
pub fn fold<V: View>(view: V) -> Fold<V> {
    Fold::new(view, V::Tables::register(&mut TestTables::default()), FINEST)
}

/// The tables of a test: given out to views, and read back as a restart does.
#[derive(Default)]
pub struct TestTables {
    writers: BTreeMap<TypeId, Box<dyn Any>>,
}

impl TableRegistry for TestTables {
    fn writer<R: TableRow>(&mut self) -> TableWriter<R> {
        let writer = self.writers.entry(TypeId::of::<R>()).or_insert_with(|| Box::new(TableWriter::<R>::default()));
        writer.downcast_ref::<TableWriter<R>>().cloned().unwrap_or_default()
    }
}

impl TableReader for TestTables {
    type Error = Infallible;

    /// The current rows, written as columns and read back.
    #[expect(clippy::expect_used, reason = "a test fails by it")]
    fn rows<R: TableRow>(&mut self) -> Result<Arc<Vec<R>>, Infallible> {
        let rows = rows_of(&self.writer::<R>());
        let batch = R::batch(&rows).expect("rows fit their columns");
        Ok(Arc::new(R::read_all(&batch).expect("what was written can be read")))
    }
}

/// What can happen to a view, in one list.
#[derive(Clone, Debug)]
pub enum Happening<B, E> {
    /// Something that every key can see.
    Broadcast(B),
    /// Something that happens to a key.
    Event(E),
}

/// Everything that happens to a view, in one list.
pub type Happenings<V> = Vec<Placed<Happening<<V as View>::Broadcast, <V as View>::Event>>>;

/// Applies what happens in the order of its places. A tick is a nanosecond, and every time a grid point: rows and updates are
/// emitted after each distinct effective time; timers fire up to the last time.
pub fn run<V: View>(view: V, happenings: Happenings<V>) -> Emitted<V> {
    let mut fold = fold(view);
    let mut emitted = Emitted::new(fold.tables().clone());
    go_on(&mut fold, happenings, &mut emitted);
    emitted
}

/// As [`run`], but after `cut` happenings a new fold goes on from the rows that were emitted until then. Broadcasts are given to
/// the new fold again, as a restart does.
pub fn run_with_restart<V: View + Clone>(view: V, mut happenings: Happenings<V>, cut: usize) -> Emitted<V> {
    happenings.sort_by_key(|happening| happening.place);
    let rest = happenings.split_off(cut.min(happenings.len()));
    let broadcasts = happenings.iter().filter_map(|happening| match &happening.event {
        Happening::Broadcast(broadcast) => Some(Placed { place: happening.place, event: broadcast.clone() }),
        Happening::Event(_) => None,
    });
    let broadcasts: Vec<_> = broadcasts.collect();
    let mut registry = TestTables::default();
    let tables = V::Tables::register(&mut registry);
    let mut emitted = Emitted::new(tables.clone());
    go_on(&mut Fold::new(view.clone(), tables.clone(), FINEST), happenings, &mut emitted);

    let Ok(saved) = V::Tables::read(&mut registry);
    let mut resumed = Fold::new(view, tables, FINEST);
    broadcasts.into_iter().for_each(|broadcast| resumed.learn(broadcast));
    resumed.restore(&saved, &|_| true, 0);
    go_on(&mut resumed, rest, &mut emitted);
    emitted
}

fn go_on<V: View>(fold: &mut Fold<V>, mut happenings: Happenings<V>, emitted: &mut Emitted<V>) {
    happenings.sort_by_key(|happening| happening.place);
    let mut now = None;
    for happening in happenings {
        let time = happening.place.time;
        if now.is_some_and(|now| now != time) {
            emit(fold, now.unwrap_or(0), emitted);
        }
        while let Some(timer) = fold.next_timer().filter(|timer| *timer < time) {
            fold.fire();
            emit(fold, timer, emitted);
        }
        now = Some(time);
        match happening.event {
            Happening::Broadcast(event) => fold.learn(Placed { place: happening.place, event }),
            Happening::Event(event) => fold.apply(Placed { place: happening.place, event }),
        }
    }
    emit(fold, now.unwrap_or(0), emitted);
}

fn emit<V: View>(fold: &mut Fold<V>, time: u64, emitted: &mut Emitted<V>) {
    fold.emit(time, time);
    emitted.updates.extend(fold.update(time, time));
    emitted.derived.extend(fold.take_derived());
    emitted.dead_letters.extend(fold.take_dead_letters());
}
