//! What a statement asks for: rows, a setting, or a transaction.

use datafusion::sql::parser::{DFParserBuilder, ResetStatement, Statement as Parsed};
use datafusion::sql::sqlparser::ast::{
    CloseCursor, DataType, Declare, Expr, FetchDirection, Ident, ObjectName, Query, Select, SelectItem, Set, SetExpr, Statement as Sql,
    TransactionAccessMode, TransactionMode, Value,
};
use datafusion::sql::sqlparser::keywords::Keyword;

use super::copy::{self, Layout};
use super::parameters;
use super::problem::{Problem, code};
use crate::column_words;
use crate::error::QueryError;
use crate::limits;
use crate::readable::{not_sql, readable};

/// A statement.
#[derive(Clone, Debug)]
pub(super) enum Command {
    /// Rows, if it reads; that is checked when it is planned.
    Rows(Box<Parsed>),
    /// The rows of a statement as a copy.
    Copy {
        statement: Box<Parsed>,
        layout: Layout,
    },
    /// A value of a setting.
    Show(String),
    /// All settings.
    ShowAll,
    Set {
        name: String,
        value: String,
    },
    Reset(String),
    ResetAll,
    Begin,
    Commit,
    Rollback,
    /// A place in a transaction to which it can return after an error.
    Savepoint(String),
    Release(String),
    RollbackTo(String),
    /// A cursor for the rows of a statement.
    Declare {
        name: String,
        statement: Box<Parsed>,
    },
    /// The next rows of a cursor; all of them without a count.
    Fetch {
        name: String,
        count: Option<usize>,
    },
    /// Ends a cursor; all of them without a name.
    CloseCursor(Option<String>),
    /// Forgets a prepared statement; all of them without a name.
    Deallocate(Option<String>),
    /// Settings, prepared statements, portals.
    DiscardAll,
    /// Something that changes nothing here, with its tag.
    Nothing(&'static str),
}

/// Parses a text with one statement; `None` if there is none.
pub(super) fn parse(text: &str) -> Result<Option<Command>, Problem> {
    let problem = |error: QueryError| Problem::of(&error, text);
    limits::check(text).map_err(problem)?;
    if let Some(command) = of_words(text) {
        return command.map(Some);
    }
    let parser = column_words::tokens(text).and_then(|tokens| DFParserBuilder::new(tokens).build());
    let mut parser = parser.map_err(|error| problem(readable(&error)))?;
    if parser.parser.parse_keyword(Keyword::COPY) {
        return copy::parse(&mut parser.parser, text).map(Some);
    }
    let mut statements = parser.parse_statements().map_err(|error| problem(not_sql(text, &error)))?;
    match (statements.pop_front(), statements.len()) {
        (None, _) => Ok(None),
        (Some(statement), 0) => of_statement(statement).map(Some),
        (Some(_), more) => Err(problem(QueryError::Several(more + 1))),
    }
}

/// Statements that the parser does not know.
fn of_words(text: &str) -> Option<Result<Command, Problem>> {
    let words: Vec<String> = text.trim_end_matches([';', ' ', '\n', '\r', '\t']).split_whitespace().map(str::to_lowercase).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    Some(Ok(match words.as_slice() {
        ["abort"] | ["abort", "transaction" | "work"] => Command::Rollback,
        ["discard", "all"] => Command::DiscardAll,
        ["discard", "plans" | "temp" | "temporary" | "sequences"] => Command::Nothing("DISCARD"),
        ["reset", "all"] => Command::ResetAll,
        ["reset", "session", "authorization"] | ["reset", "role"] => Command::Nothing("RESET"),
        ["unlisten", ..] => Command::Nothing("UNLISTEN"),
        ["deallocate", "all"] | ["deallocate", "prepare", "all"] => Command::Deallocate(None),
        ["close", "all"] => Command::CloseCursor(None),
        ["show", "session", "authorization"] => Command::Show("session_authorization".to_owned()),
        ["listen" | "notify", ..] => {
            return Some(Err(Problem::new(code::NOT_SUPPORTED, "LISTEN and NOTIFY are not supported: ask again for new rows")));
        }
        _ => return None,
    }))
}

fn of_statement(statement: Parsed) -> Result<Command, Problem> {
    let sql = match &statement {
        Parsed::Statement(sql) => sql.as_ref(),
        Parsed::Reset(ResetStatement::Variable(name)) => return Ok(Command::Reset(name_of(name))),
        _ => return Ok(Command::Rows(Box::new(statement))),
    };
    Ok(match sql {
        Sql::StartTransaction { modes, .. } => {
            only_reading(modes)?;
            Command::Begin
        }
        Sql::Commit { .. } => Command::Commit,
        Sql::Rollback { savepoint: None, .. } => Command::Rollback,
        Sql::Rollback { savepoint: Some(name), .. } => Command::RollbackTo(name.value.clone()),
        Sql::Savepoint { name } => Command::Savepoint(name.value.clone()),
        Sql::ReleaseSavepoint { name } => Command::Release(name.value.clone()),
        Sql::Deallocate { name, .. } => Command::Deallocate(Some(name.value.clone())),
        Sql::Set(set) => of_set(set)?,
        Sql::ShowVariable { variable } => {
            let words: Vec<_> = variable.iter().map(|word| word.value.to_lowercase()).collect();
            match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
                ["all"] => Command::ShowAll,
                ["transaction", "isolation", "level"] => Command::Show("transaction_isolation".to_owned()),
                ["time", "zone"] => Command::Show("TimeZone".to_owned()),
                // DataFusion's own.
                ["datafusion", ..] => Command::Rows(Box::new(statement)),
                words if words.first().is_some_and(|word| word.starts_with("datafusion.")) => Command::Rows(Box::new(statement)),
                words => Command::Show(words.join(".")),
            }
        }
        Sql::Declare { stmts } => of_declare(stmts)?,
        Sql::Fetch { name, direction, into: None, .. } => Command::Fetch { name: name.value.clone(), count: rows_of(direction)? },
        Sql::Close { cursor: CloseCursor::All } => Command::CloseCursor(None),
        Sql::Close { cursor: CloseCursor::Specific { name } } => Command::CloseCursor(Some(name.value.clone())),
        Sql::Prepare { .. } | Sql::Execute { .. } => {
            let mend = "let the driver prepare it (the protocol's Parse and Bind)";
            return Err(Problem::new(code::NOT_SUPPORTED, format!("PREPARE and EXECUTE of SQL are not supported: {mend}")));
        }
        _ => Command::Rows(Box::new(statement)),
    })
}

