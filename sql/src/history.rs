//! Histories: every change of a state table, as rows that went (`change` -1) and came (+1).
//!
//! ```text
//!  files: what each key's row is after each change ─► by key, commit and tick ─► before each row that came, the row that went
//! ```
//!
//! Files hold a row for each change: what the key's row is from then on, or its last row if it is gone. What it was before is the
//! row before it of the same key, and is shown with the tick, the commit and the reason of the change that ended it.
//!
//! A row that was dropped, because it is older than the history's retention, is not shown where it went either: a key's `ts` never
//! decreases, so that the rows that are left of a key are its newest, and each went as it is shown. A key that was gone before it
//! ever was there is not shown at all.
//!
//! Where a query asks for rows that came alone (`change > 0`), files are scanned as they are. Otherwise only what it asks of the key,
//! and the commit, is asked of the files: all rows of a key decide what went.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int32Array, RecordBatch};
use arrow::compute::interleave;
use arrow::datatypes::{Int32Type, SchemaRef};
use arrow::row::{OwnedRow, RowConverter, SortField};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{EquivalenceProperties, LexOrdering, OrderingRequirements, Partitioning, PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_plan::distribution_requirements::InputDistributionRequirements;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, Distribution, ExecutionPlan, PlanProperties, ReplaceChildrenOptions};
use futures::TryStreamExt;
use headwater_connectors::parquet::columns::{CHANGE, COMMIT_ID, REASON, TICK};
use headwater_connectors::parquet::record::FileRole;

use crate::committed::Committed;
use crate::scan::FileTable;
use crate::tables::Table;

/// Every change of a state table up to a commit.
#[derive(Debug)]
pub(crate) struct HistoryTable {
    table: &'static Table,
    files: FileTable,
}

impl HistoryTable {
    pub(crate) fn new(committed: Arc<Committed>, table: &'static Table) -> Self {
        Self { table, files: FileTable::new(committed, table, FileRole::History) }
    }

    /// Whether a filter asks for nothing but the key.
    fn is_of_key(&self, filter: &Expr) -> bool {
        !filter.is_volatile() && filter.column_refs().iter().all(|column| self.table.spec.key.contains(&column.name()))
    }

    /// The columns that are read for a projection: those of keys and changes besides.
    fn columns(&self, projection: &[usize]) -> Vec<usize> {
        let schema = self.files.schema();
        let needed = self.table.spec.key.iter().copied().chain([CHANGE, TICK, COMMIT_ID]);
        let mut columns: Vec<_> = projection.iter().copied().chain(needed.filter_map(|name| schema.index_of(name).ok())).collect();
        columns.sort_unstable();
        columns.dedup();
        columns
    }
}

#[async_trait]
impl TableProvider for HistoryTable {
    fn schema(&self) -> SchemaRef {
        self.files.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        self.files.supports_filters_pushdown(filters)
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if self.files.rules_out(state, filters, CHANGE, -1)? {
            return self.files.scan(state, projection, filters, limit).await;
        }
        let of_key: Vec<_> = filters.iter().filter(|filter| self.is_of_key(filter)).cloned().collect();
        let all = || (0..self.schema().fields().len()).collect();
        let projection = projection.cloned().unwrap_or_else(all);
        let columns = self.columns(&projection);
        let changes = self.files.scan_filtered(state, &of_key, &columns)?;
        let images = Arc::new(PreviousRows::new(changes, self.table.spec.key)?);
        project(images, &columns, &projection)
    }
}

/// The columns of a projection, from those that were read for it.
fn project(plan: Arc<dyn ExecutionPlan>, columns: &[usize], projection: &[usize]) -> Result<Arc<dyn ExecutionPlan>> {
    if columns == projection {
        return Ok(plan);
    }
    let schema = plan.schema();
    let column = |index: &usize| {
        let place = columns.binary_search(index).map_err(|_| DataFusionError::Internal("a column was not read".to_owned()))?;
        let name = schema.field(place).name().clone();
        Ok(ProjectionExpr { expr: Arc::new(Column::new(&name, place)) as Arc<dyn PhysicalExpr>, alias: name })
    };
    Ok(Arc::new(ProjectionExec::try_new(projection.iter().map(column).collect::<Result<Vec<_>>>()?, plan)?))
}

/// Adds to changes of keys, in order, the rows that they ended.
#[derive(Debug)]
struct PreviousRows {
    input: Arc<dyn ExecutionPlan>,
    key: &'static [&'static str],
    order: LexOrdering,
    properties: Arc<PlanProperties>,
}

