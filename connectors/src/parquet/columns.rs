//! Columns that files have in addition to their tables' own.

use arrow::array::{Array, Int32Array, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field};

use super::record::FileRole;

/// In a history or a state file: 1 for a row, -1 for the last row of a key that was retracted.
pub const CHANGE: &str = "change";
/// In a history, after `change`: the tick of the change. A key changes at most once in a tick.
pub const TICK: &str = "tick";
/// In a history, after `tick`: the correction that caused the change, if one did.
pub const REASON: &str = "reason";
/// The last column of every file: the commit that wrote the row.
pub const COMMIT_ID: &str = "commit_id";

/// Whether a column of a file is not one of the table's own.
pub fn is_added(name: &str, role: FileRole) -> bool {
    match name {
        COMMIT_ID => true,
        CHANGE => role != FileRole::Rows,
        TICK | REASON => role == FileRole::History,
        _ => false,
    }
}

/// The columns that follow a table's own in files of a role.
pub fn added_fields(role: FileRole) -> Vec<Field> {
    let mut fields = Vec::new();
    if role != FileRole::Rows {
        fields.push(Field::new(CHANGE, DataType::Int32, false));
    }
    if role == FileRole::History {
        fields.push(Field::new(TICK, DataType::Int64, false));
        fields.push(Field::new(REASON, DataType::Utf8, true));
    }
    fields.push(Field::new(COMMIT_ID, DataType::Int64, false));
    fields
}

/// The added columns of a batch of changes, row by row.
#[derive(Debug)]
pub struct Marks<'a> {
    changes: &'a [i32],
    commits: &'a [i64],
    /// A checkpoint has one row per key and commit, so it needs no ticks.
    ticks: &'a [i64],
}

impl<'a> Marks<'a> {
    /// Finds the columns. The error is the name of the one that is not there.
    pub fn of(batch: &'a RecordBatch) -> Result<Self, &'static str> {
        let changes = column::<Int32Array>(batch, CHANGE).ok_or(CHANGE)?.values();
        let commits = commits(batch).ok_or(COMMIT_ID)?.values();
        Ok(Self { changes, commits, ticks: column::<Int64Array>(batch, TICK).map_or(&[], |ticks| ticks.values()) })
    }

    /// The commit of a row, and the tick of a change.
    pub fn since(&self, row: usize) -> (i64, i64) {
        let at = |numbers: &[i64]| numbers.get(row).copied().unwrap_or(0);
        (at(self.commits), at(self.ticks))
    }

    /// Whether the key has the row, and is not retracted.
    pub fn is_there(&self, row: usize) -> bool {
        self.changes.get(row).is_some_and(|change| *change > 0)
    }
}

/// The commits of a batch's rows.
pub(super) fn commits(batch: &RecordBatch) -> Option<&Int64Array> {
    column(batch, COMMIT_ID)
}

fn column<'a, A: Array + 'static>(batch: &'a RecordBatch, name: &str) -> Option<&'a A> {
    batch.column_by_name(name).and_then(|column| column.as_any().downcast_ref())
}
