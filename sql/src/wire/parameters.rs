//! Parameters of prepared statements.
//!
//! A value becomes a literal of its type in the statement's tree, before the statement is planned. So a statement with parameters is
//! planned like the same statement without, with the same exact arithmetic.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::ops::ControlFlow;

use arrow::datatypes::DataType;
use bytes::Bytes;
use datafusion::sql::parser::Statement as Parsed;
use datafusion::sql::sqlparser::ast::{
    Array, ArrayElemTypeDef, BinaryOperator, CastKind, DataType as SqlType, ExactNumberInfo, Expr, LimitClause, Query, TimezoneInfo,
    UnaryOperator, Value, Visit, Visitor, visit_expressions, visit_expressions_mut,
};

use super::encode::Format;
use super::problem::{Problem, code};
use super::types::{self, PgType};
use super::{arrays, clock, numeric};
use crate::syntax::{sql_of, sql_of_mut};

/// The number of the parameter that a name like `$1` stands for, from 0 on.
fn index(name: &str) -> Option<usize> {
    name.strip_prefix('$')?.parse::<usize>().ok()?.checked_sub(1)
}

/// The greatest number of a parameter, as the protocol counts them in 16 bits.
const MOST: usize = 65_535;

fn placeholder(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Placeholder(name) => Some(name),
            _ => None,
        },
        _ => None,
    }
}

/// The types of a statement's parameters: as the client declares them, else as they follow from their use, else from a cast, else text.
pub(super) fn types(statement: &Parsed, declared: &[u32], used: &BTreeMap<String, Option<DataType>>) -> Result<Vec<PgType>, Problem> {
    let (mut count, mut casts, mut unknown, mut lists) = (declared.len(), BTreeMap::new(), None, BTreeSet::new());
    if let Some(sql) = sql_of(statement) {
        let _ = visit_expressions(sql, |expr| {
            if let Expr::Cast { expr, data_type, .. } = expr
                && let Some(name) = placeholder(expr)
            {
                casts.entry(name.to_owned()).or_insert_with(|| of_sql(data_type));
            }
            if let Expr::AnyOp { right, .. } | Expr::AllOp { right, .. } = expr
                && let Some(name) = placeholder(right)
            {
                lists.insert(name.to_owned());
            }
            if let Some(name) = placeholder(expr) {
                match index(name).filter(|index| *index < MOST) {
                    Some(index) => count = count.max(index.saturating_add(1)),
                    None => unknown = Some(name.to_owned()),
                }
            }
            ControlFlow::<()>::Continue(())
        });
    }
    if let Some(sql) = sql_of(statement) {
        let _ = sql.visit(&mut Limits(&mut casts));
    }
    if let Some(name) = unknown {
        return Err(Problem::new("42P02", format!("there is no parameter {name}: write $1, $2 and so on")));
    }
    let type_of = |number: usize| {
        let name = format!("${}", number.saturating_add(1));
        match declared.get(number).copied().filter(|oid| !matches!(oid, 0) && *oid != types::UNKNOWN.oid) {
            Some(oid) => types::with_oid(oid).ok_or_else(|| {
                let mend = "cast it to text on the way";
                Problem::new(code::NOT_SUPPORTED, format!("parameter {name} has a type ({oid}) that is not supported: {mend}"))
            }),
            None => {
                let used = used.get(&name).and_then(Option::as_ref).filter(|used| **used != DataType::Null).map(types::of_arrow);
                let found = used.or_else(|| casts.get(&name).copied()).filter(|used| *used != types::JSON).unwrap_or(types::TEXT);
                Ok(if lists.contains(&name) { types::array_of(found).unwrap_or(found) } else { found })
            }
        }
    };
    (0..count).map(type_of).collect()
}

