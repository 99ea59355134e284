//! Parsing of statements. Only those that read are accepted, by grammar here and by plan later.

use std::fmt::Display;

use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SQLOptions;
use datafusion::sql::parser::{DFParserBuilder, Statement as Parsed};
use datafusion::sql::sqlparser::ast::Statement as Sql;

use crate::columns::name_columns;
use crate::copies;
use crate::error::QueryError;
use crate::readable::not_sql;
use crate::syntax::sql_of_mut;
use crate::{
    column_words, exact_numbers, existence, lengths, limits, negation, patterns, postgres_syntax, time_texts, told_apart, unlike, zones,
};

/// A statement that reads.
#[derive(Debug)]
pub(crate) enum Statement {
    /// Planned and run by DataFusion.
    Query(Parsed),
    /// `SHOW TABLES`.
    ShowTables,
    /// `DESCRIBE` of a table.
    Describe(String),
}

/// A text as an SQL literal.
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A text in double quotes, as SQL has names and CSV has values.
pub(crate) fn double_quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// Parses a text with exactly one statement.
pub(crate) fn parse(text: &str) -> Result<Statement, QueryError> {
    limits::check(text)?;
    let parser = column_words::tokens(text).and_then(|tokens| DFParserBuilder::new(tokens).build());
    let mut statements = parser.and_then(|mut parser| parser.parse_statements()).map_err(|error| not_sql(text, &error))?;
    match (statements.pop_front(), statements.len()) {
        (None, _) => Err(QueryError::Empty),
        (Some(statement), 0) => classify(statement),
        (Some(_), more) => Err(QueryError::Several(more + 1)),
    }
}

/// Accepts a parsed statement if it reads.
pub(crate) fn classify(mut statement: Parsed) -> Result<Statement, QueryError> {
    if let Parsed::Statement(sql) = &statement {
        match sql.as_ref() {
            Sql::ShowTables { .. } => return Ok(Statement::ShowTables),
            Sql::ExplainTable { table_name, .. } => return Ok(Statement::Describe(table_name.to_string())),
            _ => {}
        }
    }
    only_reads(&statement)?;
    if let Some(sql) = sql_of_mut(&mut statement) {
        name_columns(sql);
        postgres_syntax::replace(sql)?;
        exact_numbers::replace(sql);
        time_texts::intervals_in_words(sql);
        existence::count(sql);
        told_apart::mark_casts(sql);
        lengths::cut(sql)?;
        zones::call_function(sql);
        negation::call_function(sql);
        patterns::translate(sql)?;
    }
    Ok(Statement::Query(statement))
}

fn only_reads(statement: &Parsed) -> Result<(), QueryError> {
    match statement {
        Parsed::Statement(sql) => sql_only_reads(sql),
        Parsed::Explain(explain) => only_reads(&explain.statement),
        Parsed::CopyTo(_) | Parsed::CreateExternalTable(_) | Parsed::Reset(_) => Err(refused(statement)),
    }
}

fn sql_only_reads(sql: &Sql) -> Result<(), QueryError> {
    match sql {
        Sql::Query(query) => unlike::check(query).and_then(|()| copies::check(query)),
        Sql::ShowVariable { .. } | Sql::ShowColumns { .. } | Sql::ShowFunctions { .. } => Ok(()),
        Sql::Explain { statement, .. } => sql_only_reads(statement),
        _ => Err(refused(sql)),
    }
}

/// Refuses by the statement's first words: `CREATE TABLE`, `SET`.
fn refused(statement: &impl Display) -> QueryError {
    let text = statement.to_string();
    let mut words = text.split_whitespace().map(str::to_uppercase);
    let verb = words.next().unwrap_or_default();
    QueryError::NotReading(match (verb.as_str(), words.next()) {
        ("CREATE" | "DROP" | "ALTER", Some(object)) => format!("{verb} {object}"),
        _ => verb,
    })
}

/// Refuses a plan that would write, such as that of `SELECT … INTO`.
pub(crate) fn plan_only_reads(plan: &LogicalPlan) -> Result<(), QueryError> {
    let only_reading = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    only_reading.verify_plan(plan).map_err(|_| QueryError::NotReading("a query that writes".to_owned()))
}

#[cfg(test)]
mod tests {
    use crate::testing::{TestData, message, rows};

    #[test]
    fn what_writes_is_refused_by_name() {
        let data = TestData::new();
        let catalog = data.catalog();
        let refusal = " is refused: tables are written by the pipeline alone, and SQL only reads them (SELECT, WITH, VALUES, EXPLAIN, SHOW, DESCRIBE)";
        for (sql, name) in [
            ("INSERT INTO positions SELECT * FROM positions", "INSERT"),
            ("UPDATE positions SET quantity = 0", "UPDATE"),
            ("DELETE FROM positions", "DELETE"),
            ("CREATE TABLE t AS SELECT 1", "CREATE TABLE"),
            ("CREATE VIEW v AS SELECT 1", "CREATE VIEW"),
            ("CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'", "CREATE EXTERNAL"),
            ("DROP TABLE positions", "DROP TABLE"),
            ("TRUNCATE TABLE positions", "TRUNCATE"),
            ("COPY positions TO '/tmp/x.csv'", "COPY"),
            ("COPY (SELECT 1) TO '/tmp/x.csv' STORED AS CSV", "COPY"),
            ("SET datafusion.execution.batch_size = 1", "SET"),
            ("RESET datafusion.execution.batch_size", "RESET"),
            ("BEGIN", "BEGIN"),
            ("PREPARE p AS SELECT 1", "PREPARE"),
            ("EXPLAIN ANALYZE INSERT INTO positions SELECT * FROM positions", "INSERT"),
            ("EXPLAIN COPY (SELECT 1) TO '/tmp/x.csv'", "COPY"),
            ("SELECT * INTO copy_of FROM positions", "a query that writes"),
        ] {
            assert_eq!(message(&catalog, sql), format!("{name}{refusal}"), "{sql}");
        }
    }

