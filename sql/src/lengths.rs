//! Casts to `varchar(n)` and `char(n)`, which keep the first n characters as in PostgreSQL.
//!
//! DataFusion has one type of text, and ignores the length. `char` alone is `char(1)`. Unlike in PostgreSQL, a shorter text is not
//! filled up with spaces, which that ignores nearly everywhere.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{CharacterLength, DataType, Expr, Statement, TypedString, Value, visit_expressions_mut};

use crate::error::QueryError;
use crate::syntax::call;

/// The function that keeps the first characters.
const FIRST: &str = "left";
/// The greatest length that PostgreSQL takes.
const LENGTH_MAX: u64 = 10_485_760;

/// Cuts what a statement casts to a text of limited length. Doing it again changes nothing.
pub(crate) fn cut(statement: &mut Statement) -> Result<(), QueryError> {
    let visited = visit_expressions_mut(statement, |expr| match cut_expression(expr) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => ControlFlow::Break(error),
    });
    match visited {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

fn cut_expression(expr: &mut Expr) -> Result<(), QueryError> {
    let (Expr::Cast { data_type, .. } | Expr::TypedString(TypedString { data_type, .. })) = expr else { return Ok(()) };
    let Some(length) = length_of(data_type) else { return Ok(()) };
    if !(1..=LENGTH_MAX).contains(&length) {
        return Err(QueryError::Statement(format!("{data_type} is no type: give a length from 1 to {LENGTH_MAX}")));
    }
    *data_type = DataType::Varchar(None);
    let text = std::mem::replace(expr, Expr::value(Value::Null));
    *expr = call(FIRST, vec![text, Expr::value(Value::Number(length.to_string(), false))]);
    Ok(())
}

/// The number of characters of a type of text; `None` if any number will do, and for other types.
fn length_of(data_type: &DataType) -> Option<u64> {
    match data_type {
        DataType::Char(None) | DataType::Character(None) => Some(1),
        DataType::Char(Some(length))
        | DataType::Character(Some(length))
        | DataType::Varchar(Some(length))
        | DataType::CharVarying(Some(length))
        | DataType::CharacterVarying(Some(length)) => match length {
            CharacterLength::IntegerLength { length, .. } => Some(*length),
            CharacterLength::Max => None,
        },
        DataType::Custom(name, modifiers) => {
            let name = name.0.last()?.as_ident()?;
            let is_text = ["bpchar", "varchar"].iter().any(|text| name.value.eq_ignore_ascii_case(text));
            modifiers.first().filter(|_| is_text)?.parse().ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::render::Format;
    use crate::testing::{TestData, message, rows, text};

    #[test]
    fn a_cast_to_a_text_of_limited_length_keeps_its_first_characters() {
        let catalog = TestData::new().catalog();
        for (cast, expected) in [
            ("'abcdef'::varchar(3)", "abc"),
            ("CAST('abcdef' AS VARCHAR(4))", "abcd"),
            ("CAST('abcdef' AS CHAR(2))", "ab"),
            ("CAST('abcdef' AS CHARACTER(2))", "ab"),
            ("CAST('abcdef' AS CHARACTER VARYING(5))", "abcde"),
            ("TRY_CAST('abcdef' AS VARCHAR(3))", "abc"),
            ("VARCHAR(3) 'abcdef'", "abc"),
            ("'abcdef'::char", "a"),
            ("'ab'::varchar(3)", "ab"),
            ("'äöü'::varchar(2)", "äö"),
            ("12345::varchar(2)", "12"),
            ("DATE '2026-01-31'::varchar(7)", "2026-01"),
            ("'abcdef'::varchar(4)::varchar(2)", "ab"),
            ("CAST(NULL AS VARCHAR(3))", ""),
            ("'abcdef'::varchar", "abcdef"),
            ("'abcdef'::text", "abcdef"),
        ] {
            assert_eq!(rows(&catalog, &format!("SELECT {cast}")), [expected], "{cast}");
        }
        let grouped =
            "SELECT x::varchar(2), COUNT(*) FROM (VALUES ('abc'), ('abd'), ('b')) AS t(x) GROUP BY x::varchar(2) ORDER BY x::varchar(2)";
        assert_eq!(rows(&catalog, grouped), ["ab,2", "b,1"]);
        let apart = "SELECT COUNT(DISTINCT x::varchar(2)), COUNT(DISTINCT x) FROM (VALUES ('abc'), ('abd')) AS t(x)";
        assert_eq!(rows(&catalog, apart), ["1,2"]);
    }

    #[test]
    fn a_column_that_is_cut_keeps_its_name() {
        let catalog = TestData::new().catalog();
        let answer = text(&catalog, "SELECT x::varchar(2) FROM (SELECT 'abc' AS x) AS t", Format::Csv).unwrap();
        assert_eq!(answer, "x\nab\n");
    }

    #[test]
    fn a_length_out_of_range_is_refused() {
        let catalog = TestData::new().catalog();
        for (cast, named) in [("'a'::varchar(0)", "VARCHAR(0)"), ("CAST('a' AS CHAR(10485761))", "CHAR(10485761)")] {
            let refused = message(&catalog, &format!("SELECT {cast}"));
            assert_eq!(refused, format!("{named} is no type: give a length from 1 to 10485760"), "{cast}");
        }
    }
}
