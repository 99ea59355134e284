//! Splitting a text into statements, at each `;` outside quotes and comments.

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

/// The tokens of a text, up to an incomplete one.
fn tokens(text: &str) -> Vec<TokenWithSpan> {
    let mut tokens = Vec::new();
    // An invalid token may still be completed; otherwise the parser reports it.
    let _ = Tokenizer::new(&GenericDialect {}, text).tokenize_with_location_into_buf(&mut tokens);
    tokens
}

/// The byte offset of a line and column; both count from 1, columns in characters.
fn byte_at(text: &str, at: Location) -> Option<usize> {
    let line = usize::try_from(at.line.checked_sub(1)?).ok()?;
    let column = usize::try_from(at.column.checked_sub(1)?).ok()?;
    let before: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let (index, _) = text.get(before..)?.char_indices().nth(column)?;
    Some(before + index)
}

/// The first statement of a text, without its `;`, and the rest; `None` while it is incomplete.
pub(crate) fn first_statement(text: &str) -> Option<(&str, &str)> {
    let tokens = tokens(text);
    let end = tokens.iter().find(|token| token.token == Token::SemiColon)?.span.start;
    let end = byte_at(text, end)?;
    Some((text.get(..end)?, text.get(end + 1..)?))
}

/// All statements of a text; the last may have no `;`.
pub(crate) fn statements(text: &str) -> Vec<&str> {
    let tokens = tokens(text);
    let mut ends = tokens.iter().filter(|token| token.token == Token::SemiColon).map(|token| token.span.start).peekable();
    let (mut all, mut start, mut at) = (Vec::new(), 0, Location::new(1, 1));
    for (byte, character) in text.char_indices() {
        if ends.next_if_eq(&at).is_some() {
            all.extend(text.get(start..byte));
            start = byte + character.len_utf8();
        }
        at = match character {
            '\n' => Location::new(at.line + 1, 1),
            _ => Location::new(at.line, at.column + 1),
        };
    }
    all.extend(text.get(start..));
    all.retain(|statement| !is_blank(statement));
    all
}

/// Whether a text has only white space and complete comments.
pub(crate) fn is_blank(text: &str) -> bool {
    match Tokenizer::new(&GenericDialect {}, text).tokenize() {
        Ok(tokens) => tokens.iter().all(|token| matches!(token, Token::Whitespace(_))),
        Err(_) => false,
    }
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
            ("SELECT 'ä\nß;' AS \"ü;\"; x", vec!["SELECT 'ä\nß;' AS \"ü;\"", " x"]),
            ("SELECT 1;\r\nSELECT 2;\tx", vec!["SELECT 1", "\r\nSELECT 2", "\tx"]),
            ("SELECT 1; SELECT 'no end", vec!["SELECT 1", " SELECT 'no end"]),
            ("/* nothing */ -- at all", vec![]),
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
