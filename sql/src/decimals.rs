//! Decimal arithmetic without overflow or loss of digits, and sums of integers that do not wrap ([`crate::sums`]).
//!
//! DataFusion multiplies and adds decimals in 128 bits, and a sum wraps around; a quotient has four more digits than its
//! dividend, and is cut off there. Here products that may need more than 38 digits, and sums of numbers with more than 29, have 76
//! digits, and every quotient has at least [`QUOTIENT_DIGITS`] after its point, the last one rounded half away from zero. A result
//! beyond 76 digits is an error. Averages are quotients, too ([`crate::averages`]).

use std::sync::Arc;

use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DECIMAL256_MAX_PRECISION, DECIMAL256_MAX_SCALE, DataType, FieldRef};
use datafusion::common::{DFSchema, Result, ScalarValue, plan_err};
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::logical_expr::expr::{BinaryExpr, Cast};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Expr, ExprSchemable, GroupsAccumulator, Operator, ReversedUDAF, SetMonotonicity,
    Signature, Volatility,
};
use datafusion::sql::sqlparser::ast::BinaryOperator;

use crate::sums::{IntegerSum, added_as, is_of_integers};

/// Minimum digits after the point of a quotient: as many as PostgreSQL gives for quotients down to 10^-12.
pub(crate) const QUOTIENT_DIGITS: i8 = 28;
/// What a division adds to the scale of its dividend.
pub(crate) const ADDED_BY_DIVISION: i8 = 4;
/// A sum of numbers with this many digits cannot wrap before 10^9 rows. Money has 28, and 29 where it is mixed with integers.
const SUMMED_IN_128_BITS: u8 = 29;

/// Total digits of a number, and those after the point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Digits {
    precision: u8,
    scale: i8,
}

impl Digits {
    /// The digits of a type; `None` if it is not exact.
    fn of_type(data_type: &DataType) -> Option<Self> {
        Some(match data_type {
            DataType::Decimal32(precision, scale)
            | DataType::Decimal64(precision, scale)
            | DataType::Decimal128(precision, scale)
            | DataType::Decimal256(precision, scale) => Self { precision: *precision, scale: *scale },
            DataType::Int8 | DataType::UInt8 => Self { precision: 3, scale: 0 },
            DataType::Int16 | DataType::UInt16 => Self { precision: 5, scale: 0 },
            DataType::Int32 | DataType::UInt32 => Self { precision: 10, scale: 0 },
            DataType::Int64 | DataType::UInt64 => Self { precision: 20, scale: 0 },
            _ => return None,
        })
    }

    /// The digits of an expression; for an integer literal, its own.
    fn of(expr: &Expr, data_type: &DataType) -> Option<Self> {
        let digits = Self::of_type(data_type)?;
        match expr {
            Expr::Literal(ScalarValue::Int64(Some(number)), _) => {
                let precision = number.unsigned_abs().checked_ilog10().map_or(1, |digits| digits + 1);
                Some(Self { precision: u8::try_from(precision).unwrap_or(digits.precision), scale: 0 })
            }
            _ => Some(digits),
        }
    }

    /// At least this many digits after the point.
    fn with_scale(self, scale: i8) -> Self {
        let scale = scale.max(self.scale);
        let precision = self.precision.saturating_add(scale.saturating_sub(self.scale).unsigned_abs());
        Self { precision: precision.min(DECIMAL256_MAX_PRECISION), scale }
    }

    const fn wide(self) -> DataType {
        DataType::Decimal256(self.precision, self.scale)
    }
}

/// Plans products and quotients of decimals with enough digits.
#[derive(Debug)]
pub(crate) struct WideDecimals;

impl ExprPlanner for WideDecimals {
    fn plan_binary_op(&self, expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        let RawBinaryExpr { op, left, right } = expr;
        let types = (left.get_type(schema).ok(), right.get_type(schema).ok());
        let digits = match &types {
            (Some(left_type), Some(right_type)) if left_type.is_decimal() || right_type.is_decimal() => {
                Digits::of(&left, left_type).zip(Digits::of(&right, right_type))
            }
            _ => None,
        };
        let Some((left_digits, right_digits)) = digits else {
            return Ok(PlannerResult::Original(RawBinaryExpr { op, left, right }));
        };
        if op == BinaryOperator::Divide {
            return Ok(PlannerResult::Planned(quotient(left, left_digits, right, right_digits)));
        }
        let (left, right) = match widened(&op, left_digits, right_digits, &types) {
            Some((left_digits, right_digits)) => (cast(left, left_digits), cast(right, right_digits)),
            None => (left, right),
        };
        Ok(PlannerResult::Original(RawBinaryExpr { op, left, right }))
    }
}

