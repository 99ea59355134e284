//! Arithmetic of integers that fails instead of wrapping, and casts to integers that round.
//!
//! DataFusion adds, subtracts and multiplies integers modulo 2^32 or 2^64, and cuts the digits after the point off where a number is
//! cast to an integer. PostgreSQL fails, and rounds: decimals half away from zero, floating-point numbers half to even. It has no
//! unsigned integers, which DataFusion gives as numbers and ranks of rows: a difference of two may be below zero.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float32Array, Float64Array};
use arrow::compute::kernels::numeric::{add, mul, neg, sub};
use arrow::datatypes::{DataType, Field, FieldRef, Float32Type, Float64Type};
use arrow::error::ArrowError;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, DataFusionError, Result, ScalarValue, internal_err};
use datafusion::logical_expr::expr::{BinaryExpr, Cast, ScalarFunction, TryCast};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, LogicalPlan, Operator, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use datafusion::optimizer::AnalyzerRule;
use datafusion::physical_expr_common::datum::apply;
use datafusion::sql::sqlparser::ast::BinaryOperator;

use crate::named_expressions::replace_named;
use crate::negation::{self, negated_type};

/// Plans arithmetic of unsigned integers as that of signed ones. It comes before the types of both sides are made the same: those of a
/// signed and an unsigned integer would become decimals.
#[derive(Debug)]
pub(crate) struct SignedIntegers;

impl ExprPlanner for SignedIntegers {
    fn plan_binary_op(&self, expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        let RawBinaryExpr { op, left, right } = expr;
        let (left, right) = match (left.get_type(schema), right.get_type(schema)) {
            (Ok(left_type), Ok(right_type)) if left_type.is_integer() && right_type.is_integer() => {
                (signed(left, &left_type, &op), signed(right, &right_type, &op))
            }
            _ => (left, right),
        };
        Ok(PlannerResult::Original(RawBinaryExpr { op, left, right }))
    }
}

/// The operand of an operator, as a signed integer if it has to be one.
fn signed(operand: Expr, data_type: &DataType, op: &BinaryOperator) -> Expr {
    use BinaryOperator::{Divide, Minus, Modulo, Multiply, Plus};
    let signed_type = match (data_type, op) {
        (DataType::UInt64, Plus | Minus | Multiply | Divide | Modulo) => DataType::Int64,
        // Their sums and products are checked as they are.
        (DataType::UInt32, Minus) => DataType::Int64,
        (DataType::UInt16, Minus) => DataType::Int32,
        (DataType::UInt8, Minus) => DataType::Int16,
        _ => return operand,
    };
    match operand {
        // What no signed integer can be stays the number that is written.
        Expr::Literal(ScalarValue::UInt64(Some(number)), metadata) if i64::try_from(number).is_err() => {
            Expr::Literal(ScalarValue::Decimal128(Some(i128::from(number)), 20, 0), metadata)
        }
        operand => Expr::Cast(Cast::new(Box::new(operand), signed_type)),
    }
}

/// Replaces what would wrap or cut off. It comes after the types of both sides were made the same.
#[derive(Debug)]
pub(crate) struct CheckedIntegers;

impl AnalyzerRule for CheckedIntegers {
    fn name(&self) -> &'static str {
        "checked_integers"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(checked).map(|plan| plan.data)
    }
}

fn checked(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let schema = merge_schema(&plan.inputs());
    let checked = |expr: Expr| expr.transform_up(|expr| Ok(checked_expression(expr, &schema)));
    replace_named(plan, checked)?.map_data(LogicalPlan::recompute_schema)
}

