//! Floating-point numbers beside decimals: `coalesce(x, 0.5)`, `CASE WHEN … THEN x ELSE 0.0 END`, `SELECT x UNION ALL SELECT 0.5`.
//!
//! PostgreSQL takes all of them for floating-point numbers. DataFusion takes them for decimals with 15 digits after the point, so that what is
//! smaller was lost. This rule comes before DataFusion makes types the same. What was planned of such values before, as of decimals of many
//! digits, is floating-point arithmetic then.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, Result};
use datafusion::logical_expr::expr::{BinaryExpr, Case, InList, ScalarFunction};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Union, cast};
use datafusion::optimizer::AnalyzerRule;

use crate::decimals::without_digits;
use crate::named_expressions::replace_named;

/// Functions that give one of their arguments.
const CHOOSING: [&str; 5] = ["coalesce", "greatest", "least", "nullif", "nvl2"];

/// Makes decimals beside floating-point numbers such numbers, too.
#[derive(Debug)]
pub(crate) struct FloatsBesideDecimals;

impl AnalyzerRule for FloatsBesideDecimals {
    fn name(&self) -> &'static str {
        "floats_beside_decimals"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let mut is_changed = false;
        plan.transform_up_with_subqueries(|plan| as_floats(plan, &mut is_changed)).map(|plan| plan.data)
    }
}

fn as_floats(plan: LogicalPlan, is_changed: &mut bool) -> Result<Transformed<LogicalPlan>> {
    let replaced = match plan {
        LogicalPlan::Union(union) => in_union(union)?,
        plan => {
            let schema = merge_schema(&plan.inputs());
            replace_named(plan, |expr| expr.transform_up(|expr| Ok(in_expression(expr, &schema))))?
        }
    };
    *is_changed |= replaced.transformed;
    // Columns have other types then, also in the nodes above.
    if *is_changed { replaced.map_data(LogicalPlan::recompute_schema) } else { Ok(replaced) }
}

fn in_expression(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    match expr {
        Expr::ScalarFunction(ScalarFunction { func, mut args }) if CHOOSING.contains(&func.name()) => {
            let is_changed = same_floats(&mut args.iter_mut().collect::<Vec<_>>(), schema);
            transformed(Expr::ScalarFunction(ScalarFunction { func, args }), is_changed)
        }
        Expr::Case(Case { expr, mut when_then_expr, mut else_expr }) => {
            let values = when_then_expr.iter_mut().map(|(_, then)| then.as_mut());
            let is_changed = same_floats(&mut values.chain(else_expr.as_deref_mut()).collect::<Vec<_>>(), schema);
            transformed(Expr::Case(Case { expr, when_then_expr, else_expr }), is_changed)
        }
        Expr::InList(InList { mut expr, mut list, negated }) => {
            let is_changed = same_floats(&mut list.iter_mut().chain([expr.as_mut()]).collect::<Vec<_>>(), schema);
            transformed(Expr::InList(InList { expr, list, negated }), is_changed)
        }
        expr => match without_digits(&expr).filter(|operation| is_of_floats(operation, schema)) {
            Some(operation) => Transformed::yes(Expr::BinaryExpr(operation)),
            None => Transformed::no(expr),
        },
    }
}

fn is_of_floats(operation: &BinaryExpr, schema: &DFSchema) -> bool {
    [&operation.left, &operation.right].iter().any(|operand| operand.get_type(schema).is_ok_and(|data_type| data_type.is_floating()))
}

fn transformed(expr: Expr, is_changed: bool) -> Transformed<Expr> {
    if is_changed { Transformed::yes(expr) } else { Transformed::no(expr) }
}

/// Casts decimals to floating-point numbers if there are both. Whether there were.
fn same_floats(values: &mut [&mut Expr], schema: &DFSchema) -> bool {
    let types: Vec<Option<DataType>> = values.iter().map(|value| value.get_type(schema).ok()).collect();
    let has_floats = types.iter().flatten().any(DataType::is_floating);
    let decimals = values.iter_mut().zip(&types).filter(|(_, data_type)| data_type.as_ref().is_some_and(DataType::is_decimal));
    let mut is_changed = false;
    for (value, _) in decimals.filter(|_| has_floats) {
        **value = cast(value.clone(), DataType::Float64);
        is_changed = true;
    }
    is_changed
}

