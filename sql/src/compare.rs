//! Compares two data directories, table by table.
//!
//! Rows are compared as multisets, without `commit_id`. Both sides are read sorted by key and then by all other columns, so neither
//! has to fit in memory. If a key has different rows on the two sides, the row changed; if it has a row on one side only, the row was
//! gained or lost.

use std::cmp::Ordering;

use arrow::array::RecordBatch;
use arrow::row::{Row, RowConverter, Rows, SortField};
use headwater_schemas::tables::TableKind;

use crate::catalog::{Catalog, QueryResult};
use crate::error::QueryError;
use crate::render::Format;
use crate::tables::{Table, tables};
use headwater_connectors::parquet::columns::COMMIT_ID;
use headwater_connectors::parquet::directory::HISTORY_SUFFIX;

/// Difference of a table between two data directories.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// The table.
    pub table: String,
    /// Rows that only the new side has.
    pub gained: u64,
    /// Rows that only the old side has.
    pub lost: u64,
    /// Keys with different rows on the two sides.
    pub changed: u64,
    /// The first differences as CSV: the header, then lines that begin with `+` (gained), `-` (lost), `<` (old) or `>` (new).
    pub lines: Vec<String>,
}

impl Difference {
    /// Whether the table is equal on both sides.
    pub const fn is_none(&self) -> bool {
        self.gained == 0 && self.lost == 0 && self.changed == 0
    }
}

/// Compares every table of `new` with that of `old`. Each difference shows at most `lines` rows.
pub fn compare(old: &Catalog, new: &Catalog, lines: usize) -> Result<Vec<Difference>, QueryError> {
    let mut differences = Vec::new();
    for table in tables() {
        differences.push(compare_table(old, new, table, table.spec.name.to_owned(), lines)?);
        if table.spec.kind == TableKind::State {
            differences.push(compare_table(old, new, table, format!("{}{HISTORY_SUFFIX}", table.spec.name), lines)?);
        }
    }
    differences.retain(|difference| !difference.is_none());
    Ok(differences)
}

fn compare_table(old: &Catalog, new: &Catalog, table: &'static Table, name: String, lines: usize) -> Result<Difference, QueryError> {
    let mut difference = Difference { table: name, ..Difference::default() };
    if old.has_same_files(new, table) {
        return Ok(difference);
    }
    let (mut old, mut new) = (Side::open(old, table, &difference.table)?, Side::open(new, table, &difference.table)?);
    loop {
        let (order, same_key) = match (old.row(), new.row()) {
            (None, None) => return Ok(difference),
            (Some(_), None) => (Ordering::Less, false),
            (None, Some(_)) => (Ordering::Greater, false),
            (Some(was), Some(is)) => (was.cmp(&is), old.key() == new.key()),
        };
        match order {
            Ordering::Equal => {}
            _ if same_key => {
                difference.changed += 1;
                old.show('<', lines, &mut difference)?;
                new.show('>', lines, &mut difference)?;
            }
            Ordering::Less => {
                difference.lost += 1;
                old.show('-', lines, &mut difference)?;
            }
            Ordering::Greater => {
                difference.gained += 1;
                new.show('+', lines, &mut difference)?;
            }
        }
        if order != Ordering::Greater || same_key {
            old.advance()?;
        }
        if order != Ordering::Less || same_key {
            new.advance()?;
        }
    }
}

/// The rows of one side, in order.
struct Side {
    rows: QueryResult,
    keys: RowConverter,
    key_columns: Vec<usize>,
    all: RowConverter,
    batch: Option<Batch>,
}

/// A batch of rows as bytes that compare as the rows do.
struct Batch {
    rows: RecordBatch,
    keys: Rows,
    all: Rows,
    at: usize,
}

impl Side {
    fn open(catalog: &Catalog, table: &Table, name: &str) -> Result<Self, QueryError> {
        let schema = catalog.query(&format!("SELECT * EXCEPT ({COMMIT_ID}) FROM {name} LIMIT 0"))?.schema().clone();
        let key_columns = table.spec.key.iter().map(|name| schema.index_of(name)).collect::<Result<Vec<_>, _>>()?;
        let columns = key_first(&key_columns, schema.fields().len());
        // SQL does not order lists. Rows that differ in a list alone have the same key anyway.
        let sortable = columns.iter().map(|index| schema.field(*index)).filter(|field| !field.data_type().is_nested());
        let order = sortable.map(|field| format!("\"{}\" ASC NULLS FIRST", field.name())).collect::<Vec<_>>().join(", ");
        let rows = catalog.query(&format!("SELECT * EXCEPT ({COMMIT_ID}) FROM {name} ORDER BY {order}"))?;
        let field = |index: &usize| SortField::new(schema.field(*index).data_type().clone());
        let keys = RowConverter::new(key_columns.iter().map(field).collect())?;
        let all = RowConverter::new(columns.iter().map(field).collect())?;
        let mut side = Self { rows, keys, key_columns, all, batch: None };
        side.advance()?;
        Ok(side)
    }

