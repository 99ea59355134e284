//! Plans of statements that were asked before. Programs repeat their statements, and to plan a small one takes longer than to run it.
//!
//! A plan belongs to a session, and so to one commit and to what may be read. It is kept as the optimizer left it; how files and rows
//! in memory are read is decided for every question. Only what means the same each time is kept: a plan of the pipeline's relations
//! without functions of the time, of chance or of the connection.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use datafusion::common::Result;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, LogicalPlan, TableScan, Volatility};
use datafusion::sql::parser::Statement as Parsed;

use crate::names::Relation;
use crate::session::SCHEMA;

/// Maximum number of plans that a session keeps.
const PLANS: usize = 32;
/// Maximum number of nodes and expressions of a plan that is kept: a program may list thousands of values in a statement.
const SIZE_MAX: usize = 4096;

/// The plans that a session keeps, the one asked last at the end.
#[derive(Debug, Default)]
pub(crate) struct Plans {
    kept: Mutex<VecDeque<Kept>>,
}

#[derive(Debug)]
struct Kept {
    statement: Parsed,
    optimized: LogicalPlan,
}

impl Plans {
    /// The optimized plan of a statement, if it is kept.
    pub(crate) fn find(&self, statement: &Parsed) -> Option<LogicalPlan> {
        let mut kept = self.kept();
        let place = kept.iter().position(|kept| kept.statement == *statement)?;
        let found = kept.remove(place)?;
        let plan = found.optimized.clone();
        kept.push_back(found);
        Some(plan)
    }

