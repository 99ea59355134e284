//! Intervals that are added, multiplied and compared as in PostgreSQL.
//!
//! DataFusion 55 keeps a date a date when an interval is added, so that `date '2026-01-01' + interval '2 hours'` lost the hours; it compares
//! months, then days, then nanoseconds, so that 47 hours were less than a day; and it multiplies no intervals. In PostgreSQL the sum is a
//! time, a month has 30 days and a day 24 hours where intervals are compared, and `3 * interval '1 day'` is an interval.

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, AsArray, Decimal128Array, IntervalMonthDayNanoArray};
use arrow::datatypes::{DataType, Decimal128Type, Int64Type, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit, TimeUnit};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result, exec_err};
use datafusion::logical_expr::expr::{Between, BinaryExpr};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{ColumnarValue, Expr, ExprSchemable, LogicalPlan, Operator, ScalarUDF, Volatility, cast, create_udf};
use datafusion::optimizer::AnalyzerRule;
use datafusion::sql::sqlparser::ast::BinaryOperator;

use crate::named_expressions::replace_named;

/// The type of intervals: months, days and nanoseconds.
const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);
/// Nanoseconds of a day.
const DAY: i128 = 86_400_000_000_000;
/// Days of a month, where intervals are compared.
const DAYS_OF_MONTH: i128 = 30;
/// The type of lengths in nanoseconds.
const LENGTH: DataType = DataType::Decimal128(38, 0);

/// Plans sums of dates and intervals, and products of intervals.
#[derive(Debug)]
pub(crate) struct IntervalArithmetic;

impl ExprPlanner for IntervalArithmetic {
    fn plan_binary_op(&self, expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        use BinaryOperator::{Minus, Multiply, Plus};
        let RawBinaryExpr { op, left, right } = expr;
        let (Ok(left_type), Ok(right_type)) = (left.get_type(schema), right.get_type(schema)) else {
            return Ok(PlannerResult::Original(RawBinaryExpr { op, left, right }));
        };
        let time = || DataType::Timestamp(TimeUnit::Nanosecond, None);
        let (left, right) = match op {
            Plus | Minus if is_date(&left_type) && is_interval(&right_type) => (cast(left, time()), right),
            Plus if is_interval(&left_type) && is_date(&right_type) => (left, cast(right, time())),
            Multiply if is_interval(&left_type) && right_type.is_integer() => return Ok(PlannerResult::Planned(product(left, right))),
            Multiply if left_type.is_integer() && is_interval(&right_type) => return Ok(PlannerResult::Planned(product(right, left))),
            _ => (left, right),
        };
        Ok(PlannerResult::Original(RawBinaryExpr { op, left, right }))
    }
}

const fn is_date(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Date32 | DataType::Date64)
}

const fn is_interval(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Interval(_))
}

/// Compares intervals by their lengths.
#[derive(Debug)]
pub(crate) struct ComparedIntervals;

impl AnalyzerRule for ComparedIntervals {
    fn name(&self) -> &'static str {
        "compared_intervals"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(compared).map(|plan| plan.data)
    }
}

fn compared(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let schema = merge_schema(&plan.inputs());
    replace_named(plan, |expr| expr.transform_up(|expr| Ok(compared_expression(expr, &schema))))
}

fn compared_expression(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let is_one = |expr: &Expr| expr.get_type(schema).is_ok_and(|data_type| is_interval(&data_type));
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_comparison(op) && is_one(&left) && is_one(&right) => {
            Transformed::yes(Expr::BinaryExpr(BinaryExpr { left: Box::new(length(*left)), op, right: Box::new(length(*right)) }))
        }
        Expr::Between(Between { expr, negated, low, high }) if is_one(&expr) && is_one(&low) && is_one(&high) => {
            let [expr, low, high] = [expr, low, high].map(|expr| Box::new(length(*expr)));
            Transformed::yes(Expr::Between(Between { expr, negated, low, high }))
        }
        expr => Transformed::no(expr),
    }
}

const fn is_comparison(op: Operator) -> bool {
    use Operator::{Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq};
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom)
}

fn product(interval: Expr, factor: Expr) -> Expr {
    INTERVAL_TIMES.call(vec![cast(interval, INTERVAL), cast(factor, DataType::Int64)])
}

fn length(interval: Expr) -> Expr {
    INTERVAL_LENGTH.call(vec![cast(interval, INTERVAL)])
}

/// One function each: a plan compares them.
static INTERVAL_TIMES: LazyLock<ScalarUDF> = LazyLock::new(interval_times);
static INTERVAL_LENGTH: LazyLock<ScalarUDF> = LazyLock::new(interval_length);

