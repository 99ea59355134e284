//! Histories: every change of a state table, as the old row (`change` -1) and the new row (+1).
//!
//! ```text
//!  files: the row of a key after each change ─► by key, commit and tick ─► before each new row, the row that it replaces
//! ```
//!
//! Files hold one row per change: the new row of the key, or its last row if it was retracted. The old row is the previous row of
//! the same key, and is shown with the tick, the commit and the reason of the change that replaced it.
//!
//! A row that was dropped because it is beyond the history's retention is not shown as an old row either: a key's `ts` never
//! decreases, so the remaining rows of a key are its newest, and the old rows among them are complete. The retraction of a key
//! that never had a row is not shown at all.
//!
//! A query for new rows alone (`change > 0`) scans files as they are. Otherwise only filters on the key and the commit are
//! applied to files, because an old row depends on all rows of its key.
//!
//! The changes of a few keys are kept in memory for later questions ([`crate::key_changes`]).
//!
//! Who follows a table reads the history after a commit ([`Committed::since`]). Then only the changes after it are read, and the old
//! rows come from the current rows as of that commit.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Int32Array, Int64Array, RecordBatch, new_null_array};
use arrow::compute::{filter_record_batch, interleave};
use arrow::datatypes::{FieldRef, Int32Type, SchemaRef};
use arrow::row::{OwnedRow, RowConverter, SortField};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType, col, lit};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{EquivalenceProperties, LexOrdering, OrderingRequirements, Partitioning, PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_plan::distribution_requirements::InputDistributionRequirements;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, Distribution, ExecutionPlan, PlanProperties, ReplaceChildrenOptions, collect,
};
use futures::TryStreamExt;
use headwater_connectors::parquet::columns::{CHANGE, COMMIT_ID, REASON, TICK};
use headwater_connectors::parquet::record::FileRole;
use rustc_hash::FxHashSet;

use crate::committed::Committed;
use crate::current::current_rows;
use crate::scan::FileTable;
use crate::shown::show;
use crate::state::chooses;
use crate::tables::Table;

/// History of a state table up to a commit.
#[derive(Debug)]
pub(crate) struct HistoryTable {
    table: &'static Table,
    committed: Arc<Committed>,
    files: FileTable,
}

impl HistoryTable {
    pub(crate) fn new(committed: Arc<Committed>, table: &'static Table) -> Self {
        Self { table, files: FileTable::new(Arc::clone(&committed), table, FileRole::History), committed }
    }

    /// Whether a filter depends on the key alone.
    fn is_of_key(&self, filter: &Expr) -> bool {
        !filter.is_volatile() && filter.column_refs().iter().all(|column| self.table.spec.key.contains(&column.name()))
    }

    /// The columns of the key in files, in the key's order.
    fn key_columns(&self) -> Result<Vec<usize>> {
        let schema = self.files.schema();
        let columns = self.table.spec.key.iter().map(|name| schema.index_of(name)).collect::<std::result::Result<Vec<_>, _>>();
        Ok(columns?)
    }

    /// The changes after a commit, and of the keys that they change, the rows as of that commit.
    async fn changes_since(&self, state: &dyn Session, since: u64, filters: &[Expr], columns: &[usize]) -> Result<Arc<dyn ExecutionPlan>> {
        let after = col(COMMIT_ID).gt(lit(i64::try_from(since).unwrap_or(i64::MAX)));
        let filters = [filters, &[after]].concat();
        // A plan of files gives its rows once, so the keys are read with a plan of their own.
        let keys = self.files.scan_filtered(state, &filters, &self.key_columns()?)?;
        let changed = collect(keys, state.task_ctx()).await?;
        let changes = self.files.scan_filtered(state, &filters, columns)?;
        if changed.iter().all(|batch| batch.num_rows() == 0) {
            return Ok(changes);
        }
        let schema = changes.schema();
        let before = self.committed.between(since, since);
        let rows = current_rows(&before, self.table).await.map_err(|error| DataFusionError::External(Box::new(error)))?;
        let old = rows_before(&rows.batches, self.table.spec.key, &changed, &schema)?;
        UnionExec::try_new(vec![MemorySourceConfig::try_new_exec(&[old], schema, None)?, changes])
    }

    /// The changes of the keys that filters choose, if they choose few that have few changes. Files that `pruning` rules out are left out.
    async fn changes_of_keys(
        &self,
        state: &dyn Session,
        filters: &[Expr],
        pruning: &[Expr],
        columns: &[usize],
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let first = self.table.spec.key.first();
        let chosen: Vec<_> = filters.iter().filter(|filter| first.is_some_and(|first| chooses(filter, first))).collect();
        if chosen.is_empty() || self.committed.since().is_some() {
            return Ok(None);
        }
        let files = self.files.prune(state, pruning)?;
        if files.is_empty() {
            return Ok(None);
        }
        self.committed.current.changes.scan(&self.files, state, &files, &chosen, columns).await
    }

