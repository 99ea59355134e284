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

const FUNCTIONS: [(&str, Shown); 11] = [
    ("checked_difference", Shown::Between("-")),
    ("checked_negation", Shown::Before("-")),
    ("checked_product", Shown::Between("*")),
    ("checked_sum", Shown::Between("+")),
    ("hex_text", Shown::Value),
    ("interval_length", Shown::Value),
    ("interval_times", Shown::Between("*")),
    ("negation", Shown::Before("-")),
    ("rounded_to_integer", Shown::Value),
    ("told_apart", Shown::Value),
    ("within_memory", Shown::Value),
];

/// The maximum length of a name in bytes that is compared with what it names.
const NAME_MAX: usize = 1024;

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
    let (mut kept, mut rest) = (String::with_capacity(line.len()), line);
    while let Some((before, after)) = rest.split_once(" AS ") {
        kept.push_str(before);
        rest = after_name(&kept, after).unwrap_or_else(|| {
            kept.push_str(" AS ");
            after
        });
    }
    kept.push_str(rest);
    kept
}

/// What is after a name that repeats what is before it.
fn after_name<'t>(before: &str, after: &'t str) -> Option<&'t str> {
    let begins = before.rmatch_indices(['[', ' ']).filter_map(|(place, begin)| before.get(place.saturating_add(begin.len())..));
    let named = begins.take_while(|named| named.len() <= NAME_MAX);
    let split = named.filter_map(|named| {
        let (name, after) = after.split_at_checked(named.len())?;
        (after.starts_with([',', ']']) && name == named).then_some(after)
    });
    split.last()
}

/// A text with what is shown for calls of functions.
fn shown(text: &str) -> String {
    let line = Line { text, place: 0, shown: String::with_capacity(text.len()), open: Vec::new(), is_quoted: false, is_escaped: false };
    line.shown()
}

/// A line of a plan, read once from left to right.
struct Line<'t> {
    text: &'t str,
    /// How far it is read, in bytes.
    place: usize,
    /// What is shown for the line up to there.
    shown: String,
    /// The calls that are read in part, the outermost first, and the brackets in them.
    open: Vec<Open>,
    is_quoted: bool,
    is_escaped: bool,
}

enum Open {
    Bracket,
    Call(Call),
}

/// A call of one of the functions.
struct Call {
    function: Shown,
    /// Where it begins in the line.
    place: usize,
    /// Where what is shown for it begins.
    begin: usize,
    /// Where that ends, if more arguments follow than are shown.
    end: Option<usize>,
    has_operator: bool,
}

