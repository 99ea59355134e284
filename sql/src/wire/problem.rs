//! Errors as clients get them: a severity, a SQLSTATE, a sentence, and the position in the statement where it is known.

use headwater_connectors::fault::with_causes;

use crate::error::QueryError;

/// SQLSTATE codes that are given in more than one place.
pub(super) mod code {
    pub(in crate::wire) const READ_ONLY: &str = "25006";
    pub(in crate::wire) const NOT_SUPPORTED: &str = "0A000";
    pub(in crate::wire) const PROTOCOL: &str = "08P01";
    pub(in crate::wire) const SYNTAX: &str = "42601";
    pub(in crate::wire) const INVALID_VALUE: &str = "22023";
    pub(in crate::wire) const INVALID_TEXT: &str = "22P02";
    pub(in crate::wire) const OUT_OF_RANGE: &str = "22003";
    pub(in crate::wire) const INVALID_TIME: &str = "22007";
    pub(in crate::wire) const TIME_OUT_OF_RANGE: &str = "22008";
    pub(in crate::wire) const CANCELLED: &str = "57014";
    pub(in crate::wire) const NO_TABLE: &str = "42P01";
    pub(in crate::wire) const NO_FUNCTION: &str = "42883";
    pub(in crate::wire) const MISMATCH: &str = "42804";
    pub(in crate::wire) const GROUPING: &str = "42803";
    pub(in crate::wire) const PASSWORD: &str = "28P01";
    pub(in crate::wire) const AUTHORIZATION: &str = "28000";
    pub(in crate::wire) const TOO_MANY_CONNECTIONS: &str = "53300";
    pub(in crate::wire) const TOO_LARGE: &str = "54000";
    pub(in crate::wire) const FAILED_TRANSACTION: &str = "25P02";
}

/// An error that is sent to a client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    /// SQLSTATE.
    pub code: &'static str,
    /// What failed, on what, and the mend.
    pub message: String,
    /// The character of the statement, from 1 on.
    pub position: Option<usize>,
    /// Whether the connection ends with it.
    pub(super) is_fatal: bool,
}

impl Problem {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), position: None, is_fatal: false }
    }

    pub(super) fn fatal(code: &'static str, message: impl Into<String>) -> Self {
        Self { is_fatal: true, ..Self::new(code, message) }
    }

    /// A message of the protocol that makes no sense.
    pub(super) fn protocol(message: impl Into<String>) -> Self {
        Self::fatal(code::PROTOCOL, message)
    }

    /// The error of a query, with its position in the statement.
    pub(crate) fn of(error: &QueryError, statement: &str) -> Self {
        let message = with_causes(error);
        let position = place(&message).and_then(|place| character(statement, place));
        Self { position, ..Self::new(code_of(error, &message), message) }
    }
}

impl From<&QueryError> for Problem {
    fn from(error: &QueryError) -> Self {
        Self::of(error, "")
    }
}

fn code_of(error: &QueryError, message: &str) -> &'static str {
    match error {
        QueryError::Empty | QueryError::Several(_) => code::SYNTAX,
        QueryError::TooDeep { .. } | QueryError::Copies { .. } => "54001",
        QueryError::NotReading(_) => code::READ_ONLY,
        QueryError::Denied(_) | QueryError::DeniedView { .. } | QueryError::ExplainDenied => "42501",
        QueryError::Statement(_) => code_of_statement(message),
        QueryError::Forgotten { .. } | QueryError::Dropped { .. } => "55000",
        QueryError::NoPlace { .. } => code::INVALID_VALUE,
        QueryError::File(_) => "XX001",
        QueryError::Memory(_) => "53200",
        QueryError::Timeout(_) => code::CANCELLED,
        QueryError::Execution(_) => code_of_execution(message),
        QueryError::BrokeOff(_) => "XX000",
        QueryError::Catalog(_) | QueryError::Output(_) => "58030",
    }
}