    /// Keeps the optimized plan of a statement. Which plans may be kept: [`means_the_same_each_time`].
    pub(crate) fn keep(&self, statement: Parsed, optimized: LogicalPlan) {
        let mut kept = self.kept();
        kept.push_back(Kept { statement, optimized });
        if kept.len() > PLANS {
            kept.pop_front();
        }
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<Kept>> {
        // Each change leaves it valid.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a plan, before it is optimized, gives the same rows whenever it is run at its commit, and is small enough to keep.
pub(crate) fn means_the_same_each_time(plan: &LogicalPlan) -> Result<bool> {
    let (mut is_same, mut size) = (true, 0_usize);
    plan.apply_with_subqueries(|node| {
        is_same &= is_of_relations(node);
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                is_same &= is_immutable(expr);
                size = size.saturating_add(1);
                Ok(if is_same && size <= SIZE_MAX { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
            })
        })?;
        size = size.saturating_add(1);
        Ok(if is_same && size <= SIZE_MAX { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
    })?;
    Ok(is_same && size <= SIZE_MAX)
}

/// Whether a node reads nothing else than relations of the pipeline. The catalogs that clients ask for follow their connection.
fn is_of_relations(node: &LogicalPlan) -> bool {
    match node {
        LogicalPlan::TableScan(TableScan { table_name, .. }) => {
            table_name.schema().is_none_or(|schema| schema == SCHEMA) && Relation::named(table_name.table()).is_some()
        }
        LogicalPlan::Explain(_) | LogicalPlan::Analyze(_) | LogicalPlan::Values(_) | LogicalPlan::Extension(_) => false,
        _ => true,
    }
}

fn is_immutable(expr: &Expr) -> bool {
    let volatility = match expr {
        Expr::ScalarFunction(function) => function.func.signature().volatility,
        Expr::AggregateFunction(function) => function.func.signature().volatility,
        Expr::WindowFunction(function) => function.fun.signature().volatility,
        Expr::Placeholder(_) | Expr::ScalarVariable(..) => Volatility::Volatile,
        _ => Volatility::Immutable,
    };
    volatility == Volatility::Immutable
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::catalog::Catalog;
    use crate::statement::{Statement, parse};
    use crate::testing::{TestData, at, balance, changes, rows};

    fn plans(catalog: &Catalog) -> Arc<Plans> {
        catalog.snapshot().session.state().config().get_extension::<Plans>().expect("a session keeps plans")
    }

    fn parsed(text: &str) -> Parsed {
        let Statement::Query(statement) = parse(text).unwrap() else { panic!("{text} is no query") };
        statement
    }

    fn one_balance() -> TestData {
        let mut data = TestData::new();
        data.commit(vec![changes(&[(balance("a", 1, at(1, 0)), 1)])]);
        data
    }

    #[test]
    fn a_statement_that_is_asked_again_at_its_commit_is_not_planned_again() {
        let mut data = one_balance();
        let catalog = data.catalog();
        let count = "SELECT COUNT(*) FROM balances WHERE posted > 0";
        assert_eq!(rows(&catalog, count), ["1"]);
        let plan = plans(&catalog).find(&parsed(count)).expect("the plan is kept");
        // The plan that is kept is the one that runs.
        plans(&catalog).keep(parsed("SELECT 7 FROM balances"), plan);
        assert_eq!(rows(&catalog, "SELECT 7 FROM balances"), ["1"]);
        assert_eq!(rows(&catalog, "SELECT 8 FROM balances"), ["8"]);
        assert_eq!(rows(&catalog, "SELECT  count( * ) FROM balances where posted > 0"), ["1"]);
        data.commit(vec![changes(&[(balance("b", 1, at(1, 0)), 1)])]);
        catalog.refresh().unwrap();
        assert!(plans(&catalog).find(&parsed(count)).is_none(), "another commit has plans of its own");
        assert_eq!(rows(&catalog, count), ["2"]);
    }

    #[test]
    fn only_what_means_the_same_each_time_is_kept() {
        let data = one_balance();
        let catalog = data.catalog();
        let listed = (0..SIZE_MAX).map(|number| format!("'{number}'")).collect::<Vec<_>>().join(", ");
        let many = format!("SELECT account_id FROM balances WHERE account_id NOT IN ({listed})");
        for (is_kept, statement) in [
            (true, "SELECT account_id FROM public.balances WHERE posted = (SELECT MAX(posted) FROM balances)"),
            (true, "SELECT account_id, ROW_NUMBER() OVER (ORDER BY posted) FROM balances"),
            (true, "SELECT symbol FROM positions UNION ALL SELECT symbol FROM positions_history"),
            (true, "SELECT commit_id FROM commits"),
            (false, "SELECT account_id FROM balances WHERE ts < now()"),
            (false, "SELECT account_id FROM balances WHERE ts < (SELECT MAX(ts) FROM balances WHERE ts < current_timestamp)"),
            (false, "SELECT account_id, random() FROM balances"),
            (false, "SELECT COUNT(*) FROM (VALUES (1), (2)) AS v(x)"),
            (false, "SELECT table_name FROM information_schema.tables"),
            (false, "SELECT value FROM generate_series(1, 2)"),
            (false, "EXPLAIN SELECT account_id FROM balances"),
            (false, &many),
        ] {
            rows(&catalog, statement);
            assert_eq!(plans(&catalog).find(&parsed(statement)).is_some(), is_kept, "{}", statement.get(..70).unwrap_or(statement));
        }
    }

    #[test]
    fn the_plans_asked_last_are_kept() {
        let data = one_balance();
        let catalog = data.catalog();
        let number = |number: usize| format!("SELECT posted + {number} FROM balances");
        let is_kept = |asked: usize| plans(&catalog).kept().iter().any(|kept| kept.statement == parsed(&number(asked)));
        (0..PLANS).for_each(|asked| assert_eq!(rows(&catalog, &number(asked)), [(asked + 1).to_string()]));
        assert_eq!(rows(&catalog, &number(0)), ["1"]);
        assert_eq!(rows(&catalog, &number(PLANS)), [(PLANS + 1).to_string()]);
        assert!(is_kept(0) && !is_kept(1) && is_kept(2) && is_kept(PLANS));
    }
}