impl Command {
    /// The statement whose rows are asked for, at once or by a cursor.
    pub(super) fn statement(&self) -> Option<&Parsed> {
        match self {
            Self::Rows(statement) | Self::Declare { statement, .. } => Some(statement),
            _ => None,
        }
    }

    pub(super) fn statement_mut(&mut self) -> Option<&mut Parsed> {
        match self {
            Self::Rows(statement) | Self::Declare { statement, .. } => Some(statement),
            _ => None,
        }
    }
}

fn of_declare(declared: &[Declare]) -> Result<Command, Problem> {
    let refused = |what: &str| Err(Problem::new(code::NOT_SUPPORTED, format!("{what} is not supported: DECLARE x CURSOR FOR SELECT … is")));
    match declared {
        [Declare { binary: Some(true), .. }] => refused("a BINARY cursor"),
        [Declare { scroll: Some(true), .. }] => refused("a SCROLL cursor"),
        [Declare { hold: Some(true), .. }] => refused("a cursor WITH HOLD"),
        [Declare { names, for_query: Some(query), .. }] => match names.as_slice() {
            [name] => {
                let statement = Box::new(Parsed::Statement(Box::new(Sql::Query(query.clone()))));
                Ok(Command::Declare { name: name.value.clone(), statement })
            }
            _ => refused("this declaration"),
        },
        _ => refused("this declaration"),
    }
}

