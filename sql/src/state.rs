//! State tables: their current rows, in memory.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;

use crate::committed::Committed;
use crate::current::current_rows;
use crate::shown::{show, shown};
use crate::tables::Table;

/// The current rows of a state table as of a commit.
#[derive(Debug)]
pub(crate) struct StateTable {
    committed: Arc<Committed>,
    table: &'static Table,
    schema: SchemaRef,
}

impl StateTable {
    pub(crate) fn new(committed: Arc<Committed>, table: &'static Table) -> Self {
        Self { committed, table, schema: shown(&table.current_schema()) }
    }
}

#[async_trait]
impl TableProvider for StateTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let rows = current_rows(&self.committed, self.table).await.map_err(|error| DataFusionError::External(Box::new(error)))?;
        let stored = self.table.current_schema();
        show(state, MemorySourceConfig::try_new_exec(std::slice::from_ref(&rows.batches), stored, projection.cloned())?)
    }
}
