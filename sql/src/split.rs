//! Where a statement ends: at a `;` outside quotes and comments.

/// Where the reading of a text stands.
enum Inside {
    Sql,
    /// Until the same quote again.
    Quotes(char),
    LineComment,
    /// They nest.
    BlockComment(usize),
}

/// The first statement of a text, without its `;`, and what follows it; none while it has no end.
pub(crate) fn first_statement(text: &str) -> Option<(&str, &str)> {
    let mut inside = Inside::Sql;
    let mut letters = text.char_indices().peekable();
    while let Some((index, letter)) = letters.next() {
        let next = letters.peek().map(|(_, next)| *next);
        let mut takes_next = false;
        inside = match (inside, letter, next) {
            (Inside::Sql, ';', _) => return Some((text.get(..index)?, text.get(index + 1..)?)),
            (Inside::Sql, '\'' | '"' | '`', _) => Inside::Quotes(letter),
            (Inside::Sql, '-', Some('-')) => Inside::LineComment,
            (Inside::Sql, '/', Some('*')) => {
                takes_next = true;
                Inside::BlockComment(1)
            }
            (Inside::Quotes(quote), ended, _) if quote == ended => Inside::Sql,
            (Inside::LineComment, '\n', _) => Inside::Sql,
            (Inside::BlockComment(depth), '/', Some('*')) => {
                takes_next = true;
                Inside::BlockComment(depth + 1)
            }
            (Inside::BlockComment(depth), '*', Some('/')) => {
                takes_next = true;
                if depth == 1 { Inside::Sql } else { Inside::BlockComment(depth - 1) }
            }
            (same, _, _) => same,
        };
        if takes_next {
            letters.next();
        }
    }
    None
}

/// All statements of a text; the last may have no `;`.
pub(crate) fn statements(mut text: &str) -> Vec<&str> {
    let mut all = Vec::new();
    while let Some((statement, rest)) = first_statement(text) {
        all.push(statement);
        text = rest;
    }
    all.push(text);
    all.retain(|statement| !is_blank(statement));
    all
}

/// Whether a text has nothing but space and comments.
pub(crate) fn is_blank(text: &str) -> bool {
    let mut rest = text.trim_start();
    while let Some(comment) = rest.strip_prefix("--") {
        rest = comment.split_once('\n').map_or("", |(_, after)| after.trim_start());
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_end_at_semicolons_outside_quotes_and_comments() {
        for (text, expected) in [
            ("SELECT 1", vec!["SELECT 1"]),
            ("SELECT 1; SELECT 2;", vec!["SELECT 1", " SELECT 2"]),
            ("SELECT ';' ; x", vec!["SELECT ';' ", " x"]),
            ("SELECT 'it''s;' ; x", vec!["SELECT 'it''s;' ", " x"]),
            ("SELECT \"a;b\"; x", vec!["SELECT \"a;b\"", " x"]),
            ("SELECT 1 -- one; two\n+ 2; x", vec!["SELECT 1 -- one; two\n+ 2", " x"]),
            ("SELECT /* a; /* b; */ c; */ 1; x", vec!["SELECT /* a; /* b; */ c; */ 1", " x"]),
            (" ; -- nothing\n ;", vec![]),
        ] {
            assert_eq!(statements(text), expected, "{text}");
        }
    }

    #[test]
    fn a_statement_without_its_end_goes_on() {
        for text in ["SELECT 1", "SELECT ';", "SELECT 1 -- ;", "SELECT /* ; */ 1", "SELECT /*/ ; 1"] {
            assert!(first_statement(text).is_none(), "{text}");
        }
    }
}
