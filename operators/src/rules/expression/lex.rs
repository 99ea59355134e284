//! Tokenizer of expressions.

use headwater_schemas::value::fixed;

use super::Fault;
use crate::rules::span;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Number(i128),
    Span(i64),
    Text(String),
    /// A name or a keyword.
    Name(String),
    Symbol(&'static str),
    End,
}

impl Token {
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Number(_) => "a number".to_owned(),
            Self::Span(_) => "a length of time".to_owned(),
            Self::Text(text) => format!("{text:?}"),
            Self::Name(name) => format!("`{name}`"),
            Self::Symbol(symbol) => format!("`{symbol}`"),
            Self::End => "the end".to_owned(),
        }
    }
}

/// Longer symbols first.
const SYMBOLS: &[&str] = &["==", "!=", "<=", ">=", "<", ">", "(", ")", "[", "]", ",", "+", "-", "*", "/"];
/// Operators of other languages, and their equivalents here.
const FOREIGN: &[(&str, &str)] = &[("&&", "and"), ("||", "or"), ("!", "not"), ("=", "=="), ("<>", "!="), ("&", "and"), ("|", "or")];

/// The tokens of an expression, each with its offset; the last one is [`Token::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<(usize, Token)>, Fault> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..) {
        let Some(first) = rest.chars().next() else { break };
        if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        }
        let (token, length) = token(first, rest).map_err(|reason| Fault::new(at, reason))?;
        tokens.push((at, token));
        at += length;
    }
    tokens.push((text.len(), Token::End));
    Ok(tokens)
}

fn token(first: char, rest: &str) -> Result<(Token, usize), String> {
    match first {
        '0'..='9' => number(rest),
        'a'..='z' | 'A'..='Z' | '_' => {
            let name = leading(rest, |c| c.is_ascii_alphanumeric() || c == '_');
            Ok((Token::Name(name.to_owned()), name.len()))
        }
        '"' | '\'' => {
            let inside = rest.get(1..).and_then(|inside| inside.split_once(first));
            let (inside, _) = inside.ok_or_else(|| format!("the text has no end: close it with {first}"))?;
            Ok((Token::Text(inside.to_owned()), inside.len() + 2))
        }
        _ => symbol(first, rest),
    }
}

fn symbol(first: char, rest: &str) -> Result<(Token, usize), String> {
    let foreign = FOREIGN.iter().find(|(foreign, _)| rest.starts_with(foreign));
    match (SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)), foreign) {
        (Some(_), Some((foreign @ "<>", ours))) => Err(format!("`{foreign}` is written `{ours}` here")),
        (Some(symbol), _) => Ok((Token::Symbol(symbol), symbol.len())),
        (None, Some((foreign, ours))) => Err(format!("`{foreign}` is written `{ours}` here")),
        (None, None) => Err(format!("`{first}` means nothing here")),
    }
}

fn number(rest: &str) -> Result<(Token, usize), String> {
    let word = leading(rest, |c| c.is_ascii_alphanumeric() || c == '.' || c == '_');
    let digits: String = word.chars().filter(|c| *c != '_').collect();
    if digits.ends_with(|c: char| c.is_ascii_alphabetic()) {
        return span::parse(&digits).map(|span| (Token::Span(span), word.len()));
    }
    match fixed::parse(&digits) {
        Ok(units) => Ok((Token::Number(units), word.len())),
        Err(error) => Err(format!("{word} {error}")),
    }
}

fn leading(text: &str, belongs: impl Fn(char) -> bool) -> &str {
    let end = text.find(|c| !belongs(c)).unwrap_or(text.len());
    text.get(..end).unwrap_or(text)
}
