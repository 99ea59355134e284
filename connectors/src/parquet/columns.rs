//! The columns that files have behind their tables' own.

use super::record::FileRole;

/// Of a history or a state file: +1 for what is, -1 for what was.
pub const CHANGE: &str = "change";
/// Of a history, behind that: the tick of the change. A key has at most one row that went and one that came in a tick.
pub const TICK: &str = "tick";
/// Of a history, behind that: what was corrected, where the change is not in the ordinary course of things.
pub const REASON: &str = "reason";
/// The last column of every file: the commit that wrote the row.
pub const COMMIT_ID: &str = "commit_id";

/// Whether a column of a file is none of the table's own.
pub fn is_added(name: &str, role: FileRole) -> bool {
    match name {
        COMMIT_ID => true,
        CHANGE => role != FileRole::Rows,
        TICK | REASON => role == FileRole::History,
        _ => false,
    }
}
