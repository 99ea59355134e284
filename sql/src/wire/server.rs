//! The server: it listens, lets clients in, and starts a session for each.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use datafusion::catalog::SchemaProvider;
use datafusion::prelude::SessionContext;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, lookup_host};
use tokio::runtime::{Builder, Runtime};
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::access::Access;
use super::answers;
use super::attempts::{Attempts, TURN_MAX};
use super::config::ServeConfig;
use super::connection::Connection;
use super::frames::{Frames, Message, Opening, ReadError};
use super::problem::{Problem, code};
use super::relations::Relations;
use super::scram::{Exchange, Secret, SecretError, random};
use super::settings::Settings;
use super::shared::Shared;
use super::strangers::{Stranger, Strangers};
use super::tls::{self, TlsError};
use crate::catalog::Catalog;
use crate::config::SqlConfig;
use crate::engine::STACK_BYTES;
use crate::error::{CatalogError, QueryError};
use crate::readable::readable;
use crate::rights::Rights;
use crate::session::{CATALOG, SCHEMA, session};

/// How long a client may take to log in.
const PATIENCE: Duration = TURN_MAX;
/// How long sessions may take to end with the server.
const FAREWELL: Duration = Duration::from_secs(1);
/// Threads that talk to clients. Queries work on the engine's.
const THREADS: usize = 2;
/// Threads that look for new commits and read old ones, at most.
const HELPERS: usize = 8;
const MECHANISM: &str = "SCRAM-SHA-256";

/// Why the server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The settings are invalid.
    #[error("the settings of the server are impossible: {}", .0.join("; "))]
    Config(Vec<String>),
    /// The data directory cannot be read.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// A table that a user may read by name has no rows that the user's other rules allow.
    #[error("serve.users.{user}.tables: {relation} cannot be read under books or aml of this user: leave it out")]
    Relation {
        /// The user.
        user: String,
        /// The table or view.
        relation: String,
        /// What is missing.
        #[source]
        cause: Box<QueryError>,
    },
    /// The tables cannot be described.
    #[error("the tables cannot be described")]
    Describe(#[source] QueryError),
    /// Everybody on the network could read everything.
    #[error(
        "{0} can be reached from other machines, and no users are configured: give an address like 127.0.0.1:5433 (--listen, or serve.address), or users in [serve.users] and tls_certificate"
    )]
    Open(SocketAddr),
    /// The address cannot be used.
    #[error("cannot listen on {address}: is another server running there? Give another address (--listen, or serve.address)")]
    Listen {
        /// The address.
        address: String,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// The certificate or key cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The system gives no random bytes.
    #[error(transparent)]
    Random(#[from] SecretError),
    /// No threads.
    #[error("the server's threads cannot start")]
    Threads(#[source] io::Error),
}

/// A server for PostgreSQL clients. It ends when it is dropped, and with it its connections.
pub struct Server {
    runtime: Option<Runtime>,
    address: SocketAddr,
}

impl Server {
    /// Opens a data directory and listens on an address.
    pub fn start(data: &Path, address: &str, serve: ServeConfig, sql: SqlConfig) -> Result<Self, ServeError> {
        Self::listen(&Access::open(data, serve, sql)?, address)
    }

    /// Listens on an address, for the users of an access that other servers may share.
    pub fn listen(access: &Access, address: &str) -> Result<Self, ServeError> {
        let shared = Arc::clone(&access.shared);
        let tls = tls::acceptor(shared.config.tls_certificate.as_deref(), shared.config.tls_key.as_deref())?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .max_blocking_threads(HELPERS)
            // Statements are parsed and copied here, and their trees are deep.
            .thread_stack_size(STACK_BYTES)
            .thread_name("headwater-serve")
            .enable_all()
            .build()
            .map_err(ServeError::Threads)?;
        let (listener, address) = runtime.block_on(listen(address, &shared.config))?;
        runtime.spawn(accept(listener, shared, tls));
        Ok(Self { runtime: Some(runtime), address })
    }

    /// The address that it listens on.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(FAREWELL);
        }
    }
}

async fn listen(address: &str, serve: &ServeConfig) -> Result<(TcpListener, SocketAddr), ServeError> {
    let cannot = |cause| ServeError::Listen { address: address.to_owned(), cause };
    let addresses: Vec<SocketAddr> = lookup_host(address).await.map_err(cannot)?.collect();
    if let Some(open) = addresses.iter().find(|address| serve.users.is_empty() && !address.ip().is_loopback()) {
        return Err(ServeError::Open(*open));
    }
    let listener = TcpListener::bind(addresses.as_slice()).await.map_err(cannot)?;
    let bound = listener.local_addr().map_err(cannot)?;
    Ok((listener, bound))
}