    /// The columns to read for a projection: also those of keys and changes.
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
        let all = || (0..self.schema().fields().len()).collect();
        let shown = projection.cloned().unwrap_or_else(all);
        let columns = self.columns(&shown);
        if self.files.rules_out(state, filters, CHANGE, -1)? {
            return match self.changes_of_keys(state, filters, filters, &columns).await? {
                Some(changes) => project(show(state, changes)?, &columns, &shown),
                None => self.files.scan(state, projection, filters, limit).await,
            };
        }
        let projection = shown;
        let of_key: Vec<_> = filters.iter().filter(|filter| self.is_of_key(filter)).cloned().collect();
        let changes = match self.committed.since() {
            Some(since) => self.changes_since(state, since, &of_key, &columns).await?,
            None => match self.changes_of_keys(state, filters, &of_key, &columns).await? {
                Some(changes) => changes,
                None => self.files.scan_filtered(state, &of_key, &columns)?,
            },
        };
        let images = Arc::new(PreviousRows::new(changes, self.table.spec.key)?);
        project(images, &columns, &projection)
    }
}

/// Of current rows those whose key is among the changed ones, as changes that precede all others.
fn rows_before(current: &[RecordBatch], key: &[&str], changed: &[RecordBatch], schema: &SchemaRef) -> Result<Vec<RecordBatch>> {
    let Some(first) = current.first() else { return Ok(Vec::new()) };
    let of_key = key.iter().map(|name| first.schema().index_of(name)).collect::<std::result::Result<Vec<_>, _>>()?;
    let fields = of_key.iter().map(|index| SortField::new(first.column(*index).data_type().clone()));
    let converter = RowConverter::new(fields.collect())?;
    let mut keys = FxHashSet::<Box<[u8]>>::default();
    for batch in changed {
        keys.extend(converter.convert_columns(batch.columns())?.iter().map(|key| key.as_ref().into()));
    }
    let mut before = Vec::new();
    for batch in current {
        let own = converter.convert_columns(batch.project(&of_key)?.columns())?;
        let is_changed: BooleanArray = own.iter().map(|key| Some(keys.contains(key.as_ref()))).collect();
        let batch = filter_record_batch(batch, &is_changed)?;
        let rows = batch.num_rows();
        let column = |field: &FieldRef| -> Result<ArrayRef> {
            Ok(match (field.name().as_str(), batch.column_by_name(field.name())) {
                (_, Some(column)) => Arc::clone(column),
                (CHANGE, None) => Arc::new(Int32Array::from(vec![1; rows])),
                // Their commits precede those of all changes, so their ticks do not matter.
                (TICK, None) => Arc::new(Int64Array::from(vec![0; rows])),
                (_, None) => new_null_array(field.data_type(), rows),
            })
        };
        if rows > 0 {
            let columns = schema.fields().iter().map(column).collect::<Result<Vec<_>>>()?;
            before.push(RecordBatch::try_new(Arc::clone(schema), columns)?);
        }
    }
    Ok(before)
}

/// Projects the columns that were read to those that were requested.
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

/// Adds the old rows to changes that are ordered by key.
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

/// Source of a row: the last row of the previous batch (0) or the batch (1), and the index in it.
type Source = (usize, usize);

struct Adding {
    schema: SchemaRef,
    keys: RowConverter,
    key_columns: Vec<usize>,
    change: usize,
    /// Whether a column belongs to the change, not to the row.
    of_change: Vec<bool>,
    /// The last row of the previous batch, and its key.
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

    /// The batch, with the old rows of its changes.
    fn add(&mut self, batch: &RecordBatch) -> Result<RecordBatch> {
        let keys = self.keys.convert_columns(batch.project(&self.key_columns)?.columns())?;
        let changes = batch.column(self.change).as_primitive::<Int32Type>().values();
        let (mut rows, mut ended_by, mut signs) = (Vec::<Source>::new(), Vec::<Source>::new(), Vec::<i32>::new());
        // The previous row, if it has the same key and is not retracted.
        let was_there = |last: &RecordBatch| last.column(self.change).as_primitive::<Int32Type>().values().first() > Some(&0);
        let mut before = self.last.as_ref().filter(|(last, _)| was_there(last)).map(|(_, key)| ((0, 0), key.row()));
        for (row, (change, key)) in changes.iter().zip(keys.iter()).enumerate() {
            let was = before.filter(|(_, same)| *same == key).map(|(place, _)| (place, -1));
            // For a retracted key, the old row is the change itself; there is none if the key had no row.
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