/// The digits to which both sides are widened, if the result needs 76.
fn widened(op: &BinaryOperator, left: Digits, right: Digits, types: &(Option<DataType>, Option<DataType>)) -> Option<(Digits, Digits)> {
    let is_wide = |data_type: &Option<DataType>| matches!(data_type, Some(DataType::Decimal256(..)));
    let one_is_wide = is_wide(&types.0) || is_wide(&types.1);
    match op {
        BinaryOperator::Multiply => {
            let precision = left.precision.saturating_add(right.precision).saturating_add(1);
            (one_is_wide || precision > DECIMAL128_MAX_PRECISION).then_some((left, right))
        }
        BinaryOperator::Plus | BinaryOperator::Minus | BinaryOperator::Modulo => one_is_wide.then_some((left, right)),
        _ => None,
    }
}

/// A quotient with one digit more than is kept, which a cast rounds half away from zero. Its name is that of the quotient: casts have
/// none.
fn quotient(left: Expr, left_digits: Digits, right: Expr, right_digits: Digits) -> Expr {
    let kept = left_digits.with_scale(QUOTIENT_DIGITS - ADDED_BY_DIVISION);
    let one_more = kept.with_scale(kept.scale.saturating_add(1));
    let quotient = Expr::BinaryExpr(BinaryExpr::new(Box::new(cast(left, one_more)), Operator::Divide, Box::new(cast(right, right_digits))));
    let scale = kept.scale.saturating_add(ADDED_BY_DIVISION).min(DECIMAL256_MAX_SCALE);
    // The greatest quotient is that of the greatest dividend and the least divisor.
    let before_point = i16::from(kept.precision) - i16::from(kept.scale) + i16::from(right_digits.scale);
    let precision = u8::try_from(before_point.saturating_add(i16::from(scale)).max(1)).unwrap_or(DECIMAL256_MAX_PRECISION);
    Expr::Cast(Cast::new(Box::new(quotient), DataType::Decimal256(precision.min(DECIMAL256_MAX_PRECISION), scale)))
}

/// The expression with 76 digits, under its original name.
fn cast(expr: Expr, digits: Digits) -> Expr {
    let name = expr.schema_name().to_string();
    Expr::Cast(Cast::new(Box::new(expr), digits.wide())).alias(name)
}

/// The products, sums and quotients of decimals that were planned with 76 digits, without these digits; `None` if an expression is none. It
/// is for operands that turned out to be floating-point numbers.
pub(crate) fn without_digits(expr: &Expr) -> Option<BinaryExpr> {
    let operation = match expr {
        Expr::Cast(Cast { expr: inner, field }) if matches!(field.data_type(), DataType::Decimal256(..)) => match inner.as_ref() {
            Expr::BinaryExpr(quotient) if quotient.op == Operator::Divide => quotient,
            _ => return None,
        },
        // The cast around it is visited next.
        Expr::BinaryExpr(operation) if operation.op != Operator::Divide => operation,
        _ => return None,
    };
    let [left, right] = [&operation.left, &operation.right].map(|operand| widened_from(operand));
    Some(BinaryExpr::new(Box::new(left?.clone()), operation.op, Box::new(right?.clone())))
}

/// What [`cast`] was given.
fn widened_from(expr: &Expr) -> Option<&Expr> {
    let Expr::Alias(alias) = expr else { return None };
    match alias.expr.as_ref() {
        Expr::Cast(Cast { expr, field }) if matches!(field.data_type(), DataType::Decimal256(..)) => {
            (expr.schema_name().to_string() == alias.name).then_some(expr.as_ref())
        }
        _ => None,
    }
}

/// A rule of the optimizer that matches `sum` by name, and splits it into two steps if the query also counts distinct values. The
/// second step of a [`wide_sum`] would have another type than planned.
pub(crate) const RULE_OF_NARROW_SUMS: &str = "single_distinct_aggregation_to_group_by";

