//! Intervals that are added, multiplied, divided and compared as in PostgreSQL, and differences of times.
//!
//! DataFusion 55 keeps a date a date when an interval is added, so that `date '2026-01-01' + interval '2 hours'` lost the hours; it compares
//! and orders months, then days, then nanoseconds, so that 47 hours were less than a day; it multiplies and divides no intervals; and a
//! difference of times has no days, so that `EXTRACT(HOUR FROM b - a)` was 84 where PostgreSQL has 3 days and 12 hours. In PostgreSQL the
//! sum is a time, a month has 30 days and a day 24 hours where intervals are compared, grouped and counted, and `3 * interval '1 day'` is an interval.

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, AsArray, Decimal128Array, IntervalMonthDayNanoArray};
use arrow::datatypes::{
    DataType, Decimal128Type, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit, TimeUnit, TimestampNanosecondType,
};
use arrow::error::ArrowError;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result, exec_err};
use datafusion::functions_aggregate::expr_fn::min;
use datafusion::functions_aggregate::first_last::first_value_udaf;
use datafusion::logical_expr::expr::{AggregateFunction, Between, BinaryExpr, Case, InList, ScalarFunction, Sort};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    Aggregate, ColumnarValue, Distinct, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Operator, ScalarUDF, Volatility, WindowFrame,
    WindowFrameBound, WindowFrameUnits, cast, create_udf, when,
};
use datafusion::optimizer::AnalyzerRule;
use datafusion::sql::sqlparser::ast::BinaryOperator;

use crate::named_expressions::replace_named;

/// The type of intervals: months, days and nanoseconds.
pub(crate) const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);
/// Nanoseconds of a day.
const DAY: i128 = 86_400_000_000_000;
/// Days of a month, where intervals are compared.
const DAYS_OF_MONTH: i128 = 30;
/// The type of lengths in nanoseconds.
const LENGTH: DataType = DataType::Decimal128(38, 0);
/// The type of what an interval is multiplied with or divided by, and its value for the number 1.
const FACTOR: DataType = DataType::Decimal128(38, 15);
const ONE: i128 = 1_000_000_000_000_000;
/// The type of times between which there is an interval.
const TIME: DataType = DataType::Timestamp(TimeUnit::Nanosecond, None);

/// Plans sums of dates and intervals, and products of intervals.
#[derive(Debug)]
pub(crate) struct IntervalArithmetic;