/// What planning reports, in lower case, and its code as in PostgreSQL. The first that a message has counts.
const OF_STATEMENTS: [(&str, &str); 31] = [
    ("this is not sql", code::SYNTAX),
    ("unsupported sql type", "42704"),
    ("this is not supported", code::NOT_SUPPORTED),
    ("there is no table", code::NO_TABLE),
    ("no field named", "42703"),
    ("ambiguous", "42702"),
    ("there is no function", code::NO_FUNCTION),
    ("table function", code::NO_FUNCTION),
    ("no function matches", code::NO_FUNCTION),
    ("does not support", code::NO_FUNCTION),
    // PostgreSQL has operators of the types of both sides.
    ("cannot coerce arithmetic expression", code::NO_FUNCTION),
    ("cannot infer common argument type for comparison", code::NO_FUNCTION),
    ("failed to coerce", code::MISMATCH),
    ("cannot coerce", code::MISMATCH),
    ("non-boolean predicate", code::MISMATCH),
    ("requires a boolean expression", code::MISMATCH),
    ("must be in group by", code::GROUPING),
    ("aggregate function calls cannot be nested", code::GROUPING),
    ("aggregate functions are not allowed", code::GROUPING),
    ("union queries have different number of columns", code::SYNTAX),
    ("too many columns", code::SYNTAX),
    ("limit must be >= 0", "2201W"),
    ("offset must be >=0", "2201X"),
    ("order by column out of bounds", "42P10"),
    ("cannot find column with position", "42P10"),
    ("require unique expression names", "42701"),
    ("specified more than once", "42712"),
    ("duplicate qualified field name", "42712"),
    ("is not defined", "42704"),
    ("is no type: give a length", code::INVALID_VALUE),
    ("is no time zone", code::INVALID_VALUE),
];

/// What a query reports while it runs, in lower case, and its code as in PostgreSQL. The first that a message has counts.
const OF_EXECUTIONS: [(&str, &str); 19] = [
    ("subquery returned more than one row", "21000"),
    ("divide by zero", "22012"),
    ("can be represented as nanoseconds", code::TIME_OUT_OF_RANGE),
    ("out of range", code::OUT_OF_RANGE),
    ("overflow", code::OUT_OF_RANGE),
    ("too large", code::OUT_OF_RANGE),
    ("can't cast value", code::OUT_OF_RANGE),
    ("error parsing timestamp", code::INVALID_TIME),
    ("invalid input syntax for type interval", code::INVALID_TIME),
    ("square root of a negative number", "2201F"),
    ("regex parse error", "2201B"),
    ("unsupported date_trunc granularity", code::INVALID_VALUE),
    ("date part", code::INVALID_VALUE),
    ("placeholder", "42P02"),
    ("cannot cast", code::INVALID_TEXT),
    ("cast error", code::INVALID_TEXT),
    ("parser error", code::INVALID_TEXT),
    ("error parsing", code::INVALID_TEXT),
    ("invalid input syntax", code::INVALID_TEXT),
];

fn code_of_statement(message: &str) -> &'static str {
    first_of(&OF_STATEMENTS, &message.to_lowercase()).unwrap_or("42000")
}

fn code_of_execution(message: &str) -> &'static str {
    let lower = message.to_lowercase();
    code_of_text(&lower).or_else(|| first_of(&OF_EXECUTIONS, &lower)).unwrap_or("XX000")
}