/// The number of rows to fetch; `None` for all.
fn rows_of(direction: &FetchDirection) -> Result<Option<usize>, Problem> {
    let refused = || Problem::new(code::NOT_SUPPORTED, "a cursor only goes forward: FETCH 100 FROM x, or FETCH ALL FROM x");
    match direction {
        FetchDirection::Next | FetchDirection::Forward { limit: None } => Ok(Some(1)),
        FetchDirection::All | FetchDirection::ForwardAll => Ok(None),
        FetchDirection::Count { limit } | FetchDirection::Forward { limit: Some(limit) } => match &limit.value {
            Value::Number(count, _) => count.parse().ok().filter(|count| *count > 0).map(Some).ok_or_else(refused),
            _ => Err(refused()),
        },
        _ => Err(refused()),
    }
}

fn of_set(set: &Set) -> Result<Command, Problem> {
    let set = match set {
        Set::SingleAssignment { variable, values, .. } => Command::Set { name: name_of(&variable.to_string()), value: value_of(values) },
        Set::SetTimeZone { value, .. } => Command::Set { name: "TimeZone".to_owned(), value: value_of(std::slice::from_ref(value)) },
        Set::SetNames { charset_name, .. } => Command::Set { name: "client_encoding".to_owned(), value: charset_name.value.clone() },
        Set::SetNamesDefault {} => Command::Reset("client_encoding".to_owned()),
        Set::SetTransaction { modes, .. } => {
            only_reading(modes)?;
            Command::Nothing("SET")
        }
        other => return Err(Problem::new(code::NOT_SUPPORTED, format!("{other} is not supported"))),
    };
    Ok(set)
}

fn only_reading(modes: &[TransactionMode]) -> Result<(), Problem> {
    if modes.contains(&TransactionMode::AccessMode(TransactionAccessMode::ReadWrite)) {
        return Err(Problem::new(
            code::READ_ONLY,
            "a transaction cannot write: tables are written by the pipeline alone, and SQL only reads them",
        ));
    }
    Ok(())
}

fn name_of(name: &(impl ToString + ?Sized)) -> String {
    name.to_string().replace('"', "")
}

fn value_of(values: &[Expr]) -> String {
    let text = |value: &Expr| match value {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text) => text.clone(),
            other => other.to_string(),
        },
        Expr::Identifier(name) => name.value.clone(),
        other => other.to_string(),
    };
    values.iter().map(text).collect::<Vec<_>>().join(", ")
}

/// The tag of a finished statement with rows.
pub(super) fn tag(statement: &Parsed) -> Tag {
    match statement {
        Parsed::Explain(_) => Tag::Plain("EXPLAIN"),
        Parsed::Statement(sql) => match sql.as_ref() {
            Sql::Explain { .. } => Tag::Plain("EXPLAIN"),
            Sql::Query(_) => Tag::Counted("SELECT"),
            _ => Tag::Plain("SHOW"),
        },
        _ => Tag::Counted("SELECT"),
    }
}

/// The tag of a finished statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    Plain(&'static str),
    /// With the number of rows.
    Counted(&'static str),
}

impl Tag {
    pub(super) fn text(self, rows: u64) -> String {
        match self {
            Self::Plain(tag) => tag.to_owned(),
            Self::Counted(tag) => format!("{tag} {rows}"),
        }
    }
}

/// The names of a statement's columns as PostgreSQL gives them where the statement gives none: a function's name, the column of a cast,
/// or `?column?`. `None` where the columns do not follow from the statement alone.
pub(super) fn labels(statement: &Parsed) -> Option<Vec<Option<String>>> {
    let Parsed::Statement(sql) = statement else { return None };
    let Sql::Query(query) = sql.as_ref() else { return None };
    select_of(query)?.projection.iter().map(label).collect()
}