impl ExprPlanner for IntervalArithmetic {
    fn plan_binary_op(&self, expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        use BinaryOperator::{Divide, Minus, Multiply, Plus};
        let RawBinaryExpr { op, left, right } = expr;
        let (Ok(left_type), Ok(right_type)) = (left.get_type(schema), right.get_type(schema)) else {
            return Ok(PlannerResult::Original(RawBinaryExpr { op, left, right }));
        };
        let (left, right) = match op {
            Plus | Minus if is_date(&left_type) && is_interval(&right_type) => (cast(left, TIME), right),
            Plus if is_interval(&left_type) && is_date(&right_type) => (left, cast(right, TIME)),
            Minus if are_times((&left, &left_type), (&right, &right_type)) => return planned(left, "-", right, between),
            Multiply if is_interval(&left_type) && is_number(&right_type) => return planned(left, "*", right, times),
            Multiply if is_number(&left_type) && is_interval(&right_type) => {
                return planned(left, "*", right, |left, right| times(right, left));
            }
            Divide if is_interval(&left_type) && is_number(&right_type) => return planned(left, "/", right, divided),
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

fn is_number(data_type: &DataType) -> bool {
    data_type.is_numeric()
}

/// Two times, or a time and a date or a text that is written out, which is a time then.
fn are_times((left, left_type): (&Expr, &DataType), (right, right_type): (&Expr, &DataType)) -> bool {
    let is_time = |data_type: &DataType| matches!(data_type, DataType::Timestamp(..));
    let may_be_time = |expr: &Expr, data_type: &DataType| {
        is_time(data_type) || is_date(data_type) || data_type.is_string() && matches!(expr, Expr::Literal(..))
    };
    (is_time(left_type) || is_time(right_type)) && may_be_time(left, left_type) && may_be_time(right, right_type)
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
    let plan = match plan {
        LogicalPlan::Sort(mut sort) => {
            by_length(&mut sort.expr, &schema);
            LogicalPlan::Sort(sort)
        }
        LogicalPlan::Distinct(Distinct::On(mut distinct)) => {
            distinct.on_expr.iter_mut().for_each(|key| *key = compared_by(key, &schema));
            distinct.sort_expr.iter_mut().for_each(|sorts| by_length(sorts, &schema));
            LogicalPlan::Distinct(Distinct::On(distinct))
        }
        plan => plan,
    };
    let plan = replace_named(plan, |expr| expr.transform_up(|expr| compared_expression(expr, &schema)))?;
    plan.transform_data(grouped_by_length)
}

/// Orders by lengths where it was by intervals.
fn by_length(sorts: &mut [Sort], schema: &DFSchema) {
    sorts.iter_mut().for_each(|by| by.expr = compared_by(&by.expr, schema));
}

/// What stands for a value where it is compared.
fn compared_by(expr: &Expr, schema: &DFSchema) -> Expr {
    if is_one(expr, schema) { length(expr.clone()) } else { expr.clone() }
}

fn is_one(expr: &Expr, schema: &DFSchema) -> bool {
    expr.get_type(schema).is_ok_and(|data_type| is_interval(&data_type))
}

fn compared_expression(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let is_one = |expr: &Expr| is_one(expr, schema);
    Ok(match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_comparison(op) && is_one(&left) && is_one(&right) => {
            Transformed::yes(Expr::BinaryExpr(BinaryExpr { left: Box::new(length(*left)), op, right: Box::new(length(*right)) }))
        }
        Expr::Between(Between { expr, negated, low, high }) if is_one(&expr) && is_one(&low) && is_one(&high) => {
            let [expr, low, high] = [expr, low, high].map(|expr| Box::new(length(*expr)));
            Transformed::yes(Expr::Between(Between { expr, negated, low, high }))
        }
        Expr::InList(InList { expr, list, negated }) if is_one(&expr) && list.iter().all(is_one) => {
            let list = list.into_iter().map(length).collect();
            Transformed::yes(Expr::InList(InList { expr: Box::new(length(*expr)), list, negated }))
        }
        Expr::Case(Case { expr: Some(value), when_then_expr, else_expr })
            if is_one(&value) && when_then_expr.iter().all(|(when, _)| is_one(when)) =>
        {
            let when_then_expr = when_then_expr.into_iter().map(|(when, then)| (Box::new(length(*when)), then)).collect();
            Transformed::yes(Expr::Case(Case { expr: Some(Box::new(length(*value))), when_then_expr, else_expr }))
        }
        Expr::ScalarFunction(ScalarFunction { func, args }) if args.iter().all(is_one) => match chosen_by_length(func.name(), &args)? {
            Some(chosen) => Transformed::yes(chosen),
            None => Transformed::no(Expr::ScalarFunction(ScalarFunction { func, args })),
        },
        Expr::AggregateFunction(aggregate) => compared_aggregate(aggregate, schema),
        expr => Transformed::no(expr),
    })
}

/// Orders the rows of windows by lengths. It comes before DataFusion makes types the same, and refuses windows in the order of intervals.
#[derive(Debug)]
pub(crate) struct WindowsOfIntervals;

impl AnalyzerRule for WindowsOfIntervals {
    fn name(&self) -> &'static str {
        "windows_of_intervals"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let in_windows = |plan: LogicalPlan| match plan {
            LogicalPlan::Window(window) => {
                let schema = Arc::clone(window.input.schema());
                replace_named(LogicalPlan::Window(window), |expr| expr.transform_up(|expr| Ok(window_by_length(expr, &schema))))
            }
            plan => Ok(Transformed::no(plan)),
        };
        plan.transform_up_with_subqueries(in_windows).map(|plan| plan.data)
    }
}

fn window_by_length(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let Expr::WindowFunction(mut window) = expr else { return Transformed::no(expr) };
    let params = &mut window.params;
    let mut keys = params.partition_by.iter().chain(params.order_by.iter().map(|by| &by.expr));
    if !is_without_bounds(&params.window_frame) || !keys.any(|key| is_one(key, schema)) {
        return Transformed::no(Expr::WindowFunction(window));
    }
    params.partition_by.iter_mut().for_each(|key| *key = compared_by(key, schema));
    by_length(&mut params.order_by, schema);
    Transformed::yes(Expr::WindowFunction(window))
}

/// Whether a window has no bounds that are intervals themselves.
fn is_without_bounds(frame: &WindowFrame) -> bool {
    use WindowFrameBound::{CurrentRow, Following, Preceding};
    let is_open = |bound: &WindowFrameBound| match bound {
        Preceding(distance) | Following(distance) => distance.is_null(),
        CurrentRow => true,
    };
    frame.units != WindowFrameUnits::Range || is_open(&frame.start_bound) && is_open(&frame.end_bound)
}

/// Maximum number of arguments of `greatest` and `least`: each doubles what is computed.
const CHOSEN_MAX: usize = 8;

/// Functions that compare their arguments, and give one of them.
fn chosen_by_length(function: &str, arguments: &[Expr]) -> Result<Option<Expr>> {
    let chosen = |op: Operator| -> Result<Option<Expr>> {
        let mut arguments = arguments.iter().cloned();
        let Some(first) = arguments.next() else { return Ok(None) };
        let chosen = arguments.try_fold(first, |chosen, next| {
            let is_before = Expr::BinaryExpr(BinaryExpr::new(Box::new(length(chosen.clone())), op, Box::new(length(next.clone()))));
            when(next.clone().is_null().or(is_before), chosen).otherwise(next)
        });
        chosen.map(Some)
    };
    match (function, arguments) {
        ("nullif", [value, other]) => {
            let is_equal = length(value.clone()).eq(length(other.clone()));
            Ok(Some(when(is_equal.is_not_true(), value.clone()).end()?))
        }
        ("greatest", arguments) if arguments.len() <= CHOSEN_MAX => chosen(Operator::GtEq),
        ("least", arguments) if arguments.len() <= CHOSEN_MAX => chosen(Operator::LtEq),
        _ => Ok(None),
    }
}

/// The longest or shortest interval, the number of different ones, and aggregates in the order of intervals.
fn compared_aggregate(aggregate: AggregateFunction, schema: &DFSchema) -> Transformed<Expr> {
    let AggregateFunction { mut func, mut params } = aggregate;
    let takes_one = matches!(params.args.as_slice(), [value] if is_one(value, schema));
    let is_ordered = params.order_by.iter().any(|by| is_one(&by.expr, schema));
    by_length(&mut params.order_by, schema);
    let is_changed = match func.name() {
        "min" | "max" if takes_one => {
            let is_shortest = func.name() == "min";
            params.order_by = params.args.iter().map(|value| length(value.clone()).sort(is_shortest, false)).collect();
            params.distinct = false;
            func = first_value_udaf();
            true
        }
        "count" if takes_one && params.distinct => {
            params.args.iter_mut().for_each(|value| *value = length(value.clone()));
            true
        }
        _ => is_ordered,
    };
    Transformed::new_transformed(Expr::AggregateFunction(AggregateFunction { func, params }), is_changed)
}

/// Groups by lengths, of each the interval that comes first by months, days and time. `DISTINCT` groups by all columns.
fn grouped_by_length(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let (input, keys, aggregates) = match &plan {
        LogicalPlan::Aggregate(Aggregate { input, group_expr, aggr_expr, .. }) => (input, group_expr.clone(), aggr_expr.clone()),
        LogicalPlan::Distinct(Distinct::All(input)) => {
            (input, input.schema().columns().into_iter().map(Expr::Column).collect::<Vec<_>>(), vec![])
        }
        _ => return Ok(Transformed::no(plan)),
    };
    let is_one = |key: &Expr| is_one(key, input.schema());
    if !keys.iter().any(is_one) {
        return Ok(Transformed::no(plan));
    }
    let first = |(place, key): (usize, &Expr)| min(key.clone()).alias(format!("first of length {place}"));
    let firsts = keys.iter().enumerate().filter(|(_, key)| is_one(key)).map(first);
    let grouped = LogicalPlanBuilder::from(Arc::clone(input))
        .aggregate(keys.iter().map(|key| compared_by(key, input.schema())), aggregates.iter().cloned().chain(firsts))?
        .build()?;
    // The keys, the aggregates, and the first intervals.
    let mut firsts = grouped.schema().columns().into_iter().skip(keys.len().saturating_add(aggregates.len()));
    let columns = grouped.schema().columns();
    let shown = plan.schema().iter().zip(columns).enumerate().map(|(place, ((relation, field), column))| {
        let is_first = keys.get(place).is_some_and(is_one);
        let column = if is_first { firsts.next().unwrap_or(column) } else { column };
        Expr::Column(column).alias_qualified(relation.cloned(), field.name())
    });
    let shown = shown.collect::<Vec<_>>();
    Ok(Transformed::yes(LogicalPlanBuilder::from(grouped).project(shown)?.build()?))
}

const fn is_comparison(op: Operator) -> bool {
    use Operator::{Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq};
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom)
}

