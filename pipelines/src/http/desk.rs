//! The console of a data directory: what its requests share.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use axum::http::StatusCode;
use headwater_connectors::fault::with_causes;
use headwater_sql::{Access, ServeConfig, ServeError, SqlConfig};
use tokio::sync::{OnceCell, Semaphore, oneshot};

use super::hosts::Hosts;
use super::panels::Configured;
use super::refusal::Refusal;
use crate::config::Config;
use crate::metrics::Metrics;

/// Settings of the console.
pub struct DeskSettings {
    /// The data directory.
    pub data: PathBuf,
    /// Users and limits, as for PostgreSQL clients.
    pub serve: ServeConfig,
    /// Limits of queries.
    pub sql: SqlConfig,
    /// Values that panels are about.
    pub configured: Configured,
    /// Names of this server besides its address: `http.hosts`.
    pub hosts: Vec<String>,
    /// What the server for PostgreSQL clients has opened, if there is one.
    pub access: Option<Access>,
}

impl DeskSettings {
    /// The settings of a configuration.
    pub fn new(data: PathBuf, config: &Config, access: Option<Access>) -> Self {
        let Config { serve, sql, http, .. } = config;
        let (serve, sql, hosts) = (serve.clone(), sql.clone(), http.hosts.clone());
        Self { data, serve, sql, configured: Configured::of(config), hosts, access }
    }

    /// Whether nobody who may not reads the tables. If not, the log says so.
    pub(super) fn may_be_served_on(&self, bound: SocketAddr) -> bool {
        let may = bound.ip().is_loopback() || !self.serve.users.is_empty();
        if !may {
            tracing::warn!(
                "no console on {bound}: other machines reach it, and no users are configured; give users in [serve.users], or an http.address like 127.0.0.1:9464"
            );
        }
        may
    }
}

/// What the requests of a console share.
pub(super) struct Desk {
    settings: DeskSettings,
    pub(super) hosts: Hosts,
    pub(super) metrics: Option<Arc<Metrics>>,
    /// Opened with the first request: most runs have no visitor.
    opened: OnceCell<Access>,
    /// Requests to the API that may be open at the same time, streams included.
    pub(super) requests: Arc<Semaphore>,
    /// Held while the files are verified.
    pub(super) verifying: Arc<Semaphore>,
}

impl Desk {
    pub(super) fn new(settings: DeskSettings, configured: &str, bound: SocketAddr, metrics: Option<Arc<Metrics>>) -> Self {
        let hosts = Hosts::new(configured, bound, &settings.hosts);
        let requests = Arc::new(Semaphore::new(settings.serve.max_connections));
        let opened = OnceCell::new_with(settings.access.clone());
        Self { settings, hosts, metrics, opened, requests, verifying: Arc::new(Semaphore::new(1)) }
    }

    pub(super) fn data(&self) -> &std::path::Path {
        &self.settings.data
    }

    pub(super) fn configured(&self) -> &Configured {
        &self.settings.configured
    }

    pub(super) fn config(&self) -> &ServeConfig {
        &self.settings.serve
    }

    /// The access to the data directory.
    pub(super) async fn access(&self) -> Result<&Access, Refusal> {
        let opening = || async {
            let (data, serve, sql) = (self.settings.data.clone(), self.settings.serve.clone(), self.settings.sql.clone());
            // It waits for queries about the tables, which async code must not.
            apart(move || Access::open(&data, serve, sql)).await?.map_err(|error: ServeError| unopened(&error))
        };
        self.opened.get_or_try_init(opening).await
    }
}

fn unopened(error: &ServeError) -> Refusal {
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "not_open", format!("the data directory cannot be read: {}", with_causes(error)))
}

/// Runs what blocks on a thread of its own, which nothing waits for when the server ends.
pub(super) async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Refusal> {
    let (give, given) = oneshot::channel();
    let failed = |message: String| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "failed", message);
    let started = thread::Builder::new().name("headwater-console".to_owned()).spawn(move || drop(give.send(work())));
    started.map_err(|error| failed(format!("a thread cannot start: {error}")))?;
    given.await.map_err(|_| failed("the work ended in a panic: please report it".to_owned()))
}
