//! Maximum size of a statement.
//!
//! The planner traverses a statement's tree recursively, several times. The parser limits nested parentheses; a chain such as `a
//! OR b OR c …` or `a = b = c …` is a tree as deep as the chain is long, and is limited here.

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer, Whitespace};

use crate::error::QueryError;

/// Maximum number of links in all chains of a statement. The engine's stacks hold several times as many.
const LINKS_MAX: usize = 1000;

/// Refuses a statement that is too deep to plan.
pub(crate) fn check(text: &str) -> Result<(), QueryError> {
    // The parser reports tokens that are invalid.
    let tokens = Tokenizer::new(&GenericDialect {}, text).tokenize().unwrap_or_default();
    let tokens: Vec<_> = tokens.iter().filter(|token| !is_space(token)).collect();
    match links(&tokens).max(longest_run(&tokens)) {
        links if links > LINKS_MAX => Err(QueryError::TooDeep { links, limit: LINKS_MAX }),
        _ => Ok(()),
    }
}

const fn is_space(token: &Token) -> bool {
    matches!(token, Token::Whitespace(Whitespace::Space | Whitespace::Newline | Whitespace::Tab))
}

fn links(tokens: &[&Token]) -> usize {
    let link = |pair: &[&Token]| matches!(pair, [before, token] if is_link(token, before));
    tokens.windows(2).filter(|pair| link(pair)).count()
}

/// The most tokens of one nesting without a comma, an AND or something else that begins a new part. An operator or a suffix such as
/// `= x`, `IS NULL` or `::int` makes a tree one level deeper, and has at least one token.
fn longest_run(tokens: &[&Token]) -> usize {
    let (mut outer, mut run, mut longest) = (Vec::new(), 0_usize, 0);
    for token in tokens {
        match token {
            Token::LParen | Token::LBracket | Token::LBrace => outer.push(std::mem::take(&mut run).saturating_add(1)),
            Token::RParen | Token::RBracket | Token::RBrace => run = outer.pop().unwrap_or(run).saturating_add(1),
            Token::Comma | Token::SemiColon => run = 0,
            Token::Word(word) => match word.keyword {
                Keyword::CASE => outer.push(std::mem::take(&mut run).saturating_add(1)),
                Keyword::END => run = outer.pop().unwrap_or(run).saturating_add(1),
                Keyword::AND | Keyword::OR | Keyword::WHEN | Keyword::THEN | Keyword::ELSE => run = 0,
                Keyword::SELECT | Keyword::WHERE | Keyword::HAVING | Keyword::ON | Keyword::JOIN | Keyword::UNION => run = 0,
                _ => run = run.saturating_add(1),
            },
            _ => run = run.saturating_add(1),
        }
        longest = longest.max(run);
    }
    longest
}

fn is_link(token: &Token, before: &Token) -> bool {
    match token {
        Token::Word(word) => {
            matches!(word.keyword, Keyword::AND | Keyword::OR | Keyword::UNION | Keyword::INTERSECT | Keyword::EXCEPT | Keyword::JOIN)
        }
        // The commas of a type's fields begin no new part.
        Token::Lt => matches!(before, Token::Word(word) if matches!(word.keyword, Keyword::STRUCT | Keyword::MAP)),
        Token::Plus | Token::Minus | Token::Mul | Token::Div | Token::Mod | Token::StringConcat => is_operand(before),
        _ => false,
    }
}

/// Whether an operator after the token has a left side: a sign and the star of `COUNT(*)` have none.
fn is_operand(token: &Token) -> bool {
    match token {
        Token::Word(word) => word.keyword != Keyword::SELECT,
        _ => matches!(token, Token::Number(..) | Token::RParen | Token::RBracket | Token::SingleQuotedString(_)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{TestData, rows, try_rows};

    #[test]
    fn chains_are_counted_and_lists_are_not() {
        for (text, expected) in [
            ("a = 1 OR b = 2 AND c = 3", 2),
            ("SELECT COUNT(*), -1, (-2) FROM t WHERE x IN (-1, -2, -3, +4)", 0),
            ("a + 1 - f(b) * 2 / 'x' || c[1] % 5", 6),
            ("SELECT 1 UNION ALL SELECT 2 UNION SELECT * FROM a JOIN b ON true", 3),
            ("'a OR b OR c' -- OR\n", 0),
        ] {
            let tokens = Tokenizer::new(&GenericDialect {}, text).tokenize().unwrap();
            let tokens: Vec<_> = tokens.iter().filter(|token| !is_space(token)).collect();
            assert_eq!(links(&tokens), expected, "{text}");
        }
    }

    #[test]
    fn operators_and_suffixes_are_counted_as_long_as_nothing_else_begins() {
        for (text, expected) in [
            ("1 = 1 = 1", 5),
            ("a IS NULL IS NULL", 5),
            ("x, 1 = 1 AND y", 3),
            ("f(1, 2) = f(3) = 4", 9),
            ("CASE WHEN a = b THEN c ELSE d END = CASE WHEN e THEN f END", 5),
        ] {
            let tokens = Tokenizer::new(&GenericDialect {}, text).tokenize().unwrap();
            let tokens: Vec<_> = tokens.iter().filter(|token| !is_space(token)).collect();
            assert_eq!(longest_run(&tokens), expected, "{text}");
        }
    }

    /// Each of these ended the process.
    #[test]
    fn no_chain_of_any_operator_crashes() {
        let catalog = TestData::new().catalog();
        for link in [
            " = 1",
            " < 1",
            " IS NULL",
            " IS DISTINCT FROM 1",
            " NOT IN (1, 2)",
            " BETWEEN 1 AND 2",
            " LIKE 'x'",
            " & 1",
            " ~ 'x'",
            " -> 'x'",
            "::int",
            "::timestamp with time zone",
            "::struct<a int, b int>",
            " = CASE WHEN a THEN b ELSE c END",
            " AT TIME ZONE 'UTC'",
            "[1]",
            " || 'x'",
        ] {
            let refused = try_rows(&catalog, &format!("SELECT 1{}", link.repeat(20_000)));
            assert!(matches!(refused, Err(QueryError::TooDeep { .. } | QueryError::Statement(_))), "{link}: {refused:?}");
        }
    }

    #[test]
    fn a_chain_too_long_is_refused_and_no_crash() {
        let catalog = TestData::new().catalog();
        let chain = |links: usize| vec!["posted = 1"; links + 1].join(" OR ");
        assert_eq!(rows(&catalog, &format!("SELECT COUNT(*) FROM balances WHERE {}", chain(300))), ["0"]);
        let refused = try_rows(&catalog, &format!("SELECT COUNT(*) FROM balances WHERE {}", chain(LINKS_MAX + 1))).expect_err("too deep");
        assert!(refused.to_string().starts_with("the statement links 1001 parts with AND, OR,"), "{refused}");
        let list = vec!["-1"; 20_000].join(", ");
        assert_eq!(rows(&catalog, &format!("SELECT COUNT(*) FROM balances WHERE posted IN ({list})")), ["0"]);
        let nested = format!("SELECT {}1{}", "(".repeat(5000), ")".repeat(5000));
        assert_eq!(try_rows(&catalog, &nested).expect_err("too deep").to_string(), "this is not SQL: it is nested too deeply");
    }
}
