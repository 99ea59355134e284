//! Access to a data directory with the users, tables and limits of `[serve]`, for servers of any protocol.
//!
//! The server for PostgreSQL clients and the one for browsers share one: the catalog with its cached rows, the number of queries that
//! may work at the same time, and the memory of wrong passwords.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::attempts::Attempts;
use super::config::ServeConfig;
use super::connection::{has_readable_length, too_many_rows};
use super::problem::{Problem, code};
use super::scram::{Secret, are_equal, hmac, random};
use super::server::{ServeError, describe};
use super::shared::{Cancels, Shared};
use crate::catalog::Catalog;
use crate::commits_table::{CommitSummary, summaries};
use crate::config::SqlConfig;
use crate::engine::Engine;
use crate::error::QueryError;
use crate::query::Snapshot;
use crate::readable::readable;
use crate::render::Sheet;
use crate::rights::Rights;
use crate::session::session;

/// Longest name of a user that is looked up.
const NAME_MAX: usize = 256;
/// Longest password that is checked, in bytes: that of the longest secret.
const PASSWORD_MAX: usize = 256;

/// A data directory, open for the users of `[serve]`.
#[derive(Clone)]
pub struct Access {
    pub(super) shared: Arc<Shared>,
    proved: Arc<Proved>,
    /// The newest snapshot of each user who may not read everything.
    restricted: Arc<Mutex<BTreeMap<String, Snapshot>>>,
}

/// Who reads.
#[derive(Clone)]
pub struct Reader {
    access: Access,
    user: String,
    rights: Rights,
}

impl Access {
    /// Opens a data directory. It must not be called in async code.
    pub fn open(data: &Path, serve: ServeConfig, sql: SqlConfig) -> Result<Self, ServeError> {
        let problems = serve.validate();
        if !problems.is_empty() {
            return Err(ServeError::Config(problems));
        }
        let catalog = Catalog::open_with(data, None, sql)?;
        let relations = describe(&catalog, &serve)?;
        let shared = Arc::new(Shared {
            catalog,
            relations,
            queries: Arc::new(Semaphore::new(serve.max_queries)),
            connections: Arc::new(Semaphore::new(serve.max_connections)),
            config: serve,
            cancels: Cancels::default(),
            attempts: Attempts::default(),
            seed: random()?,
        });
        let proved = Arc::new(Proved { seed: random()?, by_user: Mutex::default() });
        Ok(Self { shared, proved, restricted: Arc::default() })
    }

    /// The limits and users.
    pub fn config(&self) -> &ServeConfig {
        &self.shared.config
    }

    /// The catalog, for code that waits and that only readers of everything reach.
    pub fn catalog(&self) -> &Catalog {
        &self.shared.catalog
    }

    /// The reader without a password: nobody where users are configured.
    pub fn anybody(&self) -> Option<Reader> {
        self.shared.config.users.is_empty().then(|| self.reader(""))
    }

    /// Checks a password. After a wrong one, those that come from the same address wait, as for PostgreSQL clients.
    pub fn log_in<'a>(&'a self, user: &'a str, password: &'a str, address: IpAddr) -> BoxFuture<'a, Result<Reader, Problem>> {
        async move {
            let wrong = || Problem::fatal(code::PASSWORD, "the user or the password is wrong");
            if user.len() > NAME_MAX || password.len() > PASSWORD_MAX {
                return Err(wrong());
            }
            if self.proved.has(user, password) {
                return Ok(self.reader(user));
            }
            let shared = &self.shared;
            shared.attempts.take_turn(address).await?;
            let known = shared.config.users.get(user).map(|user| user.secret.clone());
            let secret = known.unwrap_or_else(|| Secret::of_nobody(user, &shared.seed));
            let given = password.to_owned();
            // It takes thousands of hashes.
            let checked = spawn_blocking(move || secret.is_of(&given)).await;
            if checked.unwrap_or(false) {
                self.proved.keep(user, password);
                return Ok(self.reader(user));
            }
            shared.attempts.failed(address, Instant::now());
            Err(wrong())
        }
        .boxed()
    }

    fn reader(&self, user: &str) -> Reader {
        Reader { access: self.clone(), user: user.to_owned(), rights: self.shared.rights_of(user) }
    }
}

impl Reader {
    /// Whether everything may be read.
    pub fn reads_all(&self) -> bool {
        self.rights.are_all()
    }

    /// Whether a table or view may be read.
    pub fn reads(&self, relation: &str) -> bool {
        self.rights.has(relation)
    }