fn select_of(query: &Query) -> Option<&Select> {
    let mut body = query.body.as_ref();
    loop {
        match body {
            SetExpr::Select(select) => return Some(select),
            SetExpr::SetOperation { left, .. } => body = left.as_ref(),
            SetExpr::Query(query) => return select_of(query),
            _ => return None,
        }
    }
}

/// The outer `None` is for wildcards; the inner one for a name that the plan has.
fn label(item: &SelectItem) -> Option<Option<String>> {
    match item {
        SelectItem::UnnamedExpr(expr) => Some(Some(label_of(expr))),
        SelectItem::ExprWithAlias { .. } => Some(None),
        _ => None,
    }
}

/// The name that PostgreSQL gives a column without one.
pub(crate) fn label_of(expr: &Expr) -> String {
    name_in(expr).unwrap_or_else(|| match expr {
        Expr::Nested(inner) => label_of(inner),
        Expr::Cast { data_type: DataType::Custom(name, _), .. } => last_part(name).unwrap_or_default(),
        Expr::Cast { data_type, .. } => parameters::of_sql(data_type).name.to_owned(),
        Expr::Case { .. } => "case".to_owned(),
        _ => "?column?".to_owned(),
    })
}

fn name_in(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Identifier(name) => Some(name_of_column(name)),
        Expr::CompoundIdentifier(names) => names.last().map(name_of_column),
        Expr::Nested(inner) | Expr::Cast { expr: inner, .. } | Expr::Collate { expr: inner, .. } => name_in(inner),
        Expr::Function(function) => last_part(&function.name),
        Expr::Extract { .. } => Some("extract".to_owned()),
        Expr::Exists { .. } => Some("exists".to_owned()),
        Expr::Array(_) => Some("array".to_owned()),
        Expr::Subquery(query) => match select_of(query)?.projection.as_slice() {
            [SelectItem::ExprWithAlias { alias, .. }] => Some(alias.value.clone()),
            [SelectItem::UnnamedExpr(expr)] => name_in(expr),
            _ => None,
        },
        _ => None,
    }
}

fn name_of_column(name: &Ident) -> String {
    if name.quote_style.is_some() { name.value.clone() } else { name.value.to_lowercase() }
}

