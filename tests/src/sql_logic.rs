//! Files of queries with their answers, in the format of SQLite's *sqllogictest*, so that its other runners can read them, too.
//!
//! ```text
//! # a comment                          system ok
//! query T                              headwater report checks --data $DATA --date 2026-01-05
//! SELECT currency FROM trial_balance   ----
//! ----                                 what it prints
//! USD
//! ```
//!
//! A record ends at an empty line. The values of a row are on one line, separated by spaces. With `HEADWATER_WRITE_SQL=1` the answers are written
//! into the files, to be read and judged before they are committed.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use headwater_sql::Catalog;
use serde_json::Value;

use crate::pipeline::objects;

/// What runs a record: SQL, or a command of a shell.
pub struct Engine<'a> {
    /// Answers queries.
    pub catalog: &'a Catalog,
    /// Prints what a command prints.
    pub shell: &'a dyn Fn(&str) -> Result<String>,
}

/// The line between a question and its answer.
const ANSWER: &str = "----";

/// A part of a file.
enum Part {
    /// Comments and empty lines.
    Text(String),
    /// The first line, the question, the answer.
    Record { kind: String, question: String, answer: String },
}

/// Compares every answer of a file. The error has all that differ.
pub fn check(file: &Path, engine: &Engine<'_>) -> Result<()> {
    let text = std::fs::read_to_string(file)?;
    let mut problems = Vec::new();
    let mut written = String::new();
    for part in parts(&text)? {
        match part {
            Part::Text(text) => written += &text,
            Part::Record { kind, question, answer } => {
                let given = answered(&kind, &question, engine).with_context(|| question.clone())?;
                if given.trim_end() != answer.trim_end() {
                    problems.push(format!("{}: {question}\nexpected:\n{answer}\ngot:\n{given}", file.display()));
                }
                written += &format!("{kind}\n{question}\n{ANSWER}\n{}", if given.is_empty() { given } else { given + "\n" });
            }
        }
    }
    if std::env::var_os("HEADWATER_WRITE_SQL").is_some() {
        std::fs::write(file, written)?;
    }
    ensure!(problems.is_empty(), "{}", problems.join("\n\n"));
    Ok(())
}

fn parts(text: &str) -> Result<Vec<Part>> {
    let mut parts = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.is_empty() || line.starts_with('#') {
            parts.push(Part::Text(format!("{line}\n")));
            continue;
        }
        let question: Vec<_> = lines.by_ref().take_while(|line| *line != ANSWER).collect();
        let answer: Vec<_> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
        parts.push(Part::Record { kind: line.to_owned(), question: question.join("\n"), answer: answer.join("\n") });
        parts.push(Part::Text("\n".to_owned()));
    }
    Ok(parts)
}

fn answered(kind: &str, question: &str, engine: &Engine<'_>) -> Result<String> {
    match kind {
        "query T" => rows(engine.catalog, question),
        // An empty line would end the record.
        "system ok" => Ok((engine.shell)(question)?.lines().filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")),
        other => bail!("{other:?} is no kind of a record: write query T, or system ok"),
    }
}

/// The rows of an answer, a line each.
fn rows(catalog: &Catalog, sql: &str) -> Result<String> {
    let answer = catalog.query(sql)?;
    let names: Vec<_> = answer.schema().fields().iter().map(|field| field.name().clone()).collect();
    let line = |row: &Value| names.iter().map(|name| shown(row.get(name))).collect::<Vec<_>>().join(" ");
    let lines: Vec<_> = objects(answer)?.iter().map(line).collect();
    Ok(lines.join("\n"))
}

fn shown(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "NULL".to_owned(),
        Some(Value::String(text)) if text.is_empty() => "(empty)".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}
