//! DataFusion's errors in the user's words.

use std::sync::Arc;

use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use datafusion::common::{DataFusionError, SchemaError};
use datafusion::sql::sqlparser::parser::ParserError;
use headwater_connectors::fault::with_causes;

use crate::columns::shown_text;
use crate::error::QueryError;
use crate::integers::integer_name;
use crate::session::{CATALOG, SCHEMA};
use crate::suggestions::{unknown_column, with_hint};

/// The error without prefixes and internal names, with a hint if there is one.
pub(crate) fn readable(error: &DataFusionError) -> QueryError {
    if let Some(known) = our_own(error) {
        return known;
    }
    let root = error.find_root();
    if let DataFusionError::Plan(text) | DataFusionError::NotImplemented(text) = root
        && let Some(refusal) = of_subquery(text)
    {
        return QueryError::Statement(format!("this is not supported: {refusal}"));
    }
    match root {
        DataFusionError::Plan(text) => QueryError::Statement(with_hint(&unqualified(text))),
        DataFusionError::SchemaError(cause, _) => QueryError::Statement(unqualified(&of_schema(cause))),
        DataFusionError::SQL(cause, _) => QueryError::Statement(format!("this is not SQL: {}", syntax(cause))),
        DataFusionError::NotImplemented(text) => QueryError::Statement(format!("this is not supported: {}", unqualified(text))),
        DataFusionError::ResourcesExhausted(text) => QueryError::memory(text.lines().next().unwrap_or_default()),
        DataFusionError::Execution(text) => QueryError::execution(unqualified(text)),
        DataFusionError::ArrowError(cause, _) => QueryError::execution(out_of_range(cause).unwrap_or_else(|| cause.to_string())),
        other => QueryError::execution(unqualified(&other.to_string())),
    }
}

/// An error about names of columns.
fn of_schema(cause: &SchemaError) -> String {
    match cause {
        SchemaError::FieldNotFound { field, valid_fields } => unknown_column(field, valid_fields),
        cause => cause.to_string(),
    }
}

/// What DataFusion does not plan about subqueries and large numbers, and the way out. Its own words are a dump of the plan, or name parts of it.
fn of_subquery(text: &str) -> Option<&'static str> {
    const UNPLANNED: &str = "Physical plan does not support logical expression ";
    let rest = text.strip_prefix(UNPLANNED);
    let is_condition = |rest: &str| rest.starts_with("InSubquery") || rest.starts_with("Exists");
    if rest.is_some_and(is_condition) || text.starts_with("In/Exist/SetComparison subquery can only be used in") {
        return Some(
            "IN or EXISTS with a query here: it is planned in WHERE, HAVING, ON and in a list of columns; compute it as a column of a \
             subquery in FROM, and use that",
        );
    }
    if text.starts_with("Decimal precision ") || text.starts_with("Decimal scale ") {
        return Some("a number of more than 76 digits: write it as a floating-point number, like '1e100'::float8");
    }
    if text.starts_with("Correlated scalar subquery must be aggregated") {
        return Some(
            "a subquery that reads columns of the query around it and may give several rows: let it compute an aggregate, like max(x), or \
             JOIN its rows",
        );
    }
    if rest.is_some_and(|rest| rest.starts_with("OuterReferenceColumn")) {
        return Some(
            "a subquery here that reads columns of the query around it: in FROM it is planned where its own WHERE compares these with =, as are \
             unnest and generate_series of its columns; otherwise JOIN its rows",
        );
    }
    let is_correlated = rest.is_some_and(|rest| rest.starts_with("ScalarSubquery"))
        || text.starts_with("Correlated scalar subquery can only be used in")
        || text.starts_with("A GROUP BY clause in a scalar correlated subquery")
        || text.starts_with("Accessing outer reference columns is not allowed");
    is_correlated.then_some(
        "a subquery here that reads columns of the query around it: compare these with = in its WHERE and let it compute an aggregate, or \
         JOIN its rows and GROUP BY them",
    )
}