/// A function in place of an operator, under the name of the operation.
fn planned(left: Expr, op: &str, right: Expr, call: impl FnOnce(Expr, Expr) -> Expr) -> Result<PlannerResult<RawBinaryExpr>> {
    let name = format!("{} {op} {}", left.schema_name(), right.schema_name());
    Ok(PlannerResult::Planned(call(left, right).alias(name)))
}

fn between(later: Expr, earlier: Expr) -> Expr {
    TIME_BETWEEN.call(vec![cast(later, TIME), cast(earlier, TIME)])
}

fn times(interval: Expr, factor: Expr) -> Expr {
    INTERVAL_TIMES.call(vec![cast(interval, INTERVAL), cast(factor, FACTOR)])
}

fn divided(interval: Expr, divisor: Expr) -> Expr {
    INTERVAL_DIVIDED.call(vec![cast(interval, INTERVAL), cast(divisor, FACTOR)])
}

fn length(interval: Expr) -> Expr {
    INTERVAL_LENGTH.call(vec![cast(interval, INTERVAL)])
}

/// One function each: a plan compares them.
static INTERVAL_TIMES: LazyLock<ScalarUDF> = LazyLock::new(|| interval_function("interval_times", |factor| (factor, ONE)));
static INTERVAL_DIVIDED: LazyLock<ScalarUDF> = LazyLock::new(|| interval_function("interval_divided", |factor| (ONE, factor)));
static INTERVAL_LENGTH: LazyLock<ScalarUDF> = LazyLock::new(interval_length);
static TIME_BETWEEN: LazyLock<ScalarUDF> = LazyLock::new(time_between);

