//! `LIKE` with another escape character than the backslash: `x LIKE 'a!_b' ESCAPE '!'`. DataFusion has backslashes alone.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, StringArray};
use arrow::datatypes::DataType;
use datafusion::common::exec_err;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};
use datafusion::sql::sqlparser::ast::Expr;

use crate::syntax::call;

/// The function that gives a pattern with an escape character as one with backslashes.
const NAME: &str = "like_pattern";

/// Puts the function around the pattern of a comparison with an escape character.
pub(crate) fn call_function(expr: &mut Expr) {
    if let Expr::Like { pattern, escape_char, .. } | Expr::ILike { pattern, escape_char, .. } = expr
        && let Some(escape) = escape_char.take()
    {
        **pattern = call(NAME, vec![pattern.as_ref().clone(), Expr::Value(escape)]);
    }
}

/// The function of a pattern and an escape character.
pub(crate) fn like_pattern() -> ScalarUDF {
    let of_columns = |arguments: &[ColumnarValue]| {
        let columns = ColumnarValue::values_to_arrays(arguments)?;
        let [patterns, escapes] = columns.as_slice() else { return exec_err!("a pattern and an escape character were promised") };
        let (patterns, escapes) = (patterns.as_string::<i32>(), escapes.as_string::<i32>());
        let with_backslashes = |(pattern, escape): (Option<&str>, Option<&str>)| Some(with_backslashes(pattern?, escape?));
        let patterns: StringArray = patterns.iter().zip(escapes.iter()).map(with_backslashes).collect();
        Ok(ColumnarValue::Array(Arc::new(patterns) as ArrayRef))
    };
    create_udf(NAME, vec![DataType::Utf8; 2], DataType::Utf8, Volatility::Immutable, Arc::new(of_columns))
}

/// A pattern with an escape character, or with none where that is empty, as one with backslashes.
fn with_backslashes(pattern: &str, escape: &str) -> String {
    let (mut plain, mut characters) = (String::new(), pattern.chars());
    let escape = escape.chars().next();
    while let Some(character) = characters.next() {
        let (is_escaped, character) = match Some(character) == escape {
            true => (true, characters.next().unwrap_or(character)),
            false => (false, character),
        };
        if character == '\\' || is_escaped && matches!(character, '%' | '_') {
            plain.push('\\');
        }
        plain.push(character);
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::with_backslashes;
    use crate::testing::{TestData, rows};

    #[test]
    fn patterns_escape_with_backslashes() {
        for (pattern, escape, expected) in [
            ("pg/_%", "/", r"pg\_%"),
            ("50/%//", "/", r"50\%/"),
            (r"a\%_", "/", r"a\\%_"),
            (r"a\%", "", r"a\\%"),
            ("a/b/", "/", "ab/"),
            ("\u{e4}%\u{e4}_", "\u{e4}", r"\%\_"),
        ] {
            assert_eq!(with_backslashes(pattern, escape), expected, "{pattern}");
        }
    }

    /// The answers are those of PostgreSQL 15.
    #[test]
    fn an_escaped_character_is_no_wildcard() {
        let catalog = TestData::new().catalog();
        for (condition, expected) in [
            ("'a_b' LIKE 'a!_b' ESCAPE '!'", "true"),
            ("'axb' LIKE 'a!_b' ESCAPE '!'", "false"),
            ("'axb' NOT LIKE 'a!_b' ESCAPE '!'", "true"),
            ("'A_B' ILIKE 'a!_b' ESCAPE '!'", "true"),
            (r"'a\b' LIKE 'a\b' ESCAPE ''", "true"),
            ("x LIKE p ESCAPE '#'", "true"),
        ] {
            let sql = format!("SELECT {condition} AS c FROM (VALUES ('50%', '50#%')) AS v(x, p)");
            assert_eq!(rows(&catalog, &sql), [expected], "{condition}");
        }
    }
}
