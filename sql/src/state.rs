//! State tables: their current rows, in memory.
//!
//! A query for a few keys is answered without the other rows if those are not in memory yet: a program that is started for it
//! would read all changes of all keys first.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Constraint, Constraints, DataFusionError, Result};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;

use crate::committed::Committed;
use crate::current::current_rows_of;
use crate::error::QueryError;
use crate::shown::{show, shown};
use crate::tables::Table;

/// The current rows of a state table as of a commit.
#[derive(Debug)]
pub(crate) struct StateTable {
    committed: Arc<Committed>,
    table: &'static Table,
    schema: SchemaRef,
    /// Its key: a join with it on its whole key finds at most one row, so where nothing of the row is asked, the join is left out.
    constraints: Constraints,
}

impl StateTable {
    pub(crate) fn new(committed: Arc<Committed>, table: &'static Table) -> Self {
        let schema = shown(&table.current_schema());
        let key = table.spec.key.iter().filter_map(|name| schema.index_of(name).ok()).collect();
        Self { committed, table, schema, constraints: Constraints::new_unverified(vec![Constraint::PrimaryKey(key)]) }
    }

    /// Whether a filter chooses few values of the column by which files are ordered.
    fn chooses(&self, filter: &Expr) -> bool {
        self.table.spec.key.first().is_some_and(|first| chooses(filter, first))
    }

    async fn rows(&self, state: &dyn Session, filters: &[Expr]) -> std::result::Result<Vec<RecordBatch>, QueryError> {
        let filters: Vec<_> = filters.iter().filter(|filter| self.chooses(filter)).cloned().collect();
        current_rows_of(&self.committed, self.table, state, &filters).await
    }
}

/// Whether a filter chooses few values of a column.
pub(crate) fn chooses(filter: &Expr, column: &str) -> bool {
    let is_it = |expr: &Expr| matches!(expr, Expr::Column(other) if other.name == column);
    let is_constant = |expr: &Expr| matches!(expr, Expr::Literal(..));
    match filter {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => {
            is_it(left) && is_constant(right) || is_constant(left) && is_it(right)
        }
        // A short IN (…) becomes this.
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => chooses(left, column) && chooses(right, column),
        Expr::InList(InList { expr, list, negated: false }) => is_it(expr) && list.iter().all(is_constant),
        _ => false,
    }
}

#[async_trait]
impl TableProvider for StateTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn constraints(&self) -> Option<&Constraints> {
        Some(&self.constraints)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let passed = |filter: &&Expr| {
            if self.chooses(filter) { TableProviderFilterPushDown::Inexact } else { TableProviderFilterPushDown::Unsupported }
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
        let rows = self.rows(state, filters).await.map_err(|error| DataFusionError::External(Box::new(error)))?;
        let stored = self.table.current_schema();
        show(state, MemorySourceConfig::try_new_exec(&[rows], stored, projection.cloned())?)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{TestData, at, balance, changes, facts, leg, rows, text};
    use crate::{Catalog, Format};
    use headwater_schemas::Money;

    fn joins(catalog: &Catalog, sql: &str) -> usize {
        text(catalog, &format!("EXPLAIN {sql}"), Format::Csv).unwrap().matches("JoinExec: ").count()
    }

    #[test]
    fn a_left_join_on_the_whole_key_is_left_out_if_nothing_of_it_is_asked() {
        let mut data = TestData::new();
        let legs = [("t", 1, "a", 5), ("t", 2, "external:EUR", -5), ("u", 1, "a", 1)];
        let legs =
            legs.map(|(transaction, number, account, amount)| leg(transaction, number, account, "EUR", Money::whole(amount), at(1, 0)));
        data.commit(vec![facts(&legs), changes(&[(balance("a", 6, at(1, 0)), 1), (balance("b", 0, at(1, 0)), 1)])]);
        let catalog = data.catalog();
        let from = "FROM ledger_entries e LEFT JOIN balances b ON b.account_id = e.account_id AND b.currency = e.currency";
        let part = "FROM ledger_entries e LEFT JOIN balances b ON b.account_id = e.account_id";
        let swapped = "FROM balances b LEFT JOIN ledger_entries e ON b.account_id = e.account_id AND b.currency = e.currency";
        for (name, sql, expected, left) in [
            ("count", format!("SELECT COUNT(*) {from}"), &["3"][..], 0),
            ("left columns", format!("SELECT SUM(e.amount) {from}"), &["1"], 0),
            ("right columns", format!("SELECT SUM(b.posted) {from}"), &["12"], 1),
            ("its key", format!("SELECT COUNT(b.account_id) {from}"), &["2"], 1),
            ("filtered", format!("SELECT COUNT(*) {from} WHERE b.account_id IS NULL"), &["1"], 1),
            ("a condition more", format!("SELECT COUNT(*) {from} AND e.amount > b.posted"), &["3"], 0),
            ("part of the key", format!("SELECT COUNT(*) {part}"), &["3"], 1),
            ("an inner join", format!("SELECT COUNT(*) {}", from.replace("LEFT", "INNER")), &["2"], 1),
            ("facts on the right", format!("SELECT COUNT(*) {swapped}"), &["3"], 1),
            ("a constant", format!("SELECT MAX(7) {from}"), &["7"], 0),
        ] {
            assert_eq!(rows(&catalog, &sql), expected, "{name}");
            assert_eq!(joins(&catalog, &sql), left, "{name}");
        }
        assert_eq!(joins(&catalog, "SELECT COUNT(*), SUM(quantity) FROM positions"), 0);
        // With a filter on the account, the view is computed by itself.
        let catalog = data.catalog();
        assert_eq!(joins(&catalog, "SELECT COUNT(*), SUM(quantity) FROM positions WHERE account_id = 'a'"), 0);
        assert_eq!(joins(&catalog, "SELECT SUM(market_value) FROM positions WHERE account_id = 'a'"), 2);
    }
}