/// The parts of an interval, or of a sum of intervals.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    pub(crate) months: i128,
    pub(crate) days: i128,
    pub(crate) nanoseconds: i128,
}

/// A function of an interval and a factor, which it makes a fraction of.
fn interval_function(name: &str, fraction: impl Fn(i128) -> (i128, i128) + Send + Sync + 'static) -> ScalarUDF {
    let scale = move |arguments: &[ColumnarValue]| {
        let columns = ColumnarValue::values_to_arrays(arguments)?;
        let [intervals, factors] = columns.as_slice() else { return exec_err!("an interval and a number were promised") };
        let (intervals, factors) = (intervals.as_primitive::<IntervalMonthDayNanoType>(), factors.as_primitive::<Decimal128Type>());
        let scaled = |(interval, factor): (Option<IntervalMonthDayNano>, Option<i128>)| match interval
            .zip(factor)
            .map(|(interval, factor)| (interval, fraction(factor)))
        {
            None => Ok(None),
            Some((_, (_, 0))) => Err(ArrowError::DivideByZero.into()),
            Some((interval, (numerator, denominator))) => match scaled(part_of(interval), numerator, denominator) {
                Some(scaled) => Ok(Some(scaled)),
                None => exec_err!("interval out of range"),
            },
        };
        let scaled: IntervalMonthDayNanoArray = intervals.iter().zip(factors.iter()).map(scaled).collect::<Result<_>>()?;
        Ok(ColumnarValue::Array(Arc::new(scaled) as ArrayRef))
    };
    create_udf(name, vec![INTERVAL, FACTOR], INTERVAL, Volatility::Immutable, Arc::new(scale))
}

fn part_of(interval: IntervalMonthDayNano) -> Part {
    let (months, days) = (i128::from(interval.months), i128::from(interval.days));
    Part { months, days, nanoseconds: i128::from(interval.nanoseconds) }
}

/// Parts of an interval, times a fraction. As in PostgreSQL, what is left of a month are days, and what is left of a day is time. `None`
/// if it is no interval, or the denominator is zero.
pub(crate) fn scaled(part: Part, numerator: i128, denominator: i128) -> Option<IntervalMonthDayNano> {
    let divisor = greatest_common_divisor(numerator, denominator);
    let (numerator, denominator) = (numerator.checked_div(divisor)?, denominator.checked_div(divisor)?);
    let divided = |number: i128| Some((number.checked_div(denominator)?, number.checked_rem(denominator)?));
    let (months, months_left) = divided(part.months.checked_mul(numerator)?)?;
    let (days_of_months, days_of_months_left) = divided(months_left.checked_mul(DAYS_OF_MONTH)?)?;
    let (days, days_left) = divided(part.days.checked_mul(numerator)?)?;
    let (days_more, days_left) = divided(days_left.checked_add(days_of_months_left)?)?;
    let nanoseconds = part.nanoseconds.checked_mul(numerator)?.checked_add(days_left.checked_mul(DAY)?)?;
    let days = days.checked_add(days_of_months)?.checked_add(days_more)?;
    Some(IntervalMonthDayNano::new(
        i32::try_from(months).ok()?,
        i32::try_from(days).ok()?,
        i64::try_from(rounded_quotient(nanoseconds, denominator)?).ok()?,
    ))
}

