//! Metrics and health over HTTP.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::Context;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::metrics::Metrics;

/// A server that runs until it is dropped.
pub struct Server {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    /// Where it listens.
    pub address: Option<SocketAddr>,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Serves `/metrics` and `/health/*`; an empty address serves nothing.
pub fn serve(address: &str, metrics: Arc<Metrics>) -> anyhow::Result<Server> {
    if address.is_empty() {
        return Ok(Server { stop: None, thread: None, address: None });
    }
    let advice =
        || format!("http.address: cannot listen on {address}: is another headwater running there? Give another address, or \"\" for none");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listener = runtime.block_on(TcpListener::bind(address)).with_context(advice)?;
    let bound = listener.local_addr()?;
    let (stop, stopped) = oneshot::channel();
    let thread = std::thread::spawn(move || {
        let served = axum::serve(listener, router(metrics)).with_graceful_shutdown(async move {
            let _ = stopped.await;
        });
        if let Err(error) = runtime.block_on(async { served.await }) {
            tracing::error!(%error, "the HTTP server ended");
        }
    });
    Ok(Server { stop: Some(stop), thread: Some(thread), address: Some(bound) })
}

fn router(metrics: Arc<Metrics>) -> Router {
    let answer = |yes: bool, no: &'static str| if yes { (StatusCode::OK, "ok\n") } else { (StatusCode::SERVICE_UNAVAILABLE, no) };
    Router::new()
        .route("/metrics", get(scrape))
        .route("/health/live", get(|| async { "ok\n" }))
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

async fn scrape(State(metrics): State<Arc<Metrics>>) -> Result<String, (StatusCode, String)> {
    metrics.scrape().map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
}