    #[test]
    fn nothing_outside_the_data_directory_is_read() {
        let catalog = TestData::new().catalog();
        for sql in ["SELECT * FROM '/etc/passwd'", "SELECT * FROM \"/etc/passwd.csv\"", "SELECT * FROM read_csv('/etc/passwd')"] {
            let message = message(&catalog, sql);
            assert!(message.contains("there is no table") || message.contains("read_csv"), "{sql}: {message}");
        }
    }

    #[test]
    fn one_statement_at_a_time() {
        let catalog = TestData::new().catalog();
        for (sql, expected) in [
            ("", "there is nothing to run: give one SQL statement"),
            (" -- nothing", "there is nothing to run: give one SQL statement"),
            ("SELECT 1; SELECT 2", "2 statements at once: give one at a time"),
        ] {
            assert_eq!(message(&catalog, sql), expected, "{sql}");
        }
        assert_eq!(rows(&catalog, "SELECT 1;"), ["1"]);
    }

    #[test]
    fn what_is_wrong_is_told_in_the_words_of_the_query() {
        let catalog = TestData::new().catalog();
        for (sql, expected) in [
            ("SELECT * FROM postions", "there is no table postions: did you mean positions? SHOW TABLES lists all"),
            ("SELECT * FROM something_else_altogether", "there is no table something_else_altogether: SHOW TABLES lists all"),
            ("DESCRIBE postions", "there is no table postions: did you mean positions? SHOW TABLES lists all"),
            ("SELECT qantity FROM positions", "No field named qantity. Did you mean 'positions.quantity'?"),
            (
                "SELECT * FROM positions AS OF 5",
                "this is not SQL: Expected: end of statement, found: 5 at Line: 1, Column: 31. All tables as of a commit are read with --at COMMIT",
            ),
            ("SELEC 1", "this is not SQL: Expected: an SQL statement, found: SELEC at Line: 1, Column: 1"),
            ("SELECT 'a", "this is not SQL: Unterminated string literal at Line: 1, Column: 8"),
            ("SELECT 1 / 0", "the query failed: Divide by zero error"),
            ("SELECT CAST('x' AS INT)", "the query failed: Cast error: Cannot cast string 'x' to value of Int32 type"),
        ] {
            let message = message(&catalog, sql);
            assert!(message.starts_with(expected), "{sql}: {message}");
        }
    }

    #[test]
    fn what_there_is_can_be_asked() {
        let catalog = TestData::new().catalog();
        let tables = rows(&catalog, "SHOW TABLES");
        for expected in [
            "balances,state,\"account_id, currency\",\"An account's balance in a currency: the fold of its legs, never an opening number.\"",
            "balances_history,history,\"\",\"every change of balances: +1 came, -1 went\"",
            "commits,append,commit_id,a commit: a range of ticks of all tables at once",
            "crossed_books,view,\"\",Which books are crossed?",
        ] {
            assert!(tables.iter().any(|line| line == expected), "{expected} in {tables:#?}");
        }
        assert_eq!(
            rows(&catalog, "DESCRIBE balances"),
            [
                "account_id,VARCHAR,false,The account; `external:<currency>` for the outside.",
                "currency,VARCHAR,false,The currency.",
                "posted,\"DECIMAL(38,9)\",false,The sum of posted legs.",
                "pending,\"DECIMAL(38,9)\",false,\"The amount held by pending transactions, as a positive number.\"",
                "available,\"DECIMAL(38,9)\",false,Posted less pending plus the overdraft limit.",
                "ts,\"TIMESTAMP(ns, UTC)\",false,Time of the latest event that changed it.",
                "commit_id,BIGINT,false,The commit that wrote the row.",
            ]
        );
        assert_eq!(rows(&catalog, "DESCRIBE balances_history").len(), 10);
        assert_eq!(rows(&catalog, "DESC trial_balance")[0], "currency,VARCHAR,false,The currency.");
        let columns = "SELECT data_type FROM information_schema.columns WHERE table_name = 'positions' AND column_name = 'change'";
        assert_eq!(rows(&catalog, columns).len(), 0);
        assert!(rows(&catalog, "EXPLAIN SELECT * FROM positions").len() > 1);
        assert_eq!(rows(&catalog, "SHOW datafusion.execution.time_zone"), ["datafusion.execution.time_zone,UTC"]);
    }
}
