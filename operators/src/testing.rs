//! Runs a view on a list of events, without a dataflow: for case tables and property tests.

use std::collections::BTreeMap;

use headwater_schemas::tables::DeadLetter;
use headwater_schemas::{Corrections, Placed};

use crate::keyed_fold::{Fold, Persistent, View};

/// What a view said.
#[derive(Debug)]
pub struct Said<V: View> {
    /// The changes of rows, with the effective time of the tick they belong to.
    pub rows: Vec<(V::Row, u64, isize)>,
    /// Of what changed because something was corrected, what it was.
    pub corrected: Vec<(V::Row, u64, Corrections)>,
    /// What went to other views.
    pub derived: Vec<Placed<V::Derived>>,
    /// What was refused.
    pub dead_letters: Vec<DeadLetter>,
}

impl<V: View> Said<V> {
    fn new() -> Self {
        Self { rows: Vec::new(), corrected: Vec::new(), derived: Vec::new(), dead_letters: Vec::new() }
    }

    /// The rows that are left when all changes are added up.
    pub fn final_rows(&self) -> Vec<V::Row> {
        let mut counts = BTreeMap::<&V::Row, isize>::new();
        for (row, _, diff) in &self.rows {
            *counts.entry(row).or_default() += diff;
        }
        assert!(counts.values().all(|count| *count >= 0), "a row was retracted that was not there");
        counts.into_iter().filter(|(_, count)| *count > 0).map(|(row, _)| row.clone()).collect()
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

/// Applies what happens in the order of its places, settling after each distinct effective time; timers fire up to the
/// last time.
pub fn run<V: View>(view: V, happenings: Happenings<V>) -> Said<V> {
    let mut fold = Fold::new(view);
    let mut said = Said::new();
    go_on(&mut fold, happenings, &mut said);
    said
}

/// As [`run`], but after `cut` happenings the states are written as rows and read back, and a new fold goes on from
/// them. Broadcasts are given to the new fold again, as a restart does.
pub fn run_with_restart<V: Persistent + Clone>(
    view: V,
    mut happenings: Happenings<V>,
    cut: usize,
    through: impl Fn(V::Saved) -> V::Saved,
) -> Said<V> {
    happenings.sort_by_key(|happening| happening.place);
    let rest = happenings.split_off(cut.min(happenings.len()));
    let broadcasts = happenings.iter().filter_map(|happening| match &happening.event {
        Happening::Broadcast(broadcast) => Some(Placed { place: happening.place, event: broadcast.clone() }),
        Happening::Event(_) => None,
    });
    let broadcasts: Vec<_> = broadcasts.collect();
    let mut said = Said::new();
    let mut fold = Fold::new(view.clone());
    go_on(&mut fold, happenings, &mut said);

    let mut saved = V::Saved::default();
    for (key, state) in fold.states() {
        view.save(key, state, &mut saved);
    }
    let mut resumed = Fold::new(view.clone());
    for (key, state) in view.load(through(saved)) {
        let timer = view.timer_of(&state);
        resumed.restore(key, state, timer);
    }
    broadcasts.into_iter().for_each(|broadcast| resumed.learn(broadcast));
    go_on(&mut resumed, rest, &mut said);
    said
}

fn go_on<V: View>(fold: &mut Fold<V>, mut happenings: Happenings<V>, said: &mut Said<V>) {
    happenings.sort_by_key(|happening| happening.place);
    let mut now = None;
    for happening in happenings {
        let time = happening.place.time;
        if now.is_some_and(|now| now != time) {
            collect(fold, now.unwrap_or(0), said);
        }
        while let Some(timer) = fold.next_timer().filter(|timer| *timer < time) {
            fold.fire();
            collect(fold, timer, said);
        }
        now = Some(time);
        match happening.event {
            Happening::Broadcast(event) => fold.learn(Placed { place: happening.place, event }),
            Happening::Event(event) => fold.apply(Placed { place: happening.place, event }),
        }
    }
    collect(fold, now.unwrap_or(0), said);
}

fn collect<V: View>(fold: &mut Fold<V>, time: u64, said: &mut Said<V>) {
    said.rows.extend(fold.settle(None).map(|(row, diff)| (row, time, diff)));
    said.corrected.extend(fold.take_corrected().map(|(row, corrections)| (row, time, corrections)));
    said.derived.extend(fold.take_derived());
    said.dead_letters.extend(fold.take_dead_letters().map(|(_, letter)| letter));
}