/// The statement as the planner finds the types of its parameters: without those of LIMIT and OFFSET, which it does not take, and
/// with `x = $1` for `x = ANY($1)`, so that the type is that of the elements.
pub(super) fn plannable(statement: &Parsed) -> Parsed {
    let (mut statement, mut limits) = (statement.clone(), BTreeMap::new());
    if let Some(sql) = sql_of_mut(&mut statement) {
        let _ = sql.visit(&mut Limits(&mut limits));
        let _ = visit_expressions_mut(sql, |expr| {
            if let Expr::AnyOp { left, right, .. } | Expr::AllOp { left, right, .. } = expr
                && placeholder(right).is_some()
            {
                *expr = Expr::BinaryOp { left: left.clone(), op: BinaryOperator::Eq, right: right.clone() };
            }
            if placeholder(expr).is_some_and(|name| limits.contains_key(name)) {
                *expr = null(types::INT8);
            }
            ControlFlow::<()>::Continue(())
        });
    }
    statement
}

/// Finds the parameters of LIMIT and OFFSET, which are numbers of rows.
struct Limits<'a>(&'a mut BTreeMap<String, PgType>);

impl Visitor for Limits<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let quantity = query.fetch.as_ref().and_then(|fetch| fetch.quantity.as_ref());
        let (limit, offset) = match &query.limit_clause {
            Some(LimitClause::LimitOffset { limit, offset, .. }) => (limit.as_ref(), offset.as_ref().map(|offset| &offset.value)),
            Some(LimitClause::OffsetCommaLimit { offset, limit }) => (Some(limit), Some(offset)),
            None => (None, None),
        };
        for name in [quantity, limit, offset].into_iter().flatten().filter_map(placeholder) {
            self.0.insert(name.to_owned(), types::INT8);
        }
        ControlFlow::Continue(())
    }
}

