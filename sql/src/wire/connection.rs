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
use tokio::time::{Instant, sleep_until, timeout};

use super::answers::{self, Status};
use super::command::{self, Command};
use super::encode::Format;
use super::frames::{Frames, Message, ReadError};
use super::functions::Context;
use super::problem::{Problem, code};
use super::relations::Relations;
use super::rewrite::rewrite;
use super::rows::Rows;
use super::session::for_clients;
use super::settings::{Report, Settings};
use super::shared::{Cancel, Shared};
use super::types::PgType;
use crate::error::QueryError;
use crate::query::Snapshot;
use crate::rights::Rights;
use crate::split::statements;
use crate::statement::{Statement, classify};

/// How long a pinned commit's list of files is good for: they are merged over time, and removed some time later.
const GOOD_FOR: Duration = Duration::from_secs(30);
/// Savepoints of a transaction.
const SAVEPOINTS_MAX: usize = 1000;
/// Bytes of a text of statements.
const TEXT_MAX: usize = 1024 * 1024;
/// How long a query keeps its place among those that work while its client takes rows.
const SOON: Duration = Duration::from_millis(20);

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
pub(super) struct Prepared {
    pub(super) text: String,
    /// `None` for an empty one.
    pub(super) command: Option<Command>,
    pub(super) types: Vec<PgType>,
}

/// A prepared statement with its parameters, or a cursor.
pub(super) struct Portal {
    pub(super) text: Arc<str>,
    pub(super) command: Option<Command>,
    pub(super) formats: Vec<Format>,
    pub(super) state: State,
}

pub(super) enum State {
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
    pub(super) frames: Frames<S>,
    shared: Arc<Shared>,
    cancel: Cancel,
    user: String,
    rights: Rights,
    /// The tables and views that the user may read.
    pub(super) relations: Arc<Relations>,
    settings: Settings,
    pub(super) status: Status,
    /// Of the transaction.
    savepoints: Vec<String>,
    /// The commit of a transaction, or of `headwater.commit`.
    pin: Option<Pin>,
    /// The snapshot of the last statement, with a session for clients.
    last: Option<Snapshot>,
    pub(super) statements: BTreeMap<String, Arc<Prepared>>,
    pub(super) portals: BTreeMap<String, Portal>,
    /// Whether messages are skipped until Sync.
    is_skipping: bool,
}

