//! Functions of PostgreSQL that are computations of others: `width_bucket`, `make_interval`, `make_timestamp`, `age(t)`.
//!
//! | in the statement | becomes |
//! |---|---|
//! | `width_bucket(x, 0, 10, 5)` | `0` below 0, `6` from 10 on, and between them the whole number of fifths, and one more |
//! | `width_bucket(x, ARRAY[1, 3])` | the number of elements that are not above `x` |
//! | `make_interval(days => 3, hours => 2)` | `3 * interval '1 day' + 2 * interval '1 hour'` |
//! | `make_timestamp(2026, 3, 15, 8, 15, 23.5)` | `make_date(2026, 3, 15)::timestamp + 8 * interval '1 hour' + …` |
//! | `make_timestamptz(…, z)` | `make_timestamp(…) AT TIME ZONE z` |
//! | `age(a, b)`, `age(t)` | `age(a::timestamp, b::timestamp)`, `age(current_date::timestamp, t::timestamp)` |

use datafusion::sql::sqlparser::ast::{Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments};

use crate::error::QueryError;
use crate::syntax::parsed;

/// The parts of `make_interval`, in their order.
const PARTS: [(&str, &str); 7] =
    [("years", "year"), ("months", "month"), ("weeks", "week"), ("days", "day"), ("hours", "hour"), ("mins", "minute"), ("secs", "second")];

/// The type of seconds and their parts.
const SECONDS: &str = "DECIMAL(28, 9)";

/// The computation in place of a call; `None` if it is none of them.
pub(crate) fn computation(function: &Function) -> Result<Option<Expr>, QueryError> {
    let name = function.name.to_string().to_lowercase();
    if name == "make_interval" {
        return interval_of(function).map(Some);
    }
    let Some(arguments) = arguments_of(function) else { return Ok(None) };
    let arguments = arguments.iter().map(String::as_str).collect::<Vec<_>>();
    let text = match (name.as_str(), arguments.as_slice()) {
        ("width_bucket", [x, low, high, count]) => Some(bucket(x, low, high, count)?),
        ("width_bucket", [x, _]) => return thresholds(function, x).map(Some),
        ("make_timestamp", parts @ [_, _, _, _, _, _]) => Some(timestamp(parts)),
        ("make_timestamptz", [parts @ .., zone]) if parts.len() == 6 => Some(format!("(({}) AT TIME ZONE {zone})", timestamp(parts))),
        ("make_timestamptz", parts @ [_, _, _, _, _, _]) => Some(format!("(({}) AT TIME ZONE 'UTC')", timestamp(parts))),
        ("age", [time]) => Some(age("current_date", time)),
        ("age", [later, earlier]) => Some(age(later, earlier)),
        _ => None,
    };
    Ok(text.and_then(|text| parsed(&text)))
}

/// The arguments of a plain call, in parentheses.
fn arguments_of(function: &Function) -> Option<Vec<String>> {
    let FunctionArguments::List(list) = &function.args else { return None };
    let argument = |argument: &FunctionArg| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(format!("({expr})")),
        _ => None,
    };
    list.args.iter().map(argument).collect()
}

fn bucket(x: &str, low: &str, high: &str, count: &str) -> Result<String, QueryError> {
    let number = |text: &str| text.trim_matches(['(', ')']).parse::<f64>().ok();
    if number(count).is_some_and(|count| count <= 0.0) {
        return Err(QueryError::Statement("width_bucket: count must be greater than zero".to_owned()));
    }
    if number(low).is_some() && number(low) == number(high) {
        return Err(QueryError::Statement("width_bucket: lower bound cannot equal upper bound".to_owned()));
    }
    // Without a remainder, the quotient is exact.
    let within = |from: &str, to: &str, width: &str| {
        let steps = format!("(({to} - {from}) * {count})");
        format!("({steps} - {steps} % {width}) / {width} + 1")
    };
    let (up, down) = (within(low, x, &format!("({high} - {low})")), within(x, low, &format!("({low} - {high})")));
    Ok(format!(
        "CAST(CASE WHEN {low} < {high} THEN CASE WHEN {x} < {low} THEN 0 WHEN {x} >= {high} THEN {count} + 1 ELSE {up} END \
         WHEN {low} > {high} THEN CASE WHEN {x} > {low} THEN 0 WHEN {x} <= {high} THEN {count} + 1 ELSE {down} END END AS INT)"
    ))
}

fn thresholds(function: &Function, x: &str) -> Result<Expr, QueryError> {
    let refused =
        || QueryError::Statement("this is not supported: width_bucket of an array that is not written out: write ARRAY[1, 3]".to_owned());
    let FunctionArguments::List(list) = &function.args else { return Err(refused()) };
    let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Array(array)))) = list.args.last() else { return Err(refused()) };
    let reached = array.elem.iter().map(|threshold| format!("CASE WHEN {x} >= ({threshold}) THEN 1 WHEN {x} IS NOT NULL THEN 0 END"));
    let reached = reached.collect::<Vec<_>>().join(" + ");
    parsed(&format!("CAST({reached} AS INT)")).ok_or_else(refused)
}

