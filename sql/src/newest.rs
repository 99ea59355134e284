//! The newest row of each key among changes.
//!
//! A file's rows are added in two steps: [`Newest::decide`] sees what decides which rows are newest, and [`Newest::keep`] gets those
//! rows. Files may come in any order; if newer ones come first, hardly any row is kept that a later file replaces.

use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::interleave_record_batch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::row::{RowConverter, Rows, SortField};
use headwater_connectors::parquet::columns::Marks;
use headwater_connectors::parquet::reader::conform;
use rustc_hash::FxHashMap;

use crate::tables::Table;

/// Rows in a batch of current rows.
const BATCH_ROWS: usize = 8192;

/// Position of a row: the batch, and the index in it.
type RowPlace = (usize, usize);

/// The newest version of a key so far.
#[derive(Clone, Copy)]
struct Version {
    /// Its commit and tick.
    since: (i64, i64),
    /// Where its row is kept; `None` if the key is retracted.
    place: Option<RowPlace>,
}

/// The newest row of each key.
pub(crate) struct Newest {
    keys: RowConverter,
    key: &'static [&'static str],
    schema: SchemaRef,
    versions: FxHashMap<Box<[u8]>, Version>,
    batches: Vec<RecordBatch>,
}

/// The rows of a file that are newer than all that was known of their keys.
pub(crate) struct Chosen {
    /// The keys of all rows of each batch.
    keys: Vec<Rows>,
    /// The number of rows before each batch.
    before: Vec<usize>,
    /// Batch and index of each chosen row, in order.
    places: Vec<RowPlace>,
    /// The number of rows in the file.
    rows: usize,
}

impl Chosen {
    /// Whether no row was chosen.
    pub(crate) const fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Which rows of the file were chosen.
    pub(crate) fn mask(&self) -> BooleanArray {
        let mut mask = vec![false; self.rows];
        for place in &self.places {
            if let Some(chosen) = mask.get_mut(self.number(*place)) {
                *chosen = true;
            }
        }
        mask.into()
    }

    /// The number of a row in the file.
    fn number(&self, (batch, row): RowPlace) -> usize {
        self.before.get(batch).copied().unwrap_or(0) + row
    }

    fn key(&self, (batch, row): RowPlace) -> Option<&[u8]> {
        self.keys.get(batch).filter(|keys| row < keys.num_rows()).map(|keys| keys.row(row).data())
    }
}

impl Newest {
    /// No rows of a table.
    pub(crate) fn new(table: &Table) -> Result<Self, ArrowError> {
        let schema = table.current_schema();
        let field = |name: &&str| Ok(SortField::new(schema.field_with_name(name)?.data_type().clone()));
        let keys = RowConverter::new(table.spec.key.iter().map(field).collect::<Result<_, ArrowError>>()?)?;
        Ok(Self { keys, key: table.spec.key, schema, versions: FxHashMap::default(), batches: Vec::new() })
    }

    /// Takes what decides of a file's rows: key, commit, tick, and whether the key is retracted. Rows of other commits are left out.
    pub(crate) fn decide(&mut self, batches: &[RecordBatch], commits: &RangeInclusive<i64>) -> Result<Chosen, ArrowError> {
        // Until the rows are there, they are in a batch of the file's rows.
        let file = self.batches.len();
        let mut chosen = Chosen { keys: Vec::new(), before: Vec::new(), places: Vec::new(), rows: 0 };
        for (number, batch) in batches.iter().enumerate() {
            let lacks = |name| ArrowError::SchemaError(format!("there is no column {name}"));
            let (keys, marks) = (self.keys_of(batch)?, Marks::of(batch).map_err(lacks)?);
            for (row, key) in keys.iter().enumerate().filter(|(row, _)| commits.contains(&marks.since(*row).0)) {
                let place = marks.is_there(row).then_some((file, chosen.rows + row));
                if self.put(key.data(), Version { since: marks.since(row), place }) && place.is_some() {
                    chosen.places.push((number, row));
                }
            }
            chosen.keys.push(keys);
            chosen.before.push(chosen.rows);
            chosen.rows += batch.num_rows();
        }
        // The file may have newer rows of the same keys.
        let is_newest = |place: &RowPlace| {
            let version = chosen.key(*place).and_then(|key| self.versions.get(key));
            version.is_some_and(|version| version.place == Some((file, chosen.number(*place))))
        };
        let places = chosen.places.iter().copied().filter(is_newest).collect();
        chosen.places = places;
        Ok(chosen)
    }