fn checked_expression(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let is_integer = |expr: &Expr| expr.get_type(schema).is_ok_and(|data_type| data_type.is_integer());
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => match Step::of(op) {
            Some(step) if is_integer(&left) && is_integer(&right) => Transformed::yes(step.call(vec![*left, *right])),
            _ => Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right })),
        },
        Expr::Negative(inner) if is_integer(&inner) => Transformed::yes(Step::Negation.call(vec![*inner])),
        Expr::ScalarFunction(ScalarFunction { func, args }) if func.name() == negation::NAME => negation_of(func, args, schema),
        Expr::Cast(Cast { expr, field }) if is_cut_off(&expr, &field, schema) => {
            Transformed::yes(Expr::Cast(Cast { expr: Box::new(Step::Rounding.call(vec![*expr])), field }))
        }
        Expr::TryCast(TryCast { expr, field }) if is_cut_off(&expr, &field, schema) => {
            Transformed::yes(Expr::TryCast(TryCast { expr: Box::new(Step::Rounding.call(vec![*expr])), field }))
        }
        expr => Transformed::no(expr),
    }
}

/// The operator `-` of a value whose type is known.
fn negation_of(func: Arc<ScalarUDF>, args: Vec<Expr>, schema: &DFSchema) -> Transformed<Expr> {
    let [value] = args.as_slice() else { return Transformed::no(Expr::ScalarFunction(ScalarFunction { func, args })) };
    let types = value.get_type(schema).ok().and_then(|data_type| Some((negated_type(&data_type)?, data_type)));
    Transformed::yes(match types {
        Some((negated, data_type)) if negated.is_integer() && negated != data_type => {
            Step::Negation.call(vec![Expr::Cast(Cast::new(Box::new(value.clone()), negated))])
        }
        Some((negated, _)) if negated.is_integer() => Step::Negation.call(vec![value.clone()]),
        _ => Expr::Negative(Box::new(value.clone())),
    })
}

/// Whether a cast would cut digits off.
fn is_cut_off(expr: &Expr, to: &FieldRef, schema: &DFSchema) -> bool {
    to.data_type().is_integer() && expr.get_type(schema).is_ok_and(|from| rounded_type(&from).is_some())
}

/// The type of a number when it is rounded; `None` for types that have no digits after the point.
fn rounded_type(data_type: &DataType) -> Option<DataType> {
    let is_fraction = |scale: i8| scale > 0;
    // 9.9 has one digit before its point, and 10 has two.
    let digits = |precision: u8, scale: i8| precision.saturating_sub(scale.unsigned_abs()).saturating_add(1);
    Some(match *data_type {
        DataType::Decimal32(precision, scale) if is_fraction(scale) => DataType::Decimal32(digits(precision, scale), 0),
        DataType::Decimal64(precision, scale) if is_fraction(scale) => DataType::Decimal64(digits(precision, scale), 0),
        DataType::Decimal128(precision, scale) if is_fraction(scale) => DataType::Decimal128(digits(precision, scale), 0),
        DataType::Decimal256(precision, scale) if is_fraction(scale) => DataType::Decimal256(digits(precision, scale), 0),
        DataType::Float32 | DataType::Float64 => data_type.clone(),
        _ => return None,
    })
}

/// What is done with checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Step {
    Sum,
    Difference,
    Product,
    Negation,
    Rounding,
}

impl Step {
    const fn of(op: Operator) -> Option<Self> {
        match op {
            Operator::Plus => Some(Self::Sum),
            Operator::Minus => Some(Self::Difference),
            Operator::Multiply => Some(Self::Product),
            _ => None,
        }
    }

    fn call(self, arguments: Vec<Expr>) -> Expr {
        let signature = Signature::any(arguments.len(), Volatility::Immutable);
        let function = ScalarUDF::new_from_impl(Checked { step: self, signature });
        Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(function), arguments))
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Checked {
    step: Step,
    signature: Signature,
}

