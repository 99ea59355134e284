//! Metrics and health over HTTP.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::metrics::{MEDIA_TYPE, Metrics};

/// How long open requests may take when the server stops.
const PATIENCE: Duration = Duration::from_secs(1);

/// A server that stops on drop.
pub struct Server {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    /// The address that it listens on.
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

/// Serves `/metrics` and `/health/*`; does nothing if the address is empty.
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
        let (stopping, over) = oneshot::channel();
        let served = axum::serve(listener, router(metrics)).with_graceful_shutdown(async move {
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

async fn scrape(State(metrics): State<Arc<Metrics>>) -> Result<impl IntoResponse, (StatusCode, String)> {
    let text = metrics.scrape().map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    Ok(([(header::CONTENT_TYPE, MEDIA_TYPE)], text))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Instant;

    use headwater_connectors::parquet::commit::Committed;
    use headwater_connectors::source::SourceCounters;
    use headwater_connectors::transport::OffsetUnit;

    use headwater_schemas::Tick;

    use super::*;
    use crate::metrics::MetricsSettings;

    const SETTINGS: MetricsSettings =
        MetricsSettings { lag_unit: OffsetUnit::Bytes, publishes_commits: true, fresh_for: Duration::from_secs(30) };

    #[test]
    fn a_server_ends_while_clients_have_sent_half_a_request() -> anyhow::Result<()> {
        let server = serve("127.0.0.1:0", Arc::new(Metrics::new(SETTINGS)?))?;
        let address = server.address.context("an address")?;
        let mut whole = TcpStream::connect(address)?;
        whole.write_all(b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        whole.read_to_string(&mut answer)?;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let mut halves = Vec::new();
        for sent in ["", "GET /met", "GET /metrics HTTP/1.1\r\nHost: x\r\n"] {
            let mut half = TcpStream::connect(address)?;
            half.write_all(sent.as_bytes())?;
            halves.push(half);
        }
        std::thread::sleep(Duration::from_millis(100));
        let began = Instant::now();
        drop(server);
        assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
        Ok(())
    }

    #[test]
    fn a_run_that_has_failed_is_not_ready() -> anyhow::Result<()> {
        let metrics = Arc::new(Metrics::new(SETTINGS)?);
        let server = serve("127.0.0.1:0", Arc::clone(&metrics))?;
        let address = server.address.context("an address")?;
        let status = || -> anyhow::Result<String> {
            let mut client = TcpStream::connect(address)?;
            client.write_all(b"GET /health/ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
            let mut answer = String::new();
            client.read_to_string(&mut answer)?;
            Ok(answer.get(9..12).unwrap_or_default().to_owned())
        };
        let failed = Arc::new(AtomicBool::new(false));
        metrics.follow(Arc::new(SourceCounters::default()), Arc::default());
        metrics.follow_failure(Arc::clone(&failed));
        assert_eq!(status()?, "503", "there is no commit yet");
        metrics.on_commit(Committed { commit_id: 1, end_tick: Tick::new(1), is_cut: false });
        assert_eq!(status()?, "200");
        failed.store(true, Ordering::Relaxed);
        assert_eq!(status()?, "503");
        Ok(())
    }
}
