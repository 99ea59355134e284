//! The prompt of `headwater sql`: statements end with `;`, commands begin with `\`.
//!
//! Before each statement the catalog picks up new commits, so that queries follow a running pipeline; `\at N` stays at one
//! commit.

mod command;
mod line;

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use headwater_connectors::fault::with_causes;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{Config, Editor};

use crate::catalog::Catalog;
use crate::error::QueryError;
use crate::render::{Format, Summary};
use crate::split::statements;
use command::{Command, HELP};
use line::Line;

/// An interactive session on a data directory.
pub struct Prompt {
    catalog: Catalog,
    format: Format,
}

/// Whether the session continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    GoOn,
    End,
}

impl Prompt {
    /// Begins a session.
    pub fn new(catalog: Catalog, format: Format) -> Self {
        Self { catalog, format }
    }

    /// Runs until Ctrl-D or `\q`. The error of a statement is printed and does not end the session.
    pub fn run(mut self, out: &mut dyn Write) -> Result<(), QueryError> {
        let failed = |error: ReadlineError| QueryError::Output(io::Error::other(error));
        let config = Config::builder().history_ignore_space(true).auto_add_history(true).build();
        let mut editor = Editor::<Line, FileHistory>::with_config(config).map_err(failed)?;
        editor.set_helper(Some(Line::new()));
        let history = history_file();
        if let Some(path) = &history {
            // A missing or unreadable history file is replaced.
            let _ = editor.load_history(path);
        }
        writeln!(out, "{}. Statements end with ; and \\? helps.", self.place())?;
        loop {
            match editor.readline("headwater> ") {
                Ok(input) => {
                    if self.handle(&input, out)? == Flow::End {
                        break;
                    }
                }
                Err(ReadlineError::Interrupted) => {}
                Err(ReadlineError::Eof) => break,
                Err(error) => return Err(failed(error)),
            }
        }
        if let Some(path) = &history {
            // A read-only home is not an error.
            let _ = path.parent().map(std::fs::create_dir_all);
            let _ = editor.save_history(path);
        }
        Ok(())
    }

    /// Handles one input: a command, or statements.
    fn handle(&mut self, input: &str, out: &mut dyn Write) -> io::Result<Flow> {
        match Command::parse(input) {
            Some(Ok(command)) => self.command(command, out),
            Some(Err(problem)) => {
                writeln!(out, "{problem}")?;
                Ok(Flow::GoOn)
            }
            None => {
                for statement in statements(input) {
                    self.answer(statement, out)?;
                }
                Ok(Flow::GoOn)
            }
        }
    }

    fn command(&mut self, command: Command<'_>, out: &mut dyn Write) -> io::Result<Flow> {
        match command {
            Command::Quit => return Ok(Flow::End),
            Command::Help => out.write_all(HELP.as_bytes())?,
            Command::Tables => self.answer("SHOW TABLES", out)?,
            Command::Describe(table) => self.answer(&format!("DESCRIBE {table}"), out)?,
            Command::Format(None) => writeln!(out, "answers are written as {}", self.format)?,
            Command::Format(Some(format)) => self.format = format,
            Command::At(None) => writeln!(out, "{}", self.place())?,
            Command::At(Some(at)) => self.go_to(at, out)?,
        }
        Ok(Flow::GoOn)
    }

    fn go_to(&mut self, at: command::At, out: &mut dyn Write) -> io::Result<()> {
        let at = match at {
            command::At::Latest => None,
            command::At::Commit(commit_id) => Some(commit_id),
        };
        match self.catalog.reopen(at) {
            Ok(catalog) => self.catalog = catalog,
            Err(error) => writeln!(out, "{}", with_causes(&error))?,
        }
        writeln!(out, "{}", self.place())
    }

    fn answer(&mut self, statement: &str, out: &mut dyn Write) -> io::Result<()> {
        let began = Instant::now();
        match self.run_statement(statement, out) {
            Ok(summary) => writeln!(out, "{}\n", footer(summary, began.elapsed())),
            Err(QueryError::Output(error)) => Err(error),
            Err(error) => writeln!(out, "{}\n", with_causes(&error)),
        }
    }

    fn run_statement(&self, statement: &str, out: &mut dyn Write) -> Result<Summary, QueryError> {
        self.catalog.refresh()?;
        self.catalog.query(statement)?.write(self.format, out)
    }

    fn place(&self) -> String {
        match (self.catalog.commit_id(), self.catalog.is_pinned()) {
            (0, _) => "No commits yet: every table is empty".to_owned(),
            (commit_id, true) => format!("At commit {commit_id}"),
            (commit_id, false) => format!("At the newest commit, {commit_id}"),
        }
    }
}

fn footer(summary: Summary, elapsed: Duration) -> String {
    let rows = if summary.rows == 1 { "1 row".to_owned() } else { format!("{} rows", summary.rows) };
    let elapsed = match elapsed.as_millis() {
        millis @ 0..1000 => format!("{millis} ms"),
        _ => format!("{:.1} s", elapsed.as_secs_f64()),
    };
    match summary.commit_id {
        0 => format!("({rows} in {elapsed}, no commits yet)"),
        commit_id => format!("({rows} in {elapsed}, from commit {commit_id})"),
    }
}

