//! Casts to `varchar(n)`, `char(n)` and arrays of them, which keep the first n characters as in PostgreSQL.
//!
//! DataFusion has one type of text, and ignores the length. `char` alone is `char(1)`. Unlike in PostgreSQL, a shorter text is not
//! filled up with spaces, which that ignores nearly everywhere.

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray};
use arrow::compute::kernels::substring::substring_by_char;
use arrow::datatypes::DataType as ArrowType;
use datafusion::common::{Result, ScalarValue, internal_err, plan_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, CharacterLength, DataType, Expr, Statement, TypedString, Value, visit_expressions_mut,
};

use crate::error::QueryError;
use crate::syntax::call;

/// The function that keeps the first characters.
const FIRST: &str = "left";
/// The same of the elements of an array.
const FIRST_OF_EACH: &str = "left_of_each";
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
    let function = if matches!(data_type, DataType::Array(_)) { FIRST_OF_EACH } else { FIRST };
    *data_type = without_length(data_type);
    let text = std::mem::replace(expr, Expr::value(Value::Null));
    *expr = call(function, vec![text, Expr::value(Value::Number(length.to_string(), false))]);
    Ok(())
}

/// The element of a type of arrays.
fn element_of(data_type: &DataType) -> Option<&DataType> {
    match data_type {
        DataType::Array(
            ArrayElemTypeDef::SquareBracket(element, _) | ArrayElemTypeDef::AngleBracket(element) | ArrayElemTypeDef::Parenthesis(element),
        ) => Some(element.as_ref()),
        _ => None,
    }
}

fn without_length(data_type: &DataType) -> DataType {
    match element_of(data_type) {
        Some(element) => DataType::Array(ArrayElemTypeDef::SquareBracket(Box::new(without_length(element)), None)),
        None => DataType::Varchar(None),
    }
}

/// The number of characters of a type of text, or of the texts of an array; `None` if any number will do, and for other types.
fn length_of(data_type: &DataType) -> Option<u64> {
    if let Some(element) = element_of(data_type) {
        return length_of(element);
    }
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

/// The function of an array of texts and a number of characters.
pub(crate) fn first_of_each() -> ScalarUDF {
    ScalarUDF::new_from_impl(FirstOfEach { signature: Signature::any(2, Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct FirstOfEach {
    signature: Signature,
}

impl ScalarUDFImpl for FirstOfEach {
    fn name(&self) -> &'static str {
        FIRST_OF_EACH
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[ArrowType]) -> Result<ArrowType> {
        match types {
            [array, _] => Ok(array.clone()),
            _ => plan_err!("{FIRST_OF_EACH} needs an array and a number of characters"),
        }
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [array, ColumnarValue::Scalar(length)] = arguments.args.as_slice() else {
            return internal_err!("{FIRST_OF_EACH} needs an array and a number of characters");
        };
        let ScalarValue::UInt64(Some(length)) = length.cast_to(&ArrowType::UInt64)? else {
            return internal_err!("{FIRST_OF_EACH} needs a number of characters");
        };
        Ok(match array {
            ColumnarValue::Array(arrays) => ColumnarValue::Array(first_characters(arrays, length)?),
            ColumnarValue::Scalar(array) => {
                ColumnarValue::Scalar(ScalarValue::try_from_array(&first_characters(&array.to_array()?, length)?, 0)?)
            }
        })
    }
}

/// The texts, or the arrays with texts, cut to so many characters.
fn first_characters(texts: &ArrayRef, length: u64) -> Result<ArrayRef> {
    Ok(match texts.data_type() {
        ArrowType::Utf8 => Arc::new(substring_by_char(texts.as_string::<i32>(), 0, Some(length))?),
        ArrowType::List(element) => {
            let lists = texts.as_list::<i32>();
            let elements = first_characters(lists.values(), length)?;
            Arc::new(ListArray::try_new(Arc::clone(element), lists.offsets().clone(), elements, lists.nulls().cloned())?)
        }
        // An array of nothing but NULL.
        _ => Arc::clone(texts),
    })
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

    /// The answers follow from the rule for texts: an explicit cast cuts a text off after so many characters, here each of an array's.
    #[test]
    fn a_cast_to_an_array_of_texts_of_limited_length_cuts_each() {
        let catalog = TestData::new().catalog();
        for (cast, expected) in [
            ("ARRAY['abc', 'de', NULL, 'äöü']::varchar(2)[]", r#""[""ab"",""de"",null,""äö""]""#),
            ("CAST(ARRAY['abc'] AS CHAR(2)[])", r#""[""ab""]""#),
            ("ARRAY['abc']::char[]", r#""[""a""]""#),
            ("ARRAY[ARRAY['abc'], ARRAY['de']]::varchar(1)[][]", r#""[[""a""],[""d""]]""#),
            ("ARRAY['abc']::varchar[]", r#""[""abc""]""#),
            ("ARRAY[12345, 1]::varchar(2)[]", r#""[""12"",""1""]""#),
            ("CAST(NULL AS VARCHAR(3)[])", ""),
            ("(ARRAY['abc', 'de']::varchar(1)[])[2]", "d"),
        ] {
            assert_eq!(rows(&catalog, &format!("SELECT {cast}")), [expected], "{cast}");
        }
        let columns = "SELECT a::varchar(1)[] AS x FROM (VALUES (1, ARRAY['abc']), (2, ARRAY['de', 'f'])) AS t(n, a) ORDER BY n";
        assert_eq!(rows(&catalog, columns), [r#""[""a""]""#, r#""[""d"",""f""]""#]);
        let refused = message(&catalog, "SELECT ARRAY['a']::varchar(0)[]");
        assert_eq!(refused, "VARCHAR(0)[] is no type: give a length from 1 to 10485760");
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
