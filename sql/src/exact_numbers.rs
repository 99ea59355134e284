//! Numbers that are `numeric` in PostgreSQL, with all their digits: `x::numeric`, `EXTRACT(HOUR FROM ts)`.
//!
//! DataFusion takes `numeric` without a number of digits for `DECIMAL(38, 10)`, which cuts off what a decimal has beyond, and gives parts of
//! times as integers, so that `EXTRACT(MINUTE FROM ts) / 60` was 0. Here `numeric` keeps decimals as they are; a floating-point number has
//! the 15 digits that PostgreSQL takes over. `float` without a number of digits is `double precision`, as it is there.

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Decimal128Array};
use arrow::compute::cast;
use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DECIMAL256_MAX_PRECISION, DataType, Float64Type};
use datafusion::common::{Result, exec_datafusion_err, exec_err, plan_err};
use datafusion::logical_expr::{ColumnarValue, Expr as LogicalExpr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use datafusion::sql::sqlparser::ast::{
    CastKind, DataType as SqlType, ExactNumberInfo, Expr, Function, Statement, TypedString, UnaryOperator, Value, visit_expressions_mut,
};

use crate::epochs::epoch;
use crate::syntax::call;
use crate::wire::number_of;

/// The function that stands for a cast.
pub(crate) const NAME: &str = "as_numeric";
/// The greatest precision of `float` that is `real`.
const REAL_DIGITS: u64 = 24;
/// Digits after the point of what was a floating-point number.
const FLOAT_SCALE: i8 = 15;
/// Digits after the point of what was a text.
const TEXT_SCALE: i8 = 30;
/// Digits of the greatest integer.
const INTEGER_DIGITS: u8 = 20;

/// Puts the function for casts to `numeric` and for parts of times in a statement.
pub(crate) fn replace(statement: &mut Statement) {
    // A part is visited before what it is a part of.
    let _ = visit_expressions_mut(statement, |expr| {
        match expr {
            Expr::Cast { data_type, .. } | Expr::TypedString(TypedString { data_type, .. }) => wide_float(data_type),
            _ => {}
        }
        let exact = match expr {
            Expr::Cast { kind: CastKind::Cast | CastKind::DoubleColon, expr: inner, data_type, .. } if is_numeric(data_type) => {
                Some(exact_number(inner).unwrap_or_else(|| call(NAME, vec![inner.as_ref().clone()])))
            }
            Expr::Extract { .. } => Some(epoch(expr).unwrap_or_else(|| call(NAME, vec![expr.clone()]))),
            Expr::Function(function) if is_part(function) => Some(epoch(expr).unwrap_or_else(|| call(NAME, vec![expr.clone()]))),
            _ => None,
        };
        if let Some(exact) = exact {
            *expr = exact;
        }
        ControlFlow::<()>::Continue(())
    });
}

const fn is_numeric(data_type: &SqlType) -> bool {
    matches!(
        data_type,
        SqlType::Numeric(ExactNumberInfo::None) | SqlType::Decimal(ExactNumberInfo::None) | SqlType::Dec(ExactNumberInfo::None)
    )
}

fn is_part(function: &Function) -> bool {
    ["date_part", "datepart"].iter().any(|name| function.name.to_string().eq_ignore_ascii_case(name))
}

fn wide_float(data_type: &mut SqlType) {
    if let SqlType::Float(digits) = data_type {
        *data_type = match digits {
            ExactNumberInfo::Precision(digits) if *digits <= REAL_DIGITS => SqlType::Real,
            _ => SqlType::DoublePrecision,
        };
    }
}

/// A number that is written out, in the type that it has by itself.
pub(crate) fn exact_number(expr: &Expr) -> Option<Expr> {
    match expr {
        Expr::Nested(inner) => exact_number(inner),
        Expr::Value(value) => match &value.value {
            Value::Number(text, _) => number_of(text),
            Value::SingleQuotedString(text) => number_of(text.trim()),
            _ => None,
        },
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => match expr.as_ref() {
            Expr::Value(value) => match &value.value {
                Value::Number(text, _) => number_of(&format!("-{text}")),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

/// The function of a number or a text.
pub(crate) fn as_numeric() -> ScalarUDF {
    ScalarUDF::new_from_impl(AsNumeric { signature: Signature::any(1, Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct AsNumeric {
    signature: Signature,
}

fn numeric_type(data_type: &DataType) -> Option<DataType> {
    Some(match data_type {
        decimal if decimal.is_decimal() => decimal.clone(),
        integer if integer.is_integer() => DataType::Decimal128(INTEGER_DIGITS, 0),
        DataType::Float16 | DataType::Float32 | DataType::Float64 | DataType::Null => {
            DataType::Decimal128(DECIMAL128_MAX_PRECISION, FLOAT_SCALE)
        }
        text if text.is_string() => DataType::Decimal256(DECIMAL256_MAX_PRECISION, TEXT_SCALE),
        DataType::Dictionary(_, value) => return numeric_type(value),
        _ => return None,
    })
}

impl ScalarUDFImpl for AsNumeric {
    fn name(&self) -> &'static str {
        NAME
    }

    /// A part of a time keeps the name that it has without this function.
    fn schema_name(&self, arguments: &[LogicalExpr]) -> Result<String> {
        match arguments {
            [part @ LogicalExpr::ScalarFunction(function)] if function.name() == "date_part" => Ok(part.schema_name().to_string()),
            [value] => Ok(format!("{NAME}({})", value.schema_name())),
            _ => plan_err!("a cast has one value"),
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let [data_type] = types else { return plan_err!("a cast has one value") };
        match numeric_type(data_type) {
            Some(numeric) => Ok(numeric),
            None => plan_err!("cannot cast {data_type} to numeric: EXTRACT(EPOCH FROM x) is a time or an interval as a number of seconds"),
        }
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [value] = arguments.args.as_slice() else { return exec_err!("a cast has one value") };
        let data_type = arguments.return_type();
        match value.data_type() {
            known if known == *data_type => Ok(value.clone()),
            DataType::Float16 | DataType::Float32 | DataType::Float64 => {
                let columns = ColumnarValue::values_to_arrays(std::slice::from_ref(value))?;
                let [column] = columns.as_slice() else { return exec_err!("a cast has one value") };
                Ok(ColumnarValue::Array(of_floats(column)?))
            }
            _ => value.cast_to(data_type, None),
        }
    }
}

/// Floating-point numbers, rounded to 15 digits.
fn of_floats(column: &ArrayRef) -> Result<ArrayRef> {
    let column = cast(column, &DataType::Float64)?;
    let numbers = column.as_primitive::<Float64Type>().iter().map(|number| number.map(in_digits).transpose());
    let numbers: Decimal128Array = numbers.collect::<Result<_>>()?;
    Ok(Arc::new(numbers.with_precision_and_scale(DECIMAL128_MAX_PRECISION, FLOAT_SCALE)?))
}

/// The 15 digits of a number that has so many, as PostgreSQL takes them over.
fn in_digits(number: f64) -> Result<i128> {
    let out_of_range = || exec_datafusion_err!("numeric out of range: {number:e} has no place in DECIMAL(38, {FLOAT_SCALE})");
    // `-1.23400000000000e2`
    let text = format!("{number:.14e}");
    let (digits, exponent) = text.split_once('e').ok_or_else(out_of_range)?;
    let digits: i128 = digits.replace('.', "").parse().map_err(|_| out_of_range())?;
    let exponent: i32 = exponent.parse().map_err(|_| out_of_range())?;
    // The last of the digits is 14 places after the first, and this many before the last place of the decimal.
    let zeros = exponent - 14 + i32::from(FLOAT_SCALE);
    let power = |zeros: u32| 10_i128.checked_pow(zeros);
    match u32::try_from(zeros) {
        Ok(zeros) => power(zeros).and_then(|power| digits.checked_mul(power)).ok_or_else(out_of_range),
        // What is left of half a unit of the last place is nothing.
        Err(_) => Ok(power(zeros.unsigned_abs()).map_or(0, |power| (digits + digits.signum() * (power / 2)) / power)),
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{TestData, at, balance, changes, message, rows};

    /// The answers are those of PostgreSQL 15; quotients have more digits here.
    #[test]
    fn a_cast_to_numeric_keeps_all_digits() {
        let catalog = TestData::new().catalog();
        for (number, expected) in [
            ("'0.123456789012345'::numeric", "0.123456789012345"),
            ("(1.0 / 3)::numeric", "0.3333333333333333333333333333"),
            ("CAST('-1.5' AS NUMERIC) * 2", "-3"),
            ("x::numeric", "0.12345678901234"),
            ("12345678901234567890123456789.5::decimal", "12345678901234567890123456789.5"),
            ("0.1::float8::numeric", "0.1"),
            ("1.005::float8::numeric", "1.005"),
            ("123456789.987654321::float8::numeric", "123456789.987654"),
            ("1e-12::float8::numeric", "0.000000000001"),
            ("-2.5e10::float8::numeric", "-25000000000"),
            ("7::numeric / 2", "3.5"),
            ("n::numeric / 2", "3.5"),
            ("round(2.5::float8::numeric)", "3"),
            ("NULL::numeric", ""),
            ("16777217::float", "16777217.0"),
            ("pg_typeof(1::float(24))", "real"),
        ] {
            let sql = format!("SELECT {number} AS x FROM (VALUES ('0.12345678901234', 7)) AS v(x, n)");
            assert_eq!(rows(&catalog, &sql), [expected], "{number}");
        }
        assert!(message(&catalog, "SELECT x::numeric FROM (VALUES ('1.x')) AS v(x)").contains("1.x"));
        assert!(message(&catalog, "SELECT 1e30::float8::numeric").contains("numeric out of range"));
        assert!(message(&catalog, "SELECT interval '1 day'::numeric").contains("EXTRACT(EPOCH FROM x)"));
    }

    /// The answers are those of PostgreSQL 15; quotients have more digits here.
    #[test]
    fn parts_of_times_are_no_integers() {
        let mut data = TestData::new();
        // 15:30:00 on the 5th.
        data.commit(vec![changes(&[(balance("a", 1, at(5, 55_800)), 1)])]);
        let catalog = data.catalog();
        for (part, expected) in [
            ("EXTRACT(MINUTE FROM ts) / 60", "0.5"),
            ("EXTRACT(HOUR FROM ts) + EXTRACT(MINUTE FROM ts) / 60", "15.5"),
            ("date_part('hour', ts) / 2", "7.5"),
            ("EXTRACT(EPOCH FROM interval '90 seconds') / 60", "1.5"),
            ("EXTRACT(DOW FROM ts)::int", "1"),
            ("EXTRACT(YEAR FROM ts) = 2026 AND EXTRACT(MONTH FROM ts) IN (1, 2)", "true"),
            ("pg_typeof(EXTRACT(DAY FROM ts))", "numeric"),
        ] {
            assert_eq!(rows(&catalog, &format!("SELECT {part} AS x FROM balances")), [expected], "{part}");
        }
        let grouped = "SELECT EXTRACT(HOUR FROM ts), COUNT(*) FROM balances GROUP BY EXTRACT(HOUR FROM ts) ORDER BY EXTRACT(HOUR FROM ts)";
        assert_eq!(rows(&catalog, grouped), ["15,1"]);
    }
}
