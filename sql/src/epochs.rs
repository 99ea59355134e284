//! `EXTRACT(EPOCH FROM x)` and `date_part('epoch', x)` as exact decimals: seconds since 1970, or of an interval.
//!
//! DataFusion computes them as floating-point numbers, which have no nanoseconds of today. As in PostgreSQL, twelve months of an interval
//! are 365.25 days, and the months that are left have 30 each.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Decimal128Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, IntervalMonthDayNano, IntervalMonthDayNanoType, Time64NanosecondType, TimeUnit, TimestampNanosecondType};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::{ColumnarValue, Expr as LogicalExpr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use datafusion::sql::sqlparser::ast::{DateTimeField, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Value};

use crate::intervals::INTERVAL;
use crate::syntax::call;

/// The function that replaces both.
const NAME: &str = "epoch_of";
/// Seconds with nanoseconds.
const SECONDS: DataType = DataType::Decimal128(28, 9);
/// Nanoseconds of a day, and of a year of 365.25 days.
const DAY: i128 = 86_400_000_000_000;
const YEAR: i128 = DAY * 1461 / 4;

/// The call of the function that stands for an expression.
pub(crate) fn epoch(expr: &Expr) -> Option<Expr> {
    match expr {
        Expr::Extract { field: DateTimeField::Epoch, expr, .. } => Some(call(NAME, vec![expr.as_ref().clone()])),
        Expr::Function(function) if function.name.to_string().eq_ignore_ascii_case("date_part") => {
            let FunctionArguments::List(list) = &function.args else { return None };
            let [FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(part))), FunctionArg::Unnamed(FunctionArgExpr::Expr(of))] =
                list.args.as_slice()
            else {
                return None;
            };
            let is_epoch = matches!(&part.value, Value::SingleQuotedString(part) if part.eq_ignore_ascii_case("epoch"));
            is_epoch.then(|| call(NAME, vec![of.clone()]))
        }
        _ => None,
    }
}

/// The function of a time or an interval.
pub(crate) fn epoch_of() -> ScalarUDF {
    ScalarUDF::new_from_impl(Epoch { signature: Signature::any(1, Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Epoch {
    signature: Signature,
}

/// The type in which a value is read.
fn read_as(data_type: &DataType) -> Option<DataType> {
    Some(match data_type {
        DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => DataType::Timestamp(TimeUnit::Nanosecond, None),
        DataType::Time32(_) | DataType::Time64(_) => DataType::Time64(TimeUnit::Nanosecond),
        DataType::Interval(_) | DataType::Duration(_) | DataType::Null => INTERVAL,
        _ => return None,
    })
}

impl ScalarUDFImpl for Epoch {
    fn name(&self) -> &'static str {
        NAME
    }

    /// That of the function in the query.
    fn schema_name(&self, arguments: &[LogicalExpr]) -> Result<String> {
        let [value] = arguments else { return plan_err!("EXTRACT(EPOCH FROM x) needs one value") };
        Ok(format!("date_part(Utf8(\"EPOCH\"),{})", value.schema_name()))
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [data_type] if read_as(data_type).is_some() => Ok(SECONDS),
            [data_type] => plan_err!("EXTRACT(EPOCH FROM x) needs a time or an interval, and {data_type} is none: CAST it to one"),
            _ => plan_err!("EXTRACT(EPOCH FROM x) needs one value"),
        }
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = ColumnarValue::values_to_arrays(&arguments.args)?;
        let [column] = columns.as_slice() else { return exec_err!("EXTRACT(EPOCH FROM x) needs one value") };
        let Some(data_type) = read_as(column.data_type()) else { return exec_err!("a time or an interval was promised") };
        let column = cast(column, &data_type)?;
        let nanoseconds: Decimal128Array = match data_type {
            DataType::Timestamp(..) => column.as_primitive::<TimestampNanosecondType>().iter().map(|time| time.map(i128::from)).collect(),
            DataType::Time64(_) => column.as_primitive::<Time64NanosecondType>().iter().map(|time| time.map(i128::from)).collect(),
            _ => column.as_primitive::<IntervalMonthDayNanoType>().iter().map(|interval| interval.map(length)).collect(),
        };
        Ok(ColumnarValue::Array(Arc::new(nanoseconds.with_data_type(SECONDS)) as ArrayRef))
    }
}

fn length(interval: IntervalMonthDayNano) -> i128 {
    let (years, months) = (i128::from(interval.months / 12), i128::from(interval.months % 12));
    years * YEAR + (months * 30 + i128::from(interval.days)) * DAY + i128::from(interval.nanoseconds)
}

#[cfg(test)]
mod tests {
    use crate::testing::{TestData, message, rows};

    /// The answers are those of PostgreSQL 15.
    #[test]
    fn seconds_are_exact() {
        let catalog = TestData::new().catalog();
        for (epoch, expected) in [
            ("EXTRACT(EPOCH FROM timestamptz '2026-01-05 10:00:00.123456Z')", "1767607200.123456"),
            ("date_part('epoch', timestamp '2026-01-05 10:00:00.123456')", "1767607200.123456"),
            ("EXTRACT(EPOCH FROM date '2026-01-05')", "1767571200"),
            ("EXTRACT(EPOCH FROM time '10:00:01.5')", "36001.5"),
            ("EXTRACT(EPOCH FROM interval '1 day 2 hours')", "93600"),
            ("EXTRACT(EPOCH FROM interval '1 year 1 month')", "34149600"),
            ("EXTRACT(EPOCH FROM interval '-90 seconds') / 60", "-1.5"),
            ("EXTRACT(EPOCH FROM NULL::timestamp)", ""),
        ] {
            assert_eq!(rows(&catalog, &format!("SELECT {epoch} AS x")), [expected], "{epoch}");
        }
        assert!(message(&catalog, "SELECT EXTRACT(EPOCH FROM 1)").contains("needs a time or an interval"));
    }
}
