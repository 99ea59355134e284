//! Times with fewer digits of a second: `ts::timestamp(0)`, `localtimestamp(3)`.
//!
//! DataFusion has types of whole seconds, milliseconds and microseconds, and cuts off what they do not have; PostgreSQL rounds, half away
//! from the year 2000. Here the time keeps its type, and is rounded.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, PrimitiveArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimeUnit, TimestampNanosecondType};
use datafusion::common::{Result, exec_datafusion_err, exec_err, plan_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use datafusion::sql::sqlparser::ast::{DataType as SqlType, Expr, TypedString, Value};

use crate::syntax::call;

/// The function that rounds.
const NAME: &str = "rounded_time";
/// The digits of a second that times have.
const DIGITS: u64 = 9;
/// The beginning of the year 2000 in nanoseconds since 1970, as PostgreSQL counts.
const YEAR_2000: i64 = 946_684_800_000_000_000;

/// Puts the function around a cast to a time with fewer digits.
pub(crate) fn call_function(expr: &mut Expr) {
    let (Expr::Cast { data_type, .. } | Expr::TypedString(TypedString { data_type, .. })) = expr else { return };
    let SqlType::Timestamp(digits, _) = data_type else { return };
    let Some(kept) = digits.filter(|digits| *digits < DIGITS) else { return };
    *digits = None;
    *expr = call(NAME, vec![expr.clone(), Expr::value(Value::Number(kept.to_string(), false))]);
}

/// The function of a time and a number of digits.
pub(crate) fn rounded_time() -> ScalarUDF {
    ScalarUDF::new_from_impl(RoundedTime { signature: Signature::any(2, Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct RoundedTime {
    signature: Signature,
}

impl ScalarUDFImpl for RoundedTime {
    fn name(&self) -> &'static str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [DataType::Timestamp(_, zone), _] => Ok(DataType::Timestamp(TimeUnit::Nanosecond, zone.clone())),
            _ => plan_err!("a time and its number of digits were promised"),
        }
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = ColumnarValue::values_to_arrays(&arguments.args)?;
        let [times, digits] = columns.as_slice() else { return exec_err!("a time and its number of digits were promised") };
        let digits = cast(digits, &DataType::Int64)?;
        let kept = digits.as_primitive::<Int64Type>().iter().flatten().next().and_then(|digits| u32::try_from(digits).ok());
        let unit = kept.and_then(|digits| 9_u32.checked_sub(digits)).map(|zeros| 10_i64.pow(zeros));
        let Some(unit) = unit else { return exec_err!("a number of digits up to 9 was promised") };
        let times = cast(times, arguments.return_type())?;
        let rounded: PrimitiveArray<TimestampNanosecondType> = times
            .as_primitive::<TimestampNanosecondType>()
            .try_unary(|time| rounded(time, unit).ok_or_else(|| exec_datafusion_err!("timestamp out of range")))?;
        Ok(ColumnarValue::Array(Arc::new(rounded.with_data_type(arguments.return_type().clone())) as ArrayRef))
    }
}

fn rounded(time: i64, unit: i64) -> Option<i64> {
    let since = time.checked_sub(YEAR_2000)?;
    let (rest, half) = (since % unit, unit / 2);
    let up = if rest.abs() >= half && unit > 1 { unit * rest.signum() } else { 0 };
    since.checked_sub(rest)?.checked_add(up)?.checked_add(YEAR_2000)
}

#[cfg(test)]
mod tests {
    use crate::testing::{TestData, rows};

    /// The answers are those of PostgreSQL 15.
    #[test]
    fn a_time_with_fewer_digits_is_rounded() {
        let catalog = TestData::new().catalog();
        for (time, expected) in [
            ("timestamp(0) '2026-01-05 10:00:00.6'", "2026-01-05T10:00:01"),
            ("'2026-01-05 10:00:00.4'::timestamp(0)", "2026-01-05T10:00:00"),
            ("'1999-01-05 10:00:00.5'::timestamp(0)", "1999-01-05T10:00:00"),
            ("x::timestamp(3)", "2026-01-05T10:00:00.124"),
            ("x::timestamp(1)", "2026-01-05T10:00:00.100"),
            ("CAST(x AS timestamptz(2))", "2026-01-05T10:00:00.12Z"),
            ("localtimestamp(0) - localtimestamp < interval '1 second'", "true"),
            ("current_timestamp(0) >= date '2026-01-01'", "true"),
        ] {
            let sql = format!("SELECT {time} AS t FROM (VALUES ('2026-01-05T10:00:00.1235'::timestamp)) AS v(x)");
            assert_eq!(rows(&catalog, &sql), [expected], "{time}");
        }
    }
}
