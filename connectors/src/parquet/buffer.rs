//! Rows that wait for their commit.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

use headwater_schemas::tables::{TableKind, TableRow, TableSpec};
use headwater_schemas::{Corrections, Date};

use super::CommitError;
use super::directory::table_file;
use super::record::{CommittedFile, FileRole};
use super::writer::{FileRows, Past, batch_of, stage};

/// The changes of one table that a worker has and no commit holds yet.
#[derive(Debug)]
pub struct TableBuffer<R> {
    waiting: Vec<(R, u64, isize)>,
    /// Of changes among them, why: a row of the key, and the tick.
    corrected: Vec<(R, u64, Corrections)>,
}

/// A handle to a table's buffer, for the operators of one worker.
#[derive(Debug)]
pub struct TableHandle<R> {
    buffer: Rc<RefCell<TableBuffer<R>>>,
}

impl<R> Clone for TableHandle<R> {
    fn clone(&self) -> Self {
        Self { buffer: Rc::clone(&self.buffer) }
    }
}

impl<R> TableHandle<R> {
    /// Adds changes.
    pub fn extend(&self, changes: impl IntoIterator<Item = (R, u64, isize)>) {
        self.buffer.borrow_mut().waiting.extend(changes);
    }

    /// Says why a row's key changes in a tick: the reason in the table's history.
    pub fn because(&self, row: R, tick: u64, corrections: Corrections) {
        self.buffer.borrow_mut().corrected.push((row, tick, corrections));
    }

    /// Adds one change.
    pub fn push(&self, row: R, tick: u64, diff: isize) {
        self.buffer.borrow_mut().waiting.push((row, tick, diff));
    }
}

/// Where and as what a worker writes a commit's files.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target<'a> {
    pub(super) staging: &'a Path,
    pub(super) commit_id: u64,
    pub(super) worker: usize,
    /// The tick behind the last one of the commit.
    pub(super) end_tick: u64,
}

/// A table that can be committed, whatever its rows are.
pub(super) trait CommitTable {
    /// What the table is.
    fn spec(&self) -> TableSpec;
    /// Forgets the rows below a tick.
    fn discard(&mut self, end_tick: u64);
    /// Writes the rows below the end tick into staging, and forgets them.
    fn write(&mut self, target: Target<'_>) -> Result<Vec<CommittedFile>, CommitError>;
}

/// A table, shared by the operators that feed it and the one that commits it.
type SharedTable = Rc<RefCell<dyn CommitTable>>;

/// All tables of a worker.
#[derive(Clone, Default)]
pub struct Tables {
    tables: Rc<RefCell<Vec<SharedTable>>>,
}

impl Tables {
    /// Adds a table.
    pub fn add<R: TableRow>(&self) -> TableHandle<R> {
        let buffer = Rc::new(RefCell::new(TableBuffer { waiting: Vec::new(), corrected: Vec::new() }));
        self.tables.borrow_mut().push(Rc::clone(&buffer) as SharedTable);
        TableHandle { buffer }
    }

    /// Forgets every table's rows below a tick.
    pub(super) fn discard(&self, end_tick: u64) {
        self.tables.borrow().iter().for_each(|table| table.borrow_mut().discard(end_tick));
    }

    /// Writes every table's rows below the end tick.
    pub(super) fn write(&self, target: Target<'_>) -> Result<Vec<CommittedFile>, CommitError> {
        let mut files = Vec::new();
        for table in self.tables.borrow().iter() {
            files.extend(table.borrow_mut().write(target)?);
        }
        Ok(files)
    }

    /// What the tables are.
    pub(super) fn specs(&self) -> Vec<TableSpec> {
        self.tables.borrow().iter().map(|table| table.borrow().spec()).collect()
    }
}

impl<R: TableRow> CommitTable for TableBuffer<R> {
    fn spec(&self) -> TableSpec {
        R::SPEC
    }

    fn discard(&mut self, end_tick: u64) {
        self.waiting.retain(|(_, tick, _)| *tick >= end_tick);
        self.corrected.retain(|(_, tick, _)| *tick >= end_tick);
    }

    fn write(&mut self, target: Target<'_>) -> Result<Vec<CommittedFile>, CommitError> {
        let mut later = self.waiting.extract_if(.., |(_, tick, _)| *tick >= target.end_tick).collect();
        let corrected = self.corrected.extract_if(.., |(_, tick, _)| *tick < target.end_tick).collect();
        let files = write_changes(target, &net(&self.waiting), &Reasons::of(corrected));
        self.waiting.clear();
        self.waiting.append(&mut later);
        files
    }
}

/// Why keys changed in ticks, in the order of changes.
struct Reasons<R>(Vec<(R, u64, Corrections)>);

impl<R: TableRow> Reasons<R> {
    fn of(mut corrected: Vec<(R, u64, Corrections)>) -> Self {
        corrected.sort_by(|a, b| a.0.cmp_key(&b.0).then(a.1.cmp(&b.1)));
        corrected.dedup_by(|later, first| {
            let same = later.0.cmp_key(&first.0).is_eq() && later.1 == first.1;
            if same {
                first.2.extend(std::mem::take(&mut later.2));
            }
            same
        });
        Self(corrected)
    }