/// What PostgreSQL reports where a number is cast to integers that have no such number.
fn out_of_range(cause: &ArrowError) -> Option<String> {
    let ArrowError::CastError(text) = cause else { return None };
    let (_, to) = text.rsplit_once(" to type ").or_else(|| text.rsplit_once(" is out of range "))?;
    let to = to.parse::<DataType>().ok().filter(DataType::is_integer)?;
    Some(format!("{} out of range: {text}", integer_name(&to)))
}

/// Whether a damaged file may be the cause.
pub(crate) fn may_be_a_file(error: &DataFusionError) -> bool {
    use arrow::error::ArrowError::{ExternalError, InvalidArgumentError, IoError, ParquetError, SchemaError};
    match error.find_root() {
        DataFusionError::ParquetError(_) | DataFusionError::ObjectStore(_) | DataFusionError::IoError(_) | DataFusionError::External(_) => {
            true
        }
        DataFusionError::ArrowError(cause, _) => {
            matches!(**cause, ExternalError(_) | InvalidArgumentError(_) | IoError(..) | ParquetError(_) | SchemaError(_))
        }
        _ => false,
    }
}

/// An error of this crate that DataFusion passed on.
fn our_own(error: &DataFusionError) -> Option<QueryError> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(ours) = error.downcast_ref::<QueryError>() {
            return Some(match ours {
                QueryError::File(error) => error.clone().into(),
                QueryError::Denied(table) => QueryError::Denied(table.clone()),
                QueryError::DeniedView { view, table } => QueryError::DeniedView { view, table: table.clone() },
                QueryError::Execution(cause) => QueryError::Execution(Arc::clone(cause)),
                QueryError::Forgotten { table, at, why, oldest } => QueryError::Forgotten { table, at: *at, why, oldest: *oldest },
                other => QueryError::execution(with_causes(other)),
            });
        }
        cause = error.source();
    }
    None
}

/// The error of a text that is no SQL. What other databases write about the past, and what the parser does not know of PostgreSQL, has its
/// way out.
pub(crate) fn not_sql(text: &str, error: &DataFusionError) -> QueryError {
    let words = text.to_uppercase().split_whitespace().collect::<Vec<_>>().join(" ");
    let way_out = WAYS_OUT.iter().find(|(known, _)| words.contains(known)).map(|(_, way_out)| *way_out);
    match (readable(error), way_out) {
        (QueryError::Statement(message), Some(way_out)) => QueryError::Statement(format!("{message}. {way_out}")),
        (other, _) => other,
    }
}

/// Words in a text that is no SQL, and what to write.
const WAYS_OUT: [(&str, &str); 6] = [
    (" AS OF ", THE_PAST),
    (" FOR SYSTEM_TIME ", THE_PAST),
    (
        " EXCLUDE CURRENT ROW",
        "EXCLUDE is not supported: write sum(x) OVER (…) - x, or add what is before and after: ROWS BETWEEN … AND 1 PRECEDING",
    ),
    (" EXCLUDE TIES", "EXCLUDE is not supported: take the sum of the rows with another key in a subquery with GROUP BY, and JOIN that"),
    (" EXCLUDE GROUP", "EXCLUDE is not supported: take the sum of the rows with another key in a subquery with GROUP BY, and JOIN that"),
    (" BETWEEN SYMMETRIC ", "BETWEEN SYMMETRIC is not supported: write x BETWEEN least(a, b) AND greatest(a, b)"),
];

/// How the past is asked for.
const THE_PAST: &str = "All tables as of a commit are read with --at COMMIT, with \\at COMMIT at the prompt, and over the wire after SET \
     headwater.commit = COMMIT; every change of a state table is in its history, such as balances_history";

fn syntax(error: &ParserError) -> String {
    match error {
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => text.clone(),
        ParserError::RecursionLimitExceeded => "it is nested too deeply".to_owned(),
    }
}

/// Removes the qualifiers of names: everything is in one schema of one catalog.
fn unqualified(text: &str) -> String {
    shown_text(text).replace(&format!("{CATALOG}.{SCHEMA}."), "")
}
