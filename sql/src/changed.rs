//! Files with changes of a state table, read in two steps: what decides which of their rows are current, and then those rows.

use std::error::Error;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;
use headwater_connectors::fault::Fault;
use headwater_connectors::parquet::chain::CommitFile;
use headwater_connectors::parquet::columns::{CHANGE, COMMIT_ID, TICK};
use headwater_connectors::parquet::file::FileError;
use headwater_connectors::parquet::reader::conform;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReaderBuilder, RowSelection};
use tokio::task::spawn_blocking;

use crate::error::QueryError;
use crate::parts::read_part;
use crate::tables::Table;

/// Rows in a batch that is read.
const BATCH_ROWS: usize = 8192;

/// A file of a state table.
#[derive(Clone)]
pub(crate) struct StateFile {
    pub(crate) file: Arc<CommitFile>,
    pub(crate) data: PathBuf,
    pub(crate) table: &'static Table,
}

/// What decides which rows of a file are current.
pub(crate) struct Deciding {
    file: StateFile,
    pub(crate) batches: Vec<RecordBatch>,
    /// Whether the batches have all columns: a part of a segment is small, and read whole.
    is_all: bool,
}

/// What is read of a Parquet file.
enum Columns<'a> {
    All,
    Deciding,
    Of(&'a BooleanArray),
}

impl StateFile {
    /// Every row.
    pub(crate) async fn read(self) -> Result<Vec<RecordBatch>, QueryError> {
        beside(move || self.read_all()).await
    }

    /// The columns that decide.
    pub(crate) async fn deciding(self) -> Result<Deciding, QueryError> {
        beside(move || {
            let is_all = self.file.part.is_some();
            let batches = if is_all { self.read_all()? } else { self.read_parquet(&Columns::Deciding)? };
            Ok(Deciding { file: self, batches, is_all })
        })
        .await
    }

    fn read_all(&self) -> Result<Vec<RecordBatch>, FileError> {
        if self.file.part.is_some() {
            return read_part(&self.file, &self.data, &self.schema());
        }
        self.read_parquet(&Columns::All)
    }

    fn schema(&self) -> SchemaRef {
        self.table.file_schema(self.file.role)
    }

    fn read_parquet(&self, columns: &Columns<'_>) -> Result<Vec<RecordBatch>, FileError> {
        let data: &Path = &self.data;
        let read = || self.batches(columns);
        read().map_err(|error| self.file.diagnose(data).unwrap_or_else(|| self.file.error(data, Fault::unreadable(error))))
    }

    fn batches(&self, columns: &Columns<'_>) -> Result<Vec<RecordBatch>, Box<dyn Error + Send + Sync>> {
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(self.data.join(&*self.file.path))?)?.with_batch_size(BATCH_ROWS);
        let (reader, schema) = match columns {
            Columns::All => (reader, self.schema()),
            Columns::Deciding => {
                let decides = |name: &str| self.table.spec.key.contains(&name) || [COMMIT_ID, TICK, CHANGE].contains(&name);
                let schema = self.schema();
                let fields: Vec<_> = schema.fields().iter().filter(|field| decides(field.name())).cloned().collect();
                let mask = ProjectionMask::columns(reader.parquet_schema(), fields.iter().map(|field| field.name().as_str()));
                (reader.with_projection(mask), Arc::new(Schema::new(fields)))
            }
            Columns::Of(rows) => (reader.with_row_selection(RowSelection::from_filters(&[BooleanArray::clone(rows)])), self.schema()),
        };
        reader.build()?.map(|batch| Ok(conform(&batch?, &schema)?)).collect()
    }
}

impl Deciding {
    /// The rows that a mask of the file's rows chooses.
    pub(crate) async fn rows(self, mask: BooleanArray) -> Result<Vec<RecordBatch>, QueryError> {
        if !self.is_all {
            return beside(move || self.file.read_parquet(&Columns::Of(&mask))).await;
        }
        Ok(rows_of(&self.batches, &mask)?)
    }
}

/// The rows of batches that a mask of all their rows chooses.
pub(crate) fn rows_of(batches: &[RecordBatch], mask: &BooleanArray) -> Result<Vec<RecordBatch>, ArrowError> {
    let mut begin = 0;
    let chosen = |batch: &RecordBatch| {
        let of_batch = mask.slice(begin, batch.num_rows());
        begin += batch.num_rows();
        filter_record_batch(batch, &of_batch)
    };
    batches.iter().map(chosen).collect()
}

/// Reads on a thread that may block.
async fn beside<T: Send + 'static>(read: impl FnOnce() -> Result<T, FileError> + Send + 'static) -> Result<T, QueryError> {
    spawn_blocking(read).await?.map_err(QueryError::File)
}
