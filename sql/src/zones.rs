//! `AT TIME ZONE` as in PostgreSQL: converts a time with zone to the local time there, and a local time to a time with zone.
//!
//! DataFusion plans it as a cast, whose result shows the right local time but becomes UTC again when cast further.

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{Result, ScalarValue, internal_err, plan_err};
use datafusion::functions::datetime::to_local_time;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, cast};
use datafusion::sql::sqlparser::ast::{Expr as Sql, Statement, visit_expressions_mut};

use crate::syntax::call;

/// The function that replaces the operator.
const NAME: &str = "at_time_zone";
/// The zone of times with a zone.
const UTC: &str = "UTC";

/// Replaces every `AT TIME ZONE` in a statement by a function call.
pub(crate) fn call_function(statement: &mut Statement) {
    let _ = visit_expressions_mut(statement, |expr| {
        if let Sql::AtTimeZone { timestamp, time_zone } = expr {
            *expr = call(NAME, vec![timestamp.as_ref().clone(), time_zone.as_ref().clone()]);
        }
        ControlFlow::<()>::Continue(())
    });
}

/// The function of a time and the name of a zone.
pub(crate) fn at_time_zone() -> ScalarUDF {
    ScalarUDF::new_from_impl(AtTimeZone { signature: Signature::any(2, Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct AtTimeZone {
    signature: Signature,
}

fn timestamp(zone: Option<&str>) -> DataType {
    DataType::Timestamp(TimeUnit::Nanosecond, zone.map(Arc::from))
}

/// Whether a time is local, that is, without a zone.
const fn is_local(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Timestamp(_, None) | DataType::Date32 | DataType::Date64)
}

impl ScalarUDFImpl for AtTimeZone {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let Some(data_type) = types.first() else { return plan_err!("AT TIME ZONE needs a time") };
        Ok(timestamp(is_local(data_type).then_some(UTC)))
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        internal_err!("AT TIME ZONE is planned, not called")
    }

    fn simplify(&self, mut arguments: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        let zone = match arguments.pop() {
            Some(Expr::Literal(
                ScalarValue::Utf8(Some(zone)) | ScalarValue::Utf8View(Some(zone)) | ScalarValue::LargeUtf8(Some(zone)),
                _,
            )) => zone,
            _ => return plan_err!("AT TIME ZONE needs the name of a zone as text, like 'America/New_York'"),
        };
        let Some(time) = arguments.pop() else { return plan_err!("AT TIME ZONE needs a time") };
        let there = timestamp(Some(&zone));
        let planned = if is_local(&info.get_data_type(&time)?) {
            cast(cast(cast(time, timestamp(None)), there), timestamp(Some(UTC)))
        } else {
            to_local_time().call(vec![cast(cast(time, timestamp(Some(UTC))), there)])
        };
        Ok(ExprSimplifyResult::Simplified(planned))
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{TestData, at, balance, changes, message, rows};

    #[test]
    fn a_moment_has_a_local_time_and_a_local_time_is_a_moment() {
        let mut data = TestData::new();
        data.commit(vec![changes(&[(balance("a", 1, at(5, 52_200)), 1)])]); // 14:30 UTC
        let catalog = data.catalog();
        for (sql, expected) in [
            ("ts AT TIME ZONE 'America/New_York'", "2026-01-05T09:30:00"),
            ("CAST(ts AT TIME ZONE 'America/New_York' AS TIMESTAMP)", "2026-01-05T09:30:00"),
            ("CAST(ts AT TIME ZONE 'America/New_York' AS DATE)", "2026-01-05"),
            ("DATE_TRUNC('day', ts AT TIME ZONE 'Asia/Tokyo')", "2026-01-05T00:00:00"),
            ("EXTRACT(HOUR FROM ts AT TIME ZONE 'Asia/Kolkata')", "20"),
            ("ts AT TIME ZONE 'UTC'", "2026-01-05T14:30:00"),
            ("(ts AT TIME ZONE 'America/New_York') AT TIME ZONE 'America/New_York'", "2026-01-05T14:30:00Z"),
            ("CAST('2026-01-05T09:30:00' AS TIMESTAMP) AT TIME ZONE 'America/New_York'", "2026-01-05T14:30:00Z"),
            ("CAST('2026-07-05T09:30:00' AS TIMESTAMP) AT TIME ZONE 'America/New_York' > ts", "true"),
        ] {
            assert_eq!(rows(&catalog, &format!("SELECT {sql} FROM balances")), [expected], "{sql}");
        }
        assert_eq!(rows(&catalog, "SELECT COUNT(*) FROM balances WHERE EXTRACT(HOUR FROM ts AT TIME ZONE 'Europe/Berlin') = 15"), ["1"]);
        let unknown = message(&catalog, "SELECT ts AT TIME ZONE 'US/NewYork' FROM balances");
        assert!(unknown.contains("US/NewYork"), "{unknown}");
        let no_text = message(&catalog, "SELECT ts AT TIME ZONE account_id FROM balances");
        assert!(no_text.contains("AT TIME ZONE needs the name of a zone"), "{no_text}");
    }
}
