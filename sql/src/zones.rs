//! `AT TIME ZONE` as in PostgreSQL: converts a time with zone to the local time there, and a local time to a time with zone.
//!
//! DataFusion plans it as a cast, whose result shows the right local time but becomes UTC again when cast further; and its casts
//! fail for local times that a change of clocks skips or repeats. As in PostgreSQL, a skipped one counts by the offset before the
//! change, a repeated one by that after it.

use std::hash::{Hash, Hasher};
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{DataType, TimeUnit, TimestampNanosecondType};
use datafusion::common::{DataFusionError, Result, ScalarValue, exec_datafusion_err, internal_err, plan_datafusion_err, plan_err};
use datafusion::functions::datetime::to_local_time;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, cast};
use datafusion::sql::sqlparser::ast::{Expr as Sql, Statement, visit_expressions_mut};
use jiff::civil::DateTime;
use jiff::fmt::temporal::DateTimeParser;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};

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
        let planned = if is_local(&info.get_data_type(&time)?) {
            ScalarUDF::new_from_impl(LocalTime::of(&zone)?).call(vec![cast(time, timestamp(None))])
        } else {
            to_local_time().call(vec![cast(cast(time, timestamp(Some(UTC))), timestamp(Some(&zone)))])
        };
        Ok(ExprSimplifyResult::Simplified(planned))
    }
}

/// The moments of local times in a zone.
#[derive(Debug)]
struct LocalTime {
    /// It has the zone's name, by which two are told apart.
    name: String,
    zone: TimeZone,
    signature: Signature,
}

impl PartialEq for LocalTime {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for LocalTime {}

impl Hash for LocalTime {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.name.hash(hasher);
    }
}

impl LocalTime {
    /// In the zone of a name, like `Europe/Berlin`, or of an offset, like `+05:30`.
    fn of(zone: &str) -> Result<Self> {
        let found = DateTimeParser::new().parse_time_zone(zone);
        let found = found.map_err(|_| plan_datafusion_err!("{zone:?} is no time zone: write one like 'America/New_York'"))?;
        Ok(Self { name: format!("moment_in_{zone}"), zone: found, signature: Signature::any(1, Volatility::Immutable) })
    }
}

impl ScalarUDFImpl for LocalTime {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(timestamp(Some(UTC)))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [time] = arguments.args.as_slice() else { return internal_err!("{} has one argument", self.name) };
        let (is_scalar, times) = (matches!(time, ColumnarValue::Scalar(_)), time.to_array(arguments.number_rows)?);
        let local = times.as_primitive::<TimestampNanosecondType>();
        let moments = local.try_unary::<_, TimestampNanosecondType, DataFusionError>(|local| {
            moment(local, &self.zone).ok_or_else(|| exec_datafusion_err!("Overflow: {} is given a time out of range", self.name))
        })?;
        let moments: ArrayRef = Arc::new(moments.with_timezone(UTC));
        Ok(if is_scalar { ColumnarValue::Scalar(ScalarValue::try_from_array(&moments, 0)?) } else { ColumnarValue::Array(moments) })
    }
}

/// The moment of a local time, both in nanoseconds since the beginning of 1970; `None` if it is out of range.
fn moment(local: i64, zone: &TimeZone) -> Option<i64> {
    let civil = DateTime::constant(1970, 1, 1, 0, 0, 0, 0).checked_add(SignedDuration::from_nanos(local)).ok()?;
    let offset = match zone.to_ambiguous_timestamp(civil).offset() {
        AmbiguousOffset::Unambiguous { offset } => offset,
        AmbiguousOffset::Gap { before, .. } => before,
        AmbiguousOffset::Fold { after, .. } => after,
    };
    let moment: Timestamp = offset.to_timestamp(civil).ok()?;
    i64::try_from(moment.as_nanosecond()).ok()
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
            // PostgreSQL 17 gives these. Clocks in New York skip 02:30 on the 8th of March, and repeat 01:30 on the 1st of November;
            // those in São Paulo skipped the midnight of the 4th of November 2018.
            ("CAST('2026-03-08T02:30:00' AS TIMESTAMP) AT TIME ZONE 'America/New_York'", "2026-03-08T07:30:00Z"),
            ("CAST('2026-11-01T01:30:00' AS TIMESTAMP) AT TIME ZONE 'America/New_York'", "2026-11-01T06:30:00Z"),
            ("CAST('2018-11-04' AS DATE) AT TIME ZONE 'America/Sao_Paulo'", "2018-11-04T03:00:00Z"),
            ("CAST('2026-01-05T09:30:00' AS TIMESTAMP) AT TIME ZONE '+05:30'", "2026-01-05T04:00:00Z"),
            ("CAST(NULL AS TIMESTAMP) AT TIME ZONE 'Asia/Tokyo'", ""),
            (
                "(ts AT TIME ZONE 'America/New_York' + INTERVAL '62 days' - INTERVAL '7 hours') AT TIME ZONE 'America/New_York'",
                "2026-03-08T07:30:00Z",
            ),
        ] {
            assert_eq!(rows(&catalog, &format!("SELECT {sql} FROM balances")), [expected], "{sql}");
        }
        assert_eq!(rows(&catalog, "SELECT COUNT(*) FROM balances WHERE EXTRACT(HOUR FROM ts AT TIME ZONE 'Europe/Berlin') = 15"), ["1"]);
        let unknown = message(&catalog, "SELECT ts AT TIME ZONE 'US/NewYork' FROM balances");
        assert!(unknown.contains("US/NewYork"), "{unknown}");
        let unknown = message(&catalog, "SELECT CAST(ts AS DATE) AT TIME ZONE 'US/NewYork' FROM balances");
        assert!(unknown.contains("\"US/NewYork\" is no time zone"), "{unknown}");
        let no_text = message(&catalog, "SELECT ts AT TIME ZONE account_id FROM balances");
        assert!(no_text.contains("AT TIME ZONE needs the name of a zone"), "{no_text}");
    }
}