/// A quotient, rounded half away from zero.
fn rounded_quotient(dividend: i128, divisor: i128) -> Option<i128> {
    let (quotient, rest) = (dividend.checked_div(divisor)?, dividend.checked_rem(divisor)?);
    let is_half = rest.checked_abs()?.checked_mul(2)? >= divisor.checked_abs()?;
    Some(if is_half { quotient.checked_add(rest.signum() * divisor.signum())? } else { quotient })
}

fn greatest_common_divisor(one: i128, other: i128) -> i128 {
    let (mut one, mut other) = (one.saturating_abs(), other.saturating_abs());
    while other != 0 {
        (one, other) = (other, one.checked_rem(other).unwrap_or_default());
    }
    one.max(1)
}

/// The interval between two times: days of 24 hours, and the rest.
fn time_between() -> ScalarUDF {
    let between = |arguments: &[ColumnarValue]| {
        let columns = ColumnarValue::values_to_arrays(arguments)?;
        let [later, earlier] = columns.as_slice() else { return exec_err!("two times were promised") };
        let (later, earlier) = (later.as_primitive::<TimestampNanosecondType>(), earlier.as_primitive::<TimestampNanosecondType>());
        let between = |(later, earlier): (Option<i64>, Option<i64>)| {
            let between = i128::from(later?) - i128::from(earlier?);
            let days = i32::try_from(between / DAY).ok()?;
            Some(IntervalMonthDayNano::new(0, days, i64::try_from(between % DAY).ok()?))
        };
        let intervals: IntervalMonthDayNanoArray = later.iter().zip(earlier.iter()).map(between).collect();
        Ok(ColumnarValue::Array(Arc::new(intervals) as ArrayRef))
    };
    create_udf("time_between", vec![TIME, TIME], INTERVAL, Volatility::Immutable, Arc::new(between))
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
    use crate::render::Format;
    use crate::testing::{TestData, at, balance, changes, message, rows, text};

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

    /// The answers are those of PostgreSQL 15.
    #[test]
    fn a_difference_of_times_has_days() {
        let catalog = TestData::new().catalog();
        let difference = "(timestamp '2026-03-05 00:00' - timestamp '2026-03-01 12:00')";
        for (sql, expected) in [
            (format!("EXTRACT(DAY FROM {difference})"), "3"),
            (format!("EXTRACT(HOUR FROM {difference})"), "12"),
            (format!("EXTRACT(EPOCH FROM {difference})"), "302400"),
            (format!("EXTRACT(HOUR FROM -{difference})"), "-12"),
            ("EXTRACT(DAY FROM timestamptz '2026-03-05T00:00:00Z' - date '2026-03-01')".to_owned(), "4"),
            ("date '2026-03-05' - date '2026-03-01'".to_owned(), "4"),
            ("EXTRACT(DAY FROM timestamp '2026-03-05 00:00' - '2026-03-01 06:00')".to_owned(), "3"),
            (format!("timestamp '2026-01-01 00:00' + {difference} / 2"), "2026-01-02T18:00:00"),
            (format!("{difference} > interval '84 hours', {difference} = interval '84 hours'"), "false,true"),
        ] {
            assert_eq!(rows(&catalog, &format!("SELECT {sql}")), [expected], "{sql}");
        }
        let named =
            "SELECT a - b, COUNT(*) FROM (VALUES (timestamp '2026-01-02 00:00', timestamp '2026-01-01 00:00')) AS v(a, b) GROUP BY a - b";
        assert_eq!(text(&catalog, named, Format::Csv).unwrap().lines().next(), Some("v.a - v.b,count(*)"));
        let ordered = "SELECT x FROM (VALUES (1, interval '25 hours'), (2, interval '1 day'), (3, interval '40 days'), (4, interval '1 month')) \
             AS v(x, i) ORDER BY i";
        assert_eq!(rows(&catalog, ordered), ["2", "1", "4", "3"]);
    }

    /// The answers are those of PostgreSQL 15.
    #[test]
    fn what_is_left_of_a_month_is_days_and_of_a_day_is_time() {
        let catalog = TestData::new().catalog();
        for (interval, expected) in [
            ("interval '1 day' * 2.5", "2026-01-03T12:00:00"),
            ("interval '1 month' * 1.5", "2026-02-16T00:00:00"),
            ("0.5 * interval '1 day'", "2026-01-01T12:00:00"),
            ("interval '1 hour' / 2", "2026-01-01T00:30:00"),
            // With nanoseconds where PostgreSQL has microseconds.
            ("interval '1 day' / 7", "2026-01-01T03:25:42.857142857"),
            ("interval '1 month' / 4", "2026-01-08T12:00:00"),
            ("interval '1 day' * 0.5::float8", "2026-01-01T12:00:00"),
        ] {
            assert_eq!(rows(&catalog, &format!("SELECT timestamp '2026-01-01 00:00' + {interval} AS t")), [expected], "{interval}");
        }
        assert!(message(&catalog, "SELECT interval '1 day' / 0").contains("Divide by zero"));
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

    /// The answers are those of PostgreSQL 15; where several intervals of a length are in a group, it gives any of them.
    #[test]
    fn intervals_of_one_length_are_one_value() {
        let catalog = TestData::new().catalog();
        let days = "(VALUES (1, interval '1 day'), (2, interval '24 hours'), (3, interval '2 days')) AS v(x, i)";
        let months = "(VALUES (interval '40 days'), (interval '1 month'), (interval '1000 hours')) AS v(i)";
        for (sql, expected) in [
            (format!("SELECT COUNT(*) AS n FROM {days} GROUP BY i ORDER BY n"), ["1", "2"].as_slice()),
            (format!("SELECT COUNT(*) AS n, SUM(x) FROM {days} GROUP BY i, i > interval '1 day' ORDER BY n"), &["1,3", "2,3"]),
            (format!("SELECT i > interval '1 day' AS l, MAX(x) AS m FROM {days} GROUP BY i ORDER BY m"), &["false,2", "true,3"]),
            (format!("SELECT COUNT(*) FROM (SELECT DISTINCT i FROM {days}) AS d"), &["2"]),
            (format!("SELECT COUNT(*) FROM (SELECT i FROM {days} UNION SELECT interval '48 hours') AS d"), &["2"]),
            (format!("SELECT COUNT(DISTINCT i) FROM {days}"), &["2"]),
            (format!("SELECT x FROM {days} WHERE i IN (interval '24 hours') ORDER BY x"), &["1", "2"]),
            (format!("SELECT x FROM {days} WHERE i NOT IN (interval '24 hours')"), &["3"]),
            (format!("SELECT x, CASE i WHEN interval '24 hours' THEN 'day' END AS d FROM {days} ORDER BY x"), &["1,day", "2,day", "3,"]),
            (format!("SELECT x FROM {days} WHERE nullif(i, interval '24 hours') IS NULL ORDER BY x"), &["1", "2"]),
            (format!("SELECT x, RANK() OVER (ORDER BY i) AS r FROM {days} ORDER BY x"), &["1,1", "2,1", "3,3"]),
            (format!("SELECT x, COUNT(*) OVER (PARTITION BY i) AS n FROM {days} ORDER BY x"), &["1,2", "2,2", "3,1"]),
            (format!("SELECT array_agg(x ORDER BY i DESC, x) FROM {days}"), &["\"[3,1,2]\""]),
            (format!("SELECT COUNT(*) FROM {days} JOIN (VALUES (interval '24 hours')) AS w(j) ON i = j"), &["2"]),
            (format!("SELECT date '2026-01-01' + MAX(i) AS t FROM {months}"), &["2026-02-11T16:00:00"]),
            (format!("SELECT date '2026-01-01' + MIN(i) AS t FROM {months}"), &["2026-02-01T00:00:00"]),
            ("SELECT date '2026-01-01' + greatest(interval '1 month', NULL, interval '31 days') AS t".to_owned(), &["2026-02-01T00:00:00"]),
            ("SELECT date '2026-02-01' + greatest(interval '1 month', interval '31 days') AS t".to_owned(), &["2026-03-04T00:00:00"]),
            ("SELECT date '2026-02-01' + least(interval '1 month', interval '29 days') AS t".to_owned(), &["2026-03-02T00:00:00"]),
        ] {
            assert_eq!(rows(&catalog, &sql), expected, "{sql}");
        }
    }
}
