//! The extended protocol: statements are prepared, bound to values, described and executed, each by a message of its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::sql::parser::Statement as Parsed;
use tokio::io::{AsyncRead, AsyncWrite};

use super::answers::{self, Column};
use super::command::{self, Command};
use super::connection::{Connection, Fault, Limits, Portal, Prepared, State, has_readable_length, maker};
use super::encode::Format;
use super::parameters;
use super::problem::{Problem, code};
use super::rows;
use super::types::PgType;

/// Prepared statements of a connection.
const STATEMENTS_MAX: usize = 1000;
/// Portals of a connection.
const PORTALS_MAX: usize = 100;

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Connection<S> {
    pub(super) async fn parse(&mut self, name: String, text: String, declared: &[u32]) -> Result<(), Fault> {
        if !name.is_empty() && self.statements.contains_key(&name) {
            return Err(Problem::new("42P05", format!("there is a prepared statement {name} already")).into());
        }
        if self.statements.len() >= STATEMENTS_MAX {
            return Err(Problem::new(code::TOO_LARGE, format!("there are {STATEMENTS_MAX} prepared statements: close some")).into());
        }
        has_readable_length(&text)?;
        let command = command::parse(&text)?;
        let types = match command.as_ref().and_then(Command::statement) {
            Some(statement) => self.types(statement, declared).await?,
            None => Vec::new(),
        };
        self.statements.insert(name, Arc::new(Prepared { text, command, types }));
        answers::bare(&mut self.frames.out, answers::PARSE_COMPLETE);
        Ok(())
    }

    /// The types of a statement's parameters.
    async fn types(&mut self, statement: &Parsed, declared: &[u32]) -> Result<Vec<PgType>, Fault> {
        let types = parameters::types(statement, declared, &BTreeMap::new())?;
        let is_declared = |index: usize| declared.get(index).is_some_and(|oid| *oid != 0);
        if (0..types.len()).all(is_declared) {
            return Ok(types);
        }
        let planned = parameters::plannable(statement);
        let (snapshot, make, mut limits) = (self.snapshot().await?, maker(&self.relations, &planned), self.limits());
        match self.guarded(&mut limits, "", async move { snapshot.shape(make).await }).await {
            Ok(shape) => Ok(parameters::types(statement, declared, &shape.parameters)?),
            // Perhaps it can be planned with parameters of type text; otherwise that will be reported.
            Err(Fault::Problem(problem)) if problem.code != code::CANCELLED => Ok(types),
            Err(fault) => Err(fault),
        }
    }

    pub(super) fn bind(
        &mut self,
        name: String,
        statement: &str,
        formats: &[Format],
        values: &[Option<bytes::Bytes>],
        results: Vec<Format>,
    ) -> Result<(), Fault> {
        let prepared = self.prepared(statement)?;
        if !name.is_empty() && self.portals.contains_key(&name) {
            return Err(Problem::new("42P03", format!("there is a portal {name} already")).into());
        }
        self.has_room_for_portal()?;
        let mut command = prepared.command.clone();
        match command.as_mut().and_then(Command::statement_mut) {
            Some(statement) => parameters::put_values(statement, &prepared.types, formats, values)?,
            None if values.is_empty() => {}
            None => {
                return Err(Problem::new(code::PROTOCOL, format!("the statement has no parameters, and {} are given", values.len())).into());
            }
        }
        let portal = Portal { text: Arc::from(prepared.text.as_str()), command, formats: results, state: State::New };
        self.portals.insert(name, portal);
        answers::bare(&mut self.frames.out, answers::BIND_COMPLETE);
        Ok(())
    }

    pub(super) fn has_room_for_portal(&self) -> Result<(), Problem> {
        match self.portals.len() < PORTALS_MAX {
            true => Ok(()),
            false => Err(Problem::new(code::TOO_LARGE, format!("there are {PORTALS_MAX} portals: close some"))),
        }
    }

    fn prepared(&self, name: &str) -> Result<Arc<Prepared>, Problem> {
        let missing = || Problem::new("26000", format!("there is no prepared statement {name:?}"));
        self.statements.get(name).cloned().ok_or_else(missing)
    }

    pub(super) async fn describe_statement(&mut self, name: &str) -> Result<(), Fault> {
        let prepared = self.prepared(name)?;
        let columns = match &prepared.command {
            Some(Command::Rows(statement)) => Some(self.columns(statement, &prepared).await?),
            Some(Command::Fetch { name, .. }) => Some(self.cursor_columns(name)?),
            Some(command) => self.shown(command)?.map(|rows| rows.columns),
            None => None,
        };
        answers::parameter_description(&mut self.frames.out, &prepared.types);
        match columns {
            Some(columns) => answers::row_description(&mut self.frames.out, &columns, &[]),
            None => answers::bare(&mut self.frames.out, answers::NO_DATA),
        }
        Ok(())
    }

    /// The columns of a statement before its parameters are known.
    async fn columns(&mut self, statement: &Parsed, prepared: &Prepared) -> Result<Vec<Column>, Fault> {
        let mut with_nulls = statement.clone();
        parameters::put_nulls(&mut with_nulls, &prepared.types);
        let (snapshot, make, mut limits) = (self.snapshot().await?, maker(&self.relations, &with_nulls), self.limits());
        let shape = self.guarded(&mut limits, &prepared.text, async move { snapshot.shape(make).await }).await?;
        Ok(rows::columns(&shape.schema, command::labels(statement)))
    }

    /// Takes a portal out of the connection while it is worked on.
    pub(super) fn take_portal(&mut self, name: &str) -> Result<Portal, Problem> {
        self.portals.remove(name).ok_or_else(|| Problem::new("34000", format!("there is no portal {name:?}")))
    }

    /// A portal's rows are planned to describe it, and wait to be executed.
    pub(super) async fn describe_portal(&mut self, name: &str) -> Result<(), Fault> {
        if let Some(Portal { command: Some(Command::Fetch { name, .. }), formats, .. }) = self.portals.get(name) {
            let (columns, asked) = (self.cursor_columns(name)?, formats.clone());
            let formats = rows::formats(columns.len(), &asked)?;
            answers::row_description(&mut self.frames.out, &columns, &formats);
            return Ok(());
        }
        let mut portal = self.take_portal(name)?;
        let has_rows = matches!(portal.command, Some(Command::Rows(_) | Command::Show(_) | Command::ShowAll));
        if has_rows && matches!(portal.state, State::New) {
            let mut limits = self.limits();
            self.start(&mut portal, &mut limits).await?;
        }
        match &portal.state {
            State::Running(rows) => {
                let formats = rows.formats(&portal.formats)?;
                answers::row_description(&mut self.frames.out, &rows.columns, &formats);
            }
            State::New | State::Finished => answers::bare(&mut self.frames.out, answers::NO_DATA),
        }
        self.portals.insert(name.to_owned(), portal);
        Ok(())
    }

    async fn start(&mut self, portal: &mut Portal, limits: &mut Limits) -> Result<(), Fault> {
        let Some(command) = &portal.command else { return Ok(()) };
        portal.state = match self.run(command, &portal.text, limits).await? {
            Some(rows) => State::Running(Box::new(rows)),
            None => State::Finished,
        };
        Ok(())
    }

    pub(super) async fn execute(&mut self, name: &str, max_rows: usize) -> Result<(), Fault> {
        let mut portal = self.take_portal(name)?;
        if portal.command.is_none() {
            answers::bare(&mut self.frames.out, answers::EMPTY_QUERY);
            self.portals.insert(name.to_owned(), portal);
            return Ok(());
        }
        let mut limits = self.limits();
        if let Some(Command::Fetch { name: cursor, count }) = &portal.command {
            return self.fetch(cursor, *count, &portal.formats, &mut limits).await;
        }
        match portal.state {
            State::New => {
                self.start(&mut portal, &mut limits).await?;
                if matches!(portal.state, State::Finished) {
                    // Its tag was sent. The end of a transaction ends its portals.
                    return Ok(());
                }
            }
            State::Running(_) => self.take_turn(&mut limits, &portal.text).await?,
            State::Finished => {
                answers::complete(&mut self.frames.out, "SELECT 0");
                self.portals.insert(name.to_owned(), portal);
                return Ok(());
            }
        }
        if let State::Running(rows) = &mut portal.state {
            let (formats, before) = (rows.formats(&portal.formats)?, rows.sent);
            if self.send(rows, &formats, max_rows, &portal.text, &mut limits).await? {
                answers::complete(&mut self.frames.out, &rows.tag.text(rows.sent.saturating_sub(before)));
                portal.state = State::Finished;
            } else {
                answers::bare(&mut self.frames.out, answers::PORTAL_SUSPENDED);
            }
        }
        self.portals.insert(name.to_owned(), portal);
        Ok(())
    }
}