fn first_of(codes: &[(&str, &'static str)], lower: &str) -> Option<&'static str> {
    codes.iter().find(|(part, _)| lower.contains(part)).map(|(_, code)| *code)
}

/// The code of a text that is not of the type that it is cast to: it may be a number, too great for that, or a time that there is not.
fn code_of_text(lower: &str) -> Option<&'static str> {
    if let Some((_, from)) = lower.split_once("error parsing timestamp from '") {
        return Some(code_of_time(from.rsplit_once("': ")?.0));
    }
    let (text, to) = lower.split_once("cannot cast string '")?.1.rsplit_once("' to value of ")?;
    let digits = text.trim().trim_start_matches(['+', '-']);
    let is_integer = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    Some(match to {
        to if to.starts_with("date") || to.starts_with("time") => code_of_time(text),
        to if is_integer && (to.starts_with("int") || to.starts_with("uint")) => code::OUT_OF_RANGE,
        _ => code::INVALID_TEXT,
    })
}

/// The code of a text that is no time: one of its numbers is out of range if it is written like a time.
fn code_of_time(text: &str) -> &'static str {
    let text = text.trim();
    let (date, time) = match text.split_once(['t', ' ']) {
        Some((date, time)) => (Some(date), Some(time)),
        None if text.contains(':') => (None, Some(text)),
        None => (Some(text), None),
    };
    let is_written_like_one = date.is_none_or(is_like_a_date) && time.is_none_or(is_like_a_time);
    if is_written_like_one { code::TIME_OUT_OF_RANGE } else { code::INVALID_TIME }
}

fn is_number(text: &str, digits_max: usize) -> bool {
    (1..=digits_max).contains(&text.len()) && text.bytes().all(|digit| digit.is_ascii_digit())
}

/// Whether a text is like `2026-13-45`.
fn is_like_a_date(text: &str) -> bool {
    let parts: Vec<_> = text.split('-').collect();
    matches!(parts.as_slice(), [year, month, day] if is_number(year, 6) && is_number(month, 2) && is_number(day, 2))
}

/// Whether a text is like `25:61:00.5+02:00`, in lower case.
fn is_like_a_time(text: &str) -> bool {
    let text = text.strip_suffix('z').unwrap_or(text).trim_end();
    let (clock, zone) = text.find(['+', '-']).and_then(|place| text.split_at_checked(place)).unwrap_or((text, ""));
    let (clock, fraction) = clock.trim_end().split_once('.').unwrap_or((clock.trim_end(), "0"));
    let is_zone = zone.is_empty() || zone.trim_start_matches(['+', '-']).split(':').all(|part| is_number(part, 4));
    let parts = clock.split(':').count();
    (2..=3).contains(&parts) && clock.split(':').all(|part| is_number(part, 2)) && is_number(fraction, 9) && is_zone
}

/// Line and column at the end of the parser's message, both from 1 on.
fn place(message: &str) -> Option<(usize, usize)> {
    let (_, place) = message.rsplit_once(" at Line: ")?;
    let (line, column) = place.split_once(", Column: ")?;
    let digits = column.find(|character: char| !character.is_ascii_digit()).unwrap_or(column.len());
    Some((line.parse().ok()?, column.get(..digits)?.parse().ok()?))
}

/// The character of a text at a line and column, from 1 on.
fn character(text: &str, (line, column): (usize, usize)) -> Option<usize> {
    let before: usize = text.split_inclusive('\n').take(line.checked_sub(1)?).map(|line| line.chars().count()).sum();
    (!text.is_empty()).then(|| before.saturating_add(column))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{TestData, try_rows};

    #[test]
    fn errors_have_the_codes_that_postgresql_gives() {
        let catalog = TestData::new().catalog();
        for (sql, expected) in [
            ("SELECT (SELECT x FROM (VALUES (1), (2)) AS t(x))", "21000"),
            ("SELECT 1 = (SELECT x FROM (VALUES (1), (2)) AS t(x))", "21000"),
            ("SELECT 1 / 0", "22012"),
            ("SELECT 1 % 0", "22012"),
            ("SELECT 1.5 / 0", "22012"),
            ("SELECT 1 / x FROM (VALUES (0)) AS t(x)", "22012"),
            ("SELECT 9223372036854775807 + 1", "22003"),
            ("SELECT SUM(x) FROM (VALUES (9223372036854775807), (1)) AS t(x)", "22003"),
            ("SELECT CAST(70000 AS SMALLINT)", "22003"),
            ("SELECT CAST(1e30 AS BIGINT)", "22003"),
            ("SELECT CAST('99999999999' AS INT)", "22003"),
            ("SELECT CAST(12345.6 AS DECIMAL(3,1))", "22003"),
            ("SELECT CAST('x' AS INT)", "22P02"),
            ("SELECT CAST('' AS INT)", "22P02"),
            ("SELECT CAST('x' AS DECIMAL(9,2))", "22P02"),
            ("SELECT CAST('x' AS DOUBLE)", "22P02"),
            ("SELECT CAST('x' AS BOOLEAN)", "22P02"),
            ("SELECT 'x' > 1", "22P02"),
            ("SELECT CAST('x' AS DATE)", "22007"),
            ("SELECT CAST('x' AS TIMESTAMP)", "22007"),
            ("SELECT CAST('x' AS TIME)", "22007"),
            ("SELECT 'abc'::date", "22007"),
            ("SELECT '2026-13'::date", "22007"),
            ("SELECT '2026-13-45'::date", "22008"),
            ("SELECT DATE '2026-02-30'", "22008"),
            ("SELECT '2026-13-45x'::date", "22007"),
            ("SELECT '2026-13-45T00:00:00'::timestamp", "22008"),
            ("SELECT '2026-01-31 25:00:00'::timestamp", "22008"),
            ("SELECT '2026-01-31T10:61:00.5+02:00'::timestamptz", "22008"),
            ("SELECT '2026-01-31 noon'::timestamp", "22007"),
            ("SELECT '1500-01-01'::timestamp", "22008"),
            ("SELECT '25:00'::time", "22008"),
            ("SELECT '12:60:00'::time", "22008"),
            ("SELECT 'noon'::time", "22007"),
            ("SELECT INTERVAL 'x'", "22007"),
            ("SELECT DATE_TRUNC('x', now())", "22023"),
            ("SELECT 'a'::varchar(0)", "22023"),
            ("SELECT SQRT(-1)", "2201F"),
            ("SELECT REGEXP_REPLACE('a', '(', 'b')", "2201B"),
            ("SELECT 1 LIMIT -1", "2201W"),
            ("SELEC 1", "42601"),
            ("SELECT 1 UNION SELECT 1, 2", "42601"),
            ("SELECT (SELECT 1, 2)", "42601"),
            ("SELECT 1 AS a, 2 AS a", "42701"),
            ("SELECT count FROM spending AS a, spending AS b", "42702"),
            ("SELECT nosuch FROM spending", "42703"),
            ("SELECT s.nosuch FROM spending AS s", "42703"),
            ("SELECT 1::nosuch", "42704"),
            ("SELECT SUM(count) OVER w FROM spending", "42704"),
            ("WITH a AS (SELECT 1), a AS (SELECT 2) SELECT 1", "42712"),
            ("SELECT * FROM spending AS a JOIN spending AS a ON true", "42712"),
            ("SELECT count, SUM(amount) FROM spending", "42803"),
            ("SELECT SUM(SUM(amount)) FROM spending", "42803"),
            ("SELECT amount FROM spending WHERE SUM(amount) > 1", "42803"),
            ("SELECT count FROM spending WHERE count", "42804"),
            ("SELECT NOT 5", "42804"),
            ("SELECT NOSUCH(1)", "42883"),
            ("SELECT UPPER(1, 2)", "42883"),
            ("SELECT UPPER()", "42883"),
            ("SELECT ABS('x')", "42883"),
            ("SELECT SUM('x')", "42883"),
            ("SELECT true + 1", "42883"),
            ("SELECT DATE '2026-01-01' + DATE '2026-01-01'", "42883"),
            ("SELECT * FROM nosuch(1)", "42883"),
            ("SELECT * FROM nosuch", "42P01"),
            ("SELECT $1", "42P02"),
            ("SELECT * FROM spending ORDER BY 99", "42P10"),
            ("SELECT 1 GROUP BY 7", "42P10"),
        ] {
            let error = try_rows(&catalog, sql).expect_err(sql);
            let problem = Problem::of(&error, sql);
            assert_eq!(problem.code, expected, "{sql}: {problem}");
        }
    }

    #[test]
    fn errors_have_codes_and_the_parser_s_have_positions() {
        let syntax = QueryError::Statement("this is not SQL: Expected: x, found: y at Line: 2, Column: 3".to_owned());
        let problem = Problem::of(&syntax, "SELÉCT\n  y");
        assert_eq!((problem.code, problem.position), ("42601", Some(10)));
        for (error, code) in [
            (QueryError::NotReading("INSERT".to_owned()), "25006"),
            (QueryError::Statement("there is no table x: SHOW TABLES lists all".to_owned()), "42P01"),
            (QueryError::Statement("No field named x.".to_owned()), "42703"),
            (QueryError::execution("Divide by zero error"), "22012"),
            (QueryError::Timeout(3), "57014"),
            (QueryError::Denied("balances".to_owned()), "42501"),
            (QueryError::DeniedView { view: "rule_quality", table: "labels".to_owned() }, "42501"),
            (QueryError::ExplainDenied, "42501"),
        ] {
            let problem = Problem::from(&error);
            assert_eq!((problem.code, problem.position), (code, None), "{error}");
        }
    }
}