fn last_part(name: &ObjectName) -> Option<String> {
    name.0.last().and_then(|part| part.as_ident()).map(|part| part.value.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_of_sessions_and_transactions_are_recognized() {
        for (text, expected) in [
            ("SELECT 1", "Rows"),
            ("  ", "nothing"),
            ("BEGIN", "Begin"),
            ("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY", "Begin"),
            ("START TRANSACTION READ ONLY", "Begin"),
            ("COMMIT", "Commit"),
            ("END", "Commit"),
            ("ROLLBACK", "Rollback"),
            ("abort;", "Rollback"),
            ("SAVEPOINT a", "Savepoint(\"a\")"),
            ("RELEASE SAVEPOINT a", "Release(\"a\")"),
            ("ROLLBACK TO SAVEPOINT a", "RollbackTo(\"a\")"),
            ("SET extra_float_digits = 3", "Set { name: \"extra_float_digits\", value: \"3\" }"),
            ("SET headwater.commit TO 7", "Set { name: \"headwater.commit\", value: \"7\" }"),
            ("SET headwater.commit = DEFAULT", "Set { name: \"headwater.commit\", value: \"DEFAULT\" }"),
            ("SET SESSION statement_timeout = '5s'", "Set { name: \"statement_timeout\", value: \"5s\" }"),
            ("SET DateStyle TO 'ISO'", "Set { name: \"DateStyle\", value: \"ISO\" }"),
            ("SET TIME ZONE 'UTC'", "Set { name: \"TimeZone\", value: \"UTC\" }"),
            ("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", "Nothing(\"SET\")"),
            ("RESET statement_timeout", "Reset(\"statement_timeout\")"),
            ("RESET ALL", "ResetAll"),
            ("SHOW search_path", "Show(\"search_path\")"),
            ("SHOW headwater.commit", "Show(\"headwater.commit\")"),
            ("SHOW TRANSACTION ISOLATION LEVEL", "Show(\"transaction_isolation\")"),
            ("SHOW ALL", "ShowAll"),
            ("SHOW TABLES", "Rows"),
            ("DISCARD ALL", "DiscardAll"),
            ("DEALLOCATE ALL", "Deallocate(None)"),
            ("COPY balances TO STDOUT", "Copy"),
            ("/* x */ copy(SELECT 1) TO STDOUT (FORMAT \"binary\");", "Copy"),
            ("FETCH FORWARD 100 FROM \"x\"", "Fetch { name: \"x\", count: Some(100) }"),
            ("FETCH NEXT FROM x", "Fetch { name: \"x\", count: Some(1) }"),
            ("FETCH ALL IN x", "Fetch { name: \"x\", count: None }"),
            ("CLOSE x", "CloseCursor(Some(\"x\"))"),
            ("CLOSE ALL", "CloseCursor(None)"),
            ("DEALLOCATE p", "Deallocate(Some(\"p\"))"),
            ("SHOW datafusion.execution.time_zone", "Rows"),
        ] {
            let command = parse(text).unwrap_or_else(|problem| panic!("{text}: {problem:?}"));
            let found = command.map_or_else(|| "nothing".to_owned(), |command| format!("{command:?}"));
            assert!(found == expected || ["Rows", "Copy"].contains(&expected) && found.starts_with(expected), "{text}: {found}");
        }
    }

    #[test]
    fn what_is_not_done_is_refused_with_a_code() {
        for (text, code) in [
            ("BEGIN READ WRITE", "25006"),
            ("SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE", "25006"),
            ("COPY balances FROM STDIN", "25006"),
            ("COPY balances TO '/tmp/x.csv'", "25006"),
            ("COPY (SELECT 1) TO STDOUT; SELECT 1", "42601"),
            ("COPY (SELECT 1) TO STDOUT (FORMAT parquet)", "0A000"),
            ("COPY (SELECT 1) TO STDOUT (FORMAT csv, QUOTE '!')", "0A000"),
            ("COPY (SELECT 1) TO STDOUT (FORMAT binary, HEADER)", "0A000"),
            ("DECLARE c CURSOR WITH HOLD FOR SELECT 1", "0A000"),
            ("DECLARE c SCROLL CURSOR FOR SELECT 1", "0A000"),
            ("FETCH BACKWARD 1 FROM c", "0A000"),
            ("FETCH 0 FROM c", "0A000"),
            ("PREPARE p AS SELECT 1", "0A000"),
            ("LISTEN x", "0A000"),
            ("SELECT 1; SELECT 2", "42601"),
            ("SELEC 1", "42601"),
        ] {
            assert_eq!(parse(text).err().map(|problem| problem.code), Some(code), "{text}");
        }
    }

    #[test]
    fn columns_without_a_name_have_postgresql_s() {
        let Ok(Some(Command::Rows(statement))) =
            parse("SELECT 1, a, count(*), a::text, CAST('1' AS INT), 1 + 1 AS b, (SELECT max(x)), t.a::int")
        else {
            panic!("no rows");
        };
        let names: Vec<_> = labels(&statement).unwrap().into_iter().map(Option::unwrap_or_default).collect();
        assert_eq!(names, ["?column?", "a", "count", "a", "int4", "", "max", "a"]);
        let Ok(Some(Command::Rows(statement))) = parse("SELECT *, 1 FROM t") else { panic!("no rows") };
        assert_eq!(labels(&statement), None);
    }
}