impl ScalarUDFImpl for Checked {
    fn name(&self) -> &'static str {
        match self.step {
            Step::Sum => "checked_sum",
            Step::Difference => "checked_difference",
            Step::Product => "checked_product",
            Step::Negation => "checked_negation",
            Step::Rounding => "rounded_to_integer",
        }
    }

    /// That of the expression in the query, so that no column changes its name.
    fn schema_name(&self, arguments: &[Expr]) -> Result<String> {
        Ok(match (self.step, arguments) {
            (Step::Sum, [left, right]) => format!("{} + {}", left.schema_name(), right.schema_name()),
            (Step::Difference, [left, right]) => format!("{} - {}", left.schema_name(), right.schema_name()),
            (Step::Product, [left, right]) => format!("{} * {}", left.schema_name(), right.schema_name()),
            (Step::Negation, [number]) => format!("(- {})", number.schema_name()),
            (Step::Rounding, [number]) => number.schema_name().to_string(),
            _ => return internal_err!("{} has {} arguments", self.name(), arguments.len()),
        })
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let Some(data_type) = types.first() else { return internal_err!("{} has no arguments", self.name()) };
        Ok(match self.step {
            Step::Rounding => rounded_type(data_type).unwrap_or_else(|| data_type.clone()),
            _ => data_type.clone(),
        })
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let types: Vec<_> = arguments.arg_fields.iter().map(|field| field.data_type().clone()).collect();
        let is_nullable = arguments.arg_fields.iter().any(|field| field.is_nullable());
        Ok(Arc::new(Field::new(self.name(), self.return_type(&types)?, is_nullable)))
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let result = match (self.step, arguments.args.as_slice()) {
            (Step::Sum, [left, right]) => apply(left, right, add),
            (Step::Difference, [left, right]) => apply(left, right, sub),
            (Step::Product, [left, right]) => apply(left, right, mul),
            (Step::Negation, [number]) => negated(number),
            (Step::Rounding, [number]) => rounded(number),
            (_, arguments) => internal_err!("{} has {} arguments", self.name(), arguments.len()),
        };
        result.map_err(|error| out_of_range(error, arguments.return_type()))
    }
}

/// An overflow in PostgreSQL's words; other errors as they are.
fn out_of_range(error: DataFusionError, data_type: &DataType) -> DataFusionError {
    match error.find_root() {
        DataFusionError::ArrowError(cause, _) => match &**cause {
            ArrowError::ArithmeticOverflow(text) => DataFusionError::Execution(format!("{} out of range: {text}", integer_name(data_type))),
            _ => error,
        },
        _ => error,
    }
}

/// PostgreSQL's name of a type of integers; for one that it does not have, the name in a cast.
pub(crate) const fn integer_name(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Int8 => "tinyint",
        DataType::Int16 => "smallint",
        DataType::Int32 => "integer",
        DataType::Int64 => "bigint",
        DataType::UInt8 => "tinyint unsigned",
        DataType::UInt16 => "smallint unsigned",
        DataType::UInt32 => "integer unsigned",
        DataType::UInt64 => "bigint unsigned",
        _ => "number",
    }
}

pub(crate) fn negated(number: &ColumnarValue) -> Result<ColumnarValue> {
    Ok(match number {
        ColumnarValue::Array(column) => ColumnarValue::Array(neg(column)?),
        ColumnarValue::Scalar(value) => ColumnarValue::Scalar(ScalarValue::try_from_array(&neg(&value.to_array()?)?, 0)?),
    })
}

fn rounded(number: &ColumnarValue) -> Result<ColumnarValue> {
    Ok(match number {
        ColumnarValue::Scalar(ScalarValue::Float32(value)) => ColumnarValue::Scalar(ScalarValue::Float32(value.map(f32::round_ties_even))),
        ColumnarValue::Scalar(ScalarValue::Float64(value)) => ColumnarValue::Scalar(ScalarValue::Float64(value.map(f64::round_ties_even))),
        ColumnarValue::Array(column) if column.data_type() == &DataType::Float32 => {
            let column: Float32Array = column.as_primitive::<Float32Type>().unary(f32::round_ties_even);
            ColumnarValue::Array(Arc::new(column) as ArrayRef)
        }
        ColumnarValue::Array(column) if column.data_type() == &DataType::Float64 => {
            let column: Float64Array = column.as_primitive::<Float64Type>().unary(f64::round_ties_even);
            ColumnarValue::Array(Arc::new(column) as ArrayRef)
        }
        // A cast to fewer digits rounds half away from zero.
        decimal => match rounded_type(&decimal.data_type()) {
            Some(data_type) => decimal.cast_to(&data_type, None)?,
            None => decimal.clone(),
        },
    })
}

