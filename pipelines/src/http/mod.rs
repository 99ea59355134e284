//! The HTTP server: metrics and health for monitors, the console for people, and its API.
//!
//! ```text
//!  /metrics, /health/*        as they are, for anybody who reaches the address
//!
//!  /, /console/*, /api/*  ─►  guard: whose page asks, and for which host? ─► user ─► pages │ api
//!                                                                                        │
//!                        panels, sql, explain, verify, flow  ◄───────────────────────────┤
//!                        commits, changes: server-sent events ◄──────────────────────────┘
//! ```

mod api;
mod assets;
mod changes;
mod commits;
mod desk;
mod explained;
mod guard;
mod hosts;
mod panels;
mod parameters;
mod refusal;
#[cfg(test)]
mod tests;

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use headwater_sql::ServeConfig;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use desk::Desk;
pub use desk::DeskSettings;

use crate::metrics::{MEDIA_TYPE, Metrics};

/// How long open requests may take when the server stops.
const PATIENCE: Duration = Duration::from_secs(1);
/// Threads that look for new commits and check passwords, at most: clients wait for each other rather than take a thread each.
const HELPERS: usize = 4;

/// A server that stops on drop.
pub struct Server {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    /// The address that it listens on.
    pub address: Option<SocketAddr>,
    /// Whether it has the console.
    pub has_console: bool,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Serves `/metrics` and `/health/*` of a run, and the console of a data directory; does nothing if the address is empty.
///
/// Without users, the console is for this machine alone: on an address that others reach it is left out.
pub fn serve(address: &str, metrics: Option<Arc<Metrics>>, desk: Option<DeskSettings>) -> anyhow::Result<Server> {
    if address.is_empty() {
        return Ok(Server { stop: None, thread: None, address: None, has_console: false });
    }
    let advice = || {
        format!(
            "cannot listen on {address}: is another headwater running there? Give another address (--console, or http.address), or \"\" for none"
        )
    };
    let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(HELPERS).enable_all().build()?;
    let listener = runtime.block_on(TcpListener::bind(address)).with_context(advice)?;
    let bound = listener.local_addr()?;
    let desk = desk.filter(|desk| desk.may_be_served_on(bound)).map(|desk| Desk::new(desk, address, bound, metrics.clone()));
    let has_console = desk.is_some();
    let app = router(metrics, desk).into_make_service_with_connect_info::<SocketAddr>();
    let (stop, stopped) = oneshot::channel();
    let thread = std::thread::spawn(move || {
        let (stopping, over) = oneshot::channel();
        let served = axum::serve(listener, app).with_graceful_shutdown(async move {
            let _ = stopped.await;
            let _ = stopping.send(());
        });
        // Clients may be slow to send their requests; a run that has ended does not wait for them.
        let patience = async {
            let _ = over.await;
            tokio::time::sleep(PATIENCE).await;
        };
        let ended = runtime.block_on(async {
            tokio::select! {
                served = async { served.await } => served,
                () = patience => Ok(()),
            }
        });
        if let Err(error) = ended {
            tracing::error!(%error, "the HTTP server ended");
        }
        // A request that still reads files is not waited for.
        runtime.shutdown_background();
    });
    Ok(Server { stop: Some(stop), thread: Some(thread), address: Some(bound), has_console })
}

/// Whether the console will be served on an address.
pub fn offers_console(address: &str, serve: &ServeConfig) -> bool {
    let is_local = |mut addresses: std::vec::IntoIter<SocketAddr>| addresses.next().is_some_and(|address| address.ip().is_loopback());
    !serve.users.is_empty() || address.to_socket_addrs().is_ok_and(is_local)
}

fn router(metrics: Option<Arc<Metrics>>, desk: Option<Desk>) -> Router {
    let monitored = Router::new().route("/health/live", get(|| async { "ok\n" }));
    let monitored = monitored.merge(metrics.map_or_else(Router::new, of_a_run));
    monitored.merge(desk.map_or_else(Router::new, |desk| api::router(Arc::new(desk))))
}

/// What a run reports.
fn of_a_run(metrics: Arc<Metrics>) -> Router {
    let answer = |yes: bool, no: &'static str| if yes { (StatusCode::OK, "ok\n") } else { (StatusCode::SERVICE_UNAVAILABLE, no) };
    Router::new()
        .route("/metrics", get(scrape))
        .route(
            "/health/startup",
            get(move |State(metrics): State<Arc<Metrics>>| async move { answer(metrics.is_started(), "no commit yet\n") }),
        )
        .route(
            "/health/ready",
            get(move |State(metrics): State<Arc<Metrics>>| async move { answer(metrics.is_ready(), "not caught up, or not committing\n") }),
        )
        .with_state(metrics)
}

async fn scrape(State(metrics): State<Arc<Metrics>>) -> Result<impl IntoResponse, (StatusCode, String)> {
    let text = metrics.scrape().map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    Ok(([(header::CONTENT_TYPE, MEDIA_TYPE)], text))
}