    fn of_change(&self, row: &R, tick: u64) -> Option<String> {
        let found = self.0.binary_search_by(|(corrected, at, _)| corrected.cmp_key(row).then(at.cmp(&tick))).ok()?;
        self.0.get(found).map(|(_, _, corrections)| corrections.to_string())
    }
}

/// A change that is on its way into a file: rows are large, so what is sorted points to them.
pub type Change<'a, R> = (&'a R, u64, isize);

fn write_changes<R: TableRow>(
    target: Target<'_>,
    changes: &[Change<'_, R>],
    reasons: &Reasons<R>,
) -> Result<Vec<CommittedFile>, CommitError> {
    let none = &Reasons(Vec::new());
    match R::SPEC.kind {
        TableKind::Append => write_by_day(target, FileRole::Rows, changes.iter().map(|(row, tick, _)| (*row, *tick, 1)), none, day_of),
        TableKind::Journal => {
            let day = changes.iter().map(|(row, _, _)| day_of(*row)).max();
            write_by_day(target, FileRole::Rows, changes.iter().map(|(row, tick, _)| (*row, *tick, 1)), none, |row| {
                day.unwrap_or(day_of(row))
            })
        }
        // Nobody asks for a day of what is remembered, so a commit's rows are one file, on the day of the newest.
        TableKind::Checkpoint => {
            let rows = newest(changes);
            let day = rows.iter().map(|(row, ..)| day_of(*row)).max();
            write_by_day(target, FileRole::State, rows.into_iter(), none, |row| day.unwrap_or(day_of(row)))
        }
        TableKind::State => {
            let mut files = write_by_day(target, FileRole::History, changes.iter().copied(), reasons, day_of)?;
            files.extend(write_by_day(target, FileRole::State, newest(changes).into_iter(), none, day_of)?);
            Ok(files)
        }
    }
}

/// Changes in the order of key, then tick, what was before what is; without what cancels out within a tick.
pub fn net<R: TableRow>(changes: &[(R, u64, isize)]) -> Vec<Change<'_, R>> {
    let mut changes: Vec<Change<'_, R>> = changes.iter().map(|(row, tick, diff)| (row, *tick, *diff)).collect();
    let by_key_and_tick = |a: &Change<'_, R>, b: &Change<'_, R>| a.0.cmp_key(b.0).then(a.1.cmp(&b.1));
    changes.sort_unstable_by(by_key_and_tick);
    let mut netted = Vec::with_capacity(changes.len());
    for group in changes.chunk_by_mut(|a, b| by_key_and_tick(a, b).is_eq()) {
        if let [(row, tick, diff)] = group {
            netted.extend((*diff != 0).then_some((*row, *tick, *diff)));
            continue;
        }
        group.sort_unstable_by(|a, b| a.0.cmp(b.0));
        let begin = netted.len();
        for same in group.chunk_by(|a, b| a.0 == b.0) {
            let diff = same.iter().map(|(_, _, diff)| diff).sum::<isize>();
            netted.extend(same.first().filter(|_| diff != 0).map(|(row, tick, _)| (*row, *tick, diff)));
        }
        netted.get_mut(begin..).unwrap_or_default().sort_by_key(|(_, _, diff)| *diff);
    }
    netted
}

/// Of changes in order, the last one per key: the row that is now, or the row that was if the key is gone.
fn newest<'a, R: TableRow>(changes: &[Change<'a, R>]) -> Vec<Change<'a, R>> {
    let same_key = |a: &Change<'_, R>, b: &Change<'_, R>| a.0.cmp_key(b.0).is_eq();
    changes.chunk_by(same_key).filter_map(|group| group.last()).copied().collect()
}

/// The day that a row belongs to.
fn day_of<R: TableRow>(row: &R) -> Date {
    row.event_time().date()
}

/// One file per day.
fn write_by_day<'a, R: TableRow>(
    target: Target<'_>,
    role: FileRole,
    changes: impl Iterator<Item = Change<'a, R>>,
    reasons: &Reasons<R>,
    day: impl Fn(&R) -> Date,
) -> Result<Vec<CommittedFile>, CommitError> {
    let mut dates = BTreeMap::<Date, FileRows<'a, R>>::new();
    for (row, tick, diff) in changes {
        let file = dates.entry(day(row)).or_insert_with(|| FileRows {
            rows: Vec::new(),
            changes: (role != FileRole::Rows).then(Vec::new),
            past: (role == FileRole::History).then(Past::default),
        });
        // A fact that two equal events made stands twice.
        for _ in 0..diff.unsigned_abs() {
            file.rows.push(row);
            file.changes.iter_mut().for_each(|changes| changes.push(if diff < 0 { -1 } else { 1 }));
            if let Some(past) = &mut file.past {
                past.ticks.push(i64::try_from(tick).unwrap_or(i64::MAX));
                past.reasons.push(reasons.of_change(row, tick));
            }
        }
    }
    let write_one = |(date, content): (Date, FileRows<'a, R>)| {
        let path = table_file(R::SPEC.name, role, date, target.commit_id, target.worker);
        stage(target.staging, path, &R::SPEC, role, None, &batch_of(target.commit_id, content)?)
    };
    dates.into_iter().map(write_one).collect()
}
