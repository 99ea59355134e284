//! The trait of row types, and the macro that declares them.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{Field, Schema};
use siphasher::sip::SipHasher13;

use super::CellError;
use crate::value::EventTime;

/// The kind of a table: facts, or a state that changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableKind {
    /// Each row is written once and never changes.
    Append,
    /// Like append, but all rows of a commit are one file, because they are not queried by day.
    Journal,
    /// One row per key, replaced when it changes; `<name>_history` keeps every change.
    State,
    /// One row per key, replaced when it changes: state of operators, without a history.
    Checkpoint,
}

/// The declaration of a table, without its columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableSpec {
    /// The name in SQL and on disk.
    pub name: &'static str,
    /// Description of a row: the doc comment of its type.
    pub about: &'static str,
    /// The kind of table.
    pub kind: TableKind,
    /// The columns of the key.
    pub key: &'static [&'static str],
    /// For a published table, the column that is the records' key.
    pub published_by: Option<&'static str>,
    /// For a published table, the topic's name if it differs from the table's.
    pub published_as: Option<&'static str>,
}

impl TableSpec {
    /// The topic as which the table is published.
    pub fn topic(&self) -> Option<&'static str> {
        self.published_by.map(|_| self.published_as.unwrap_or(self.name))
    }
}

/// A table of the catalog: its declaration and its columns.
#[derive(Clone, Debug)]
pub struct Declaration {
    /// The declaration.
    pub spec: TableSpec,
    /// The columns, without those that a commit adds.
    pub fields: Vec<Field>,
    /// Description of each column: the doc comment of its field.
    pub docs: Vec<&'static str>,
    /// All texts that each column can have; empty for other columns.
    pub words: Vec<&'static [&'static str]>,
}

impl Declaration {
    /// The declaration of a row type.
    pub fn of<R: TableRow>() -> Self {
        Self { spec: R::SPEC, fields: R::fields(), docs: R::field_docs(), words: R::field_words() }
    }
}

/// A row of a table.
pub trait TableRow: Clone + Ord + std::fmt::Debug + Send + Sync + 'static {
    /// The table that the row belongs to.
    const SPEC: TableSpec;
    /// The columns, in order, without those that a commit adds.
    fn fields() -> Vec<Field>;
    /// Description of each column, in order.
    fn field_docs() -> Vec<&'static str>;
    /// All texts that each column can have, in order; empty for a column that can have others, or is no text.
    fn field_words() -> Vec<&'static [&'static str]>;
    /// The rows as columns, in the order of [`TableRow::fields`].
    fn columns(rows: &[&Self]) -> Vec<ArrayRef>;
    /// Reads rows of a batch, and hands each with its number to `take`.
    fn read_each(batch: &RecordBatch, rows: impl Iterator<Item = usize>, take: impl FnMut(usize, Self)) -> Result<(), CellError>;
    /// The row's time, which also determines the date folder.
    fn event_time(&self) -> EventTime;
    /// Compares the rows' keys.
    fn cmp_key(&self, other: &Self) -> std::cmp::Ordering;
    /// Bytes in whose order a column of the key is, by its number in the key. A type of values has such bytes for all or for none;
    /// there are none beyond the last column.
    fn sort_bytes(&self, column: usize) -> Option<&[u8]>;
    /// A hash of the row's key, equal in every run.
    fn key_hash(&self) -> u64;

    /// The rows as one batch.
    fn batch(rows: &[Self]) -> Result<RecordBatch, arrow::error::ArrowError> {
        RecordBatch::try_new(Arc::new(Schema::new(Self::fields())), Self::columns(&rows.iter().collect::<Vec<_>>()))
    }

    /// Reads every row of a batch.
    fn read_all(batch: &RecordBatch) -> Result<Vec<Self>, CellError> {
        let mut rows = Vec::with_capacity(batch.num_rows());
        Self::read_each(batch, 0..batch.num_rows(), |_, row| rows.push(row))?;
        Ok(rows)
    }
}

