//! Scans of append tables and of histories' files: exactly the files that commits name.
//!
//! DataFusion's own `ListingTable` lists folders and caches the result; here the commits are the list. DataFusion's Parquet
//! source skips the columns, row groups and pages that a query does not need; files whose date or commit the query rules out are
//! not opened at all. The number of rows of Parquet files is known without opening any.

use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::pruning::PrunableStatistics;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{ColumnStatistics, DFSchema, DataFusionError, Result, ScalarValue, Statistics, project_schema};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType, col, lit};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::filter_pushdown::FilterPushdown;
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::filter::FilterExecBuilder;
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::{ExecutionPlan, collect};
use headwater_connectors::parquet::chain::CommitFile;
use headwater_connectors::parquet::columns::COMMIT_ID;
use headwater_connectors::parquet::record::FileRole;
use headwater_schemas::Nanos;
use headwater_schemas::tables::TableKind;
use rustc_hash::FxHashSet;

use crate::committed::Committed;
use crate::error::QueryError;
use crate::parts::scan_parts;
use crate::questions::few_rows;
use crate::readable::{may_be_a_file, readable};
use crate::shown::{show, shown};
use crate::tables::Table;
use crate::warm::WarmReaders;

/// The URL under which DataFusion finds the data directory.
pub(crate) const STORE: &str = "headwater://data";

/// The rows of a table's files of one role.
#[derive(Debug)]
pub(crate) struct FileTable {
    committed: Arc<Committed>,
    table: &'static Table,
    role: FileRole,
    /// The columns as files hold them.
    stored: SchemaRef,
    /// The columns as SQL shows them.
    schema: SchemaRef,
}

