//! Errors of a pack.

use std::fmt;

/// A problem in a pack, and its position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The line, counted from 1.
    pub line: usize,
    /// The column, counted from 1, in characters.
    pub column: usize,
    /// What is wrong and how to fix it.
    pub reason: String,
}

/// A rejected pack, with all its problems.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackError {
    /// The pack's file.
    pub file: String,
    /// The problems, in the order of the file.
    pub problems: Vec<Problem>,
}

impl fmt::Display for PackError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.problems.len();
        write!(out, "the rule pack {} has {count} problem{}", self.file, if count == 1 { "" } else { "s" })?;
        for problem in &self.problems {
            write!(out, "\n  {}:{}:{}: {}", self.file, problem.line, problem.column, problem.reason)?;
        }
        Ok(())
    }
}

impl std::error::Error for PackError {}

/// Collects the problems of a text.
pub(super) struct Problems<'t> {
    text: &'t str,
    found: Vec<(usize, String)>,
}

impl<'t> Problems<'t> {
    pub(super) const fn new(text: &'t str) -> Self {
        Self { text, found: Vec::new() }
    }

    /// Adds a problem at an offset in bytes.
    pub(super) fn add(&mut self, at: usize, reason: impl Into<String>) {
        self.found.push((at, reason.into()));
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// The text between two offsets.
    pub(super) fn source(&self, span: std::ops::Range<usize>) -> &'t str {
        self.text.get(span).unwrap_or_default()
    }

    /// The error, in the order of the file.
    pub(super) fn into_error(mut self, file: &str) -> PackError {
        self.found.sort();
        self.found.dedup();
        let text = self.text;
        let problems = self.found.into_iter().map(|(at, reason)| locate(text, at, reason)).collect();
        PackError { file: file.to_owned(), problems }
    }
}

fn locate(text: &str, at: usize, reason: String) -> Problem {
    let before = text.get(..at).unwrap_or(text);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Problem { line, column, reason }
}