    /// The name that was given; empty where no users are configured.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The number of the newest commit; 0 when there is none.
    pub fn newest_commit(&self) -> BoxFuture<'_, Result<u64, Problem>> {
        async move {
            let newest = self.access.shared.snapshot(None).await.map_err(|error| Problem::from(&error))?;
            Ok(newest.commit_id())
        }
        .boxed()
    }

    /// The commits after one, up to another.
    pub fn commits(&self, after: u64, upto: u64) -> BoxFuture<'_, Result<Vec<CommitSummary>, Problem>> {
        async move {
            let shared = Arc::clone(&self.access.shared);
            let reading = spawn_blocking(move || summaries(shared.catalog.snapshot().committed.data(), after, upto));
            let read = reading.await.map_err(QueryError::from).and_then(|read| Ok(read?));
            read.map_err(|error| Problem::from(&error))
        }
        .boxed()
    }

    /// The threads of queries.
    pub(crate) fn engine(&self) -> Arc<Engine> {
        self.access.shared.catalog.snapshot().engine
    }

    /// The access.
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// The first rows of a statement, up to a number. Dropping the future cancels the query.
    pub fn query<'a>(&'a self, text: &'a str, most: usize) -> BoxFuture<'a, Result<Sheet, Problem>> {
        async move {
            has_readable_length(text)?;
            let snapshot = self.snapshot().await?;
            let _permit = self.turn().await?;
            let problem = |error: QueryError| Problem::of(&error, text);
            let mut answer = snapshot.query(text).await.map_err(problem)?;
            let mut sheet = Sheet::new(answer.commit_id(), answer.schema());
            let limit = self.access.shared.config.max_rows;
            while let Some(batch) = answer.next().await.transpose().map_err(problem)? {
                sheet.add(&batch, most).map_err(|error| Problem::of(&error.into(), text))?;
                if limit > 0 && sheet.rows() as u64 > limit {
                    return Err(too_many_rows(limit));
                }
                if sheet.is_cut() {
                    break;
                }
            }
            Ok(sheet)
        }
        .boxed()
    }

    /// Waits until not too many queries work.
    pub fn turn(&self) -> BoxFuture<'_, Result<OwnedSemaphorePermit, Problem>> {
        async move {
            let queries = Arc::clone(&self.access.shared.queries);
            queries.acquire_owned().await.map_err(|_| Problem::from(&QueryError::execution("the server ends")))
        }
        .boxed()
    }

    /// The newest commit, with what may be read.
    pub(crate) async fn snapshot(&self) -> Result<Snapshot, Problem> {
        let newest = self.access.shared.snapshot(None).await.map_err(|error| Problem::from(&error))?;
        if self.reads_all() {
            return Ok(newest);
        }
        let known = self.access.restricted.lock().unwrap_or_else(PoisonError::into_inner).get(&self.user).cloned();
        if let Some(known) = known.filter(|known| Arc::ptr_eq(&known.committed, &newest.committed)) {
            return Ok(known);
        }
        let snapshot = self.restrict(newest).map_err(|error| Problem::from(&error))?;
        let mut restricted = self.access.restricted.lock().unwrap_or_else(PoisonError::into_inner);
        restricted.insert(self.user.clone(), snapshot.clone());
        Ok(snapshot)
    }

    /// A snapshot with what may be read.
    pub(crate) fn restrict(&self, snapshot: Snapshot) -> Result<Snapshot, QueryError> {
        let Snapshot { committed, config, engine, .. } = &snapshot;
        let session = session(committed, &self.rights, config, &engine.resources).map_err(|error| readable(&error))?;
        Ok(Snapshot { session, rights: self.rights.clone(), ..snapshot })
    }
}

/// Passwords that were checked, so that a client that sends its password with each request is not slow. Only keyed hashes are kept.
struct Proved {
    seed: [u8; 32],
    by_user: Mutex<BTreeMap<String, [u8; 32]>>,
}

impl Proved {
    fn has(&self, user: &str, password: &str) -> bool {
        let kept = self.by_user.lock().unwrap_or_else(PoisonError::into_inner).get(user).copied();
        kept.zip(hmac(&self.seed, password.as_bytes())).is_some_and(|(kept, given)| are_equal(&kept, &given))
    }

    fn keep(&self, user: &str, password: &str) {
        if let Some(hash) = hmac(&self.seed, password.as_bytes()) {
            self.by_user.lock().unwrap_or_else(PoisonError::into_inner).insert(user.to_owned(), hash);
        }
    }
}