#[cfg(test)]
mod tests {
    use crate::render::Format;
    use crate::testing::{TestData, message, rows, text};

    const INT_MAX: &str = "CAST(2147483647 AS INT)";
    const INT_MIN: &str = "CAST(-2147483648 AS INT)";

    #[test]
    fn arithmetic_of_integers_fails_where_it_would_wrap() {
        let catalog = TestData::new().catalog();
        for wraps in [
            "9223372036854775807 + 1".to_owned(),
            "-9223372036854775807 - 2".to_owned(),
            "4294967296 * 4294967296".to_owned(),
            format!("{INT_MAX} + CAST(1 AS INT)"),
            format!("{INT_MIN} - CAST(1 AS INT)"),
            format!("{INT_MAX} * CAST(2 AS INT)"),
            format!("- {INT_MIN}"),
            "CAST(200 AS TINYINT UNSIGNED) + CAST(100 AS TINYINT UNSIGNED)".to_owned(),
        ] {
            let constant = message(&catalog, &format!("SELECT {wraps}"));
            assert!(constant.to_lowercase().contains("overflow"), "{wraps}: {constant}");
        }
        for wraps in ["x + 1", "x * x", "0 - x - 2", "SUM(x + 1)", "CASE WHEN x > 0 THEN x * 2 ELSE 0 END"] {
            let column = message(&catalog, &format!("SELECT {wraps} FROM (VALUES (9223372036854775807)) AS t(x)"));
            assert!(column.to_lowercase().contains("overflow"), "{wraps}: {column}");
        }
        let filtered = message(&catalog, "SELECT x FROM (VALUES (9223372036854775807)) AS t(x) WHERE x + 1 > 0");
        assert!(filtered.to_lowercase().contains("overflow"), "{filtered}");
    }