impl FileTable {
    /// The name of the table.
    pub(crate) const fn name(&self) -> &'static str {
        self.table.spec.name
    }

    pub(crate) fn new(committed: Arc<Committed>, table: &'static Table, role: FileRole) -> Self {
        let stored = table.file_schema(role);
        Self { committed, table, role, schema: shown(&stored), stored }
    }

    /// The columns as files hold them.
    pub(crate) const fn stored(&self) -> &SchemaRef {
        &self.stored
    }

    /// The commit up to which rows are taken of files, if one of them has rows of later commits.
    pub(crate) fn until(&self, files: &[Arc<CommitFile>]) -> Option<u64> {
        files.iter().any(|file| self.committed.straddles(file)).then(|| self.committed.commit_id())
    }

    fn files(&self) -> Vec<Arc<CommitFile>> {
        self.committed.files(self.table, self.role).cloned().collect()
    }

    /// The number of rows, which is exact, and of bytes.
    fn size_of(&self, files: &[Arc<CommitFile>]) -> Statistics {
        let sum = |of: fn(&CommitFile) -> u64| usize::try_from(files.iter().map(|file| of(file)).sum::<u64>()).unwrap_or(usize::MAX);
        let mut statistics = Statistics::new_unknown(&self.schema);
        let rows = sum(|file| file.rows);
        // Not exact for a file with rows of later commits, nor for a history, because old rows are added to it.
        let is_exact = self.role != FileRole::History && !files.iter().any(|file| self.committed.straddles(file));
        statistics.num_rows = if is_exact { Precision::Exact(rows) } else { Precision::Inexact(rows) };
        statistics.total_byte_size = Precision::Inexact(sum(|file| file.bytes));
        statistics
    }

    /// The files that may have rows for which all filters hold.
    pub(crate) fn prune(&self, state: &dyn Session, filters: &[Expr]) -> Result<Vec<Arc<CommitFile>>> {
        let files = self.files();
        let bounds = files.iter().map(|file| Arc::new(self.bounds(file))).collect();
        let keep = self.may_hold(state, filters, bounds)?;
        Ok(files.into_iter().zip(keep).filter_map(|(file, keep)| keep.then_some(file)).collect())
    }

    /// For each of several bounds: whether rows within them may satisfy all filters.
    fn may_hold(&self, state: &dyn Session, filters: &[Expr], bounds: Vec<Arc<Statistics>>) -> Result<Vec<bool>> {
        let all = vec![true; bounds.len()];
        let Some(filter) = conjunction(filters.to_vec()) else { return Ok(all) };
        let schema = DFSchema::try_from(Arc::clone(&self.schema))?;
        let filter = state.create_physical_expr(filter, &schema)?;
        let Some(predicate) = PruningPredicateBuilder::new().with_file_schema(Arc::clone(&self.schema)).build(filter) else {
            return Ok(all);
        };
        predicate.prune(&PrunableStatistics::new(bounds, Arc::clone(&self.schema)))
    }

    /// Whether no row with this value in a column satisfies the filters.
    pub(crate) fn rules_out(&self, state: &dyn Session, filters: &[Expr], column: &str, value: i32) -> Result<bool> {
        let mut statistics = Statistics::new_unknown(&self.schema);
        self.bound(&mut statistics, column, ScalarValue::Int32(Some(value)), ScalarValue::Int32(Some(value)));
        Ok(!self.may_hold(state, filters, vec![Arc::new(statistics)])?.contains(&true))
    }

    fn bound(&self, statistics: &mut Statistics, name: &str, least: ScalarValue, greatest: ScalarValue) {
        let column = self.schema.index_of(name).ok().and_then(|index| statistics.column_statistics.get_mut(index));
        if let Some(column) = column {
            *column = ColumnStatistics {
                min_value: Precision::Exact(least),
                max_value: Precision::Exact(greatest),
                ..ColumnStatistics::new_unknown()
            };
        }
    }

    /// Bounds of a file's rows, from its name and commit. They may be wider than the least and greatest values: for pruning
    /// alone.
    fn bounds(&self, file: &CommitFile) -> Statistics {
        let mut statistics = Statistics::new_unknown(&self.schema);
        let commit_id = |commit_id: u64| ScalarValue::Int64(i64::try_from(commit_id).ok());
        self.bound(&mut statistics, COMMIT_ID, commit_id(file.first_commit()), commit_id(file.last_commit()));
        let (first, last) = file.date.map_or((i64::MIN, i64::MAX), |date| {
            let last = date.end().nanos();
            // A journal's file is on the day of its newest row.
            let is_journal = self.table.spec.kind == TableKind::Journal;
            (if is_journal { i64::MIN } else { last.saturating_sub_unsigned(Nanos::DAY.get() - 1) }, last)
        });
        let time = |nanos| ScalarValue::TimestampNanosecond(Some(nanos), Some("UTC".into()));
        self.bound(&mut statistics, "ts", time(first), time(last));
        statistics
    }
}

#[async_trait]
impl TableProvider for FileTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        // Files, row groups and pages are skipped; rows must still be filtered.
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    fn statistics(&self) -> Option<Statistics> {
        Some(self.size_of(&self.files()))
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let files = self.prune(state, filters)?;
        if files.is_empty() {
            return Ok(Arc::new(EmptyExec::new(project_schema(&self.schema, projection)?)));
        }
        if self.until(&files).is_some() {
            return show(state, self.scan_until_commit(state, &files, &[], projection)?);
        }
        show(state, self.scan_files(state, &files, projection, limit)?)
    }
}

impl FileTable {
    /// The rows that satisfy the filters, in columns as files hold them.
    pub(crate) fn scan_filtered(&self, state: &dyn Session, filters: &[Expr], columns: &[usize]) -> Result<Arc<dyn ExecutionPlan>> {
        let (files, columns) = (self.prune(state, filters)?, columns.to_vec());
        if files.is_empty() {
            return Ok(Arc::new(EmptyExec::new(project_schema(&self.stored, Some(&columns))?)));
        }
        self.scan_until_commit(state, &files, filters, Some(&columns))
    }

