//! Errors with causes, and their text with all causes.

use std::error::Error;
use std::fmt::Write;
use std::sync::Arc;

/// A problem with a file, in this crate's words, and the error that revealed it, if any.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The problem, as the end of a sentence about the file.
    pub problem: String,
    /// The underlying error.
    pub cause: Option<Cause>,
}

/// An error that caused another one.
pub type Cause = Arc<dyn Error + Send + Sync>;

impl Fault {
    /// A fault that an error revealed.
    pub fn shown_by(problem: impl Into<String>, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { problem: problem.into(), cause: Some(error.into().into()) }
    }

    /// A fault of something unreadable, with the error as its cause.
    pub fn unreadable(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::shown_by("cannot be read", error)
    }
}

impl<T: Into<String>> From<T> for Fault {
    fn from(problem: T) -> Self {
        Self { problem: problem.into(), cause: None }
    }
}

/// The text of an error followed by its causes, the outermost first.
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