/// `$XDG_STATE_HOME/headwater/sql_history`, by default below `~/.local/state`.
fn history_file() -> Option<PathBuf> {
    let folder = |name| std::env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from);
    let state = folder("XDG_STATE_HOME").or_else(|| folder("HOME").map(|home| home.join(".local/state")))?;
    Some(state.join("headwater/sql_history"))
}

/// Runs a session on a terminal; otherwise runs the statements on standard input.
pub fn converse(catalog: Catalog, format: Format, out: &mut dyn Write) -> Result<(), QueryError> {
    if io::stdin().is_terminal() {
        return Prompt::new(catalog, format).run(out);
    }
    let text = io::read_to_string(io::stdin())?;
    run_script(&catalog, &text, format, out)
}

/// Runs every statement of a text, in order, until one fails: for statements from a pipe. The first rows that cannot be written end it,
/// also because their reader closed the pipe.
pub fn run_script(catalog: &Catalog, text: &str, format: Format, out: &mut dyn Write) -> Result<(), QueryError> {
    for statement in statements(text) {
        catalog.refresh()?;
        catalog.query(statement)?.write_until_closed(format, out)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{TestData, at, balance, changes};

    /// The prompt's output for an input, without times.
    fn say(prompt: &mut Prompt, input: &str) -> String {
        let mut out = Vec::new();
        let flow = prompt.handle(input, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let digits_out: Vec<_> = text.split(' ').collect();
        let mut words = digits_out.clone();
        for index in 1..words.len() {
            if words[index].starts_with("ms") {
                words[index - 1] = "N";
            }
        }
        format!("{}{}", words.join(" "), if flow == Flow::End { "END" } else { "" })
    }

    #[test]
    fn a_conversation() {
        let mut data = TestData::new();
        let mut prompt = Prompt::new(data.catalog(), Format::Csv);
        let balances = "SELECT account_id, posted FROM balances;";
        assert_eq!(say(&mut prompt, balances), "account_id,posted\n(0 rows in N ms, no commits yet)\n\n");
        data.commit(vec![changes(&[(balance("a", 1, at(1, 0)), 1)])]);
        assert_eq!(say(&mut prompt, balances), "account_id,posted\na,1\n(1 row in N ms, from commit 1)\n\n");
        data.commit(vec![changes(&[(balance("a", 2, at(1, 1)), 1)])]);
        assert_eq!(say(&mut prompt, "\\at"), "At the newest commit, 1\n");
        assert_eq!(say(&mut prompt, balances), "account_id,posted\na,2\n(1 row in N ms, from commit 2)\n\n");
        assert_eq!(say(&mut prompt, "\\at 1"), "At commit 1\n");
        assert_eq!(say(&mut prompt, "\\format json"), "");
        assert_eq!(say(&mut prompt, balances), "[\n{\"account_id\":\"a\",\"posted\":\"1\"}\n]\n(1 row in N ms, from commit 1)\n\n");
        assert!(say(&mut prompt, "\\at 9").contains("there is no commit 9 in "));
        assert_eq!(say(&mut prompt, "\\at latest"), "At the newest commit, 2\n");
        assert_eq!(say(&mut prompt, "\\format"), "answers are written as json\n");
        assert_eq!(say(&mut prompt, "SELEC;"), "this is not SQL: Expected: an SQL statement, found: SELEC at Line: 1, Column: 1\n\n");
        assert_eq!(say(&mut prompt, "\\format csv"), "");
        assert_eq!(say(&mut prompt, "SELECT 1; SELECT 2;").matches("1 row in").count(), 2);
        assert!(say(&mut prompt, "\\d").contains("balances_history,history"));
        assert!(say(&mut prompt, "\\d balances").contains("posted,\"DECIMAL(38,9)\",false"));
        assert_eq!(say(&mut prompt, "\\?"), HELP);
        assert_eq!(say(&mut prompt, ""), "");
        assert_eq!(say(&mut prompt, "\\q"), "END");
    }

    /// A pipe whose reader closes it after the first answer.
    struct Closing {
        written: Vec<u8>,
    }

    impl Write for Closing {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            if !self.written.is_empty() {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            self.written.extend_from_slice(text);
            Ok(text.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_script_ends_where_its_reader_closes_the_pipe() {
        let data = TestData::new();
        let mut out = Closing { written: Vec::new() };
        // The third statement would fail if it were run.
        let result = run_script(&data.catalog(), "SELECT 1 AS a; SELECT 2 AS b; SELEC", Format::Csv, &mut out);
        let is_closed = matches!(&result, Err(QueryError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe);
        assert!(is_closed, "{result:?}");
        assert_eq!(String::from_utf8(out.written).unwrap(), "a\n1\n");
    }

    #[test]
    fn a_script_ends_at_its_first_error() {
        let data = TestData::new();
        let mut out = Vec::new();
        let result = run_script(&data.catalog(), "SELECT 1 AS a; SELECT 2 AS b; SELEC; SELECT 3", Format::Csv, &mut out);
        assert!(result.is_err());
        assert_eq!(String::from_utf8(out).unwrap(), "a\n1\nb\n2\n");
    }
}
