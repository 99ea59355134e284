//! Tables that describe what there is: columns that a line of text declares, and rows that are made when they are read.
//!
//! A column is `name:letter`: o oid, t text, s i16, i i32, n i32 that may be unknown, l i64 that may be unknown, b boolean, r f32, a list of
//! texts.

use std::fmt::Debug;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float32Array, Int16Array, Int32Array, Int64Array, ListBuilder, RecordBatch, StringArray, StringBuilder,
    UInt32Array,
};
use arrow::datatypes::{DataType, Field, Schema};
use async_trait::async_trait;
use datafusion::catalog::{SchemaProvider, TableProvider};
use datafusion::common::Result;
use datafusion::datasource::MemTable;

/// A value.
#[derive(Clone, Debug)]
pub(super) enum Cell {
    Oid(u32),
    Text(String),
    Integer(i32),
    Boolean(bool),
    Real(f32),
    Texts(Vec<String>),
}

/// A text as a value.
pub(super) fn text(text: impl Into<String>) -> Cell {
    Cell::Text(text.into())
}

/// A row: the values of some columns by name. The others are NULL, or the usual value of their type.
pub(super) type Row = Vec<(&'static str, Cell)>;

/// A schema of such tables, as a session sees it.
pub(super) trait Listing: Debug + Send + Sync + 'static {
    /// Names and columns of the tables: of those with rows, and of those that never have any.
    const TABLES: Tables;

    /// The rows of a table.
    fn rows(&self, table: &str) -> Vec<Row>;
}

/// Tables with rows, and tables without, each with its name and its columns.
pub(super) type Tables = [&'static [(&'static str, &'static str)]; 2];

/// The columns of a table; none if there is no such table.
pub(super) fn columns_of(tables: Tables, name: &str) -> Option<&'static str> {
    tables.into_iter().flatten().find(|(known, _)| *known == name).map(|(_, columns)| *columns)
}

/// A listing as a schema of DataFusion. A table is made when it is read.
#[derive(Debug)]
pub(super) struct Listed<L>(pub(super) L);

#[async_trait]
impl<L: Listing> SchemaProvider for Listed<L> {
    fn table_names(&self) -> Vec<String> {
        L::TABLES.into_iter().flatten().map(|(name, _)| (*name).to_owned()).collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        columns_of(L::TABLES, name).map(|columns| table(columns, &self.0.rows(name))).transpose()
    }

    fn table_exist(&self, name: &str) -> bool {
        columns_of(L::TABLES, name).is_some()
    }
}

/// A table with columns and rows.
fn table(columns: &str, rows: &[Row]) -> Result<Arc<dyn TableProvider>> {
    let columns = columns.split_whitespace().map(|column| column.split_once(':').unwrap_or((column, "t")));
    let (fields, arrays): (Vec<_>, Vec<_>) = columns
        .map(|(name, letter)| {
            let array = column(name, letter, rows);
            (Field::new(name, array.data_type().clone(), true), array)
        })
        .unzip();
    let schema = Arc::new(Schema::new(fields));
    let batch = RecordBatch::try_new(Arc::clone(&schema), arrays)?;
    Ok(Arc::new(MemTable::try_new(schema, vec![vec![batch]])?))
}

/// The column of rows that has a name. Where a row does not give it, an integer and an oid is 0, a boolean is false.
fn column(name: &str, letter: &str, rows: &[Row]) -> ArrayRef {
    let cell = |row: &Row| row.iter().find(|(known, _)| *known == name).map(|(_, cell)| cell.clone());
    let integer = |row: &Row| match cell(row) {
        Some(Cell::Integer(integer)) => Some(integer),
        _ => None,
    };
    match letter {
        "o" => {
            let oid = |row: &Row| match cell(row) {
                Some(Cell::Oid(oid)) => oid,
                _ => 0,
            };
            Arc::new(rows.iter().map(|row| Some(oid(row))).collect::<UInt32Array>())
        }
        "i" => Arc::new(rows.iter().map(|row| Some(integer(row).unwrap_or(0))).collect::<Int32Array>()),
        "n" => Arc::new(rows.iter().map(integer).collect::<Int32Array>()),
        "l" => Arc::new(rows.iter().map(|row| integer(row).map(i64::from)).collect::<Int64Array>()),
        "s" => {
            let small = |row: &Row| i16::try_from(integer(row).unwrap_or(0)).unwrap_or(i16::MAX);
            Arc::new(rows.iter().map(|row| Some(small(row))).collect::<Int16Array>())
        }
        "b" => Arc::new(rows.iter().map(|row| Some(matches!(cell(row), Some(Cell::Boolean(true))))).collect::<BooleanArray>()),
        "r" => {
            let real = |row: &Row| match cell(row) {
                Some(Cell::Real(real)) => Some(real),
                _ => None,
            };
            Arc::new(rows.iter().map(real).collect::<Float32Array>())
        }
        "a" => {
            let mut lists = ListBuilder::new(StringBuilder::new()).with_field(Field::new_list_field(DataType::Utf8, true));
            for row in rows {
                let texts = match cell(row) {
                    Some(Cell::Texts(texts)) => Some(texts),
                    _ => None,
                };
                texts.iter().flatten().for_each(|text| lists.values().append_value(text));
                lists.append(texts.is_some());
            }
            Arc::new(lists.finish())
        }
        _ => {
            let text = |row: &Row| match cell(row) {
                Some(Cell::Text(text)) => Some(text),
                _ => None,
            };
            Arc::new(rows.iter().map(text).collect::<StringArray>())
        }
    }
}
