//! Causes of errors: what carries one, and how a chain of them is written.

use std::error::Error;
use std::fmt::Write;
use std::sync::Arc;

/// What is wrong with a file: in words of our own, and the error that showed it, if there was one.
#[derive(Clone, Debug)]
pub struct Fault {
    /// In words.
    pub problem: String,
    /// The error behind it.
    pub cause: Option<Cause>,
}

/// An error behind another one.
pub type Cause = Arc<dyn Error + Send + Sync>;

impl Fault {
    /// A fault that an error showed.
    pub fn shown_by(problem: impl Into<String>, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { problem: problem.into(), cause: Some(error.into().into()) }
    }

    /// What cannot be read, and why.
    pub fn unreadable(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::shown_by("cannot be read", error)
    }
}

impl<T: Into<String>> From<T> for Fault {
    fn from(problem: T) -> Self {
        Self { problem: problem.into(), cause: None }
    }
}

/// An error with its causes, the outermost first.
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("reading orders")]
    struct Outer(#[source] std::num::ParseIntError);

    #[test]
    fn each_cause_is_written_once() {
        let inner = "x".parse::<u8>().expect_err("no number");
        assert_eq!(with_causes(&Outer(inner)), "reading orders: invalid digit found in string");
    }
}