    /// The row, in an order of rows.
    fn row(&self) -> Option<Row<'_>> {
        self.batch.as_ref().map(|batch| batch.all.row(batch.at))
    }

    fn key(&self) -> Option<Row<'_>> {
        self.batch.as_ref().map(|batch| batch.keys.row(batch.at))
    }

    fn advance(&mut self) -> Result<(), QueryError> {
        self.batch.iter_mut().for_each(|batch| batch.at += 1);
        while self.batch.as_ref().is_none_or(|batch| batch.at >= batch.rows.num_rows()) {
            let Some(rows) = self.rows.next().transpose()? else {
                self.batch = None;
                return Ok(());
            };
            let keys = self.keys.convert_columns(rows.project(&self.key_columns)?.columns())?;
            let all = self.all.convert_columns(rows.project(&key_first(&self.key_columns, rows.num_columns()))?.columns())?;
            self.batch = Some(Batch { rows, keys, all, at: 0 });
        }
        Ok(())
    }

    /// Adds the row to what is shown of a difference.
    fn show(&self, mark: char, lines: usize, difference: &mut Difference) -> Result<(), QueryError> {
        let Some(batch) = self.batch.as_ref().filter(|_| difference.lines.len() <= lines) else { return Ok(()) };
        let mut text = Vec::new();
        let mut renderer = Format::Csv.renderer(&batch.rows.schema());
        renderer.batch(&batch.rows.slice(batch.at, 1), &mut text)?;
        renderer.finish(&mut text)?;
        let text = String::from_utf8_lossy(&text);
        let (header, row) = text.split_once('\n').unwrap_or_default();
        if difference.lines.is_empty() {
            difference.lines.push(header.to_owned());
        }
        difference.lines.push(format!("{mark} {}", row.trim_end()));
        Ok(())
    }
}

/// Columns with those of the key before the others.
fn key_first(key: &[usize], columns: usize) -> Vec<usize> {
    key.iter().copied().chain((0..columns).filter(|column| !key.contains(column))).collect()
}

#[cfg(test)]
mod tests {
    use headwater_schemas::Money;

    use super::*;
    use crate::testing::{TestData, at, balance, changes, facts, leg};

    #[test]
    fn what_was_gained_lost_and_changed_is_told_and_commits_do_not_matter() {
        let legs = |ids: &[(&str, i64)]| {
            let leg = |(id, amount): &(&str, i64)| leg(id, 1, "a", "EUR", Money::whole(*amount), at(1, 0));
            facts(&ids.iter().map(leg).collect::<Vec<_>>())
        };
        let (mut old, mut new) = (TestData::new(), TestData::new());
        old.commit(vec![legs(&[("t1", 1), ("t2", 2)]), changes(&[(balance("a", 1, at(1, 0)), 1)])]);
        old.commit(vec![legs(&[("t3", 3)]), changes(&[(balance("b", 1, at(1, 0)), 1)])]);
        new.commit(vec![legs(&[("t1", 1), ("t3", 3), ("t2", 7), ("t4", 4)])]);
        new.commit(vec![changes(&[(balance("b", 1, at(1, 0)), 1)])]);
        let differences = compare(&old.catalog(), &new.catalog(), 10).expect("a comparison");
        let said: Vec<_> = differences.iter().map(|d| (d.table.as_str(), d.gained, d.lost, d.changed)).collect();
        assert_eq!(said, [("balances", 0, 1, 0), ("balances_history", 0, 1, 0), ("ledger_entries", 1, 0, 1)]);
        let lines = differences.last().map(|difference| difference.lines.join("\n")).unwrap_or_default();
        assert!(lines.contains("< t2-posted-1") && lines.contains("> t2-posted-1") && lines.contains("+ t4-posted-1"), "{lines}");
        assert_eq!(compare(&old.catalog(), &old.catalog(), 10).expect("a comparison"), []);
    }
}
