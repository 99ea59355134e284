//! Constants beside aggregates in subqueries of one row: `LEFT JOIN LATERAL (SELECT count(*) AS n, 'k' AS k FROM u WHERE u.x = t.x) AS d`.
//!
//! An aggregate without GROUP BY has its row also where there is nothing to aggregate. DataFusion 55 joins groups, and puts what each
//! aggregate gives for nothing where there is no group; a constant it takes for a column of the group, which is NULL there. Here the
//! constant becomes a function of itself and of a column of the row, so that it is computed as that is.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, LogicalPlan, Projection, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::optimizer::AnalyzerRule;

use crate::lateral::row_of;
use crate::named_expressions::replace_named;

/// Gives constants beside aggregates a column.
#[derive(Debug)]
pub(crate) struct ConstantsBesideAggregates;

impl AnalyzerRule for ConstantsBesideAggregates {
    fn name(&self) -> &'static str {
        "constants_beside_aggregates"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(with_columns).map(|plan| plan.data)
    }
}

fn with_columns(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    if row_of(&plan).is_none() {
        return Ok(Transformed::no(plan));
    }
    let LogicalPlan::Projection(Projection { input, .. }) = &plan else { return Ok(Transformed::no(plan)) };
    let Some(column) = input.schema().columns().into_iter().next() else { return Ok(Transformed::no(plan)) };
    replace_named(plan, |expr| {
        let (constant, relation, name) = match expr {
            Expr::Alias(alias) => (*alias.expr, alias.relation, Some(alias.name)),
            expr => (expr, None, None),
        };
        let is_constant = !constant.any_column_refs() && !constant.contains_outer() && !constant.is_volatile();
        let replaced = if is_constant { BESIDE.call(vec![constant, Expr::Column(column.clone())]) } else { constant };
        let replaced = match name {
            Some(name) => replaced.alias_qualified(relation, name),
            None => replaced,
        };
        Ok(if is_constant { Transformed::yes(replaced) } else { Transformed::no(replaced) })
    })
}

/// One function: a plan compares it.
static BESIDE: LazyLock<ScalarUDF> =
    LazyLock::new(|| ScalarUDF::new_from_impl(Beside { signature: Signature::any(2, Volatility::Immutable) }));

/// Its first argument.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Beside {
    signature: Signature,
}

impl ScalarUDFImpl for Beside {
    fn name(&self) -> &'static str {
        "beside"
    }

    /// That of the constant, so that no column changes its name.
    fn schema_name(&self, arguments: &[Expr]) -> Result<String> {
        let [constant, _] = arguments else { return plan_err!("beside needs a constant and a column") };
        Ok(constant.schema_name().to_string())
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [data_type, _] => Ok(data_type.clone()),
            _ => plan_err!("beside needs a constant and a column"),
        }
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        match arguments.arg_fields {
            [constant, _] => Ok(Arc::new(Field::new(self.name(), constant.data_type().clone(), constant.is_nullable()))),
            _ => plan_err!("beside needs a constant and a column"),
        }
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match arguments.args.into_iter().next() {
            Some(constant) => Ok(constant),
            None => plan_err!("beside needs a constant and a column"),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{TestData, rows};

    /// The answers are those of PostgreSQL 15.
    #[test]
    fn a_constant_is_there_where_there_is_nothing_to_aggregate() {
        let catalog = TestData::new().catalog();
        let tables = "WITH t AS (SELECT * FROM (VALUES (1), (2)) AS v(x)), u AS (SELECT * FROM (VALUES (1, 10)) AS v(x, y))";
        for (query, expected) in [
            (
                "SELECT t.x, d.n, d.k FROM t LEFT JOIN LATERAL (SELECT COUNT(*) AS n, 'k' AS k FROM u WHERE u.x = t.x) AS d ON true",
                ["1,1,k", "2,0,k"].as_slice(),
            ),
            ("SELECT t.x, d.s, d.k FROM t, LATERAL (SELECT SUM(y) AS s, 7 + 1 AS k FROM u WHERE u.x = t.x) AS d", &["1,10,8", "2,,8"]),
            (
                "SELECT t.x, d.k FROM t CROSS JOIN LATERAL (SELECT e.k FROM (SELECT MAX(y), 'k' AS k FROM u WHERE u.x = t.x) AS e) AS d",
                &["1,k", "2,k"],
            ),
            ("SELECT t.x, (SELECT 5 FROM (SELECT SUM(y) FROM u WHERE u.x = t.x) AS q) AS c FROM t", &["1,5", "2,5"]),
            ("SELECT t.x, (SELECT 'n' || COUNT(*) FROM u WHERE u.x = t.x) AS c FROM t", &["1,n1", "2,n0"]),
            (
                "SELECT t.x, d.k FROM t LEFT JOIN LATERAL (SELECT 'k' AS k FROM u WHERE u.x = t.x HAVING COUNT(*) > 0) AS d ON true",
                &["1,k", "2,"],
            ),
            ("SELECT t.x, d.k FROM t, LATERAL (SELECT COUNT(*) AS n, NULL::text AS k FROM u WHERE u.x = t.x) AS d WHERE d.n = 0", &["2,"]),
        ] {
            assert_eq!(rows(&catalog, &format!("{tables} {query} ORDER BY t.x")), expected, "{query}");
        }
    }
}
