//! Parts of segments: the rows of the newest commits, before upkeep converts them to Parquet.
//!
//! Parts are small and have no statistics: a part is read whole, and verified by its hash.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures::{StreamExt, TryStreamExt};
use headwater_connectors::fault::Fault;
use headwater_connectors::parquet::chain::CommitFile;
use headwater_connectors::parquet::file::FileError;
use headwater_connectors::parquet::reader::{batches, conform};
use tokio::task::spawn_blocking;

use crate::error::QueryError;

/// The rows of a part, with the columns of a schema.
pub(crate) fn read_part(part: &CommitFile, data: &Path, schema: &SchemaRef) -> Result<Vec<RecordBatch>, FileError> {
    let unlike = |error| part.error(data, Fault::unreadable(error));
    batches(data, part)?.iter().map(|batch| conform(batch, schema).map_err(unlike)).collect()
}

/// A scan of parts, in at most `partitions` partitions. A part is read when its rows are requested, and only then held in memory.
pub(crate) fn scan_parts(
    data: &Path,
    parts: &[Arc<CommitFile>],
    schema: &SchemaRef,
    projection: Option<&Vec<usize>>,
    limit: Option<usize>,
    partitions: usize,
) -> Result<Arc<dyn ExecutionPlan>> {
    let partition = |parts: &[Arc<CommitFile>]| {
        Arc::new(Parts { data: data.to_owned(), parts: parts.to_vec(), schema: Arc::clone(schema) }) as Arc<dyn PartitionStream>
    };
    let partitions = parts.chunks(parts.len().div_ceil(partitions.max(1)).max(1)).map(partition).collect();
    Ok(Arc::new(StreamingTableExec::try_new(Arc::clone(schema), partitions, projection, [], false, limit)?))
}

/// Parts that are read one after the other.
#[derive(Debug)]
struct Parts {
    data: PathBuf,
    parts: Vec<Arc<CommitFile>>,
    schema: SchemaRef,
}

impl PartitionStream for Parts {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let (data, schema) = (self.data.clone(), Arc::clone(&self.schema));
        let read = move |part| read_beside(part, data.clone(), Arc::clone(&schema));
        let rows = futures::stream::iter(self.parts.clone()).then(read);
        let rows = rows.map_ok(|batches| futures::stream::iter(batches.into_iter().map(Ok))).try_flatten();
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), rows))
    }
}

/// Reads a part on a thread that may block.
async fn read_beside(part: Arc<CommitFile>, data: PathBuf, schema: SchemaRef) -> Result<Vec<RecordBatch>> {
    let reading = spawn_blocking(move || read_part(&part, &data, &schema)).await;
    let read = reading.map_err(QueryError::from).and_then(|read| read.map_err(QueryError::File));
    read.map_err(|error| DataFusionError::External(Box::new(error)))
}
