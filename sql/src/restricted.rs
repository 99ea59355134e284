//! A table of which a session may read some rows and columns.
//!
//! What is left out is left out before anything else sees it. A filter of the query is passed on to the table only if it compares a column that
//! may be read with a constant: others could fail, or take their time, on rows that are not to be read, and so tell of them.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::compute::{and, filter_record_batch};
use arrow::datatypes::{Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result, project_schema};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, Partitioning, PlanProperties,
    ReplaceChildrenOptions,
};
use futures::TryStreamExt;

use crate::rights::{Books, BooksAt, Restriction};

/// A table with a restriction.
#[derive(Debug)]
pub(crate) struct RestrictedTable {
    table: Arc<dyn TableProvider>,
    restriction: Restriction,
    books: Arc<BooksAt>,
    schema: SchemaRef,
}

impl RestrictedTable {
    pub(crate) fn new(table: Arc<dyn TableProvider>, restriction: Restriction, books: Arc<BooksAt>) -> Self {
        let field = |field: &Arc<Field>| {
            if restriction.masked.contains(field.name()) { Arc::new(field.as_ref().clone().with_nullable(true)) } else { Arc::clone(field) }
        };
        let schema = Arc::new(Schema::new(table.schema().fields().iter().map(field).collect::<Vec<_>>()));
        Self { table, restriction, books, schema }
    }

    /// Whether a filter compares a column that may be read with a constant.
    fn may_be_passed(&self, filter: &Expr) -> bool {
        let Expr::BinaryExpr(BinaryExpr { left, op, right }) = filter else { return false };
        let compares = matches!(op, Operator::Eq | Operator::NotEq | Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq);
        let is_shown = |expr: &Expr| matches!(expr, Expr::Column(column) if !self.restriction.masked.contains(&column.name));
        let is_constant = |expr: &Expr| matches!(expr, Expr::Literal(..));
        compares && (is_shown(left) && is_constant(right) || is_constant(left) && is_shown(right))
    }
}

#[async_trait]
impl TableProvider for RestrictedTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        self.table.table_type()
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let passed = |filter: &&Expr| {
            if self.may_be_passed(filter) { TableProviderFilterPushDown::Inexact } else { TableProviderFilterPushDown::Unsupported }
        };
        Ok(filters.iter().map(passed).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let books = if self.restriction.is_of_books() {
            self.books.get().await.map_err(|error| DataFusionError::External(Box::new(error)))?
        } else {
            Arc::default()
        };
        let shown = project_schema(&self.schema, projection)?;
        // What the checks read, too.
        let checked = self.restriction.checks.iter().map(|check| Ok(self.schema.index_of(check.column())?)).collect::<Result<Vec<_>>>()?;
        let all = || (0..self.schema.fields().len()).collect();
        let mut read: Vec<usize> = projection.cloned().unwrap_or_else(all);
        read.extend(checked);
        read.sort_unstable();
        read.dedup();
        let filters: Vec<_> = filters.iter().filter(|filter| self.may_be_passed(filter)).cloned().collect();
        let rows = self.table.scan(state, Some(&read), &filters, None).await?;
        Ok(Arc::new(RestrictedRows::new(rows, shown, self.restriction.clone(), books)))
    }
}

/// The rows and columns that may be read.
#[derive(Clone, Debug)]
struct RestrictedRows {
    rows: Arc<dyn ExecutionPlan>,
    shown: SchemaRef,
    restriction: Restriction,
    books: Arc<Books>,
    properties: Arc<PlanProperties>,
}

impl RestrictedRows {
    fn new(rows: Arc<dyn ExecutionPlan>, shown: SchemaRef, restriction: Restriction, books: Arc<Books>) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&shown)),
            Partitioning::UnknownPartitioning(rows.output_partitioning().partition_count()),
            rows.pipeline_behavior(),
            rows.boundedness(),
        );
        Self { rows, shown, restriction, books, properties: Arc::new(properties) }
    }

    fn restrict(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let column = |name: &str| batch.column_by_name(name).ok_or_else(|| DataFusionError::Internal(format!("{name} was not read")));
        let mut may_be_read = BooleanArray::from(vec![true; batch.num_rows()]);
        for check in &self.restriction.checks {
            may_be_read = and(&may_be_read, &check.rows(column(check.column())?.as_ref(), &self.books)?)?;
        }
        let batch = filter_record_batch(batch, &may_be_read)?;
        let shown = |field: &Arc<Field>| -> Result<ArrayRef> {
            if self.restriction.masked.contains(field.name()) {
                return Ok(new_null_array(field.data_type(), batch.num_rows()));
            }
            let column = batch.column_by_name(field.name());
            column.cloned().ok_or_else(|| DataFusionError::Internal(format!("{} was not read", field.name())))
        };
        let columns = self.shown.fields().iter().map(shown).collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.shown), columns, &options)?)
    }
}

impl DisplayAs for RestrictedRows {
    fn fmt_as(&self, _: DisplayFormatType, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "RestrictedRows")
    }
}

impl ExecutionPlan for RestrictedRows {
    fn name(&self) -> &'static str {
        "RestrictedRows"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.rows]
    }

    fn apply_expressions(&self, _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let rows = children.pop().ok_or_else(|| DataFusionError::Internal("rows are missing".to_owned()))?;
        Ok(Arc::new(Self::new(rows, Arc::clone(&self.shown), self.restriction.clone(), Arc::clone(&self.books))))
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let restricted = self.clone();
        let rows = self.rows.execute(partition, context)?.and_then(move |batch| std::future::ready(restricted.restrict(&batch)));
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.shown), rows)))
    }
}