fn in_union(union: Union) -> Result<Transformed<LogicalPlan>> {
    let width = union.schema.fields().len();
    let types_of = |place: usize| union.inputs.iter().filter_map(move |input| Some(input.schema().fields().get(place)?.data_type()));
    let is_mixed = |place: &usize| types_of(*place).any(DataType::is_floating) && types_of(*place).any(DataType::is_decimal);
    let mixed: Vec<usize> = (0..width).filter(is_mixed).collect();
    if mixed.is_empty() {
        return Ok(Transformed::no(LogicalPlan::Union(union)));
    }
    let inputs = union.inputs.iter().map(|input| with_floats(input, &mixed)).collect::<Result<Vec<_>>>()?;
    Ok(Transformed::yes(LogicalPlan::Union(Union::try_new_with_loose_types(inputs)?)))
}

fn with_floats(input: &Arc<LogicalPlan>, places: &[usize]) -> Result<Arc<LogicalPlan>> {
    let columns = input.schema().iter().enumerate().map(|(place, (relation, field))| {
        let column = Expr::Column(Column::from((relation, field)));
        match places.contains(&place) && field.data_type().is_decimal() {
            true => cast(column, DataType::Float64).alias_qualified(relation.cloned(), field.name()),
            false => column,
        }
    });
    let columns = columns.collect::<Vec<_>>();
    Ok(Arc::new(LogicalPlanBuilder::from(Arc::clone(input)).project(columns)?.build()?))
}

#[cfg(test)]
mod tests {
    use crate::testing::{TestData, rows};

    /// The answers are those of PostgreSQL 15.
    #[test]
    fn a_decimal_beside_a_floating_point_number_is_one() {
        let catalog = TestData::new().catalog();
        for (value, expected) in [
            ("coalesce(x, 0.5) * 1e20", "1.0"),
            ("greatest(x, 0.0) * 1e20", "1.0"),
            ("CASE WHEN x > 0 THEN x ELSE 0.5 END * 1e20", "1.0"),
            ("nullif(x, 0.5) * 1e20", "1.0"),
            ("x IN (0.00000000000000000001, 0.5)", "true"),
            ("pg_typeof(coalesce(x, 0.5))", "double precision"),
            ("coalesce(NULL, 1, 0.5)", "1"),
        ] {
            let sql = format!("SELECT {value} AS v FROM (SELECT 1e-20::float8 AS x) AS t");
            assert_eq!(rows(&catalog, &sql), [expected], "{value}");
        }
        let union = "SELECT x * 1e20 AS x FROM (SELECT 1e-20::float8 AS x UNION ALL SELECT 0.5) AS t ORDER BY 1";
        assert_eq!(rows(&catalog, union), ["1.0", "5e19"]);
        let named =
            "SELECT SUM(y) AS s FROM (SELECT coalesce(x, 0.5) AS y FROM (VALUES (1e-20::float8), (NULL)) AS v(x)) AS t WHERE y < 0.1";
        assert_eq!(rows(&catalog, &format!("SELECT s FROM ({named}) AS t")), ["1e-20"]);
    }

    /// The answers are those of PostgreSQL 15: floating-point numbers of 64 bits.
    #[test]
    fn a_product_of_a_decimal_beside_a_floating_point_number_is_one_too() {
        let catalog = TestData::new().catalog();
        // 2^70, which is exact as a floating-point number, too.
        let many = "1180591620717411303424.000000000";
        let exact = "118.05916207174113";
        for (value, expected) in [
            (format!("coalesce(x, 0.5) * {many}"), exact),
            (format!("{many} * greatest(x, 0.0)"), exact),
            (format!("SUM(CASE WHEN x > 0 THEN x ELSE 0.5 END * {many})"), exact),
            (format!("SUM(coalesce(x, 0.5) * {many} + 0.0)"), exact),
            (format!("coalesce(x, 0.5) * {many} * {many} / {many}"), exact),
            ("coalesce(x, 0.5) / 0.0000000000000000001".to_owned(), "1.0"),
            (format!("pg_typeof(nullif(x, 0.5) * {many})"), "double precision"),
            (format!("pg_typeof(nullif(x, 0.5) / {many})"), "double precision"),
        ] {
            let sql = format!("SELECT {value} AS v FROM (SELECT 1e-19::float8 AS x) AS t");
            assert_eq!(rows(&catalog, &sql), [expected], "{value}");
        }
        let union = format!("SELECT SUM(x * {many}) AS s FROM (SELECT 1e-19::float8 AS x UNION ALL SELECT 0.0) AS t");
        assert_eq!(rows(&catalog, &union), [exact]);
        let values = format!("SELECT SUM(x * {many}) AS s FROM (VALUES (1e-19::float8 * 1), (0.0)) AS t(x)");
        assert_eq!(rows(&catalog, &values), [exact]);
    }
}
