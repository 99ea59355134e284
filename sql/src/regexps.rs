//! `regexp_split_to_array`, `regexp_split_to_table` and `regexp_matches`, which DataFusion does not have.
//!
//! What has a row for each part or match in PostgreSQL is `unnest` of a list of them.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, ListBuilder, StringArray, StringBuilder};
use arrow::datatypes::{DataType, Field};
use datafusion::common::{Result, exec_datafusion_err, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Signature, TypeSignature, Volatility};
use datafusion::logical_expr::{ScalarFunctionArgs, ScalarUDFImpl};
use datafusion::sql::sqlparser::ast::{Expr, Function, FunctionArguments, ObjectName};
use regex::Regex;

use crate::syntax::call;

const SPLIT: &str = "regexp_split_to_array";
const MATCHES: &str = "regexp_all_matches";

/// The rows of a list in place of a function that gives rows; `None` if it is none of them.
pub(crate) fn rows_of_list(function: &Function) -> Option<Expr> {
    let list = match function.name.to_string().to_lowercase().as_str() {
        "regexp_split_to_table" => SPLIT,
        "regexp_matches" => MATCHES,
        _ => return None,
    };
    let FunctionArguments::List(_) = &function.args else { return None };
    let mut function = function.clone();
    function.name = ObjectName::from(vec![list.into()]);
    Some(call("unnest", vec![Expr::Function(function)]))
}

/// Every function.
pub(crate) fn functions_of_patterns() -> [ScalarUDF; 2] {
    let function = |name, found| {
        let texts = |count| TypeSignature::Exact(vec![DataType::Utf8; count]);
        let signature = Signature::one_of(vec![texts(2), texts(3)], Volatility::Immutable);
        ScalarUDF::new_from_impl(OfPattern { name, found, signature })
    };
    [function(SPLIT, Found::Between), function(MATCHES, Found::Matches)]
}

/// What is found of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Found {
    /// The parts between matches.
    Between,
    /// The groups of each match, or all of it if there are no groups.
    Matches,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct OfPattern {
    name: &'static str,
    found: Found,
    signature: Signature,
}

impl ScalarUDFImpl for OfPattern {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        let list = |item| DataType::List(Arc::new(Field::new_list_field(item, true)));
        Ok(match self.found {
            Found::Between => list(DataType::Utf8),
            Found::Matches => list(list(DataType::Utf8)),
        })
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = ColumnarValue::values_to_arrays(&arguments.args)?;
        let columns: Vec<&StringArray> = columns.iter().filter_map(|column| column.as_string_opt::<i32>()).collect();
        let mut known = BTreeMap::new();
        let mut parts = ListBuilder::new(StringBuilder::new());
        let mut matches = ListBuilder::new(ListBuilder::new(StringBuilder::new()));
        let (texts, patterns, flags) = match columns.as_slice() {
            [texts, patterns] => (texts, patterns, None),
            [texts, patterns, flags] => (texts, patterns, Some(flags)),
            _ => return exec_err!("{} takes a text and a pattern", self.name),
        };
        let flags = |row: usize| flags.map_or(Some(""), |flags| flags.iter().nth(row).flatten());
        for (row, (text, pattern)) in texts.iter().zip(patterns.iter()).enumerate() {
            let Some(((text, pattern), flags)) = text.zip(pattern).zip(flags(row)) else {
                parts.append_null();
                matches.append_null();
                continue;
            };
            let compiled = match known.entry((pattern, flags)) {
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => entry.insert(compiled(self.name, pattern, flags)?),
            };
            match self.found {
                Found::Between => split(compiled, text, &mut parts),
                Found::Matches => all(compiled, flags.contains('g'), text, &mut matches),
            }
        }
        Ok(ColumnarValue::Array(match self.found {
            Found::Between => Arc::new(parts.finish()) as ArrayRef,
            Found::Matches => Arc::new(matches.finish()) as ArrayRef,
        }))
    }
}

fn compiled(function: &str, pattern: &str, flags: &str) -> Result<Regex> {
    if let Some(other) = flags.chars().find(|flag| !matches!(flag, 'g' | 'i' | 'c')) {
        return exec_err!("{function}: the flag {other:?} is not supported: give i to ignore case, and g for all matches");
    }
    let pattern = if flags.contains('i') { format!("(?i){pattern}") } else { pattern.to_owned() };
    Regex::new(&pattern).map_err(|error| exec_datafusion_err!("{function}: {pattern:?} is no regular expression: {error}"))
}

/// As in PostgreSQL, an empty match counts only between two characters.
fn split(pattern: &Regex, text: &str, parts: &mut ListBuilder<StringBuilder>) {
    let mut end = 0;
    for found in pattern.find_iter(text) {
        let is_at_edge = found.start() == end || found.end() == text.len();
        if !(found.is_empty() && is_at_edge) {
            parts.values().append_value(text.get(end..found.start()).unwrap_or_default());
            end = found.end();
        }
    }
    parts.values().append_value(text.get(end..).unwrap_or_default());
    parts.append(true);
}

fn all(pattern: &Regex, is_global: bool, text: &str, matches: &mut ListBuilder<ListBuilder<StringBuilder>>) {
    let count = if is_global { usize::MAX } else { 1 };
    for found in pattern.captures_iter(text).take(count) {
        let groups = matches.values();
        let skipped = usize::from(found.len() > 1);
        found.iter().skip(skipped).for_each(|group| groups.values().append_option(group.map(|group| group.as_str())));
        groups.append(true);
    }
    matches.append(true);
}

#[cfg(test)]
mod tests {
    use crate::testing::{TestData, message, rows};

    /// The answers are those of PostgreSQL 15.
    #[test]
    fn a_text_is_split_at_a_pattern() {
        let catalog = TestData::new().catalog();
        for (sql, expected) in [
            ("SELECT (regexp_split_to_array('a, b,c', ',\\s*'))[2] AS p", ["b"].as_slice()),
            ("SELECT cardinality(regexp_split_to_array('abc', '')) AS n", &["3"]),
            ("SELECT regexp_split_to_table('a, b,c', ',\\s*') AS p", &["a", "b", "c"]),
            ("SELECT regexp_split_to_table('aXbxc', 'x', 'i') AS p", &["a", "b", "c"]),
            ("SELECT regexp_split_to_array(NULL, ',') IS NULL AS n", &["true"]),
            (
                "SELECT x, regexp_split_to_table(y, ';') AS p FROM (VALUES (1, 'a;b'), (2, 'c')) AS v(x, y) ORDER BY 1, 2",
                &["1,a", "1,b", "2,c"],
            ),
            ("SELECT (regexp_matches('foobarbequebaz', '(bar)(beque)'))[2] AS m", &["beque"]),
            ("SELECT m[1] FROM (SELECT regexp_matches('foobarbequebazbar', 'ba.', 'g') AS m) AS t", &["bar", "baz", "bar"]),
            ("SELECT regexp_matches('abc', 'x') AS m", &[]),
        ] {
            assert_eq!(rows(&catalog, sql), expected, "{sql}");
        }
        let refused = message(&catalog, "SELECT regexp_split_to_array('a', '(')");
        assert!(refused.contains("is no regular expression"), "{refused}");
    }
}
