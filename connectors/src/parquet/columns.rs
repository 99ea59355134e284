//! Columns that files have in addition to their tables' own.

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
