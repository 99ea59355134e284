//! Tables of a view, declared once: their writers, and the rows that its state is restored from.

use std::sync::Arc;

use super::{TableRow, TableWriter};

/// Registry that hands out the writers of tables.
pub trait TableRegistry {
    /// The writer of a table. Views that feed the same table share its writer.
    fn writer<R: TableRow>(&mut self) -> TableWriter<R>;
}

/// Reads the current rows of tables, as of the last commit.
pub trait TableReader {
    /// Why rows cannot be read.
    type Error;
    /// The current rows of a state table or a checkpoint, in the order of their keys.
    fn rows<R: TableRow>(&mut self) -> Result<Arc<Vec<R>>, Self::Error>;
}

/// The tables of a view. Declared by [`table_set!`](crate::table_set).
pub trait TableSet: Clone + Default + 'static {
    /// Rows that the view's state is restored from, one list for each table.
    type Saved: Clone + Default + std::fmt::Debug + Send + Sync + 'static;

    /// Registers the tables.
    fn register(registry: &mut impl TableRegistry) -> Self;

    /// Reads the rows that the state is restored from.
    fn read<T: TableReader>(reader: &mut T) -> Result<Self::Saved, T::Error>;
}

/// A view without tables.
impl TableSet for () {
    type Saved = ();

    fn register(_: &mut impl TableRegistry) {}

    fn read<T: TableReader>(_: &mut T) -> Result<(), T::Error> {
        Ok(())
    }
}

/// A view with one table, from which its state is restored.
impl<R: TableRow> TableSet for TableWriter<R> {
    type Saved = Arc<Vec<R>>;

    fn register(registry: &mut impl TableRegistry) -> Self {
        registry.writer()
    }

    fn read<T: TableReader>(reader: &mut T) -> Result<Arc<Vec<R>>, T::Error> {
        reader.rows()
    }
}

/// Declares the tables of a view: a struct with a writer for each, and a struct with the rows of those that the view's state is
/// restored from.
///
/// ```
/// headwater_schemas::table_set! {
///     /// The tables of the ledger's balances.
///     pub struct BalanceTables restored from SavedBalances {
///         restored { balances: headwater_schemas::tables::Balance }
///         written { ledger_entries: headwater_schemas::tables::LedgerEntry }
///     }
/// }
///
/// let tables = BalanceTables::default();
/// assert!(tables.balances.take_below(headwater_schemas::Tick::MAX).is_empty());
/// ```
#[macro_export]
macro_rules! table_set {
    ($(#[$doc:meta])* $vis:vis struct $tables:ident restored from $saved:ident {
        restored { $($restored:ident: $restored_row:ty),* $(,)? }
        $(written { $($written:ident: $written_row:ty),* $(,)? })?
    }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default)]
        $vis struct $tables {
            $(#[doc = concat!("Writer of `", stringify!($restored), "`, from which the state is restored.")]
            pub $restored: $crate::tables::TableWriter<$restored_row>,)*
            $($(#[doc = concat!("Writer of `", stringify!($written), "`.")]
            pub $written: $crate::tables::TableWriter<$written_row>,)*)?
        }

        #[doc = concat!("The rows that the state behind [`", stringify!($tables), "`] is restored from.")]
        #[derive(Clone, Debug, Default)]
        $vis struct $saved {
            $(#[doc = concat!("Rows of `", stringify!($restored), "`.")]
            pub $restored: std::sync::Arc<Vec<$restored_row>>,)*
        }

        impl $crate::tables::TableSet for $tables {
            type Saved = $saved;

            fn register(registry: &mut impl $crate::tables::TableRegistry) -> Self {
                Self {
                    $($restored: registry.writer(),)*
                    $($($written: registry.writer(),)*)?
                }
            }

            #[allow(unused_variables, reason = "a view without a state reads nothing")]
            fn read<T: $crate::tables::TableReader>(reader: &mut T) -> Result<$saved, T::Error> {
                Ok($saved { $($restored: reader.rows()?,)* })
            }
        }
    };
}