/// Describes the tables, and checks that each user can read what is allowed.
pub(super) fn describe(catalog: &Catalog, serve: &ServeConfig) -> Result<Relations, ServeError> {
    let engine = catalog.snapshot().engine;
    let (session, schema) = schema_of(catalog, &Rights::default()).map_err(ServeError::Describe)?;
    let all = async move {
        // Views are planned with the session.
        let _session = session;
        Relations::describe(schema.as_ref()).await.map_err(|error| readable(&error))
    };
    let relations = engine.wait(engine.run(all)).map_err(ServeError::Describe)?;
    for (user, config, tables) in serve.users.iter().filter_map(|(user, config)| Some((user, config, config.tables.as_ref()?))) {
        let (session, schema) = schema_of(catalog, &config.rights()).map_err(ServeError::Describe)?;
        for table in tables {
            let (session, schema, name) = (Arc::clone(&session), Arc::clone(&schema), table.clone());
            let read = async move {
                let _session = session;
                schema.table(&name).await.map(drop).map_err(|error| readable(&error))
            };
            let cannot = |cause| ServeError::Relation { user: user.clone(), relation: table.clone(), cause: Box::new(cause) };
            engine.wait(engine.run(read)).map_err(cannot)?;
        }
    }
    Ok(relations)
}

/// A session that may read some tables, and the schema that they are in.
fn schema_of(catalog: &Catalog, rights: &Rights) -> Result<(Arc<SessionContext>, Arc<dyn SchemaProvider>), QueryError> {
    let snapshot = catalog.snapshot();
    let session = session(&snapshot.committed, rights, &snapshot.config, &snapshot.engine.resources).map_err(|error| readable(&error))?;
    let schema = session.catalog(CATALOG).and_then(|catalog| catalog.schema(SCHEMA));
    let schema = schema.ok_or_else(|| QueryError::execution("the session has no schema"))?;
    Ok((session, schema))
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, tls: Option<TlsAcceptor>) {
    let strangers = Arc::new(Strangers::default());
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let (stranger, closed) = strangers.enter(peer.ip());
                let arrival = Arrival { shared: Arc::clone(&shared), address: peer.ip(), stranger };
                let tls = tls.clone();
                tokio::spawn(async move {
                    tokio::select! {
                        // A client that has gone needs no answer.
                        _ = greet(stream, arrival, tls) => {}
                        // Once it has logged in, nobody closes it.
                        Ok(()) = closed => {}
                    }
                });
            }
            // Such as too many open files: others may close some.
            Err(_) => sleep(Duration::from_millis(100)).await,
        }
    }
}

/// A connection that has not logged in yet.
struct Arrival {
    shared: Arc<Shared>,
    address: IpAddr,
    /// Its place among those that have not logged in.
    stranger: Stranger,
}

/// Follows a connection from its first byte.
async fn greet(stream: TcpStream, arrival: Arrival, tls: Option<TlsAcceptor>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut frames = Frames::new(stream);
    let opening = async {
        loop {
            match (frames.opening().await, &tls) {
                (Ok(Opening::Tls), Some(tls)) => {
                    frames.out.extend_from_slice(b"S");
                    frames.flush().await?;
                    return Ok::<_, io::Error>(Greeting::Tls(tls.clone()));
                }
                (Ok(Opening::Tls | Opening::Gss), _) => {
                    frames.out.extend_from_slice(b"N");
                    frames.flush().await?;
                }
                (opening, _) => return Ok(Greeting::Plain(opening)),
            }
        }
    };
    let greeting = timeout(PATIENCE, opening).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
    match greeting {
        Greeting::Plain(opening) => session_of(frames, opening, arrival, tls.is_some()).await,
        Greeting::Tls(tls) => {
            // What was sent ahead of the encryption could be anybody's.
            let Some(stream) = frames.into_stream() else { return Ok(()) };
            let accepted = timeout(PATIENCE, tls.accept(stream)).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
            let mut frames = Frames::new(accepted);
            let opening = timeout(PATIENCE, frames.opening()).await;
            let opening = opening.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()));
            session_of(frames, opening, arrival, false).await
        }
    }
}

enum Greeting {
    Plain(Result<Opening, ReadError>),
    Tls(TlsAcceptor),
}

/// A connection after the question of encryption.
async fn session_of<S>(mut frames: Frames<S>, opening: Result<Opening, ReadError>, arrival: Arrival, lacks_tls: bool) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let Arrival { shared, address, stranger } = arrival;
    let parameters = match opening {
        Ok(Opening::Cancel { pid, secret }) => {
            shared.cancels.cancel(pid, secret);
            return frames.close().await;
        }
        Ok(Opening::Start { minor, parameters }) => {
            negotiate(&mut frames, minor, &parameters);
            parameters
        }
        Ok(Opening::Tls | Opening::Gss) => return refuse(frames, &Problem::protocol("the connection is encrypted already")).await,
        Err(ReadError::Protocol(problem)) => return refuse(frames, &problem).await,
        Err(ReadError::Gone(error)) => return Err(error),
    };
    if lacks_tls {
        let mend = "connect with sslmode=require, or better verify-full";
        return refuse(frames, &Problem::fatal(code::AUTHORIZATION, format!("the server takes only encrypted connections: {mend}"))).await;
    }
    let user = match timeout(PATIENCE, log_in(&mut frames, &parameters, address, &shared)).await {
        Ok(Ok(user)) => user,
        Ok(Err(ReadError::Protocol(problem))) => return refuse(frames, &problem).await,
        Ok(Err(ReadError::Gone(error))) => return Err(error),
        Err(_) => return Ok(()),
    };
    let Ok(_place) = Arc::clone(&shared.connections).try_acquire_owned() else {
        let most = shared.config.max_connections;
        let message = format!("there are {most} connections (serve.max_connections): close some");
        return refuse(frames, &Problem::fatal(code::TOO_MANY_CONNECTIONS, message)).await;
    };
    if !stranger.leave() {
        return Ok(());
    }
    let mut settings = Settings::new(&user);
    start_with(&mut settings, &parameters);
    frames.log_in();
    answers::authentication(&mut frames.out, 0, &[]);
    let Ok(secret) = random::<4>() else { return Ok(()) };
    let cancel = shared.cancels.register(u32::from_be_bytes(secret));
    Connection::new(frames, shared, cancel, user, settings).serve().await
}

