//! The row types' common shape, and the macro that declares them.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{Field, Schema};

use super::CellError;
use crate::value::EventTime;

/// Whether a table's rows are facts or a state that changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableKind {
    /// Each row is written once and stays.
    Append,
    /// Each row is written once and stays; a commit's rows are one file, because nobody asks for a day of them.
    Journal,
    /// One row per key, replaced as it changes; `<name>_history` keeps every change.
    State,
    /// One row per key, replaced as it changes: what operators remember. Without a history, which the facts are.
    Checkpoint,
}

/// The declaration of a table: all that is fixed about it, besides its columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableSpec {
    /// The name in SQL and on disk.
    pub name: &'static str,
    /// What a row is: the doc comment of its type.
    pub about: &'static str,
    /// Facts or state.
    pub kind: TableKind,
    /// The columns that name a row.
    pub key: &'static [&'static str],
    /// Of a table that is published as the topic of its name, the column that is the records' key.
    pub published_by: Option<&'static str>,
}

/// A table of the catalog: its declaration and its columns.
#[derive(Clone, Debug)]
pub struct Declaration {
    /// The declaration.
    pub spec: TableSpec,
    /// The columns, without those that a commit adds.
    pub fields: Vec<Field>,
}

impl Declaration {
    /// The declaration of a row type.
    pub fn of<R: TableRow>() -> Self {
        Self { spec: R::SPEC, fields: R::fields() }
    }
}

/// A row of a table.
pub trait TableRow: Clone + Ord + std::fmt::Debug + Send + 'static {
    /// The table that the row belongs to.
    const SPEC: TableSpec;
    /// The columns, in order, without those that a commit adds.
    fn fields() -> Vec<Field>;
    /// The rows as columns, in the order of [`TableRow::fields`].
    fn columns<'a>(rows: impl Iterator<Item = &'a Self>) -> Vec<ArrayRef>;
    /// Reads a row back.
    fn read(batch: &RecordBatch, row: usize) -> Result<Self, CellError>;
    /// The event time, which also decides the date folder.
    fn event_time(&self) -> EventTime;
    /// The order of the rows' keys.
    fn cmp_key(&self, other: &Self) -> std::cmp::Ordering;

    /// The rows as one batch.
    fn batch(rows: &[Self]) -> Result<RecordBatch, arrow::error::ArrowError> {
        RecordBatch::try_new(Arc::new(Schema::new(Self::fields())), Self::columns(rows.iter()))
    }

    /// Reads every row of a batch back.
    fn read_all(batch: &RecordBatch) -> Result<Vec<Self>, CellError> {
        (0..batch.num_rows()).map(|row| Self::read(batch, row)).collect()
    }
}

/// Declares a table: the row type, and from it schema, writer and reader. Key columns come first in the declaration,
/// so that the derived order of rows is the order of their keys.
macro_rules! table {
    ($(#[doc = $doc:literal])+ $kind:ident $row:ident = $table:literal by ($($key:ident),+ $(,)?) $(published by $published:ident)? {
        $($(#[$field_doc:meta])* $field:ident: $type:ty),+ $(,)?
    }) => {
        $(#[doc = $doc])+
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub struct $row { $($(#[$field_doc])* pub $field: $type),+ }

        impl $crate::tables::TableRow for $row {
            const SPEC: $crate::tables::TableSpec = $crate::tables::TableSpec {
                name: $table,
                about: concat!($($doc),+),
                kind: $crate::tables::TableKind::$kind,
                key: &[$(stringify!($key)),+],
                published_by: $crate::tables::row::first(&[$(stringify!($published))?]),
            };

            fn fields() -> Vec<arrow::datatypes::Field> {
                vec![$(arrow::datatypes::Field::new(
                    stringify!($field),
                    <$type as $crate::tables::Cell>::data_type(),
                    <$type as $crate::tables::Cell>::NULLABLE,
                )),+]
            }

            fn columns<'a>(rows: impl Iterator<Item = &'a Self>) -> Vec<arrow::array::ArrayRef> {
                $(let mut $field = <$type as $crate::tables::Cell>::builder();)+
                for row in rows {
                    $($crate::tables::Cell::append(&row.$field, &mut $field);)+
                }
                vec![$(std::sync::Arc::new(arrow::array::ArrayBuilder::finish(&mut $field)) as arrow::array::ArrayRef),+]
            }

            fn read(batch: &arrow::array::RecordBatch, row: usize) -> Result<Self, $crate::tables::CellError> {
                Ok(Self {
                    $($field: {
                        let column = batch
                            .column_by_name(stringify!($field))
                            .ok_or($crate::tables::CellError::MissingColumn(stringify!($field)))?;
                        <$type as $crate::tables::Cell>::read(column.as_ref(), row).ok_or_else(|| $crate::tables::CellError::Unexpected {
                            column: stringify!($field),
                            row,
                            expected: <$type as $crate::tables::Cell>::data_type().to_string(),
                        })?
                    }),+
                })
            }

            fn event_time(&self) -> $crate::EventTime { self.ts }

            fn cmp_key(&self, other: &Self) -> std::cmp::Ordering {
                std::cmp::Ordering::Equal$(.then_with(|| self.$key.cmp(&other.$key)))+
            }
        }
    };
}
pub(crate) use table;

/// The first of at most one.
pub(crate) const fn first(names: &[&'static str]) -> Option<&'static str> {
    match names {
        [] => None,
        [first, ..] => Some(first),
    }
}
