//! Helper of the line editor: an input continues until its `;`, and names are completed.

use rustyline::completion::Completer;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper, Result};

use crate::names::Relation;
use crate::split::{first_statement, is_blank};

const KEYWORDS: &[&str] =
    &["SELECT", "FROM", "WHERE", "GROUP BY", "HAVING", "QUALIFY", "ORDER BY", "LIMIT", "JOIN", "DESCRIBE", "SHOW TABLES", "EXPLAIN"];

/// Words that the editor completes.
pub(super) struct Line {
    words: Vec<String>,
}

impl Line {
    pub(super) fn new() -> Self {
        let tables = Relation::all().into_iter().map(|(name, _)| name);
        Self { words: tables.chain(KEYWORDS.iter().map(|word| (*word).to_owned())).collect() }
    }

    fn complete_word(&self, line: &str, position: usize) -> (usize, Vec<String>) {
        let before = line.get(..position).unwrap_or_default();
        let start = before.rfind(|letter: char| !letter.is_alphanumeric() && letter != '_').map_or(0, |index| index + 1);
        let begun = before.get(start..).unwrap_or_default().to_lowercase();
        let begins = |word: &&String| !begun.is_empty() && word.to_lowercase().starts_with(&begun);
        (start, self.words.iter().filter(begins).cloned().collect())
    }
}

/// Whether an input is a command, blank, or a whole statement.
fn is_complete(input: &str) -> bool {
    input.trim_start().starts_with('\\') || is_blank(input) || first_statement(input).is_some()
}

impl Validator for Line {
    fn validate(&self, context: &mut ValidationContext<'_>) -> Result<ValidationResult> {
        Ok(if is_complete(context.input()) { ValidationResult::Valid(None) } else { ValidationResult::Incomplete })
    }
}

impl Completer for Line {
    type Candidate = String;

    fn complete(&self, line: &str, position: usize, _: &Context<'_>) -> Result<(usize, Vec<String>)> {
        Ok(self.complete_word(line, position))
    }
}

impl Hinter for Line {
    type Hint = String;
}
impl Highlighter for Line {}
impl Helper for Line {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_goes_on_until_its_semicolon() {
        for (input, complete) in [("", true), ("\\d", true), ("SELECT", false), ("SELECT\n1;", true), ("SELECT ';", false)] {
            assert_eq!(is_complete(input), complete, "{input}");
        }
    }

    #[test]
    fn names_are_completed() {
        assert_eq!(
            Line::new().complete_word("SELECT * FROM tOp", 17),
            (14, vec!["top_of_book".to_owned(), "top_of_book_history".to_owned()])
        );
        assert_eq!(Line::new().complete_word("sel", 3), (0, vec!["SELECT".to_owned()]));
        assert_eq!(Line::new().complete_word("", 0), (0, vec![]));
    }
}
