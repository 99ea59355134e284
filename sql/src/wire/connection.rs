//! A session of a client: its statements one after the other, in both query protocols.
//!
//! ```text
//!  simple:    Query ─► each statement: parse ─► run ─► rows, tag ─► ReadyForQuery
//!  extended:  Parse ─► Bind ─► Describe ─► Execute ─► Sync ─► ReadyForQuery
//!             statement, types   columns    rows, up to a limit
//! ```
//!
//! After an error in the extended protocol, everything up to Sync is skipped.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use datafusion::sql::parser::Statement as Parsed;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, sleep_until};

use super::answers::{self, Column, Status};
use super::command::{self, Command};
use super::encode::Format;
use super::frames::{Frames, Message, ReadError};
use super::functions::Context;
use super::parameters;
use super::problem::{Problem, code};
use super::rewrite::rewrite;
use super::rows::{self, Rows};
use super::session::for_clients;
use super::settings::{Report, Settings};
use super::shared::{Cancel, Shared};
use super::types::PgType;
use crate::error::QueryError;
use crate::names::Visible;
use crate::query::Snapshot;
use crate::split::statements;
use crate::statement::{Statement, classify};

/// Prepared statements of a connection.
const STATEMENTS_MAX: usize = 1000;
/// Portals of a connection.
const PORTALS_MAX: usize = 100;
/// How long a pinned commit's list of files is good for: they are merged over time, and removed some time later.
const GOOD_FOR: Duration = Duration::from_secs(30);

/// Why a message was not answered as it should.
pub(super) enum Fault {
    Problem(Problem),
    Gone(io::Error),
}

impl From<Problem> for Fault {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Gone(error)
    }
}

/// A prepared statement.
struct Prepared {
    text: String,
    /// `None` for an empty one.
    command: Option<Command>,
    types: Vec<PgType>,
}

/// A prepared statement with its parameters.
struct Portal {
    text: Arc<str>,
    command: Option<Command>,
    formats: Vec<Format>,
    state: State,
}

enum State {
    New,
    Running(Box<Rows>),
    Finished,
}

/// A snapshot that was asked for by its commit, or by the beginning of a transaction.
struct Pin {
    snapshot: Snapshot,
    read_at: Instant,
}

/// A session.
pub(super) struct Connection<S> {
    frames: Frames<S>,
    shared: Arc<Shared>,
    cancel: Cancel,
    user: String,
    visible: Visible,
    settings: Settings,
    status: Status,
    /// The commit of a transaction, or of `headwater.commit`.
    pin: Option<Pin>,
    /// The snapshot of the last statement, with a session for clients.
    last: Option<Snapshot>,
    statements: BTreeMap<String, Arc<Prepared>>,
    portals: BTreeMap<String, Portal>,
    /// Whether messages are skipped until Sync.
    is_skipping: bool,
}

/// What limits the work of a statement.
struct Limits {
    cancelled: watch::Receiver<u64>,
    until: Option<Instant>,
    /// Held while the statement works.
    _permit: Option<OwnedSemaphorePermit>,
}

