//! Plans as `EXPLAIN` shows them, in the words of the query.
//!
//! This crate puts functions of its own around parts of a statement. A plan shows the parts without them: `a + b` for
//! `checked_sum(a, b)`.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;

use crate::columns::shown_text;

/// What stands in a plan for a function of this crate.
#[derive(Clone, Copy, Debug)]
enum Shown {
    /// Its first argument.
    Value,
    /// An operator between its arguments.
    Between(&'static str),
    /// An operator before its argument.
    Before(&'static str),
}

const FUNCTIONS: [(&str, Shown); 9] = [
    ("checked_difference", Shown::Between("-")),
    ("checked_negation", Shown::Before("-")),
    ("checked_product", Shown::Between("*")),
    ("checked_sum", Shown::Between("+")),
    ("hex_text", Shown::Value),
    ("negation", Shown::Before("-")),
    ("rounded_to_integer", Shown::Value),
    ("told_apart", Shown::Value),
    ("within_memory", Shown::Value),
];

/// The rows of `EXPLAIN`, as they are shown.
pub(crate) fn shown_plan(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let show = |column: &ArrayRef| -> ArrayRef {
        match column.data_type() {
            DataType::Utf8 => {
                Arc::new(column.as_string::<i32>().iter().map(|text| text.map(shown_lines)).collect::<StringArray>()) as ArrayRef
            }
            _ => Arc::clone(column),
        }
    };
    RecordBatch::try_new(batch.schema(), batch.columns().iter().map(show).collect())
}

fn shown_lines(text: &str) -> String {
    let text = shown_text(text);
    // Boxes of `FORMAT TREE` have a width of their own.
    let line = |line: &str| if line.contains('│') { line.to_owned() } else { named_once(&shown(line)) };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// A line without names that repeat what they name: keys of windows have such names.
fn named_once(line: &str) -> String {
    let (mut kept, mut rest) = (String::new(), line);
    while let Some((before, after)) = rest.split_once(" AS ") {
        kept.push_str(before);
        let begins = kept.match_indices(['[', ' ']).filter_map(|(place, begin)| kept.get(place.saturating_add(begin.len())..));
        let after_name = begins.filter_map(|named| after.strip_prefix(named)).find(|after| after.starts_with([',', ']']));
        rest = after_name.unwrap_or_else(|| {
            kept.push_str(" AS ");
            after
        });
    }
    kept.push_str(rest);
    kept
}

/// A call of one of the functions in a text.
struct Call<'t> {
    before: &'t str,
    function: Shown,
    arguments: Vec<&'t str>,
    after: &'t str,
}

/// A text with what stands for functions.
fn shown(text: &str) -> String {
    let Some(Call { before, function, arguments, after }) = first_call(text) else { return text.to_owned() };
    let mut arguments = arguments.into_iter().map(shown);
    let first = arguments.next().unwrap_or_default();
    let call = match function {
        Shown::Value => first,
        Shown::Between(operator) => format!("({first} {operator} {})", arguments.next().unwrap_or_default()),
        Shown::Before(operator) => format!("({operator} {first})"),
    };
    format!("{before}{call}{}", shown(after))
}

fn first_call(text: &str) -> Option<Call<'_>> {
    let calls = FUNCTIONS.iter().filter_map(|(name, function)| {
        let mut places = text.match_indices(name).map(|(place, _)| place);
        places.find_map(|place| {
            let (before, from) = text.split_at_checked(place)?;
            let is_whole = !before.ends_with(|last: char| last.is_alphanumeric() || last == '_');
            let (arguments, after) = arguments(from.strip_prefix(name)?.strip_prefix('(')?)?;
            is_whole.then_some(Call { before, function: *function, arguments, after })
        })
    });
    calls.min_by_key(|call| call.before.len())
}

/// The arguments up to the end of a call, and what is after it.
fn arguments(text: &str) -> Option<(Vec<&str>, &str)> {
    let (mut arguments, mut begin, mut depth, mut is_quoted, mut is_escaped) = (Vec::new(), 0, 0_usize, false, false);
    for (place, character) in text.char_indices() {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            _ if is_quoted => {}
            '(' | '[' | '{' => depth = depth.saturating_add(1),
            ')' if depth == 0 => {
                arguments.push(text.get(begin..place)?.trim());
                return Some((arguments, text.get(place.saturating_add(1)..)?));
            }
            ')' | ']' | '}' => depth = depth.checked_sub(1)?,
            ',' if depth == 0 => {
                arguments.push(text.get(begin..place)?.trim());
                begin = place.saturating_add(1);
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::Format;
    use crate::testing::{TestData, text};

    #[test]
    fn parts_of_a_plan_are_shown_without_the_functions_around_them() {
        for (plan, expected) in [
            ("Filter: checked_sum(t.x, Int64(1)) > Int64(0)", "Filter: (t.x + Int64(1)) > Int64(0)"),
            ("checked_product(checked_difference(a@0, 1), checked_negation(b@1))", "((a@0 - 1) * (- b@1))"),
            ("sum(CAST(rounded_to_integer(x) AS Int32)), told_apart(y, Utf8(\"a)b,\"))", "sum(CAST(x AS Int32)), y"),
            ("within_memory(a, concat(b, c)) || b", "a || b"),
            ("my_negation(x), negation (x), checked_sum(a", "my_negation(x), negation (x), checked_sum(a"),
            ("x AS \u{1}0\u{1}ts", "x AS ts"),
            (
                "[[sum(y) PARTITION BY [CAST(x AS Date32) AS told_apart(CAST(x AS Date32), Utf8(\"DATE\")), z]]] x AS xy",
                "[[sum(y) PARTITION BY [CAST(x AS Date32), z]]] x AS xy",
            ),
            ("│ checked_sum(a, b) │", "│ checked_sum(a, b) │"),
            ("", ""),
        ] {
            assert_eq!(shown_lines(plan), expected, "{plan}");
        }
    }

    #[test]
    fn explain_names_what_the_query_names() {
        let catalog = TestData::new().catalog();
        for verb in ["EXPLAIN", "EXPLAIN VERBOSE", "EXPLAIN ANALYZE"] {
            let sql = format!(
                "{verb} SELECT account_id::varchar(3), (posted::int + 1) * -COUNT(*) OVER (PARTITION BY ts::date), account_id || currency \
                 FROM balances WHERE posted::int - 1 > 0 ORDER BY ts::date, posted"
            );
            let plan = text(&catalog, &sql, Format::Csv).unwrap();
            for (internal, _) in FUNCTIONS {
                assert!(!plan.contains(&format!("{internal}(")), "{internal} in {plan}");
            }
            assert!(!plan.contains('\u{1}'), "{plan}");
        }
    }
}