    #[test]
    fn arithmetic_of_integers_that_fits_is_as_before() {
        let catalog = TestData::new().catalog();
        for (sql, expected) in [
            ("SELECT 9223372036854775806 + 1, 2 * 3 - 4 * 5, - (1 + 2)", "9223372036854775807,-14,-3"),
            ("SELECT x + 1, x - 1, x * x, -x FROM (VALUES (3)) AS t(x)", "4,2,9,-3"),
            ("SELECT x + 1 FROM (VALUES (CAST(NULL AS INT))) AS t(x)", ""),
            ("SELECT ARROW_TYPEOF(CAST(1 AS INT) + CAST(1 AS INT)) AS a, ARROW_TYPEOF(CAST(1 AS INT) + 1) AS b", "Int32,Int64"),
            ("SELECT DATE '2026-01-31' + 1", "2026-02-01"),
            ("SELECT x + 1 FROM (VALUES (1), (1)) AS t(x) GROUP BY x + 1", "2"),
            ("SELECT COUNT(*) FROM (VALUES (1), (2)) AS t(x) JOIN (VALUES (2), (3)) AS u(y) ON x + 1 = y", "2"),
            ("SELECT SUM(x) OVER (ORDER BY x + 1) FROM (VALUES (1)) AS t(x)", "1"),
            ("SELECT SUM(x) OVER (ORDER BY CAST(x * 1.5 AS INT)) FROM (VALUES (1)) AS t(x)", "1"),
            ("SELECT SUM(x + 1) OVER (PARTITION BY x * 2 ORDER BY -x) - x * 2 FROM (VALUES (1)) AS t(x)", "0"),
            // Numbers of rows have no sign in DataFusion, and their differences are groups of neighbours.
            (
                "SELECT COUNT(DISTINCT g) FROM (SELECT ROW_NUMBER() OVER (PARTITION BY k ORDER BY x) - ROW_NUMBER() OVER (ORDER BY x) AS g \
                 FROM (VALUES (1, 'a'), (2, 'b'), (3, 'b')) AS t(x, k))",
                "2",
            ),
            ("SELECT x FROM (VALUES (1), (2), (3)) AS t(x) ORDER BY x * -1 LIMIT 1", "3"),
            ("SELECT COUNT(*) FROM (SELECT x + 1 FROM (VALUES (1), (2)) AS t(x) GROUP BY ROLLUP (x + 1))", "3"),
        ] {
            assert_eq!(rows(&catalog, sql), [expected], "{sql}");
        }
        let recursive = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 4) SELECT SUM(x) FROM n";
        assert_eq!(rows(&catalog, recursive), ["10"]);
    }

    #[test]
    fn an_overflow_has_the_words_of_postgresql() {
        let catalog = TestData::new().catalog();
        for (overflow, name) in [
            ("9223372036854775807 + 1", "bigint"),
            ("CAST(2147483647 AS INT) * CAST(2 AS INT)", "integer"),
            ("CAST(-32768 AS SMALLINT) - CAST(1 AS SMALLINT)", "smallint"),
            ("CAST(70000 AS SMALLINT)", "smallint"),
            ("CAST(9223372036854775808 AS BIGINT)", "bigint"),
            ("CAST(1e30 AS BIGINT)", "bigint"),
            ("CAST(CAST(18446744073709551615 AS BIGINT UNSIGNED) AS BIGINT)", "bigint"),
            ("CAST(18446744073709551615 AS BIGINT UNSIGNED) - 1", "bigint"),
        ] {
            let message = message(&catalog, &format!("SELECT {overflow}"));
            assert!(message.starts_with(&format!("the query failed: {name} out of range")), "{overflow}: {message}");
        }
    }

    #[test]
    fn what_a_window_computes_fails_where_it_would_wrap() {
        let catalog = TestData::new().catalog();
        for wraps in [
            "SUM(x + 1) OVER ()",
            "x - LAG(x) OVER (ORDER BY y)",
            "LAG(x + 1) OVER (ORDER BY y)",
            "MAX(x * 2) OVER (PARTITION BY y)",
            "SUM(y) OVER (PARTITION BY x * 2)",
            "SUM(y) OVER (ORDER BY x + 1)",
            "SUM(y) OVER (ORDER BY y, -x - 2)",
        ] {
            let message = message(&catalog, &format!("SELECT {wraps} FROM (VALUES (9223372036854775807, 2), (-2, 1)) AS t(x, y)"));
            assert!(message.starts_with("the query failed: bigint out of range"), "{wraps}: {message}");
        }
    }

    #[test]
    fn what_a_window_computes_keeps_its_name() {
        let catalog = TestData::new().catalog();
        let sql = "SELECT SUM(x + 1) OVER (PARTITION BY x * 2 ORDER BY x + 1) FROM (SELECT 1 AS x) AS t";
        let frame = "RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW";
        let name = format!("sum(t.x + Int64(1)) PARTITION BY [t.x * Int64(2)] ORDER BY [t.x + Int64(1) ASC NULLS LAST] {frame}");
        assert_eq!(text(&catalog, sql, Format::Csv).unwrap(), format!("{name}\n2\n"));
    }

    #[test]
    fn a_difference_of_unsigned_integers_may_be_below_zero() {
        let catalog = TestData::new().catalog();
        let ranked = "(SELECT ROW_NUMBER() OVER (ORDER BY x) AS n, x FROM (VALUES (1)) AS t(x)) AS t";
        for (sql, expected) in [
            (format!("SELECT n - 5, 5 - n, n - n - n, n + 1, n * -2, n / 2, n % 2 FROM {ranked}"), "-4,4,-1,2,-2,0,1"),
            (
                format!("SELECT ARROW_TYPEOF(n - 5) AS a, ARROW_TYPEOF(n - n) AS b, ARROW_TYPEOF(n * 2) AS c FROM {ranked}"),
                "Int64,Int64,Int64",
            ),
            (format!("SELECT COUNT(*) FROM {ranked} WHERE n - 2 < 0 AND n - n - n = -1"), "1"),
            (format!("SELECT SUM(y) FROM (SELECT n - 3 AS y FROM {ranked} UNION ALL SELECT x FROM {ranked})"), "-1"),
            ("SELECT 9223372036854775808 + 1, 18446744073709551615 - 1".to_owned(), "9223372036854775809,18446744073709551614"),
            ("SELECT x * 10000000000000000000 FROM (VALUES (3)) AS t(x)".to_owned(), "30000000000000000000"),
            ("SELECT COUNT(*) - 5 FROM (VALUES (1), (2), (3)) AS t(x)".to_owned(), "-2"),
            ("SELECT CARDINALITY([1, 2]) - 5".to_owned(), "-3"),
            ("SELECT CAST(3 AS BIGINT UNSIGNED) - CAST(5 AS BIGINT UNSIGNED)".to_owned(), "-2"),
            ("SELECT CAST(3 AS INT UNSIGNED) - CAST(5 AS INT UNSIGNED)".to_owned(), "-2"),
            ("SELECT CAST(3 AS SMALLINT UNSIGNED) - CAST(5 AS SMALLINT UNSIGNED)".to_owned(), "-2"),
            ("SELECT CAST(0 AS TINYINT UNSIGNED) - CAST(255 AS TINYINT UNSIGNED)".to_owned(), "-255"),
        ] {
            assert_eq!(rows(&catalog, &sql), [expected], "{sql}");
        }
        let differences =
            "SELECT ROW_NUMBER() OVER (ORDER BY x) - ROW_NUMBER() OVER (ORDER BY y) FROM (VALUES (1, 2), (2, 1)) AS t(x, y) ORDER BY 1";
        assert_eq!(rows(&catalog, differences), ["-1", "1"]);
    }

    #[test]
    fn columns_keep_their_names() {
        let catalog = TestData::new().catalog();
        let sql = "SELECT x + 1, x - 1, x * 2, -x, CAST(y AS INT) FROM (SELECT 1 AS x, 2.5 AS y) AS t";
        let answer = text(&catalog, sql, Format::Csv).unwrap();
        assert_eq!(answer, "t.x + Int64(1),t.x - Int64(1),t.x * Int64(2),(- t.x),y\n2,0,2,-1,3\n");
    }

    #[test]
    fn a_cast_to_an_integer_rounds_as_in_postgresql() {
        let catalog = TestData::new().catalog();
        for (number, expected) in [
            ("CAST(2.7 AS INT)", "3"),
            ("CAST(99.99 AS BIGINT)", "100"),
            ("99.99::bigint", "100"),
            ("CAST(2.5 AS INT)", "3"),
            ("CAST(-2.5 AS INT)", "-3"),
            ("CAST(-2.4 AS SMALLINT)", "-2"),
            ("CAST(CAST('1.500000000' AS DECIMAL(38, 9)) AS BIGINT)", "2"),
            ("CAST(CAST(7 AS DECIMAL(38, 0)) AS BIGINT)", "7"),
            ("CAST(CAST(2.5 AS DOUBLE) AS INT)", "2"),
            ("CAST(CAST(3.5 AS DOUBLE) AS INT)", "4"),
            ("CAST(CAST(-2.7 AS REAL) AS INT)", "-3"),
            ("TRY_CAST(2.7 AS INT)", "3"),
            ("CAST(CAST(NULL AS DOUBLE) AS INT)", ""),
            ("CAST('42' AS INT)", "42"),
            ("CAST(true AS INT)", "1"),
        ] {
            assert_eq!(rows(&catalog, &format!("SELECT {number}")), [expected], "{number}");
        }
        for (condition, expected) in [("CAST(x AS INT) = 2", "2"), ("CAST(x AS INT) > 2", "1"), ("CAST(x AS DOUBLE)::int >= 2", "3")] {
            let sql = format!("SELECT COUNT(*) FROM (VALUES (1.5), (2.3), (2.7)) AS t(x) WHERE {condition}");
            assert_eq!(rows(&catalog, &sql), [expected], "{sql}");
        }
    }
}
