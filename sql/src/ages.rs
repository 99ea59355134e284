//! `age(later, earlier)`, `justify_days`, `justify_hours` and `justify_interval`, which DataFusion does not have.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, IntervalMonthDayNanoArray};
use arrow::datatypes::{DataType, IntervalMonthDayNano, IntervalMonthDayNanoType, TimeUnit, TimestampNanosecondType};
use datafusion::common::{exec_datafusion_err, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::intervals::INTERVAL;

const TIME: DataType = DataType::Timestamp(TimeUnit::Nanosecond, None);
const NANOS_OF_DAY: i64 = 86_400_000_000_000;
const DAYS_OF_MONTH: i32 = 30;

/// Every function.
pub(crate) fn functions_of_ages() -> [ScalarUDF; 4] {
    [
        age(),
        justified("justify_days", |interval| days_as_months(interval).map(with_sign_of_months)),
        justified("justify_hours", |interval| time_as_days(interval).map(with_sign_of_days)),
        justified("justify_interval", |interval| {
            time_as_days(interval).and_then(days_as_months).map(|interval| with_sign_of_days(with_sign_of_months(interval)))
        }),
    ]
}

fn age() -> ScalarUDF {
    let between = |arguments: &[ColumnarValue]| {
        let columns = ColumnarValue::values_to_arrays(arguments)?;
        let [later, earlier] = columns.as_slice() else { return exec_err!("two times were promised") };
        let (later, earlier) = (later.as_primitive::<TimestampNanosecondType>(), earlier.as_primitive::<TimestampNanosecondType>());
        let between = |(later, earlier): (Option<i64>, Option<i64>)| Some(Some(age_of(civil(later?)?, civil(earlier?)?)));
        let ages: IntervalMonthDayNanoArray = later.iter().zip(earlier.iter()).map(|pair| between(pair).flatten()).collect();
        Ok(ColumnarValue::Array(Arc::new(ages) as ArrayRef))
    };
    create_udf("age", vec![TIME, TIME], INTERVAL, Volatility::Immutable, Arc::new(between))
}

fn civil(nanos: i64) -> Option<DateTime> {
    Timestamp::from_nanosecond(i128::from(nanos)).ok().map(|time| time.to_zoned(TimeZone::UTC).datetime())
}

/// Years and months, and the days and the time after them. As in PostgreSQL, a month that is not complete has the days of the month of
/// the earlier time.
fn age_of(later: DateTime, earlier: DateTime) -> IntervalMonthDayNano {
    if later < earlier {
        let IntervalMonthDayNano { months, days, nanoseconds } = age_of(earlier, later);
        return IntervalMonthDayNano::new(-months, -days, -nanoseconds);
    }
    let months_of = |time: DateTime| i32::from(time.year()) * 12 + i32::from(time.month());
    let nanos_of = |time: DateTime| {
        let seconds = i64::from(time.hour()) * 3600 + i64::from(time.minute()) * 60 + i64::from(time.second());
        seconds * 1_000_000_000 + i64::from(time.subsec_nanosecond())
    };
    let mut months = months_of(later) - months_of(earlier);
    let mut days = i32::from(later.day()) - i32::from(earlier.day());
    let mut nanos = nanos_of(later) - nanos_of(earlier);
    if nanos < 0 {
        nanos += NANOS_OF_DAY;
        days -= 1;
    }
    while days < 0 {
        days += i32::from(earlier.days_in_month());
        months -= 1;
    }
    IntervalMonthDayNano::new(months, days, nanos)
}

fn justified(name: &str, justify: fn(IntervalMonthDayNano) -> Option<IntervalMonthDayNano>) -> ScalarUDF {
    let of_column = move |arguments: &[ColumnarValue]| {
        let columns = ColumnarValue::values_to_arrays(arguments)?;
        let [intervals] = columns.as_slice() else { return exec_err!("an interval was promised") };
        let justify = |interval| justify(interval).ok_or_else(|| exec_datafusion_err!("interval out of range"));
        let intervals = intervals.as_primitive::<IntervalMonthDayNanoType>();
        let justified: IntervalMonthDayNanoArray = intervals.try_unary(justify)?;
        Ok(ColumnarValue::Array(Arc::new(justified) as ArrayRef))
    };
    create_udf(name, vec![INTERVAL], INTERVAL, Volatility::Immutable, Arc::new(of_column))
}

fn time_as_days(interval: IntervalMonthDayNano) -> Option<IntervalMonthDayNano> {
    let whole = i32::try_from(interval.nanoseconds / NANOS_OF_DAY).ok()?;
    let days = interval.days.checked_add(whole)?;
    Some(IntervalMonthDayNano::new(interval.months, days, interval.nanoseconds % NANOS_OF_DAY))
}

fn days_as_months(interval: IntervalMonthDayNano) -> Option<IntervalMonthDayNano> {
    let months = interval.months.checked_add(interval.days / DAYS_OF_MONTH)?;
    Some(IntervalMonthDayNano::new(months, interval.days % DAYS_OF_MONTH, interval.nanoseconds))
}

/// Days with the sign of the months, and time without days with it.
fn with_sign_of_months(interval: IntervalMonthDayNano) -> IntervalMonthDayNano {
    let IntervalMonthDayNano { months, days, nanoseconds } = interval;
    let rest = (days.signum(), nanoseconds.signum());
    match months.signum() {
        1 if rest < (0, 0) && (rest.0 < 0 || days == 0) => IntervalMonthDayNano::new(months - 1, days + DAYS_OF_MONTH, nanoseconds),
        -1 if rest > (0, 0) && (rest.0 > 0 || days == 0) => IntervalMonthDayNano::new(months + 1, days - DAYS_OF_MONTH, nanoseconds),
        _ => interval,
    }
}

fn with_sign_of_days(interval: IntervalMonthDayNano) -> IntervalMonthDayNano {
    let IntervalMonthDayNano { months, days, nanoseconds } = interval;
    match (days.signum(), nanoseconds.signum()) {
        (1, -1) => IntervalMonthDayNano::new(months, days - 1, nanoseconds + NANOS_OF_DAY),
        (-1, 1) => IntervalMonthDayNano::new(months, days + 1, nanoseconds - NANOS_OF_DAY),
        _ => interval,
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{TestData, rows};

    /// The answers are those of PostgreSQL 15, in the form of the output.
    #[test]
    fn an_age_has_years_and_months() {
        let catalog = TestData::new().catalog();
        for (value, expected) in [
            ("age(timestamp '2026-03-15 00:00', timestamp '2025-01-20 12:00')", "13 mons 25 days 12 hours"),
            ("age(date '2026-03-15', date '2025-01-20')", "13 mons 26 days"),
            ("age(timestamp '2025-01-31 00:00', timestamp '2026-03-01 00:00')", "-13 mons -1 days"),
            ("age(timestamptz '2026-03-01T00:00:00Z', timestamptz '2026-01-31T00:00:00Z')", "1 mons 1 days"),
            ("age(date '2026-01-01', date '2026-01-01')", "0 secs"),
            ("age(NULL, date '2026-01-01') IS NULL", "true"),
            ("age(current_date) = interval '0 days'", "true"),
            ("justify_days(interval '65 days')", "2 mons 5 days"),
            ("justify_days(interval '1 month -1 day')", "29 days"),
            ("justify_hours(interval '50 hours 10 minutes')", "2 days 2 hours 10 mins"),
            ("justify_hours(interval '-26 hours')", "-1 days -2 hours"),
            ("justify_interval(interval '1 month -1 hour')", "29 days 23 hours"),
            ("justify_interval(interval '40 days 25 hours')", "1 mons 11 days 1 hours"),
        ] {
            assert_eq!(rows(&catalog, &format!("SELECT {value} AS v")), [expected], "{value}");
        }
    }
}