/// `sum` that adds decimals with many digits in 76 digits.
pub(crate) fn wide_sum() -> AggregateUDF {
    AggregateUDF::new_from_impl(WideSum { inner: sum_udaf(), signature: Signature::user_defined(Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct WideSum {
    inner: Arc<AggregateUDF>,
    signature: Signature,
}

impl AggregateUDFImpl for WideSum {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [data_type] = types else { return plan_err!("sum takes one argument, and {} are given", types.len()) };
        let plain = match data_type {
            DataType::Dictionary(_, value) => value.as_ref(),
            data_type => data_type,
        };
        Ok(vec![match plain {
            DataType::Decimal128(precision, scale) if *precision > SUMMED_IN_128_BITS => DataType::Decimal256(*precision, *scale),
            DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 | DataType::Null => DataType::Int64,
            DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => DataType::UInt64,
            DataType::Float16 | DataType::Float32 | DataType::Float64 => DataType::Float64,
            DataType::Duration(_) | DataType::Interval(_) => plain.clone(),
            decimal if decimal.is_decimal() => decimal.clone(),
            other => return plan_err!("sum takes numbers, and {other} is none: CAST it to one"),
        }])
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(types)
    }

    fn return_field(&self, fields: &[FieldRef]) -> Result<FieldRef> {
        self.inner.return_field(fields)
    }

    fn accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let data_type = arguments.return_type().clone();
        if !is_of_integers(&data_type) {
            return self.inner.accumulator(arguments);
        }
        let arguments = AccumulatorArgs { return_field: added_as(&arguments.return_field), ..arguments };
        Ok(Box::new(IntegerSum::new(self.inner.accumulator(arguments)?, data_type)))
    }

    fn state_fields(&self, arguments: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        if !is_of_integers(arguments.return_type()) {
            return self.inner.state_fields(arguments);
        }
        self.inner.state_fields(StateFieldsArgs { return_field: added_as(&arguments.return_field), ..arguments })
    }

    fn groups_accumulator_supported(&self, arguments: AccumulatorArgs<'_>) -> bool {
        self.inner.groups_accumulator_supported(arguments)
    }

    fn create_groups_accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        let data_type = arguments.return_type().clone();
        if !is_of_integers(&data_type) {
            return self.inner.create_groups_accumulator(arguments);
        }
        let arguments = AccumulatorArgs { return_field: added_as(&arguments.return_field), ..arguments };
        Ok(Box::new(IntegerSum::new(self.inner.create_groups_accumulator(arguments)?, data_type)))
    }

    fn create_sliding_accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let data_type = arguments.return_type().clone();
        // DataFusion has no sliding sum of distinct decimals.
        if !is_of_integers(&data_type) || arguments.is_distinct {
            return self.inner.create_sliding_accumulator(arguments);
        }
        let arguments = AccumulatorArgs { return_field: added_as(&arguments.return_field), ..arguments };
        Ok(Box::new(IntegerSum::new(self.inner.create_sliding_accumulator(arguments)?, data_type)))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        self.inner.order_sensitivity()
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn set_monotonicity(&self, data_type: &DataType) -> SetMonotonicity {
        self.inner.inner().set_monotonicity(data_type)
    }
}

#[cfg(test)]
mod tests {
    use headwater_schemas::Money;
    use headwater_schemas::value::fixed;

    use crate::testing::{TestData, at, facts, leg, message, rows, text};

    #[test]
    fn a_number_or_an_error_and_never_a_wrapped_one() {
        let catalog = TestData::new().catalog();
        let nines = "9".repeat(38);
        for (sql, expected) in [
            (
                format!("SELECT SUM(x) FROM (VALUES (CAST('{nines}' AS DECIMAL(38,0))), (CAST('{nines}' AS DECIMAL(38,0)))) AS t(x)"),
                format!("1{}8", "9".repeat(37)),
            ),
            // Two and three columns of money, like a notional in another currency.
            (
                "SELECT SUM(CAST(a AS DECIMAL(28,9)) * CAST(b AS DECIMAL(28,9)) * CAST(c AS DECIMAL(28,9))) \
                 FROM (VALUES (50000, 1000000, 150), (60000, 2000000, 150)) AS v(a, b, c)"
                    .to_owned(),
                "25500000000000".to_owned(),
            ),
            ("SELECT SUM(x) OVER () FROM (VALUES (CAST(1 AS DECIMAL(38,9)))) AS t(x)".to_owned(), "1".to_owned()),
            (
                "SELECT SUM(DISTINCT x) FROM (VALUES (CAST(1 AS DECIMAL(38,9))), (CAST(1 AS DECIMAL(38,9)))) AS t(x)".to_owned(),
                "1".to_owned(),
            ),
            ("SELECT SUM(x) FROM (VALUES (1), (2)) AS t(x)".to_owned(), "3".to_owned()),
            ("SELECT SUM(x) FROM (VALUES (CAST(0.5 AS DOUBLE)), (2)) AS t(x)".to_owned(), "2.5".to_owned()),
            ("SELECT AVG(x) FROM (VALUES (CAST('9' AS DECIMAL(38,9)) ), (CAST(10 AS DECIMAL(38,9)))) AS t(x)".to_owned(), "9.5".to_owned()),
        ] {
            assert_eq!(rows(&catalog, &sql), [expected], "{sql}");
        }
        // Integers: grouped, distinct, in windows, and back below the limit.
        for (sum, values, expected) in [
            ("SUM(x)", "(9223372036854775807), (1), (-1)", "9223372036854775807"),
            ("SUM(x)", "(CAST(2147483647 AS INT)), (CAST(1 AS INT))", "2147483648"),
            ("SUM(x)", "(CAST(9223372036854775807 AS BIGINT UNSIGNED)), (1)", "9223372036854775808"),
            ("SUM(DISTINCT x)", "(9223372036854775807), (9223372036854775807)", "9223372036854775807"),
            ("SUM(x)", "(CAST(NULL AS BIGINT))", ""),
        ] {
            let sql = format!("SELECT {sum} FROM (VALUES {values}) AS t(x)");
            assert_eq!(rows(&catalog, &sql), [expected], "{sql}");
            assert_eq!(rows(&catalog, &format!("{sql} GROUP BY x IS NULL")), [expected], "{sql}, grouped");
        }
        assert_eq!(
            rows(
                &catalog,
                "SELECT SUM(x) OVER (ORDER BY x ROWS 1 PRECEDING) FROM (VALUES (9223372036854775806), (1), (0)) AS t(x) ORDER BY x"
            ),
            ["0", "1", "9223372036854775807"]
        );
        assert_eq!(rows(&catalog, "SELECT ARROW_TYPEOF(SUM(x)) FROM (VALUES (1)) AS t(x)"), ["Int64"]);
        for sql in [
            "SELECT SUM(x) FROM (VALUES (9223372036854775807), (1)) AS t(x)",
            "SELECT SUM(x) FROM (VALUES (-9223372036854775807), (-2)) AS t(x)",
            "SELECT SUM(DISTINCT x) FROM (VALUES (9223372036854775807), (1), (1)) AS t(x)",
            "SELECT y, SUM(x) FROM (VALUES (9223372036854775807, 'a'), (1, 'a')) AS t(x, y) GROUP BY y",
            "SELECT SUM(x) OVER () FROM (VALUES (9223372036854775807), (1)) AS t(x)",
            "SELECT SUM(x) OVER (ORDER BY x ROWS 1 PRECEDING) FROM (VALUES (9223372036854775807), (1)) AS t(x)",
        ] {
            let overflow = message(&catalog, sql);
            assert!(overflow.to_lowercase().contains("overflow"), "{sql}: {overflow}");
        }
        let factors = vec![format!("CAST('{nines}' AS DECIMAL(38,0))"); 3].join(" * ");
        let overflow = message(&catalog, &format!("SELECT {factors}"));
        assert!(overflow.to_lowercase().contains("overflow") || overflow.contains("too large"), "{overflow}");
        let none = message(&catalog, "SELECT SUM(x) FROM (VALUES ('a')) AS t(x)");
        assert!(none.contains("sum takes numbers"), "{none}");
    }

    #[test]
    fn a_quotient_has_at_least_the_digits_that_postgresql_gives() {
        let catalog = TestData::new().catalog();
        for (sql, postgresql) in [
            ("1000000 * (0.05 / 365)", "136.9863013698630100"),
            ("1 / 1.08875", "0.91848450057405281286"),
            ("1.0 / 3", "0.33333333333333333333"),
            ("CAST(1 AS DECIMAL(28,9)) / CAST(3 AS DECIMAL(28,9))", "0.33333333333333333333"),
            ("0.05 / 31536000", "0.0000000015854895992"),
            ("100.0 / 7", "14.2857142857142857"),
            ("-22.0 / 7", "-3.1428571428571429"),
            ("10.0 / 4", "2.5"),
            ("CAST(12345678901234567890123456789 AS DECIMAL(38,0)) / 7", "1763668414462081127160493827"),
        ] {
            let value = rows(&catalog, &format!("SELECT {sql}")).concat();
            // Ours has further digits where PostgreSQL rounds.
            let digits = postgresql.trim_end_matches('0').len() - 1;
            assert_eq!(value.get(..digits), postgresql.get(..digits), "{sql}: {value}");
        }
        // The last digit is rounded half away from zero, as PostgreSQL rounds its last one.
        for (sql, expected) in [
            ("2.0 / 3", "0.6666666666666666666666666667"),
            ("-2.0 / 3", "-0.6666666666666666666666666667"),
            ("1 / 1.08875", "0.9184845005740528128587830080"),
            ("1.0 / 20000000000000000000000000000", "0.0000000000000000000000000001"),
            ("-1.0 / 20000000000000000000000000000", "-0.0000000000000000000000000001"),
            ("1.0 / 20000000000000000000000000001", "0"),
            ("CAST(2 AS DECIMAL(38,9)) / CAST(3 AS DECIMAL(38,9))", "0.6666666666666666666666666667"),
            ("2.0 / 3 / 2", "0.3333333333333333333333333333"),
            ("x / 3", "0.6666666666666666666666666667"),
        ] {
            let value = rows(&catalog, &format!("SELECT {sql} AS q FROM (VALUES (2.0)) AS t(x)")).concat();
            let kept = |number: &str| number.trim_end_matches('0').get(..30.min(number.trim_end_matches('0').len())).map(str::to_owned);
            assert_eq!(kept(&value), kept(expected), "{sql}: {value}");
        }
        assert_eq!(rows(&catalog, "SELECT 7 / 2 AS a, CAST(7 AS DOUBLE) / 2 AS b, ROUND(2.0 / 3, 4) AS c"), ["3,3.5,0.6667"]);
        assert!(message(&catalog, "SELECT 1.5 / 0").contains("Divide by zero"));
    }

    #[test]
    fn columns_keep_their_names_and_can_be_grouped_by() {
        let mut data = TestData::new();
        let legs = [leg("t1", 1, "a", "EUR", Money::whole(3), at(1, 0)), leg("t2", 1, "a", "EUR", Money::whole(3), at(1, 0))];
        data.commit(vec![facts(&legs)]);
        let catalog = data.catalog();
        let answer = text(
            &catalog,
            "SELECT amount * amount, SUM(amount * amount) FROM ledger_entries GROUP BY amount * amount ORDER BY amount * amount",
            crate::render::Format::Csv,
        );
        let answer = answer.unwrap();
        let header = answer.lines().next().unwrap_or_default();
        assert!(!header.contains("CAST") && header.contains("amount * ledger_entries.amount"), "{header}");
        assert_eq!(answer.lines().nth(1), Some("9,18"));
    }

    #[test]
    fn a_sum_beside_a_count_of_what_is_distinct_is_called_a_sum() {
        let mut data = TestData::new();
        data.commit(vec![facts(&[
            leg("t1", 1, "a", "EUR", Money::whole(3), at(1, 0)),
            leg("t2", 1, "a", "EUR", Money::whole(4), at(1, 0)),
        ])]);
        let catalog = data.catalog();
        let sql = "SELECT SUM(amount), COUNT(DISTINCT transaction_id), SUM(amount) OVER () > 0 AS w FROM ledger_entries GROUP BY amount ORDER BY 1";
        assert_eq!(rows(&catalog, sql), ["3,1,true", "4,1,true"]);
        let answer =
            text(&catalog, "SELECT SUM(amount), COUNT(DISTINCT currency) FROM ledger_entries", crate::render::Format::Csv).unwrap();
        assert_eq!(answer.lines().next(), Some("sum(ledger_entries.amount),count(DISTINCT ledger_entries.currency)"));
    }

    #[test]
    fn sums_of_money_stay_in_128_bits() {
        let mut data = TestData::new();
        let greatest = Money::from_units(fixed::MAX_UNITS);
        data.commit(vec![facts(&(0..3).map(|number| leg("t", number, "a", "EUR", greatest, at(1, 0))).collect::<Vec<_>>())]);
        assert_eq!(rows(&data.catalog(), "SELECT ARROW_TYPEOF(SUM(amount)) FROM ledger_entries"), ["\"Decimal128(38, 9)\""]);
    }
}
