//! Errors of unknown names, with the name that was probably meant.
//!
//! A name is proposed only if a slip of the pen makes the given one of it (`acount` and `account`), or if it is longer and begins with
//! the given one (`account` and `account_id`). Where PostgreSQL has a function that is not here, the error says what to write instead.

use datafusion::common::Column;
use datafusion::common::utils::datafusion_strsim::levenshtein;

use crate::names::Relation;

/// Functions of PostgreSQL and other databases that are not here, and what to write.
const WAYS_OUT: [(&str, &str); 4] = [
    ("json_array_elements", ELEMENTS),
    ("jsonb_array_elements", ELEMENTS),
    ("json_each", ELEMENTS),
    ("to_number", "CAST the text without its separators: CAST(replace(x, ',', '') AS DECIMAL(28, 9))"),
];

const ELEMENTS: &str = "JSON is text here, whose fields are read by name: x ->> 'a'; a list of a table becomes rows with unnest(l)";

/// For an unknown table or function: the error with the name that was probably meant.
pub(crate) fn with_hint(text: &str) -> String {
    let between = |start, end| text.strip_prefix(start).and_then(|rest: &str| rest.strip_suffix(end));
    if let Some(name) = between("table '", "' not found").or_else(|| between("No table named '", "'")) {
        return unknown_table(name);
    }
    match between("Invalid function '", "'?").and_then(|rest| rest.split_once("'.\nDid you mean '")) {
        Some((name, nearest)) => unknown_function(name, nearest),
        None => text.to_owned(),
    }
}

/// The error of an unknown table, with the name that was probably meant.
pub(crate) fn unknown_table(name: &str) -> String {
    let names: Vec<String> = Relation::all().into_iter().map(|(known, _)| known).collect();
    match nearest(name, names.iter().map(|known| (known.as_str(), known))) {
        Some(known) => format!("there is no table {name}: did you mean {known}? SHOW TABLES lists all"),
        None => format!("there is no table {name}: SHOW TABLES lists all"),
    }
}

/// The error of an unknown function, of which DataFusion found the nearest.
fn unknown_function(name: &str, known: &str) -> String {
    let way_out = WAYS_OUT.iter().find(|(function, _)| *function == name).map(|(_, way_out)| *way_out);
    match (way_out, nearest(name, [(known, known)].into_iter())) {
        (Some(way_out), _) => format!("there is no function {name}: {way_out}"),
        (None, Some(known)) => format!("there is no function {name}: did you mean {known}?"),
        (None, None) => format!("there is no function {name}"),
    }
}

/// The error of an unknown column, with the name that was probably meant, and those that there are.
pub(crate) fn unknown_column(field: &Column, columns: &[Column]) -> String {
    let mut text = format!("No field named {}.", field.quoted_flat_name());
    // The same name under another table is what was meant, then one that only case tells apart.
    let same = columns.iter().find(|column| column.name == field.name);
    let case = || columns.iter().find(|column| column.name.eq_ignore_ascii_case(&field.name));
    let meant = same.or_else(case).or_else(|| nearest(&field.name, columns.iter().map(|column| (column.name.as_str(), column))));
    if let Some(meant) = meant {
        text.push_str(&format!(" Did you mean '{}'?", meant.quoted_flat_name()));
    }
    if !columns.is_empty() {
        let names: Vec<String> = columns.iter().map(Column::quoted_flat_name).collect();
        text.push_str(&format!("\nValid fields are {}.", names.join(", ")));
    }
    text
}

/// The value of the nearest name, if one is near.
fn nearest<'n, T>(name: &str, known: impl Iterator<Item = (&'n str, T)>) -> Option<T> {
    let near = known.filter_map(|(known, value)| Some((distance(name, known)?, known, value)));
    near.min_by(|(one, a, _), (other, b, _)| one.cmp(other).then(a.cmp(b))).map(|(_, _, value)| value)
}

/// How far a name is from a known one; none if it is too far.
fn distance(name: &str, known: &str) -> Option<usize> {
    const SHORTEST: usize = 4;
    let slips = if name.len() < SHORTEST { 0 } else { (name.len() / 4).max(1) };
    let edits = levenshtein(name, known);
    let goes_on = |name: &str, known: &str| name.len() >= SHORTEST && known.starts_with(name);
    (edits <= slips || goes_on(name, known) || goes_on(known, name)).then_some(edits)
}

#[cfg(test)]
mod tests {
    use crate::testing::{TestData, message};

    #[test]
    fn only_a_name_that_is_near_is_proposed() {
        let catalog = TestData::new().catalog();
        for (sql, expected) in [
            ("SELECT * FROM blances", "there is no table blances: did you mean balances? SHOW TABLES lists all"),
            ("SELECT * FROM ledger", "there is no table ledger: did you mean ledger_alerts? SHOW TABLES lists all"),
            ("SELECT * FROM rule_points", "there is no table rule_points: SHOW TABLES lists all"),
            ("SELECT * FROM pos", "there is no table pos: SHOW TABLES lists all"),
            ("SELECT frobnicate(1)", "there is no function frobnicate"),
            ("SELECT len('a')", "there is no function len"),
            ("SELECT to_chars(1, 'a')", "there is no function to_chars: did you mean to_char?"),
            ("SELECT to_number('1,5', '9G9')", "there is no function to_number: CAST the text"),
            ("SELECT amount FROM balances", "No field named amount.\nValid fields are balances.account_id"),
            ("SELECT account FROM balances", "No field named account. Did you mean 'balances.account_id'?"),
            ("SELECT x.posted FROM balances b", "No field named x.posted. Did you mean 'b.posted'?"),
            ("SELECT \"Posted\" FROM balances", "No field named \"Posted\". Did you mean 'balances.posted'?\nValid fields are"),
        ] {
            let message = message(&catalog, sql);
            assert!(message.starts_with(expected), "{sql}: {message}");
        }
    }
}
