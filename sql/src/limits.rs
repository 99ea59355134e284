//! Maximum size of a statement.
//!
//! The planner traverses a statement's tree recursively, several times. The parser limits nested parentheses; a chain such as `a
//! OR b OR c …` is a tree as deep as the chain is long, and is limited here.

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
    match links(&tokens) {
        links if links > LINKS_MAX => Err(QueryError::TooDeep { links, limit: LINKS_MAX }),
        _ => Ok(()),
    }
}

fn links(tokens: &[Token]) -> usize {
    let space = |token: &&Token| !matches!(token, Token::Whitespace(Whitespace::Space | Whitespace::Newline | Whitespace::Tab));
    let tokens: Vec<_> = tokens.iter().filter(space).collect();
    let link = |pair: &[&Token]| matches!(pair, [before, token] if is_link(token, before));
    tokens.windows(2).filter(|pair| link(pair)).count()
}

fn is_link(token: &Token, before: &Token) -> bool {
    match token {
        Token::Word(word) => {
            matches!(word.keyword, Keyword::AND | Keyword::OR | Keyword::UNION | Keyword::INTERSECT | Keyword::EXCEPT | Keyword::JOIN)
        }
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
            assert_eq!(links(&tokens), expected, "{text}");
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