/// The age of local times.
fn age(later: &str, earlier: &str) -> String {
    format!("age(CAST({later} AS TIMESTAMP), CAST({earlier} AS TIMESTAMP))")
}

fn timestamp(parts: &[&str]) -> String {
    let [year, month, day, hours, minutes, seconds] = parts else { return String::new() };
    format!(
        "(CAST(make_date({year}, {month}, {day}) AS TIMESTAMP) + {hours} * interval '1 hour' + {minutes} * interval '1 minute' + \
         CAST({seconds} AS {SECONDS}) * interval '1 second')"
    )
}

fn interval_of(function: &Function) -> Result<Expr, QueryError> {
    let refused = |part: &str| {
        QueryError::Statement(format!("make_interval has no part {part}: it has years, months, weeks, days, hours, mins and secs"))
    };
    let FunctionArguments::List(list) = &function.args else { return Err(refused("without a name")) };
    let mut sum = vec!["interval '0 days'".to_owned()];
    for (place, argument) in list.args.iter().enumerate() {
        let (part, expr) = match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => (PARTS.get(place).ok_or_else(|| refused(&expr.to_string()))?, expr),
            FunctionArg::Named { name, arg: FunctionArgExpr::Expr(expr), .. } => {
                let known = PARTS.iter().find(|(part, _)| name.value.eq_ignore_ascii_case(part));
                (known.ok_or_else(|| refused(&name.value))?, expr)
            }
            other => return Err(refused(&other.to_string())),
        };
        let data_type = if part.0 == "secs" { SECONDS } else { "BIGINT" };
        sum.push(format!("CAST({expr} AS {data_type}) * interval '1 {}'", part.1));
    }
    parsed(&format!("({})", sum.join(" + "))).ok_or_else(|| refused(&list.to_string()))
}

#[cfg(test)]
mod tests {
    use crate::testing::{TestData, message, rows};

    /// The answers are those of PostgreSQL 15.
    #[test]
    fn a_bucket_is_the_place_of_a_value_between_two_bounds() {
        let catalog = TestData::new().catalog();
        for (bucket, expected) in [
            ("width_bucket(x, 0, 10, 5)", ["0", "1", "3", "6", "6", ""]),
            ("width_bucket(x, 0.0, 10.0, 3)", ["0", "1", "2", "4", "4", ""]),
            ("width_bucket(x::float8, 0, 10, 5)", ["0", "1", "3", "6", "6", ""]),
            ("width_bucket(x, 10, 0, 5)", ["6", "6", "3", "1", "0", ""]),
            ("width_bucket(x, ARRAY[0, 5, 11])", ["0", "1", "2", "2", "3", ""]),
        ] {
            let sql = format!("SELECT {bucket} AS b FROM (VALUES (-1), (0), (5), (10), (11), (NULL)) AS v(x) ORDER BY x");
            assert_eq!(rows(&catalog, &sql), expected, "{bucket}");
        }
        assert_eq!(rows(&catalog, "SELECT width_bucket(5.35, 0.024, 10.06, 5), width_bucket(3.0, 0, 9, 3) AS b"), ["3,2"]);
        assert_eq!(message(&catalog, "SELECT width_bucket(5, 0, 10, 0)"), "width_bucket: count must be greater than zero");
        assert_eq!(message(&catalog, "SELECT width_bucket(5, 1, 1, 3)"), "width_bucket: lower bound cannot equal upper bound");
    }

    /// The answers are those of PostgreSQL 15.
    #[test]
    fn times_and_intervals_are_made_of_their_parts() {
        let catalog = TestData::new().catalog();
        for (value, expected) in [
            ("timestamp '2026-01-01 00:00' + make_interval(days => 10)", "2026-01-11T00:00:00"),
            ("timestamp '2026-01-01 00:00' + make_interval(0, 1, 0, 5, 2, 3, 4.5)", "2026-02-06T02:03:04.500"),
            ("timestamp '2026-01-01 00:00' + make_interval(hours => x, years => 1)", "2027-01-01T03:00:00"),
            ("make_interval() = interval '0 days'", "true"),
            ("make_interval(days => NULL) IS NULL", "true"),
            ("make_timestamp(2026, 3, 15, 8, 15, 23.5)", "2026-03-15T08:15:23.500"),
            ("make_timestamptz(2026, 3, 15, 8, 15, 23.5, 'Asia/Tokyo')", "2026-03-14T23:15:23.5Z"),
        ] {
            assert_eq!(rows(&catalog, &format!("SELECT {value} AS v FROM (VALUES (3)) AS t(x)")), [expected], "{value}");
        }
        let refused = message(&catalog, "SELECT make_interval(day => 3)");
        assert_eq!(refused, "make_interval has no part day: it has years, months, weeks, days, hours, mins and secs");
    }
}
