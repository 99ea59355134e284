//! Patterns of times as in PostgreSQL: `to_char(ts, 'YYYY-MM-DD HH24:MI')`, `to_date('05.01.2026', 'DD.MM.YYYY')`.
//!
//! DataFusion has patterns with `%` and takes everything else literally, so PostgreSQL's would come out as they are written. A
//! pattern without `%` is translated; one of words that are not known here is refused.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectName, Statement, Value, visit_expressions_mut,
};

use crate::error::QueryError;
use crate::number_patterns::{self, Pattern, is_of_number};

/// The functions of a time, or of its text, and a pattern.
const NAMES: [&str; 3] = ["to_char", "to_date", "to_timestamp"];

/// The one of them that is also of a number.
const NUMBERS: &str = "to_char";

/// PostgreSQL's words and what they are here. A word that begins another one comes after it.
const WORDS: [(&str, &str); 25] = [
    ("YYYY", "%Y"),
    ("YY", "%y"),
    ("IYYY", "%G"),
    ("IW", "%V"),
    ("MM", "%m"),
    ("FMMonth", "%B"),
    ("Mon", "%b"),
    ("DDD", "%j"),
    ("DD", "%d"),
    ("FMDay", "%A"),
    ("Dy", "%a"),
    ("ID", "%u"),
    ("HH24", "%H"),
    ("HH12", "%I"),
    ("HH", "%I"),
    ("MI", "%M"),
    ("MS", "%3f"),
    ("US", "%6f"),
    ("SS", "%S"),
    ("AM", "%p"),
    ("PM", "%p"),
    ("am", "%P"),
    ("pm", "%P"),
    ("TZH:TZM", "%:z"),
    ("T", "T"),
];

/// PostgreSQL's words that have no counterpart, and begin with one that has.
const WITHOUT: [&str; 3] = ["Month", "SSSS", "IDDD"];

/// Translates the patterns of a statement.
pub(crate) fn translate(statement: &mut Statement) -> Result<(), QueryError> {
    let visited = visit_expressions_mut(statement, |expr| {
        match of_number(expr) {
            Ok(true) => return ControlFlow::Continue(()),
            Ok(false) => {}
            Err(error) => return ControlFlow::Break(error),
        }
        let Some((name, pattern)) = pattern_of(expr).filter(|(_, pattern)| !pattern.contains('%')) else {
            return ControlFlow::Continue(());
        };
        match translated(pattern) {
            Ok(text) => *pattern = text,
            Err(word) => return ControlFlow::Break(unknown(name, pattern, &word)),
        }
        ControlFlow::Continue(())
    });
    match visited {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

/// Calls the function of numbers where the pattern is one of a number. Whether it is.
fn of_number(expr: &mut Expr) -> Result<bool, QueryError> {
    let Some((NUMBERS, pattern)) = pattern_of(expr).filter(|(_, pattern)| !pattern.starts_with('%') && is_of_number(pattern)) else {
        return Ok(false);
    };
    if let Err(part) = Pattern::of(pattern) {
        return Err(QueryError::Statement(format!(
            "to_char: {part} in the pattern {pattern:?} is not supported: use 9, 0, a point, commas, FM, S, MI, PR and text in double quotes"
        )));
    }
    if let Expr::Function(function) = expr {
        function.name = ObjectName::from(vec![Ident::new(number_patterns::NAME)]);
    }
    Ok(true)
}

/// The function and the literal pattern of a call.
fn pattern_of(expr: &mut Expr) -> Option<(&'static str, &mut String)> {
    let Expr::Function(function) = expr else { return None };
    let called = function.name.to_string();
    let name = NAMES.into_iter().find(|name| called.eq_ignore_ascii_case(name))?;
    let FunctionArguments::List(arguments) = &mut function.args else { return None };
    let [_, FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(pattern)))] = arguments.args.as_mut_slice() else { return None };
    match &mut pattern.value {
        Value::SingleQuotedString(text) => Some((name, text)),
        _ => None,
    }
}

/// The pattern in DataFusion's words, or the letters that are no word.
fn translated(pattern: &str) -> Result<String, String> {
    let (mut text, mut rest) = (String::new(), pattern);
    while let Some(letter) = rest.chars().next() {
        if let Some((quoted, after)) = rest.strip_prefix('"').and_then(|rest| rest.split_once('"')) {
            text.push_str(quoted);
            rest = after;
        } else if WITHOUT.iter().any(|word| rest.starts_with(word)) {
            return Err(letters(rest));
        } else if let Some((word, there)) = WORDS.iter().find(|(word, _)| rest.starts_with(word)) {
            text.push_str(there);
            rest = rest.get(word.len()..).unwrap_or_default();
        } else if letter.is_alphabetic() {
            return Err(letters(rest));
        } else {
            text.push(letter);
            rest = rest.get(letter.len_utf8()..).unwrap_or_default();
        }
    }
    Ok(text)
}

fn letters(text: &str) -> String {
    text.chars().take_while(|letter| letter.is_alphabetic()).collect()
}

fn unknown(name: &str, pattern: &str, word: &str) -> QueryError {
    QueryError::Statement(format!(
        "{name}: {word:?} in the pattern {pattern:?} is not supported: use YYYY, MM, DD, HH24, MI, SS, MS, US, Mon, Dy and the like, \
         text in double quotes, or a pattern with % as strftime has"
    ))
}

#[cfg(test)]
mod tests {
    use crate::testing::{TestData, message, rows};

    #[test]
    fn a_pattern_means_what_it_means_in_postgresql() {
        let catalog = TestData::new().catalog();
        let time = "TIMESTAMPTZ '2026-01-05T14:03:09.123456Z'";
        for (pattern, expected) in [
            ("YYYY-MM", "2026-01"),
            ("YYYY-MM-DD HH24:MI:SS", "2026-01-05 14:03:09"),
            ("DD Mon YY, HH12:MI AM", "\"05 Jan 26, 02:03 PM\""),
            ("IYYY-\"W\"IW-ID", "2026-W02-1"),
            ("YYYYMMDD", "20260105"),
            ("Dy DDD", "Mon 005"),
            ("SS.MS SS.US", "09.123 09.123456"),
            ("FMDay, FMMonth", "\"Monday, January\""),
            ("%Y/%m", "2026/01"),
        ] {
            assert_eq!(rows(&catalog, &format!("SELECT to_char({time}, '{pattern}')")), [expected], "{pattern}");
        }
        for (sql, expected) in [
            ("to_date('05.01.2026', 'DD.MM.YYYY')", "2026-01-05"),
            ("to_timestamp('2026-01-05 14:03', 'YYYY-MM-DD HH24:MI')", "2026-01-05T14:03:00Z"),
            ("to_timestamp('20260105 140309', 'YYYYMMDD HH24MISS')", "2026-01-05T14:03:09Z"),
            ("to_date('05/01/26', '%d/%m/%y')", "2026-01-05"),
        ] {
            assert_eq!(rows(&catalog, &format!("SELECT {sql}")), [expected], "{sql}");
        }
        for (pattern, word) in [("YYYY Month", "Month"), ("SSSS", "SSSS"), ("YYYY-Q", "Q")] {
            let refused = message(&catalog, &format!("SELECT to_char({time}, '{pattern}')"));
            assert!(refused.starts_with(&format!("to_char: {word:?} in the pattern {pattern:?} is not supported")), "{refused}");
        }
    }
}