    /// The rows of files that satisfy the filters, without those of later commits.
    fn scan_until_commit(
        &self,
        state: &dyn Session,
        files: &[Arc<CommitFile>],
        filters: &[Expr],
        projection: Option<&Vec<usize>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let is_known = self.until(files).map(|last| col(COMMIT_ID).lt_eq(lit(i64::try_from(last).unwrap_or(i64::MAX))));
        let Some(filter) = conjunction(filters.iter().cloned().chain(is_known)) else {
            return self.scan_files(state, files, projection, None);
        };
        let all = || (0..self.stored.fields().len()).collect();
        let wanted: Vec<usize> = projection.cloned().unwrap_or_else(all);
        let filtered = filter.column_refs().into_iter().map(|column| Ok(self.stored.index_of(&column.name)?));
        let mut read = filtered.chain(wanted.iter().copied().map(Ok)).collect::<Result<Vec<_>>>()?;
        read.sort_unstable();
        read.dedup();
        let scan = self.scan_files(state, files, Some(&read), None)?;
        let filter = state.create_physical_expr(filter, &DFSchema::try_from(scan.schema())?)?;
        let wanted = wanted.iter().filter_map(|column| read.binary_search(column).ok()).collect();
        Ok(Arc::new(FilterExecBuilder::new(filter, scan).apply_projection(Some(wanted))?.build()?))
    }

    fn scan_files(
        &self,
        state: &dyn Session,
        files: &[Arc<CommitFile>],
        projection: Option<&Vec<usize>>,
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let (parts, files): (Vec<_>, Vec<_>) = files.iter().cloned().partition(|file| file.part.is_some());
        let mut scans = Vec::new();
        if !files.is_empty() {
            scans.push(self.scan_parquet(state, &files, projection, limit)?);
        }
        if !parts.is_empty() {
            let partitions = state.config().target_partitions();
            scans.push(scan_parts(self.committed.data(), &parts, &self.stored, projection, limit, partitions)?);
        }
        UnionExec::try_new(scans)
    }

    fn scan_parquet(
        &self,
        state: &dyn Session,
        files: &[Arc<CommitFile>],
        projection: Option<&Vec<usize>>,
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let store = ObjectStoreUrl::parse(STORE)?;
        let runtime = state.runtime_env();
        let cold = CachedParquetFileReaderFactory::new(runtime.object_store(&store)?, runtime.cache_manager.get_file_metadata_cache());
        let readers = WarmReaders::new(self.committed.data(), cold);
        let source = ParquetSource::new(Arc::clone(&self.stored))
            .with_table_parquet_options(state.default_table_options().parquet)
            .with_parquet_file_reader_factory(Arc::new(readers));
        let size = self.size_of(files);
        let scanned = files.iter().map(|file| PartitionedFile::new(file.path.as_ref(), file.bytes)).collect();
        let config = FileScanConfigBuilder::new(store, Arc::new(source))
            .with_file_groups(FileGroup::new(scanned).split_files(state.config().target_partitions()))
            .with_statistics(size)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}

impl FileTable {
    /// The rows of files that satisfy filters, with all columns as files hold them.
    pub(crate) async fn read_filtered(
        &self,
        state: &dyn Session,
        files: &[Arc<CommitFile>],
        filters: &[Expr],
    ) -> Result<Vec<RecordBatch>, QueryError> {
        let read = async { collect(self.filtering_plan(state, files, filters, None)?, state.task_ctx()).await };
        read.await.map_err(|error| explain(&error, || files.iter(), self.committed.data()))
    }

    /// The rows of files that satisfy filters, in some columns as files hold them, if they are few enough to keep.
    pub(crate) async fn read_few(
        &self,
        state: &dyn Session,
        files: &[Arc<CommitFile>],
        filters: &[Expr],
        columns: &[usize],
    ) -> Result<Option<Vec<RecordBatch>>, QueryError> {
        let columns = columns.to_vec();
        let read = async { few_rows(self.filtering_plan(state, files, filters, Some(&columns))?, state.task_ctx()).await };
        read.await.map_err(|error| explain(&error, || files.iter(), self.committed.data()))
    }