/// The type that SQL names.
pub(super) fn of_sql(data_type: &SqlType) -> PgType {
    match data_type {
        SqlType::Array(ArrayElemTypeDef::SquareBracket(element, _) | ArrayElemTypeDef::AngleBracket(element)) => {
            types::array_of(of_sql(element)).unwrap_or(types::TEXT)
        }
        SqlType::Boolean | SqlType::Bool => types::BOOL,
        SqlType::SmallInt(_) | SqlType::Int2(_) => types::INT2,
        SqlType::Int(_) | SqlType::Integer(_) | SqlType::Int4(_) => types::INT4,
        SqlType::BigInt(_) | SqlType::Int8(_) => types::INT8,
        SqlType::Float(_) | SqlType::Real | SqlType::Float4 => types::FLOAT4,
        SqlType::Double(_) | SqlType::DoublePrecision | SqlType::Float8 => types::FLOAT8,
        SqlType::Numeric(_) | SqlType::Decimal(_) => types::NUMERIC,
        SqlType::Date => types::DATE,
        SqlType::Timestamp(_, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => types::TIMESTAMP,
        SqlType::Timestamp(..) => types::TIMESTAMPTZ,
        SqlType::Time(_, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => types::TIME,
        SqlType::Interval { .. } => types::INTERVAL,
        SqlType::Bytea => types::BYTEA,
        SqlType::Custom(name, _) => {
            let name = name.0.last().and_then(|part| part.as_ident()).map(|name| name.value.to_lowercase());
            name.as_deref().and_then(types::named).unwrap_or(types::TEXT)
        }
        _ => types::TEXT,
    }
}

/// Puts NULL of each type in place of the parameters: so the statement has the columns that it will have with values.
pub(super) fn put_nulls(statement: &mut Parsed, types: &[PgType]) {
    put(statement, &types.iter().map(|pg_type| null(*pg_type)).collect::<Vec<_>>());
}

/// Puts literals in place of the parameters.
pub(super) fn put_values(statement: &mut Parsed, types: &[PgType], formats: &[Format], values: &[Option<Bytes>]) -> Result<(), Problem> {
    if values.len() != types.len() {
        let message = format!("the statement has {} parameters, and {} are given", types.len(), values.len());
        return Err(Problem::new(code::PROTOCOL, message));
    }
    if formats.len() > 1 && formats.len() != values.len() {
        return Err(Problem::new(code::PROTOCOL, format!("{} parameters are given in {} formats", values.len(), formats.len())));
    }
    let format = |number: usize| match formats {
        [one] => *one,
        formats => formats.get(number).copied().unwrap_or_default(),
    };
    let literals = types.iter().zip(values).enumerate().map(|(number, (pg_type, value))| match value {
        None => Ok(null(*pg_type)),
        Some(value) => literal(*pg_type, format(number), value)
            .map_err(|problem| Problem { message: format!("parameter ${}: {}", number.saturating_add(1), problem.message), ..problem }),
    });
    put(statement, &literals.collect::<Result<Vec<_>, _>>()?);
    Ok(())
}

fn put(statement: &mut Parsed, literals: &[Expr]) {
    let Some(sql) = sql_of_mut(statement) else { return };
    let _ = visit_expressions_mut(sql, |expr| {
        if let Some(literal) = placeholder(expr).and_then(index).and_then(|index| literals.get(index)) {
            *expr = literal.clone();
        }
        ControlFlow::<()>::Continue(())
    });
}

fn null(pg_type: PgType) -> Expr {
    match sql_type(pg_type) {
        Some(data_type) => cast(Expr::value(Value::Null), data_type),
        None => cast(Expr::value(Value::Null), SqlType::Text),
    }
}

/// The type to which a literal is cast; `None` if it has the type by itself.
fn sql_type(pg_type: PgType) -> Option<SqlType> {
    if let Some(element) = types::element_of(pg_type) {
        let element = sql_type(element).unwrap_or(SqlType::Text);
        return Some(SqlType::Array(ArrayElemTypeDef::SquareBracket(Box::new(element), None)));
    }
    Some(match pg_type {
        types::BOOL => SqlType::Boolean,
        types::INT2 => SqlType::SmallInt(None),
        types::INT4 => SqlType::Int(None),
        types::INT8 => SqlType::BigInt(None),
        types::OID => SqlType::IntUnsigned(None),
        types::FLOAT4 => SqlType::Real,
        types::FLOAT8 => SqlType::DoublePrecision,
        types::NUMERIC => SqlType::Decimal(ExactNumberInfo::PrecisionAndScale(38, 9)),
        types::DATE => SqlType::Date,
        types::TIME => SqlType::Time(None, TimezoneInfo::None),
        types::TIMESTAMP => SqlType::Timestamp(None, TimezoneInfo::None),
        types::TIMESTAMPTZ => SqlType::Timestamp(None, TimezoneInfo::Tz),
        types::INTERVAL => SqlType::Interval { fields: None, precision: None },
        types::BYTEA => SqlType::Bytea,
        _ => return None,
    })
}

fn cast(expr: Expr, data_type: SqlType) -> Expr {
    Expr::Cast { kind: CastKind::Cast, expr: Box::new(expr), data_type, array: false, format: None }
}

fn text(text: String) -> Expr {
    Expr::value(Value::SingleQuotedString(text))
}

/// A value as a literal of its type.
fn literal(pg_type: PgType, format: Format, value: &[u8]) -> Result<Expr, Problem> {
    if let Some(element) = types::element_of(pg_type) {
        return array_literal(pg_type, element, format, value);
    }
    let value = match format {
        Format::Text => std::str::from_utf8(value).map(str::to_owned).map_err(|_| Problem::new("22021", "it is not UTF-8"))?,
        Format::Binary => of_binary(pg_type, value)?,
    };
    let wrong = || Problem::new(code::INVALID_TEXT, format!("{value:?} is not of type {}", pg_type.sql_name));
    let trimmed = value.trim();
    let typed = |expr: Expr| sql_type(pg_type).map_or(expr.clone(), |data_type| cast(expr, data_type));
    Ok(match pg_type {
        types::BOOL => Expr::value(Value::Boolean(boolean(trimmed).ok_or_else(wrong)?)),
        types::INT8 => number(&trimmed.parse::<i64>().map_err(|_| wrong())?.to_string()),
        types::INT4 => typed(number(&trimmed.parse::<i32>().map_err(|_| wrong())?.to_string())),
        types::INT2 => typed(number(&trimmed.parse::<i16>().map_err(|_| wrong())?.to_string())),
        types::OID => typed(number(&trimmed.parse::<u32>().map_err(|_| wrong())?.to_string())),
        types::NUMERIC => number(&decimal(trimmed).ok_or_else(wrong)?),
        types::FLOAT4 | types::FLOAT8 => typed(text(trimmed.parse::<f64>().map_err(|_| wrong()).map(|_| trimmed.to_owned())?)),
        types::BYTEA => Expr::value(Value::HexStringLiteral(hex(trimmed).ok_or_else(wrong)?)),
        types::DATE | types::TIME | types::TIMESTAMP | types::TIMESTAMPTZ | types::INTERVAL => typed(text(value)),
        _ => text(value),
    })
}

/// An array as an array of literals.
fn array_literal(pg_type: PgType, element: PgType, format: Format, value: &[u8]) -> Result<Expr, Problem> {
    let wrong = |error: arrays::ArrayError| Problem::new(code::INVALID_TEXT, error.message());
    let item = |value: Option<&[u8]>| value.map_or_else(|| Ok(null(element)), |value| literal(element, format, value));
    let elem: Vec<Expr> = match format {
        Format::Binary => arrays::of_binary(value).map_err(wrong)?.into_iter().map(item).collect::<Result<_, _>>()?,
        Format::Text => {
            let elements = arrays::of_text(utf8(value)?.as_str()).map_err(wrong)?;
            elements.iter().map(|element| item(element.as_deref().map(str::as_bytes))).collect::<Result<_, _>>()?
        }
    };
    let is_empty = elem.is_empty();
    let array = Expr::Array(Array { elem, named: true });
    Ok(match sql_type(pg_type).filter(|_| is_empty) {
        Some(data_type) => cast(array, data_type),
        None => array,
    })
}

/// The literal of a number like `-12.5` or `1E-9`, exact; none if the text is no such number, or has too many digits.
pub(crate) fn number_of(text: &str) -> Option<Expr> {
    decimal(text).map(|digits| number(&digits))
}

/// A literal of a number; a minus is an operator in SQL.
fn number(text: &str) -> Expr {
    match text.strip_prefix('-') {
        Some(magnitude) => Expr::Nested(Box::new(Expr::UnaryOp { op: UnaryOperator::Minus, expr: Box::new(number(magnitude)) })),
        None => Expr::value(Value::Number(text.to_owned(), false)),
    }
}

fn boolean(text: &str) -> Option<bool> {
    match text.to_lowercase().as_str() {
        "t" | "true" | "y" | "yes" | "on" | "1" => Some(true),
        "f" | "false" | "n" | "no" | "off" | "0" => Some(false),
        _ => None,
    }
}

/// The digits of SQL's literals of decimals need a point, and at most 76 of them fit.
const DIGITS_MAX: usize = 76;
const EXPONENT_MAX: u32 = 200;

/// A number like `-12.5` or `1E-9` as digits with a point.
fn decimal(text: &str) -> Option<String> {
    let (digits, exponent) = match text.split_once(['e', 'E']) {
        Some((digits, exponent)) => (digits, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let unsigned = digits.strip_prefix(['-', '+']).unwrap_or(digits);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let all = format!("{whole}{fraction}");
    if all.is_empty() || !all.bytes().all(|digit| digit.is_ascii_digit()) || exponent.unsigned_abs() > EXPONENT_MAX {
        return None;
    }
    // Where the point is among the digits, before the first or after the last with zeros between.
    let point = i32::try_from(whole.len()).ok()?.checked_add(exponent)?;
    let before = usize::try_from(point.min(0).unsigned_abs()).ok()?;
    let point = usize::try_from(point.max(0)).ok()?;
    let padded = format!("{}{all}{}", "0".repeat(before), "0".repeat(point.saturating_sub(all.len())));
    let (whole, fraction) = padded.split_at_checked(point)?;
    let (whole, fraction) = (whole.trim_start_matches('0'), if fraction.is_empty() { "0" } else { fraction });
    let minus = if text.starts_with('-') { "-" } else { "" };
    let whole_or_zero = if whole.is_empty() { "0" } else { whole };
    (whole.len().saturating_add(fraction.len()) <= DIGITS_MAX).then(|| format!("{minus}{whole_or_zero}.{fraction}"))
}

/// The hexadecimal digits of PostgreSQL's `\x…`.
fn hex(text: &str) -> Option<String> {
    let digits = text.strip_prefix("\\x")?;
    (digits.len().is_multiple_of(2) && digits.bytes().all(|digit| digit.is_ascii_hexdigit())).then(|| digits.to_owned())
}

/// A binary value as text.
fn of_binary(pg_type: PgType, value: &[u8]) -> Result<String, Problem> {
    let wrong = || Problem::new("22P03", format!("{} bytes are no {} in the binary format", value.len(), pg_type.sql_name));
    Ok(match pg_type {
        types::BOOL => match value {
            [0] => "false".to_owned(),
            [1] => "true".to_owned(),
            _ => return Err(wrong()),
        },
        types::INT2 => i16::from_be_bytes(array(value).ok_or_else(wrong)?).to_string(),
        types::INT4 => i32::from_be_bytes(array(value).ok_or_else(wrong)?).to_string(),
        types::INT8 => i64::from_be_bytes(array(value).ok_or_else(wrong)?).to_string(),
        types::OID => u32::from_be_bytes(array(value).ok_or_else(wrong)?).to_string(),
        types::FLOAT4 => format!("{:?}", f32::from_be_bytes(array(value).ok_or_else(wrong)?)),
        types::FLOAT8 => format!("{:?}", f64::from_be_bytes(array(value).ok_or_else(wrong)?)),
        types::NUMERIC => numeric::text(value).ok_or_else(wrong)?,
        types::DATE => clock::date_of_day(i64::from(i32::from_be_bytes(array(value).ok_or_else(wrong)?))),
        types::TIME => clock::clock_text(i64::from_be_bytes(array(value).ok_or_else(wrong)?)),
        types::TIMESTAMP | types::TIMESTAMPTZ => {
            let zone = if pg_type == types::TIMESTAMPTZ { "Z" } else { "" };
            format!("{}{zone}", clock::time_of_micros(i64::from_be_bytes(array(value).ok_or_else(wrong)?)).ok_or_else(wrong)?)
        }
        types::BYTEA => {
            let mut text = "\\x".to_owned();
            for byte in value {
                let _ = write!(text, "{byte:02x}");
            }
            text
        }
        types::UUID => uuid(value).ok_or_else(wrong)?,
        types::JSONB => match value {
            [1, json @ ..] => utf8(json)?,
            _ => return Err(wrong()),
        },
        types::INTERVAL => interval(value).ok_or_else(wrong)?,
        _ => utf8(value)?,
    })
}

/// Microseconds, days and months, which PostgreSQL keeps apart.
fn interval(value: &[u8]) -> Option<String> {
    let (micros, rest) = value.split_first_chunk()?;
    let (days, months) = rest.split_first_chunk()?;
    let (micros, days, months) = (i64::from_be_bytes(*micros), i32::from_be_bytes(*days), i32::from_be_bytes(array(months)?));
    Some(format!("{months} months {days} days {micros} microseconds"))
}

fn utf8(value: &[u8]) -> Result<String, Problem> {
    std::str::from_utf8(value).map(str::to_owned).map_err(|_| Problem::new("22021", "it is not UTF-8"))
}

fn array<const N: usize>(value: &[u8]) -> Option<[u8; N]> {
    value.try_into().ok()
}

fn uuid(value: &[u8]) -> Option<String> {
    let number = u128::from_be_bytes(array(value)?);
    let digits = format!("{number:032x}");
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    Some([part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-"))
}

#[cfg(test)]
mod tests {
    use super::super::command::{self, Command};
    use super::*;

    fn parsed(text: &str) -> Parsed {
        match command::parse(text) {
            Ok(Some(Command::Rows(statement))) => *statement,
            other => panic!("{text}: {other:?}"),
        }
    }

    fn with(text: &str, pg_type: PgType, format: Format, value: &[u8]) -> Result<String, &'static str> {
        let mut statement = parsed(text);
        let value = Some(Bytes::copy_from_slice(value));
        put_values(&mut statement, &[pg_type], &[format], &[value]).map_err(|problem| problem.code)?;
        Ok(statement.to_string())
    }

    #[test]
    fn values_become_literals_of_their_type() {
        let text = |pg_type, value: &str| with("SELECT $1", pg_type, Format::Text, value.as_bytes());
        assert_eq!(text(types::TEXT, "it's; --").as_deref(), Ok("SELECT 'it''s; --'"));
        assert_eq!(text(types::INT8, "-5").as_deref(), Ok("SELECT (-5)"));
        assert_eq!(text(types::INT4, "5").as_deref(), Ok("SELECT CAST(5 AS INT)"));
        assert_eq!(
            text(types::NUMERIC, "123456789012345678901234567.123456789").as_deref(),
            Ok("SELECT 123456789012345678901234567.123456789")
        );
        for (number, expected) in [
            ("5", "5.0"),
            ("1E-9", "0.000000001"),
            ("-1.25e1", "(-12.5)"),
            ("2E+3", "2000.0"),
            ("+.5", "0.5"),
            ("007.", "7.0"),
            ("0", "0.0"),
        ] {
            assert_eq!(text(types::NUMERIC, number), Ok(format!("SELECT {expected}")), "{number}");
        }
        assert_eq!(text(types::BOOL, "t").as_deref(), Ok("SELECT true"));
        assert_eq!(text(types::BYTEA, "\\x00ff").as_deref(), Ok("SELECT X'00ff'"));
        for (pg_type, bad) in [
            (types::INT4, "2147483648"),
            (types::NUMERIC, "NaN"),
            (types::NUMERIC, "1e999999999"),
            (types::NUMERIC, "1e100"),
            (types::NUMERIC, "e5"),
            (types::BOOL, "maybe"),
            (types::BYTEA, "\\x0"),
            (types::INT8, "1; DROP"),
        ] {
            assert_eq!(text(pg_type, bad), Err("22P02"), "{bad}");
        }
        let binary = |pg_type, value: &[u8]| with("SELECT $1", pg_type, Format::Binary, value);
        assert_eq!(binary(types::INT4, &[0xff, 0xff, 0xff, 0xfe]).as_deref(), Ok("SELECT CAST((-2) AS INT)"));
        assert_eq!(binary(types::TIMESTAMPTZ, &[0; 8]).as_deref(), Ok("SELECT CAST('2000-01-01T00:00:00Z' AS TIMESTAMPTZ)"));
        assert_eq!(binary(types::DATE, &[0, 0, 0, 1]).as_deref(), Ok("SELECT CAST('2000-01-02' AS DATE)"));
        assert_eq!(binary(types::INT4, &[1]), Err("22P03"));
        // 14 months, a day less and half a second, as PostgreSQL's `interval_send` has them.
        let interval = [&500_000_i64.to_be_bytes()[..], &(-1_i32).to_be_bytes(), &14_i32.to_be_bytes()].concat();
        assert_eq!(binary(types::INTERVAL, &interval).as_deref(), Ok("SELECT CAST('14 months -1 days 500000 microseconds' AS INTERVAL)"));
        for bad in [&interval[..15], &[&interval[..], &[0]].concat()] {
            assert_eq!(binary(types::INTERVAL, bad), Err("22P03"), "{bad:?}");
        }
    }

    #[test]
    fn arrays_become_arrays_of_literals() {
        let array = |element| types::array_of(element).unwrap();
        let text = |element, value: &str| with("SELECT $1", array(element), Format::Text, value.as_bytes());
        assert_eq!(text(types::INT8, "{1,-2,NULL}").as_deref(), Ok("SELECT ARRAY[1, (-2), CAST(NULL AS BIGINT)]"));
        assert_eq!(text(types::TEXT, r#"{"it's",b}"#).as_deref(), Ok("SELECT ARRAY['it''s', 'b']"));
        assert_eq!(text(types::INT8, "{}").as_deref(), Ok("SELECT CAST(ARRAY[] AS BIGINT[])"));
        for bad in ["1", "{x}", "{{1}}"] {
            assert_eq!(text(types::INT8, bad), Err("22P02"), "{bad}");
        }
        let value = [&[0, 0, 0, 1][..], &[0; 4], &[0, 0, 0, 23], &[0, 0, 0, 1, 0, 0, 0, 1], &[0, 0, 0, 4, 0, 0, 0, 7]].concat();
        assert_eq!(with("SELECT $1", array(types::INT4), Format::Binary, &value).as_deref(), Ok("SELECT ARRAY[CAST(7 AS INT)]"));
        assert_eq!(with("SELECT $1", array(types::INT4), Format::Binary, &value[..9]), Err("22P02"));
    }

    #[test]
    fn types_are_declared_or_inferred_or_text() {
        let statement = parsed("SELECT $1, $2, $3::bigint, $4 FROM t WHERE a = $2");
        let used = BTreeMap::from([("$2".to_owned(), Some(DataType::Decimal128(28, 9))), ("$1".to_owned(), None)]);
        let limited = types(&parsed("SELECT 1 FROM t LIMIT $1 OFFSET $2"), &[], &BTreeMap::new()).unwrap();
        assert_eq!(limited, [types::INT8, types::INT8]);
        let found = types(&statement, &[0, 0, 0, 23], &used).unwrap();
        assert_eq!(found, [types::TEXT, types::NUMERIC, types::INT8, types::INT4]);
        for bad in ["SELECT $0", "SELECT $70000", "SELECT $x"] {
            assert_eq!(types(&parsed(bad), &[], &BTreeMap::new()).err().map(|problem| problem.code), Some("42P02"), "{bad}");
        }
        assert_eq!(types(&parsed("SELECT $1"), &[600], &BTreeMap::new()).err().map(|problem| problem.code), Some("0A000"));
        let lists = types(&parsed("SELECT a = ANY($1), $2::bigint[] FROM t WHERE b <> ALL($3)"), &[], &BTreeMap::new()).unwrap();
        assert_eq!(lists.iter().map(|pg_type| pg_type.name).collect::<Vec<_>>(), ["_text", "_int8", "_text"]);
        let times = types(&parsed("SELECT $1::interval, $2::time, CAST($3 AS interval[])"), &[], &BTreeMap::new()).unwrap();
        assert_eq!(times.iter().map(|pg_type| pg_type.name).collect::<Vec<_>>(), ["interval", "time", "_interval"]);
    }

    #[test]
    fn the_number_of_values_is_that_of_parameters() {
        let mut statement = parsed("SELECT $1");
        let given = put_values(&mut statement, &[types::TEXT], &[], &[]);
        assert_eq!(given.err().map(|problem| problem.code), Some("08P01"));
    }
}