/// Offers version 3.0 to a client that asks for more.
fn negotiate<S>(frames: &mut Frames<S>, minor: u16, parameters: &[(String, String)])
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let options: Vec<&str> = parameters.iter().map(|(name, _)| name.as_str()).filter(|name| name.starts_with("_pq_.")).collect();
    if minor > 0 || !options.is_empty() {
        answers::negotiate_version(&mut frames.out, &options);
    }
}

async fn refuse<S: AsyncRead + AsyncWrite + Unpin>(mut frames: Frames<S>, problem: &Problem) -> io::Result<()> {
    answers::error(&mut frames.out, &Problem { is_fatal: true, ..problem.clone() });
    frames.close().await
}

/// The settings that come with the start: each as a parameter, or in `options` like `-c statement_timeout=5s`.
fn start_with(settings: &mut Settings, parameters: &[(String, String)]) {
    for (name, value) in parameters {
        match name.as_str() {
            "user" | "database" | "replication" => {}
            "options" => {
                let assignments =
                    value.split_whitespace().filter_map(|word| word.trim_start_matches("-c").trim_start_matches("--").split_once('='));
                assignments.for_each(|(name, value)| settings.start(name, value));
            }
            name => settings.start(name, value),
        }
    }
}

/// The name of the user, who has proved to be it where users are configured.
async fn log_in<S>(frames: &mut Frames<S>, parameters: &[(String, String)], address: IpAddr, shared: &Shared) -> Result<String, ReadError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let parameter = |wanted: &str| parameters.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone());
    if parameter("replication").is_some_and(|value| !matches!(value.as_str(), "false" | "off" | "no" | "0")) {
        return Err(Problem::fatal(code::NOT_SUPPORTED, "replication is not supported: read the tables, or the topics").into());
    }
    let user = parameter("user").filter(|user| !user.is_empty());
    let user = user.ok_or_else(|| Problem::fatal(code::AUTHORIZATION, "the connection gives no user"))?;
    if shared.config.users.is_empty() {
        return Ok(user);
    }
    let known = shared.config.users.get(&user).map(|user| user.secret.clone());
    let secret = known.unwrap_or_else(|| Secret::of_nobody(&user, &shared.seed));
    match prove(frames, secret, &shared.attempts, address).await? {
        true => Ok(user),
        false => {
            shared.attempts.failed(address, Instant::now());
            Err(Problem::fatal(code::PASSWORD, format!("password authentication failed for user {user:?}")).into())
        }
    }
}

/// SCRAM: mechanisms, the client's first message, the challenge, the proof, the server's own proof. Whether the password is right.
async fn prove<S>(frames: &mut Frames<S>, secret: Secret, attempts: &Attempts, address: IpAddr) -> Result<bool, ReadError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    answers::authentication(&mut frames.out, 10, format!("{MECHANISM}\0\0").as_bytes());
    let answer = password_message(frames).await?;
    let wrong = || Problem::protocol(format!("the password is not proved by {MECHANISM}"));
    // The mechanism, and the length of what follows in four bytes.
    let first = answer.strip_prefix(MECHANISM.as_bytes()).and_then(|rest| rest.strip_prefix(b"\0")).and_then(|rest| rest.get(4..));
    let first = first.and_then(|first| std::str::from_utf8(first).ok()).ok_or_else(wrong)?;
    let nonce = random::<18>().map_err(|error| Problem::fatal("XX000", error.to_string()))?;
    let (exchange, challenge) = Exchange::begin(secret, first, &nonce).ok_or_else(wrong)?;
    answers::authentication(&mut frames.out, 11, challenge.as_bytes());
    let last = password_message(frames).await?;
    attempts.take_turn(address).await?;
    let proof = std::str::from_utf8(&last).ok().and_then(|last| exchange.finish(last));
    if let Some(proof) = &proof {
        answers::authentication(&mut frames.out, 12, proof.as_bytes());
    }
    Ok(proof.is_some())
}

async fn password_message<S>(frames: &mut Frames<S>) -> Result<Bytes, ReadError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    frames.flush().await?;
    match frames.message().await? {
        Message::Password(bytes) => Ok(bytes),
        _ => Err(Problem::protocol("a password was asked for, and something else was sent").into()),
    }
}