/// An interval, so many times.
fn interval_times() -> ScalarUDF {
    let times = |arguments: &[ColumnarValue]| {
        let columns = ColumnarValue::values_to_arrays(arguments)?;
        let [intervals, factors] = columns.as_slice() else { return exec_err!("an interval and a number were promised") };
        let (intervals, factors) = (intervals.as_primitive::<IntervalMonthDayNanoType>(), factors.as_primitive::<Int64Type>());
        let product = |(interval, factor): (Option<IntervalMonthDayNano>, Option<i64>)| match interval.zip(factor) {
            None => Ok(None),
            Some((interval, factor)) => match times_checked(interval, factor) {
                Some(product) => Ok(Some(product)),
                None => exec_err!("interval out of range"),
            },
        };
        let products: IntervalMonthDayNanoArray = intervals.iter().zip(factors.iter()).map(product).collect::<Result<_>>()?;
        Ok(ColumnarValue::Array(Arc::new(products) as ArrayRef))
    };
    create_udf("interval_times", vec![INTERVAL, DataType::Int64], INTERVAL, Volatility::Immutable, Arc::new(times))
}

fn times_checked(interval: IntervalMonthDayNano, factor: i64) -> Option<IntervalMonthDayNano> {
    let part = |part: i32| i64::from(part).checked_mul(factor).and_then(|product| i32::try_from(product).ok());
    Some(IntervalMonthDayNano::new(part(interval.months)?, part(interval.days)?, interval.nanoseconds.checked_mul(factor)?))
}

/// The length of an interval in nanoseconds.
fn interval_length() -> ScalarUDF {
    let lengths = |arguments: &[ColumnarValue]| {
        let columns = ColumnarValue::values_to_arrays(arguments)?;
        let [intervals] = columns.as_slice() else { return exec_err!("an interval was promised") };
        let length = |interval: IntervalMonthDayNano| {
            let days = i128::from(interval.months) * DAYS_OF_MONTH + i128::from(interval.days);
            days * DAY + i128::from(interval.nanoseconds)
        };
        let intervals = intervals.as_primitive::<IntervalMonthDayNanoType>();
        let lengths: Decimal128Array = intervals.unary::<_, Decimal128Type>(length).with_data_type(LENGTH);
        Ok(ColumnarValue::Array(Arc::new(lengths) as ArrayRef))
    };
    create_udf("interval_length", vec![INTERVAL], LENGTH, Volatility::Immutable, Arc::new(lengths))
}

#[cfg(test)]
mod tests {
    use crate::testing::{TestData, at, balance, changes, rows};

    /// The answers are those of PostgreSQL 15.
    #[test]
    fn intervals_are_compared_by_their_lengths() {
        let mut data = TestData::new();
        // 47 hours apart.
        data.commit(vec![changes(&[(balance("a", 1, at(5, 36_000)), 1), (balance("b", 1, at(7, 32_400)), 1)])]);
        let catalog = data.catalog();
        for (condition, expected) in [
            ("ts - timestamptz '2026-01-05T10:00:00Z' > interval '1 day'", ["b"].as_slice()),
            ("ts - timestamptz '2026-01-05T10:00:00Z' < interval '2 days'", &["a", "b"]),
            ("ts - timestamptz '2026-01-05T10:00:00Z' BETWEEN interval '46 hours' AND interval '2 days'", &["b"]),
            ("timestamptz '2026-01-07T09:00:00Z' - ts <= interval '47 hours'", &["a", "b"]),
            ("interval '24 hours' = interval '1 day' AND interval '1 month' = interval '30 days'", &["a", "b"]),
            ("interval '25 hours' > interval '1 day' AND interval '1 month' < interval '31 days'", &["a", "b"]),
        ] {
            let sql = format!("SELECT account_id FROM balances WHERE {condition} ORDER BY 1");
            assert_eq!(rows(&catalog, &sql), expected, "{condition}");
        }
    }

    #[test]
    fn a_date_and_an_interval_are_a_time() {
        let catalog = TestData::new().catalog();
        for (sum, expected) in [
            ("date '2026-01-01' + interval '2 hours'", "2026-01-01T02:00:00"),
            ("date '2026-01-01' - interval '90 minutes'", "2025-12-31T22:30:00"),
            ("interval '1 month' + date '2026-01-31'", "2026-02-28T00:00:00"),
            ("CAST(date '2026-03-31' - interval '1 month' AS DATE)", "2026-02-28"),
            ("date '2026-01-31' + 1", "2026-02-01"),
        ] {
            assert_eq!(rows(&catalog, &format!("SELECT {sum} AS t")), [expected], "{sum}");
        }
    }

    #[test]
    fn an_interval_may_be_multiplied_by_an_integer() {
        let catalog = TestData::new().catalog();
        for (product, expected) in [
            ("date '2026-01-01' + 3 * interval '1 day'", "2026-01-04T00:00:00"),
            ("date '2026-01-31' + interval '1 month 2 hours' * 2", "2026-03-31T04:00:00"),
            ("timestamp '2026-01-01 00:00' + x * interval '1 hour'", "2026-01-01T05:00:00"),
            ("timestamp '2026-01-01 00:00' + -1 * interval '1 day'", "2025-12-31T00:00:00"),
            ("(NULL::int * interval '1 day') IS NULL", "true"),
        ] {
            assert_eq!(rows(&catalog, &format!("SELECT {product} AS t FROM (VALUES (5)) AS v(x)")), [expected], "{product}");
        }
    }
}
