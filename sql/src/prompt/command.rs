//! Commands of the prompt, which begin with `\`.

use crate::render::Format;

/// Output of `\?`.
pub(super) const HELP: &str = "\
A statement ends with ; and may span several lines. SQL only reads.

  \\d                   list the tables
  \\d TABLE             list the columns of a table
  \\at                  show which commit is queried
  \\at N                query commit N
  \\at latest           follow the newest commit
  \\format FORMAT       write results as table, csv or json
  \\q                   quit (so does Ctrl-D; Ctrl-C discards the line)
";

/// A command of the prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command<'a> {
    Quit,
    Help,
    Tables,
    Describe(&'a str),
    Format(Option<Format>),
    At(Option<At>),
}

/// The commit to query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    Latest,
    Commit(u64),
}

impl<'a> Command<'a> {
    /// Parses a command; `None` if the input is not one.
    pub(super) fn parse(input: &'a str) -> Option<Result<Self, String>> {
        let input = input.trim().trim_end_matches(';').trim_end();
        if !input.starts_with('\\') {
            return None;
        }
        let (name, argument) = input.split_once(char::is_whitespace).map_or((input, None), |(name, rest)| (name, Some(rest.trim())));
        Some(match (name, argument) {
            ("\\q", None) => Ok(Self::Quit),
            ("\\?" | "\\h", None) => Ok(Self::Help),
            ("\\d", None) => Ok(Self::Tables),
            ("\\d", Some(table)) => Ok(Self::Describe(table)),
            ("\\format", None) => Ok(Self::Format(None)),
            ("\\format", Some(format)) => format.parse().map(|format| Self::Format(Some(format))),
            ("\\at", None) => Ok(Self::At(None)),
            ("\\at", Some("latest")) => Ok(Self::At(Some(At::Latest))),
            ("\\at", Some(number)) => match number.parse() {
                Ok(commit_id) => Ok(Self::At(Some(At::Commit(commit_id)))),
                Err(_) => Err(format!("{number:?} is no commit: give a number, or latest")),
            },
            _ => Err(format!("there is no command {input}: \\? lists all")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read() {
        for (input, expected) in [
            ("SELECT 1;", None),
            ("\\q", Some(Ok(Command::Quit))),
            (" \\q; ", Some(Ok(Command::Quit))),
            ("\\d", Some(Ok(Command::Tables))),
            ("\\d  positions", Some(Ok(Command::Describe("positions")))),
            ("\\format csv", Some(Ok(Command::Format(Some(Format::Csv))))),
            ("\\format xml", Some(Err("there is no format \"xml\": give table, csv or json".to_owned()))),
            ("\\at", Some(Ok(Command::At(None)))),
            ("\\at latest", Some(Ok(Command::At(Some(At::Latest))))),
            ("\\at 12", Some(Ok(Command::At(Some(At::Commit(12)))))),
            ("\\at -1", Some(Err("\"-1\" is no commit: give a number, or latest".to_owned()))),
            ("\\x", Some(Err("there is no command \\x: \\? lists all".to_owned()))),
        ] {
            assert_eq!(Command::parse(input), expected, "{input}");
        }
    }
}
