//! The arguments of the command line, as they are parsed.

use std::ffi::OsString;

/// Arguments in which an SQL statement that begins with a comment (`-- all of them`) is a value, and not an option.
pub fn with_statements(arguments: impl IntoIterator<Item = OsString>) -> impl Iterator<Item = OsString> {
    arguments.into_iter().map(|argument| {
        let is_comment = argument.to_str().is_some_and(begins_with_comment);
        // White space before a statement changes nothing in it, and no option begins with that.
        if is_comment { OsString::from_iter([OsString::from(" "), argument]) } else { argument }
    })
}

/// Whether a text begins with an SQL comment: there is white space where an option has its name, or in a line after it.
fn begins_with_comment(argument: &str) -> bool {
    let Some(text) = argument.strip_prefix("--") else { return false };
    let name = text.split('=').next().unwrap_or_default();
    name.contains(char::is_whitespace) || text.contains('\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_that_begins_with_a_comment_is_no_option() {
        let parsed = |argument: &str| with_statements([OsString::from(argument)]).next().unwrap();
        for statement in ["-- all\nSELECT 1", "--\nSELECT 1", "--x\nSELECT 1", "-- x=1", "--x=1\nSELECT 1"] {
            assert_eq!(parsed(statement), OsString::from(format!(" {statement}")));
        }
        for other in ["--", "--data", "--data=/a folder", "-x y", "SELECT 1 -- one", "--fromat"] {
            assert_eq!(parsed(other), OsString::from(other));
        }
    }
}