    fn filtering_plan(
        &self,
        state: &dyn Session,
        files: &[Arc<CommitFile>],
        filters: &[Expr],
        columns: Option<&Vec<usize>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let plan = self.scan_until_commit(state, files, filters, columns)?;
        // Files learn of the filters as in a query's plan.
        FilterPushdown::new().optimize(plan, state.config_options())
    }
}

/// The error of running a plan: the damage of a file that it reads, if it can come from one.
pub(crate) fn explain_plan(error: &DataFusionError, plan: &Arc<dyn ExecutionPlan>, committed: &Committed) -> QueryError {
    let paths = paths(plan);
    explain(error, || committed.files_at(&paths), committed.data())
}

/// The paths of the Parquet files that a plan reads.
fn paths(plan: &Arc<dyn ExecutionPlan>) -> FxHashSet<String> {
    let mut paths = FxHashSet::default();
    let visited = plan.apply(|node| {
        let scan = node.downcast_ref::<DataSourceExec>().and_then(DataSourceExec::downcast_to_file_source::<ParquetSource>);
        let files = scan.iter().flat_map(|(scan, _)| &scan.file_groups).flat_map(FileGroup::iter);
        paths.extend(files.map(|file| file.object_meta.location.to_string()));
        Ok(TreeNodeRecursion::Continue)
    });
    visited.map_or_else(|_| FxHashSet::default(), |_| paths)
}

/// The error of a query that read these files: the damage of one of them, if it can come from one.
fn explain<'a, F: Iterator<Item = &'a Arc<CommitFile>>>(error: &DataFusionError, files: impl Fn() -> F, data: &Path) -> QueryError {
    let damage = || files().find_map(|file| file.diagnose_quickly(data)).or_else(|| files().find_map(|file| file.diagnose(data)));
    let damage = may_be_a_file(error).then(damage).flatten();
    damage.map_or_else(|| readable(error), QueryError::File)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use headwater_schemas::Money;

    use crate::testing::{TestData, at, balance, changes, damage, facts, leg, message, rows, text, truncate};
    use crate::{Catalog, Format};

    /// A leg of 1, 2, 3 … EUR on each of the first days of January, a commit per day.
    fn a_leg_a_day(days: u32) -> TestData {
        let mut data = TestData::new();
        for day in 1..=days {
            data.commit(vec![facts(&[leg(&format!("t{day}"), 1, "a", "EUR", Money::whole(day.into()), at(day, 3600))])]);
        }
        data
    }

    fn files_scanned(catalog: &Catalog, sql: &str) -> usize {
        text(catalog, &format!("EXPLAIN {sql}"), Format::Csv).unwrap().matches(".parquet").count()
    }

    #[test]
    fn columns_filters_and_limits_are_pushed_down() {
        let data = a_leg_a_day(9);
        let catalog = data.catalog();
        for (sql, expected) in [
            ("SELECT COUNT(*), SUM(amount), MIN(commit_id), MAX(commit_id) FROM ledger_entries", "9,45,1,9"),
            ("SELECT amount FROM ledger_entries WHERE transaction_id = 't4'", "4"),
            ("SELECT COUNT(*) FROM (SELECT * FROM ledger_entries LIMIT 5)", "5"),
            ("SELECT SUM(amount) FROM ledger_entries WHERE amount > 7.5", "17"),
            ("SELECT commit_id FROM ledger_entries ORDER BY amount DESC LIMIT 1", "9"),
            ("SELECT amount FROM ledger_entries QUALIFY ROW_NUMBER() OVER (ORDER BY ts DESC) = 2", "8"),
        ] {
            assert_eq!(rows(&catalog, sql), [expected], "{sql}");
        }
    }

    #[test]
    fn files_that_date_or_commit_rule_out_are_not_opened() {
        let data = a_leg_a_day(9);
        let catalog = data.catalog();
        for (filter, files, found) in [
            ("ts >= '2026-01-08T00:00:00Z'", 2, 2),
            ("ts = '2026-01-03T01:00:00Z'", 1, 1),
            ("ts > '2026-01-03T00:00:00Z' AND ts < '2026-01-05T00:00:00Z'", 2, 2),
            ("ts BETWEEN '2026-01-03T23:59:59.999999999Z' AND '2026-01-04T00:00:00Z'", 2, 0),
            ("ts < '2026-01-01T00:00:00Z'", 0, 0),
            ("commit_id = 4", 1, 1),
            ("commit_id > 7 AND account_id = 'a'", 2, 2),
        ] {
            let sql = format!("SELECT * FROM ledger_entries WHERE {filter}");
            assert_eq!((files_scanned(&catalog, &sql), rows(&catalog, &sql).len()), (files, found), "{filter}");
        }
        assert_eq!(rows(&catalog, "SELECT MIN(ts) FROM ledger_entries"), ["2026-01-01T01:00:00Z"], "bounds are no statistics");
    }

    #[test]
    fn rows_are_counted_without_opening_a_file() {
        let data = a_leg_a_day(3);
        fs::remove_dir_all(data.path().join("ledger_entries")).unwrap();
        assert_eq!(rows(&data.catalog(), "SELECT COUNT(*) FROM ledger_entries"), ["3"]);
    }

    #[test]
    fn files_that_no_commit_names_do_not_exist() {
        let data = a_leg_a_day(2);
        let folder = data.path().join("ledger_entries/date=2026-01-01");
        fs::copy(folder.join("1-0.parquet"), folder.join("99-0.parquet")).unwrap();
        fs::write(folder.join("2-0.parquet"), "no parquet").unwrap();
        assert_eq!(rows(&data.catalog(), "SELECT SUM(amount) FROM ledger_entries"), ["3"]);
    }

    #[test]
    fn a_file_that_is_not_as_committed_is_named() {
        for (harm, expected) in [
            (&(|path: &std::path::Path| fs::remove_file(path).unwrap()) as &dyn Fn(&std::path::Path), "is missing"),
            (&truncate, "bytes, and the commit says"),
            (&damage, "is damaged: its SHA-256 is not the one in the commit"),
        ] {
            let data = a_leg_a_day(3);
            let path = data.path().join("ledger_entries/date=2026-01-02/2-0.parquet");
            harm(&path);
            let message = message(&data.catalog(), "SELECT * FROM ledger_entries");
            assert!(message.starts_with(&format!("table ledger_entries: {} of commit 2 ", path.display())), "{message}");
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn a_history_has_every_change() {
        let mut data = TestData::new();
        data.commit(vec![changes(&[(balance("a", 1, at(1, 0)), 1)])]);
        data.commit(vec![changes(&[(balance("a", 2, at(1, 1)), 1)])]);
        let changes = "SELECT posted, change, commit_id FROM balances_history ORDER BY commit_id, change";
        assert_eq!(rows(&data.catalog(), changes), ["1,1,1", "1,-1,2", "2,1,2"]);
    }

    #[test]
    fn thousands_of_small_files_are_a_table() {
        let mut data = TestData::new();
        for number in 0..2_000 {
            data.commit(vec![facts(&[leg(&format!("t{number}"), 1, "a", "EUR", Money::whole(1), at(1, number))])]);
        }
        let catalog = data.catalog();
        assert_eq!(rows(&catalog, "SELECT SUM(amount), COUNT(DISTINCT transaction_id) FROM ledger_entries"), ["2000,2000"]);
        assert_eq!(rows(&catalog, "SELECT COUNT(*) FROM ledger_entries WHERE commit_id > 1990"), ["10"]);
    }
}