    /// Keeps the chosen rows.
    pub(crate) fn keep(&mut self, chosen: &Chosen, rows: &[RecordBatch]) -> Result<(), ArrowError> {
        let first = self.batches.len();
        let mut places = rows.iter().zip(first..).flat_map(|(batch, index)| (0..batch.num_rows()).map(move |row| (index, row)));
        for place in &chosen.places {
            let version = chosen.key(*place).and_then(|key| self.versions.get_mut(key));
            let (Some(version), Some(kept)) = (version, places.next()) else {
                return Err(ArrowError::ComputeError("a file has other rows when it is read again".to_owned()));
            };
            version.place = Some(kept);
        }
        for batch in rows {
            self.batches.push(conform(batch, &self.schema)?);
        }
        Ok(())
    }

    /// Adds rows that all changes follow: of keys without a change, they are the newest.
    pub(crate) fn add_current(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        let batch = conform(batch, &self.schema)?;
        let (keys, index, known) = (self.keys_of(&batch)?, self.batches.len(), self.versions.len());
        for (row, key) in keys.iter().enumerate() {
            if !self.versions.contains_key(key.data()) {
                self.versions.insert(key.data().into(), Version { since: (0, 0), place: Some((index, row)) });
            }
        }
        if self.versions.len() > known {
            self.batches.push(batch);
        }
        Ok(())
    }

    /// The rows, by key.
    pub(crate) fn finish(self) -> Result<Vec<RecordBatch>, ArrowError> {
        let rows = self.versions.into_iter().filter_map(|(key, version)| version.place.map(|place| (key, place)));
        let mut rows: Vec<_> = rows.collect();
        rows.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        let places: Vec<RowPlace> = rows.into_iter().map(|(_, place)| place).collect();
        let batches: Vec<_> = self.batches.iter().collect();
        let batch = |places: &[RowPlace]| interleave_record_batch(&batches, places)?.with_schema(Arc::clone(&self.schema));
        places.chunks(BATCH_ROWS).map(batch).collect()
    }

    fn keys_of(&self, batch: &RecordBatch) -> Result<Rows, ArrowError> {
        let columns = self.key.iter().map(|name| batch.schema().index_of(name)).collect::<Result<Vec<_>, _>>()?;
        self.keys.convert_columns(batch.project(&columns)?.columns())
    }

    /// Whether the version is the newest of its key so far.
    fn put(&mut self, key: &[u8], version: Version) -> bool {
        match self.versions.get_mut(key) {
            Some(newest) if newest.since > version.since => return false,
            Some(newest) => *newest = version,
            None => drop(self.versions.insert(key.into(), version)),
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{TestData, at, balance, changes, changes_at, rows};

    #[test]
    fn of_several_changes_of_a_key_in_a_commit_the_last_one_counts() {
        let mut data = TestData::new();
        let row = |account, posted| balance(account, posted, at(1, 0));
        data.commit(vec![changes(&[(row("a", 1), 1), (row("c", 1), 1), (row("e", 1), 1)])]);
        data.commit(vec![changes_at(&[
            (row("a", 2), 1, 1),
            (row("b", 1), 1, 1),
            (row("d", 1), 1, 1),
            (row("e", 1), 1, -1),
            (row("a", 3), 2, 1),
            (row("b", 1), 2, -1),
            (row("e", 5), 3, 1),
        ])]);
        let query = "SELECT account_id, posted FROM balances";
        assert_eq!(rows(&data.catalog(), query), ["a,3", "c,1", "d,1", "e,5"]);
        data.commit(vec![changes(&[(row("c", 2), 1)])]);
        assert_eq!(rows(&data.catalog(), query), ["a,3", "c,2", "d,1", "e,5"], "with a newer file");
    }
}
