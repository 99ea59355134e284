//! Changes of the rows of a process.

use headwater_schemas::tables::{Moment, TableRow, TableWriter};

/// Replaces rows, and retracts those that are gone.
pub(crate) fn replace_rows<R: TableRow>(table: &TableWriter<R>, at: &Moment, before: Vec<R>, now: Vec<R>) {
    let is_gone = |row: &&R| !now.iter().any(|other| other.cmp_key(row).is_eq());
    before.iter().filter(is_gone).for_each(|row| table.retract(at, row.clone()));
    update_rows(table, at, &before, now);
}

/// Replaces rows. Those that are gone stay in the table.
pub(crate) fn update_rows<R: TableRow>(table: &TableWriter<R>, at: &Moment, before: &[R], now: impl IntoIterator<Item = R>) {
    for row in now {
        let old = before.iter().find(|old| old.cmp_key(&row).is_eq()).cloned();
        table.replace(at, old, Some(row));
    }
}