/// Declares the tables of a module together with their declarations for the catalog, so that none can be left out.
macro_rules! tables {
    ($($(#[doc = $doc:literal])+ $kind:ident $row:ident = $table:literal by ($($key:ident),+ $(,)?) $(published $(as $topic:literal)? by $published:ident)? {
        $($fields:tt)+
    })+) => {
        $($crate::tables::row::table! {
            $(#[doc = $doc])+ $kind $row = $table by ($($key),+) $(published $(as $topic)? by $published)? { $($fields)+ }
        })+

        /// The declarations of the module's tables.
        pub(super) fn declarations() -> Vec<$crate::tables::Declaration> {
            vec![$($crate::tables::Declaration::of::<$row>()),+]
        }
    };
}
pub(crate) use tables;

/// Declares a table: the row type, and derives schema, writer and reader. Key columns come first in the declaration, so that the
/// derived order of rows is the order of their keys.
macro_rules! table {
    ($(#[doc = $doc:literal])+ $kind:ident $row:ident = $table:literal by ($($key:ident),+ $(,)?) $(published $(as $topic:literal)? by $published:ident)? {
        $($(#[doc = $field_doc:literal])+ $field:ident: $type:ty),+ $(,)?
    }) => {
        $(#[doc = $doc])+
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub struct $row { $($(#[doc = $field_doc])+ pub $field: $type),+ }

        impl $crate::tables::TableRow for $row {
            const SPEC: $crate::tables::TableSpec = $crate::tables::TableSpec {
                name: $table,
                about: concat!($($doc),+),
                kind: $crate::tables::TableKind::$kind,
                key: &[$(stringify!($key)),+],
                published_by: $crate::tables::row::first(&[$(stringify!($published))?]),
                published_as: $crate::tables::row::first(&[$($($topic)?)?]),
            };

            fn fields() -> Vec<arrow::datatypes::Field> {
                vec![$(arrow::datatypes::Field::new(
                    stringify!($field),
                    <$type as $crate::tables::Cell>::data_type(),
                    <$type as $crate::tables::Cell>::NULLABLE,
                )),+]
            }

            fn field_docs() -> Vec<&'static str> {
                vec![$(concat!($($field_doc),+)),+]
            }

            fn field_words() -> Vec<&'static [&'static str]> {
                vec![$(<$type as $crate::tables::Cell>::WORDS),+]
            }

            fn columns(rows: &[&Self]) -> Vec<arrow::array::ArrayRef> {
                $(let mut $field = $crate::tables::cell::builder_for(rows.iter().map(|row| &row.$field));)+
                for row in rows {
                    $($crate::tables::Cell::append(&row.$field, &mut $field);)+
                }
                vec![$(std::sync::Arc::new(arrow::array::ArrayBuilder::finish(&mut $field)) as arrow::array::ArrayRef),+]
            }

            fn read_each(
                batch: &arrow::array::RecordBatch,
                rows: impl Iterator<Item = usize>,
                mut take: impl FnMut(usize, Self),
            ) -> Result<(), $crate::tables::CellError> {
                $(let $field = $crate::tables::Column::<$type>::of(batch, stringify!($field))?;)+
                for row in rows {
                    take(row, Self { $($field: $field.at(row)?),+ });
                }
                Ok(())
            }

            #[inline]
            fn event_time(&self) -> $crate::EventTime { self.ts }

            fn cmp_key(&self, other: &Self) -> std::cmp::Ordering {
                std::cmp::Ordering::Equal$(.then_with(|| self.$key.cmp(&other.$key)))+
            }

            #[inline]
            fn sort_bytes(&self, column: usize) -> Option<&[u8]> {
                [$($crate::tables::Cell::sort_bytes(&self.$key)),+].get(column).copied().flatten()
            }

            fn key_hash(&self) -> u64 {
                use std::hash::{Hash, Hasher};
                let mut hasher = $crate::tables::row::key_hasher();
                $(self.$key.hash(&mut hasher);)+
                hasher.finish()
            }
        }
    };
}
pub(crate) use table;

/// Hashes keys. SipHash is specified; the hashers of hash maps may change between versions.
pub(crate) fn key_hasher() -> SipHasher13 {
    SipHasher13::new_with_keys(0x6865_6164_7761_7465, 0x726b_6579_7461_626c)
}

/// The first of at most one name.
pub(crate) const fn first(names: &[&'static str]) -> Option<&'static str> {
    match names {
        [] => None,
        [first, ..] => Some(first),
    }
}