impl Limits {
    async fn expired(until: Option<Instant>) {
        match until {
            Some(until) => sleep_until(until).await,
            None => std::future::pending().await,
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Connection<S> {
    pub(super) fn new(frames: Frames<S>, shared: Arc<Shared>, cancel: Cancel, user: String, settings: Settings) -> Self {
        let visible = shared.visible_to(&user);
        Self {
            frames,
            shared,
            cancel,
            user,
            visible,
            settings,
            status: Status::Idle,
            pin: None,
            last: None,
            statements: BTreeMap::new(),
            portals: BTreeMap::new(),
            is_skipping: false,
        }
    }

    /// Greets the client, and answers until it ends.
    pub(super) async fn serve(mut self) -> io::Result<()> {
        for Report { name, value } in self.settings.reports() {
            answers::parameter_status(&mut self.frames.out, name, &value);
        }
        answers::key_data(&mut self.frames.out, self.cancel.pid, self.cancel.secret);
        self.ready().await?;
        loop {
            let message = match self.frames.message().await {
                Ok(message) => message,
                Err(ReadError::Gone(_)) => return Ok(()),
                Err(ReadError::Protocol(problem)) => {
                    answers::error(&mut self.frames.out, &Problem { is_fatal: true, ..problem });
                    return self.frames.close().await;
                }
            };
            if matches!(message, Message::Terminate) {
                return Ok(());
            }
            match self.handle(message).await {
                Ok(()) => {}
                Err(Fault::Gone(error)) => return Err(error),
                Err(Fault::Problem(problem)) => {
                    self.report(&problem);
                    self.is_skipping = true;
                    self.frames.flush().await?;
                }
            }
        }
    }

    async fn handle(&mut self, message: Message) -> Result<(), Fault> {
        match message {
            Message::Sync => {
                self.is_skipping = false;
                if self.status == Status::Idle {
                    self.portals.clear();
                }
                Ok(self.ready().await?)
            }
            _ if self.is_skipping => Ok(()),
            Message::Query(text) => self.simple(&text).await,
            Message::Parse { name, sql, types } => self.parse(name, sql, &types).await,
            Message::Bind { portal, statement, formats, values, results } => self.bind(portal, &statement, &formats, &values, results),
            Message::DescribeStatement(name) => self.describe_statement(&name).await,
            Message::DescribePortal(name) => self.describe_portal(&name).await,
            Message::Execute { portal, max_rows } => self.execute(&portal, max_rows).await,
            Message::CloseStatement(name) => {
                self.statements.remove(&name);
                answers::bare(&mut self.frames.out, answers::CLOSE_COMPLETE);
                Ok(())
            }
            Message::ClosePortal(name) => {
                self.portals.remove(&name);
                answers::bare(&mut self.frames.out, answers::CLOSE_COMPLETE);
                Ok(())
            }
            Message::Flush => Ok(self.frames.flush().await?),
            Message::Password(_) => Err(Problem::new(code::PROTOCOL, "a password was not asked for").into()),
            // What is left of a COPY that was refused.
            Message::Copy | Message::Terminate => Ok(()),
        }
    }

    async fn ready(&mut self) -> io::Result<()> {
        answers::ready(&mut self.frames.out, self.status);
        self.frames.flush().await
    }

    /// Sends an error. A transaction has failed with it.
    fn report(&mut self, problem: &Problem) {
        answers::error(&mut self.frames.out, problem);
        if self.status == Status::InTransaction {
            self.status = Status::Failed;
        }
    }

    /// Answers a text of statements; after an error the others are not run.
    async fn simple(&mut self, text: &str) -> Result<(), Fault> {
        self.portals.remove("");
        let all: Vec<String> = statements(text).into_iter().map(str::to_owned).collect();
        if all.is_empty() {
            answers::bare(&mut self.frames.out, answers::EMPTY_QUERY);
        }
        for statement in all {
            match self.simple_statement(&statement).await {
                Ok(()) => {}
                Err(Fault::Problem(problem)) => {
                    let before = characters_before(text, &statement);
                    self.report(&Problem { position: problem.position.map(|position| position.saturating_add(before)), ..problem });
                    break;
                }
                Err(gone) => return Err(gone),
            }
        }
        Ok(self.ready().await?)
    }

    async fn simple_statement(&mut self, text: &str) -> Result<(), Fault> {
        let Some(command) = command::parse(text)? else { return Ok(()) };
        let mut limits = self.limits();
        match self.run(&command, text, &mut limits).await? {
            Some(mut rows) => {
                let formats = rows.formats(&[])?;
                answers::row_description(&mut self.frames.out, &rows.columns, &formats);
                self.send(&mut rows, &formats, 0, text, &mut limits).await?;
                answers::complete(&mut self.frames.out, &rows.tag.text(rows.sent));
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn limits(&self) -> Limits {
        let until = self.settings.statement_timeout().and_then(|timeout| Instant::now().checked_add(timeout));
        Limits { cancelled: self.cancel.requests(), until, _permit: None }
    }

    /// Runs a command: the rows that it has, or nothing if its tag was sent.
    async fn run(&mut self, command: &Command, text: &str, limits: &mut Limits) -> Result<Option<Rows>, Fault> {
        if self.status == Status::Failed && !matches!(command, Command::Commit | Command::Rollback) {
            let message = "the transaction has failed: end it with ROLLBACK";
            return Err(Problem::new(code::FAILED_TRANSACTION, message).into());
        }
        if let Command::Rows(statement) = command {
            return self.begin(statement, text, limits).await.map(Some);
        }
        if let Some(rows) = self.shown(command)? {
            return Ok(Some(rows));
        }
        let tag = self.control(command).await?;
        answers::complete(&mut self.frames.out, tag);
        Ok(None)
    }

    /// The rows of `SHOW`.
    fn shown(&self, command: &Command) -> Result<Option<Rows>, Problem> {
        Ok(match command {
            Command::Show(name) => {
                let (name, value) = self.settings.show(name)?;
                Some(Rows::of_texts(&[name], &[vec![value]]))
            }
            Command::ShowAll => {
                let rows: Vec<_> = self.settings.all().into_iter().map(|(name, value)| vec![name.to_owned(), value]).collect();
                Some(Rows::of_texts(&["name", "setting"], &rows))
            }
            _ => None,
        })
    }

    /// Does what a command without rows asks for; its tag.
    async fn control(&mut self, command: &Command) -> Result<&'static str, Fault> {
        Ok(match command {
            Command::Begin => {
                if self.status == Status::Idle {
                    self.pin_now().await?;
                    self.status = Status::InTransaction;
                } else {
                    answers::notice(&mut self.frames.out, &Problem::new("25001", "there is a transaction in progress already"));
                }
                "BEGIN"
            }
            Command::Commit | Command::Rollback => {
                let has_failed = self.status == Status::Failed;
                if self.status == Status::Idle {
                    answers::notice(&mut self.frames.out, &Problem::new("25P01", "there is no transaction in progress"));
                }
                self.end_transaction();
                if has_failed || matches!(command, Command::Rollback) { "ROLLBACK" } else { "COMMIT" }
            }
            Command::Set { name, value } => {
                self.set(name, value).await?;
                "SET"
            }
            Command::Reset(name) => {
                self.set(name, "DEFAULT").await?;
                "RESET"
            }
            Command::ResetAll => {
                self.reset_all();
                "RESET"
            }
            Command::DiscardAll => {
                self.reset_all();
                self.statements.clear();
                self.portals.clear();
                "DISCARD ALL"
            }
            Command::Deallocate(name) => {
                match name {
                    Some(name) => self.statements.remove(name).map(drop),
                    None => {
                        self.statements.clear();
                        Some(())
                    }
                };
                "DEALLOCATE"
            }
            Command::Nothing(tag) => *tag,
            // They have rows.
            Command::Rows(_) | Command::Show(_) | Command::ShowAll => "SELECT 0",
        })
    }

    async fn set(&mut self, name: &str, value: &str) -> Result<(), Fault> {
        let before = self.settings.clone();
        let report = self.settings.set(name, value)?;
        if before.commit() != self.settings.commit() {
            if self.status != Status::Idle {
                self.settings = before;
                return Err(Problem::new("25001", "a transaction sees one commit: set headwater.commit before BEGIN").into());
            }
            if let Err(fault) = self.pin_to_setting().await {
                self.settings = before;
                return Err(match fault {
                    Fault::Problem(problem) => Problem { code: code::INVALID_VALUE, ..problem }.into(),
                    gone => gone,
                });
            }
        }
        // `current_setting` and `pg_settings` show the new value.
        self.last = None;
        if let Some(Report { name, value }) = report {
            answers::parameter_status(&mut self.frames.out, name, &value);
        }
        Ok(())
    }

    fn reset_all(&mut self) {
        for Report { name, value } in self.settings.reset_all() {
            answers::parameter_status(&mut self.frames.out, name, &value);
        }
        if self.status == Status::Idle {
            self.pin = None;
        }
        self.last = None;
    }

    /// Sees the commit of `headwater.commit` from now on, or the newest.
    async fn pin_to_setting(&mut self) -> Result<(), Fault> {
        self.pin = match self.settings.commit() {
            Some(commit) => Some(self.pin_of(Some(commit)).await?),
            None => None,
        };
        Ok(())
    }

    /// Sees the commit that is the newest now, unless another one is set.
    async fn pin_now(&mut self) -> Result<(), Fault> {
        if self.pin.is_none() {
            self.pin = Some(self.pin_of(None).await?);
        }
        Ok(())
    }

    async fn pin_of(&self, commit: Option<u64>) -> Result<Pin, Fault> {
        let snapshot = self.shared.snapshot(commit).await.map_err(|error| Problem::from(&error))?;
        Ok(Pin { snapshot, read_at: Instant::now() })
    }

    fn end_transaction(&mut self) {
        self.status = Status::Idle;
        self.portals.clear();
        if self.settings.commit().is_none() {
            self.pin = None;
        }
    }

    /// All tables as the next statement sees them.
    async fn snapshot(&mut self) -> Result<Snapshot, Fault> {
        let stale = self.pin.as_ref().filter(|pin| pin.read_at.elapsed() > GOOD_FOR).map(|pin| pin.snapshot.commit_id());
        // Without any commit there is nothing to read again.
        if let Some(commit) = stale.filter(|commit| *commit > 0) {
            self.pin = Some(self.pin_of(Some(commit)).await?);
        }
        let snapshot = match &self.pin {
            Some(pin) => pin.snapshot.clone(),
            None => self.shared.snapshot(None).await.map_err(|error| Problem::from(&error))?,
        };
        if let Some(last) = self.last.as_ref().filter(|last| Arc::ptr_eq(&last.committed, &snapshot.committed)) {
            return Ok(last.clone());
        }
        let context = Arc::new(Context {
            relations: Arc::new(self.shared.relations.visible(&self.visible)),
            settings: self.settings.clone(),
            user: self.user.clone(),
            pid: self.cancel.pid,
        });
        let snapshot = for_clients(&snapshot, &self.visible, &context).map_err(|error| Problem::from(&error))?;
        self.last = Some(snapshot.clone());
        Ok(snapshot)
    }

    /// Plans a statement with rows, and starts it.
    async fn begin(&mut self, statement: &Parsed, text: &str, limits: &mut Limits) -> Result<Rows, Fault> {
        let snapshot = self.snapshot().await?;
        self.take_turn(limits, text).await?;
        let make = maker(&self.shared, statement);
        let answer = self.guarded(limits, text, async move { snapshot.run(make).await }).await?;
        Ok(Rows::new(answer, command::labels(statement), command::tag(statement)))
    }

    /// Waits until not too many queries work.
    async fn take_turn(&mut self, limits: &mut Limits, text: &str) -> Result<(), Fault> {
        let queries = Arc::clone(&self.shared.queries);
        let waiting = async move { queries.acquire_owned().await.map_err(|_| QueryError::execution("the server ends")) };
        limits._permit = Some(self.guarded(limits, text, waiting).await?);
        Ok(())
    }

    /// Waits for work, unless the statement is cancelled, its time is over, or the client has gone.
    async fn guarded<T>(&mut self, limits: &mut Limits, text: &str, work: impl Future<Output = Result<T, QueryError>>) -> Result<T, Fault> {
        tokio::select! {
            biased;
            _ = limits.cancelled.changed() => Err(Problem::new(code::CANCELLED, "the statement was cancelled as the user asked").into()),
            done = work => done.map_err(|error| Problem::of(&error, text).into()),
            () = Limits::expired(limits.until) => {
                Err(Problem::new(code::CANCELLED, "the statement was cancelled: its statement_timeout is over").into())
            }
            error = self.frames.gone() => Err(error.into()),
        }
    }

    /// Sends rows up to a limit, 0 for none; true at their end.
    async fn send(&mut self, rows: &mut Rows, formats: &[Format], limit: usize, text: &str, limits: &mut Limits) -> Result<bool, Fault> {
        let most = self.shared.config.max_rows;
        let mut sent = 0;
        loop {
            while rows.has_more_in_batch() {
                if limit > 0 && sent == limit {
                    return Ok(false);
                }
                if most > 0 && rows.sent >= most {
                    let message = format!("the query has more than {most} rows (serve.max_rows): narrow it with WHERE or LIMIT");
                    return Err(Problem::new(code::TOO_LARGE, message).into());
                }
                rows.append(formats, &mut self.frames.out)?;
                self.frames.flush_if_full().await?;
                sent += 1;
            }
            if limit > 0 && sent == limit {
                return Ok(false);
            }
            if !self.guarded(limits, text, rows.advance()).await? {
                return Ok(true);
            }
        }
    }

    async fn parse(&mut self, name: String, text: String, declared: &[u32]) -> Result<(), Fault> {
        if !name.is_empty() && self.statements.contains_key(&name) {
            return Err(Problem::new("42P05", format!("there is a prepared statement {name} already")).into());
        }
        if self.statements.len() >= STATEMENTS_MAX {
            return Err(Problem::new(code::TOO_LARGE, format!("there are {STATEMENTS_MAX} prepared statements: close some")).into());
        }
        let command = command::parse(&text)?;
        let types = match &command {
            Some(Command::Rows(statement)) => self.types(statement, declared).await?,
            _ => Vec::new(),
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
        let planned = parameters::without_limits(statement);
        let (snapshot, make, mut limits) = (self.snapshot().await?, maker(&self.shared, &planned), self.limits());
        match self.guarded(&mut limits, "", async move { snapshot.shape(make).await }).await {
            Ok(shape) => Ok(parameters::types(statement, declared, &shape.parameters)?),
            // Perhaps it can be planned with parameters of type text; otherwise that will be reported.
            Err(Fault::Problem(problem)) if problem.code != code::CANCELLED => Ok(types),
            Err(fault) => Err(fault),
        }
    }

    fn bind(
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
        if self.portals.len() >= PORTALS_MAX {
            return Err(Problem::new(code::TOO_LARGE, format!("there are {PORTALS_MAX} portals: close some")).into());
        }
        let mut command = prepared.command.clone();
        match &mut command {
            Some(Command::Rows(statement)) => parameters::put_values(statement, &prepared.types, formats, values)?,
            _ if values.is_empty() => {}
            _ => {
                return Err(Problem::new(code::PROTOCOL, format!("the statement has no parameters, and {} are given", values.len())).into());
            }
        }
        let portal = Portal { text: Arc::from(prepared.text.as_str()), command, formats: results, state: State::New };
        self.portals.insert(name, portal);
        answers::bare(&mut self.frames.out, answers::BIND_COMPLETE);
        Ok(())
    }

    fn prepared(&self, name: &str) -> Result<Arc<Prepared>, Problem> {
        let missing = || Problem::new("26000", format!("there is no prepared statement {name:?}"));
        self.statements.get(name).cloned().ok_or_else(missing)
    }

    async fn describe_statement(&mut self, name: &str) -> Result<(), Fault> {
        let prepared = self.prepared(name)?;
        let columns = match &prepared.command {
            Some(Command::Rows(statement)) => Some(self.columns(statement, &prepared).await?),
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
        let (snapshot, make, mut limits) = (self.snapshot().await?, maker(&self.shared, &with_nulls), self.limits());
        let shape = self.guarded(&mut limits, &prepared.text, async move { snapshot.shape(make).await }).await?;
        Ok(rows::columns(&shape.schema, command::labels(statement)))
    }

    /// Takes a portal out of the connection while it is worked on.
    fn take_portal(&mut self, name: &str) -> Result<Portal, Problem> {
        self.portals.remove(name).ok_or_else(|| Problem::new("34000", format!("there is no portal {name:?}")))
    }

    /// A portal's rows are planned to describe it, and wait to be executed.
    async fn describe_portal(&mut self, name: &str) -> Result<(), Fault> {
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

    async fn execute(&mut self, name: &str, max_rows: usize) -> Result<(), Fault> {
        let mut portal = self.take_portal(name)?;
        if portal.command.is_none() {
            answers::bare(&mut self.frames.out, answers::EMPTY_QUERY);
            self.portals.insert(name.to_owned(), portal);
            return Ok(());
        }
        let mut limits = self.limits();
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

impl<S> Drop for Connection<S> {
    fn drop(&mut self) {
        self.shared.cancels.forget(self.cancel.pid);
    }
}

/// A function that makes a statement for a snapshot, on the engine's threads.
fn maker(shared: &Arc<Shared>, statement: &Parsed) -> impl FnOnce() -> Result<Statement, QueryError> + Send + 'static + use<> {
    let (mut statement, shared) = (statement.clone(), Arc::clone(shared));
    move || {
        rewrite(&mut statement, &shared.relations)?;
        classify(statement)
    }
}

/// The number of characters before a statement in a text of several.
fn characters_before(text: &str, statement: &str) -> usize {
    let before = text.find(statement).and_then(|start| text.get(..start)).unwrap_or_default();
    before.chars().count()
}
