//! Runs a view on a list of events, without a dataflow: for case tables and property tests.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use headwater_schemas::tables::{Change, DeadLetter, TableReader, TableRegistry, TableRow, TableSet, TableWriter};
use headwater_schemas::{Clock, EffectiveTime, Nanos, Place, Placed, Tick};

use crate::keyed_fold::{Fold, Updated, View};

/// Output of a view.
pub struct Emitted<V: View> {
    /// Its tables, with all their changes.
    pub tables: V::Tables,
    /// Updates at grid points; in tests every time is a grid point.
    pub updates: Vec<Updated<V::Update>>,
    /// Derived events.
    pub derived: Vec<Placed<V::Derived>>,
    /// Rejected events.
    pub dead_letters: Vec<DeadLetter>,
}

impl<V: View> Emitted<V> {
    fn new(tables: V::Tables) -> Self {
        Self { tables, updates: Vec::new(), derived: Vec::new(), dead_letters: Vec::new() }
    }
}

/// The final rows of a table, by key; all rows of an append table.
pub fn rows_of<R: TableRow>(table: &TableWriter<R>) -> Vec<R> {
    current(&table.changes())
}

fn current<R: TableRow>(changes: &[Change<R>]) -> Vec<R> {
    let mut newest: Vec<&Change<R>> = changes.iter().rev().collect();
    newest.sort_by(|a, b| a.row.cmp_key(&b.row));
    newest.dedup_by(|older, newer| older.row.cmp_key(&newer.row).is_eq());
    newest.into_iter().filter(|change| !change.gone).map(|change| change.row.clone()).collect()
}

