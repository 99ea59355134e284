//! `format('%s has %L', x, y)` as in PostgreSQL.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use crate::statement::quoted as literal;
use crate::wire::quoted_name;

/// The longest text that a value is filled up to.
const WIDTH_MAX: usize = 10_000;

/// The function of a pattern and values.
pub(crate) fn format_function() -> ScalarUDF {
    ScalarUDF::new_from_impl(Format { signature: Signature::variadic_any(Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Format {
    signature: Signature,
}

impl ScalarUDFImpl for Format {
    fn name(&self) -> &'static str {
        "format"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = arguments.args.iter().map(|value| texts(&value.to_array(arguments.number_rows)?)).collect::<Result<Vec<_>>>()?;
        let value = |column: &StringArray, row: usize| column.is_valid(row).then(|| column.value(row).to_owned());
        let formatted = |row: usize| {
            let values: Vec<Option<String>> = columns.iter().map(|column| value(column, row)).collect();
            match values.split_first() {
                Some((Some(pattern), values)) => formatted(pattern, values).map(Some),
                _ => Ok(None),
            }
        };
        let rows = (0..arguments.number_rows).map(formatted).collect::<Result<StringArray>>()?;
        Ok(ColumnarValue::Array(Arc::new(rows) as ArrayRef))
    }
}

/// Values as texts; those of conditions have one letter.
fn texts(column: &ArrayRef) -> Result<StringArray> {
    if let Some(conditions) = column.as_boolean_opt() {
        return Ok(conditions.iter().map(|condition| condition.map(|condition| if condition { "t" } else { "f" })).collect());
    }
    Ok(cast(column, &DataType::Utf8)?.as_string::<i32>().clone())
}

/// Values in a text: `%s` as they are, `%I` as names, `%L` as literals, each also with the number of the value (`%1$s`), and with a width
/// (`%5s`, `%-5s`) to which they are filled up. `%%` is a percent sign.
fn formatted(pattern: &str, values: &[Option<String>]) -> Result<String> {
    let (mut text, mut rest, mut last) = (String::new(), pattern, 0_usize);
    while let Some((before, after)) = rest.split_once('%') {
        text.push_str(before);
        if let Some(after) = after.strip_prefix('%') {
            text.push('%');
            rest = after;
            continue;
        }
        let (number, after) = match after.split_once('$').and_then(|(number, after)| Some((number.parse::<usize>().ok()?, after))) {
            Some(numbered) => numbered,
            None => (last.saturating_add(1), after),
        };
        let (is_left, after) = after.strip_prefix('-').map_or((false, after), |after| (true, after));
        let digits = after.len() - after.trim_start_matches(|digit: char| digit.is_ascii_digit()).len();
        let (width, after) = after.split_at_checked(digits).unwrap_or(("", after));
        let width = if width.is_empty() { 0 } else { width.parse().unwrap_or(usize::MAX) };
        if width > WIDTH_MAX {
            return exec_err!("format: a width of {width} is above {WIDTH_MAX}");
        }
        let mut letters = after.chars();
        let Some(letter) = letters.next() else { return exec_err!("format: the pattern ends with %: write %% for a percent sign") };
        let Some(value) = number.checked_sub(1).and_then(|place| values.get(place)) else {
            return exec_err!("too few arguments for format(): there is no value {number} for {pattern:?}");
        };
        let value = match (letter, value) {
            ('s', value) => value.clone().unwrap_or_default(),
            ('I', Some(value)) => quoted_name(value),
            ('I', None) => return exec_err!("null values cannot be formatted as an SQL identifier"),
            ('L', value) => value.as_deref().map_or_else(|| "NULL".to_owned(), literal),
            _ => return exec_err!("unrecognized format() type specifier {letter:?}: write %s, %I, %L or %%"),
        };
        let fill = " ".repeat(width.saturating_sub(value.chars().count()));
        text.push_str(&if is_left { value + &fill } else { fill + &value });
        (rest, last) = (letters.as_str(), number);
    }
    text.push_str(rest);
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::formatted;
    use crate::testing::{TestData, message, rows};

    /// The answers are those of PostgreSQL 15.
    #[test]
    fn values_are_put_into_texts() {
        let values = ["a b", "it's"].map(|text| Some(text.to_owned())).into_iter().chain([None]).collect::<Vec<_>>();
        for (pattern, expected) in [
            ("%s and %s", Some("a b and it's")),
            ("%I.%L", Some("\"a b\".'it''s'")),
            ("%2$s, %1$s, 100 %%", Some("it's, a b, 100 %")),
            ("%3$s|%3$L", Some("|NULL")),
            ("nothing", Some("nothing")),
            ("%5s|%-5s|", Some("  a b|it's |")),
            ("%2$-6s|%1$6s", Some("it's  |   a b")),
            ("%4$s", None),
            ("%0$s", None),
            ("%d", None),
            ("%", None),
        ] {
            assert_eq!(formatted(pattern, &values).ok().as_deref(), expected, "{pattern}");
        }
    }

    #[test]
    fn a_pattern_may_be_of_each_row() {
        let catalog = TestData::new().catalog();
        let sql = "SELECT format(p, x, x > 1) AS t FROM (VALUES ('%s is %s', 1), ('%2$s: %1$s', 2)) AS v(p, x) ORDER BY x";
        assert_eq!(rows(&catalog, sql), ["1 is f", "t: 2"]);
        assert!(message(&catalog, "SELECT format('%s %s', 1)").contains("too few arguments for format()"));
    }
}