/// What limits the work of a statement.
pub(super) struct Limits {
    cancelled: watch::Receiver<u64>,
    until: Option<Instant>,
    /// Held while the statement works.
    permit: Option<OwnedSemaphorePermit>,
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
        let rights = shared.rights_of(&user);
        let relations = Arc::new(shared.relations.readable(&rights));
        Self {
            frames,
            shared,
            cancel,
            user,
            rights,
            relations,
            settings,
            status: Status::Idle,
            savepoints: Vec::new(),
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
        if let Err(problem) = has_readable_length(text) {
            self.report(&problem);
            return Ok(self.ready().await?);
        }
        let all = statements(text);
        if all.is_empty() {
            answers::bare(&mut self.frames.out, answers::EMPTY_QUERY);
        }
        for statement in all {
            match self.simple_statement(statement).await {
                Ok(()) => {}
                Err(Fault::Problem(problem)) => {
                    // The statement is a part of the text.
                    let start = statement.as_ptr().addr().saturating_sub(text.as_ptr().addr());
                    let before = text.get(..start).unwrap_or_default().chars().count();
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
        if let Command::Fetch { name, count } = &command {
            let columns = self.cursor_columns(name)?;
            answers::row_description(&mut self.frames.out, &columns, &[]);
            return self.fetch(name, *count, &[], &mut limits).await;
        }
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

    pub(super) fn limits(&self) -> Limits {
        let until = self.settings.statement_timeout().and_then(|timeout| Instant::now().checked_add(timeout));
        Limits { cancelled: self.cancel.requests(), until, permit: None }
    }

    /// Runs a command: the rows that it has, or nothing if its tag was sent.
    pub(super) async fn run(&mut self, command: &Command, text: &str, limits: &mut Limits) -> Result<Option<Rows>, Fault> {
        if !matches!(command, Command::Commit | Command::Rollback | Command::RollbackTo(_)) {
            self.refuse_in_failed()?;
        }
        if let Command::Rows(statement) = command {
            return self.begin(statement, text, limits).await.map(Some);
        }
        if let Command::Copy { statement, layout } = command {
            self.copy(statement, *layout, text, limits).await?;
            return Ok(None);
        }
        if let Some(rows) = self.shown(command)? {
            return Ok(Some(rows));
        }
        let tag = match command {
            Command::Declare { name, statement } => self.declare(name, statement, text, limits).await?,
            command => self.control(command).await?,
        };
        answers::complete(&mut self.frames.out, tag);
        Ok(None)
    }

    /// Refuses what is asked in a transaction that has failed.
    pub(super) fn refuse_in_failed(&self) -> Result<(), Problem> {
        match self.status {
            Status::Failed => Err(Problem::new(code::FAILED_TRANSACTION, "the transaction has failed: end it with ROLLBACK")),
            Status::Idle | Status::InTransaction => Ok(()),
        }
    }

    /// The rows of `SHOW`.
    pub(super) fn shown(&self, command: &Command) -> Result<Option<Rows>, Problem> {
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
            Command::Savepoint(name) => {
                self.refuse_outside_transaction()?;
                if self.savepoints.len() >= SAVEPOINTS_MAX {
                    return Err(Problem::new(code::TOO_LARGE, format!("there are {SAVEPOINTS_MAX} savepoints: release some")).into());
                }
                self.savepoints.push(name.clone());
                "SAVEPOINT"
            }
            Command::Release(name) => {
                let place = self.savepoint(name)?;
                self.savepoints.truncate(place);
                "RELEASE"
            }
            Command::RollbackTo(name) => {
                let place = self.savepoint(name)?;
                self.savepoints.truncate(place.saturating_add(1));
                self.status = Status::InTransaction;
                "ROLLBACK"
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
            Command::CloseCursor(name) => self.close_cursor(name.as_deref())?,
            Command::Nothing(tag) => *tag,
            // They have rows, or are done elsewhere.
            Command::Rows(_)
            | Command::Copy { .. }
            | Command::Show(_)
            | Command::ShowAll
            | Command::Declare { .. }
            | Command::Fetch { .. } => "SELECT 0",
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

    fn refuse_outside_transaction(&self) -> Result<(), Problem> {
        match self.status {
            Status::Idle => Err(Problem::new("25P01", "savepoints are places in a transaction: send BEGIN before")),
            Status::InTransaction | Status::Failed => Ok(()),
        }
    }

    /// The place of the newest savepoint with a name.
    fn savepoint(&self, name: &str) -> Result<usize, Problem> {
        self.refuse_outside_transaction()?;
        let missing = || Problem::new("3B001", format!("there is no savepoint {name}"));
        self.savepoints.iter().rposition(|savepoint| savepoint == name).ok_or_else(missing)
    }

    fn end_transaction(&mut self) {
        self.status = Status::Idle;
        self.savepoints.clear();
        self.portals.clear();
        if self.settings.commit().is_none() {
            self.pin = None;
        }
    }

    /// All tables as the next statement sees them.
    pub(super) async fn snapshot(&mut self) -> Result<Snapshot, Fault> {
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
            relations: Arc::clone(&self.relations),
            settings: self.settings.clone(),
            user: self.user.clone(),
            pid: self.cancel.pid,
        });
        let snapshot = for_clients(&snapshot, &self.rights, &context).map_err(|error| Problem::from(&error))?;
        self.last = Some(snapshot.clone());
        Ok(snapshot)
    }

    /// Plans a statement with rows, and starts it.
    pub(super) async fn begin(&mut self, statement: &Parsed, text: &str, limits: &mut Limits) -> Result<Rows, Fault> {
        let snapshot = self.snapshot().await?;
        self.take_turn(limits, text).await?;
        let make = maker(&self.relations, statement);
        let answer = self.guarded(limits, text, async move { snapshot.run(make).await }).await?;
        Ok(Rows::new(answer, command::labels(statement), command::tag(statement)))
    }

    /// Waits until not too many queries work.
    pub(super) async fn take_turn(&mut self, limits: &mut Limits, text: &str) -> Result<(), Fault> {
        let queries = Arc::clone(&self.shared.queries);
        let waiting = async move { queries.acquire_owned().await.map_err(|_| QueryError::execution("the server ends")) };
        limits.permit = Some(self.guarded(limits, text, waiting).await?);
        Ok(())
    }

    /// Waits for work, unless the statement is cancelled, its time is over, or the client has gone.
    pub(super) async fn guarded<T>(
        &mut self,
        limits: &mut Limits,
        text: &str,
        work: impl Future<Output = Result<T, QueryError>>,
    ) -> Result<T, Fault> {
        tokio::select! {
            biased;
            _ = limits.cancelled.changed() => Err(cancelled().into()),
            done = work => done.map_err(|error| Problem::of(&error, text).into()),
            () = Limits::expired(limits.until) => Err(expired().into()),
            error = self.frames.gone() => Err(error.into()),
        }
    }

    /// Sends rows up to a limit, 0 for none; true at their end.
    pub(super) async fn send(
        &mut self,
        rows: &mut Rows,
        formats: &[Format],
        limit: usize,
        text: &str,
        limits: &mut Limits,
    ) -> Result<bool, Fault> {
        let most = self.shared.config.max_rows;
        let mut sent = 0;
        loop {
            while rows.has_more_in_batch() {
                if limit > 0 && sent == limit {
                    return Ok(false);
                }
                if most > 0 && rows.sent >= most {
                    return Err(too_many_rows(most).into());
                }
                rows.append(formats, &mut self.frames.out)?;
                if self.frames.is_full() {
                    self.send_collected(text, limits).await?;
                }
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

    /// Sends rows that were collected. While a client does not take them, its query does not work, and others may.
    async fn send_collected(&mut self, text: &str, limits: &mut Limits) -> Result<(), Fault> {
        if let Ok(sent) = timeout(SOON, self.frames.flush()).await {
            return Ok(sent?);
        }
        limits.permit = None;
        tokio::select! {
            biased;
            _ = limits.cancelled.changed() => return Err(cancelled().into()),
            sent = self.frames.flush() => sent?,
            () = Limits::expired(limits.until) => return Err(expired().into()),
        }
        self.take_turn(limits, text).await
    }
}

impl<S> Drop for Connection<S> {
    fn drop(&mut self) {
        self.shared.cancels.forget(self.cancel.pid);
    }
}

/// A function that makes a statement for a snapshot, on the engine's threads.
pub(super) fn maker(
    relations: &Arc<Relations>,
    statement: &Parsed,
) -> impl FnOnce() -> Result<Statement, QueryError> + Send + 'static + use<> {
    let (mut statement, relations) = (statement.clone(), Arc::clone(relations));
    move || {
        rewrite(&mut statement, &relations)?;
        classify(statement)
    }
}

/// Refuses a text that takes long to read.
pub(super) fn has_readable_length(text: &str) -> Result<(), Problem> {
    match text.len() {
        length if length > TEXT_MAX => {
            let message = format!("the statement has {length} bytes, and {TEXT_MAX} are taken: send values as parameters");
            Err(Problem::new(code::TOO_LARGE, message))
        }
        _ => Ok(()),
    }
}

/// The error of a query beyond `serve.max_rows`.
pub(super) fn too_many_rows(most: u64) -> Problem {
    Problem::new(code::TOO_LARGE, format!("the query has more than {most} rows (serve.max_rows): narrow it with WHERE or LIMIT"))
}

fn cancelled() -> Problem {
    Problem::new(code::CANCELLED, "the statement was cancelled as the user asked")
}

fn expired() -> Problem {
    Problem::new(code::CANCELLED, "the statement was cancelled: its statement_timeout is over")
}