/// The history of a table: for each tick and key that changed, the row, or `false` if it was retracted; ordered by tick, then
/// key. Of several changes of a key in one tick the last one counts.
pub fn history_of<R: TableRow>(table: &TableWriter<R>) -> Vec<(Tick, R, bool)> {
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

/// A clock whose ticks and grid intervals are a nanosecond.
const FINEST: Clock = Clock::new(Nanos::new(1), Nanos::new(1));

/// A fold without states, with a tick of a nanosecond.
pub fn fold<V: View>(view: V) -> Fold<V> {
    Fold::new(view, V::Tables::register(&mut TestTables::default()), FINEST)
}

/// Tables of a test: views write them, and a restart reads them back.
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

/// An input of a view.
#[derive(Clone, Debug)]
pub enum Happening<B, E> {
    /// A broadcast to all keys.
    Broadcast(B),
    /// An event of a key.
    Event(E),
}

/// All inputs of a view.
pub type Happenings<V> = Vec<Placed<Happening<<V as View>::Broadcast, <V as View>::Event>>>;

/// Runs a view on its inputs, in the order of their places. A tick is a nanosecond, and every time is a grid point: rows and
/// updates are emitted after each distinct effective time; timers fire up to the last time.
pub fn run<V: View>(view: V, happenings: Happenings<V>) -> Emitted<V> {
    let mut fold = fold(view);
    let mut emitted = Emitted::new(fold.tables().clone());
    go_on(&mut fold, happenings, &mut emitted);
    emitted
}

/// Like [`run`], but after `cut` inputs a new fold continues from the rows that were emitted until then. It gets the earlier
/// broadcasts again, as in a restart.
pub fn run_with_restart<V: View + Clone>(view: V, happenings: Happenings<V>, cut: usize) -> Emitted<V> {
    run_with_restart_beside(view, happenings, cut, |_, _| {})
}

/// The same for a view that is also restored from the rows of others: `others` adds those as of the inputs before the restart.
pub fn run_with_restart_beside<V: View + Clone>(
    view: V,
    happenings: Happenings<V>,
    cut: usize,
    others: impl FnOnce(&mut <V::Tables as TableSet>::Saved, Option<Place>),
) -> Emitted<V> {
    run_with_change(view.clone(), view, (happenings, cut), others)
}

/// The same with another view after the restart, as after a change of the configuration.
pub fn run_with_change<V: View>(
    before: V,
    after: V,
    (mut happenings, cut): (Happenings<V>, usize),
    others: impl FnOnce(&mut <V::Tables as TableSet>::Saved, Option<Place>),
) -> Emitted<V> {
    happenings.sort_by_key(|happening| happening.place);
    let rest = happenings.split_off(cut.min(happenings.len()));
    let (broadcasts, last) = (broadcasts_of::<V>(&happenings), happenings.last().map(|happening| happening.place));
    let mut registry = TestTables::default();
    let tables = V::Tables::register(&mut registry);
    let mut emitted = Emitted::new(tables.clone());
    go_on(&mut Fold::new(before, tables.clone(), FINEST), happenings, &mut emitted);

    let Ok(mut saved) = V::Tables::read(&mut registry);
    others(&mut saved, last);
    let mut resumed = Fold::new(after, tables, FINEST);
    broadcasts.into_iter().for_each(|broadcast| resumed.learn(broadcast));
    resumed.restore(&saved, &|_| true, EffectiveTime::ZERO);
    go_on(&mut resumed, rest, &mut emitted);
    emitted
}

/// One of several runs.
pub struct TestRun<V: View> {
    /// The view, of which each run can have another configuration.
    pub view: V,
    /// The time at which timers fire that were due before: the beginning of the tick in which the run before ended.
    pub not_before: EffectiveTime,
    /// Its inputs.
    pub happenings: Happenings<V>,
}

/// Runs one after the other. Each continues from the rows that those before have emitted, and gets their broadcasts again.
pub fn run_in_turn<V: View>(runs: Vec<TestRun<V>>) -> Emitted<V> {
    let mut registry = TestTables::default();
    let tables = V::Tables::register(&mut registry);
    let mut emitted = Emitted::new(tables.clone());
    let mut broadcasts = Vec::new();
    for TestRun { view, not_before, happenings } in runs {
        let Ok(saved) = V::Tables::read(&mut registry);
        let mut fold = Fold::new(view, tables.clone(), FINEST);
        broadcasts.iter().cloned().for_each(|broadcast| fold.learn(broadcast));
        fold.restore(&saved, &|_| true, not_before);
        broadcasts.extend(broadcasts_of::<V>(&happenings));
        go_on(&mut fold, happenings, &mut emitted);
    }
    emitted
}

/// Continues from rows that were saved after some inputs. The view gets the broadcasts among them again, as in a restart.
pub fn resumed<V: View>(view: V, saved: &<V::Tables as TableSet>::Saved, before: Happenings<V>, rest: Happenings<V>) -> Emitted<V> {
    let mut fold = fold(view);
    broadcasts_of::<V>(&before).into_iter().for_each(|broadcast| fold.learn(broadcast));
    fold.restore(saved, &|_| true, EffectiveTime::ZERO);
    let mut emitted = Emitted::new(fold.tables().clone());
    go_on(&mut fold, rest, &mut emitted);
    emitted
}

fn broadcasts_of<V: View>(happenings: &Happenings<V>) -> Vec<Placed<V::Broadcast>> {
    let broadcast = |happening: &Placed<Happening<V::Broadcast, V::Event>>| match &happening.event {
        Happening::Broadcast(broadcast) => Some(Placed { place: happening.place, event: broadcast.clone() }),
        Happening::Event(_) => None,
    };
    happenings.iter().filter_map(broadcast).collect()
}

fn go_on<V: View>(fold: &mut Fold<V>, mut happenings: Happenings<V>, emitted: &mut Emitted<V>) {
    happenings.sort_by_key(|happening| happening.place);
    let mut now = None;
    for happening in happenings {
        let time = happening.place.time;
        if now.is_some_and(|now| now != time) {
            emit(fold, now.unwrap_or_default(), emitted);
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
    emit(fold, now.unwrap_or_default(), emitted);
}

fn emit<V: View>(fold: &mut Fold<V>, time: EffectiveTime, emitted: &mut Emitted<V>) {
    let tick = FINEST.tick_of(time);
    fold.emit(tick, time);
    emitted.updates.extend(fold.update(tick, time));
    emitted.derived.extend(fold.take_derived());
    emitted.dead_letters.extend(fold.take_dead_letters());
}