impl<'t> Line<'t> {
    fn shown(mut self) -> String {
        while let Some(character) = self.rest().chars().next() {
            match self.function_here() {
                Some((name, function)) => self.begin_call(name, function),
                None => {
                    self.place = self.place.saturating_add(character.len_utf8());
                    self.take(character);
                }
            }
        }
        self.undo_calls();
        self.shown
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.place..).unwrap_or_default()
    }

    /// The function that is called next in the line.
    fn function_here(&self) -> Option<(&'static str, Shown)> {
        let before = self.text.get(..self.place).and_then(|before| before.chars().next_back());
        if self.is_quoted || before.is_some_and(|last| last.is_alphanumeric() || last == '_') {
            return None;
        }
        let is_called = |name: &str| self.rest().strip_prefix(name).is_some_and(|rest| rest.starts_with('('));
        FUNCTIONS.iter().find(|(name, _)| is_called(name)).copied()
    }

    fn begin_call(&mut self, name: &str, function: Shown) {
        let call = Call { function, place: self.place, begin: self.shown.len(), end: None, has_operator: false };
        self.open.push(Open::Call(call));
        match function {
            Shown::Value => {}
            Shown::Between(_) => self.shown.push('('),
            Shown::Before(operator) => self.shown.extend(["(", operator, " "]),
        }
        self.place = self.place.saturating_add(name.len()).saturating_add("(".len());
        self.skip_spaces();
    }

    fn take(&mut self, character: char) {
        if self.open.is_empty() || self.is_in_quotes(character) {
            return self.shown.push(character);
        }
        match character {
            '(' | '[' | '{' => {
                self.open.push(Open::Bracket);
                self.shown.push(character);
            }
            ')' | ']' | '}' => self.close(character),
            ',' => self.end_argument(),
            _ => self.shown.push(character),
        }
    }

    /// Whether a character is part of something in quotes, or one of the quotes.
    fn is_in_quotes(&mut self, character: char) -> bool {
        let was_quoted = self.is_quoted;
        match character {
            _ if self.is_escaped => self.is_escaped = false,
            '\\' if was_quoted => self.is_escaped = true,
            '"' => self.is_quoted = !was_quoted,
            _ => {}
        }
        was_quoted || self.is_quoted
    }

    fn close(&mut self, bracket: char) {
        match self.open.last() {
            Some(Open::Call(_)) if bracket != ')' => self.undo_calls(),
            Some(Open::Call(Call { function, end, .. })) => {
                if let Some(end) = *end {
                    self.shown.truncate(end);
                }
                if !matches!(function, Shown::Value) {
                    self.shown.push(')');
                }
                self.open.pop();
            }
            _ => {
                self.shown.push(bracket);
                self.open.pop();
            }
        }
    }

    fn end_argument(&mut self) {
        let Some(Open::Call(call)) = self.open.last_mut() else { return self.shown.push(',') };
        match call.function {
            Shown::Between(operator) if !call.has_operator => {
                call.has_operator = true;
                self.shown.extend([" ", operator, " "]);
            }
            _ => call.end = call.end.or(Some(self.shown.len())),
        }
        self.skip_spaces();
    }

    /// Shows the calls that are read in part as they are: their brackets do not match.
    fn undo_calls(&mut self) {
        let Some(Open::Call(outermost)) = self.open.first() else { return };
        self.shown.truncate(outermost.begin);
        self.shown.push_str(self.text.get(outermost.place..self.place).unwrap_or_default());
        self.open.clear();
        (self.is_quoted, self.is_escaped) = (false, false);
    }

    fn skip_spaces(&mut self) {
        let rest = self.rest();
        self.place = self.place.saturating_add(rest.len().saturating_sub(rest.trim_start().len()));
    }
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
            ("checked_sum(a], b) + negation(c)", "checked_sum(a], b) + (- c)"),
            ("negation(a) + told_apart(negation(b), Utf8(\"DATE)", "(- a) + told_apart(negation(b), Utf8(\"DATE)"),
            ("told_apart(x = Utf8(\"negation(y)\"), Utf8(\"BOOLEAN\"))", "x = Utf8(\"negation(y)\")"),
            ("[a b AS a b] [a b AS b, c] [a AS d, e]", "[a b] [a b, c] [a AS d, e]"),
            ("│ checked_sum(a, b) │", "│ checked_sum(a, b) │"),
            ("", ""),
        ] {
            assert_eq!(shown_lines(plan), expected, "{plan}");
        }
    }

    #[test]
    fn a_line_of_thousands_of_calls_is_shown_like_a_short_one() {
        let line = |part: fn(usize) -> String| (0..10_000).map(part).collect::<Vec<_>>().join(", ");
        let plan = line(|n| format!("told_apart(CAST(a{n} AS Int32), Utf8(\"INT\")) AS c{n}, checked_sum(b{n}, Int64(1))"));
        assert_eq!(shown_lines(&plan), line(|n| format!("CAST(a{n} AS Int32) AS c{n}, (b{n} + Int64(1))")));
        let keys = line(|n| format!("[CAST(x{n} AS Date32) AS told_apart(CAST(x{n} AS Date32), Utf8(\"DATE\"))]"));
        assert_eq!(shown_lines(&keys), line(|n| format!("[CAST(x{n} AS Date32)]")));
        let (negations, ends) = ("negation(".repeat(10_000), ")".repeat(10_000));
        assert_eq!(shown_lines(&format!("{negations}x{ends}")), format!("{}x{ends}", "(- ".repeat(10_000)));
        assert_eq!(shown_lines(&negations), negations);
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
