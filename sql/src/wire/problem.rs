//! Errors as clients get them: a severity, a SQLSTATE, a sentence, and the position in the statement where it is known.

use headwater_connectors::fault::with_causes;

use crate::error::QueryError;

/// SQLSTATE codes that are given in more than one place.
pub(super) mod code {
    pub(in crate::wire) const READ_ONLY: &str = "25006";
    pub(in crate::wire) const NOT_SUPPORTED: &str = "0A000";
    pub(in crate::wire) const PROTOCOL: &str = "08P01";
    pub(in crate::wire) const SYNTAX: &str = "42601";
    pub(in crate::wire) const INVALID_VALUE: &str = "22023";
    pub(in crate::wire) const INVALID_TEXT: &str = "22P02";
    pub(in crate::wire) const OUT_OF_RANGE: &str = "22003";
    pub(in crate::wire) const CANCELLED: &str = "57014";
    pub(in crate::wire) const NO_TABLE: &str = "42P01";
    pub(in crate::wire) const PASSWORD: &str = "28P01";
    pub(in crate::wire) const AUTHORIZATION: &str = "28000";
    pub(in crate::wire) const TOO_MANY_CONNECTIONS: &str = "53300";
    pub(in crate::wire) const TOO_LARGE: &str = "54000";
    pub(in crate::wire) const FAILED_TRANSACTION: &str = "25P02";
}

/// An error that is sent to a client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    /// SQLSTATE.
    pub code: &'static str,
    /// What failed, on what, and the mend.
    pub message: String,
    /// The character of the statement, from 1 on.
    pub position: Option<usize>,
    /// Whether the connection ends with it.
    pub(super) is_fatal: bool,
}

impl Problem {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), position: None, is_fatal: false }
    }

    pub(super) fn fatal(code: &'static str, message: impl Into<String>) -> Self {
        Self { is_fatal: true, ..Self::new(code, message) }
    }

    /// A message of the protocol that makes no sense.
    pub(super) fn protocol(message: impl Into<String>) -> Self {
        Self::fatal(code::PROTOCOL, message)
    }

    /// The error of a query, with its position in the statement.
    pub(crate) fn of(error: &QueryError, statement: &str) -> Self {
        let message = with_causes(error);
        let position = place(&message).and_then(|place| character(statement, place));
        Self { position, ..Self::new(code_of(error, &message), message) }
    }
}

impl From<&QueryError> for Problem {
    fn from(error: &QueryError) -> Self {
        Self::of(error, "")
    }
}

fn code_of(error: &QueryError, message: &str) -> &'static str {
    match error {
        QueryError::Empty | QueryError::Several(_) => code::SYNTAX,
        QueryError::TooDeep { .. } | QueryError::Copies { .. } => "54001",
        QueryError::NotReading(_) => code::READ_ONLY,
        QueryError::Denied(_) | QueryError::ExplainDenied => "42501",
        QueryError::Statement(_) => code_of_statement(message),
        QueryError::Forgotten { .. } | QueryError::Dropped { .. } => "55000",
        QueryError::NoPlace { .. } => code::INVALID_VALUE,
        QueryError::File(_) => "XX001",
        QueryError::Memory(_) => "53200",
        QueryError::Timeout(_) => code::CANCELLED,
        QueryError::Execution(_) => code_of_execution(message),
        QueryError::BrokeOff(_) => "XX000",
        QueryError::Catalog(_) | QueryError::Output(_) => "58030",
    }
}

fn code_of_statement(message: &str) -> &'static str {
    let lower = message.to_lowercase();
    [
        ("this is not sql", code::SYNTAX),
        ("this is not supported", code::NOT_SUPPORTED),
        ("there is no table", code::NO_TABLE),
        ("no field named", "42703"),
        ("ambiguous", "42702"),
        ("invalid function", "42883"),
        ("does not support", "42883"),
        ("failed to coerce", "42804"),
        ("cannot coerce", "42804"),
    ]
    .into_iter()
    .find(|(part, _)| lower.contains(part))
    .map_or("42000", |(_, code)| code)
}

fn code_of_execution(message: &str) -> &'static str {
    let lower = message.to_lowercase();
    [
        ("divide by zero", "22012"),
        ("overflow", code::OUT_OF_RANGE),
        ("too large", code::OUT_OF_RANGE),
        ("cannot cast", code::INVALID_TEXT),
        ("cast error", code::INVALID_TEXT),
        ("parser error", code::INVALID_TEXT),
        ("error parsing", code::INVALID_TEXT),
    ]
    .into_iter()
    .find(|(part, _)| lower.contains(part))
    .map_or("XX000", |(_, code)| code)
}

/// Line and column at the end of the parser's message, both from 1 on.
fn place(message: &str) -> Option<(usize, usize)> {
    let (_, place) = message.rsplit_once(" at Line: ")?;
    let (line, column) = place.split_once(", Column: ")?;
    let digits = column.find(|character: char| !character.is_ascii_digit()).unwrap_or(column.len());
    Some((line.parse().ok()?, column.get(..digits)?.parse().ok()?))
}

/// The character of a text at a line and column, from 1 on.
fn character(text: &str, (line, column): (usize, usize)) -> Option<usize> {
    let before: usize = text.split_inclusive('\n').take(line.checked_sub(1)?).map(|line| line.chars().count()).sum();
    (!text.is_empty()).then(|| before.saturating_add(column))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_codes_and_the_parser_s_have_positions() {
        let syntax = QueryError::Statement("this is not SQL: Expected: x, found: y at Line: 2, Column: 3".to_owned());
        let problem = Problem::of(&syntax, "SELÉCT\n  y");
        assert_eq!((problem.code, problem.position), ("42601", Some(10)));
        for (error, code) in [
            (QueryError::NotReading("INSERT".to_owned()), "25006"),
            (QueryError::Statement("there is no table x: SHOW TABLES lists all".to_owned()), "42P01"),
            (QueryError::Statement("No field named x.".to_owned()), "42703"),
            (QueryError::execution("Divide by zero error"), "22012"),
            (QueryError::Timeout(3), "57014"),
            (QueryError::Denied("balances".to_owned()), "42501"),
            (QueryError::ExplainDenied, "42501"),
        ] {
            let problem = Problem::from(&error);
            assert_eq!((problem.code, problem.position), (code, None), "{error}");
        }
    }
}
