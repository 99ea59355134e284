//! `EXCEPT ALL` and `INTERSECT ALL`, which count how often a row is there.
//!
//! Rows that are equal get numbers on both sides, and these are a column more for `EXCEPT` and `INTERSECT`. Since the columns of a side
//! are not known before it is planned, the numbers are of the partitions of a mark, which becomes all columns then.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, Expr, LogicalPlan, ScalarUDF, Volatility, create_udf};
use datafusion::optimizer::AnalyzerRule;
use datafusion::sql::sqlparser::ast::{Query, Select, SetExpr, SetOperator, SetQuantifier, TableFactor};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;

use crate::error::QueryError;
use crate::named_expressions::replace_named;

/// The function that stands for all columns: constants are left out of partitions before they are seen here.
const MARK: &str = "every_column_of_the_row";
/// The column of numbers. No column of a table has spaces in its name.
const NUMBER: &str = "number among equal rows";

/// Numbers the rows of both sides.
pub(crate) fn number(body: &mut SetExpr) -> Result<(), QueryError> {
    let SetExpr::SetOperation { op, set_quantifier, left, right } = body else { return Ok(()) };
    number(left)?;
    number(right)?;
    if *set_quantifier != SetQuantifier::All || !matches!(op, SetOperator::Except | SetOperator::Intersect | SetOperator::Minus) {
        return Ok(());
    }
    let numbered = |side: &SetExpr| {
        let around = format!("SELECT *, row_number() OVER (PARTITION BY {MARK}()) AS \"{NUMBER}\" FROM (SELECT 1) AS side");
        around_rows(&around, side).map(|select| Box::new(SetExpr::Select(Box::new(select))))
    };
    *left = numbered(left)?;
    *right = numbered(right)?;
    *set_quantifier = SetQuantifier::None;
    let unnumbered = around_rows(&format!("SELECT * EXCLUDE (\"{NUMBER}\") FROM (SELECT 1) AS rows_of_both"), body)?;
    *body = SetExpr::Select(Box::new(unnumbered));
    Ok(())
}

/// A query with other rows in its FROM.
fn around_rows(text: &str, rows: &SetExpr) -> Result<Select, QueryError> {
    let refused = || QueryError::Statement("this is not supported: EXCEPT ALL and INTERSECT ALL here".to_owned());
    let parsed: Query =
        *Parser::new(&GenericDialect {}).try_with_sql(text).and_then(|mut parser| parser.parse_query()).map_err(|_| refused())?;
    let SetExpr::Select(mut select) = *parsed.body else { return Err(refused()) };
    match select.from.first_mut().map(|table| &mut table.relation) {
        Some(TableFactor::Derived { subquery, .. }) => *subquery.body = rows.clone(),
        _ => return Err(refused()),
    }
    Ok(*select)
}

/// The function in partitions of all columns. It has no value of its own.
pub(crate) fn every_column() -> ScalarUDF {
    let refused = |_: &[ColumnarValue]| exec_err!("{MARK} is for EXCEPT ALL and INTERSECT ALL");
    create_udf(MARK, vec![], DataType::Int64, Volatility::Volatile, Arc::new(refused))
}

/// Puts all columns for the mark.
#[derive(Debug)]
pub(crate) struct Repetitions;

impl AnalyzerRule for Repetitions {
    fn name(&self) -> &'static str {
        "repetitions"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(|plan| {
            let LogicalPlan::Window(window) = &plan else { return Ok(Transformed::no(plan)) };
            let columns: Vec<Expr> = window.input.schema().columns().into_iter().map(Expr::Column).collect();
            replace_named(plan, |expr| expr.transform_up(|expr| Ok(by_columns(expr, &columns))))
        })
        .map(|plan| plan.data)
    }
}

fn by_columns(expr: Expr, columns: &[Expr]) -> Transformed<Expr> {
    let is_mark = |key: &Expr| matches!(key, Expr::ScalarFunction(function) if function.func.name() == MARK);
    match expr {
        Expr::WindowFunction(mut window) if window.params.partition_by.iter().any(is_mark) => {
            window.params.partition_by = columns.to_vec();
            Transformed::yes(Expr::WindowFunction(window))
        }
        expr => Transformed::no(expr),
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{TestData, rows};

    /// The answers are those of PostgreSQL 15.
    #[test]
    fn rows_are_taken_as_often_as_they_are_there() {
        let catalog = TestData::new().catalog();
        let (t, u) = ("SELECT * FROM (VALUES (1, 'a'), (1, 'a'), (1, 'a'), (2, NULL), (2, NULL)) AS t(x, y)", "VALUES (1, 'a'), (2, NULL)");
        for (query, expected) in [
            (format!("{t} EXCEPT ALL {u} ORDER BY 1"), ["1,a", "1,a", "2,"].as_slice()),
            (format!("{t} INTERSECT ALL {u} ORDER BY x"), &["1,a", "2,"]),
            (format!("{t} INTERSECT ALL {t} ORDER BY x"), &["1,a", "1,a", "1,a", "2,", "2,"]),
            (format!("{t} EXCEPT ALL {u} EXCEPT ALL {u} ORDER BY 1"), &["1,a"]),
            (format!("SELECT COUNT(*) FROM ({t} EXCEPT ALL SELECT 1, 'a') AS d"), &["4"]),
            (format!("({t} EXCEPT ALL {u}) UNION ALL SELECT 9, 'z' ORDER BY 1"), &["1,a", "1,a", "2,", "9,z"]),
            (format!("{t} EXCEPT {u}"), &[]),
        ] {
            assert_eq!(rows(&catalog, &query), expected, "{query}");
        }
    }
}
