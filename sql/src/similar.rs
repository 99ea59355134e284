//! Patterns of `SIMILAR TO`: those of `LIKE`, with `|`, `*`, `+`, `?`, `{2}`, `( )` and `[ ]` of regular expressions.
//!
//! DataFusion 55 takes them for regular expressions that match a part of a text, so `'abc' SIMILAR TO 'b'` was true, and `'a%'` matched
//! no `abc`.

use datafusion::sql::sqlparser::ast::{Expr, Value, ValueWithSpan};

use crate::error::QueryError;

/// The regular expression of a pattern that is written out, or NULL.
pub(crate) fn pattern_of(pattern: &Expr, escape: Option<&ValueWithSpan>) -> Result<Value, QueryError> {
    let letter = match escape.map(|escape| &escape.value) {
        None => Some('\\'),
        Some(Value::SingleQuotedString(text)) => text.chars().next(),
        Some(_) => return Err(not_written()),
    };
    match pattern {
        Expr::Nested(inner) => pattern_of(inner, escape),
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => Ok(Value::SingleQuotedString(regex(text, letter))),
            Value::Null => Ok(Value::Null),
            _ => Err(not_written()),
        },
        _ => Err(not_written()),
    }
}

fn not_written() -> QueryError {
    QueryError::Statement(
        "this is not supported: SIMILAR TO with a pattern that is computed: write the pattern as a text, or use ~ with a regular expression"
            .to_owned(),
    )
}

fn regex(pattern: &str, escape: Option<char>) -> String {
    let (mut regex, mut letters, mut is_in_brackets) = (String::from("(?s)^(?:"), pattern.chars(), false);
    while let Some(letter) = letters.next() {
        match letter {
            _ if Some(letter) == escape => literal(letters.next().unwrap_or(letter), &mut regex),
            ']' if is_in_brackets => {
                is_in_brackets = false;
                regex.push(letter);
            }
            '^' | '-' if is_in_brackets => regex.push(letter),
            _ if is_in_brackets => literal(letter, &mut regex),
            '[' => {
                is_in_brackets = true;
                regex.push(letter);
            }
            '%' => regex.push_str(".*"),
            '_' => regex.push('.'),
            '|' | '*' | '+' | '?' | '{' | '}' | '(' | ')' => regex.push(letter),
            _ => literal(letter, &mut regex),
        }
    }
    regex.push_str(")$");
    regex
}

/// A letter that stands for itself.
fn literal(letter: char, regex: &mut String) {
    if letter.is_ascii_punctuation() {
        regex.push('\\');
    }
    regex.push(letter);
}

#[cfg(test)]
mod tests {
    use crate::testing::{TestData, message, rows};

    /// The answers are those of PostgreSQL 15.
    #[test]
    fn a_pattern_is_of_the_whole_text() {
        let catalog = TestData::new().catalog();
        for (condition, expected) in [
            ("'abc' SIMILAR TO 'abc'", "true"),
            ("'abc' SIMILAR TO 'a'", "false"),
            ("'abc' SIMILAR TO 'a%'", "true"),
            ("'abc' SIMILAR TO '%(b|d)%'", "true"),
            ("'abc' SIMILAR TO '(b|c)%'", "false"),
            ("'abc' SIMILAR TO '_bc'", "true"),
            ("'abc' SIMILAR TO 'a.c'", "false"),
            ("'a.c' SIMILAR TO 'a.c'", "true"),
            ("'abc' SIMILAR TO '[a-c]{3}'", "true"),
            ("'abc' SIMILAR TO '[^x]+'", "true"),
            ("'a%' SIMILAR TO 'a\\%'", "true"),
            ("'ab' SIMILAR TO 'a\\%'", "false"),
            ("'a%' SIMILAR TO 'a!%' ESCAPE '!'", "true"),
            ("'abc' NOT SIMILAR TO 'a%'", "false"),
            ("('abc' SIMILAR TO NULL) IS NULL", "true"),
        ] {
            assert_eq!(rows(&catalog, &format!("SELECT {condition} AS c")), [expected], "{condition}");
        }
        let refused = message(&catalog, "SELECT 'abc' SIMILAR TO CONCAT('a', '%')");
        assert!(refused.starts_with("this is not supported: SIMILAR TO with a pattern that is computed"), "{refused}");
    }
}
