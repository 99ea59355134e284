//! One spelling of each type.
//!
//! SQL has several names for a type, such as `int`, `integer` and `int4`. Casts to one type are one expression, however it is written.

use datafusion::sql::sqlparser::ast::{ArrayElemTypeDef, CharacterLength, DataType, ExactNumberInfo, TimezoneInfo};

/// The digits after the point of a second where a type gives none.
const DIGITS: u64 = 9;

/// A type by the spelling that stands for all types that are planned as the same.
pub(crate) fn one_spelling(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Bool => DataType::Boolean,
        DataType::TinyInt(_) => DataType::TinyInt(None),
        DataType::SmallInt(_) | DataType::Int2(_) => DataType::SmallInt(None),
        DataType::Int(_) | DataType::Integer(_) | DataType::Int4(_) => DataType::Int(None),
        DataType::BigInt(_) | DataType::Int8(_) => DataType::BigInt(None),
        DataType::TinyIntUnsigned(_) => DataType::TinyIntUnsigned(None),
        DataType::SmallIntUnsigned(_) | DataType::Int2Unsigned(_) => DataType::SmallIntUnsigned(None),
        DataType::IntUnsigned(_) | DataType::IntegerUnsigned(_) | DataType::Int4Unsigned(_) => DataType::IntUnsigned(None),
        DataType::BigIntUnsigned(_) | DataType::Int8Unsigned(_) => DataType::BigIntUnsigned(None),
        // As PostgreSQL takes them: `crate::exact_numbers` casts to these.
        DataType::Float(ExactNumberInfo::Precision(..=24)) | DataType::Float4 => DataType::Real,
        DataType::Float(_) => DataType::DoublePrecision,
        DataType::Double(ExactNumberInfo::None) | DataType::Float8 => DataType::DoublePrecision,
        DataType::Numeric(digits) | DataType::Decimal(digits) => DataType::Numeric(with_scale(*digits)),
        DataType::String(_) => DataType::Text,
        DataType::Varchar(length) | DataType::CharVarying(length) | DataType::CharacterVarying(length) => text_of(*length),
        DataType::Char(length) | DataType::Character(length) => DataType::Char(Some(length.map_or(characters(1), without_unit))),
        DataType::Timestamp(digits, zone) => DataType::Timestamp(digits.filter(|digits| *digits != DIGITS), short(*zone)),
        DataType::Time(digits, zone) => DataType::Time(*digits, short(*zone)),
        DataType::Array(ArrayElemTypeDef::SquareBracket(element, length)) => array_of(element, *length),
        DataType::Array(ArrayElemTypeDef::AngleBracket(element)) => array_of(element, None),
        other => other.clone(),
    }
}

const fn with_scale(digits: ExactNumberInfo) -> ExactNumberInfo {
    match digits {
        ExactNumberInfo::Precision(precision) => ExactNumberInfo::PrecisionAndScale(precision, 0),
        other => other,
    }
}

fn text_of(length: Option<CharacterLength>) -> DataType {
    match length {
        None | Some(CharacterLength::Max) => DataType::Text,
        Some(length) => DataType::Varchar(Some(without_unit(length))),
    }
}

/// `varchar(3 characters)` is `varchar(3)`.
const fn without_unit(length: CharacterLength) -> CharacterLength {
    match length {
        CharacterLength::IntegerLength { length, .. } => characters(length),
        CharacterLength::Max => CharacterLength::Max,
    }
}

const fn characters(length: u64) -> CharacterLength {
    CharacterLength::IntegerLength { length, unit: None }
}

const fn short(zone: TimezoneInfo) -> TimezoneInfo {
    match zone {
        TimezoneInfo::None | TimezoneInfo::WithoutTimeZone => TimezoneInfo::None,
        TimezoneInfo::WithTimeZone | TimezoneInfo::Tz => TimezoneInfo::Tz,
    }
}

fn array_of(element: &DataType, length: Option<u64>) -> DataType {
    DataType::Array(ArrayElemTypeDef::SquareBracket(Box::new(one_spelling(element)), length))
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::dialect::GenericDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    /// The synonyms are those of PostgreSQL's manual, chapter "Data Types".
    #[test]
    fn spellings_of_one_type_become_one() {
        for (spellings, expected) in [
            (["int", "integer", "int4"].as_slice(), "INT"),
            (&["bigint", "int8"], "BIGINT"),
            (&["smallint", "int2"], "SMALLINT"),
            (&["int unsigned", "integer unsigned", "int4 unsigned"], "INT UNSIGNED"),
            (&["text", "varchar", "character varying", "char varying", "string"], "TEXT"),
            (&["varchar(3)", "character varying(3)"], "VARCHAR(3)"),
            (&["char", "character", "char(1)"], "CHAR(1)"),
            (&["double precision", "double", "float8", "float", "float(53)"], "DOUBLE PRECISION"),
            (&["real", "float4", "float(24)"], "REAL"),
            (&["boolean", "bool"], "BOOLEAN"),
            (&["numeric", "decimal"], "NUMERIC"),
            (&["numeric(20,2)", "decimal(20,2)"], "NUMERIC(20,2)"),
            (&["numeric(20)", "decimal(20)", "decimal(20,0)"], "NUMERIC(20,0)"),
            (&["timestamp", "timestamp without time zone", "timestamp(9)"], "TIMESTAMP"),
            (&["timestamp(3)", "timestamp(3) without time zone"], "TIMESTAMP(3)"),
            (&["timestamptz", "timestamp with time zone"], "TIMESTAMPTZ"),
            (&["time", "time without time zone"], "TIME"),
            (&["date"], "DATE"),
            (&["int[]", "integer[]", "int4[]"], "INT[]"),
        ] {
            for spelling in spellings {
                let data_type = Parser::new(&GenericDialect {}).try_with_sql(spelling).unwrap().parse_data_type().unwrap();
                assert_eq!(one_spelling(&data_type).to_string(), expected, "{spelling}");
            }
        }
    }
}