impl PreviousRows {
    fn new(input: Arc<dyn ExecutionPlan>, key: &'static [&'static str]) -> Result<Self> {
        let schema = input.schema();
        let by = |name: &&str| Ok(PhysicalSortExpr::new_default(Arc::new(Column::new_with_schema(name, &schema)?)));
        let by = key.iter().chain(&[COMMIT_ID, TICK]).map(by).collect::<Result<Vec<_>>>()?;
        let order = LexOrdering::new(by).ok_or_else(|| DataFusionError::Internal("a table has no key".to_owned()))?;
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Ok(Self { input, key, order, properties: Arc::new(properties) })
    }
}

impl DisplayAs for PreviousRows {
    fn fmt_as(&self, _: DisplayFormatType, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "PreviousRows: key=[{}]", self.key.join(", "))
    }
}

impl ExecutionPlan for PreviousRows {
    fn name(&self) -> &'static str {
        "PreviousRows"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        InputDistributionRequirements::new(vec![Distribution::SinglePartition])
    }

    fn required_input_ordering(&self) -> Vec<Option<OrderingRequirements>> {
        vec![Some(OrderingRequirements::from(self.order.clone()))]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn apply_expressions(&self, _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let input = children.pop().ok_or_else(|| DataFusionError::Internal("changes are missing".to_owned()))?;
        Ok(Arc::new(Self::new(input, self.key)?))
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        use datafusion::physical_plan::ChildrenPropertiesMode;
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let schema = self.schema();
        let mut adding = Adding::new(&schema, self.key)?;
        let rows = self.input.execute(partition, context)?.try_filter(|batch| std::future::ready(batch.num_rows() > 0));
        let rows = rows.and_then(move |batch| std::future::ready(adding.add(&batch)));
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
    }
}

/// Where a row comes from: the last one of the batch before (0), or the batch (1); and its place in it.
type Source = (usize, usize);

struct Adding {
    schema: SchemaRef,
    keys: RowConverter,
    key_columns: Vec<usize>,
    change: usize,
    /// Whether a column tells of the change, not of the row.
    of_change: Vec<bool>,
    /// The last row of the batch before, and its key.
    last: Option<(RecordBatch, OwnedRow)>,
}

impl Adding {
    fn new(schema: &SchemaRef, key: &[&str]) -> Result<Self> {
        let key_columns = key.iter().map(|name| schema.index_of(name)).collect::<std::result::Result<Vec<_>, _>>()?;
        let key_fields = key_columns.iter().map(|index| SortField::new(schema.field(*index).data_type().clone()));
        let of_change = schema.fields().iter().map(|field| [TICK, REASON, COMMIT_ID].contains(&field.name().as_str()));
        Ok(Self {
            keys: RowConverter::new(key_fields.collect())?,
            key_columns,
            change: schema.index_of(CHANGE)?,
            of_change: of_change.collect(),
            schema: Arc::clone(schema),
            last: None,
        })
    }

    /// The batch, with the rows that its changes ended.
    fn add(&mut self, batch: &RecordBatch) -> Result<RecordBatch> {
        let keys = self.keys.convert_columns(batch.project(&self.key_columns)?.columns())?;
        let changes = batch.column(self.change).as_primitive::<Int32Type>().values();
        let (mut rows, mut ended_by, mut signs) = (Vec::<Source>::new(), Vec::<Source>::new(), Vec::<i32>::new());
        // The row before, if it is one of the same key that is there.
        let was_there = |last: &RecordBatch| last.column(self.change).as_primitive::<Int32Type>().values().first() > Some(&0);
        let mut before = self.last.as_ref().filter(|(last, _)| was_there(last)).map(|(_, key)| ((0, 0), key.row()));
        for (row, (change, key)) in changes.iter().zip(keys.iter()).enumerate() {
            let was = before.filter(|(_, same)| *same == key).map(|(place, _)| (place, -1));
            // Of a key that is gone, the row that went is the change itself; there is none if the key was not there.
            let shown = if *change > 0 { (was, Some(((1, row), 1))) } else { (was.map(|_| ((1, row), -1)), None) };
            for (place, sign) in shown.0.into_iter().chain(shown.1) {
                rows.push(place);
                ended_by.push((1, row));
                signs.push(sign);
            }
            before = (*change > 0).then_some(((1, row), key));
        }
        let last = self.last.as_ref().map_or(batch, |(last, _)| last);
        let column = |index: usize| -> Result<ArrayRef> {
            if index == self.change {
                return Ok(Arc::new(Int32Array::from(signs.clone())));
            }
            let places = if self.of_change.get(index).copied().unwrap_or(false) { &ended_by } else { &rows };
            Ok(interleave(&[last.column(index).as_ref(), batch.column(index).as_ref()], places)?)
        };
        let columns = (0..batch.num_columns()).map(column).collect::<Result<Vec<_>>>()?;
        let added = RecordBatch::try_new(Arc::clone(&self.schema), columns)?;
        let end = batch.num_rows().saturating_sub(1);
        self.last = Some((batch.slice(end, batch.num_rows().min(1)), keys.row(end).owned()));
        Ok(added)
    }
}
