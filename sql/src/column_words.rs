//! Words of the grammar that are names of columns.
//!
//! `offset` is a column of `audit`, `dead_letters` and `remap`. The parser lets a list of columns end with a comma, and takes the word
//! after one for the clause `OFFSET`, which never follows a comma.

use datafusion::error::DataFusionError;
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::ParserError;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

/// The tokens of a text, for the parser.
pub(crate) fn tokens(text: &str) -> Result<Vec<TokenWithSpan>, DataFusionError> {
    let read = Tokenizer::new(&GenericDialect {}, text).tokenize_with_location();
    let mut tokens = read.map_err(|error| DataFusionError::SQL(Box::new(ParserError::from(error)), None))?;
    let mut follows_comma = false;
    for TokenWithSpan { token, .. } in &mut tokens {
        match token {
            Token::Whitespace(_) => continue,
            Token::Word(word) if follows_comma && word.keyword == Keyword::OFFSET => word.keyword = Keyword::NoKeyword,
            _ => {}
        }
        follows_comma = *token == Token::Comma;
    }
    Ok(tokens)
}

#[cfg(test)]
mod tests {
    use crate::testing::{TestData, rows};

    #[test]
    fn offset_is_a_column_anywhere_in_a_list() {
        let catalog = TestData::new().catalog();
        let data = "(VALUES ('a', 7), ('b', 8)) AS audit (topic, \"offset\")";
        for (sql, expected) in [
            ("SELECT topic, offset FROM DATA ORDER BY topic, offset", ["a,7", "b,8"]),
            ("SELECT topic,/* of the record */\nOffset FROM DATA ORDER BY offset", ["a,7", "b,8"]),
            ("SELECT topic, offset, offset + 1 FROM DATA ORDER BY 1", ["a,7,8", "b,8,9"]),
            ("SELECT offset, offset AS place FROM DATA ORDER BY 1", ["7,7", "8,8"]),
        ] {
            assert_eq!(rows(&catalog, &sql.replace("DATA", data)), expected, "{sql}");
        }
        assert_eq!(rows(&catalog, &format!("SELECT topic, FROM {data} ORDER BY topic OFFSET 1")), ["b"]);
        assert_eq!(rows(&catalog, &format!("SELECT topic, offset FROM {data} ORDER BY topic LIMIT 1 OFFSET 1")), ["b,8"]);
    }
}
