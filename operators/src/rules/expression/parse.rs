//! Parser of expressions: from tokens to an untyped tree.

use super::lex::{Token, tokens};
use super::{Comparison, Fault, Operator};

/// A node of the tree, and its offset.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tree {
    pub(super) at: usize,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Bool(bool),
    Number(i128),
    Span(i64),
    Text(String),
    Name(String),
    Call(String, Vec<Tree>),
    Not(Box<Tree>),
    Negate(Box<Tree>),
    And(Vec<Tree>),
    Or(Vec<Tree>),
    Compare(Comparison, Box<[Tree; 2]>),
    Among(Box<Tree>, Vec<Tree>),
    Arithmetic(Operator, Box<[Tree; 2]>),
}

/// Maximum depth of nested brackets, so that no pack exhausts the stack.
const MAX_DEPTH: usize = 40;

/// Keywords of the language, which cannot be names.
pub(super) const KEYWORDS: [&str; 6] = ["and", "or", "not", "in", "true", "false"];

/// Parses an expression.
pub(super) fn parse(text: &str) -> Result<Tree, Fault> {
    let mut parser = Parser { tokens: tokens(text)?.into_iter().peekable(), end: text.len(), depth: 0 };
    let tree = parser.any()?;
    match parser.next() {
        (_, Token::End) => Ok(tree),
        (at, token) => Err(Fault::new(at, format!("{} can not follow here", token.describe()))),
    }
}

struct Parser {
    tokens: std::iter::Peekable<std::vec::IntoIter<(usize, Token)>>,
    end: usize,
    depth: usize,
}

impl Parser {
    fn next(&mut self) -> (usize, Token) {
        self.tokens.next().unwrap_or((self.end, Token::End))
    }

    fn at(&mut self) -> usize {
        self.tokens.peek().map_or(self.end, |(at, _)| *at)
    }

    fn takes_name(&mut self, word: &str) -> bool {
        self.tokens.next_if(|(_, token)| matches!(token, Token::Name(name) if name == word)).is_some()
    }

    fn takes_symbol(&mut self, symbol: &str) -> bool {
        self.tokens.next_if(|(_, token)| matches!(token, Token::Symbol(found) if *found == symbol)).is_some()
    }

    fn symbol_among<T: Copy>(&mut self, choices: &[(&str, T)]) -> Option<T> {
        choices.iter().find(|(symbol, _)| self.takes_symbol(symbol)).map(|(_, meaning)| *meaning)
    }

    fn expect(&mut self, symbol: &str) -> Result<(), Fault> {
        if self.takes_symbol(symbol) {
            return Ok(());
        }
        let (at, token) = self.next();
        Err(Fault::new(at, format!("expected `{symbol}`, found {}", token.describe())))
    }

    /// Parses one level deeper; all recursion goes through here.
    fn deeper(&mut self, read: impl FnOnce(&mut Self) -> Result<Tree, Fault>) -> Result<Tree, Fault> {
        if self.depth == MAX_DEPTH {
            return Err(Fault::new(self.at(), format!("more than {MAX_DEPTH} levels deep: split it into features")));
        }
        self.depth += 1;
        let tree = read(self);
        self.depth -= 1;
        tree
    }

    fn any(&mut self) -> Result<Tree, Fault> {
        self.deeper(|parser| parser.joined("or", Kind::Or, |parser| parser.joined("and", Kind::And, Self::negation)))
    }

    fn joined(
        &mut self,
        word: &str,
        join: impl FnOnce(Vec<Tree>) -> Kind,
        part: impl Fn(&mut Self) -> Result<Tree, Fault>,
    ) -> Result<Tree, Fault> {
        let first = part(self)?;
        let at = first.at;
        let mut parts = vec![first];
        while self.takes_name(word) {
            parts.push(part(self)?);
        }
        match parts.len() {
            1 => parts.pop().ok_or_else(|| Fault::new(at, "nothing here")),
            _ => Ok(Tree { at, kind: join(parts) }),
        }
    }

    fn negation(&mut self) -> Result<Tree, Fault> {
        let at = self.at();
        if self.takes_name("not") {
            let inner = self.deeper(Self::negation)?;
            return Ok(Tree { at, kind: Kind::Not(Box::new(inner)) });
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<Tree, Fault> {
        const COMPARISONS: &[(&str, Comparison)] = &[
            ("==", Comparison::Equal),
            ("!=", Comparison::Different),
            ("<", Comparison::Less),
            ("<=", Comparison::LessOrEqual),
            (">", Comparison::Greater),
            (">=", Comparison::GreaterOrEqual),
        ];
        let left = self.sum()?;
        let at = left.at;
        if self.takes_name("in") {
            let choices = self.list("[", "]")?;
            return Ok(Tree { at, kind: Kind::Among(Box::new(left), choices) });
        }
        let Some(comparison) = self.symbol_among(COMPARISONS) else { return Ok(left) };
        let right = self.sum()?;
        let chained = self.at();
        if self.symbol_among(COMPARISONS).is_some() {
            return Err(Fault::new(chained, "comparisons can not be chained: join two with `and`"));
        }
        Ok(Tree { at, kind: Kind::Compare(comparison, Box::new([left, right])) })
    }

    fn sum(&mut self) -> Result<Tree, Fault> {
        self.chain(&[("+", Operator::Add), ("-", Operator::Subtract)], Self::product)
    }

    fn product(&mut self) -> Result<Tree, Fault> {
        self.chain(&[("*", Operator::Multiply), ("/", Operator::Divide)], Self::factor)
    }

    fn chain(&mut self, operators: &[(&str, Operator)], part: impl Fn(&mut Self) -> Result<Tree, Fault>) -> Result<Tree, Fault> {
        let mut tree = part(self)?;
        let mut length = 0;
        while let Some(operator) = self.symbol_among(operators) {
            length += 1;
            if length > MAX_DEPTH {
                return Err(Fault::new(self.at(), format!("more than {MAX_DEPTH} terms: split it into features")));
            }
            tree = Tree { at: tree.at, kind: Kind::Arithmetic(operator, Box::new([tree, part(self)?])) };
        }
        Ok(tree)
    }

    fn factor(&mut self) -> Result<Tree, Fault> {
        let (at, token) = self.next();
        let kind = match token {
            Token::Symbol("-") => Kind::Negate(Box::new(self.deeper(Self::factor)?)),
            Token::Symbol("(") => {
                let inner = self.any()?;
                self.expect(")")?;
                return Ok(inner);
            }
            Token::Number(units) => Kind::Number(units),
            Token::Span(nanos) => Kind::Span(nanos),
            Token::Text(text) => Kind::Text(text),
            Token::Name(name) if name == "true" => Kind::Bool(true),
            Token::Name(name) if name == "false" => Kind::Bool(false),
            Token::Name(name) if !KEYWORDS.contains(&name.as_str()) => match self.tokens.peek() {
                Some((_, Token::Symbol("("))) => Kind::Call(name, self.list("(", ")")?),
                _ => Kind::Name(name),
            },
            other => return Err(Fault::new(at, format!("expected a value, found {}", other.describe()))),
        };
        Ok(Tree { at, kind })
    }

    fn list(&mut self, open: &str, close: &str) -> Result<Vec<Tree>, Fault> {
        self.expect(open)?;
        let mut parts = Vec::new();
        while !self.takes_symbol(close) {
            if !parts.is_empty() {
                self.expect(",")?;
            }
            parts.push(self.any()?);
        }
        Ok(parts)
    }
}
